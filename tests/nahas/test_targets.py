"""Several latency targets in one run, on real studies with an instant oracle."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nahas import targets
from nahas.__main__ import main
from nahas.controller.rows import StudyError
from nahas.controller.store import Store
from nahas.controller.study import Study
from nahas.plots import plot_targets

LATENCIES = (0.0138, 0.0155, 0.03)
WORDS = (
    "search", "--space", "toy_parts:space", "--set", "search.oracle=toy_parts:Kernels",
    "--controller", "random", "--seed", "5", "--workers", "0",
    "--latency-targets", "0.0138,0.0155,0.03",
)  # fmt: skip
TRIALS = 20


def search(folder, trials=TRIALS, *words):
    return main([*WORDS, "--folder", str(folder), "--trials", str(trials), *words])


def outcomes(folder):
    return [
        [trial.outcome for trial in Study.open(path).trials()]
        for path in sorted(Path(folder).glob("latency_*"))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "toy"
    assert search(path) == 0
    return path


def test_each_target_has_a_study_of_its_own(folder):
    for target in LATENCIES:
        study = Study.open(folder / f"latency_{target}_ms")
        assert study.counts()["trials"] == TRIALS
        assert study.config["limits"]["max_latency_ms"] == target
        assert study.config["reward"]["latency_ms"] == target
        assert all(t.latency_ms <= target for t in study.trials() if t.feasible)


def test_nothing_is_trained_twice(folder):
    trained = []
    for path in sorted(folder.glob("latency_*")):
        with Store(path) as store:
            done = store.trainings()
        trained += [training.network for training in done if not training.origin]
    assert len(trained) == len(set(trained)) > 0
    last = Study.open(folder / "latency_0.03_ms").counts()
    assert last["reused"] > 0


def test_the_table_by_hand(folder, capsys):
    assert main(["status", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((folder / "summary.json").read_text())
    trials = [t for path in folder.glob("latency_*") for t in Study.open(path).trials()]
    feasible = [t for t in trials if t.feasible]
    assert [row["latency_target_ms"] for row in found["targets"]] == list(LATENCIES)
    for row in found["targets"]:
        target = row["latency_target_ms"]
        own = Study.open(row["study"]).best()
        assert row["best"]["number"] == own.number
        assert row["best"]["accelerator"]["pes_x"] > 0
        within = [t.accuracy for t in feasible if t.latency_ms <= target]
        assert row["of_all"]["accuracy"] == max(within)
    of_all = [row["of_all"]["accuracy"] for row in found["targets"]]
    assert of_all == sorted(of_all)
    assert main(["status", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[3:6]] == ["0.01380", "0.01550", "0.03000"]


def test_the_page_and_the_picture(folder, tmp_path):
    path = tmp_path / "page.html"
    assert main(["report", str(folder), "-o", str(path)]) == 0
    assert path.read_bytes() == (folder / "report.html").read_bytes()
    page = path.read_text()
    assert not re.search(r"https?://|<link|<script|src=\"(?!data:)", page)
    assert "latency_0.0155_ms" in page
    assert (folder / "targets.png").read_bytes().startswith(b"\x89PNG")
    rows = targets.rows(targets.read(folder))
    _, axes = plot_targets(rows)
    all_studies, own = axes.lines
    assert tuple(own.get_xdata()) == LATENCIES
    assert list(own.get_ydata()) == [row["best"]["accuracy"] for row in rows]
    assert list(all_studies.get_ydata()) == [row["of_all"]["accuracy"] for row in rows]


def test_a_longer_run_extends_all(folder, tmp_path, capsys):
    short = tmp_path / "short"
    assert search(short, 8) == 0
    assert f"nahas resume {short} --trials 16" in capsys.readouterr().out
    assert main(["resume", str(short), "--trials", str(TRIALS)]) == 0
    longer = [[o[1] for o in study] for study in outcomes(short)]
    assert longer == [[o[1] for o in study] for study in outcomes(folder)]


KILL = """
import os, signal, sys
import toy_parts
from nahas.__main__ import main
calls, evaluate = 0, toy_parts.Kernels.evaluate
def deadly(self, networks):
    global calls
    calls += 1
    if calls == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return evaluate(self, networks)
