"""Searches in modes, in which every pair is trained, as NAHAS has them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from arena import Arena, Goal
from lookup import looked_up
from numpy.typing import NDArray

from nahas.controller import CONTROLLERS
from nahas.controller.controller import Controller, Informed, mode_of, rank_key
from nahas.controller.fixed_accelerator import FixedAccelerator
from nahas.controller.nested import Nested
from nahas.controller.phases import Phases
from nahas.controller.reward import Reward
from nahas.controller.trial import Trial

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TRIALS, FIRST, INNER, SEEDS = 500, 167, 50, 20
CHOOSERS = ("ppo", "evolution")
EXPONENTS = {"hard": (0.0, -1.0), "soft": (-0.07, -0.07)}
"""p and q of the reward's two forms."""
CLOSE = 0.99  # of the true optimum's reward: what is to be reached

MODES: dict[str, Callable[[str], Controller]] = {
    "joint": lambda name: CONTROLLERS[name](),
    "fixed": lambda name: FixedAccelerator(CONTROLLERS[name]()),
    "phases": lambda name: Phases(
        CONTROLLERS[name](), CONTROLLERS[name](), first=FIRST
    ),
    "nested": lambda name: Nested(
        CONTROLLERS[name](), CONTROLLERS[name](), inner=INNER
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What a search came to.

    Attributes:
        argmax: Whether the pair of the highest reward breaks a target.
        policy: Whether the policy's mode does; None where there is no policy.
        best: Regret of the best pair that keeps them; None where there is none.
        reached: Trials until the reward was close to the optimum's; None if never.
    """

    argmax: bool
    policy: bool | None
    best: float | None
    reached: int | None


def searched(
    arena: Arena, goal: Goal, reward: Reward, controller: Controller, seed: int
) -> Outcome:
    """A search in which every pair is trained."""
    close = CLOSE * goal.optimum
    best: tuple[float, Ints] | None = None
    kept: tuple[float, Ints] | None = None
    reached = None
    with looked_up(arena, goal) as lookup:
        if isinstance(controller, Informed):
            controller.inform(lookup.task)
        controller.setup(lookup.task.space.cardinalities, seed=seed)
        for number in range(1, TRIALS + 1):
            choices = controller.propose(1)[0]
            trial = trained(arena, reward, number, choices)
            assert trial.reward is not None
            if best is None or trial.reward > best[0]:
                best = trial.reward, choices
            if not broken(arena, goal, choices):
                assert trial.accuracy is not None
                if kept is None or trial.accuracy > kept[0]:
                    kept = trial.accuracy, choices
                if reached is None and trial.accuracy >= close:
                    reached = number
            controller.update([trial])
        mode = mode_of(controller)
    assert best is not None
    return Outcome(
        broken(arena, goal, best[1]),
        None if mode is None else broken(arena, goal, mode),
        None if kept is None else arena.regret(goal, *place_of(arena, kept[1])),
        reached,
    )


def trained(arena: Arena, reward: Reward, number: int, choices: Ints) -> Trial:
    """A pair that is trained whatever it costs."""
    network, place = place_of(arena, choices)
    costs = {
        "latency_ms": float(arena.costs.latency_ms[network, place]),
        "energy_mj": float(arena.costs.energy_mj[network, place]),
        "area_mm2": float(arena.area_mm2[place]),
    }
    accuracy = float(arena.problem.seen[network])
    worth = reward.of([accuracy], [[costs[name]] for name in reward.targets])
    return Trial(
        number, tuple(choices.tolist()), "trained", accuracy, **costs,
        utilization=None, reward=float(worth[0]), feasible=True, violation=0.0,
    )  # fmt: skip


def place_of(arena: Arena, choices: Ints) -> tuple[int, int]:
    [network], [place] = arena.places(choices[None])
    return int(network), int(place)


def broken(arena: Arena, goal: Goal, choices: Ints) -> bool:
    network, place = arena.places(choices[None])
    return bool(arena.violations(goal, network, place)[0] > 0)


def frugal(arena: Arena, goal: Goal, controller: Controller, seed: int) -> float | None:
    """Relative excess of the least energy above the floor that a search found."""
    best: Trial | None = None
    with looked_up(arena, goal) as lookup:
        if isinstance(controller, Informed):
            controller.inform(lookup.task)
        controller.setup(lookup.task.space.cardinalities, seed=seed)
        for number in range(1, TRIALS + 1):
            trial = arena.trial(goal, number, controller.propose(1)[0])
            if trial.feasible and (best is None or rank_key(trial) > rank_key(best)):
                best = trial
            controller.update([trial])
    if best is None:
        return None
    return arena.regret(goal, *place_of(arena, np.array(best.choices)))


def cross(arena: Arena) -> list[tuple[object, ...]]:
    """What the true best pair of each goal is worth under the others."""
    goals = [goal for goal in arena.goals if goal.wanted != "front"]
    pairs = []
    for goal in goals:
        best = arena.truth.optimum(judged(arena, goal), goal.reward, goal.limits)
        assert best is not None
        pairs.append((best.network, best.place))
    rows: list[tuple[object, ...]] = []
    for goal, (network, place) in zip(goals, pairs, strict=True):
        cells = [under(arena, other, network, place) for other in goals]
        rows.append((arena.name, goal.name, *cells))
    return rows


def judged(arena: Arena, goal: Goal) -> Floats:
    """The accuracies that a goal's optimum is of."""
    energy = goal.wanted == "energy"
    return arena.problem.seen if energy else arena.problem.judged


def under(arena: Arena, goal: Goal, network: int, place: int) -> str:
    """A pair under a goal: its regret, or by how much it misses."""
    excess = arena.violations(goal, np.array([network]), np.array([place]))[0]
    short = goal.limits.shortfall(judged(arena, goal)[network])
    if excess > 0:
        return f"{100 * excess:.0f} % too slow"
    if short > 0:
        return f"{100 * short:.1f} % too inaccurate"
    return f"{100 * arena.regret(goal, network, place):.2f}"
