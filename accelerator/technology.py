"""Technology: energy per access, area per unit and leakage, each with its source.

Where no source is named the value is assumed, with the range in which it may lie.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MOST = 1e12
"""More than any cost of a part, in any unit: beyond, sums would overflow."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number with its unit, where it comes from, and the range it may lie in.

    Attributes:
        value: What is calculated with.
        unit: Its unit.
        source: Where it comes from; "assumed" where from nowhere.
        low: The least that it may be.
        high: The most that it may be.
        confirmed: Whether the source has just this value, or its user vouches for it.

    Raises:
        ValueError: If the value is not in its range, or that not from 0 to 1e12.
    """

    value: float
    unit: str
    source: str
    low: float
    high: float
    confirmed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high <= _MOST:
            raise ValueError(
                f"A constant must lie in its range, from 0 to {_MOST:g}. Received "
                f"{self.value:g} {self.unit} in [{self.low:g}, {self.high:g}]."
            )


NO_FACTOR = Constant(1.0, "x table", "the table as it is", 1.0, 1.0, confirmed=True)
"""The factor on a table of memories that is taken as it is."""


@dataclass(frozen=True, slots=True)
class SramTable:
    """Energy and area of SRAM by size.

    Attributes:
        size_kib: Sizes, rising.
        pj_per_byte: Mean of reading and writing a byte, by words of 64 bytes.
        area_mm2: Area of the macro.
        source: Where the figures come from.
        confirmed: Whether they are the source's own.
        energy_factor: What the table's energies are multiplied by.
        area_factor: What the table's areas are multiplied by.

    Raises:
        ValueError: If the sizes do not rise, a figure is not positive or absurd, or the
            columns differ in length.
    """

    size_kib: tuple[float, ...]
    pj_per_byte: tuple[float, ...]
    area_mm2: tuple[float, ...]
    source: str
    confirmed: bool = False
    energy_factor: Constant = NO_FACTOR
    area_factor: Constant = NO_FACTOR

    def __post_init__(self) -> None:
        sizes = self.size_kib
        if len(sizes) < 2 or any(a >= b for a, b in pairwise(sizes)):
            raise ValueError(
                "`size_kib` must be two sizes or more, rising. Received "
                f"{list(sizes)!r}."
            )
        for name in ("size_kib", "pj_per_byte", "area_mm2"):
            column = getattr(self, name)
            if len(column) != len(sizes):
                raise ValueError(
                    f"`{name}` must hold as many figures as `size_kib`, {len(sizes)}. "
                    f"Received {len(column)}."
                )
            if not all(1 / _MOST <= figure <= _MOST for figure in column):
                raise ValueError(
                    f"`{name}` must hold numbers from {1 / _MOST:g} to {_MOST:g}. "
                    f"Received {list(column)!r}."
                )

    def energy(self, size_kib: ArrayLike) -> NDArray[np.float64]:
        """Energy per byte accessed, pJ, log-log between the table's sizes."""
        table = _log_log(size_kib, self.size_kib, self.pj_per_byte)
        return table * self.energy_factor.value

    def area(self, size_kib: ArrayLike) -> NDArray[np.float64]:
        """Area, mm2, log-log between the table's sizes."""
        table = _log_log(size_kib, self.size_kib, self.area_mm2)
        return table * self.area_factor.value


