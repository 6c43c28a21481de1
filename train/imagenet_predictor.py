"""An ImageNet accuracy predictor for space b0, in NumPy alone.

Fitted on the 5,138 trained networks of Accel-NASBench by
`benchmarks/fit_imagenet_predictor.py`; the arrays, their provenance and their held-out
error lie beside this module. Needs no data, no Keras and no training.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from importlib import resources
from io import BytesIO
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.b0 import choices_of
from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate
from nahas.train.choice_tables import ChoiceTables

ARRAYS = "imagenet_predictor.npz"
MODELS = ("trees", "additive")
COVERAGES = (0.5, 0.8, 0.9, 0.95)
"""Of the intervals that were calibrated."""


@dataclass(frozen=True, slots=True)
class ImagenetPredictor:
    """Predicts ImageNet top-1 of networks of `nahas.search_space.b0` at 224 x 224.

    The scale is that of Accel-NASBench's shortened training: 16 epochs at 160 to 192
    px, validated at 256 px (its authors speak of some 10 points below a full training).
    It ranks networks; it does not say what one would reach when trained in full. It
    knows no fused blocks, other widths, activations or resolutions: for such a network
    the estimate has an error.

    Attributes:
        model: "trees", boosted trees with interactions of up to three choices, or
            "additive", a ridge on one-hot choices: less exact, but a sum over choices.

    Raises:
        ValueError: If there is no such model.

    >>> from nahas.search_space.published import PUBLISHED
    >>> estimate = ImagenetPredictor().evaluate([PUBLISHED["EfficientNetB0"]])
    >>> bool(0.6 < estimate.accuracy[0] < 0.7), estimate.error
    (True, ('',))
    """

    instant: ClassVar[bool] = True
    model: str = "trees"

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(
                f"`model` must be one of {', '.join(MODELS)}. Received {self.model!r}."
            )

    @property
    def key(self) -> str:
        """Model and fingerprint of the arrays in one line."""
        return f"imagenet-predictor model={self.model} arrays={_load().fingerprint}"

    @property
    def scale(self) -> str:
        """What its accuracies mean and how far they can be trusted, in a line."""
        figures = self.provenance["figures"][self.model]
        return (
            "Accuracies are predictions of ImageNet top-1 after a shortened training "
            "(16 epochs; fitted on Accel-NASBench), lower than after a full one. On "
            f"{figures['held_out']} networks held out: Kendall tau "
            f"{figures['tau']:.3f}, RMS error {100 * figures['rmse']:.2f} points."
        )

    @property
    def provenance(self) -> dict[str, Any]:
        """Source, commit, licence, seed, versions and held-out figures of the fit."""
        found: dict[str, Any] = _load().provenance
        return found

    @property
    def tables(self) -> ChoiceTables:
        """The predictor over choices [B, 28] of space b0."""
        return _tables(self.model)

    def check(self, network: Network) -> None:
        """Says whether the predictor knows a network.

        Raises:
            ValueError: If it does not.
        """
        choices_of(network)

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """Predicted accuracies of B networks, 0 to 1, instantly.

        The deviation is the root mean square error of networks of like prediction, each
        predicted by a model that has not seen it.
        """
        rows, errors = [], []
        for network in networks:
            try:
                rows.append(choices_of(network))
                errors.append("")
            except ValueError as error:
                errors.append(str(error))
        known = np.array([not error for error in errors], dtype=np.bool_)
        accuracy = np.full(len(errors), np.nan)
        if rows:
            accuracy[known] = self.tables(np.array(rows))
        return Estimate(
            accuracy, self.deviation(accuracy), np.zeros(len(errors)), tuple(errors)
        )

    def deviation(self, accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
        """[B] standard deviations of predictions [B]."""
        arrays = _load().arrays
        knots = arrays[f"{self.model}_knots"]
        found: NDArray[np.float64] = np.interp(
            accuracy, knots, arrays[f"{self.model}_deviation"]
        )
        return found

    def interval(
        self, accuracy: NDArray[np.float64], coverage: float = 0.9
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """[B] lower and upper ends of the intervals of predictions [B].

        Conformal: of networks drawn as the table's were, the given share lies inside.
        That is not so of a network that a search has chosen for its high prediction.

        Raises:
            ValueError: If the coverage is not one that was calibrated.
        """
        if coverage not in COVERAGES:
            raise ValueError(
                f"`coverage` must be one of {', '.join(map(str, COVERAGES))}. Received "
                f"{coverage!r}."
            )
        quantiles = _load().arrays[f"{self.model}_quantiles"]
        half = quantiles[COVERAGES.index(coverage)] * self.deviation(accuracy)
        return accuracy - half, accuracy + half


@dataclass(frozen=True, eq=False)
class _Shipped:
    arrays: dict[str, NDArray[Any]]
    provenance: dict[str, Any]
    fingerprint: str


@lru_cache(maxsize=1)
def _load() -> _Shipped:
    content = resources.files("nahas.train").joinpath(ARRAYS).read_bytes()
    with np.load(BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    provenance = json.loads(arrays.pop("provenance").tobytes())
    digest = blake2b(digest_size=8)  # of the arrays: the file's own bytes hold dates
    for name in sorted(arrays):
        arrays[name].setflags(write=False)
        digest.update(name.encode() + arrays[name].tobytes())
    return _Shipped(arrays, provenance, digest.hexdigest())


@lru_cache(maxsize=len(MODELS))
def _tables(model: str) -> ChoiceTables:
    return ChoiceTables.from_arrays(_load().arrays, model)
