"""Proxy training: a short, exactly repeatable fit of one model.

SGD with momentum rather than Adam, no metrics, and the optimizer's variables made
before the first step: TensorFlow then traces the step once instead of twice. With
TensorFlow's graph rewriting off as well, a new network of 16 blocks costs 2.4 CPU
seconds before its second step instead of 7. Validation runs eagerly, which needs no
trace at all.
"""

import time
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.quiet import quiet_import
from nahas.accelerator.refusal import check_counts, wrong
from nahas.train.allocator import keep_freed_memory
from nahas.train.data import Images, Split
from nahas.train.pictures import Pictures

_SCALED = 2_000  # pictures whose mean and deviation are taken for all
_PIXELS_AT_ONCE = 25_000  # more take gigabytes, and are no faster


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    Attributes:
        epochs: Times that each image is seen.
        batch: Images a step; an epoch's last, incomplete batch is left out.
        learning_rate: The highest, reached after the warm-up; a cosine leads it to 0.
        momentum: Of the gradient.
        warmup: Fraction of the steps in which the learning rate rises from 0.

    Raises:
        ValueError: If a number is out of its range.
    """

    epochs: int = 1
    batch: int = 32
    learning_rate: float = 0.05
    momentum: float = 0.9
    warmup: float = 0.1

    def __post_init__(self) -> None:
        check_counts(self, "epochs", "batch")
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise wrong("learning_rate", "a positive number", self.learning_rate)
        for name in ("momentum", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise wrong(name, "at least 0 and below 1", getattr(self, name))


@dataclass(frozen=True, eq=False)
class History:
    """What a training did.

    Attributes:
        loss: [epochs] mean loss over the steps of each epoch; fewer if it diverged.
        seconds: CPU seconds of this process, with tracing.
        error: Empty, or why the model is worth nothing.
    """

    loss: NDArray[np.float64]
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Pixels to inputs of mean 0 and deviation 1, by channel of the training images.

    Attributes:
        mean: C means, in grey levels.
        deviation: C standard deviations, in grey levels; 1 where a channel is constant.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, images: Images) -> "Scaling":
        """The scaling that standardizes images [N, H, W, C]; in files, the first."""
        if isinstance(images, Pictures):
            images = images[:_SCALED]
        # Sums of integers: the same on every machine.
        pixels = images.reshape(-1, images.shape[-1])
        total = pixels.sum(0, dtype=np.int64)
        squares = np.array([np.square(c, dtype=np.int64).sum() for c in pixels.T])
        mean = total / len(pixels)
        deviation = np.sqrt(squares / len(pixels) - mean**2)
        return cls(
            tuple(mean.tolist()), tuple(np.where(deviation > 0, deviation, 1).tolist())
        )

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Inputs [N, H, W, C] of a model."""
        inputs = images.astype(np.float32)
        inputs -= np.array(self.mean, dtype=np.float32)
        inputs /= np.array(self.deviation, dtype=np.float32)
        return inputs


def prepare(threads: int = 1) -> None:
    """Sets the Keras backend up for repeatable training; called before any model.

    Weights depend on the number of threads, so TensorFlow must not have begun to work
    with another.

    Raises:
        RuntimeError: If TensorFlow is at work already with other threads.
    """
    keep_freed_memory()
    with quiet_import():
        import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    threading = tf.config.threading
    try:
        if threading.get_intra_op_parallelism_threads() != threads:
            threading.set_intra_op_parallelism_threads(threads)
        if threading.get_inter_op_parallelism_threads() != threads:
            threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        running = threading.get_intra_op_parallelism_threads() or "its default"
        raise RuntimeError(
            f"Training must run with `threads` = {threads}, but TensorFlow already "
            f"runs with {running} in this process. Train in a fresh "
            "process, or before anything else uses TensorFlow."
        ) from None
    tf.config.experimental.enable_op_determinism()
    # Rewriting a graph costs more than the rewritten graph saves in a hundred steps.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def distribute() -> int:
    """Spreads batches over all devices of the process; returns how many there are.

    By Keras' distribution API (data parallel, weights on every device), which the JAX
    backend has. A batch must be a multiple of the devices.
    """
    import keras

    if keras.backend.backend() != "jax":
        return 1
    devices = keras.distribution.list_devices()
    if len(devices) > 1:
        spread = keras.distribution.DataParallel(devices=devices)
        keras.distribution.set_distribution(spread)
    return len(devices)


