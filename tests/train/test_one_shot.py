"""One-shot training: which networks it trains, what a kill costs, what it measures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_images import PLAIN, StopError, bright_and_dark, stopped_after

from nahas.search_space.network import Block, Network
from nahas.search_space.oracle import Oracle
from nahas.search_space.space import Knob, SearchSpace
from nahas.search_space.tabular import nas_bench_macro
from nahas.train import fit
from nahas.train.checkpoint import CheckpointError
from nahas.train.data import load
from nahas.train.final import DivergedError
from nahas.train.one_shot import Sampling, fair, train_one_shot
from nahas.train.shared_training import extremes
from nahas.train.shared_weights import (
    WEIGHTS,
    Fidelity,
    OneShot,
    SharedWeights,
    SharedWeightsError,
)

FIDELITY = Fidelity(8, 1.0)
RECIPE = replace(PLAIN, epochs=3, batch=8, crop=1, flip=True, ema=0.9)


def build(values):
    first = Block("ibn", values["kernel"], values["expansion"], 8, stride=2)
    second = Block(values["kind"], 3, 2, 8)
    return Network((first, *[second] * values["layers"]), 8, 8, resolution=32)


SPACE = SearchSpace(
    "toy",
    (
        Knob("kernel", (3, 5)),
        Knob("expansion", (1, 2, 3)),
        Knob("kind", ("ibn", "fused_ibn")),
        Knob("layers", (0, 1, 2)),
    ),
    build,
)


@pytest.fixture(autouse=True, scope="module")
def _prepared():
    fit.prepare(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Bright and dark images, as a file."""
    file = tmp_path_factory.mktemp("data") / "made_up.npz"
    train, test = bright_and_dark(100, 0), bright_and_dark(20, 1)
    np.savez(
        file, x_train=train.images, y_train=train.labels,
        x_test=test.images, y_test=test.labels,
    )  # fmt: skip
    return load(str(file), 8)


