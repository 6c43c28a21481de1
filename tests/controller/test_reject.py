"""What is trained and what is taught, where limits reject nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_study
from test_exact_sweep import space as sweepable
from toy_study import outcomes

from nahas.accelerator.template import Platform
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.judgement import Task, judge, judge_all
from nahas.controller.ppo import PPO
from nahas.controller.random_search import RandomSearch
from nahas.controller.reward import Limits, Reward
from nahas.controller.rows import StudyError
from nahas.controller.study import CONFIG, Study, read_config, write_config

LIMITS = Limits(max_area_mm2=45.0, min_accuracy=0.5)


def run(folder, trials, reject="none", **more):
    return toy_study.run(folder, trials, reject=reject, **({"limits": LIMITS} | more))


def test_the_same_proposals_trained_or_not():
    """Random search learns nothing: trial by trial, only what is rejected differs."""
    hard = run(None, 80, "hard", controller=RandomSearch()).trials()
    none = run(None, 80, controller=RandomSearch()).trials()
    assert {t.status for t in hard} >= {"rejected", "infeasible", "trained"}
    for before, now in zip(hard, none, strict=True):
        assert now.choices == before.choices
        if before.status != "rejected":
            continue
        if now.status == "failed":
            assert now.violation == 1.0
            continue
        assert now.status in ("trained", "reused")
        assert now.accuracy is not None
        assert now.reward is not None
        assert not now.feasible
        short = float(LIMITS.shortfall([now.accuracy])[0])
        assert now.violation == pytest.approx(before.violation + short)
        assert now.reason.startswith(before.reason)
        assert ("min_accuracy" in now.reason) == (short > 0)
    both = [t for t in none if "max_area" in t.reason and "min_accuracy" in t.reason]
    assert both


def test_what_cannot_run_is_not_trained():
    trials = run(None, 80, controller=RandomSearch()).trials()
    stuck = [t for t in trials if t.status == "infeasible"]
    assert stuck
    assert all(t.accuracy is None and t.violation >= 1 for t in stuck)


def test_the_best_keeps_the_limits():
    study = run(None, 80)
    best, trials = study.best(), study.trials()
    assert best.feasible
    assert best.area_mm2 <= 45.0
    assert max(t.reward for t in trials if t.reward is not None) > best.reward


def test_the_reward_alone_is_taught():
    """So the limits change no proposal: only what is said of it."""
    limited = run(None, 60, controller=PPO()).trials()
    free = run(None, 60, controller=PPO(), limits=Limits()).trials()
    assert [t.choices for t in limited] == [t.choices for t in free]
    assert [t.reward for t in limited] == [t.reward for t in free]
    assert [t.unlimited.outcome for t in limited] == [t.outcome for t in free]
    assert {t.feasible for t in limited if t.reward is not None} == {True, False}


def test_a_sweep_is_told_of_no_limits():
    def chosen(**more):
        chooses = ExactSweep(RegularizedEvolution(3, 2))
        found = toy_study.run(None, 8, controller=chooses, space=sweepable(), **more)
        return [t.choices for t in found.trials()]

    free = chosen(limits=Limits())
    bound = Limits(max_area_mm2=9.0)
    assert chosen(limits=bound, reject="none") == free != chosen(limits=bound)


def test_a_study_is_continued_as_if_unbroken(tmp_path: Path):
    unbroken = outcomes(run(None, 40))
    run(tmp_path, 17)
    assert outcomes(run(tmp_path, 40)) == unbroken
    with pytest.raises(StudyError, match="reject was 'none', now 'hard'"):
        run(tmp_path, 41, "hard")


def test_a_study_from_before_the_choice_rejects(tmp_path: Path):
    run(tmp_path, 10, "hard")
    config = read_config(tmp_path)
    assert config.pop("reject") == "hard"
    (tmp_path / CONFIG).unlink()
    write_config(tmp_path, config)
    assert len(run(tmp_path, 12, "hard").trials()) == 12
    with pytest.raises(StudyError, match="reject was 'hard', now 'none'"):
        run(tmp_path, 13)
    assert len(Study.open(tmp_path).trials()) == 12


def test_a_judgement_to_train_says_what_is_broken():
    task = Task(toy_study.space(), Platform(), LIMITS, Reward(), "none", "none")
    rows = task.space.random(np.random.default_rng(0), 60)
    hard = [judge(replace(task, reject="hard"), row) for row in rows]
    none = [judge(task, row) for row in rows]
    for before, now in zip(hard, none, strict=True):
        assert (now.violation, now.reason) == (before.violation, before.reason)
        kept = before.status == "infeasible"
        assert now.status == ("infeasible" if kept else None)
    assert task.told.limits == Limits()
    assert replace(task, reject="hard").told.limits == LIMITS


@pytest.mark.parametrize("weights", ["streamed", "kept", "resident"])
def test_judged_at_once_or_one_by_one(weights):
    """To the bit, what cannot be built or run too; a batch of any length."""
    task = Task(
        toy_study.space(), Platform(weights=weights), LIMITS, Reward(), "none", "hard"
    )
    rows = task.space.random(np.random.default_rng(1), 60)
    alone = [judge(task, row) for row in rows]
    assert {one.status for one in alone} == {None, "rejected", "infeasible"}
    for count in (60, 7):
        for before, now in zip(alone, judge_all(task, rows[:count]), strict=False):
            assert now.costs == before.costs
            assert replace(now, metrics=None) == replace(before, metrics=None)
            if now.metrics is not None:
                accuracy = np.array([0.7])
                reward = task.reward(accuracy, now.metrics)
                assert reward.tolist() == task.reward(accuracy, before.metrics).tolist()
                assert now.metrics.reason(0) == before.metrics.reason(0)


def test_unknown_ways_to_reject():
    with pytest.raises(ValueError, match=r"`reject` must be one of hard, none. Rec"):
        run(None, 3, "soft")
