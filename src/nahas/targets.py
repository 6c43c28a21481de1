"""Targets: one study for each of several latency targets, side by side in a folder.

`targets.json` says what was asked for, before the first study begins; the study of each
target lies in a folder of its own beside it. A study starts with all trainings of the
one before it, which is finished by then: whatever is killed, the trials are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from nahas.closing import best_row, read_json, write_json
from nahas.config import Config, from_stored, to_stored
from nahas.controller.rows import StudyError
from nahas.controller.study import CONFIG, Study
from nahas.controller.trial import Trial

FILE = "targets.json"
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What a search for several latency targets was asked for.

    Attributes:
        folder: Where the studies lie.
        latency_ms: The targets, in the order of the studies.
        config: What is asked for, but for the target.
        reuse: Studies whose trainings the first one starts with.
    """

    folder: Path
    latency_ms: tuple[float, ...]
    config: Config
    reuse: tuple[str, ...] = ()

    def study_folder(self, target: float) -> Path:
        """Where the study of a target lies, or will."""
        return self.folder / f"latency_{target!r}_ms"

    def config_of(self, target: float) -> Config:
        """The search of one target: its limit, and what its reward is weighed by."""
        return replace(
            self.config,
            limits=replace(self.config.limits, max_latency_ms=target),
            reward=replace(self.config.reward, latency_ms=target),
        )

    def reuse_of(self, target: float) -> list[str]:
        """Studies whose trainings that of a target starts with.

        The one before holds those of all before it.
        """
        place = self.latency_ms.index(target)
        if not place:
            return list(self.reuse)
        return [str(self.study_folder(self.latency_ms[place - 1]))]

    def study(self, target: float) -> Study | None:
        """The study of a target; None where it has not begun."""
        folder = self.study_folder(target)
        return Study.open(folder) if (folder / CONFIG).is_file() else None


def parse(word: str) -> tuple[float, ...]:
    """The targets in a word.

    >>> parse("0.3,0.5,1")
    (0.3, 0.5, 1.0)

    Raises:
        ValueError: If they are not positive numbers, each once.
    """
    try:
        found = tuple(float(part) for part in word.split(","))
    except ValueError:
        found = ()
    sound = all(isfinite(target) and target > 0 for target in found)
    if not found or not sound or len({*found}) < len(found):
        raise ValueError(
            "`--latency-targets` must be positive numbers of ms, each once, such as "
            f"0.3,0.5,1.0. Received {word!r}."
        )
    return found


def are_in(folder: str | Path) -> bool:
    """Whether a folder holds the studies of several targets."""
    return (Path(folder) / FILE).is_file()


def begin(asked: Targets) -> None:
    """Writes what is asked for, or checks that the folder holds the same.

    Raises:
        StudyError: If other targets, or another study, are there.
    """
    if (asked.folder / CONFIG).exists():
        raise StudyError(
            f"{asked.folder} holds a study of its own. Choose another folder for "
            "those of several latency targets."
        )
    if are_in(asked.folder):
        known = read(asked.folder)
        if known.latency_ms != asked.latency_ms:
            raise StudyError(
                f"The studies in {asked.folder} are of the latency targets "
                f"{_said(known.latency_ms)}, not {_said(asked.latency_ms)} ms. Choose "
                "another folder, or ask for those."
            )
        if asked.study(asked.latency_ms[0]):  # which refuses what differs otherwise
            return
    asked.folder.mkdir(parents=True, exist_ok=True)
    table = {
        "latency_ms": asked.latency_ms,
        "config": to_stored(asked.config),
        "reuse": asked.reuse,
    }
    write_json(asked.folder / FILE, table)


def read(folder: Path) -> Targets:
    """What the studies in a folder were asked for.

    Raises:
        StudyError: If that cannot be read.
    """
    found = read_json(folder / FILE)
    try:
        targets = tuple(float(target) for target in found["latency_ms"])
        config = from_stored(found["config"])
        return Targets(folder, targets, config, tuple(found["reuse"]))
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(
            f"{folder / FILE} cannot be read: {type(error).__name__}: {error}."
        ) from error


def rows(asked: Targets) -> list[dict[str, Any]]:
    """What came of each target, in JSON's types.

    "best" is the best pair of the target's own study; "of_all" the best that the study
    of any target met within this one, which another may have found by chance.
    """
    studies = {target: asked.study(target) for target in asked.latency_ms}
    found: dict[float, Sequence[Trial]] = {
        target: study.trials() if study else () for target, study in studies.items()
    }
    table = []
    for target, study in studies.items():
        within = [
            (_worth(asked, trial), -place, -trial.number, trial, other)
            for place, (other, trials) in enumerate(found.items())
            for trial in trials
            if trial.feasible and (trial.latency_ms or 0.0) <= target
        ]
        best = max(within)[3:] if within else None
        counts = study.counts() if study else {"trials": 0}
        table.append(
            {
                "latency_target_ms": target,
                "study": str(asked.study_folder(target)),
                **counts,
                "best": best_row(study) if study else None,
                "of_all": _of_all(*best) if best else None,
            }
        )
    return table


def summary(asked: Targets) -> dict[str, Any]:
    """The targets, what came of each, and what is asked for, in JSON's types."""
    return {
        "folder": str(asked.folder),
        "trials_a_target": asked.config.search.trials,
        "targets": rows(asked),
        "config": to_stored(asked.config),
    }


def cells(table: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The table of `rows` with one value a column."""
    columns = ("accuracy", "latency_ms", "energy_mj", "area_mm2", "reward")
    return [
        {
            "target, ms": row["latency_target_ms"],
            **{name: row.get(name, 0) for name in ("trials", "trained", "reused")},
            **{name: (row["best"] or {}).get(name) for name in columns},
            "accuracy of all": (row["of_all"] or {}).get("accuracy"),
        }
        for row in table
    ]


def _worth(asked: Targets, trial: Trial) -> float:
    """What compares trials of studies whose rewards differ by their targets."""
    worth = trial.reward if asked.config.search.minimise else trial.accuracy
    return float("-inf") if worth is None else worth


def _of_all(trial: Trial, target: float) -> dict[str, Any]:
    return {
        "latency_target_ms": target,
        "number": trial.number,
        "accuracy": trial.accuracy,
        "latency_ms": trial.latency_ms,
        "energy_mj": trial.energy_mj,
        "area_mm2": trial.area_mm2,
    }


def _said(targets: Sequence[float]) -> str:
    return ", ".join(f"{target:g}" for target in targets)
