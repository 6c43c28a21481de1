"""The shared accelerator, against every network on every accelerator."""

import json

import numpy as np
import pytest
import toy_parts

import nahas as nh
from nahas.__main__ import main
from nahas.accelerator.sweep import accelerators_at
from nahas.sharing import SharingError, share


def run(folder, limits, reward, trials=14, **more):
    return nh.search(
        nh.joint_space(toy_parts.space()), nh.RandomSearch(), toy_parts.Kernels(),
        reward, trials=trials, folder=folder, workers=0, limits=limits, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """One pays for slowness and has an area, the other seeks the least energy."""
    folder = tmp_path_factory.mktemp("studies")
    fast = run(folder / "fast", nh.Limits(max_area_mm2=60.0),
               nh.Reward(latency_ms=0.005, p=-0.07, q=-0.5))  # fmt: skip
    frugal = run(folder / "frugal",
                 nh.Limits(max_latency_ms=0.02, min_accuracy=0.7),
                 nh.Least("edap"), seed=1)  # fmt: skip
    return fast, frugal


def worth(study, reward, limits):
    """[G] best reward on each accelerator, [G] which network; by simulating all."""
    known = {r.network: r.trial.accuracy for r in study.records() if r.trial.accuracy}
    everything = accelerators_at(np.arange(50_000))
    best, names = np.full(50_000, -np.inf), np.full(50_000, "", object)
    for text, accuracy in known.items():
        costs = nh.evaluate_all(nh.lower([nh.Network.parse(text)]), everything).take(0)
        rewards = reward(np.full(50_000, accuracy), costs)
        out = ~costs.feasible | (limits.violation(costs) > 0)
        rewards[out | (limits.shortfall([accuracy])[0] > 0)] = -np.inf
        names[rewards > best] = text
        best = np.maximum(best, rewards)
    return best, names


@pytest.fixture(scope="module")
def truth(studies):
    fast, frugal = studies
    return (
        worth(fast, nh.Reward(latency_ms=0.005, p=-0.07, q=-0.5),
              nh.Limits(max_area_mm2=60.0)),
        worth(frugal, nh.Least("edap"),
              nh.Limits(max_latency_ms=0.02, min_accuracy=0.7)),
    )  # fmt: skip


@pytest.mark.parametrize("maximise", ["least", "mean"])
def test_no_accelerator_serves_both_better(studies, truth, maximise):
    found = share(studies, maximise=maximise)
    table = np.stack([best for best, _ in truth])
    both = table.min(axis=0) if maximise == "least" else table.mean(axis=0)
    value = found.least if maximise == "least" else found.mean
    assert value == pytest.approx(both.max(), rel=1e-12)
    assert found.checked == 50_000
    assert found.serving == np.isfinite(table).all(axis=0).sum() < 50_000
    shared = [one.shared.reward for one in found.studies]
    assert found.least == min(shared)
    assert found.mean == pytest.approx(np.mean(shared))
    for one, (best, names) in zip(found.studies, truth, strict=True):
        assert one.own.reward == pytest.approx(best.max(), rel=1e-12)
        assert one.lost >= 0
        assert one.accelerators == np.isfinite(best).sum()
        assert one.shared.accelerator == found.accelerator
        costs = nh.evaluate(
            nh.lower([nh.Network.parse(one.shared.network)]), [found.accelerator]
        )
        assert one.shared.latency_ms == costs.latency_ms[0]
        assert one.own.network in set(names)
    fast, frugal = found.studies
    assert fast.shared.area_mm2 <= 60.0
    assert frugal.shared.latency_ms <= 0.02
    assert frugal.shared.accuracy >= 0.7


def test_the_least_and_the_mean_are_what_they_say(studies):
    least, mean = share(studies), share(studies, maximise="mean")
    assert least.least >= mean.least
    assert mean.mean >= least.mean


def test_one_study_loses_nothing(studies):
    found = share(studies[:1])
    assert found.studies[0].lost == 0
    assert found.studies[0].shared == found.studies[0].own
    assert found.least == found.mean >= studies[0].best().reward


def test_a_smaller_chip_is_no_better(studies):
    free, small = share(studies), share(studies, max_area_mm2=15.0)
    assert small.studies[0].shared.area_mm2 <= 15.0
    assert small.least <= free.least
    assert small.serving < free.serving


def test_none_serves_all(studies, tmp_path):
    never = run(tmp_path / "never", nh.Limits(max_latency_ms=0.02), nh.Reward())
    with pytest.raises(SharingError, match=r"50,000 serves all .*fast: 0; .*never: 0"):
        share([studies[0], never], max_area_mm2=0.1)


def test_what_cannot_be_shared(studies, tmp_path):
    with pytest.raises(ValueError, match="Received 'most'"):
        share(studies, maximise="most")
    with pytest.raises(ValueError, match="at least one"):
        share([])
    none = run(tmp_path / "none", nh.Limits(max_latency_ms=1e-9), nh.Reward(), 2)
    with pytest.raises(ValueError, match="which has none yet"):
        share([studies[0], none])
    own = run(tmp_path / "own", nh.Limits(), lambda accuracy, metrics: accuracy, 2)
    with pytest.raises(ValueError, match="`Reward` or `Least`"):
        share([studies[0], own])
    other = run(tmp_path / "other", nh.Limits(), nh.Reward(), 2,
                platform=nh.Platform(clock_mhz=400.0))  # fmt: skip
    with pytest.raises(ValueError, match=r"one platform.*differ in clock_mhz"):
        share([studies[0], other])


def test_the_command(studies, tmp_path, capsys):
    folders = [str(study.folder) for study in studies]
    assert main(["share", *folders, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = share(studies)
    assert found["least"] == expected.least
    assert found["accelerator"]["pes_x"] == expected.accelerator.pes_x
    assert found["studies"][1]["lost"] == expected.studies[1].lost
    assert main(["share", *folders]) == 0
    out = capsys.readouterr().out
    assert "50,000 checked" in out
    assert "sharing costs" in out
    assert main(["share", *folders, "--max-area-mm2", "0.1"]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith("nahas: error: No accelerator of 50,000 serves all")
    for words in ([str(tmp_path)], [*folders, "--maximise", "most"],
                  [*folders, "--max-area-mm2", "-1"]):  # fmt: skip
        assert main(["share", *words]) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("nahas: error: ")
