"""Explanations: shares by hand, knobs against simulating them, the command."""

import json
from dataclasses import replace

import pytest

import nahas as nh
from nahas.__main__ import main
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


CONV = Operator("conv", Kind.CONV, (-1,), 8, 8, 16, 8, 8, 16)
SWISH = Operator("swish", Kind.SWISH, (0,), 8, 8, 16, 8, 8, 16)
HOST = 8000
"""Cycles of 10 us at 800 MHz."""


@pytest.mark.parametrize(
    ("second", "settings", "binds"),
    [
        # 64 positions x 4 words; 1,024 elements by 4. At 2.5 bytes a cycle 320 bytes of
        # weights and 1,024 of input take 538 cycles, 1,024 of output 410.
        (SWISH, {}, {"dispatch": 2000, "compute": 256, "table look-up": 256,
                     "I/O": (538 - 256) + (410 - 256)}),
        # The second layer's weights come ahead, while the first is dispatched.
        (replace(CONV, inputs=(0,)), {},
         {"dispatch": 2000, "compute": 2 * 256, "I/O": (538 - 256) + (410 - 256)}),
        # Then all of the I/O is waited for.
        (SWISH, {"overlap": False}, {"dispatch": 2000, "compute": 256,
                                     "table look-up": 256, "I/O": 538 + 410}),
        # 250 bytes more before each operator begins.
        (SWISH, {"instruction_bytes": 250},
         {"dispatch": 2 * (1000 + 100), "compute": 256, "table look-up": 256,
          "I/O": (538 - 256) + (410 - 256)}),
        # The I/O is too quick to be waited for: 54 and 41 cycles.
        (SWISH, {"clock_mhz": 80.0},
         {"dispatch": 2000, "compute": 256, "table look-up": 256}),
    ],
    ids=["slow I/O", "weights ahead", "no overlap", "instructions", "slow clock"],
)  # fmt: skip
def test_what_binds_by_hand(second, settings, binds):
    machine = nh.Accelerator(1, 1, 16, 1, 0.5, 8.0, 2.0)
    host_ms = HOST / (settings.get("clock_mhz", 800.0) * 1e3)
    platform = nh.Platform(lookup_elements=4, host_ms=host_ms, **settings)
    found = explain(Model("two", workload([[CONV, second]])), machine, platform)
    binds = {"host": HOST, **binds}
    total = sum(binds.values())
    clock = platform.clock_mhz * 1e3
    assert found.simulation.metrics.latency_ms[0] * clock == pytest.approx(total)
    shares = {name: cycles / total for name, cycles in binds.items()}
    assert found.binds == pytest.approx(shares, abs=0)
    assert list(found.binds.values()) == sorted(shares.values(), reverse=True)


def test_each_knob_changes_by_one_step_of_the_grid(found):
    near = neighbours(nh.BASELINE)
    assert len(near) == len(found.counterfactuals) == 14
    for (knob, other), change in zip(near, found.counterfactuals, strict=True):
        again = nh.simulate(NETWORK, other).metrics
        own = found.simulation.metrics
        assert change.knob == knob
        assert (change.value, change.instead_of) == (
            getattr(other, knob),
            getattr(nh.BASELINE, knob),
        )
        for cost, found_change in (
            ("latency_ms", change.latency),
            ("energy_mj", change.energy),
            ("area_mm2", change.area),
        ):
            assert found_change == getattr(again, cost)[0] / getattr(own, cost)[0] - 1


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
    path = tmp_path / "why.png"
    assert main(["explain", NETWORK, "--json", "--plot", str(path)]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["counterfactuals"][0]["text"].startswith("pes_x 2 instead of 4: +")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert main(["explain", NETWORK]) == 0
    assert "share of the latency" in capsys.readouterr().out


def test_a_picture_is_a_png_file(tmp_path, capsys):
    assert main(["explain", NETWORK, "--plot", str(tmp_path / "why.pdf")]) == 2
    assert "`--plot` must be a file .png. Received" in capsys.readouterr().err
