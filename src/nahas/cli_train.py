"""The command `train`: networks trained to the end, under one recipe."""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.output import duration, note, percent, print_json, print_table
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
    from nahas.epoch_log import EpochLog
    from nahas.final_queue import Asked
    from nahas.search_space.network import Network


_MOST = 1_000
_MOST_SEED = 1_000_000


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    train = add_command(
        commands,
        "train",
        _train,
        summary="train networks to the end, under one recipe",
        description="Trains networks to the end: those that a search found, and the "
        "published ones that they are compared with. Each is resized to the images: "
        "its choices stay, and its earliest strides become 1 until the last map is at "
        "least 4x4. A training writes a checkpoint each epoch; the same command goes "
        "on after any interruption, to the same weights, and trains nothing twice.",
        examples=[
            "train runs/quickstart EfficientNetB0 --data mnist5k --resolution 14 "
            "--width 0.25",
            "train runs/s3 --trial 17 --data cifar10 --seeds 5 --workers 2",
            "train MobileNetV2 --data mine.npz --set final.epochs=60 "
            "--set final.optimizer=rmsprop",
        ],
    )
    train.add_argument(
        "model", metavar="NETWORK", nargs="+",
        help="a study's folder, for its best pair's network; a published network, a "
        "network's text, or a file that holds one or a pair",
    )  # fmt: skip
    add_images(train, resolution=None, width=1.0)
    train.add_argument(
        "--trial", metavar="N", default="best",
        help="the network of another trial of the studies (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--seeds", type=int, metavar="K", default=1,
        help="trainings of each network, one a seed (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--first-seed", type=int, metavar="N", default=0,
        help="the lowest of these seeds: to share them among machines (default: "
        "%(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--workers", type=int, metavar="N", default=1,
        help="trainings at a time, a thread each (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--folder", metavar="DIR", default="runs/final",
        help="where trainings lie (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--config", metavar="FILE", help="TOML file with a section [final]"
    )
    train.add_argument(
        "--tensorboard", action="store_true",
        help="write logs for TensorBoard beside each training",
    )  # fmt: skip
    add_settings(train, "final.epochs=60")
    add_json(train)


def _train(arguments: argparse.Namespace) -> int:
    from nahas.config import merge, read_toml
    from nahas.decode import decode_sections
    from nahas.epoch_log import EpochLog
    from nahas.final_queue import Asked, Recipes, result_of, train_all
    from nahas.train.data import load
    from nahas.train.final import check_images
    from nahas.train.recipe import FinalRecipe

    with reading_input():
        for name in ("seeds", "workers"):
            if not 1 <= getattr(arguments, name) <= _MOST:
                raise UsageError(
                    f"`--{name}` must be from 1 to {_MOST:,}. Received "
                    f"{getattr(arguments, name)}."
                )
        first = arguments.first_seed
        if not 0 <= first <= _MOST_SEED:
            raise UsageError(
                f"`--first-seed` must be from 0 to {_MOST_SEED:,}. Received {first}."
            )
        check_folder("--folder", arguments.folder)
        table = {} if arguments.config is None else read_toml(arguments.config)
        table = merge(table, arguments.settings)
        [recipe] = decode_sections(table, final=FinalRecipe)
        networks = _networks(arguments.model, arguments.trial)
        data = load(arguments.data, arguments.resolution)
        if not 0 < arguments.width < float("inf"):
            raise UsageError(f"`--width` must be positive. Received {arguments.width}.")
        small = {
            name: network.proxy(
                data.resolution,
                data.classes,
                channels=data.channels,
                width=arguments.width,
            )
            for name, network in networks.items()
        }
        check_images(data, recipe)
        seeds = range(first, first + arguments.seeds)
        root = Path(arguments.folder)
        epochs = recipe.epochs + recipe.int8_epochs
        queue = [
            Asked(name, net, seed, networks[name])
            for seed in seeds
            for name, net in small.items()
        ]
        shared = Recipes(arguments.data, data.resolution, arguments.width, recipe)
        log = EpochLog(root) if arguments.tensorboard else None
        left = [one for one in queue if result_of(one, shared, root) is None]
    note(
        f"{len(left)} of {len(queue)} trainings of {epochs} epochs of "
        f"{len(data.train):,} images at {data.resolution}x{data.resolution}, in "
        f"{arguments.folder}."
    )
    try:
        found = train_all(
            queue,
            shared,
            root,
            workers=arguments.workers,
            told=_Teller(len(left) * epochs, log),
        )
    except KeyboardInterrupt:
        note("Interrupted; the same command goes on after the last whole epochs.")
        return 1
    finally:
        if log is not None:
            log.close()
    if arguments.json:
        print_json(found)
    else:
        _print(found)
    return 0


def _networks(words: Sequence[str], trial: str) -> "dict[str, Network]":
    """The networks by their names, each once, by the first of its names."""
    from nahas.cli_study import open_study
    from nahas.final_queue import mark
    from nahas.models import resolve
    from nahas.search_space.network import Network

    found: dict[str, Network] = {}
    for word in words:
        name = word
        if trial != "best" and Path(word).is_dir():
            if not trial.isdecimal():
                raise ValueError(
                    "`--trial` must be best or the number of a trial. Received "
                    f"{trial!r}."
                )
            records = open_study(word).records()
            if not 1 <= int(trial) <= len(records):
                raise ValueError(
                    f"`--trial` must be from 1 to {len(records)}, the trials of "
                    f"{word}. Received {trial}."
                )
            text = records[int(trial) - 1].network
            if not text:
                raise ValueError(f"Trial {trial} of {word} has no network.")
            name, network = f"{word} trial {trial}", Network.parse(text)
        else:
            model = resolve(word)
            if model.network is None:
                raise ValueError(
                    "What is trained must be a network of nahas's own kind: a study, a "
                    f"published network or a network's text. Received {word}, which "
                    "is read for its costs alone."
                )
            network = model.network
            if " " in word:  # a network's text
                name = f"network {mark(network)}"
        if network not in found.values():
            found[name] = network
    return found


class _Teller:
    """Prints a line an epoch, with what is left of all trainings.

    Args:
        total: Epochs of all.
        log: Told too, where there is one.
    """

    def __init__(self, total: int, log: "EpochLog | None") -> None:
        self._total, self._log = total, log
        self._done = 0
        self._started = time.monotonic()

    def __call__(
        self, asked: "Asked", done: int, of: int, row: dict[str, float]
    ) -> None:
        self._done += 1
        if self._log is not None:
            self._log(asked, done, of, row)
        elapsed = time.monotonic() - self._started
        left = elapsed / self._done * (self._total - self._done)
        note(
            f"{asked.name}, seed {asked.seed}: epoch {done} of {of}, loss "
            f"{row['loss']:.3f}, validation {percent(row['accuracy'])}, "
            f"{duration(row['seconds'])}; at most {duration(left)} left"
        )


def _print(found: Sequence[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(row["name"] for row in found))
    rows = []
    for name in names:
        own = [row for row in found if row["name"] == name]
        accuracies = [row["accuracy"] for row in own]
        spread = statistics.stdev(accuracies) if len(own) > 1 else None
        rows.append(
            [
                name,
                str(len(own)),
                percent(statistics.mean(accuracies)),
                percent(spread),
                f"{own[0]['parameters']:,}",
            ]
        )
    print_table(
        ("network", "seeds", "test accuracy", "deviation", "parameters"),
        rows,
        title=f"final trainings, {found[0]['test_images']:,} test images",
    )
