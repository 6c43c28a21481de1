"""Operator floors: never above the cost model, and equal to it where nothing waits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator import mapping
from nahas.accelerator.bounds import outside_bytes
from nahas.accelerator.cost_model import evaluate_machines, ports
from nahas.accelerator.grid import GRID
from nahas.accelerator.machines import Axes, Machines
from nahas.accelerator.mapping_table import map_grid
from nahas.accelerator.network_pass import weight_bytes
from nahas.accelerator.operator_floors import operator_floors
from nahas.accelerator.template import Capabilities, Platform
from nahas.accelerator.workload import Kind, Operator, workload
from nahas.search_space.lower import lower
from nahas.search_space.network_spaces import NETWORK_SPACES

SMALL = {
    "pes_x": (1, 4),
    "pes_y": (2,),
    "simd_units": (16, 64),
    "compute_lanes": (1, 4),
    "local_memory_mib": (0.5, 2.0),
    "register_file_kib": (8.0, 64.0),
    "io_bandwidth_gbps": (5.0, 25.0),
}
AXES = Axes.of(list(SMALL.values()))

platforms = st.builds(
    Platform,
    weights=st.sampled_from(("streamed", "kept", "first", "resident")),
    overlap=st.booleans(),
    chains=st.booleans(),
    parameter_memory_mib=st.sampled_from((0.0, 0.25, 8.0)),
    instruction_bytes=st.sampled_from((0, 4000)),
    host_ms=st.sampled_from((0.0, 0.125)),
    capabilities=st.sampled_from(
        (
            Capabilities(),
            Capabilities(fused=(Kind.SWISH,), slow=((Kind.DEPTHWISE, 3),)),
        )
    ),
)


def floors(load, axes, platform):
    """[H] least latency and energy, summed in plain NumPy as the module's text says."""
    flat = load.operators.view(np.int64).reshape(len(load), -1)
    found = operator_floors(flat, axes, platform)
    kind = found.machines.kind
    rate, outside = found.machines.rate[:, None], outside_bytes(load)
    on_chip = found.cycles.astype(np.float64)[kind]
    if platform.overlap:
        on_chip = np.maximum(on_chip, outside / rate)
    busy = on_chip.sum(axis=1) + found.dispatched.sum() * found.machines.dispatch
    io = (weight_bytes(load) + outside).sum() - found.machines.kept
    waits = io / rate[:, 0]
    if not platform.overlap:
        busy = waits = busy + waits
    khz = platform.clock_mhz * 1e3
    latency = (np.maximum(busy, waits) + platform.host_cycles) / khz
    computing = (busy + platform.host_cycles) / khz
    energy = found.energy_pj.astype(np.float64)[kind].sum(axis=1)
    energy += outside.sum() * found.machines.outside_pj
    return latency, energy * 1e-9 + found.machines.leakage_mw * computing * 1e-3


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(("b0", "s1", "s3", "nas-bench-macro")),
    resolution=st.sampled_from((32, 96, 224)),
    seed=st.integers(0, 10**6),
    platform=platforms,
)
def test_no_cost_is_below_its_floor(name, resolution, seed, platform):
    space = NETWORK_SPACES[name](resolution=resolution)
    [choices] = space.random(np.random.default_rng(seed), 1)
    load = lower([space.decode(choices)])
    metrics = evaluate_machines(load, AXES.machines, platform)
    latency, energy = floors(load, AXES, platform)
    runs = metrics.feasible
    assert (latency[runs] <= metrics.latency_ms[runs] * (1 + 1e-9)).all()
    assert (energy[runs] <= metrics.energy_mj[runs] * (1 + 1e-9)).all()


def test_where_nothing_waits_the_floor_is_the_cost():
    # docs/machine.md's example, and 20 GB/s that are no matter beside 256 cycles.
    load = workload([[Operator("only", Kind.CONV, (-1,), 8, 8, 16, 8, 8, 16)]])
    axes = Axes.of([(1,), (1,), (16,), (1,), (1.0,), (8.0,), (20.0,)])
    latency, energy = floors(load, axes, Platform())
    metrics = evaluate_machines(load, axes.machines, Platform())
    assert latency[0] == pytest.approx(1256 / 800e3) == metrics.latency_ms[0]
    assert energy[0] == pytest.approx(metrics.energy_mj[0], rel=1e-6)


def test_all_weights_of_a_dense_layer_cross_the_io():
    # 1,000 x 1,000 weights, 4 bytes of bias each 1,000 and maps of 1,000 each way, at
    # 25 bytes a cycle; its mapping takes less.
    load = workload([[Operator("only", Kind.DENSE, (-1,), 1, 1, 1000, 1, 1, 1000)]])
    axes = Axes.of([(4,), (4,), (64,), (4,), (2.0,), (32.0,), (20.0,)])
    latency, _ = floors(load, axes, Platform())
    assert latency[0] * 800e3 == pytest.approx((1_000_000 + 4_000 + 2_000) / 25)


def test_floors_are_nearly_tight_on_the_baselines_class():
    # The decision page quotes this: b0's networks where weights arrive in time.
    space = NETWORK_SPACES["b0"]()
    axes = Axes.of([(4, 6), (4, 6), (32, 64), (4, 8), (1.0,), (16.0,), (25.0,)])
    ratios = []
    for choices in space.random(np.random.default_rng(0), 8):
        load = lower([space.decode(choices)])
        latency, _ = floors(load, axes, Platform())
        metrics = evaluate_machines(load, axes.machines, Platform())
        ratios.append(metrics.latency_ms / latency)
    assert 1.0 <= np.median(ratios) < 1.005


def test_machines_stand_in_the_grids_order():
    axes = Axes.of(list(GRID.values()))
    load = workload([[Operator("only", Kind.CONV, (-1,), 8, 8, 16, 8, 8, 16)]])
    flat = load.operators.view(np.int64).reshape(1, -1)
    found = operator_floors(flat, axes)
    for h in (0, 1, 12_345, 49_999):
        one = Axes.of([[v] for v in _knobs(axes.machines, h)])
        memories = one.memories
        mapped = map_grid(load, one.arrays, one.lanes, memories, ports(Platform()))
        cycles = mapped.table[0, mapping.CYCLES, 0, 0]
        assert found.cycles[found.machines.kind[h], 0] == cycles


def _knobs(machines: Machines, h: int):
    x, y, units, lanes, file = machines.compute[h].tolist()
    memory, bandwidth = machines.memory[h] / 2**20, machines.bandwidth[h]
    return x, y, units, lanes, memory, file / 2**10, bandwidth
