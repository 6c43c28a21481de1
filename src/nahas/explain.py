"""Why a pair costs what it costs: what binds it, and what each knob would change."""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import GRID
from nahas.accelerator.operator_costs import per_operator
from nahas.accelerator.template import Accelerator, Platform
from nahas.costs import Simulation, finite, simulate
from nahas.models import Named


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The same network on an accelerator that differs in one knob.

    Attributes:
        knob: Which.
        value: What the knob has here.
        instead_of: What it has in the pair.
        latency: Change, a fraction of the pair's latency; None where it cannot run.
        energy: The same of its energy.
        area: The same of its area.
        reason: Why it cannot run; empty where it can.
    """

    knob: str
    value: float
    instead_of: float
    latency: float | None
    energy: float | None
    area: float
    reason: str

    def __str__(self) -> str:
        change = f"{self.knob} {self.value:g} instead of {self.instead_of:g}: "
        if self.latency is None or self.energy is None:
            return change + f"cannot run, {self.reason}"
        return (
            f"{change}{self.latency:+.1%} latency, {self.energy:+.1%} energy, "
            f"{self.area:+.1%} area"
        )


@dataclass(frozen=True, eq=False)
class Explanation:
    """A simulation, and why it comes out so.

    Attributes:
        simulation: The pair.
        binds: Share of the latency in which each resource binds, largest first: what an
            operator takes is its dispatch, its mapping's time, and waiting for the I/O.
        counterfactuals: One knob changed to the next value of the grid, down and up.
    """

    simulation: Simulation
    binds: dict[str, float]
    counterfactuals: tuple[Counterfactual, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        return {
            **self.simulation.to_dict(),
            "binds": self.binds,
            "counterfactuals": [
                asdict(change) | {"text": str(change)}
                for change in self.counterfactuals
            ],
        }


def explain(
    model: Named,
    accelerator: Accelerator | None = None,
    platform: Platform | None = None,
) -> Explanation:
    """Simulates a pair, and every accelerator one knob away from it.

    Args:
        model: As in `nahas.resolve`.
        accelerator: What runs it; by default its own, or else `BASELINE`.
        platform: What surrounds the accelerator.

    Raises:
        ValueError: If no model is named so, or the pair cannot run.
    """
    found = simulate(model, accelerator, platform)
    if not found.metrics.feasible[0]:
        raise ValueError(
            f"A pair that cannot run has no cost to explain: {found.metrics.reason(0)}."
        )
    return Explanation(found, _binds(found), _counterfactuals(found))


def _binds(found: Simulation) -> dict[str, float]:
    """Each cycle counts for the dispatch, for what binds the mapping, or the I/O."""
    costs = per_operator(found.workload, found.accelerator, found.platform)
    waits = costs.cycles - costs.dispatch_cycles - costs.on_chip_cycles
    cycles = Counter({
        "dispatch": int(costs.dispatch_cycles.sum()),
        "I/O": int(waits.sum()),
        "host": found.platform.host_cycles,
    })  # fmt: skip
    for name, busy in zip(costs.bound_on_chip, costs.on_chip_cycles, strict=True):
        cycles[name] += int(busy)
    total = cycles.total()
    return {name: count / total for name, count in cycles.most_common() if count}


def neighbours(accelerator: Accelerator) -> list[tuple[str, Accelerator]]:
    """Accelerators one knob away: the grid's next value below and the next above.

    >>> from nahas.accelerator.grid import BASELINE
    >>> [getattr(near, knob) for knob, near in neighbours(BASELINE)][:4]
    [2, 6, 2, 6]
    """
    found = []
    for knob, values in GRID.items():
        own = getattr(accelerator, knob)
        below = [value for value in values if value < own][-1:]
        above = [value for value in values if value > own][:1]
        found += [(knob, _with(accelerator, knob, value)) for value in below + above]
    return found


def _with(accelerator: Accelerator, knob: str, value: float) -> Accelerator:
    changed: Accelerator = replace(accelerator, **{knob: value})  # type: ignore[arg-type]
    return changed


def _counterfactuals(found: Simulation) -> tuple[Counterfactual, ...]:
    near = neighbours(found.accelerator)
    costs = evaluate(found.workload, [other for _, other in near], found.platform)
    own = found.metrics
    changes = []
    for i, (knob, other) in enumerate(near):
        runs = bool(costs.feasible[i])
        changes.append(
            Counterfactual(
                knob=knob,
                value=getattr(other, knob),
                instead_of=getattr(found.accelerator, knob),
                latency=finite(costs.latency_ms[i] / own.latency_ms[0] - 1)
                if runs
                else None,
                energy=finite(costs.energy_mj[i] / own.energy_mj[0] - 1)
                if runs
                else None,
                area=float(costs.area_mm2[i] / own.area_mm2[0] - 1),
                reason=costs.reason(i),
            )
        )
    return tuple(changes)
