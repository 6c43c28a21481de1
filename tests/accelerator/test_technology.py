"""The SRAM table against CACTI's own output."""

import csv

import pytest

from nahas.accelerator.technology import CACTI_22NM


def test_the_table_is_cactis(data_file):
    with data_file("technology/cacti7_sram_22nm_and_up.csv").open() as file:
        rows = {
            float(row["size_KB"]): row
            for row in csv.DictReader(file)
            if row["node_nm"] == "22" and row["word_bytes"] == "64"
        }
    assert set(CACTI_22NM.size_kib) <= set(rows)
    figures = zip(
        CACTI_22NM.size_kib, CACTI_22NM.pj_per_byte, CACTI_22NM.area_mm2, strict=True
    )
    for size, energy, area in figures:
        row = rows[size]
        both = float(row["read_pJ_per_byte"]) + float(row["write_pJ_per_byte"])
        assert energy == pytest.approx(both / 2, abs=1e-4)
        assert area == pytest.approx(float(row["area_mm2"]), abs=1e-5)
