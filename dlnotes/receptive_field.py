"""Receptive fields: the inputs that one output sees, along how many paths, and a network that needs them all.

A network is a list of `Layer` and `Join`. Rows and columns do not mix, so all is computed one axis at a time.
Options are an integer, or one for the rows and one for the columns; results are integers where all options are, and
pairs otherwise. Positions count from 0; negative ones lie in the padding. Source: Araujo, Norris and Sim 2019.
"""

import itertools
import re
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral

import numpy as np

from dlnotes import activation, convolution


@dataclass(frozen=True)
class Layer:
    """A convolution or a pool: what it does to positions."""

    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, int] = 0
    dilation: int | tuple[int, int] = 1

    def __post_init__(self):
        for name in ("kernel_size", "stride", "padding", "dilation"):
            object.__setattr__(self, name, _whole(name, getattr(self, name), 0 if name == "padding" else 1))


@dataclass(frozen=True)
class Join:
    """Branches from one point of a network, each a list of layers, whose outputs are added or stacked.

    `Join([[Layer(3, padding=1)], []])` is a residual block: the empty branch is the skip.
    """

    branches: tuple

    def __post_init__(self):
        if not isinstance(self.branches, list | tuple) or not self.branches:
            raise ValueError(f"branches is {self.branches!r}; expected lists of layers, one or more")
        object.__setattr__(self, "branches", tuple(tuple(_chain("branches", b)) for b in self.branches))


@dataclass(frozen=True)
class ReceptiveField:
    """Output i sees the inputs stride i - padding to stride i - padding + size - 1; integers, or pairs."""

    size: int | tuple[int, int]
    stride: int | tuple[int, int]
    padding: int | tuple[int, int]


def output_size(layers, n):
    """Return the size of the output for an input of size n (claim receptive-field-same-size).

    Raises:
        ValueError: n holds no kernel of some layer, or branches that join give different sizes at this n.
    """
    return _one_or_pair(_sizes(chain, m)[-1] for chain, m in _axes(layers, n=n))


def receptive_field(layers):
    """Return ``ReceptiveField(size, stride, padding)`` (claims receptive-field-chain, receptive-field-join).

    Raises:
        ValueError: branches that join have different strides, or give different sizes for every input.
    """
    fields = [_field(chain) for (chain,) in _axes(layers)]
    return ReceptiveField(*map(_one_or_pair, zip(*fields, strict=True)))


def interval(layers, index):
    """Return (first, last) input seen by an output, as if the image had no border (claim receptive-field-interval)."""
    fields = [(i, *_field(chain)) for chain, i in _axes(layers, index=index)]
    return _one_or_pair((stride * i - padding, stride * i - padding + size - 1) for i, size, stride, padding in fields)


def centre(layers, index):
    """Return the middle of that interval, a whole or half number (claim receptive-field-centre)."""
    ends = interval(layers, index)
    return tuple(sum(axis) / 2 for axis in ends) if isinstance(ends[0], tuple) else sum(ends) / 2


def region(layers, index, n):
    """Return (first, last) pixel of an image of size n that reaches an output (claim receptive-field-region).

    None where no pixel does, only padding. With pairs: one such answer an axis. Raises as path_counts.
    """
    seen = _back(*zip(*_axes(layers, index=index, n=n), strict=True), bool)
    lines = [np.flatnonzero(seen.any(tuple({*range(seen.ndim)} - {axis}))) for axis in range(seen.ndim)]
    return _one_or_pair((int(line[0]), int(line[-1])) if line.size else None for line in lines)


def path_counts(layers, index=None, n=None):
    """Return how many paths lead from each input to an output, (n,) or (rows, columns) (claim receptive-field-paths).

    A path picks one entry of each kernel. One that meets the padding of any layer carries nothing: it is not counted.
    Without index and n: the counts over one receptive field away from the borders. Python integers.

    Raises:
        ValueError: there is no such output, or as output_size.
    """
    if index is not None or n is not None:
        return _back(*zip(*_axes(layers, index=index, n=n), strict=True), object)
    chains = [chain for (chain,) in _axes(layers)]
    index, n, window = zip(*map(_inside, chains), strict=True)
    return _back(chains, index, n, object)[window]


