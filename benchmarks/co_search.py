"""TuNAS's joint loop over S3 x accelerators beside PPO with a training a trial.

    python benchmarks/co_search.py --data FOLDER

`nahas co-train` searches while shared weights are trained, with three settings of the
reward's strength and of the warm-up; `nahas search` with PPO then gets as much CPU as
the first of them took. What each holds for the best is trained to the end by one
recipe. The reward is TuNAS's absolute one, the only limit the baseline's area.
Interrupted, it goes on where it stopped. The figures go to results/co_search/.
"""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cifar_runs import (
    FINAL,
    PROXY,
    RESOLUTION,
    RUNS,
    SIZE,
    WIDTH,
    at_once,
    images,
    kept,
    machines,
    nahas,
    retrained,
    run,
    settings,
)
from page import ROOT, command, made_with, table, write_csv

from nahas.closing import configuration
from nahas.controller.policy_mode import replay
from nahas.controller.study import Study
from nahas.parts import make_parts

RESULTS = ROOT / "results" / "co_search"
FOLDER = RUNS / "co_search"
TARGET_MS = 0.4
EPOCHS = 4
FIRST_TRIALS = 20
"""Of the multi-trial search, by which the cost of a training is known."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a co-training weighs and waits.

    Attributes:
        beta: Reward lost by a latency of twice the target (negative).
        warm_up: Share of the epochs in which the weights alone learn.
    """

    beta: float
    warm_up: float

    @property
    def name(self) -> str:
        """For tables and folders."""
        return f"co-train beta {self.beta:g} warm-up {self.warm_up:g}"


SETTINGS = (Setting(-0.5, 0.25), Setting(-0.1, 0.25), Setting(-0.5, 0.5))
PPO = "multi-trial PPO"


def rewarded(beta: float) -> list[str]:
    """The reward's settings."""
    return settings(
        "reward.form=absolute", f"reward.latency_ms={TARGET_MS}", f"reward.beta={beta}"
    )


def co_trained(setting: Setting, data: str) -> dict[str, Any]:
    """What a co-training found."""
    folder = FOLDER / setting.name.replace(" ", "_")
    words = settings(
        f"alternation.warm_up={setting.warm_up}", f"final.epochs={EPOCHS}",
        "final.batch=64", "final.crop=2",
    )  # fmt: skip

    def search() -> dict[str, Any]:
        found = nahas(
            "co-train", "s3", "--data", data, *SIZE, "--folder", str(folder),
            *rewarded(setting.beta), *words, log=folder / "commands.txt",
        )  # fmt: skip
        names = ("mode", "best", "trials", "refused", "entropy", "cpu_seconds")
        return {name: found[name] for name in names}

    asked = [*SIZE, *rewarded(setting.beta), *words]
    return dict(kept(RESULTS / "found" / f"{folder.name}.json", asked, search))


def searched(cpu_seconds: float, data: str) -> dict[str, Any]:
    """What PPO found by trainings of as many seconds."""
    folder = FOLDER / "multi_trial"
    log = folder / "commands.txt"

    def trials(count: int) -> pd.DataFrame:
        run(
            "search", "--space", "s3", "--controller", "ppo", "--trials", str(count),
            "--folder", str(folder / "study"), "--max-latency-ms", "inf",
            *rewarded(SETTINGS[0].beta),
            *settings(f"training.data={data}", *PROXY), log=log,
        )  # fmt: skip
        return pd.read_csv(folder / "study" / "trials.csv")

    def search() -> dict[str, Any]:
        # The first ones alone, so that a search that goes on has the same budget.
        first = trials(FIRST_TRIALS).head(FIRST_TRIALS)
        count = int(cpu_seconds / first.seconds.mean())
        every = trials(max(count, FIRST_TRIALS))
        study = Study.open(folder / "study")
        found = nahas("status", str(study.folder), log=log)
        return {
            "best": found["best"], "trials": len(every),
            "refused": int((every.status == "rejected").sum()),
            "entropy": entropy(study), "cpu_seconds": float(every.seconds.sum()),
        }  # fmt: skip

    asked = [*PROXY, *rewarded(SETTINGS[0].beta), f"{cpu_seconds:.0f}"]
    return dict(kept(RESULTS / "found" / "multi_trial.json", asked, search))


