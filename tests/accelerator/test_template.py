"""Values refuse what physics does."""

from dataclasses import replace

import pytest

from nahas.accelerator.grid import BASELINE, GRID, GRID_SIZE, accelerators
from nahas.accelerator.machines import Machines
from nahas.accelerator.sweep import grid_axes
from nahas.accelerator.technology import CACTI_22NM, NODE_22NM, Constant
from nahas.accelerator.template import (
    PLATFORM_RANGES,
    Accelerator,
    Capabilities,
    Platform,
)
from nahas.accelerator.workload import Kind, Operator, workload


def test_baseline_reaches_26_tops():
    tops = BASELINE.macs_per_cycle * 2 * Platform().clock_mhz * 1e6 / 1e12
    assert tops == pytest.approx(26.2, abs=0.05)


def test_the_grid_has_50000_points_in_one_order():
    points = list(accelerators())
    assert len(points) == len(set(points)) == GRID_SIZE == 50_000
    listed, grid = Machines.of(points), grid_axes().machines
    assert (listed.compute == grid.compute).all()
    assert (listed.memory == grid.memory).all()
    assert (listed.bandwidth == grid.bandwidth).all()
    assert list(GRID) == list(Accelerator.__dataclass_fields__)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("pes_x", 0, "`pes_x` must be a positive integer. Received 0."),
        ("pes_y", 2.0, "`pes_y` must be a positive integer. Received 2.0."),
        ("simd_units", True, "`simd_units` must be a positive integer. Received True."),
        ("local_memory_mib", -1, "`local_memory_mib` must be positive. Received -1."),
        (
            "io_bandwidth_gbps",
            float("nan"),
            "`io_bandwidth_gbps` must be a finite number. Received nan.",
        ),
    ],
)
def test_impossible_accelerators_are_refused(field, value, expected):
    values = {name: getattr(BASELINE, name) for name in GRID}
    with pytest.raises(ValueError, match="Received") as error:
        Accelerator(**{**values, field: value})
    assert str(error.value) == expected


@pytest.mark.parametrize(
    "values",
    [{"pes_x": 10**23}, {"simd_units": 10**18}, {"local_memory_mib": 1e300},
     {"io_bandwidth_gbps": 1e-9}, {"register_file_kib": 1e-9}],
)  # fmt: skip
def test_absurd_accelerators_are_refused(values):
    with pytest.raises(ValueError, match=r"must be from .* to "):
        replace(BASELINE, **values)


@pytest.mark.parametrize(
    "values",
    [{"clock_mhz": 1e15}, {"clock_mhz": 1e-300}, {"dispatch_cycles": 10**22},
     {"local_port_bytes": 0.5}, {"dispatch_cycles": 1000.9}],
)  # fmt: skip
def test_absurd_platforms_are_refused(values):
    with pytest.raises(ValueError, match="must be"):
        Platform(**values)


def test_factors_are_whole_numbers():
    with pytest.raises(ValueError, match=r"slow\[conv\]"):
        Capabilities(slow=((Kind.CONV, 1.9),))


def test_impossible_platforms_are_refused():
    with pytest.raises(
        ValueError, match="`weights` must be one of streamed, resident, kept, first"
    ):
        Platform(weights="cached")
    with pytest.raises(ValueError, match="`lane_port_bytes` must be a positive"):
        Platform(lane_port_bytes=0)
    assert Platform(dispatch_cycles=0).dispatch_cycles == 0
    with pytest.raises(ValueError, match=r"`slow\[swish\]` must be a positive"):
        Capabilities(slow=((Kind.SWISH, 0),))


def test_every_assumed_rate_lies_in_its_range():
    values = {name: getattr(Platform(), name) for name in PLATFORM_RANGES}
    for name, (low, high) in PLATFORM_RANGES.items():
        assert low < values[name] < high, name


def test_sram_is_interpolated_between_its_rows():
    assert CACTI_22NM.energy(2048) == pytest.approx(2.3474)
    assert CACTI_22NM.area([8, 4096]) == pytest.approx([0.01175, 3.40742])
    assert CACTI_22NM.energy(2048) < CACTI_22NM.energy(3072) < CACTI_22NM.energy(4096)
    assert 0 < CACTI_22NM.area(4) < 0.01175


def test_every_constant_has_a_unit_a_source_and_a_range():
    for _, constant in NODE_22NM.constants():
        assert constant.unit
        assert constant.source
        assert constant.low < constant.value < constant.high
    with pytest.raises(ValueError, match="must lie in its range"):
        Constant(3.0, "pJ", "test", 0.0, 2.0)


def test_operators_too_large_to_count_are_refused():
    with pytest.raises(ValueError, match="must have at most"):
        Operator("huge", Kind.CONV, (-1,), 10**5, 10**5, 10**5, 10**5, 10**5, 10**5)


def test_workloads_refuse_what_cannot_run():
    op = Operator("a", Kind.CONV, (-1,), 8, 8, 4, 8, 8, 4)
    with pytest.raises(ValueError, match="at least one operator"):
        workload([[]])
    with pytest.raises(ValueError, match=r"earlier rows or -1. Received \(0,\)"):
        workload([[Operator("b", Kind.ADD, (0,), 8, 8, 4, 8, 8, 4)]])
    with pytest.raises(ValueError, match="`groups` of operator 'c' must divide"):
        Operator("c", Kind.CONV, (-1,), 8, 8, 4, 8, 8, 4, groups=3)
    with pytest.raises(ValueError, match="`filters` of operator 'd' must be a pos"):
        Operator("d", Kind.CONV, (-1,), 8, 8, 4, 8, 8, 0)
    two = workload([[op], [op, Operator("e", Kind.ADD, (0, -1), 8, 8, 4, 8, 8, 4)]])
    assert two.networks == 2
    assert two.inputs.tolist() == [-1, -1, 1, -1]
    assert two.last_use.tolist() == [0, 2, 2]
    assert two.macs.tolist() == [8 * 8 * 16] * 2 + [0]
    assert two.parameters.tolist() == [20, 20, 0]
