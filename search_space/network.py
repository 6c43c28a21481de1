"""Network: stem, blocks and head as a frozen value with a one-line text.

The text is a view of the value, both ways, in the manner of EfficientNet's block
strings (tensorflow/tpu, `efficientnet_builder.py`):

>>> block = Block("ibn", 3, 6, 24, stride=2)
>>> network = Network((block,), stem_filters=32, head_filters=64)
>>> str(network)
'r224_c1000 stem_k3_s2_f32_relu6 ibn_k3_e6_f24_s2_relu6 head_f64_relu6'
>>> Network.parse(str(network)) == network
True

A published network, the result of a search and a test fixture are one type.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import lru_cache
from math import inf
from typing import Self

from nahas.accelerator.refusal import check_counts, wrong
from nahas.search_space.network_words import BLOCK, HEAD, INPUT, STEM, match

ACTIVATIONS = ("relu", "relu6", "swish", "hswish")
"""Activations of stem, blocks and head; the gate of squeeze-and-excite is a sigmoid."""

KINDS = ("ibn", "fused_ibn")
"""Inverted bottleneck, and the same with expansion and depthwise fused into one."""

LARGEST = 65_536
"""Most filters, classes, rows, ...: larger networks are slips of the pen."""

SMALLEST_MAP = 4
"""Rows of the last map below which a proxy drops early strides."""

_BLOCKS = 4096  # of proxies, remembered


@dataclass(frozen=True, slots=True)
class Block:
    """An inverted bottleneck: expansion, depthwise convolution, projection.

    Attributes:
        kind: "ibn", or "fused_ibn" whose expansion is the k x k convolution itself.
        kernel: Rows and columns of the k x k convolution, odd.
        expansion: Expanded channels over input channels, not always whole. An ibn of
            expansion 1 has no expansion convolution, a fused one is a single k x k
            convolution.
        filters: Channels of the output.
        stride: Of the k x k convolution, or of the projection where `late`.
        groups: Of the expansion or the fused convolution.
        se: Squeezed channels of squeeze-and-excite over input channels; 0 for none.
        activation: One of `ACTIVATIONS`.
        skip: Adds the input to the output where the two have one shape.
        late: The projection strides, not the k x k convolution: EfficientNet-EdgeTPU's
            fused blocks.

    Raises:
        ValueError: If a field has no meaning.
    """

    kind: str
    kernel: int
    expansion: float
    filters: int
    stride: int = 1
    groups: int = 1
    se: float = 0.0
    activation: str = "relu6"
    skip: bool = True
    late: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise wrong("kind", f"one of {', '.join(KINDS)}", self.kind)
        _check_activation(self.activation)
        _check_counts(self, ("kernel", "filters", "stride", "groups"))
        if isinstance(self.expansion, bool) or not (
            isinstance(self.expansion, int | float) and 1 <= self.expansion < inf
        ):
            raise wrong("expansion", "a number from 1 up", self.expansion)
        if self.expansion == int(self.expansion):  # equal blocks must have one text
            object.__setattr__(self, "expansion", int(self.expansion))
        if self.kernel % 2 == 0:
            raise wrong("kernel", "odd", self.kernel)
        if not isinstance(self.se, int | float) or not 0 <= self.se <= 1:
            raise wrong("se", "between 0 and 1", self.se)
        # Equal blocks must have one text: 1, 1.0 and NumPy's are written differently.
        object.__setattr__(self, "se", float(self.se))
        for name in ("skip", "late"):
            if not isinstance(getattr(self, name), bool):
                raise wrong(name, "True or False", getattr(self, name))

        if self.late and self.kind == "fused_ibn" and self.expansion == 1:
            raise wrong("late", "False where there is no projection", self.late)

    def adds(self, channels: int) -> bool:
        """Whether the block adds its input, of so many channels, to its output."""
        return self.skip and self.stride == 1 and channels == self.filters

    def __str__(self) -> str:
        parts = [self.kind.replace("_", "-"), f"k{self.kernel}", f"e{self.expansion}"]
        parts += [f"f{self.filters}"]
        parts += [f"s{self.stride}"] if self.stride > 1 else []
        parts += [f"g{self.groups}"] if self.groups > 1 else []
        parts += [f"se{self.se!r}"] if self.se else []
        flags = ["noskip"] * (not self.skip) + ["late"] * self.late
        return "_".join([*parts, self.activation, *flags])


@dataclass(frozen=True, slots=True)
class Network:
    """A network for images: stem convolution, blocks, 1x1 head, pool, classifier.

    Attributes:
        blocks: The blocks, at least one.
        stem_filters: Filters of the stem.
        head_filters: Filters of the 1x1 convolution before the pool.
        resolution: Rows and columns of the input.
        classes: Outputs of the classifier.
        channels: Channels of the input.
        stem_kernel: Kernel of the stem.
        stem_stride: Stride of the stem.
        activation: Of stem and head.

    Raises:
        ValueError: If a field has no meaning, or a block's groups do not divide its
            convolution's channels and filters.
    """

    blocks: tuple[Block, ...]
    stem_filters: int
    head_filters: int
    resolution: int = 224
    classes: int = 1000
    channels: int = 3
    stem_kernel: int = 3
    stem_stride: int = 2
    activation: str = "relu6"

    def __post_init__(self) -> None:
        blocks = self.blocks
        if not isinstance(blocks, tuple) or not blocks:
            raise wrong("blocks", "a tuple of at least one block", blocks)
        for i, block in enumerate(blocks):
            if not isinstance(block, Block):
                raise wrong(f"blocks[{i}]", "a Block", block)
        counts = [
            s.name for s in fields(self) if s.name not in ("blocks", "activation")
        ]
        _check_counts(self, tuple(counts))
        _check_activation(self.activation)
        for i, (block, channels) in enumerate(self.with_channels()):
            if channels % block.groups or expanded(block, channels) % block.groups:
                raise ValueError(
                    f"`groups` must divide the {channels} channels and "
                    f"{expanded(block, channels)} filters of the convolution. Received "
                    f"{block.groups} (in blocks[{i}].groups)."
                )

    def with_channels(self) -> Iterator[tuple[Block, int]]:
        """Each block with the channels of its input."""
        channels = self.stem_filters
        for block in self.blocks:
            yield block, channels
            channels = block.filters

    def __str__(self) -> str:
        channels = f"x{self.channels}" if self.channels != 3 else ""
        head = f"r{self.resolution}{channels}_c{self.classes}"
        stem = f"stem_k{self.stem_kernel}_s{self.stem_stride}_f{self.stem_filters}"
        words = [head, f"{stem}_{self.activation}", *map(str, self.blocks)]
        return " ".join([*words, f"head_f{self.head_filters}_{self.activation}"])

    @classmethod
    def parse(cls, text: str) -> Self:
        """The network of a text.

        Raises:
            ValueError: Naming the word that is not understood and its place.
        """
        words = text.split()
        if len(words) < 4:
            raise ValueError(
                "A network's text must name its input, stem, blocks and head, such as "
                "'r224_c1000 stem_k3_s2_f32_relu6 ibn_k3_e6_f24_relu6 head_f64_relu6'. "
                f"Received {text!r}."
            )
        size = match(INPUT, words, 0)
        stem = match(STEM, words, 1)
        head = match(HEAD, words, len(words) - 1)
        if stem["activation"] != head["activation"]:
            raise ValueError(
                "Stem and head must have one activation. Received "
                f"{stem['activation']} and {head['activation']}."
            )
        return cls(
            blocks=tuple(_block(words, i) for i in range(2, len(words) - 1)),
            stem_filters=int(stem["filters"]),
            head_filters=int(head["filters"]),
            resolution=int(size["resolution"]),
            classes=int(size["classes"]),
            channels=int(size["channels"] or 3),
            stem_kernel=int(stem["kernel"]),
            stem_stride=int(stem["stride"]),
            activation=stem["activation"],
        )

    def proxy(
        self, resolution: int, classes: int, *, channels: int = 3, width: float = 1.0
    ) -> "Network":
        """The network that is trained in this one's place, on small images.

        The choices are the same; filters are scaled by `width`, and the earliest
        strides, the stem's first, become 1 until the last map is at least 4x4 (or no
        stride is left).
        """
        strides = [self.stem_stride, *(block.stride for block in self.blocks)]
        for i in range(len(strides)):
            if _last_map(resolution, strides) >= SMALLEST_MAP:
                break
            strides[i] = 1
        blocks, inputs = [], scale(self.stem_filters, width)
        for block, stride in zip(self.blocks, strides[1:], strict=True):
            filters = scale(block.filters, width)
            blocks.append(_scaled(block, filters, stride, inputs))
            inputs = filters
        return replace(
            self,
            blocks=tuple(blocks),
            stem_filters=scale(self.stem_filters, width),
            head_filters=scale(self.head_filters, width),
            resolution=resolution,
            classes=classes,
            channels=channels,
            stem_stride=strides[0],
        )


def expanded(block: Block, channels: int) -> int:
    """Filters of a block's expansion or fused convolution.

    A fused block of expansion 1 is one convolution to its output filters.
    """
    if block.kind == "fused_ibn" and block.expansion == 1:
        return block.filters
    return round(channels * block.expansion)


def scale(filters: int, width: float, divisor: int = 8) -> int:
    """Filters times width, to the nearest multiple, at most 10 % less.

    The rounding of MobileNet and EfficientNet.

    Raises:
        ValueError: If the width is not positive and finite.

    >>> scale(32, 1.0), scale(16, 1.1), scale(24, 0.25)
    (32, 16, 8)
    """
    if not 0 < width < inf:
        raise wrong("width", "positive and finite", width)
    if width == 1:
        return filters
    wanted = filters * width
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * wanted else rounded


def dividing_groups(block: Block, channels: int) -> int:
    """The block's groups, halved until they divide its convolution."""
    groups = block.groups
    while channels % groups or expanded(block, channels) % groups:
        groups = groups // 2 if groups % 2 == 0 else 1
    return groups


