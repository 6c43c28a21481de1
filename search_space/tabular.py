"""Spaces small enough to meet every accelerator, network by network.

NAS-Bench-Macro's networks were all trained and published: Su et al. 2021, "Prioritized
Architecture Sampling with Monto-Carlo Tree Search", arXiv:2103.11922;
github.com/xiusu/NAS-Bench-Macro (Apache-2.0) has the code (`train/model.py`) that this
follows, and the table of 6,561 rows, each with the accuracies of three trainings on
CIFAR-10.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from nahas.search_space.network import Block, Network, scale
from nahas.search_space.published import EFFICIENTNET_STAGES, inverted_bottlenecks
from nahas.search_space.space import Knob, SearchSpace

LAYERS = ("identity", "mb3_k3", "mb6_k5")
"""What a layer may be, in the order of the table's digits 0, 1, 2."""

STAGES = ((64, 2), (128, 3), (256, 3))
"""Filters and layers of each stage; its first layer strides and doubles the filters."""

_STEM, _HEAD = 32, 1280
_MBCONV = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}  # expansion and kernel


def nas_bench_macro(
    *, resolution: int = 224, width: float = 1.0, classes: int = 1000
) -> SearchSpace:
    """Eight layers, each an identity or one of two inverted bottlenecks: 3^8 choices.

    Deployed at 224x224 the stem strides too; at 32x32, and so in the proxy, it does
    not, and the network is the table's own. An identity that strides is a 1x1
    convolution, elsewhere it is no layer at all, so that choices which differ only in
    where a stage's identities stand are one network: there are 9 * 21 * 21 of them.
    Its reference has the small inverted bottleneck in every layer.
    The table's 1x1 convolution has no activation, ours a ReLU, which costs nothing on
    the machine and would matter only if this network were trained here.

    >>> nas_bench_macro().size
    6561
    >>> table = nas_bench_macro(resolution=32, classes=10)
    >>> print(table.decode([0, 1, 0, 0, 0, 2, 0, 0]))
    r32_c10 stem_k3_s1_f32_relu fused-ibn_k1_e1_f64_s2_relu_noskip \
ibn_k3_e3_f64_relu fused-ibn_k1_e1_f128_s2_relu_noskip ibn_k5_e6_f256_s2_relu \
head_f1280_relu
    """

    def build(values: Mapping[str, Any]) -> Network:
        blocks = (
            _block(values[f"layer{i}"], scale(filters, width), first)
            for i, (filters, first) in enumerate(_places())
        )
        network = Network(
            blocks=tuple(block for block in blocks if block is not None),
            stem_filters=scale(_STEM, width),
            head_filters=scale(_HEAD, width),
            activation="relu",
        )
        return network.proxy(resolution, classes)

    knobs = tuple(Knob(f"layer{i}", LAYERS) for i in range(len(_places())))
    reference = (LAYERS.index("mb3_k3"),) * len(knobs)
    return SearchSpace("nas-bench-macro", knobs, build, reference)


def b0_stages(
    *, resolution: int = 224, width: float = 1.0, classes: int = 1000
) -> SearchSpace:
    """EfficientNet-B0 with an expansion and a kernel for each stage: 4^7 networks.

    Layers, squeeze-and-excite and swish are B0's. Its own first stage, of expansion 1,
    is not among the choices: in the reference, B0 else, it is 4.

    >>> b0_stages().size == 4**7
    True
    """

    def build(values: Mapping[str, Any]) -> Network:
        stages = tuple(
            (values[f"stage{i}.kernel"], values[f"stage{i}.expansion"], *rest)
            for i, (_, _, *rest) in enumerate(EFFICIENTNET_STAGES)
        )
        return Network(
            inverted_bottlenecks(
                stages, width=width, depth=1.0, se=0.25, activation="swish"
            ),
            stem_filters=scale(_STEM, width),
            head_filters=scale(_HEAD, width),
            resolution=resolution,
            classes=classes,
            activation="swish",
        )

    names = [f"stage{i}." for i in range(len(EFFICIENTNET_STAGES))]
    choices = {"expansion": (4, 6), "kernel": (3, 5)}
    knobs = tuple(Knob(n + k, v) for n, (k, v) in product(names, choices.items()))
    own = {
        f"stage{i}.{name}": value
        for i, (kernel, expansion, *_) in enumerate(EFFICIENTNET_STAGES)
        for name, value in (("kernel", kernel), ("expansion", max(expansion, 4)))
    }
    reference = tuple(knob.values.index(own[knob.name]) for knob in knobs)
    return SearchSpace("b0-stages", knobs, build, reference)


def every_network(space: SearchSpace) -> Iterator[Network]:
    """The networks of a space, each once, in the order of its choices."""
    seen = set()
    for choices in product(*(range(int(count)) for count in space.cardinalities)):
        network = space.decode(choices)
        if network not in seen:
            seen.add(network)
            yield network


def _places() -> list[tuple[int, bool]]:
    """Each layer's filters, and whether it is the first of its stage."""
    return [(filters, i == 0) for filters, count in STAGES for i in range(count)]


def _block(layer: str, filters: int, first: bool) -> Block | None:
    stride = 2 if first else 1
    if layer in _MBCONV:
        expansion, kernel = _MBCONV[layer]
        return Block("ibn", kernel, expansion, filters, stride, activation="relu")
    if not first:
        return None
    return Block("fused_ibn", 1, 1, filters, stride, activation="relu", skip=False)
