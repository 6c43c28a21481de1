"""Model files as workloads: the same model in three formats, and broken ones."""

import warnings
import zipfile
from collections import Counter
from contextlib import suppress

import keras
import numpy as np
import pytest

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.graph import UnsupportedError
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.import_keras import import_keras
from nahas.accelerator.import_onnx import import_onnx
from nahas.accelerator.import_tflite import import_tflite
from nahas.accelerator.keras_sources import applications, read_keras
from nahas.accelerator.workload import Kind
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED
from nahas.train.fit import prepare

# Before TensorFlow starts to work: other tests train, on one thread.
prepare()


def small_model():
    """A model with most of what importers must read, built to be seen through."""
    layers = keras.layers
    image = keras.Input((32, 32, 3), batch_size=1)
    x = layers.Rescaling(1 / 255)(image)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.Conv2D(16, 3, strides=2, use_bias=False)(x)
    x = skip = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(5, padding="same", activation="swish")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(4, 1, activation="relu")(gate)
    x = layers.Multiply()([x, layers.Conv2D(16, 1, activation="sigmoid")(gate)])
    x = layers.Add()([layers.Conv2D(16, 1)(x), skip])
    x = layers.Concatenate()([x, layers.AveragePooling2D(3, 1, "same")(x)])
    x = layers.Conv2D(24, 3, padding="same", dilation_rate=2, activation="relu")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(10)(layers.Flatten()(x))
    return keras.Model(image, layers.Softmax()(x))


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def tflite(model, tmp_path_factory):
    import tensorflow as tf

    path = tmp_path_factory.mktemp("models") / "small.tflite"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter announces its successor
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return path


def kinds(work):
    return [Kind(kind).name for kind in work.operators["kind"]]


def test_a_keras_model_row_by_row(model):
    work = import_keras(model)
    assert kinds(work) == [
        "CONV", "DEPTHWISE", "SWISH", "AVERAGE", "CONV", "CONV", "SIGMOID", "MULTIPLY",
        "CONV", "ADD", "AVERAGE", "CONCAT", "CONV", "RESIZE", "POOL", "DENSE", "LOOKUP",
    ]  # fmt: skip
    convolutions = 16 * 16 * 16 * (27 + 25 + 16) + 2 * 64
    head = 16 * 16 * 24 * 32 * 9 + 16 * 16 * 24 * 10
    assert work.macs.sum() == convolutions + head
    assert work.operators["dilation"][12] == 2


def test_tflite_says_the_same(model, tflite):
    ours, theirs = import_keras(model), import_tflite(tflite)
    assert theirs.macs.sum() == ours.macs.sum()
    assert sorted(kinds(theirs)) == sorted(kinds(ours))
    latencies = [evaluate(w, [BASELINE]).latency_ms[0] for w in (ours, theirs)]
    assert latencies[1] == pytest.approx(latencies[0], rel=0.02)


def save(model, path):
    with warnings.catch_warnings():
        # TensorFlow's variables do not know NumPy 2's `copy`.
        warnings.filterwarnings(
            "ignore", "__array__ implementation", DeprecationWarning
        )
        model.save(path)


def test_a_keras_file_says_the_same(model, tmp_path):
    path = tmp_path / "small.keras"
    save(model, path)
    again = import_keras(read_keras(path))
    assert (again.operators == import_keras(model).operators).all()


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_published_networks_are_those_of_keras_but_for_the_softmax(name):
    data, imported = lower([PUBLISHED[name]]), import_keras(applications()[name]())
    assert kinds(imported)[-1] == "LOOKUP"
    assert imported.macs.sum() == data.macs.sum()
    latencies = [evaluate(w, [BASELINE]).latency_ms[0] for w in (data, imported)]
    softmax = 1000 + 100  # cycles: a dispatch and a thousand elements
    assert latencies[1] - latencies[0] <= softmax / 800e3


