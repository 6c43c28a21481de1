"""The network spaces S1, S2 and S3 of NAHAS (Zhou et al. 2021, arXiv:2102.08619).

S1's and S2's choices are recalled from the paper with medium confidence, the values of
S3's filter multipliers and groups are unconfirmed.

The reference of each is the published network that its backbone is of: MobileNetV2 for
S1, EfficientNet-Lite0 for S2 and S3 (B0 without SE and swish). All of its blocks are of
the space but the first, which expands by 1 where the space has 3 at least: so by 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from nahas.search_space.b0 import b0
from nahas.search_space.network import Block, Network, dividing_groups, scale
from nahas.search_space.published import (
    EFFICIENTNET_STAGES,
    MOBILENET_V2_STAGES,
    inverted_bottlenecks,
)
from nahas.search_space.space import Knob, SearchSpace
from nahas.search_space.tabular import b0_stages, nas_bench_macro

KERNELS = (3, 5, 7)
EXPANSIONS = (3, 6)
KINDS = ("ibn", "fused_ibn")
MULTIPLIERS = (0.5, 0.75, 1.0, 1.25, 1.5)
GROUPS = (1, 2, 4)

_BLOCKS = 2**14  # that are built once: S3 has 900 in each of 16 places


def s1(
    *, resolution: int = 224, width: float = 1.0, classes: int = 1000
) -> SearchSpace:
    """MobileNetV2's 17 blocks, each with its kernel and expansion: 6^17 networks.

    >>> s1().size == 6**17
    True
    """
    return _kernel_and_expansion(
        "s1", _backbone(MOBILENET_V2_STAGES, resolution, width, classes)
    )


def s2(
    *, resolution: int = 224, width: float = 1.0, classes: int = 1000
) -> SearchSpace:
    """EfficientNet-B0's 16 blocks without SE and swish, the same choices: 6^16.

    >>> s2().size == 6**16
    True
    """
    return _kernel_and_expansion(
        "s2", _backbone(EFFICIENTNET_STAGES, resolution, width, classes)
    )


def s3(
    *, resolution: int = 224, width: float = 1.0, classes: int = 1000
) -> SearchSpace:
    """S2 and, for each block, its kind, filters and groups: 180^16 networks.

    Groups are those of the expansion or fused convolution; where they do not divide its
    channels they are halved until they do, so that every choice is a network.

    >>> s3().size == 180**16
    True
    """
    backbone = _backbone(EFFICIENTNET_STAGES, resolution, width, classes)
    choices = {
        "kind": KINDS,
        "kernel": KERNELS,
        "expansion": EXPANSIONS,
        "multiplier": MULTIPLIERS,
        "groups": GROUPS,
    }

    names = [
        [f"block{i}.{name}" for name in choices] for i in range(len(backbone.blocks))
    ]

    @lru_cache(maxsize=_BLOCKS)
    def block_of(
        i: int, channels: int, kind: str, kernel: int, expansion: int,
        multiplier: float, groups: int,
    ) -> Block:  # fmt: skip
        filters = scale(backbone.blocks[i].filters, multiplier)
        wanted = replace(
            backbone.blocks[i], kind=kind, kernel=kernel, expansion=expansion,
            filters=filters, groups=groups,
        )  # fmt: skip
        return replace(wanted, groups=dividing_groups(wanted, channels))

    def build(values: Mapping[str, Any]) -> Network:
        blocks: list[Block] = []
        channels = backbone.stem_filters
        for i, own in enumerate(names):
            blocks.append(block_of(i, channels, *(values[name] for name in own)))
            channels = blocks[-1].filters
        return replace(backbone, blocks=tuple(blocks))

    return SearchSpace(
        "s3", _knobs(backbone, choices), build, _reference(backbone, choices)
    )


NETWORK_SPACES: dict[str, Callable[..., SearchSpace]] = {
    "s1": s1,
    "s2": s2,
    "s3": s3,
    "b0": b0,
    "nas-bench-macro": nas_bench_macro,
    "b0-stages": b0_stages,
}
"""Network spaces by name; each takes resolution, width and classes."""


def _backbone(stages: Any, resolution: int, width: float, classes: int) -> Network:
    blocks = inverted_bottlenecks(
        stages, width=width, depth=1, se=0, activation="relu6"
    )
    return Network(
        blocks=blocks,
        stem_filters=scale(32, width),
        head_filters=scale(1280, width),
        resolution=resolution,
        classes=classes,
    )


def _knobs(
    backbone: Network, choices: Mapping[str, tuple[Any, ...]]
) -> tuple[Knob, ...]:
    return tuple(
        Knob(f"block{i}.{name}", values)
        for i in range(len(backbone.blocks))
        for name, values in choices.items()
    )


def _reference(
    backbone: Network, choices: Mapping[str, tuple[Any, ...]]
) -> tuple[int, ...]:
    """The choices nearest the backbone's own blocks; its multipliers are 1."""
    own = {"multiplier": 1.0}
    return tuple(
        values.index(wanted)
        if (wanted := own.get(name) or getattr(block, name)) in values
        else int(np.argmin([abs(value - wanted) for value in values]))
        for block in backbone.blocks
        for name, values in choices.items()
    )


def _kernel_and_expansion(name: str, backbone: Network) -> SearchSpace:
    @lru_cache(maxsize=_BLOCKS)
    def block_of(i: int, kernel: int, expansion: int) -> Block:
        return replace(backbone.blocks[i], kernel=kernel, expansion=expansion)

    def build(values: Mapping[str, Any]) -> Network:
        blocks = (
            block_of(i, values[f"block{i}.kernel"], values[f"block{i}.expansion"])
            for i in range(len(backbone.blocks))
        )
        return replace(backbone, blocks=tuple(blocks))

    choices = {"kernel": KERNELS, "expansion": EXPANSIONS}
    return SearchSpace(
        name, _knobs(backbone, choices), build, _reference(backbone, choices)
    )