def path_variance(layers):
    """Return the variance of the input at the end of a path drawn at random, a Fraction (claim receptive-field-spread).

    Raises:
        ValueError: the layers are not one chain.
    """
    axes, variances = _axes(layers), []
    if any(isinstance(layer, Join) for layer in layers):
        raise ValueError("layers has a Join; expected one chain")
    for (chain,) in axes:
        steps = [dilation * _field(chain[:j])[1] for j, (*_, dilation) in enumerate(chain)]
        terms = (Fraction(a * a * (k * k - 1), 12) for a, (k, *_) in zip(steps, chain, strict=True))
        variances.append(sum(terms, Fraction(0)))
    return _one_or_pair(variances)


def parse(text):
    """Return the layers that a text describes, one a line (claim receptive-field-text).

    A line is numbers (kernel, stride, padding, dilation), or names with numbers ("conv 3 stride 2 padding 1",
    "pool 2"), or both. A pool without a stride has that of its kernel. From # on a line is a remark.

    Raises:
        ValueError: begins with "text", and names the line.
    """
    return [layer for _, _, layer in _lines(text)]


def table(text, n):
    """Return one dict a layer, the input first, for an image of size n (claim receptive-field-table).

    Keys: line (in the text; 0 for the input), layer (as written), output (its size), size, jump, padding (of the
    receptive field, in input pixels; the jump is its stride) and start (the centre of output 0).

    Raises:
        ValueError: begins with "text" and names the line, or with n.
    """
    if isinstance(_whole("n", n, 1), tuple):
        raise ValueError(f"n is {n}; expected one integer, as the text gives one number an option")
    rows, layers = [], []
    for number, written, layer in [(0, "input", None), *_lines(text)]:
        layers += [layer] if layer else []
        try:
            output = output_size(layers, n)
        except ValueError as error:
            raise ValueError(f"text line {number}, {written!r}: the kernel is larger than its padded input") from error
        size, jump, padding = vars(receptive_field(layers)).values()
        row = {"line": number, "layer": written, "output": output, "size": size, "jump": jump, "padding": padding}
        rows.append({**row, "start": centre(layers, 0)})
    return rows


def forward(network, x, *, act=activation.relu, skip=None, after=False):
    """Return the output of a stack of 3 x 3 layers with padding 1 (claim receptive-field-corner-network).

    Args:
        network: list of (w, b), w (F, C, 3, 3) and b (F,).
        x: (N, C, H, W).
        act: the activation, applied to every layer's output but the last's.
        skip: (i, j), or None: the output of layer i is added to that of layer j > i; layer 0 is x.
        after: add it after the activation of layer j, and not before.

    Raises:
        ValueError: the skip does not join two outputs of one shape, or as dlnotes.convolution.conv2d.
    """
    pair = isinstance(skip, tuple | list) and len(skip) == 2 and all(isinstance(layer, Integral) for layer in skip)
    if skip is not None and not (pair and 0 <= skip[0] < skip[1] <= len(network)):
        raise ValueError(f"skip is {skip!r}; expected None, or (i, j) with 0 <= i < j <= {len(network)}")
    h = [np.asarray(x)]
    for j, (w, b) in enumerate(network, 1):
        z, here = convolution.conv2d(h[-1], w, b, padding=1), skip and j == skip[1]
        if here and h[skip[0]].shape != z.shape:
            raise ValueError(f"skip joins shapes {h[skip[0]].shape} and {z.shape}; expected one shape")
        z = z + h[skip[0]] if here and not after else z
        z = act(z) if j < len(network) else z
        h.append(z + h[skip[0]] if here and after else z)
    return h[-1]


