"""The same code trains on every backend of Keras that is installed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

STEPS = Path(__file__).with_name("backend_steps.py")
# `make test-all` installs JAX; PyTorch, of gigabytes, is the user's to install.
BACKENDS = ["tensorflow", "jax", *(["torch"] if find_spec("torch") else [])]


def steps(backend, **variables):
    """What the program prints."""
    done = subprocess.run(
        [sys.executable, str(STEPS)],
        capture_output=True, check=True, text=True,
        env=os.environ | {"KERAS_BACKEND": backend} | variables,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_three_steps_of_each_training(backend):
    found = steps(backend)
    assert found["backend"] == backend
    assert found["devices"] == 1
    assert len(found["one-shot"]) == 3
    losses = [*found["final"], *found["one-shot"]]
    assert np.isfinite(losses).all()
    assert 0 < max(losses) < 5


@pytest.mark.slow
def test_a_batch_is_spread_over_devices():
    """Two devices of JAX, as it makes them of a CPU, learn what one does."""
    alone = steps("jax")
    both = steps("jax", XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert both["devices"] == 2
    np.testing.assert_allclose(both["final"], alone["final"], rtol=1e-3)
