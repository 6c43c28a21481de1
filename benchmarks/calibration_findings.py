"""What `calibration.py` found, and the figures that its page has of it."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from calibration_nasbench import NasBench
from calibration_terms import Term
from coral_structure import Floats
from scipy.stats import spearmanr

Fit = tuple[Floats, Floats, tuple[float, ...]]
"""Measured ms, ms predicted from the others, and the constants fitted to all."""


@dataclass(frozen=True)
class Findings:
    """What was fitted, and what it predicts; see `calibration.py`."""

    structure: dict[str, float]
    possible: int
    cycles: dict[str, tuple[int, float]]
    nasbench: NasBench
    networks: list[str]
    dev: Fit
    usb: Fit
    terms: dict[str, tuple[Term, Floats, Floats]]
    variants: list[tuple[str, str, list[float]]]
    energy: dict[str, Floats]
    pixel: list[tuple[str, float, float, float, float]]


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def rank(a: Floats, b: Floats) -> float:
    return float(spearmanr(a, b).statistic)


def energy_error(found: Findings) -> float:
    energy = found.energy
    return float(np.abs(energy["predicted"] / energy["measured"] - 1.0).mean())


def difference_error(found: Findings) -> float:
    measured, predicted = found.energy["measured"], found.energy["predicted"]
    i, j = np.triu_indices(len(measured), 1)
    real, said = measured[i] - measured[j], predicted[i] - predicted[j]
    return float(np.abs(said - real).sum() / np.abs(real).sum())


def order(found: Findings) -> str:
    """Whether two statements that the published times make are met or missed."""
    by_name = {name: simulated for name, _, *simulated in found.pixel}
    lite = [by_name[f"EfficientNetLite{i}"] for i in range(4)]
    words = []
    uses = ("resident", "streamed", "resident, depthwise layers twice as long")
    for i, weights in enumerate(uses):
        edge, first = by_name["MobileNetEdgeTPU-1"][i], lite[0][i]
        first_word = (
            "met" if edge <= first else f"missed by {percent(edge / first - 1)}"
        )
        rising = all(a[i] < b[i] for a, b in pairwise(lite))
        words.append(
            f"- Weights {weights}: MobileNetEdgeTPU-1 no slower than\n"
            f"  EfficientNetLite0: {first_word}; Lite0 to 3 in order: "
            f"{'met' if rising else 'missed'}."
        )
    return "\n".join(words)
