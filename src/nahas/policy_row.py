"""The policy's mode of a study that the command line made, as a row of its result."""

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from nahas.config import Config
from nahas.controller.controller import Controller
from nahas.controller.description import rebuild
from nahas.controller.judgement import Task
from nahas.controller.outcome import evaluate
from nahas.controller.policy_mode import has_policy, policy_mode
from nahas.controller.rows import StudyError, training_key
from nahas.controller.store import Store
from nahas.controller.study import Study
from nahas.parts import make_controller, make_space
from nahas.search_space.oracle import Oracle
from nahas.warm_starts import recorded


def make_policy_row(study: Study, config: Config) -> dict[str, Any] | None:
    """What a study's policy holds for the best, with the keys of a trial's row.

    Its "number" is that of the first trial that proposed it, None where none did. Its
    accuracy is that of the study's training of the network, or an instant oracle's;
    without one its "status" is "untrained".

    Args:
        study: The study.
        config: What it was asked for.

    Returns:
        None where there is no policy or no trial, or where its parts cannot be made
        here; "error" alone, where the policy cannot be followed to its end.
    """
    try:
        controller = make_controller(config, recorded(study) or ())
        if not has_policy(controller):
            return None
        return _row(study, config, controller)
    except (TypeError, ValueError):  # its module is not at hand here
        return None
    except StudyError as error:
        return {"error": str(error)}


def _row(study: Study, config: Config, controller: Controller) -> dict[str, Any] | None:
    trials = study.trials()
    if not trials:
        return None
    space, oracle = make_space(config), str(study.config["oracle_key"])
    limits = config.limits
    mode = policy_mode(
        Task(space, config.platform, limits, config.goal, oracle, config.search.reject),
        controller,
        trials,
        partial(_accuracy, study, oracle),
        seed=config.search.seed,
        window=config.search.window,
    )
    if mode is None:
        return None
    judged, chip, broken = mode.judgement, None, [mode.judgement.reason]
    violation = judged.violation
    if mode.accuracy is not None:
        violation += float(limits.shortfall([mode.accuracy])[0])
        broken.append(limits.shortfall_reason(mode.accuracy))
    if judged.network:
        chip = asdict(space.decode(np.array(mode.choices)).accelerator)
    return {
        "number": mode.trial,
        "choices": list(mode.choices),
        "status": judged.status
        or ("untrained" if mode.accuracy is None else "trained"),
        "accuracy": mode.accuracy,
        **judged.costs._asdict(),
        "reward": mode.reward,
        "feasible": judged.status is None and violation == 0,
        "violation": violation,
        "reason": "; ".join(filter(None, broken)),
        "error": "",
        "network": judged.network,
        "accelerator": chip,
    }


def _accuracy(study: Study, oracle: str, network: str) -> float | None:
    """What the study knows of a network, or its oracle says at once."""
    with Store(study.folder) as store:
        done = store.training(training_key(network, oracle))
    if done is not None:
        return done.outcome.accuracy
    described = study.config.get("oracle")
    asked = rebuild(described) if isinstance(described, dict) else None
    if not isinstance(asked, Oracle) or not getattr(asked, "instant", False):
        return None
    return evaluate(asked, network).accuracy
