"""Odd Keras models: costed the same from Keras and TFLite, or refused by name.

And with every parameter that the machine holds, once.
"""

import warnings
from dataclasses import replace
from math import prod

import keras
import numpy as np
import pytest

from nahas.accelerator.bounds import lower_bounds
from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.graph import UnsupportedError
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.import_keras import import_keras
from nahas.accelerator.import_tflite import import_tflite
from nahas.accelerator.keras_sources import applications
from nahas.accelerator.template import Platform
from nahas.accelerator.workload import Kind
from nahas.train.fit import prepare

# Before TensorFlow starts to work: other tests train, on one thread.
prepare()

layers = keras.layers


def image(*shape):
    return keras.Input(shape or (16, 16, 8), batch_size=1)


def used_twice():
    conv, x = layers.Conv2D(8, 3, padding="same"), image()
    return x, conv(layers.ReLU()(conv(x)))


def nested_twice():
    inner = keras.Sequential(
        [image(), layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization()]
    )
    x = image()
    return x, layers.Add()([inner(inner(x)), x])


def joined_with_itself():
    x = image()
    y = layers.Conv2D(8, 3)(x)
    return x, layers.Conv2D(4, 1)(layers.Concatenate()([y, y]))


def added_to_its_mean():
    x = image()
    y = layers.Conv2D(8, 3)(x)
    mean = layers.GlobalAveragePooling2D(keepdims=True)(y)
    return x, layers.Conv2D(4, 1)(layers.Add()([y, mean]))


def turned_and_reshaped():
    x = image()
    y = layers.Permute((3, 1, 2))(layers.Conv2D(8, 3, padding="same")(x))
    return x, layers.Dense(32)(layers.Reshape((8, 256))(y))


def three_filters_a_channel():
    x = image()
    return x, layers.DepthwiseConv2D(3, 2, depth_multiplier=3, activation="relu")(x)


def separable():
    x = image()
    return x, layers.SeparableConv2D(12, 3, 2, padding="same", depth_multiplier=2)(x)


def transposed():
    x = image(8, 8, 6)
    y = layers.Conv2DTranspose(4, 3, 2, padding="same", activation="relu")(x)
    return x, layers.Conv2DTranspose(4, 5, 2)(y)


def padded_on_some_sides():
    x = image()
    y = layers.Conv2D(8, 3, 2)(layers.ZeroPadding2D(((0, 3), (1, 2)))(x))
    return x, layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(((1, 0), (0, 2)))(y))


def padded_for_one_tap():
    x = image()
    return x, layers.Conv2D(4, 1)(layers.ZeroPadding2D(1)(layers.Conv2D(8, 3)(x)))


def grown_smoothly():
    x = image(8, 8, 8)
    return x, layers.Conv2D(4, 3)(layers.UpSampling2D(interpolation="bilinear")(x))


def of_one_axis():
    x = image(64, 8)
    y = layers.Conv1D(16, 5, 2, padding="same", activation="relu")(x)
    y = layers.SeparableConv1D(8, 3)(layers.DepthwiseConv1D(3, padding="same")(y))
    return x, layers.Dense(4)(layers.GlobalAveragePooling1D()(y))


def of_one_axis_dilated():
    x = image(64, 8)
    return x, layers.Conv1D(16, 5, padding="causal", dilation_rate=4)(x)


def of_one_column_dilated():
    x = image()
    return x, layers.Conv2D(8, (3, 1), dilation_rate=(2, 1), padding="same")(x)


def with_slopes():
    x = image()
    y = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(8, 3)(x))
    y = layers.PReLU("ones")(layers.Conv2D(8, 3)(y))
    return x, layers.Conv2D(4, 1)(y)


def normed_and_scaled_after_a_pool():
    x = image()
    norm = layers.BatchNormalization(
        gamma_initializer=RANDOM, moving_mean_initializer=RANDOM
    )
    y = norm(layers.MaxPooling2D(2)(x))
    return x, layers.Conv2D(4, 1)(layers.Rescaling(1 / 255)(y))


