"""Contestants: our controllers and the tuners people use, behind ask and tell.

Every contestant proposes one pair and is told its trial before the next. The peers get
what ours get: the known constraints as a violation, and for a pair that breaks one the
number that ranks it below all that do not (`ScalarFeedback`), for they need a number.
Where a peer has a way of its own to take constraints, `constrained` uses it as well.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from arena import Goal
from lookup import Lookup, SweptArena
from numpy.typing import NDArray

from nahas.controller import CONTROLLERS
from nahas.controller.controller import Controller, Informed, ScalarFeedback
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.fixed_accelerator import FixedAccelerator
from nahas.controller.judgement import Task
from nahas.controller.nested import Nested as NestedSearches
from nahas.controller.phases import Phases
from nahas.controller.trial import Trial
from nahas.search_space.space import SearchSpace

Ints = NDArray[np.int64]
SLOW = 500
"""Trials of a contestant whose proposal takes milliseconds."""
FAST = 5_000
"""Of all others that propose pairs."""
NETWORKS = 2_000
"""Of all others that propose networks alone, some 10,000 at most. The yardstick has
`FAST`: where few networks keep a target, random ones find them by drawing many."""
PHASE = 100
"""Trials of the first phase where the accelerator is searched before the network."""


class Contestant(Protocol):
    """Who proposes pairs."""

    def ask(self) -> Ints:
        """[D] choices of the next pair."""
        ...

    def tell(self, trial: Trial) -> None:
        """What came of it."""
        ...


@dataclass(frozen=True)
class Entry:
    """A contestant of a name.

    Attributes:
        make: (lookup, seed) -> the contestant.
        trials: Most trials of a run.
        seeds: How many of the seeds it runs with, at most.
        queries: Accuracy queries of a run.
        peer: Whether it is somebody else's.
    """

    make: Callable[[Lookup, int], Contestant]
    trials: int = FAST
    seeds: int = 20
    queries: int = 1_000
    peer: bool = False


class Ours:
    """A controller of this project."""

    def __init__(self, controller: Controller, task: Task, seed: int) -> None:
        if isinstance(controller, Informed):
            controller.inform(task)
        controller.setup(task.space.cardinalities, seed=seed)
        self._controller = controller

    def ask(self) -> Ints:  # noqa: D102
        return self._controller.propose(1)[0]

    def tell(self, trial: Trial) -> None:  # noqa: D102
        self._controller.update([trial])


class Nested:
    """A contestant over networks, each with its best accelerator."""

    def __init__(self, inner: Contestant, best: SweptArena) -> None:
        self._inner, self._best = inner, best

    def ask(self) -> Ints:  # noqa: D102
        return self._best.complete(self._inner.ask())

    def tell(self, trial: Trial) -> None:  # noqa: D102
        split = len(self._best.network_knobs)
        self._inner.tell(replace(trial, choices=trial.choices[:split]))


class Losses:
    """What a peer minimises: one number, or three where a front is wanted."""

    def __init__(self, goal: Goal) -> None:
        self.count = 3 if goal.wanted == "front" else 1
        self._feedback = ScalarFeedback()

    def __call__(self, trial: Trial) -> list[float]:
        """[1 or 3]; what was not trained has an error of 1."""
        if self.count == 1:
            return [-self._feedback(trial)]
        error = 1.0 - (trial.accuracy or 0.0)
        return [error, trial.latency_ms or np.inf, trial.energy_mj or np.inf]


class Optuna:
    """Optuna's samplers, one trial after another.

    Numbers are integers in their order, all else is categorical.
    """

    def __init__(
        self, space: SearchSpace, losses: Losses, sampler: Any, constrained: bool
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(
            directions=["minimize"] * losses.count, sampler=sampler
        )
        self._space, self._constrained = space, constrained
        self._losses = losses
        self._open: Any = None

    def ask(self) -> Ints:  # noqa: D102
        self._open = self._study.ask()
        return np.array([self._suggest(knob) for knob in self._space.knobs])

    def _suggest(self, knob: Any) -> int:
        last = len(knob.values) - 1
        if _ordered(knob):
            return int(self._open.suggest_int(knob.name, 0, last))
        return int(self._open.suggest_categorical(knob.name, list(range(last + 1))))

    def tell(self, trial: Trial) -> None:  # noqa: D102
        if self._constrained:
            self._open.set_constraint("limits", trial.violation)
        self._study.tell(self._open, self._losses(trial))


class Pymoo:
    """pymoo's NSGA-II on mixed variables, a population at a time.

    With one objective its survival by rank and crowding is that of a genetic algorithm.
    """

    def __init__(self, space: SearchSpace, losses: Losses, seed: int) -> None:
        from pymoo.algorithms.moo.nsga2 import RankAndCrowdingSurvival
        from pymoo.core.mixed import MixedVariableGA
        from pymoo.core.problem import Problem
        from pymoo.core.variable import Choice, Integer

        self._names = [knob.name for knob in space.knobs]
        variables = {
            knob.name: Integer(bounds=(0, len(knob.values) - 1)) if _ordered(knob)
            else Choice(options=list(range(len(knob.values))))
            for knob in space.knobs
        }  # fmt: skip
        self._algorithm = MixedVariableGA(
            pop_size=20, survival=RankAndCrowdingSurvival()
        )
        self._algorithm.setup(
            Problem(vars=variables, n_obj=losses.count, n_ieq_constr=1),
            termination=("n_gen", 10**6), seed=seed, verbose=False,
        )  # fmt: skip
        self._losses = losses
        self._proposals = self._proposed()
        self._told: list[list[float]] = []

    def _proposed(self) -> Iterator[Ints]:
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        while True:
            population = self._algorithm.ask()
            if population is None or not len(population):
                return
            for individual in population:
                yield np.array([individual.X[name] for name in self._names], np.int64)
            told = np.array(self._told[-len(population) :])
            static = StaticProblem(
                self._algorithm.problem, F=told[:, :-1], G=told[:, -1:]
            )
            Evaluator().eval(static, population)
            self._algorithm.tell(infills=population)

    def ask(self) -> Ints:  # noqa: D102
        return next(self._proposals)

    def tell(self, trial: Trial) -> None:  # noqa: D102
        self._told.append([*self._losses(trial), trial.violation])


def _ordered(knob: Any) -> bool:
    return all(isinstance(value, (int, float)) for value in knob.values)


def ours(name: str) -> Callable[[Lookup, int], Contestant]:
    """A controller of a name over pairs."""
    return lambda lookup, seed: Ours(CONTROLLERS[name](), lookup.task, seed)


def swept(name: str) -> Callable[[Lookup, int], Contestant]:
    """A controller of a name over networks, each with its best accelerator."""
    return lambda lookup, seed: Ours(ExactSweep(CONTROLLERS[name]()), lookup.task, seed)


def optuna(
    kind: str, *, constrained: bool, nested: bool
) -> Callable[[Lookup, int], Contestant]:
    """Optuna's sampler of a kind, with its defaults."""

    def make(lookup: Lookup, seed: int) -> Contestant:
        import optuna as library

        kinds = {
            "tpe": library.samplers.TPESampler,
            "nsga2": library.samplers.NSGAIISampler,
        }
        arena, goal = lookup.arena, lookup.goal
        space = arena.networks if nested else arena.space
        inner = Optuna(space, Losses(goal), kinds[kind](seed=seed), constrained)
        return Nested(inner, lookup.swept) if nested else inner

    return make


