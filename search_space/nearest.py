"""The point of a space that comes nearest to a given network."""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.network import Block, Network
from nahas.search_space.space import SearchSpace

_FIELDS = tuple(spec.name for spec in fields(Block))
_AROUND = ("stem_filters", "head_filters", "stem_kernel", "stem_stride", "activation")
_GAP = float(len(_FIELDS))


def distance(first: Network, second: Network) -> float:
    """How far two networks are apart, whatever their input and classes; 0 for equal.

    The least sum, over alignments of their blocks in order, of the differences of
    aligned blocks, and of a constant above any for each block left alone (Levenshtein
    1966), plus the differences of stem and head. Numbers a and b differ by
    |a - b| / max(a, b), anything else by 1 unless equal.
    """
    rest = (_differ(getattr(first, n), getattr(second, n)) for n in _AROUND)
    return _alignment(first, second, _apart) + sum(rest)


def _alignment(
    first: Network, second: Network, apart: Callable[[Block, Block], float]
) -> float:
    """The least sum over alignments of the blocks."""
    last = [_GAP * j for j in range(len(second.blocks) + 1)]
    for block in first.blocks:
        row = [last[0] + _GAP]
        for j, other in enumerate(second.blocks):
            aligned = last[j] + apart(block, other)
            row.append(min(aligned, last[j + 1] + _GAP, row[j] + _GAP))
        last = row
    return last[-1]


@lru_cache(maxsize=65536)  # the same few blocks are compared again and again
def _apart(first: Block, second: Block) -> float:
    pairs = ((getattr(first, name), getattr(second, name)) for name in _FIELDS)
    return sum(_differ(a, b) for a, b in pairs)


def _of_other_stages(first: Block, second: Block) -> float:
    """Blocks of a fifth more or fewer filters are rather left alone than aligned."""
    return 10.0 * _GAP * _differ(first.filters, second.filters)


def _differ(a: Any, b: Any) -> float:
    if a == b:
        return 0.0
    if isinstance(a, bool | str):
        return 1.0
    return float(abs(a - b) / max(a, b))


def sized_as(network: Network, like: Network) -> Network:
    """The network with the input and the classes of another."""
    return replace(
        network,
        resolution=like.resolution,
        classes=like.classes,
        channels=like.channels,
    )


def nearest_choices(
    space: SearchSpace, network: Network, start: NDArray[np.int64]
) -> NDArray[np.int64]:
    """[D] choices whose network is nearest to the one given, by descent.

    The knobs that change the number of blocks come first, the best change at a time, by
    the blocks' filters; then all, knob by knob, until no change helps. Exact where each
    knob decides a part of a block or a stage's length, as in S1 to S3 and b0.

    Args:
        space: Of networks, or of pairs with one.
        network: What is looked for; its input and classes do not matter.
        start: [D] choices to begin at; knobs that change no network stay as they are.

    Raises:
        ValueError: If no choices next to the start build a network.
    """
    choices = start.copy()

    def built(at: NDArray[np.int64]) -> Network | None:
        try:
            found = space.decode(at)
        except ValueError:  # choices that cannot be built
            return None
        made: Network = getattr(found, "network", found)
        return made

    def away(at: NDArray[np.int64]) -> float:
        found = built(at)
        return inf if found is None else distance(found, network)

    def outline(at: NDArray[np.int64]) -> float:
        found = built(at)
        return inf if found is None else _alignment(found, network, _of_other_stages)

    def depth(at: NDArray[np.int64]) -> int:
        found = built(at)
        return 0 if found is None else len(found.blocks)

    def varied(at: NDArray[np.int64], knob: int) -> list[NDArray[np.int64]]:
        points = np.tile(at, (int(space.cardinalities[knob]), 1))
        points[:, knob] = range(len(points))
        return list(points)

    knobs = range(len(choices))
    deep = [knob for knob in knobs if len(set(map(depth, varied(choices, knob)))) > 1]
    while deep:
        tried = [point for knob in deep for point in varied(choices, knob)]
        found = min(tried, key=outline)
        if not outline(found) < outline(choices):
            break
        choices = found
    least, improved = away(choices), True
    while improved and least > 0:
        improved = False
        for knob in knobs:
            found = min(varied(choices, knob), key=away)
            if away(found) < least:
                choices, least, improved = found, away(found), True
    if least == inf:
        raise ValueError(
            "`space` must build networks next to the start. Received "
            f"{space.name} and {start.tolist()}."
        )
    return choices
