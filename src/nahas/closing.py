"""Closing: what a study's folder gets besides its record, when a run ends.

The tables, the best pair as JSON, the pictures and the report; all can be made again
from the record, and from `references.json` and `test.json` of `references.py`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from nahas.accelerator.grid import GRID
from nahas.accelerator.template import Accelerator
from nahas.accelerator.whole_file import whole
from nahas.config import Config, from_stored
from nahas.controller.description import describe, rebuild
from nahas.controller.rows import StudyError
from nahas.controller.study import Study, argmax
from nahas.controller.trial import Trial
from nahas.fronts import front_rows
from nahas.models import BEST
from nahas.modes import mode_of_search, split_in_words
from nahas.output import number, percent, to_json
from nahas.parts import make_space
from nahas.policy_row import make_policy_row
from nahas.search_space.joint import PREFIX, Candidate
from nahas.search_space.network import Network
from nahas.study_platform import KEY
from nahas.train.fitted import Fitted
from nahas.train.imagenet_predictor import ImagenetPredictor

_PREDICTORS = {
    describe(oracle)["class"] for oracle in (ImagenetPredictor(), Fitted(""))
}
REFERENCES = "references.json"
TEST = "test.json"
SUMMARY = "summary.json"
MODE = "policy_mode.json"
TRIALS = "trials.csv"
REPORT = "report.html"


def configuration(study: Study) -> Config | None:
    """What the command line was asked for; None for a study made from Python."""
    stored = study.config.get("config")
    if not isinstance(stored, dict) or "search" not in stored:
        return None
    try:
        return from_stored(stored)
    except (TypeError, ValueError) as error:
        raise StudyError(
            f"The configuration of the study in {study.folder} cannot be used: {error}"
        ) from error


def best_candidate(study: Study, trial: Trial | None) -> Candidate | None:
    """The pair of a trial; None where the space cannot be made again here."""
    if trial is None:
        return None
    record = study.records()[trial.number - 1]
    knobs = study.config.get("space", {}).get("knobs", {})
    chosen = dict(zip(knobs, trial.choices, strict=False))
    values = {
        name.removeprefix(PREFIX): knobs[name][place]
        for name, place in chosen.items()
        if name.startswith(PREFIX)
    }
    if set(values) == set(GRID):
        return Candidate(Network.parse(record.network), Accelerator(**values))
    config = configuration(study)
    if config is None:
        return None
    try:
        candidate = make_space(config).decode(np.array(trial.choices))
    except (TypeError, ValueError):  # its module is not at hand here
        return None
    return candidate if isinstance(candidate, Candidate) else None


def read_json(path: Path) -> Any:
    """What a file of the study holds; None where it is not there, or not sound."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Writes JSON: all of it or, after a crash, none."""
    write(path, (to_json(value) + "\n").encode())


def write(path: Path, content: bytes) -> None:
    """Writes a file: all of it or, after a crash, none."""
    with whole(path) as file:
        file.write(content)


def summary(study: Study) -> dict[str, Any]:
    """Counts, the best pair, the front, references and test, in JSON's types."""
    best, trials = best_row(study), study.trials()
    return {
        "study": str(study.folder),
        "search_mode": mode_of_search(study),
        "split": split_in_words(study, len(trials)),
        **study.counts(),
        "best": best,
        "argmax": row_of(study, argmax(trials)),
        "policy_mode": policy_row(study),
        "scale": _scale(study, best),
        "front": front_rows(study.to_frame()),
        "last_error": next((t.error for t in reversed(trials) if t.error), ""),
        "references": read_json(study.folder / REFERENCES) or [],
        "test": read_json(study.folder / TEST),
        "limits": {
            name: value
            for name, value in study.config.get("limits", {}).items()
            if name.startswith(("max_", "min_"))
        },
        "reject": study.config.get("reject", "hard"),
        "violating": sum(bool(t.violation) for t in trials if t.accuracy is not None),
        "oracle": study.config.get("oracle_key"),
        "seed": study.config.get("seed"),
        "versions": study.config.get("versions"),
    }


