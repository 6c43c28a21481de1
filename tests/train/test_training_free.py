"""Scores of networks with random weights."""

import numpy as np
import pytest

from nahas.search_space.network import Block, Network
from nahas.train import fit
from nahas.train.training_free import naswot

SMALL = Network((Block("ibn", 3, 2, 8),), 8, 8, resolution=8, classes=2, stem_stride=1)
LARGE = Network(
    (Block("ibn", 3, 6, 16), Block("ibn", 3, 6, 16)), 16, 32,
    resolution=8, classes=2, stem_stride=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def images():
    fit.prepare(1)
    return np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype(np.float32)


def test_a_larger_network_tells_images_better_apart(images):
    assert naswot(LARGE, images, seed=0) > naswot(SMALL, images, seed=0)


def test_the_order_of_images_does_not_matter(images):
    mixed = images[[3, 1, 5, 0, 2, 4]]
    assert naswot(SMALL, mixed, seed=0) == pytest.approx(naswot(SMALL, images, seed=0))


def test_images_that_are_alike_are_not_told_apart(images):
    twice = np.concatenate([images[:3], images[:3]])
    assert naswot(SMALL, twice, seed=0) < naswot(SMALL, images, seed=0) - 20


def test_one_image_has_as_many_activations_as_it_has(images):
    """K is then their number: 8x8 of the stem's 8, expansion's and depthwise's 16 and
    the head's 8."""
    assert naswot(SMALL, images[:1], seed=0) == pytest.approx(
        np.log(64 * (8 + 16 + 16 + 8))
    )
