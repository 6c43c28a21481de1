"""Evolution inside a proposal: what its children are made of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nahas.controller.informed_evolution import evolve, new_children


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 5),
    st.integers(1, 40), st.integers(0, 2**32),
)  # fmt: skip
def test_a_child_is_its_parents_but_for_one_knob(counts, parents, count, seed):
    rng = np.random.default_rng(seed)
    cardinalities = np.array(counts)
    points = rng.integers(0, cardinalities, (parents, len(counts)))
    children = new_children(points, cardinalities, rng, set(), count)
    assert children.shape == (count, len(counts))
    assert ((children >= 0) & (children < cardinalities)).all()
    foreign = ~(children[:, None] == points).any(axis=1)
    assert (foreign.sum(axis=1) <= 1).all()


def test_children_of_one_parent_differ_from_it_in_one_knob():
    parent = np.zeros(7, np.int64)
    cardinalities = np.array([3, 1, 2, 4, 5, 9, 2])
    children = new_children(
        parent[None], cardinalities, np.random.default_rng(0), set(), 20
    )
    assert ((children != parent).sum(axis=1) == 1).all()


def test_every_new_child_is_found_before_one_is_met_again():
    # One parent of four knobs of two values has four children.
    parent = np.zeros((1, 4), np.int64)
    cardinalities = np.full(4, 2)
    met = {parent[0].tobytes()}
    rng = np.random.default_rng(0)
    first = new_children(parent, cardinalities, rng, met, 2)
    second = new_children(parent, cardinalities, rng, met, 2)
    found = {child.tobytes() for child in np.concatenate([first, second])}
    assert found == {row.tobytes() for row in np.eye(4, dtype=np.int64)}
    assert met == found | {parent[0].tobytes()}
    again = new_children(parent, cardinalities, rng, met, 3)
    assert {child.tobytes() for child in again} <= found


def test_both_parents_and_all_knobs_and_values_are_drawn_evenly():
    count = 12_000
    parents = np.array([[0, 0, 0], [3, 3, 3]])
    cardinalities = np.array([4, 4, 4])
    rng = np.random.default_rng(1)
    children = np.concatenate(
        [new_children(parents, cardinalities, rng, set(), 1) for _ in range(count)]
    )
    moved = np.isin(children, (1, 2)).sum(axis=0)
    # A knob is the one that is moved in 1/3, and of three other values two are new.
    expected = count / 3 * 2 / 3
    assert (abs(moved - expected) < 5 * np.sqrt(expected)).all()
    ones = (children == 3).sum(axis=0)
    zeros = (children == 0).sum(axis=0)
    assert (abs(ones - zeros) < 5 * np.sqrt(count)).all()


def test_the_best_that_was_met_comes_first():
    cardinalities = np.full(6, 5)
    found, violations = evolve(
        np.zeros((1, 6), np.int64),
        lambda points: (np.zeros(len(points)), points.sum(axis=1).astype(float)),
        cardinalities,
        np.random.default_rng(0),
        candidates=40, generations=20, parents=8,
    )  # fmt: skip
    assert found[0].tolist() == [4] * 6
    assert not violations.any()
