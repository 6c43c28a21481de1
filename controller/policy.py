"""The factorised policy: a softmax a knob, how it is drawn from, and its optimiser.

`B` denotes the trials of a batch, `D` the knobs, `K` the largest cardinality. The
parameters are a matrix of logits [D, K] in which the places past a knob's cardinality
hold -inf. PPO and REINFORCE differ in the loss alone.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Choices = NDArray[np.int64]


def uniform_logits(cardinalities: Choices) -> Array:
    """[D, K] logits of the policy that draws every point equally often.

    >>> uniform_logits(np.array([2, 1]))
    array([[  0.,   0.],
           [  0., -inf]])
    """
    inside = np.arange(cardinalities.max()) < cardinalities[:, None]
    return np.where(inside, 0.0, -np.inf)


def log_softmax(logits: Array) -> Array:
    """[D, K] log-probabilities of all values; -inf at the padding."""
    shifted: Array = logits - logits.max(axis=1, keepdims=True)
    normaliser: Array = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted - normaliser


def log_probability(logits: Array, choices: Choices) -> Array:
    """[B, D] log-probability of each choice: log π(a_bd)."""
    picked: Array = log_softmax(logits)[np.arange(len(logits)), choices]
    return picked


def entropy(logits: Array) -> Array:
    """[D] entropy of each knob in nats: H_d = -Σ_k p_dk log p_dk.

    A uniform knob of cardinality n has log n.
    """
    log_p = log_softmax(logits)
    summed: Array = -(np.exp(log_p) * finite_log(log_p)).sum(axis=1)
    return summed


def finite_log(log_p: Array) -> Array:
    """[D, K] the logarithms with 0 for -inf.

    p log p tends to 0 with p, where the product of 0 and -inf would be NaN.
    """
    return np.where(np.isfinite(log_p), log_p, 0.0)


def entropy_gradient(logits: Array) -> Array:
    """[D, K] gradient of the summed entropy: ∂ H / ∂ z_k = -p_k (log p_k + H)."""
    log_p = log_softmax(logits)
    deficit = finite_log(log_p) + entropy(logits)[:, None]
    gradient: Array = -np.exp(log_p) * deficit
    return gradient


def draw(logits: Array, n: int, rng: np.random.Generator) -> Choices:
    """[n, D] draws from the policy; `n` draws equal n single ones."""
    summed = np.exp(log_softmax(logits)).cumsum(axis=1)
    draws = rng.random((n, len(summed), 1)) * summed[:, -1:]
    choices: Choices = (summed <= draws).sum(axis=2).astype(np.int64)
    # Rounding could take a draw to the sum itself, past the last value.
    last: Choices = np.isfinite(logits).sum(axis=1) - 1
    return np.minimum(choices, last)


def most_probable(logits: Array) -> Choices:
    """[D] the policy's mode, knob by knob; the first of equally probable values.

    >>> most_probable(uniform_logits(np.array([2, 3])) + [[0, 1, 0], [0, 0, 0]])
    array([1, 0])
    """
    modes: Choices = logits.argmax(axis=1).astype(np.int64)
    return modes


@dataclass(slots=True)
class Adam:
    """Kingma & Ba 2015, https://arxiv.org/abs/1412.6980, with its default decays.

    Args:
        shape: Of the parameters.
        learning_rate: Step size.
    """

    shape: tuple[int, ...]
    learning_rate: float
    _mean: Array = field(init=False, repr=False)
    _square: Array = field(init=False, repr=False)
    _steps: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._mean, self._square = np.zeros(self.shape), np.zeros(self.shape)

    def step(self, gradient: Array) -> Array:
        """What to add to the parameters."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient**2
        mean = self._mean / (1.0 - 0.9**self._steps)
        square = self._square / (1.0 - 0.999**self._steps)
        return -self.learning_rate * mean / (np.sqrt(square) + 1e-8)
