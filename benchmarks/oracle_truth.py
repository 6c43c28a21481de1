"""What NAS-Bench-Macro's networks are worth, and which of them may be looked at.

A network's worth is the mean of all its trainings in the table. The hash of its text
puts it among the development networks, 30 %, or the test networks. Accuracies of the
former may choose settings and fit at most five scalars; those of the latter rank
oracles, and nothing else sees them.
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.network import Network
from nahas.search_space.tabular import nas_bench_macro
from nahas.train.table import CLASSES, RESOLUTION, TableOracle

TABLE = "accuracy/nas_bench_macro_cifar10.csv.gz"
DEVELOPMENT = 0.3
STAGES = 3


@dataclass(frozen=True, eq=False)
class Truth:
    """Networks at 32x32, in the order of their hashes, and their worth.

    Attributes:
        networks: N networks.
        accuracy: [N] mean of the trainings.
    """

    networks: tuple[Network, ...]
    accuracy: NDArray[np.float64]

    def first(self, count: int) -> "Truth":
        """The first networks: a random sample, and always the same."""
        return Truth(self.networks[:count], self.accuracy[:count])


def read_truth(data: Path) -> tuple[Truth, Truth]:
    """Development and test networks."""
    trainings = TableOracle(str(data / TABLE)).table.trainings
    ranked = sorted(trainings, key=place)
    mean = {text: float(np.mean(trainings[text])) for text in ranked}
    split = [
        [text for text in ranked if (place(text) < DEVELOPMENT) is development]
        for development in (True, False)
    ]
    development, test = (
        Truth(tuple(map(Network.parse, texts)), np.array([mean[t] for t in texts]))
        for texts in split
    )
    return development, test


def mark(text: str) -> str:
    """Of a network: a hash, of sixteen digits."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def place(text: str) -> float:
    """Of a network, from 0 to 1."""
    return int(mark(text), 16) / 2**64


def one_hot(network: Network) -> NDArray[np.float64]:
    """[19] how often each kind of layer stands in each stage, and where it strides.

    Of a network of the space, for which the order of a stage's identities is none.
    """
    found = np.zeros((STAGES, 6))
    stage = -1
    for block in network.blocks:
        first = block.stride > 1
        stage += first
        kind = 0 if block.kind == "fused_ibn" else 1 if block.expansion == 3 else 2
        found[stage, 3 * (not first) + kind] += 1
    return np.append(found.ravel(), 1.0)


def layers(network: Network) -> NDArray[np.float64]:
    """[3] blocks of each stage that are no identity, and no striding convolution."""
    counts = one_hot(network)[:-1].reshape(STAGES, 6)
    found: NDArray[np.float64] = counts[:, [1, 2, 4, 5]].sum(1)
    return found


SPACE = nas_bench_macro(resolution=RESOLUTION, classes=CLASSES)
