"""Makes the tests' toy study importable, for scripts that drive it too.

from toys import toy_study
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "controller"))

import toy_faults
import toy_processes
import toy_study

__all__ = ["toy_faults", "toy_processes", "toy_study"]
