"""Evolution inside a proposal: many candidates are scored, one of them is proposed.

`B` denotes candidates, `D` knobs. A score is a violation, which counts first, and a
worth: smaller violations come first, and of equal ones the greater worth.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import ATTEMPTS, uniform

Array = NDArray[np.float64]
Choices = NDArray[np.int64]

Score = Callable[[Choices], tuple[Array, Array]]
"""Choices [B, D] -> violations [B], worths [B]."""


def evolve(
    points: Choices,
    score: Score,
    cardinalities: Choices,
    rng: np.random.Generator,
    *,
    candidates: int,
    generations: int,
    parents: int,
    strangers: int = 0,
) -> tuple[Choices, Array]:
    """[B, D] the points that an evolution met, the best first, and [B] violations.

    Args:
        points: [B, D] where it starts, at least one; the parents at first.
        score: What points are worth.
        cardinalities: [D] number of values of each knob.
        rng: Source of its draws.
        candidates: Children a generation, each a mutant of a crossover of two parents.
        generations: How often the best have children.
        parents: How many of the best do.
        strangers: Random points that join the first children.
    """
    violations, worths = score(points)
    met = {point.tobytes() for point in points}
    best = points
    for generation in range(generations):
        if generation:
            best = points[np.lexsort((-worths, violations))[:parents]]
        children = new_children(best, cardinalities, rng, met, candidates)
        if not generation:
            others = uniform(rng, cardinalities, strangers)
            children = np.concatenate([children, others])
        more = score(children)
        points = np.concatenate([points, children])
        violations = np.concatenate([violations, more[0]])
        worths = np.concatenate([worths, more[1]])
    order = np.lexsort((-worths, violations))
    return points[order], violations[order]


def new_children(
    parents: Choices,
    cardinalities: Choices,
    rng: np.random.Generator,
    met: set[bytes],
    count: int,
) -> Choices:
    """[count, D] children that are not among those met, to which they are added.

    What was met is drawn again, as `unseen` does it, but all at once: a proposal takes
    a hundred children, and arrays of 2 parents cost as much as those of 60.
    """
    found = _children(parents, cardinalities, rng, count)
    for attempt in range(ATTEMPTS):
        keys = [child.tobytes() for child in found]
        first = {key: row for row, key in reversed(list(enumerate(keys)))}
        again = [row for row, key in enumerate(keys) if key in met or first[key] != row]
        if not again or attempt == ATTEMPTS - 1:
            break
        found[again] = _children(parents, cardinalities, rng, len(again))
    met.update(keys)
    return found


def _children(
    parents: Choices, cardinalities: Choices, rng: np.random.Generator, count: int
) -> Choices:
    """[count, D] crossovers of two parents, each with one knob at another value.

    Each knob is either parent's with equal chance. The knob that is moved is drawn from
    those with a choice, its new value from the others; where none has, none is.
    """
    first, second = parents[rng.integers(len(parents), size=(2, count))]
    children: Choices = np.where(rng.random(first.shape) < 0.5, first, second)
    free = np.flatnonzero(cardinalities > 1)
    if free.size:
        knobs = free[rng.integers(free.size, size=count)]
        rows, counts = np.arange(count), cardinalities[knobs]
        moved = children[rows, knobs] + rng.integers(1, counts)
        children[rows, knobs] = moved % counts
    return children


def random_allowed(
    violations: Callable[[Choices], Array],
    cardinalities: Choices,
    rng: np.random.Generator,
    *,
    candidates: int,
    generations: int,
    parents: int,
) -> Choices:
    """[B, D] random points, those that keep the limits first.

    Where none does, the least violating are evolved.

    Args:
        violations: Choices [B, D] -> violations [B].
        cardinalities: [D] number of values of each knob.
        rng: Source of the draws.
        candidates: How many are drawn, and children a generation.
        generations: Of such an evolution.
        parents: How many of the best have children.
    """

    def score(points: Choices) -> tuple[Array, Array]:
        return violations(points), np.zeros(len(points))

    points = uniform(rng, cardinalities, candidates)
    broken = violations(points)
    if broken.min() == 0:
        return points[np.argsort(broken, kind="stable")]
    least = np.argsort(broken, kind="stable")[:parents]
    found, _ = evolve(
        points[least], score, cardinalities, rng,
        candidates=candidates, generations=generations, parents=parents,
    )  # fmt: skip
    return found
