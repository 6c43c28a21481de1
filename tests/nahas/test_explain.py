"""Explanations: shares by hand, knobs against simulating them, the command."""

import json
from dataclasses import replace

import pytest

import nahas as nh
from nahas.accelerator.workload import Kind, Operator, workload
from nahas.explain import explain, neighbours
from nahas.models import Model

NETWORK = "r32_c10 stem_k3_s2_f16_relu6 ibn_k3_e6_f24_s2_relu6 head_f64_relu6"


@pytest.fixture(scope="module")
def found():
    return explain(NETWORK)


def test_shares_are_of_the_whole_latency(found):
    assert sum(found.binds.values()) == pytest.approx(1.0)
    assert list(found.binds.values()) == sorted(found.binds.values(), reverse=True)
    operators = len(found.simulation.operators)
    cycles = found.simulation.metrics.latency_ms[0] * 800e3
    assert found.binds["dispatch"] == pytest.approx(1000 * operators / cycles)


def test_the_host_and_a_slow_io_bind():
    slow = replace(nh.BASELINE, io_bandwidth_gbps=0.05)
    found = explain(NETWORK, slow, nh.Platform(host_ms=1.0))
    assert next(iter(found.binds)) in ("host", "I/O")
    latency = found.simulation.metrics.latency_ms[0]
    assert found.binds["host"] == pytest.approx(1.0 / latency)


def test_each_knob_changes_by_one_step_of_the_grid(found):
    near = neighbours(nh.BASELINE)
    assert len(near) == len(found.counterfactuals) == 14
    for (knob, other), change in zip(near, found.counterfactuals, strict=True):
        again = nh.simulate(NETWORK, other).metrics
        own = found.simulation.metrics
        assert change.knob == knob
        assert change.latency == again.latency_ms[0] / own.latency_ms[0] - 1
        assert change.area == again.area_mm2[0] / own.area_mm2[0] - 1


def test_ends_of_the_grid_and_points_between_have_neighbours():
    corner = nh.Accelerator(1, 8, 16, 8, 0.5, 8.0, 5.0)
    assert len(neighbours(corner)) == 7
    between = replace(nh.BASELINE, local_memory_mib=0.7)
    values = [other.local_memory_mib for knob, other in neighbours(between)
              if knob == "local_memory_mib"]  # fmt: skip
    assert values == [0.5, 1.0]


def test_a_change_that_cannot_run_says_why():
    wide = "r32000_c10 stem_k3_s1_f64_relu6 ibn_k3_e6_f24_s2_relu6 head_f64_relu6"
    large = replace(nh.BASELINE, local_memory_mib=3.0)
    changes = explain(wide, large).counterfactuals
    [smaller] = [c for c in changes if (c.knob, c.value) == ("local_memory_mib", 2.0)]
    assert smaller.latency is None
    assert "local memory exceeded" in str(smaller)


def test_what_cannot_run_is_refused():
    with pytest.raises(ValueError, match="cannot run has no cost to explain"):
        explain(NETWORK.replace("r32_", "r64000_").replace("s2_f16", "s1_f64"))


def test_a_network_without_macs_has_an_empty_roofline():
    pool = Operator("pool", Kind.POOL, (-1,), 8, 8, 4, 4, 4, 4, 2, 2, 2, 2, groups=4)
    figure = nh.plot_explanation(explain(Model("pool", workload([[pool]]))))
    [roofline] = [
        axes for axes in figure.axes if axes.get_title().startswith("Roofline")
    ]
    assert not roofline.collections
    assert not roofline.lines


def test_the_command_prints_json_and_draws(capsys, tmp_path):
    from nahas.__main__ import main

    path = tmp_path / "why.png"
    assert main(["explain", NETWORK, "--json", "--plot", str(path)]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["counterfactuals"][0]["text"].startswith("pes_x 2 instead of 4: +")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert main(["explain", NETWORK]) == 0
    assert "share of the latency" in capsys.readouterr().out
