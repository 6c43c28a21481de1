"""Compiling kernels with Numba, cached on disk where a folder for it can be written."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from numba import njit

PARALLEL = Lock()
"""Held around parallel kernels: Numba's portable thread pool must not be re-entered."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`numba.njit(cache=True, **options)`, without the cache where none is usable."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:
            # No writable folder for the cache: every process compiles anew.
            return njit(**options)(function)  # type: ignore[no-any-return]

    return decorate
