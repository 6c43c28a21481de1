"""What a truth costs minutes to find, kept on disk under a hash of what defines it.

The hash is of the networks' texts, the platform with all its constants, the values of
the grid's knobs and the sources of the truth and of all that it imports of ours, so
that a file is never older than what it says. Accuracies are no part of it: they decide
among pairs and not what a pair costs.
"""

import ast
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from nahas.accelerator.mix import Costs
from nahas.controller.description import describe
from nahas.controller.reward import Limits
from nahas.controller.truth import Problem, Progress, Truth, count_within

_COSTS = ("latency_ms", "energy_mj", "area_mm2", "utilization", "feasible")
_UNSOUND = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile)


def digest(problem: Problem) -> str:
    """Hash of everything that decides what the problem's pairs cost."""
    hashed = blake2b(digest_size=16)
    for path in _sources():
        hashed.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    machines = problem.axes.machines
    for array in (machines.compute, machines.memory, machines.bandwidth):
        hashed.update(np.ascontiguousarray(array).tobytes())
    hashed.update(json.dumps(describe(problem.platform), sort_keys=True).encode())
    hashed.update("\n".join(map(str, problem.networks)).encode())
    return hashed.hexdigest()


def truth_of(problem: Problem, folder: Path, progress: Progress | None = None) -> Truth:
    """The truth of a problem: read from the folder, or found and written there.

    A file that is damaged is made again.
    """
    path = folder / f"{digest(problem)}.npz"
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            costs = Costs(*(file[name] for name in _COSTS))
            return Truth(file["network"], file["place"], costs)
    except _UNSOUND:
        found = Truth.of(problem, progress)
    arrays = {name: getattr(found.costs, name) for name in _COSTS}
    with _written(path) as draft, draft.open("wb") as file:
        np.savez(file, network=found.network, place=found.place, **arrays)
    return found


def counts_of(
    problem: Problem,
    limits: Sequence[Limits],
    weights: ArrayLike,
    folder: Path,
    progress: Progress | None = None,
) -> list[int]:
    """`count_within`, read from the folder where it has been counted before."""
    path = folder / f"{digest(problem)}.json"
    often = np.asarray(weights, dtype=np.int64)
    by = blake2b(often.tobytes(), digest_size=8).hexdigest()
    keys = [f"{by} {json.dumps(asdict(limit))}" for limit in limits]
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8")))
    except (*_UNSOUND, TypeError):
        known = {}
    if any(not isinstance(known.get(key), int) for key in keys):
        counts = count_within(problem, limits, often, progress)
        known |= dict(zip(keys, counts, strict=True))
        with _written(path) as draft:
            draft.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return [known[key] for key in keys]


def _sources() -> list[Path]:
    """The files whose code decides what a pair costs: the truth's and its imports'."""
    found: dict[str, Path] = {}
    waiting = [Truth.__module__]
    while waiting:
        name = waiting.pop()
        if name in found or (path := _source(name)) is None:
            continue
        found[name] = path
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and _is_ours(node.module):
                waiting.append(str(node.module))
                waiting += [f"{node.module}.{one.name}" for one in node.names]
    return [found[name] for name in sorted(found)]


def _is_ours(module: str | None) -> bool:
    return (module or "").split(".")[0] == __name__.split(".")[0]


def _source(name: str) -> Path | None:
    """A module's file; None for what is no module, or a package without code."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # a name inside a module
        return None
    return Path(spec.origin) if spec and spec.origin else None


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A draft that takes the file's place at once when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
