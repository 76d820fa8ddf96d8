"""Receptive fields: the inputs that one output sees, along how many paths, and a network that needs them all.

A network is a list of `Layer` and `Join`. Rows and columns do not mix, so all is computed one axis at a time.
Options are an integer, or one for the rows and one for the columns; results are integers where all options are, and
pairs otherwise. Positions count from 0; negative ones lie in the padding. Source: Araujo, Norris and Sim 2019.
"""

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

    def along(self, axis):
        """Return (kernel size, stride, padding, dilation) along an axis."""
        return [_at(value, axis) for value in (self.kernel_size, self.stride, self.padding, self.dilation)]


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
    layers, n = _chain("layers", layers), _whole("n", n, 1)
    return _each(lambda axis: _sizes(layers, axis, _at(n, axis))[-1], layers, n)


def receptive_field(layers):
    """Return ``ReceptiveField(size, stride, padding)`` (claims receptive-field-chain, receptive-field-join).

    Args:
        layers: a list of Layer and Join; an empty one changes nothing.

    Raises:
        ValueError: branches that join have different strides, or give different sizes for every input.
    """
    layers = _chain("layers", layers)
    fields = [_field(layers, axis) for axis in _axes(layers)]
    return ReceptiveField(*(fields[0] if len(fields) == 1 else zip(*fields, strict=True)))


def interval(layers, index):
    """Return (first, last) input seen by an output, as if the image had no border (claim receptive-field-interval)."""
    layers, index = _chain("layers", layers), _whole("index", index, 0)

    def ends(axis):
        size, stride, padding = _field(layers, axis)
        first = stride * _at(index, axis) - padding
        return first, first + size - 1

    return _each(ends, layers, index)


def centre(layers, index):
    """Return the middle of that interval, a whole or half number (claim receptive-field-centre)."""
    ends = interval(layers, index)
    return tuple(sum(axis) / 2 for axis in ends) if isinstance(ends[0], tuple) else sum(ends) / 2


def region(layers, index, n):
    """Return (first, last) pixel of an image of size n that reaches an output (claim receptive-field-region).

    None where no pixel does, only padding. With pairs: one such answer an axis.

    Raises:
        ValueError: as path_counts.
    """
    seen = _back(layers, index, n, bool)
    ends = [np.flatnonzero(seen.any(tuple(a for a in range(seen.ndim) if a != axis))) for axis in range(seen.ndim)]
    ends = [(int(where[0]), int(where[-1])) if where.size else None for where in ends]
    return ends[0] if len(ends) == 1 else tuple(ends)


def path_counts(layers, index=None, n=None):
    """Return how many paths lead from each input to an output, (n,) or (rows, columns) (claim receptive-field-paths).

    A path picks one entry of each kernel. One that meets the padding of any layer carries nothing: it is not counted.
    Without index and n: the counts over one receptive field away from the borders. Python integers.

    Raises:
        ValueError: there is no such output, or as output_size.
    """
    if index is not None or n is not None:
        return _back(layers, index, n, object)
    layers = _chain("layers", layers)
    inside = [_inside(layers, axis) for axis in _axes(layers)]
    index, n, window = ([axis[k] for axis in inside] for k in range(3))
    return _back(layers, *((v[0] if len(v) == 1 else tuple(v)) for v in (index, n)), object)[tuple(window)]


