"""Compiling kernels with Numba, cached on disk where a folder for it can be written.

Numba compiles a kernel anew when its own file changes, not when that of a kernel it
calls does. The cache therefore lies in a folder named by the sources of all of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

from numba import config, get_num_threads, njit, set_num_threads

_HERE = Path(__file__).parent
_SOURCES = blake2b(
    b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py"))), digest_size=8
).hexdigest()

_ENTERED = Lock()
_MANY = 64


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`numba.njit(cache=True, **options)`, without the cache where none is usable."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        usual = config.CACHE_DIR
        config.CACHE_DIR = str(Path(usual or _HERE / "__pycache__") / _SOURCES)
        try:
            return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
        except (OSError, RuntimeError):
            # No writable folder for the cache: every process compiles anew.
            return njit(**options)(function)  # type: ignore[no-any-return]
        finally:
            config.CACHE_DIR = usual

    return decorate


@contextmanager
def parallel(pairs: int) -> Iterator[None]:
    """Held around a parallel kernel that costs so many pairs.

    Numba's portable thread pool must not be entered twice at a time. And few pairs are
    done sooner than other threads wake: with all CPUs busy, one took 29 ms on two
    threads and 2 ms on one, and a table search that simulates 16 pairs at a time is as
    fast on one thread as on two, at half the CPU.
    """
    with _ENTERED:
        threads = get_num_threads()
        set_num_threads(threads if pairs >= _MANY else 1)
        try:
            yield
        finally:
            set_num_threads(threads)
