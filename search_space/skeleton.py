"""Skeleton: what the networks of a space share, and what a network is within it.

A one-shot model holds the weights of all networks of a space. It is made of slots, in
each of which a block may stand; a network is a row of integers for each slot. Where all
networks have as many blocks, slot i holds block i. Where they have not, blocks are
counted from the start of their stage, and a stage's last slots may be empty: networks
of two and of three layers share the first two.

>>> from nahas.search_space.tabular import nas_bench_macro
>>> space = nas_bench_macro(resolution=32, classes=10)
>>> skeleton = Skeleton.of([space.decode(row) for row in ([0] * 8, [1] * 8, [2] * 8)])
>>> len(skeleton.slots), skeleton.slots[0].options
(8, (('fused_ibn', 1, 1), ('ibn', 3, 3), ('ibn', 5, 6)))
>>> skeleton.codes(space.decode([0, 2, 1, 1, 0, 0, 2, 2]))[:, OPTION].tolist()
[1, 2, 2, 1, 0, 1, 2, 2]
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.network import Block, Network, expanded

OPTION, CHANNELS, WIDE, FILTERS, GROUPS, ADDS = range(6)
"""Columns of a network's codes: the block's option from 1, 0 for an empty slot; its
input's, its expanded and its output's channels; its groups; whether it adds its input
to its output."""

Option = tuple[str, int, float]
"""Kind, kernel and expansion of a block."""

_ANY = (Block("ibn", 3, 1, 8),)  # in the place of a network's blocks


@dataclass(frozen=True, slots=True)
class Slot:
    """Where blocks of a space may stand.

    Attributes:
        options: What a block may be, in order.
        channels: Of its input, at most.
        filters: Of its output, at most.
        stride: Of its blocks.
        activation: Of its blocks.
        empty: Whether it may be left out.
        varied: Whether its input or its output may have fewer channels.
        grouped: Whether its convolutions may have groups.
    """

    options: tuple[Option, ...]
    channels: int
    filters: int
    stride: int
    activation: str
    empty: bool
    varied: bool
    grouped: bool

    def holds(self, block: Block, channels: int) -> bool:
        """Whether the block, of so many input channels, may stand here."""
        return (
            _option(block) in self.options
            and channels <= self.channels
            and block.filters <= self.filters
            and (block.stride, block.activation) == (self.stride, self.activation)
            and (self.grouped or block.groups == 1)
            and not (block.se or block.late)
        )

    def wide(self, option: Option) -> int:
        """Expanded channels of an option, at most."""
        kind, kernel, expansion = option
        block = Block(kind, kernel, expansion, self.filters)
        return expanded(block, self.channels)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The slots between a stem and a head that all networks share.

    Attributes:
        slots: S slots.
        ends: A network with the stem, head, input and classes of all.
        stages: Number of slots of each stage; one stage where the networks have as many
            blocks.
    """

    slots: tuple[Slot, ...]
    ends: Network
    stages: tuple[int, ...]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The skeleton of `to_dict`'s values."""
        slots = tuple(
            Slot(**{**slot, "options": tuple(map(tuple, slot["options"]))})
            for slot in values["slots"]
        )
        return cls(slots, Network.parse(values["ends"]), tuple(values["stages"]))

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON takes them."""
        return {**asdict(self), "ends": str(self.ends)}

    @classmethod
    def of(cls, networks: Sequence[Network]) -> Self:
        """The least that holds all of these networks.

        Raises:
            ValueError: If they differ in what a one-shot model cannot vary.
        """
        if not networks:
            raise ValueError("`networks` must hold at least one network. Received 0.")
        fixed = len({len(network.blocks) for network in networks}) == 1
        split = [_stages(network, fixed) for network in networks]
        if len({len(stages) for stages in split}) > 1:
            raise ValueError(
                "Networks of a one-shot model must have as many stages. Received "
                f"{min(map(len, split))} and {max(map(len, split))}."
            )
        ends = {_ends(network) for network in networks}
        if len(ends) > 1:
            raise ValueError(
                "Networks of a one-shot model must share stem, head, input and "
                f"classes. Received {len(ends)} kinds of them."
            )
        stages = tuple(max(map(len, same)) for same in zip(*split, strict=True))
        standing = [_standing(one, stages) for one in split]
        stem = networks[0].stem_filters
        slots: list[Slot] = []
        for place, blocks in enumerate(zip(*standing, strict=True)):
            channels = [
                _filters_before(row, place, stem)
                for row in standing
                if row[place] is not None
            ]
            slots.append(_slot(blocks, channels))
        return cls(tuple(slots), ends.pop(), stages)

    def codes(self, network: Network) -> NDArray[np.int32]:
        """[S, 6] what stands in each slot.

        Raises:
            ValueError: If the network is not of the skeleton.
        """
        split = _stages(network, len(self.stages) == 1)
        fits = len(split) == len(self.stages) and all(
            len(blocks) <= most for blocks, most in zip(split, self.stages, strict=True)
        )
        if not fits or _ends(network) != self.ends:
            raise _foreign(network)
        channels = network.stem_filters
        rows = []
        for slot, block in zip(self.slots, _standing(split, self.stages), strict=True):
            if block is None:
                if not slot.empty:
                    raise _foreign(network)
                rows.append((0, channels, channels, channels, 1, 0))
                continue
            if not slot.holds(block, channels):
                raise _foreign(network)
            option = slot.options.index(_option(block)) + 1
            wide = expanded(block, channels)
            adds = int(block.adds(channels))
            rows.append((option, channels, wide, block.filters, block.groups, adds))
            channels = block.filters
        return np.array(rows, dtype=np.int32)


def _slot(blocks: Sequence[Block | None], channels: Sequence[int]) -> Slot:
    """The slot of what stands in one place, and of the inputs' channels there."""
    there = [block for block in blocks if block is not None]
    for name in ("stride", "activation", "se", "late"):
        values = sorted({getattr(block, name) for block in there})
        if len(values) > 1 or (name in ("se", "late") and values[0]):
            raise ValueError(
                "Blocks of a one-shot model that stand in one place must have one "
                "stride and one activation, and neither squeeze-and-excite nor a late "
                f"stride. Received {name} {', '.join(map(str, values))}."
            )
    filters = [block.filters for block in there]
    empty = len(there) < len(blocks)
    varied = len(set(filters)) > 1 or len(set(channels)) > 1
    if empty and (varied or there[0].stride > 1 or filters[0] != channels[0]):
        raise ValueError(
            "A block that may be left out must keep its input's shape, in a one-shot "
            f"model. Received {there[0]} after {channels[0]} channels."
        )
    return Slot(
        tuple(sorted({_option(block) for block in there})),
        max(channels),
        max(filters),
        there[0].stride,
        there[0].activation,
        empty,
        varied,
        any(block.groups > 1 for block in there),
    )


