"""The sweep finds what brute force finds."""

import numpy as np
import pytest

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE, accelerators
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.objective import OBJECTIVES, score
from nahas.accelerator.sweep import sweep
from nahas.accelerator.workload import Kind, Operator, workload
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

SMALL = workload(
    [
        [
            Operator("conv", Kind.CONV, (-1,), 28, 28, 16, 28, 28, 64, 3, 3),
            Operator(
                "dw", Kind.DEPTHWISE, (0,), 28, 28, 64, 28, 28, 64, 3, 3, 1, 1, 64
            ),
            Operator("project", Kind.CONV, (1,), 28, 28, 64, 28, 28, 16),
        ]
    ]
)


@pytest.fixture(scope="module")
def everything():
    return evaluate(SMALL, list(accelerators()))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_winner_is_the_minimum_of_all(everything, objective):
    limit = area_mm2([BASELINE])[0]
    found = sweep(SMALL, objective=objective, max_area_mm2=limit, top=5)
    scores = {
        "latency": everything.latency_ms,
        "energy": everything.energy_mj,
        "edp": everything.latency_ms * everything.energy_mj,
        "edap": everything.latency_ms * everything.energy_mj * everything.area_mm2,
    }[objective]
    allowed = everything.area_mm2 <= limit
    expected = np.sort(scores[allowed])[:5]
    assert found.scores.tolist() == expected.tolist()
    assert found.allowed == allowed.sum()
    assert found.checked == 50_000
    again = evaluate(SMALL, found.best)
    assert again.latency_ms.tolist() == found.metrics.latency_ms.tolist()
    assert (again.area_mm2 <= limit).all()


def test_limits_nobody_meets_leave_nothing(everything):
    found = sweep(SMALL, max_latency_ms=everything.latency_ms.min() / 2)
    assert found.best == ()
    assert found.allowed == 0
    assert found.runnable == everything.feasible.sum()


def test_unknown_objectives_are_refused():
    with pytest.raises(ValueError, match="one of latency, energy, edp, edap"):
        sweep(SMALL, objective="speed")


@pytest.mark.parametrize("objective", ["latency", "energy", "area=1", "edp"])
def test_nothing_within_the_limits_dominates_the_best(objective):
    # The I/O bounds it: many accelerators are equally fast.
    network = lower([PUBLISHED["EfficientNetEdgeTPU-S"]])
    result = sweep(network, objective=objective, max_area_mm2=60.0, top=40)
    costs = np.stack(
        [getattr(result.costs, n) for n in ("latency_ms", "energy_mj", "area_mm2")], 1
    )
    kept, best = costs[result.kept], costs[result.places[0]]
    assert not ((kept <= best).all(axis=1) & (kept < best).any(axis=1)).any()
    # The first 40 are those of the whole order.
    scores = score(result.costs, objective)
    whole = sorted(
        np.flatnonzero(result.kept).tolist(),
        key=lambda i: (scores[i], *costs[i].tolist(), i),
    )
    assert result.places.tolist() == whole[:40]
