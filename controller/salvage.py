"""Saves every sound row of a damaged study into a new one; replay does the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nahas.controller import pages, store
from nahas.controller.outcome import Outcome
from nahas.controller.rows import (
    TRAINING,
    TRIAL,
    Record,
    StudyError,
    Training,
    sound_record,
    sound_training,
    training_key,
)
from nahas.controller.store import Store
from nahas.controller.study import CONFIG, Study, driving, read_config, write_config


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was saved of a study.

    Attributes:
        study: The new study, to be resumed.
        trials: Trials kept: those before the first damaged one.
        trainings: Finished trainings kept, so that they need not be repeated.
    """

    study: Study
    trials: int
    trainings: int


def salvage(damaged: str | Path, new: str | Path) -> Salvaged:
    """Saves what is sound in a damaged study; the study itself is left as it is.

    Trials after a gap are not kept, for they are written in order; their accuracies
    are, and resuming the new study makes the trials again without training.

    Args:
        damaged: Folder of the study.
        new: Folder of the study to make.

    Raises:
        StudyError: If the damaged study is being driven or has no readable
            configuration, if another nahas wrote it, or if `new` holds a study.
    """
    source, target = Path(damaged), Path(new)
    if not (source / store.FILE).is_file():
        raise StudyError(f"`{source}` must hold a {store.FILE}; it has none.")
    if (target / CONFIG).exists() or (target / store.FILE).exists():
        raise StudyError(f"`{target}` must be a new folder. It holds a study.")
    version = pages.user_version(source / store.FILE)
    if 0 < version < store.SCHEMA_VERSION:
        raise store.foreign(source / store.FILE, version)
    with driving(source), driving(target):
        config = read_config(source)
        records, trainings = _sound_rows(source / store.FILE)
        kept = _before_gap(records.values())
        for record in records.values():
            if record.trial.status in ("trained", "reused", "failed"):
                training = _training(record, str(config["oracle_key"]))
                key = training_key(training.network, training.oracle)
                trainings.setdefault(key, training)
        with Store(target, write=True) as writer:
            writer.create(trainings.values())
            if kept:
                writer.append(kept)
        write_config(target, config)
    return Salvaged(Study(target), len(kept), len(trainings))


def _sound_rows(path: Path) -> tuple[dict[int, Record], dict[str, Training]]:
    records: dict[int, Record] = {}
    trainings: dict[str, Training] = {}
    for rowid, values in pages.rows(path):
        if len(values) == len(TRIAL.columns):
            record = sound_record(_typed(TRIAL, [rowid, *values[1:]]))
            if record is not None:
                records.setdefault(record.trial.number, record)
        elif len(values) == len(TRAINING.columns):
            training = sound_training(_typed(TRAINING, values))
            if training is not None:
                key = training_key(training.network, training.oracle)
                trainings.setdefault(key, training)
    return records, trainings


def _typed(table: sa.Table, values: Sequence[Any]) -> list[Any]:
    """Floats again, where SQLite stores a whole number in the space of an integer."""
    return [
        float(value)
        if isinstance(value, int) and isinstance(column.type, sa.Float)
        else value
        for column, value in zip(table.columns, values, strict=True)
    ]


def _before_gap(records: Iterable[Record]) -> list[Record]:
    ordered = sorted(records, key=lambda record: record.trial.number)
    return [r for i, r in enumerate(ordered, start=1) if r.trial.number == i]


def _training(record: Record, oracle: str) -> Training:
    """The training that a trial came of, but for the deviation of its accuracy."""
    trial = record.trial
    outcome = Outcome(trial.accuracy, None, trial.error, trial.seconds)
    return Training(record.network, oracle, outcome, record.origin)
