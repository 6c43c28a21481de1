"""The memory of a worker of a search, training by training.

`training_speed.py` runs it; by itself it prints the megabytes as JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TRAININGS = 100


def memory(seed: int) -> list[float]:
    """MB of a worker after each of a hundred trainings of different networks."""
    with tempfile.TemporaryDirectory() as folder:
        found = subprocess.run(
            [sys.executable, __file__, folder, "--seed", str(seed)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return [float(word) for word in json.loads(found.stdout.splitlines()[-1])]


def worker(folder: Path, seed: int) -> None:
    """Searches at random with one worker, and prints that process's memory."""
    import nahas as nh

    seen: list[float] = []
    known = 0

    def look(state: Any) -> None:
        nonlocal known
        if state.trained > known:
            known = state.trained
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
            sizes = [rss(int(pid)) for pid in children.read_text().split()]
            seen.append(max(sizes, default=0.0))

    nh.search(
        nh.joint_space("s3"), nh.RandomSearch(),
        nh.ProxyTraining("mnist5k", images=256), nh.Reward(), trials=TRAININGS,
        seed=seed, folder=folder / "study", workers=1, window=2, progress=look,
    )  # fmt: skip
    print(json.dumps(seen))


def rss(pid: int) -> float:
    """MB of a process; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1e3
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the study")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    worker(arguments.folder, arguments.seed)


if __name__ == "__main__":
    main()
