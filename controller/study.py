"""Study: the durable record of a search in one folder.

The folder holds `study.sqlite` (the record), `config.json` (what was asked for, with
versions and seed; written once) and `driver.lock` (held by the one process that drives
the study). Reading needs no lock and blocks nobody.
"""

import json
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args

from filelock import FileLock, Timeout

from nahas.accelerator.whole_file import whole
from nahas.controller import store
from nahas.controller.outcome import versions
from nahas.controller.rows import Record, StudyError, Training
from nahas.controller.store import Store
from nahas.controller.trial import Status, Trial

if TYPE_CHECKING:
    import pandas as pd

CONFIG = "config.json"
LOCK = "driver.lock"
_SETTINGS = "config."
_NOT_COMPARED = ("versions.", _SETTINGS + "run.")
# What a study stands for that began before it could be asked for.
_BEFORE: dict[str, Any] = {"reject": "hard", "screening": None, "screening_keys": []}


_FRACTIONS = (
    "accuracy",
    "deviation",
    "latency_ms",
    "energy_mj",
    "area_mm2",
    "utilization",
    "reward",
)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Study:
    """A study on disk; every call reads its present state.

    Attributes:
        folder: Where it lives.
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """The study in a folder.

        Raises:
            StudyError: If there is none.
        """
        path = Path(folder)
        for name in (CONFIG, store.FILE):
            if not (path / name).is_file():
                raise StudyError(
                    f"`{path}` must be the folder of a study. {name} is missing there."
                )
        return cls(path)

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for, with versions and seed."""
        return read_config(self.folder)

    def records(self) -> list[Record]:
        """All trials in order, with their networks."""
        with Store(self.folder) as reader:
            return reader.records()

    def trials(self) -> list[Trial]:
        """All trials in order.

        Raises:
            StudyError: If the study is damaged.
        """
        return [record.trial for record in self.records()]

    def counts(self) -> dict[str, int]:
        """Number of trials, and of those of each status."""
        with Store(self.folder) as reader:
            found = reader.count()
        return {"trials": sum(found.values())} | {
            status: found.get(status, 0) for status in get_args(Status)
        }

    def deviations(self) -> dict[str, float | None]:
        """Standard deviation of each trained network's accuracy, by its text.

        0 or None where the oracle states none.
        """
        with Store(self.folder) as reader:
            trainings = reader.trainings()
        oracle = self.config.get("oracle_key")
        return {
            done.network: done.outcome.deviation
            for done in trainings
            if done.oracle == oracle
        }

    def best(self) -> Trial | None:
        """The feasible trial of the highest reward, the earliest of equals."""
        return best(self.trials())

    def argmax(self) -> Trial | None:
        """The trial of the highest reward, whether or not it keeps the limits."""
        return argmax(self.trials())

    def to_frame(self) -> "pd.DataFrame":
        """One row a trial: the fields of `Trial`, network and deviation.

        "network" is the text of its network, "deviation" the standard deviation of its
        accuracy as the oracle states it; NaN where nothing was trained. "scores" are
        the accuracies of its scores alone.
        """
        import pandas as pd

        names = [spec.name for spec in fields(Trial)]
        known = self.deviations()
        rows = [
            [
                *(getattr(record.trial, name) for name in names),
                record.network,
                None if record.trial.accuracy is None else known.get(record.network),
            ]
            for record in self.records()
        ]
        frame = pd.DataFrame(rows, columns=[*names, "network", "deviation"])
        frame["scores"] = [tuple(s.accuracy for s in row) for row in frame["scores"]]
        # Also where no trial has one: numbers, not objects.
        return frame.astype(dict.fromkeys(_FRACTIONS, float))

    def export_csv(self, path: str | Path) -> None:
        """Writes `to_frame` as a CSV file.

        Choices and scores are separated by spaces.
        """
        frame = self.to_frame()
        for name in ("choices", "scores"):
            frame[name] = [" ".join(map(str, row)) for row in frame[name]]
        frame.to_csv(path, index=False)


