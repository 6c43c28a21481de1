"""The grid: which accelerators are worth a search, and named points of it.

The seven value lists are NAHAS's hardware space as recalled (Zhou et al. 2021,
arXiv:2102.08619); six of them agree with a third party's `edge_tpu_search.yaml`, the
bandwidths are unconfirmed.
"""

from collections.abc import Iterator
from itertools import product
from math import prod

from nahas.accelerator.template import Accelerator

GRID: dict[str, tuple[int, ...] | tuple[float, ...]] = {
    "pes_x": (1, 2, 4, 6, 8),
    "pes_y": (1, 2, 4, 6, 8),
    "simd_units": (16, 32, 64, 128),
    "compute_lanes": (1, 2, 4, 8),
    "local_memory_mib": (0.5, 1.0, 2.0, 3.0, 4.0),
    "register_file_kib": (8.0, 16.0, 32.0, 64.0, 128.0),
    "io_bandwidth_gbps": (5.0, 10.0, 15.0, 20.0, 25.0),
}
"""Values of each knob, in the order of `Accelerator`'s fields."""

GRID_SIZE = prod(len(values) for values in GRID.values())
"""Number of accelerators of the grid: 50,000."""

BASELINE = Accelerator(4, 4, 64, 4, 2.0, 32.0, 20.0)
"""NAHAS's baseline: 16,384 MACs a cycle, 26.2 TOPS at 800 MHz, 32 MiB of local memory.

Its I/O bandwidth is unconfirmed; 20 GB/s is assumed."""


def accelerators() -> Iterator[Accelerator]:
    """All points of the grid, the last knob changing fastest.

    >>> next(accelerators())
    Accelerator(pes_x=1, pes_y=1, simd_units=16, compute_lanes=1, local_memory_mib=0.5,\
 register_file_kib=8.0, io_bandwidth_gbps=5.0)
    """
    return (accelerator_at(choices) for choices in product(*map(range, grid_shape())))


def grid_shape() -> tuple[int, ...]:
    """Number of values of each knob.

    >>> grid_shape()
    (5, 5, 4, 4, 5, 5, 5)
    """
    return tuple(len(values) for values in GRID.values())


def accelerator_at(choices: tuple[int, ...]) -> Accelerator:
    """The point whose knobs take the values at `choices`.

    >>> accelerator_at((2, 2, 2, 2, 2, 2, 3)) == BASELINE
    True
    """
    values = (values[i] for values, i in zip(GRID.values(), choices, strict=True))
    return Accelerator(*values)  # type: ignore[arg-type]
