"""Controllers as PyGlove algorithms and PyGlove algorithms as controllers.

The only module of this folder that imports PyGlove; nothing else imports it.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, final

import numpy as np
import pyglove as pg
from numpy.typing import NDArray

from nahas.controller.controller import (
    Awaited,
    Controller,
    ScalarFeedback,
    check_cardinalities,
)
from nahas.controller.trial import Trial

_NUMBER = "nahas_number"
_SEEN = "nahas_seen"


def as_dna_generator(make: Callable[[], Controller], *, seed: int) -> pg.DNAGenerator:
    """A controller as a PyGlove algorithm, for `pg.sample` over a flat space.

    `recover` continues exactly as the unbroken run would. It wants what PyGlove's own
    algorithms want: the DNA with their metadata (as `pg.to_json_str(dna)` keeps them),
    in the order of feedback, those without a reward last. A reward that is not finite
    counts as a failed trial.

    >>> from nahas.controller import RandomSearch
    >>> algorithm = as_dna_generator(RandomSearch, seed=0)
    >>> for example, feedback in pg.sample(pg.oneof([1, 2, 3]), algorithm, 2):
    ...     feedback(float(example))

    Args:
        make: Makes the controller, such as the class `PPO` itself; called at every
            `setup`, since PyGlove copies algorithms and drops their state.
        seed: Of the controller.
    """
    return _ControllerGenerator(make=make, seed=seed)


class _ControllerGenerator(pg.DNAGenerator):
    """What `as_dna_generator` makes."""

    make: Any
    seed: int

    def _setup(self) -> None:
        self._cardinalities = _flat_cardinalities(self.dna_spec)
        self._history: list[tuple[pg.DNA, float | None]] = []
        self._start()

    def _start(self) -> None:
        self._controller = self.make()
        self._controller.setup(self._cardinalities, seed=self.seed)
        self._number = self._seen = 0

    def _propose(self) -> pg.DNA:
        choices = self._controller.propose(1)[0]
        self._number += 1
        dna = pg.DNA.from_numbers([int(choice) for choice in choices], self.dna_spec)
        dna.set_metadata(_NUMBER, self._number)
        return dna.set_metadata(_SEEN, self._seen)

    def _feedback(self, dna: pg.DNA, reward: float) -> None:
        finite = isfinite(reward)
        trial = Trial(
            number=dna.metadata[_NUMBER],
            choices=tuple(dna.to_numbers()),
            status="trained" if finite else "failed",
            accuracy=None,
            latency_ms=None,
            energy_mj=None,
            area_mm2=None,
            utilization=None,
            reward=float(reward) if finite else None,
            feasible=finite,
            violation=0.0 if finite else 1.0,
        )
        self._controller.update([trial])
        self._seen += 1

    def recover(self, history: Iterable[tuple[pg.DNA, float | None]]) -> None:
        """Repeat the calls of the run that left this history.

        Each DNA knows its number and how much had been fed back before it, which is
        all that the order of calls depends on. Several histories add up.
        """
        self._history.extend(history)
        self._start()
        fed = [(dna, reward) for dna, reward in self._history if reward is not None]
        by_number = sorted(self._history, key=lambda pair: pair[0].metadata[_NUMBER])
        for dna, _ in by_number:
            self._feed(fed, upto=dna.metadata[_SEEN])
            if self._propose().to_numbers() != dna.to_numbers():
                raise ValueError(
                    "`history` must hold every DNA proposed with this seed, in the "
                    "order of feedback. Received another DNA as proposal "
                    f"{dna.metadata[_NUMBER]} (in pyglove_adapter.recover)."
                )
        self._feed(fed, upto=len(fed))
        self._num_proposals, self._num_feedbacks = len(by_number), len(fed)

    def _feed(self, fed: Sequence[tuple[pg.DNA, float]], *, upto: int) -> None:
        for dna, reward in fed[self._seen : upto]:
            self._feedback(dna, reward)


def _flat_cardinalities(spec: pg.DNASpec) -> NDArray[np.int64]:
    points = spec.decision_points
    choices = [point for point in points if point.is_categorical]
    flat = len(choices) == len(points) == len(spec.elements)
    if not flat or any(point.num_choices != 1 for point in choices):
        raise ValueError(
            "`dna_spec` must be flat: only `oneof` of candidates without choices of "
            f"their own. Received {spec} (in pyglove_adapter.as_dna_generator)."
        )
    return check_cardinalities([len(point.candidates) for point in choices])


@final
@dataclass(eq=False)
class PyGloveController:
    """Any single-objective PyGlove algorithm as a controller.

    >>> controller = PyGloveController(pg.evolution.regularized_evolution)
    >>> controller.setup(np.array([3, 3]), seed=0)
    >>> controller.propose(2).shape
    (2, 2)

    PyGlove's algorithms draw from generators of their own, by default from the global
    one of `random`. Before each proposal every one is seeded anew from (seed,
    proposal, its place), so that a study's seed decides all and replay is exact.
    Infeasible, rejected and failed trials come as the number of `ScalarFeedback`.

    Args:
        algorithm_factory: Makes the algorithm, such as
            `pg.evolution.regularized_evolution`; called at every `setup`.
    """

    algorithm_factory: Callable[[], pg.DNAGenerator]
    _algorithm: pg.DNAGenerator = field(init=False, repr=False)
    _spec: pg.DNASpec = field(init=False, repr=False)
    _seed: int = field(init=False, repr=False)
    _holders: list[tuple[Any, str]] = field(init=False, repr=False)
    _feedback: ScalarFeedback = field(init=False, repr=False)
    _awaited: Awaited[pg.DNA] = field(init=False, repr=False)
    _proposed: int = field(init=False, repr=False)

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start a new algorithm on a flat space of [D] cardinalities."""
        cardinalities = check_cardinalities(cardinalities)
        knobs = [
            pg.geno.oneof([pg.geno.constant() for _ in range(count)])
            for count in cardinalities
        ]
        self._spec = pg.geno.space(knobs)
        self._algorithm = self.algorithm_factory()
        self._algorithm.setup(self._spec)
        if self._algorithm.multi_objective:
            raise ValueError(
                "`algorithm_factory` must make a single-objective algorithm. "
                f"Received {self._algorithm!r} (in pyglove_adapter.PyGloveController)."
            )
        self._seed = seed
        self._holders = list(_generators(self._algorithm, set()))
        self._feedback = ScalarFeedback()
        self._awaited = Awaited()
        self._proposed = 0

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] choices of the algorithm's next n DNA.

        Raises:
            RuntimeError: If the algorithm has no more.
        """
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._spec.elements))

    def update(self, trials: Sequence[Trial]) -> None:
        """Feed the trials' rewards back, in their order."""
        for trial in trials:
            dna = self._awaited.take(trial)
            with _global_generator(self._draw(0)):
                self._algorithm.feedback(dna, self._feedback(trial))

    def _propose(self) -> list[int]:
        self._proposed += 1
        for place, (holder, name) in enumerate(self._holders, start=1):
            numpy_kind = isinstance(getattr(holder, name), np.random.Generator)
            renew = np.random.default_rng if numpy_kind else random.Random
            setattr(holder, name, renew(self._draw(place)))
        with _global_generator(self._draw(0)):
            try:
                dna = self._algorithm.propose()
            except StopIteration as stop:
                raise RuntimeError(
                    f"{type(self._algorithm).__name__} has no more proposals after "
                    f"{self._proposed - 1}; ask for fewer trials."
                ) from stop
        self._awaited.keep(dna)
        return [int(number) for number in dna.to_numbers()]

    def _draw(self, place: int) -> int:
        """A seed for one generator of the present proposal."""
        words = np.random.SeedSequence([self._seed, self._proposed, place])
        return int(words.generate_state(1)[0])


def _generators(value: Any, visited: set[int]) -> Iterator[tuple[Any, str]]:
    """(owner, attribute) of every generator of random numbers in an algorithm.

    Walks members and private attributes in their order of definition, into tuples
    too, where `pg.query` does not go.
    """
    if id(value) in visited:
        return
    visited.add(id(value))
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, list | tuple):
        children = list(value)
    elif isinstance(value, pg.Object) and not isinstance(value, pg.DNASpec):
        children = [*value.sym_init_args.values()]
        for name, child in vars(value).items():
            if child is random or isinstance(
                child, random.Random | np.random.Generator
            ):
                yield value, name
            elif name.startswith("_") and not name.startswith("_sym"):
                children.append(child)
    else:
        return
    for child in children:
        yield from _generators(child, visited)


@contextmanager
def _global_generator(seed: int) -> Iterator[None]:
    """Seed Python's global generator for a while; some operators draw from it."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
