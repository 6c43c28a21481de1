"""Laws of the costs over operators of every kind, small graphs and any accelerator.

docs/machine.md, "What more of a part does", says which laws hold exactly, and how far
the others are from it.
"""

from dataclasses import fields, replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.event_model import execute
from nahas.accelerator.fold import fold
from nahas.accelerator.graph import INPUT, Graph, Step, add_transposed
from nahas.accelerator.grid import BASELINE, GRID
from nahas.accelerator.import_keras import import_keras
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.operator_costs import codes, per_operator
from nahas.accelerator.technology import NODE_22NM, Constant
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Kind, Operator, Workload, workload
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.train.fit import prepare
from nahas.train.model import build_model

# Before TensorFlow starts to work: other tests train, on one thread.
prepare()

some = settings(deadline=None, max_examples=150)
few = settings(deadline=None, max_examples=20)

SIZES = st.sampled_from((1, 2, 5, 7, 14, 28, 56, 112))
WINDOWS = st.integers(1, 7)
STEPS = st.integers(1, 2)
TABLES = (Kind.SIGMOID, Kind.SWISH, Kind.HSWISH, Kind.LOOKUP)
WEIGHTS = st.sampled_from(("streamed", "kept", "resident", "first"))
BOTH_WAYS = (Kind.CONV, Kind.DEPTHWISE, Kind.POOL, Kind.AVERAGE)

Shape = tuple[int, int, int]