def test_nested_and_shared_models_are_seen_through():
    inner = keras.Sequential(
        [keras.Input((8, 8, 4)), keras.layers.Conv2D(4, 3, padding="same")], name="in"
    )
    image = keras.Input((8, 8, 4))
    outer = keras.Model(image, keras.layers.Add()([inner(image), inner(image)]))
    assert kinds(import_keras(outer)) == ["CONV", "CONV", "ADD"]


def test_layers_without_a_model_are_refused_by_name():
    image = keras.Input((8, 4))
    model = keras.Model(image, keras.layers.LSTM(4, name="memory")(image))
    with pytest.raises(UnsupportedError, match="Layer memory of class LSTM"):
        import_keras(model)
    odd = keras.Sequential(
        [keras.Input((8, 8, 4)), keras.layers.Activation(my_function, name="mine")]
    )
    with pytest.raises(UnsupportedError, match="'my_function' of layer mine"):
        import_keras(odd)


def my_function(x):
    return x * 2


def test_shapes_that_are_not_fixed_are_refused():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
    with pytest.raises(UnsupportedError, match="build the model with an input shape"):
        import_keras(model)


def two_inputs():
    """An image, and ten numbers beside it."""
    layers = keras.layers
    image, numbers = keras.Input((32, 32, 3), batch_size=1), keras.Input((10,), 1)
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(image))
    both = layers.Concatenate()([seen, layers.Dense(4)(numbers)])
    return keras.Model([image, numbers], layers.Dense(2)(both))


def test_several_inputs_are_refused_and_not_taken_for_the_first(tmp_path):
    import tensorflow as tf
    from onnx import TensorProto, helper, save

    model = two_inputs()
    with pytest.raises(UnsupportedError, match=r"must have one input. Received 2"):
        import_keras(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter announces its successor
        data = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    path = tmp_path / "two.tflite"
    path.write_bytes(data)
    with pytest.raises(UnsupportedError, match=r"Received 2 \(in two.tflite\)"):
        import_tflite(path)
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8])
        for name in ("one", "other", "result")
    ]
    nodes = [helper.make_node("Add", ["one", "other"], ["result"])]
    graph = helper.make_graph(nodes, "graph", values[:2], values[2:])
    save(helper.make_model(graph), tmp_path / "two.onnx")
    with pytest.raises(UnsupportedError, match=r"Received 2 \(in two.onnx\)"):
        import_onnx(tmp_path / "two.onnx")


def test_channels_first_is_refused_and_not_taken_for_rows():
    model = keras.Sequential(
        [
            keras.Input((3, 8, 8)),
            keras.layers.Conv2D(4, 3, data_format="channels_first", name="first"),
        ]
    )
    with pytest.raises(UnsupportedError, match="Layer first of class Conv2D must have"):
        import_keras(model)


@keras.saving.register_keras_serializable("tests")
class Known(keras.layers.Layer):
    def call(self, x):
        return x


class Unknown(keras.layers.Layer):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.Lambda(lambda x: 2 * x, name="twice"),
         "Layer twice of class Lambda in m.keras cannot be costed: its code is not"),
        (Unknown(name="own"), "Layer own of class Unknown in m.keras cannot be costed"),
    ],
)  # fmt: skip
def test_layers_whose_code_no_file_holds_are_refused_by_name(tmp_path, layer, message):
    image = keras.Input((8, 8, 4))
    # In a model in a model too.
    inner = keras.Sequential([keras.Input((8, 8, 4)), layer])
    keras.Model(image, inner(image)).save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match=message):
        read_keras(tmp_path / "m.keras")


