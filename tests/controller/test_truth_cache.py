"""What is kept of a truth: the same again, made anew where damaged or outdated."""

from dataclasses import replace

import pytest

from nahas.accelerator.machines import Axes
from nahas.accelerator.template import Platform
from nahas.controller.reward import Limits
from nahas.controller.truth import Problem, Truth, count_within
from nahas.controller.truth_cache import _sources, counts_of, digest, truth_of
from nahas.search_space.tabular import nas_bench_macro

KNOBS = ((1, 2), (1, 2), (16, 64), (1, 4), (0.5, 4.0), (8.0, 64.0), (5.0, 25.0))
SPACE = nas_bench_macro(resolution=32, classes=10)
NETWORKS = tuple(SPACE.decode([i, 0, 0, i, 0, 2, 0, 0]) for i in range(3))
PROBLEM = Problem(NETWORKS, Platform(), Axes.of(KNOBS))


def told(calls):
    return lambda done, total: calls.append((done, total))


def assert_same(one, other):
    assert (one.network == other.network).all()
    assert (one.place == other.place).all()
    for name in ("latency_ms", "energy_mj", "area_mm2", "utilization", "feasible"):
        assert (getattr(one.costs, name) == getattr(other.costs, name)).all()


def test_a_second_time_is_read_and_a_damaged_file_made_again(tmp_path):
    calls = []
    first = truth_of(PROBLEM, tmp_path, told(calls))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert_same(first, Truth.of(PROBLEM))
    assert_same(truth_of(PROBLEM, tmp_path, told(calls)), first)
    assert len(calls) == 3
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    half = len(whole) // 2
    flipped = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
    for damaged in (b"", whole[:half], flipped):
        path.write_bytes(damaged)
        assert_same(truth_of(PROBLEM, tmp_path), first)
        assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_counts_are_kept_by_limits_and_weights(tmp_path):
    calls = []
    limits = [Limits(), Limits(max_latency_ms=1.0)]
    found = counts_of(PROBLEM, limits, [1, 2, 3], tmp_path, told(calls))
    assert found == count_within(PROBLEM, limits, [1, 2, 3])
    assert counts_of(PROBLEM, limits, [1, 2, 3], tmp_path, told(calls)) == found
    assert len(calls) == 3
    once = counts_of(PROBLEM, limits, [1, 1, 1], tmp_path, told(calls))
    assert once != found
    assert len(calls) == 6
    [path] = tmp_path.iterdir()
    path.write_text("[1]")
    assert counts_of(PROBLEM, limits, [1, 2, 3], tmp_path) == found


@pytest.mark.parametrize(
    "other",
    [
        replace(PROBLEM, networks=NETWORKS[:2]),
        replace(PROBLEM, networks=NETWORKS[::-1]),
        replace(PROBLEM, platform=Platform(host_ms=0.1)),
        replace(PROBLEM, platform=Platform(weights="resident")),
        replace(PROBLEM, axes=Axes.of((*KNOBS[:-1], (5.0, 20.0)))),
    ],
)
def test_the_digest_tells_problems_apart(other):
    assert digest(other) != digest(PROBLEM) == digest(replace(PROBLEM))


def test_arrays_that_come_back_are_read_only(tmp_path):
    truth_of(PROBLEM, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        truth_of(PROBLEM, tmp_path).costs.latency_ms[0] = 1.0


def test_the_hash_is_of_the_code_that_decides_costs_and_of_no_other():
    names = {path.name for path in _sources()}
    assert {"lower.py", "mapping.py", "network_pass.py", "technology.py"} <= names
    assert not names & {"event_model.py", "import_keras.py", "search.py"}
