"""What is said of a value that cannot be."""


def wrong(name: str, expected: str, value: object, section: str = "") -> ValueError:
    """The error of a value: what was expected, what came and, where known, in what.

    >>> print(wrong("width", "a positive number", -1, "training"))
    `width` must be a positive number. Received -1 (in training.width).
    """
    where = f" (in {section}.{name})" if section else ""
    return ValueError(f"`{name}` must be {expected}. Received {value!r}{where}.")
