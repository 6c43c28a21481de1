"""Sharing: the accelerator that serves the trained networks of several studies best.

Let R_s(n, h) be the reward by study s of its trained network n on accelerator h, -∞
where h cannot run it or the pair breaks a limit of the study. On h the study is worth

    B_s(h) = max over n of R_s(n, h)

and the shared accelerator is the h of the grid with the largest min over s of B_s(h),
or the largest mean. Every trained network is simulated on all 50,000, so it is exact.
What sharing costs study s is max over h of B_s(h), less B_s at the shared one.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid_model import evaluate_axes
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.sweep import accelerators_at, grid_axes
from nahas.accelerator.template import Accelerator, Platform
from nahas.controller.description import rebuild
from nahas.controller.reward import Least, Limits, Reward
from nahas.controller.study import Study
from nahas.platform_table import differences
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.study_platform import platform_of

Array = NDArray[np.float64]
Maximise = Literal["least", "mean"]

_REWARDS = {f"{kind.__module__}:{kind.__qualname__}" for kind in (Reward, Least)}


class SharingError(RuntimeError):
    """No accelerator serves all studies; the message says how many serve each."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A trained network on an accelerator.

    Attributes:
        network: The network's text.
        accelerator: The accelerator.
        accuracy: The network's, a fraction.
        reward: The study's, of the pair.
        latency_ms: Simulated.
        energy_mj: Simulated, of one inference.
        area_mm2: Of the accelerator.
    """

    network: str
    accelerator: Accelerator
    accuracy: float
    reward: float
    latency_ms: float
    energy_mj: float
    area_mm2: float


@dataclass(frozen=True, slots=True)
class Shared:
    """What sharing means for one study.

    Attributes:
        study: Its folder.
        networks: Trained networks that were tried.
        accelerators: How many of the grid serve it.
        shared: Its best pair on the shared accelerator.
        own: Its best pair on any; of equal ones that on the smallest.
    """

    study: str
    networks: int
    accelerators: int
    shared: Pair
    own: Pair

    @property
    def lost(self) -> float:
        """Reward that sharing costs, at least 0."""
        return self.own.reward - self.shared.reward


@dataclass(frozen=True, slots=True)
class Sharing:
    """The best accelerator for all studies together.

    Attributes:
        maximise: "least" or "mean" of the studies' rewards.
        accelerator: The shared one.
        checked: Accelerators that were tried: all of the grid.
        serving: How many serve every study.
        least: The least reward of a study on the shared one.
        mean: The mean of all studies' there.
        studies: What it means for each.
    """

    maximise: Maximise
    accelerator: Accelerator
    checked: int
    serving: int
    least: float
    mean: float
    studies: tuple[Shared, ...]

    def to_dict(self) -> dict[str, Any]:
        """The fields, in JSON's types."""
        found = asdict(self)
        for row, one in zip(found["studies"], self.studies, strict=True):
            row["lost"] = one.lost
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Worth:
    """What every accelerator of the grid is worth to a study.

    Attributes:
        name: The study's folder.
        networks: Its N trained networks, and the accuracy of each.
        rewards: [G] B_s; -inf where the accelerator does not serve it.
        best: [G] which network has it.
    """

    name: str
    networks: tuple[tuple[str, float], ...]
    rewards: Array
    best: NDArray[np.int64]

    def pair(self, place: int, platform: Platform) -> Pair:
        """The study's best pair on an accelerator that serves it."""
        (accelerator,) = accelerators_at(np.array([place]))
        text, accuracy = self.networks[self.best[place]]
        costs = evaluate(lower([Network.parse(text)]), [accelerator], platform)
        found = (costs.latency_ms, costs.energy_mj, costs.area_mm2)
        reward = float(self.rewards[place])
        return Pair(
            text, accelerator, accuracy, reward, *(float(cost[0]) for cost in found)
        )


