"""Prove: the best pair of a space under an additive predictor, by branch and bound.

For each accelerator a knapsack bounds what any network can score on it
(`bound_kernels.py`, `accelerator/operator_floors.py`). Accelerators are taken by that
ceiling, the highest first; of each, networks are branched stage by stage, and what is
left of them is simulated and scored as a search would. Once the highest ceiling left is
no more than the best score, nothing is left that could be better:

    best score <= true optimum <= max(best score, ceilings of what is left)

always holds, so a search that runs out of time tells the gap that it could not close.
The proof is one of the predictor's accuracies and the simulator's costs, and of nothing
beyond them.
"""

from dataclasses import replace
from time import monotonic, perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.compiled import parallel
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.metrics import Metrics
from nahas.controller import bound_kernels as kernels
from nahas.controller.additive import Additive
from nahas.controller.appraisal import appraise, reward_all
from nahas.controller.best_accelerator import BestAccelerator
from nahas.controller.discounts import check_monotone, discount
from nahas.controller.judgement import Task
from nahas.controller.proof import BoundError, Progress, Proof
from nahas.controller.proof_tables import (
    COSTS,
    Curves,
    Scales,
    largest,
    parts_of,
    paths_of,
    scales_of,
)
from nahas.controller.reward import Limits
from nahas.search_space.joint import Candidate
from nahas.search_space.network import Network
from nahas.search_space.stages import Stages, stages_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_COARSE, _FINE = 128, 2048  # cells of a curve
_DIVES = 24  # accelerators whose best networks are tried before the search
_STRETCHES = (0.0, 0.0005, 0.002, 0.01, 0.05)  # by which costs are then taken higher
_LEAVES = 512  # networks simulated together
_SCREENED = 1024  # accelerators between two looks at the clock
_NODES = 2**16  # of a search between two: a second or so
_ROUNDING = 1e-9  # scores that differ by less are not told apart


def prove(
    task: Task,
    predictor: Additive,
    *,
    minutes: float | None = None,
    progress: Progress | None = None,
) -> Proof:
    """The best pair of a space, or how far from it the best found may be.

    Where it is proven, it is the same every time; of its accelerators that score alike
    it has the one with the least latency, then energy, then area.

    Args:
        task: Its reward must not rise with a cost; its oracle is not asked.
        predictor: Of the network's knobs, in their order.
        minutes: Stops after that long; None for no end.
        progress: Told now and then.

    Raises:
        ValueError: If the reward may rise with a cost, the space is not one of networks
            in stages with the knobs of an accelerator, or the predictor is of others.
        BoundError: If a simulated pair costs less than its bound.
    """
    return Search(task, predictor).run(minutes=minutes, progress=progress)


class _Machine(NamedTuple):
    """What a search on one accelerator needs."""

    cost: Floats
    base: Floats
    curves: Curves
    scales: Scales


