"""Screening: who climbs, who is put aside and why, whatever trains and when."""

import csv
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import toy_study
from toy_study import Sleepy, fraction, outcomes

from nahas.controller import training_queue as queue
from nahas.controller.random_search import RandomSearch
from nahas.controller.reward import Least, Limits
from nahas.controller.rows import StudyError
from nahas.controller.salvage import salvage
from nahas.controller.screening import Screened, Screening, share_better
from nahas.controller.store import Store
from nahas.controller.trial import Score
from nahas.controller.workers import work
from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate

WINDOW = 4


@dataclass(frozen=True)
class Rough(Sleepy):
    """Sees an accuracy through noise; fails networks of its own, one in ten."""

    noise: float = 0.3

    @property
    def key(self) -> str:
        return f"rough {self.noise}"

    def evaluate(self, networks):
        texts = [str(network) for network in networks]
        if log := os.environ.get("TOY_LOG"):
            with Path(log).open("a") as file:
                file.writelines(f"{self.noise} {text}\n" for text in texts)
        if any(fraction(f"fails {text}") < 1 / 10 for text in texts):
            raise ArithmeticError("rough ground")
        accuracy = np.array([
            (1 - self.noise) * fraction(text)
            + self.noise * fraction(f"{self.noise} {text}")
            for text in texts
        ])  # fmt: skip
        zeros = np.zeros(len(texts))
        return Estimate(accuracy, zeros, zeros + 0.0001, ("",) * len(texts))


RULES = Screening((Rough(noise=0.5), Rough(noise=0.2)), keep=0.4)


def run(folder, trials, workers=0, screening=RULES, **more):
    more = {"space": toy_study.wide(), "window": WINDOW} | more
    return toy_study.run(folder, trials, workers, screening=screening, **more)


def scored(reward, accuracy=0.5, latency=1.0, energy=1.0):
    return Screened(Score(accuracy, reward), latency, energy)


def test_the_share_of_higher_rewards():
    before = [scored(0.1), scored(0.5), scored(0.7), scored(0.9)]
    assert share_better(scored(0.5), before, "reward") == 0.5
    assert share_better(scored(1.0), before, "reward") == 0
    assert share_better(scored(0.0), before, "reward") == 1
    assert share_better(scored(0.0), [], "reward") == 0


def test_fronts_are_taken_away_in_turn():
    """Of accuracies with their latencies; the reward counts for nothing."""
    points = [(0.9, 3.0), (0.5, 1.0), (0.8, 3.0), (0.4, 1.5), (0.4, 4.0)]
    before = [scored(0.0, a, latency) for a, latency in points]
    # Fronts: {0, 1}, {2, 3}, {4}.
    assert share_better(scored(1.0, 0.7, 2.0), before, "front") == 0
    assert share_better(scored(1.0, 0.85, 3.5), before, "front") == 2 / 5
    assert share_better(scored(1.0, 0.3, 5.0), before, "front") == 1


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "log.txt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOY_LOG", str(log))
        found = run(None, 80, controller=RandomSearch())
    return found, log.read_text().splitlines()


def test_who_climbs_is_decided_by_what_was_fed_back(study):
    """Every verdict, reckoned again from the trials alone."""
    trials = study[0].trials()
    assert {"trained", "screened", "failed"} <= {t.status for t in trials}
    for trial in trials:
        for rung, score in enumerate(trial.scores):
            before = [
                Screened.of(other.scores[rung], other) for other in trials
                if other.number <= trial.number - WINDOW and len(other.scores) > rung
            ]  # fmt: skip
            share = share_better(Screened.of(score, trial), before, "reward")
            last = rung == len(trial.scores) - 1
            assert (share >= RULES.keep) == (last and trial.status == "screened")
            if trial.status == "screened" and last:
                assert trial.violation == share
                assert trial.reason.startswith(f"{share:.0%} of the {len(before)}")
                assert f"by screening {rung + 1} (accuracy" in trial.reason
        if trial.status == "screened":
            assert (trial.accuracy, trial.reward, trial.feasible) == (None, None, False)
    assert {len(t.scores) for t in trials if t.status == "screened"} == {1, 2}


def test_cheaper_oracles_are_asked_first_and_each_once_a_network(study):
    found, log = study
    assert max(Counter(log).values()) == 1
    asked = Counter(line.partition(" ")[0] for line in log)
    rungs = [asked["0.5"], asked["0.2"], asked.total() - asked["0.5"] - asked["0.2"]]
    assert rungs[0] > rungs[1] > rungs[2] > 0
    counts = found.counts()
    judged = ("trained", "reused", "failed", "screened")
    assert sum(counts[status] for status in judged) >= rungs[0]
    assert counts["screened"] > counts["trained"]


def test_what_is_screened_out_is_no_result(study):
    found = study[0]
    best = found.best()
    assert best.status in ("trained", "reused")
    assert best.scores
    frame = found.to_frame()
    assert frame.loc[frame.status == "screened", "accuracy"].isna().all()


def test_seconds_are_those_of_all_rungs(study):
    for trial in study[0].trials():
        if trial.status == "trained":
            assert trial.seconds == pytest.approx(0.001 + len(trial.scores) * 0.0001)


