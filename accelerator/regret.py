"""Regret: what sharing the accelerator of a mix costs each of its networks."""

from dataclasses import dataclass

from nahas.accelerator.mix import Costs
from nahas.accelerator.objective import score
from nahas.accelerator.sweep import SweepResult, accelerators_at, best_places, within
from nahas.accelerator.template import Accelerator


@dataclass(frozen=True, eq=False)
class Regret:
    """A network on the mix's best accelerator, and on its own.

    Its own best is what a sweep of this network alone finds, under the same objective
    and limits. So there is none where no accelerator keeps the limits for this network;
    and where only the mean of the mix keeps them, the shared accelerator breaks the
    network's own limits and the two are no fair comparison.

    Attributes:
        share: Of all inferences.
        shared: [1] costs on the mix's best.
        own: [1] costs on its own best; None if there is none.
        own_best: Its own best.
        keeps_limits: Whether the shared accelerator keeps the limits for it alone.
        regret: How much worse its objective is on the shared accelerator, as a
            fraction of that on its own, at least 0; None where one of the two breaks
            the limits.
    """

    share: float
    shared: Costs
    own: Costs | None
    own_best: Accelerator | None
    keeps_limits: bool
    regret: float | None


def regrets(result: SweepResult) -> tuple[Regret, ...]:
    """The regret of each of K networks; empty if nothing keeps the limits."""
    if not len(result.places):
        return ()
    return tuple(
        _regret(network, share, result)
        for network, share in zip(result.networks, result.shares.tolist(), strict=True)
    )


def _regret(network: Costs, share: float, result: SweepResult) -> Regret:
    winner = result.places[:1]
    kept, scores = within(network, result.limits), score(network, result.objective)
    own = best_places(network, scores, kept, 1)
    keeps = bool(kept[winner[0]])
    return Regret(
        share=share,
        shared=network.take(winner),
        own=network.take(own) if len(own) else None,
        own_best=accelerators_at(own)[0] if len(own) else None,
        keeps_limits=keeps,
        regret=float(scores[winner[0]] / scores[own[0]] - 1.0) if keeps else None,
    )
