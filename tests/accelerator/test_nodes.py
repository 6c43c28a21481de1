"""Scaling between nodes: limits by hand, laws, and one source against the other."""

from itertools import pairwise

import pytest

from nahas.accelerator.cacti import CACTI
from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.nodes import (
    NODES,
    RELATIVE_AREA,
    area_factor,
    at_node,
    energy_factor,
)
from nahas.accelerator.technology import NODE_22NM
from nahas.accelerator.template import Platform
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

SIZES = (16, 32, 100, 2048)

PUBLISHED_AREAS = {
    65: {65: 1, 45: 0.66, 32: 0.31, 20: 0.14, 16: 0.13, 14: 0.12, 10: 0.068, 7: 0.039},
    45: {65: 1.5, 45: 1, 32: 0.46, 20: 0.21, 16: 0.19, 14: 0.17, 10: 0.1, 7: 0.059},
    32: {65: 3.3, 45: 2.2, 32: 1, 20: 0.46, 16: 0.41, 14: 0.38, 10: 0.22, 7: 0.13},
    20: {65: 7.1, 45: 4.7, 32: 2.2, 20: 1, 16: 0.89, 14: 0.82, 10: 0.48, 7: 0.28},
    16: {65: 7.9, 45: 5.3, 32: 2.4, 20: 1.1, 16: 1, 14: 0.91, 10: 0.54, 7: 0.31},
    14: {65: 8.7, 45: 5.8, 32: 2.7, 20: 1.2, 16: 1.1, 14: 1, 10: 0.59, 7: 0.34},
    10: {65: 15, 45: 9.8, 32: 4.5, 20: 2.1, 16: 1.9, 14: 1.7, 10: 1, 7: 0.58},
    7: {65: 25, 45: 17, 32: 7.8, 20: 3.6, 16: 3.2, 14: 2.9, 10: 1.7, 7: 1},
}  # fmt: skip
"""Stillmaker and Baas's areas from one node (row) to another, as two programs quote."""


def test_22_nm_scaled_to_22_nm_is_itself():
    assert area_factor(22) == energy_factor(22) == 1.0
    assert at_node(22) is NODE_22NM


def test_one_row_of_areas_stands_for_all():
    for start, row in PUBLISHED_AREAS.items():
        for end, factor in row.items():
            ours = RELATIVE_AREA[end] / RELATIVE_AREA[start]
            # Two digits are printed: 5 % each, and as much of the row that stands.
            assert ours == pytest.approx(factor, rel=0.1)


def test_45_nm_by_hand():
    # 22 nm lies between 32 nm (0.4571) and 20 nm (0.2008) on a power law.
    at_45 = 1.018 - 0.3107 + 0.1539
    at_32 = 0.8367 * 0.81 - 0.4341 * 0.9 + 0.1701
    at_20 = 0.373 * 0.81 - 0.1582 * 0.9 + 0.04104
    at_22 = at_20 * 1.1**1.7505
    assert at_32 / at_20 == pytest.approx(1.6**1.7505, rel=1e-3)
    assert at_node(45).mac_energy.value == pytest.approx(0.1 * at_45 / at_22, rel=1e-3)
    # Area: 32 nm 7.8, 20 nm 3.6, 1.6**1.645 = 7.8 / 3.6.
    expected = 200 * 17 / (3.6 * 1.1**1.645)
    assert at_node(45).mac_area.value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("node", [32, 45, 65])
def test_the_equations_and_cacti_agree(node):
    """Two sources, memories and logic: within half over a range of 9 times."""
    table, base = CACTI[node], CACTI[22]
    for size in (32, 2048):
        assert table.energy(size) / base.energy(size) == pytest.approx(
            energy_factor(node), rel=0.5
        )
        assert table.area(size) / base.area(size) == pytest.approx(
            area_factor(node), rel=0.5
        )


def test_costs_rise_with_the_node():
    nodes = [at_node(nm) for nm in sorted(NODES.values())]
    for small, large in pairwise(nodes):
        assert small.node_nm < large.node_nm
        for name in ("mac_energy", "mac_area", "link_energy", "link_area"):
            assert getattr(small, name).value < getattr(large, name).value
        assert (small.sram.energy(SIZES) < large.sram.energy(SIZES)).all()
        assert (small.sram.area(SIZES) < large.sram.area(SIZES)).all()
        for name in ("dram_energy", "io_area", "io_idle"):
            assert getattr(small, name) == getattr(large, name)


@pytest.mark.parametrize("node", NODES.values())
def test_ranges_widen_with_the_distance(node):
    for name, constant in at_node(node).constants():
        base = dict(NODE_22NM.constants())[name]
        if constant.value and base.low:
            spread = constant.high / constant.low
            assert spread >= base.high / base.low * (1 - 1e-12)
        if node != 22 and constant != base:
            assert "22 nm" in constant.source or "2017" in constant.source
            assert not constant.confirmed


def test_nodes_that_no_source_covers_are_refused():
    for node in (5, 90):
        with pytest.raises(ValueError, match="must be from 7 to 65"):
            at_node(node)


def test_the_node_changes_energy_and_area_and_no_latency():
    network = lower([PUBLISHED["MobileNetV2"]])
    small, usual, large = (
        evaluate(network, [BASELINE], Platform(technology=at_node(nm)))
        for nm in (7, 22, 65)
    )
    assert small.latency_ms == usual.latency_ms == large.latency_ms
    assert small.area_mm2 < usual.area_mm2 < large.area_mm2
    assert small.energy_mj < usual.energy_mj < large.energy_mj
    default = evaluate(network, [BASELINE])
    assert usual.energy_mj == default.energy_mj
