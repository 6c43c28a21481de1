"""The one-shot model is, for each network's codes, that very network."""

import numpy as np
import pytest

from nahas.search_space.network import Block, Network
from nahas.search_space.network_spaces import s1, s3
from nahas.search_space.skeleton import ADDS, CHANNELS, OPTION, WIDE, Skeleton
from nahas.search_space.space import Knob, SearchSpace
from nahas.search_space.tabular import nas_bench_macro

SIZE, CLASSES = 8, 3


def toy():
    """All that S3 has, in two blocks."""
    choices = {
        "kind": ("ibn", "fused_ibn"), "kernel": (3, 5), "expansion": (1, 2),
        "filters": (8, 16), "groups": (1, 2),
    }  # fmt: skip
    knobs = [Knob(f"{i}.{n}", v) for i in (0, 1) for n, v in choices.items()]

    def build(values):
        blocks = (
            Block(stride=2 - i, **{n: values[f"{i}.{n}"] for n in choices})
            for i in (0, 1)
        )
        return Network(tuple(blocks), 16, 8, resolution=32)

    return SearchSpace("toy", tuple(knobs), build)


SPACES = {"toy": toy, "nas-bench-macro": nas_bench_macro, "s1": s1, "s3": s3}


def networks(name, count=400, width=0.125):
    space = SPACES[name]()
    rows = space.random(np.random.default_rng(0), count)
    return [space.decode(row).proxy(SIZE, CLASSES, width=width) for row in rows]


def value(tensor):
    return np.array(tensor.numpy())


def in_order(weights, network, skeleton, codes):
    """The one-shot model's weights as `build_model` has them, by name of the layer."""
    found = {}

    def take(layer, own, wide, kernel=None, inputs=None):
        values = value(own["kernel"])
        edge = (values.shape[0] - kernel) // 2 if kernel else 0
        if kernel:
            values = values[edge : edge + kernel, edge : edge + kernel]
        if inputs is not None:
            values = values[:, :, :inputs]
        if values.shape[3] != 1:
            values = values[..., :wide]
        found[layer] = values
        found[f"{layer}_bn"] = [value(own[n])[:wide] for n in ("gamma", "beta")]

    take("stem", weights._stem, network.stem_filters)
    place = 0
    for own, code in zip(weights._slots, codes, strict=True):
        if code[OPTION] == 0:
            continue
        name = f"block{place}"
        block = network.blocks[place]
        place += 1
        inputs, wide = int(code[CHANNELS]), int(code[WIDE])
        if block.kind == "fused_ibn" and block.expansion == 1:
            take(f"{name}_fused", own["single"], block.filters, block.kernel, inputs)
            continue
        project = own[f"{block.kind}_project"]
        expand = own[f"{block.kind}_expand"]
        if block.kind == "fused_ibn":
            take(f"{name}_fused", expand, wide, block.kernel, inputs)
        else:
            take(f"{name}_expand", expand, wide, None, inputs)
            take(f"{name}_depthwise", own["depthwise"], wide, block.kernel, wide)
        take(f"{name}_project", project, block.filters, None, wide)
    last = network.blocks[-1].filters
    take("head", weights._head, network.head_filters, None, last)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "toy",
        "nas-bench-macro",
        pytest.param("s1", marks=pytest.mark.slow),
        pytest.param("s3", marks=pytest.mark.slow),
    ],
)
def test_a_network_of_the_one_shot_model_is_that_network(name):
    """Logits of `build_model` with the same weights and the batch's statistics."""
    import keras

    from nahas.train.model import build_model
    from nahas.train.supernet import supernet

    every = networks(name)
    skeleton = Skeleton.of(every)
    keras.utils.set_random_seed(0)
    shared = supernet(skeleton)
    rng = np.random.default_rng(1)
    for variable in shared.trainable_variables:
        if variable.name.endswith(("gamma", "beta", "bias")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    images = rng.normal(size=(6, SIZE, SIZE, 3)).astype(np.float32)
    seen = set()
    for network in every[:6]:
        codes = skeleton.codes(network)
        seen |= {(int(row[OPTION]), int(row[ADDS])) for row in codes}
        alone = build_model(network)
        values = in_order(shared, network, skeleton, codes)
        for layer in alone.layers:
            if layer.name in values and "_bn" not in layer.name:
                own = layer.trainable_variables[0]
                kernel = values[layer.name]
                if own.shape != kernel.shape:  # of groups: each sees its own inputs
                    kernel = of_groups(kernel, layer.groups)
                own.assign(kernel)
            elif layer.name in values:
                for variable, own in zip(
                    layer.trainable_variables, values[layer.name], strict=True
                ):
                    variable.assign(own)
        dense = alone.get_layer("classifier")
        dense.set_weights([value(shared._classifier), value(shared._bias)])
        wanted = value(alone(images, training=True))
        got = value(shared({"images": images, "codes": codes}))
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)
    assert len(seen) >= 3


def of_groups(kernel, groups):
    """Of a kernel over all inputs, each output's part that its group sees."""
    inputs, outputs = kernel.shape[2] // groups, kernel.shape[3] // groups
    return np.concatenate(
        [
            kernel[:, :, g * inputs : (g + 1) * inputs, g * outputs : (g + 1) * outputs]
            for g in range(groups)
        ],
        axis=3,
    )


def test_calibration_takes_the_first_images_statistics():
    """What is measured does not change what it is measured by."""
    import keras

    from nahas.train.supernet import supernet

    every = networks("nas-bench-macro", 200)
    skeleton = Skeleton.of(every)
    keras.utils.set_random_seed(0)
    shared = supernet(skeleton)
    images = np.random.default_rng(1).normal(size=(9, SIZE, SIZE, 3))
    images = images.astype(np.float32)
    codes = skeleton.codes(every[3])
    whole = value(shared({"images": images, "codes": codes}, calibration=4))
    part = value(shared({"images": images[:5], "codes": codes}, calibration=4))
    np.testing.assert_allclose(whole[:5], part, rtol=1e-4, atol=1e-5)
    first = value(shared({"images": images[:4], "codes": codes}))
    np.testing.assert_allclose(whole[:4], first, rtol=1e-4, atol=1e-5)
    assert np.abs(whole - value(shared({"images": images, "codes": codes}))).max()
