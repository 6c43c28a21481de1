"""Checkpoints of a training: everything that its next epoch depends on.

A `.npz` of the variables of a compiled model and its optimizer, seeds of dropout among
them, with a row for each epoch that is done and a key of what is trained. It takes the
place of the one before in a single step of the file system, so that a kill leaves one
or the other.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.whole_file import whole


class CheckpointError(Exception):
    """A checkpoint that cannot be gone on from."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training between two epochs.

    Attributes:
        key: What is trained, and how.
        log: A row for each epoch that is done.
        variables: Of the model, then of the optimizer.
    """

    key: str
    log: list[dict[str, float]]
    variables: list[NDArray[Any]]

    @classmethod
    def of(cls, model: Any, key: str, log: list[dict[str, float]]) -> "Checkpoint":
        """The state of a compiled model."""
        values = [np.array(variable.numpy()) for variable in _variables(model)]
        return cls(key, log, values)

    def restore(self, model: Any) -> None:
        """Gives the values to a compiled model of the same kind.

        Raises:
            CheckpointError: If it has other variables.
        """
        variables = _variables(model)
        shapes = [tuple(variable.shape) for variable in variables]
        if shapes != [value.shape for value in self.variables]:
            raise CheckpointError(
                "The checkpoint must hold the variables of the model that is trained, "
                f"{len(shapes)}. Received {len(self.variables)}, or other shapes. It "
                "was written by other versions of nahas or Keras; remove it to begin "
                "anew."
            )
        for variable, value in zip(variables, self.variables, strict=True):
            variable.assign(value)

    def write(self, path: Path) -> None:
        """Writes the file in the place of the one before."""
        head = json.dumps({"key": self.key, "log": self.log})
        arrays: dict[str, Any] = {f"v{i}": v for i, v in enumerate(self.variables)}
        with whole(path) as file:
            np.savez(file, head=np.array(head), **arrays)

    @classmethod
    def read(cls, path: Path, key: str) -> "Checkpoint | None":
        """The checkpoint of a file, None where there is none.

        Raises:
            CheckpointError: If it is damaged, or of another training.
        """
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                head = json.loads(str(file["head"]))
                values = [file[f"v{i}"] for i in range(len(file.files) - 1)]
        except FileNotFoundError:
            return None
        except Exception as error:  # of a damaged file: zipfile's, zlib's, NumPy's ...
            raise CheckpointError(
                f"{path} is damaged: {error}. Remove it to begin this training anew."
            ) from None
        if head["key"] != key:
            raise CheckpointError(
                f"{path} must be of the training that is asked for. Received one of "
                "another network, recipe, data, seed or number of threads. Choose "
                "another folder, or remove it."
            )
        return cls(key, head["log"], values)


def _variables(model: Any) -> list[Any]:
    """Of the model and its optimizer, without those that only measure."""
    measured = {id(v) for metric in model.metrics for v in metric.variables}
    own = [v for v in model.variables if id(v) not in measured]
    return [*own, *model.optimizer.variables]
