"""The two tables of a study, their rows as values, and the rows' checksums.

A trial row covers all its values with its checksum. A training's key is a hash of its
network and oracle, and its checksum covers the result, once there is one.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, Literal, cast

import sqlalchemy as sa

from nahas.controller.outcome import Outcome
from nahas.controller.trial import Score, Status, Trial

METADATA = sa.MetaData()
TRIAL = sa.Table(
    "trial",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("choices", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("accuracy", sa.Float),
    sa.Column("latency_ms", sa.Float),
    sa.Column("energy_mj", sa.Float),
    sa.Column("area_mm2", sa.Float),
    sa.Column("utilization", sa.Float),
    sa.Column("reward", sa.Float),
    sa.Column("feasible", sa.Integer),
    sa.Column("violation", sa.Float),
    sa.Column("reason", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("seconds", sa.Float),
    sa.Column("scores", sa.Text),
    sa.Column("network", sa.Text),
    sa.Column("origin", sa.Text),
    sa.Column("checksum", sa.Text),
)
TRAINING = sa.Table(
    "training",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("network", sa.Text),
    sa.Column("oracle", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("heartbeat", sa.Integer),
    sa.Column("attempts", sa.Integer),
    sa.Column("accuracy", sa.Float),
    sa.Column("deviation", sa.Float),
    sa.Column("error", sa.Text),
    sa.Column("seconds", sa.Float),
    sa.Column("origin", sa.Text),
    sa.Column("checksum", sa.Text),
)


class StudyError(RuntimeError):
    """A study cannot be read, written or continued; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """A trial with what the study keeps beside it.

    Attributes:
        trial: The trial.
        network: Text of its network; empty where the candidate could not be built.
        origin: The study that its accuracy was copied from; empty for none.
    """

    trial: Trial
    network: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """A finished training: whose it is and how it ended.

    Attributes:
        network: Text of the network.
        oracle: Key of the oracle.
        outcome: How it ended.
        origin: The study that it was copied from; empty where it is this study's own.
    """

    network: str
    oracle: str
    outcome: Outcome
    origin: str = ""


def training_key(network: str, oracle: str) -> str:
    """Key of the training of a network (its text) for an oracle (its key)."""
    return _digest([network, oracle])


def trial_row(record: Record) -> dict[str, Any]:
    """The row of `TRIAL` that holds a trial."""
    trial = record.trial
    row = {spec.name: _stored(getattr(trial, spec.name)) for spec in fields(Trial)}
    row["choices"] = json.dumps(trial.choices)
    row["scores"] = json.dumps([astuple(score) for score in trial.scores])
    row["feasible"] = int(trial.feasible)
    row |= {"network": record.network, "origin": record.origin}
    return row | {"checksum": _digest(list(row.values()))}


def sound_record(row: Sequence[Any]) -> Record | None:
    """The trial in a row of `TRIAL`; None if its checksum says it is damaged."""
    *values, checksum = row
    if _digest(values) != checksum:
        return None
    number, choices, status, *costs, scores = values[:-2]
    costs[6] = bool(costs[6])
    known = tuple(Score(*score) for score in json.loads(scores))
    chosen, is_ = tuple(json.loads(choices)), cast(Status, status)
    trial = Trial(number, chosen, is_, *[*costs, known])
    return Record(trial, *values[-2:])


def training_row(training: Training) -> dict[str, Any]:
    """The columns of `TRAINING` that a finished training sets."""
    outcome = Outcome(*map(_stored, astuple(training.outcome)))
    state: Literal["done", "failed"] = "failed" if outcome.error else "done"
    key = training_key(training.network, training.oracle)
    result = [key, state, *astuple(outcome), training.origin]
    return {
        "key": key,
        "network": training.network,
        "oracle": training.oracle,
        "state": state,
        "accuracy": outcome.accuracy,
        "deviation": outcome.deviation,
        "error": outcome.error,
        "seconds": outcome.seconds,
        "origin": training.origin,
        "checksum": _digest(result),
    }


def sound_training(row: Sequence[Any]) -> Training | None:
    """The finished training in a row of `TRAINING`; None if it is not sound."""
    key, network, oracle, state, _, _, _, accuracy, deviation, error, *rest = row
    seconds, origin, checksum = rest
    result = [key, state, accuracy, deviation, error, seconds, origin]
    if key != training_key(network, oracle) or checksum != _digest(result):
        return None
    return Training(
        network, oracle, Outcome(accuracy, deviation, error, seconds), origin
    )


def _stored(value: Any) -> Any:
    """The value as SQLite gives it back: it keeps no sign of a zero."""
    return value + 0.0 if isinstance(value, float) else value


def _digest(values: Sequence[Any]) -> str:
    text = json.dumps(list(values), separators=(",", ":"), default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
