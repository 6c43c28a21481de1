"""Published networks as data, equal to Keras Applications in weights and MACs."""

from math import ceil

from nahas.search_space.network import Block, Network, scale

# kernel, expansion, filters, stride, repeats
_Stages = tuple[tuple[int, int, int, int, int], ...]

MOBILENET_V2_STAGES: _Stages = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (3, 6, 32, 2, 3),
    (3, 6, 64, 2, 4),
    (3, 6, 96, 1, 3),
    (3, 6, 160, 2, 3),
    (3, 6, 320, 1, 1),
)
"""Sandler et al. 2018, table 2: 17 blocks."""

EFFICIENTNET_STAGES: _Stages = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 2, 3),
    (5, 6, 112, 1, 3),
    (5, 6, 192, 2, 4),
    (3, 6, 320, 1, 1),
)
"""Tan and Le 2019, table 1: 16 blocks."""

# Width, depth and resolution (tensorflow/tpu, efficientnet_builder.py).
_EFFICIENTNETS = {
    "B0": (1.0, 1.0, 224),
    "B1": (1.0, 1.1, 240),
    "B2": (1.1, 1.2, 260),
    "B3": (1.2, 1.4, 300),
    "B4": (1.4, 1.8, 380),
    "B5": (1.6, 2.2, 456),
    "B6": (1.8, 2.6, 528),
    "B7": (2.0, 3.1, 600),
}


def inverted_bottlenecks(
    stages: _Stages, *, width: float, depth: float, se: float, activation: str
) -> tuple[Block, ...]:
    """The blocks of the stages; a stage's stride belongs to its first block."""
    return tuple(
        Block("ibn", kernel, expansion, scale(filters, width),
              stride=stride if i == 0 else 1, se=se, activation=activation)
        for kernel, expansion, filters, stride, repeats in stages
        for i in range(ceil(depth * repeats))
    )  # fmt: skip


def mobilenet_v2(resolution: int = 224, classes: int = 1000) -> Network:
    """MobileNetV2 1.0 (Sandler et al. 2018, arXiv:1801.04381)."""
    return Network(
        inverted_bottlenecks(
            MOBILENET_V2_STAGES, width=1, depth=1, se=0, activation="relu6"
        ),
        stem_filters=32,
        head_filters=1280,
        resolution=resolution,
        classes=classes,
    )


def efficientnet(width: float, depth: float, resolution: int) -> Network:
    """EfficientNet by compound scaling (Tan and Le 2019, arXiv:1905.11946)."""
    return Network(
        inverted_bottlenecks(
            EFFICIENTNET_STAGES, width=width, depth=depth, se=0.25, activation="swish"
        ),
        stem_filters=scale(32, width),
        head_filters=scale(1280, width),
        resolution=resolution,
        activation="swish",
    )


PUBLISHED: dict[str, Network] = {"MobileNetV2": mobilenet_v2()} | {
    f"EfficientNet{name}": efficientnet(*scaling)
    for name, scaling in _EFFICIENTNETS.items()
}
"""Networks by the name that Keras Applications gives them."""