def path_variance(layers):
    """Return the variance of the input at the end of a path drawn at random, a Fraction (claim receptive-field-spread).

    Raises:
        ValueError: the layers are not one chain.
    """
    layers = _chain("layers", layers)
    if any(isinstance(layer, Join) for layer in layers):
        raise ValueError("layers has a Join; expected one chain")

    def along(axis):
        total, jump = Fraction(0), 1
        for k, stride, _, dilation in (layer.along(axis) for layer in layers):
            total, jump = total + Fraction((jump * dilation) ** 2 * (k * k - 1), 12), jump * stride
        return total

    return _each(along, layers)


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
    n, lines, layers = _whole("n", n, 1), [(0, "input", None), *_lines(text)], []
    if isinstance(n, tuple):
        raise ValueError(f"n is {n}; expected one integer, as the text gives one number an option")
    rows = []
    for number, written, layer in lines:
        layers += [layer] if layer else []
        try:
            output = output_size(layers, n)
        except ValueError as error:
            raise ValueError(f"text line {number}, {written!r}: the kernel is larger than its padded input") from error
        field, start = receptive_field(layers), centre(layers, 0)
        row = {"line": number, "layer": written, "output": output, "size": field.size, "jump": field.stride}
        rows.append({**row, "padding": field.padding, "start": start})
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
    pair = isinstance(skip, tuple | list) and len(skip) == 2 and all(isinstance(layer, int) for layer in skip)
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
    # Opposite directions are opposite entries of these lists: up-left and down-right, up-right and down-left.
    toward = [(0, 0), (2, 2), (0, 2), (2, 0)]
    away = [(2, 2), (0, 0), (2, 0), (0, 2)]
    b1[4] = 1  # a channel of ones
    w2[4, 4], b2[4] = -1, 5  # 5 - (9 inside, 6 on an edge, 4 in a corner)
    w3[9, 4, 1, 1] = w4[0, 9, 1, 1] = 1
    for c in range(4):
        other = c ^ 1
        w1[c, 0, *toward[c]] = 1
        w2[c, c, *toward[c]], w2[c, other, *toward[other]] = 1, -1
        for half in (c, other):  # the two halves of an absolute value
            w3[5 + c, half, *away[c]] = 1
        w3[5 + c, 4, *toward[c]], b3[5 + c] = 1, -1
        w4[0, 5 + c, *away[c]] = -1
    w1[10, 0, 1, 1] = w2[10, 10, 1, 1] = w3[10, 10, 1, 1] = 1
    w4[0, 10, 1, 1] = -int(subtract_input)
    return network


def _field(layers, axis):
    """Return (size, stride, padding) of a chain along one axis."""
    size, stride, padding = 1, 1, 0
    for layer in layers:
        extent, step, pad = _joined(layer, axis) if isinstance(layer, Join) else _extent(layer, axis)
        size, stride, padding = size + stride * (extent - 1), stride * step, padding + stride * pad
    return size, stride, padding


def _extent(layer, axis):
    k, stride, padding, dilation = layer.along(axis)
    return dilation * (k - 1) + 1, stride, padding


def _joined(join, axis):
    """Return (size, stride, padding) of the smallest interval that holds those of all branches."""
    fields = [_field(branch, axis) for branch in join.branches]
    strides, excess = {s for _, s, _ in fields}, [2 * z - r for r, _, z in fields]
    if len(strides) > 1:
        raise ValueError(f"layers has a Join of strides {sorted(strides)}; expected one stride")
    stride = strides.pop()
    if max(excess) - min(excess) >= stride:
        raise ValueError(
            f"layers has a Join whose 2 padding - size are {excess}; expected less than {stride} apart, as the "
            "branches would differ in size for every input"
        )
    padding = max(z for _, _, z in fields)
    return padding + max(r - z for r, _, z in fields), stride, padding


def _sizes(layers, axis, n):
    """Return the size of the input and of every layer's output."""
    sizes = [n]
    for number, layer in enumerate(layers):
        if isinstance(layer, Join):
            ends = {_sizes(branch, axis, sizes[-1])[-1] for branch in layer.branches}
            if len(ends) > 1:
                raise ValueError(
                    f"n is {n}: branches of sizes {sorted(ends)} join at layer {number}; expected one size"
                )
            sizes.append(ends.pop())
        else:
            k, stride, padding, dilation = layer.along(axis)
            sizes.append(convolution.output_size(sizes[-1], k, stride=stride, padding=padding, dilation=dilation))
    return sizes


