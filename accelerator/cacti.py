"""CACTI 7's SRAM tables by node: energy and area of memories by size.

Its own output (HewlettPackard/cacti) for words of 64 bytes and low-standby cells; a
byte's energy is the mean of its read and its write. The tests compare every figure.
"""

from dataclasses import replace

from nahas.accelerator.technology import CACTI_22NM, SramTable


def _table(
    node_nm: int, pj_per_byte: tuple[float, ...], area_mm2: tuple[float, ...]
) -> SramTable:
    return replace(
        CACTI_22NM,
        pj_per_byte=pj_per_byte,
        area_mm2=area_mm2,
        source=CACTI_22NM.source.replace("22 nm", f"{node_nm} nm"),
    )


CACTI: dict[int, SramTable] = {
    22: CACTI_22NM,
    32: _table(
        32,
        (0.3368, 0.6096, 0.8856, 1.2990, 1.6526, 1.8548, 2.6515, 4.0298, 5.3320,
         8.0704, 12.0235),
        (0.02494, 0.05844, 0.11234, 0.19798, 0.42552, 0.52564, 1.13646, 1.99983,
         4.10542, 7.21397, 14.22812),
    ),
    45: _table(
        45,
        (0.6122, 1.0955, 1.5888, 2.3136, 3.0189, 3.3409, 4.7486, 7.2416, 9.5615,
         14.4924, 21.6436),
        (0.04923, 0.11548, 0.22198, 0.39135, 0.60132, 1.03866, 1.82825, 3.95301,
         6.978, 14.25966, 28.12474),
    ),
    65: _table(
        65,
        (1.1543, 2.0255, 3.1858, 4.2462, 5.5414, 6.3672, 8.8413, 13.6265, 17.9112,
         27.3622, 41.0598),
        (0.10284, 0.24107, 0.42506, 0.81676, 1.16972, 1.60144, 3.81566, 8.25021,
         14.56357, 29.76082, 58.69769),
    ),
}  # fmt: skip
"""Tables by feature size, nm; sizes as in `CACTI_22NM`."""
