"""Additive predictor of accuracy: each choice of a network adds its own part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.controller.ridge import Ridge, one_hot

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 10
_CLOSE = 1e-6  # of tables in single precision


@dataclass(frozen=True, eq=False)
class Additive:
    """Predicts accuracy = bias + sum over knobs d of values_d[choice_d], cut to 0 .. 1.

    Attributes:
        bias: Accuracy before any choice.
        values: For each of D knobs of the network [cardinality] what a choice adds.
        source: What it was fitted on, in a line.
        networks: Networks that it was fitted on.
        tau: Kendall's tau-b on networks held out; NaN where it is not known.
        rmse: Root mean square error on the same.
    """

    bias: float
    values: tuple[Floats, ...]
    source: str
    networks: int
    tau: float = float("nan")
    rmse: float = float("nan")

    def __call__(self, choices: Ints) -> Floats:
        """[B] accuracies of choices [B, D]."""
        total = np.full(len(choices), self.bias)
        for d, table in enumerate(self.values):
            total += table[choices[:, d]]
        cut: Floats = np.clip(total, 0.0, 1.0)
        return cut


def fit(
    choices: Ints,
    accuracies: Floats,
    cardinalities: Ints,
    *,
    source: str,
    strength: float = 5.0,
    seed: int = 0,
) -> Additive:
    """Ridge regression of accuracies [B] on the one-hot choices [B, D].

    Its error is of networks that a fit on nine tenths of the others has not seen. The
    same choices count once, with their mean accuracy.

    Args:
        choices: [B, D].
        accuracies: [B] fractions.
        cardinalities: [D] number of values of each knob.
        source: What they are, in a line.
        strength: λ of the regression.
        seed: Of the folds.

    Raises:
        ValueError: If fewer networks than folds have an accuracy.
    """
    rows, which = np.unique(choices, axis=0, return_inverse=True)
    which = which.ravel()
    means = np.bincount(which, accuracies) / np.bincount(which)
    if len(rows) < FOLDS:
        raise ValueError(
            f"A predictor must be fitted on at least {FOLDS} networks. Received "
            f"{len(rows)} ({source})."
        )
    features = one_hot(rows, cardinalities)
    fold = np.random.default_rng(seed).permutation(len(rows)) % FOLDS
    held = np.empty(len(rows))
    for k in range(FOLDS):
        ridge = Ridge.fit(features[fold != k], means[fold != k], strength)
        held[fold == k] = ridge.centre + features[fold == k] @ ridge.mean
    ridge = Ridge.fit(features, means, strength)
    ends = np.cumsum(cardinalities)[:-1]
    return Additive(
        ridge.centre,
        tuple(np.split(ridge.mean, ends)),
        source,
        len(rows),
        kendall_tau(held, means),
        float(np.sqrt(np.mean((held - means) ** 2))),
    )


def read_off(
    accuracy: Callable[[Ints], Floats],
    cardinalities: Sequence[int],
    *,
    source: str,
    networks: int,
    tau: float,
    rmse: float,
) -> Additive:
    """The tables of a function of choices that is a sum already.

    Args:
        accuracy: Accuracies [B] of choices [B, D].
        cardinalities: [D].
        source: As in `Additive`.
        networks: As in `Additive`.
        tau: As in `Additive`.
        rmse: As in `Additive`.

    Raises:
        ValueError: If the function is no sum over its choices.
    """
    size = len(cardinalities)
    points = np.zeros((1 + sum(cardinalities), size), np.int64)
    row = 1
    for d, count in enumerate(cardinalities):
        points[row : row + count, d] = np.arange(count)
        row += count
    found = accuracy(points)
    ends = np.cumsum(cardinalities)[:-1]
    tables = tuple(np.split(found[1:] - found[0], ends))
    read = Additive(float(found[0]), tables, source, networks, tau, rmse)
    some = np.random.default_rng(0).integers(cardinalities, size=(256, size))
    worst = float(np.abs(read(some) - np.clip(accuracy(some), 0.0, 1.0)).max())
    if not worst <= _CLOSE:
        raise ValueError(
            "The predictor must be a sum over choices. Received one that differs from "
            f"such a sum by {worst:.2g} ({source})."
        )
    return read


def kendall_tau(one: Floats, other: Floats) -> float:
    """Kendall's tau-b of two rankings [B], in memory of a row at a time.

    >>> kendall_tau(np.array([1.0, 2, 3]), np.array([1.0, 3, 2])) == 1 / 3
    True
    """
    agree, apart_one, apart_other = 0.0, 0.0, 0.0
    for i in range(1, len(one)):
        a, b = np.sign(one[i] - one[:i]), np.sign(other[i] - other[:i])
        agree += float(a @ b)
        apart_one += float(a @ a)
        apart_other += float(b @ b)
    pairs = (apart_one * apart_other) ** 0.5
    return agree / pairs if pairs else float("nan")
