from dataclasses import fields

import pytest

from nahas.accelerator.nodes import at_node
from nahas.accelerator.provenance import GIVEN, PLATFORM_SOURCES, constants, with_values
from nahas.accelerator.technology import CACTI_22NM
from nahas.accelerator.template import PLATFORM_RANGES, Platform


def test_no_number_of_the_platform_is_left_out():
    numbers = {spec.name for spec in fields(Platform) if spec.type in (int, float)}
    assert set(PLATFORM_SOURCES) == numbers
    assert set(PLATFORM_RANGES) < numbers


@pytest.mark.parametrize("node", [7, 22, 28, 65])
def test_every_constant_says_where_it_comes_from(node):
    found = constants(Platform(technology=at_node(node)))
    for name, constant in found.items():
        assert constant.unit, name
        assert constant.source, name
        if constant.source.startswith("assumed"):
            assert not constant.confirmed
    figures = [name for name in found if "KiB]" in name]
    assert len(figures) == 2 * len(CACTI_22NM.size_kib)
    assert found["technology.sram.area_mm2[2048 KiB]"].confirmed == (node in (22, 65))


def test_what_is_given_has_no_range():
    usual = constants(Platform())["platform.link_bytes"]
    assert (usual.value, usual.low, usual.high) == (32, 16, 128)
    other = constants(Platform(link_bytes=48))["platform.link_bytes"]
    assert (other.low, other.high, other.source) == (48, 48, GIVEN)
    assert not other.confirmed
    named = constants(Platform(), {"platform.link_bytes"})["platform.link_bytes"]
    assert (named.low, named.high, named.confirmed) == (32, 32, True)


def test_values_are_put_back_where_they_came_from():
    values = {
        "platform.link_bytes": 100.0,
        "technology.mac_energy": 0.2,
        "technology.sram.area_factor": 1.25,
    }
    changed = with_values(Platform(), values)
    assert changed.link_bytes == 100
    assert isinstance(changed.link_bytes, int)
    found = constants(changed)
    assert {name: found[name].value for name in values} == values
    unchanged = {n: c for n, c in found.items() if n not in values}
    before = constants(Platform())
    assert unchanged == {n: c for n, c in before.items() if n not in values}


def test_a_value_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="must lie in its range"):
        with_values(Platform(), {"technology.mac_energy": 9.0})
