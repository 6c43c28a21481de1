"""The record: what is written is read again, and what is damaged is said to be."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import toy_study
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from toy_study import outcomes, sql

from nahas.controller import rows, store
from nahas.controller.description import describe, rebuild
from nahas.controller.outcome import Outcome
from nahas.controller.reward import Limits, Reward
from nahas.controller.rows import Record, StudyError, Training
from nahas.controller.store import Store
from nahas.controller.study import Study, best, driving
from nahas.controller.trial import Trial

FLOATS = st.none() | st.floats(allow_nan=False)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    toy_study.run(folder, 60)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A finished study of the test's own."""
    return Path(shutil.copytree(finished, tmp_path / "study"))


def a_trial(number: int, **changes: Any) -> Trial:
    values = {
        "choices": (1, 2),
        "status": "trained",
        "accuracy": 0.5,
        "latency_ms": 1.0,
        "energy_mj": 1.0,
        "area_mm2": 1.0,
        "utilization": 1.0,
        "reward": 0.5,
        "feasible": True,
        "violation": 0.0,
    }
    return Trial(number, **(values | changes))


@given(
    number=st.integers(1, 2**40),
    choices=st.lists(st.integers(0, 99), max_size=5).map(tuple),
    floats=st.tuples(*[FLOATS] * 6),
    feasible=st.booleans(),
    texts=st.tuples(*[TEXTS] * 4),
)
def test_a_trial_row_gives_the_trial_again(number, choices, floats, feasible, texts):
    trial = Trial(number, choices, "trained", *floats, feasible, 0.0, *texts[:2])
    record = Record(trial, *texts[2:])
    row = rows.trial_row(record)
    assert list(row) == [column.name for column in rows.TRIAL.columns]
    assert rows.sound_record(list(row.values())) == record


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(FLOATS, FLOATS, TEXTS, TEXTS)
@example(-0.0, -0.0, "", "")
def test_sqlite_gives_every_value_back(tmp_path, accuracy, reward, reason, network):
    record = Record(
        a_trial(1, accuracy=accuracy, reward=reward, reason=reason), network
    )
    done = Training(network, "oracle", Outcome(accuracy, reward, reason, 0.25), "other")
    (tmp_path / store.FILE).unlink(missing_ok=True)
    with Store(tmp_path, write=True) as writer:
        writer.create([done])
        writer.append([record])
        assert writer.records() == [record]
        assert writer.trainings() == [done]
        writer.check()


def test_a_checksum_covers_every_column() -> None:
    sound = list(rows.trial_row(Record(a_trial(1), "network")).values())
    for column in range(len(sound)):
        damaged = list(sound)
        damaged[column] = "x" if damaged[column] != "x" else "y"
        assert rows.sound_record(damaged) is None


def test_keys_differ_for_other_networks_and_oracles() -> None:
    keys = {rows.training_key(*pair) for pair in [("a", "b"), ("b", "a"), ("ab", "")]}
    assert len(keys) == 3


def test_counts_best_frame_and_csv_agree(finished: Path, tmp_path: Path) -> None:
    study = Study.open(finished)
    trials, counts = study.trials(), study.counts()
    assert counts.pop("trials") == len(trials) == 60
    assert sum(counts.values()) == 60
    for status, count in counts.items():
        assert count == sum(trial.status == status for trial in trials)
    frame = study.to_frame()
    assert list(frame["number"]) == list(range(1, 61))
    assert frame["reward"].max() == study.best().reward
    study.export_csv(tmp_path / "trials.csv")
    read = pd.read_csv(tmp_path / "trials.csv")
    assert read["choices"][0] == " ".join(map(str, trials[0].choices))
    assert list(read["reward"].dropna()) == [
        trial.reward for trial in trials if trial.reward is not None
    ]


def test_the_best_is_the_earliest_feasible_of_the_highest_reward() -> None:
    trials = [
        a_trial(1, reward=None, feasible=False, violation=1.0),
        a_trial(2, reward=0.3),
        a_trial(3, reward=0.7),
        a_trial(4, reward=0.7),
    ]
    assert best(trials) == trials[2]
    assert best(trials[:1]) is None


def test_the_configuration_holds_versions_and_seed(finished: Path) -> None:
    config = Study.open(finished).config
    assert config["seed"] == 0
    assert {"python", "numpy", "nahas"} <= set(config["versions"])
    assert config["space"]["knobs"]["kernel"] == [3, 5, 7]
    assert rebuild(config["oracle"]) == toy_study.Sleepy()
    assert rebuild(config["reward"]) == toy_study.REWARD
    assert config["controller"]["population"] == 6


def test_another_configuration_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"seed was 0, now 3.") as caught:
        toy_study.run(folder, 70, seed=3, reward=Reward(latency_ms=1.0))
    assert "reward.latency_ms was 0.006, now 1.0" in str(caught.value)
    with pytest.raises(StudyError, match=r"limits.max_area_mm2 was 45.0, now None"):
        toy_study.run(folder, 70, limits=Limits())


def test_settings_of_a_run_may_change(tmp_path: Path) -> None:
    config = {"data": "mnist", "run": {"trials": 5}}
    toy_study.run(tmp_path, 5, config=config)
    toy_study.run(tmp_path, 6, config={**config, "run": {"trials": 6, "workers": 2}})
    with pytest.raises(StudyError, match=r"config.data was 'mnist', now 'digits'"):
        toy_study.run(tmp_path, 7, config={**config, "data": "digits"})
    # A front end that has got another setting since goes on.
    grown = {**config, "local": {"patience": 64}}
    assert len(toy_study.run(tmp_path, 8, config=grown).trials()) == 8