def entropy(study: Study) -> float:
    """Of the policy in the end, over that of the uniform one."""
    config = configuration(study)
    assert config is not None
    parts = make_parts(config)
    replay(
        parts.controller, parts.task, study.trials(),
        seed=config.search.seed, window=config.search.window,
    )  # fmt: skip
    probabilities = parts.controller.probabilities  # type: ignore[attr-defined]
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
    most = np.log(parts.task.space.cardinalities).sum()
    return float(-(probabilities * logarithms).sum() / most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2, help="of the final trainings")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    data = images(arguments.data)
    jobs = [partial(co_trained, setting, data) for setting in SETTINGS]
    found = dict(zip(
        (setting.name for setting in SETTINGS), at_once(jobs, arguments.workers),
        strict=True,
    ))  # fmt: skip
    found[PPO] = searched(found[SETTINGS[0].name]["cpu_seconds"], data)
    texts = [row["best"]["network"] for row in found.values()]
    trained = retrained(
        [(text, arguments.seeds) for text in texts], data, RESULTS / "trained",
        workers=arguments.workers,
    )  # fmt: skip
    rows = []
    for (name, row), final in zip(found.items(), trained, strict=True):
        best = row["best"]
        rows.append((
            name, f"{row['cpu_seconds']:.0f}", row["trials"], row["refused"],
            f"{row['entropy']:.2f}", f"{best['latency_ms']:.4f}",
            "yes" if best["latency_ms"] <= TARGET_MS else "no",
            f"{best['energy_mj']:.3f}", f"{best['area_mm2']:.1f}",
            f"{100 * np.mean([one['accuracy'] for one in final]):.2f}",
            len(final),
        ))  # fmt: skip
        print(*rows[-1], flush=True)
    write(rows, arguments)


TITLES = (
    "search", "CPU s", "pairs", "refused", "entropy", "latency, ms", "target met",
    "energy, mJ", "area, mm2", "accuracy, %", "seeds",
)  # fmt: skip


def write(rows: list[tuple[object, ...]], arguments: argparse.Namespace) -> None:
    """The table and the page."""
    write_csv(RESULTS / "summary.csv", TITLES, rows)
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), table=table(TITLES, rows), target=TARGET_MS, epochs=EPOCHS,
        resolution=RESOLUTION, width=WIDTH, final=", ".join(FINAL),
        proxy=", ".join(PROXY), beta=SETTINGS[0].beta, first_trials=FIRST_TRIALS,
        made=made_with(
            "keras", "tensorflow", "numpy", seed=0, machine=machines(RESULTS)
        ),
    ))  # fmt: skip


_PAGE = """\
# Searching while weights are trained, beside a training a trial

Remade by

    {command}

S3 x 50,000 accelerators on CIFAR-10, networks at {resolution}x{resolution} and {width}
of their width, deployed at 224x224. Both search for the highest absolute reward with a
latency of {target} ms; the area is at most the baseline's.

{table}

The pair is the best that was found: of the policy's mode and the 64 pairs that it draws
in the end, by the weights then; of PPO's trials. `co-train` is TuNAS's loop (REINFORCE)
of {epochs} epochs; `beta` is what the reward loses when latency is twice the target,
`warm-up` the share of the epochs in which the weights alone learn. PPO has beta {beta}
and as many trials as take the first row's CPU seconds, by the cost of its first
{first_trials}; its trainings are by {proxy}.

`entropy` is the policy's in the end, over the uniform one's; `refused` pairs broke the
area's limit and trained nothing. Accuracy is of the test images, after a final training
by {final}.
EfficientNet-B0's by the same recipe is in [cifar_search](../cifar_search/README.md).

{made}
"""


if __name__ == "__main__":
    main()
