"""Work in processes of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from nahas.child import Failure, start

HERE = Path(__file__).parent
PARENT = """
import time
from pathlib import Path

from nahas.child import start
from test_child import sleep

if __name__ == "__main__":
    print(start(Path("log.txt"), sleep).receive(), flush=True)
    time.sleep(60)
"""


def sleep(send):
    send(os.getpid())
    time.sleep(60)


def fail(send):
    raise ValueError("no\nmore")


def test_a_failure_is_a_line(tmp_path):
    child = start(tmp_path / "log.txt", fail)
    assert child.receive() == Failure("ValueError: no more")
    child.process.join()


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, "parent.py"], cwd=tmp_path, stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(HERE)},
    )  # fmt: skip
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)  # which would raise
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        time.sleep(0.1)
        if not is_running(pid):
            break
    else:
        raise AssertionError("the child goes on without its parent")


def is_running(pid):
    """Whether a process is there, and no mere entry of a table."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
