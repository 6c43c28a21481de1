"""Oracles that a configuration names, and the cheaper ones that screen for them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from nahas.config import Config
from nahas.controller.description import describe, rebuild
from nahas.controller.screening import Screening
from nahas.named import check_known, made, named_object
from nahas.search_space.oracle import Oracle
from nahas.train.fitted import Fitted
from nahas.train.imagenet_predictor import ImagenetPredictor
from nahas.train.shared_weights import OneShot
from nahas.train.table import TableOracle

PREDICTOR = "imagenet-predictor"
TABLE = "table:"
"""What the name of an oracle begins with that is a table's file."""
ONE_SHOT = "one-shot:"
"""The same of a folder of shared weights."""
FITTED = "fitted:"
"""The same of a study, or of a file, with trainings to predict from."""
ORACLES = (
    "proxy", PREDICTOR, f"{TABLE}FILE", f"{ONE_SHOT}FOLDER", f"{FITTED}STUDY"
)  # fmt: skip

FRONTS = ("front", "nsga2")
"""Controllers that look for a whole front."""

_IN_FILES: dict[str, Callable[[str], Oracle]] = {
    TABLE: TableOracle, ONE_SHOT: OneShot, FITTED: Fitted
}  # fmt: skip


def make_screening(config: Config) -> Screening | None:
    """The cheaper oracles that the section `[screening]` asks for.

    Raises:
        ValueError: If there is none of a name, or trainings are not shorter.
        TypeError: If the user's own object is not an oracle.
    """
    asked = config.screening
    if any(epochs < 1 for epochs in asked.epochs):
        raise ValueError(
            "`epochs` must be positive integers. Received "
            f"{', '.join(map(str, asked.epochs))} (in screening.epochs)."
        )
    first = (
        [make_oracle(config, asked.oracle, "screening.oracle")] if asked.oracle else []
    )
    full = (config.training.epochs,) if config.search.oracle == "proxy" else ()
    ladder = (*asked.epochs, *full)
    if any(one >= next for one, next in pairwise(ladder)):
        raise ValueError(
            "`epochs` must rise, and be fewer than the training's. Received "
            f"{', '.join(map(str, ladder))} (in screening.epochs)."
        )
    shorter = [replace(config.training, epochs=epochs) for epochs in asked.epochs]
    oracles = (*first, *shorter)
    whole = config.search.minimise or config.search.controller in FRONTS
    by = asked.by or ("front" if whole else "reward")
    return Screening(oracles, asked.keep, by) if oracles else None


def make_oracle(
    config: Config, name: str | None = None, place: str = "search.oracle"
) -> Oracle:
    """The oracle of a name; that which `search.oracle` names by default.

    Raises:
        ValueError: If there is none of that name.
        TypeError: If the user's own object is not an oracle.
    """
    name = config.search.oracle if name is None else name
    if ":" not in name:
        check_known(name, ORACLES, place)
        return ImagenetPredictor() if name == PREDICTOR else config.training
    for prefix, kind in _IN_FILES.items():
        if name.startswith(prefix):
            word = name.removeprefix(prefix)
            if not word:
                raise ValueError(
                    f"`{prefix}` must name a file or a folder. Received {name!r} "
                    f"(in {place})."
                )
            found = kind(word)
            _ = found.key  # a missing one would fail every trial
            return found.pinned() if isinstance(found, Fitted) else found
    mine = made(named_object(name, place))
    if not isinstance(mine, Oracle):
        raise TypeError(
            f"`{name}` must be an oracle: a frozen dataclass with `key` and "
            f"`evaluate(networks)`. Received {type(mine).__name__} (in {place})."
        )
    try:
        key = rebuild(describe(mine)).key
    except ValueError as error:
        raise ValueError(
            f"`{name}` must be an oracle that a worker can make again from its fields: "
            f"a frozen dataclass. {error} (in {place})."
        ) from error
    if key != mine.key:
        raise ValueError(
            f"`{name}` must have a key that its fields decide. Received {mine.key!r}, "
            f"made again {key!r} (in {place})."
        )
    return mine
