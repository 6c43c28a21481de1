"""Dry run: what a search would take, before it is started. Writes nothing that stays.

The share of proposals that are trained is that of random candidates, on the accelerator
of mode "fixed": a controller that learns keeps the limits more often, one that repeats
itself, as in the first of two phases, trains less. A training's
time is that of the same recipe in the studies at hand, else of one that is done here.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nahas.config import Config
from nahas.controller.judgement import Judgement, judge
from nahas.controller.outcome import Outcome, evaluate
from nahas.controller.rows import Record, Training
from nahas.controller.store import FILE, Store
from nahas.controller.study import CONFIG, Study
from nahas.controller.trial import Trial
from nahas.modes import fixed_accelerator
from nahas.output import duration
from nahas.parts import Parts, make_parts
from nahas.search_space.joint import accelerator_choices, accelerator_knobs
from nahas.search_space.oracle import Oracle
from nahas.warm_starts import recorded

_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a search would take.

    Attributes:
        trials: Trials asked for.
        recorded: Those that the folder holds already.
        trained_share: Share of random candidates that would be trained.
        training_seconds: CPU seconds of one training; None where it failed.
        source: What says so.
        at_once: Trainings at the same time, at most.
        hours: Of all trainings to come, `at_once` together, each on a core of its own;
            None where a training's time is not known.
        disk_mb: Size of the study's record in the end, 1e6 bytes.
        free_mb: Free where it would lie.
    """

    trials: int
    recorded: int
    trained_share: float
    training_seconds: float | None
    source: str
    at_once: int
    hours: float | None
    disk_mb: float
    free_mb: float

    def text(self) -> str:
        """The forecast in four lines."""
        left = max(0, self.trials - self.recorded)
        hours, seconds = self.hours, self.training_seconds
        took = "an unknown time" if seconds is None else f"{seconds:.3g} CPU seconds"
        return "\n".join(
            (
                f"trials:   {self.trials}, of which {self.recorded} are recorded; "
                f"about {left * self.trained_share:.0f} to train "
                f"({self.trained_share:.0%} of random candidates)",
                f"training: {took} ({self.source})",
                f"time:     about {duration(None if hours is None else 3600 * hours)}, "
                f"{self.at_once} at once, each on a core of its own",
                f"disk:     about {self.disk_mb:.2g} MB of {self.free_mb:,.0f} MB free",
            )
        )


def forecast(config: Config, folder: Path, reuse: Sequence[str]) -> Forecast:
    """What a search would take; may do one training, in this process.

    Args:
        config: What is asked for.
        folder: Where the study lies or would lie.
        reuse: Studies whose trainings it would start with.

    Raises:
        ValueError: If there is no such search; see `make_parts`.
        TypeError: If the user's own object is not what it is named as.
    """
    there = (folder / CONFIG).exists()
    first = recorded(Study.open(folder)) if there else None
    parts, asked = make_parts(config, first), config.search
    task = parts.task
    rng = np.random.default_rng(asked.seed)
    rows = task.space.random(rng, _SAMPLE)
    if asked.mode == "fixed":
        chip = accelerator_choices(task.space, fixed_accelerator(config))
        rows[:, accelerator_knobs(task.space)] = chip
    judged = [judge(task, row) for row in rows]
    share = sum(found.status is None for found in judged) / len(judged)
    done = Study.open(folder).counts()["trials"] if there else 0
    known = [str(folder)] if there else []
    seconds, source = _climb_seconds(parts, judged, [*known, *reuse])
    at_once = max(1, min(asked.workers, asked.window))
    trainings = max(0, asked.trials - done) * share
    hours = None if seconds is None else trainings * seconds / at_once / 3600
    place = folder.absolute()
    parent = next(found for found in (place, *place.parents) if found.exists())
    return Forecast(
        asked.trials,
        done,
        share,
        seconds,
        source,
        at_once,
        hours,
        _bytes_a_trial(judged, parts.oracle.key, len(task.space.knobs))
        * asked.trials
        / 1e6,
        shutil.disk_usage(parent).free / 1e6,
    )


def _climb_seconds(
    parts: Parts, judged: Sequence[Judgement], studies: Sequence[str]
) -> tuple[float | None, str]:
    """CPU seconds of a candidate's trainings on average, and what says so."""
    if parts.screening is None:
        return _seconds(parts.oracle, judged, studies)
    total, sources = 0.0, []
    for rung, oracle in enumerate(parts.oracles):
        seconds, source = _seconds(oracle, judged, studies)
        if seconds is None:
            return None, source
        share = parts.screening.keep**rung
        total += share * seconds
        sources.append(f"{seconds:.3g} of {share:.0%}, {source}")
    return total, "; ".join(sources)


def _seconds(
    oracle: Oracle, judged: Sequence[Judgement], studies: Sequence[str]
) -> tuple[float | None, str]:
    """CPU seconds of a training, and what says so."""
    for folder in studies:
        with Store(Path(folder)) as store:
            done = [
                training.outcome.seconds
                for training in store.trainings()
                if training.oracle == oracle.key and not training.outcome.error
            ]
        if done:
            return float(np.mean(done)), f"mean of {len(done)} in {folder}"
    network = next((found.network for found in judged if found.status is None), None)
    if network is None:
        return None, f"none of {len(judged)} random candidates keeps the limits"
    outcome = evaluate(oracle, network)
    if outcome.error:
        return None, f"the one tried failed: {outcome.error}"
    return outcome.seconds, "one training, the first of a process"


def _bytes_a_trial(judged: Sequence[Judgement], oracle: str, knobs: int) -> float:
    """Size of a record of the judged candidates, over their number."""
    records, trainings = [], []
    for number, found in enumerate(judged, start=1):
        status, runs = found.status or "trained", found.status is None
        trial = Trial(
            number,
            (0,) * knobs,
            status,
            0.5 if runs else None,
            *found.costs,
            reward=0.5 if runs else None,
            feasible=runs,
            violation=found.violation,
            reason=found.reason,
        )
        records.append(Record(trial, found.network))
        if runs:
            outcome = Outcome(0.5, 0.01, seconds=1.0)
            trainings.append(Training(found.network, oracle, outcome))
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder), write=True) as store:
            store.create(trainings)
            store.append(records)
        return (Path(folder) / FILE).stat().st_size / len(judged)