def corner_network(*, subtract_input=False):
    """Return four layers, 16 channels between, that compare opposite corners (claim receptive-field-corner-network).

    Whole numbers. Channels of layers 1 and 2: 0 to 3 compare, 4 marks the corners. Layer 3 has its five results in 5
    to 9, which layer 1 leaves at 0, and layer 4 reads those alone. Channel 10 carries x, which the last layer
    subtracts if asked to: for a skip from the input to the output.
    """
    shapes = (16, 1), (16, 16), (16, 16), (1, 16)
    network = [(np.zeros((f, c, 3, 3), int), np.zeros(f, int)) for f, c in shapes]
    (w1, b1), (w2, b2), (w3, b3), (w4, _) = network
    toward = [(0, 0), (2, 2), (0, 2), (2, 0)]  # up-left and its opposite, up-right and its opposite
    b1[4] = 1  # a channel of ones
    w2[4, 4], b2[4] = -1, 5  # 5 - (9 inside, 6 on an edge, 4 in a corner)
    w3[9, 4, 1, 1] = w4[0, 9, 1, 1] = 1
    for c in range(4):
        other = c ^ 1
        w1[c, 0, *toward[c]] = 1
        w2[c, c, *toward[c]], w2[c, other, *toward[other]] = 1, -1
        for half in (c, other):  # the two halves of an absolute value
            w3[5 + c, half, *toward[other]] = 1
        w3[5 + c, 4, *toward[c]], b3[5 + c] = 1, -1
        w4[0, 5 + c, *toward[other]] = -1
    w1[10, 0, 1, 1] = w2[10, 10, 1, 1] = w3[10, 10, 1, 1] = 1
    w4[0, 10, 1, 1] = -int(subtract_input)
    return network


# Below, a chain is a network along one axis: (kernel size, stride, padding, dilation) of each layer, and for each join
# a list of chains.


def _field(chain):
    """Return (size, stride, padding) of a chain."""
    size, stride, padding = 1, 1, 0
    for layer in chain:
        if isinstance(layer, list):
            extent, step, pad = _joined(layer)
        else:
            k, step, pad, dilation = layer
            extent = dilation * (k - 1) + 1
        size, stride, padding = size + stride * (extent - 1), stride * step, padding + stride * pad
    return size, stride, padding


def _joined(branches):
    """Return (size, stride, padding) of the smallest interval that holds those of all branches."""
    sizes, strides, paddings = zip(*map(_field, branches), strict=True)
    excess = [2 * z - r for r, z in zip(sizes, paddings, strict=True)]
    if len(set(strides)) > 1:
        raise ValueError(f"layers has a Join of strides {sorted(set(strides))}; expected one stride")
    if max(excess) - min(excess) >= strides[0]:
        raise ValueError(
            f"layers has a Join whose 2 padding - size are {excess}; expected less than {strides[0]} apart, as the "
            "branches would differ in size for every input"
        )
    return max(paddings) + max(r - z for r, z in zip(sizes, paddings, strict=True)), strides[0], max(paddings)


def _sizes(chain, n):
    """Return the size of the input and of every layer's output."""
    sizes = [n]
    for number, layer in enumerate(chain):
        if isinstance(layer, list):
            ends = sorted({_sizes(branch, sizes[-1])[-1] for branch in layer})
            if len(ends) > 1:
                raise ValueError(f"n is {n}: branches of sizes {ends} join at layer {number}; expected one size")
            sizes += ends
        else:
            k, stride, padding, dilation = layer
            sizes.append(convolution.output_size(sizes[-1], k, stride=stride, padding=padding, dilation=dilation))
    return sizes


