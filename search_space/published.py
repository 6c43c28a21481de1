"""Published networks as data, equal to their authors' in weights and MACs.

Block tables from the authors' repositories: tensorflow/tpu (models/official:
efficientnet with lite/ and edgetpu/, mnasnet) and tensorflow/models
(official/projects/edgetpu/vision, research/slim/nets/mobilenet), all Apache-2.0.
"""

from dataclasses import replace
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


def efficientnet_lite(width: float, depth: float, resolution: int) -> Network:
    """EfficientNet-Lite: no SE, ReLU6; stem, head and end stages not deepened."""
    first, *middle, last = EFFICIENTNET_STAGES
    stages = (first, *((k, e, f, s, ceil(depth * r)) for k, e, f, s, r in middle), last)
    return Network(
        inverted_bottlenecks(stages, width=width, depth=1, se=0, activation="relu6"),
        stem_filters=32,
        head_filters=1280,
        resolution=resolution,
    )


# kind, kernel, expansion, filters, stride, repeats
_EDGETPU_STAGES = (
    ("fused_ibn", 3, 4, 24, 1, 1),
    ("fused_ibn", 3, 8, 32, 2, 2),
    ("fused_ibn", 3, 8, 48, 2, 4),
    ("ibn", 5, 8, 96, 2, 5),
    ("ibn", 5, 8, 144, 1, 4),
    ("ibn", 5, 8, 192, 2, 2),
)


def efficientnet_edgetpu(width: float, depth: float, resolution: int) -> Network:
    """EfficientNet-EdgeTPU (Gupta and Akin 2020, arXiv:2003.02838).

    Its fused blocks stride in the projection. The first expands the filters that its
    table declares (24) where 32 come in: so 96, and no skip.
    """
    stem = scale(32, width)
    blocks: list[Block] = []
    for kind, kernel, expansion, filters, stride, repeats in _EDGETPU_STAGES:
        for i in range(ceil(depth * repeats)):
            late = kind == "fused_ibn"
            blocks.append(
                Block(kind, kernel, expansion, scale(filters, width),
                      stride=stride if i == 0 else 1, activation="relu", late=late,
                      skip=filters != 24)
            )  # fmt: skip
    declared = scale(24, width) * 4
    blocks[0] = replace(blocks[0], expansion=declared / stem)
    return Network(
        tuple(blocks),
        stem_filters=stem,
        head_filters=scale(1280, width),
        resolution=resolution,
        classes=1001,
        activation="relu",
    )


# kind, kernel, expansion, filters, stride, repeats, skip
_MOBILENET_EDGETPU_STAGES = (
    ("fused_ibn", 1, 1, 16, 1, 1, True),
    ("fused_ibn", 3, 8, 32, 2, 1, True),
    ("fused_ibn", 3, 4, 32, 1, 3, True),
    ("fused_ibn", 3, 8, 48, 2, 1, True),
    ("fused_ibn", 3, 4, 48, 1, 3, True),
    ("ibn", 3, 8, 96, 2, 1, True),
    ("ibn", 3, 4, 96, 1, 3, True),
    ("ibn", 3, 8, 96, 1, 1, False),
    ("ibn", 3, 4, 96, 1, 3, True),
    ("ibn", 5, 8, 160, 2, 1, True),
    ("ibn", 5, 4, 160, 1, 3, True),
    ("ibn", 3, 8, 192, 1, 1, True),
)


def mobilenet_edgetpu(width: float) -> Network:
    """MobileNetEdgeTPU at a depth multiplier; the head is never narrowed."""
    return Network(
        tuple(
            Block(kind, kernel, expansion, scale(filters, width), stride=stride,
                  activation="relu", skip=skip)
            for kind, kernel, expansion, filters, stride, repeats, skip
            in _MOBILENET_EDGETPU_STAGES
            for _ in range(repeats)
        ),
        stem_filters=scale(32, width),
        head_filters=scale(1280, max(width, 1.0)),
        classes=1001,
        activation="relu",
    )  # fmt: skip


# Kinds of the blocks of each stage (g is a fused block in groups), their expansions;
# the first block of stages 1, 2, 3 and 5 strides.
_V2_KINDS = ("f", "fg", "fgfg", "fiii", "iiii", "iiii", "i")
_V2_TINY = ("f", "fg", "gggg", "giii", "iiii", "iiii", "i")


