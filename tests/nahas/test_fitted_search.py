"""Searches whose accuracies are predicted from those of another study."""

import shutil

import pytest
from scipy.stats import kendalltau
from toy_parts import Kernels

from nahas.__main__ import main
from nahas.controller.study import Study
from nahas.search_space.network import Network
from nahas.train import fitted

TOY = ("search", "--controller", "random", "--workers", "0", "--space", "s2")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Some networks of S2, trained in no time."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    words = ("--set", "search.oracle=toy_parts:Kernels", "--trials", "90")
    assert main([*TOY, *words, "--folder", str(folder)]) == 0
    return folder


def test_a_study_s_trainings_predict_for_another(study, tmp_path, capsys):
    words = [*TOY, "--accuracy", f"fitted:{study}", "--trials", "200"]
    assert main([*words, "--folder", str(tmp_path / "next")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "of held-out ones with Kendall's tau" in said
    assert "90 % lie within" in said
    found = Study.open(tmp_path / "next")
    trained = [trial for trial in found.trials() if trial.status == "trained"]
    assert len(trained) > 40
    deviations = found.deviations()
    assert all(0 < value < 0.1 for value in deviations.values())
    # The toy accuracy is that of the mean kernel.
    frame = found.to_frame().dropna(subset="accuracy")
    parsed = [Network.parse(text) for text in frame.network]
    truth = Kernels().evaluate(parsed).accuracy
    assert kendalltau(frame.accuracy, truth).statistic > 0.8


def test_trainings_that_have_gone_do_not_hide_what_was_found(study, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    folder = tmp_path / "next"
    words = [*TOY, "--accuracy", f"fitted:{copy}", "--folder", str(folder)]
    assert main([*words, "--trials", "20"]) == 0
    shutil.rmtree(copy)
    fitted._pinned.cache_clear()  # as in another process
    assert main(["status", str(folder)]) == 0
    assert "Trainings to predict from must be" in capsys.readouterr().out
    assert main(["resume", str(folder), "--trials", "30"]) == 2


def test_too_few_trainings_are_a_line(tmp_path, capsys):
    path = tmp_path / "known.csv"
    path.write_text("network,accuracy\n")
    words = [*TOY, "--accuracy", f"fitted:{path}", "--folder", str(tmp_path / "next")]
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert "it has 0 networks with an accuracy; 20 are needed" in printed
    assert printed.count("\n") == 1