def times_a_vector():
    x = image()
    y = layers.MaxPooling2D(2)(layers.Conv2D(8, 3)(x))
    return x, layers.Conv2D(4, 3)(y * np.arange(8, dtype=np.float32))


def plus_a_map():
    x = image()
    place = np.random.default_rng(0).random((1, 14, 14, 8), dtype=np.float32)
    return x, layers.Conv2D(4, 3)(layers.Conv2D(8, 3)(x) + place)


def one_over_a_map():
    x = image()
    y = 1.0 / layers.Conv2D(8, 3)(x)
    return x, layers.Conv2D(4, 1)(y / np.float32(3))


def cut_in_two():
    x = image()
    y = layers.Conv2D(8, 3)(x)
    return x, layers.Concatenate()([y[..., 4:], layers.Conv2D(4, 1)(y[..., :4])])


RANDOM = keras.initializers.RandomUniform(0.5, 2.0, seed=0)
# Their MACs, counted by hand, and their parameters; a batch norm that is folded has
# none, one that is not a scale and a shift.
ODD = {
    used_twice: (2 * 256 * 8 * 72, 584),
    nested_twice: (2 * 256 * 8 * 72, 584),
    joined_with_itself: (196 * 8 * 72 + 196 * 4 * 16, 584 + 68),
    added_to_its_mean: (196 * 8 * 72 + 196 * 4 * 8, 584 + 36),
    turned_and_reshaped: (256 * 8 * 72 + 8 * 256 * 32, 584 + 257 * 32),
    three_filters_a_channel: (49 * 24 * 9, 24 * 10),
    separable: (64 * 16 * 9 + 64 * 16 * 12, 16 * 10 + 12 * 17),
    # 2x2 taps of 6 channels for 4 x 4 filters, then 3x3 taps of 4 for as many.
    transposed: (64 * 16 * 24 + 18 * 18 * 16 * 36, 16 * 25 + 16 * 37),
    padded_on_some_sides: (81 * 8 * 72, 584),
    padded_for_one_tap: (196 * 8 * 72 + 256 * 32, 584 + 36),
    grown_smoothly: (196 * 4 * 72, 4 * 73),
    of_one_axis: (
        32 * 16 * 40 + 32 * 16 * 3 + 30 * 16 * 3 + 30 * 16 * 8 + 32,
        16 * 41 + 16 * 4 + 16 * 4 + 8 * 17 + 4 * 9,
    ),
    of_one_axis_dilated: (64 * 16 * 40, 16 * 41),
    of_one_column_dilated: (256 * 8 * 24, 200),
    with_slopes: (196 * 576 + 144 * 576 + 144 * 32, 2 * 584 + 8 + 144 * 8 + 36),
    normed_and_scaled_after_a_pool: (64 * 32, 16 + 36),
    times_a_vector: (196 * 576 + 25 * 4 * 72, 584 + 8 + 4 * 73),
    plus_a_map: (196 * 576 + 144 * 4 * 72, 584 + 196 * 8 + 4 * 73),
    one_over_a_map: (196 * 576 + 196 * 32, 584 + 36),
    cut_in_two: (196 * 576 + 196 * 16, 584 + 20),
}


def as_tflite(model, folder):
    import tensorflow as tf

    path = folder / "odd.tflite"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter announces its successor
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return path


