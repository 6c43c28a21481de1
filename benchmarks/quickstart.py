"""PPO and evolution against random search on the quick start's problem.

    python benchmarks/quickstart.py --seeds 5 --trials 96

Every controller gets as many trials as the others, on the same seeds; a network that
one run trained is not trained again by the next. Interrupted, it goes on where it
stopped. The table goes to results/quickstart/.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from page import ROOT, command, made_with, table, write_csv
from scipy import stats

from nahas.config import load
from nahas.controller.search import search
from nahas.controller.study import Study
from nahas.oracles import make_oracle
from nahas.parts import make_controller, make_space

CONTROLLERS = ("random", "evolution", "ppo")
RESULTS = ROOT / "results" / "quickstart"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=96)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "benchmark")
    arguments = parser.parse_args()
    rewards, rows = {}, []
    done: list[Path] = []
    for seed in range(arguments.seeds):
        for name in CONTROLLERS:
            folder = arguments.runs / f"{name}-{seed}-{arguments.trials}"
            study = run(name, seed, folder, done, arguments)
            done.append(folder)
            best, counts = study.best(), study.counts()
            rewards[name, seed] = best.reward if best else 0.0
            met = sum(bool(trial.feasible) for trial in study.trials())
            rows.append(
                {
                    "controller": name,
                    "seed": seed,
                    "best_reward": rewards[name, seed],
                    "best_accuracy": best.accuracy if best else None,
                    "best_latency_ms": best.latency_ms if best else None,
                    "within_limits": met / counts["trials"],
                    **counts,
                }
            )
            print(rows[-1], flush=True)
    report(rewards, rows, arguments)


def run(
    name: str, seed: int, folder: Path, done: list[Path], arguments: argparse.Namespace
) -> Study:
    """One study, begun or continued."""
    words = [f"search.controller={name}", f"search.seed={seed}"]
    config = load(None, words)
    return search(
        make_space(config),
        make_controller(config),
        make_oracle(config),
        config.reward,
        limits=config.limits,
        platform=config.platform,
        trials=arguments.trials,
        seed=seed,
        window=config.search.window,
        workers=arguments.workers,
        folder=folder,
        reuse=done,
    )


def report(
    rewards: dict[tuple[str, int], float],
    rows: list[dict[str, Any]],
    arguments: argparse.Namespace,
) -> None:
    write_csv(RESULTS / "summary.csv", rows[0], (row.values() for row in rows))
    lines = []
    random = np.array([rewards["random", seed] for seed in range(arguments.seeds)])
    for name in CONTROLLERS:
        values = np.array([rewards[name, seed] for seed in range(arguments.seeds)])
        gain = values - random
        if name == "random" or arguments.seeds < 2:
            difference, interval = "", ""
        else:
            half = stats.sem(gain) * stats.t.ppf(0.975, len(gain) - 1)
            difference = f"{gain.mean():+.4f}"
            interval = f"{gain.mean() - half:+.4f} to {gain.mean() + half:+.4f}"
        within = np.mean([r["within_limits"] for r in rows if r["controller"] == name])
        lines.append((name, f"{values.mean():.4f}", difference, interval,
                      f"{within:.0%}"))  # fmt: skip
    shown = table(
        ("controller", "best reward, mean", "minus random search", "95 % interval",
         "within limits"),
        lines,
    )  # fmt: skip
    print(shown)
    machine = f"{arguments.workers} workers of one thread"
    libraries = ("tensorflow", "keras", "numpy", "numba")
    (RESULTS / "README.md").write_text(f"""\
# The quick start's problem, three controllers

Remade by

    {command()}

{arguments.trials} trials each, {arguments.seeds} seeds, paired by seed; the
interval is Student's t over the seeds. An interval that holds 0
says that so many seeds do not settle it. `summary.csv` has a row a study.

{shown}

{made_with(*libraries, machine=machine)}
""")


if __name__ == "__main__":
    main()
