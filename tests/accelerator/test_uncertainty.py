"""Sampling: closed forms where one constant is unknown, and laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.provenance import constants
from nahas.accelerator.technology import NODE_22NM, Constant
from nahas.accelerator.template import PLATFORM_RANGES, Platform
from nahas.accelerator.uncertainty import (
    draw,
    interval,
    sample_costs,
    share_held,
    unknowns,
)
from nahas.accelerator.workload import Kind, Operator, workload

SMALL = replace(BASELINE, pes_x=2)


def network(channels=16, filters=16):
    return workload(
        [[Operator("conv", Kind.CONV, (-1,), 8, 8, channels, 8, 8, filters)]]
    )


def all_but(*names):
    return set(unknowns(Platform())) - set(names)


def test_what_is_unknown_is_assumed_and_has_a_range():
    found = unknowns(Platform())
    assert {name for name in found if name.startswith("platform.")} == {
        f"platform.{name}" for name in PLATFORM_RANGES
    }
    scalars = {f"technology.{name}" for name, _ in NODE_22NM.constants()}
    assert {name for name in found if name.startswith("technology.")} == scalars
    assert not unknowns(Platform(), set(found))


def test_nothing_unknown_leaves_the_nominal_costs():
    pair = (network(), BASELINE)
    found = sample_costs([pair], draw(Platform(), 3, 0, all_but()))
    nominal = evaluate(network(), [BASELINE])
    for cost in ("latency_ms", "energy_mj", "area_mm2", "power_mw"):
        assert (getattr(found, cost) == getattr(nominal, cost)[0]).all()


def test_one_unknown_energy_by_hand():
    """64 positions x 16 channels x 16 filters: energy is linear in a MAC's."""
    drawn = draw(Platform(), 50, 1, all_but("technology.mac_energy"))
    found = sample_costs([(network(), BASELINE)], drawn).energy_mj[0]
    mac = np.array([platform.technology.mac_energy.value for platform in drawn])
    nominal = evaluate(network(), [BASELINE]).energy_mj[0]
    assert found - nominal == pytest.approx(64 * 16 * 16 * (mac - 0.1) * 1e-9, rel=1e-6)


def test_one_unknown_area_by_hand():
    drawn = draw(Platform(), 50, 1, all_but("technology.link_area"))
    found = sample_costs([(network(), BASELINE)], drawn).area_mm2[0]
    link = np.array([platform.technology.link_area.value for platform in drawn])
    nominal = evaluate(network(), [BASELINE]).area_mm2[0]
    assert found - nominal == pytest.approx(16 * (link - 0.05), rel=1e-9)


def test_a_drawn_dispatch_adds_its_cycles():
    """One operator waits for its own I/O: its dispatch hides nothing of it."""
    drawn = draw(Platform(), 20, 2, all_but("platform.dispatch_cycles"))
    found = sample_costs([(network(), BASELINE)], drawn).latency_ms[0]
    dispatch = np.array([platform.dispatch_cycles for platform in drawn])
    nominal = evaluate(network(), [BASELINE]).latency_ms[0]
    assert (found - nominal) * 800e3 == pytest.approx(dispatch - 1000, abs=1e-3)


def test_draws_are_log_uniform():
    drawn = draw(Platform(), 4000, 0, all_but("technology.dram_energy"))
    values = np.array([platform.technology.dram_energy.value for platform in drawn])
    # A tenth of the range's logarithm holds a tenth of the draws: 400, 6 deviations.
    shares = np.log(values / 32) / np.log(10)
    counts, _ = np.histogram(shares, bins=10, range=(0, 1))
    assert counts.sum() == 4000
    assert np.abs(counts - 400).max() < 6 * np.sqrt(4000 * 0.1 * 0.9)


def test_a_range_from_zero_is_uniform():
    free = Constant(1.0, "mW/MiB", "test", 0.0, 4.0)
    technology = NODE_22NM.with_constants({"sram_leakage": free})
    drawn = draw(
        Platform(technology=technology), 4000, 0, all_but("technology.sram_leakage")
    )
    values = np.array([platform.technology.sram_leakage.value for platform in drawn])
    assert np.mean(values) == pytest.approx(2.0, abs=0.1)
    assert np.mean(values < 1.0) == pytest.approx(0.25, abs=0.05)


@given(st.integers(1, 8), st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_draws_lie_in_their_ranges_and_repeat(samples, seed):
    drawn = draw(Platform(), samples, seed)
    assert len(drawn) == samples
    assert drawn == draw(Platform(), samples, seed)
    assert drawn == draw(Platform(), samples + 3, seed)[:samples]
    ranges = unknowns(Platform())
    for platform in drawn:
        names = {f"platform.{name}": name for name in PLATFORM_RANGES}
        for name, constant in ranges.items():
            value = (
                getattr(platform, names[name])
                if name in names
                else constants(platform)[name].value
            )
            assert constant.low <= value <= constant.high


def test_pairs_meet_the_same_draws():
    """Fewer PEs are always smaller; a pair never beats itself."""
    one, other = network(), network(filters=32)
    drawn = draw(Platform(), 30, 0)
    found = sample_costs([(one, BASELINE), (one, SMALL), (other, SMALL)], drawn)
    first, second, third = found.area_mm2
    assert share_held(second, first, -1) == 1.0
    assert share_held(second, third, 0) == 1.0
    alone = sample_costs([(other, SMALL)], drawn)
    assert (alone.latency_ms[0] == found.latency_ms[2]).all()
    assert (alone.energy_mj[0] == found.energy_mj[2]).all()


def test_shares_and_percentiles_by_hand():
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 2.0, 2.0])
    shares = [share_held(first, second, order) for order in (-1, 0, 1)]
    assert shares == [0.25, 0.25, 0.5]
    assert interval(np.array([7.0])) == (7.0, 7.0, 7.0)
    assert interval(np.arange(21.0)) == (1.0, 10.0, 19.0)


@pytest.mark.parametrize(
    ("samples", "seed", "message"), [(0, 0, "`samples`"), (1, -1, "`seed`")]
)
def test_wrong_counts_are_refused(samples, seed, message):
    with pytest.raises(ValueError, match=message):
        draw(Platform(), samples, seed)
