"""Graph: an imported model in neutral steps, and their folding into a workload.

An importer adds each operator of its format as a `Step`; `fold` then does what the
machine does for free or in one go:

- Bias, ReLU and its kin, batch norm after a multiplication, scalar scales and shifts,
  dropout, reshapes and (de)quantization are part of a producer's requantization, or no
  work at all.
- A pad is absorbed by the windows that read it.
- An int8 element has 256 values, so a chain of functions of one element is one table;
  x * sigmoid(x) is a swish, x * clamp(a * x + b) an h-swish: tables too.
- A scale by channel and the shift after it are one multiplication.

What is left is costed, step by step.
"""

from dataclasses import dataclass, field, replace
from math import ceil, prod

from nahas.accelerator.workload import Kind, Operator, Workload, workload

Shape = tuple[int, int, int]
"""Rows, columns and channels of a map; the batch is 1."""

INPUT = -1
"""Where a step reads the model's input."""

LARGEST = 2**32
"""Elements of a map above which a model is taken to be damaged."""

IDENTITY, CLAMP, AFFINE, SCALE, PAD = "identity", "clamp", "affine", "scale", "pad"
"""What `fold` absorbs: no work; ReLU and its kin; a scalar scale or shift; a scale or
shift by channel; a pad."""


class UnsupportedError(ValueError):
    """A model cannot be costed; the message says which operator, and where."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a model, as its file says it.

    Attributes:
        name: Where it stands in the model.
        does: A `Kind`, or one of the words for what `fold` absorbs.
        inputs: Steps that it reads; `INPUT` is the model's input.
        shape: Of the output.
        window: Rows and columns of its window.
        strides: Steps of the window, down and along.
        groups: Groups of channels that do not mix.
        dilation: Step between the window's taps.
    """

    name: str
    does: Kind | str
    inputs: tuple[int, ...]
    shape: Shape
    window: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    groups: int = 1
    dilation: int = 1

    def __post_init__(self) -> None:
        rows, columns, channels = self.shape
        if min(self.shape) < 1 or rows * columns * channels > LARGEST:
            raise UnsupportedError(
                f"The output of {self.name} must be a map of 1 to {LARGEST:,} "
                f"elements. Received {rows} x {columns} x {channels}."
            )


@dataclass(slots=True)
class Graph:
    """Steps in running order, as an importer finds them.

    Attributes:
        shape: Of the model's input.
        steps: The steps so far.
        outputs: Steps whose results leave the model; the last step where none is named.
        found: Steps that `once` added, by all but their names, and their functions.
    """

    shape: Shape
    steps: list[Step] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    found: dict[tuple[Step, str], int] = field(default_factory=dict)

    def add(self, step: Step) -> int:
        """Appends a step; returns its number."""
        self.steps.append(step)
        return len(self.steps) - 1

    def once(self, step: Step, function: str) -> int:
        """Appends a step without weights, or finds the same one; returns its number.

        NASNet writes the same ReLU of the same value five times, and compilers do not.
        """
        place = (replace(step, name=""), function)
        if place not in self.found:
            self.found[place] = self.add(step)
        return self.found[place]

    def shape_of(self, number: int) -> Shape:
        """Shape of what a step, or the input, gives."""
        return self.shape if number == INPUT else self.steps[number].shape


def add_transposed(
    graph: Graph, name: str, producer: int, shape: Shape, kernel: tuple[int, int],
    strides: tuple[int, int], groups: int = 1,
) -> int:  # fmt: skip
    """Adds a transposed convolution as the machine runs it.

    A plain one with stride x stride times the filters on the small map, whose channels
    are then moved to their places. The zeros between the map's elements are not
    multiplied; where the strides do not divide the kernel, its taps are filled up with
    zeros, which are.
    """
    rows, columns, filters = shape
    small = (ceil(rows / strides[0]), ceil(columns / strides[1]))
    window = (ceil(kernel[0] / strides[0]), ceil(kernel[1] / strides[1]))
    dense = Step(
        name, Kind.CONV, (producer,), (*small, filters * prod(strides)), window,
        groups=groups,
    )  # fmt: skip
    return graph.add(Step(f"{name}/unpack", Kind.MOVE, (graph.add(dense),), shape))


