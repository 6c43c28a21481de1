"""The commands that make a study: search and resume."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.cli_study import open_study
from nahas.study_run import run_study
from nahas.usage import (
    LIMITS,
    PRESET_NAMES,
    UsageError,
    add_command,
    add_limits,
    add_settings,
    add_study,
    check_folder,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.config import Config

QUICKSTART = Path("runs/quickstart")
# What a search without --config starts from, where that depends on its accuracies.
_PACKAGED = {"imagenet-predictor": "imagenet_predictor"}
# Options of `search` that are other words for a key of the configuration.
_SHORTHANDS = {
    "space": "search.space",
    "tailor": "search.tailor",
    "accuracy": "search.oracle",
    "controller": "search.controller",
    "mode": "search.mode",
    "accelerator": "fixed.accelerator",
    "trials": "search.trials",
    "minutes": "search.minutes",
    "workers": "search.workers",
    "engine": "search.engine",
    "address": "search.address",
    "seed": "search.seed",
    "data": "training.data",
    "minimise": "search.minimise",
    "reject": "search.reject",
    "min_accuracy": "limits.min_accuracy",
    "warm_start": "search.warm_start",
    **{name: f"limits.{name}" for name in LIMITS},
}


def add_commands(commands: Any) -> None:
    """Adds the commands to the parser's."""
    _add_search(commands)
    resume = add_command(
        commands,
        "resume",
        _resume,
        summary="continue or extend a study, or salvage a damaged one",
        description="Continues a study where it stopped, as if it had never stopped.",
        examples=[
            "resume runs/quickstart",
            "resume runs/quickstart --trials 300 --minutes 10",
            "resume runs/damaged --salvage-to runs/saved",
        ],
    )
    add_study(resume)
    _add_run(resume, "as before")
    resume.add_argument(
        "--salvage-to",
        metavar="NEW",
        help="save every sound row of a damaged study into a new one there, and stop",
    )


