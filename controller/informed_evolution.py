"""Evolution inside a proposal: many candidates are scored, one of them is proposed.

`B` denotes candidates, `D` knobs. A score is a violation, which counts first, and a
worth: smaller violations come first, and of equal ones the greater worth.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import uniform, unseen
from nahas.controller.evolution import mutate
from nahas.controller.nsga2 import crossover

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
) -> Choices:
    """[B, D] the points that an evolution met, the best first.

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
        children = np.array(
            [unseen(lambda: _child(best, cardinalities, rng), met)  # noqa: B023
             for _ in range(candidates)]
        )  # fmt: skip
        if not generation:
            others = uniform(rng, cardinalities, strangers)
            children = np.concatenate([children, others])
        more = score(children)
        points = np.concatenate([points, children])
        violations = np.concatenate([violations, more[0]])
        worths = np.concatenate([worths, more[1]])
    ranked: Choices = points[np.lexsort((-worths, violations))]
    return ranked


def _child(
    parents: Choices, cardinalities: Choices, rng: np.random.Generator
) -> Choices:
    """[D] a mutant of a crossover of two parents."""
    first, second = parents[rng.integers(len(parents), size=2)]
    return mutate(crossover(first, second, rng), cardinalities, rng)


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
    return evolve(
        points[least], score, cardinalities, rng,
        candidates=candidates, generations=generations, parents=parents,
    )  # fmt: skip
