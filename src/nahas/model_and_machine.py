"""What the commands around one model share: its naming, and the machine it meets."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nahas.accelerator.template import Accelerator, Platform

MODEL = """\
MODEL is a model file (.keras, .tflite, .onnx), a model of Keras Applications
(keras:ResNet50), a published network by its name (below), a network's text, a pair's
JSON, a study's folder (its best pair), or a file that holds a text or a pair.

Published networks: MobileNetV2, EfficientNetB0 .. B7, EfficientNetLite0 .. 4,
EfficientNetEdgeTPU-S, -M, -L, MobileNetEdgeTPU-0.75, -1, -1.25, -1.5, -1.75,
MobileNetEdgeTPUv2-Tiny, -XS, -S, -M, -L, MnasNet-A1, -B1."""
"""What stands for MODEL on the command line."""


def machine(
    settings: list[str],
    own: "Accelerator | None",
    *,
    preset: str | None = None,
    own_platform: "Platform | None" = None,
    only_platform: bool = False,
) -> tuple["Accelerator", "Platform"]:
    """The accelerator and platform of a preset with the settings.

    Without a preset the two are a pair's `own` and its study's `own_platform`, or the
    baseline's.

    Raises:
        ValueError: If there is no such preset, a setting names no field, or its value
            fits none.
    """
    from nahas.accelerator.presets import PRESETS
    from nahas.accelerator.template import Accelerator, Platform
    from nahas.config import merge
    from nahas.decode import decode, keys, nearest, unknown

    sections = ["platform"] if only_platform else ["accelerator", "platform"]
    table: Mapping[str, Any] = merge({}, settings)
    for section in table:
        if section not in sections:
            raise ValueError(unknown(section, sections, ""))
    if preset is not None and preset not in PRESETS:
        raise ValueError(
            f"The accelerator must be one of {', '.join(PRESETS)}."
            f"{nearest(preset, list(PRESETS))} Received {preset!r}."
        )
    chip, around = PRESETS[preset or "baseline"]
    if preset is None and own_platform is not None:
        around = own_platform
    accelerator = asdict(chip if preset or own is None else own)
    said = {name: getattr(around, name) for name in keys(Platform)}
    platform = decode(Platform, said | table.get("platform", {}), "platform")
    return (
        decode(Accelerator, accelerator | table.get("accelerator", {}), "accelerator"),
        replace(
            platform, capabilities=around.capabilities, technology=around.technology
        ),
    )


def check_top(top: int | None) -> None:
    """Raises ValueError unless `--top` is absent or a positive integer."""
    if top is not None and top < 1:
        raise ValueError(f"`--top` must be a positive integer. Received {top}.")
