"""Tailoring a space of networks to an accelerator.

NAHAS's first observation (Zhou et al. 2021, arXiv:2102.08619) is that the space must
suit the hardware: fused inverted bottlenecks pay on a chip whose depthwise convolutions
starve, and large kernels may cost nothing on another. `profile` measures what every
choice of every block costs on an accelerator, `tailor` keeps those worth a search.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.template import Accelerator, Platform
from nahas.search_space.lower import lower
from nahas.search_space.network import KINDS, Network
from nahas.search_space.space import Knob, SearchSpace

FIELDS = ("kind", "kernel", "expansion", "groups")
"""Of a block, what is profiled; other knobs of a space stay as they are."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a block: how it is built, and what it costs in its place.

    Attributes:
        block: Which block of the network.
        kind: "ibn" or "fused_ibn".
        kernel: Rows and columns of its k x k convolution.
        expansion: Expanded channels over input channels.
        groups: Of its expansion or fused convolution.
        latency_ms: Of the network that has it, all other blocks being their first.
        energy_mj: The same.
        loses_to: Why it is not worth a search: the choice that is no slower, costs no
            more energy and can do at least as much; for a fused block that is no faster
            than it, the plain one. None where it is kept.
    """

    block: int
    kind: str
    kernel: int
    expansion: float
    groups: int
    latency_ms: float
    energy_mj: float
    loses_to: str | None = None

    def __str__(self) -> str:
        groups = f"_g{self.groups}" if self.groups > 1 else ""
        return f"{self.kind}_k{self.kernel}_e{self.expansion:g}{groups}"

    def can_do_all_of(self, other: "Choice") -> bool:
        """Whether nothing of it is less.

        A kernel or expansion can be smaller, groups more, a block plain and not fused.
        """
        return (
            self.kernel >= other.kernel
            and self.expansion >= other.expansion
            and self.groups <= other.groups
            and (self.kind == "fused_ibn" or other.kind == "ibn")
        )


def profile(
    space: SearchSpace, accelerator: Accelerator, platform: Platform | None = None
) -> tuple[tuple[Choice, ...], ...]:
    """Costs of the choices of each block, plain and fused, and which are worth having.

    Args:
        space: Of networks, with knobs named "block0.kernel" and the like.
        accelerator: What runs them.
        platform: What surrounds the accelerator.

    Raises:
        ValueError: If no knob of the space is a block's, or a network cannot run.
    """
    blocks = _blocks(space)
    found = []
    networks = [_with(space, block, values) for block, choices in enumerate(blocks)
                for values in choices]  # fmt: skip
    costs = evaluate(lower(networks), [accelerator], platform)
    if not costs.feasible.all():
        worst = int(np.argmin(costs.feasible))
        raise ValueError(
            f"The accelerator must run the networks of {space.name}. Received one that "
            f"cannot: {costs.reason(worst)}."
        )
    at = 0
    for block, choices in enumerate(blocks):
        measured = [
            Choice(
                block,
                **values,
                latency_ms=float(costs.latency_ms[at + i]),
                energy_mj=float(costs.energy_mj[at + i]),
            )
            for i, values in enumerate(choices)
        ]
        found.append(_judged(measured))
        at += len(choices)
    return tuple(found)


def tailor(
    space: SearchSpace, accelerator: Accelerator, platform: Platform | None = None
) -> SearchSpace:
    """The space without choices that lose on an accelerator; fused blocks that win.

    A block's knobs of `FIELDS` become one, "block0.choice", whose values are texts such
    as "fused_ibn_k3_e6"; the others stay. In its reference a choice that is dropped
    is replaced by the one that it loses to.

    Raises:
        ValueError: If no knob of the space is a block's, or a network cannot run.
    """
    profiled = profile(space, accelerator, platform)
    kept = [
        {str(choice): choice for choice in choices if choice.loses_to is None}
        for choices in profiled
    ]
    others = tuple(knob for knob in space.knobs if _field(knob) not in FIELDS)
    knobs = tuple(
        Knob(f"block{i}.choice", tuple(choices)) for i, choices in enumerate(kept)
    )

    def build(values: Mapping[str, Any]) -> Network:
        chosen = [choices[values[f"block{i}.choice"]] for i, choices in enumerate(kept)]
        plain = {
            f"block{choice.block}.{field}": getattr(choice, field)
            for choice in chosen
            for field in FIELDS
        }
        network: Network = space.build({**values, **plain})
        blocks = zip(network.blocks, chosen, strict=True)
        return replace(
            network, blocks=tuple(replace(b, kind=c.kind) for b, c in blocks)
        )

    reference = None
    if space.reference is not None:
        own = {
            k.name: k.values[i]
            for k, i in zip(space.knobs, space.reference, strict=True)
        }
        wanted = own | {
            f"block{i}.choice": _survivor(choices, _own_fields(own, i))
            for i, choices in enumerate(profiled)
        }
        reference = tuple(k.values.index(wanted[k.name]) for k in knobs + others)
    return SearchSpace(f"{space.name} tailored", knobs + others, build, reference)


def _own_fields(values: Mapping[str, Any], block: int) -> list[Any]:
    """The fields of a block that the values of a space's knobs give."""
    missing = {"kind": "ibn", "groups": 1}
    return [values.get(f"block{block}.{name}", missing.get(name)) for name in FIELDS]