def _scale(study: Study, best: Mapping[str, Any] | None) -> str:
    """What the accuracies mean where they are not of trainings; else empty."""
    described = study.config.get("oracle")
    if not isinstance(described, dict) or described.get("class") not in _PREDICTORS:
        return ""
    try:
        oracle = rebuild(described)
        assert isinstance(oracle, ImagenetPredictor | Fitted)
        if best is None:
            return oracle.scale
        ends = oracle.interval(np.array([best["accuracy"]]))
    except ValueError as error:  # what it was fitted on is gone
        return str(error)
    low, high = (percent(float(end[0])) for end in ends)
    return (
        f"{oracle.scale} Of networks predicted like the best, 90 % lie within {low} "
        f"to {high}; the best of many is likely to be overrated."
    )


def best_row(study: Study) -> dict[str, Any] | None:
    """The best trial with its pair; None where no trial is feasible."""
    return row_of(study, study.best())


def row_of(study: Study, trial: Trial | None) -> dict[str, Any] | None:
    """A trial of the study with its pair; None of none."""
    if trial is None:
        return None
    record = study.records()[trial.number - 1]
    row = {spec.name: getattr(trial, spec.name) for spec in fields(Trial)}
    pair = best_candidate(study, trial)
    return {
        **row,
        "scores": [score.accuracy for score in trial.scores],
        "network": record.network,
        "accelerator": asdict(pair.accelerator) if pair else None,
    }


def policy_row(study: Study) -> dict[str, Any] | None:
    """What the study's policy holds for the best; see `policy_row.py`."""
    kept, count = read_json(study.folder / MODE), study.counts()["trials"]
    if isinstance(kept, dict) and kept.get("trials") == count and "row" in kept:
        row = kept["row"]
        return row if isinstance(row, dict) else None
    config = configuration(study)
    return make_policy_row(study, config) if config else None


def others_of(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The results of a summary that are not its best pair, by what they are.

    That of the highest reward is another where it breaks a limit, the policy's mode
    where it is another candidate, or one that cannot be told.
    """
    best, others = found["best"] or {"number": None, "choices": ()}, {}
    highest, mode = found["argmax"], found["policy_mode"]
    if highest and highest["number"] != best["number"]:
        others["highest reward"] = highest
    if mode and (mode["error"] or list(mode["choices"]) != list(best["choices"])):
        others["policy's mode"] = mode
    return others


def others_in_words(others: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each: where it was met, its reward, and what limits it breaks."""
    return [f"{name}: {row['error'] or _in_words(row)}" for name, row in others.items()]


def _in_words(row: Mapping[str, Any]) -> str:
    met = f"trial {row['number']}" if row["number"] else "never proposed"
    worth = "its network is not trained"
    if row["accuracy"] is not None:
        worth = f"reward {number(row['reward'])}"
    kept = "keeps the limits"
    if row["status"] == "infeasible":
        kept = f"cannot run: {row['reason']}"
    elif row["violation"]:
        kept = f"breaks {row['reason']}"
    return f"{met}, {worth}; {kept}"


def write_files(
    study: Study, render: Callable[[Study, Mapping[str, bytes]], bytes]
) -> list[Path]:
    """Writes the tables, the best pair, the pictures and the report; returns them.

    Args:
        study: The study.
        render: Makes the page of a study and its pictures.
    """
    from nahas import plots

    folder = study.folder
    row = {"trials": study.counts()["trials"], "row": policy_row(study)}
    write_json(folder / MODE, row)
    found = summary(study)
    study.export_csv(folder / TRIALS)
    write_json(folder / SUMMARY, found)
    written = [folder / TRIALS, folder / SUMMARY]
    pair = best_candidate(study, study.best())
    if pair is not None:
        platform = {KEY: study.config[KEY]} if KEY in study.config else {}
        write_json(folder / BEST, pair.to_json() | platform)
        written.append(folder / BEST)
    pictures = plots.of_study(study.to_frame(), found)
    files = {f"{name}.png": picture for name, picture in pictures.items()}
    files[REPORT] = render(study, pictures)
    for name, content in files.items():
        write(folder / name, content)
    return [*written, *(folder / name for name in files)]
