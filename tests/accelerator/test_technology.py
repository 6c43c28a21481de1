"""The SRAM tables against CACTI's own output, and the values' checks."""

import csv
from dataclasses import replace
from math import inf, nan

import pytest

from nahas.accelerator.cacti import CACTI
from nahas.accelerator.technology import CACTI_22NM, NODE_22NM, Constant

CSV = "technology/cacti7_sram_22nm_and_up.csv"


def rows(path, node, word):
    with path.open() as file:
        return {
            float(row["size_KB"]): row
            for row in csv.DictReader(file)
            if (row["node_nm"], row["word_bytes"]) == (str(node), str(word))
        }


@pytest.mark.parametrize("node", CACTI)
def test_the_tables_are_cactis(data_file, node):
    found, table = rows(data_file(CSV), node, 64), CACTI[node]
    figures = zip(table.size_kib, table.pj_per_byte, table.area_mm2, strict=True)
    for size, energy, area in figures:
        row = found[size]
        both = float(row["read_pJ_per_byte"]) + float(row["write_pJ_per_byte"])
        assert energy == pytest.approx(both / 2, abs=1e-4)
        assert area == pytest.approx(float(row["area_mm2"]), abs=1e-5)
    assert f"{node} nm" in table.source
    assert table.confirmed


def test_cactis_own_error_is_in_the_tables_range(data_file):
    """Horowitz 2014 has 10, 20 and 100 pJ for 64-bit reads at 45 nm."""
    found = rows(data_file(CSV), 45, 8)
    ratios = [
        quoted / float(found[size]["read_pJ"])
        for size, quoted in ((8, 10.0), (32, 20.0), (1024, 100.0))
    ]
    assert [round(ratio, 1) for ratio in ratios] == [1.6, 1.2, 1.1]
    factor = CACTI_22NM.energy_factor
    assert all(factor.low <= ratio <= factor.high for ratio in ratios)


@pytest.mark.parametrize("value", [-1.0, 3.0, nan, inf])
def test_a_constant_lies_in_its_range(value):
    with pytest.raises(ValueError, match="must lie in its range, from 0 to 1e"):
        Constant(value, "pJ", "test", 0.0, 2.0 if value != inf else inf)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"size_kib": (1.0,)}, "two sizes or more, rising"),
        ({"size_kib": CACTI_22NM.size_kib[::-1]}, "two sizes or more, rising"),
        ({"area_mm2": (1.0, 2.0)}, "`area_mm2` must hold as many figures"),
        ({"pj_per_byte": (0.0,) * 11}, "`pj_per_byte` must hold numbers from"),
        ({"pj_per_byte": (nan,) * 11}, "`pj_per_byte` must hold numbers from"),
    ],
)
def test_a_table_checks_itself(column, message):
    with pytest.raises(ValueError, match=message):
        replace(CACTI_22NM, **column)


def test_factors_multiply_the_table():
    double = Constant(2.0, "x table", "test", 2.0, 2.0)
    changed = NODE_22NM.with_constants({"sram.area_factor": double})
    assert changed.sram.area(64) == 2 * NODE_22NM.sram.area(64)
    assert changed.sram.energy(64) == NODE_22NM.sram.energy(64)
    assert dict(changed.constants())["sram.area_factor"] == double
