import re
import tomllib
from pathlib import Path

import pytest

from nahas.accelerator.nodes import NODES, at_node
from nahas.accelerator.technology import NO_FACTOR, NODE_22NM
from nahas.accelerator.template import Platform
from nahas.cli_assumptions import TECHNOLOGY
from nahas.technology_table import from_table, technology, with_technology


def test_an_empty_table_is_the_default():
    assert from_table({}) == NODE_22NM
    platform = Platform(clock_mhz=500.0)
    assert with_technology(platform, None) is platform
    assert with_technology(platform, "22nm") == platform


@pytest.mark.parametrize("node", NODES)
def test_nodes_by_name(node):
    assert technology(node) == at_node(NODES[node]) == from_table({"node": node})


def test_what_is_left_out_stays(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'node = "28nm"\nmac_energy = 0.12\n'
        '[mac_area]\nvalue = 250\nlow = 200\nhigh = 300\nsource = "own synthesis"\n'
        "[dram_energy]\nhigh = 100\n"
        "[sram]\narea_factor = 1.1\n"
    )
    mine, base = technology(path), at_node(28)
    energy = mine.mac_energy
    assert (energy.value, energy.low, energy.high) == (0.12, 0.12, 0.12)
    assert (energy.unit, energy.source) == ("pJ", "given in mine.toml")
    assert energy.confirmed
    area = mine.mac_area
    assert (area.value, area.low, area.high) == (250.0, 200.0, 300.0)
    assert (area.source, area.confirmed) == ("own synthesis", False)
    dram = mine.dram_energy
    assert (dram.value, dram.low, dram.high) == (64.0, 32.0, 100.0)
    assert dram.source == base.dram_energy.source
    assert mine.sram.area(64) == pytest.approx(1.1 * base.sram.area(64))
    assert mine.sram.energy_factor == base.sram.energy_factor
    for name in ("link_energy", "link_area", "io_area", "io_idle", "logic_leakage"):
        assert getattr(mine, name) == getattr(base, name)


def test_the_examples_of_the_docs_and_the_help_can_be_read():
    text = (Path(__file__).parents[2] / "docs" / "machine.md").read_text()
    [documented] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    helped = "\n".join(line[2:] for line in TECHNOLOGY.splitlines() if line[:2] == "  ")
    for example in (documented, helped):
        mine = from_table(tomllib.loads(example))
        assert mine.node_nm == 28
        assert (mine.mac_energy.value, mine.mac_area.high) == (0.12, 300.0)
        assert mine.sram.area_factor.value == 1.1


def test_own_memories_replace_the_nodes_and_their_scaling():
    own = {"size_kib": [1, 4], "pj_per_byte": [1, 2], "area_mm2": [0.1, 0.4]}
    mine = from_table({"node": "7nm", "sram": own}).sram
    assert mine.energy(2) == pytest.approx(2**0.5)
    assert mine.area(2) == pytest.approx(0.2)
    assert mine.confirmed
    assert mine.source == "given"
    assert mine.energy_factor == mine.area_factor == NO_FACTOR


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"mac_energi": 1}, "Did you mean `mac_energy`? (in technology.mac_energi)"),
        ({"node": "23nm"}, "`node` must be one of 65nm"),
        ({"node": 22}, "`node` must be text. Received 22 (in technology.node)"),
        ({"mac_energy": "x"}, "a number or a section of its own"),
        ({"mac_energy": -1}, "Received -1 pJ in [-1, -1] (in technology.mac_energy)"),
        ({"mac_energy": float("nan")}, "(in technology.mac_energy)"),
        ({"mac_energy": 1e300}, "from 0 to 1e+12"),
        ({"mac_energy": {"vlue": 1}}, "Did you mean `value`?"),
        ({"mac_energy": {"value": 1, "low": 2}}, "Received 1 pJ in [2, 1]"),
        ({"link_area": {"low": 1}}, "Received 0.05 mm2/PE in [1, 0.1]"),
        ({"sram": 3}, "`sram` must be a section of its own"),
        ({"sram": {"size_kib": [1, 2]}}, "`pj_per_byte` must be given with"),
        ({"sram": {"size_kib": [2, 1], "pj_per_byte": [1, 1], "area_mm2": [1, 1]}},
         "two sizes or more, rising. Received [2.0, 1.0] (in technology.sram)"),
        ({"sram": {"size_kib": [1, 2], "pj_per_byte": [1], "area_mm2": [1, 1]}},
         "as many figures as `size_kib`, 2. Received 1"),
        ({"sram": {"area_factor": -1}}, "(in technology.sram.area_factor)"),
    ],
)  # fmt: skip
def test_wrong_tables_are_named_with_their_place(table, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        from_table(table)
    assert message in str(caught.value)
    assert "(in technology" in str(caught.value)


def test_a_word_that_is_neither_node_nor_file():
    with pytest.raises(ValueError, match=r"or a TOML file\. Received '29nm'"):
        technology("29nm")
