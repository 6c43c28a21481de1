"""The commands on a real study with an instant oracle, from search to report."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nahas.__main__ import main
from nahas.accelerator.grid import GRID
from nahas.accelerator.presets import PRESETS
from nahas.accelerator.template import Accelerator
from nahas.closing import configuration, others_in_words, others_of
from nahas.controller import training_queue as queue
from nahas.controller.store import Store
from nahas.controller.study import Study
from nahas.costs import simulate
from nahas.dry_run import forecast
from nahas.search_space.published import PUBLISHED

TOY = (
    "search", "--space", "toy_parts:space", "--set", "search.oracle=toy_parts:Kernels",
    "--seed", "5",
)  # fmt: skip
FILES = ("trials.csv", "summary.json", "best.json", "references.json", "test.json",
         "pareto.png", "convergence.png", "report.html", "config.json")  # fmt: skip


def search(folder, trials, *words):
    return main([*TOY, "--folder", str(folder), "--trials", str(trials),
                 "--workers", "0", *words])  # fmt: skip


def outcomes(folder):
    return [trial.outcome for trial in Study.open(folder).trials()]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "toy"
    assert search(folder, 40) == 0
    return folder


def test_a_search_leaves_all_its_files(study):
    for name in FILES:
        assert (study / name).stat().st_size > 0
    assert not list(study.glob("*.draft"))


def test_a_dry_run_forecasts_and_leaves_nothing(study, tmp_path, capsys):
    assert search(tmp_path / "absent", 60, "--dry-run") == 0
    new = capsys.readouterr().out
    assert "60, of which 0 are recorded" in new
    assert "one training" in new
    assert not list(tmp_path.iterdir())
    before = {path: path.read_bytes() for path in study.iterdir() if path.is_file()}
    assert search(study, 60, "--dry-run") == 0
    known = capsys.readouterr().out
    assert "60, of which 40 are recorded" in known
    assert f"in {study}" in known
    assert search(study, 30, "--dry-run") == 0
    assert "30, of which 40 are recorded; about 0 to train" in capsys.readouterr().out
    assert before == {p: p.read_bytes() for p in study.iterdir() if p.is_file()}


def test_the_forecast_of_disk_is_the_study_s_size(study):
    config = configuration(Study.open(study))
    found = forecast(config, study, [])
    assert found.disk_mb == pytest.approx(
        (study / "study.sqlite").stat().st_size / 1e6, rel=0.75
    )
    assert found.hours == pytest.approx(0.0)
    assert 0 < found.trained_share <= 1


def test_the_files_agree(study, capsys):
    frame = pd.read_csv(study / "trials.csv")
    summary = json.loads((study / "summary.json").read_text())
    assert summary["trials"] == len(frame) == 40
    for status in ("trained", "reused", "rejected", "infeasible", "failed"):
        assert summary[status] == (frame["status"] == status).sum()
    best = frame.loc[frame["reward"].idxmax()]
    assert summary["best"]["number"] == best["number"]
    pair = json.loads((study / "best.json").read_text())
    assert pair["network"] == best["network"]
    assert pair["accelerator"] == summary["best"]["accelerator"]

    assert main(["simulate", str(study / "best.json"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["streamed"]["latency_ms"] == pytest.approx(
        best["latency_ms"], rel=1e-9
    )
    assert again["accelerator"] == pair["accelerator"]


def test_the_best_pair_costs_the_same_on_the_platform_of_its_study(tmp_path, capsys):
    folder = tmp_path / "other"
    words = ("platform.clock_mhz=400", "platform.parameter_memory_mib=4",
             "platform.overlap=false")  # fmt: skip
    assert search(folder, 4, *(w for word in words for w in ("--set", word))) == 0
    best = json.loads((folder / "summary.json").read_text())["best"]
    capsys.readouterr()
    for name in (folder, folder / "best.json"):
        assert main(["simulate", str(name), "--json"]) == 0
        again = json.loads(capsys.readouterr().out)["streamed"]
        for cost in ("latency_ms", "energy_mj", "area_mm2"):
            assert again[cost] == pytest.approx(best[cost], rel=1e-9)
    # What is said wins, and the rest of the study's platform stays.
    words = ("--json", "--set", "platform.clock_mhz=800")
    assert main(["simulate", str(folder), *words]) == 0
    again = json.loads(capsys.readouterr().out)["streamed"]
    assert again["latency_ms"] < best["latency_ms"]
    assert again["area_mm2"] == pytest.approx(best["area_mm2"], rel=1e-9)
    assert main(["explain", str(folder), "--json"]) == 0
    why = json.loads(capsys.readouterr().out)
    assert why["streamed"]["latency_ms"] == pytest.approx(best["latency_ms"], rel=1e-9)


def said(capsys, *words):
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_all_commands_cost_a_study_on_its_platform_and_say_so(tmp_path, capsys):
    folder = tmp_path / "coral"
    words = ("platform.preset=coral", "platform.host_ms=0.25")
    assert search(folder, 4, *(w for word in words for w in ("--set", word))) == 0
    best = json.loads((folder / "summary.json").read_text())["best"]
    moved = shutil.copy(folder / "best.json", tmp_path / "moved.json")
    capsys.readouterr()
    for name in (str(folder), str(moved)):
        for command in ("simulate", "explain"):
            found = said(capsys, command, name)
            assert found["kept"]["latency_ms"] == pytest.approx(best["latency_ms"])
            assert found["kept"]["host_ms"] == pytest.approx(0.25)
            assert "study" in found["platform"]
        swept = said(capsys, "sweep", name, "--max-area-mm2", "1e6")
        alone = simulate(
            best["network"],
            Accelerator(**{knob: swept["best"][knob] for knob in GRID}),
            replace(PRESETS["coral"].platform, host_ms=0.25),
        )
        assert swept["best"]["latency_ms"] == alone.metrics.latency_ms[0]
        assert "study" in swept["platform"]
    # It goes on as it was asked for, to the same trials as without a stop.
    assert main(["resume", str(folder), "--trials", "6"]) == 0
    assert (
        search(tmp_path / "whole", 6, *(w for word in words for w in ("--set", word)))
        == 0
    )
    assert outcomes(folder) == outcomes(tmp_path / "whole")


def test_a_pair_that_names_no_platform_is_costed_on_the_default_and_says_so(
    study, tmp_path, capsys
):
    pair = json.loads((study / "best.json").read_text())
    del pair["platform"]
    path = tmp_path / "best.json"
    path.write_text(json.dumps(pair))
    for command in ("simulate", "explain", "sweep"):
        assert (
            "the default, as best.json" in said(capsys, command, str(path))["platform"]
        )
        assert main([command, str(path)]) == 0
        assert "platform: the default, as best.json" in capsys.readouterr().out
    words = ("--set", "platform.preset=coral", "--set", "platform.host_ms=1")
    found = said(capsys, "sweep", str(path), *words)["platform"]
    assert found == "that of coral, with host_ms 1"


def test_the_configuration_is_kept_with_versions_and_seed(study):
    kept = json.loads((study / "config.json").read_text())
    assert kept["seed"] == 5
    assert kept["config"]["search"]["space"] == "toy_parts:space"
    assert {"python", "nahas", "numpy", "tensorflow"} <= set(kept["versions"])


def test_references_and_test_come_from_the_same_oracle(study):
    references = json.loads((study / "references.json").read_text())
    names = [row["name"] for row in references]
    assert names[:2] == ["EfficientNetB0", "MobileNetV2"]
    assert all(0 < row["accuracy"] < 1 for row in references)
    test = json.loads((study / "test.json").read_text())
    # All kernels 3 against the best: 0.65 of 200 images.
    assert test["other"] == pytest.approx(0.65)
    assert test["images"] == 200
    assert test["low"] < test["difference"] < test["high"]


def test_status_reads_without_tensorflow_or_pictures(study, capsys):
    assert main(["status", str(study), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = {"trials", "trained", "reused", "rejected", "infeasible", "failed", "best"}
    assert wanted <= set(found)
    assert found["trials"] == found["asked"] == 40
    assert main(["status", str(study)]) == 0
    out = capsys.readouterr().out
    assert "best pair" in out
    assert "accelerator: pes_x" in out


def test_status_does_not_disturb_a_running_search(tmp_path, capsys):
    folder = tmp_path / "live"
    words = [*TOY, "--set", "search.oracle=toy_parts:Paced", "--workers", "1"]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-m", "nahas", *words, "--folder", str(folder)]
    seen = set()
    with subprocess.Popen(
        [*command, "--trials", "40"],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as live:
        while live.poll() is None:
            if (folder / "config.json").exists():
                seen.add(said(capsys, "status", str(folder))["trials"])
            time.sleep(0.1)
    assert live.returncode == 0
    assert len(seen) > 2
    assert search(tmp_path / "alone", 40) == 0
    assert outcomes(folder) == outcomes(tmp_path / "alone")


def test_the_report_is_one_file(study, tmp_path, capsys):
    path = tmp_path / "page.html"
    assert main(["report", str(study), "-o", str(path)]) == 0
    page = path.read_text()
    assert not re.search(r"https?://|<link|<script|src=\"(?!data:)", page)
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(pictures) == 2
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    for word in ("EfficientNetB0", "Pareto front", "search.space", "toy_parts:space",
                 "slowest operators", "block0/depthwise"):  # fmt: skip
        assert word in page


def test_a_second_search_shows_the_result_and_how_to_extend(study, capsys):
    before = outcomes(study)
    assert search(study, 40) == 0
    out = capsys.readouterr().out
    assert outcomes(study) == before
    assert "best pair" in out
    assert f"nahas resume {study} --trials 80" in out


def test_another_configuration_is_refused_by_name(study, capsys):
    assert search(study, 40, "--max-area-mm2", "20") == 1
    assert "limits.max_area_mm2 was" in capsys.readouterr().err


def test_resume_extends_as_if_it_had_never_stopped(study, tmp_path, capsys):
    assert search(tmp_path / "short", 15) == 0
    assert main(["resume", str(tmp_path / "short"), "--trials", "40"]) == 0
    assert outcomes(tmp_path / "short") == outcomes(study)


def test_the_least_energy_above_an_accuracy(tmp_path, capsys):
    """Kernels 7 and 5 have accuracy 0.8, 5 and 5 0.75; no other pair reaches that."""
    folder = tmp_path / "least"
    words = ("--minimise", "energy", "--min-accuracy", "0.75")
    assert search(folder, 60, *words) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["limits"]["min_accuracy"] == 0.75
    assert summary["best"]["accuracy"] >= 0.75
    frame = pd.read_csv(folder / "trials.csv")
    trained = frame[frame["accuracy"].notna()]
    kept = trained[trained["accuracy"] >= 0.75]
    assert 0 < len(kept) < len(trained)
    assert summary["best"]["energy_mj"] == kept["energy_mj"].min()
    assert (trained["feasible"] == (trained["accuracy"] >= 0.75)).all()
    assert main(["resume", str(folder), "--trials", "62"]) == 0
    assert search(tmp_path / "whole", 62, *words) == 0
    assert outcomes(folder) == outcomes(tmp_path / "whole")


def test_without_rejection_all_that_runs_is_trained(tmp_path, capsys):
    folder = tmp_path / "none"
    words = ("--reject", "none", "--max-area-mm2", "20", "--controller", "random")
    assert search(folder, 30, *words) == 0
    out = capsys.readouterr().out
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["rejected"] == 0 < summary["violating"]
    assert summary["reject"] == "none"
    assert f"a limit is broken: {summary['violating']} trials" in out
    assert summary["best"]["area_mm2"] <= 20
    assert f"{summary['violating']} break a limit" in (
        folder / "report.html"
    ).read_text()  # fmt: skip
    assert main(["resume", str(folder), "--trials", "32"]) == 0
    assert Study.open(folder).counts()["rejected"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--minimise", "energy"), "(in limits.min_accuracy)"),
        (("--minimise", "speed", "--min-accuracy", "0.7"), "(in search.minimise)"),
        (
            ("--minimise", "edp", "--min-accuracy", "0.7", "--reject", "none"),
            "(in search.reject)",
        ),
        (("--min-accuracy", "70"), "Received 70.0 (in limits.min_accuracy)"),
    ],
)
def test_wrong_goals_are_a_line(tmp_path, capsys, words, message):
    assert search(tmp_path / "none", 3, *words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_workers_make_the_same_trials(study, tmp_path):
    folder = tmp_path / "worked"
    assert search(folder, 12, "--workers", "1") == 0
    assert outcomes(folder) == outcomes(study)[:12]
    test = json.loads((folder / "test.json").read_text())
    assert test["other"] == pytest.approx(0.65)


@contextmanager
def by_hand(folder):
    """`nahas worker` as a user starts it, interrupted in the end."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    worker = subprocess.Popen(
        [sys.executable, "-m", "nahas", "worker", str(folder)],
        env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE, text=True,
        # A shell's background jobs ignore interrupts, and what they start does too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    with worker:
        try:
            yield worker
        finally:
            worker.kill()