def alone(optimizer: Any) -> Any:
    """The optimizer, which no longer sums gradients over replicas: there is one.

    On TensorFlow that sum leaves the step's whole graph in a table of gradients that
    lives as long as the process, so that each training would add to its memory.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        optimizer._all_reduce_sum_gradients = list
    return optimizer


def seed_everything(seed: int) -> None:
    """Seeds initial weights and forgets earlier models; called before `build_model`."""
    import keras

    # Without a walk over all objects: the collector comes by when it needs to.
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)


def fit(
    model: Any, data: Split, scaling: Scaling, recipe: Recipe, *, seed: int
) -> History:
    """Trains `model`, whose outputs are logits, on `data`.

    The order of the images is drawn anew each epoch from `seed`. Training ends at the
    first loss that is not finite, and the history says so.

    Raises:
        ValueError: If there are fewer images than a batch.
    """
    started = time.process_time()
    per_epoch = len(data) // recipe.batch
    if not per_epoch:
        raise wrong("batch", f"at most the {len(data)} training images", recipe.batch)
    _compile(model, recipe, per_epoch * recipe.epochs)
    rng = np.random.default_rng(seed)
    means: list[float] = []
    error = ""
    for epoch in range(recipe.epochs):
        order = rng.permutation(len(data))[: per_epoch * recipe.batch]
        losses: list[float] = []
        for rows in order.reshape(per_epoch, recipe.batch):
            images = scaling(data.images[rows])
            losses.append(float(model.train_on_batch(images, data.labels[rows])))
            if not isfinite(losses[-1]):
                error = (
                    f"Training diverged: loss {losses[-1]} at step {len(losses)} of "
                    f"{per_epoch} in epoch {epoch + 1}. Lower `learning_rate` "
                    f"({recipe.learning_rate})."
                )
                break
        if error:
            break
        means.append(float(np.mean(losses)))
    return History(np.array(means), time.process_time() - started, error)


def correct(model: Any, data: Split, scaling: Scaling) -> NDArray[np.bool_]:
    """[N] which images of `data` the model classifies right.

    Raises:
        FloatingPointError: If an output is not finite.
    """
    import keras

    right = np.empty(len(data), dtype=np.bool_)
    batch = max(_PIXELS_AT_ONCE // data.images.shape[1] ** 2, 16)
    for start in range(0, len(data), batch):
        part = slice(start, start + batch)
        images = keras.ops.convert_to_tensor(scaling(data.images[part]))
        outputs = keras.ops.convert_to_numpy(model(images, training=False))
        if not np.isfinite(outputs).all():
            raise FloatingPointError("The trained network's outputs are not finite.")
        right[part] = outputs.argmax(-1) == data.labels[part]
    return right


def _compile(model: Any, recipe: Recipe, steps: int) -> None:
    import keras

    schedule = cosine(recipe.learning_rate, steps, int(steps * recipe.warmup))
    optimizer = alone(keras.optimizers.SGD(schedule, momentum=recipe.momentum))
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=jit())


def cosine(highest: float, steps: int, warmup: int) -> Any:
    """A learning rate that rises from 0 for `warmup` of the steps, and falls to 0."""
    import keras

    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else highest,
        steps - warmup,
        warmup_target=highest if warmup else None,
        warmup_steps=warmup,
    )


def jit() -> bool | str:
    """What Keras' `jit_compile` is to be.

    XLA's depthwise convolution is 20 times slower on a CPU; "auto" is Keras' rule.
    """
    import keras

    return False if keras.backend.backend() == "tensorflow" else "auto"