def _option(block: Block) -> Option:
    return block.kind, block.kernel, block.expansion


def _stages(network: Network, fixed: bool) -> list[list[Block]]:
    """The blocks by stage: one begins where the stride or the filters change."""
    if fixed:
        return [list(network.blocks)]
    stages: list[list[Block]] = []
    for block, channels in network.with_channels():
        if not stages or block.stride > 1 or block.filters != channels:
            stages.append([])
        stages[-1].append(block)
    return stages


def _standing(
    split: Sequence[Sequence[Block]], stages: Sequence[int]
) -> list[Block | None]:
    """What stands in each slot: each stage's blocks, and then nothing."""
    padded = (
        [*blocks, *[None] * (most - len(blocks))]
        for blocks, most in zip(split, stages, strict=True)
    )
    return list(chain.from_iterable(padded))


def _filters_before(row: Sequence[Block | None], place: int, stem: int) -> int:
    """Channels of the input of a place."""
    before = [block.filters for block in row[:place] if block is not None]
    return before[-1] if before else stem


def _ends(network: Network) -> Network:
    """What is left of a network without its blocks."""
    return replace(network, blocks=_ANY)


def _foreign(network: Network) -> ValueError:
    return ValueError(
        f"The network must be of the space that the one-shot model holds. Received "
        f"{network}."
    )
