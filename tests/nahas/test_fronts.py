"""The front of a study, and how likely each pair is on it."""

import json

import pandas as pd
import pytest
import toy_parts

import nahas as nh
from nahas.__main__ import main
from nahas.fronts import UNKNOWN, front, front_rows, likely_front
from nahas.search_space.oracle import Estimate

COLUMNS = ["number", "network", "accuracy", "deviation", "latency_ms", "energy_mj",
           "area_mm2", "reward", "feasible"]  # fmt: skip
ROWS = [
    (1, "a", 0.80, 0.05, 1.0, 1.0, 1.0, 0.8, True),
    (2, "b", 0.80, 0.05, 1.0, 1.0, 1.0, 0.8, True),
    (3, "a", 0.80, 0.05, 2.0, 1.0, 1.0, 0.8, True),
    (4, "c", 0.79, 0.05, 2.0, 1.0, 1.0, 0.8, True),
    (5, "d", 0.20, 0.05, 3.0, 1.0, 1.0, 0.2, True),
    (6, "e", 0.99, 0.05, 0.5, 1.0, 1.0, 0.9, False),
    (7, "a", 0.80, 0.05, 1.0, 1.0, 1.0, 0.8, True),
    (8, "f", None, None, 0.1, 1.0, 1.0, None, False),
]


@pytest.fixture
def frame():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def test_what_is_likely_on_the_front(frame):
    """1 and 2 are equal: one half each. 4 is better than both in some third of draws.

    3 is 1's network on a slower accelerator, 5 is far below, 6 breaks a limit, 7 is 1.
    """
    found = likely_front(frame)
    assert list(found["number"]) == [1, 2, 4]
    assert list(found["measured"]) == [True, False, False]
    first, second, third = found["probability"]
    assert first == pytest.approx(0.5, abs=0.07)
    assert first + second == pytest.approx(1.0)
    assert 0.2 < third < 0.4


@pytest.mark.parametrize("without", ["column", "values", "zeros"])
def test_no_claim_without_known_noise(frame, without):
    if without == "column":
        frame = frame.drop(columns="deviation")
    else:
        frame["deviation"] = 0.0 if without == "zeros" else None
    found = likely_front(frame)
    assert list(found["number"]) == list(front(frame)["number"]) == [1]
    assert found["probability"].isna().all()
    assert front_rows(frame)[0]["probability"] is None


def test_an_empty_front(frame):
    assert front_rows(frame[:0]) == []
    assert front_rows(frame[~frame["feasible"]]) == []


class Noisy(toy_parts.Kernels):
    """The same, with a known noise."""

    @property
    def key(self) -> str:
        return "noisy"

    def evaluate(self, networks):
        found = super().evaluate(networks)
        return Estimate(
            found.accuracy, found.seconds + 0.02, found.seconds.copy(), found.error
        )


def run(folder, oracle):
    return nh.search(
        nh.joint_space(toy_parts.space()), nh.RandomSearch(), oracle, nh.Reward(),
        trials=20, folder=folder, workers=0,
    )  # fmt: skip


def test_the_noise_of_a_study_is_carried_to_its_front(tmp_path, capsys):
    study = run(tmp_path / "noisy", Noisy())
    frame = study.to_frame()
    trained = frame["accuracy"].notna()
    assert (frame["deviation"][trained] == 0.02).all()
    assert frame["deviation"][~trained].isna().all()
    assert main(["status", str(study.folder), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["front"]
    measured = [row["number"] for row in rows if row["measured"]]
    assert measured == list(front(frame)["number"])
    assert all(0 <= row["probability"] <= 1 for row in rows)
    assert any(0 < row["probability"] < 1 for row in rows)
    assert main(["status", str(study.folder)]) == 0
    assert "likely" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert main(["report", str(study.folder), "-o", str(page)]) == 0
    assert "independently" in page.read_text()


def test_a_study_without_known_noise_says_so(tmp_path, capsys):
    study = run(tmp_path / "silent", toy_parts.Kernels())
    assert main(["status", str(study.folder)]) == 0
    out = capsys.readouterr().out
    assert UNKNOWN in out
    assert "likely" not in out
    page = tmp_path / "page.html"
    assert main(["report", str(study.folder), "-o", str(page)]) == 0
    assert UNKNOWN[1:] in page.read_text()
