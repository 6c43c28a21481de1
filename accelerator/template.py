"""The accelerator template as frozen values that check physics and nothing else.

Which points are worth searching is `grid.py`'s matter, which point a network can run
on is `cost_model.py`'s.
"""

from dataclasses import dataclass, field, fields
from math import ceil, isfinite

from nahas.accelerator.refusal import wrong
from nahas.accelerator.technology import NODE_22NM, Technology
from nahas.accelerator.workload import Kind

_MOST = {"pes_x": 256, "pes_y": 256, "simd_units": 65_536, "compute_lanes": 4096}
"""More than anybody builds: beyond, counts would overflow or searches never end."""


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
        ValueError: If a count is not a positive integer or a size not positive, or
            either is absurdly large or small.
    """

    pes_x: int
    pes_y: int
    simd_units: int
    compute_lanes: int
    local_memory_mib: float
    register_file_kib: float
    io_bandwidth_gbps: float

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            _check_number(self, name, int, most=most)
        for name in ("local_memory_mib", "register_file_kib", "io_bandwidth_gbps"):
            _check_number(self, name, float, least=1e-3, most=1e7)

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
            if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
                name = f"slow[{kind.name.lower()}]"
                raise wrong(name, "a positive integer", factor)


WEIGHTS = ("streamed", "resident", "kept", "first")
"""How weights come: see `Platform`."""


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
        weights: "streamed" (all weights cross the I/O at each inference), "kept" (those
            that fit stay on chip), "first" (the first inference of the latter, which
            still reads them), or "resident" (the sooner of "kept" and "streamed").
        parameter_memory_mib: Memory of the chip for weights alone, kept or at work;
            where it is 0, they are in the local memories.
        overlap: Whether the I/O works while operators run.
        chains: Whether operators take turns where that pays, so that what passes
            between them never is whole.
        instruction_bytes: Instructions of an operator, over the I/O at each inference.
        host_ms: What the host adds to every inference: driver and interrupts.
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
    parameter_memory_mib: float = 0.0
    overlap: bool = True
    chains: bool = True
    instruction_bytes: int = 0
    host_ms: float = 0.0
    capabilities: Capabilities = field(default_factory=Capabilities)
    technology: Technology = NODE_22NM

    def __post_init__(self) -> None:
        for spec in fields(self):
            least = 0.0 if spec.name in _MAY_BE_ZERO else 1e-3
            if spec.type is int:
                _check_number(self, spec.name, int, least=ceil(least), most=10**9)
            elif spec.type is float:
                _check_number(self, spec.name, float, least=least, most=1e7)
        if self.weights not in WEIGHTS:
            raise wrong("weights", f"one of {', '.join(WEIGHTS)}", self.weights)

    @property
    def parameter_memory_bytes(self) -> int:
        """The parameter memory, to the nearest byte; 0 is none."""
        return round(self.parameter_memory_mib * 2**20)

    @property
    def host_cycles(self) -> int:
        """Cycles that pass while the host is at work."""
        return round(self.host_ms * self.clock_mhz * 1e3)


_MAY_BE_ZERO = (
    "dispatch_cycles",
    "parameter_memory_mib",
    "instruction_bytes",
    "host_ms",
)

PLATFORM_RANGES: dict[str, tuple[int, int]] = {
    "dispatch_cycles": (300, 3000),
    "local_port_bytes": (32, 256),
    "lane_port_bytes": (4, 16),
    "link_bytes": (16, 128),
    "lookup_elements": (4, 64),
}
"""Ranges within which the assumed values of `Platform` may lie."""


def _check_number(
    owner: object, name: str, kind: type, *, least: float = 1, most: float
) -> None:
    value = getattr(owner, name)
    kinds = (int, float) if kind is float else (int,)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise wrong(name, _POSITIVE[kind], value)
    if not isfinite(value):
        raise wrong(name, "a finite number", value)
    if value <= 0 < least:
        raise wrong(name, _POSITIVE[kind], value)
    if not least <= value <= most:
        raise wrong(name, f"from {least:g} to {most:g}", value)


_POSITIVE = {int: "a positive integer", float: "positive"}
