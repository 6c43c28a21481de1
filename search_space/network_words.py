"""The words of a network's text, as `Network.parse` reads them."""

import re


def _count(name: str) -> str:
    return rf"(?P<{name}>[1-9][0-9]*)"


_NUMBER = r"[1-9][0-9]*(\.[0-9]+)?"
_ACTIVATION = r"(?P<activation>[a-z]+[0-9]*)"
INPUT = re.compile(
    rf"r{_count('resolution')}(x{_count('channels')})?_c{_count('classes')}"
)
STEM = re.compile(
    rf"stem_k{_count('kernel')}_s{_count('stride')}_f{_count('filters')}_{_ACTIVATION}"
)
HEAD = re.compile(rf"head_f{_count('filters')}_{_ACTIVATION}")
BLOCK = re.compile(
    rf"(?P<kind>ibn|fused-ibn)_k{_count('kernel')}_e(?P<expansion>{_NUMBER})"
    rf"_f{_count('filters')}(_s{_count('stride')})?(_g{_count('groups')})?"
    rf"(_se(?P<se>[0-9]+(\.[0-9]+)?(e-[0-9]+)?))?_{_ACTIVATION}(?P<noskip>_noskip)?"
    r"(?P<late>_late)?"
)


def match(pattern: re.Pattern[str], words: list[str], place: int) -> dict[str, str]:
    """The named parts of one word of a network's text.

    Raises:
        ValueError: Naming the word and its place, if it does not match.
    """
    found = pattern.fullmatch(words[place])
    if found is None:
        raise ValueError(
            f"Word {place + 1} of a network's text must look like "
            f"{_EXAMPLES[pattern]!r}. Received {words[place]!r}."
        )
    return found.groupdict()


_EXAMPLES = {
    INPUT: "r224_c1000",
    STEM: "stem_k3_s2_f32_relu6",
    HEAD: "head_f1280_relu6",
    BLOCK: "ibn_k3_e6_f24_s2_g2_se0.25_relu6_noskip",
}