def wait_for(done, worker):
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        assert worker.poll() is None
        time.sleep(0.1)


def test_a_worker_started_by_hand_outlives_its_trainings(tmp_path):
    """It trains more than one process does before its memory is given back."""
    folder = tmp_path / "helped"
    assert search(folder, 1) == 0
    study = Study.open(folder)
    wide = [replace(PUBLISHED["MobileNetV2"], stem_filters=8 * i) for i in range(1, 17)]
    with Store(folder, write=True) as store:
        for network in wide:
            queue.enqueue(store, [(str(network), study.config["oracle_key"])])
        known = len(store.trainings())
    with by_hand(folder) as worker, Store(folder) as store:
        wait_for(lambda: len(store.trainings()) == known + len(wide), worker)
        worker.send_signal(signal.SIGINT)
        said = worker.communicate(timeout=20)[1].splitlines()
    assert said[0].startswith("Training what")
    assert "(16 wait now)" in said[0]
    # The last may still have been at its line.
    assert len(wide) - 1 <= len(said[1:-1]) <= len(wide)
    assert all(line.startswith("65.00 % after 0:00: r224") for line in said[1:-1])
    assert said[-1].startswith(f"Left {folder}")
    assert worker.returncode == 0


def test_a_worker_that_leaves_gives_its_training_back(tmp_path):
    folder = tmp_path / "left"
    assert search(folder, 1, "--set", "search.oracle=toy_parts:Slow") == 0
    study = Study.open(folder)
    key, network = study.config["oracle_key"], str(PUBLISHED["MobileNetV2"])
    with Store(folder, write=True) as store:
        queue.enqueue(store, [(network, key)])
        with by_hand(folder) as worker:
            wait_for(lambda: queue.leases(store), worker)
            worker.send_signal(signal.SIGINT)
            assert worker.wait(20) == 0
        deadline = time.monotonic() + 10
        while queue.leases(store):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (network, key) in queue.queued(store)
        with store.reading() as connection:  # no death was counted
            query = "SELECT max(attempts) FROM training"
            assert connection.exec_driver_sql(query).scalar_one() == 0


