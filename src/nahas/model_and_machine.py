"""What the commands around one model share: its naming, and the machine it meets."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nahas.accelerator.template import Accelerator, Platform

MODEL = """\
MODEL is a model file (.keras, .tflite, .onnx), a model of Keras Applications
(keras:ResNet50), a published network by its name (below), a network's text, a pair's
JSON (best.json of a study), or a file that holds one of these two.

Published networks: MobileNetV2, EfficientNetB0 .. B7, EfficientNetLite0 .. 4,
EfficientNetEdgeTPU-S, -M, -L, MobileNetEdgeTPU-0.75, -1, -1.25, -1.5, -1.75,
MobileNetEdgeTPUv2-Tiny, -XS, -S, -M, -L, MnasNet-A1, -B1."""
"""What stands for MODEL on the command line."""


def machine(
    settings: list[str],
    own: "Accelerator | None",
    *,
    only_platform: bool = False,
) -> tuple["Accelerator", "Platform"]:
    """The accelerator (its own, or the baseline) and platform with the settings.

    Raises:
        ValueError: If a setting names no field, or its value fits none.
    """
    from nahas.accelerator.grid import BASELINE
    from nahas.accelerator.template import Accelerator, Platform
    from nahas.config import merge
    from nahas.decode import decode, unknown

    sections = ["platform"] if only_platform else ["accelerator", "platform"]
    table: Mapping[str, Any] = merge({}, settings)
    for section in table:
        if section not in sections:
            raise ValueError(unknown(section, sections, ""))
    base = asdict(own or BASELINE) | table.get("accelerator", {})
    return (
        decode(Accelerator, base, "accelerator"),
        decode(Platform, table.get("platform", {}), "platform"),
    )


def check_top(top: int | None) -> None:
    """Raises ValueError unless `--top` is absent or a positive integer."""
    if top is not None and top < 1:
        raise ValueError(f"`--top` must be a positive integer. Received {top}.")
