import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# The toy study must be importable by name, for workers import it too.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def trained(tmp_path: Path, monkeypatch) -> Callable[[], list[str]]:
    """The networks that were given to the toy oracle, here or in a worker."""
    log = tmp_path / "networks.log"
    monkeypatch.setenv("TOY_LOG", str(log))
    return lambda: log.read_text().splitlines() if log.exists() else []
