"""PPO over all knobs at once: its loss on the factorised policy, and the gradient.

`B` denotes the trials of a batch, `D` the knobs, `K` the largest cardinality. A
proposal is an episode of one step with D actions, which share the advantage of the
trial; `policy.py` has the policy.
"""

from collections import deque
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


def clipped_surrogate_loss(ratios: Array, advantages: Array, clip: float) -> float:
    """Clipped surrogate loss of a batch of actions.

    L = -1/B Σ_b Σ_d min(r_bd A_b, clamp(r_bd, 1-ε, 1+ε) A_b), where r_bd is the
    probability of knob d's choice under the policy over that when it was proposed.
    Ratios are clipped knob by knob, as for the tokens of a sequence: the ratio of a
    whole proposal is a product of D factors and would leave the range at once.

    See "Proximal Policy Optimization Algorithms", Schulman et al. 2017,
    https://arxiv.org/abs/1707.06347, equation 7.

    Args:
        ratios: [B, D] probability ratios r.
        advantages: [B] advantages A.
        clip: The range's half width ε.
    """
    weights = advantages[:, None]
    clamped = np.clip(ratios, 1.0 - clip, 1.0 + clip)
    objective = np.minimum(ratios * weights, clamped * weights)
    return -float(objective.sum()) / len(ratios)


def ppo_loss(
    logits: Array,
    choices: Choices,
    old_log_probs: Array,
    advantages: Array,
    clip: float,
    entropy_bonus: float,
) -> float:
    """Clipped surrogate loss minus `entropy_bonus` times the knobs' summed entropy.

    Args:
        logits: [D, K] parameters.
        choices: [B, D] what was proposed.
        old_log_probs: [B, D] log-probabilities of it when it was proposed.
        advantages: [B] advantages.
        clip: ε of the surrogate loss.
        entropy_bonus: Weight of the entropy.
    """
    ratios = np.exp(log_probability(logits, choices) - old_log_probs)
    surrogate = clipped_surrogate_loss(ratios, advantages, clip)
    return surrogate - entropy_bonus * float(entropy(logits).sum())


def ppo_gradient(
    logits: Array,
    choices: Choices,
    old_log_probs: Array,
    advantages: Array,
    clip: float,
    entropy_bonus: float,
) -> Array:
    """[D, K] gradient of `ppo_loss` by the logits; 0 at the padding.

    With p = softmax(logits), ∂ log p_a / ∂ z_k = 1[a = k] - p_k. A clipped ratio has no
    gradient.
    """
    log_p = log_softmax(logits)
    p = np.exp(log_p)
    knobs = np.arange(len(logits))
    ratios = np.exp(log_p[knobs, choices] - old_log_probs)
    weights = advantages[:, None]
    clipped = np.where(weights > 0, ratios > 1.0 + clip, ratios < 1.0 - clip)
    # by_log_p[b, d] = ∂ loss / ∂ log p of the choice of knob d in trial b
    by_log_p = np.where(clipped, 0.0, -weights * ratios) / len(choices)
    gradient = -p * by_log_p.sum(axis=0)[:, None]
    np.add.at(gradient, (np.broadcast_to(knobs, choices.shape), choices), by_log_p)
    summed: Array = gradient - entropy_bonus * entropy_gradient(logits)
    return summed


def utilities(scores: Array, memory: Array) -> Array:
    """[B] how good scores are among recent ones: u = -log(1 - F(score)), standardised.

    F is the share of the memory below the score, ties counting half; u then gets mean 0
    and deviation 1 over the memory (all 0 if its scores are equal). So the best few
    stand out, whatever the scale of the rewards and of the penalties below them.
    Rank-based shaping is that of "Natural Evolution Strategies", Wierstra et al. 2014,
    JMLR 15; the exponential form of u is ours.

    Args:
        scores: [B] scores, each also an entry of the memory.
        memory: [M] recent scores.
    """
    shaped, among = _surprise(scores, memory), _surprise(memory, memory)
    return (shaped - float(among.mean())) / max(float(among.std()), 1e-8)


def _surprise(scores: Array, memory: Array) -> Array:
    below = (memory < scores[:, None]).mean(axis=1)
    equal = (memory == scores[:, None]).mean(axis=1)
    surprise: Array = -np.log(1.0 - below - 0.5 * equal)
    return surprise


