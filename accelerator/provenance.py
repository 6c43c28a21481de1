"""Provenance: every constant of a platform with its unit, source and range.

Names say the owner: "platform.link_bytes", "technology.mac_energy",
"technology.sram.energy_factor".
"""

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any

from nahas.accelerator.technology import Constant, SramTable
from nahas.accelerator.template import PLATFORM_RANGES, Platform

_ASSUMED = "assumed for a 22 nm class design"
_ABSENT = "assumed: the template has none"

PLATFORM_SOURCES = {
    "clock_mhz": (
        "MHz",
        "26.2 TOPS of the baseline's 16,384 MACs a cycle (NAHAS, as recalled)",
    ),
    "dispatch_cycles": (
        "cycles",
        "assumed; about what the Edge TPU's latencies of NAS-Bench-201 suggest",
    ),
    "local_port_bytes": ("bytes/cycle/PE", _ASSUMED),
    "lane_port_bytes": (
        "bytes/cycle/lane",
        "assumed: depthwise convolution then runs at 3 % of the baseline's peak",
    ),
    "link_bytes": ("bytes/cycle/PE", _ASSUMED),
    "lookup_elements": ("elements/cycle/PE", _ASSUMED),
    "parameter_memory_mib": ("MiB", _ABSENT),
    "instruction_bytes": ("bytes/operator", _ABSENT),
    "host_ms": ("ms", _ABSENT),
}
"""Unit and source of the platform's default numbers."""

GIVEN = "given by the user or a preset"


def constants(platform: Platform, given: Collection[str] = ()) -> dict[str, Constant]:
    """Every number of a platform and its technology by name.

    A range of one point is none. A number of the platform that is not its default is
    taken as it is, and so is what `given` names: its user vouches for that.

    >>> found = constants(Platform(link_bytes=48))
    >>> found["platform.link_bytes"].source, found["technology.mac_area"].unit
    ('given by the user or a preset', 'um2')
    """
    found = {}
    for spec in fields(Platform):
        value = getattr(platform, spec.name)
        if spec.name in PLATFORM_SOURCES:
            unit, source = PLATFORM_SOURCES[spec.name]
            name = f"platform.{spec.name}"
            vouched = name in given
            if vouched or value != spec.default:
                found[name] = Constant(value, unit, GIVEN, value, value, vouched)
            else:
                low, high = PLATFORM_RANGES.get(spec.name, (value, value))
                found[name] = Constant(value, unit, source, low, high)
    for name, constant in platform.technology.constants():
        found[f"technology.{name}"] = constant
    return found | _memories(platform.technology.sram)


def with_values(platform: Platform, values: Mapping[str, float]) -> Platform:
    """The platform with other values of constants, by the names of `constants`.

    Raises:
        ValueError: If a value of the technology is not in its range, or the platform
            refuses one of its own.
    """
    technology = dict(platform.technology.constants())
    own: dict[str, Any] = {}
    others = {}
    for name, value in values.items():
        owner, _, inner = name.partition(".")
        if owner == "platform":
            own[inner] = type(getattr(platform, inner))(value)
        else:
            others[inner] = replace(technology[inner], value=value)
    changed = platform.technology.with_constants(others)
    return replace(platform, **own, technology=changed)


def _memories(table: SramTable) -> dict[str, Constant]:
    """The figures of the table, one by one."""
    columns = {"pj_per_byte": "pJ/byte", "area_mm2": "mm2"}
    return {
        f"technology.sram.{column}[{size:g} KiB]": Constant(
            figure, unit, table.source, figure, figure, confirmed=table.confirmed
        )
        for column, unit in columns.items()
        for size, figure in zip(table.size_kib, getattr(table, column), strict=True)
    }
