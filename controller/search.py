"""search(): the one loop.

Proposal i is made once the trials 1..i-W have been fed back, one at a time and in
order; W is the window. So the trials depend on the seed alone: not on how many workers
there are, on how long trainings take, on interruptions or on how many trials are asked
for. A study is continued by replay: the controller proposes its recorded trials again.
"""

import json
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nahas.accelerator.template import Platform
from nahas.controller import study as studies
from nahas.controller.controller import Controller, Informed, check_count
from nahas.controller.description import describe, rebuild
from nahas.controller.engine import make_runner
from nahas.controller.judgement import Reject, RewardFunction, Task
from nahas.controller.ledger import Ledger, TimeUpError
from nahas.controller.pool import COMMAND
from nahas.controller.progress import Progress
from nahas.controller.ray_cluster import check_engine
from nahas.controller.reward import Least, Limits
from nahas.controller.rows import StudyError
from nahas.controller.screening import Screening, check_together
from nahas.controller.store import Store
from nahas.controller.study import Study
from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate, Oracle
from nahas.search_space.space import SearchSpace

_MOST_DEFAULT_WORKERS = 4


def search(
    space: SearchSpace,
    controller: Controller,
    oracle: Oracle | Callable[[Network], float],
    reward: RewardFunction,
    *,
    trials: int,
    limits: Limits | None = None,
    reject: Reject = "hard",
    seed: int = 0,
    folder: str | Path | None = None,
    platform: Platform | None = None,
    workers: int | None = None,
    engine: str = "local",
    address: str = "",
    window: int = 16,
    minutes: float | None = None,
    timeout_seconds: float = 1800.0,
    reuse: Sequence[str | Path] = (),
    screening: Screening | None = None,
    config: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    command: Sequence[str] = COMMAND,
) -> Study:
    """Searches a space, or continues the search that a folder holds.

    Args:
        space: What may be chosen; its values are candidates (`joint_space`).
        controller: Who chooses; new, with no trials behind it. One that has `inform`
            (`Informed`) is told what is asked for first.
        oracle: Says how accurate a network is. A plain function of a network works in
            this process only.
        reward: (accuracy [B], metrics) -> reward [B], to be maximised.
        trials: How many trials the study shall have in the end.
        limits: What a result must keep; none by default.
        reject: "hard", and a candidate that breaks a limit of a cost is not trained; or
            "none", as in NAHAS's paper: every one that the machine runs is trained, and
            controllers know nothing of limits and learn from the reward alone. What
            breaks a limit is recorded so and is no result, either way.
        seed: Seed of the controller.
        folder: Where the study lives; by default it goes when it is not used any more.
        platform: What surrounds the accelerators.
        workers: Processes that train; 0 trains in this one. By default one a CPU, at
            most four, and 0 for a plain function.
        engine: "local" for processes of this machine, or "ray" for tasks of a Ray
            cluster: the same trials, wherever they are trained.
        address: HOST:PORT of a running Ray cluster, whose CPUs then count and not
            `workers`; by default Ray starts a private one on this machine.
        window: How many proposals may be open at once.
        minutes: After how long to stop; the study can be continued.
        timeout_seconds: After how long a worker gives up a training.
        reuse: Studies whose finished trainings a new study starts with.
        screening: Cheaper oracles that decide which candidates the oracle is asked for.
        config: What a front end wants kept with the study, such as its own settings;
            all but its "run" part must agree when the study is continued.
        progress: Called at every step.
        command: What starts a worker, but for the folder and `--parent PID`.

    Returns:
        The study. It has fewer trials where `minutes` or an interrupt ended the run.

    Raises:
        StudyError: If the study cannot be driven, read or written, or if the
            controller or the reward fails.
        ValueError: If an argument is out of range, or the controller refuses the
            space.
    """
    _check(trials, window, workers, seed, minutes, timeout_seconds)
    limits, platform = limits or Limits(), platform or Platform()
    asked = oracle if isinstance(oracle, Oracle) else PlainFunction(oracle)
    check_engine(engine, address)
    oracles = [*(screening.oracles if screening else ()), asked]
    check_together(oracles)
    if screening and screening.by == "reward" and isinstance(reward, Least):
        raise ValueError(
            "`by` must be 'front' where costs are minimised: their reward says nothing "
            "of accuracy. Received 'reward' (in screening.by)."
        )
    workers = _worker_count(oracles, workers, window, engine)
    description = {
        "space": _space(space),
        "controller": controller,
        "oracle": asked,
        "oracle_key": asked.key,
        "reward": reward,
        "limits": limits,
        "reject": reject,
        "platform": platform,
        "screening": screening,
        "screening_keys": [oracle.key for oracle in oracles[:-1]],
        "seed": seed,
        "window": window,
        "timeout_seconds": timeout_seconds,
        "reuse": [str(source) for source in reuse],
        "config": config or {},
    }
    task = Task(space, platform, limits, reward, asked.key, reject, screening)
    if isinstance(controller, Informed):  # before there is a folder to leave behind
        controller.inform(task.told)
    study = studies.temporary() if folder is None else Study(Path(folder))
    deadline = math.inf if minutes is None else time.monotonic() + 60.0 * minutes
    with studies.driving(study.folder):
        studies.create(study, describe(description))
        with Store(study.folder, write=True) as store:
            if sum(store.count().values()) >= trials:
                return study
            with (
                # From here on an interrupt leaves a study that can be continued.
                suppress(KeyboardInterrupt, TimeUpError),
                make_runner(
                    store,
                    oracles,
                    workers,
                    timeout_seconds=timeout_seconds,
                    engine=engine,
                    address=address,
                    command=command,
                ) as runner,
                Ledger(
                    task,
                    store,
                    runner,
                    total=trials,
                    window=window,
                    deadline=deadline,
                    progress=progress,
                ) as ledger,
            ):
                _run(controller, space, ledger, seed, trials, window)
    return study