def _add_search(commands: Any) -> None:
    search = add_command(
        commands,
        "search",
        _search,
        summary="search a network and its accelerator together",
        description="Searches a network and its accelerator together. Without options "
        "it runs the quick start, which the defaults below come from. A second search "
        "of a folder continues its study, or shows it if it is finished.",
        examples=[
            "search",
            "search --space s1 --controller evolution --folder runs/s1",
            "search --config mine.toml --set training.epochs=5",
            "search --accuracy imagenet-predictor --max-latency-ms 0.3",
            "search --space mine:space --accuracy mine:Oracle",
            "search --latency-targets 0.3,0.5,1.0 --folder runs/targets",
            "search --engine ray --workers 8 --folder runs/ray",
            "search --space nas-bench-macro --accuracy table:macro.csv.gz --workers 0",
            "search --space s1 --warm-start published:MobileNetV2 runs/s1=4 "
            "--reuse runs/s1 --folder runs/more",
            "search --tailor coral --set platform.preset=coral --folder runs/coral",
            "search --mode fixed --folder runs/fixed",
            "search --mode phases --set phases.first=50 --folder runs/phases",
        ],
    )
    search.add_argument("--config", metavar="FILE", help="TOML file with the sections")
    search.add_argument(
        "--folder",
        metavar="DIR",
        help=f"the study's folder (default: {QUICKSTART} or, with the predictor, "
        "runs/imagenet_predictor; with --config FILE runs/NAME of the file)",
    )
    search.add_argument(
        "--space",
        help="s1, s2, s3, b0, nas-bench-macro, b0-stages, or your own as module:name "
        "(default: s2)",
    )
    search.add_argument(
        "--accuracy", metavar="NAME",
        help="where accuracies come from: proxy (trainings), imagenet-predictor "
        "(instant; by default space b0, 2000 trials of evolution and no workers), "
        "table:FILE (NAS-Bench-Macro's), one-shot:FOLDER (of `nahas one-shot`), "
        "fitted:STUDY (predicted from its trainings; or a file with columns network "
        "and accuracy), or module:name (default: proxy)",
    )  # fmt: skip
    search.add_argument(
        "--tailor", metavar="NAME",
        help="keep the choices that pay on a preset's accelerator, on the search's "
        f"platform: {PRESET_NAMES}; see `nahas space --profile` (default: keep all)",
    )  # fmt: skip
    search.add_argument(
        "--controller",
        help="ppo, evolution, random, local, nsga2, reinforce, shrinking, guided, "
        "front, bayesian; sweep-random, sweep-evolution, sweep-guided, sweep-bayesian: "
        "these choose the network, an exact sweep its accelerator; or your own as "
        "module:name (default: ppo)",
    )
    search.add_argument(
        "--mode", metavar="MODE",
        help="joint; fixed: the network alone, on one accelerator; phases: the "
        "accelerator for the space's reference network, then the network on it, "
        "phases.first trials first (default: a third); nested: nested.inner trials of "
        "networks on each accelerator (default: 50); see docs/modes.md (default: "
        "joint)",
    )  # fmt: skip
    search.add_argument(
        "--accelerator", metavar="NAME",
        help=f"of mode fixed: {PRESET_NAMES}, on the search's platform (default: "
        "baseline)",
    )  # fmt: skip
    search.add_argument(
        "--minimise", metavar="WHAT",
        help="seek the least energy, latency, edp (energy x latency), edap (that x "
        "area), or weights such as energy=1,area=0.5, in place of the highest reward; "
        "needs --min-accuracy",
    )  # fmt: skip
    search.add_argument(
        "--min-accuracy", type=float, metavar="FRACTION",
        help="floor of the accuracy: a trial below it is trained and not feasible; 0 "
        "for none (default: none)",
    )  # fmt: skip
    search.add_argument(
        "--reject", metavar="HOW",
        help="hard: what breaks a limit of a cost is not trained; none: all that runs "
        "is, and the controller learns from the reward alone (default: hard)",
    )  # fmt: skip
    search.add_argument(
        "--data", metavar="NAME",
        help="images: mnist5k, cifar10 ..., a .npz file, or a folder of pictures "
        "(default: mnist5k)",
    )  # fmt: skip
    search.add_argument("--seed", type=int, metavar="S", help="seed (default: 0)")
    _add_run(search, "150 trials, 2 workers")
    search.add_argument(
        "--reuse", nargs="+", default=[], metavar="STUDY",
        help="studies whose trainings a new study starts with",
    )  # fmt: skip
    search.add_argument(
        "--warm-start", nargs="+", metavar="FIRST",
        help="the first trials of a new study: published:NAME, a published network on "
        "the baseline accelerator (or the space's nearest one), or STUDY or STUDY=K, "
        "the K best (default: 8) trials of another study (or the nearest to them)",
    )  # fmt: skip
    search.add_argument(
        "--dry-run", action="store_true",
        help="say how many trials, how long and how much disk, and stop; may do one "
        "training",
    )  # fmt: skip
    search.add_argument(
        "--latency-targets", metavar="MS,MS,...",
        help="one study for each of several latency targets, side by side in the "
        "folder: each is the limit and the reward's target, has all the trials, and "
        "reuses the trainings of those before",
    )  # fmt: skip
    add_limits(search, "default: those of the quick start, 39.86 mm2 and 1 ms, or of "
               "--config, where the area's is the baseline accelerator's if it says "
               "none; inf for none")  # fmt: skip
    add_settings(search, "training.epochs=5, or platform.preset=coral for its "
                 "platform")  # fmt: skip


def _add_run(parser: argparse.ArgumentParser, defaults: str) -> None:
    group = parser.add_argument_group(f"the run (default: {defaults})")
    group.add_argument("--trials", type=int, metavar="N", help="trials in the end")
    group.add_argument(
        "--minutes", type=float, metavar="M",
        help="settle no more trials after that long; continue by `nahas resume`",
    )  # fmt: skip
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that train; 0 trains in this one",
    )
    group.add_argument(
        "--engine", metavar="NAME",
        help="where they run: local, or ray for tasks of a Ray cluster (docs/ray.md)",
    )  # fmt: skip
    group.add_argument(
        "--address", metavar="HOST:PORT",
        help="a running Ray cluster that this machine has joined; its CPUs count, not "
        "--workers (default: a private one here)",
    )  # fmt: skip


