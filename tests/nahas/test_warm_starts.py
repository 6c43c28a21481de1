"""First trials from elsewhere: which are taken, on what they run, what is said."""

import json

import pytest

from nahas.__main__ import main
from nahas.controller.study import Study


def search(folder, trials, *words, space="s2", controller="evolution"):
    return main(["search", "--space", space, "--set", "search.oracle=toy_parts:Kernels",
                 "--controller", controller, "--workers", "0", "--folder", str(folder),
                 "--trials", str(trials), *words])  # fmt: skip


def status(folder, capsys):
    capsys.readouterr()
    assert main(["status", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A study whose name ends as a number of trials would."""
    folder = tmp_path_factory.mktemp("runs") / "beta=1"
    words = ("--minimise", "energy", "--min-accuracy", "0.76")
    words += ("--max-latency-ms", "0.9")
    assert search(folder, 30, *words) == 0
    return folder


CORAL = ("--set", "fixed.accelerator=coral", "--set", "platform.preset=coral")


def test_in_mode_fixed_all_first_trials_run_on_the_fixed_accelerator(
    source, tmp_path, capsys
):
    folder, words = tmp_path / "coral", ("--mode", "fixed", *CORAL)
    starts = (f"{source}=3", "published:MobileNetV2")
    assert search(folder, 8, *words, "--warm-start", *starts) == 0
    trials = Study.open(folder).trials()
    assert len({trial.area_mm2 for trial in trials}) == 1
    theirs = {one.network for one in Study.open(source).records() if one.trial.feasible}
    assert all(one.network in theirs for one in Study.open(folder).records()[:3])
    said = status(folder, capsys)
    assert said["search_mode"] == "fixed"
    assert said["split"] == "all 8 trials on coral"


def test_only_trials_that_keep_their_limits_begin_another_study(
    source, tmp_path, capsys
):
    trials = Study.open(source).trials()
    rewarded = [trial for trial in trials if trial.reward is not None]
    rewarded.sort(key=lambda trial: (-trial.reward, trial.number))
    feasible = [trial.choices for trial in rewarded if trial.feasible]
    assert feasible[:2] != [trial.choices for trial in rewarded[:2]]  # cheap, and poor
    assert search(tmp_path / "next", 2, "--warm-start", f"{source}=2") == 0
    assert [t.choices for t in Study.open(tmp_path / "next").trials()] == feasible[:2]
    assert "beta=1=2: its 2 best trials" in capsys.readouterr().err
    assert search(tmp_path / "all", 1, "--warm-start", str(source)) == 0
    assert f"beta=1: its {len(feasible)} best trials" in capsys.readouterr().err


def test_accelerators_that_a_space_does_not_hold_are_named(source, tmp_path, capsys):
    chip, joint = tmp_path / "chip", tmp_path / "joint"
    assert search(chip, 2, "--mode", "fixed", *CORAL, "--max-latency-ms", "inf") == 0
    assert search(joint, 1, "--warm-start", f"{chip}=1") == 0
    said = capsys.readouterr().err
    assert "its 1 best trials; the nearest accelerators for 1 that are not of" in said


def test_a_warm_started_policy_has_its_mode(source, tmp_path, capsys):
    folder, words = tmp_path / "ppo", ("--warm-start", f"{source}=2")
    assert search(folder, 14, *words, controller="ppo") == 0
    mode = status(folder, capsys)["policy_mode"]
    assert not mode["error"]
    assert len(mode["choices"]) == len(Study.open(folder).trials()[0].choices)


def test_first_trials_are_not_of_a_phase(source, tmp_path, capsys):
    folder, words = (
        tmp_path / "phases",
        ("--mode", "phases", "--set", "phases.first=17"),
    )
    assert search(folder, 22, *words, "--warm-start", f"{source}=2") == 0
    said = status(folder, capsys)
    assert said["search_mode"] == "phases"
    assert said["split"].startswith("17 trials for the accelerator")
    assert ", 3 for the network" in said["split"]  # 22 less 2 first ones and 17