def mobilenet_edgetpu_v2(
    filters: tuple[int, ...],
    *,
    stem: int = 64,
    stem_kernel: int = 5,
    head: int = 1280,
    group: int = 64,
    kinds: tuple[str, ...] = _V2_KINDS,
) -> Network:
    """MobileNetEdgeTPUv2: stages of so many filters, groups of `group` channels."""
    blocks, channels = [], stem
    for stage, (words, width) in enumerate(zip(kinds, filters, strict=True)):
        for i, word in enumerate(words):
            expansion = 1 if stage == 0 else 8 if i == 0 else 4
            blocks.append(
                Block(
                    "ibn" if word == "i" else "fused_ibn",
                    1 if stage == 0 else 3,
                    expansion,
                    width,
                    stride=2 if i == 0 and stage in (1, 2, 3, 5) else 1,
                    groups=channels * expansion // group if word == "g" else 1,
                    activation="relu",
                )
            )
            channels = width
    return Network(
        tuple(blocks),
        stem_filters=stem,
        head_filters=head,
        classes=1001,
        stem_kernel=stem_kernel,
        activation="relu",
    )


# kernel, expansion, filters, stride, repeats, squeeze-and-excite
_MNASNETS = {
    "A1": (
        (3, 1, 16, 1, 1, 0), (3, 6, 24, 2, 2, 0), (5, 3, 40, 2, 3, 0.25),
        (3, 6, 80, 2, 4, 0), (3, 6, 112, 1, 2, 0.25), (5, 6, 160, 2, 3, 0.25),
        (3, 6, 320, 1, 1, 0),
    ),
    "B1": (
        (3, 1, 16, 1, 1, 0), (3, 3, 24, 2, 3, 0), (5, 3, 40, 2, 3, 0),
        (5, 6, 80, 2, 3, 0), (3, 6, 96, 1, 2, 0), (5, 6, 192, 2, 4, 0),
        (3, 6, 320, 1, 1, 0),
    ),
}  # fmt: skip


def mnasnet(name: str) -> Network:
    """MnasNet-A1 or -B1 (Tan et al. 2019, arXiv:1807.11626)."""
    return Network(
        tuple(
            Block("ibn", kernel, expansion, filters, stride=stride if i == 0 else 1,
                  se=se, activation="relu")
            for kernel, expansion, filters, stride, repeats, se in _MNASNETS[name]
            for i in range(repeats)
        ),
        stem_filters=32,
        head_filters=1280,
        activation="relu",
    )  # fmt: skip


_LITES = ((1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260), (1.2, 1.4, 280),
          (1.4, 1.8, 300))  # fmt: skip
_EDGETPUS = {"S": (1.0, 1.0, 224), "M": (1.0, 1.1, 240), "L": (1.2, 1.4, 300)}

PUBLISHED: dict[str, Network] = {
    "MobileNetV2": mobilenet_v2(),
    **{f"EfficientNet{n}": efficientnet(*scaling)
       for n, scaling in _EFFICIENTNETS.items()},
    **{f"EfficientNetLite{n}": efficientnet_lite(*scaling)
       for n, scaling in enumerate(_LITES)},
    **{f"EfficientNetEdgeTPU-{n}": efficientnet_edgetpu(*scaling)
       for n, scaling in _EDGETPUS.items()},
    **{f"MobileNetEdgeTPU-{width:g}": mobilenet_edgetpu(width)
       for width in (0.75, 1.0, 1.25, 1.5, 1.75)},
    "MobileNetEdgeTPUv2-Tiny": mobilenet_edgetpu_v2(
        (16, 32, 48, 80, 112, 160, 192), stem=32, kinds=_V2_TINY),
    "MobileNetEdgeTPUv2-XS": mobilenet_edgetpu_v2(
        (16, 32, 48, 96, 144, 160, 192), stem=32),
    "MobileNetEdgeTPUv2-S": mobilenet_edgetpu_v2((24, 48, 64, 128, 160, 192, 256)),
    "MobileNetEdgeTPUv2-M": mobilenet_edgetpu_v2(
        (32, 64, 80, 160, 192, 240, 320), head=1344),
    "MobileNetEdgeTPUv2-L": mobilenet_edgetpu_v2(
        (32, 64, 96, 192, 240, 256, 384), head=1408, stem_kernel=7, group=128),
    "MnasNet-A1": mnasnet("A1"),
    "MnasNet-B1": mnasnet("B1"),
}  # fmt: skip
"""Networks by name; those of Keras Applications by the name that they have there."""
