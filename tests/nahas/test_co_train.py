"""The command `co-train`, and the chooser that it hands to the training."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from nahas.__main__ import main
from nahas.accelerator.template import Platform
from nahas.controller.judgement import Task, judge
from nahas.controller.random_search import RandomSearch
from nahas.controller.reinforce import Reinforce
from nahas.controller.reward import Limits, Reward
from nahas.joint_choice import JointChoice, NoneFitsError, best_of
from nahas.search_space.joint import joint_space
from nahas.search_space.oracle import Estimate
from nahas.search_space.tabular import nas_bench_macro

SPACE = joint_space(nas_bench_macro())
TASK = Task(SPACE, Platform(), Limits(max_area_mm2=40.0), Reward(), "none")
SHORT = ["--resolution", "8", "--width", "0.125", "--set", "final.epochs=2",
         "--set", "final.batch=16", "--set", "final.warmup_epochs=0.5",
         "--set", "final.crop=1"]  # fmt: skip


@dataclass(frozen=True)
class Depth:
    """A deeper network is worth more."""

    key: str = "depth"

    def evaluate(self, networks):
        depth = np.array([len(one.blocks) / 10 for one in networks])
        nothing = np.zeros(len(depth))
        return Estimate(depth, nothing, nothing.copy(), ("",) * len(depth))


def test_the_controller_learns_of_pairs():
    chooser = JointChoice(TASK, Reinforce(learning_rate=0.3), 0)
    assert chooser.entropy() == pytest.approx(1.0)
    found = []
    for _ in range(600):
        own = chooser.propose()
        assert len(own) == 8
        depth = len(nas_bench_macro().decode(own).blocks)
        found.append(depth)
        chooser.learn(depth / 10)
    assert chooser.entropy() < 0.9
    assert np.mean(found[-100:]) > np.mean(found[:100])
    assert chooser.trials == 600 + chooser.refused
    rows = chooser.found(Depth())
    best = best_of(rows)
    assert sum(row["mode"] for row in rows) == 1
    assert best["violation"] == 0
    assert best["reward"] == max(r["reward"] for r in rows if r["violation"] == 0)
    assert best["area_mm2"] <= 40.0


def taught(task, accuracies):
    """A chooser that was told of so many networks, and all of its trials."""
    chooser = JointChoice(task, RandomSearch(), 1)
    told = []
    chooser.controller.update = told.extend
    for accuracy in accuracies:
        chooser.propose()
        chooser.learn(accuracy)
    return chooser, told


def test_what_may_not_be_trained_is_not_proposed():
    chooser, told = taught(TASK, [0.5] * 50)
    assert chooser.refused > 0
    assert [trial.number for trial in told] == list(range(1, chooser.trials + 1))
    for trial in told:
        judgement = judge(TASK, np.array(trial.choices))
        trained = judgement.status is None
        assert (trial.accuracy == 0.5) == trained
        assert trial.feasible == trained
        assert trial.violation == judgement.violation


def test_limits_that_nothing_keeps():
    task = Task(SPACE, Platform(), Limits(max_area_mm2=0.001), Reward(), "none")
    with pytest.raises(NoneFitsError, match="Of 1,000 pairs in a row none may be"):
        JointChoice(task, RandomSearch(), 0).propose()


def test_a_floor_of_the_accuracy_is_a_limit():
    task = replace(TASK, limits=Limits(min_accuracy=0.8))
    chooser, told = taught(task, [0.4, 0.8])
    low, high = (trial for trial in told if trial.status == "trained")
    assert (low.feasible, low.violation) == (False, pytest.approx(0.5))
    assert low.reason == "accuracy 40.00 % < 80.00 % (min_accuracy)"
    assert (high.feasible, high.violation) == (True, 0.0)
    rows = chooser.found(Depth())
    assert all((row["violation"] == 0) == (row["accuracy"] >= 0.8) for row in rows)


def test_limits_that_nothing_rejects_are_not_taught():
    task = replace(TASK, limits=Limits(max_area_mm2=15.0), reject="none")
    _, told = taught(task, [0.5] * 30)
    trained = [trial for trial in told if trial.status == "trained"]
    assert max(trial.area_mm2 for trial in trained) > 15.0
    assert all(trial.feasible and trial.violation == 0 for trial in trained)


def test_what_cannot_be_measured_is_not_found():
    class Broken:
        def evaluate(self, networks):
            nothing = np.full(len(networks), np.nan)
            return Estimate(nothing, nothing, nothing, ("broken",) * len(networks))

    assert JointChoice(TASK, RandomSearch(), 0).found(Broken()) == []


@pytest.mark.slow
def test_pairs_and_weights_are_found_together(images, tmp_path, capsys):
    words = ["co-train", "nas-bench-macro", "--data", images, *SHORT,
             "--folder", str(tmp_path)]  # fmt: skip
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "8 slots of nas-bench-macro and the accelerator, by reinforce" in printed.err
    assert "epoch 2 of 2" in printed.err
    assert "Best pair, " in printed.out
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["trials"] - result["refused"] == 2 * (64 // 16)
    assert 0 < result["entropy"] <= 1
    pair = json.loads((tmp_path / "best.json").read_text())
    assert pair["network"] == result["best"]["network"]

    assert main(["simulate", str(tmp_path / "best.json"), "--json"]) == 0
    costs = json.loads(capsys.readouterr().out)["streamed"]
    assert costs["latency_ms"] == pytest.approx(result["best"]["latency_ms"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "search.mode=nested"], "one of controller, reject, tailor. (in "),
        (["--set", "training.epochs=2"], "(in training)"),
        (["--set", "ppo.learning_rate=1"], "(in ppo)"),
        (["--max-area-mm2", "0.001"], "Of 1,000 pairs in a row none may be trained"),
        (["--set", "alternation.warm_up=2"], "`warm_up` must be at least 0 and below"),
        (["--set", "search.controller=nobody"], "Received 'nobody'"),
        (["--resolution", "0"], "`--resolution` must be an integer of at least 1"),
    ],
)
def test_wrong_use_is_a_line(images, tmp_path, capsys, more, said):
    words = ["co-train", "nas-bench-macro", "--data", images, *SHORT,
             "--folder", str(tmp_path / "both")]  # fmt: skip
    assert main([*words, *more]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
