"""Comparison: networks that were trained to the end, and what they cost.

Each trained network is simulated at the size at which the study deploys its own (its
resolution, channels and classes), on the baseline accelerator and on the one of all
50,000 that the study's goal and limits like best for it, so that nobody can say that a
rival had the worse hardware. Published accuracies of ImageNet stand in a
table of their own: they are of other recipes and of another data set.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.sweep import accelerators_at, grid_axes
from nahas.accelerator.template import Accelerator, Platform
from nahas.closing import read_json
from nahas.controller.best_accelerator import best_place
from nahas.controller.reward import Limits
from nahas.controller.study import Study
from nahas.exports import EXPORT
from nahas.final_queue import RESULT
from nahas.models import BEST, resolve
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.published import PUBLISHED
from nahas.sharing import asked_of
from nahas.study_platform import platform_of

_NEEDED = {"name", "network", "deployed", "seed", "accuracy", "shared"}


@dataclass(frozen=True, slots=True)
class Placed:
    """A trained network on an accelerator.

    Attributes:
        name: The network's.
        on: "baseline", "its best" for the study's goal, or "as found" by the study.
        accuracy: Mean test accuracy over the seeds.
        deviation: Over the seeds; None for a single one.
        int8: Mean of the int8 files' accuracies; None unless all were exported.
        seeds: How many.
        keeps: Whether it keeps the study's limits.
        latency_ms: Simulated, of the deployed network.
        energy_mj: The same.
        area_mm2: Of the accelerator.
        parameters: Of the deployed network.
        macs: The same.
        accelerator: It.
        network: The deployed network's text.
    """

    name: str
    on: str
    accuracy: float
    deviation: float | None
    int8: float | None
    seeds: int
    keeps: bool
    latency_ms: float
    energy_mj: float
    area_mm2: float
    parameters: int
    macs: int
    accelerator: Accelerator
    network: str


def compare(study: Study | str | Path, root: Path) -> list[Placed]:
    """The trained networks of a folder, judged by a study's goal.

    Args:
        study: A study, or its folder: its reward and limits choose each network's best
            accelerator, and its best pair is shown as it was found.
        root: The folder that `nahas train` was given.

    Returns:
        For each network two rows or, for the study's best, three.

    Raises:
        ValueError: If the folder holds no finished training, trainings by different
            recipes or data, the study has no best pair yet, or its reward is one's own.
        StudyError: If there is no study.
    """
    opened = study if isinstance(study, Study) else Study.open(study)
    reward, limits = asked_of(opened)
    platform = platform_of(opened.config) or Platform()
    if not (opened.folder / BEST).exists():
        raise ValueError(
            "STUDY must have a best pair, by whose size its rivals are costed. "
            f"Received {str(opened.folder)!r}, where no trial keeps the limits yet."
        )
    found = resolve(str(opened.folder / BEST))
    assert found.network is not None
    rows = []
    for results in _by_network(_finished(root)):
        network = replace(
            Network.parse(results[0]["deployed"]),
            resolution=found.network.resolution,
            classes=found.network.classes,
            channels=found.network.channels,
        )
        place = best_place(network, grid_axes(), platform, limits, reward)
        chips = {
            "baseline": BASELINE,
            "its best": accelerators_at(np.array([place]))[0],
        }
        if network == found.network and found.accelerator is not None:
            chips["as found"] = found.accelerator
        for on, chip in chips.items():
            rows.append(_placed(results, network, on, chip, limits, platform))
    return rows


@dataclass(frozen=True, slots=True)
class Published:
    """A published accuracy beside the cost that is simulated.

    Attributes:
        name: The network's.
        top1: ImageNet, a fraction.
        precision: "float" or "int8".
        latency_ms: Simulated on the baseline accelerator.
        energy_mj: The same.
        source: Whose figure it is.
        note: How it was trained, where the source has several.
    """

    name: str
    top1: float
    precision: str
    latency_ms: float
    energy_mj: float
    source: str
    note: str


def published(platform: Platform | None = None) -> list[Published]:
    """The published networks' accuracies, and what they cost on the baseline."""
    text = (
        resources.files("nahas").joinpath("published_accuracy.csv").read_text("utf-8")
    )
    table = list(csv.DictReader(text.splitlines()))
    names = list(dict.fromkeys(row["name"] for row in table))
    costs = evaluate(lower([PUBLISHED[name] for name in names]), [BASELINE], platform)
    return [
        Published(
            row["name"],
            float(row["top1_percent"]) / 100,
            row["precision"],
            float(costs.latency_ms[names.index(row["name"])]),
            float(costs.energy_mj[names.index(row["name"])]),
            row["source"],
            row["note"],
        )
        for row in table
    ]


def _finished(root: Path) -> list[dict[str, Any]]:
    """The results of all trainings of a folder, with int8 accuracies where known."""
    found = []
    for path in sorted(root.glob(f"*/*/{RESULT}")):
        result = read_json(path)
        if isinstance(result, dict) and result.keys() >= _NEEDED:
            exported = read_json(path.with_name(EXPORT))
            int8 = exported.get("int8_accuracy") if isinstance(exported, dict) else None
            found.append({**result, "int8": int8})
    if not found:
        raise ValueError(
            "The trainings' folder must hold a finished one: make it with `nahas train "
            f"--folder {root}`. Found none in {root}."
        )
    for result in found:
        if result["shared"] != found[0]["shared"]:
            raise ValueError(
                f"Trainings that are compared must be by one recipe and data. {root} "
                f"holds others: {found[0]['name']} and {result['name']} differ in "
                f"{', '.join(_differences(found[0]['shared'], result['shared']))}."
            )
    return found


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    found = []
    for key in one:
        if isinstance(one[key], dict) and isinstance(other.get(key), dict):
            found += _differences(one[key], other[key])
        elif one[key] != other.get(key):
            found.append(key)
    return found


def _by_network(results: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The seeds of each network, the best first; what has two names counts once."""
    groups: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for result in results:
        seeds = groups.setdefault((result["network"], result["deployed"]), {})
        seeds.setdefault(result["seed"], result)
    found = [list(seeds.values()) for seeds in groups.values()]
    return sorted(found, key=lambda group: -mean(one["accuracy"] for one in group))


def _placed(
    results: Sequence[Mapping[str, Any]],
    network: Network,
    on: str,
    chip: Accelerator,
    limits: Limits,
    platform: Platform,
) -> Placed:
    workload = lower([network])
    costs = evaluate(workload, [chip], platform)
    accuracies = [result["accuracy"] for result in results]
    int8 = [result["int8"] for result in results]
    return Placed(
        results[0]["name"],
        on,
        mean(accuracies),
        stdev(accuracies) if len(accuracies) > 1 else None,
        None if None in int8 else mean(int8),
        len(results),
        bool(costs.feasible[0] and limits.violation(costs)[0] == 0),
        float(costs.latency_ms[0]),
        float(costs.energy_mj[0]),
        float(costs.area_mm2[0]),
        int(workload.own_parameters.sum()),
        int(workload.macs.sum()),
        chip,
        str(network),
    )