@final
@dataclass(eq=False)
class PPO:
    """Proximal policy optimisation with one softmax a knob.

    Every `batch` trials fed back, their normalised utilities minus the value baseline
    are the advantages of `epochs` steps of Adam. The space has no states, so the value
    function is one number: the running mean of the utilities. They are normalised
    over the memory: within so small a batch it would make noise of equal rewards.
    Infeasible, rejected and failed trials count through `ScalarFeedback`.

    The defaults suit 150 to 2,000 trials of about 20 knobs with feedback 16 trials
    late; benchmarks/controllers_synthetic.py measures them.

    Args:
        batch: Trials an update.
        epochs: Steps of Adam an update.
        learning_rate: Of Adam, in logits.
        clip: Half width of the surrogate loss's range.
        entropy_bonus: Weight of the entropy that keeps the policy from collapsing.
        memory: Latest trials among which a trial is ranked; at least `batch`.
        value_rate: Share of an update in the value baseline, in (0, 1].
    """

    batch: int = 8
    epochs: int = 4
    learning_rate: float = 0.2
    clip: float = 0.3
    entropy_bonus: float = 0.07
    memory: int = 64
    value_rate: float = 0.1
    _cardinalities: Choices = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)
    _logits: Array = field(init=False, repr=False)
    _adam: Adam = field(init=False, repr=False)
    _value: float = field(init=False, repr=False)
    _feedback: ScalarFeedback = field(init=False, repr=False)
    _awaited: Awaited[tuple[Choices, Array]] = field(init=False, repr=False)
    _recent: deque[float] = field(init=False, repr=False)
    _pending: list[tuple[Choices, Array, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.batch, "batch", "ppo")
        check_count(self.epochs, "epochs", "ppo")
        check_count(self.memory, "memory", "ppo", least=self.batch)
        for name in ("learning_rate", "clip", "value_rate"):
            _check_between(getattr(self, name), name, 1.0)
        if not (isfinite(self.entropy_bonus) and self.entropy_bonus >= 0):
            raise ValueError(
                "`entropy_bonus` must be a number of at least 0. "
                f"Received {self.entropy_bonus!r} (in ppo.entropy_bonus)."
            )

    @property
    def probabilities(self) -> Array:
        """[D, K] the policy; 0 at the padding."""
        return np.exp(log_softmax(self._logits))

    def mode(self) -> Choices:
        """[D] the most probable choices; the first of equally probable values."""
        return most_probable(self._logits)

    def setup(self, cardinalities: Choices, *, seed: int) -> None:
        """Start on a space of [D] cardinalities with the uniform policy."""
        self._cardinalities = check_cardinalities(cardinalities)
        self._rng = np.random.default_rng(seed)
        self._logits = uniform_logits(self._cardinalities)
        self._adam = Adam(self._logits.shape, self.learning_rate)
        self._value = 0.0
        self._feedback = ScalarFeedback()
        self._awaited = Awaited()
        self._recent = deque(maxlen=self.memory)
        self._pending = []

    def propose(self, n: int) -> Choices:
        """[n, D] draws from the policy, whose log-probabilities are kept."""
        choices = draw(self._logits, n, self._rng)
        log_probs = log_probability(self._logits, choices)
        for kept in zip(choices, log_probs, strict=True):
            self._awaited.keep(kept)
        return choices.copy()

    def update(self, trials: Sequence[Trial]) -> None:
        """Collect trials and take a step of PPO whenever a batch is full."""
        for trial in trials:
            self._collect(trial, *self._awaited.take(trial))

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Collect others' trials as if the present policy had proposed them.

        The ratio is then 1, so that a step goes towards what is better than usual, and
        away from what is worse, as for draws of its own.
        """
        for trial in trials:
            choices = np.array([trial.choices], np.int64)
            [log_probs] = log_probability(self._logits, choices)
            self._collect(trial, choices[0], log_probs)

    def _collect(self, trial: Trial, choices: Choices, log_probs: Array) -> None:
        score = self._feedback(trial)
        self._recent.append(score)
        self._pending.append((choices, log_probs, score))
        if len(self._pending) == self.batch:
            self._learn()

    def _learn(self) -> None:
        choices, old_log_probs, scores = zip(*self._pending, strict=True)
        self._pending = []
        advantages = self._advantages(np.array(scores))
        batch = np.stack(choices), np.stack(old_log_probs), advantages
        for _ in range(self.epochs):
            gradient = ppo_gradient(self._logits, *batch, self.clip, self.entropy_bonus)
            self._logits = self._logits + self._adam.step(gradient)

    def _advantages(self, scores: Array) -> Array:
        """[B] normalised advantages; moves the value baseline."""
        advantages = utilities(scores, np.array(self._recent)) - self._value
        self._value += self.value_rate * float(advantages.mean())
        return advantages


def _check_between(value: float, name: str, most: float) -> None:
    if not 0.0 < value <= most:
        raise ValueError(
            f"`{name}` must be a number above 0 and at most {most:g}. "
            f"Received {value!r} (in ppo.{name})."
        )