@st.composite
def operators(draw, kind, name, inputs, shapes):
    """An operator of a kind that reads the first of maps of some shapes, or all."""
    rows, columns, channels = shapes[0]
    window = (draw(WINDOWS), draw(WINDOWS)) if kind in BOTH_WAYS else (1, 1)
    strides = (draw(STEPS), draw(STEPS)) if kind in BOTH_WAYS else (1, 1)
    out = (-(-rows // strides[0]), -(-columns // strides[1]))
    filters, groups, dilation = channels, 1, 1
    if kind is Kind.CONV:
        divisors = [n for n in range(1, channels + 1) if channels % n == 0]
        groups = draw(st.sampled_from(divisors))
        filters = groups * draw(st.integers(1, max(192 // groups, 1)))
        dilation = draw(st.integers(1, 4))
    elif kind is Kind.DEPTHWISE:
        groups, filters = channels, channels * draw(STEPS)
    elif kind is Kind.DENSE:
        channels = min(rows * columns * channels, 9999)
        rows, columns, out = 1, 1, (1, 1)
        filters = draw(st.integers(1, 300))
    elif kind in (Kind.POOL, Kind.AVERAGE):
        groups = channels
    elif kind is Kind.CONCAT:
        channels = filters = sum(shape[2] for shape in shapes)
    elif kind in (Kind.ADD, Kind.MULTIPLY):
        channels *= len(shapes)
    elif kind is Kind.REDUCE:
        filters = 1
    elif kind is Kind.RESIZE:
        out, window = (2 * rows, 2 * columns), draw(st.sampled_from(((1, 1), (2, 2))))
    used = inputs if kind in (Kind.ADD, Kind.MULTIPLY, Kind.CONCAT) else inputs[:1]
    return Operator(name, kind, used, rows, columns, channels, *out, filters,
                    *window, *strides, groups, dilation)  # fmt: skip


@st.composite
def networks(draw, count=(1, 5), sizes=SIZES, least=1, kinds=tuple(Kind)):
    """A small graph whose operators read any earlier ones."""
    shapes: list[Shape] = [(draw(sizes), draw(sizes), draw(st.integers(least, 96)))]
    rows: list[Operator] = []
    for place in range(draw(st.integers(*count))):
        kind = draw(st.sampled_from(kinds))
        last = st.just(place)
        source = draw(st.one_of(last, last, st.integers(0, place)))
        alike = [i for i in range(place + 1)
                 if i != source and shapes[i][:2] == shapes[source][:2]
                 and (kind is Kind.CONCAT or shapes[i] == shapes[source])]  # fmt: skip
        read = [source, *([draw(st.sampled_from(alike))] if alike else [])]
        made = operators(kind, f"{place}", tuple(i - 1 for i in read),
                         [shapes[i] for i in read])  # fmt: skip
        rows.append(draw(made))
        shapes.append((rows[-1].out_height, rows[-1].out_width, rows[-1].filters))
    return rows


ACCELERATORS = st.builds(
    Accelerator,
    pes_x=st.integers(1, 9),
    pes_y=st.integers(1, 9),
    simd_units=st.integers(1, 130),
    compute_lanes=st.integers(1, 9),
    local_memory_mib=st.floats(0.5, 4),
    register_file_kib=st.floats(8, 128),
    io_bandwidth_gbps=st.floats(1, 50),
)
"""Between the points of the grid too, but with no less local memory than it has."""


ONE_PE = st.tuples(ACCELERATORS, st.floats(0.5, 1.0)).map(
    lambda drawn: replace(drawn[0], pes_x=1, pes_y=1, local_memory_mib=drawn[1])
)
LARGE_MAPS = networks(
    count=(3, 6),
    sizes=st.sampled_from((112, 224)),
    least=32,
    kinds=(Kind.DEPTHWISE, Kind.SWISH, Kind.ADD, Kind.CONV),
)
PAIRS = st.one_of(st.tuples(networks(), ACCELERATORS), st.tuples(LARGE_MAPS, ONE_PE))
"""Only large maps on one PE ever spill, or have chains that do not fit."""


PLATFORMS = st.builds(
    Platform,
    weights=st.sampled_from(("streamed", "kept")),
    chains=st.booleans(),
    overlap=st.booleans(),
    parameter_memory_mib=st.sampled_from((0.0, 0.01, 1.0)),
    instruction_bytes=st.sampled_from((0, 500)),
)


@pytest.mark.parametrize("kind", list(Kind))
@few
@given(data=st.data())
def test_every_operator_costs_something(kind, data):
    shape = data.draw(st.tuples(SIZES, SIZES, st.integers(1, 96)))
    op = data.draw(operators(kind, "op", (-1,), [shape]))
    machine = data.draw(ACCELERATORS)
    work = workload([[op]])
    metrics = evaluate(work, [machine])
    assert metrics.feasible[0]
    [cycles] = per_operator(work, machine).cycles
    assert cycles > Platform().dispatch_cycles
    assert metrics.latency_ms[0] == cycles / 800e3
    assert work.macs[0] <= cycles * machine.macs_per_cycle
    sent = op.out_height * op.out_width * op.filters
    assert metrics.io_bytes[0] >= sent + work.parameters[0]
    assert metrics.energy_mj[0] > 0


def more_of(machine, data):
    """The machine with more of each part that never makes the best mapping slower."""
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    factors = [data.draw(st.floats(1, 3)) for _ in range(2)]
    return [
        replace(machine, pes_x=machine.pes_x + columns),
        replace(machine, pes_y=machine.pes_y + rows),
        replace(machine, pes_x=machine.pes_x + columns, pes_y=machine.pes_y + rows),
        replace(machine, io_bandwidth_gbps=machine.io_bandwidth_gbps * factors[0]),
        replace(machine, local_memory_mib=machine.local_memory_mib * factors[1]),
    ]


@some
@given(PAIRS, WEIGHTS, st.data())
def test_more_pes_bandwidth_or_memory_are_never_slower(pair, weights, data):
    rows, machine = pair
    platform = replace(data.draw(PLATFORMS), weights=weights)
    found = evaluate(workload([rows]), [machine, *more_of(machine, data)], platform)
    assert (found.latency_ms[1:] <= found.latency_ms[0]).all()
    # Some networks are too large for the smallest machines.
    assert (found.feasible[1:] >= found.feasible[0]).all()


@some
@given(LARGE_MAPS, ONE_PE, WEIGHTS, st.lists(st.floats(0.5, 4), min_size=2))
def test_any_larger_memory_is_no_slower(rows, machine, weights, sizes):
    """Also where chains that do not fit in one fit in another."""
    machines = [replace(machine, local_memory_mib=mib) for mib in sorted(sizes)]
    found = evaluate(workload([rows]), machines, Platform(weights=weights)).latency_ms
    assert (np.diff(found) <= 0).all()


@pytest.mark.parametrize("name", ["EfficientNetEdgeTPU-L", "EfficientNetB4"])
def test_more_memory_of_the_grid_is_never_slower(name):
    """Large networks, whose activations fit in few of the grid's memories."""
    from nahas.search_space.published import PUBLISHED

    machines = [
        replace(BASELINE, pes_x=x, pes_y=y, local_memory_mib=mib)
        for x in GRID["pes_x"] for y in GRID["pes_y"]
        for mib in GRID["local_memory_mib"]
    ]  # fmt: skip
    found = evaluate(lower([PUBLISHED[name]]), machines).latency_ms.reshape(-1, 5)
    assert (np.diff(found) <= 0).all()


@some
@given(networks(), ACCELERATORS, WEIGHTS, st.floats(1, 3), st.integers(2, 4))
def test_a_faster_clock_is_slower_by_no_more_than_a_cycle_an_operator(
    rows, machine, weights, factor, times
):
    """The I/O ends at a whole cycle, whose ends a whole multiple of the clock keeps."""
    work = workload([rows])
    platforms = [
        Platform(weights=weights, clock_mhz=mhz)
        for mhz in (800.0, 800 * factor, 800.0 * times)
    ]
    slow, fast, whole = (
        evaluate(work, [machine], platform).latency_ms[0] for platform in platforms
    )
    assert fast <= slow + len(rows) / 800e3
    assert whole <= slow * (1 + 1e-12)


@some
@given(PAIRS, PLATFORMS)
def test_the_event_model_moves_the_same_bytes_over_the_io(pair, platform):
    rows, machine = pair
    work = workload([rows])
    ran = execute(work, machine, codes(work, machine, platform), platform)
    assert ran.io_bytes.sum() == evaluate(work, [machine], platform).io_bytes[0]


@few
@given(ACCELERATORS, st.data())
def test_more_of_a_part_is_more_area(machine, data):
    more = [
        *more_of(machine, data),
        replace(machine, simd_units=machine.simd_units + 1),
        replace(machine, compute_lanes=machine.compute_lanes + 1),
        replace(machine, register_file_kib=machine.register_file_kib * 1.5),
    ]
    areas = area_mm2([machine, *more])
    assert areas[0] > 0
    assert (areas[1:] >= areas[0]).all()
    assert (areas[[1, 2, 3, 6, 7, 8]] > areas[0]).all()


ENERGIES = ("mac_energy", "link_energy", "dram_energy", "io_idle", "sram_leakage",
            "logic_leakage")  # fmt: skip


def only(name):
    """The node with one source of energy: a constant's name, or "sram"."""
    nothing = {
        other: Constant(0.0, "", "", 0.0, 0.0) for other in ENERGIES if other != name
    }
    node = replace(NODE_22NM, **nothing)
    if name != "sram":
        free = Constant(0.0, "", "", 0.0, 0.0)
        node = replace(node, sram=replace(node.sram, energy_factor=free))
    return Platform(technology=node)


def test_every_source_of_energy_is_in_the_sum():
    names = [name for name, _ in NODE_22NM.constants()]
    assert set(ENERGIES) == {
        name for name in names if not name.startswith("sram.") and "_area" not in name
    }


@few
@given(networks(), ACCELERATORS)
def test_energy_is_the_sum_of_its_parts(rows, machine):
    work = workload([rows])
    parts = [evaluate(work, [machine], only(n)).energy_mj[0] for n in ENERGIES]
    parts.append(evaluate(work, [machine], only("sram")).energy_mj[0])
    whole = evaluate(work, [machine]).energy_mj[0]
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(whole, rel=1e-12)
    costs = per_operator(work, machine)
    assert costs.energy_mj.sum() == pytest.approx(whole, rel=1e-12)
    leakage = only("sram_leakage").technology.sram_leakage.value
    local = machine.pes * round(machine.local_memory_mib * 2**20)
    lanes = machine.pes * machine.compute_lanes
    files = lanes * round(machine.register_file_kib * 1024)
    milliseconds = evaluate(work, [machine]).latency_ms[0]
    by_hand = (local + files) / 2**20 * leakage * milliseconds * 1e-3
    assert parts[ENERGIES.index("sram_leakage")] == pytest.approx(by_hand, rel=1e-12)


def same(metrics, row, other):
    """Whether a row of some metrics is, to the bit, the only row of others."""
    names = [spec.name for spec in fields(metrics)[:-2]]
    return all(getattr(metrics, n)[row] == getattr(other, n)[0] for n in names)


@few
@given(
    st.lists(st.tuples(networks(), ACCELERATORS), min_size=1, max_size=6),
    WEIGHTS,
    st.randoms(use_true_random=False),
)
def test_a_list_of_candidates_costs_what_each_costs_alone(pairs, weights, random):
    platform = Platform(weights=weights)
    alone = [evaluate(workload([rows]), [m], platform) for rows, m in pairs]
    order = [random.randrange(len(pairs)) for _ in range(2 * len(pairs))]
    batch = evaluate(
        workload([pairs[i][0] for i in order]), [pairs[i][1] for i in order], platform
    )
    assert all(same(batch, row, alone[i]) for row, i in enumerate(order))
    one_network = evaluate(workload([pairs[0][0]]), [m for _, m in pairs], platform)
    assert same(one_network, 0, alone[0])
    one_machine = evaluate(workload([p[0] for p in pairs]), [pairs[0][1]], platform)
    assert same(one_machine, 0, alone[0])


@st.composite
def graphs(draw):
    """Steps as an importer adds them, and the MACs of each, counted by its weights."""
    graph = Graph((draw(SIZES), draw(SIZES), draw(st.integers(1, 24))))
    macs = 0
    for place in range(draw(st.integers(1, 6))):
        source = draw(st.integers(INPUT, place - 1)) if graph.steps else INPUT
        rows, columns, channels = graph.shape_of(source)
        filters, window = draw(st.integers(1, 24)), (draw(WINDOWS), draw(WINDOWS))
        kind = draw(st.sampled_from(("conv", "depthwise", "dense", "transposed",
                                     "swish", "batch norm")))  # fmt: skip
        name, maps = f"{place}", (rows, columns, filters)
        if kind == "conv":
            graph.add(Step(name, Kind.CONV, (source,), maps, window))
            macs += rows * columns * filters * window[0] * window[1] * channels
        elif kind == "depthwise":
            maps = (rows, columns, channels)
            graph.add(
                Step(name, Kind.DEPTHWISE, (source,), maps, window, groups=channels)
            )
            macs += rows * columns * channels * window[0] * window[1]
        elif kind == "dense":
            graph.add(Step(name, Kind.DENSE, (source,), (1, 1, filters)))
            macs += rows * columns * channels * filters
        elif kind == "transposed":  # by 2, with a kernel of an even size: no zeros
            kernel = (2 * window[0], 2 * window[1])
            maps = (2 * rows, 2 * columns, filters)
            add_transposed(graph, name, source, maps, kernel, (2, 2))
            macs += rows * columns * channels * kernel[0] * kernel[1] * filters
        elif kind == "swish":
            maps = (rows, columns, channels)
            gate = graph.add(Step(name, Kind.SIGMOID, (source,), maps))
            graph.add(Step(name, Kind.MULTIPLY, (gate, source), maps))
        else:
            graph.add(Step(name, "scale", (source,), (rows, columns, channels)))
    graph.outputs = list(range(len(graph.steps)))
    return graph, macs


@some
@given(graphs())
def test_folding_keeps_the_macs(made):
    graph, macs = made
    if any(isinstance(step.does, Kind) for step in graph.steps):
        assert fold(graph).macs.sum() == macs


def macs_by_weights(model):
    """MACs of a Keras model: each layer's kernel times the positions that it meets."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            positions = int(np.prod(layer.output.shape[1:-1]))
            total += positions * int(np.prod(layer.kernel.shape))
    return total


@pytest.mark.parametrize(("name", "seed"), [("s1", 0), ("s2", 1), ("s3", 2)])
def test_a_networks_text_and_its_keras_model_have_the_macs_of_its_weights(name, seed):
    space = NETWORK_SPACES[name]()
    [choices] = space.random(np.random.default_rng(seed), 1)
    network = Network.parse(str(space.decode(choices).proxy(32, 10)))
    model = build_model(network)
    expected = macs_by_weights(model)
    from_text, from_keras = lower([network]), import_keras(model)
    assert from_text.macs.sum() == from_keras.macs.sum() == expected
    assert _by_kind(from_text) == _by_kind(from_keras)


def _by_kind(work: Workload) -> dict[int, int]:
    return {
        kind: int(work.macs[work.operators["kind"] == kind].sum())
        for kind in (Kind.CONV, Kind.DEPTHWISE, Kind.DENSE)
    }


@few
@given(st.data())
def test_layers_with_groups_dilation_and_transposed_kernels_keep_their_macs(data):
    layers, size = keras.layers, data.draw(st.integers(8, 20))
    x = image = keras.Input((size, size, 8))
    groups = data.draw(st.sampled_from((1, 2, 4, 8)))
    rate, kernel = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    x = layers.Conv2D(16, kernel, padding="same", dilation_rate=rate, groups=groups)(x)
    x = layers.DepthwiseConv2D(kernel, 2, padding="same", depth_multiplier=2)(x)
    x = layers.SeparableConv2D(12, kernel, padding="same")(x)
    up = layers.Conv2DTranspose(6, 4, strides=2, padding="same")
    y = layers.Dense(5)(layers.Flatten()(up(x)))
    half = -(-size // 2)
    expected = (
        size**2 * 16 * kernel**2 * 8 // groups
        + half**2 * 32 * kernel**2
        + half**2 * 32 * (kernel**2 + 12)
        + half**2 * 12 * 16 * 6  # each input meets the whole kernel
        + (2 * half) ** 2 * 6 * 5
    )
    assert import_keras(keras.Model(image, y)).macs.sum() == expected
