"""Laws of lower bounds: neither model goes below them, whatever it runs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator.bounds import lower_bounds
from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.event_model import execute
from nahas.accelerator.mapping_code import SIDE
from nahas.accelerator.operator_costs import codes, per_operator
from nahas.accelerator.template import Accelerator, Capabilities, Platform
from nahas.accelerator.workload import Kind, Operator, workload

ENDLESS = 1e6
MULTIPLIES = (Kind.CONV, Kind.DEPTHWISE, Kind.DENSE)


@st.composite
def networks(draw):
    """Up to six small operators of any kind, with skips."""
    size, channels = draw(st.integers(1, 9)), draw(st.integers(1, 12))
    operators = []
    for i in range(draw(st.integers(1, 6))):
        op = draw(operator(size, channels, (i - 1,)))
        if op.kind in (Kind.ADD, Kind.CONCAT):
            same = [j for j, past in enumerate(operators)
                    if (past.out_height, past.filters) == (size, channels)]  # fmt: skip
            # A map from before, or some of it from outside.
            op = replace(op, inputs=(i - 1, draw(st.sampled_from([*same, -1]))))
        operators.append(op)
        size, channels = op.out_height, op.filters
    return workload([operators])


@st.composite
def operator(draw, size, channels, inputs, kinds=tuple(Kind)):
    kind = draw(st.sampled_from(kinds))
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    same = ("op", kind, inputs, size, size, channels)
    if kind is Kind.DENSE:
        shape = (1, 1, size * size * channels, 1, 1)
        return Operator("op", kind, inputs, *shape, draw(st.integers(1, 40)))
    if kind is Kind.CONV:
        dilation = draw(st.integers(1, 2))
        reach = (kernel - 1) * dilation + 1
        padded = size < reach or draw(st.booleans())
        out = -(-size // stride) if padded else (size - reach) // stride + 1
        divisors = [n for n in range(1, channels + 1) if channels % n == 0]
        groups = draw(st.sampled_from(divisors))
        filters = groups * draw(st.integers(1, 20))
        return Operator(*same, out, out, filters, kernel, kernel, stride, stride,
                        groups, dilation)  # fmt: skip
    if kind in (Kind.DEPTHWISE, Kind.POOL, Kind.AVERAGE):
        out = -(-size // stride)
        return Operator(*same, out, out, channels, kernel, kernel, stride, stride,
                        channels)  # fmt: skip
    if kind is Kind.RESIZE:
        return Operator(*same, 2 * size, 2 * size, channels, 2, 2)
    if kind is Kind.REDUCE:
        return Operator(*same, size, size, 1)
    maps = 2 if kind in (Kind.ADD, Kind.CONCAT) else 1
    return Operator(*same[:-1], maps * channels, size, size, channels)


machines = st.builds(
    Accelerator,
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 20),
    st.integers(1, 4),
    st.sampled_from([0.001, 0.002, 0.01, 0.1, 1.0]),
    st.sampled_from([0.03, 0.1, 1.0, 8.0]),
    st.sampled_from([0.1, 1.0, 7.0, 20.0, ENDLESS]),
)

kinds = st.sampled_from(Kind)
platforms = st.builds(
    Platform,
    clock_mhz=st.sampled_from([300.0, 800.0]),
    dispatch_cycles=st.sampled_from([0, 1, 300]),
    local_port_bytes=st.integers(1, 100),
    lane_port_bytes=st.integers(1, 16),
    link_bytes=st.integers(1, 100),
    lookup_elements=st.integers(1, 30),
    weights=st.sampled_from(["streamed", "resident", "kept", "first"]),
    parameter_memory_mib=st.sampled_from([0.0, 0.0, 0.0005, 1.0]),
    overlap=st.sampled_from([True, True, False]),
    instruction_bytes=st.sampled_from([0, 0, 333]),
    host_ms=st.sampled_from([0.0, 0.01]),
    capabilities=st.builds(
        Capabilities,
        fused=st.lists(kinds, max_size=2).map(tuple),
        slow=st.lists(st.tuples(kinds, st.integers(1, 9)), max_size=2).map(tuple),
    ),
)


UNEVEN = [
    Operator("up", Kind.RESIZE, (-1,), 4, 4, 6, 8, 8, 6, 2, 2),
    Operator("dw", Kind.DEPTHWISE, (0,), 8, 8, 6, 8, 8, 6, groups=6),
    Operator("fc", Kind.DENSE, (1,), 1, 1, 384, 1, 1, 18),
    Operator("dw", Kind.DEPTHWISE, (2,), 1, 1, 18, 1, 1, 18, groups=18),
]


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        (Accelerator(1, 1, 1, 1, 0.01, 0.03, 0.1), Platform(weights="kept")),
        (Accelerator(3, 4, 1, 1, 0.001, 0.03, 1.0), Platform(overlap=False)),
    ],
)
def test_bytes_that_no_eighth_or_cycle_divides_stay_below(machine, platform):
    platform = replace(platform, clock_mhz=300.0, dispatch_cycles=0)
    work = workload([UNEVEN])
    bound = lower_bounds(work, [machine], platform)
    assert (
        bound.operator_cycles[0] <= per_operator(work, machine, platform).cycles
    ).all()
    ran = execute(work, machine, codes(work, machine, platform), platform).cycles
    least = min(evaluate(work, [machine], platform).latency_ms[0], ran.sum() / 300e3)
    assert bound.latency_ms[0] <= least


@settings(max_examples=100, deadline=None)
@given(networks(), machines, platforms)
def test_the_cost_model_never_goes_below(work, machine, platform):
    bound = lower_bounds(work, [machine], platform)
    latency = evaluate(work, [machine], platform).latency_ms[0]
    assert 0 < bound.latency_ms[0] <= latency
    found = per_operator(work, machine, platform).cycles
    assert (bound.operator_cycles[0] <= found).all()
    ended = bound.operator_cycles.sum() + platform.host_cycles
    assert ended <= bound.latency_ms[0] * platform.clock_mhz * 1e3 * (1 + 1e-12)


@settings(max_examples=100, deadline=None)
@given(networks(), machines, platforms)
def test_the_event_model_never_goes_below(work, machine, platform):
    use = "streamed" if platform.weights == "streamed" else "kept"
    platform = replace(platform, weights=use)
    ran = execute(work, machine, codes(work, machine, platform), platform).cycles
    bound = lower_bounds(work, [machine], platform)
    assert (bound.operator_cycles[0] <= ran).all()
    milliseconds = platform.clock_mhz * 1e3
    assert bound.latency_ms[0] <= (ran.sum() + platform.host_cycles) / milliseconds


@settings(max_examples=80, deadline=None)
@given(operator(6, 12, (-1,), MULTIPLIES), machines, platforms, st.data())
def test_no_mapping_that_the_event_model_can_run_goes_below(op, machine, rates, data):
    """Not only the chosen one: any array, split, lane use, style and order."""
    x = data.draw(st.integers(1, machine.pes_x))
    y = data.draw(st.integers(1, machine.pes_y))
    row, column, style, order = (data.draw(st.integers(0, 2)) for _ in range(4))
    code = ((y * SIDE + x) * 3.0 + row) * 3.0 + column
    code = (code * 2.0 + data.draw(st.integers(0, 1))) * 72.0 + 24.0 * style
    platform = replace(rates, weights="streamed")
    work = workload([[op]])
    ran = execute(work, machine, np.array([code + 8.0 * order]), platform).cycles
    assert lower_bounds(work, [machine], platform).operator_cycles[0, 0] <= ran[0]


@settings(max_examples=60, deadline=None)
@given(networks(), machines, st.sampled_from(
    ["local_port_bytes", "lane_port_bytes", "link_bytes", "lookup_elements"]
))  # fmt: skip
def test_faster_parts_never_raise_a_bound(work, machine, rate):
    bound = lower_bounds(work, [machine]).latency_ms[0]
    faster = Platform(**{rate: 2 * getattr(Platform(), rate)})
    assert lower_bounds(work, [machine], faster).latency_ms[0] <= bound
    for more in (
        replace(machine, io_bandwidth_gbps=2 * machine.io_bandwidth_gbps),
        replace(machine, pes_x=machine.pes_x + 1),
        replace(machine, simd_units=machine.simd_units + 1),
        replace(machine, local_memory_mib=2 * machine.local_memory_mib),
    ):
        assert lower_bounds(work, [more]).latency_ms[0] <= bound
