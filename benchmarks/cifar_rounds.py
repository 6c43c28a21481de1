"""Searches on CIFAR-10 in rounds, whose finds correct the oracle that all share."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from cifar_runs import RUNS, SIZE, at_once, kept, nahas, run, settings
from cifar_short import drawn, recipe
from cifar_short import train as train_shortly
from page import ROOT

from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.train.fitted import Fitted

RESULTS = ROOT / "results" / "cifar_search"
FOLDER = RUNS / "search"
LOG = "commands.txt"
RIVAL = "EfficientNetB0"
TARGET_MS = 0.31
"""EfficientNet-B0's on the fastest accelerator for it, in round figures."""
WITHIN = ("--max-latency-ms", str(TARGET_MS), "--max-area-mm2", "39.86")
DRAWN = {"s3": 16, "s2": 6, "s1": 6}
"""Networks of each space that are trained shortly at first."""
EARLY, ROUNDS = 4, 7
SHORT = RESULTS / "short.csv"
SEARCHES = {
    f"{space}{' tailored' * tailored}, {mode}": (space, tailored, mode)
    for space, tailored in (("s1", 0), ("s2", 0), ("s3", 0), ("s3", 1))
    for mode in ("fixed", "joint")
} | {"s3, least energy": ("s3", 0, "energy")}
FREEDOM = {
    "fixed": ("fixed",), "joint": ("joint", "fixed"),
    "energy": ("energy", "joint", "fixed"),
}  # fmt: skip
"""Whose finds a search may return: of these modes, in its space or a part of it."""
PARTS = {"s3": ("s3", "s2")}
MOST_SEEDS = (RIVAL, "s3, fixed", "s3, joint", "s3, least energy")
"""Trained with all seeds; the others with one."""
SHORTLISTED = 2
"""Finds of these that are trained once; the better by validation images is kept."""

Found = Mapping[str, Any]
_ONE_AT_A_TIME: defaultdict[Path, Lock] = defaultdict(Lock)


def chooser(round: int) -> tuple[str, int]:
    """Of a round's searches, and its trials: in S3 `guided` falls short."""
    return ("guided", 300) if round <= EARLY else ("evolution", 5_000)


def searched(space: str, tailored: int, mode: str, *, round: int) -> Found:
    """The best pair of a search by a round's oracle; empty if none keeps the limits."""

    def search() -> Found:
        study = searching(space, tailored, mode, round)
        best = nahas("status", str(study), log=study.parent / LOG)["best"]
        if best is None:
            return {}
        wanted = ("network", "accelerator", "latency_ms", "energy_mj", "area_mm2")
        return {name: best[name] for name in wanted} | {"predicted": best["accuracy"]}

    controller, trials = chooser(round)
    asked = [*SIZE, *WITHIN, str(trials), recipe(), str(DRAWN)]
    asked += [] if round <= EARLY else [controller]
    name = _name(space, tailored, mode)
    return dict(kept(RESULTS / "found" / f"{name}-{round}.json", asked, search))


def _name(space: str, tailored: int, mode: str) -> str:
    return f"{space}-{'tailored-' * tailored}{mode}"


def searching(space: str, tailored: int, mode: str, round: int) -> Path:
    """The study of a search, done here where it is not.

    After the early rounds one in S3 begins with the best of S2, which is a part of it.
    """
    study = FOLDER / f"round{round}" / _name(space, tailored, mode) / "study"
    controller, trials = chooser(round)
    words = [*(["--tailor", "baseline"] * tailored), *settings("search.seed=0")]
    if mode == "energy":
        [floor] = predicted([reference(space)])
        words += ["--minimise", "energy", "--min-accuracy", str(floor)]
    else:
        words += ["--mode", mode, *settings(f"reward.latency_ms={TARGET_MS}")]
    if space == "s3" and round > EARLY:
        within = searching("s2", 0, "fixed" if mode == "fixed" else "joint", round)
        words += ["--warm-start", str(within)]
    with _ONE_AT_A_TIME[study]:
        if not (study / "best.json").exists():
            run(
                "search", "--space", space, "--accuracy", f"fitted:{SHORT}",
                "--controller", controller, "--trials", str(trials), *WITHIN, *words,
                "--workers", "0", "--folder", str(study), log=study.parent / LOG,
            )  # fmt: skip
    return study


