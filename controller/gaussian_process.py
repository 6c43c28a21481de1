"""A Gaussian process and what an accuracy that it predicts may improve.

`B` denotes points, `N` known ones, `F` features.
"""

import warnings
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.blas import one_thread

Array = NDArray[np.float64]

LEAST_ERROR = 1e-4
"""What an error counts as at least, so that its logarithm is finite: less than one
image of any test set that is in use."""

_JITTER = 1e-8  # of the normalised targets' variance, for the Cholesky factor


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """A Gaussian process after N targets, which are noisy.

    The kernel is s² Matérn-5/2(|x - x'| / l) + noise² [x = x'], of the targets less
    their mean and over their deviation. Its three numbers are those of the greatest
    likelihood, or are given.

    Attributes:
        centre: Mean of the targets.
        scale: Their deviation; 1 where they are all equal.
        process: scikit-learn's `GaussianProcessRegressor`.
    """

    centre: float
    scale: float
    process: Any

    @classmethod
    def fit(
        cls, features: Array, targets: Array, kernel: Any | None = None
    ) -> "Posterior":
        """The posterior under targets [N] of features [N, F].

        Args:
            features: [N, F].
            targets: [N].
            kernel: With its numbers, as `Posterior.kernel` has it; fitted where None.
        """
        # scikit-learn takes a second to import.
        from sklearn.gaussian_process import GaussianProcessRegressor

        centre, scale = float(targets.mean()), float(targets.std()) or 1.0
        process = GaussianProcessRegressor(
            kernel=prior() if kernel is None else kernel,
            alpha=_JITTER,
            optimizer="fmin_l_bfgs_b" if kernel is None else None,
        )
        with warnings.catch_warnings(), one_thread():
            # That a number ends at its bound, or a search early, does no harm.
            warnings.simplefilter("ignore")
            process.fit(features, (targets - centre) / scale)
        return cls(centre, scale, process)

    @property
    def kernel(self) -> Any:
        """The kernel with its numbers."""
        return self.process.kernel_

    def at(self, features: Array) -> tuple[Array, Array]:
        """[B] means and deviations of what is under the noise, at features [B, F]."""
        with warnings.catch_warnings(), one_thread():
            warnings.simplefilter("ignore")  # of variances that round to below 0
            mean, deviation = self.process.predict(features, return_std=True)
        noise = self.kernel.k2.noise_level
        left = np.sqrt(np.maximum(deviation**2 - noise, 0.0))
        return self.centre + self.scale * mean, self.scale * left


def prior() -> Any:
    """The kernel before any target, with the bounds of its numbers."""
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    signal = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(4.0, (0.3, 100.0), nu=2.5)
    return signal + WhiteKernel(0.1, (1e-3, 1.0))


def log_error(accuracies: Array) -> Array:
    """[B] -ln(1 - accuracy): the better half of a space counts as much as the worse.

    >>> log_error(np.array([0.0, 0.9, 0.99])).round(3).tolist()
    [-0.0, 2.303, 4.605]
    """
    found: Array = -np.log(np.maximum(1.0 - accuracies, LEAST_ERROR))
    return found


def expected_improvement(mean: Array, deviation: Array, known: Array) -> Array:
    """[B] E[max(0, a - known)] of accuracies a with -ln(1 - a) ~ N(mean, deviation²).

    With e = 1 - known, s the deviation and d = (ln e + mean) / s it is

        e Φ(d) - exp(s²/2 - mean) Φ(d - s),

    the price of a put by Black and Scholes; 0 where e <= 0.

    Args:
        mean: [B].
        deviation: [B], 0 or more.
        known: [B] accuracies to be beaten, below 1.
    """
    error = np.maximum(1.0 - known, 0.0)
    certain = np.maximum(error - np.exp(-mean), 0.0)
    usable = (error > 0) & (deviation > 0)
    s = np.where(usable, deviation, 1.0)
    d = (np.log(np.where(usable, error, 1.0)) + mean) / s
    value = error * normal(d) - np.exp(s * s / 2 - mean) * normal(d - s)
    improvement: Array = np.where(usable, np.maximum(value, 0.0), certain)
    return improvement


def normal(points: Array) -> Array:
    """[B] Φ, the distribution function of the normal distribution."""
    return np.array([erfc(-x / sqrt(2.0)) / 2 for x in points.tolist()])
