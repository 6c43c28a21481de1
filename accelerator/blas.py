"""One thread for the small matrices of models that choose proposals."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Held around linear algebra of a proposal: BLAS uses a single thread.

    Matrices of some hundred rows are done sooner than other threads wake, which then
    spin for more; and sums over several threads may end in other last bits, so that the
    number of cores would decide which trials a seed gives.
    """
    with _pools("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _pools(scipy: bool) -> ThreadpoolController:
    """The libraries that are loaded: SciPy brings a BLAS besides NumPy's."""
    del scipy
    return ThreadpoolController()