def _run(
    controller: Controller,
    space: SearchSpace,
    ledger: Ledger,
    seed: int,
    trials: int,
    window: int,
) -> None:
    """The loop: what was learned W trials ago decides the next proposal."""
    with _blamed(controller, "setup"):
        controller.setup(space.cardinalities, seed=seed)
    for number in range(1, trials + 1):
        if number > window:
            known = ledger.lesson(number - window)
            with _blamed(controller, f"update with trial {known.number}"):
                controller.update([known])
        with _blamed(controller, f"propose trial {number}"):
            [choices] = space.check(controller.propose(1))
        ledger.open(number, choices)
    ledger.trial(trials)


@contextmanager
def _blamed(culprit: object, act: str) -> Iterator[None]:
    """Names the part of the search that failed; asking it again would not help."""
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            f"{type(culprit).__name__} could not {act}: {type(error).__name__}: "
            f"{error}. The trials before are recorded; repair it and resume."
        ) from error


@dataclass(frozen=True, slots=True)
class PlainFunction:
    """A plain function as an oracle, in the process that defines it.

    Attributes:
        function: Accuracy of a network, deterministic.
    """

    function: Callable[[Network], float]

    def __post_init__(self) -> None:
        if not callable(self.function):  # a worker rebuilds oracles from their texts
            raise TypeError(
                "A plain function works in the process that defines it only, not in "
                f"a worker. Received {self.function!r}."
            )

    @property
    def key(self) -> str:
        """The function's name: a study cannot see that its code was changed."""
        return f"function {describe(self.function)}"

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """Calls the function for each network."""
        accuracy = np.array([self.function(network) for network in networks], float)
        nothing = np.zeros(len(accuracy))
        return Estimate(accuracy, nothing, nothing.copy(), ("",) * len(accuracy))


def _space(space: SearchSpace) -> dict[str, Any]:
    """The space, with one candidate to show what the knobs do not: sizes, classes."""
    try:
        first = str(space.decode(np.zeros(len(space.knobs), np.int64)))
    except ValueError as error:
        first = str(error)
    knobs = {knob.name: knob.values for knob in space.knobs}
    return {"name": space.name, "knobs": knobs, "first": first}


def _worker_count(
    oracles: Sequence[Oracle], workers: int | None, window: int, engine: str
) -> int:
    """How many workers to spawn; checks that they can do the work."""
    if workers == 0 and engine == "ray":
        raise ValueError("`workers` must be positive on Ray. Received 0.")
    if workers is None:
        plain = any(isinstance(oracle, PlainFunction) for oracle in oracles)
        if plain and engine == "local":
            return 0
        workers = min(_MOST_DEFAULT_WORKERS, os.cpu_count() or 1, window)
    if workers > window:
        warnings.warn(
            f"Only {window} of {workers} workers can be busy: `window` is {window}.",
            stacklevel=3,
        )
    if workers > 0:
        for oracle in oracles:
            _check_rebuilt(oracle)
    return workers


def _check_rebuilt(oracle: Oracle) -> None:
    hint = (
        "Workers cannot make this oracle: {}. Use a frozen dataclass of a module that "
        "can be imported, or workers=0 to train in this process."
    )
    if isinstance(oracle, PlainFunction):
        raise ValueError(hint.format("a plain function works in this process only"))
    try:
        key = rebuild(json.loads(json.dumps(describe(oracle)))).key
    except (AttributeError, ValueError) as error:
        raise ValueError(hint.format(error)) from error
    if "__main__" in str(describe(oracle)) or key != oracle.key:
        raise ValueError(hint.format("its fields or its module do not say all of it"))


def _check(
    trials: int,
    window: int,
    workers: int | None,
    seed: int,
    minutes: float | None,
    timeout_seconds: float,
) -> None:
    check_count(seed, "seed", "search", least=0)
    for name, value in {"minutes": minutes, "timeout_seconds": timeout_seconds}.items():
        if value is not None and not value > 0:
            raise ValueError(
                f"`{name}` must be positive. Received {value!r} (in search.{name})."
            )
    given = {"trials": (trials, 1), "window": (window, 1), "workers": (workers, 0)}
    for name, (value, least) in given.items():
        if value is not None:
            check_count(value, name, "search", least=least)
