"""Repair: by hand, and never farther than another accelerator that can run."""

from dataclasses import replace

import numpy as np
import pytest

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE, GRID
from nahas.accelerator.repair import nearest_feasible
from nahas.accelerator.template import Capabilities, Platform
from nahas.accelerator.workload import Kind, Operator, workload


def wide(columns):
    """A convolution whose rows of inputs and outputs must fit a local memory."""
    return workload([[
        Operator("conv", Kind.CONV, (-1,), 8, columns, 64, 8, columns, 64, 3, 3)
    ]])  # fmt: skip


def test_the_least_step_that_runs():
    work = wide(40_000)
    tight = replace(BASELINE, local_memory_mib=0.5)
    assert not evaluate(work, [tight]).feasible[0]
    found = nearest_feasible(work, tight)
    assert evaluate(work, [found]).feasible[0]
    total = sum(
        abs(values.index(getattr(found, knob)) - values.index(getattr(tight, knob)))
        for knob, values in GRID.items()
    )
    assert total > 0
    # No single knob alone gets there in fewer steps.
    for knob, values in GRID.items():
        place = values.index(getattr(tight, knob))
        for step in range(1, total):
            for other in (place - step, place + step):
                if 0 <= other < len(values):
                    near = replace(tight, **{knob: values[other]})
                    assert not evaluate(work, [near]).feasible[0]


def test_what_runs_is_its_own_repair():
    assert nearest_feasible(wide(16), BASELINE) == BASELINE


def test_a_point_between_two_values_goes_to_the_nearer_one_that_runs():
    between = replace(BASELINE, local_memory_mib=0.9)
    assert nearest_feasible(wide(16), between).local_memory_mib == 1.0


def test_what_is_refused_has_no_repair():
    platform = Platform(capabilities=Capabilities(refused=(Kind.CONV,)))
    assert nearest_feasible(wide(16), BASELINE, platform) is None


@pytest.mark.parametrize("columns", [20_000, 80_000])
def test_repairs_are_on_the_grid(columns):
    found = nearest_feasible(wide(columns), replace(BASELINE, local_memory_mib=0.01))
    if found is None:
        assert columns > 20_000
    else:
        assert all(
            np.isin(getattr(found, knob), values) for knob, values in GRID.items()
        )
