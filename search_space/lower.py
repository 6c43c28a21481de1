"""Lowering: networks to the operators that a machine runs, without TensorFlow."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.workload import (
    OPERATOR_DTYPE,
    Kind,
    Operator,
    Workload,
    workload,
)
from nahas.search_space.network import Block, Network, expanded, squeezed

LOOKUPS = {"swish": Kind.SWISH, "hswish": Kind.HSWISH, "sigmoid": Kind.SIGMOID}
"""Activations that are operators of their own; the ReLU family is fused."""


_FIELDS = OPERATOR_DTYPE.itemsize // 8  # each an int64


def lower(networks: Sequence[Network]) -> Workload:
    """The workload of K networks; batch norm, bias and ReLU are folded.

    Raises:
        ValueError: If there are no networks.
    """
    if not networks:
        raise ValueError("`networks` must hold at least one network. Received none.")
    pieces: list[_Piece] = []
    starts = [0]
    for network in networks:
        own = _pieces(network)
        pieces += own
        starts.append(starts[-1] + sum(len(piece.names) for piece in own))
    rows = np.concatenate([piece.rows for piece in pieces])
    input_starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(rows[:, _FIELDS], out=input_starts[1:])
    first = accumulate((len(piece.names) for piece in pieces), initial=0)
    inputs = np.concatenate(
        [piece.inputs + row for piece, row in zip(pieces, first, strict=False)]
    )
    # Before a network's first piece is its input, not the network before.
    inputs[input_starts[starts[:-1]]] = -1
    return Workload(
        rows[:, :_FIELDS].copy().view(OPERATOR_DTYPE)[:, 0],
        input_starts,
        inputs,
        np.array(starts, dtype=np.int64),
        tuple(chain.from_iterable(piece.names for piece in pieces)),
    )


def piece_lengths(network: Network) -> list[int]:
    """Number of operators of the stem, of each block and of the head, as lowered."""
    return [len(piece.names) for piece in _pieces(network)]


class _Piece(NamedTuple):
    """Consecutive operators that are fed by the one before them alone.

    Networks of a search share most of their blocks, so pieces are what is cached.
    """

    rows: NDArray[np.int64]
    """[N, fields + 1] the fields of `OPERATOR_DTYPE`, then the number of inputs."""
    inputs: NDArray[np.int64]
    """[E] producers, counted from the piece's first operator; -1 is the one before."""
    names: tuple[str, ...]
    size: int
    """Rows and columns of the output."""


def _pieces(network: Network) -> list[_Piece]:
    pieces = [
        _stem(network.resolution, network.channels, network.stem_filters,
              network.stem_kernel, network.stem_stride, network.activation)
    ]  # fmt: skip
    channels = network.stem_filters
    for i, block in enumerate(network.blocks):
        pieces.append(_block(i, block, pieces[-1].size, channels))
        channels = block.filters
    pieces.append(
        _head(pieces[-1].size, channels, network.head_filters, network.activation,
              network.classes)
    )  # fmt: skip
    return pieces


@lru_cache(maxsize=1024)
def _stem(
    size: int, channels: int, filters: int, kernel: int, stride: int, activation: str
) -> _Piece:
    rows = _Rows(size, channels)
    rows.conv("stem", filters, kernel, stride)
    rows.activate("stem", activation)
    return rows.piece()


@lru_cache(maxsize=1024)
def _head(
    size: int, channels: int, filters: int, activation: str, classes: int
) -> _Piece:
    rows = _Rows(size, channels)
    rows.conv("head", filters)
    rows.activate("head", activation)
    rows.pool("pool")
    rows.dense("classifier", classes)
    return rows.piece()


@lru_cache(maxsize=16384)
def _block(number: int, block: Block, size: int, channels: int) -> _Piece:
    rows, name = _Rows(size, channels), f"block{number}"
    entry = rows.last
    wide = expanded(block, channels)
    early, late = (1, block.stride) if block.late else (block.stride, 1)
    if block.kind == "fused_ibn":
        rows.conv(f"{name}/fused", wide, block.kernel, early, block.groups)
        rows.activate(f"{name}/fused", block.activation)
    else:
        if block.expansion > 1:
            rows.conv(f"{name}/expand", wide, groups=block.groups)
            rows.activate(f"{name}/expand", block.activation)
        rows.depthwise(f"{name}/depthwise", block.kernel, early)
        rows.activate(f"{name}/depthwise", block.activation)
    if block.se:
        rows.squeeze_and_excite(
            f"{name}/se", squeezed(block, channels), block.activation
        )
    if block.kind != "fused_ibn" or block.expansion > 1:
        rows.conv(f"{name}/project", block.filters, stride=late)
    if block.adds(channels):
        rows.combine(f"{name}/add", Kind.ADD, entry)
    return rows.piece()


class _Rows:
    """Operators so far, and the shape of what the last of them puts out."""

    def __init__(self, size: int, channels: int) -> None:
        self.done: list[Operator] = []
        self.last = -1
        self.size = size
        self.channels = channels

    def piece(self) -> _Piece:
        done = workload([self.done])
        fields = done.operators.view(np.int64).reshape(-1, _FIELDS)
        counts = np.diff(done.input_starts)[:, None]
        return _Piece(np.hstack([fields, counts]), done.inputs, done.names, self.size)

    def conv(
        self, name: str, filters: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        self._add(name, Kind.CONV, filters, -(-self.size // stride), kernel, stride,
                  groups)  # fmt: skip

    def depthwise(self, name: str, kernel: int, stride: int) -> None:
        self._add(name, Kind.DEPTHWISE, self.channels, -(-self.size // stride), kernel,
                  stride, self.channels)  # fmt: skip

    def pool(self, name: str) -> None:
        self._add(name, Kind.AVERAGE, self.channels, 1, self.size, 1, self.channels)

    def dense(self, name: str, filters: int) -> None:
        self._add(name, Kind.DENSE, filters, 1)

    def activate(self, name: str, activation: str) -> None:
        if activation in LOOKUPS:
            self._add(f"{name}/{activation}", LOOKUPS[activation], self.channels,
                      self.size)  # fmt: skip

    def combine(self, name: str, kind: Kind, other: int) -> None:
        maps = 2 if kind is Kind.ADD else 1  # a gate is no map
        channels, self.channels = self.channels, maps * self.channels
        self._add(name, kind, channels, self.size, inputs=(self.last, other))

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
                     self.channels, out, out, filters, kernel, kernel, stride, stride,
                     groups)
        )  # fmt: skip
        self.last = len(self.done) - 1
        self.size, self.channels = out, filters
