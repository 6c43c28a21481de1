"""The accelerator template as frozen values that check physics and nothing else.

Which points are worth searching is `grid.py`'s matter, which point a network can run
on is `cost_model.py`'s.
"""

from dataclasses import dataclass, field, fields
from math import isfinite

from nahas.accelerator.technology import NODE_22NM, Technology
from nahas.accelerator.workload import Kind


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One point of the template: `pes_x` x `pes_y` processing elements (PEs).

    Attributes:
        pes_x: Columns of the PE array.
        pes_y: Rows of the PE array.
        simd_units: SIMD units a lane; each is a 4-way int8 dot product a cycle.
        compute_lanes: Lanes a PE, sharing the port of its local memory.
        local_memory_mib: Local memory a PE, MiB.
        register_file_kib: Register file a lane, KiB.
        io_bandwidth_gbps: Bytes between DRAM and the local memories, 1e9 a second.

    Raises:
        ValueError: If a count is not a positive integer or a size not positive.
    """

    pes_x: int
    pes_y: int
    simd_units: int
    compute_lanes: int
    local_memory_mib: float
    register_file_kib: float
    io_bandwidth_gbps: float

    def __post_init__(self) -> None:
        for name in ("pes_x", "pes_y", "simd_units", "compute_lanes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise _wrong(name, "a positive integer", value)
        for name in ("local_memory_mib", "register_file_kib", "io_bandwidth_gbps"):
            _check_positive(self, name)

    @property
    def pes(self) -> int:
        """PEs of the array."""
        return self.pes_x * self.pes_y

    @property
    def macs_per_cycle(self) -> int:
        """Peak int8 multiply-accumulates a cycle (each SIMD unit does 4).

        >>> Accelerator(4, 4, 64, 4, 2, 32, 20).macs_per_cycle
        16384
        """
        return self.pes * self.compute_lanes * self.simd_units * 4


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an accelerator fuses, runs slowly or refuses, by operator kind.

    Bias, the ReLU family and requantization are always fused: workloads hold no rows
    for them.

    Attributes:
        fused: Kinds that cost nothing of their own, being part of their producer.
        slow: Kinds that take a factor more on-chip cycles: pairs (kind, factor).
        refused: Kinds that make a network infeasible.
    """

    fused: tuple[Kind, ...] = ()
    slow: tuple[tuple[Kind, int], ...] = ()
    refused: tuple[Kind, ...] = ()

    def __post_init__(self) -> None:
        for kind, factor in self.slow:
            if factor < 1:
                raise _wrong(f"slow[{kind.name.lower()}]", "at least 1", factor)


WEIGHTS = ("streamed", "resident", "first")
"""How weights come: each time, once, or for the first time."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What surrounds the template and is not searched.

    Rates are bytes a cycle; every value but the clock is assumed (22 nm class) and
    stands with its range in `PLATFORM_RANGES`.

    Attributes:
        clock_mhz: Clock of the array.
        dispatch_cycles: Fixed cost of each operator (dispatch and pipeline fill).
        local_port_bytes: Port of a PE's local memory.
        lane_port_bytes: Activation read port of a lane; it bounds depthwise
            convolution, pooling and element-wise operators.
        link_bytes: Link of a PE to the interconnect.
        lookup_elements: Table look-ups (sigmoid, swish, h-swish) a PE, a cycle.
        weights: "streamed" (all weights cross the I/O at each inference) or
            "resident" (those that fit stay on chip).
        capabilities: What is fused, slow or refused.
        technology: Energy and area of the parts.

    Raises:
        ValueError: If a rate is not positive or `weights` is another word.
    """

    clock_mhz: float = 800.0
    dispatch_cycles: int = 1000
    local_port_bytes: int = 64
    lane_port_bytes: int = 8
    link_bytes: int = 32
    lookup_elements: int = 16
    weights: str = "streamed"
    capabilities: Capabilities = field(default_factory=Capabilities)
    technology: Technology = NODE_22NM

    def __post_init__(self) -> None:
        for spec in fields(self):
            if spec.type in (int, float):
                _check_positive(
                    self, spec.name, minimum=0 if "dispatch" in spec.name else None
                )
        if self.weights not in WEIGHTS:
            raise _wrong("weights", f"one of {', '.join(WEIGHTS)}", self.weights)


PLATFORM_RANGES: dict[str, tuple[int, int]] = {
    "dispatch_cycles": (300, 3000),
    "local_port_bytes": (32, 256),
    "lane_port_bytes": (4, 16),
    "link_bytes": (16, 128),
    "lookup_elements": (4, 64),
}
"""Ranges within which the assumed values of `Platform` may lie."""


def _check_positive(owner: object, name: str, minimum: float | None = None) -> None:
    value = getattr(owner, name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not isfinite(value):
        raise _wrong(name, "a finite number", value)
    if value < minimum if minimum is not None else value <= 0:
        raise _wrong(name, "positive" if minimum is None else "not negative", value)


def _wrong(name: str, expected: str, value: object) -> ValueError:
    return ValueError(f"`{name}` must be {expected}. Received {value!r}.")