toy_parts.Kernels.evaluate = deadly
main(sys.argv[2:])
"""


@pytest.mark.parametrize("call", [1, 5, 9])
def test_what_is_killed_is_continued_to_the_same_trials(folder, tmp_path, call):
    killed = tmp_path / "killed"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    words = [*WORDS, "--folder", str(killed), "--trials", str(TRIALS)]
    done = subprocess.run(
        [sys.executable, "-c", KILL, str(call), *words],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert outcomes(killed) != outcomes(folder)
    assert main(["resume", str(killed)]) == 0
    assert outcomes(killed) == outcomes(folder)


def test_a_kill_before_the_first_study(folder, tmp_path):
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "targets.json").write_bytes((folder / "targets.json").read_bytes())
    assert main(["status", str(begun)]) == 0
    assert main(["resume", str(begun)]) == 0
    assert outcomes(begun) == outcomes(folder)


def test_an_interrupt_stops_all(tmp_path, monkeypatch, capsys):
    import toy_parts

    def interrupted(self, networks):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(toy_parts.Kernels, "evaluate", interrupted)
        assert search(tmp_path / "stopped") == 1
    assert f"continue: nahas resume {tmp_path / 'stopped'}" in capsys.readouterr().out
    assert len(list((tmp_path / "stopped").glob("latency_*"))) == 1


def test_minutes_are_those_of_the_whole(tmp_path, capsys):
    brief = tmp_path / "brief"
    assert search(brief, 100_000, "--minutes", "0.005") == 0
    assert len(list(brief.glob("latency_*"))) == 1
    assert f"continue: nahas resume {brief}" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    assert search(tmp_path / "absent", TRIALS, "--dry-run") == 0
    out = capsys.readouterr().out
    assert out.startswith("3 searches, each at most as that of 0.03 ms:\ntrials:   20,")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("word", ["", "0.3,,1", "0.3,-1", "0.3,inf", "1,1.0", "fast"])
def test_wrong_targets(word):
    with pytest.raises(ValueError, match=r"`--latency-targets` must be positive"):
        targets.parse(word)


def test_misuse_is_a_line(folder, tmp_path, capsys):
    plain = WORDS[:-2]
    file = tmp_path / "own.toml"
    file.write_text("[limits]\nmax_latency_ms = 0.1\n")
    calls = [
        ([*WORDS, "--max-latency-ms", "1"], 2, "must be left out"),
        ([*WORDS, "--set", "limits.max_latency_ms=1"], 2, "must be left out"),
        ([*WORDS, "--set", "reward.latency_ms=1"], 2, "must be left out"),
        ([*WORDS, "--config", str(file)], 2, "`limits.max_latency_ms` must be left"),
        ([*WORDS, "--folder", str(tmp_path), "--trials", "0"], 2, "search.trials"),
        ([*plain, "--folder", str(folder)], 2, "several latency targets"),
        ([*WORDS[:-1], "0.02", "--folder", str(folder)], 1, "not 0.02 ms"),
        ([*WORDS, "--folder", str(folder), "--seed", "6"], 1, "seed was 5, now 6"),
        ([*WORDS, "--folder", str(folder / "latency_0.03_ms")], 1, "study of its own"),
    ]
    for words, code, message in calls:
        assert main(words) == code
        err = capsys.readouterr().err.splitlines()
        assert message in err[-1]
    assert targets.read(folder).config.search.seed == 5


def test_a_damaged_list_of_targets(tmp_path):
    (tmp_path / "targets.json").write_text("{}")
    with pytest.raises(StudyError, match="cannot be read: KeyError"):
        targets.read(tmp_path)
