"""Quantization-aware tuning: a trained network learns to be rounded to eight bits.

A twin of the model computes in floats what int8 arithmetic would: kernels are rounded
channel by channel, symmetric about 0, and whatever a layer of the int8 file takes is
rounded over the range that it has in the batch (Jacob et al. 2018,
https://arxiv.org/abs/1712.05877, section 3). Gradients pass the rounding as if it were
not there. The twin has the model's own variables, so what it learns is a model's
weights, and the int8 file is made of these as of any others.

Batch normalization and ReLU are folded into the convolution before them, so what they
take is not rounded. Folding scales a channel, and rounding channel by channel does not
see that: kernels are rounded as they are.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from nahas.train import fit
from nahas.train.data import Dataset
from nahas.train.final import Progress, Trained, run_epochs
from nahas.train.model import grouped_conv2d
from nahas.train.recipe import FinalRecipe

CHECKPOINT = "tuning.npz"
RATE = 0.02
"""Highest learning rate of the tuning over that of the training before it."""


def tuning(recipe: FinalRecipe) -> FinalRecipe:
    """How a network is tuned that was trained by a recipe: gently, and not averaged."""
    return replace(
        recipe, epochs=recipe.int8_epochs, int8_epochs=0, warmup_epochs=0.0, ema=0.0,
        learning_rate=RATE * recipe.learning_rate,
    )  # fmt: skip


def tune(
    trained: Trained,
    data: Dataset,
    recipe: FinalRecipe,
    folder: Path,
    *,
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> Trained:
    """Tunes a trained network, from the folder's checkpoint where there is one.

    Args:
        trained: The network after `train_final`; it stays as it is.
        data: The three splits.
        recipe: Of the training; `int8_epochs` of it are the tuning's.
        folder: Of the training.
        seed: Of the training.
        workers: Threads that augment ahead.
        progress: Told of each epoch.

    Returns:
        The twin. Its accuracies are those of rounded arithmetic, each value over the
        range that it has among the images that are judged together; its weights are
        those of a model of the network.

    Raises:
        CheckpointError: If the folder's checkpoint is damaged or of another training.
        DivergedError: If the loss is not finite.
    """
    key = f"tuned {recipe.int8_epochs} {trained.key}"
    fit.seed_everything(seed)
    twin = rounded(trained.model)
    log = run_epochs(
        twin, key, data, trained.scaling, tuning(recipe), folder / CHECKPOINT,
        seed=seed, workers=workers, progress=progress,
    )  # fmt: skip
    right = fit.correct(twin, data.test, trained.scaling)
    return Trained(twin, trained.scaling, log, right, key)


def rounded(model: Any) -> Any:
    """A `keras.Model` with the model's weights, which computes as its int8 file would.

    Args:
        model: Of `build_model`.
    """
    import keras

    layers = keras.layers
    kinds = _rounded_kinds()
    takes_any = (layers.BatchNormalization, layers.ReLU, layers.Dropout)
    done: dict[int, Any] = {}

    def clone(layer: Any) -> Any:
        kind = kinds.get(type(layer), type(layer))
        return kind.from_config(layer.get_config())

    def round_once(tensor: Any) -> Any:
        if id(tensor) not in done:
            # With the tensor itself, so that its id stays its own.
            done[id(tensor)] = _rounding()()(tensor), tensor
        return done[id(tensor)][0]

    def call(layer: Any, inputs: Any, *others: Any, **options: Any) -> Any:
        plain = isinstance(layer, takes_any) or (
            isinstance(layer, layers.Activation)
            and layer.activation is keras.activations.relu
        )
        if not plain:
            inputs = keras.tree.map_structure(round_once, inputs)
        return layer(inputs, *others, **options)

    twin = keras.models.clone_model(model, clone_function=clone, call_function=call)
    twin.set_weights(model.get_weights())
    return twin


@cache
def _rounding() -> Any:
    import keras

    class Rounding(keras.layers.Layer):
        """Inputs at 256 steps from the least to the greatest, of which one is 0."""

        def call(self, inputs: Any) -> Any:
            """Of the inputs' shape."""
            ops = keras.ops
            held = ops.stop_gradient(inputs)
            low = ops.minimum(ops.min(held), 0.0)
            high = ops.maximum(ops.max(held), 1e-6)
            return keras.quantizers.fake_quant_with_min_max_vars(inputs, low, high)

    return Rounding


@cache
def _rounded_kinds() -> dict[Any, Any]:
    """Layers with kernels, and the layer that rounds them."""
    import keras

    ops, layers = keras.ops, keras.layers

    def round_kernel(kernel: Any, axis: int) -> Any:
        others = [i for i in range(len(kernel.shape)) if i != axis]
        held = ops.abs(ops.stop_gradient(ops.convert_to_tensor(kernel)))
        most = ops.maximum(ops.max(held, others), 1e-9)
        return keras.quantizers.fake_quant_with_min_max_vars(
            kernel, -most, most, narrow_range=True, axis=axis
        )

    class RoundedConv2D(keras.layers.Conv2D):
        """With a kernel of eight bits."""

        def convolution_op(self, inputs: Any, kernel: Any) -> Any:
            """As the layer's."""
            return super().convolution_op(inputs, round_kernel(kernel, 3))

    class RoundedGroups(grouped_conv2d()):  # type: ignore[misc]
        """With a kernel of eight bits."""

        def convolution_op(self, inputs: Any, kernel: Any) -> Any:
            """As the layer's."""
            return super().convolution_op(inputs, round_kernel(kernel, 3))

    class RoundedDepthwise(keras.layers.DepthwiseConv2D):
        """With a kernel of eight bits, and no bias."""

        def call(self, inputs: Any) -> Any:
            """As the layer's."""
            kernel = round_kernel(self.kernel, 2)
            return ops.depthwise_conv(
                inputs, kernel, strides=self.strides, padding=self.padding
            )

    class RoundedDense(keras.layers.Dense):
        """With a kernel of eight bits."""

        @property
        def kernel(self) -> Any:
            """Rounded."""
            return round_kernel(super().kernel, 1)

    return {
        layers.Conv2D: RoundedConv2D,
        grouped_conv2d(): RoundedGroups,
        layers.DepthwiseConv2D: RoundedDepthwise,
        layers.Dense: RoundedDense,
    }
