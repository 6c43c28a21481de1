"""What a study's `config.json` says of Python values, and values made from it again.

A frozen dataclass is described by its class and fields, so that a worker can rebuild an
oracle from the study's folder alone.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from inspect import signature
from typing import Any


def describe(value: object) -> Any:
    """The value in JSON's types; what JSON cannot say is given as text.

    >>> from fractions import Fraction
    >>> describe({"sizes": (1, 2.5), "share": Fraction(1, 3)})
    {'sizes': [1, 2.5], 'share': 'Fraction(1, 3)'}
    """
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        names = [spec.name for spec in fields(value) if spec.init]
        return {"class": _name(type(value))} | _attributes(value, names)
    if hasattr(value, "__qualname__"):
        return _name(value)
    if type(value).__repr__ is object.__repr__:
        names = list(signature(type(value)).parameters)
        return {"class": _name(type(value))} | _attributes(value, names)
    return repr(value)


def rebuild(description: Mapping[str, Any]) -> Any:
    """The value of a described dataclass.

    >>> from nahas.controller.outcome import Outcome
    >>> rebuild(describe(Outcome(0.5)))
    Outcome(accuracy=0.5, deviation=None, error='', seconds=0.0)

    Raises:
        ValueError: If its class cannot be imported or refuses the fields.
    """
    module, _, name = str(description.get("class", "")).partition(":")
    try:
        made = importlib.import_module(module)
        for part in name.split("."):
            made = getattr(made, part)
        values = {k: _value(v) for k, v in description.items() if k != "class"}
        return made(**values)  # type: ignore[operator]
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"`{module}:{name}` must be a dataclass that can be imported and made "
            f"from its fields. {type(error).__name__}: {error}."
        ) from error


def _value(described: Any) -> Any:
    if isinstance(described, Mapping):
        return rebuild(described) if "class" in described else dict(described)
    return tuple(map(_value, described)) if isinstance(described, list) else described


def _attributes(value: object, names: list[str]) -> dict[str, Any]:
    missing = object()
    found = {name: getattr(value, name, missing) for name in names}
    return {name: describe(item) for name, item in found.items() if item is not missing}


def _name(value: Any) -> str:
    return f"{value.__module__}:{value.__qualname__}"
