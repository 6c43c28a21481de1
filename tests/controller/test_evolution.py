import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.controller.controller import rank_key
from nahas.controller.evolution import RegularizedEvolution, mutate
from nahas.controller.trial import Trial

SPACE = np.array([4] * 6)


def trial(number, choices, reward=None, violation=0.0):
    feasible = reward is not None
    status = "trained" if feasible else "rejected"
    nothing = (None, None, None, None, None)
    return Trial(number, tuple(choices), status, *nothing, reward, feasible, violation)


# Mutation.


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(0, 10**6))
def test_a_mutation_changes_exactly_one_knob(cardinalities, seed):
    cardinalities = np.array(cardinalities)
    rng = np.random.default_rng(seed)
    parent = rng.integers(0, cardinalities)
    before = parent.copy()
    child = mutate(parent, cardinalities, rng)
    assert (child != parent).sum() == min(1, (cardinalities > 1).sum())
    assert ((child >= 0) & (child < cardinalities)).all()
    np.testing.assert_array_equal(parent, before)


def test_mutations_are_uniform():
    """Of 2 + 3 other values behind 2 free knobs: halves, then shares of the knob."""
    rng, n = np.random.default_rng(0), 12_000
    cardinalities, parent = np.array([3, 1, 4]), np.array([2, 0, 1])
    children = np.array([mutate(parent, cardinalities, rng) for _ in range(n)])
    expected = {(0, 0, 1): 1 / 4, (1, 0, 1): 1 / 4} | {
        (2, 0, k): 1 / 6 for k in (0, 2, 3)
    }
    rows, counts = np.unique(children, axis=0, return_counts=True)
    assert {tuple(row) for row in rows.tolist()} == set(expected)
    for row, count in zip(rows.tolist(), counts, strict=True):
        assert count / n == pytest.approx(expected[tuple(row)], abs=0.02)


# Constraint domination.


def test_rank_by_hand():
    in_order = [
        trial(1, [0], violation=np.inf),
        trial(2, [0], violation=2.0),
        trial(3, [0], violation=0.1),
        trial(4, [0], reward=-5.0),
        trial(5, [0], reward=0.5),
    ]
    shuffled = [in_order[k] for k in (2, 4, 0, 3, 1)]
    assert sorted(shuffled, key=rank_key) == in_order


# Selection.


def propose_and_feed(evolution, trials):
    evolution.setup(SPACE, seed=0)
    evolution.propose(evolution.population)
    evolution.update(trials)
    return np.array([evolution.propose(1)[0] for _ in range(15)])


def test_a_full_tournament_picks_the_best():
    """With a tournament as large as the population every child is the best's."""
    rng = np.random.default_rng(0)
    trials = [trial(k + 1, rng.integers(0, SPACE), reward=k / 10) for k in range(4)]
    children = propose_and_feed(RegularizedEvolution(4, 4), trials[::-1])
    assert ((children != trials[-1].choices).sum(axis=1) == 1).all()


def test_any_feasible_beats_the_infeasible():
    best = trial(3, [1, 2, 3, 0, 1, 2], reward=-9.0)
    others = [trial(1, [0] * 6, violation=1e-9), trial(2, [3] * 6, violation=0.5)]
    children = propose_and_feed(RegularizedEvolution(3, 3), [*others, best])
    assert ((children != best.choices).sum(axis=1) == 1).all()


def test_the_oldest_die_however_good():
    good = trial(1, [0] * 6, reward=1.0)
    poor = [trial(k, [3] * 6, reward=0.1) for k in (2, 3)]
    children = propose_and_feed(RegularizedEvolution(2, 2), [good, *poor])
    assert ((children != 3).sum(axis=1) == 1).all()


def test_starts_at_random_until_something_is_known():
    evolution = RegularizedEvolution(2, 2)
    evolution.setup(np.array([1000] * 20), seed=0)
    choices = evolution.propose(30)
    # random points of so large a space share next to no values
    assert (choices[:, None] == choices).sum(axis=2).max(where=~np.eye(30, dtype=bool),
                                                         initial=0) <= 3  # fmt: skip


def test_children_are_new():
    evolution = RegularizedEvolution(8, 4)
    evolution.setup(np.array([4] * 4), seed=0)
    seen = set()
    for number in range(1, 121):
        choices = tuple(evolution.propose(1)[0].tolist())
        seen.add(choices)
        evolution.update([trial(number, choices, reward=float(sum(choices)))])
    assert len(seen) >= 115  # of 256 points; a repeat needs 20 stale draws in a row


def test_climbs():
    evolution = RegularizedEvolution()
    evolution.setup(np.array([5] * 12), seed=0)
    best = 0
    for number in range(1, 301):
        choices = evolution.propose(1)[0].tolist()
        best = max(best, sum(choices))
        evolution.update([trial(number, choices, reward=float(sum(choices)))])
    assert best == 4 * 12


@pytest.mark.parametrize(
    "wrong", [{"population": 0}, {"tournament": 0}, {"tournament": True}]
)
def test_wrong_sizes(wrong):
    with pytest.raises(
        ValueError, match=r"must be an integer of at least 1.*evolution"
    ):
        RegularizedEvolution(**wrong)


def test_tournament_within_the_population():
    with pytest.raises(ValueError, match=r"`tournament` must not exceed `population`"):
        RegularizedEvolution(population=4, tournament=5)
