"""Parts: the space, controller and oracle that a configuration names.

A word with a colon, `module:name`, names the user's own: the module is imported, here
and in the workers.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nahas.config import Config, NetworkConfig
from nahas.controller import CONTROLLERS
from nahas.controller.controller import Controller, Informed
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.judgement import Task
from nahas.controller.screening import Screening, check_together
from nahas.controller.warm_start import WarmStart
from nahas.modes import fixed_accelerator, in_mode
from nahas.named import check_known, made, named_object
from nahas.oracles import make_oracle, make_screening
from nahas.platform_table import KEY, differences, preset, to_table
from nahas.search_space.joint import Candidate, joint_space
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.oracle import Oracle
from nahas.search_space.space import SearchSpace
from nahas.search_space.tailor import tailor
from nahas.warm_starts import FirstTrials, Rows, first_trials

SWEEP = "sweep-"
"""What the name of a controller begins with whose accelerators are swept."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a search is made of.

    Attributes:
        task: What is asked of each candidate.
        controller: Who chooses; new.
        oracle: Says how accurate a network is.
        screening: Cheaper oracles that are asked first; None for none.
    """

    task: Task
    controller: Controller
    oracle: Oracle
    screening: Screening | None

    @property
    def oracles(self) -> list[Oracle]:
        """Those that screen, the cheapest first, and then the study's own."""
        return [*(self.screening.oracles if self.screening else ()), self.oracle]


def make_parts(config: Config, first: Rows | None = None) -> Parts:
    """The parts that a configuration names, which fit each other.

    Args:
        config: What is asked for.
        first: Choices of the first trials; those of its warm start if not given.

    Raises:
        ValueError: If there is none of a name, the oracle has no data or knows no
            network of the space, or the controller refuses the space.
        TypeError: If the user's own object is not what it is named as.
    """
    space = make_space(config)
    if first is None:
        first = warm_start(config, space).rows
    controller = make_controller(config, first)
    oracle, screening = make_oracle(config), make_screening(config)
    task = Task(
        space,
        config.platform,
        config.limits,
        config.goal,
        oracle.key,
        config.search.reject,
        screening,
    )
    parts = Parts(task, controller, oracle, screening)
    check_together(parts.oracles)
    for asked in parts.oracles:
        if hasattr(asked, "dataset"):
            asked.dataset()  # a missing one would fail every training
        check_known_to(asked, space)
    if isinstance(controller, Informed):  # `search` would refuse it too, but later
        controller.inform(task.told)
    return parts


def warm_start(config: Config, space: SearchSpace) -> FirstTrials:
    """The first trials that `search.warm_start` names, in the joint space.

    Raises:
        ValueError: If it names nothing, or what is not of the space.
    """
    on = fixed_accelerator(config) if config.search.mode == "fixed" else None
    return first_trials(config.search.warm_start, space, on)


def make_space(config: Config) -> SearchSpace:
    """The joint space of networks and accelerators that `search.space` names.

    Raises:
        ValueError: If there is none of that name.
        TypeError: If the user's own object is not a space.
    """
    space = network_space(config.search.space, config.network)
    if isinstance(_some(space), Candidate):
        if config.search.tailor:
            raise ValueError(
                "`tailor` must be left out where the space is one of pairs. Received "
                f"{config.search.tailor!r} (in search.tailor)."
            )
        return space
    return joint_space(tailored(space, config), also=fixed_accelerator(config))


def tailored(space: SearchSpace, config: Config) -> SearchSpace:
    """A space of networks, tailored to what `search.tailor` names, if it does.

    Raises:
        ValueError: If there is no preset of that name.
    """
    if not config.search.tailor:
        return space
    chip = preset(config.search.tailor, "tailor", "search.tailor").accelerator
    return tailor(space, chip, config.platform)


def of_networks(space: SearchSpace) -> SearchSpace:
    """The space, which is one of networks.

    Raises:
        TypeError: If it is one of pairs, or of something else.
    """
    if not isinstance(found := _some(space), Network):
        raise TypeError(
            f"SPACE must be one of networks. Received {space.name}, whose points are "
            f"of type {type(found).__name__}."
        )
    return space


