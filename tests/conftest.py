"""The only place that knows where data lies."""

import os
import signal
from pathlib import Path

import pytest

DATA = Path(
    os.environ.get("NAHAS_DATA") or Path(__file__).parents[1].parent / "shared" / "data"
)

SOURCES = {
    "technology/cacti7_sram_22nm_and_up.csv": "github.com/HewlettPackard/cacti",
    "accuracy/accel_nasbench_imagenet.csv.gz": "github.com/afzalxo/Accel-NASBench",
    "accuracy/imagenet_published.csv": "the sources named in its rows",
    "accuracy/nas_bench_macro_cifar10.csv.gz": "github.com/xiusu/NAS-Bench-Macro",
    "models/mobilenet_v1_0.25_128_quant.tflite": "github.com/google-coral/test_data",
    "models/mobilenet_v2_1.0_224_quant.tflite": "github.com/google-coral/test_data",
    "images/fashion_mnist_mini.npz": "github.com/zalandoresearch/fashion-mnist",
}
"""Files that tests read, and where the public finds them."""


# In the background of a shell SIGINT is ignored, by whatever is begun there too; tests
# interrupt what they begin.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def data_file():
    """Gives the path of a data file, or skips with its public source."""

    def find(name: str) -> Path:
        path = DATA / name
        if path.exists():
            return path
        if os.environ.get("NAHAS_REQUIRE_DATA") == "1":
            pytest.fail(f"{path} is missing, though the data folder is there")
        pytest.skip(f"needs {name} (from {SOURCES[name]}) under $NAHAS_DATA")

    return find
