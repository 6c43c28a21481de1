"""Augmentation on the host: by hand where it can be, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.train import augment


def images(count=6, size=8, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, size, size, channels)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def test_each_image_is_mirrored_or_left():
    given_ = images(40)
    found = augment.mirrored(given_, np.random.default_rng(0))
    turned = (found == given_[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (found == given_).all(axis=(1, 2, 3))
    assert (turned ^ same).all()
    assert 10 < turned.sum() < 30


@given(st.integers(1, 5), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_a_shift_moves_whole_images_and_brings_in_black(most, seed):
    given_ = np.maximum(images(5), 1)
    found = augment.shifted(given_, most, np.random.default_rng(seed))
    for before, after in zip(given_, found, strict=True):
        padded = np.pad(before, ((most, most), (most, most), (0, 0)))
        windows = [
            padded[y : y + 8, x : x + 8]
            for y in range(2 * most + 1)
            for x in range(2 * most + 1)
        ]
        assert any((window == after).all() for window in windows)


@pytest.mark.parametrize("least", [0.1, 0.6])
def test_a_crop_shows_a_share_of_the_image(least):
    """Of ramps, one across and one down, the spans say which part is seen."""
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    across = np.broadcast_to(ramp, (64, 64))
    image = np.stack([across, across.T, across * 0], axis=2)
    found = augment.cropped(
        np.stack([image] * 300), least, np.random.default_rng(0)
    ).astype(int)  # fmt: skip
    wide = (found[:, 32, -1, 0] - found[:, 32, 0, 0]) / 255
    tall = (found[:, -1, 32, 1] - found[:, 0, 32, 1]) / 255
    shares = wide * tall
    assert shares.min() > least * 0.75 - 0.05  # sides are cut to the image's
    assert shares.min() < least + 0.1
    assert shares.max() > 0.9
    whole = np.maximum(wide, tall) < 0.93
    ratios = (wide / tall)[whole]
    assert 0.7 < ratios.min() < 0.85
    assert 1.2 < ratios.max() < 1.43


def test_a_crop_of_all_is_the_image_but_for_its_sides_ratio():
    given_ = images(3, 16, 1)
    found = augment.cropped(given_, 1.0, np.random.default_rng(1))
    assert found.shape == given_.shape
    assert abs(found.mean() - given_.mean()) < 5


def test_no_shift_is_none():
    np.testing.assert_array_equal(
        augment.shifted(images(), 0, np.random.default_rng(0)), images()
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", augment.OPERATIONS)
def test_every_operation_changes_an_image_at_full_strength_alone(name, channels):
    from PIL import Image

    image = images(1, 32, channels)[0] // 2 + 40  # so that contrast can be added
    picture = Image.fromarray(image[..., 0] if channels == 1 else image)
    change = augment.OPERATIONS[name]
    for sign in (-1.0, 1.0):
        found = np.asarray(change(picture, 1.0, sign)).reshape(image.shape)
        assert found.dtype == np.uint8
        alike = name == "identity" or (name == "color" and channels == 1)
        assert (found == image).all() == alike
        still = name not in ("auto contrast", "equalize")
        found = np.asarray(change(picture, 0.0, sign)).reshape(image.shape)
        assert (found == image).all() or not still


def test_a_translation_by_hand():
    """At strength 1 an image of 20 columns moves by 9, grey coming in."""
    from PIL import Image

    image = np.arange(400, dtype=np.uint8).reshape(20, 20)
    found = np.asarray(
        augment.OPERATIONS["translate x"](Image.fromarray(image), 1.0, 1.0)
    )
    np.testing.assert_array_equal(found[:, :11], image[:, 9:])
    assert (found[:, 11:] == 128).all()


def test_no_operations_leave_images_alone_and_a_seed_decides():
    def run(operations, seed=1):
        rng = np.random.default_rng(seed)
        return augment.rand_augmented(images(12), operations, 9.0, rng)

    np.testing.assert_array_equal(run(0), images(12))
    np.testing.assert_array_equal(run(2), run(2))
    assert (run(2) != run(2, seed=2)).any()


@given(st.sampled_from([(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)]), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_a_mixed_label_says_how_much_of_an_image_there_is(alphas, seed):
    """Image k is k everywhere: what is joined can be read off its pixels."""
    count = 5
    inputs = np.ones((count, 6, 6, 1), np.float32)
    inputs *= np.arange(count, dtype=np.float32)[:, None, None, None]
    labels = np.eye(count, dtype=np.float32)
    rng = np.random.default_rng(seed)
    found, mixed = augment.mixed(inputs, labels, *alphas, rng)
    assert found.dtype == mixed.dtype == np.float32
    np.testing.assert_allclose(mixed.sum(1), 1, atol=1e-6)
    expected = mixed @ np.arange(count, dtype=np.float32)
    np.testing.assert_allclose(found.mean((1, 2, 3)), expected, atol=1e-5)


def test_without_mixing_nothing_is_mixed():
    inputs, labels = np.zeros((2, 4, 4, 1), np.float32), np.eye(2, dtype=np.float32)
    found = augment.mixed(inputs, labels, 0.0, 0.0, np.random.default_rng(0))
    assert found[0] is inputs
    assert found[1] is labels
