"""Why our figures and ZigZag's differ, by what differs most.

What is said of ZigZag is what its source does (zigzag-dse 3.9.1); where a run can show
it, `zigzag_comparison.py` runs it: a DRAM that never is the limit, and a spatial
mapping that suits depthwise layers.
"""

TEXTS = {
    "one channel a group": (
        "A depthwise layer has one channel and one filter a group: of 8 filters x 8 "
        "channels x 16 positions, ZigZag's fixed mapping puts 16 MACs of 1,024 to "
        "work. Our units take positions instead, and a row of taps is a unit's 4-way "
        "dot product. *Depthwise mapped* shows what remains when ZigZag's mapping "
        "suits these layers too."
    ),
    "three channels": (
        "The first convolution's 3 channels leave 5 of ZigZag's 8 idle. Our 4-way "
        "units take the channels of a row of taps, which lie side by side: 9 or 21."
    ),
    "fixed mapping": (
        "Where a layer's filters or channels are no multiple of 8, or its map's sides "
        "none of 4, some of ZigZag's units idle (sides of 14 and 7 fill 3.5 of 4, a "
        "dense layer one position of 16). Ours may split filters, channels or "
        "positions, as `layers.csv` says."
    ),
    "kept on chip": (
        "ZigZag sends to DRAM every map that more than one layer reads or that joins "
        "another (`exploit_data_locality_stages.py`): around each residual connection "
        "and each squeeze-and-excite. For other maps it asks whether a layer's input "
        "and output fit together, with 2 bytes for an element of the output. Ours "
        "keeps what fits, of 1 byte, until its last use, and lets layers take turns "
        "by stripes where a map does not fit."
    ),
    "fetched ahead": (
        "Ours fetches weights of later layers while earlier ones compute, so that "
        "they cost no cycles where computation lasts longer. In ZigZag each layer "
        "begins by loading."
    ),
    "input on chip": (
        "With data locality, ZigZag takes the network's input to be on chip already; "
        "ours reads it from DRAM."
    ),
    "words not waited for": (
        "ZigZag's latency is shorter than its own words over DRAM's port take: see "
        "below."
    ),
    "positions skipped": (
        "A 1x1 convolution of stride 2 uses a quarter of its input. ZigZag reads that "
        "quarter, ours the whole map: here ours is the coarser model."
    ),
    "weights in each PE": (
        "Weights come from local memory at 1.55 pJ a byte, and in each PE that uses "
        "them; ZigZag's from 32 KB at 0.36, once for all PEs."
    ),
    "larger registers": (
        "A register file of 2 KiB holds more weights or sums than ZigZag's of 1 and 2 "
        "bytes, so that the memory behind it is read less often."
    ),
}
"""The reasons by name."""

_SKIPS = "1x1 convolution that skips positions"
_BY_TERM: dict[tuple[str, str, bool, str], tuple[str, ...]] = {
    ("latency", "spatial", False, "depthwise"): ("one channel a group",),
    ("latency", "spatial", False, "first convolution"): ("three channels",),
    ("latency", "spatial", False, ""): ("fixed mapping",),
    ("latency", "dram", False, "dense"): ("fetched ahead",),
    ("latency", "dram", False, ""): ("kept on chip", "fetched ahead"),
    ("latency", "dram", True, _SKIPS): ("positions skipped",),
    ("energy", "dram", True, _SKIPS): ("positions skipped",),
    ("latency", "dram", True, ""): ("words not waited for",),
    ("energy", "dram", False, ""): ("kept on chip",),
    ("energy", "dram", True, "first convolution"): ("input on chip",),
    ("energy", "memory", True, ""): ("weights in each PE",),
    ("energy", "memory", False, ""): ("larger registers",),
}


def reasons(measure: str, term: str, more: bool, kind: str) -> tuple[str, ...]:
    """Names of the reasons why ours is more, or less; none where none is known.

    Args:
        measure: "latency" or "energy".
        term: The term that differs most.
        more: Whether ours is more.
        kind: The kind of layer.
    """
    return _BY_TERM.get((measure, term, more, kind)) or _BY_TERM.get(
        (measure, term, more, ""), ()
    )