def _inside(layers, axis):
    """Return (index, n, window): an output that sees no padding, an input that gives it, and where it looks."""
    size, stride, padding = _field(layers, axis)
    index = -(-padding // stride)
    first = stride * index - padding
    for n in range(first + size, first + size + stride):
        try:
            _sizes(layers, axis, n)
        except ValueError:
            continue
        return index, n, slice(first, first + size)
    raise ValueError("layers has Joins that agree on no input size; expected branches of one size for some input")


def _back(layers, index, n, dtype):
    """Send a one back from an output through all kernels, every weight one."""
    layers, index, n = _chain("layers", layers), _whole("index", index, 0), _whole("n", n, 1)
    axes = _axes(layers, index, n)
    index, n = tuple(_at(index, a) for a in axes), tuple(_at(n, a) for a in axes)
    out = tuple(_sizes(layers, a, n[a])[-1] for a in axes)
    if any(i >= size for i, size in zip(index, out, strict=True)):
        raise ValueError(f"index is {index}; expected less than the size of the output, {out}")
    g = np.zeros(out, dtype)
    g[index] = 1
    return _through(layers, n, g)


def _through(layers, n, g):
    sizes = list(zip(*(_sizes(layers, axis, size) for axis, size in enumerate(n)), strict=True))
    for layer, size in reversed(list(zip(layers, sizes[:-1], strict=True))):
        if isinstance(layer, Join):
            g = np.add.reduce([_through(branch, size, g) for branch in layer.branches], dtype=g.dtype)
            continue
        options = [layer.along(axis) for axis in range(g.ndim)]
        canvas = np.zeros([m + 2 * p for m, (_, _, p, _) in zip(size, options, strict=True)], g.dtype)
        for j in np.ndindex(*(k for k, _, _, _ in options)):
            view = zip(j, g.shape, options, strict=True)
            canvas[tuple(slice(d * at, d * at + (o - 1) * s + 1, s) for at, o, (_, s, _, d) in view)] += g
        g = canvas[tuple(slice(p, p + m) for m, (_, _, p, _) in zip(size, options, strict=True))]
    return g


def _lines(text):
    """Return (number, text, Layer) of each line that holds a layer."""
    if not isinstance(text, str):
        raise ValueError(f"text is {text!r}; expected a string, one layer a line")
    return [
        (number, line, _line(number, line))
        for number, line in enumerate((line.split("#")[0].strip() for line in text.splitlines()), 1)
        if line
    ]


def _line(number, line):
    names = ["kernel_size", "stride", "padding", "dilation"]
    words, options, place = line.lower().replace("=", " ").replace(",", " ").split(), {}, 0
    kind = words.pop(0) if words[0] in ("conv", "pool") else None
    while words:
        word = words.pop(0)
        name = {"kernel": "kernel_size"}.get(word, word)
        if name in names:
            place = len(names)  # no bare numbers after a name
            word = words.pop(0) if words else "nothing"
        else:
            name, place = names[place] if place < len(names) else None, place + 1
        if name is None or name in options or not (word.isascii() and word.isdigit()):
            raise ValueError(
                f"text line {number}, {line!r}: {word!r} is not expected here; write kernel stride padding "
                "dilation, or their names with numbers"
            )
        options[name] = int(word)
    if "kernel_size" not in options:
        raise ValueError(f"text line {number}, {line!r}: no kernel; expected its size first")
    if kind == "pool":
        options.setdefault("stride", options["kernel_size"])
    try:
        return Layer(**options)
    except ValueError as error:
        raise ValueError(f"text line {number}, {line!r}: {error}") from error


def _chain(name, layers):
    if not isinstance(layers, list | tuple) or not all(isinstance(layer, Layer | Join) for layer in layers):
        raise ValueError(f"{name} is {layers!r}; expected a list of Layer and Join")
    return layers


def _whole(name, value, least):
    """Return an integer, or a pair of them, as Python's own."""
    for entry in value if isinstance(value, tuple | list) else (value,):
        if isinstance(entry, bool) or not isinstance(entry, Integral) or entry < least:
            raise ValueError(f"{name} is {value!r}; expected an integer, {least} or more, or a pair of them")
    if not isinstance(value, tuple | list):
        return int(value)
    if len(value) != 2:
        raise ValueError(f"{name} is {value!r}; expected an integer or a pair, rows and columns")
    return tuple(map(int, value))


def _at(value, axis):
    return value[axis] if isinstance(value, tuple) else value


def _paired(layer):
    if isinstance(layer, Join):
        return any(_paired(inner) for branch in layer.branches for inner in branch)
    return any(isinstance(v, tuple) for v in (layer.kernel_size, layer.stride, layer.padding, layer.dilation))


def _axes(layers, *values):
    return range(2 if any(map(_paired, layers)) or any(isinstance(v, tuple) for v in values) else 1)


def _each(f, layers, *values):
    """Return f of the one axis that stands for both, or a pair."""
    results = tuple(f(axis) for axis in _axes(layers, *values))
    return results if len(results) == 2 else results[0]
