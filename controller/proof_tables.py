"""Tables of the proof: paths, parts and discounts as arrays that kernels read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.machines import Axes
from nahas.accelerator.operator_floors import OperatorFloors, operator_floors
from nahas.accelerator.template import Platform
from nahas.controller.additive import Additive
from nahas.controller.discounts import discount
from nahas.controller.reward import Limits, Reward
from nahas.search_space.stages import Segment, Stages

COMPUTE, IO, MEAN, ENERGY = range(4)
COSTS = 4
_ROWS = ("latency_ms", "latency_ms", "latency_ms", "energy_mj")
_BEYOND = 4.0  # times a target, where there is no limit: all beyond is one cell
_SPARE = 1.0 + 1e-9  # so that a cost at its limit is within the last cell

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Paths(NamedTuple):
    """The options of G stages, flat: stage by stage, state by state.

    Attributes:
        first: [G + 1] where a stage's options begin.
        counts: [G] options of a state.
        segment: [Q] which segment an option adds.
        after: [Q] the state behind it.
        value: [Q] accuracy that it adds.
        heads: [states at the end] the segment of the head.
        stem: [1] the segment of the stem.
        bias: [1] accuracy before any choice.
        states: [G + 1] number of states before each stage, and at the end.
    """

    first: Ints
    counts: Ints
    segment: Ints
    after: Ints
    value: Floats
    heads: Ints
    stem: Ints
    bias: Floats
    states: Ints


class Parts(NamedTuple):
    """Segments as sums of operators.

    Attributes:
        starts: [S + 1] where each begins.
        operators: [N] which of the U operators.
        outside: [N] bytes that enter or leave the network there.
        io: [S] bytes of weights and of the latter.
    """

    starts: Ints
    operators: Ints
    outside: Floats
    io: Floats


class Scales(NamedTuple):
    """Discounts by cells of latency and of energy.

    Attributes:
        width: [COSTS] of a cell.
        used: [COSTS] which rows of costs say anything.
        factor: [COSTS, cells + 1] at each cell's lower end.
        term: [COSTS, cells + 1].
        flat: [COSTS] cells at the beginning that are discounted alike.
    """

    width: Floats
    used: NDArray[np.bool_]
    factor: Floats
    term: Floats
    flat: Ints


class Curves(NamedTuple):
    """What the undecided stages can still add; S is the most states of a stage.

    Attributes:
        accuracy: [COSTS, G + 1, S, cells + 1] greatest accuracy by cells of cost.
        begin: [COSTS, G + 1, S] the first cell that any path reaches.
        least: [COSTS, G + 1, S] least cost of any path.
    """

    accuracy: Floats
    begin: Ints
    least: Floats


def paths_of(stages: Stages, predictor: Additive) -> Paths:
    """The options of stages with the accuracies that a predictor adds up."""
    after, segment, value = [], [], []
    for g, options in enumerate(stages.options):
        tables = [predictor.values[d] for d in stages.knobs[g]]
        added = np.zeros(len(options))
        for column, table in enumerate(tables):
            added += table[options[:, column]]
        after.append(stages.after[g].ravel())
        segment.append(stages.segment[g].ravel())
        value.append(np.tile(added, len(stages.after[g])))
    sizes = [len(own) for own in after]
    return Paths(
        np.cumsum([0, *sizes]),
        np.array([len(options) for options in stages.options]),
        np.concatenate(segment),
        np.concatenate(after),
        np.concatenate(value),
        stages.heads,
        np.array([stages.stem]),
        np.array([predictor.bias]),
        np.array([*(len(own) for own in stages.after), len(stages.heads)]),
    )


def parts_of(
    segments: Sequence[Segment], axes: Axes, platform: Platform
) -> tuple[Parts, OperatorFloors]:
    """Segments as sums of distinct operators, and these operators' floors."""
    rows = np.concatenate([segment.operators for segment in segments])
    operators, numbers = np.unique(rows, axis=0, return_inverse=True)
    outside = np.concatenate([segment.outside for segment in segments])
    io = [float((one.weights + one.outside).sum()) for one in segments]
    starts = np.cumsum([0, *(len(one.operators) for one in segments)])
    parts = Parts(starts, numbers.ravel(), outside, np.array(io))
    return parts, operator_floors(operators, axes, platform)


def scales_of(reward: Reward, limits: Limits, cells: int) -> Scales:
    """The discounts of a monotone reward within limits, by so many cells of cost."""
    widths, factors, terms, flats = [], [], [], []
    for name in _ROWS:
        top = largest(reward, limits, name) * _SPARE
        width = (top if np.isfinite(top) else 1.0) / cells
        ends = width * np.arange(cells + 1, dtype=np.float64)
        factor, term = discount(reward, limits, name, ends)
        factor = np.minimum(factor, 1e300)  # of a cost of 0, which no path has
        widths.append(width)
        factors.append(factor)
        terms.append(term)
        alike = (factor == factor[0]) & (term == term[0])
        flats.append(cells if alike[:cells].all() else int(alike.argmin()))
    used = [name != "energy_mj" or len(set(factors[3])) + len(set(terms[3])) > 2
            for name in _ROWS]  # fmt: skip
    return Scales(
        np.array(widths), np.array(used), np.stack(factors), np.stack(terms),
        np.array(flats),
    )  # fmt: skip


def largest(reward: Reward, limits: Limits, name: str) -> float:
    """The cost up to which it is told apart what a path costs; inf if it is nowhere."""
    limit = getattr(limits, f"max_{name}")
    if limit is not None:
        return float(limit)
    target = reward.targets.get(name)
    return np.inf if target is None else _BEYOND * target
