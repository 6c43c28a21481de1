"""The command `one-shot`: weights that all networks of a space share."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.output import duration, note, print_json
from nahas.usage import (
    UsageError,
    add_command,
    add_images,
    add_json,
    add_settings,
    check_folder,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.child import Child
    from nahas.train.one_shot import Sampling
    from nahas.train.recipe import FinalRecipe
    from nahas.train.shared_weights import Fidelity

LOG = "training.log"
_DEFAULTS = {"final": {"operations": 0}}


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    shared = add_command(
        commands,
        "one-shot",
        _one_shot,
        summary="train the weights that all networks of a space share",
        description="Trains one model that holds all networks of a space: each step "
        "trains one of them, drawn by a rule. Searches then ask it for accuracies "
        "(--accuracy one-shot:FOLDER), seconds a network in place of a training. A "
        "checkpoint is written each epoch; the same command goes on after any "
        "interruption, to the same weights.",
        examples=[
            "one-shot nas-bench-macro --data cifar10 --resolution 16 --width 0.25",
            "one-shot s3 --data mine.npz --width 0.5 --set final.epochs=60 "
            "--set sampling.rule=sandwich --folder runs/shared",
            "search --space s3 --accuracy one-shot:runs/shared",
        ],
        notes="Sections of --set: final is the recipe, as of `nahas train`, without "
        "dropout; sampling has rule (uniform, fair or sandwich), round (networks whose "
        "gradients are averaged to an update) and largest_epochs (in which the largest "
        "network alone is trained, at first).",
    )
    shared.add_argument(
        "space", metavar="SPACE", help="s1, s2, s3, nas-bench-macro or module:name"
    )
    add_fidelity(shared, "runs/one_shot")
    add_settings(shared, "final.epochs=60 or sampling.rule=sandwich")
    add_json(shared)


def add_fidelity(parser: argparse.ArgumentParser, folder: str) -> None:
    """Adds what all trainings of shared weights are asked for."""
    add_images(parser, resolution=16, width=0.25)
    parser.add_argument(
        "--seed", type=int, metavar="N", default=0,
        help="of weights, networks, order and augmentation (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=int, metavar="N", default=1,
        help="of TensorFlow; the weights depend on it (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--folder", metavar="DIR", default=folder,
        help="where the weights lie (default: %(default)s)",
    )  # fmt: skip


def check_fidelity(arguments: argparse.Namespace) -> None:
    """Raises a UsageError unless the options of `add_fidelity` are sound."""
    for name, least in (("resolution", 1), ("threads", 1), ("seed", 0)):
        if getattr(arguments, name) < least:
            raise UsageError(
                f"`--{name}` must be an integer of at least {least}. Received "
                f"{getattr(arguments, name)}."
            )
    if not 0 < arguments.width < float("inf"):
        raise UsageError(f"`--width` must be positive. Received {arguments.width}.")
    check_folder("--folder", arguments.folder)


def follow(child: "Child", log: Path) -> Any:
    """Prints a line an epoch; returns what the child sends in the end.

    Raises:
        FinalTrainingError: If it fails.
        KeyboardInterrupt: If the user interrupts, once the child has ended.
    """
    from nahas.child import Failure
    from nahas.final_queue import FinalTrainingError

    teller = _Teller()
    try:
        while isinstance(message := child.receive(), tuple):
            teller(*message)
    except KeyboardInterrupt:
        child.stop()
        note("Interrupted; the same command goes on after the last whole epoch.")
        raise
    child.process.join()
    if isinstance(message, Failure):
        reason = message.reason.rstrip(".")
        raise FinalTrainingError(f"{reason} (its words are in {log}).")
    return message


def _one_shot(arguments: argparse.Namespace) -> int:
    from nahas.child import start
    from nahas.config import merge
    from nahas.decode import decode_sections
    from nahas.parts import network_space, of_networks
    from nahas.train.data import load
    from nahas.train.one_shot import Sampling
    from nahas.train.recipe import FinalRecipe
    from nahas.train.shared_training import check, skeleton_of
    from nahas.train.shared_weights import Fidelity

    with reading_input():
        check_fidelity(arguments)
        table = merge(_DEFAULTS, arguments.settings)
        recipe, sampling = decode_sections(table, final=FinalRecipe, sampling=Sampling)
        fidelity = Fidelity(arguments.resolution, arguments.width)
        data = load(arguments.data, arguments.resolution)
        check(data, fidelity, recipe, sampling.round)
        space = of_networks(network_space(arguments.space))
        slots = skeleton_of(space, fidelity, data).slots
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    note(
        f"{recipe.epochs} epochs of {len(data.train):,} images at {data.resolution}x"
        f"{data.resolution}, {len(slots)} slots of {arguments.space}, in {folder}."
    )
    child = start(
        folder / LOG, _train, arguments.space, arguments.data, fidelity, recipe,
        sampling, folder, arguments.seed, arguments.threads,
    )  # fmt: skip
    try:
        seconds = follow(child, folder / LOG)
    except KeyboardInterrupt:
        return 1
    if arguments.json:
        print_json({"folder": str(folder), "cpu_seconds": seconds})
    else:
        print(
            f"Shared weights of {arguments.space} are in {folder}, after "
            f"{duration(seconds)} of CPU.\n"
            f"Search with them: nahas search --space {arguments.space} --accuracy "
            f"one-shot:{folder}"
        )
    return 0


def _train(
    send: Callable[[Any], None],
    space: str,
    data: str,
    fidelity: "Fidelity",
    recipe: "FinalRecipe",
    sampling: "Sampling",
    folder: Path,
    seed: int,
    threads: int,
) -> None:
    """Runs in the child: sends each epoch, and the CPU seconds in the end."""
    from nahas.final_queue import held
    from nahas.parts import network_space
    from nahas.train.data import load
    from nahas.train.one_shot import train_one_shot
    from nahas.train.shared_weights import WEIGHTS, SharedWeights

    with held(folder):
        train_one_shot(
            network_space(space), load(data, fidelity.resolution), fidelity, recipe,
            sampling, folder, seed=seed, threads=threads,
            progress=lambda *message: send(message),
        )  # fmt: skip
    send(SharedWeights.read(folder / WEIGHTS).seconds)


class _Teller:
    """Prints a line an epoch, with what is left."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._told = 0

    def __call__(self, done: int, of: int, row: dict[str, float]) -> None:
        self._told += 1
        left = (time.monotonic() - self._started) / self._told * (of - done)
        note(
            f"epoch {done} of {of}, loss {row['loss']:.3f}, "
            f"{duration(row['seconds'])} of CPU; {duration(left)} left"
        )
