"""NAS-Bench-Macro's space: sizes by hand, and every row of the published table."""

import csv
import gzip
from dataclasses import replace

import numpy as np
import pytest

from nahas.accelerator.workload import Kind
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.published import PUBLISHED
from nahas.search_space.tabular import b0_stages, every_network, nas_bench_macro

TABLES = nas_bench_macro(resolution=32, classes=10)


def costs(archs):
    """MACs and parameters [K] as the table counts them.

    Its parameters hold batch norm's two numbers a filter; lowering folds them into one
    bias.
    """
    networks = [TABLES.decode([int(digit) for digit in arch]) for arch in archs]
    work = lower(networks)
    ops = work.operators
    scales = np.where(ops["kind"] <= Kind.DEPTHWISE, ops["filters"], 0)
    return work.per_network(work.macs), work.per_network(work.parameters + scales)


def test_the_smallest_network_by_hand():
    [macs], [parameters] = costs(["00000000"])
    stem, head = 32 * 32 * 27 * 32, 4 * 4 * 256 * 1280 + 1280 * 10
    steps = 16 * 16 * 32 * 64 + 8 * 8 * 64 * 128 + 4 * 4 * 128 * 256
    assert macs == stem + steps + head
    norms = 2 * (32 + 64 + 128 + 256 + 1280)
    weights = 27 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 1280 + 1280 * 10 + 10
    assert parameters == weights + norms


def test_identities_of_a_stage_may_stand_anywhere():
    def network(arch):
        return TABLES.decode([int(digit) for digit in arch])

    assert network("00101012") == network("00110012")
    assert network("00101012") != network("01001012")
    assert network("10000000") != network("01000000")


@pytest.mark.parametrize("arch", ["00000000", "12012012", "22222222"])
def test_the_proxy_of_the_deployed_network_is_the_tables(arch):
    choices = [int(digit) for digit in arch]
    deployed = nas_bench_macro().decode(choices)
    assert (deployed.resolution, deployed.classes) == (224, 1000)
    assert deployed.stem_stride == 2
    assert deployed.proxy(32, 10) == TABLES.decode(choices)
    assert TABLES.decode(choices).stem_stride == 1
    assert Network.parse(str(deployed)) == deployed


def test_width_scales_the_filters():
    network = nas_bench_macro(width=0.5).decode([1] * 8)
    filters = [block.filters for block in network.blocks]
    assert filters == [32] * 2 + [64] * 3 + [128] * 3


def test_every_network_comes_once():
    networks = list(every_network(TABLES))
    assert len(networks) == len(set(networks)) == 9 * 21 * 21


def test_the_stages_of_efficientnet_b0_are_b0_but_for_its_first():
    b0 = PUBLISHED["EfficientNetB0"]
    space = b0_stages()
    kernels = (3, 3, 5, 3, 5, 5, 3)
    values = {f"stage{i}.kernel": kernel for i, kernel in enumerate(kernels)}
    values |= {f"stage{i}.expansion": 6 for i in range(7)}
    choices = [knob.values.index(values[knob.name]) for knob in space.knobs]
    found = space.decode(choices)
    assert space.size == 4**7
    assert replace(found, blocks=found.blocks[1:]) == replace(b0, blocks=b0.blocks[1:])
    assert replace(found.blocks[0], expansion=1) == b0.blocks[0]
    assert b0_stages(resolution=32, classes=10).decode(choices).classes == 10


def test_macs_and_parameters_are_those_of_every_row_of_the_table(data_file):
    path = data_file("accuracy/nas_bench_macro_cifar10.csv.gz")
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == TABLES.size
    macs, parameters = costs([row["arch"] for row in rows])
    assert macs.tolist() == [int(row["flops"]) for row in rows]
    assert parameters.tolist() == [int(row["params"]) for row in rows]
