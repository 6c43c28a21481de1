"""Presets: published peaks, and Coral's known facts with what was fitted to them."""

from dataclasses import replace

import numpy as np
import pytest

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.machines import Machines, area_mm2, leakage_mw
from nahas.accelerator.presets import CORAL, PRESETS
from nahas.accelerator.template import Platform
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED


@pytest.mark.parametrize(
    ("name", "tops"),
    [("baseline", 26.2), ("edge-tpu-v1", 26.2), ("edge-tpu-v2", 8.73),
     ("edge-tpu-v3", 8.73), ("coral", 4.096)],
)  # fmt: skip
def test_peaks_are_the_published_ones(name, tops):
    accelerator, platform = PRESETS[name]
    peak = 2 * accelerator.macs_per_cycle * platform.clock_mhz * 1e-6
    assert peak == pytest.approx(tops, rel=2e-3)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_a_network(name):
    accelerator, platform = PRESETS[name]
    metrics = evaluate(lower([PUBLISHED["MobileNetV2"]]), [accelerator], platform)
    assert metrics.feasible[0]
    assert 0.1 < metrics.latency_ms[0] < 10


def test_coral_keeps_mobilenet_on_the_chip_and_streams_what_is_too_large():
    accelerator, platform = CORAL
    small, large = (lower([PUBLISHED[f"EfficientNet{size}"]]) for size in ("B0", "B4"))
    assert evaluate(small, [accelerator], platform).io_bytes[0] < 1e6
    streamed = evaluate(large, [accelerator], platform).io_bytes[0]
    assert streamed > 18e6 - platform.parameter_memory_mib * 2**20


def test_the_compilers_cycles_of_mobilenet_v2_are_met():
    # google-coral/edgetpu: 458,040 cycles, without dispatch and transfers.
    accelerator = replace(CORAL.accelerator, io_bandwidth_gbps=1e6)
    platform = replace(CORAL.platform, instruction_bytes=0, host_ms=0.0)
    metrics = evaluate(lower([PUBLISHED["MobileNetV2"]]), [accelerator], platform)
    cycles = metrics.latency_ms[0] * platform.clock_mhz * 1e3
    assert cycles == pytest.approx(458_040, rel=0.15)


def test_a_parameter_memory_takes_area_and_leaks():
    platform = Platform(parameter_memory_mib=8.0)
    technology = platform.technology
    share = np.array([512.0])
    more = area_mm2([BASELINE], platform) - area_mm2([BASELINE])
    assert more == pytest.approx(16 * technology.sram.area(share))
    machines = Machines.of([BASELINE])
    leaks = leakage_mw(machines, platform) - leakage_mw(machines, Platform())
    assert leaks == pytest.approx(8 * technology.sram_leakage.value)
