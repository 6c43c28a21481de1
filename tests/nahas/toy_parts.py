"""A user's own space and oracle, named as `toy_parts:...` on the command line."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid import BASELINE
from nahas.search_space.joint import Candidate, joint_space
from nahas.search_space.network import Block, Network
from nahas.search_space.oracle import Estimate
from nahas.search_space.space import Knob, SearchSpace


@dataclass(frozen=True)
class Kernels:
    """Large kernels are good; instant."""

    @property
    def key(self) -> str:
        return "kernels"

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        accuracy = np.array([_quality(network) for network in networks])
        zeros = np.zeros(len(accuracy))
        return Estimate(accuracy, zeros, zeros.copy(), ("",) * len(accuracy))

    def test(self, network: Network) -> NDArray[np.bool_]:
        return np.arange(200) < 200 * _quality(network)


class Paced(Kernels):
    """Takes a third of a second."""

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        time.sleep(0.3)
        return super().evaluate(networks)


class Slow(Kernels):
    """Takes longer than a test for a network at 224 x 224."""

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        if networks[0].resolution == 224:
            time.sleep(60.0)
        return super().evaluate(networks)


class First(Kernels):
    """Sees the first block alone."""

    @property
    def key(self) -> str:
        return "first kernel"

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        found = super().evaluate(networks)
        accuracy = np.array(
            [0.4 + network.blocks[0].kernel / 20 for network in networks]
        )
        return replace(found, accuracy=accuracy)


def _quality(network: Network) -> float:
    return 0.5 + float(np.mean([block.kernel for block in network.blocks])) / 20


class Broken:
    """Not an oracle."""


class Fickle(Kernels):
    """An oracle that its fields do not decide."""

    @property
    def key(self) -> str:
        return f"fickle {id(self)}"


def space() -> SearchSpace:
    """Networks of two blocks."""
    knobs = (
        Knob("first", (7, 3, 5)),
        Knob("second", (5, 3)),
        Knob("filters", (24, 16)),
    )
    return SearchSpace("toy", knobs, build)


def referred() -> SearchSpace:
    """The same with a reference."""
    return replace(space(), reference=(1, 0, 1))


def build(values: Mapping[str, Any]) -> Network:
    blocks = tuple(
        Block("ibn", values[name], 3, values["filters"], stride=2)
        for name in ("first", "second")
    )
    return Network(blocks, stem_filters=8, head_filters=64, resolution=64, classes=10)


def pairs() -> SearchSpace:
    """A space of pairs, not of networks."""
    return joint_space(space())


def bare() -> SearchSpace:
    """A space of pairs in which the accelerator has no knobs."""

    def on_baseline(values: Mapping[str, Any]) -> Candidate:
        return Candidate(build(values), BASELINE)

    return SearchSpace("bare", space().knobs, on_baseline)
