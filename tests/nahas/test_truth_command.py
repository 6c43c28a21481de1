"""The command `truth`, and a search of a table, on four rows of our own."""

import csv
import json

import pytest

from nahas.__main__ import main
from nahas.accelerator.grid import BASELINE, GRID_SIZE
from nahas.accelerator.machines import area_mm2
from nahas.controller.study import Study

TABLE = """\
arch,acc1,acc2,acc3
00000000,45.0,46.0,47.0
10000001,60.0,61.0,62.5
10000010,63.0,62.0,61.5
22222222,93.0,92.0,92.5
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return str(path)


def run(capsys, *words):
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def written(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_all_pairs_are_counted_and_the_answer_is_kept(capsys, tmp_path, table):
    words = ["truth", table, "--cache", str(tmp_path / "kept"), "--set",
             "network.resolution=32", "--set", "network.classes=10"]  # fmt: skip
    front = tmp_path / "front.csv"
    code, out, _ = run(capsys, *words, "--json", "--csv", str(front))
    assert code == 0
    found = json.loads(out)
    assert found["pairs"] == 4 * GRID_SIZE
    assert found["distinct_pairs"] == 3 * GRID_SIZE
    area = float(area_mm2([BASELINE])[0])
    assert found["limits"]["max_area_mm2"] == area
    pairs = found["front"]["pairs"]
    assert found["front"]["size"] == len(pairs)
    assert 0 < found["front"]["hypervolume"] < 1
    judged = {round(pair["accuracy"], 6) for pair in pairs}
    assert judged == {0.465, 0.62, 0.9225}
    assert all(pair["area_mm2"] <= area for pair in pairs)
    with front.open() as file:
        assert len(list(csv.DictReader(file))) == len(pairs)
    for target in found["targets"]:
        assert target["best"]["latency_ms"] <= target["latency_ms"]
        assert target["share"] == target["pairs"] / found["pairs"]
    shares = [target["share"] for target in found["targets"]]
    assert shares == sorted(shares)
    kept = written(tmp_path / "kept")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "200,000 pairs of 4 rows and 50,000 accelerators, all simulated" in out
    assert written(tmp_path / "kept") == kept


def test_limits_that_nothing_keeps_are_said(capsys, tmp_path, table):
    code, out, err = run(
        capsys, "truth", table, "--cache", str(tmp_path), "--max-latency-ms", "1e-9",
        "--set", "network.resolution=32",
    )  # fmt: skip
    assert (code, out) == (1, "")
    assert "No pair keeps the limits." in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["truth", "nowhere.csv"], "No such file"),
        (["truth", "TABLE", "--set", "search.seed=1"], "must be network.KEY=VALUE"),
        (["truth", "TABLE", "--set", "network.width=0.5"], "networks of this size"),
        (["truth", "TABLE", "--max-area-mm2", "0"], "max_area_mm2"),
        (["truth", "imagenet-predictor", "--set", "network.resolution=32"], "left out"),
        (["search", "--accuracy", "table:nowhere.csv"], "No such file"),
        (
            ["search", "--accuracy", "tables"],
            "predictor, table:FILE, one-shot:FOLDER, ",
        ),
    ],
)
def test_bad_input_is_a_line(capsys, table, words, message):
    given = [table if word == "TABLE" else word for word in words]
    code, out, err = run(capsys, *given)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_search_sees_the_first_training_of_a_table(capsys, tmp_path, table):
    folder = tmp_path / "study"
    code, _, _ = run(
        capsys, "search", "--space", "nas-bench-macro", "--accuracy", f"table:{table}",
        "--controller", "random", "--workers", "0", "--trials", "40", "--folder",
        str(folder), "--max-latency-ms", "inf", "--max-area-mm2", "inf",
    )  # fmt: skip
    assert code == 0
    trials = Study.open(folder).trials()
    assert {trial.accuracy for trial in trials} <= {None, 0.45, 0.6, 0.93}
    assert all(trial.error for trial in trials if trial.status == "failed")
