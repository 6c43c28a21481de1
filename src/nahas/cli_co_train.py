"""The command `co-train`: networks, accelerators and shared weights at once."""

import argparse
from collections.abc import Callable, Mapping
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

RESULT = "result.json"
_ALONE = ("final", "alternation")  # sections that are none of a search's
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
        notes="Sections of --set: those of a search (reward, limits, platform, "
        "network, search.controller and the controller's own), final, the recipe of "
        "the weights without dropout, and alternation: warm_up (share of the epochs in "
        "which the weights alone learn) and images (validation images a step).",
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
    from nahas.config import from_dict, merge
    from nahas.decode import decode
    from nahas.modes import with_area
    from nahas.parts import make_controller, network_space
    from nahas.train.co_training import Alternation
    from nahas.train.data import load
    from nahas.train.recipe import FinalRecipe
    from nahas.train.shared_training import check, skeleton_of
    from nahas.train.shared_weights import Fidelity

    with reading_input():
        check_fidelity(arguments)
        table = merge(_DEFAULTS, arguments.settings)
        alone = {name: table.pop(name, {}) for name in _ALONE}
        table["search"] |= {"space": arguments.space, "seed": arguments.seed}
        for name in LIMITS:
            if (value := getattr(arguments, name)) is not None:
                table.setdefault("limits", {})[name] = value
        config = from_dict(table)
        if "max_area_mm2" not in table.get("limits", {}):
            config = with_area(config)
        if config.search.mode != "joint" or config.search.minimise:
            raise UsageError(
                "`co-train` searches pairs for the highest reward: search.mode and "
                "search.minimise must be left out."
            )
        make_controller(config)
        recipe = decode(FinalRecipe, alone["final"])
        alternation = decode(Alternation, alone["alternation"])
        fidelity = Fidelity(arguments.resolution, arguments.width)
        data = load(arguments.data, arguments.resolution)
        check(data, fidelity, recipe, 1)
        space = network_space(arguments.space, config.network)
        slots = skeleton_of(space, fidelity, data).slots
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
    from nahas.controller.judgement import Task
    from nahas.joint_choice import JointChoice, best_of
    from nahas.models import BEST
    from nahas.parts import make_controller, make_space, network_space
    from nahas.search_space.joint import Candidate
    from nahas.search_space.network import Network
    from nahas.study_platform import KEY
    from nahas.train.co_training import co_train
    from nahas.train.data import load
    from nahas.train.shared_weights import WEIGHTS, OneShot, SharedWeights

    oracle = OneShot(str(folder), threads=threads)
    search = config.search
    task = Task(
        make_space(config), config.platform, config.limits, config.goal, "one-shot",
        search.reject,
    )  # fmt: skip
    chooser = JointChoice(task, make_controller(config), search.seed)
    entropies: list[float | None] = []

    def tell(done: int, of: int, row: Mapping[str, float]) -> None:
        entropies.append(chooser.entropy())
        send((done, of, dict(row)))

    co_train(
        network_space(search.space, config.network), chooser,
        load(data, fidelity.resolution), fidelity, recipe, alternation, folder,
        seed=search.seed, rules=to_stored(config), threads=threads, progress=tell,
    )  # fmt: skip
    found = chooser.found(oracle)
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