def platform_notes(config: Config) -> list[str]:
    """Which accelerators of presets a search takes to another platform than theirs.

    Raises:
        ValueError: If there is no preset of a name.
    """
    search, fixed = config.search, config.fixed.accelerator
    taken = [("The space is tailored to", "search.tailor", search.tailor)]
    if search.mode == "fixed" and fixed != "baseline":
        taken.append(("Networks run on", "fixed.accelerator", fixed))
    notes = []
    for what, place, name in taken:
        if not name:
            continue
        own = preset(name, place.rpartition(".")[2], place).platform
        differing = differences(config.platform, own)
        if not differing:
            continue
        begun = to_table(config.platform).get(KEY) == name
        hint = "" if begun else f" --set platform.{KEY}={name} starts from that."
        notes.append(
            f"{what} the accelerator of {name} on this search's platform, which "
            f"differs from {name}'s own in {', '.join(differing)}.{hint}"
        )
    return notes


def network_space(name: str, network: NetworkConfig | None = None) -> SearchSpace:
    """The space of networks, or one's own of pairs, of a name.

    Raises:
        ValueError: If there is none of that name, or sizes are given to one's own.
        TypeError: If the user's own object is not a space.
    """
    place, network = "search.space", network or NetworkConfig()
    sizes = asdict(network)
    if ":" not in name:
        check_known(name, tuple(NETWORK_SPACES), place)
        return NETWORK_SPACES[name](**sizes)
    if network != NetworkConfig():
        raise ValueError(
            f"`network` must be left out where the space is one's own, which says its "
            f"sizes itself. Received {sizes} with {name!r} (in network)."
        )
    space = named_object(name, place)
    if callable(space) and not isinstance(space, SearchSpace):
        space = space()
    if not isinstance(space, SearchSpace):
        raise TypeError(
            f"`{name}` must be a SearchSpace or a function without arguments that "
            f"returns one. Received {type(space).__name__} (in {place})."
        )
    return space


def _some(space: SearchSpace) -> object:
    """A candidate of the space; None where the first hundred cannot be built."""
    for choices in _some_choices(space):
        with suppress(ValueError):  # some choices may be no network
            return space.decode(choices)
    return None


def _some_choices(space: SearchSpace) -> NDArray[np.int64]:
    """[101, D] the first choices and a hundred random ones."""
    first = np.zeros((1, len(space.knobs)), dtype=np.int64)
    return np.concatenate([first, space.random(np.random.default_rng(0), 100)])


def make_controller(config: Config, first: Rows = ()) -> Controller:
    """A new controller of the kind that `search.controller` names, in its mode.

    Args:
        config: What is asked for.
        first: Choices of the first trials, before its own.

    Raises:
        ValueError: If there is none of that name, or it does not fit the mode.
        TypeError: If the user's own object is not a controller.
    """
    controller = in_mode(config, partial(_named_controller, config))
    return WarmStart(controller, first) if first else controller


def _named_controller(config: Config, name: str) -> Controller:
    place = "search.controller"
    if ":" not in name:
        check_known(name, tuple(CONTROLLERS), place)
        inner = name.removeprefix(SWEEP)
        # Each has the section of its name, but for random search: it has no settings.
        section = getattr(config, inner, None)
        chooses = CONTROLLERS[inner]() if section is None else replace(section)
        return chooses if inner == name else ExactSweep(chooses)
    mine = made(named_object(name, place))
    if not isinstance(mine, Controller):
        raise TypeError(
            f"`{name}` must be a controller: a class with setup, propose and update. "
            f"Received {type(mine).__name__} (in {place})."
        )
    return mine


def check_known_to(oracle: Oracle, space: SearchSpace) -> None:
    """Checks that an oracle with a `check(network)` knows networks of a space.

    Raises:
        ValueError: Of the first network, if it knows none of those that are tried.
    """
    check, refused = getattr(oracle, "check", None), None
    if check is None:
        return
    for choices in _some_choices(space):
        try:
            check(space.decode(choices).network)
        except ValueError as error:
            refused = refused or error
        else:
            return
    if refused:
        raise ValueError(f"{refused} (space {space.name}, in search.space)")
