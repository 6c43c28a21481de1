"""REINFORCE over all knobs at once: its loss on the factorised policy, its gradient.

`B` denotes the trials of a batch, `D` the knobs, `K` the largest cardinality;
`policy.py` has the policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import final

import numpy as np

from nahas.controller.controller import (
    Awaited,
    ScalarFeedback,
    check_cardinalities,
    check_count,
)
from nahas.controller.policy import (
    Adam,
    Array,
    Choices,
    draw,
    entropy,
    entropy_gradient,
    log_probability,
    log_softmax,
    most_probable,
    uniform_logits,
)
from nahas.controller.trial import Trial


def reinforce_loss(
    logits: Array, choices: Choices, advantages: Array, entropy_bonus: float
) -> float:
    """L = -1/B Σ_b A_b Σ_d log π(a_bd) - entropy_bonus Σ_d H_d.

    See "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", Williams 1992, Machine Learning 8.

    Args:
        logits: [D, K] parameters.
        choices: [B, D] what was proposed.
        advantages: [B] rewards less the baseline.
        entropy_bonus: Weight of the knobs' summed entropy.
    """
    likelihood = log_probability(logits, choices).sum(axis=1)
    gain = float(advantages @ likelihood) / len(choices)
    return -gain - entropy_bonus * float(entropy(logits).sum())


def reinforce_gradient(
    logits: Array, choices: Choices, advantages: Array, entropy_bonus: float
) -> Array:
    """[D, K] gradient of `reinforce_loss` by the logits; 0 at the padding.

    ∂ log p_a / ∂ z_k = 1[a = k] - p_k, weighed by -A_b / B.
    """
    p = np.exp(log_softmax(logits))
    weights = -advantages / len(choices)
    gradient = -p * weights.sum()
    knobs = np.broadcast_to(np.arange(len(logits)), choices.shape)
    np.add.at(gradient, (knobs, choices), weights[:, None])
    summed: Array = gradient - entropy_bonus * entropy_gradient(logits)
    return summed


@final
@dataclass(eq=False)
class Reinforce:
    """REINFORCE with a moving baseline and one softmax a knob, as in TuNAS.

    "Can weight sharing outperform random architecture search? An investigation with
    TuNAS", Bender et al. 2020, https://arxiv.org/abs/2008.06120, updates such a policy
    by Adam beside the training of shared weights; here each trial is a training of its
    own, so the steps are larger. Every `batch` trials fed back take one step. The
    baseline is the moving mean of the scores, the advantage is their distance to it in
    moving standard deviations, cut at 2: a penalty is many times what tells feasible
    trials apart, and without the cut it alone would be learned.

    Feedback is late by the study's window; the gradient is taken at the present policy
    without a correction for that, unlike PPO's.

    Args:
        batch: Trials an update.
        learning_rate: Of Adam, in logits.
        momentum: Of the moving mean and deviation, in [0, 1).
        entropy_bonus: Weight of the entropy that keeps the policy from collapsing.
    """

    batch: int = 2
    learning_rate: float = 0.2
    momentum: float = 0.95
    entropy_bonus: float = 0.03
    _rng: np.random.Generator = field(init=False, repr=False)
    _logits: Array = field(init=False, repr=False)
    _adam: Adam = field(init=False, repr=False)
    _feedback: ScalarFeedback = field(init=False, repr=False)
    _moments: tuple[float, float, float] = field(init=False, repr=False)
    _awaited: Awaited[Choices] = field(init=False, repr=False)
    _pending: list[tuple[Choices, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.batch, "batch", "reinforce")
        _check(self.learning_rate, "learning_rate", 0 < self.learning_rate <= 1,
               "above 0 and at most 1")  # fmt: skip
        _check(self.momentum, "momentum", 0 <= self.momentum < 1,
               "of at least 0 and below 1")  # fmt: skip
        _check(self.entropy_bonus, "entropy_bonus",
               isfinite(self.entropy_bonus) and self.entropy_bonus >= 0,
               "of at least 0")  # fmt: skip

    @property
    def probabilities(self) -> Array:
        """[D, K] the policy; 0 at the padding."""
        return np.exp(log_softmax(self._logits))

    def mode(self) -> Choices:
        """[D] the most probable choices; the first of equally probable values."""
        return most_probable(self._logits)

    def setup(self, cardinalities: Choices, *, seed: int) -> None:
        """Start on a space of [D] cardinalities with the uniform policy."""
        self._rng = np.random.default_rng(seed)
        self._logits = uniform_logits(check_cardinalities(cardinalities))
        self._adam = Adam(self._logits.shape, self.learning_rate)
        self._feedback = ScalarFeedback()
        self._moments = (0.0, 0.0, 0.0)
        self._awaited = Awaited()
        self._pending = []

    def propose(self, n: int) -> Choices:
        """[n, D] draws from the policy."""
        choices = draw(self._logits, n, self._rng)
        for row in choices:
            self._awaited.keep(row)
        return choices.copy()

    def update(self, trials: Sequence[Trial]) -> None:
        """Collect trials and take a step whenever a batch is full."""
        for trial in trials:
            self._collect(trial, self._awaited.take(trial))

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Collect others' trials as if the policy had proposed them."""
        for trial in trials:
            self._collect(trial, np.array(trial.choices, np.int64))

    def _collect(self, trial: Trial, choices: Choices) -> None:
        self._pending.append((choices, self._advantage(self._feedback(trial))))
        if len(self._pending) == self.batch:
            self._learn()

    def _advantage(self, score: float) -> float:
        """Distance of a score to those before it; moves the baseline.

        The moments are those of weights that fade, by Welford's update: the first
        scores need no guess of a baseline, and equal scores deviate by 0 exactly.
        """
        weight, mean, squares = self._moments
        weight = self.momentum * weight + 1.0
        distance = score - mean
        mean += distance / weight
        squares = self.momentum * squares + distance * (score - mean)
        self._moments = (weight, mean, squares)
        deviation = (squares / weight) ** 0.5
        if not deviation > 0:
            return 0.0
        return float(np.clip((score - mean) / deviation, -2.0, 2.0))

    def _learn(self) -> None:
        choices, advantages = zip(*self._pending, strict=True)
        self._pending = []
        gradient = reinforce_gradient(
            self._logits, np.stack(choices), np.array(advantages), self.entropy_bonus
        )
        self._logits = self._logits + self._adam.step(gradient)


def _check(value: float, name: str, sound: bool, expected: str) -> None:
    if not sound:
        raise ValueError(
            f"`{name}` must be a number {expected}. Received {value!r} "
            f"(in reinforce.{name})."
        )
