"""The command `co-train`: networks, accelerators and shared weights at once."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.cli_one_shot import LOG, add_fidelity, check_fidelity, follow
from nahas.output import duration, note, number, percent, print_json
from nahas.usage import (
    LIMITS,
    UsageError,
    add_command,
    add_json,
    add_limits,
    add_settings,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.config import Config
    from nahas.joint_choice import JointChoice
    from nahas.search_space.space import SearchSpace

RESULT = "result.json"
_ALONE = ("final", "alternation")  # sections that are none of a search's
_SECTIONS = ("reward", "limits", "platform", "network")
_OF_SEARCH = ("controller", "reject", "tailor")
_DEFAULTS: dict[str, Any] = {
    "final": {"operations": 0},
    "search": {"controller": "reinforce"},
}


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    both = add_command(
        commands,
        "co-train",
        _co_train,
        summary="search networks and accelerators while shared weights are trained",
        description="TuNAS's loop over pairs of a network and an accelerator: each "
        "step measures the network of a proposed pair with the shared weights as they "
        "are, simulates its costs, tells the controller the reward, and trains the "
        "network on a batch. In the end the policy's mode and pairs that it proposes "
        "are measured with the trained weights, and the best is kept.",
        examples=[
            "co-train s3 --data cifar10 --max-latency-ms 0.3",
            "co-train s3 --data mine.npz --set reward.form=absolute "
            "--set reward.latency_ms=0.3 --set reward.beta=-0.5",
            "train runs/co_train/best.json --data cifar10 --seeds 3",
        ],
        notes="Sections of --set: those of a search that matter here (reward, limits, "
        "platform, network, the controller's own, and search.controller, .reject and "
        ".tailor), final, the recipe of the weights without dropout, and alternation: "
        "warm_up (share of the epochs in which the weights alone learn) and images "
        "(validation images a step).",
    )
    both.add_argument(
        "space", metavar="SPACE", help="s1, s2, s3, nas-bench-macro or module:name"
    )
    add_fidelity(both, "runs/co_train")
    add_limits(both, "default: the baseline's area")
    add_settings(both, "reward.latency_ms=0.3 or final.epochs=60")
    add_json(both)


def _co_train(arguments: argparse.Namespace) -> int:
    from nahas.child import start
    from nahas.config import merge
    from nahas.decode import decode_sections
    from nahas.joint_choice import NoneFitsError
    from nahas.train.co_training import Alternation
    from nahas.train.data import load
    from nahas.train.recipe import FinalRecipe
    from nahas.train.shared_training import check, skeleton_of
    from nahas.train.shared_weights import Fidelity

    with reading_input():
        check_fidelity(arguments)
        table = merge(_DEFAULTS, arguments.settings)
        alone = {name: table.pop(name) for name in _ALONE if name in table}
        recipe, alternation = decode_sections(
            alone, final=FinalRecipe, alternation=Alternation
        )
        config = _config(arguments, table)
        fidelity = Fidelity(arguments.resolution, arguments.width)
        data = load(arguments.data, arguments.resolution)
        check(data, fidelity, recipe, 1)
        space, chooser = _space(config), _chooser(config)
        slots = skeleton_of(space, fidelity, data).slots
        try:
            chooser.propose()  # limits that nothing keeps are known before the warm-up
        except NoneFitsError as error:
            raise UsageError(str(error)) from None
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    note(
        f"{recipe.epochs} epochs of {len(data.train):,} images at {data.resolution}x"
        f"{data.resolution}, {len(slots)} slots of {arguments.space} and the "
        f"accelerator, by {config.search.controller}, in {folder}."
    )
    asked = (config, arguments.data, fidelity, recipe, alternation, folder)
    child = start(folder / LOG, _train, *asked, arguments.threads)
    try:
        found = follow(child, folder / LOG)
    except KeyboardInterrupt:
        return 1
    if arguments.json:
        print_json(found)
    else:
        _print(found, folder)
    return 0


def _config(arguments: argparse.Namespace, table: dict[str, Any]) -> "Config":
    """Of the search, with the options in it.

    Raises:
        ValueError: If a section or a key is none of a co-training's, or a value is
            refused.
        TypeError: If a value has another type.
    """
    from nahas.config import from_dict
    from nahas.controller import CONTROLLERS
    from nahas.decode import unknown
    from nahas.modes import with_area

    asked = table["search"]
    sections = ["search", *_SECTIONS, *_ALONE]
    if (own := str(asked["controller"])) in CONTROLLERS:
        sections.append(own)
    for path, known, given in (("", sections, table), ("search", _OF_SEARCH, asked)):
        for key in given:
            if key not in known:
                raise ValueError(unknown(key, list(known), path))
    asked |= {"space": arguments.space, "seed": arguments.seed}
    for name in LIMITS:
        if (value := getattr(arguments, name)) is not None:
            table.setdefault("limits", {})[name] = value
    config = from_dict(table)
    return config if "max_area_mm2" in table.get("limits", {}) else with_area(config)


def _space(config: "Config") -> "SearchSpace":
    """Of the networks that share the weights."""
    from nahas.parts import network_space, of_networks, tailored

    space = of_networks(network_space(config.search.space, config.network))
    return tailored(space, config)


def _chooser(config: "Config") -> "JointChoice":
    """Who chooses pairs, new."""
    from nahas.controller.judgement import Task
    from nahas.joint_choice import JointChoice
    from nahas.parts import make_controller
    from nahas.search_space.joint import joint_space

    search = config.search
    task = Task(
        joint_space(_space(config)), config.platform, config.limits, config.goal,
        "one-shot", search.reject,
    )  # fmt: skip
    return JointChoice(task, make_controller(config), search.seed)


def _train(
    send: Callable[[Any], None],
    config: "Config",
    data: str,
    fidelity: Any,
    recipe: Any,
    alternation: Any,
    folder: Path,
    threads: int,
) -> None:
    """Runs in the child: sends each epoch, and what was found in the end."""
    from nahas.accelerator.template import Accelerator
    from nahas.closing import write_json
    from nahas.config import to_stored
    from nahas.controller.description import describe
    from nahas.final_queue import held
    from nahas.joint_choice import best_of
    from nahas.models import BEST
    from nahas.search_space.joint import Candidate
    from nahas.search_space.network import Network
    from nahas.study_platform import KEY
    from nahas.train.co_training import co_train
    from nahas.train.data import load
    from nahas.train.shared_weights import WEIGHTS, OneShot, SharedWeights

    chooser = _chooser(config)
    with held(folder):
        co_train(
            _space(config), chooser, load(data, fidelity.resolution), fidelity, recipe,
            alternation, folder, seed=config.search.seed, rules=to_stored(config),
            threads=threads, progress=lambda *message: send(message),
        )  # fmt: skip
    found = chooser.found(OneShot(str(folder), threads=threads))
    best = best_of(found)
    result = {
        "best": best,
        "mode": next((row for row in found if row["mode"]), None),
        "pairs": found,
        "trials": chooser.trials,
        "refused": chooser.refused,
        "entropy": chooser.entropy(),
        "cpu_seconds": SharedWeights.read(folder / WEIGHTS).seconds,
        "final": asdict(recipe),
    }
    write_json(folder / RESULT, result)
    if best is not None:
        network = Network.parse(best["network"])
        pair = Candidate(network, Accelerator(**best["accelerator"])).to_json()
        write_json(folder / BEST, pair | {KEY: describe(config.platform)})
    send(result)


def _print(found: dict[str, Any], folder: Path) -> None:
    from nahas.models import BEST

    best = found["best"]
    if best is None:
        print(
            f"No pair that was proposed keeps the limits; see {folder / RESULT}. "
            "Loosen them, or train longer."
        )
        return
    entropy = "" if found["entropy"] is None else (
        f"; the policy has {percent(found['entropy'])} of the uniform one's entropy"
    )  # fmt: skip
    print(
        f"Best pair, {percent(best['accuracy'])} with shared weights, "
        f"{number(best['latency_ms'])} ms, {number(best['energy_mj'])} mJ, "
        f"{number(best['area_mm2'])} mm2:\n  {best['network']}\n"
        f"after {found['trials']:,} pairs, {found['refused']:,} of them refused, and "
        f"{duration(found['cpu_seconds'])} of CPU{entropy}.\n"
        f"Train it to the end: nahas train {folder / BEST} --data ..."
    )