def test_a_keras_layer_of_ten_gigabytes_is_refused_unbuilt(tmp_path):
    image = keras.Input((8,))
    model = keras.Model(image, keras.layers.Dense(9, name="wide")(image))
    save(model, tmp_path / "small.keras")
    with zipfile.ZipFile(tmp_path / "small.keras") as archive:
        config = archive.read("config.json").decode()
    config = config.replace('"units": 9', '"units": 100000')
    with zipfile.ZipFile(tmp_path / "huge.keras", "w") as archive:
        archive.writestr("config.json", config.replace("[null, 8]", "[null, 100000]"))
    with pytest.raises(UnsupportedError, match=r"wide .* at most .* 10,000,000,000"):
        read_keras(tmp_path / "huge.keras")


def test_a_registered_layer_is_read_and_then_refused_by_name(tmp_path):
    image = keras.Input((8, 8, 4))
    keras.Model(image, Known(name="mine")(image)).save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match="Layer mine of class Known cannot be"):
        import_keras(read_keras(tmp_path / "m.keras"))


def test_transposed_convolutions_of_keras_are_read():
    """Every input meets the whole kernel; the 3x3 one is filled up to 4x4."""
    image = keras.Input((8, 8, 4))
    for kernel, taps in ((2, 4), (3, 16), (4, 16)):
        layer = keras.layers.Conv2DTranspose(6, kernel, strides=2, padding="same")
        work = import_keras(keras.Model(image, layer(image)))
        assert kinds(work) == ["CONV", "MOVE"]
        assert work.macs.sum() == 64 * 4 * 6 * taps


def test_attention_is_refused_by_name():
    image = keras.Input((8, 4))
    layer = keras.layers.MultiHeadAttention(2, 4, name="attend")
    with pytest.raises(UnsupportedError, match="attend of class MultiHeadAttention"):
        import_keras(keras.Model(image, layer(image, image)))


def test_what_is_no_keras_file_is_refused(tmp_path):
    path = tmp_path / "broken.keras"
    path.write_bytes(b"PK nonsense")
    with pytest.raises(UnsupportedError, match="is no Keras model"):
        read_keras(path)


def test_a_tflite_file_cut_anywhere_is_refused_or_whole(tflite, tmp_path):
    data, path = tflite.read_bytes(), tmp_path / "cut.tflite"
    for length in [*range(0, 64, 7), *np.linspace(64, len(data) - 64, 40, dtype=int)]:
        path.write_bytes(data[:length])
        with pytest.raises(UnsupportedError, match=r"cut\.tflite"):
            import_tflite(path)


def test_a_tflite_file_with_flipped_bytes_is_refused_or_read(tflite, tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "flipped.tflite"
    for _ in range(150):
        data = bytearray(tflite.read_bytes())
        for place in rng.integers(8, len(data), 4):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        with suppress(UnsupportedError):  # nothing else may come
            import_tflite(path)


def test_a_tflite_operator_that_is_not_known_is_refused_by_number(tflite, tmp_path):
    import tflite as schema

    data, path = bytearray(tflite.read_bytes()), tmp_path / "unknown.tflite"
    table = schema.Model.GetRootAs(data, 0).OperatorCodes(0)._tab
    place = table.Pos + table.Offset(10)  # the builtin code, where it is wide
    assert table.Offset(10)
    data[place : place + 4] = (999).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(
        UnsupportedError,
        match=r"Operator \d+:.* of type operator 999 in unknown.tflite",
    ):
        import_tflite(path)


def test_a_tflite_tensor_of_ten_gigabytes_is_refused(tflite, tmp_path):
    import tflite as schema

    data, path = bytearray(tflite.read_bytes()), tmp_path / "huge.tflite"
    graph = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    table = graph.Tensors(graph.Operators(0).Outputs(0))._tab
    place = table.Vector(table.Offset(4))  # the shape
    for axis, size in enumerate((1, 100_000, 100_000, 1)):
        data[place + 4 * axis : place + 4 * axis + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UnsupportedError, match="100000 x 100000"):
        import_tflite(path)


def onnx_file(path, nodes, shape, *, initializers=(), out=None):
    from onnx import TensorProto, helper, save

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, out)
    made = [helper.make_node(*node[:3], **node[3]) for node in nodes]
    graph = helper.make_graph(made, "graph", [image], [result], list(initializers))
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def tensor(name, *dims):
    from onnx import TensorProto, helper

    values = np.zeros(dims, dtype=np.float32)
    return helper.make_tensor(name, TensorProto.FLOAT, dims, values.tobytes(), raw=True)


