"""Final training: a network is trained to the end, and goes on after any kill.

Each epoch ends with a checkpoint. What follows depends on it and on the seed alone, so
that on one CPU type, with one number of threads and one set of versions, the weights of
a training that was killed and resumed are those of the unbroken one, to the bit.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.refusal import wrong
from nahas.search_space.network import Network
from nahas.train import fit
from nahas.train.batches import batches_class
from nahas.train.checkpoint import Checkpoint
from nahas.train.data import Dataset, Split, fingerprint
from nahas.train.model import build_model
from nahas.train.pictures import Pictures
from nahas.train.recipe import FinalRecipe

CHECKPOINT = "checkpoint.npz"

Progress = Callable[[int, int, dict[str, float]], None]
"""Told of each epoch: how many are done, of how many, and the row of its log."""


class DivergedError(Exception):
    """A training whose loss is no longer finite."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A network after its final training.

    Attributes:
        model: `keras.Model` to logits; its weights are the averaged ones, where the
            recipe averages.
        scaling: From pixels to its inputs.
        log: A row an epoch: loss, validation accuracy, seconds.
        right: [N] which test images it classifies right.
        key: What tells the training from others.
    """

    model: Any
    scaling: fit.Scaling
    log: tuple[dict[str, float], ...]
    right: NDArray[np.bool_]
    key: str

    @property
    def accuracy(self) -> float:
        """Share of the test images."""
        return float(self.right.mean())


def train_final(
    network: Network,
    data: Dataset,
    recipe: FinalRecipe,
    folder: Path,
    *,
    seed: int,
    threads: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
) -> Trained:
    """Trains a network to the end, from the folder's checkpoint where there is one.

    On Keras' JAX backend a batch is spread over all devices (`fit.distribute`).
    It learns from the training split, is watched on the validation split, which decides
    nothing, and is measured on the test split once.

    Args:
        network: What is trained, at the data's resolution, channels and classes.
        data: The three splits.
        recipe: How.
        folder: Where the checkpoint lies; made where it is not.
        seed: Of initial weights, order, augmentation and dropout.
        threads: Of TensorFlow.
        workers: Threads that augment ahead.
        progress: Told of each epoch.

    Raises:
        ValueError: If the network does not fit the data, or a batch is larger than it.
        DatasetError: If a picture cannot be read.
        CheckpointError: If the folder's checkpoint is damaged or of another training.
        DivergedError: If the loss is not finite.
        RuntimeError: If TensorFlow runs in this process with other threads.
    """
    _check(network, data, recipe)
    if isinstance(data.test.images, Pictures) and not (folder / CHECKPOINT).exists():
        data.test.images.check()  # one that is broken would be found at the very end
    fit.prepare(threads)
    devices = fit.distribute()
    if recipe.batch % devices:
        raise ValueError(
            f"`batch` must be a multiple of the {devices} devices that it is spread "
            f"over. Received {recipe.batch} (in final.batch)."
        )
    import keras

    before = keras.config.dtype_policy()
    fit.seed_everything(seed)  # first, for it sets the policy back
    keras.config.set_dtype_policy(recipe.precision)
    try:
        model = build_model(network, dropout=recipe.dropout, drop_path=recipe.drop_path)
    finally:
        keras.config.set_dtype_policy(before)
    scaling = fit.Scaling.of(data.train.images)
    asked = asdict(recipe)
    del asked["int8_epochs"]  # what follows a training is no part of it
    key = json.dumps([str(network), fingerprint(data.name), asked, seed, threads])
    log = run_epochs(
        model, key, data, scaling, recipe, folder / CHECKPOINT,
        seed=seed, workers=workers, progress=progress,
    )  # fmt: skip
    return Trained(model, scaling, log, fit.correct(model, data.test, scaling), key)


def run_epochs(
    model: Any,
    key: str,
    data: Dataset,
    scaling: fit.Scaling,
    recipe: FinalRecipe,
    checkpoint: Path,
    *,
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[dict[str, float], ...]:
    """Trains a model by a recipe, from its checkpoint where there is one.

    Args:
        model: To logits; it has the averaged weights in the end, where the recipe
            averages.
        key: Of the training, as its checkpoint has it.
        data: What it learns from and is watched on.
        scaling: From pixels to inputs.
        recipe: How.
        checkpoint: Its file; the folder is made where it is not.
        seed: Of order and augmentation.
        workers: Threads that augment ahead.
        progress: Told of each epoch.

    Returns:
        A row an epoch.

    Raises:
        CheckpointError: If the checkpoint is damaged or of another training.
        DivergedError: If the loss is not finite.
    """
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    found = Checkpoint.read(checkpoint, key)
    compile_model(model, recipe, len(data.train) // recipe.batch)
    log: list[dict[str, float]] = []
    if found is not None:
        found.restore(model)
        log = list(found.log)
    watch = _watch_class()(
        key, log, data.validation, scaling, recipe, checkpoint, progress
    )
    batches = batches_class()(
        data.train, scaling, data.classes, recipe,
        seed=seed, epoch=len(log), workers=workers,
    )  # fmt: skip
    if len(log) < recipe.epochs:
        model.fit(
            batches, epochs=recipe.epochs, initial_epoch=len(log), shuffle=False,
            verbose=0, callbacks=[watch],
        )  # fmt: skip
    elif recipe.ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    return tuple(log)


def _check(network: Network, data: Dataset, recipe: FinalRecipe) -> None:
    asked = network.resolution, network.channels, network.classes
    given = data.resolution, data.channels, data.classes
    if asked != given:
        raise ValueError(
            "`network` must have the data's resolution, channels and classes, "
            f"{given}. Received {asked}."
        )
    check_images(data, recipe)


def check_images(data: Dataset, recipe: FinalRecipe) -> None:
    """Raises a ValueError where a recipe cannot train on images such as the data's."""
    if recipe.batch > len(data.train):
        most = f"at most the {len(data.train)} training images of {data.name}"
        raise wrong("batch", most, recipe.batch, "final")
    if recipe.operations and data.channels not in (1, 3):
        none = f"0 for images of {data.channels} channels, which Pillow does not know"
        raise wrong("operations", none, recipe.operations, "final")


