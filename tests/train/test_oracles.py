"""Oracles: keys, seeds, estimates, and the same accuracy in every process."""

import gc
import json
import math
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from nahas.search_space.network import Block, Network
from nahas.search_space.oracle import Oracle
from nahas.train.data import DatasetError
from nahas.train.oracles import ProxyTraining

NETWORK = Network(
    (Block("ibn", 3, 3, 16, stride=2), Block("fused_ibn", 3, 2, 16, groups=2)), 16, 32
)
TINY = ProxyTraining(data="digits", resolution=8, width=0.5, images=640, batch=16)


def test_the_oracles_fulfil_the_protocol():
    assert isinstance(TINY, Oracle)


def test_rebuilt_from_json():
    again = ProxyTraining(**json.loads(json.dumps(asdict(TINY))))
    assert again == TINY
    assert hash(again) == hash(TINY)
    assert again.key == TINY.key


@pytest.mark.parametrize(
    "change",
    [
        {"data": "mnist5k"},
        {"resolution": 7},
        {"width": 0.25},
        {"epochs": 2},
        {"images": 321},
        {"batch": 32},
        {"learning_rate": 0.1},
        {"seed": 1},
        {"threads": 2},
    ],
)
def test_every_field_is_in_the_key_and_in_the_seed(change):
    other = replace(TINY, **change)
    assert other.key != TINY.key
    assert "\n" not in other.key
    assert other.training_seed(NETWORK) != TINY.training_seed(NETWORK)


def test_the_training_seed_is_the_networks_own():
    other = replace(NETWORK, head_filters=40)
    assert TINY.training_seed(NETWORK) != TINY.training_seed(other)
    assert 0 <= TINY.training_seed(NETWORK) < 2**32


def test_the_key_of_a_file_follows_its_content(tmp_path):
    oracle = replace(TINY, data=str(tmp_path / "images.npz"))
    with pytest.raises(DatasetError, match="readable"):
        _ = oracle.key
    np.savez(oracle.data, x=1)
    before = oracle.key
    np.savez(oracle.data, x=[2, 3])
    assert oracle.key != before


@pytest.mark.parametrize(
    "wrong",
    [{"resolution": 0}, {"width": 0}, {"images": 0}, {"threads": 0}, {"epochs": 0}],
)
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
        ProxyTraining(**wrong)


IN_A_FRESH_PROCESS = """
import json, sys
from nahas.search_space.network import Network
from nahas.train.oracles import ProxyTraining

oracle, text = json.loads(sys.argv[1])
oracle, network = ProxyTraining(**oracle), Network.parse(text)
estimate = oracle.evaluate([network])
right = oracle.test(network)
print(estimate.accuracy.item().hex(), estimate.error, right.tobytes().hex())
"""


def in_a_fresh_process(oracle, network):
    given = json.dumps([asdict(oracle), str(network)])
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, given]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_two_fresh_processes_agree_bit_for_bit():
    first, again = (in_a_fresh_process(TINY, NETWORK) for _ in range(2))
    accuracy, error, right = first.split()
    assert first == again
    assert 0.1 < float.fromhex(accuracy) <= 1
    assert error == "('',)"
    assert len(bytes.fromhex(right)) == 359


def test_networks_one_after_another_do_not_touch_each_other():
    small = replace(NETWORK, head_filters=16)
    both = TINY.evaluate([small, NETWORK])
    alone = TINY.evaluate([NETWORK])
    assert both.accuracy[1] == alone.accuracy[0]
    assert both.accuracy.shape == both.deviation.shape == both.seconds.shape == (2,)
    p = alone.accuracy[0]
    assert alone.deviation[0] == pytest.approx(math.sqrt(p * (1 - p) / 359))
    assert alone.seconds[0] > 0


def test_nothing_of_a_training_stays_in_memory():
    def graphs():
        gc.collect()
        return {id(o) for o in gc.get_objects() if type(o).__name__ == "FuncGraph"}

    TINY.evaluate([NETWORK])  # the first one may leave what all share
    before = graphs()
    TINY.evaluate([replace(NETWORK, head_filters=16)])
    assert graphs() <= before


def test_a_diverged_training_does_not_stop_the_others():
    estimate = replace(TINY, learning_rate=1e30).evaluate([NETWORK])
    assert np.isnan(estimate.accuracy).all()
    assert "diverged" in estimate.error[0]
    with pytest.raises(ValueError, match="diverged"):
        replace(TINY, learning_rate=1e30).test(NETWORK)


def test_more_images_than_there_are():
    with pytest.raises(ValueError, match="`images` must be at most the 1079"):
        replace(TINY, images=2000).evaluate([NETWORK])
