"""The SQLite file of a study: opening, transactions, errors, trials and trainings.

`trial` is append-only and written by the driver alone, in the order of proposals;
`training` is also the queue of `training_queue.py`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import DatabaseError, connect
from typing import Any, NoReturn, cast

import sqlalchemy as sa

from nahas.controller import rows
from nahas.controller.pages import PAGE_BYTES
from nahas.controller.rows import TRAINING, TRIAL, Record, StudyError, Training

FILE = "study.sqlite"
SCHEMA_VERSION = 2
BUSY_SECONDS = 60.0
_DAMAGE = ("malformed", "not a database", "no such", "decode", "out of range")


class Store:
    """The tables of one study, open until `close`.

    Args:
        folder: The study's folder.
        write: Whether to write too; a reader takes no lock and creates nothing.
    """

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        self.path = folder / FILE
        uri = f"{self.path.resolve().as_uri()}?mode={'rwc' if write else 'ro'}"
        if not write and not os.access(folder, os.W_OK) and not _logged(self.path):
            # Elsewhere a reader makes the file that shares the write-ahead log.
            uri += "&immutable=1"

        def open_file() -> SqliteConnection:
            connection = connect(
                uri,
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                if write:
                    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute("PRAGMA synchronous = FULL")
            except DatabaseError:
                connection.close()
                raise
            return connection

        self._engine = sa.create_engine(
            "sqlite://", creator=open_file, poolclass=sa.QueuePool
        )

    def close(self) -> None:
        """Closes the file."""
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for single statements, errors told in the study's words."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except (sa.exc.DBAPIError, DatabaseError) as error:
            self._explain(error)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that holds the write lock from its start."""
        with self.reading() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                raw = cast(SqliteConnection, connection.connection.dbapi_connection)
                if raw.in_transaction:  # SQLite itself rolls back on a full disk
                    connection.exec_driver_sql("ROLLBACK")
                raise

    def create(self, trainings: Iterable[Training] = ()) -> None:
        """Makes the tables, unless they exist, with finished trainings to start from.

        Raises:
            StudyError: If the file is damaged or of another version.
        """
        with self.writing() as connection:
            if self._version(connection) == 0:
                rows.METADATA.create_all(connection)
                _insert(connection, trainings)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def check(self) -> None:
        """Reads every page and every row.

        Raises:
            StudyError: If anything is damaged.
        """
        with self.reading() as connection:
            version = self._version(connection)
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        if version == 0:
            self.refuse("its tables are missing")
        if found != "ok":
            self.refuse(str(found).splitlines()[-1])
        self.records()
        self.trainings()

    def append(self, records: Sequence[Record]) -> None:
        """Writes trials, the next in order, in one transaction."""
        with self.writing() as connection:
            connection.execute(sa.insert(TRIAL), [rows.trial_row(r) for r in records])

    def records(self) -> list[Record]:
        """All trials in order.

        Raises:
            StudyError: If a row is damaged or missing.
        """
        with self.reading() as connection:
            self._version(connection)
            found = connection.execute(sa.select(TRIAL).order_by(TRIAL.c.number)).all()
        records = [rows.sound_record(tuple(row)) for row in found]
        for expected, record in enumerate(records, start=1):
            if record is None or record.trial.number != expected:
                self.refuse(f"trial {expected} is damaged or missing")
        return cast(list[Record], records)

    def count(self) -> dict[str, int]:
        """Trials of each status that occurs."""
        number = sa.func.count().label("number")
        query = sa.select(TRIAL.c.status, number).group_by(TRIAL.c.status)
        with self.reading() as connection:
            self._version(connection)
            return {row.status: row.number for row in connection.execute(query)}

    def add_trainings(self, trainings: Iterable[Training]) -> None:
        """Keeps finished trainings that are not known yet."""
        with self.writing() as connection:
            _insert(connection, trainings)

    def trainings(self) -> list[Training]:
        """All finished trainings, in the order in which they were asked for.

        Raises:
            StudyError: If a row is damaged.
        """
        query = sa.select(TRAINING).order_by(sa.text("rowid"))
        with self.reading() as connection:
            found = connection.execute(query).all()
        return [done for row in found if (done := self._finished(tuple(row)))]

    def finished(self, keys: Sequence[str]) -> list[Training]:
        """The trainings of keys that are finished, in any order.

        Raises:
            StudyError: If a row is damaged.
        """
        query = sa.select(TRAINING).where(TRAINING.c.key.in_(keys))
        with self.reading() as connection:
            found = connection.execute(query).all()
        return [done for row in found if (done := self._finished(tuple(row)))]

    def training(self, key: str) -> Training | None:
        """The training of a key, if it is finished; as `finished`."""
        return next(iter(self.finished([key])), None)

    def refuse(self, what: str, cause: Exception | None = None) -> NoReturn:
        """Raises the error of a damaged file, with the command that salvages it."""
        folder = self.path.parent
        raise StudyError(
            f"{self.path} is damaged: {what}. Save every sound row into a new study "
            f"with: nahas resume {folder} --salvage-to {folder}-salvaged"
        ) from cause

    def _version(self, connection: sa.Connection) -> int:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version not in (0, SCHEMA_VERSION):
            raise foreign(self.path, version)
        return int(version)

    def _finished(self, row: tuple[Any, ...]) -> Training | None:
        key, network, oracle, state = row[:4]
        waiting = state in ("queued", "running")
        if waiting and key == rows.training_key(network, oracle):
            return None
        training = None if waiting else rows.sound_training(row)
        if training is None:
            self.refuse(f"training {key} is damaged")
        return training

    def _explain(self, error: Exception) -> NoReturn:
        """Raises the study's own words for a database error."""
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        text = str(cause)
        if "full" in text:
            raise StudyError(
                f"No space is left for {self.path} ({text}). What is recorded is "
                f"sound. Free some space, then: nahas resume {self.path.parent}"
            ) from error
        if any(sign in text for sign in _DAMAGE):
            self.refuse(text, error)
        raise StudyError(f"{self.path} cannot be used: {text}.") from error


def foreign(path: Path, version: int) -> StudyError:
    """The error of a file that another nahas wrote."""
    return StudyError(
        f"{path} must have schema version {SCHEMA_VERSION}. Received {version}. Open "
        "it with the nahas that wrote it."
    )


def _logged(path: Path) -> bool:
    """Whether rows wait in the write-ahead log."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _insert(connection: sa.Connection, trainings: Iterable[Training]) -> None:
    found = [{"attempts": 0, **rows.training_row(training)} for training in trainings]
    if found:
        connection.execute(sa.insert(TRAINING).prefix_with("OR IGNORE"), found)
