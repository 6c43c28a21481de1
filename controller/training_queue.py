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
        heartbeat: Counter that the owner moves while it lives.
    """

    key: str
    owner: str
    network: str
    heartbeat: int


def enqueue(store: Store, networks: Sequence[str], oracle: str) -> None:
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
        for network in networks
    ]
    if rows:
        with store.writing() as connection:
            connection.execute(sa.insert(TRAINING).prefix_with("OR IGNORE"), rows)


def queued(store: Store, oracle: str) -> list[str]:
    """Networks that wait for a worker, the longest waiting first."""
    query = sa.select(TRAINING.c.network).where(_waiting(oracle)).order_by(_OLDEST)
    with store.reading() as connection:
        return list(connection.execute(query).scalars())


def unfinished(store: Store, oracle: str) -> list[str]:
    """Networks that are queued or with a worker, the longest waiting first."""
    query = sa.select(TRAINING.c.network).where(
        TRAINING.c.oracle == oracle, TRAINING.c.state.in_(_UNFINISHED)
    )
    with store.reading() as connection:
        return list(connection.execute(query.order_by(_OLDEST)).scalars())


def leases(store: Store) -> list[Lease]:
    """Trainings that workers hold."""
    columns = [TRAINING.c[name] for name in ("key", "owner", "network", "heartbeat")]
    query = sa.select(*columns).where(TRAINING.c.state == "running")
    with store.reading() as connection:
        return [Lease(*row) for row in connection.execute(query)]


def lease(store: Store, owner: str, oracle: str) -> Lease | None:
    """Takes the training that waits longest; None where none waits."""
    if not queued(store, oracle):  # an idle worker's polling takes no write lock
        return None
    query = sa.select(TRAINING.c.key, TRAINING.c.network).where(_waiting(oracle))
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
    return Lease(row.key, owner, row.network, 0)


def beat(store: Store, held: Lease) -> None:
    """Moves the counter that shows the owner alive."""
    _set(store, held, heartbeat=TRAINING.c.heartbeat + 1)


def finish(store: Store, held: Lease, oracle: str, outcome: Outcome) -> bool:
    """Writes a result if the lease is still held; says whether it was."""
    return _set(store, held, **training_row(Training(held.network, oracle, outcome)))


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


def worker_died(store: Store, held: Lease, oracle: str) -> None:
    """Queues a training again whose worker died; the third death fails it."""
    failed = training_row(Training(held.network, oracle, DIED))
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


def _waiting(oracle: str) -> sa.ColumnElement[bool]:
    return sa.and_(TRAINING.c.state == "queued", TRAINING.c.oracle == oracle)


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
