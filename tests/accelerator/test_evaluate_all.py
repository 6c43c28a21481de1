"""Every network on every accelerator: each pair costs what it costs alone."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nahas.accelerator import cost_model
from nahas.accelerator.cost_model import evaluate, evaluate_all
from nahas.accelerator.distinct import distinct_rows
from nahas.accelerator.grid import BASELINE, accelerator_at, grid_shape
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Kind, Operator, workload

TINY = Accelerator(1, 1, 16, 1, 0.5, 8.0, 20.0)


def network(size, channels):
    wide = 4 * channels
    return [
        Operator("expand", Kind.CONV, (-1,), size, size, channels, size, size, wide),
        Operator("dw", Kind.DEPTHWISE, (0,), size, size, wide, size, size, wide, 3, 3,
                 groups=wide),
        Operator("project", Kind.CONV, (1,), size, size, wide, size, size, channels),
        Operator("add", Kind.ADD, (2, -1), size, size, 2 * channels, size, size,
                 channels),
    ]  # fmt: skip


WIDE = [Operator("wide", Kind.CONV, (-1,), 8, 60_000, 16, 8, 60_000, 16, 3, 3)]
NETWORKS = [network(14, 16), WIDE, network(28, 24), network(14, 16)]
WORK = workload(NETWORKS)


@pytest.mark.parametrize("weights", ["streamed", "resident"])
def test_each_pair_costs_what_it_costs_alone(weights):
    rng = np.random.default_rng(0)
    machines = [accelerator_at(tuple(rng.integers(grid_shape()))) for _ in range(12)]
    machines += [TINY, machines[0]]  # one too small for a network, and one twice
    platform = Platform(weights=weights)
    together = evaluate_all(WORK, machines, platform)
    assert together.latency_ms.shape == (4, 14)
    assert not together.feasible[1].all()
    for k, operators in enumerate(NETWORKS):
        for b, machine in enumerate(machines):
            alone = evaluate(workload([operators]), [machine], platform)
            for spec in fields(alone)[:-1]:
                both = getattr(together, spec.name)[k, b], getattr(alone, spec.name)[0]
                if spec.name == "operator" and both[1] >= 0:
                    both = both[0] - WORK.starts[k], both[1]
                assert both[0] == both[1], spec.name
            assert together.reason((k, b)) == alone.reason(0)
            assert together.take(k).reason(b) == alone.reason(0)


def test_chunks_do_not_show(monkeypatch):
    machines = [accelerator_at((i % 5, 1, i % 4, 1, 1, 1, 1)) for i in range(11)]
    whole = evaluate_all(WORK, machines)
    monkeypatch.setattr(cost_model, "_PAIRS", 3 * WORK.networks)
    parts = evaluate_all(WORK, machines)
    for spec in fields(whole)[:-1]:
        assert np.array_equal(getattr(whole, spec.name), getattr(parts, spec.name))


def test_no_accelerators_are_refused():
    with pytest.raises(ValueError, match=r"at least one. Received none"):
        evaluate_all(WORK, [])
    with pytest.raises(ValueError, match="Received 0 for 4 networks"):
        evaluate(WORK, [])


def test_many_networks_meet_one_accelerator():
    assert np.array_equal(
        evaluate(WORK, [BASELINE]).latency_ms,
        evaluate_all(WORK, [BASELINE]).latency_ms[:, 0],
    )


@settings(max_examples=100, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(0, 40), st.integers(1, 3)),
              elements=st.integers(-2, 2) | st.integers(-(2**62), 2**62)))  # fmt: skip
def test_distinct_rows_are_those_of_numpy(table):
    first, number = distinct_rows(table)
    assert (table[first][number] == table).all()
    assert len(first) == len(np.unique(table, axis=0))
    assert (np.diff(first) > 0).all()
    assert all(number[row] == i for i, row in enumerate(first))
