"""Tailoring: the rules by hand on every choice, and the space that they leave."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.presets import PRESETS
from nahas.accelerator.technology import NODE_22NM, Constant
from nahas.accelerator.template import Accelerator, Capabilities, Platform
from nahas.accelerator.workload import Kind
from nahas.search_space.joint import joint_space
from nahas.search_space.lower import lower
from nahas.search_space.network_spaces import s1, s2, s3
from nahas.search_space.space import Knob, SearchSpace
from nahas.search_space.tailor import profile, tailor

SPACES = {"s1": s1(resolution=64), "s2": s2(resolution=64), "s3": s3(resolution=64)}


@pytest.fixture(scope="module", params=product(SPACES, ("baseline", "coral")))
def found(request):
    name, preset = request.param
    return SPACES[name], PRESETS[preset], profile(SPACES[name], *PRESETS[preset])


def test_every_choice_of_every_block_is_simulated_plain_and_fused(found):
    space, _, blocks = found
    choices = 2 * 3 * 2 * (3 if space.name == "s3" else 1)
    assert [len(block) for block in blocks] == [choices] * len(blocks)
    assert len(blocks) == (17 if space.name == "s1" else 16)
    assert all(choice.latency_ms > 0 for block in blocks for choice in block)


def test_what_is_dropped_loses_to_a_choice_worth_having_and_what_is_kept_does_not(
    found,
):
    for block in found[2]:
        worth = [choice for choice in block if not _in_vain(choice, block)]
        for choice in block:
            beaten = any(
                other.kernel >= choice.kernel
                and other.expansion >= choice.expansion
                and other.groups <= choice.groups
                and (other.kind == "fused_ibn" or choice.kind == "ibn")
                and other.latency_ms <= choice.latency_ms
                and other.energy_mj <= choice.energy_mj
                and other is not choice
                for other in worth
            )
            dropped = beaten or _in_vain(choice, block)
            assert (choice.loses_to is not None) == dropped


def _in_vain(choice, block):
    (twin,) = [
        other for other in block
        if (other.kernel, other.expansion, other.groups)
        == (choice.kernel, choice.expansion, choice.groups)
        and other.kind == "ibn"
    ]  # fmt: skip
    return choice.kind == "fused_ibn" and twin.latency_ms <= choice.latency_ms


def test_of_a_plain_and_a_fused_block_that_tie_the_plain_one_stays():
    # Where no operator costs anything, all choices cost the same.
    free = Platform(
        weights="kept",
        host_ms=1.0,
        parameter_memory_mib=100.0,
        capabilities=Capabilities(fused=tuple(Kind)),
        technology=NODE_22NM.with_constants(
            {"mac_energy": Constant(0.0, "pJ", "free", 0.0, 0.0)}
        ),
    )
    for block in profile(SPACES["s2"], PRESETS["baseline"].accelerator, free):
        assert len({(choice.latency_ms, choice.energy_mj) for choice in block}) == 1
        kept = [str(choice) for choice in block if choice.loses_to is None]
        assert kept == ["ibn_k7_e6"]


def test_each_block_keeps_a_choice_and_its_fastest_one_or_an_equal(found):
    for block in found[2]:
        kept = [choice for choice in block if choice.loses_to is None]
        fastest = min(choice.latency_ms for choice in block)
        assert kept
        assert min(choice.latency_ms for choice in kept) == fastest


def test_fused_blocks_win_early_and_lose_late_on_the_baseline():
    blocks = profile(s2(), *PRESETS["baseline"])
    fused = [
        sum(c.kind == "fused_ibn" and c.loses_to is None for c in block)
        for block in blocks
    ]
    assert fused[0] > 0
    assert fused[-1] == 0


@pytest.mark.parametrize("name", SPACES)
def test_the_tailored_space_builds_what_its_choices_say(name):
    space = tailor(SPACES[name], *PRESETS["baseline"])
    rng = np.random.default_rng(0)
    for choices in space.random(rng, 20):
        network = space.decode(choices)
        for i, block in enumerate(network.blocks):
            values = space.knobs[i].values
            text = values[choices[i]]
            assert text.startswith(f"{block.kind}_k{block.kernel}_e{block.expansion}")
    work = lower([space.decode(choices) for choices in space.random(rng, 5)])
    assert evaluate(work, [PRESETS["baseline"].accelerator]).feasible.all()
    assert joint_space(space).size == space.size * 50_000


def test_other_knobs_stay():
    names = [knob.name for knob in tailor(SPACES["s3"], *PRESETS["coral"]).knobs]
    assert names[16:] == [f"block{i}.multiplier" for i in range(16)]


@pytest.mark.parametrize("name", SPACES)
def test_the_reference_stays_the_same_network_where_its_choices_stay(name):
    tailored = tailor(SPACES[name], *PRESETS["coral"])
    assert tailored.decode(tailored.reference) == SPACES[name].decode(
        SPACES[name].reference
    )


def test_a_choice_of_the_reference_that_is_dropped_gives_way_to_what_beats_it():
    chip = Accelerator(1, 1, 128, 4, 4.0, 32.0, 20.0)
    [dropped] = [c for c in profile(SPACES["s1"], chip)[1] if str(c) == "ibn_k3_e6"]
    assert dropped.loses_to == "fused_ibn_k3_e6"
    tailored = tailor(SPACES["s1"], chip)
    found = tailored.decode(tailored.reference).blocks
    own = SPACES["s1"].decode(SPACES["s1"].reference).blocks
    assert found[1] == replace(own[1], kind="fused_ibn")
    assert found[0] == own[0]
    bare = replace(SPACES["s1"], reference=None)
    assert tailor(bare, chip).reference is None


def test_a_space_without_blocks_is_refused():
    space = SearchSpace("mine", (Knob("depth", (1, 2)),), dict)
    with pytest.raises(ValueError, match="must have knobs of blocks"):
        profile(space, *PRESETS["coral"])
