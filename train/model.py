"""Networks as Keras models.

Convolutions have no bias and are followed by batch normalization, whose offset is the
bias of the deployed, folded network. Only `keras` is used, so a model trains on any
Keras backend. Keras is imported when the first model is built.
"""

from functools import cache
from typing import Any

from nahas.search_space.network import Block, Network, expanded, squeezed

# Keras' momentum of 0.99 averages over the last hundred steps, which is all that a
# proxy training has. EfficientNet's code uses 1e-3 for epsilon.
BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-3}


def build_model(
    network: Network,
    *,
    softmax: bool = False,
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> Any:
    """A functional Keras model of `network`, with fresh random weights.

    Args:
        network: What to build: its blocks, resolution, channels and classes.
        softmax: Whether the output are probabilities. Logits otherwise, for losses
            `from_logits=True`.
        dropout: Rate before the classifier, in training.
        drop_path: Rate at which the last block's residual branch is left out of an
            image's pass in training; block i of n has (i + 1) / n of it.

    Returns:
        `keras.Model` from images [B, resolution, resolution, channels] to [B, classes].

    ```python
    model = build_model(PUBLISHED["MobileNetV2"].proxy(32, 10))
    model.summary()
    ```
    """
    from keras import Input, Model, layers

    size = network.resolution
    image = Input((size, size, network.channels), name="image")
    x = _conv(
        image,
        network.stem_filters,
        network.stem_kernel,
        "stem",
        strides=network.stem_stride,
        activation=network.activation,
    )
    for number, block in enumerate(network.blocks):
        rate = drop_path * (number + 1) / len(network.blocks)
        x = _block(x, block, f"block{number}", rate)
    x = _conv(x, network.head_filters, 1, "head", activation=network.activation)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    # Outputs in float32 whatever the layers' precision: a loss needs their last bits.
    x = layers.Dense(network.classes, name="classifier", dtype="float32")(x)
    if softmax:
        x = layers.Softmax(name="probabilities", dtype="float32")(x)
    return Model(image, x)


def _block(x: Any, block: Block, name: str, drop_path: float) -> Any:
    """An inverted bottleneck or a fused one, applied to `x` [B, H, W, C]."""
    from keras import layers

    channels = x.shape[-1]
    wide = expanded(block, channels)
    fused = block.kind == "fused_ibn"
    early, late = (1, block.stride) if block.late else (block.stride, 1)
    y = x
    if fused:
        y = _conv(
            y,
            wide,
            block.kernel,
            f"{name}_fused",
            strides=early,
            groups=block.groups,
            activation=block.activation,
        )
    else:
        if block.expansion > 1:
            y = _conv(
                y,
                wide,
                1,
                f"{name}_expand",
                groups=block.groups,
                activation=block.activation,
            )
        y = layers.DepthwiseConv2D(
            block.kernel,
            strides=early,
            padding="same",
            use_bias=False,
            name=f"{name}_depthwise",
        )(y)
        y = _normalize(y, f"{name}_depthwise", block.activation)
    if block.se:
        y = _squeeze_and_excite(y, block, channels, f"{name}_se")
    if not (fused and block.expansion == 1):  # then the one convolution is the block
        y = _conv(y, block.filters, 1, f"{name}_project", strides=late)
    if block.adds(channels):
        if drop_path:
            # One draw an image: the branch is left out, or counts for more.
            y = layers.Dropout(drop_path, (None, 1, 1, 1), name=f"{name}_drop")(y)
        y = layers.Add(name=f"{name}_add")([x, y])
    return y


def _squeeze_and_excite(x: Any, block: Block, channels: int, name: str) -> Any:
    """Channels of `x` scaled by a gate, squeezed to a ratio of the block's input."""
    from keras import layers

    filters = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    gate = layers.Conv2D(squeezed(block, channels), 1, name=f"{name}_reduce")(gate)
    gate = _activate(gate, block.activation, f"{name}_activation")
    gate = layers.Conv2D(filters, 1, name=f"{name}_expand")(gate)
    gate = _activate(gate, "sigmoid", f"{name}_gate")
    return layers.Multiply(name=f"{name}_multiply")([x, gate])


def _conv(
    x: Any,
    filters: int,
    kernel: int,
    name: str,
    *,
    strides: int = 1,
    groups: int = 1,
    activation: str = "",
) -> Any:
    """Convolution, batch normalization and, where one is named, an activation."""
    from keras import layers

    options = {"strides": strides, "padding": "same", "use_bias": False, "name": name}
    if groups == 1:
        x = layers.Conv2D(filters, kernel, **options)(x)
    else:
        x = grouped_conv2d()(filters, kernel, groups=groups, **options)(x)
    return _normalize(x, name, activation)


def _normalize(x: Any, name: str, activation: str) -> Any:
    from keras import layers

    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
    return _activate(x, activation, f"{name}_activation") if activation else x


def _activate(x: Any, activation: str, name: str) -> Any:
    from keras import layers

    if activation == "relu6":
        return layers.ReLU(max_value=6, name=name)(x)
    keras_name = {"hswish": "hard_swish"}.get(activation, activation)
    return layers.Activation(keras_name, name=name)(x)


@cache
def grouped_conv2d() -> Any:
    """`keras.layers.Conv2D` for groups, as one convolution a group.

    On a CPU, Keras hands a grouped convolution to XLA. Split by hand, a training step
    of a small network of 3 x 3 convolutions in four groups was 37 times faster. A
    function, since the class needs Keras to be imported.
    """
    import keras

    @keras.saving.register_keras_serializable("nahas")
    class GroupedConv2D(keras.layers.Conv2D):
        """A grouped convolution, "same" padding and no bias."""

        def convolution_op(self, inputs: Any, kernel: Any) -> Any:
            """Convolves each of the groups of [B, H, W, C] and joins the results."""
            ops = keras.ops
            parts = zip(
                ops.split(inputs, self.groups, axis=-1),
                ops.split(ops.convert_to_tensor(kernel), self.groups, axis=-1),
                strict=True,
            )
            return ops.concatenate(
                [
                    ops.conv(part, weights, strides=self.strides, padding=self.padding)
                    for part, weights in parts
                ],
                axis=-1,
            )

    return GroupedConv2D
