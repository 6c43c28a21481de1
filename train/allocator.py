"""Memory that a training has freed is kept for its next step.

Once batches come from a generator, as Keras' `PyDataset` has them, TensorFlow on Python
3.11 and later has glibc ask the system for each block above 128 KiB and give it back at
once. The system clears each page that it hands out, which can cost more than the
arithmetic of small images (docs/decisions/0012-freed-memory-is-kept.md).
"""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of glibc's mallopt(3)
_NEVER = -1


def keep_freed_memory() -> None:
    """Has this process reuse what it frees; elsewhere than on glibc, nothing.

    Its memory stays at the most that it ever had, but for blocks above 64 MiB that
    other threads than the first ask for: glibc maps them as ever. Who has set
    `GLIBC_TUNABLES` keeps them as they are. Results do not depend on it.
    """
    if sys.platform != "linux" or "GLIBC_TUNABLES" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)  # TensorFlow sets the size from which on, not how many
        mallopt(_TRIM_THRESHOLD, _NEVER)