@pytest.mark.parametrize("by", ["reward", "front"])
def test_the_seed_alone_decides(tmp_path, by):
    rules = Screening(RULES.oracles, keep=0.4, by=by)
    expected = outcomes(run(None, 40, screening=rules))
    assert outcomes(run(tmp_path / "two", 40, 2, screening=rules)) == expected
    for trials in (13, 14, 40):
        resumed = run(tmp_path / "resumed", trials, screening=rules)
    assert outcomes(resumed) == expected
    assert any(len(outcome[-1]) == 2 for outcome in expected)


def test_another_window_is_another_study():
    assert outcomes(run(None, 40)) != outcomes(run(None, 40, window=5))


def test_a_worker_of_the_users_own_trains_for_all_oracles(tmp_path):
    """It makes them from the study's folder."""
    study = run(tmp_path, 8)
    text = str(study.records()[0].network)
    network = Network.parse(text)
    other = str(replace(network, head_filters=network.head_filters + 1))
    keys = {oracle.key for oracle in (*RULES.oracles, Sleepy())}
    with Store(tmp_path, write=True) as store:
        queue.enqueue(store, [(other, key) for key in sorted(keys)])
        before = len(store.trainings())
        assert work(tmp_path, max_trainings=3) == 3
        done = store.trainings()
    assert len(done) == before + 3
    assert {training.oracle for training in done if training.network == other} == keys


def test_screened_trials_are_kept_to_the_digit(tmp_path):
    study = run(tmp_path / "study", 30)
    study.export_csv(tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    for trial, row in zip(study.trials(), rows, strict=True):
        said = [float(word) for word in row["scores"].split()]
        assert said == pytest.approx([s.accuracy for s in trial.scores], rel=1e-5)
    saved = salvage(study.folder, tmp_path / "saved")
    assert outcomes(saved.study) == outcomes(study)


def test_another_screening_is_another_configuration(tmp_path):
    run(tmp_path, 6)
    with pytest.raises(StudyError, match=r"screening.keep was 0.4, now 0.3"):
        run(tmp_path, 8, screening=Screening(RULES.oracles, keep=0.3))
    with pytest.raises(StudyError, match=r"screening.* was"):
        run(tmp_path, 8, screening=None)


def test_trainings_of_all_oracles_are_reused(tmp_path, monkeypatch):
    first = run(tmp_path / "first", 30)
    log = tmp_path / "log.txt"
    monkeypatch.setenv("TOY_LOG", str(log))
    again = run(tmp_path / "again", 30, reuse=[str(first.folder)])
    assert not log.exists()
    kept = [(t.status == "screened", t.scores, t.reward) for t in first.trials()]
    assert [
        (t.status == "screened", t.scores, t.reward) for t in again.trials()
    ] == kept


def test_a_network_whose_accuracy_was_fed_back_is_not_screened():
    trials = run(None, 120, space=toy_study.space(), limits=Limits()).records()
    first = {}
    again = 0
    for record in trials:
        trial = record.trial
        since = first.get(record.network)
        if since is not None and since <= trial.number - WINDOW:
            assert (trial.status, trial.scores) in (("reused", ()), ("infeasible", ()))
            again += trial.status == "reused"
        if trial.accuracy is not None:
            first.setdefault(record.network, trial.number)
    assert again > 5


def test_costs_are_not_minimised_by_screening_with_their_reward():
    with pytest.raises(ValueError, match=r"must be .front. where costs are minimised"):
        run(None, 4, reward=Least("energy"), limits=Limits(min_accuracy=0.3))
    rules = Screening(RULES.oracles, keep=0.4, by="front")
    limits = Limits(min_accuracy=0.6)
    study = run(None, 80, screening=rules, reward=Least("energy"), limits=limits)
    assert study.counts()["screened"] > 0
    assert study.best().accuracy >= 0.6


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Screening(()), "must be one or more. Received none"),
        (
            lambda: run(None, 4, screening=Screening((Rough(), Rough()))),
            "must all be different. Received 2 of the key .rough 0.3.",
        ),
        (lambda: Screening((Rough(),), keep=1.0), "above 0 and below 1. Received 1.0"),
        (lambda: Screening((Rough(),), keep=float("nan")), "Received nan"),
        (lambda: Screening((Rough(),), keep="a"), "Received 'a'"),
        (lambda: Screening((Rough(),), by="luck"), "one of reward, front"),
        (
            lambda: run(None, 4, screening=Screening((Sleepy(),))),
            "must all be different",
        ),
    ],
)
def test_wrong_rules_are_refused(made, said):
    with pytest.raises(ValueError, match=said):
        made()


@pytest.mark.parametrize("made", [Rough(), (lambda network: 0.5,), [Rough()]])
def test_what_is_no_tuple_of_oracles_is_refused(made):
    with pytest.raises(TypeError, match="must be a tuple of oracles"):
        Screening(made)


def test_oracles_of_a_study_share_their_threads():
    @dataclass(frozen=True)
    class Threaded(Rough):
        threads: int = 2

    @dataclass(frozen=True)
    class Single(Sleepy):
        threads: int = 1

    with pytest.raises(ValueError, match="the same in all oracles of a study"):
        run(None, 4, screening=Screening((Threaded(),)), oracle=Single())