_MULTIPLIES = (Kind.CONV, Kind.DEPTHWISE, Kind.DENSE)
_TABLES = (Kind.SIGMOID, Kind.SWISH, Kind.HSWISH, Kind.LOOKUP)
_OF_ONE_ELEMENT = (*_TABLES, AFFINE, CLAMP)
_FREE = (AFFINE, CLAMP)


def fold(graph: Graph) -> Workload:
    """The workload of a model.

    Raises:
        UnsupportedError: If nothing is left that takes time.
    """
    nodes = _Nodes(graph)
    for rule in (
        _drop_identities,
        _take_twice,
        _absorb_pads,
        _absorb_scales,
        _find_gates,
        _compose_tables,
        _requantize,
    ):
        for number in list(nodes.steps):
            if number in nodes.steps:
                rule(nodes, number)
    if not nodes.steps:
        raise UnsupportedError("The model holds no operator that takes time.")
    return workload([nodes.operators()])


class _Nodes:
    """The steps that are left, by their first number, and who reads them."""

    def __init__(self, graph: Graph) -> None:
        self.shape = graph.shape
        self.steps = dict(enumerate(graph.steps))
        self.readers: dict[int, list[int]] = {n: [] for n in (INPUT, *self.steps)}
        for number, step in self.steps.items():
            for producer in step.inputs:
                self.readers[producer].append(number)
        self.kept = set(graph.outputs or self.steps.keys() & {len(self.steps) - 1})
        for number in reversed(list(self.steps)):
            if not self.readers[number] and number not in self.kept:
                self.remove(number)

    def shape_of(self, number: int) -> Shape:
        return self.shape if number == INPUT else self.steps[number].shape

    def only_reader(self, number: int, reader: int) -> bool:
        """Whether nobody but one step needs a step's result."""
        return {*self.readers[number]} == {reader} and number not in self.kept

    def does(self, number: int) -> Kind | str | None:
        return None if number == INPUT else self.steps[number].does

    def bypass(self, number: int) -> None:
        """Takes a step away; its readers read its first input instead."""
        producer = self.steps[number].inputs[0]
        for reader in {*self.readers[number]}:
            step = self.steps[reader]
            inputs = tuple(producer if i == number else i for i in step.inputs)
            self.steps[reader] = replace(step, inputs=inputs)
            self.readers[producer] += [reader] * step.inputs.count(number)
        if number in self.kept and producer != INPUT:
            self.kept.add(producer)
        self.remove(number)

    def remove(self, number: int) -> None:
        """Takes a step away that nobody reads any more."""
        for producer in self.steps.pop(number).inputs:
            self.readers[producer].remove(number)
        del self.readers[number]
        self.kept.discard(number)

    def rewire(self, number: int, does: Kind | str, producer: int) -> None:
        """Makes a step one that does something else to one input."""
        step = self.steps[number]
        for old in step.inputs:
            self.readers[old].remove(number)
        self.readers[producer].append(number)
        self.steps[number] = replace(step, does=does, inputs=(producer,))

    def operators(self) -> list[Operator]:
        """The steps as a workload's rows, in order."""
        places = {number: place for place, number in enumerate(self.steps)}
        places[INPUT] = INPUT
        return [
            _operator(
                step,
                [self.shape_of(i) for i in step.inputs],
                tuple(places[i] for i in step.inputs),
            )
            for step in self.steps.values()
        ]


def _drop_identities(nodes: _Nodes, number: int) -> None:
    if nodes.does(number) == IDENTITY:
        nodes.bypass(number)


def _take_twice(nodes: _Nodes, number: int) -> None:
    """X + x is a scalar scale, x * x a table."""
    step = nodes.steps[number]
    if len(step.inputs) == 2 and len({*step.inputs}) == 1:
        if step.does is Kind.ADD:
            nodes.rewire(number, AFFINE, step.inputs[0])
        elif step.does is Kind.MULTIPLY:
            nodes.rewire(number, Kind.LOOKUP, step.inputs[0])


