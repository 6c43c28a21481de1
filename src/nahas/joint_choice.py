"""A controller of pairs as the chooser of a co-training: see `train/co_training.py`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import Controller, Informed, mode_of
from nahas.controller.judgement import Judgement, Task, judge
from nahas.controller.policy import Array
from nahas.controller.trial import Trial
from nahas.search_space.joint import network_knobs
from nahas.search_space.oracle import Oracle

Ints = NDArray[np.int64]
_ATTEMPTS = 1_000
_DRAWN = 64


class NoneFitsError(RuntimeError):
    """No pair that a controller proposed may be trained."""


@dataclass(eq=False)
class JointChoice:
    """Proposes pairs, keeps their accelerators to itself, and passes rewards on.

    A pair that the machine does not run, or that breaks a limit, is told to the
    controller at once and trains nothing.

    Args:
        task: What is asked of pairs.
        controller: New.
        seed: Of the controller.
    """

    task: Task
    controller: Controller
    seed: int
    trials: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    _open: tuple[Ints, Judgement] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if isinstance(self.controller, Informed):
            self.controller.inform(self.task.told)
        self.controller.setup(self.task.space.cardinalities, seed=self.seed)
        self._own = network_knobs(self.task.space)

    def propose(self) -> Ints:
        """[D] choices of a network, whose accelerator may run it.

        Raises:
            NoneFitsError: After a thousand pairs that may not be trained.
        """
        for _ in range(_ATTEMPTS):
            [choices] = self.task.space.check(self.controller.propose(1))
            judgement = judge(self.task, choices)
            if judgement.status is None:
                self._open = choices, judgement
                own: Ints = choices[self._own]
                return own
            self.refused += 1
            self._tell(choices, judgement, None)
        raise NoneFitsError(
            f"Of {_ATTEMPTS:,} pairs in a row none may be trained, the last for: "
            f"{judgement.reason}. Loosen the limits."
        )

    def learn(self, accuracy: float) -> None:
        """Told of the network that was proposed last."""
        if self._open is None:
            raise ValueError("`learn` must follow a proposal. Received one before.")
        (choices, judgement), self._open = self._open, None
        self._tell(choices, judgement, accuracy)

    def _tell(
        self, choices: Ints, judgement: Judgement, accuracy: float | None
    ) -> None:
        self.trials += 1
        reward, metrics = None, judgement.metrics
        violation, reason = self._broken(judgement, accuracy)
        if accuracy is not None and metrics is not None:
            reward = float(self.task.reward(np.array([accuracy]), metrics)[0])
        trial = Trial(
            self.trials,
            tuple(choices.tolist()),
            judgement.status or "trained",
            accuracy,
            *judgement.costs,
            reward=reward,
            feasible=reward is not None and violation == 0,
            violation=violation,
            reason=reason,
        )
        lesson = trial if self.task.reject == "hard" else trial.unlimited
        self.controller.update([lesson])

    def _broken(
        self, judgement: Judgement, accuracy: float | None
    ) -> tuple[float, str]:
        """By how much a pair breaks limits, that of the accuracy too, and which."""
        if accuracy is None:
            return judgement.violation, judgement.reason
        limits = self.task.limits
        shortfall = float(limits.shortfall([accuracy])[0])
        reasons = judgement.reason, limits.shortfall_reason(accuracy)
        return judgement.violation + shortfall, "; ".join(filter(None, reasons))

    def entropy(self) -> float | None:
        """Of the policy, over that of the uniform one; None where there is none."""
        probabilities: Array | None = getattr(self.controller, "probabilities", None)
        if probabilities is None:
            return None
        logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
        most = np.log(self.task.space.cardinalities).sum()
        return float(-(probabilities * logarithms).sum() / most)

    def found(self, oracle: Oracle) -> list[dict[str, Any]]:
        """Pairs by what the trained weights say, the best first.

        They are the policy's mode, where there is a policy, and what the controller
        proposes besides, but for those that cannot be measured; all that keep the
        limits come before all that do not.
        """
        mode = mode_of(self.controller)
        rows = [] if mode is None else [mode]
        rows += list(self.controller.propose(_DRAWN))
        distinct = {tuple(row.tolist()): row for row in rows}
        found = []
        for place, row in enumerate(distinct.values()):
            judgement = judge(self.task, row)
            if judgement.metrics is None or not judgement.metrics.feasible[0]:
                continue
            network = self.task.space.decode(row).network
            measured = oracle.evaluate([network])
            if not measured.error[0]:
                is_mode = mode is not None and place == 0
                accuracy = float(measured.accuracy[0])
                found.append(self._row(row, judgement, accuracy, is_mode))
        return sorted(found, key=lambda row: (row["violation"] > 0, -row["reward"]))

    def _row(
        self, choices: Ints, judgement: Judgement, accuracy: float, is_mode: bool
    ) -> dict[str, Any]:
        pair = self.task.space.decode(choices)
        violation, reason = self._broken(judgement, accuracy)
        assert judgement.metrics is not None
        rewards = self.task.reward(np.array([accuracy]), judgement.metrics)
        return {
            "mode": is_mode,
            "accuracy": accuracy,
            "reward": float(rewards[0]),
            **judgement.costs._asdict(),
            "violation": violation,
            "reason": reason,
            "network": judgement.network,
            "accelerator": asdict(pair.accelerator),
        }


def best_of(found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The first that keeps the limits."""
    return next((row for row in found if row["violation"] == 0), None)
