"""Nodes: the 22 nm constants scaled to other feature sizes.

- Logic by the equations of A. Stillmaker and B. Baas, "Scaling equations for the
  accurate prediction of CMOS device performance from 180 nm to 7 nm", Integration 58
  (2017), 74-81. The coefficients were not read in the paper but in two programs that
  quote it and agree where both have them (Accelergy's library plug-in, scaling.py; UCLA
  NanoCAD's nodeScale.py): they are unconfirmed.
- Memories by CACTI 7's own tables from 22 nm up (`cacti.py`); below, where CACTI ends,
  by the equations.
- DRAM and the I/O to it stay: pads and another chip do not shrink with the logic. The
  clock stays too: it is the platform's.
- Leakage by capacity and by area stay, for want of a source, in a range twice as wide
  each way.

The scaling is uncertain itself. A scaled range so reaches from the whole factor to its
square root: figures that are quoted for 7 nm (int8 multiplication 0.07 pJ in Jouppi et
al. 2021, as recalled, against 0.2 pJ at 45 nm) fell by less than the equations say, and
so do wires and memory cells.
"""

from dataclasses import replace
from itertools import pairwise
from math import exp, log, sqrt

from nahas.accelerator.cacti import CACTI
from nahas.accelerator.technology import NODE_22NM, Constant, SramTable, Technology

NODES = {f"{nm}nm": nm for nm in (65, 45, 32, 28, 22, 20, 16, 14, 12, 10, 7)}
"""Nodes by name: feature size in nm."""

RELATIVE_AREA = {
    65: 25.0, 45: 17.0, 32: 7.8, 20: 3.6, 16: 3.2, 14: 2.9, 10: 1.7, 7: 1.0,
}  # fmt: skip
"""Area of the same logic over that at 7 nm (Stillmaker and Baas's table of areas)."""

ENERGY = {
    65: (3.755, -4.398, 1.975, 1.1),
    45: (1.018, -0.3107, 0.1539, 1.0),
    32: (0.8367, -0.4341, 0.1701, 0.9),
    20: (0.373, -0.1582, 0.04104, 0.9),
    16: (0.2958, -0.1241, 0.03024, 0.85),
    14: (0.2363, -0.09675, 0.02239, 0.8),
    10: (0.2068, -0.09311, 0.02375, 0.75),
    7: (0.1776, -0.09097, 0.02447, 0.7),
}
"""Energy of a switching gate is a V^2 + b V + c: a, b, c and V, by node.

High-performance devices from 45 nm down. V is the nominal voltage of the predictive
technology models that the equations were fitted to, as recalled."""

_BASE = NODE_22NM.node_nm
_LOGIC_ENERGY = ("mac_energy", "link_energy")
_LOGIC_AREA = ("mac_area", "link_area")
_LEAKAGE = ("sram_leakage", "logic_leakage")


def area_factor(node_nm: float) -> float:
    """Area of logic at a node over its area at 22 nm, log-log between table nodes."""
    return _between(RELATIVE_AREA, node_nm) / _between(RELATIVE_AREA, _BASE)


def energy_factor(node_nm: float) -> float:
    """Energy of logic at a node over that at 22 nm, both at their nominal voltage."""
    energies = {nm: (a * v + b) * v + c for nm, (a, b, c, v) in ENERGY.items()}
    return _between(energies, node_nm) / _between(energies, _BASE)


def at_node(node_nm: int) -> Technology:
    """The technology of a node; 22 nm is `NODE_22NM` itself.

    >>> at_node(45).mac_energy.value > at_node(28).mac_energy.value > 0.1
    True

    Raises:
        ValueError: If the node is not from 7 to 65 nm.
    """
    least, most = min(RELATIVE_AREA), max(RELATIVE_AREA)
    if not least <= node_nm <= most:
        raise ValueError(
            f"`node_nm` must be from {least} to {most}. Received {node_nm!r}."
        )
    if node_nm == _BASE:
        return NODE_22NM
    note = f"scaled to {node_nm} nm by Stillmaker and Baas 2017 (unconfirmed)"
    factors = dict.fromkeys(_LOGIC_ENERGY, energy_factor(node_nm))
    factors |= dict.fromkeys(_LOGIC_AREA, area_factor(node_nm))
    base = dict(NODE_22NM.constants())
    scaled = {name: _scaled(base[name], f, note) for name, f in factors.items()}
    leakage = {name: _kept(base[name]) for name in _LEAKAGE}
    return replace(
        NODE_22NM.with_constants(scaled | leakage),
        node_nm=node_nm,
        sram=_memories(node_nm, note),
    )


def _memories(node_nm: int, note: str) -> SramTable:
    """CACTI's table, between two of its tables, or its 22 nm one scaled down."""
    if node_nm in CACTI:
        return CACTI[node_nm]
    table = CACTI[_BASE]
    if node_nm < _BASE:
        energy, area = energy_factor(node_nm), area_factor(node_nm)
        return replace(
            table,
            pj_per_byte=tuple(figure * energy for figure in table.pj_per_byte),
            area_mm2=tuple(figure * area for figure in table.area_mm2),
            source=f"{table.source}, {note}",
            confirmed=False,
            energy_factor=_widened(table.energy_factor, energy, note),
            area_factor=_widened(table.area_factor, area, note),
        )
    below = max(nm for nm in CACTI if nm < node_nm)
    above = min(nm for nm in CACTI if nm > node_nm)

    def column(name: str) -> tuple[float, ...]:
        ends = zip(
            getattr(CACTI[below], name), getattr(CACTI[above], name), strict=True
        )
        return tuple(_between({below: a, above: b}, node_nm) for a, b in ends)

    return replace(
        table,
        pj_per_byte=column("pj_per_byte"),
        area_mm2=column("area_mm2"),
        source=f"between CACTI 7's {below} and {above} nm, log-log",
        confirmed=False,
    )


def _scaled(constant: Constant, factor: float, note: str) -> Constant:
    """The constant times a factor, its range reaching to the factor's root."""
    wide = _widened(constant, factor, note)
    return replace(
        wide,
        value=wide.value * factor,
        low=wide.low * factor,
        high=wide.high * factor,
    )


def _widened(constant: Constant, factor: float, note: str) -> Constant:
    """The constant as it is, in the range of one that was scaled by a factor."""
    less = 1 / sqrt(factor)
    return replace(
        constant,
        low=constant.low * min(1.0, less),
        high=constant.high * max(1.0, less),
        source=f"{constant.source}; {note}",
        confirmed=False,
    )


def _kept(constant: Constant) -> Constant:
    """The constant as it is, in a range twice as wide each way."""
    return replace(
        constant,
        low=constant.low / 2,
        high=constant.high * 2,
        source=f"{constant.source}; kept from {_BASE} nm for want of a source",
    )


def _between(values: dict[int, float], at: float) -> float:
    """The value at a node, a power law through its neighbours."""
    if at in values:
        return values[int(at)]
    nodes = sorted(values)
    low, high = next((a, b) for a, b in pairwise(nodes) if a < at < b)
    share = log(at / low) / log(high / low)
    return exp((1 - share) * log(values[low]) + share * log(values[high]))
