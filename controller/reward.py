"""Reward: one number from accuracy and costs. Limits: what a result must keep.

`B` denotes candidates, `K` targets. A ratio is a cost over its target. A target is a
preference that the reward weighs, a limit is a constraint that a candidate breaks.
"""

from dataclasses import dataclass, fields
from math import inf, isfinite
from numbers import Real
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nahas.accelerator.metrics import Metrics
from nahas.accelerator.objective import exponents, score
from nahas.accelerator.refusal import wrong

Array = NDArray[np.float64]
Form = Literal["multiplicative", "absolute", "single_sided"]

_UNITS = {"latency_ms": "ms", "energy_mj": "mJ", "area_mm2": "mm2", "power_mw": "mW"}


def multiplicative(accuracy: Array, ratios: Array, p: float, q: float) -> Array:
    """[B] NAHAS's reward: accuracy * Π_k ratio_k^w, w = p if ratio_k <= 1 else q.

    p = 0, q = -1 is the hard form: costs within their targets are free. p = q = -0.07
    is the soft one, a trade-off everywhere.

    See "Rethinking Co-design of Neural Architectures and Hardware Accelerators", Zhou
    et al. 2021, https://arxiv.org/abs/2102.08619 (as recalled, not checked against
    its text), after "MnasNet", Tan et al. 2019, https://arxiv.org/abs/1807.11626.

    Args:
        accuracy: [B] fractions.
        ratios: [K, B] costs over targets.
        p: Exponent of a cost within its target.
        q: Exponent of a cost beyond it.
    """
    factors: Array = np.where(ratios <= 1.0, ratios**p, ratios**q).prod(axis=0)
    return accuracy * factors


def absolute(accuracy: Array, ratios: Array, beta: float) -> Array:
    """[B] TuNAS's absolute reward: accuracy + β Σ_k |ratio_k - 1|.

    It pulls a cost to its target from both sides. See "Can weight sharing outperform
    random architecture search?", Bender et al. 2020,
    https://arxiv.org/abs/2008.06120, where latency is the one cost.

    Args:
        accuracy: [B] fractions.
        ratios: [K, B] costs over targets.
        beta: Weight of the distance; negative.
    """
    distance: Array = np.abs(ratios - 1.0).sum(axis=0)
    return accuracy + beta * distance


def single_sided(accuracy: Array, ratios: Array, beta: float) -> Array:
    """[B] the single-sided ReLU form: accuracy + β Σ_k max(0, ratio_k - 1).

    Like `absolute`, but a cost within its target is free. The weighted sum of ReLU
    terms is that of H2O-NAS, Li et al. 2023 (ASPLOS).

    Args:
        accuracy: [B] fractions.
        ratios: [K, B] costs over targets.
        beta: Weight of the excess; negative.
    """
    excess: Array = np.maximum(ratios - 1.0, 0.0).sum(axis=0)
    return accuracy + beta * excess


@dataclass(frozen=True, slots=True)
class Reward:
    """What a search maximises: accuracy, discounted by costs against their targets.

    >>> reward = Reward(latency_ms=0.5, area_mm2=31.0)
    >>> float(reward.of([0.8], [[1.0], [31.0]])[0])  # twice the target: half
    0.4

    Args:
        latency_ms: Target, or None where it does not matter.
        energy_mj: Target of one inference.
        area_mm2: Target of the accelerator.
        power_mw: Target of the mean power of back-to-back inferences.
        form: "multiplicative" (uses p and q), "absolute" or "single_sided" (use beta).
        p: Exponent within the target, at most 0.
        q: Exponent beyond the target, at most 0.
        beta: Weight of the relative distance or excess, at most 0. Its default is
            MnasNet's exponent; how it compares to an accuracy is the user's choice.

    Raises:
        ValueError: If a target is not positive, an exponent positive or the form
            unknown.
    """

    latency_ms: float | None = None
    energy_mj: float | None = None
    area_mm2: float | None = None
    power_mw: float | None = None
    form: Form = "multiplicative"
    p: float = 0.0
    q: float = -1.0
    beta: float = -0.07

    def __post_init__(self) -> None:
        for name in _UNITS:
            _normalise(self, name, "reward")
        for name in ("p", "q", "beta"):
            value = getattr(self, name)
            if not _is_number(value) or not isfinite(value) or value > 0:
                raise wrong(name, "a number of at most 0", value, "reward")
            object.__setattr__(self, name, float(value))
        if self.form not in get_args(Form):
            raise wrong("form", f"one of {get_args(Form)}", self.form, "reward")

    @property
    def targets(self) -> dict[str, float]:
        """The K targets that are set, by the name of the cost in `Metrics`."""
        named = {name: getattr(self, name) for name in _UNITS}
        return {name: value for name, value in named.items() if value is not None}

    def __call__(self, accuracy: ArrayLike, metrics: Metrics) -> Array:
        """[B] rewards of B candidates.

        Args:
            accuracy: [B] fractions; NaN gives NaN.
            metrics: Their B costs.
        """
        return self.of(accuracy, [getattr(metrics, name) for name in self.targets])

    def of(self, accuracy: ArrayLike, costs: ArrayLike) -> Array:
        """[B] rewards from plain numbers.

        Args:
            accuracy: [B] fractions.
            costs: [K, B] costs in the order of `targets`.
        """
        accuracies = np.asarray(accuracy, np.float64)
        targets = np.array(list(self.targets.values())).reshape(-1, 1)
        shape = (len(targets), len(accuracies))
        ratios = np.asarray(costs, np.float64).reshape(shape) / targets
        if self.form == "multiplicative":
            return multiplicative(accuracies, ratios, self.p, self.q)
        if self.form == "absolute":
            return absolute(accuracies, ratios, self.beta)
        return single_sided(accuracies, ratios, self.beta)


