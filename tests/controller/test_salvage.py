"""Salvage: every sound row of a damaged study ends up in a new one."""

import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import toy_study
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_faults import change, flip_page, truncate
from toy_study import outcomes, sql

from nahas.controller import pages, store
from nahas.controller.pages import PAGE_BYTES
from nahas.controller.rows import StudyError
from nahas.controller.salvage import salvage
from nahas.controller.store import Store
from nahas.controller.study import Study

TRIALS = 150


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A study of many pages."""
    folder = tmp_path_factory.mktemp("finished")
    toy_study.run(folder, TRIALS)
    return folder


@pytest.fixture
def damaged(finished: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "damaged"))


def finish(new: Path, finished: Path) -> None:
    """Resumes a salvaged study; expects the trials of the unbroken one."""
    with Store(new) as reader:
        reader.check()
    study = toy_study.run(new, TRIALS)
    assert outcomes(study) == outcomes(Study.open(finished))


def test_a_sound_study_is_saved_whole(damaged: Path, tmp_path: Path, trained) -> None:
    saved = salvage(damaged, tmp_path / "new")
    with Store(damaged) as old, Store(tmp_path / "new") as new:
        assert new.records() == old.records()
        assert new.trainings() == old.trainings()
        assert saved.trainings == len(old.trainings())
    assert saved.trials == TRIALS
    assert saved.study.config == Study.open(damaged).config
    assert not trained()


def test_all_but_a_changed_row_is_saved(
    finished, damaged: Path, tmp_path: Path
) -> None:
    sql(
        damaged,
        "UPDATE trial SET reward = reward + 1 WHERE number = 15",
        "UPDATE training SET accuracy = 0.9 WHERE rowid = 2",
    )
    saved = salvage(damaged, tmp_path / "new")
    with Store(damaged) as old, old.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM training").scalar_one()
    assert saved.trials == 14
    assert saved.trainings == count  # the changed one is rebuilt from its trials
    finish(tmp_path / "new", finished)


def test_a_training_is_rebuilt_from_its_trials(damaged: Path, tmp_path: Path) -> None:
    with Store(damaged) as old:
        before = old.trainings()
    sql(damaged, "DELETE FROM training", "VACUUM")
    salvage(damaged, tmp_path / "new")
    with Store(tmp_path / "new") as new:
        rebuilt = {done.network: done for done in new.trainings()}
    assert len(rebuilt) == len(before)
    for done in before:
        assert rebuilt[done.network].outcome.accuracy == done.outcome.accuracy
        assert rebuilt[done.network].outcome.error == done.outcome.error


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_study_is_resumed(
    share: float, finished: Path, damaged: Path, tmp_path: Path
) -> None:
    change(damaged, lambda data: truncate(data, share))
    assert salvage(damaged, tmp_path / "new").trainings > 0
    finish(tmp_path / "new", finished)


def test_a_study_without_its_first_page_is_saved(damaged: Path, tmp_path: Path) -> None:
    change(damaged, lambda data: flip_page(data, 1))
    assert salvage(damaged, tmp_path / "new").trials == TRIALS


def test_any_flipped_page_loses_its_own_rows_only(
    finished: Path, tmp_path: Path
) -> None:
    count = (finished / store.FILE).stat().st_size // PAGE_BYTES
    lost = []
    for page in random.Random(0).sample(range(1, count + 1), min(count, 8)):
        damaged = Path(shutil.copytree(finished, tmp_path / f"damaged{page}"))
        change(damaged, lambda data, page=page: flip_page(data, page))
        found = [len(values) for _, values in pages.rows(damaged / store.FILE)]
        whole = [len(values) for _, values in pages.rows(finished / store.FILE)]
        lost.append(len(whole) - len(found))
        salvage(damaged, tmp_path / f"new{page}")
    assert max(lost) <= 2 * PAGE_BYTES // 100
    finish(tmp_path / f"new{page}", finished)


def test_rows_in_the_log_are_saved(tmp_path: Path) -> None:
    """A killed driver leaves its last rows in the write-ahead log."""
    toy_study.run(tmp_path / "live", 40)
    with Store(tmp_path / "live", write=True) as writer:
        record = writer.records()[-1]
        trial = replace(record.trial, number=41)
        writer.append([replace(record, trial=trial)])
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
    assert (tmp_path / "killed" / f"{store.FILE}-wal").stat().st_size > 0
    assert salvage(tmp_path / "killed", tmp_path / "new").trials == 41


def test_the_origin_of_a_lost_training_survives(finished: Path, tmp_path: Path) -> None:
    more = toy_study.run(tmp_path / "more", 60, reuse=[finished])
    assert more.counts()["trained"] == 0
    sql(
        more.folder,
        "DELETE FROM training",
        "DELETE FROM trial WHERE number = 30",
        "VACUUM",
    )
    saved = salvage(more.folder, tmp_path / "new").study
    resumed = toy_study.run(saved.folder, 29, reuse=[finished])
    assert resumed.counts()["trained"] == 0
    with Store(saved.folder) as reader:
        assert {done.origin for done in reader.trainings()} == {str(finished)}


def test_salvage_overwrites_nothing(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"must be a new folder. It holds a study"):
        salvage(finished, finished)
    with pytest.raises(StudyError, match=r"must hold a study.sqlite; it has none"):
        salvage(tmp_path, tmp_path / "new")


def test_salvage_needs_the_configuration(damaged: Path, tmp_path: Path) -> None:
    (damaged / "config.json").write_text("{")
    with pytest.raises(StudyError, match=r"config.json cannot be read"):
        salvage(damaged, tmp_path / "new")


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.binary(),
    st.integers(0, 30_000).map("x".__mul__),  # records longer than a page
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12))
def test_pages_hold_what_sqlite_wrote(tmp_path_factory, values) -> None:
    file = tmp_path_factory.mktemp("pages") / "x.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("CREATE TABLE t (a, b)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", values)
    connection.close()
    found = {rowid: tuple(row) for rowid, row in pages.rows(file) if len(row) == 2}
    assert found == dict(enumerate(values, start=1))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=PAGE_BYTES), st.integers(0, PAGE_BYTES))
def test_any_bytes_are_read_without_an_error(tmp_path_factory, data, at) -> None:
    file = tmp_path_factory.mktemp("pages") / "x.sqlite"
    leaf = b"\x0d\0\0\0\xff" + data
    file.write_bytes(data[:at].ljust(PAGE_BYTES, b"\0") + leaf)
    list(pages.rows(file))


def test_a_study_of_another_nahas_is_refused_and_not_called_damaged(tmp_path):
    study = toy_study.run(tmp_path / "old", 6)
    toy_study.sql(study.folder, "PRAGMA user_version = 1")
    for read in (
        study.trials,
        study.counts,
        lambda: salvage(study.folder, tmp_path / "new"),
    ):
        with pytest.raises(StudyError, match=r"must have schema version 2. Received 1"):
            read()
    assert not (tmp_path / "new" / "config.json").exists()
