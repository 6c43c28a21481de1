"""What a training frees is used again, though TensorFlow would give it back.

As glibc has it, on which the project is tested.
"""

import subprocess
import sys

import pytest

# Eighty blocks of 1 MiB at a time, twice, once a generator has fed TensorFlow.
PROGRAM = """
import resource
import numpy as np
{prepare}
import tensorflow as tf

def rows():
    yield np.zeros(3, np.float32)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

signature = tf.TensorSpec((3,), tf.float32)
list(tf.data.Dataset.from_generator(rows, output_signature=signature))
[np.ones(2**17) for _ in range(80)]
before = faults()
[np.ones(2**17) for _ in range(80)]
print(faults() - before)
"""
PREPARE = "from nahas.train import fit; fit.prepare(1)"


def faults(prepare: str) -> int:
    """Pages that the system hands out for blocks of 20,480, the second time."""
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(prepare=prepare)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(found.stdout)


def test_blocks_are_used_again() -> None:
    assert faults(PREPARE) < 1_000


@pytest.mark.slow
def test_without_it_each_is_handed_out_anew() -> None:
    """When this fails, TensorFlow has changed and the module may go."""
    assert faults("") > 10_000