class Search:
    """Branch and bound, prepared; `prove` is the short way to it."""

    def __init__(
        self,
        task: Task,
        predictor: Additive,
    ) -> None:
        self._started = perf_counter()
        self._task, self._predictor = task, predictor
        self._progress: Progress | None = None
        self._deadline = np.inf
        reward = check_monotone(task.reward)
        self._best_accelerator = BestAccelerator(task)
        self._knobs = self._best_accelerator.network_knobs
        self._axes = self._best_accelerator.axes
        self._stages = self._in_stages()
        self._limits = _for_bounds(task.limits)
        self._paths = paths_of(self._stages, predictor)
        self._parts, floors = parts_of(self._stages.segments, self._axes, task.platform)
        self._floors = (
            floors.cycles, floors.energy_pj, floors.dispatched, floors.machines
        )  # fmt: skip
        platform = task.platform
        self._timing = (
            platform.clock_mhz * 1e3,
            platform.host_cycles / (platform.clock_mhz * 1e3),
            platform.overlap,
        )
        areas = area_mm2(self._axes.machines, platform)
        self._area = np.stack(discount(reward, task.limits, "area_mm2", areas), axis=1)
        self._coarse = scales_of(reward, self._limits, _COARSE)
        self._fine = scales_of(reward, self._limits, _FINE)
        self._most = np.array([
            largest(reward, self._limits, name) if getattr(self._limits, f"max_{name}")
            else np.inf for name in ("latency_ms", "energy_mj")
        ]) * (1 + _ROUNDING)  # fmt: skip
        self._best: Ints | None = None
        self._reward, self._bound = -np.inf, np.inf
        self._screened = self._searched = self._nodes = self._simulated = 0

    def _in_stages(self) -> Stages:
        space = self._task.space
        sizes = space.cardinalities[self._knobs]
        known = tuple(len(table) for table in self._predictor.values)
        if known != tuple(sizes.tolist()):
            raise ValueError(
                f"`predictor` must be of the {len(sizes)} knobs of space "
                f"{space.name!r}. Received one of {len(known)}."
            )
        whole = np.zeros(len(space.knobs), np.int64)

        def build(choices: Ints) -> Network:
            whole[self._knobs] = choices
            candidate = space.decode(whole)
            if not isinstance(candidate, Candidate):
                raise ValueError(
                    f"`space` must hold pairs. Received {type(candidate).__name__}."
                )
            return candidate.network

        names = [space.knobs[d].name for d in self._knobs]
        return stages_of(names, sizes, build)

    def run(
        self, *, minutes: float | None = None, progress: Progress | None = None
    ) -> Proof:
        """Screens, dives, searches; once. The arguments are those of `prove`."""
        self._deadline = np.inf if minutes is None else monotonic() + 60 * minutes
        self._progress = progress
        able = np.flatnonzero(self._area[:, 1] > -np.inf)
        coarse = self._ceilings(able, self._coarse)
        order = np.lexsort((able, -coarse))
        able, coarse = able[order], coarse[order]
        for h in able[:_DIVES]:
            self._dive(int(h))
        left = self._promising(coarse)
        able, fine = able[left], self._ceilings(able[left], self._fine, coarse[left])
        order = np.lexsort((able, -fine))
        able, fine = able[order], fine[order]
        for h, above in zip(able.tolist(), fine.tolist(), strict=True):
            self._bound = max(above, self._reward)
            if not self._promising(np.array([above]))[0] or self._late():
                break
            if not self._explore(h):
                break
            self._searched += 1
        rest = fine[self._searched :]
        open_ = rest[self._promising(rest)]
        self._bound = max(self._reward, *open_.tolist()) if len(open_) else self._reward
        self._screened = len(self._area) - self._searched - len(open_)
        self._settle()
        return self._found()

    def _promising(self, ceilings: Floats) -> NDArray[np.bool_]:
        """[n] which ceilings leave room for a better score."""
        room: NDArray[np.bool_] = ceilings > self._worst
        return room

    @property
    def _worst(self) -> float:
        """What a score must exceed to count as better."""
        if self._reward == -np.inf:
            return -np.inf
        return self._reward + _ROUNDING * max(abs(self._reward), 1e-3)

    def _late(self) -> bool:
        if self._progress is not None:
            self._progress(self._found())
        return monotonic() >= self._deadline

    def _ceilings(
        self, machines: Ints, scales: Scales, known: Floats | None = None
    ) -> Floats:
        """[n] no network scores more on the machines; `known` where time is up."""
        found = np.full(len(machines), np.inf) if known is None else known.copy()
        for start in range(0, len(machines), _SCREENED):
            if known is not None and self._late():
                break
            part = slice(start, start + _SCREENED)
            ceilings = np.empty(len(machines[part]))
            with parallel(len(ceilings)):
                kernels.screen(
                    machines[part], self._paths, self._parts, *self._floors,
                    *self._timing, scales, self._area, ceilings,
                )  # fmt: skip
            found[part] = np.minimum(found[part], ceilings)
        return found

    def _machine(self, h: int, scales: Scales, stretch: float = 0.0) -> _Machine:
        cost = np.empty((COSTS, len(self._parts.io)))
        base = np.empty(COSTS)
        kernels.fill_costs(h, *self._floors, self._parts, *self._timing, cost, base)
        cost *= 1.0 + stretch
        curves = kernels.new_curves(self._paths, scales.factor.shape[1] - 1)
        kernels.fill_curves(self._paths, cost, scales, curves)
        return _Machine(cost, base, curves, scales)

    def _dive(self, h: int) -> None:
        """Scores the networks that are best on a machine if costs were a bit higher."""
        picks = np.zeros((len(_STRETCHES), len(self._stages.options)), np.int64)
        for stretch, own in zip(_STRETCHES, picks, strict=True):
            kernels.dive(
                self._paths,
                *self._machine(h, self._coarse, stretch),
                self._area[h],
                own,
            )
        self._score(np.unique(picks, axis=0), h, self._machine(h, self._coarse))

    def _explore(self, h: int) -> bool:
        """Whether all networks of a machine have been branched in time."""
        machine = self._machine(h, self._fine)
        stages = len(self._stages.options)
        cursor = np.zeros(stages + 1, np.int64)
        leaves = np.empty((_LEAVES, stages), np.int64)
        while cursor[stages] >= 0:
            found, nodes = kernels.explore(
                self._paths, *machine, self._area[h], self._most, self._worst, cursor,
                leaves, _NODES,
            )  # fmt: skip
            self._nodes += int(nodes)
            self._score(leaves[:found], h, machine)
            if self._late():
                return bool(cursor[stages] < 0)
        return True

    def _score(self, picks: Ints, h: int, machine: "_Machine") -> None:
        """Simulates the networks of options [n, G] on a machine, and keeps the best."""
        if not len(picks):
            return
        networks = np.array([self._stages.choices(own) for own in picks.tolist()])
        choices = np.empty((len(picks), len(self._task.space.knobs)), np.int64)
        choices[:, self._knobs] = networks
        choices[:, self._best_accelerator.accelerator_knobs] = np.unravel_index(
            h, self._axes.shape
        )
        found = appraise(self._task, choices)
        self._simulated += len(picks)
        if found.metrics is None:
            return
        self._check(picks[found.rows], machine, found.metrics)
        kept = np.flatnonzero(found.violations[found.rows] == 0)
        if not len(kept):
            return
        rows = found.rows[kept]
        accuracies = self._predictor(networks[rows])
        rewards = self._task.reward(accuracies, found.metrics.take(kept))
        best = int(rewards.argmax())
        if rewards[best] > self._worst:
            self._best, self._reward = choices[rows[best]], float(rewards[best])

    def _check(self, picks: Ints, machine: "_Machine", metrics: Metrics) -> None:
        """Raises BoundError if a pair costs less than the bounds said it must."""
        floors = np.array([
            machine.base + machine.cost[:, self._stages.path(own)].sum(axis=1)
            for own in picks.tolist()
        ])  # fmt: skip
        runs = metrics.feasible
        for rows, costs, name in (
            (slice(0, 3), metrics.latency_ms, "latency_ms"),
            (slice(3, 4), metrics.energy_mj, "energy_mj"),
        ):
            least = floors[:, rows].max(axis=1)
            wrong = np.flatnonzero(runs & (costs < least * (1.0 - _ROUNDING)))
            if len(wrong):
                raise BoundError(
                    f"A bound must be at most the cost. Received {least[wrong[0]]!r} "
                    f"for a {name} of {costs[wrong[0]]!r}: this proof would be none."
                )

    def _settle(self) -> None:
        """Gives the best network the accelerator that a sweep finds for it."""
        if self._best is None:
            return
        swept = self._best_accelerator.complete(self._best[self._knobs])
        accuracy = self._predictor(swept[self._knobs][None])
        _, rewards = reward_all(self._task, swept[None], accuracy)
        self._best = swept
        self._reward = max(self._reward, float(rewards[0]))
        self._bound = max(self._bound, self._reward)

    def _found(self) -> Proof:
        accuracy = np.nan
        if self._best is not None:
            accuracy = float(self._predictor(self._best[self._knobs][None])[0])
        return Proof(
            self._best, self._reward, accuracy, self._bound, self._task.space.size,
            len(self._area), self._screened, self._searched, self._nodes,
            self._simulated, perf_counter() - self._started,
        )  # fmt: skip


def _for_bounds(limits: Limits) -> Limits:
    """Limits with what one on power says of energy where latency has one.

    Energy is power times latency, so at most the product of their limits.
    """
    if limits.max_power_mw is None or limits.max_latency_ms is None:
        return limits
    most = limits.max_power_mw * limits.max_latency_ms * 1e-3 * (1 + _ROUNDING)
    if limits.max_energy_mj is not None:
        most = min(most, limits.max_energy_mj)
    return replace(limits, max_energy_mj=most)
