"""The tables of `zigzag_comparison.py`, as results/zigzag_comparison/."""

import csv
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from textwrap import fill
from typing import Any

import numpy as np
from peer_environments import ROOT, ZIGZAG
from zigzag_equivalent import EQUIVALENTS
from zigzag_reasons import TEXTS, reasons
from zigzag_terms import Comparison, by_kind, kind_of, terms

RESULTS = ROOT / "results" / "zigzag_comparison"
NEAR = 0.2
"""A larger difference gets a reason."""


def report(
    found: list[Comparison],
    missing: list[str],
    files: list[tuple[str, float, float, float]],
    lpf_limit: int,
) -> None:
    """Writes the README and the CSVs."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    _write_layers(found)
    _write_csv("kinds.csv", KIND_TITLES, _kind_rows(found))
    _write_csv(
        "networks.csv", ("network", "way", *_NETWORK_TITLES), _network_rows(found)
    )
    text = "\n".join(_lines(found, missing, files, lpf_limit))
    (RESULTS / "README.md").write_text(text + "\n")
    print(text)


def _lines(
    found: list[Comparison],
    missing: list[str],
    files: list[tuple[str, float, float, float]],
    lpf_limit: int,
) -> Iterator[str]:
    yield "# Our cost model beside ZigZag's\n\nRemade by\n"
    yield "    python " + " ".join(sys.argv) + "\n"
    yield (
        f"with nahas {version('nahas')}, {ZIGZAG.requirements[0].replace('==', ' ')}; "
        "no machine and no seed matters. ZigZag\nsearches latency-optimal temporal "
        f"mappings by LOMA with `lpf_limit={lpf_limit}`, on its\n`edge_tpu_like` "
        "hardware with the spatial mapping that it ships for it.\n"
    )
    yield INTRODUCTION
    yield from _table(("ZigZag", "ours", "what differs"), EQUIVALENTS)
    yield "\n## Networks\n"
    yield from _table(("network", "way", *_NETWORK_TITLES), _network_rows(found))
    for reason_of_absence in missing:
        yield f"\nLeft out: {reason_of_absence}."
    yield "\n" + TERMS
    for one in found:
        yield f"\n## {one.network}, {one.way}\n"
        rows = [row[2:] for row in _kind_rows([one])]
        yield from _table(KIND_TITLES[2:], rows)
        yield _single_layers(one)
        if one.others and one.others.cycles.any():
            yield (
                "Operators that ZigZag does not cost cost ours "
                f"{one.others.cycles.sum() / 1e6:.3f} M cycles and "
                f"{one.others.total_pj / 1e6:.1f} uJ more, for\nmaps that did not fit "
                "on chip and come from DRAM.\n"
            )
        yield from _reasons(one)
    yield "\n## The reasons\n"
    for name, text in TEXTS.items():
        yield _bullet(f"*{name[0].upper()}{name[1:]}.* {text}")
    yield "\n" + SINGLE
    yield "\n## Words not waited for\n"
    yield _early(found)
    yield "\n## Our free choice: the register file\n"
    yield FILES
    yield from _table(
        ("network", "KiB a PE", "M cycles", "mJ"),
        ((name, f"{size:g}", f"{cycles / 1e6:.3f}", f"{pj / 1e9:.3f}")
         for name, size, cycles, pj in files),
    )  # fmt: skip


INTRODUCTION = """\
## One machine in two languages

