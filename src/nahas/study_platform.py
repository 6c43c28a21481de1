"""The platform of a study, as its folder keeps it.

A pair's costs are those of its search only on that search's platform, which the pair's
own JSON does not say.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nahas.accelerator.template import Capabilities, Platform
from nahas.accelerator.workload import Kind
from nahas.controller.description import rebuild

CONFIG = "config.json"


def platform_of(study: Mapping[str, Any]) -> Platform | None:
    """The platform that a study's configuration keeps; None where it keeps none.

    Args:
        study: What the study's `config.json` holds.
    """
    kept = study.get("platform")
    if not isinstance(kept, Mapping):
        return None
    try:
        platform = rebuild(kept)
        if not isinstance(platform, Platform):
            return None
        return replace(platform, capabilities=_with_kinds(platform.capabilities))
    except (AttributeError, KeyError, TypeError, ValueError):  # of another version
        return None


def platform_beside(pair: Path) -> Platform | None:
    """The platform of the study in whose folder a pair's file lies; None for none."""
    try:
        table = json.loads((pair.parent / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return platform_of(table) if isinstance(table, Mapping) else None


def _with_kinds(named: Any) -> Capabilities:
    """Capabilities whose kinds are kinds again; JSON has only their names."""
    return Capabilities(
        fused=tuple(Kind[kind] for kind in named.fused),
        slow=tuple((Kind[kind], factor) for kind, factor in named.slow),
        refused=tuple(Kind[kind] for kind in named.refused),
    )