def test_minutes_end_a_run_cleanly(tmp_path, capsys):
    folder = tmp_path / "brief"
    assert search(folder, 100_000, "--minutes", "0.01") == 0
    done = len(outcomes(folder))
    assert 0 <= done < 100_000
    assert f"continue: nahas resume {folder}" in capsys.readouterr().out
    assert (folder / "report.html").exists()
    assert main(["resume", str(folder), "--trials", str(done + 3)]) == 0
    assert len(outcomes(folder)) == done + 3


def test_an_interrupted_run_fails_and_keeps_its_trials(tmp_path, monkeypatch, capsys):
    import toy_parts

    calls = 0
    evaluate = toy_parts.Kernels.evaluate

    def interrupted(self, networks):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return evaluate(self, networks)

    monkeypatch.setattr(toy_parts.Kernels, "evaluate", interrupted)
    folder = tmp_path / "stopped"
    assert search(folder, 40) == 1
    assert f"continue: nahas resume {folder}" in capsys.readouterr().out
    assert not (folder / "references.json").exists()
    assert main(["resume", str(folder)]) == 0
    assert len(outcomes(folder)) == 40


def test_nothing_feasible_still_reports(tmp_path, capsys):
    folder = tmp_path / "none"
    assert search(folder, 5, "--max-latency-ms", "1e-9") == 0
    assert "No trial is feasible yet." in capsys.readouterr().out
    assert json.loads((folder / "summary.json").read_text())["best"] is None
    assert not (folder / "best.json").exists()


