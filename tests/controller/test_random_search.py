import numpy as np

from nahas.controller.controller import uniform
from nahas.controller.random_search import RandomSearch


def test_every_value_is_equally_likely():
    cardinalities = np.array([2, 5, 1])
    search = RandomSearch()
    search.setup(cardinalities, seed=0)
    n = 20_000
    choices = search.propose(n)
    for knob, count in enumerate(cardinalities):
        share = np.bincount(choices[:, knob], minlength=count) / n
        # five standard deviations of a binomial share
        bound = 5 * np.sqrt(1 / count * (1 - 1 / count) / n)
        assert np.abs(share - 1 / count).max() <= bound


def test_knobs_are_independent():
    choices = uniform(np.random.default_rng(0), np.array([4, 4]), 20_000)
    # the standard deviation of a correlation of independent draws is 1/sqrt(n)
    assert abs(np.corrcoef(choices.T)[0, 1]) < 5 / np.sqrt(20_000)


def test_feedback_changes_nothing():
    one, other = RandomSearch(), RandomSearch()
    for search in (one, other):
        search.setup(np.array([9, 9]), seed=1)
    first = one.propose(5)
    one.update([])
    np.testing.assert_array_equal(
        np.concatenate([first, one.propose(5)]), other.propose(10)
    )
