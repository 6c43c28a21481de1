"""Decoding: tables of plain values -> frozen dataclasses; errors say where."""

import difflib
import re
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def parse_value(text: str) -> Any:
    """The value that TOML reads in `text`; the text itself where it reads none.

    >>> [parse_value(text) for text in ("4", "2.5", "true", "resident")]
    [4, 2.5, True, 'resident']
    """
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return found["value"] if len(found) == 1 else text


def decode(cls: type[T], table: Mapping[str, Any], path: str = "") -> T:
    """A dataclass from its table; keys that are left out keep their defaults.

    Raises:
        ValueError: If a key is unknown or missing, or a value is refused.
        TypeError: If a value has another type.
    """
    kinds = keys(cls)
    for key in table:
        if key not in kinds:
            raise ValueError(unknown(key, list(kinds), path))
    values = {
        key: _decode_value(kinds[key], value, _join(path, key))
        for key, value in table.items()
    }
    for key in _required(cls):
        if key not in values:
            raise ValueError(f"`{key}` must be given (in {_join(path, key)}).")
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise type(error)(_placed(str(error), kinds, path)) from error


def decode_sections(table: Mapping[str, Any], **kinds: type) -> list[Any]:
    """A dataclass of each kind, from the section of its name; missing ones are empty.

    Raises:
        ValueError: If there is another section, or as `decode`.
        TypeError: If one is no section, or as `decode`.
    """
    for section, values in table.items():
        if section not in kinds:
            raise ValueError(unknown(section, list(kinds), ""))
        if not isinstance(values, Mapping):
            raise TypeError(
                f"`{section}` must be a section of its own. Received {values!r}."
            )
    return [decode(kind, table.get(name, {}), name) for name, kind in kinds.items()]


def keys(cls: type) -> dict[str, Any]:
    """The fields of a dataclass that TOML can say, with their types."""
    hints = get_type_hints(cls)
    return {
        spec.name: hints[spec.name]
        for spec in fields(cls)
        if spec.init and _can_be_said(hints[spec.name])
    }


def nearest(word: str, known: Sequence[str]) -> str:
    """A question that ends an error, or nothing where no known word is near.

    >>> nearest("max_area_mm", ["max_area_mm2", "max_latency_ms"])
    ' Did you mean `max_area_mm2`?'
    """
    lowered = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.5)
    return f" Did you mean `{lowered[close[0]]}`?" if close else ""


def _placed(message: str, known: Mapping[str, Any], path: str) -> str:
    """The message with the path of the key that it names, unless it says it."""
    named = re.match(r"`(\w+)`", message)
    place = _join(path, named[1]) if named and named[1] in known else path
    if not place or "(in " in message:
        return message
    return f"{message.removesuffix('.')} (in {place})."


def unknown(key: str, known: list[str], path: str) -> str:
    """The error of a key that is not known, with the nearest one and its path."""
    guess = nearest(key, known)
    return (
        f"`{key}` must be one of {', '.join(known)}.{guess} (in {_join(path, key)})."
        if len(known) <= 8 or not guess
        else f"`{key}` is not a known key.{guess} (in {_join(path, key)})."
    )


def _decode_value(kind: Any, value: Any, path: str) -> Any:
    """The value, if it is of the type `kind`; whole numbers do for floats."""
    kinds = get_args(kind) if _is_union(kind) else (kind,)
    for option in kinds:
        origin = get_origin(option)
        if is_dataclass(option) and isinstance(value, Mapping):
            return decode(option, value, path)  # type: ignore[arg-type]
        if origin is Literal and value in get_args(option):
            return value
        if origin is tuple and isinstance(value, list | tuple):
            item = get_args(option)[0]
            return tuple(_decode_value(item, v, f"{path}[{i}]")
                         for i, v in enumerate(value))  # fmt: skip
        if option is bool and isinstance(value, bool):
            return value
        if option in (int, float, str) and not isinstance(value, bool):
            if isinstance(value, option):
                return value
            if option is float and isinstance(value, int) and abs(value) < 2**1000:
                return float(value)
    raise TypeError(
        f"`{path.rpartition('.')[2]}` must be {' or '.join(map(_name, kinds))}. "
        f"Received {value!r} (in {path})."
    )


def _can_be_said(kind: Any) -> bool:
    if _is_union(kind):
        said = [option for option in get_args(kind) if option is not type(None)]
        return all(map(_can_be_said, said))
    if get_origin(kind) is tuple:
        return len(get_args(kind)) == 2 and _can_be_said(get_args(kind)[0])
    if is_dataclass(kind):
        return bool(keys(kind)) and not _required(kind)  # type: ignore[arg-type]
    return kind in (bool, int, float, str) or get_origin(kind) is Literal


def _required(cls: type) -> list[str]:
    return [
        spec.name
        for spec in fields(cls)
        if spec.init and spec.default is MISSING and spec.default_factory is MISSING
    ]


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _name(kind: Any) -> str:
    if kind is type(None):
        return "left out"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if get_origin(kind) is tuple:
        return f"a list, each {_name(get_args(kind)[0])}"
    if is_dataclass(kind):
        return "a section of its own"
    names = {bool: "true or false", int: "an integer", float: "a number", str: "text"}
    return names[kind]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
