"""Ridge regression of one-hot choices, with its posterior."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.blas import one_thread

Array = NDArray[np.float64]
Choices = NDArray[np.int64]


def one_hot(choices: Choices, cardinalities: Choices) -> Array:
    """[B, F] 1 where a value is chosen, F = Σ_d cardinality_d.

    >>> one_hot(np.array([[1, 0]]), np.array([3, 2]))
    array([[0., 1., 0., 1., 0.]])
    """
    first = np.cumsum(cardinalities) - cardinalities
    features = np.zeros((len(choices), int(cardinalities.sum())))
    np.put_along_axis(features, choices + first, 1.0, axis=1)
    return features


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """A Bayesian linear model: weights w ~ N(mean, noise² A⁻¹), A = XᵀX + λ I.

    Attributes:
        centre: Mean of the targets.
        mean: [F] weights.
        noise: Standard deviation of the residuals.
        factor: [F, F] lower Cholesky factor of A.
    """

    centre: float
    mean: Array
    noise: float
    factor: Array

    @classmethod
    def fit(cls, features: Array, targets: Array, strength: float) -> "Ridge":
        """The posterior under targets [B] of features [B, F], with λ = `strength`."""
        centre = float(targets.mean())
        with one_thread():
            gram = features.T @ features + strength * np.eye(features.shape[1])
            factor: Array = np.linalg.cholesky(gram).astype(np.float64)
            mean = _solve(factor, features.T @ (targets - centre))
            residuals = targets - centre - features @ mean
            # Of B residuals, trace of the hat matrix many are spent on the weights.
            spent = float((np.linalg.solve(factor, features.T) ** 2).sum())
        left = max(len(targets) - spent, 1.0)
        return cls(centre, mean, float((residuals @ residuals / left) ** 0.5), factor)

    def draw(self, rng: np.random.Generator) -> Array:
        """[F] weights drawn from the posterior."""
        white = rng.standard_normal(len(self.mean))
        with one_thread():
            step = np.linalg.solve(self.factor.T, white)
        drawn: Array = self.mean + self.noise * step
        return drawn


def _solve(factor: Array, right: Array) -> Array:
    solved: Array = np.linalg.solve(factor.T, np.linalg.solve(factor, right))
    return solved