@dataclass(frozen=True, slots=True)
class Least:
    """The reward of a search for the least costs: a negative power of them.

        reward = score^exponent,  score = energy^e * latency^l * area^a

    It is the soft form of `Reward` at accuracy 1: one percent of a cost is worth the
    same everywhere, and the exponent does not change which of two pairs is better. The
    accuracy does not enter: what it must reach is `Limits.min_accuracy`, without which
    the smallest network is the best.

    >>> least = Least("edp", exponent=-0.5)
    >>> least.of_score(np.array([4.0])).tolist()
    [0.5]

    Args:
        objective: "latency", "energy", "edp" (energy x latency), "edap" (that x area)
            or weights, as `nahas.accelerator.objective.exponents` reads them.
        exponent: Below 0. Its default is MnasNet's of one cost, so that rewards lie as
            close to each other as those of `Reward` do.

    Raises:
        ValueError: If there is no such objective or the exponent is not below 0.
    """

    objective: str = "energy"
    exponent: float = -0.07

    def __post_init__(self) -> None:
        exponents(self.objective)
        value = self.exponent
        if not _is_number(value) or not isfinite(value) or not value < 0:
            raise wrong("exponent", "a number below 0", value, "least")
        object.__setattr__(self, "exponent", float(value))

    def __call__(self, accuracy: ArrayLike, metrics: Metrics) -> Array:
        """[B] rewards of B candidates.

        Args:
            accuracy: [B] fractions; not looked at.
            metrics: Their B costs.
        """
        return self.of_score(score(metrics, self.objective))

    def of_score(self, scores: Array) -> Array:
        """[B] rewards of what is minimised [B]."""
        rewards: Array = scores**self.exponent
        return rewards


@dataclass(frozen=True, slots=True)
class Limits:
    """What a result must keep; None means no limit.

    A candidate whose costs are above theirs is rejected before training. Its accuracy
    is known after it: below the floor it is trained and not feasible.

    Args:
        max_latency_ms: Of the deployed network.
        max_energy_mj: Of one inference.
        max_area_mm2: Of the accelerator.
        max_power_mw: Mean power of back-to-back inferences.
        min_accuracy: Floor of the accuracy, a fraction.

    Raises:
        ValueError: If a limit is not positive, or the floor above 1.
    """

    max_latency_ms: float | None = None
    max_energy_mj: float | None = None
    max_area_mm2: float | None = None
    max_power_mw: float | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        for spec in fields(self):
            none = 0 if spec.name == "min_accuracy" else inf
            value = getattr(self, spec.name)
            if _is_number(value) and value == none:
                object.__setattr__(self, spec.name, None)
            _normalise(self, spec.name, "limits")
        if self.min_accuracy is not None and self.min_accuracy > 1:
            expected = "a fraction: at most 1, and 0 or None for no floor"
            raise wrong("min_accuracy", expected, self.min_accuracy, "limits")

    def violation(self, metrics: Metrics) -> Array:
        """[B] relative excess over the costs' limits, summed: Σ max(0, cost/limit - 1).

        0 where all are kept; +inf where a limited cost is.
        """
        excess = np.zeros(len(metrics))
        for name, limit in self._set():
            excess += np.maximum(getattr(metrics, name) / limit - 1.0, 0.0)
        return excess

    def reason(self, metrics: Metrics, i: int) -> str:
        """Which limits candidate `i` breaks, in a line; empty where it keeps all."""
        broken = []
        for name, limit in self._set():
            cost = float(getattr(metrics, name)[i])
            if cost / limit > 1.0:
                left, right = _distinct(cost, limit)
                label, unit = name.rsplit("_", 1)[0], _UNITS[name]
                broken.append(f"{label} {left} {unit} > {right} {unit} (max_{name})")
        return "; ".join(broken)

    def shortfall(self, accuracy: ArrayLike) -> Array:
        """[B] relative shortfall of accuracies [B]: max(0, 1 - accuracy/min_accuracy).

        0 where there is no floor, and for NaN, an accuracy that is not known.
        """
        found = np.asarray(accuracy, np.float64)
        floor = self.min_accuracy
        if floor is None:
            return np.zeros(found.shape)
        short: Array = np.fmax(1.0 - found / floor, 0.0)  # which passes over NaN
        return short

    def shortfall_reason(self, accuracy: float) -> str:
        """That an accuracy is below the floor, in a line; empty where it is not."""
        floor = self.min_accuracy
        if floor is None or not accuracy < floor:
            return ""
        left, right = _distinct(100 * accuracy, 100 * floor)
        return f"accuracy {left} % < {right} % (min_accuracy)"

    def _set(self) -> list[tuple[str, float]]:
        limits = [(name, getattr(self, f"max_{name}")) for name in _UNITS]
        return [(name, limit) for name, limit in limits if limit is not None]


def _distinct(cost: float, limit: float) -> tuple[str, str]:
    """Both numbers with two decimals, or as many more as tell them apart."""
    for decimals in range(2, 17):
        left, right = f"{cost:.{decimals}f}", f"{limit:.{decimals}f}"
        if left != right:
            return left, right
    return repr(cost), repr(limit)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _normalise(owner: Reward | Limits, name: str, where: str) -> None:
    """Check a target or limit and make it a plain float, which JSON can hold."""
    value = getattr(owner, name)
    if value is None:
        return
    if not _is_number(value) or not isfinite(value) or value <= 0:
        raise wrong(name, "a positive number or None", value, where)
    object.__setattr__(owner, name, float(value))
