"""The one loop: the same trials whatever happens, and what ends a search."""

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
import toy_study
from toy_faults import Started, kill_driver
from toy_study import Sleepy, outcomes

from nahas.controller.progress import Progress
from nahas.controller.random_search import RandomSearch
from nahas.controller.reward import Limits
from nahas.controller.rows import StudyError
from nahas.controller.study import Study
from nahas.search_space.space import Knob, SearchSpace


@pytest.fixture(scope="module")
def unbroken() -> list[tuple[object, ...]]:
    return outcomes(toy_study.run(None, 50))


class Recorder:
    """Random search that notes what it is told, and may fail."""

    def __init__(self, fail_at: int = 0) -> None:
        self.fail_at = fail_at
        self.calls: list[str] = []
        self._random = RandomSearch()

    def setup(self, cardinalities, *, seed):
        self._random.setup(cardinalities, seed=seed)

    def propose(self, n):
        self.calls.append(f"propose {n}")
        if len(self.calls) == self.fail_at:
            raise RuntimeError("out of ideas")
        return self._random.propose(n)

    def update(self, trials):
        self.calls.append(f"update {[trial.number for trial in trials]}")


def test_all_statuses_occur(unbroken: list[tuple[object, ...]]) -> None:
    statuses = {outcome[2] for outcome in unbroken}
    assert statuses == {"trained", "reused", "rejected", "infeasible", "failed"}


def test_proposal_i_is_made_after_feedback_of_the_first_i_minus_w() -> None:
    recorder = Recorder()
    toy_study.run(None, 5, controller=recorder, window=2)
    assert recorder.calls == [
        "propose 1",
        "propose 1",
        "update [1]",
        "propose 1",
        "update [2]",
        "propose 1",
        "update [3]",
        "propose 1",
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers, unbroken, tmp_path: Path) -> None:
    study = toy_study.run(tmp_path, 50, workers, oracle=Sleepy(5.0))
    assert outcomes(study) == unbroken


def test_eight_workers_change_nothing(tmp_path: Path) -> None:
    study = toy_study.run(tmp_path, 40, 8, oracle=Sleepy(5.0), window=8)
    assert outcomes(study) == outcomes(toy_study.run(None, 40, window=8))


def test_a_longer_run_extends_a_shorter_one(unbroken, tmp_path: Path) -> None:
    assert outcomes(toy_study.run(tmp_path, 30)) == unbroken[:30]
    assert outcomes(toy_study.run(tmp_path, 50)) == unbroken
    assert outcomes(toy_study.run(tmp_path, 10)) == unbroken  # nothing is left to do


def test_another_seed_gives_other_trials(unbroken) -> None:
    assert outcomes(toy_study.run(None, 50, seed=1)) != unbroken


def test_a_network_is_trained_once(trained) -> None:
    study = toy_study.run(None, 50)
    networks = trained()
    assert len(networks) == len(set(networks))
    asked = {"trained", "reused", "failed"}
    records = [r for r in study.records() if r.trial.status in asked]
    assert set(networks) == {record.network for record in records}
    seen: set[str] = set()
    for record in records:
        if record.trial.status != "failed":
            assert (record.trial.status == "reused") == (record.network in seen)
        seen.add(record.network)


def test_what_breaks_a_limit_is_not_trained(trained) -> None:
    study = toy_study.run(None, 20, limits=Limits(max_area_mm2=1e-3))
    counts = study.counts()
    assert not trained()
    assert counts["rejected"] + counts["infeasible"] == 20
    for trial in study.trials():
        assert not trial.feasible
        assert trial.reason
        assert trial.reward is None
        assert trial.area_mm2 is not None
        if trial.status == "rejected":
            assert trial.violation == pytest.approx(trial.area_mm2 / 1e-3 - 1)
        else:
            assert trial.violation > 1


def test_reward_is_that_of_the_trial() -> None:
    for trial in toy_study.run(None, 30, limits=Limits()).trials():
        if trial.status in ("trained", "reused"):
            factor = min(1.0, 0.006 / trial.latency_ms)
            assert trial.reward == pytest.approx(trial.accuracy * factor)
            assert trial.feasible
            assert trial.violation == 0


def test_candidates_that_cannot_be_built_end_nothing() -> None:
    def build(values):
        return toy_study.build({"pes_x": values["pes_x"]})

    space = SearchSpace("odd", (Knob("pes_x", (0, 1)), Knob("b", (0, 1))), build)
    study = toy_study.run(
        None, 12, space=space, controller=RandomSearch(), oracle=lambda network: 0.5
    )
    trials = study.trials()
    for trial in trials:
        if trial.choices[0] == 0:
            assert trial.status == "infeasible"
            assert "`pes_x` must be a positive integer" in trial.reason
        else:
            assert trial.status in ("trained", "reused")
    assert {trial.choices[0] for trial in trials} == {0, 1}


def test_a_space_without_accelerators_is_refused() -> None:
    space = SearchSpace("odd", (Knob("a", (0, 1)),), lambda values: 3)
    with pytest.raises(TypeError, match="pairs of a network and an accelerator"):
        toy_study.run(None, 1, space=space, controller=RandomSearch())


def test_a_plain_function_is_an_oracle() -> None:
    def accuracy(network) -> float:
        return network.blocks[0].filters / 100

    study = toy_study.run(None, 20, workers=None, oracle=accuracy)
    assert {t.accuracy for t in study.trials()} <= {None, 0.16, 0.24, 0.32}
    with pytest.raises(ValueError, match="plain function works in this process only"):
        toy_study.run(None, 20, workers=1, oracle=accuracy)


