"""What a mapping's code says: its choices, what bounds it, and both in words.

`mapping.py` makes the codes; the event model and the reports read them.
"""

# What bounds a mapping, its code's remainder by 8.
COMPUTE_BOUND, LANE_BOUND, LOCAL_BOUND, LINK_BOUND, LOOKUP_BOUND = range(5)
BOUNDS = ("compute", "lane port", "local memory port", "interconnect", "table look-up")

POSITIONS, FILTERS, CHANNELS = range(3)
_ROWS = ("rows", "filters", "channels")
_COLUMNS = ("columns", "filters", "channels")
_LANES = ("filters", "positions")
OUTPUT_STATIONARY, WEIGHT_STATIONARY, SPREAD = range(3)
STYLES = ("broadcast, output stationary", "broadcast, weight stationary", "spread")
ORDERS = ("", "inputs sent again", "weights sent again")
SIDE = 4096
"""More than the PEs of a row or column."""


def bound(code: float) -> str:
    """What bounds the mapping of a code."""
    return BOUNDS[int(code) % 8]


def choices(code: float) -> tuple[int, int, int, int, int, int, int]:
    """What a mapping's code says.

    Returns:
        Active columns and rows of PEs; what PE rows, PE columns and lanes split, the
        style and the order, as positions in `_ROWS`, `_COLUMNS`, `_LANES`, `STYLES` and
        `ORDERS`.
    """
    rest, order = divmod(int(code) // 8, 3)
    rest, style = divmod(rest, 3)
    rest, lane = divmod(rest, 2)
    rest, column = divmod(rest, 3)
    rest, row = divmod(rest, 3)
    y, x = divmod(rest, SIDE)
    return x, y, row, column, lane, style, order


def describe(code: float) -> str:
    """A mapping's code in words."""
    x, y, row, column, lane, style, order = choices(code)
    parts = [f"{x}x{y} PEs on {_COLUMNS[column]} x {_ROWS[row]}",
             f"lanes on {_LANES[lane]}", STYLES[style], ORDERS[order]]  # fmt: skip
    return ", ".join(part for part in parts if part)
