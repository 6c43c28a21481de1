"""Fronts: the pairs of a study that no other beats in both latency and accuracy.

Accuracies are noisy, so that another pair may be on the true front. With the noise that
the oracle states, `likely_front` says with what probability each is.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from nahas.controller.pareto import front_probability, non_dominated

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "no noise of the accuracies is known, so no probability is given"
LEAST = 0.1
"""Probability from which a pair that is not on the measured front is told."""

_COLUMNS = ("number", "accuracy", "deviation", "latency_ms", "energy_mj", "area_mm2",
            "reward", "measured", "probability")  # fmt: skip


def front(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The feasible rows no other beats in both latency and accuracy, fastest first."""
    rows = _feasible(frame)
    if rows.empty:
        return rows
    kept = rows[non_dominated(_costs(rows))].sort_values(["latency_ms", "number"])
    return kept.drop_duplicates(["latency_ms", "accuracy"])


def likely_front(frame: "pd.DataFrame", *, seed: int = 0) -> "pd.DataFrame":
    """The front, and what else is on it with a probability of `LEAST` or more.

    The true accuracy of a network is taken as normal about the one measured, with the
    deviation that the oracle states, independent between networks and one for all
    accelerators of a network. That the best of many measured is likely to be overrated
    is not corrected for.

    Args:
        frame: One row a trial, as `Study.to_frame` gives.
        seed: Of the Monte Carlo draws.

    Returns:
        Rows, fastest first, with the columns "measured", whether the row is on the
        front as measured, and "probability", NaN in all rows where no noise is known.
        Of trials of one pair only the first is in it.
    """
    rows = _feasible(frame)
    measured = set(front(frame)["number"])
    rows = rows.assign(
        measured=rows["number"].isin(measured), probability=_probability(rows, seed)
    )
    told = rows[rows["measured"] | (rows["probability"] >= LEAST)]
    told = told.sort_values(["latency_ms", "number"])
    names = [name for name in ("latency_ms", "accuracy", "network") if name in told]
    return told.drop_duplicates(names)


def front_rows(frame: "pd.DataFrame", *, seed: int = 0) -> list[dict[str, Any]]:
    """`likely_front` in JSON's types."""
    told = likely_front(frame, seed=seed).reindex(columns=list(_COLUMNS))
    return [
        {str(name): None if value != value else value for name, value in row.items()}
        for row in told.to_dict("records")
    ]


def _probability(rows: "pd.DataFrame", seed: int) -> Any:
    """[B] of each row, or NaN where no noise is known."""
    if "deviation" not in rows or not (rows["deviation"] > 0).any():
        return np.nan
    return front_probability(
        _costs(rows),
        rows["deviation"].fillna(0.0).to_numpy(float),
        groups=rows["network"].to_numpy(str),
        seed=seed,
    )


def _feasible(frame: "pd.DataFrame") -> "pd.DataFrame":
    return frame[frame["feasible"].astype(bool) & frame["accuracy"].notna()]


def _costs(rows: "pd.DataFrame") -> Any:
    """[B, 2] error, which is noisy, and latency."""
    costs = rows[["latency_ms"]].assign(error=1.0 - rows["accuracy"])
    return costs[["error", "latency_ms"]].to_numpy(float)
