"""Stages: a space of networks as a sequence of choices, each with its own operators.

The knobs of a stage stand together and share what their names say before the last dot
("stage3.kernel", "stage3.layers"); one without a dot is a stage by itself. What a stage
adds to a network depends on its own choice and on the *state* before it: channels and
rows of the map that it reads. So a network is a path

    stem, segment(state_0, choice_0), segment(state_1, choice_1), ..., head(state_G)

with state_(g+1) a function of state_g and choice_g, and what is a sum over a network's
operators is a sum over the edges of its path. This is so of all spaces here. Of one's
own it is found out, and compared with whole networks drawn at random; a space that is
none such is refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.bounds import outside_bytes
from nahas.accelerator.network_pass import weight_bytes
from nahas.search_space.lower import lower, piece_lengths
from nahas.search_space.network import Block, Network

Ints = NDArray[np.int64]
Build = Callable[[Ints], Network]
"""Network of choices [D]."""
State = tuple[int, int]

_COMPARED = 64  # networks drawn at random
_MOST_OPTIONS = 4096  # of a stage


@dataclass(frozen=True, eq=False)
class Segment:
    """Consecutive operators of a network.

    Attributes:
        operators: [n, fields] records of `OPERATOR_DTYPE` as integers.
        weights: [n] bytes of weights and biases.
        outside: [n] bytes of maps that enter or leave the network there.
    """

    operators: Ints
    weights: NDArray[np.float64]
    outside: NDArray[np.float64]

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What equal segments share; weights follow from the operators."""
        return self.operators.tobytes(), self.outside.tobytes()


@dataclass(frozen=True, eq=False)
class Stages:
    """A space of networks as G stages.

    Attributes:
        knobs: G times the places of a stage's knobs.
        options: G times [n, knobs of the stage] its choices.
        segments: The distinct segments.
        segment: G times [states before, n] which segment a choice adds.
        after: G times [states before, n] the state behind it.
        stem: The segment of the stem.
        heads: [states at the end] the segment of the head.
    """

    knobs: tuple[Ints, ...]
    options: tuple[Ints, ...]
    segments: tuple[Segment, ...]
    segment: tuple[Ints, ...]
    after: tuple[Ints, ...]
    stem: int
    heads: Ints

    def path(self, picks: Sequence[int]) -> list[int]:
        """The segments of the network of option `picks[g]` in each stage."""
        state, found = 0, [self.stem]
        for stage, pick in enumerate(picks):
            found.append(int(self.segment[stage][state, pick]))
            state = int(self.after[stage][state, pick])
        return [*found, int(self.heads[state])]

    def choices(self, picks: Sequence[int]) -> Ints:
        """[D] choices of the knobs."""
        found = np.zeros(sum(len(own) for own in self.knobs), np.int64)
        for stage, pick in enumerate(picks):
            found[self.knobs[stage]] = self.options[stage][pick]
        return found


def stages_of(names: Sequence[str], cardinalities: Ints, build: Build) -> Stages:
    """The stages of a space of networks.

    Args:
        names: D names of the network's knobs.
        cardinalities: [D] number of values of each.
        build: Builds the network of choices [D].

    Raises:
        ValueError: If a choice is no network, or networks are not sequences of stages.
    """
    knobs = _grouped(names)
    for own in knobs:
        if prod(cardinalities[own].tolist()) > _MOST_OPTIONS:
            raise ValueError(
                f"A stage must have at most {_MOST_OPTIONS:,} choices. Received "
                f"{', '.join(names[d] for d in own)}."
            )
    options = tuple(
        np.array(list(product(*(range(n) for n in cardinalities[own].tolist()))))
        for own in knobs
    )
    found = _Finder(knobs, options, build, len(names)).found()
    _compare(found, build)
    return found


def _grouped(names: Sequence[str]) -> tuple[Ints, ...]:
    prefixes = [name.rpartition(".")[0] or name for name in names]
    first = [0, *(d for d in range(1, len(names)) if prefixes[d] != prefixes[d - 1])]
    return tuple(np.arange(a, b) for a, b in pairwise([*first, len(names)]))