def test_an_onnx_graph_row_by_row(tmp_path):
    nodes = [
        ("Conv", ["image", "w"], ["a"], {"strides": [2, 2], "pads": [0, 0, 1, 1]}),
        ("Relu", ["a"], ["b"], {}),
        ("Conv", ["b", "d"], ["c"], {"group": 8, "pads": [1] * 4}),
        ("Sigmoid", ["c"], ["s"], {}),
        ("Mul", ["c", "s"], ["m"], {}),
        ("Add", ["m", "b"], ["n"], {}),
        ("GlobalAveragePool", ["n"], ["p"], {}),
        ("Flatten", ["p"], ["f"], {}),
        ("Gemm", ["f", "g"], ["result"], {}),
    ]
    weights = [tensor("w", 8, 3, 3, 3), tensor("d", 8, 1, 3, 3), tensor("g", 8, 10)]
    shape = ["batch", 3, 16, 16]
    path = onnx_file(tmp_path / "m.onnx", nodes, shape, initializers=weights)
    work = import_onnx(path)
    assert kinds(work) == ["CONV", "DEPTHWISE", "SWISH", "ADD", "AVERAGE", "DENSE"]
    assert work.macs.sum() == 8 * 8 * 8 * (27 + 9) + 80


def test_channels_last_is_a_view(tmp_path):
    nodes = [
        ("Transpose", ["image"], ["t"], {"perm": [0, 3, 1, 2]}),
        ("Conv", ["t", "w"], ["c"], {}),
        ("Transpose", ["c"], ["result"], {"perm": [0, 2, 3, 1]}),
    ]
    path = onnx_file(
        tmp_path / "m.onnx",
        nodes,
        [1, 16, 16, 3],
        initializers=[tensor("w", 8, 3, 1, 1)],
    )
    work = import_onnx(path)
    assert kinds(work) == ["CONV"]
    assert work.macs.sum() == 16 * 16 * 3 * 8


@pytest.mark.parametrize(
    ("nodes", "shape", "message"),
    [
        ([("Conv", ["image", "w"], ["result"], {})], [1, 3, "rows", "columns"],
         "must have a fixed shape"),
        ([("NonZero", ["image"], ["result"], {})], [1, 3, 8, 8],
         "of type NonZero in m.onnx cannot be costed"),
        ([("MatMul", ["image", "image"], ["result"], {})], [1, 3, 8, 8],
         "must multiply a computed value by constant weights"),
        ([("Relu", ["image"], ["made"], {}),
          ("Conv", ["image", "made"], ["result"], {})], [1, 8, 8, 8],
         "Node result of type Conv in m.onnx cannot be costed: it must multiply"),
        ([("ConvTranspose", ["image", "w"], ["result"], {"dilations": [2, 2]})],
         [1, 8, 8, 8], "ConvTranspose in m.onnx cannot be costed: it is dilated"),
        ([("Relu", ["nowhere"], ["result"], {"name": "lost"})], [1, 3, 8, 8],
         "Node lost of type Relu in m.onnx must read .* Received nowhere"),
        ([("Conv", ["image"], ["result"], {"name": "bare"})], [1, 3, 8, 8],
         "Node bare of type Conv in m.onnx must have the inputs"),
    ],
)  # fmt: skip
def test_onnx_that_cannot_be_costed_is_refused(tmp_path, nodes, shape, message):
    weights = [tensor("w", 8, 3, 3, 3)]
    path = onnx_file(tmp_path / "m.onnx", nodes, shape, initializers=weights)
    with pytest.raises(UnsupportedError, match=message):
        import_onnx(path)