@dataclass(frozen=True, slots=True)
class Technology:
    """What the parts of an accelerator cost at one node.

    Attributes:
        node_nm: Feature size.
        mac_energy: An int8 MAC with its registers.
        mac_area: The same.
        sram: Local memories and register files.
        link_energy: A byte over one hop of the interconnect.
        link_area: Router and link of a PE.
        dram_energy: A byte over the I/O, DRAM included.
        io_area: I/O interface by bandwidth.
        io_idle: I/O interface by bandwidth.
        sram_leakage: Leakage by capacity.
        logic_leakage: Leakage by area other than SRAM.
    """

    node_nm: int
    mac_energy: Constant
    mac_area: Constant
    sram: SramTable
    link_energy: Constant
    link_area: Constant
    dram_energy: Constant
    io_area: Constant
    io_idle: Constant
    sram_leakage: Constant
    logic_leakage: Constant

    def constants(self) -> Iterator[tuple[str, Constant]]:
        """Name and constant of every scalar figure, those of the table with "sram."."""
        for owner, prefix in ((self, ""), (self.sram, "sram.")):
            for spec in fields(owner):
                value = getattr(owner, spec.name)
                if isinstance(value, Constant):
                    yield prefix + spec.name, value

    def with_constants(self, constants: Mapping[str, Constant]) -> "Technology":
        """The technology with other constants, by the names of `constants()`."""
        memories: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, constant in constants.items():
            owner, _, inner = name.rpartition(".")
            (memories if owner else others)[inner] = constant
        return replace(self, sram=replace(self.sram, **memories), **others)


def _log_log(
    size: ArrayLike, sizes: tuple[float, ...], values: tuple[float, ...]
) -> NDArray[np.float64]:
    """Power law through neighbouring points; the outer segments are extended."""
    x, y, slopes = _segments(sizes, values)
    at = np.log(np.asarray(size, dtype=np.float64))
    left = np.searchsorted(x[1:-1], at, side="right")
    powers: NDArray[np.float64] = np.exp(y[left] + slopes[left] * (at - x[left]))
    return powers


@lru_cache
def _segments(
    sizes: tuple[float, ...], values: tuple[float, ...]
) -> tuple[NDArray[np.float64], ...]:
    """Logarithms of both, and the slopes between neighbours."""
    x, y = np.log(sizes), np.log(values)
    return x, y, np.diff(y) / np.diff(x)


CACTI_22NM = SramTable(
    size_kib=(8, 32, 64, 128, 192, 256, 512, 1024, 2048, 4096, 8192),
    pj_per_byte=(0.1450, 0.2651, 0.3889, 0.5678, 0.7248, 0.8170, 1.1639, 1.8442,
                 2.3474, 3.5821, 5.3134),
    area_mm2=(0.01175, 0.02758, 0.05303, 0.14567, 0.20083, 0.24815, 0.53652, 1.11396,
              1.9382, 3.40742, 6.7206),
    source="CACTI 7 (HewlettPackard/cacti), 22 nm, 64-byte words, low-standby cells",
    confirmed=True,
    energy_factor=Constant(
        1.0,
        "x table",
        "assumed; 64-bit reads at 45 nm in Horowitz 2014 are 1.1 to 1.6 times CACTI's",
        0.8,
        1.7,
    ),
    area_factor=Constant(1.0, "x table", "assumed", 0.8, 1.3),
)  # fmt: skip
"""CACTI's figures; a byte's energy is the mean of its read and its write."""

_ASSUMED = "assumed for a 22 nm class design"

NODE_22NM = Technology(
    node_nm=22,
    mac_energy=Constant(0.1, "pJ", _ASSUMED, 0.05, 0.25),
    mac_area=Constant(200.0, "um2", _ASSUMED, 100.0, 400.0),
    sram=CACTI_22NM,
    link_energy=Constant(0.1, "pJ/byte/hop", _ASSUMED, 0.05, 0.3),
    link_area=Constant(0.05, "mm2/PE", _ASSUMED, 0.02, 0.1),
    dram_energy=Constant(
        64.0,
        "pJ/byte",
        "LPDDR4, 8 pJ/bit (Accelergy's CACTI plug-in, cacti_wrapper.py); 4 to 40 "
        "by kind of DRAM",
        32.0,
        320.0,
    ),
    io_area=Constant(0.15, "mm2 per GB/s", _ASSUMED, 0.08, 0.3),
    io_idle=Constant(5.0, "mW per GB/s", _ASSUMED, 2.0, 10.0),
    sram_leakage=Constant(0.5, "mW/MiB", _ASSUMED, 0.02, 2.0),
    logic_leakage=Constant(2.0, "mW/mm2", _ASSUMED, 0.5, 5.0),
)
"""The default node. CACTI's low-standby cells leak almost nothing; others do more."""