def _survivor(choices: Sequence[Choice], wanted: list[Any]) -> str:
    """The kept choice that stands for one of these fields: itself, or what beats it."""
    named = {str(choice): choice for choice in choices}
    [found] = [c for c in choices if [getattr(c, name) for name in FIELDS] == wanted]
    while found.loses_to is not None:
        found = named[found.loses_to]
    return str(found)


def _blocks(space: SearchSpace) -> list[list[dict[str, Any]]]:
    """The choices of each block: all combinations of its fields, plain and fused."""
    values: dict[int, dict[str, tuple[Any, ...]]] = {}
    for knob in space.knobs:
        field = _field(knob)
        if field in FIELDS:
            number = int(knob.name.partition(".")[0].removeprefix("block"))
            values.setdefault(number, {})[field] = knob.values
    if sorted(values) != list(range(len(values))) or not values:
        raise ValueError(
            "`space` must have knobs of blocks, such as block0.kernel. Received "
            f"{space.name} with {space.knobs[0].name}."
        )
    missing = {"kind": KINDS, "groups": (1,)}
    found = []
    for number in range(len(values)):
        fields = missing | values[number] | {"kind": KINDS}
        found.append(
            [
                dict(zip(FIELDS, choice, strict=True))
                for choice in product(*(fields[field] for field in FIELDS))
            ]
        )
    return found


def _field(knob: Knob) -> str:
    block, _, field = knob.name.partition(".")
    return field if block.removeprefix("block").isdigit() else ""


def _with(space: SearchSpace, block: int, values: Mapping[str, Any]) -> Network:
    """The space's first network with another choice of one block.

    A multiplier of filters is 1 where it can be: costs are compared block by block.
    """
    first = {
        knob.name: 1.0 if _field(knob) == "multiplier" and 1.0 in knob.values
        else knob.values[0]
        for knob in space.knobs
    }  # fmt: skip
    named = {f"block{block}.{field}": value for field, value in values.items()}
    network: Network = space.build(first | named)
    blocks = list(network.blocks)
    blocks[block] = replace(blocks[block], kind=values["kind"])
    return replace(network, blocks=tuple(blocks))


def _judged(choices: list[Choice]) -> tuple[Choice, ...]:
    # Fused blocks that are no faster than plain ones go first: nothing may lose to what
    # is dropped itself, or of two that tie each would be dropped for the other.
    plain = {_size(choice): choice for choice in choices if choice.kind == "ibn"}
    in_vain = [
        choice.kind == "fused_ibn"
        and plain[_size(choice)].latency_ms <= choice.latency_ms
        for choice in choices
    ]
    rivals = [c for c, vain in zip(choices, in_vain, strict=True) if not vain]
    judged = []
    for choice, vain in zip(choices, in_vain, strict=True):
        better = [other for other in rivals if _beats(other, choice)]
        if vain:
            better.append(plain[_size(choice)])
        loses_to = str(min(better, key=lambda o: o.latency_ms)) if better else None
        judged.append(replace(choice, loses_to=loses_to))
    return tuple(judged)


def _size(choice: Choice) -> tuple[int, float, int]:
    """What a plain and a fused block have alike."""
    return choice.kernel, choice.expansion, choice.groups


def _beats(other: Choice, choice: Choice) -> bool:
    """Whether one choice is no dearer and can do more, or can do as much for less."""
    no_dearer = (
        other.latency_ms <= choice.latency_ms and other.energy_mj <= choice.energy_mj
    )
    cheaper = other.latency_ms < choice.latency_ms or other.energy_mj < choice.energy_mj
    can_do_more = not choice.can_do_all_of(other)
    return no_dearer and other.can_do_all_of(choice) and (can_do_more or cheaper)