def pymoo(*, nested: bool) -> Callable[[Lookup, int], Contestant]:
    """Who proposes with pymoo."""

    def make(lookup: Lookup, seed: int) -> Contestant:
        space = lookup.arena.networks if nested else lookup.arena.space
        inner = Pymoo(space, Losses(lookup.goal), seed)
        return Nested(inner, lookup.swept) if nested else inner

    return make


def in_mode(mode: str, name: str) -> Callable[[Lookup, int], Contestant]:
    """A controller of a name in another mode than jointly, with the mode's defaults."""

    def make(lookup: Lookup, seed: int) -> Contestant:
        inner = CONTROLLERS[name]
        around = {
            "fixed": lambda: FixedAccelerator(inner()),
            "phases": lambda: Phases(inner(), inner(), first=PHASE),
            "nested": lambda: NestedSearches(inner(), inner()),
        }
        return Ours(around[mode](), lookup.task, seed)

    return make


def _most(name: str) -> int:
    swept_ = name.startswith("sweep-") and name != "sweep-random"
    return NETWORKS if swept_ else FAST


def entries() -> dict[str, Entry]:
    """Every contestant by name."""
    warnings.filterwarnings("ignore", module="optuna")
    found = {}
    for name in CONTROLLERS:
        # What is left of a space by shrinking is soon searched through.
        slow = name in ("front", "shrinking") or "guided" in name or "bayesian" in name
        trials, queries = (SLOW, 300) if slow else (_most(name), 1_000)
        seeds = 10 if "bayesian" in name else 20
        found[name] = Entry(ours(name), trials, seeds, queries)
    for name in ("ppo", "local", "reinforce", "nsga2"):
        found[f"sweep-{name}"] = Entry(swept(name), NETWORKS)
    for kind, constrained in (("tpe", False), ("tpe", True), ("nsga2", True)):
        label = f"optuna-{kind}" + ("-constrained" if constrained else "")
        for nested in (False, True):
            make = optuna(kind, constrained=constrained, nested=nested)
            full = f"{label}-nested" if nested else label
            seeds = 10 if kind == "tpe" and not (nested and constrained) else 20
            found[full] = Entry(make, SLOW, seeds, 300, peer=True)
    for nested in (False, True):
        label = "pymoo-nested" if nested else "pymoo"
        trials = NETWORKS if nested else 3_000
        found[label] = Entry(pymoo(nested=nested), trials, 20, 300, peer=True)
    for mode in ("fixed", "phases", "nested"):
        for name in ("evolution", "ppo"):
            trials = FAST if mode == "nested" else NETWORKS
            found[f"{mode}-{name}"] = Entry(in_mode(mode, name), trials)
    for mode in ("fixed", "phases"):
        found[f"{mode}-guided"] = Entry(in_mode(mode, "guided"), SLOW, 20, 300)
    return found
