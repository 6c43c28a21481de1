"""Published networks against an independent count of the Keras models."""

import csv

import pytest

from nahas.accelerator.workload import Kind
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
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

# Counts by the authors, tensorflow/models and tensorflow/tpu: READMEs of
# research/slim/nets/mobilenet and mnasnet; EfficientNet-EdgeTPU-S by AMD's model zoo
# (4.72 G operations). Their MAdds of EfficientNet-Lite are no MACs: a profiler's count
# of a training graph, 3 to 5 % more.
AUTHORS_MACS_M = {
    "MobileNetEdgeTPU-0.75": 624,
    "MobileNetEdgeTPU-1": 990,
    "MnasNet-A1": 312,
    "MnasNet-B1": 315,
    "EfficientNetEdgeTPU-S": 2360,
}
# Trainable parameters, to the last, by the authors' unit tests.
AUTHORS_PARAMETERS = {
    "EfficientNetLite0": 4_652_008,
    "EfficientNetLite1": 5_416_680,
    "EfficientNetLite2": 6_092_072,
    "EfficientNetLite3": 8_197_096,
    "EfficientNetLite4": 13_006_568,
    "MobileNetEdgeTPU-1": 4_092_713,
}

QUICK = ("MobileNetV2", "EfficientNetB0", "EfficientNetB1")
"""The others take many seconds each to build in Keras."""


@pytest.mark.parametrize("name", PUBLISHED_MACS_M)
def test_macs_are_near_the_published(name):
    macs = lower([PUBLISHED[name]]).macs.sum() / 1e6
    assert macs == pytest.approx(PUBLISHED_MACS_M[name], rel=0.04)


@pytest.mark.parametrize("name", AUTHORS_MACS_M)
def test_macs_are_the_authors(name):
    macs = lower([PUBLISHED[name]]).macs.sum() / 1e6
    assert macs == pytest.approx(AUTHORS_MACS_M[name], rel=0.01)


@pytest.mark.parametrize("name", AUTHORS_PARAMETERS)
def test_parameters_are_the_authors_to_the_last(name):
    work = lower([PUBLISHED[name]])
    rows = work.operators
    normalized = (rows["kind"] <= Kind.DEPTHWISE).astype(int)  # scale and shift each
    trained = work.parameters.sum() + (normalized * rows["filters"]).sum()
    assert trained == AUTHORS_PARAMETERS[name]


def test_every_published_network_has_a_text_and_a_proxy():
    for network in PUBLISHED.values():
        assert Network.parse(str(network)) == network
        small = network.proxy(32, 10, width=0.25)
        assert Network.parse(str(small)) == small


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name in PUBLISHED_MACS_M
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
    for name in PUBLISHED_MACS_M:
        if name != "MobileNetV2":  # its table has timm's count, not the paper's 300
            assert float(rows[f"keras:{name}"]["macs_m"]) == PUBLISHED_MACS_M[name]
