"""Two segmentation networks in Keras, as their papers draw them; weights are random."""

from typing import Any

import keras

from nahas.accelerator.keras_sources import applications

layers = keras.layers
SIZE, CLASSES = 512, 21  # the input, and Pascal VOC's classes with the background


def unet() -> Any:
    """U-Net (arXiv:1505.04597) with MobileNetV2 (arXiv:1801.04381) as its encoder.

    Each step up is a transposed convolution that doubles the map, a concatenation with
    the encoder's map of that size, and two 3x3 convolutions.
    """
    encoder = keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), include_top=False, weights=None
    )
    skips = [
        encoder.get_layer(name).output
        for name in ("block_13_expand_relu", "block_6_expand_relu",
                     "block_3_expand_relu", "block_1_expand_relu")
    ]  # fmt: skip
    x = encoder.get_layer("block_16_project_BN").output
    for skip, filters in zip(skips, (256, 128, 64, 32), strict=True):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = layers.Concatenate()([x, skip])
        for _ in range(2):
            x = _normalized(
                layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            )
    x = layers.Conv2DTranspose(16, 2, strides=2, activation="relu")(x)
    return keras.Model(encoder.input, layers.Conv2D(CLASSES, 1)(x), name="U-Net")


def deeplab() -> Any:
    """DeepLabV3 (arXiv:1706.05587) on MobileNetV2 with an output stride of 16.

    The last stage's strides are replaced by a dilation of 2; atrous spatial pyramid
    pooling has a 1x1 convolution, three dilated 3x3 ones and the pooled map.
    """
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(x)
    x = _normalized(x)
    # Expansion, filters, blocks, stride, dilation: MobileNetV2's table 2.
    for expansion, filters, blocks, stride, dilation in (
        (1, 16, 1, 1, 1), (6, 24, 2, 2, 1), (6, 32, 3, 2, 1), (6, 64, 4, 2, 1),
        (6, 96, 3, 1, 1), (6, 160, 3, 1, 2), (6, 320, 1, 1, 2),
    ):  # fmt: skip
        for block in range(blocks):
            step = stride if block == 0 else 1
            x = _inverted_bottleneck(x, expansion, filters, step, dilation)
    size = SIZE // 16
    branches = [_normalized(layers.Conv2D(256, 1, use_bias=False)(x))]
    for rate in (6, 12, 18):
        branch = layers.Conv2D(
            256, 3, padding="same", dilation_rate=rate, use_bias=False
        )(x)
        branches.append(_normalized(branch))
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    pooled = _normalized(layers.Conv2D(256, 1, use_bias=False)(pooled))
    branches.append(layers.UpSampling2D(size, interpolation="bilinear")(pooled))
    x = layers.Concatenate()(branches)
    x = _normalized(layers.Conv2D(256, 1, use_bias=False)(x))
    x = layers.Conv2D(CLASSES, 1)(x)
    x = layers.UpSampling2D(16, interpolation="bilinear")(x)
    return keras.Model(image, x, name="DeepLabV3")


def _normalized(x: Any) -> Any:
    return layers.ReLU(6.0)(layers.BatchNormalization()(x))


def _inverted_bottleneck(
    x: Any, expansion: int, filters: int, stride: int, dilation: int
) -> Any:
    channels, skip = x.shape[-1], x
    if expansion > 1:
        x = _normalized(layers.Conv2D(channels * expansion, 1, use_bias=False)(x))
    x = layers.DepthwiseConv2D(
        3, stride, padding="same", dilation_rate=dilation, use_bias=False
    )(x)
    x = layers.Conv2D(filters, 1, use_bias=False)(_normalized(x))
    x = layers.BatchNormalization()(x)
    return layers.Add()([x, skip]) if stride == 1 and channels == filters else x


MODELS = applications() | {"U-Net": unet, "DeepLabV3": deeplab}
"""Makers of all models that the coverage is about, by name."""