def test_other_versions_are_warned_of(folder: Path) -> None:
    config = Study.open(folder).config
    config["versions"]["numpy"] = "1.0"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.warns(UserWarning, match="versions.numpy was '1.0'"):
        toy_study.run(folder, 61)


def test_a_second_driver_is_refused(folder: Path) -> None:
    with driving(folder), pytest.raises(StudyError, match="Another process drives"):
        toy_study.run(folder, 70)
    assert len(toy_study.run(folder, 61).trials()) == 61


def test_reading_neither_blocks_nor_is_blocked(folder: Path) -> None:
    with driving(folder), Store(folder, write=True) as writer:
        with writer.writing():
            assert len(Study.open(folder).trials()) == 60
        with Store(folder) as reader, reader.reading() as connection:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT * FROM trial").first()
            writer.append([Record(a_trial(61), "")])
    assert len(Study.open(folder).trials()) == 61


def test_a_killed_drivers_log_is_read(folder: Path, tmp_path: Path) -> None:
    with Store(folder, write=True) as writer:
        writer.append([Record(a_trial(61), "")])
        killed = Path(shutil.copytree(folder, tmp_path / "killed"))
    (killed / f"{store.FILE}-shm").unlink()
    assert len(Study.open(killed).trials()) == 61
    with Store(killed, write=True) as writer:
        writer.check()


def test_a_study_that_cannot_be_written_is_read(folder: Path, monkeypatch) -> None:
    for name in ("-shm", "-wal"):
        (folder / f"{store.FILE}{name}").unlink(missing_ok=True)
    monkeypatch.setattr(store.os, "access", lambda *_: False)
    assert len(Study.open(folder).trials()) == 60
    assert not (folder / f"{store.FILE}-shm").exists()


def test_there_must_be_a_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"must be the folder of a study. config.json"):
        Study.open(tmp_path)


def test_a_temporary_study_goes_with_its_last_user() -> None:
    study = toy_study.run(None, 3)
    folder = study.folder
    assert folder.is_dir()
    del study
    assert not folder.exists()


def test_a_full_disk_leaves_what_is_recorded(tmp_path: Path, monkeypatch) -> None:
    toy_study.run(tmp_path, 10)
    before = outcomes(Study.open(tmp_path))
    opened = sqlite3.connect

    def connect(*args, **kwargs):
        connection = opened(*args, **kwargs)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(store, "connect", connect)
        with pytest.raises(
            StudyError, match=r"No space is left for .* Free some space"
        ):
            toy_study.run(tmp_path, 500)
    after = outcomes(Study.open(tmp_path))
    assert len(after) >= 10
    assert after[:10] == before
    assert outcomes(toy_study.run(tmp_path, 60)) == outcomes(toy_study.run(None, 60))


def refused(folder: Path, what: str) -> None:
    """Expects the driver to refuse a study, naming the way out."""
    command = f"nahas resume {folder} --salvage-to {folder}-salvaged"
    with pytest.raises(StudyError, match=what) as caught:
        toy_study.run(folder, 70)
    assert command in str(caught.value)


def test_a_truncated_file_is_refused(folder: Path) -> None:
    file = folder / store.FILE
    file.write_bytes(file.read_bytes()[:9000])
    refused(folder, "is damaged: .*")


def test_an_empty_file_is_refused(folder: Path) -> None:
    (folder / store.FILE).write_bytes(b"")
    refused(folder, "its tables are missing")


def test_a_file_of_something_else_is_refused(folder: Path) -> None:
    (folder / store.FILE).write_bytes(b"no database" * 1000)
    refused(folder, "file is not a database")


def test_a_flipped_page_is_refused(folder: Path) -> None:
    file = folder / store.FILE
    data = bytearray(file.read_bytes())
    data[2 * 4096 : 3 * 4096] = bytes(byte ^ 0xFF for byte in data[8192:12288])
    file.write_bytes(data)
    refused(folder, "is damaged")


def test_a_changed_row_is_refused(folder: Path) -> None:
    sql(folder, "UPDATE trial SET reward = reward + 1 WHERE number = 15")
    refused(folder, "trial 15 is damaged or missing")
    with pytest.raises(StudyError, match="trial 15"):
        Study.open(folder).trials()


def test_a_missing_row_is_refused(folder: Path) -> None:
    sql(folder, "DELETE FROM trial WHERE number = 15")
    refused(folder, "trial 15 is damaged or missing")


def test_a_changed_training_is_refused(folder: Path) -> None:
    sql(folder, "UPDATE training SET accuracy = 1 WHERE rowid = 2")
    refused(folder, r"training \w+ is damaged")


def test_a_record_of_another_version_is_refused(folder: Path) -> None:
    sql(folder, "PRAGMA user_version = 7")
    with pytest.raises(StudyError, match=r"must have schema version 2. Received 7"):
        toy_study.run(folder, 70)


def test_a_lost_file_is_not_replaced_in_silence(folder: Path) -> None:
    (folder / store.FILE).unlink()
    with pytest.raises(StudyError, match=r"study.sqlite is missing there"):
        toy_study.run(folder, 70)


def test_a_lost_configuration_is_not_replaced_in_silence(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(StudyError, match=r"config.json is missing beside the trials"):
        toy_study.run(folder, 70)


def test_a_description_holds_enough_to_rebuild() -> None:
    oracle = toy_study.Sleepy(2.5, deadly="x")
    described = json.loads(json.dumps(describe(oracle)))
    assert described["class"] == "toy_study:Sleepy"
    assert rebuild(described) == oracle
    with pytest.raises(ValueError, match="must be a dataclass that can be imported"):
        rebuild({"class": "toy_study:Missing"})
    with pytest.raises(ValueError, match="must be a dataclass that can be imported"):
        rebuild({})
