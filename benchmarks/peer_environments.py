"""Peers in virtual environments of their own, installed by pip when first asked for.

Each peer wants other versions of the same libraries. A peer that cannot be installed is
`Unavailable`, with the reason, and the comparison goes on without it.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "runs" / "peers"
RUNNERS = Path(__file__).parent / "runners"


class Unavailable(Exception):  # noqa: N818 - a state to report, not an error
    """A peer that cannot be installed, or did not finish; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool that pip installs.

    Attributes:
        name: What people call it.
        runner: The script in `runners/` that runs it.
        requirements: What pip installs, pinned.
    """

    name: str
    runner: str
    requirements: tuple[str, ...]


ZIGZAG = Peer(
    "ZigZag",
    "run_zigzag.py",
    # It imports six without requiring it.
    ("zigzag-dse==3.9.1", "six==1.17.0", "numpy==2.4.6", "onnx==1.23.2"),
)
SCALE_SIM = Peer(
    "SCALE-Sim",
    "run_scalesim.py",
    # With a later NumPy it fails: it turns arrays of one element into integers.
    ("scalesim==3.0.0", "numpy==2.0.2"),
)
VELA = Peer("Vela", "run_vela.py", ("ethos-u-vela==5.2.0", "numpy==2.4.6"))


def environment(peer: Peer, cache: Path) -> Path:
    """The Python of a peer's environment, which is made where it is missing.

    Raises:
        Unavailable: If pip cannot install it.
    """
    folder = cache / peer.runner.removeprefix("run_").removesuffix(".py")
    python = folder / "bin" / "python"
    done = folder / "installed.json"
    if done.exists() and json.loads(done.read_text()) == list(peer.requirements):
        return python
    print(f"Installing {peer.name} into {folder}", flush=True)
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", *peer.requirements],
    )
    for step in steps:
        answer = subprocess.run(
            step, env=_clean(), capture_output=True, text=True, check=False
        )
        if answer.returncode:
            raise Unavailable(f"{peer.name} cannot be installed: {_last(answer)}")
    done.write_text(json.dumps(peer.requirements))
    return python


def run(peer: Peer, cache: Path, *words: object, seconds: float) -> dict[str, Any]:
    """What a peer's runner prints for the words.

    Raises:
        Unavailable: If it cannot be installed, fails, or takes longer than `seconds`.
    """
    command = [str(environment(peer, cache)), str(RUNNERS / peer.runner)]
    return answer_of(peer.name, [*command, *map(str, words)], _clean(), seconds)


def answer_of(
    name: str, command: list[str], variables: dict[str, str], seconds: float
) -> dict[str, Any]:
    """The JSON on the last line that a command prints.

    Raises:
        Unavailable: If it fails or takes longer than `seconds`.
    """
    try:
        answer = subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False,
            timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{name} did not finish in {seconds:g} s") from None
    if answer.returncode:
        raise Unavailable(f"{name} failed: {_last(answer)}")
    table: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return table


def _clean() -> dict[str, str]:
    """The environment without what would let our own libraries into a peer's."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in left_out}


def _last(answer: subprocess.CompletedProcess[str]) -> str:
    lines = (answer.stderr or answer.stdout).strip().splitlines()
    # Pip ends with its reason; a notice of a newer pip is none.
    reasons = [line for line in lines if "ERROR" in line or "Error" in line]
    return (reasons or lines or ["no reason given"])[-1]
