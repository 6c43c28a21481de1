"""What is said of a value that cannot be."""


def wrong(name: str, expected: str, value: object, section: str = "") -> ValueError:
    """The error of a value: what was expected, what came and, where known, in what.

    >>> print(wrong("width", "a positive number", -1, "training"))
    `width` must be a positive number. Received -1 (in training.width).
    """
    where = f" (in {section}.{name})" if section else ""
    return ValueError(f"`{name}` must be {expected}. Received {value!r}{where}.")


def check_counts(owner: object, *names: str, least: int = 1) -> None:
    """Raises a ValueError unless attributes are integers of at least `least`."""
    expected = "a positive integer" if least == 1 else f"an integer of at least {least}"
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise wrong(name, expected, value)