def reference(space: str) -> Network:
    """EfficientNet-B0's like in a space, without squeezing and swish."""
    asked = NETWORK_SPACES[space]()
    assert asked.reference is not None
    found: Network = asked.decode(np.array(asked.reference))
    return found


def predicted(networks: Sequence[Network]) -> list[float]:
    """By all that is trained shortly until now."""
    found: list[float] = Fitted(str(SHORT)).evaluate(networks).accuracy.tolist()
    return found


def trained_shortly() -> dict[str, float]:
    """Accuracies by networks' texts."""
    found: dict[str, float] = (
        pd.read_csv(SHORT).groupby("network").accuracy.mean().to_dict()
    )
    return found


def shortlist(name: str, finds: Mapping[str, Sequence[Found]]) -> list[Found]:
    """The best finds for a search by the last oracle, of which one is to be chosen.

    A search may as well return what searches of less freedom found. Of several pairs
    of one network it returns that of the least energy.

    Raises:
        RuntimeError: If nothing was found that keeps its limits.
    """
    space, tailored, mode = SEARCHES[name]
    spaces = (space,) if tailored else PARTS.get(space, (space,))
    own = set(product(spaces, (tailored,), FREEDOM[mode]))
    pairs = [
        row for other, found in finds.items() if SEARCHES[other] in own for row in found
    ]
    pairs.sort(key=lambda row: -row["energy_mj"])
    rows = {row["network"]: row for row in pairs}
    worth = predicted([Network.parse(text) for text in rows])
    known = [{**r, "predicted": p} for r, p in zip(rows.values(), worth, strict=True)]
    # Of networks that are alike to the oracle, by their own short trainings.
    short = trained_shortly()
    known.sort(key=lambda r: (-round(r["predicted"], 4), -short[r["network"]]))
    if mode == "energy":
        [floor] = predicted([reference(space)])
        known = [row for row in known if row["predicted"] >= floor]
        known.sort(key=lambda row: row["energy_mj"])
    if not known:
        raise RuntimeError(f"{name}: nothing was found that keeps the limits.")
    return known[: SHORTLISTED if name in MOST_SEEDS else 1]


def in_rounds(data: str, workers: int) -> dict[str, list[Found]]:
    """What each search found in each round, as the oracle learned from all of them."""
    for space, count in DRAWN.items():
        train_shortly(drawn(space, count), space, SHORT, data, workers)
    finds: dict[str, list[Found]] = {name: [] for name in SEARCHES}
    for round in range(1, ROUNDS + 1):
        jobs = [partial(searched, *asked, round=round) for asked in SEARCHES.values()]
        for name, row in zip(SEARCHES, at_once(jobs, workers), strict=True):
            finds[name] += [{**row, "by": f"{name}, {round}"}] if row else []
        texts = dict.fromkeys(row["network"] for rows in finds.values() for row in rows)
        networks = [Network.parse(text) for text in texts]
        train_shortly(networks, f"round {round}", SHORT, data, workers)
    return finds


def as_trained(finds: Mapping[str, Sequence[Found]]) -> list[dict[str, str]]:
    """How a search's finds were predicted, and what they had when they were trained."""
    short = trained_shortly()
    return [
        {
            "search": name, "finds": str(len(rows)),
            "predicted, %": f"{100 * np.mean([row['predicted'] for row in rows]):.1f}",
            "trained, %":
                f"{100 * np.mean([short[row['network']] for row in rows]):.1f}",
            "best, %": f"{100 * max(short[row['network']] for row in rows):.1f}",
        }
        for name, rows in finds.items() if rows
    ]  # fmt: skip