def test_a_tensor_of_ten_gigabytes_is_refused_unread(tmp_path):
    from onnx import TensorProto

    huge = TensorProto(name="w", data_type=TensorProto.INT8, dims=[100_000, 100_000])
    nodes = [("MatMul", ["image", "w"], ["result"], {})]
    constant = ("Constant", [], ["w"], {"value": huge})
    for made, held in ((nodes, [huge]), ([constant, *nodes], [])):
        path = onnx_file(tmp_path / "m.onnx", made, [1, 100_000], initializers=held)
        with pytest.raises(UnsupportedError, match="100000 x 100000"):
            import_onnx(path)


def test_a_node_that_holds_a_graph_is_refused_though_its_condition_is_constant(
    tmp_path,
):
    from onnx import TensorProto, helper

    out = helper.make_tensor_value_info("r", TensorProto.FLOAT, [1, 3, 8, 8])
    branch = helper.make_graph(
        [helper.make_node("Relu", ["image"], ["r"])], "branch", [], [out]
    )
    branches = {"name": "choice", "then_branch": branch, "else_branch": branch}
    path = onnx_file(
        tmp_path / "m.onnx",
        [("If", ["yes"], ["result"], branches)],
        [1, 3, 8, 8],
        initializers=[helper.make_tensor("yes", TensorProto.BOOL, [], [True])],
    )
    with pytest.raises(UnsupportedError, match="Node choice of type If in"):
        import_onnx(path)


def test_the_parts_of_a_split_have_shapes_of_their_own(tmp_path):
    """Of 6 channels 4 go one way and 2 the other, through 1x1 convolutions to 8."""
    from onnx import TensorProto, helper

    sizes = helper.make_tensor("sizes", TensorProto.INT64, [2], [4, 2])
    nodes = [
        ("Split", ["image", "sizes"], ["a", "b"], {"axis": 1}),
        ("Conv", ["a", "v"], ["c"], {}),
        ("Conv", ["b", "w"], ["d"], {}),
        ("Add", ["c", "d"], ["result"], {}),
    ]
    weights = [sizes, tensor("v", 8, 4, 1, 1), tensor("w", 8, 2, 1, 1)]
    path = onnx_file(tmp_path / "m.onnx", nodes, [1, 6, 8, 8], initializers=weights)
    work = import_onnx(path)
    assert kinds(work) == ["MOVE", "MOVE", "CONV", "CONV", "ADD"]
    assert work.operators["channels"].tolist() == [4, 2, 4, 2, 16]
    assert work.macs.sum() == 64 * 8 * 6


def test_the_groups_of_a_transposed_convolution_count(tmp_path):
    path = onnx_file(
        tmp_path / "m.onnx",
        [
            (
                "ConvTranspose",
                ["image", "w"],
                ["result"],
                {"strides": [2, 2], "group": 3},
            )
        ],
        [1, 3, 8, 8],
        initializers=[tensor("w", 3, 1, 2, 2)],
    )
    work = import_onnx(path)
    assert kinds(work) == ["DEPTHWISE", "MOVE"]
    assert work.macs.sum() == 64 * 3 * 4


