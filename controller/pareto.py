"""Fronts and hypervolumes of costs, all of them minimised; moocore does the arithmetic.

A row with a NaN or an infinity in it, such as the costs of an infeasible point, is no
point at all: it is never on the front, dominates nothing and adds no volume.
"""

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray


def non_dominated(costs: ArrayLike) -> NDArray[np.bool_]:
    """[B] which points no other point dominates.

    A point dominates another if it is no worse in any cost and better in one, so equal
    points do not dominate each other and stay on the front together.

    >>> non_dominated([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])
    array([ True,  True, False])

    Args:
        costs: [B, M] M costs of B points.

    Raises:
        ValueError: If `costs` is not a matrix.
    """
    points = _matrix(costs)
    front = _finite(points)
    if front.any():
        front[front] = moocore.is_nondominated(points[front], keep_weakly=True)
    return front


def non_dominated_sort(costs: ArrayLike) -> NDArray[np.int64]:
    """[B] which front each point is on: 0 if no point dominates it.

    Front k is that of the points that are left when fronts 0 to k-1 are taken away.
    What is no point at all comes after the last front.

    >>> non_dominated_sort([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    array([0, 0, 1, 2])

    Args:
        costs: [B, M] M costs of B points.

    Raises:
        ValueError: If `costs` is not a matrix.
    """
    points = _matrix(costs)
    finite = _finite(points)
    fronts = np.zeros(len(points), np.int64)
    if finite.any():
        fronts[finite] = moocore.pareto_rank(points[finite])
    fronts[~finite] = fronts[finite].max(initial=-1) + 1
    return fronts


def front_probability(
    costs: ArrayLike,
    deviation: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """[B] how likely each point is on the front where the first cost is noisy.

    The share of draws in which no point dominates it, the first cost of each being
    normal about the one given: by Monte Carlo, with a standard error of
    sqrt(p (1 - p) / draws), at most 1.6 % for a thousand.

    >>> float(front_probability([[0.5, 1.0], [0.4, 2.0]], [0.0, 0.0])[1])
    1.0

    Args:
        costs: [B, M] M costs of B points.
        deviation: [B] standard deviations of the first cost.
        groups: [B] what points of one value have the same noise but for its size;
            by default each has its own.
        draws: How many.
        seed: Of the draws.

    Raises:
        ValueError: If `costs` is not a matrix, or the deviations are not B numbers of
            at least 0.
    """
    points = _matrix(costs)
    sizes = np.asarray(deviation, np.float64)
    sound = sizes.shape == points.shape[:1] and np.isfinite(sizes).all()
    if not sound or (sizes < 0).any():
        raise ValueError(
            f"`deviation` must be {len(points)} numbers of at least 0, one a point. "
            f"Received {deviation!r} (in pareto.front_probability)."
        )
    named = np.arange(len(points)) if groups is None else np.asarray(groups)
    _, places = np.unique(named, return_inverse=True)
    rng = np.random.default_rng(seed)
    times = np.zeros(len(points))
    for _ in range(draws):
        drawn = points.copy()
        noise = rng.standard_normal(places.max(initial=-1) + 1)
        drawn[:, 0] += sizes * noise[places]
        times += non_dominated(drawn)
    return times / draws


def hypervolume(costs: ArrayLike, reference: ArrayLike) -> float:
    """Volume that the points dominate and that dominates the reference.

    >>> hypervolume([[1.0, 2.0], [2.0, 1.0]], [3.0, 3.0])
    3.0

    Args:
        costs: [B, M] M costs of B points; a point not below the reference in every
            cost adds nothing.
        reference: [M] the worst point of interest.

    Raises:
        ValueError: If `costs` is not a matrix, or `reference` not M finite numbers.
    """
    points = _matrix(costs)
    corner = np.asarray(reference, np.float64)
    if corner.shape != points.shape[1:] or not np.isfinite(corner).all():
        raise ValueError(
            f"`reference` must be {points.shape[1]} finite numbers, one a cost. "
            f"Received {reference!r} (in pareto.hypervolume)."
        )
    inside = points[_finite(points) & (points < corner).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=corner)) if len(inside) else 0.0


def _finite(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[B] which rows are points."""
    return np.asarray(np.isfinite(points).all(axis=1))


def _matrix(costs: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(costs, np.float64)
    if points.ndim != 2 or points.shape[1] == 0:
        raise ValueError(
            "`costs` must be a matrix [B, M] of M >= 1 costs. "
            f"Received shape {points.shape} (in pareto)."
        )
    return points