class _Finder:
    """Walks the stages, with one network for each state and choice."""

    def __init__(
        self,
        knobs: tuple[Ints, ...],
        options: tuple[Ints, ...],
        build: Build,
        size: int,
    ) -> None:
        self._knobs, self._options, self._build = knobs, options, build
        self._size = size
        self._segments: list[Segment] = []
        self._known: dict[tuple[bytes, bytes], int] = {}

    def found(self) -> Stages:
        begin = self._first_blocks()
        plain = self._build(np.zeros(self._size, np.int64))
        # Choices, and number of blocks, of one network for each state.
        states: dict[State, tuple[Ints, int]] = {
            (plain.stem_filters, -(-plain.resolution // plain.stem_stride)): (
                np.zeros(self._size, np.int64),
                0,
            )
        }
        segment, after = [], []
        for stage, options in enumerate(self._options):
            later: dict[State, tuple[Ints, int]] = {}
            behind = begin[-1] - begin[stage + 1]  # blocks of the stages to come
            shape = (len(states), len(options))
            own, to = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
            for i, (state, (base, before)) in enumerate(states.items()):
                for j, option in enumerate(options):
                    choices = base.copy()
                    choices[self._knobs[stage]] = option
                    network = self._build(choices)
                    end = len(network.blocks) - behind
                    if end < before:
                        raise _no_sequence(network)
                    own[i, j] = self._add(network, before + 1, end + 1)
                    reached = _state(state, network.blocks[before:end])
                    later.setdefault(reached, (choices, end))
                    to[i, j] = list(later).index(reached)
            segment.append(own)
            after.append(to)
            states = later
        heads = []
        for choices, end in states.values():
            network = self._build(choices)
            heads.append(self._add(network, end + 1, len(network.blocks) + 2))
        stem = self._add(plain, 0, 1)
        return Stages(
            self._knobs,
            self._options,
            tuple(self._segments),
            tuple(segment),
            tuple(after),
            stem,
            np.array(heads),
        )

    def _first_blocks(self) -> list[int]:
        """[G + 1] blocks before each stage where all choices are the first."""
        zeros = np.zeros(self._size, np.int64)
        plain = self._build(zeros).blocks
        begin = [len(plain)] * (len(self._knobs) + 1)
        for stage in reversed(range(len(self._knobs))):
            begin[stage] = begin[stage + 1]
            for option in self._options[stage]:
                choices = zeros.copy()
                choices[self._knobs[stage]] = option
                same = _same(plain, self._build(choices).blocks)
                begin[stage] = min(begin[stage], same)
        return begin

    def _add(self, network: Network, first: int, last: int) -> int:
        """The number of the segment of pieces `first` up to `last`."""
        segment = _cut(network, first, last)
        if segment.key not in self._known:
            self._known[segment.key] = len(self._segments)
            self._segments.append(segment)
        return self._known[segment.key]


def _same(one: tuple[Block, ...], other: tuple[Block, ...]) -> int:
    """Blocks that both begin with, of those that the shorter has."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    # Where the one ends the other goes on, with what another stage may add: none of
    # what follows is known to be the same.
    return min(len(one), len(other))


def _state(before: State, blocks: tuple[Block, ...]) -> State:
    channels, size = before
    for block in blocks:
        channels, size = block.filters, -(-size // block.stride)
    return channels, size


def _cut(network: Network, first: int, last: int) -> Segment:
    workload = lower([network])
    ends = np.cumsum([0, *piece_lengths(network)])
    rows = slice(ends[first], ends[last])
    flat = workload.operators.view(np.int64).reshape(len(workload), -1)
    return Segment(
        np.ascontiguousarray(flat[rows]),
        weight_bytes(workload)[rows],
        outside_bytes(workload)[rows],
    )


def _compare(stages: Stages, build: Build) -> None:
    """Raises ValueError unless networks at random are their paths."""
    rng = np.random.default_rng(0)
    for _ in range(_COMPARED):
        picks = [int(rng.integers(len(options))) for options in stages.options]
        network = build(stages.choices(picks))
        whole = _cut(network, 0, len(network.blocks) + 2)
        parts = [stages.segments[i] for i in stages.path(picks)]
        if whole.key != (
            np.concatenate([part.operators for part in parts]).tobytes(),
            np.concatenate([part.outside for part in parts]).tobytes(),
        ):
            raise _no_sequence(network)


def _no_sequence(network: Network) -> ValueError:
    return ValueError(
        "`space` must be one of networks in stages: what the knobs of a stage (those "
        "whose names agree before the last dot) add must depend on them and on the map "
        f"before alone. It is not so of {network}."
    )
