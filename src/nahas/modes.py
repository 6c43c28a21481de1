"""Modes: which of network and accelerator a search chooses, and in what order.

docs/modes.md has their definitions; the controllers of `controller/` do the work.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nahas.accelerator.grid import BASELINE
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.presets import PRESETS
from nahas.accelerator.template import Accelerator
from nahas.config import Config
from nahas.controller.controller import Controller
from nahas.controller.description import describe
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.fixed_accelerator import FixedAccelerator
from nahas.controller.nested import Nested
from nahas.controller.phases import Phases
from nahas.controller.study import Study
from nahas.controller.warm_start import WarmStart
from nahas.output import in_words
from nahas.platform_table import preset
from nahas.warm_starts import recorded

_PLACE = "fixed.accelerator"


def fixed_accelerator(config: Config) -> Accelerator:
    """The accelerator of mode "fixed".

    Raises:
        ValueError: If there is no preset of that name.
    """
    return preset(config.fixed.accelerator, "accelerator", _PLACE).accelerator


def with_split(config: Config, before: Config | None = None) -> Config:
    """The configuration with the trials of a first phase, where that has any.

    It is a number from then on: a longer study must extend a shorter one.

    Args:
        config: What is asked for; one that says the number stays as it is.
        before: What the study was begun with, whose number stays.
    """
    phases = config.phases
    if config.search.mode != "phases" or phases.first is not None:
        return config
    first = before.phases.first if before else None
    if first is None:
        first = max(config.search.window + 1, config.search.trials // 3)
    return replace(config, phases=replace(phases, first=first))


def with_area(config: Config, before: Config | None = None) -> Config:
    """The configuration with the baseline's area as a limit, on its platform.

    Without one the biggest accelerator wins, whatever the mode.

    Args:
        config: What is asked for.
        before: What the study was begun with, whose limit stays.
    """
    area = float(area_mm2([BASELINE], config.platform)[0])
    limit = before.limits.max_area_mm2 if before else area
    return replace(config, limits=replace(config.limits, max_area_mm2=limit))


def in_mode(config: Config, named: Callable[[str], Controller]) -> Controller:
    """The controller of a search in its mode.

    Args:
        config: What is asked for.
        named: Makes a new controller of a name.

    Raises:
        ValueError: If mode, settings and controllers do not fit each other.
    """
    mode, name = config.search.mode, config.search.controller
    if mode != "fixed" and config.fixed.accelerator != "baseline":
        raise ValueError(
            "`accelerator` must be left out unless the mode is fixed. Received "
            f"{config.fixed.accelerator!r} in mode {mode!r} (in {_PLACE})."
        )
    networks = named(name)
    if mode == "joint":
        return networks
    if isinstance(networks, ExactSweep):
        raise ValueError(
            "`mode` must be 'joint' where a sweep gives each network its accelerator. "
            f"Received {mode!r} with controller {name!r} (in search.mode)."
        )
    if mode == "fixed":
        return FixedAccelerator(networks, fixed_accelerator(config))
    section = config.phases if mode == "phases" else config.nested
    accelerators = named(section.accelerators or name)
    if mode == "nested":
        return Nested(accelerators, networks, config.nested.inner)
    first, window = with_split(config).phases.first, config.search.window
    if first is None or first <= window:
        raise ValueError(
            "`first` must be more than the window, or no trial of the first phase is "
            f"known when it ends. Received {first} with a window of {window} "
            "(in phases.first)."
        )
    return Phases(accelerators, networks, first)


_CLASSES = {
    mode: describe(kind())["class"]
    for mode, kind in {
        "fixed": FixedAccelerator,
        "phases": Phases,
        "nested": Nested,
    }.items()
}


def mode_of_search(study: Study) -> str:
    """The mode of a study."""
    found = _described(study).get("class")
    return next((mode for mode, name in _CLASSES.items() if name == found), "joint")


def split_in_words(study: Study, done: int) -> str:
    """How a study divides its trials, `done` by now; empty where it is joint."""
    described, mode = _described(study), mode_of_search(study)
    if mode in ("phases", "nested"):
        done = max(0, done - len(recorded(study) or ()))
    if mode == "fixed":
        values = {k: v for k, v in described["accelerator"].items() if k != "class"}
        chip = Accelerator(**values)
        named = (name for name, known in PRESETS.items() if known.accelerator == chip)
        return f"all {done} trials on {next(named, in_words(chip))}"
    if mode == "phases":
        # The first phase goes on until a trial is known.
        first = max(described["first"], study.config["window"])
        return (
            f"{min(first, done)} trials for the accelerator of the reference network, "
            f"{max(0, done - first)} for the network on it"
        )
    if mode == "nested":
        inner = described["inner"]
        return f"{-(-done // inner)} accelerators, {inner} trials of networks on each"
    return ""


def _described(study: Study) -> dict[str, Any]:
    """The study's controller, behind a warm start; of a user's own perhaps a name."""
    found = study.config.get("controller")
    if isinstance(found, dict) and found.get("class") == describe(WarmStart):
        found = found["inner"]
    return found if isinstance(found, dict) else {}
