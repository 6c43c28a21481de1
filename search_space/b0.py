"""The space of Accel-NASBench: EfficientNet-B0's skeleton, seven stages of choices.

Each stage chooses expansion, kernel, layers and squeeze-and-excite for all its blocks;
widths, strides, stem and head are EfficientNet-B0's. The choices are those of
`configuration_space_writer.py` of github.com/afzalxo/Accel-NASBench (Apache-2.0), the
network is `AccelNASBenchNet` of github.com/afzalxo/ANB-DatasetCollection as it was
trained for its accuracy: SiLU everywhere (ReLU and hard sigmoid are for its FPGA
timings alone), squeeze-and-excite to a quarter of the block's input.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.network import Block, Network, scale
from nahas.search_space.published import EFFICIENTNET_STAGES
from nahas.search_space.space import Knob, SearchSpace

EXPANSIONS = (1, 4, 6)
KERNELS = (3, 5)
LAYERS = ((1, 2, 3),) * 5 + ((1, 2, 3, 4), (1, 2, 3))
"""Layers that each of the seven stages may have."""
SE = (False, True)
SE_RATIO = 0.25
ACTIVATION = "swish"


def b0(
    *, resolution: int = 224, width: float = 1.0, classes: int = 1000
) -> SearchSpace:
    """Accel-NASBench's space; the knobs are its columns, stage by stage.

    Its reference is EfficientNet-B0, which is a network of it.

    >>> b0().size == 36**6 * 48
    True
    """
    knobs = tuple(
        Knob(f"stage{stage}.{name}", values)
        for stage, layers in enumerate(LAYERS)
        for name, values in {
            "expansion": EXPANSIONS,
            "kernel": KERNELS,
            "layers": layers,
            "se": SE,
        }.items()
    )

    def build(values: Mapping[str, Any]) -> Network:
        chosen = tuple(values[knob.name] for knob in knobs)
        blocks: tuple[Block, ...] = ()
        for stage in range(len(LAYERS)):
            blocks += _stage(stage, width, *chosen[4 * stage : 4 * stage + 4])
        return Network(
            blocks=blocks,
            stem_filters=scale(32, width),
            head_filters=scale(1280, width),
            resolution=resolution,
            classes=classes,
            activation=ACTIVATION,
        )

    wanted = [
        choice
        for kernel, expansion, _, _, layers in EFFICIENTNET_STAGES
        for choice in (expansion, kernel, layers, True)
    ]
    reference = tuple(
        knob.values.index(value) for knob, value in zip(knobs, wanted, strict=True)
    )
    return SearchSpace("b0", knobs, build, reference)


@lru_cache(maxsize=4096)  # a search asks for the same few hundred again and again
def _stage(
    stage: int, width: float, expansion: int, kernel: int, layers: int, se: bool
) -> tuple[Block, ...]:
    _, _, filters, stride, _ = EFFICIENTNET_STAGES[stage]
    first = Block("ibn", kernel, expansion, scale(filters, width), stride=stride,
                  se=SE_RATIO * se, activation=ACTIVATION)  # fmt: skip
    return (first, *(replace(first, stride=1),) * (layers - 1))


_SPACE = b0()
_STAGES = {filters: i for i, (_, _, filters, _, _) in enumerate(EFFICIENTNET_STAGES)}


def choices_of(network: Network) -> NDArray[np.int64]:
    """[28] choices of `b0()` that build the network: the inverse of its `decode`.

    Raises:
        ValueError: If the network is not of the space, naming the first word of its
            text that cannot be.

    >>> choices = np.arange(28) % 2
    >>> (choices_of(_SPACE.decode(choices)) == choices).all()
    np.True_
    """
    stages: list[list[Block]] = [[] for _ in LAYERS]
    for block in network.blocks:
        if block.filters not in _STAGES:
            widths = ", ".join(map(str, _STAGES))
            raise _foreign(f"a block of {widths} filters", block)
        stages[_STAGES[block.filters]].append(block)
    choices = []
    for stage, blocks in enumerate(stages):
        if not blocks:
            raise _foreign(f"a block of stage {stage}", "none")
        block = blocks[0]
        wanted = (block.expansion, block.kernel, len(blocks), block.se == SE_RATIO)
        knobs = _SPACE.knobs[4 * stage : 4 * stage + 4]
        for knob, value in zip(knobs, wanted, strict=True):
            if value not in knob.values:
                among = ", ".join(map(str, knob.values))
                raise _foreign(f"{knob.name} among {among}", f"{value} in {block}")
            choices.append(knob.values.index(value))
    found = np.array(choices, dtype=np.int64)
    expected = _SPACE.decode(found)
    if expected != network:
        pairs = zip(str(expected).split(), str(network).split(), strict=True)
        raise _foreign(*next((a, b) for a, b in pairs if a != b))
    return found


def _foreign(expected: str, received: object) -> ValueError:
    return ValueError(
        "`network` must be of space b0 at 224 x 224 and 1000 classes (inverted "
        "bottlenecks only, each stage of one kind). Expected "
        f"{expected}. Received {received}."
    )