def best(trials: Sequence[Trial]) -> Trial | None:
    """The feasible trial of the highest reward, the earliest of equals."""
    return argmax([trial for trial in trials if trial.feasible])


def argmax(trials: Sequence[Trial]) -> Trial | None:
    """The trial of the highest reward, the earliest of equals, limits or no limits."""
    ranked = [(t.reward, -t.number, t) for t in trials if t.reward is not None]
    return max(ranked)[2] if ranked else None


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """Holds the study's driver lock.

    Raises:
        StudyError: If another process drives the study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyError(
            f"Another process drives the study in {folder} (it holds {LOCK}). Wait "
            "for it or stop it; `nahas status` reads the study meanwhile."
        ) from None
    try:
        yield
    finally:
        lock.release()


def create(study: Study, config: Mapping[str, Any]) -> None:
    """Makes the study of a configuration, or checks that the one there agrees.

    A new study starts with the finished trainings of the studies under "reuse", those
    by the same oracles; it does not look at them again.

    Args:
        study: Where it lives; the caller drives it.
        config: What is asked for, in JSON's types.

    Raises:
        StudyError: If the folder's study has another configuration or is damaged.
    """
    folder = study.folder
    wanted = json.loads(json.dumps({**config, "versions": versions()}))
    if (folder / CONFIG).exists():
        Study.open(folder)
        _compare(folder, study.config, wanted)
        with Store(folder) as reader:
            reader.check()
        return
    known: list[Training] = []
    for source in wanted["reuse"]:
        with Store(Study.open(source).folder) as reader:
            known += [
                replace(done, origin=done.origin or source)
                for done in reader.trainings()
                if done.oracle in (wanted["oracle_key"], *wanted["screening_keys"])
            ]
    with Store(folder, write=True) as writer:
        writer.create(known)
        if writer.count():
            raise StudyError(
                f"{folder / CONFIG} is missing beside the trials of a study. Put it "
                "back or choose another folder."
            )
    write_config(folder, wanted)


def temporary() -> Study:
    """A study whose folder is removed when nobody holds it any more."""
    study = Study(Path(tempfile.mkdtemp(prefix="nahas-")))
    weakref.finalize(study, shutil.rmtree, study.folder, ignore_errors=True)
    return study


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Writes `config.json`: all of it or, after a crash, none."""
    with whole(folder / CONFIG) as file:
        file.write(json.dumps(config, indent=2).encode())


def read_config(folder: Path) -> dict[str, Any]:
    """What `config.json` of a study says."""
    try:
        found = dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise StudyError(f"{folder / CONFIG} cannot be read: {error}.") from error
    if "oracle_key" not in found:
        raise StudyError(f"{folder / CONFIG} is damaged: it names no oracle.")
    return found


def _compare(folder: Path, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuses another configuration, naming what differs; warns of other versions.

    A setting that the front end did not have when the study began says nothing: what it
    decides is compared where it counts, as a part of the controller or the oracle.
    """
    old, new = _BEFORE | dict(_flat(stored)), dict(_flat(wanted))
    differing = [
        k
        for k in sorted({*old, *new})
        if old.get(k) != new.get(k) and (k in old or not k.startswith(_SETTINGS))
    ]
    lines = {k: f"{k} was {old.get(k)!r}, now {new.get(k)!r}" for k in differing}
    refused = [lines[k] for k in differing if not k.startswith(_NOT_COMPARED)]
    if refused:
        raise StudyError(
            f"The study in {folder} has another configuration: {'; '.join(refused)}. "
            "Choose another folder, or ask for what it was started with."
        )
    moved = [lines[k] for k in differing if k.startswith("versions.")]
    if moved:
        warnings.warn(
            f"The study in {folder} was started with other versions, with which its "
            f"results may differ: {'; '.join(moved)}.",
            stacklevel=2,
        )


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings, by their dotted path."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
