from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.config import to_dict
from nahas.decode import decode, keys


@dataclass(frozen=True)
class Inner:
    size: float = 1.0
    count: int | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size <= 0:
            raise ValueError(f"`size` must be positive. Received {self.size!r}.")


@dataclass(frozen=True)
class Opaque:
    needed: complex


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    mode: Literal["hard", "soft"] = "hard"
    shown: bool = False
    opaque: Opaque | None = None


@given(
    st.floats(1e-6, 1e6), st.none() | st.integers(), st.lists(st.text()), st.booleans()
)
def test_decoding_undoes_to_dict(size, count, names, shown):
    value = Outer(Inner(size, count, tuple(names)), "soft", shown)
    assert decode(Outer, to_dict(value)) == value


def test_only_what_toml_can_say_is_a_key():
    assert list(keys(Outer)) == ["inner", "mode", "shown"]


def test_a_whole_number_does_for_a_float_and_true_for_none():
    assert decode(Inner, {"size": 2}).size == 2.0
    with pytest.raises(TypeError, match="must be a number"):
        decode(Inner, {"size": True})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"iner": {}}, "`iner` must be one of inner, mode, shown. Did you mean "
         "`inner`? (in iner)."),
        ({"inner": {"sise": 1}}, "`sise` must be one of size, count, names. Did you "
         "mean `size`? (in inner.sise)."),
        ({"inner": {"size": "big"}}, "`size` must be a number. Received 'big' (in "
         "inner.size)."),
        ({"inner": {"count": 1.5}}, "`count` must be an integer or left out. Received "
         "1.5 (in inner.count)."),
        ({"inner": {"names": [1]}}, "`names[0]` must be text. Received 1 (in "
         "inner.names[0])."),
        ({"inner": 3}, "`inner` must be a section of its own. Received 3 (in inner)."),
        ({"mode": "warm"}, "`mode` must be one of 'hard', 'soft'. Received 'warm' (in "
         "mode)."),
        ({"inner": {"size": -1}}, "`size` must be positive. Received -1.0 (in "
         "inner.size)."),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_what_came_and_where(table, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        decode(Outer, table)
    assert str(caught.value) == message


def test_a_key_without_a_default_must_be_given():
    @dataclass
    class Needy:
        name: str

    with pytest.raises(ValueError, match=r"`name` must be given \(in part.name\)"):
        decode(Needy, {}, "part")
