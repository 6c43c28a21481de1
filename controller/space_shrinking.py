"""Space shrinking: values that do badly are dropped, stage by stage.

`B` denotes trials, `D` knobs, `V` the most values that a knob has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    check_cardinalities,
    check_count,
    rank_key,
    uniform,
    unseen,
)
from nahas.controller.evolution import mutate
from nahas.controller.trial import Trial

Array = NDArray[np.float64]
Choices = NDArray[np.int64]
Mask = NDArray[np.bool_]


def qualities(trials: Sequence[Trial]) -> Array:
    """[B] the share of the trials that each beats, half of those equal to it included.

    Trials compare by constraint domination (`rank_key`). The mean is 1/2.
    """
    keys = [rank_key(trial) for trial in trials]
    place = {key: i for i, key in enumerate(sorted(set(keys)))}
    places = np.array([place[key] for key in keys], np.int64)
    counts = np.bincount(places)
    shares: Array = (np.cumsum(counts) - counts / 2)[places] / len(trials)
    return shares


def worth_of_values(choices: Choices, quality: Array, most: int) -> Array:
    """[D, V] mean quality of the trials with each value; NaN where none had it.

    Each value is given one trial of quality 1/2 besides, the mean of all, so that the
    worst are not those which were met once and with bad luck.

    Args:
        choices: [B, D].
        quality: [B] as `qualities` gives them.
        most: V.
    """
    knobs = choices.shape[1]
    places = (np.arange(knobs) * most + choices).ravel()
    size = knobs * most
    counts = np.bincount(places, minlength=size)
    sums = np.bincount(places, np.repeat(quality, knobs), minlength=size)
    worth: Array = np.where(counts > 0, (sums + 0.5) / (counts + 1), np.nan)
    return worth.reshape(knobs, most)


def shrink(left: Mask, worth: Array, share: float) -> Mask:
    """[D, V] what is left once a share of the values that may go have gone.

    A value may go for how far it is behind the best value of its knob. The best ones
    stay, so that no knob loses all its values, and so do those of which nothing is
    known. All others compete, whatever their knobs: a knob that does not matter keeps
    its values for longer than one that does.

    Args:
        left: [D, V] values that are left; at least one a knob.
        worth: [D, V] of the values; NaN where unknown.
        share: Of the values besides one a knob, how many go at most; rounded up.
    """
    known = np.where(left & ~np.isnan(worth), worth, -np.inf)
    best = known.max(axis=1, keepdims=True)
    behind = np.zeros(left.shape)
    np.subtract(best, known, out=behind, where=known > -np.inf)
    count = int(np.ceil(share * (left.sum() - len(left))))
    worst = np.argsort(-behind, axis=None, kind="stable")[:count]
    kept = left.copy()
    kept.flat[worst[behind.flat[worst] > 0]] = False
    return kept


@final
@dataclass(eq=False)
class SpaceShrinking:
    """Progressive shrinking of the space, then evolution in what is left of it.

    After each of `stages` times `results` results, a share of the values is dropped:
    those with which trials did worst, in the mean over the trials that lie in what was
    left until then. What is proposed meanwhile is drawn uniformly from what is left.
    After the last stage it is a mutant, of one knob, of the best of `tournament` drawn
    trials in what is left; trials outside are parents no more.

    The idea is that of HSCoNAS, "Hardware-Software Co-Design of Efficient DNNs via
    Neural Architecture Search", Luo et al. 2021, https://arxiv.org/abs/2103.08325: its
    space shrinks stage by stage before an evolution. How it judges and how much it
    drops is not confirmed, so that all numbers here are this class's own. It compares
    by constraint domination: a value is bad also for breaking limits.

    Args:
        results: Results between two droppings.
        stages: Droppings.
        drop: Share of the values besides one a knob that a stage drops at most.
        tournament: Trials drawn, of which the best becomes the parent.
    """

    results: int = 24
    stages: int = 3
    drop: float = 0.4
    tournament: int = 16
    _cardinalities: Choices = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)
    _left: Mask = field(init=False, repr=False)
    _trials: list[Trial] = field(init=False, repr=False)
    _inside: list[Trial] = field(init=False, repr=False)
    _seen: set[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("results", "stages", "tournament"):
            check_count(getattr(self, name), name, "shrinking")
        if not 0 < self.drop < 1:
            raise ValueError(
                "`drop` must be a number between 0 and 1. "
                f"Received {self.drop!r} (in shrinking.drop)."
            )

    def setup(self, cardinalities: Choices, *, seed: int) -> None:
        """Start on a space of [D] cardinalities, all of which is left."""
        self._cardinalities = check_cardinalities(cardinalities)
        self._rng = np.random.default_rng(seed)
        self._left = np.arange(self._cardinalities.max()) < self._cardinalities[:, None]
        self._trials = []
        self._inside = []
        self._seen = set()

    def propose(self, n: int) -> Choices:
        """[n, D] random choices of what is left at first, mutants later."""
        rows = [unseen(self._draw, self._seen) for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """Results are counted; the last one of a stage shrinks the space."""
        for trial in trials:
            self._trials.append(trial)
            if self._is_inside(trial):
                self._inside.append(trial)
            stage, rest = divmod(len(self._trials), self.results)
            if rest == 0 and stage <= self.stages:
                self._shrink()

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Others' trials count as results, and are not proposed again."""
        self._seen.update(np.array(t.choices, np.int64).tobytes() for t in trials)
        self.update(trials)

    def _shrink(self) -> None:
        if self._inside:
            choices = np.array([trial.choices for trial in self._inside], np.int64)
            most = self._left.shape[1]
            worth = worth_of_values(choices, qualities(self._inside), most)
            self._left = shrink(self._left, worth, self.drop)
        self._inside = [trial for trial in self._trials if self._is_inside(trial)]

    def _is_inside(self, trial: Trial) -> bool:
        """Whether all values of a trial are left."""
        knobs = np.arange(len(self._cardinalities))
        return bool(self._left[knobs, np.array(trial.choices, np.int64)].all())

    def _draw(self) -> Choices:
        counts = self._left.sum(axis=1)
        # The values of a knob that are left come first, in their order.
        values = np.argsort(~self._left, axis=1, kind="stable")
        shrinks = len(self._trials) < self.results * self.stages
        if shrinks or not self._inside:
            places = uniform(self._rng, counts, 1)[0]
        else:
            # The place of a value among those left is how many of these precede it.
            before = np.cumsum(self._left, axis=1) - 1
            parent = np.array(self._parent().choices, np.int64)
            own = np.take_along_axis(before, parent[:, None], axis=1)[:, 0]
            places = mutate(own, counts, self._rng)
        chosen: Choices = np.take_along_axis(values, places[:, None], axis=1)[:, 0]
        return chosen

    def _parent(self) -> Trial:
        """The winner of a tournament."""
        size = min(self.tournament, len(self._inside))
        drawn = self._rng.choice(len(self._inside), size, replace=False)
        best: Trial = max((self._inside[i] for i in drawn), key=rank_key)
        return best