def test_an_accuracy_that_is_no_number_is_a_failure() -> None:
    study = toy_study.run(None, 10, oracle=lambda network: float("nan"))
    failed = [t for t in study.trials() if t.status == "failed"]
    assert failed
    assert all(t.error == "the accuracy is nan" for t in failed)
    assert all(not t.feasible and t.violation == 1 for t in failed)
    assert study.best() is None


def test_a_failing_controller_ends_the_run_clearly(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"Recorder could not propose trial 6: Runt"):
        toy_study.run(tmp_path, 20, controller=Recorder(fail_at=10), window=2)
    assert len(Study.open(tmp_path).trials()) >= 3


def test_a_failing_reward_ends_the_run_clearly() -> None:
    def reward(accuracy, metrics):
        raise ZeroDivisionError("by zero")

    with pytest.raises(StudyError, match=r"The reward failed for trial .*by zero"):
        toy_study.run(None, 20, reward=reward)
    with pytest.raises(StudyError, match=r"The reward must be finite. Received nan"):
        toy_study.run(None, 20, reward=lambda a, m: np.full(1, np.nan))


@pytest.mark.parametrize("name", ["trials", "window"])
def test_counts_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be an integer of at least 1"):
        toy_study.run(None, **{"trials": 1, name: 0})


def test_minutes_end_a_run_cleanly(unbroken, tmp_path: Path) -> None:
    study = toy_study.run(tmp_path, 50, oracle=Sleepy(100.0), minutes=0.5 / 60)
    done = len(study.trials())
    assert 0 < done < 50
    assert outcomes(study) == unbroken[:done]
    study = toy_study.run(tmp_path, done + 5, oracle=Sleepy(100.0), minutes=1.0)
    assert outcomes(study) == unbroken[: done + 5]


def test_an_interrupt_ends_a_run_cleanly(unbroken, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == 21:
            raise KeyboardInterrupt

    study = toy_study.run(tmp_path, 50, progress=interrupt)
    assert outcomes(study) == unbroken[:21]
    assert outcomes(toy_study.run(tmp_path, 50)) == unbroken


def test_progress_counts_what_the_study_holds(tmp_path: Path) -> None:
    seen: list[Progress] = []
    study = toy_study.run(tmp_path, 30, progress=seen.append)
    last, counts = seen[-1], study.counts()
    assert (last.done, last.total, last.running) == (30, 30, 0)
    assert last.best_reward == study.best().reward
    assert last.eta_seconds == 0
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    for status in ("trained", "reused", "rejected", "infeasible", "failed"):
        assert getattr(last, status) == counts[status]


def test_trainings_of_another_study_are_reused(trained, tmp_path: Path) -> None:
    first = toy_study.run(tmp_path / "first", 50)
    before = trained()
    second = toy_study.run(tmp_path / "second", 50, reuse=[first.folder])
    assert trained() == before
    assert second.counts()["trained"] == 0
    for mine, theirs in zip(second.trials(), first.trials(), strict=True):
        assert mine.accuracy == theirs.accuracy
        assert (mine.status == "reused") == (theirs.status in ("trained", "reused"))


def test_replay_notices_another_controller(tmp_path: Path, monkeypatch) -> None:
    toy_study.run(tmp_path, 20, controller=RandomSearch())

    def propose(self, n):
        return np.zeros((n, 6), int)

    monkeypatch.setattr(RandomSearch, "propose", propose)
    with pytest.raises(StudyError, match="Replaying the study"):
        toy_study.run(tmp_path, 30, controller=RandomSearch())


def kill_and_resume(folder: Path, kills: int, seed: int, workers: int) -> Study:
    """Runs the toy search in a process of its own that is killed again and again."""
    moments = random.Random(seed)
    command = [*toy_study.COMMAND, "search", str(folder), "50", str(workers), "40"]

    def start() -> Started:
        driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        return driver.pid, driver.wait

    for _ in range(kills):
        kill_driver(start, folder, moments, least=0.5, most=2.5)
    subprocess.run(command, check=True, timeout=60)
    return Study.open(folder)


def test_a_killed_driver_resumes_as_if_unbroken(unbroken, tmp_path: Path) -> None:
    assert outcomes(kill_and_resume(tmp_path, 3, seed=0, workers=2)) == unbroken


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_driver_killed_often_resumes(seed: int, unbroken, tmp_path: Path) -> None:
    workers = seed % 3
    study = kill_and_resume(tmp_path, 5, seed=seed + 1, workers=workers)
    assert outcomes(study) == unbroken


class Told(Recorder):
    """A recorder that is told the task, and proposes by what it was told."""

    def inform(self, task):
        self.calls.append("inform")
        self.task = task

    def setup(self, cardinalities, *, seed):
        self.calls.append("setup")
        assert (cardinalities == self.task.space.cardinalities).all()
        super().setup(cardinalities, seed=seed)


def test_an_informed_controller_is_told_the_task_before_setup(tmp_path: Path) -> None:
    limits = Limits(max_area_mm2=40.0)
    for trials in (3, 5):  # begun, then continued
        told = Told()
        toy_study.run(tmp_path, trials, controller=told, window=9, limits=limits)
        assert told.calls == ["inform", "setup"] + ["propose 1"] * trials
        assert told.task.limits == limits
        assert told.task.reward is toy_study.REWARD
        assert told.task.space.cardinalities.tolist() == [3, 4, 3, 3, 3, 3]


def test_a_controller_that_refuses_the_space_leaves_no_folder(tmp_path: Path) -> None:
    class Picky(Told):
        def inform(self, task):
            raise ValueError("`space` must be another.")

    with pytest.raises(ValueError, match="must be another"):
        toy_study.run(tmp_path / "study", 3, controller=Picky())
    assert not (tmp_path / "study").exists()
