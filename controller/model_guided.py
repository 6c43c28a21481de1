"""What controllers share that choose by a model of accuracy and by exact costs.

`B` denotes candidates, `D` knobs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    check_cardinalities,
    check_count,
    check_told,
    not_informed,
    rank_key,
)
from nahas.controller.informed_evolution import Score, evolve, random_allowed
from nahas.controller.trial import Trial

if TYPE_CHECKING:
    from nahas.controller.judgement import Task

Array = NDArray[np.float64]
Choices = NDArray[np.int64]


@dataclass(eq=False)
class ModelGuided(ABC):
    """Random proposals at first, then the best that an evolution on a model meets.

    A subclass has the model: what it learns (`_learn`, `_expect`), when it may be asked
    (`_ready`), what violations are (`_violations`) and what its evolution is (`_met`).
    It puts into `_needless` the points that teach nothing: these are proposed where
    nothing else was met that keeps the limits.

    Args:
        first: Random proposals, of those that keep the limits.
        candidates: Children a generation.
        generations: Of the evolution inside a proposal.
        parents: Survivors of a generation.
    """

    section: ClassVar[str]
    """The settings' section, for messages."""

    first: int
    candidates: int
    generations: int
    parents: int
    _told: Choices | None = field(default=None, init=False, repr=False)
    _knobs: Choices = field(init=False, repr=False)
    _cardinalities: Choices = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)
    _proposed: int = field(init=False, repr=False)
    _seen: set[bytes] = field(init=False, repr=False)
    _best: list[Trial] = field(init=False, repr=False)
    _needless: set[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("first", "candidates", "generations", "parents"):
            check_count(getattr(self, name), name, self.section)

    def inform(self, task: "Task") -> None:
        """Be told what costs are simulated of; accuracy depends on the network's knobs.

        Those are all but `accelerator.KEY`.
        """
        # The simulator takes a second to import.
        from nahas.search_space.joint import network_knobs

        self._told = task.space.cardinalities
        self._knobs = network_knobs(task.space)

    def setup(self, cardinalities: Choices, *, seed: int) -> None:
        """Start on the space that was told of, knowing no accuracy.

        Raises:
            ValueError: If the controller was not told the task, or of another space.
        """
        found = check_cardinalities(cardinalities)
        if self._told is None:
            raise not_informed(self)
        check_told(found, self._told)
        self._cardinalities = found
        self._rng = np.random.default_rng(seed)
        self._proposed = 0
        self._seen = set()
        self._best = []
        self._needless = set()

    def propose(self, n: int) -> Choices:
        """[n, D] random choices at first, the outcomes of evolutions later."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """Accuracies are learned from, the best trials are evolved."""
        for trial in trials:
            self._learn(trial, np.array(trial.choices, np.int64))
        ranked = sorted([*self._best, *trials], key=rank_key, reverse=True)
        self._best = ranked[: self.parents]

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Others' accuracies are learned from too, in the place of first proposals."""
        self._proposed += len(trials)
        self._seen.update(np.array(t.choices, np.int64).tobytes() for t in trials)
        self.update(trials)

    @property
    @abstractmethod
    def _ready(self) -> bool:
        """Whether enough is known to predict from."""

    @abstractmethod
    def _learn(self, trial: Trial, choices: Choices) -> None:
        """What came of a proposal, here or in another search."""

    @abstractmethod
    def _expect(self, choices: Choices) -> None:
        """Choices [D] are proposed."""

    @abstractmethod
    def _violations(self, points: Choices) -> Array:
        """[B] what breaks limits, as far as it is known before any training."""

    @abstractmethod
    def _met(self) -> tuple[Choices, Array]:
        """What `evolve` gives, on the model."""

    def _propose(self) -> Choices:
        self._proposed += 1
        if self._proposed <= self.first or not self._ready:
            found = self._random()
        else:
            self._needless = set()
            found, violations = self._met()
            needless = np.array([row.tobytes() in self._needless for row in found])
            found = found[np.lexsort((needless, violations > 0))]  # which is stable
        new = [row for row in found if row.tobytes() not in self._seen]
        # A space that is nearly searched through may leave none.
        choices: Choices = new[0] if new else self._random()[0]
        self._seen.add(choices.tobytes())
        self._expect(choices)
        return choices

    def _random(self) -> Choices:
        """[B, D] random choices, those that keep the limits first."""
        return random_allowed(
            self._violations,
            self._cardinalities,
            self._rng,
            candidates=self.candidates,
            generations=self.generations,
            parents=self.parents,
        )

    def _evolve(
        self, trials: Sequence[Trial], score: Score, strangers: int = 0
    ) -> tuple[Choices, Array]:
        """What an evolution of trials met."""
        return evolve(
            np.array([trial.choices for trial in trials], np.int64),
            score,
            self._cardinalities,
            self._rng,
            candidates=self.candidates,
            generations=self.generations,
            parents=self.parents,
            strangers=strangers,
        )