def _search(arguments: argparse.Namespace) -> int:
    from nahas import targets
    from nahas.cli_targets import forecast as forecast_targets
    from nahas.cli_targets import refuse_limit
    from nahas.cli_targets import run as run_targets
    from nahas.config import from_dict, merge, read_toml
    from nahas.modes import with_area, with_split

    with reading_input():
        own = read_toml(arguments.config) if arguments.config else {}
        said = merge(own, arguments.settings)
        oracle = merge({}, arguments.settings).get("search", {}).get("oracle")
        asked = oracle if arguments.accuracy is None else arguments.accuracy
        packaged = _PACKAGED.get(str(asked), QUICKSTART.stem)
        table = merge(read_toml(arguments.config, packaged), arguments.settings)
        for name, path in _SHORTHANDS.items():
            if (value := getattr(arguments, name)) is not None:
                section, _, key = path.partition(".")
                table.setdefault(section, {})[key] = value
        config = from_dict(table)
        default = Path("runs") / Path(arguments.config or packaged).stem
        wanted = arguments.latency_targets
        latencies = None if wanted is None else targets.parse(wanted)
        if latencies:
            refuse_limit(arguments.max_latency_ms, said)
            default = default.with_name(f"{default.name}_targets")
        check_folder("--folder", arguments.folder)
        for study in arguments.reuse:
            open_study(study)
        folder = default if arguments.folder is None else Path(arguments.folder)
        before = _begun(folder)
        config = with_split(config, before)
        if "max_area_mm2" not in table.get("limits", {}):
            config = with_area(config, before)
        if targets.are_in(folder) and not latencies:
            raise UsageError(
                f"{folder} holds the studies of several latency targets. Continue them "
                f"with `nahas resume {folder}`, or choose another folder."
            )
    if latencies:
        several = targets.Targets(folder, latencies, config, tuple(arguments.reuse))
        if arguments.dry_run:
            with reading_input():
                print(forecast_targets(several))
            return 0
        return run_targets(several)
    if arguments.dry_run:
        return _forecast(folder, config, arguments.reuse)
    return run_study(folder, config, arguments.reuse)


def _begun(folder: Path) -> "Config | None":
    """What the study that a folder holds was begun with."""
    from nahas.closing import configuration
    from nahas.controller.study import CONFIG, Study

    return configuration(Study.open(folder)) if (folder / CONFIG).exists() else None


def _forecast(folder: Path, config: "Config", reuse: list[str]) -> int:
    from nahas.controller.ray_cluster import check_engine
    from nahas.dry_run import forecast

    with reading_input():
        check_engine(config.search.engine, config.search.address)
        found = forecast(config, folder, reuse)
    print(found.text())
    return 0


def _resume(arguments: argparse.Namespace) -> int:
    from nahas import targets
    from nahas.cli_targets import resumed
    from nahas.cli_targets import run as run_targets
    from nahas.closing import configuration
    from nahas.controller.salvage import salvage

    if arguments.salvage_to is not None:
        with reading_input():
            check_folder("--salvage-to", arguments.salvage_to)
        saved = salvage(arguments.study, arguments.salvage_to)
        print(
            f"{saved.trials} trials and {saved.trainings} trainings are saved in "
            f"{arguments.salvage_to}. Continue with: nahas resume "
            f"{arguments.salvage_to}"
        )
        return 0
    if targets.are_in(arguments.study):
        with reading_input():
            several = resumed(Path(arguments.study), **_given(arguments))
        return run_targets(several)
    study = open_study(arguments.study)
    config = configuration(study)
    if config is None:
        raise UsageError(
            f"The study in {study.folder} was started from Python: continue it with "
            "nahas.search(..., folder=...) and the same arguments."
        )
    with reading_input():
        # Minutes were those of the run before, not of the study.
        config = replace(config, search=replace(config.search, minutes=None))
        config = replace(config, search=replace(config.search, **_given(arguments)))
    return run_study(study.folder, config, study.config.get("reuse", []))


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings of a run that are not to stay as they were."""
    given = {
        name: getattr(arguments, name)
        for name in ("trials", "minutes", "workers", "engine", "address")
        if getattr(arguments, name) is not None
    }
    if arguments.engine == "local":
        given.setdefault("address", "")  # that of the run before is left
    return given
