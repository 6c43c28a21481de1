"""Drives the toy study, or works for it.

python toy_command.py search FOLDER TRIALS WORKERS MILLISECONDS [ray [ADDRESS]]
python toy_command.py worker FOLDER --parent PID
"""

import os
import sys
from typing import Any

import toy_study

from nahas.controller.workers import work

if sys.argv[1] == "worker":
    work(sys.argv[2], parent=int(sys.argv[4]), poll_seconds=0.05)
else:
    _, _, folder, trials, workers, milliseconds, *where = sys.argv
    oracle = toy_study.Sleepy(float(milliseconds))
    named: dict[str, Any] = dict(zip(("engine", "address"), where, strict=False))
    space = getattr(toy_study, os.environ.get(toy_study.SPACES, "space"))()
    named["space"] = space
    toy_study.run(folder, int(trials), int(workers), oracle=oracle, **named)
