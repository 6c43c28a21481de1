"""Compiles one TFLite file by Vela, which estimates its cycles; prints JSON.

python run_vela.py FILE ACCELERATOR
"""

import contextlib
import csv
import json
import os
import sys
import tempfile
from pathlib import Path

from ethosu.vela import vela
from measured import measured


def main() -> None:
    file, accelerator = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        words = [file, "--output-dir", folder, "--accelerator-config", accelerator]
        with talking_to_stderr(), measured() as cost:
            vela.main(words)
        summary = next(Path(folder).glob("*_summary_*.csv"))
        with summary.open(newline="") as text:
            row = next(csv.DictReader(text))
    result = {
        **cost,
        "cycles": float(row["cycles_total"]),
    }
    print(json.dumps(result))


@contextlib.contextmanager
def talking_to_stderr():  # type: ignore[no-untyped-def]
    """Vela's compiler is a library in C++: its words pass Python's streams by."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    main()