def trained(data, folder, recipe=RECIPE, sampling=None, **more):
    sampling = sampling or Sampling("fair", 2)
    return train_one_shot(
        SPACE, data, FIDELITY, recipe, sampling, folder, seed=1, **more
    )


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """An unbroken training and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return trained(data, folder), folder


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.integers(1, 12),
    st.integers(0, 9),
)
def test_a_fair_round_has_each_value_as_often_but_for_one(values, count, seed):
    rows = fair(np.array(values), count, np.random.default_rng(seed))
    assert rows.shape == (count, len(values))
    for column, most in zip(rows.T, values, strict=True):
        counts = np.bincount(column, minlength=most)
        assert len(counts) == most
        assert counts.max() - counts.min() <= 1


def test_fair_rounds_differ():
    rng = np.random.default_rng(0)
    rounds = {fair(np.array([3, 3, 3]), 3, rng).tobytes() for _ in range(50)}
    assert len(rounds) > 25


def test_the_largest_and_the_smallest_network():
    assert extremes(nas_bench_macro()) == ((2,) * 8, (0,) * 8)
    largest, smallest = extremes(SPACE)
    assert largest == (1, 2, 1, 2)
    assert smallest[1::2] == (0, 0)


def test_a_sandwich_holds_both():
    rows = Sampling("sandwich", 4).draw(SPACE, np.random.default_rng(0))
    assert [tuple(row) for row in rows[:2].tolist()] == list(extremes(SPACE))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("best", 3), "`rule` must be one of uniform, fair, sandwich. Received 'best'"),
        (("sandwich", 2), "`round` must be an integer of at least 3. Received 2"),
        (("fair", 0), "`round` must be a positive integer. Received 0"),
        (("fair", 3, -1), "`largest_epochs` must be an integer of at least 0. Rec"),
    ],
)
def test_samplings_are_checked(values, said):
    with pytest.raises(ValueError, match=said):
        Sampling(*values)


def test_a_resumed_training_ends_at_the_same_weights(data, whole, tmp_path):
    with pytest.raises(StopError):
        trained(data, tmp_path, progress=stopped_after(2))
    resumed = trained(data, tmp_path)
    kept = SharedWeights.read(whole[1] / WEIGHTS)
    for mine, own, stored in zip(
        resumed.trainable_variables, whole[0].trainable_variables, kept.values,
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(mine.numpy(), own.numpy())
        np.testing.assert_array_equal(own.numpy(), stored)
    with pytest.raises(CheckpointError, match="another"):
        trained(data, tmp_path, replace(RECIPE, epochs=4))


@pytest.mark.parametrize(
    "rule", ["sandwich", pytest.param("uniform", marks=pytest.mark.slow)]
)
def test_learns_what_is_plain(data, tmp_path, rule):
    rows = []
    trained(
        data, tmp_path, replace(PLAIN, epochs=6, batch=8),
        Sampling(rule, 3, largest_epochs=1),
        progress=lambda done, of, row: rows.append((done, of, row["loss"])),
    )  # fmt: skip
    assert [row[:2] for row in rows] == [(i, 6) for i in range(1, 7)]
    assert rows[-1][2] < rows[0][2]
    networks = [SPACE.decode(row) for row in extremes(SPACE)]
    assert OneShot(str(tmp_path)).evaluate(networks).accuracy.min() > 0.8


@pytest.mark.slow
def test_what_diverges_is_said(data, tmp_path):
    with pytest.raises(DivergedError, match="Lower `learning_rate`"):
        trained(data, tmp_path, replace(RECIPE, learning_rate=1e30))


def test_the_oracle_answers_by_the_weights_alone(data, whole):
    oracle = OneShot(str(whole[1]), images=15, calibration=6)
    assert isinstance(oracle, Oracle)
    networks = [SPACE.decode(row) for row in ([0, 0, 0, 0], [1, 2, 1, 2])]
    foreign = Network((Block("ibn", 7, 1, 8, stride=2),), 8, 8, resolution=32)
    found = oracle.evaluate([*networks, foreign])
    again = oracle.evaluate(networks[::-1])
    assert found.accuracy[:2].tolist() == again.accuracy[::-1].tolist()
    assert np.isnan(found.accuracy[2])
    assert "must be of the space that the one-shot model holds" in found.error[2]
    assert found.error[:2] == ("", "")
    assert (found.seconds > 0).all()
    p = found.accuracy[0]
    assert found.deviation[0] == pytest.approx((p * (1 - p) / 15) ** 0.5)


def test_the_key_changes_with_the_weights(data, whole, tmp_path):
    key = OneShot(str(whole[1])).key
    assert key == OneShot(str(whole[1])).key
    kept = SharedWeights.read(whole[1] / WEIGHTS)
    kept.values[0].flat[0] += 1
    kept.write(tmp_path / WEIGHTS)
    assert OneShot(str(tmp_path)).key != key
    assert OneShot(str(whole[1]), images=5).key != key


def test_the_key_does_not_change_with_the_time_that_it_took(whole, tmp_path):
    kept = SharedWeights.read(whole[1] / WEIGHTS)
    replace(kept, seconds=kept.seconds + 1).write(tmp_path / WEIGHTS)
    assert OneShot(str(tmp_path)).key == OneShot(str(whole[1])).key


def test_other_images_than_those_of_the_training_are_refused(whole, tmp_path):
    kept = SharedWeights.read(whole[1] / WEIGHTS)
    replace(kept, images="others").write(tmp_path / WEIGHTS)
    assert OneShot(str(tmp_path)).key != OneShot(str(whole[1])).key
    network = SPACE.decode([0, 0, 0, 0])
    with pytest.raises(SharedWeightsError, match="they have changed since"):
        OneShot(str(tmp_path)).evaluate([network])


def test_weights_that_cannot_be_used(tmp_path):
    with pytest.raises(SharedWeightsError, match="cannot be read: No such file"):
        _ = OneShot(str(tmp_path)).key
    (tmp_path / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(SharedWeightsError, match="must be the weights that `nahas one"):
        OneShot(str(tmp_path)).evaluate([])
    with pytest.raises(ValueError, match=r"`images` must be a positive integer\. Rec"):
        OneShot(".", images=0)