def _inside(chain):
    """Return (index, n, window): an output that sees no padding, an input that gives it, and where it looks."""
    size, stride, padding = _field(chain)
    index = -(-padding // stride)
    first = stride * index - padding
    for n in range(first + size, first + size + stride):
        try:
            _sizes(chain, n)
        except ValueError:
            continue
        return index, n, slice(first, first + size)
    raise ValueError("layers has Joins that agree on no input size; expected branches of one size for some input")


def _back(chains, index, n, dtype):
    """Send a one back from an output through all kernels, every weight one."""
    out = tuple(_sizes(chain, m)[-1] for chain, m in zip(chains, n, strict=True))
    if any(i >= size for i, size in zip(index, out, strict=True)):
        raise ValueError(f"index is {index}; expected less than the size of the output, {out}")
    g = np.zeros(out, dtype)
    g[index] = 1
    return _through(chains, n, g)


def _through(chains, n, g):
    sizes = zip(*(_sizes(chain, m)[:-1] for chain, m in zip(chains, n, strict=True)), strict=True)
    for *layers, size in reversed(list(zip(*chains, sizes, strict=True))):
        if isinstance(layers[0], list):
            g = np.add.reduce([_through(branch, size, g) for branch in zip(*layers, strict=True)], dtype=g.dtype)
            continue
        for axis, (m, (k, stride, padding, dilation)) in enumerate(zip(size, layers, strict=True)):
            rows = g.swapaxes(0, axis)
            canvas = np.zeros((m + 2 * padding, *rows.shape[1:]), g.dtype)
            for at in range(0, dilation * k, dilation):
                canvas[at : at + stride * (len(rows) - 1) + 1 : stride] += rows
            g = canvas[padding : padding + m].swapaxes(0, axis)
    return g


def _lines(text):
    """Return (number, text, Layer) of each line that holds a layer."""
    if not isinstance(text, str):
        raise ValueError(f"text is {text!r}; expected a string, one layer a line")
    lines = enumerate((line.split("#")[0].strip() for line in text.splitlines()), 1)
    return [(number, line, _line(number, line)) for number, line in lines if line]


def _line(number, line):
    words, names = re.sub("[=,]", " ", line.lower()).split(), ["kernel_size", "stride", "padding", "dilation"]
    kind = words.pop(0) if words and words[0] in ("conv", "pool") else None
    bare = list(itertools.takewhile(str.isdigit, words))
    named = ["kernel_size" if word == "kernel" else word for word in words[len(bare) :]]
    options = dict(zip(names, bare)) | dict(zip(named[::2], named[1::2]))  # noqa: B905
    known = {"kernel_size"} <= set(options) <= set(names) and 2 * len(options) == 2 * len(bare) + len(named)
    if not known or not all(re.fullmatch("[0-9]{1,18}", value) for value in options.values()):
        expected = "expected kernel stride padding dilation, or their names with numbers, the kernel always"
        raise ValueError(f"text line {number}, {line!r}: {expected}")
    if kind == "pool":
        options.setdefault("stride", options["kernel_size"])
    try:
        return Layer(**{name: int(value) for name, value in options.items()})
    except ValueError as error:
        raise ValueError(f"text line {number}, {line!r}: {error}") from error


def _chain(name, layers):
    if not isinstance(layers, list | tuple) or not all(isinstance(layer, Layer | Join) for layer in layers):
        raise ValueError(f"{name} is {layers!r}; expected a list of Layer and Join")
    return layers


def _whole(name, value, least):
    """Return an integer, or a pair of them, as Python's own."""
    pair = isinstance(value, tuple | list) and len(value) == 2
    for entry in value if pair else (value,):
        if isinstance(entry, bool) or not isinstance(entry, Integral) or entry < least:
            raise ValueError(f"{name} is {value!r}; expected an integer, {least} or more, or a pair of them")
    return tuple(map(int, value)) if pair else int(value)


def _axes(layers, **values):
    """Return (chain, *values) of the one axis that stands for both, or of the rows and of the columns."""
    values = [_whole(name, value, 1 if name == "n" else 0) for name, value in values.items()]
    options = [*values, *_options(_chain("layers", layers))]
    axes = range(2 if any(isinstance(value, tuple) for value in options) else 1)
    return [([_along(layer, axis) for layer in layers], *(_along(value, axis) for value in values)) for axis in axes]


def _options(layers):
    for layer in layers:
        yield from _options(itertools.chain(*layer.branches)) if isinstance(layer, Join) else vars(layer).values()


def _along(value, axis):
    """Return a layer, a join or an option as it is along one axis."""
    match value:
        case Layer():
            return tuple(_along(option, axis) for option in vars(value).values())
        case Join():
            return [[_along(layer, axis) for layer in branch] for branch in value.branches]
    return value[axis] if isinstance(value, tuple) else value


def _one_or_pair(results):
    results = tuple(results)
    return results if len(results) == 2 else results[0]