def compile_model(
    model: Any, recipe: FinalRecipe, steps: int, *, accumulated: int = 1
) -> None:
    """Gives a model of logits the recipe's optimizer, schedule and loss.

    Args:
        model: What is trained.
        recipe: How.
        steps: Of an epoch.
        accumulated: Over how many steps gradients are averaged to an update.
    """
    import keras

    total = steps * recipe.epochs
    schedule = fit.cosine(
        recipe.learning_rate, total, int(steps * recipe.warmup_epochs)
    )
    shared: dict[str, Any] = {"momentum": recipe.momentum}
    if accumulated > 1:
        shared["gradient_accumulation_steps"] = accumulated
    if recipe.weight_decay:
        shared["weight_decay"] = recipe.weight_decay
    if recipe.ema:
        decay = min(recipe.ema, max(1 - 10 / total, 0.0))
        shared |= {"use_ema": True, "ema_momentum": decay}
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(schedule, nesterov=True, **shared)
    else:
        optimizer = keras.optimizers.RMSprop(schedule, rho=0.9, epsilon=1e-3, **shared)
    optimizer = fit.alone(optimizer)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    if recipe.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=recipe.label_smoothing
    )
    model.compile(optimizer, loss, jit_compile=fit.jit())


@cache
def _watch_class() -> Any:
    import keras

    class Watch(keras.callbacks.Callback):
        """Measures, writes a checkpoint and reports at the end of each epoch."""

        def __init__(
            self,
            key: str,
            log: list[dict[str, float]],
            held: Split,
            scaling: fit.Scaling,
            recipe: FinalRecipe,
            checkpoint: Path,
            progress: Progress | None,
        ) -> None:
            super().__init__()
            self._key, self._log, self._checkpoint = key, log, checkpoint
            self._held, self._scaling = held, scaling
            self._recipe, self._progress = recipe, progress
            self._started = 0.0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._started = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            loss = float(logs["loss"])
            if not isfinite(loss):
                raise DivergedError(
                    f"Training diverged: loss {loss} in epoch {epoch + 1}. Lower "
                    f"`learning_rate` ({self._recipe.learning_rate})."
                )
            row = {"loss": loss, "accuracy": self._accuracy()}
            row["seconds"] = time.monotonic() - self._started
            self._log.append(row)
            made = Checkpoint.of(self.model, self._key, self._log)
            made.write(self._checkpoint)
            if self._progress is not None:
                self._progress(len(self._log), self._recipe.epochs, row)

        def _accuracy(self) -> float:
            """Of the validation images, by the averaged weights where there are any."""
            if not self._recipe.ema:
                right = fit.correct(self.model, self._held, self._scaling)
                return float(right.mean())
            variables = self.model.trainable_variables
            own = [np.array(variable.numpy()) for variable in variables]
            try:
                self.model.optimizer.finalize_variable_values(variables)
                right = fit.correct(self.model, self._held, self._scaling)
            finally:
                for variable, value in zip(variables, own, strict=True):
                    variable.assign(value)
            return float(right.mean())

    return Watch