def keras_twins():
    """By name a Keras model, and the nodes of the same one in ONNX."""
    layers, image = keras.layers, keras.Input((16, 16, 8))
    same, conv = {"pads": [1] * 4}, layers.Conv2D(8, 3, padding="same")
    y = conv(image)
    first, last = ("Conv", ["image", "w"], ["a"], same), {"name": "last"}
    mean = layers.GlobalAveragePooling2D(keepdims=True)(y)
    up = {"strides": [2, 2], "kernel_shape": [3, 3]}
    return {
        "twice": (
            conv(layers.ReLU()(y)),
            [first, ("Relu", ["a"], ["b"], {}), ("Conv", ["b", "w"], ["result"], same)],
        ),
        "joined": (
            layers.Conv2D(4, 1)(layers.Concatenate()([y, y])),
            [first, ("Concat", ["a", "a"], ["b"], {"axis": 1}),
             ("Conv", ["b", "both"], ["result"], last)],
        ),
        "mean": (
            layers.Conv2D(4, 1)(layers.Add()([y, mean])),
            [first, ("GlobalAveragePool", ["a"], ["b"], {}),
             ("Add", ["a", "b"], ["c"], {}), ("Conv", ["c", "one"], ["result"], last)],
        ),
        "three": (
            layers.Maximum()([y, image, mean]),
            [first, ("GlobalAveragePool", ["a"], ["b"], {}),
             ("Max", ["a", "image", "b"], ["result"], last)],
        ),
        "up": (
            layers.Conv2DTranspose(4, 3, 2)(y),
            [first, ("ConvTranspose", ["a", "up"], ["result"], up)],
        ),
        "flat": (
            layers.Dense(10)(layers.Flatten()(y)),
            [first, ("Flatten", ["a"], ["b"], {}),
             ("Gemm", ["b", "flat"], ["result"], {"transB": 1})],
        ),
        "inverse": (
            layers.Conv2D(4, 1)(2.0 / y),
            [first, ("Div", ["two", "a"], ["b"], {}),
             ("Conv", ["b", "one"], ["result"], last)],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", keras_twins())
def test_onnx_says_the_same_as_keras(tmp_path, name):
    output, nodes = keras_twins()[name]
    model = keras.Model(keras.utils.get_source_inputs(output), output)
    held = [
        tensor("w", 8, 8, 3, 3), tensor("one", 4, 8, 1, 1), tensor("both", 4, 16, 1, 1),
        tensor("up", 8, 4, 3, 3), tensor("flat", 10, 2048), tensor("two", 1),
    ]  # fmt: skip
    path = onnx_file(tmp_path / "m.onnx", nodes, [1, 8, 16, 16], initializers=held)
    ours, theirs = import_keras(model), import_onnx(path)
    assert (ours.operators == theirs.operators).all()
    assert (ours.inputs == theirs.inputs).all()
    assert (ours.own_parameters == theirs.own_parameters).all()


@pytest.mark.parametrize(
    ("node", "held", "shape", "message"),
    [
        (("Conv", {"dilations": [1, 2]}), (8, 3, 3, 3), [1, 3, 8, 8],
         "of type Conv in m.onnx must be dilated alike both ways. Received 1 x 2"),
        (("Conv", {}), (8, 3, 3), [1, 3, 8],
         "Conv in m.onnx must read a batch of maps of rows and columns. Received 3 ax"),
        (("ConvTranspose", {}), (3, 8, 3), [1, 3, 8], "ConvTranspose .* Received 3"),
        (("GlobalMaxPool", {}), (1,), [1, 3, 8], "GlobalMaxPool .* Received 3 axes"),
        (("Conv", {}), (8, 3, 3, 3), [4, 3, 8, 8],
         r"must be 1 or open. Received 4 in \(4, 3, 8, 8\) \(in m.onnx\)"),
    ],
)  # fmt: skip
def test_odd_onnx_nodes_are_refused_by_name(tmp_path, node, held, shape, message):
    kind, attributes = node
    path = onnx_file(
        tmp_path / "m.onnx", [(kind, ["image", "w"], ["result"], attributes)], shape,
        initializers=[tensor("w", *held)],
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=message):
        import_onnx(path)


def test_an_onnx_kernel_of_one_row_has_the_dilation_along_it(tmp_path):
    conv = ("Conv", ["image", "w"], ["result"], {"dilations": [1, 3]})
    path = onnx_file(
        tmp_path / "m.onnx",
        [conv],
        [1, 3, 8, 16],
        initializers=[tensor("w", 8, 3, 1, 3)],
    )
    [row] = import_onnx(path).operators
    assert (row["dilation"], row["out_width"]) == (3, 10)


def test_an_initializer_that_two_onnx_nodes_read_is_held_once(tmp_path):
    nodes = [
        ("Conv", ["image", "w"], ["a"], {}),
        ("Conv", ["a", "w"], ["b"], {}),
        ("Conv", ["b", "v"], ["result"], {}),
    ]
    weights = [tensor("w", 3, 3, 1, 1), tensor("v", 3, 3, 1, 1)]
    path = onnx_file(tmp_path / "m.onnx", nodes, [1, 3, 8, 8], initializers=weights)
    work = import_onnx(path)
    assert work.parameters.tolist() == [12, 12, 12]
    assert work.own_parameters.tolist() == [12, 0, 12]


@pytest.mark.parametrize("axes", [4, 3])
def test_an_onnx_product_reads_the_last_axis_whatever_its_view(tmp_path, axes):
    """2 * 5 rows of 7 times 7 x 9 weights, where 4 axes could be a map's."""
    shape = [1, 2, 5, 7][-axes:]
    shape[0] = 1
    path = onnx_file(
        tmp_path / "m.onnx", [("MatMul", ["image", "w"], ["result"], {})], shape,
        initializers=[tensor("w", 7, 9)],
    )  # fmt: skip
    work = import_onnx(path)
    assert kinds(work) == ["CONV"]
    assert work.macs.sum() == np.prod(shape) * 9
    assert work.parameters.sum() == 8 * 9


def test_the_constants_of_onnx_nodes_are_held(tmp_path):
    """By channel a vector is a scale, a map of its own a sum; slopes are a table's."""
    nodes = [
        ("MaxPool", ["image"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Mul", ["p", "scale"], ["m"], {}),
        ("Add", ["m", "shift"], ["a"], {}),
        ("PRelu", ["a", "slopes"], ["s"], {}),
        ("Add", ["s", "map"], ["b"], {}),
        ("Mul", ["b", "one"], ["c"], {}),
        ("InstanceNormalization", ["c", "flat", "flat"], ["n"], {}),
        ("Sum", ["n", "b", "s"], ["t"], {}),
        ("Concat", ["t", "map"], ["result"], {"axis": 1}),
    ]
    held = [
        *(tensor(name, 6, 1, 1) for name in ("scale", "shift", "slopes")),
        tensor("map", 1, 6, 4, 4), tensor("one", 1), tensor("flat", 6),
    ]  # fmt: skip
    path = onnx_file(tmp_path / "m.onnx", nodes, [1, 6, 8, 8], initializers=held)
    work = import_onnx(path)
    assert kinds(work) == [
        "POOL", "MULTIPLY", "LOOKUP", "ADD", "LOOKUP", "REDUCE", "MULTIPLY", "ADD",
        "ADD", "CONCAT",
    ]  # fmt: skip
    assert work.parameters.tolist() == [0, 12, 6, 96, 0, 0, 12, 0, 0, 96]
    assert work.operators["filters"].tolist()[5] == 12


def test_what_is_no_onnx_file_is_refused(tmp_path):
    for content in (b"", b"\xff" * 100, b"nonsense"):
        path = tmp_path / "m.onnx"
        path.write_bytes(content)
        with pytest.raises(UnsupportedError, match=r"m\.onnx is no"):
            import_onnx(path)


def test_published_tflite_files(data_file):
    work = import_tflite(data_file("models/mobilenet_v2_1.0_224_quant.tflite"))
    assert work.macs.sum() == pytest.approx(300.8e6, rel=1e-3)
    assert len(work) == 65


def test_a_small_published_tflite_file(data_file):
    """MobileNet v1 0.25 at 128x128: 14 million MACs, by its authors' table."""
    work = import_tflite(data_file("models/mobilenet_v1_0.25_128_quant.tflite"))
    assert work.macs.sum() == 13_570_304
    assert Counter(kinds(work)) == {
        "CONV": 15, "DEPTHWISE": 13, "AVERAGE": 1, "LOOKUP": 1,
    }  # fmt: skip