@pytest.mark.parametrize("make", ODD)
def test_odd_models_are_the_same_from_keras_and_tflite(make, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Model(*make())
    macs, parameters = ODD[make]
    both = import_keras(model), import_tflite(as_tflite(model, tmp_path))
    for work in both:
        assert work.macs.sum() == macs
        assert work.own_parameters.sum() == parameters
    kinds, theirs = (sorted(work.operators["kind"].tolist()) for work in both)
    assert kinds == theirs
    for weights in ("streamed", "resident"):
        platform = Platform(weights=weights)
        ours, latency = (
            evaluate(work, [BASELINE], platform).latency_ms for work in both
        )
        assert ours == pytest.approx(latency, rel=1e-12)
        assert lower_bounds(both[0], [BASELINE], platform).latency_ms <= ours


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Conv2D(8, 3, dilation_rate=(1, 2), name="odd"),
         "Layer odd of class Conv2D must be dilated alike both ways. Received 1 x 2"),
        (layers.Conv2D(8, 3, dilation_rate=(2, 1), name="odd"), "Received 2 x 1"),
        (layers.Conv2DTranspose(8, 3, dilation_rate=2, name="odd"),
         "Layer odd of class Conv2DTranspose cannot be costed: it is dilated"),
        (layers.BatchNormalization(axis=1, name="odd"),
         r"Layer odd of class BatchNormalization must have the last axis .* axis 1"),
        (layers.LayerNormalization(axis=1, name="odd"), r"Received axis \[1\]"),
        (layers.Softmax(axis=1, name="odd"), "Layer odd of class Softmax must have"),
        (layers.Softmax(axis=(1, 2), name="odd"), r"Received axis \(1, 2\)"),
        (layers.UnitNormalization(name="odd"), "Layer odd of class UnitNormalization"),
        (layers.Activation("glu", name="odd"), "Activation 'glu' of layer odd cannot"),
        (layers.Resizing(32, 32, interpolation="area", name="odd"),
         "Layer odd of class Resizing must interpolate by one of .* Received 'area'"),
    ],
)  # fmt: skip
def test_odd_layers_without_a_model_are_refused_by_name(layer, message):
    x = image()
    with pytest.raises(UnsupportedError, match=message):
        import_keras(keras.Model(x, layer(x)))


def test_a_layer_of_one_axis_grows_by_repeating():
    x = image(16, 8)
    [row] = import_keras(keras.Model(x, layers.UpSampling1D(3)(x))).operators
    assert row["kind"] == Kind.RESIZE
    assert (row["out_height"], row["out_width"], row["filters"]) == (1, 48, 8)
    assert (row["kernel_height"], row["kernel_width"]) == (1, 1)


def test_a_tflite_convolution_dilated_two_ways_is_refused_by_name(tmp_path):
    x = image()
    model = keras.Model(x, layers.Conv2D(8, 3, dilation_rate=(1, 2))(x))
    with pytest.raises(UnsupportedError, match=r"Operator 0:.* in odd.tflite .* 1 x 2"):
        import_tflite(as_tflite(model, tmp_path))


def test_a_tflite_product_of_two_computed_values_is_refused_by_name(tmp_path):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([1, 8, 4])])
    def product(x):
        y = tf.reshape(x, [8, 4])
        return tf.matmul(y, y, transpose_b=True)

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [product.get_concrete_function()], product
    )
    path = tmp_path / "product.tflite"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(converter.convert())
    with pytest.raises(UnsupportedError, match="it multiplies two computed values"):
        import_tflite(path)


@pytest.mark.parametrize("batch", [2, 8])
def test_several_images_at_a_time_are_refused_and_not_taken_for_one(batch, tmp_path):
    x = keras.Input((16, 16, 3), batch_size=batch)
    model = keras.Model(x, layers.Conv2D(8, 3)(x), name="many")
    message = rf"batch, a tensor's first axis, must be 1 or open. Received {batch} in"
    with pytest.raises(UnsupportedError, match=rf"{message} .*\(in many\)"):
        import_keras(model)
    with pytest.raises(UnsupportedError, match=rf"{message} .*\(in odd.tflite\)"):
        import_tflite(as_tflite(model, tmp_path))


def test_what_a_model_folds_into_its_batch_is_refused():
    x = keras.Input((16, 16, 3))
    windows = keras.ops.reshape(x, (-1, 4, 4, 3))
    with pytest.raises(UnsupportedError, match="must leave the batch alone"):
        import_keras(keras.Model(x, layers.Conv2D(8, 3)(windows)))


def test_a_sum_of_three_maps_is_two_sums():
    x = image()
    maps = [layers.Conv2D(8, 1)(x) for _ in range(3)]
    for layer, names in (
        (layers.Add(name="sum"), ("sum/1", "sum")),
        (layers.Multiply(name="product"), ("product/1", "product")),
    ):
        work = import_keras(keras.Model(x, layer(maps)))
        assert work.names[-2:] == names
        assert work.operators["channels"][-2:].tolist() == [16, 16]


