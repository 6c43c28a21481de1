"""Lowering: networks to the operators that a machine runs, without TensorFlow."""

from collections.abc import Sequence
from functools import lru_cache

from nahas.accelerator.workload import Kind, Operator, Workload, workload
from nahas.search_space.network import Block, Network, expanded, squeezed

LOOKUPS = {"swish": Kind.SWISH, "hswish": Kind.HSWISH, "sigmoid": Kind.SIGMOID}
"""Activations that are operators of their own; the ReLU family is fused."""


def lower(networks: Sequence[Network]) -> Workload:
    """The workload of K networks; batch norm, bias and ReLU are folded.

    Raises:
        ValueError: If there are no networks.
    """
    if not networks:
        raise ValueError("`networks` must hold at least one network. Received none.")
    return workload([operators(network) for network in networks])


@lru_cache(maxsize=4096)
def operators(network: Network) -> tuple[Operator, ...]:
    """The operators of one network, in running order."""
    rows = _Rows(network.resolution, network.channels)
    rows.conv("stem", network.stem_filters, network.stem_kernel, network.stem_stride)
    rows.activate("stem", network.activation)
    for i, (block, channels) in enumerate(network.with_channels()):
        _lower_block(rows, f"block{i}", block, channels)
    rows.conv("head", network.head_filters)
    rows.activate("head", network.activation)
    rows.pool("pool")
    rows.dense("classifier", network.classes)
    return tuple(rows.done)


def _lower_block(rows: "_Rows", name: str, block: Block, channels: int) -> None:
    entry = rows.last
    wide = expanded(block, channels)
    single = block.kind == "fused_ibn" and block.expansion == 1
    if block.kind == "fused_ibn":
        rows.conv(f"{name}/fused", wide, block.kernel, block.stride, block.groups)
        rows.activate(f"{name}/fused", block.activation)
    else:
        if block.expansion > 1:
            rows.conv(f"{name}/expand", wide, groups=block.groups)
            rows.activate(f"{name}/expand", block.activation)
        rows.depthwise(f"{name}/depthwise", block.kernel, block.stride)
        rows.activate(f"{name}/depthwise", block.activation)
    if block.se:
        rows.squeeze_and_excite(
            f"{name}/se", squeezed(block, channels), block.activation
        )
    if not single:
        rows.conv(f"{name}/project", block.filters)
    if block.adds(channels):
        rows.combine(f"{name}/add", Kind.ADD, entry)


class _Rows:
    """Operators so far, and the shape of what the last of them puts out."""

    def __init__(self, size: int, channels: int) -> None:
        self.done: list[Operator] = []
        self.last = -1
        self.size = size
        self.channels = channels

    def conv(
        self, name: str, filters: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        self._add(name, Kind.CONV, filters, -(-self.size // stride), kernel, stride,
                  groups)  # fmt: skip

    def depthwise(self, name: str, kernel: int, stride: int) -> None:
        self._add(name, Kind.DEPTHWISE, self.channels, -(-self.size // stride), kernel,
                  stride, self.channels)  # fmt: skip

    def pool(self, name: str) -> None:
        self._add(name, Kind.POOL, self.channels, 1, self.size, 1, self.channels)

    def dense(self, name: str, filters: int) -> None:
        self._add(name, Kind.DENSE, filters, 1)

    def activate(self, name: str, activation: str) -> None:
        if activation in LOOKUPS:
            self._add(f"{name}/{activation}", LOOKUPS[activation], self.channels,
                      self.size)  # fmt: skip

    def combine(self, name: str, kind: Kind, other: int) -> None:
        self._add(name, kind, self.channels, self.size, inputs=(self.last, other))

    def squeeze_and_excite(self, name: str, filters: int, activation: str) -> None:
        entry, size, channels = self.last, self.size, self.channels
        self.pool(f"{name}/pool")
        self.dense(f"{name}/reduce", filters)
        self.activate(f"{name}/reduce", activation)
        self.dense(f"{name}/expand", channels)
        self.activate(f"{name}/expand", "sigmoid")
        gate, self.last, self.size = self.last, entry, size
        self.combine(f"{name}/scale", Kind.MULTIPLY, gate)

    def _add(
        self, name: str, kind: Kind, filters: int, out: int, kernel: int = 1,
        stride: int = 1, groups: int = 1, inputs: tuple[int, ...] | None = None,
    ) -> None:  # fmt: skip
        self.done.append(
            Operator(name, kind, inputs or (self.last,), self.size, self.size,
                     self.channels, out, out, filters, kernel, kernel, stride, groups)
        )  # fmt: skip
        self.last = len(self.done) - 1
        self.size, self.channels = out, filters
