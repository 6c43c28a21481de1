"""Screening by the command line: its settings, counts, pages and forecasts."""

import pandas as pd
import pytest

from nahas.__main__ import main
from nahas.config import load
from nahas.controller.study import Study
from nahas.oracles import make_screening

TOY = (
    "search", "--space", "toy_parts:space", "--set", "search.oracle=toy_parts:Kernels",
    "--set", "screening.oracle=toy_parts:First", "--controller", "random",
)  # fmt: skip


def search(folder, *words, trials=40):
    return main([*TOY, "--folder", str(folder), "--trials", str(trials), *words])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "toy"
    assert search(folder, "--workers", "2") == 0
    return folder


def test_screened_trials_are_counted_wherever_trials_are(study, capsys):
    counts = Study.open(study).counts()
    assert counts["screened"] > 0
    assert main(["status", str(study)]) == 0
    heads, _, row = capsys.readouterr().out.splitlines()[1:4]
    shown = dict(zip(heads.split(), map(int, row.split()), strict=True))
    assert shown == counts
    assert '<th class="n">screened</th>' in (study / "report.html").read_text()
    frame = pd.read_csv(study / "trials.csv")
    screened = frame[frame.status == "screened"]
    assert screened.accuracy.isna().all()
    assert (screened.scores.astype(float) < 0.75).all()
    assert screened.reason.str.contains("before it are better by screening 1").all()


def test_a_resumed_study_screens_as_before(study, tmp_path):
    assert search(tmp_path / "begun", "--workers", "0", trials=25) == 0
    assert main(["resume", str(tmp_path / "begun"), "--trials", "40"]) == 0
    both = [Study.open(folder).trials() for folder in (study, tmp_path / "begun")]
    assert [t.outcome for t in both[0]] == [t.outcome for t in both[1]]


def test_a_forecast_tells_the_rungs_apart(tmp_path, capsys):
    assert search(tmp_path / "absent", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "of 100%, one training" in said
    assert "of 33%, one training" in said


def test_shorter_trainings_screen_before_the_whole_one():
    words = ["training.epochs=8", "screening.epochs=[1, 3]", "screening.keep=0.25"]
    config = load(settings=words)
    rules = make_screening(config)
    assert [oracle.epochs for oracle in rules.oracles] == [1, 3]
    assert rules.keep == 0.25
    assert make_screening(load()) is None


def test_a_search_for_the_least_costs_screens_by_the_front(tmp_path):
    words = ("--minimise", "energy", "--min-accuracy", "0.8", "--workers", "0")
    assert search(tmp_path / "least", *words, trials=60) == 0
    study = Study.open(tmp_path / "least")
    assert study.config["screening"]["by"] == "front"
    assert study.best().accuracy >= 0.8


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "screening.oracle=toy_parts:Kernels",
            "and the study's own, must all be different",
        ),
        ("screening.oracle=guess", "`oracle` must be proxy, imagenet-predictor"),
        ("screening.keep=1.5", "`keep` must be above 0 and below 1. Received 1.5"),
        ("screening.by=luck", "`by`"),
        ("screening.epochs=[3, 2]", "must rise, and be fewer than the training's"),
        ("screening.rungs=3", "screening"),
        ("screening.epochs=[0]", "positive integers. Received 0 (in screening.epochs)"),
        ("screening.oracle=fitted:", "must name a file or a folder"),
        ("screening.oracle=:", "must name an object as module:name"),
    ],
)
def test_wrong_settings_are_a_line(tmp_path, capsys, setting, said):
    assert search(tmp_path / "absent", "--set", setting) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