def _absorb_pads(nodes: _Nodes, number: int) -> None:
    """Windows read beyond the edge at no cost; everyone else needs a padded copy."""
    step = nodes.steps[number]
    if step.does != PAD:
        return
    windowed = (*_MULTIPLIES, Kind.POOL, Kind.AVERAGE)
    readers = nodes.readers[number]
    if (
        readers
        and number not in nodes.kept
        and all(
            nodes.does(r) in windowed and max(nodes.steps[r].window) > 1
            for r in readers
        )
    ):
        nodes.bypass(number)
    else:
        nodes.steps[number] = replace(step, does=Kind.MOVE)


def _absorb_scales(nodes: _Nodes, number: int) -> None:
    """A scale or shift becomes part of the multiplication or scale before it.

    The model's input comes scaled.
    """
    if nodes.does(number) not in (SCALE, AFFINE):
        return
    producer = nodes.steps[number].inputs[0]
    before = nodes.does(producer)
    absorbs = before in _MULTIPLIES or before == SCALE
    if producer == INPUT or (absorbs and nodes.only_reader(producer, number)):
        nodes.bypass(number)


def _find_gates(nodes: _Nodes, number: int) -> None:
    """X * f(x) is a function of one element: swish, h-swish or another table."""
    step = nodes.steps[number]
    if step.does is not Kind.MULTIPLY or len({*step.inputs}) != 2:
        return
    for gate, value in (step.inputs, step.inputs[::-1]):
        chain, reader = [], number
        at = gate
        while nodes.does(at) in _OF_ONE_ELEMENT and nodes.only_reader(at, reader):
            chain.append(at)
            reader, [at] = at, nodes.steps[at].inputs
        if chain and at == value:
            does = {nodes.does(i) for i in chain}
            table = Kind.LOOKUP
            if does == {Kind.SIGMOID}:
                table = Kind.SWISH
            elif does <= {*_FREE}:
                table = Kind.HSWISH
            nodes.rewire(number, table, value)
            for link in chain:
                nodes.remove(link)
            return


def _compose_tables(nodes: _Nodes, number: int) -> None:
    """A function of one element after another is one table."""
    step = nodes.steps[number]
    if step.does not in _OF_ONE_ELEMENT:
        return
    [producer] = step.inputs
    before = nodes.does(producer)
    if before not in _OF_ONE_ELEMENT or not nodes.only_reader(producer, number):
        return
    if step.does in _FREE:  # the table before it holds it too
        nodes.bypass(number)
        return
    if before in _TABLES:
        nodes.steps[number] = replace(step, does=Kind.LOOKUP)
    nodes.bypass(producer)


def _requantize(nodes: _Nodes, number: int) -> None:
    """Clamps and scalar scales are the producer's; a copy of its own is a table's."""
    step = nodes.steps[number]
    if step.does == SCALE:
        nodes.steps[number] = replace(step, does=Kind.MULTIPLY)
    elif step.does in _FREE:
        [producer] = step.inputs
        if nodes.only_reader(producer, number):
            nodes.bypass(number)
        else:
            nodes.steps[number] = replace(step, does=Kind.LOOKUP)


def _operator(step: Step, shapes: list[Shape], inputs: tuple[int, ...]) -> Operator:
    assert isinstance(step.does, Kind), step  # no rule leaves a word
    out_rows, out_columns, filters = step.shape
    rows, columns, channels = shapes[0]
    does = step.does
    if does is Kind.CONV and step.groups == channels > 1:
        does = Kind.DEPTHWISE
    if step.does is Kind.DENSE:
        rows, columns, channels = 1, 1, rows * columns * channels
    elif step.does in (Kind.ADD, Kind.MULTIPLY, Kind.CONCAT):
        # All that is read, laid over the output's map.
        read = sum(r * c * n for r, c, n in shapes)
        rows, columns = out_rows, out_columns
        channels = max(read // (rows * columns), 1)
    elif step.does is Kind.MOVE and prod(step.shape) < prod(shapes[0]):
        rows, columns, channels = step.shape  # a slice reads what it keeps
    return Operator(
        step.name, does, inputs, rows, columns, channels, out_rows, out_columns,
        filters, *step.window, *step.strides, step.groups, step.dilation,
    )  # fmt: skip
