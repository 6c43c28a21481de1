"""Accuracies from a published table of trainings, in no time.

The table is the user's file: NAS-Bench-Macro's (github.com/xiusu/NAS-Bench-Macro) as
comma-separated values, gzipped or not, with the columns `arch`, eight digits of 0 to 2
that are the choices of `nas_bench_macro`, and `acc1`, `acc2`, ... the test accuracies
of trainings that differ in their seed alone, in percent. Other columns do not matter.

Several rows can spell one network, which is the same whichever layers of a stage are
its identities. Its trainings are then those of all its rows, in the file's order.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate
from nahas.search_space.tabular import nas_bench_macro

RESOLUTION, CLASSES = 32, 10
"""Of CIFAR-10, on which the table's networks were trained."""

_GZIP = b"\x1f\x8b"
_ARCH = re.compile("[012]{8}")
_ACCURACY = re.compile("acc[0-9]+")


class TableError(ValueError):
    """A table that cannot be read or does not hold what it must."""


class Table(NamedTuple):
    """What a file says.

    Attributes:
        digest: Hash of its bytes.
        rows: Number of rows.
        trainings: By a network's text, at 32x32: accuracies, as fractions.
        spelt: By the same text: how many rows are this network.
    """

    digest: str
    rows: int
    trainings: dict[str, tuple[float, ...]]
    spelt: dict[str, int]


@dataclass(frozen=True, slots=True)
class TableOracle:
    """The accuracy of each network's first training in a table.

    A search sees that one alone, as a search that trains would; what it found is judged
    on the mean of the other trainings, which its noise has not met. The accuracies are
    those of CIFAR-10 at 32x32, whatever size the network is deployed at.

    Attributes:
        path: The file.
    """

    path: str

    @property
    def key(self) -> str:
        """Hash of the file's bytes and what is read of it, in one line.

        Raises:
            TableError: If it cannot be read.
        """
        return f"table nas-bench-macro training=1 blake2b={self.table.digest}"

    @property
    def table(self) -> Table:
        """What the file says; it is read again where it has changed.

        Raises:
            TableError: If it cannot be read.
        """
        try:
            status = Path(self.path).stat()
        except OSError as error:
            raise _unreadable(self.path, error.strerror or str(error)) from None
        return _read(self.path, status.st_mtime_ns, status.st_size)

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """The first training of B networks; those not in the table have an error.

        The deviation is that of a network's trainings, 0 where it has but one.

        Raises:
            TableError: If the table cannot be read.
        """

        def first(trainings: tuple[float, ...]) -> tuple[float, float]:
            spread = float(np.std(trainings, ddof=1)) if len(trainings) > 1 else 0.0
            return trainings[0], spread

        return self._estimate(networks, first)

    def judge(self, networks: Sequence[Network]) -> Estimate:
        """The mean of the other trainings of B networks, where there are others.

        The deviation is that of this mean.

        Raises:
            TableError: If the table cannot be read.
        """

        def others(trainings: tuple[float, ...]) -> tuple[float, float]:
            rest = trainings[1:] or trainings
            spread = np.std(rest, ddof=1) / len(rest) ** 0.5 if len(rest) > 1 else 0.0
            return float(np.mean(rest)), float(spread)

        return self._estimate(networks, others)

    def _estimate(
        self,
        networks: Sequence[Network],
        summary: Callable[[tuple[float, ...]], tuple[float, float]],
    ) -> Estimate:
        known = self.table.trainings
        found = [known.get(str(proxy(network))) for network in networks]
        pairs = [summary(one) if one else (np.nan, np.nan) for one in found]
        accuracy, deviation = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        return Estimate(
            accuracy.copy(),
            deviation.copy(),
            np.zeros(len(found)),
            tuple("" if one else f"It is not in {self.path}." for one in found),
        )


def proxy(network: Network) -> Network:
    """The network that was trained in the place of a deployed one."""
    return network.proxy(RESOLUTION, CLASSES)


@lru_cache(maxsize=2)
def _read(path: str, modified_ns: int, size: int) -> Table:
    """The table of a file; time and size tell when to read it again."""
    del modified_ns, size
    try:
        content = Path(path).read_bytes()
        plain = gzip.decompress(content) if content[:2] == _GZIP else content
        lines = csv.DictReader(io.StringIO(plain.decode("utf-8")))
        columns = [name for name in lines.fieldnames or () if _ACCURACY.fullmatch(name)]
        if "arch" not in (lines.fieldnames or ()) or not columns:
            raise _unreadable(path, "it has no columns `arch` and `acc1`")
        rows = [
            (_arch(row["arch"], path, i), _accuracies(row, columns, path, i))
            for i, row in enumerate(lines, start=2)
        ]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, str(error)) from None
    if len(dict(rows)) < len(rows) or not rows:
        raise _unreadable(path, "it has no rows, or two of one `arch`")
    space = nas_bench_macro(resolution=RESOLUTION, classes=CLASSES)
    trainings: dict[str, tuple[float, ...]] = {}
    spelt: dict[str, int] = {}
    for arch, accuracies in rows:
        text = str(space.decode([int(digit) for digit in arch]))
        trainings[text] = trainings.get(text, ()) + accuracies
        spelt[text] = spelt.get(text, 0) + 1
    return Table(
        blake2b(content, digest_size=16).hexdigest(), len(rows), trainings, spelt
    )


def _arch(word: str, path: str, line: int) -> str:
    if not _ARCH.fullmatch(word or ""):
        why = f"`arch` must be eight digits of 0 to 2, and is {word!r} (line {line})"
        raise _unreadable(path, why)
    return word


def _accuracies(
    row: dict[str, str], columns: Sequence[str], path: str, line: int
) -> tuple[float, ...]:
    """The accuracies of a row, as fractions."""
    found = []
    for name in columns:
        try:
            value = float(row[name])
        except (TypeError, ValueError):
            value = np.nan
        if not 0 <= value <= 100:
            raise _unreadable(
                path,
                f"`{name}` must be a percentage, and is {row[name]!r} (line {line})",
            )
        found.append(value / 100)
    return tuple(found)


def _unreadable(path: str, why: str) -> TableError:
    return TableError(
        f"The table of accuracies must be NAS-Bench-Macro's as .csv or .csv.gz. "
        f"Received {path!r}: {why}."
    )
