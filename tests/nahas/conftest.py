import sys
from pathlib import Path

import numpy as np
import pytest

from nahas.train import fit

# The toy parts must be importable by name, as a user's own are.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Who first uses TensorFlow in a process decides its threads for all tests."""
    fit.prepare(1)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A data set of our own: bright and dark images of 8x8."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    grey = rng.integers(0, 100, (120, 8, 8)) + 100 * labels[:, None, None]
    path = tmp_path_factory.mktemp("images") / "grey.npz"
    np.savez(
        path, x_train=grey[:80].astype(np.uint8), y_train=labels[:80],
        x_test=grey[80:].astype(np.uint8), y_test=labels[80:],
    )  # fmt: skip
    return str(path)
