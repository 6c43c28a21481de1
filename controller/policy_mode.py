"""The policy's mode: what a controller holds for the best when a search has ended.

A search by a policy has a result besides the best trial: the candidate that the policy
makes the most probable (NAHAS's results are of policies). It may never have been
proposed, and nothing says that it keeps the limits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from nahas.controller.controller import Controller, HasMode, Informed, mode_of
from nahas.controller.judgement import Judgement, Task, judge
from nahas.controller.rows import StudyError
from nahas.controller.trial import Trial


@dataclass(frozen=True, slots=True)
class PolicyMode:
    """The most probable candidate of a policy.

    Attributes:
        choices: The D chosen indices.
        judgement: Its costs, simulated, and what it breaks.
        accuracy: Of its network; None where that is not known.
        reward: Of both; None where there is no accuracy or no cost.
        trial: Number of the first trial that proposed it; None where none did.
    """

    choices: tuple[int, ...]
    judgement: Judgement
    accuracy: float | None
    reward: float | None
    trial: int | None


def policy_mode(
    task: Task,
    controller: Controller,
    trials: Sequence[Trial],
    accuracy: Callable[[str], float | None],
    *,
    seed: int,
    window: int,
) -> PolicyMode | None:
    """The mode of a study's policy once all its trials are fed back.

    The controller makes the calls of the study again: nothing else of it is kept.

    Args:
        task: What was asked of each candidate.
        controller: Of the study's kind; new.
        trials: All trials of the study, in order.
        accuracy: Of a network's text; None where it is not known.
        seed: The study's.
        window: The study's.

    Returns:
        None where the controller has no policy.

    Raises:
        StudyError: If the controller proposes other trials than those recorded.
    """
    if not has_policy(controller):
        return None
    if isinstance(controller, Informed):
        controller.inform(task.told)
    replay(controller, task, trials, seed=seed, window=window)
    mode = mode_of(controller)
    if mode is None:
        return None
    choices = tuple(mode.tolist())
    judgement = judge(task, mode)
    known, reward = None, None
    if judgement.network:
        known = accuracy(judgement.network)
    runs = judgement.metrics is not None and bool(judgement.metrics.feasible[0])
    if known is not None and judgement.metrics is not None and runs:
        reward = float(task.reward(np.array([known]), judgement.metrics)[0])
    found = (trial.number for trial in trials if trial.choices == choices)
    return PolicyMode(choices, judgement, known, reward, next(found, None))


def replay(
    controller: Controller,
    task: Task,
    trials: Sequence[Trial],
    *,
    seed: int,
    window: int,
) -> None:
    """Makes a study's calls of a controller again, and tells it the last trials too.

    Args:
        controller: New, and informed if it asks for that.
        task: Whose space is searched.
        trials: All trials of the study, in order.
        seed: The study's.
        window: The study's.

    Raises:
        StudyError: If it proposes other trials than those recorded.
    """
    taught = task.reject == "hard"
    lessons = [trial if taught else trial.unlimited for trial in trials]
    controller.setup(task.space.cardinalities, seed=seed)
    for place, trial in enumerate(trials):
        if place >= window:
            controller.update([lessons[place - window]])
        [choices] = controller.propose(1).tolist()
        if tuple(choices) != trial.choices:
            raise StudyError(
                f"Trial {trial.number} is not proposed again: it was {trial.choices}, "
                f"now {tuple(choices)}. The study was made with other versions or "
                "another controller."
            )
    controller.update(lessons[max(0, len(trials) - window) :])


def has_policy(controller: Controller) -> bool:
    """Whether a controller, or one inside it, has a policy: else it has no mode."""
    if not isinstance(controller, HasMode):
        return False
    inner: list[Controller] = []
    if is_dataclass(controller):
        values = [getattr(controller, spec.name, None) for spec in fields(controller)]
        inner = [value for value in values if isinstance(value, Controller)]
    return not inner or any(map(has_policy, inner))