@pytest.mark.parametrize(
    ("layer", "moments", "constants"),
    [
        (layers.LayerNormalization(), 2 * 36, 32),
        (layers.LayerNormalization(scale=False), 2 * 36, 16),
        (layers.LayerNormalization(axis=(1, 2, 3)), 2, 2 * 36 * 16),
        (layers.GroupNormalization(4), 8, 32),
    ],
)
def test_normalizations_have_their_moments_and_their_constants(
    layer, moments, constants
):
    x = image(8, 8, 16)
    work = import_keras(keras.Model(x, layer(layers.Conv2D(16, 3)(x))))
    kinds = [Kind(kind).name for kind in work.operators["kind"]]
    assert kinds == ["CONV", "REDUCE", "MULTIPLY"]
    row = work.operators[1]
    assert row["out_height"] * row["out_width"] * row["filters"] == moments
    assert work.constants.tolist() == [[2, constants]]


def held_by_keras(model):
    """Keras's count, less what folding leaves out, and biases that it lacks.

    A batch norm of 4 C numbers is folded, or a scale and a shift: 2 C constants. The
    scale of a branch is folded. What multiplies has a bias for each filter.
    """
    held = model.count_params()
    for layer in flat(model):
        sizes = [prod(weight.shape) for weight in layer.weights]
        kind = type(layer).__name__
        if kind in ("BatchNormalization", "Normalization", "LayerScale"):
            held -= sum(sizes)
        elif "Separable" in kind:
            held += layer.depthwise_kernel.shape[2]
            held += 0 if layer.use_bias else layer.filters
        elif "DepthwiseConv" in kind:
            held += 0 if layer.use_bias else prod(layer.kernel.shape[2:])
        elif "Conv" in kind or kind == "Dense":
            held += 0 if layer.use_bias else layer.kernel.shape[-1]
    return held


def flat(model):
    for layer in model.layers:
        yield from flat(layer) if hasattr(layer, "layers") else (layer,)


@pytest.mark.parametrize(
    ("name", "norms"),
    [
        ("MobileNetV2", 0),
        pytest.param("EfficientNetB0", 0, marks=pytest.mark.slow),
        pytest.param("ConvNeXtTiny", 0, marks=pytest.mark.slow),
        pytest.param("DenseNet121", 62, marks=pytest.mark.slow),
        pytest.param("NASNetMobile", 4, marks=pytest.mark.slow),
    ],
)
def test_the_parameters_are_keras_s_with_folded_norms(name, norms):
    """Of batch norms `norms` follow no multiplication: a scale and a shift each."""
    model = applications()[name]()
    work = import_keras(model)
    [scales] = np.nonzero(work.operators["kind"] == Kind.MULTIPLY)
    sizes = dict(work.constants.tolist())
    left = [i for i in scales if np.diff(work.input_starts)[i] == 1]
    constants = sum(sizes[i] for i in left)
    assert len(left) == norms
    assert work.own_parameters.sum() == held_by_keras(model) + constants


def test_a_strided_convolution_of_one_tap_loses_little_by_reading_whole_maps():
    """ResNet50's six could read a quarter of their maps: 1 % of its latency at most."""
    work = import_keras(applications()["ResNet50"]())
    few = work.operators.copy()
    skips = (few["stride_height"] > few["kernel_height"]) & (few["kind"] == Kind.CONV)
    assert skips.sum() == 6
    for size, stride in (("height", "stride_height"), ("width", "stride_width")):
        few[size][skips] = few[f"out_{size}"][skips]
        few[stride][skips] = 1
    for weights in ("streamed", "resident"):
        platform = Platform(weights=weights)
        whole, less = (
            evaluate(found, [BASELINE], platform).latency_ms[0]
            for found in (work, replace(work, operators=few))
        )
        assert less <= whole <= 1.01 * less