*Layer by layer* every map comes from DRAM and goes there: ZigZag's default, and our
model given each layer as a network of its own. *Depthwise mapped* is the same, but
depthwise layers get a spatial mapping that suits them in ZigZag: 8 groups for the 8
filters, a row of taps for the channels. *Whole network* lets maps stay on chip where
they fit: ZigZag's `exploit_data_locality`, and our model as it is. ZigZag costs
convolutions and dense layers only, so ours takes everything else as fused, at no cost.
"""

TERMS = """\
Cycles are split the same way for both. *Ideal* is MACs over 1,024 a cycle; *spatial* is
what idle units add; *ports* is what the memories on chip add; *DRAM* is the rest, which
goes where the DRAM is never the limit (both models ran with such a one). *DRAM words*
is what crosses its port, 8 bytes a cycle: a latency below it means that some words were
not waited for. Cycles and words are in millions, energies in uJ. Where a kind of layer
differs by more than a fifth, the term that differs most and why follow; the reasons
stand at the end."""

SINGLE = """\
Single layers that differ by more than a fifth while their kind does not, of those that
`layers.csv` shows: in squeeze-and-excite's small dense layers ours reads biases of 4
bytes, which ZigZag has not; where ZigZag holds a layer's start until an operand is
loaded, ours hides all of a layer's I/O behind its computation; the rest are layers
whose words ZigZag does not wait for, and maps whose sides its array does not divide."""

FILES = """\
A PE's register file stands for ZigZag's 32 KB of weights for all PEs. What it does to
our figures, layer by layer:
"""

_NETWORK_TITLES = (
    "M cycles ZigZag", "ours", "ratio", "mJ ZigZag", "ours", "ratio",
    "utilization ZigZag", "ours",
)  # fmt: skip


def _network_rows(found: list[Comparison]) -> Iterator[tuple[object, ...]]:
    for one in found:
        peer, own = (terms(one.layers.macs, c) for c in (one.zigzag, one.ours))
        yield (
            one.network, one.way, f"{peer.cycles:.3f}", f"{own.cycles:.3f}",
            f"{own.cycles / peer.cycles:.2f}", f"{peer.total_energy / 1e3:.3f}",
            f"{own.total_energy / 1e3:.3f}",
            f"{own.total_energy / peer.total_energy:.2f}",
            f"{peer.utilization:.1%}", f"{own.utilization:.1%}",
        )  # fmt: skip


KIND_TITLES = (
    "network", "way", "layers", "model", "ideal", "spatial", "ports", "DRAM",
    "all cycles", "ratio", "DRAM words", "uJ mac", "registers", "memory", "DRAM",
    "all uJ", "ratio",
)  # fmt: skip


def _kind_rows(found: list[Comparison]) -> Iterator[tuple[object, ...]]:
    for one in found:
        for kind, peer, own in by_kind(one):
            for model, part in (("ZigZag", peer), ("ours", own)):
                ratios = ["", ""]
                if model == "ours":
                    ratios = [
                        f"{own.cycles / peer.cycles:.2f}",
                        f"{own.total_energy / peer.total_energy:.2f}",
                    ]
                yield (
                    one.network, one.way, f"{part.count} {kind}", model,
                    *(f"{v:.3f}" for v in (part.ideal, part.spatial, part.ports,
                                           part.dram, part.cycles)),
                    ratios[0], f"{part.dram_words:.3f}",
                    *(f"{v:.1f}" for v in part.energy.values()),
                    f"{part.total_energy:.1f}", ratios[1],
                )  # fmt: skip


def _reasons(one: Comparison) -> Iterator[str]:
    for kind, peer, own in by_kind(one):
        pairs: list[tuple[str, float, float, dict[str, float], str]] = [
            ("latency", peer.cycles, own.cycles,
             {name: getattr(own, name) - getattr(peer, name)
              for name in ("spatial", "ports", "dram")}, "M cycles"),
            ("energy", peer.total_energy, own.total_energy,
             {part: own.energy[part] - peer.energy[part] for part in own.energy}, "uJ"),
        ]  # fmt: skip
        for measure, theirs, ours, differences, unit in pairs:
            ratio = ours / theirs
            if abs(ratio - 1) <= NEAR:
                continue
            total = ours - theirs
            # Of what goes the way of the whole, the most.
            term = max(differences, key=lambda t, d=differences: d[t] * total)
            names = {"dram": "DRAM"} | {t: t for t in differences if t != "dram"}
            why = ", ".join(reasons(measure, term, total > 0, kind))
            yield _bullet(
                f"{kind}, {measure} x{ratio:.2f}: {differences[term]:+.3f} of "
                f"{total:+.3f} {unit} by {names[term]}. "
                f"Why: *{why or 'no reason is recorded'}*."
            )


def _early(found: list[Comparison]) -> str:
    """Layers whose latency by ZigZag is below what their words take."""
    lines = []
    for one in found:
        short = one.zigzag.dram_words - one.zigzag.cycles
        early = short > 0.02 * one.zigzag.cycles
        worst = int(short.argmax())
        line = f"{one.network}, {one.way}: {early.sum()} of {len(early)} layers"
        if early.any():
            line += (
                f", {short[early].sum() / 1e6:.3f} M words; most in "
                f"{one.layers.names[worst]}, {one.zigzag.dram_words[worst]:,.0f} words "
                f"in {one.zigzag.cycles[worst]:,.0f} cycles"
            )
        lines.append(_bullet(line + "."))
    return EARLY + "\n".join(lines)


EARLY = """\
ZigZag's DRAM has one port for all operands, of a word of 8 bytes a cycle. For some
layers its latency is shorter than its own words over that port take. Our model waits
for every word, so that these layers are slower by ours:

"""


def _single_layers(one: Comparison) -> str:
    """How many layers differ by more than a fifth, and by what."""
    peer, own = one.zigzag, one.ours
    off = np.abs(own.cycles / peer.cycles - 1) > NEAR
    differences = np.stack(
        [
            own.spatial - peer.spatial,
            (own.on_chip - own.spatial) - (peer.on_chip - peer.spatial),
            (own.cycles - own.on_chip) - (peer.cycles - peer.on_chip),
        ]
    ) * np.sign(own.cycles - peer.cycles)
    most = differences.argmax(axis=0)
    counts = [int((off & (most == term)).sum()) for term in range(3)]
    early = peer.dram_words > peer.cycles * 1.02
    text = fill(
        f"By layer, {off.sum()} of {len(off)} latencies differ by more than a fifth: "
        f"{counts[0]} most by spatial, {counts[1]} by ports, {counts[2]} by DRAM. "
        f"ZigZag's latency is below its own DRAM words in {int((off & early).sum())} "
        "of them.",
        88,
    )
    return f"\n{text}\n"


def _write_layers(found: list[Comparison]) -> None:
    def rows() -> Iterator[tuple[Any, ...]]:
        for one in found:
            for model, costs in (("ZigZag", one.zigzag), ("ours", one.ours)):
                for i, name in enumerate(one.layers.names):
                    yield (
                        one.network, one.way, name,
                        kind_of(one.layers.operators[i]), model, one.layers.macs[i],
                        *(f"{column[i]:.0f}" for column in (costs.spatial,
                          costs.on_chip, costs.cycles, costs.dram_words)),
                        *(f"{part[i]:.0f}" for part in costs.energy_pj.values()),
                        costs.mapping[i] if model == "ours" else "",
                    )  # fmt: skip

    titles = ("network", "way", "layer", "kind", "model", "macs", "spatial_cycles",
              "on_chip_cycles", "cycles", "dram_words", "mac_pj", "register_pj",
              "memory_pj", "dram_pj", "mapping")  # fmt: skip
    _write_csv("layers.csv", titles, rows())


def _write_csv(
    name: str, titles: tuple[str, ...], rows: Iterable[tuple[object, ...]]
) -> None:
    with (RESULTS / name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(titles)
        writer.writerows(rows)


def _bullet(text: str) -> str:
    return fill(
        "- " + text, 88, subsequent_indent="  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    titles = list(titles)
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"