@lru_cache(maxsize=_BLOCKS)
def _scaled(block: Block, filters: int, stride: int, inputs: int) -> Block:
    """The block of a proxy, which many networks share."""
    small = replace(block, filters=filters, stride=stride)
    return replace(small, groups=dividing_groups(small, inputs))


def _last_map(resolution: int, strides: list[int]) -> int:
    for stride in strides:
        resolution = -(-resolution // stride)
    return resolution


def _block(words: list[str], place: int) -> Block:
    found = match(BLOCK, words, place)
    try:
        return Block(
            kind=found["kind"].replace("-", "_"),
            kernel=int(found["kernel"]),
            expansion=float(found["expansion"]),
            filters=int(found["filters"]),
            stride=int(found["stride"] or 1),
            groups=int(found["groups"] or 1),
            se=float(found["se"] or 0),
            activation=found["activation"],
            skip=found["noskip"] is None,
            late=found["late"] is not None,
        )
    except ValueError as error:
        raise ValueError(
            f"{error} (in word {place + 1} of a network's text, {words[place]!r})"
        ) from None


def squeezed(block: Block, channels: int) -> int:
    """Channels between the two dense layers of squeeze-and-excite."""
    return max(1, int(Fraction(str(block.se)) * channels))


def _check_counts(owner: object, names: tuple[str, ...]) -> None:
    check_counts(owner, *names)
    for name in names:
        if (value := getattr(owner, name)) > LARGEST:
            raise wrong(name, f"at most {LARGEST}", value)


def _check_activation(name: str) -> None:
    if name not in ACTIVATIONS:
        raise wrong("activation", f"one of {', '.join(ACTIVATIONS)}", name)
