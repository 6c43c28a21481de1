"""Keras models against the lowering, which counts without Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.search_space.lower import lower
from nahas.search_space.network import Block, Network
from nahas.search_space.network_spaces import s1, s2, s3
from nahas.train.model import build_model, grouped_conv2d

KERNELS = keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense


def macs(model):
    """Multiply-accumulates of a Keras model's layers for one image."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, KERNELS):
            # A kernel's weight meets every position of the output once; a dense layer
            # or a convolution has one such weight for each pair of channels.
            positions = int(np.prod(layer.output.shape[1:-1]))
            total += positions * int(np.prod(layer.kernel.shape))
    return total


def folded_parameters(model):
    """Weights and biases after batch normalization is folded: its offset is a bias."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, KERNELS):
            total += layer.count_params()
        elif isinstance(layer, keras.layers.BatchNormalization):
            total += int(layer.beta.shape[0])
    return total


def check(network):
    model = build_model(network)
    workload = lower([network])
    assert macs(model) == workload.macs.sum()
    assert folded_parameters(model) == workload.parameters.sum()
    assert model.output.shape == (None, network.classes)
    keras.backend.clear_session()


def test_a_block_by_hand():
    """8x8x3 -> stem 3x3 s2 -> ibn k3 e2 with SE -> head -> 5 classes."""
    block = Block("ibn", 3, 2, 8, se=0.5)
    network = Network((block,), 8, 16, resolution=8, classes=5)
    model = build_model(network)
    stem, expand, depthwise = 16 * 3 * 9 * 8, 16 * 8 * 16, 16 * 9 * 16
    squeeze, project, head, classifier = 2 * 16 * 4, 16 * 16 * 8, 16 * 8 * 16, 16 * 5
    assert macs(model) == (
        stem + expand + depthwise + squeeze + project + head + classifier
    )
    adds = [x for x in model.layers if isinstance(x, keras.layers.Add)]
    assert len(adds) == 1


@pytest.mark.parametrize("space", [s1, s2, s3])
def test_random_networks_of_the_spaces(space):
    space = space(resolution=32, width=0.25, classes=10)
    for choices in space.random(np.random.default_rng(1), 2):
        check(space.decode(choices))


@st.composite
def networks(draw):
    block = st.builds(
        Block,
        kind=st.sampled_from(("ibn", "fused_ibn")),
        kernel=st.sampled_from((1, 3, 5)),
        expansion=st.sampled_from((1, 2, 3)),
        filters=st.sampled_from((8, 16)),
        stride=st.sampled_from((1, 2)),
        groups=st.sampled_from((1, 2, 4)),
        se=st.sampled_from((0.0, 0.25)),
        activation=st.sampled_from(("relu", "relu6", "swish", "hswish")),
        skip=st.booleans(),
    )
    return Network(
        tuple(draw(st.lists(block, min_size=1, max_size=3))),
        stem_filters=8,
        head_filters=draw(st.sampled_from((8, 24))),
        resolution=draw(st.integers(4, 17)),
        classes=draw(st.integers(2, 7)),
        channels=draw(st.sampled_from((1, 3))),
        stem_stride=draw(st.sampled_from((1, 2))),
        activation=draw(st.sampled_from(("relu6", "hswish"))),
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(networks())
def test_any_network_counts_as_its_lowering(network):
    check(network)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_grouped_convolution_is_the_block_diagonal_dense_one(kernel, stride):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 5, 8)).astype(np.float32)
    grouped = grouped_conv2d()(
        12, kernel, strides=stride, groups=4, padding="same", use_bias=False
    )
    plain = keras.layers.Conv2D(
        12, kernel, strides=stride, padding="same", use_bias=False
    )
    grouped.build(x.shape)
    plain.build(x.shape)
    weights = np.asarray(grouped.kernel)  # [k, k, 8 / 4, 12]
    dense = np.zeros((kernel, kernel, 8, 12), np.float32)
    for group in range(4):
        rows, columns = slice(2 * group, 2 * group + 2), slice(3 * group, 3 * group + 3)
        dense[:, :, rows, columns] = weights[..., columns]
    plain.kernel.assign(dense)
    np.testing.assert_allclose(grouped(x), plain(x), atol=1e-5)


def test_softmax_turns_logits_into_probabilities():
    network = Network((Block("ibn", 3, 2, 8),), 8, 8, resolution=4, classes=3)
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    keras.utils.set_random_seed(1)
    logits = np.asarray(build_model(network)(images))
    keras.utils.set_random_seed(1)
    probabilities = np.asarray(build_model(network, softmax=True)(images))
    wanted = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(probabilities, wanted, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_model_survives_its_file(tmp_path):
    network = Network(
        (Block("fused_ibn", 3, 2, 8, groups=2),), 8, 8, resolution=4, classes=3
    )
    model = build_model(network)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    images = np.ones((1, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(model(images), again(images))