def share(
    studies: Sequence[Study | str | Path],
    *,
    maximise: Maximise = "least",
    max_area_mm2: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Sharing:
    """The accelerator of the grid that serves several studies best; see the module.

    Of equal accelerators the one with the higher other figure (mean or least) comes
    first, then the smaller one, then the grid's order.

    Args:
        studies: Studies, or their folders; on one platform.
        maximise: "least" or "mean" of the studies' rewards.
        max_area_mm2: Limit of the shared chip, beside those of the studies.
        progress: Told of each study that is begun.

    Raises:
        SharingError: If no accelerator serves all of them.
        StudyError: If there is no study in a folder.
        ValueError: If `maximise` or `max_area_mm2` is out of range, a study has no
            trained network or a reward that its record does not say, or the studies
            are on different platforms.
    """
    if maximise not in get_args(Maximise):
        raise ValueError(
            f"`maximise` must be one of {', '.join(get_args(Maximise))}. Received "
            f"{maximise!r}."
        )
    bound = Limits(max_area_mm2=max_area_mm2).max_area_mm2 or inf
    opened = [s if isinstance(s, Study) else Study.open(s) for s in studies]
    if not opened:
        raise ValueError("`studies` must be at least one. Received none.")
    platform = _common(opened)
    areas = area_mm2(grid_axes().machines, platform)
    worths = []
    for study in opened:
        if progress:
            progress(str(study.folder))
        worths.append(_worth(study, platform, areas <= bound))
    table = np.stack([worth.rewards for worth in worths])
    serving = np.asarray(np.isfinite(table).all(axis=0))
    if not serving.any():
        each = "; ".join(
            f"{worth.name}: {int(np.isfinite(worth.rewards).sum()):,}"
            for worth in worths
        )
        raise SharingError(
            f"No accelerator of {len(serving):,} serves all studies within their "
            f"limits. Those that serve each: {each}."
        )
    places = np.flatnonzero(serving)
    least, mean = table[:, places].min(axis=0), table[:, places].mean(axis=0)
    first, second = (least, mean) if maximise == "least" else (mean, least)
    # lexsort's last key counts first.
    order = np.lexsort((places, areas[places], -second, -first))
    chosen = int(places[order[0]])
    (accelerator,) = accelerators_at(np.array([chosen]))
    return Sharing(
        maximise,
        accelerator,
        len(serving),
        len(places),
        float(least[order[0]]),
        float(mean[order[0]]),
        tuple(
            Shared(
                worth.name,
                len(worth.networks),
                int(np.isfinite(worth.rewards).sum()),
                worth.pair(chosen, platform),
                worth.pair(int(np.lexsort((areas, -worth.rewards))[0]), platform),
            )
            for worth in worths
        ),
    )


def _worth(study: Study, platform: Platform, allowed: NDArray[np.bool_]) -> _Worth:
    """B_s, by simulating each trained network on all accelerators."""
    reward, limits = asked_of(study)
    known = {
        record.network: record.trial.accuracy
        for record in study.records()
        if record.trial.accuracy is not None
    }
    if not known:
        raise ValueError(
            "STUDY must hold a trained network. Received "
            f"{str(study.folder)!r}, which has none yet."
        )
    networks = tuple((text, float(accuracy)) for text, accuracy in known.items())
    rewards = np.full(len(allowed), -inf)
    best = np.full(len(allowed), -1)
    for number, (text, accuracy) in enumerate(networks):
        if limits.shortfall([accuracy])[0] > 0:
            continue
        metrics = evaluate_axes(lower([Network.parse(text)]), grid_axes(), platform)
        inside = limits.violation(metrics) == 0
        places = np.flatnonzero(allowed & metrics.feasible & inside)
        if not len(places):
            continue
        found = reward(np.full(len(places), accuracy), metrics.take(places))
        better = found > rewards[places]
        rewards[places[better]] = found[better]
        best[places[better]] = number
    return _Worth(str(study.folder), networks, rewards, best)


def asked_of(study: Study) -> tuple[Reward | Least, Limits]:
    """The reward and the limits of a study."""
    config = study.config
    described = config.get("reward")
    if not isinstance(described, dict) or described.get("class") not in _REWARDS:
        raise ValueError(
            "STUDY must have a reward that its record says: `Reward` or `Least`. "
            f"Received {str(study.folder)!r} with {described!r}."
        )
    named = Limits().__dataclass_fields__
    kept = {k: v for k, v in config.get("limits", {}).items() if k in named}
    reward = rebuild(described)
    assert isinstance(reward, Reward | Least)
    return reward, Limits(**kept)


def _common(studies: Sequence[Study]) -> Platform:
    """The platform of all studies."""
    found = [platform_of(study.config) or Platform() for study in studies]
    for study, platform in zip(studies, found, strict=True):
        if platform != found[0]:
            raise ValueError(
                "The studies must be on one platform. Received "
                f"{str(studies[0].folder)!r} and {str(study.folder)!r}, which differ "
                f"in {', '.join(differences(found[0], platform))}."
            )
    return found[0]