def test_a_damaged_study_is_refused_and_salvaged(tmp_path, capsys):
    folder, saved = tmp_path / "damaged", tmp_path / "saved"
    assert search(folder, 20) == 0
    before = outcomes(folder)
    path = folder / "study.sqlite"
    path.write_bytes(path.read_bytes()[:-4096])
    for extra in folder.glob("study.sqlite-*"):
        extra.unlink()
    assert main(["resume", str(folder), "--trials", "30"]) == 1
    err = capsys.readouterr().err
    assert "--salvage-to" in err
    assert main(["resume", str(folder), "--salvage-to", str(saved)]) == 0
    assert main(["resume", str(saved), "--trials", "20"]) == 0
    assert outcomes(saved) == before


def test_reuse_takes_trainings_from_another_study(study, tmp_path):
    folder = tmp_path / "second"
    assert search(folder, 10, "--reuse", str(study), "--set", "search.seed=6") == 0
    counts = Study.open(folder).counts()
    assert counts["trained"] == 0
    assert counts["reused"] > 0


def choices(folder):
    return [trial.choices for trial in Study.open(folder).trials()]


def test_a_warm_start_from_another_study_is_kept_when_that_is_gone(
    study, tmp_path, capsys
):
    source = shutil.copytree(study, tmp_path / "source")
    words = ("--warm-start", f"{source}=3", "published:MobileNetV2")
    assert search(tmp_path / "absent", 60, *words, "--dry-run") == 0
    folder = tmp_path / "warm"
    assert search(folder, 10, *words) == 0
    said = capsys.readouterr().err
    assert f"warm start: {source}=3: its 3 best trials" in said
    assert "published:MobileNetV2: not of the space; the nearest network" in said
    best = sorted(
        (t for t in Study.open(source).trials() if t.reward is not None),
        key=lambda trial: (-trial.reward, trial.number),
    )
    ranked = list(dict.fromkeys(trial.choices for trial in best))
    assert choices(folder)[:3] == ranked[:3]
    shutil.rmtree(source)
    assert search(folder, 20, *words) == 0
    assert main(["resume", str(folder), "--trials", "30"]) == 0
    assert search(folder, 30, *words[:2]) == 1
    assert "search.warm_start was" in capsys.readouterr().err
    kept = json.loads((folder / "config.json").read_text())
    assert kept["config"]["search"]["warm_start"] == list(words[1:])
    assert kept["controller"]["inner"]["class"] == "nahas.controller.ppo:PPO"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("published:MobileNetV", "Did you mean `MobileNetV2`? (in search.warm_start)"),
        ("absent", "or the folder of a study, or STUDY=K. Received 'absent'"),
        ("STUDY=0", "or the folder of a study, or STUDY=K"),
    ],
)
def test_a_warm_start_that_cannot_be_is_one_line(
    study, tmp_path, capsys, monkeypatch, word, message
):
    monkeypatch.chdir(tmp_path)
    Path("STUDY").symlink_to(study)
    assert main(["search", "--space", "s1", "--folder", "x", "--warm-start", word]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not Path("x").exists()


def of_space(space, folder, trials, *words):
    return main(["search", "--space", space, "--set", "search.oracle=toy_parts:Kernels",
                 "--controller", "evolution", "--workers", "0", "--folder", str(folder),
                 "--trials", str(trials), *words])  # fmt: skip


def test_a_study_begins_one_of_a_space_that_holds_its_own(tmp_path, capsys):
    narrow, wide = tmp_path / "s2", tmp_path / "s3"
    assert of_space("s2", narrow, 12) == 0
    assert of_space("s3", wide, 4, "--warm-start", f"{narrow}=3") == 0
    said = capsys.readouterr().err
    assert "s2=3: its 3 best trials\n" in said
    rows = [one for one in Study.open(narrow).records() if one.trial.reward is not None]
    rows.sort(key=lambda one: (-one.trial.reward, one.trial.number))
    for mine, theirs in zip(Study.open(wide).records()[:3], rows[:3], strict=True):
        assert mine.network == theirs.network
        assert mine.trial.latency_ms == theirs.trial.latency_ms
        assert mine.trial.area_mm2 == theirs.trial.area_mm2


def test_of_what_a_space_does_not_hold_the_nearest_begins(study, tmp_path, capsys):
    assert of_space("s2", tmp_path / "s2", 2, "--warm-start", f"{study}=2") == 0
    said = capsys.readouterr().err
    assert "its 2 best trials; the nearest networks for 2 that are not of" in said
    rows = [one.trial for one in Study.open(study).records() if one.trial.feasible]
    best = min(rows, key=lambda trial: (-trial.reward, trial.number))
    [first, _] = Study.open(tmp_path / "s2").trials()
    assert first.area_mm2 == best.area_mm2  # its accelerator is of both spaces


def test_a_published_network_begins_a_search_of_its_space(tmp_path):
    folder = tmp_path / "b0"
    words = ("--accuracy", "imagenet-predictor", "--folder", str(folder),
             "--controller", "sweep-evolution", "--trials", "2",
             "--warm-start", "published:EfficientNetB0")  # fmt: skip
    assert main(["search", *words]) == 0
    [first, _] = Study.open(folder).records()
    assert first.network == str(PUBLISHED["EfficientNetB0"])


def test_a_study_made_from_python_is_not_resumed(tmp_path, capsys):
    import toy_parts

    import nahas as nh

    folder = tmp_path / "python"
    nh.search(nh.joint_space(toy_parts.space()), nh.RandomSearch(), toy_parts.Kernels(),
              nh.Reward(), trials=3, folder=folder, workers=0)  # fmt: skip
    assert main(["resume", str(folder)]) == 2
    assert "started from Python" in capsys.readouterr().err
    assert main(["report", str(folder)]) == 0


def test_references_have_the_sizes_of_an_own_space(study):
    rows = json.loads((study / "references.json").read_text())
    assert all(row["network"].startswith("r64_c10 ") for row in rows)


def test_a_study_is_shown_where_its_module_is_not(study, tmp_path):
    """In a process that cannot import the user's parts."""
    command = [sys.executable, "-m", "nahas"]
    page = tmp_path / "page.html"
    for words in (["status", str(study), "--json"],
                  ["report", str(study), "-o", str(page)]):  # fmt: skip
        done = subprocess.run(
            [*command, *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert page.stat().st_size > 0
    worker = subprocess.run(
        [*command, "worker", str(study)], cwd=tmp_path, capture_output=True, text=True
    )
    assert worker.returncode == 2
    assert len(worker.stderr.splitlines()) == 1
    assert "toy_parts:Kernels" in worker.stderr


def test_sizes_of_an_own_space_are_its_own(tmp_path, capsys):
    code = search(tmp_path / "odd", 3, "--set", "network.resolution=32")
    assert code == 2
    assert "(in network)" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{bad", "[]", "{}"])
def test_damaged_side_files_are_made_again(study, tmp_path, content):
    folder = shutil.copytree(study, tmp_path / "copy")
    (folder / "references.json").write_text(content if content != "{}" else "[]")
    (folder / "test.json").write_text(content)
    assert main(["resume", str(folder)]) == 0
    again = json.loads((folder / "references.json").read_text())
    assert again == json.loads((study / "references.json").read_text())


def test_a_report_needs_a_plain_file(study, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # as /dev/null, which a report must not take the place of
    for name, message in (("/", "must be a file"), (pipe, "must be a plain file"),
                          ("absent/x.html", "absent is no folder")):  # fmt: skip
        assert main(["report", str(study), "-o", str(name)]) == 2
        assert message in capsys.readouterr().err
    assert pipe.is_fifo()


def test_a_configuration_of_python_is_left_alone(tmp_path, capsys):
    import nahas as nh

    folder = tmp_path / "noted"
    nh.search(
        nh.joint_space("s1"),
        nh.RandomSearch(),
        lambda network: 0.5,
        nh.Reward(),
        trials=3,
        folder=folder,
        config={"note": "mine"},
    )
    assert main(["status", str(folder)]) == 0
    assert "accelerator:" in capsys.readouterr().out


def test_a_function_trains_in_its_own_process_only(tmp_path, capsys):
    import nahas as nh

    folder = tmp_path / "plain"
    nh.search(nh.joint_space("s1"), nh.RandomSearch(), lambda network: 0.5,
              nh.Reward(), trials=3, folder=folder)  # fmt: skip
    assert main(["worker", str(folder)]) == 2
    assert "process that defines it" in capsys.readouterr().err


def results(folder, capsys):
    capsys.readouterr()
    assert main(["status", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_mode_of_the_policy_is_a_result_of_its_own(study, tmp_path, capsys):
    """Its network is a trained one of the twelve, so it has an accuracy too."""
    found = results(study, capsys)
    mode = found["policy_mode"]
    assert found["argmax"] == found["best"]
    assert found["search_mode"] == "joint"
    assert found["split"] == ""
    accelerator = Accelerator(**mode["accelerator"])
    costs = simulate(mode["network"], accelerator).metrics
    assert mode["latency_ms"] == costs.latency_ms[0]
    trained = pd.read_csv(study / "trials.csv").set_index("network")["accuracy"]
    assert mode["accuracy"] == trained[mode["network"]].max()
    # The file that a run leaves says what is found without it.
    bare = shutil.copytree(study, tmp_path / "bare")
    (bare / "policy_mode.json").unlink()
    assert results(bare, capsys)["policy_mode"] == mode
    for words in (["status", str(study)], ["report", str(study)]):
        assert main(words) == 0
    assert mode["choices"] != found["best"]["choices"]
    assert "policy's mode: " in capsys.readouterr().out
    assert "policy&#39;s mode" in (study / "report.html").read_text()


MODES = {
    "fixed": "all 20 trials on baseline",
    "phases": "17 trials for the accelerator of the reference network, 3 for the",
    "nested": "4 accelerators, 6 trials of networks on each",
}


@pytest.mark.parametrize("mode", MODES)
def test_a_search_in_a_mode_is_continued_and_says_its_split(mode, tmp_path, capsys):
    words = ("--mode", mode, "--set", "nested.inner=6", "--space", "toy_parts:referred")
    assert search(tmp_path / "whole", 20, *words) == 0
    assert MODES[mode] in capsys.readouterr().out
    assert search(tmp_path / "parts", 18, *words) == 0
    assert main(["resume", str(tmp_path / "parts"), "--trials", "20"]) == 0
    assert outcomes(tmp_path / "parts") == outcomes(tmp_path / "whole")
    found = results(tmp_path / "parts", capsys)
    assert found["search_mode"] == mode
    assert MODES[mode] in found["split"]
    assert (found["policy_mode"] is None) == (mode == "nested")
    # Asked for again with more trials, the phases stay where they were.
    assert search(tmp_path / "parts", 60, *words) == 0
    assert outcomes(tmp_path / "parts")[:20] == outcomes(tmp_path / "whole")


def test_a_space_without_a_reference_has_no_phases(tmp_path, capsys):
    assert search(tmp_path / "none", 20, "--mode", "phases") == 2
    assert "must have a reference network" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_the_baselines_area_is_a_limit_unless_another_is_said(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text("[search]\nworkers = 0\n")
    words = ("--config", str(path))
    assert search(tmp_path / "by", 3, *words) == 0
    limits = results(tmp_path / "by", capsys)["limits"]
    assert limits["max_area_mm2"] == pytest.approx(39.85312)
    assert limits["max_latency_ms"] is None
    assert search(tmp_path / "free", 3, *words, "--max-area-mm2", "inf") == 0
    assert results(tmp_path / "free", capsys)["limits"]["max_area_mm2"] is None
    assert search(tmp_path / "free", 4, *words) == 0  # as it was begun


def test_results_that_break_limits_say_which():
    row = {"number": 7, "choices": [1], "accuracy": 0.5, "reward": 0.9,
           "status": "trained", "violation": 1.0, "error": "",
           "reason": "latency 2.00 ms > 1.00 ms (max_latency_ms)"}  # fmt: skip
    best = row | {"number": 3, "choices": [0], "reward": 0.4, "violation": 0.0}
    mode = row | {"number": None, "choices": [2], "accuracy": None, "reward": None}

    def said(best, argmax, mode):
        found = {"best": best, "argmax": argmax, "policy_mode": mode}
        return others_in_words(others_of(found))

    assert said(best, best, None) == said(best, best, best) == []
    assert said(best, row, mode | {"violation": 0.0}) == [
        "highest reward: trial 7, reward 0.9000; breaks latency 2.00 ms > 1.00 ms "
        "(max_latency_ms)",
        "policy's mode: never proposed, its network is not trained; keeps the limits",
    ]
    stuck = mode | {"status": "infeasible", "reason": "local memory"}
    assert said(None, row, stuck)[1].endswith("cannot run: local memory")
    lost = {"error": "Trial 1 is not proposed again."}
    assert said(best, best, lost) == ["policy's mode: Trial 1 is not proposed again."]
