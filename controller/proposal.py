"""An open proposal of a search: from its judgement to its trial."""

from dataclasses import dataclass, field

from nahas.controller.judgement import Judgement
from nahas.controller.rows import Training
from nahas.controller.trial import Score, Status, Trial


@dataclass(slots=True)
class Proposal:
    """An open proposal, and what its trainings have said so far.

    Attributes:
        number: Of the trial to be.
        choices: One a knob.
        judgement: What is known without a training.
        first: Oracles that it asked before any other proposal did.
        rung: Place of the oracle that is asked, the cheapest's being 0.
        scores: By the cheaper oracles.
        seconds: Of the trainings behind the scores, those that it was first to ask for.
        screened: Its trial, once it is put aside.
    """

    number: int
    choices: tuple[int, ...]
    judgement: Judgement
    first: set[str] = field(default_factory=set)
    rung: int = 0
    scores: list[Score] = field(default_factory=list)
    seconds: float = 0.0
    screened: Trial | None = None

    def charge(self, training: Training) -> bool:
        """Adds a training's seconds if it is this proposal's; says whether it is."""
        own = training.oracle in self.first and not training.origin
        if own:
            self.seconds += training.outcome.seconds
        return own

    def put_aside(self, share: float, count: int) -> None:
        """Ends its climb: such a share of so many before it are better."""
        reason = (
            f"{share:.0%} of the {count} before it are better by screening "
            f"{len(self.scores)} (accuracy {self.scores[-1].accuracy:.4f})"
        )
        self.screened = self.trial("screened", violation=share, reason=reason)

    def trial(
        self,
        status: Status,
        *,
        accuracy: float | None = None,
        reward: float | None = None,
        violation: float = 0.0,
        reason: str = "",
        error: str = "",
    ) -> Trial:
        """The trial that came of it; feasible with a reward and no violation."""
        costs = self.judgement.costs
        return Trial(
            self.number,
            self.choices,
            status,
            accuracy,
            *costs,
            reward=reward,
            feasible=reward is not None and violation == 0,
            violation=violation,
            reason=reason,
            error=error,
            seconds=self.seconds,
            scores=tuple(self.scores),
        )
