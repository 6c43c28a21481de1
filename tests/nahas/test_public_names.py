import subprocess
import sys
from pathlib import Path

import pytest

import nahas


@pytest.mark.parametrize("name", nahas.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(nahas, name)
    assert name in dir(nahas)
    assert value.__doc__


def test_the_type_checker_sees_the_same_names():
    source = Path(nahas.__file__).read_text()
    for name in nahas.__all__:
        assert f"import {name} as {name}\n" in source


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        _ = nahas.serch


def test_importing_is_quick():
    code = (
        "import time; start = time.perf_counter(); import nahas, sys; "
        "assert time.perf_counter() - start < 1; "
        "assert not {'numpy', 'pandas', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
