"""Distinct rows of a table of integers, found by hashing instead of sorting.

A search's networks hold tens of thousands of operators of which few differ, and a sort
of such rows costs more than everything that is then done with them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.compiled import compiled

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio, odd (Knuth, TAOCP 3, section 6.4)."""
_SHIFT = np.uint64(32)


class Distinct(NamedTuple):
    """Which rows of a table are equal.

    Attributes:
        first: [U] where each distinct row stands first, in rising order.
        number: [N] which of the U distinct rows each row is.
    """

    first: NDArray[np.int64]
    number: NDArray[np.int64]


def distinct_rows(table: NDArray[np.int64]) -> Distinct:
    """The distinct rows of a table [N, F].

    >>> distinct_rows(np.array([[7, 1], [7, 2], [7, 1]]))
    Distinct(first=array([0, 1]), number=array([0, 1, 0]))
    """
    slots = np.full(2 ** (2 * len(table)).bit_length(), -1, dtype=np.int64)
    first = np.empty(len(table), dtype=np.int64)
    number = np.empty(len(table), dtype=np.int64)
    count = _number(np.ascontiguousarray(table), slots, first, number)
    return Distinct(first[:count].copy(), number)


@compiled()
def _number(table, slots, first, number):
    """Fills `first` and `number`; returns how many rows differ.

    `slots` are a power of two, and twice as many at least as there are rows.
    """
    mask = len(slots) - 1
    count = 0
    for i in range(len(table)):
        mixed = np.uint64(0)
        for f in range(table.shape[1]):
            mixed = (mixed ^ np.uint64(table[i, f])) * _MULTIPLIER
            mixed = mixed ^ (mixed >> _SHIFT)
        slot = np.int64(mixed & np.uint64(mask))
        while True:
            other = slots[slot]
            if other < 0:
                slots[slot], first[count], number[i] = count, i, count
                count += 1
                break
            equal = True
            for f in range(table.shape[1]):
                if table[i, f] != table[first[other], f]:
                    equal = False
                    break
            if equal:
                number[i] = other
                break
            slot = (slot + 1) & mask
    return count
