"""Objects by their names: ours, or a user's own as `module:name`."""

import importlib
import sys
from pathlib import Path
from typing import Any

from nahas.decode import nearest


def named_object(name: str, where: str) -> Any:
    """The object that a user's `module:name` names; the module is imported.

    The present folder is looked in last, so that a file there shadows no library.

    Raises:
        ValueError: If there is no such module or name.
    """
    module, _, path = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must name an object as module:name, the module being installed "
            f"or in the present folder. {type(error).__name__}: {error} (in {where})."
        ) from error
    return found


def made(found: Any) -> Any:
    """A new object where a class or function is named; the object itself otherwise."""
    return found() if isinstance(found, type) or not hasattr(found, "key") else found


def check_known(name: str, known: tuple[str, ...], place: str) -> None:
    """Checks a name.

    Raises:
        ValueError: If it is none of those known.
    """
    if name not in known:
        raise ValueError(
            f"`{place.rpartition('.')[2]}` must be {', '.join(known)} or module:name. "
            f"Received {name!r}.{nearest(name, known)} (in {place})."
        )
