"""Published networks against an independent count of the Keras models."""

import csv

import pytest

from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED
from nahas.train.fit import prepare

# Millions of MACs: MobileNetV2 by Sandler et al. 2018, table 4; EfficientNets by timm's
# benchmark of its ports (benchmark-infer csv).
PUBLISHED_MACS_M = {
    "MobileNetV2": 300,
    "EfficientNetB0": 400,
    "EfficientNetB1": 710,
    "EfficientNetB2": 1020,
    "EfficientNetB3": 1870,
    "EfficientNetB4": 4490,
    "EfficientNetB5": 10460,
    "EfficientNetB6": 19400,
    "EfficientNetB7": 38330,
}

QUICK = ("MobileNetV2", "EfficientNetB0", "EfficientNetB1")
"""The others take many seconds each to build in Keras."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_macs_are_near_the_published(name):
    macs = lower([PUBLISHED[name]]).macs.sum() / 1e6
    assert macs == pytest.approx(PUBLISHED_MACS_M[name], rel=0.04)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name in PUBLISHED
    ],
)
def test_weights_and_macs_equal_keras(name):
    import keras

    # Before TensorFlow starts to work: other tests train, on one thread.
    prepare()

    network = PUBLISHED[name]
    shape = (network.resolution, network.resolution, 3)
    model = getattr(keras.applications, name)(weights=None, input_shape=shape)
    weights = macs = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            kernel = layer.kernel.shape
            rows, columns = layer.output.shape[1:3]
            count = kernel[0] * kernel[1] * kernel[2] * kernel[3]
            # A depthwise kernel's last axis is its multiplier, 1.
            macs += rows * columns * count
        elif isinstance(layer, keras.layers.Dense):
            count = layer.kernel.shape[0] * layer.kernel.shape[1]
            macs += count
        else:
            continue
        weights += count
    keras.backend.clear_session()
    work = lower([network])
    assert int(work.macs.sum()) == macs
    biases = work.operators["filters"][work.macs > 0].sum()
    assert int(work.parameters.sum() - biases) == weights


def test_the_figures_typed_in_are_the_tables(data_file):
    path = data_file("accuracy/imagenet_published.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    for name in PUBLISHED:
        if name != "MobileNetV2":  # its table has timm's count, not the paper's 300
            assert float(rows[f"keras:{name}"]["macs_m"]) == PUBLISHED_MACS_M[name]
