"""The queue of trainings that workers lease from, one row for each (network, oracle).

A row is queued, running, then done or failed. Only who holds a lease may finish it; a
lease whose owner is gone is given back by the driver.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from nahas.controller.outcome import Outcome
from nahas.controller.rows import (
    TRAINING,
    Training,
    training_key,
    training_row,
)
from nahas.controller.store import Store

MAX_ATTEMPTS = 3
DIED = Outcome(None, error=f"worker died {MAX_ATTEMPTS} times")
_OLDEST = sa.text("rowid")
_UNFINISHED = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Lease:
    """A training that a worker has taken.

    Attributes:
        key: Key of the training.
        owner: Who took it.
        network: Text of the network.
        oracle: Key of the oracle that is asked.
        heartbeat: Counter that the owner moves while it lives.
    """

    key: str
    owner: str
    network: str
    oracle: str
    heartbeat: int


Asked = tuple[str, str]
"""A network's text, and the key of the oracle that is to judge it."""


def enqueue(store: Store, trainings: Sequence[Asked]) -> None:
    """Asks for trainings, unless they are known, in one transaction."""
    rows = [
        {
            "key": training_key(network, oracle),
            "network": network,
            "oracle": oracle,
            "state": "queued",
            "attempts": 0,
            "origin": "",
        }
        for network, oracle in trainings
    ]
    if rows:
        with store.writing() as connection:
            connection.execute(sa.insert(TRAINING).prefix_with("OR IGNORE"), rows)


def queued(store: Store) -> list[Asked]:
    """Trainings that wait for a worker, the longest waiting first."""
    return _asked(store, ("queued",))


def unfinished(store: Store) -> list[Asked]:
    """Trainings that are queued or with a worker, the longest waiting first."""
    return _asked(store, _UNFINISHED)


def leases(store: Store) -> list[Lease]:
    """Trainings that workers hold."""
    columns = [
        TRAINING.c[name] for name in ("key", "owner", "network", "oracle", "heartbeat")
    ]
    query = sa.select(*columns).where(TRAINING.c.state == "running")
    with store.reading() as connection:
        return [Lease(*row) for row in connection.execute(query)]


def lease(store: Store, owner: str) -> Lease | None:
    """Takes the training that waits longest; None where none waits."""
    if not queued(store):  # an idle worker's polling takes no write lock
        return None
    columns = TRAINING.c.key, TRAINING.c.network, TRAINING.c.oracle
    query = sa.select(*columns).where(TRAINING.c.state == "queued")
    with store.writing() as connection:
        row = connection.execute(query.order_by(_OLDEST).limit(1)).first()
        if row is None:
            return None
        connection.execute(
            sa.update(TRAINING)
            .where(TRAINING.c.key == row.key)
            .values(
                state="running",
                owner=owner,
                heartbeat=0,
                attempts=TRAINING.c.attempts + 1,
            )
        )
    return Lease(row.key, owner, row.network, row.oracle, 0)


def beat(store: Store, held: Lease) -> None:
    """Moves the counter that shows the owner alive."""
    _set(store, held, heartbeat=TRAINING.c.heartbeat + 1)


def finish(store: Store, held: Lease, outcome: Outcome) -> bool:
    """Writes a result if the lease is still held; says whether it was."""
    training = Training(held.network, held.oracle, outcome)
    return _set(store, held, **training_row(training))


def finish_queued(store: Store, trainings: Sequence[Training]) -> None:
    """Writes results of trainings that nobody leased, in one transaction."""
    _write(store, trainings, ("queued",))


def finish_unfinished(store: Store, trainings: Sequence[Training]) -> None:
    """Writes results of trainings, whoever may lease them; what is known stays."""
    _write(store, trainings, _UNFINISHED)


def give_back(store: Store, held: Lease) -> None:
    """Queues a training again whose worker was stopped: no attempt is counted."""
    _set(store, held, state="queued", owner=None, attempts=0)


def count_anew(store: Store) -> None:
    """Forgets the deaths of workers: they count within one driver's life.

    Else a driver killed three times during one training would fail it.
    """
    with store.writing() as connection:
        waiting = TRAINING.c.state.in_(_UNFINISHED)
        connection.execute(sa.update(TRAINING).where(waiting).values(attempts=0))


def worker_died(store: Store, held: Lease) -> None:
    """Queues a training again whose worker died; the third death fails it."""
    failed = training_row(Training(held.network, held.oracle, DIED))
    tired = TRAINING.c.attempts >= MAX_ATTEMPTS
    with store.writing() as connection:
        change = sa.update(TRAINING).where(_held(held))
        connection.execute(change.where(tired).values(**failed))
        connection.execute(change.values(state="queued", owner=None))


def ever_leased(store: Store, owner_prefix: str) -> bool:
    """Whether an owner whose name begins so ever took a training."""
    begins = TRAINING.c.owner.startswith(owner_prefix, autoescape=True)
    with store.reading() as connection:
        return (
            connection.execute(sa.select(TRAINING.c.key).where(begins)).first()
            is not None
        )


def _write(store: Store, trainings: Sequence[Training], states: Sequence[str]) -> None:
    rows = [training_row(training) for training in trainings]
    state = sa.or_(*(TRAINING.c.state == state for state in states))
    wanted: sa.BindParameter[str] = sa.bindparam("wanted")
    change = sa.update(TRAINING).where(TRAINING.c.key == wanted, state)
    with store.writing() as connection:
        if rows:
            connection.execute(change, [{**row, "wanted": row["key"]} for row in rows])


def _asked(store: Store, states: Sequence[str]) -> list[Asked]:
    query = sa.select(TRAINING.c.network, TRAINING.c.oracle)
    query = query.where(TRAINING.c.state.in_(states)).order_by(_OLDEST)
    with store.reading() as connection:
        return [(row.network, row.oracle) for row in connection.execute(query)]


def _held(held: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        TRAINING.c.key == held.key,
        TRAINING.c.owner == held.owner,
        TRAINING.c.state == "running",
    )


def _set(store: Store, held: Lease, **values: object) -> bool:
    with store.writing() as connection:
        change = sa.update(TRAINING).where(_held(held)).values(**values)
        return connection.execute(change).rowcount == 1
