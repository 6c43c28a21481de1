"""The one-shot model: the weights of all networks of a space, in one graph.

A network is an input, its codes in the space's skeleton (`search_space/skeleton.py`),
so the graph is traced once. In each slot only the branch of the block's kind, kernel
and expansion is computed, on the leading filters and the middle of the kernels that all
branches share; where a slot's channels vary, those beyond the network's are masked, and
are paid for.

Batch normalization has no memory. It takes the statistics of the batch, or of its first
images alone: to measure a network, images to calibrate by stand before those that are
measured, and each layer is normalized as the layers before it are in this very network.
"""

from functools import cache
from typing import Any

from nahas.search_space.skeleton import (
    ADDS,
    CHANNELS,
    FILTERS,
    GROUPS,
    OPTION,
    WIDE,
    Option,
    Skeleton,
    Slot,
)
from nahas.train.model import BATCH_NORM


def supernet(skeleton: Skeleton) -> Any:
    """A Keras model of all networks of a skeleton, with fresh random weights.

    Returns:
        `keras.Model`. Called with {"images": [B, H, W, C], "codes": [S, 6]} it gives
        logits [B, classes]; `calibration=n` takes the statistics of the first n images.
    """
    return _supernet_class()(skeleton)


@cache
def _supernet_class() -> Any:
    import keras

    ops = keras.ops

    class Supernet(keras.Model):
        """See `supernet`."""

        def __init__(self, skeleton: Skeleton) -> None:
            super().__init__()
            self.skeleton = skeleton
            ends, slots = skeleton.ends, skeleton.slots
            last = slots[-1].filters
            kernel = ends.stem_kernel
            self._stem = self._convolution(
                "stem", kernel, ends.channels, ends.stem_filters
            )
            self._head = self._convolution("head", 1, last, ends.head_filters)
            self._slots = [self._slot(f"slot{i}", slot) for i, slot in enumerate(slots)]
            shape = (ends.head_filters, ends.classes)
            self._classifier = self.add_weight(
                shape=shape, initializer="glorot_uniform", name="classifier_kernel"
            )
            self._bias = self.add_weight(
                shape=shape[1:], initializer="zeros", name="classifier_bias"
            )
            self.built = True

        def _convolution(
            self, name: str, kernel: int, channels: int, filters: int
        ) -> dict[str, Any]:
            """Weights of a convolution and of its normalization."""
            weights = self.add_weight(
                shape=(kernel, kernel, channels, filters),
                initializer="he_normal",
                name=f"{name}_kernel",
            )
            return {"kernel": weights, **self._normalization(name, filters)}

        def _normalization(self, name: str, filters: int) -> dict[str, Any]:
            return {
                "gamma": self.add_weight(
                    shape=(filters,), initializer="ones", name=f"{name}_gamma"
                ),
                "beta": self.add_weight(
                    shape=(filters,), initializer="zeros", name=f"{name}_beta"
                ),
            }

        def _slot(self, name: str, slot: Slot) -> dict[str, Any]:
            """Weights of a slot: those of each kind hold all of its options."""
            found: dict[str, Any] = {}
            # In order: weights are stored, and given their first values, one by one.
            for kind in sorted({kind for kind, _, _ in slot.options}):
                own = [option for option in slot.options if option[0] == kind]
                single = [o for o in own if o[0] == "fused_ibn" and o[2] == 1]
                inner = [o for o in own if o not in single]
                if single:
                    kernel = max(kernel for _, kernel, _ in single)
                    found["single"] = self._convolution(
                        f"{name}_single", kernel, slot.channels, slot.filters
                    )
                if not inner:
                    continue
                kernel = max(kernel for _, kernel, _ in inner)
                wide = max(map(slot.wide, inner))
                first = kernel if kind == "fused_ibn" else 1
                found[f"{kind}_expand"] = self._convolution(
                    f"{name}_{kind}_expand", first, slot.channels, wide
                )
                if kind == "ibn":
                    found["depthwise"] = {
                        "kernel": self.add_weight(
                            shape=(kernel, kernel, wide, 1),
                            initializer="he_normal",
                            name=f"{name}_depthwise_kernel",
                        ),
                        **self._normalization(f"{name}_depthwise", wide),
                    }
                found[f"{kind}_project"] = self._convolution(
                    f"{name}_{kind}_project", 1, wide, slot.filters
                )
            return found

        def call(
            self,
            inputs: dict[str, Any],
            training: bool = False,
            calibration: int | None = None,
        ) -> Any:
            """Logits of a network's codes for images."""
            del training  # statistics are always the batch's
            x, codes = inputs["images"], inputs["codes"]
            ends = self.skeleton.ends
            x = _conv(x, self._stem, strides=ends.stem_stride)
            x = _normalized(x, self._stem, ends.activation, calibration)
            for i, slot in enumerate(self.skeleton.slots):
                x = _block(x, slot, self._slots[i], codes[i], calibration)
            x = _normalized(
                _conv(x, self._head), self._head, ends.activation, calibration
            )
            x = ops.mean(x, axis=(1, 2))
            return ops.matmul(x, self._classifier) + self._bias

    def _block(
        x: Any, slot: Slot, weights: dict[str, Any], code: Any, calibration: int | None
    ) -> Any:
        """What stands in a slot, applied to x [B, H, W, channels]."""
        branches = [
            (lambda x, option=option: _branch(
                x, slot, option, weights, code, calibration
            ))
            for option in slot.options
        ]  # fmt: skip
        if not slot.empty:
            if len(branches) == 1:
                y = branches[0](x)
            else:
                y = ops.switch(code[OPTION] - 1, branches, x)
        else:
            y = ops.switch(code[OPTION], [lambda x: x, *branches], x)
        if slot.stride > 1 or slot.empty:
            return y  # an empty slot's branches add by themselves
        return y + ops.cast(code[ADDS], x.dtype) * _resized(x, slot.filters)

    def _branch(
        x: Any,
        slot: Slot,
        option: Option,
        weights: dict[str, Any],
        code: Any,
        calibration: int | None,
    ) -> Any:
        kind, kernel, expansion = option
        wide = slot.wide(option)
        y = x
        if kind == "fused_ibn" and expansion == 1:
            own = weights["single"]
            middle = _middle(own["kernel"], kernel)
            if slot.grouped:
                middle = middle * _groups(middle.shape, code, CHANNELS, FILTERS)
            y = ops.conv(y, middle, strides=slot.stride, padding="same")
            y = _normalized(y, own, slot.activation, calibration)
            return _masked(y, slot, code[FILTERS])
        if kind == "fused_ibn" or expansion > 1:
            own = weights[f"{kind}_expand"]
            fused = kind == "fused_ibn"
            first = _middle(own["kernel"], kernel if fused else 1)[..., :wide]
            if slot.grouped:
                first = first * _groups(first.shape, code, CHANNELS, WIDE)
            strides = slot.stride if fused else 1
            y = ops.conv(y, first, strides=strides, padding="same")
            y = _normalized(y, own, slot.activation, calibration)
        if kind == "ibn":
            own = weights["depthwise"]
            middle = _middle(own["kernel"], kernel)[:, :, :wide]
            y = ops.depthwise_conv(y, middle, strides=slot.stride, padding="same")
            y = _normalized(y, own, slot.activation, calibration)
        y = _masked(y, slot, code[WIDE])
        own = weights[f"{kind}_project"]
        y = ops.conv(y, own["kernel"][:, :, :wide], padding="same")
        y = _masked(_normalized(y, own, "", calibration), slot, code[FILTERS])
        if slot.empty:
            y = y + ops.cast(code[ADDS], y.dtype) * x
        return y

    def _conv(x: Any, own: dict[str, Any], strides: int = 1) -> Any:
        return ops.conv(x, own["kernel"], strides=strides, padding="same")

    def _normalized(
        x: Any, own: dict[str, Any], activation: str, calibration: int | None
    ) -> Any:
        """By the batch's statistics, or those of its first images, and activated."""
        channels = x.shape[-1]
        mean, variance = ops.moments(x[:calibration], axes=(0, 1, 2))
        scale = own["gamma"][:channels] * ops.rsqrt(variance + BATCH_NORM["epsilon"])
        y = x * scale + (own["beta"][:channels] - mean * scale)
        if not activation:
            return y
        if activation == "relu6":
            return ops.relu6(y)
        names = {"hswish": "hard_swish", "swish": "silu"}
        return getattr(ops, names.get(activation, activation))(y)

    def _masked(x: Any, slot: Slot, count: Any) -> Any:
        """Without the channels that the network has not."""
        if not slot.varied:
            return x
        return x * ops.cast(ops.arange(x.shape[-1]) < count, x.dtype)

    def _groups(shape: Any, code: Any, inputs: int, outputs: int) -> Any:
        """[1, 1, C, F] 1 where input and output are of one group."""
        first = ops.arange(shape[2]) * code[GROUPS] // code[inputs]
        second = ops.arange(shape[3]) * code[GROUPS] // code[outputs]
        return ops.cast(first[:, None] == second, "float32")[None, None]

    def _middle(kernel: Any, size: int) -> Any:
        """The middle of square kernels."""
        edge = (kernel.shape[0] - size) // 2
        return kernel[edge : edge + size, edge : edge + size]

    def _resized(x: Any, channels: int) -> Any:
        """With so many channels: the last ones are cut off, or zeros."""
        more = channels - x.shape[-1]
        if more <= 0:
            return x[..., :channels]
        return ops.pad(x, [(0, 0), (0, 0), (0, 0), (0, more)])

    return Supernet
