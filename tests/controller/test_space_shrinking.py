import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nahas.controller.space_shrinking import (
    SpaceShrinking,
    qualities,
    shrink,
    worth_of_values,
)
from nahas.controller.trial import Trial

NAN = np.nan


def trial(number, choices, reward=None, violation=0.0):
    feasible = reward is not None
    status = "trained" if feasible else "rejected"
    nothing = (None, None, None, None, None)
    return Trial(number, tuple(choices), status, *nothing, reward, feasible, violation)


def drive(controller, cardinalities, reward, trials, seed=0):
    """The choices proposed, each with its result before the next."""
    controller.setup(np.array(cardinalities), seed=seed)
    proposed = []
    for number in range(1, trials + 1):
        row = controller.propose(1)[0]
        controller.update([trial(number, row.tolist(), reward(row))])
        proposed.append(row)
    return np.array(proposed)


# Qualities.


def test_qualities_by_hand():
    """Two violations, then a reward met twice, then a better one: of 5 trials."""
    trials = [
        trial(1, [0], reward=0.9),
        trial(2, [0], violation=2.0),
        trial(3, [0], reward=0.5),
        trial(4, [0], violation=0.1),
        trial(5, [0], reward=0.5),
    ]
    assert qualities(trials).tolist() == [0.9, 0.1, 0.6, 0.3, 0.6]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_qualities_are_a_half_in_the_mean(rewards):
    found = qualities([trial(i, [0], reward) for i, reward in enumerate(rewards)])
    assert found.mean() == pytest.approx(0.5)


def test_worth_by_hand():
    """Value 0 of the first knob: (0.2 + 0.4 + 1/2) / 3; the last was never met."""
    choices = np.array([[0, 1], [0, 0], [1, 0]])
    worth = worth_of_values(choices, np.array([0.2, 0.4, 0.9]), 3)
    expected = [[1.1 / 3, 0.7, NAN], [0.6, 0.35, NAN]]
    np.testing.assert_allclose(worth, expected, rtol=1e-15)


# Shrinking.


def test_a_shrinking_by_hand():
    """Behind by 0.3, 0, 0.1 and by 0, 0.2: half of 5 - 2 values are the worst 2."""
    left = np.array([[True, True, True], [True, True, False]])
    worth = np.array([[0.2, 0.5, 0.4], [0.6, 0.4, 9.0]])
    kept = shrink(left, worth, 0.5)
    assert kept.tolist() == [[False, True, True], [True, False, False]]


def test_the_unknown_and_the_equal_stay():
    left = np.ones((2, 3), bool)
    worth = np.array([[NAN, 0.5, NAN], [0.4, 0.4, 0.4]])
    assert shrink(left, worth, 0.9).all()
    assert shrink(left, np.full((2, 3), NAN), 0.9).all()


MASKS = hnp.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 5)))


@given(MASKS, st.floats(0.01, 0.99), st.integers(0, 10**6))
def test_no_knob_loses_all_its_values_nor_its_best(left, share, seed):
    rng = np.random.default_rng(seed)
    left[:, 0] |= ~left.any(axis=1)
    worth = np.where(rng.random(left.shape) < 0.2, NAN, rng.random(left.shape))
    kept = shrink(left, worth, share)
    assert kept.any(axis=1).all()
    assert not (kept & ~left).any()
    assert (left & ~kept).sum() <= np.ceil(share * (left.sum() - len(left)))
    known = np.where(left & ~np.isnan(worth), worth, -np.inf)
    rows = np.flatnonzero(np.isfinite(known).any(axis=1))
    assert kept[rows, known[rows].argmax(axis=1)].all()


# The controller.


def test_what_was_dropped_is_not_proposed_again():
    """A knob of 4 values worth 0, 1, 2, 3 and a knob of 1: half of 3, twice."""
    controller = SpaceShrinking(results=12, stages=2, drop=0.5, tournament=4)
    rows = drive(controller, [4, 1, 5], lambda row: float(row[0]), 60)
    assert set(rows[:12, 0]) == {0, 1, 2, 3}
    # Of 7 values besides one a knob, the third's do not matter: the first's go first.
    later = rows[24:]
    assert (later[:, 1] == 0).all()
    assert not {0, 1} & set(later[:, 0].tolist())
    assert len(set(later[:, 2].tolist())) > 1


def test_what_breaks_limits_is_dropped():
    controller = SpaceShrinking(results=20, stages=1, drop=0.3)
    controller.setup(np.array([2, 3]), seed=0)
    for number in range(1, 21):
        row = controller.propose(1)[0].tolist()
        broken = row[0] == 1
        controller.update([trial(number, row, None if broken else 0.5, float(broken))])
    assert not controller.propose(30)[:, 0].any()


def test_the_evolution_climbs():
    reward = lambda row: float(row.sum())  # noqa: E731
    controller = SpaceShrinking(results=16, stages=2, drop=0.3)
    rows = drive(controller, [5] * 8, reward, 200)
    sums = rows.sum(axis=1)
    assert sums[:16].mean() + 8 < sums[-20:].mean()
    assert sums.max() >= 30  # of 32


@pytest.mark.parametrize(
    "wrong", [{"results": 0}, {"stages": 0}, {"tournament": 0}, {"drop": 1.0}]
)
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match=r"must be .* \(in shrinking"):
        SpaceShrinking(**wrong)
