import json

import pytest

from nahas.accelerator.grid import BASELINE
from nahas.models import known, resolve
from nahas.search_space.joint import Candidate
from nahas.search_space.published import PUBLISHED

NETWORK = PUBLISHED["MobileNetV2"]
PAIR = Candidate(NETWORK, BASELINE)


def test_every_known_name_is_a_network():
    for name in known():
        assert resolve(name).network == PUBLISHED[name.removeprefix("keras:")]


def test_texts_values_and_files_name_the_same_network(tmp_path):
    text, pair = tmp_path / "network.txt", tmp_path / "pair.json"
    text.write_text(f"{NETWORK}\n")
    pair.write_text(json.dumps(PAIR.to_json()))
    plain = [NETWORK, str(NETWORK), text, str(text)]
    paired = [PAIR, pair, str(pair), json.dumps(PAIR.to_json())]
    assert all(resolve(model).network == NETWORK for model in plain + paired)
    assert all(resolve(model).accelerator is None for model in plain)
    assert all(resolve(model).accelerator == BASELINE for model in paired)
    assert resolve(resolve(NETWORK)) == resolve(NETWORK)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("keras:EfficentNetB0", "Did you mean `keras:EfficientNetB0`?"),
        ("MobileNetV2", "Did you mean `keras:MobileNetV2`?"),
        ("absent.json", "a file that holds one"),
        ("", "keras:MobileNetV2"),
        ("{", "sound JSON"),
        ("{}", "must have `network` and `accelerator`"),
        ("r224_c1000 stem nothing head_f64_relu6", "Received 'stem'"),
    ],
)
def test_what_is_not_a_model_is_refused_in_words(model, message):
    with pytest.raises(ValueError, match=r".") as caught:
        resolve(model)
    assert message in str(caught.value)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="Received int"):
        resolve(3)
