"""Where a search stands, for those who watch it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search stands.

    Attributes:
        done: Trials settled, those of earlier runs included.
        total: Trials asked for.
        trained: Trials of each status, as in `Trial`.
        reused: See `trained`.
        screened: See `trained`.
        rejected: See `trained`.
        infeasible: See `trained`.
        failed: See `trained`.
        best_reward: Highest reward of a feasible trial.
        running: Proposals that wait for a training.
        eta_seconds: Time that the rest should take; None until a trial is settled.
    """

    done: int
    total: int
    trained: int
    reused: int
    screened: int
    rejected: int
    infeasible: int
    failed: int
    best_reward: float | None
    running: int
    eta_seconds: float | None
