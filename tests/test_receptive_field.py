"""Receptive fields: what an output sees, along how many paths, and the network that compares corners."""

import copy
import itertools
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dlnotes import convolution, receptive_field
from dlnotes.check import agree, at_most, claim, differ, every, need, note, proved, refuses, same, slip, steps
from dlnotes.receptive_field import Join, Layer

SHEET = [Layer(3, padding=1)] * 4


# --- cases ------------------------------------------------------------------------------------------------------------


def drawn_layer(rng):
    """Any kernel from 2 to 4, stride to 2, padding to 2, dilation to 2."""
    return Layer(int(rng.integers(2, 5)), *(int(rng.integers(*ends)) for ends in ((1, 3), (0, 3), (1, 3))))


def chain(rng):
    """Three layers; the first has a stride, a padding and a dilation."""
    return [Layer(3, 2, 1, 2), *(drawn_layer(rng) for _ in range(2))]


def numbers(layer):
    """Kernel, stride, padding, dilation, as written."""
    return layer.kernel_size, layer.stride, layer.padding, layer.dilation


def looked_at(layers, outputs):
    """The inputs that these outputs see without borders, one entry of a kernel at a time."""
    for layer in reversed(layers):
        if isinstance(layer, Join):
            outputs = set().union(*(looked_at(branch, outputs) for branch in layer.branches))
        else:
            k, stride, padding, dilation = numbers(layer)
            outputs = {stride * i - padding + dilation * j for i in outputs for j in range(k)}
    return outputs


def run(layers, x):
    """The network on columns (N, 1, n, 1), all weights one, by the convolutions of the book."""
    for layer in layers:
        if isinstance(layer, Join):
            x = sum(run(branch, x) for branch in layer.branches)
        else:
            k, stride, padding, dilation = numbers(layer)
            options = {"stride": (stride, 1), "padding": (padding, 0), "dilation": (dilation, 1)}
            x = convolution.conv2d(x, np.ones((1, 1, k, 1), int), **options)
    return x


def impulses(layers, n):
    """The output for each image with a single 1: (n, n_out)."""
    return run(layers, np.eye(n, dtype=int)[:, None, :, None])[:, 0, :, 0]


# --- question 5.1: sizes ----------------------------------------------------------------------------------------------


def image_sizes():
    """Heights and widths; the first is the sheet's."""
    yield from ((32, 32), (5, 7), (1, 3))


def sheet_shape(case):
    # $$ n_{\mathrm{out}} = n + 2 \cdot 1 - (3 - 1) = n $$
    return (1, *receptive_field.output_size(SHEET, case))


@claim("receptive-field-same-size", cases=image_sizes)
def by_four_layers(case, sheet_shape=sheet_shape):
    """The shape that four layers give, 16 channels between them."""
    channels = [1, 16, 16, 16, 1]
    h = np.zeros((1, 1, *case), int)
    for c, f in itertools.pairwise(channels):
        h = convolution.conv2d(h, np.zeros((f, c, 3, 3), int), padding=1)
    same(sheet_shape(case), h.shape[1:])


@claim("receptive-field-same-size", cases=image_sizes)
def four_layers_of_torch(case, sheet_shape=sheet_shape):
    """The shape that PyTorch gives."""
    torch = need("torch")
    channels = [1, 16, 16, 16, 1]
    stack = [torch.nn.Conv2d(c, f, 3, padding=1) for c, f in itertools.pairwise(channels)]
    same(sheet_shape(case), tuple(torch.nn.Sequential(*stack)(torch.zeros(1, 1, *case)).shape[1:]))


@slip("receptive-field-same-size")
def without_padding(case):
    """Forget the padding: each layer takes two pixels, and 32 becomes 24."""
    return (1, *(n - 8 for n in case))


@slip("receptive-field-same-size")
def padding_only(case):
    """Add the padding, and forget that the kernel takes it away: 32 becomes 40."""
    return (1, *(n + 8 for n in case))


@slip("receptive-field-same-size")
def channels_of_the_middle(case):
    """Give the output the 16 channels of the middle."""
    return (16, *case)


def strideless():
    """Every input size to 7, kernel to 5, padding to 4 and dilation to 3, if the kernel fits; the stride is 1."""
    ranges = range(1, 8), range(1, 6), range(5), range(1, 4)
    yield [t for t in itertools.product(*ranges) if t[0] + 2 * t[2] > t[3] * (t[1] - 1)]


def keeps_the_size(case):
    # $$ 2\,\text{padding} = \text{dilation}\,(k - 1) $$
    return np.array([2 * p == d * (k - 1) for _, k, p, d in case])


@claim("receptive-field-same-padding", cases=strideless)
def places_counted(case, keeps_the_size=keeps_the_size):
    """Count the places of the kernel one by one."""
    note("enumeration")
    places = [sum(i + d * (k - 1) < n + 2 * p for i in range(n + 2 * p)) for n, k, p, d in case]
    same(keeps_the_size(case), np.array([m == n for m, (n, *_) in zip(places, case, strict=True)]))


@claim("receptive-field-same-padding", cases=strideless)
def sizes_by_the_package(case, keeps_the_size=keeps_the_size):
    """The sizes of the package."""
    sizes = [receptive_field.output_size([Layer(k, 1, p, d)], n) for n, k, p, d in case]
    same(keeps_the_size(case), np.array([m == n for m, (n, *_) in zip(sizes, case, strict=True)]))


def odd_and_dense(case):
    """Odd kernels, dilation 1."""
    return [t for t in case if t[1] % 2 and t[3] == 1]


@slip("receptive-field-same-padding", blind=odd_and_dense)
def half_of_the_kernel(case):
    """Pad by half the kernel, rounded down, whatever its size and dilation."""
    return np.array([p == k // 2 for _, k, p, _ in case])


# --- question 5.2: why the size matters -------------------------------------------------------------------------------


def an_image(rng):
    """An image of 6 x 4, whole numbers."""
    return rng.integers(-4, 5, (1, 1, 6, 4))


def paddings_of_a_residual_block(case):
    """For each padding: does x + conv(x) exist?"""
    sizes = [receptive_field.output_size([Layer(3, padding=p)], case.shape[2:]) for p in range(3)]
    return np.array([size == case.shape[2:] for size in sizes])


@claim("receptive-field-residual-block", cases=an_image)
def added_or_refused(case, paddings=paddings_of_a_residual_block):
    """Add them: NumPy refuses unequal shapes."""
    note("examples")
    exists = []
    for padding in range(3):
        try:
            case + convolution.conv2d(case, np.ones((1, 1, 3, 3), int), padding=padding)
        except ValueError:
            exists.append(False)
        else:
            exists.append(True)
    same(paddings(case), np.array(exists))


@slip("receptive-field-residual-block")
def no_padding_needed(case):
    """Take any padding for good, as the sum is only over positions that both have."""
    return np.array([True, True, True])


@slip("receptive-field-residual-block")
def for_no_padding(case):
    """Put the residual connection around a layer without padding."""
    return np.array([True, False, False])


# --- question 5.3: the receptive field --------------------------------------------------------------------------------


def field(case):
    # $$ R = 1 + \sum_{j=1}^{M} \text{dilation}_j\,(k_j - 1)\,S_{j-1}, \qquad
    #    S_j = \prod_{i=1}^{j} \text{stride}_i, \qquad Z = \sum_{j=1}^{M} \text{padding}_j\,S_{j-1} $$
    found = receptive_field.receptive_field(case)
    return np.array([found.size, found.stride, found.padding])


def as_array(size, stride, padding):
    return np.array([int(size), int(stride), int(padding)])


def jumps(case):
    """S_0 to S_{M-1}."""
    return np.cumprod([1, *(layer.stride for layer in case)])[:-1]


@claim("receptive-field-chain", cases=chain)
def one_entry_at_a_time(case, field=field):
    """Follow every entry of every kernel from outputs 0 and 1 down to the input, in whole numbers."""
    zero, one = looked_at(case, {0}), looked_at(case, {1})
    same(field(case), as_array(max(zero) - min(zero) + 1, min(one) - min(zero), -min(zero)))


@claim("receptive-field-chain", cases=chain)
def by_impulses(case, field=field):
    """Where the output answers to a single 1, by convolutions with positive weights, away from the borders."""
    n = 150
    answers = impulses(case, n)
    size, stride, padding = field(case)
    i = answers.shape[1] // 2  # in the middle
    ends = [np.flatnonzero(answers[:, at])[[0, -1]] for at in (i, i + 1)]
    same(size, int(ends[0][1] - ends[0][0]) + 1)
    same(stride, int(ends[1][0] - ends[0][0]))
    same(padding, int(i * (ends[1][0] - ends[0][0]) - ends[0][0]))


def plain(case):
    """Stride 1, dilation 1."""
    return [Layer(layer.kernel_size, 1, layer.padding) for layer in case]


@slip("receptive-field-chain", blind=plain)
def strides_below_ignored(case):
    """Add up dilation (k - 1), as if all strides were 1."""
    size = 1 + sum(d * (k - 1) for k, _, _, d in map(numbers, case))
    return as_array(size, np.prod([layer.stride for layer in case]), receptive_field.receptive_field(case).padding)


@slip("receptive-field-chain", blind=plain)
def own_stride_counted(case):
    """Multiply by the strides up to and including the layer's own."""
    after = np.cumprod([layer.stride for layer in case])
    found = receptive_field.receptive_field(case)
    size = 1 + sum(d * (k - 1) * s for (k, _, _, d), s in zip(map(numbers, case), after, strict=True))
    return as_array(size, found.stride, found.padding)


def dense(case):
    """Dilation 1."""
    return [Layer(*numbers(layer)[:3]) for layer in case]


@slip("receptive-field-chain", blind=dense)
def dilation_ignored(case):
    """Take k for the extent of a dilated kernel."""
    found = receptive_field.receptive_field(dense(case))
    return as_array(found.size, found.stride, found.padding)


@slip("receptive-field-chain", blind=plain)
def paddings_added(case):
    """Add up the paddings as they stand, though a pixel of a deep layer is many pixels of the input."""
    found = receptive_field.receptive_field(case)
    return as_array(found.size, found.stride, sum(layer.padding for layer in case))


@slip("receptive-field-chain")
def strides_added(case):
    """Add up the strides."""
    found = receptive_field.receptive_field(case)
    return as_array(found.size, sum(layer.stride for layer in case), found.padding)


def size(case):
    return receptive_field.receptive_field(case).size


@steps("receptive-field-chain-steps", cases=chain, ends_in=size)
def one_layer_on_top(case):
    """The last entry of the top kernel sees furthest right, the first one furthest left."""
    below = receptive_field.receptive_field(case[:-1])
    k, stride, padding, dilation = numbers(case[-1])
    R, S, Z = below.size, below.stride, below.padding
    i = 7
    last = max(looked_at(case, {i}))
    first = min(looked_at(case, {i}))
    # \text{last} - \text{first} + 1
    yield last - first + 1
    right = S * (stride * i - padding + dilation * (k - 1)) - Z + R - 1
    left = S * (stride * i - padding) - Z
    # = \bigl( S\,(\text{stride}\,i - \text{padding} + \text{dilation}\,(k - 1)) - Z + R - 1 \bigr)
    #   - \bigl( S\,(\text{stride}\,i - \text{padding}) - Z \bigr) + 1
    yield right - left + 1
    # = R + \text{dilation}\,(k - 1)\,S
    yield R + dilation * (k - 1) * S


def ends(case):
    # $$ S i - Z \quad\text{to}\quad S i - Z + R - 1 $$
    return np.array([receptive_field.interval(case, i) for i in range(4)])


@claim("receptive-field-interval", cases=chain)
def ends_one_entry_at_a_time(case, ends=ends):
    """Follow every entry of every kernel from outputs 0 to 3 down to the input."""
    seen = [looked_at(case, {i}) for i in range(4)]
    same(ends(case), np.array([(min(inputs), max(inputs)) for inputs in seen]))


def unpadded(case):
    """No padding."""
    return [Layer(k, s, 0, d) for k, s, _, d in map(numbers, case)]


@slip("receptive-field-interval", blind=unpadded)
def padding_forgotten(case):
    """Begin at S i: the padding is left out."""
    return np.array([receptive_field.interval(unpadded(case), i) for i in range(4)])


@slip("receptive-field-interval")
def one_too_many(case):
    """End at S i - Z + R."""
    return ends(case) + np.array([0, 1])


@slip("receptive-field-interval", blind=lambda case: [Layer(k, 1, p, d) for k, _, p, d in map(numbers, case)])
def outputs_one_pixel_apart(case):
    """Let the window move by one pixel an output."""
    first = receptive_field.interval(case, 0)
    return np.array([np.add(first, i) for i in range(4)])


def off_centre(rng):
    """Padded by less than half the kernels."""
    return [Layer(4, 2, 1), *(Layer(int(rng.integers(2, 5)), 2, 0, int(rng.integers(1, 3))) for _ in range(2))]


def middle(case):
    # $$ S i - Z + \frac{R - 1}{2} $$
    return np.array([receptive_field.centre(case, i) for i in range(2)])


@claim("receptive-field-centre", cases=off_centre)
def mean_of_the_paths(case, middle=middle):
    """The mean of the inputs over all paths, kernels being symmetric under a half turn."""
    found = []
    for i in range(2):
        paths = Counter([i])
        for k, stride, padding, dilation in map(numbers, reversed(case)):
            after = Counter()
            for at, count in paths.items():
                for j in range(k):
                    after[stride * at - padding + dilation * j] += count
            paths = after
        found.append(sum(at * count for at, count in paths.items()) / sum(paths.values()))
    agree(middle(case), np.array(found))


@slip("receptive-field-centre", blind=lambda case: [Layer(3, 2, 1), Layer(5, 2, 4, 2)])
def the_index_times_the_stride(case):
    """Say S i: right only if 2 Z = R - 1."""
    return np.array([float(i * receptive_field.receptive_field(case).stride) for i in range(2)])


@slip("receptive-field-centre")
def half_the_size(case):
    """Write R / 2 for (R - 1) / 2: half a pixel off."""
    return middle(case) + 0.5


@dataclass(frozen=True)
class OnSizes:
    """A chain, and input sizes that all its kernels fit."""

    layers: list
    sizes: range


def on_sizes(rng):
    """36 sizes in a row, so that every remainder of the division is met."""
    return OnSizes(chain(rng), range(60, 96))


def size_by_one_layer(case):
    # $$ n_{\mathrm{out}} = \left\lfloor \frac{n + 2Z - R}{S} \right\rfloor + 1 $$
    found = receptive_field.receptive_field(case.layers)
    return np.array([(n + 2 * found.padding - found.size) // found.stride + 1 for n in case.sizes])


@claim("receptive-field-one-layer", cases=on_sizes)
def layer_by_layer(case, sizes=size_by_one_layer):
    """The sizes that the convolutions have, one layer after the other."""
    same(sizes(case), np.array([run(case.layers, np.zeros((1, 1, n, 1), int)).shape[2] for n in case.sizes]))


@claim("receptive-field-one-layer", cases=on_sizes)
def sizes_of_the_package(case, sizes=size_by_one_layer):
    """The package's output_size, which goes layer by layer."""
    same(sizes(case), np.array([receptive_field.output_size(case.layers, n) for n in case.sizes]))


@slip("receptive-field-one-layer")
def divided_by_the_stride(case):
    """Divide the input size by the stride."""
    return np.array([n // receptive_field.receptive_field(case.layers).stride for n in case.sizes])


@slip("receptive-field-one-layer")
def padding_at_one_end(case):
    """Count the padding Z at one end only."""
    found = receptive_field.receptive_field(case.layers)
    return np.array([(n + found.padding - found.size) // found.stride + 1 for n in case.sizes])


@steps("receptive-field-one-layer-steps", cases=on_sizes, ends_in=size_by_one_layer)
def one_quotient_of_two(case):
    """A quotient rounded down twice is rounded down once; the multiple of S moves inside."""
    below = receptive_field.receptive_field(case.layers[:-1])
    k, stride, padding, dilation = numbers(case.layers[-1])
    R, S, Z = below.size, below.stride, below.padding
    n = np.array(case.sizes)
    n_below = np.array([receptive_field.output_size(case.layers[:-1], m) for m in case.sizes])
    # \left\lfloor \frac{n_{\mathrm{below}} + 2\,\text{padding}
    #   - \text{dilation}\,(k - 1) - 1}{\text{stride}} \right\rfloor + 1
    yield (n_below + 2 * padding - dilation * (k - 1) - 1) // stride + 1
    # = \left\lfloor \frac{\lfloor (n + 2Z - R) / S \rfloor + 2\,\text{padding}
    #   - \text{dilation}\,(k - 1)}{\text{stride}} \right\rfloor + 1
    yield ((n + 2 * Z - R) // S + 2 * padding - dilation * (k - 1)) // stride + 1
    # = \left\lfloor \frac{n + 2\,(Z + S\,\text{padding}) - (R
    #   + S\,\text{dilation}\,(k - 1))}{S\,\text{stride}} \right\rfloor + 1
    yield (n + 2 * (Z + S * padding) - (R + S * dilation * (k - 1))) // (S * stride) + 1


def sheet_field():
    # $$ R = 1 + 4 \cdot (3 - 1) = 9 $$
    return np.array([receptive_field.receptive_field(SHEET).size] * 2)


@claim("receptive-field-sheet")
def where_pixels_act(sheet_field=sheet_field):
    """Change one pixel of a 32 x 32 image at a time, around its middle: which ones move output (15, 17)?"""
    rng = np.random.default_rng(3)
    network = [(rng.integers(1, 3, (f, c, 3, 3)), np.zeros(f, int)) for c, f in itertools.pairwise([1, 2, 3, 2, 1])]
    x = np.zeros((169, 1, 32, 32), int)
    for number, (row, column) in enumerate(np.ndindex(13, 13)):
        x[number, 0, 9 + row, 11 + column] = 1
    moved = receptive_field.forward(network, x[:, :, 6:26, 8:28])[:, 0, 9, 9].reshape(13, 13) > 0
    rows, columns = moved.any(1), moved.any(0)
    same(sheet_field(), np.array([rows.sum(), columns.sum()]))
    same(moved[2:11, 2:11], np.ones((9, 9), bool))  # centred: four to each side


@claim("receptive-field-sheet")
def support_of_the_gradient(sheet_field=sheet_field):
    """PyTorch's gradient of output (15, 17) of a 32 x 32 image, with positive weights: where it is not zero."""
    torch = need("torch")
    torch.manual_seed(0)
    x = torch.zeros(1, 1, 32, 32, dtype=torch.float64, requires_grad=True)
    h = x
    for c, f in itertools.pairwise([1, 16, 16, 16, 1]):
        h = torch.nn.functional.conv2d(h, torch.rand(f, c, 3, 3, dtype=torch.float64) + 0.5, padding=1)
    h[0, 0, 15, 17].backward()
    rows, columns = np.nonzero(x.grad[0, 0].numpy())
    same(sheet_field(), np.array([rows.max() - rows.min() + 1, columns.max() - columns.min() + 1]))
    same(np.array([rows.min(), columns.min(), len(rows)]), np.array([11, 13, 81]))


@slip("receptive-field-sheet")
def three_layers_counted():
    """Count three layers: 7."""
    return np.array([7, 7])


@slip("receptive-field-sheet")
def one_forgotten():
    """Forget the output's own pixel: 8."""
    return np.array([8, 8])


@slip("receptive-field-sheet")
def kernels_added():
    """Add up the kernels, 4 times 3: windows overlap, so that each layer adds 2 and not 3."""
    return np.array([12, 12])


@slip("receptive-field-sheet")
def kernels_multiplied():
    """Multiply the kernels, 3 to the fourth: that would need windows that do not overlap."""
    return np.array([81, 81])


@dataclass(frozen=True)
class OnImage:
    """A network and an input size."""

    layers: list
    n: int


def on_image():
    """Chains, with pixels that a stride drops and outputs that see only padding; a residual block; one of each."""
    yield OnImage([Layer(2, 2), Layer(3, 1, 1)], 5)
    yield OnImage([Layer(3, 1, 1), Layer(3, 2, 2), Layer(2, 1, 2)], 9)
    yield OnImage([Layer(3, 2, 0), Layer(3, 1, 2, 2)], 8)
    yield OnImage([Layer(3, 2, 0), Layer(1, 1, 2), Join([[Layer(3, 1, 1)], [Layer(3, 1, 2, 2)]])], 10)


NOTHING = (-1, -1)


def clipped(case):
    n_out = receptive_field.output_size(case.layers, case.n)
    return np.array([receptive_field.region(case.layers, i, case.n) or NOTHING for i in range(n_out)])


@claim("receptive-field-region", cases=on_image)
def region_by_impulses(case, clipped=clipped):
    """Which single pixels reach each output, by convolutions with positive weights."""
    answers = impulses(case.layers, case.n)
    rows = [np.flatnonzero(column) for column in answers.T]
    same(clipped(case), np.array([(int(row[0]), int(row[-1])) if row.size else NOTHING for row in rows]))


@slip("receptive-field-region", blind=lambda case: OnImage(SHEET, 7))
def cut_at_the_image_only(case):
    """Cut the unlimited interval at the ends of the image, and forget that a hidden layer has ends, too."""
    n_out = receptive_field.output_size(case.layers, case.n)
    found = [receptive_field.interval(case.layers, i) for i in range(n_out)]
    return np.array([(max(first, 0), min(last, case.n - 1)) for first, last in found])


@claim("receptive-field-region")
def rows_and_columns():
    """On images with two axes: a network with pairs, and each axis by itself."""
    both = [Layer((3, 2), (1, 2), (1, 0)), Layer(2, 1, (0, 1), (2, 1))]
    rows = [Layer(3, 1, 1), Layer(2, 1, 0, 2)]
    columns = [Layer(2, 2), Layer(2, 1, 1)]
    shape = receptive_field.output_size(both, (6, 9))
    same(shape, (receptive_field.output_size(rows, 6), receptive_field.output_size(columns, 9)))
    for i, j in np.ndindex(shape):
        each = receptive_field.region(rows, i, 6), receptive_field.region(columns, j, 9)
        same(np.array(receptive_field.region(both, (i, j), (6, 9))), np.array(each))
        counts = receptive_field.path_counts(rows, i, 6), receptive_field.path_counts(columns, j, 9)
        same(receptive_field.path_counts(both, (i, j), (6, 9)), np.outer(*counts))
    fields = [receptive_field.receptive_field(axis) for axis in (rows, columns)]
    same(receptive_field.receptive_field(both).size, tuple(f.size for f in fields))
    same(receptive_field.receptive_field(both).padding, tuple(f.padding for f in fields))
    same(
        np.array(receptive_field.interval(both, (1, 2))),
        np.array((receptive_field.interval(rows, 1), receptive_field.interval(columns, 2))),
    )
    agree(
        np.array(receptive_field.centre(both, (1, 2))),
        np.array((receptive_field.centre(rows, 1), receptive_field.centre(columns, 2))),
    )
    same(receptive_field.path_variance(both), (Fraction(2 / 3 + 1).limit_denominator(), Fraction(1, 4) + 1))
    same(np.array(receptive_field.path_counts(both).shape), np.array([f.size for f in fields]))


def corner_sizes():
    """Sizes of square images."""
    yield from (4, 5, 6, 32)


def seen_by_a_corner(case):
    return np.array(receptive_field.region(SHEET, (0, 0), (case, case)))


@claim("receptive-field-corner-region", cases=corner_sizes)
def pixels_that_reach_the_corner(case, seen=seen_by_a_corner):
    """Which rows and columns reach output (0, 0), by impulses."""
    rows = np.flatnonzero(impulses(SHEET, case)[:, 0])
    same(seen(case), np.array([[rows[0], rows[-1]]] * 2))


@slip("receptive-field-corner-region")
def five_pixels_in_all(case):
    """Take the five rows that the border leaves for a window of five around the corner: it sees three."""
    return np.array([[0, 2]] * 2)


@slip("receptive-field-corner-region")
def not_cut(case):
    """Leave the window as it is, with the padding."""
    return np.array([[-4, 4]] * 2)


# --- paths ------------------------------------------------------------------------------------------------------------


def sheet_and_chains():
    """The sheet's four layers, and chains with strides and dilations."""
    yield SHEET
    yield [Layer(3, 2, 1), Layer(2, 1, 0, 2), Layer(3)]
    yield [Layer(2, 3, 2, 2), Layer(4, 2, 1)]


def paths(case):
    # $$ \sum_{o} \operatorname{paths}(o)\,z^{o} =
    #    \prod_{j=1}^{M} \bigl( 1 + z^{a_j} + \dots + z^{(k_j - 1) a_j} \bigr),
    #    \qquad a_j = \text{dilation}_j\,S_{j-1} $$
    return receptive_field.path_counts(case)


def spaced_chains():
    """Chains with strides and dilations."""
    yield from itertools.islice(sheet_and_chains(), 1, None)
    yield [Layer(3, 1, 1, 2), Layer(3, 2), Layer(2)]


@claim("receptive-field-paths", cases=spaced_chains)
def paths_one_by_one(case, paths=paths):
    """Walk every path: one entry of each kernel."""
    ends = Counter()
    for entries in itertools.product(*(range(layer.kernel_size) for layer in case)):
        at = 0
        for layer, j in zip(reversed(case), reversed(entries), strict=True):
            at = layer.stride * at + layer.dilation * j
        ends[at] += 1
    same(paths(case), np.array([ends[at] for at in range(max(ends) + 1)], dtype=object))


@claim("receptive-field-paths", cases=spaced_chains)
def coefficients(case, paths=paths):
    """The coefficients of the product, by SymPy."""
    import sympy

    z, product, S = sympy.symbols("z"), sympy.Integer(1), 1
    for layer in case:
        product *= sum(z ** (j * layer.dilation * S) for j in range(layer.kernel_size))
        S *= layer.stride
    same(paths(case), np.array(sympy.Poly(product, z).all_coeffs(), dtype=object))


@slip("receptive-field-paths", blind=lambda case: [Layer(4, 2)])
def all_pixels_alike(case):
    """Give each pixel of the receptive field the same weight."""
    return np.ones(len(receptive_field.path_counts(case)), dtype=object)


@slip("receptive-field-paths", blind=lambda case: [Layer(3), Layer(2)])
def strides_and_dilations_ignored(case):
    """Multiply the polynomials as if all strides and dilations were 1."""
    found = np.ones(1, dtype=int)
    for layer in case:
        found = np.convolve(found, np.ones(layer.kernel_size, int))
    return found.astype(object)


def sheet_row():
    # $$ 1,\ 4,\ 10,\ 16,\ 19,\ 16,\ 10,\ 4,\ 1 $$
    return receptive_field.path_counts(SHEET)


@claim("receptive-field-sheet-paths")
def powers_of_a_trinomial(sheet_row=sheet_row):
    """The coefficients of (1 + z + z^2)^4; both axes together have 81^2 paths, which is 3^8."""
    import sympy

    z = sympy.symbols("z")
    row = np.array(sympy.Poly((1 + z + z**2) ** 4, z).all_coeffs(), dtype=object)
    same(sheet_row(), row)
    same(np.outer(sheet_row(), sheet_row()).sum(), 3**8)
    same(np.outer(sheet_row(), sheet_row()), receptive_field.path_counts(SHEET, (6, 4), (11, 9))[2:11])


@claim("receptive-field-sheet-paths")
def gradient_of_ones(sheet_row=sheet_row):
    """The output for each single 1, all weights one, four pixels from every border."""
    same(sheet_row(), impulses(SHEET, 9)[:, 4])


@slip("receptive-field-sheet-paths")
def binomials():
    """Take the binomials of 8, which belong to eight kernels of two."""
    return np.array([1, 8, 28, 56, 70, 56, 28, 8, 1], dtype=object)


def corner_row():
    # $$ 9,\ 12,\ 9,\ 4,\ 1 $$
    return receptive_field.path_counts(SHEET, 0, 5)


@claim("receptive-field-corner-paths")
def walks_that_stay(corner_row=corner_row):
    """Walk all 81 paths of one axis, and count those that stay on the image in every layer."""
    ends = Counter()
    for moves in itertools.product((-1, 0, 1), repeat=4):
        places = list(itertools.accumulate(moves))
        if all(0 <= at < 5 for at in places):
            ends[places[-1]] += 1
    same(corner_row(), np.array([ends[at] for at in range(5)], dtype=object))
    both = receptive_field.path_counts(SHEET, (0, 0), (5, 5))
    same(both, np.outer(corner_row(), corner_row()))
    same((both.sum(), both[4, 4]), (35**2, 1))
    same(35**2, 1225)


@claim("receptive-field-corner-paths")
def corner_gradient_of_ones(corner_row=corner_row):
    """The output for each single 1, all weights one."""
    same(corner_row(), impulses(SHEET, 5)[:, 0])


@slip("receptive-field-corner-paths")
def trinomials_cut_off():
    """Cut the row of the open plane at the border: paths through the padding that come back are counted."""
    return np.array([19, 16, 10, 4, 1], dtype=object)


# --- joins ------------------------------------------------------------------------------------------------------------


def joins():
    """Branches of one stride; the first pair is centred, the others are not; the last join stands in a chain."""
    yield [Layer(5, 2, 2)], [Layer(1, 2)]
    yield [Layer(3, 2, 1)], [Layer(2, 2)]
    yield [Layer(2, 3, 1)], [Layer(2, 3)]  # together more than either
    yield [Layer(1, 5)], [Layer(1, 5, 2)]  # with a gap between
    yield [Layer(2, 1, 1), Layer(4, 3, 0)], [Layer(3, 3, 1)]
    yield [Layer(3, 2, 1), Join([[Layer(3, 1, 1)], [Layer(2, 1, 1), Layer(2)]])], [Layer(2, 2)]


def joined(case):
    # $$ R = Z + \max_j\,(R_j - Z_j), \qquad Z = \max_j Z_j $$
    found = receptive_field.receptive_field([Join(case)])
    return np.array([found.size, found.padding])


@claim("receptive-field-join", cases=joins)
def both_branches_followed(case, joined=joined):
    """Follow every entry of every kernel, on all branches, from output 0 down to the input."""
    seen = set().union(*(looked_at(branch, {0}) for branch in case))
    same(joined(case), np.array([max(seen) - min(seen) + 1, -min(seen)]))


@claim("receptive-field-join", cases=joins)
def paths_of_both(case, joined=joined):
    """The size of the row of path counts, and its sum: the paths of all branches together."""
    counts = receptive_field.path_counts([Join(case)])
    size, padding = joined(case)
    same(size, len(counts))
    same(counts.sum(), sum(receptive_field.path_counts(list(branch)).sum() for branch in case))
    stride = receptive_field.receptive_field([Join(case)]).stride
    n = next(n for n in range(40, 46) if len({run(branch, np.eye(n)[:, None, :, None]).shape for branch in case}) == 1)
    answers = impulses([Join(case)], n)
    middle = answers.shape[1] // 2
    same(padding, stride * middle - int(np.flatnonzero(answers[:, middle])[0]))


@slip("receptive-field-join")
def sizes_added(case):
    """Add up the receptive fields of the branches."""
    fields = [receptive_field.receptive_field(branch) for branch in case]
    return np.array([sum(f.size for f in fields), max(f.padding for f in fields)])


@slip("receptive-field-join")
def shortest_branch(case):
    """Take the smallest branch: the skip makes the way shorter."""
    fields = [receptive_field.receptive_field(branch) for branch in case]
    return np.array([min(f.size for f in fields), min(f.padding for f in fields)])


def pairs_of_branches():
    """All pairs of a kernel (to 5) and a padding (to 2), at stride 2 and at stride 3."""
    ends = list(itertools.product(range(1, 6), range(3)))
    yield [(stride, *pair) for stride in (2, 3) for pair in itertools.product(ends, ends)]


def agree_always(case):
    # $$ 2 Z_1 - R_1 = 2 Z_2 - R_2 $$
    found = []
    for stride, *branches in case:
        (R_1, Z_1), (R_2, Z_2) = (
            (f.size, f.padding) for f in (receptive_field.receptive_field([Layer(k, stride, p)]) for k, p in branches)
        )
        found.append(2 * Z_1 - R_1 == 2 * Z_2 - R_2)
    return np.array(found)


@claim("receptive-field-join-sizes", cases=pairs_of_branches)
def sizes_compared(case, agree_always=agree_always):
    """Count the positions of both kernels on every input of 10 to 21 pixels."""
    note("enumeration")

    def places(n, stride, k, p):
        return sum(stride * i + k <= n + 2 * p for i in range(n + 2 * p))

    same(
        agree_always(case),
        np.array([all(places(n, stride, *a) == places(n, stride, *b) for n in range(10, 22)) for stride, a, b in case]),
    )


@claim("receptive-field-join-sizes")
def even_or_odd():
    """Centres half a pixel apart, stride 2: one pair agrees in size on even inputs only, one on odd ones only."""
    note("enumeration")
    inputs = range(3, 30)

    def agreeing(*branches):
        return [n for n in inputs if len({receptive_field.output_size([layer], n) for layer in branches}) == 1]

    same(agreeing(Layer(3, 2, 1), Layer(2, 2)), [n for n in inputs if n % 2 == 0])
    same(agreeing(Layer(3, 2), Layer(2, 2)), [n for n in inputs if n % 2 == 1])


@claim("receptive-field-join-sizes", cases=pairs_of_branches)
def sizes_never_equal(case):
    """The package refuses a join if, and only if, no input from 10 to 21 pixels gives both branches one size."""

    def accepted(stride, *branches):
        try:
            receptive_field.receptive_field([Join([[Layer(k, stride, p)] for k, p in branches])])
        except ValueError:
            return False
        return True

    def possible(stride, *branches):
        return any(
            len({receptive_field.output_size([Layer(k, stride, p)], n) for k, p in branches}) == 1
            for n in range(10, 22)
        )

    every(case, lambda join: accepted(*join) == possible(*join))
    refuses(lambda: receptive_field.receptive_field([Join([[Layer(3, 2)], []])]), naming="layers")
    refuses(lambda: receptive_field.receptive_field([Join([[Layer(3, 2, 1)], []])]), naming="layers")  # one centre
    refuses(lambda: receptive_field.receptive_field([Join([[Layer(3)], []])]), naming="layers")
    refuses(lambda: receptive_field.output_size([Join([[Layer(3, 2, 1)], [Layer(2, 2)]])], 7), naming="n")
    only_even, only_odd = Join([[Layer(2, 2)], [Layer(3, 2, 1)]]), Join([[Layer(3, 2, 1)], [Layer(2, 2, 1)]])
    refuses(lambda: receptive_field.path_counts([Join([[only_even], [only_odd]])]), naming="layers")


@slip("receptive-field-join-sizes")
def equal_sizes_asked_for(case):
    """Ask for equal receptive fields."""
    return np.array([a == b for _, a, b in case])


@slip("receptive-field-join-sizes")
def any_two_of_one_stride(case):
    """Join whatever has one stride."""
    return np.array([True for _ in case])


# --- the effective receptive field ------------------------------------------------------------------------------------


def variance(case):
    # $$ \operatorname{Var}(o) = \sum_{j=1}^{M} a_j^2\,\frac{k_j^2 - 1}{12},
    #    \qquad a_j = \text{dilation}_j\,S_{j-1} $$
    return receptive_field.path_variance(case)


@claim("receptive-field-spread", cases=sheet_and_chains)
def of_all_paths(case, variance=variance):
    """The variance of the ends of all paths, walked one by one, in fractions."""
    ends = Counter()
    for entries in itertools.product(*(range(layer.kernel_size) for layer in case)):
        at = 0
        for layer, j in zip(reversed(case), reversed(entries), strict=True):
            at = layer.stride * at + layer.dilation * j
        ends[at] += 1
    total = sum(ends.values())
    mean = Fraction(sum(at * count for at, count in ends.items()), total)
    same(variance(case), sum((at - mean) ** 2 * count for at, count in ends.items()) / total)


@claim("receptive-field-spread", cases=sheet_and_chains)
def of_the_counts(case, variance=variance):
    """The variance of the path counts, in fractions."""
    counts = receptive_field.path_counts(case)
    at, total = np.arange(len(counts)), Fraction(int(counts.sum()))
    same(variance(case), (at**2 * counts).sum() / total - ((at * counts).sum() / total) ** 2)


@slip("receptive-field-spread", blind=lambda case: [Layer(5, 2)])
def uniform_over_the_field(case):
    """Spread the paths evenly over the receptive field."""
    return Fraction(receptive_field.receptive_field(case).size ** 2 - 1, 12)


@slip("receptive-field-spread", blind=lambda case: [Layer(5, 2)])
def deviations_added(case):
    """Add up the standard deviations, and not the variances."""
    total, S = 0.0, 1
    for k, stride, _, dilation in map(numbers, case):
        total, S = total + S * dilation * np.sqrt((k * k - 1) / 12), S * stride
    return Fraction(total**2).limit_denominator(10**6)


def depths():
    """Kernels of 3 and of 5, three depths each."""
    yield from itertools.product((3, 5), (4, 16, 64))


def ratio(case):
    # $$ \frac{\operatorname{std}(o)}{R} = \frac{1}{M (k - 1) + 1} \sqrt{\frac{M (k^2 - 1)}{12}} $$
    k, M = case
    layers = [Layer(k)] * M
    return np.sqrt(float(receptive_field.path_variance(layers))) / receptive_field.receptive_field(layers).size


@claim("receptive-field-root-growth", cases=depths)
def moments_of_the_counts(case, ratio=ratio):
    """The deviation of a repeated convolution of ones, and its size."""
    k, M = case
    row = np.ones(1)
    for _ in range(M):
        row = np.convolve(row, np.ones(k)) / k
    at = np.arange(len(row)) - (len(row) - 1) / 2
    agree(ratio(case), np.sqrt(row @ at**2) / len(row), tolerance=1e-9)


@claim("receptive-field-root-growth")
def slope_one_half():
    """The slope of log std against log M is 1/2, that of log R is 1."""
    M = 2 ** np.arange(5, 10)
    chains = [[Layer(3, padding=1)] * m for m in M]
    deviations = np.sqrt([float(receptive_field.path_variance(layers)) for layers in chains])
    sizes = [receptive_field.receptive_field(layers).size for layers in chains]
    note("rate fit")
    agree(np.polyfit(np.log(M), np.log(deviations), 1)[0], 0.5, tolerance=0.05, scale=1.0)
    agree(np.polyfit(np.log(M), np.log(sizes), 1)[0], 1.0, tolerance=0.05, scale=1.0)


@slip("receptive-field-root-growth", blind=lambda case: (case[0], 1))
def a_fixed_share(case):
    """Let the effective field be a fixed share of the receptive field, as in one layer."""
    return ratio((case[0], 1))


def excess(case):
    # $$ \frac{\mathbb E\,(o - \mathbb E\,o)^4}{\operatorname{Var}(o)^2} - 3 =
    #    -\frac{6}{5 M}\,\frac{k^2 + 1}{k^2 - 1} $$
    k, M = case
    counts = receptive_field.path_counts([Layer(k)] * M)
    at = np.arange(len(counts)) - Fraction(len(counts) - 1, 2)
    return (at**4 * counts).sum() / Fraction(int(counts.sum())) / receptive_field.path_variance([Layer(k)] * M) ** 2 - 3


def few_layers():
    """Kernels of 2, 3 and 4, to five layers."""
    yield from itertools.product((2, 3, 4), (1, 2, 5))


@claim("receptive-field-gaussian", cases=few_layers)
def fourth_cumulant(case, excess=excess):
    """Cumulants of independent steps add up; those of one step, by enumeration."""
    k, M = case
    steps_of_one = [Fraction(2 * j - k + 1, 2) for j in range(k)]
    second, fourth = (sum(step**power for step in steps_of_one) / k for power in (2, 4))
    same(excess(case), (fourth - 3 * second**2) / (M * second**2))
    same(excess(case), Fraction(-6 * (k * k + 1), 5 * M * (k * k - 1)))


@claim("receptive-field-gaussian")
def the_bell_is_approached_at_rate_one_over_depth():
    """The largest gap between the share of paths, times std, and the Gaussian density falls like 1 / M."""
    M, gaps = 2 ** np.arange(3, 8), []
    for m in M:
        layers = [Layer(3, padding=1)] * int(m)
        counts = receptive_field.path_counts(layers)
        share = np.array([int(count) / 3 ** int(m) for count in counts])
        deviation = np.sqrt(float(receptive_field.path_variance(layers)))
        at = (np.arange(len(counts)) - m) / deviation
        gaps.append(np.abs(deviation * share - np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)).max())
    note("rate fit")
    agree(np.polyfit(np.log(M), np.log(gaps), 1)[0], -1.0, tolerance=0.05)
    at_most(gaps[-1], 1e-3)


@slip("receptive-field-gaussian")
def a_bell_at_once(case):
    """Take the bell for exact."""
    return Fraction(0)


@dataclass(frozen=True)
class Signs:
    """Kernel sizes and strides of two layers."""

    layers: list


def two_layers():
    """Two chains, of 64 and of 32 networks."""
    yield Signs([Layer(3), Layer(3)])
    yield Signs([Layer(3, 2), Layer(2)])


def mean_square(case):
    # $$ \mathbb E \Bigl( \frac{\partial y_i}{\partial x_o} \Bigr)^2 =
    #    \operatorname{paths}(o) \prod_{j=1}^{M} \operatorname{Var}(W^{(j)}) $$
    return receptive_field.path_counts(case.layers)


@claim("receptive-field-random-weights", cases=two_layers)
def over_all_signs(case, mean_square=mean_square):
    """The mean over every network with weights 1 and -1, whose variance is 1, in whole numbers."""
    low, high = case.layers
    total, networks = 0, 0
    for signs in itertools.product((1, -1), repeat=low.kernel_size + high.kernel_size):
        below, above = np.array(signs[: low.kernel_size]), np.array(signs[low.kernel_size :])
        spaced = np.zeros((len(above) - 1) * low.stride + 1, int)
        spaced[:: low.stride] = above
        total, networks = total + np.convolve(spaced, below) ** 2, networks + 1
    same(networks * mean_square(case), total.astype(object))


@claim("receptive-field-random-weights")
def normal_weights_and_channels():
    """Normal weights of variance 1 / (3 C) and C = 4 hidden channels: 4 standard errors, 3000 networks."""
    rng, C, draws = np.random.default_rng(0), 4, 3000
    scale = 1 / np.sqrt(3 * C)
    first, last = rng.normal(0, scale, (draws, C, 3)), rng.normal(0, scale, (draws, C, 3))
    inner = rng.normal(0, scale, (draws, C, C, 3))
    squares = np.zeros((draws, 7))
    row = np.zeros((draws, 7))
    for a, b, c in itertools.product(range(3), repeat=3):
        row[:, a + b + c] += np.einsum("nc,nfc,nf->n", first[:, :, a], inner[..., b], last[:, :, c])
    squares = row**2
    expected = receptive_field.path_counts([Layer(3)] * 3).astype(float) * C**2 * scale**6
    errors = squares.std(0) / np.sqrt(draws)
    note("Monte-Carlo")
    at_most(np.abs(squares.mean(0) - expected), 4 * errors)
    differ(squares.mean(0), np.full(7, expected.mean()), by=0.3)


@slip("receptive-field-random-weights")
def square_of_the_counts(case):
    """Square the counts: that is the gradient for equal weights."""
    return receptive_field.path_counts(case.layers) ** 2


# --- question 5.4: the corners ----------------------------------------------------------------------------------------


def exactly(z):
    """relu in whole numbers."""
    return np.maximum(z, 0)


CORNERS = ((0, 0), (0, 4), (4, 0), (4, 4))  # a, b, c, d


def sixteen(inside):
    """All 16 images of four black or white corners, around one interior (5, 5)."""
    x = np.repeat(np.asarray(inside)[None, None], 16, 0)
    for image, corners in zip(x, itertools.product((0, 1), repeat=4), strict=True):
        for place, value in zip(CORNERS, corners, strict=True):
            image[0][place] = value
    return x


def target(x):
    """1 where a corner's opposite is equal, 0 elsewhere."""
    white = np.zeros(x.shape, int)
    for i, j in CORNERS:
        white[:, 0, i, j] = x[:, 0, i, j] == x[:, 0, 4 - i, 4 - j]
    return white


def depth_cases():
    """Kernel size, image size."""
    yield from ((3, 5), (3, 4), (5, 9), (5, 8), (3, 10))


def layers_needed(case):
    # $$ M \ge \frac{n - 1}{(k - 1) / 2} $$
    k, n = case
    layers = []
    while receptive_field.region(layers, 0, n) != (0, n - 1):
        layers.append(Layer(k, padding=(k - 1) // 2))
    return len(layers)


@claim("receptive-field-depth-needed", cases=depth_cases)
def far_corner_by_impulses(case, needed=layers_needed):
    """Add layers until a 1 in the last pixel reaches the first output."""
    k, n = case
    note("enumeration")
    reach = [impulses([Layer(k, padding=(k - 1) // 2)] * m, n)[-1, 0] > 0 for m in range(n)]
    same(needed(case), reach.index(True))
    same(needed(case), -(-(n - 1) // ((k - 1) // 2)))


@slip("receptive-field-depth-needed")
def size_as_large_as_the_image(case):
    """Ask for a receptive field of at least n: two layers for 5 x 5. It is centred, so half of it lies outside."""
    k, n = case
    return -(-(n - 1) // (k - 1))


@slip("receptive-field-depth-needed")
def size_larger_than_the_image(case):
    """Ask for more than n, to be safe: three layers for 5 x 5, since 7 is more than 5."""
    k, n = case
    return (n - 1) // (k - 1) + 1


def shapes():
    """Images."""
    yield from ((5, 5), (4, 7), (2, 2))


def marks(case):
    # $$ \operatorname{relu}\bigl( 5 - \#\{\, j : i + j \ \text{in the image} \,\} \bigr) =
    #    [\,i \ \text{is a corner}\,] $$
    two_layers = receptive_field.corner_network()[:2]
    return exactly(receptive_field.forward(two_layers, np.zeros((1, 1, *case), int), act=exactly)[0, 4])


@claim("receptive-field-corner-marks", cases=shapes)
def neighbours_counted(case, marks=marks):
    """Count the nine neighbours that lie in the image: 4 in a corner, 6 on an edge, 9 inside."""
    inside = set(np.ndindex(case))
    count = {(i, j): sum((i + a, j + b) in inside for a in (-1, 0, 1) for b in (-1, 0, 1)) for i, j in inside}
    same(marks(case), np.array([[max(5 - count[i, j], 0) for j in range(case[1])] for i in range(case[0])]))
    every(inside, lambda at: count[at] == {0: 9, 1: 6, 2: 4}[(at[0] in (0, case[0] - 1)) + (at[1] in (0, case[1] - 1))])


@slip("receptive-field-corner-marks")
def the_same_everywhere(case):
    """Say that a convolution treats all positions alike: nine everywhere, so no mark. Zero padding does not."""
    return np.zeros(case, int)


@slip("receptive-field-corner-marks")
def edges_marked(case):
    """Subtract from 7 in place of 5: edges are marked, too."""
    two_layers = copy.deepcopy(receptive_field.corner_network()[:2])
    two_layers[1][1][4] += 2
    return exactly(receptive_field.forward(two_layers, np.zeros((1, 1, *case), int), act=exactly)[0, 4])


def grey(rng):
    """An image of 5 x 5 in whole numbers, none negative."""
    return rng.permutation(25).reshape(1, 1, 5, 5)


def compared(case):
    # $$ h^{(2)}_0 + h^{(2)}_1 = |x_{0,0} - x_{4,4}|, \qquad
    #    h^{(2)}_2 + h^{(2)}_3 = |x_{0,4} - x_{4,0}| \qquad \text{at } (2, 2) $$
    h = exactly(receptive_field.forward(receptive_field.corner_network()[:2], case, act=exactly))
    return h[0, [0, 2], 2, 2] + h[0, [1, 3], 2, 2]


@claim("receptive-field-centre-compares", cases=grey)
def differences_of_corners(case, compared=compared):
    """The two differences, taken straight from the image."""
    image = case[0, 0].tolist()
    same(compared(case), np.array([abs(image[0][0] - image[4][4]), abs(image[0][4] - image[4][0])]))


@slip("receptive-field-centre-compares")
def one_half_only(case):
    """Keep one relu of the two: it is 0 where the other corner is brighter."""
    h = exactly(receptive_field.forward(receptive_field.corner_network()[:2], case, act=exactly))
    lost = [min(h[0, [0, 1], 2, 2]), min(h[0, [2, 3], 2, 2])]
    return np.array(lost)


@dataclass(frozen=True)
class Images:
    """Images, the activation in their numbers, and what the network shall give."""

    x: np.ndarray
    act: object
    target: np.ndarray


def all_images():
    """The 16 images, with a black interior and with a drawn one."""
    for inside in (np.zeros((5, 5), int), np.random.default_rng(1).integers(0, 2, (5, 5))):
        x = sixteen(inside)
        yield Images(x, exactly, target(x))


class Term:
    """An expression of Z3 that drops its zeros."""

    def __init__(self, value):
        self.value = value

    def __add__(self, other):
        if not isinstance(other, Term):
            return self if other == 0 else Term(self.value + int(other))
        return Term(self.value + other.value)

    __radd__ = __add__

    def __mul__(self, other):
        return 0 if other == 0 else Term(self.value * int(other))

    __rmul__ = __mul__


def of_z3(z):
    """relu of Z3 expressions, and of the whole numbers between them."""
    import z3

    act = [Term(z3.If(t.value > 0, t.value, 0)) if isinstance(t, Term) else max(int(t), 0) for t in z.flat]
    return np.array(act, dtype=object).reshape(z.shape)


def any_image():
    """25 letters."""
    import z3

    x = np.array([Term(z3.Real(f"x_{i}_{j}")) for i, j in np.ndindex(5, 5)], dtype=object).reshape(1, 1, 5, 5)
    yield Images(x, of_z3, np.zeros((1, 1, 5, 5), int))


def output(case):
    # $$ \begin{aligned}
    #    y_{0,0} = y_{4,4} &= 1 - |x_{0,0} - x_{4,4}| \\
    #    y_{0,4} = y_{4,0} &= 1 - |x_{0,4} - x_{4,0}| \\
    #    y_i &= 0 \ \text{elsewhere}
    #    \end{aligned} $$
    return receptive_field.forward(receptive_field.corner_network(), case.x, act=case.act)


@claim("receptive-field-corner-network", cases=all_images)
def sixteen_images(case, output=output):
    """All 16 images, all 25 pixels of each, in whole numbers."""
    same(output(case), case.target)


@claim("receptive-field-corner-network", cases=any_image)
def by_z3(case, output=output):
    """For all images with grey levels from 0 to 1, by Z3."""
    import z3

    x = np.array([term.value for term in case.x.flat]).reshape(5, 5)
    y = np.array([t.value if isinstance(t, Term) else z3.RealVal(int(t)) for t in output(case).flat]).reshape(5, 5)
    right = []
    for i, j in np.ndindex(5, 5):
        difference = x[i, j] - x[4 - i, 4 - j]
        size = z3.If(difference > 0, difference, -difference)
        right.append(y[i, j] == (1 - size if (i, j) in CORNERS else 0))
    box = z3.And(*(z3.And(letter >= 0, letter <= 1) for letter in x.flat))
    proved(z3.Implies(box, z3.And(*right)))


@claim("receptive-field-corner-network", cases=lambda rng: rng.integers(0, 2, (40, 5, 5)))
def random_interiors(case):
    """Forty drawn interiors for each of five seeds, with all 16 images: 3200 in all, with the relu of the book."""
    x = np.concatenate([sixteen(inside) for inside in case])
    y = receptive_field.forward(receptive_field.corner_network(), x)
    same((y == np.rint(y)).all(), np.True_)
    same(np.rint(y).astype(int), target(x))


@claim("receptive-field-corner-network", cases=lambda rng: rng.integers(-2, 3, (1, 1, 4, 5)))
def layers_written_out(case):
    """Three convolutions written out, relu after the first two, the skip added where it is said, in whole numbers."""
    network = whole_network(np.random.default_rng(case.sum() % 7), 3)

    def layer(h, number):
        return convolution.conv2d(h, *network[number], padding=1)

    one = exactly(layer(case, 0))
    two = layer(one, 1)
    ways = {(None, False): exactly(two), ((1, 2), False): exactly(two + one), ((1, 2), True): exactly(two) + one}
    for (skip, after), h in ways.items():
        y = receptive_field.forward(network, case, act=exactly, skip=skip, after=after)
        same(y, layer(h, 2))
    y = receptive_field.forward(network, case, act=exactly, skip=(0, 3))
    same(y, layer(exactly(two), 2) + case)
    same((y < 0).any(), np.True_)


def results_in_low_channels():
    """The network with the five results of layer 3 in channels 0 to 4, where layers 1 and 2 have theirs."""
    network = receptive_field.corner_network()
    w3, b3, w4 = network[2][0], network[2][1], network[3][0]
    w3[0:5], b3[0:5], w4[:, 0:5] = w3[5:10].copy(), b3[5:10].copy(), w4[:, 5:10].copy()
    w3[5:10], b3[5:10], w4[:, 5:10] = 0, 0, 0
    return network


@claim("receptive-field-corner-network", cases=all_images)
def five_channels(case, output=output):
    """Cut down to five channels a layer, it gives the same."""
    network = [(w[:5, :5], b[:5]) for w, b in results_in_low_channels()]
    same(output(case), receptive_field.forward(network, case.x, act=case.act))


@slip("receptive-field-corner-network")
def half_an_absolute_value(case):
    """Let layer 3 read one of the two halves of each absolute value."""
    network = receptive_field.corner_network()
    network[2][0][5:9, [1, 3]] = 0
    return receptive_field.forward(network, case.x, act=case.act)


@slip("receptive-field-corner-network")
def one_layer_without_activation(case):
    """Leave the activation out between the layers."""
    return receptive_field.forward(receptive_field.corner_network(), case.x, act=lambda z: z)


@slip("receptive-field-corner-network")
def biases_at_zero(case):
    """Set the biases to 0."""
    network = [(w, 0 * b) for w, b in receptive_field.corner_network()]
    return receptive_field.forward(network, case.x, act=case.act)


def trained(channels_per_layer, steps, act=True):
    """Train on the 16 images, Adam with step 0.01 and cross-entropy; the number of images right, and the MSE."""
    torch = need("torch")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    parts = []
    for c, f in itertools.pairwise(channels_per_layer):
        parts += [torch.nn.Conv2d(c, f, 3, padding=1), *([torch.nn.ReLU()] if act and f > 1 else [])]
    network = torch.nn.Sequential(*parts)
    x = sixteen(np.zeros((5, 5), int))
    images, wanted = torch.tensor(x).float(), torch.tensor(target(x)).float()
    ends = (..., slice(None, None, 4), slice(None, None, 4))
    weights = list(network.parameters())
    first, second = ([torch.zeros_like(w) for w in weights] for _ in range(2))  # the moments of Adam
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    right = 0
    for step in range(steps):
        y = network(images)
        squares = ((y[ends] - wanted[ends]) ** 2).mean()
        loss = entropy(y[ends], wanted[ends]) + entropy(y, wanted) if act else squares
        t = step + 1
        for w, m, v, dw in zip(weights, first, second, torch.autograd.grad(loss, weights), strict=True):
            m.lerp_(dw, 0.1)
            v.lerp_(dw * dw, 0.001)
            w.data -= 0.01 * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        if step % 20 == 19:
            right = int(((y > 0) == (wanted > 0)).flatten(1).all(1).sum())
            if act and right == 16:
                break
    return right, float(loss.detach())


@claim("receptive-field-training")
def four_layers_learn_it():
    """Four layers of 16 channels with ReLU, in PyTorch, at most 500 steps from seed 1: 16 of 16 images."""
    same(trained([1, 16, 16, 16, 1], 500)[0], 16)


@claim("receptive-field-training")
def three_layers_do_not():
    """Three layers, 200 steps: no more than 4 of 16 images."""
    at_most(trained([1, 16, 16, 1], 200)[0], 4)


# --- what cannot work -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deep:
    """A network in whole numbers, an image, and a skip."""

    network: list
    x: np.ndarray
    skip: tuple | None = None


def whole_network(rng, depth):
    channels = [1, *(4,) * (depth - 1), 1]
    return [(rng.integers(-3, 4, (f, c, 3, 3)), rng.integers(-3, 4, f)) for c, f in itertools.pairwise(channels)]


def three_layers(rng):
    """Three layers, 4 channels, whole numbers."""
    return Deep(whole_network(rng, 3), rng.integers(0, 2, (1, 1, 5, 5)))


def with_far_corner(case, value):
    x = case.x.copy()
    x[0, 0, 4, 4] = value
    return x


def first_corner(case):
    # $$ y_{0,0}(x + \delta\,e_{(4,4)}) = y_{0,0}(x) $$
    return receptive_field.forward(case.network, with_far_corner(case, 7), act=exactly)[0, 0, 0, 0]


@claim("receptive-field-three-layers", cases=three_layers)
def far_corner_without_effect(case, first_corner=first_corner):
    """With any value in the far corner, the output stays the same to the last digit."""
    x = with_far_corner(case, 0)
    same(first_corner(case), receptive_field.forward(case.network, x, act=exactly)[0, 0, 0, 0])
    same(first_corner(case), receptive_field.forward(case.network, with_far_corner(case, -2), act=exactly)[0, 0, 0, 0])


@claim("receptive-field-three-layers")
def twenty_networks():
    """Twenty drawn networks of 16 channels, float64: exactly 0.0 between the two images. Four layers: not 0."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        for depth, still in ((3, True), (4, False)):
            channels = [1, *(16,) * (depth - 1), 1]
            network = [(rng.uniform(0, 1, (f, c, 3, 3)), rng.normal(size=f)) for c, f in itertools.pairwise(channels)]
            pair = np.zeros((2, 1, 5, 5))
            pair[1, 0, 4, 4] = 1
            y = receptive_field.forward(network, pair)[:, 0, 0, 0]
            same(y[0] == y[1], np.bool_(still))


@slip("receptive-field-three-layers")
def seven_is_more_than_five(case):
    """Let the far corner act through the middle of the last kernel: 7 is more than 5."""
    return first_corner(case) + 7 * (1 + abs(int(case.network[-1][0].sum())))


def best_of_three_layers():
    # $$ \tfrac24, \qquad \tfrac24, \qquad \tfrac{4}{16} $$
    return np.array([2, 2, 4])


@claim("receptive-field-three-layers-best")
def all_functions_of_the_near_corner(best=best_of_three_layers):
    """A corner's output is a function of its own pixel alone. All four of them are tried at each corner."""
    functions = [dict(zip((0, 1), values, strict=True)) for values in itertools.product((0, 1), repeat=2)]
    pairs = list(itertools.product((0, 1), repeat=2))
    note("enumeration")
    corner = max(sum(f[a] == (a == d) for a, d in pairs) for f in functions)
    ways = [(f, g) for f in functions for g in functions]
    right = [[(a, d) for a, d in pairs if f[a] == g[d] == (a == d)] for f, g in ways]
    both = max(len(one) * len(other) for one in right for other in right)
    same(best(), np.array([corner, max(map(len, right)), both]))
    same(receptive_field.region([Layer(3, padding=1)] * 3, (0, 0), (5, 5)), ((0, 3), (0, 3)))


@slip("receptive-field-three-layers-best")
def as_the_linear_net():
    """Give it the score of a linear network with four layers, which sees both corners."""
    return np.array([3, 3, 9])


def linear_network(rng):
    """Four layers without activation, with biases and a residual connection between two of them."""
    return Deep(whole_network(rng, 4), rng.integers(0, 2, (1, 1, 5, 5)), (1, 3))


def four_corners(case, a, d):
    """The output of the linear network at (0, 0), for these two corners."""
    x = case.x.copy()
    x[0, 0, 0, 0], x[0, 0, 4, 4] = a, d
    return receptive_field.forward(case.network, x, act=lambda z: z, skip=case.skip)[0, 0, 0, 0]


def sum_of_the_equal(case):
    # $$ y(0, 0) + y(1, 1) = y(0, 1) + y(1, 0) $$
    return four_corners(case, 0, 0) + four_corners(case, 1, 1)


@claim("receptive-field-linear", cases=linear_network)
def sum_of_the_unequal(case, equal=sum_of_the_equal):
    """The two other images, in whole numbers."""
    same(equal(case), four_corners(case, 0, 1) + four_corners(case, 1, 0))


@claim("receptive-field-linear")
def no_threshold():
    """Above a level for equal corners, below it for unequal ones: Z3 finds no affine function."""
    import z3

    p, q, r, level = z3.Reals("p q r level")
    proved(z3.Not(z3.And(r > level, p + q + r > level, q + r <= level, p + r <= level)))


@slip("receptive-field-linear")
def with_a_relu_between(case):
    """Put an activation between the layers: then the sums may differ."""
    values = []
    for a, d in ((0, 0), (1, 1)):
        x = case.x.copy()
        x[0, 0, 0, 0], x[0, 0, 4, 4] = 60 * a, 60 * d
        values.append(receptive_field.forward(case.network, x, act=exactly, skip=case.skip)[0, 0, 0, 0])
    return sum(values)


def best_linear():
    # $$ \tfrac34, \qquad \tfrac{9}{16} $$
    return np.array([3, 9])


def threshold_functions(bits):
    """All sets of corner values, as rows of truth values, that one affine function can cut off."""
    points = np.array(list(itertools.product((0, 1), repeat=bits)))
    weights = np.array(list(itertools.product(range(-3, 4), repeat=bits)))
    levels = np.arange(-12, 13) + 0.5
    rows = (points @ weights.T)[None] > levels[:, None, None]
    return points, np.unique(np.moveaxis(rows, 1, 2).reshape(-1, len(points)), axis=0)


@claim("receptive-field-linear-best")
def all_threshold_functions(best=best_linear):
    """All 14 threshold functions of two bits, all 1882 of four, at each corner."""
    note("enumeration")
    (ad, of_two), (abcd, of_four) = threshold_functions(2), threshold_functions(4)
    same((len(of_two), len(of_four)), (14, 1882))
    one = max(int(((f == g) & (f == (ad[:, 0] == ad[:, 1]))).sum()) for f in of_two for g in of_two)
    a, b, c, d = abcd.T
    # A corner alone is right where f is; its opposite may take the same f. Both diagonals: the best overlap.
    first, second = np.unique(of_four == (a == d), axis=0), np.unique(of_four == (b == c), axis=0)
    both = int((first.astype(np.float32) @ second.T.astype(np.float32)).max())
    same(best(), np.array([one, both]))


@claim("receptive-field-linear-best")
def attained(best=best_linear):
    """A linear network that has 9 of 16 images right in all 25 pixels, above a level of 0: y = 1 - 2a - 2d."""
    network = [(np.zeros((f, c, 3, 3), int), np.zeros(f, int)) for c, f in itertools.pairwise([1, 16, 16, 16, 1])]
    (w1, _), *middle, (w4, b4) = network
    moves = [(2, 2), (0, 0), (2, 0), (0, 2), (1, 1)]
    for channel, move in enumerate(moves):
        w1[channel, 0, *move] = 1
        for w, _ in middle:
            w[channel, channel, *move] = 1
        w4[0, channel, *move] = -2
    middle[1][1][5] = 1  # a channel of ones, which the last layer counts
    w4[0, 5], b4[0] = -1, 5
    for inside in (np.zeros((5, 5), int), *np.random.default_rng(2).integers(0, 2, (9, 5, 5))):
        x = sixteen(inside)
        right = ((receptive_field.forward(network, x, act=lambda z: z) > 0) == target(x)).all((1, 2, 3))
        same(right.sum(), best()[1])
        same(right[[k for k in range(16) if k & 6 == 0]].sum(), best()[0])  # b = c = 0: the first diagonal alone


@slip("receptive-field-linear-best")
def the_field_is_large_enough():
    """Say that the activation does not matter, as 9 is more than 5: all images right."""
    return np.array([4, 16])


def least_squares():
    # $$ y = \tfrac12, \qquad \text{error } \tfrac14 $$
    return np.array([Fraction(1, 2), Fraction(1, 4)])


@claim("receptive-field-linear-least-squares")
def normal_equations(fit=least_squares):
    """The least-squares fit of all 16 images, in fractions: no corner has a weight."""
    import sympy

    rows = sympy.Matrix([[1, *corners] for corners in itertools.product((0, 1), repeat=4)])
    wanted = sympy.Matrix([int(a == d) for a, _, _, d in itertools.product((0, 1), repeat=4)])
    weights = (rows.T * rows).solve(rows.T * wanted)
    left = rows * weights - wanted
    same(np.array(weights[1:]), np.zeros(4, int))
    same(fit(), np.array([weights[0], left.dot(left) / 16]))


@claim("receptive-field-linear-least-squares")
def linear_stack_trained():
    """Four layers without activation, trained for 150 steps in PyTorch: the error at the corners is 1/4."""
    agree(trained([1, 16, 16, 16, 1], 150, act=False)[1], 0.25, tolerance=1e-5)


@slip("receptive-field-linear-least-squares")
def three_of_four_fitted():
    """Fit three of the four images exactly, and miss the last one by 1: the mean is then 1/4, but y is not 1/2."""
    return np.array([Fraction(3, 4), Fraction(1, 4)])


def without_biases(rng):
    """A network without biases; its weights in whole numbers."""
    return Deep([(w, 0 * b) for w, b in whole_network(rng, 4)], np.zeros((1, 1, 5, 5), int), (1, 3))


def black_image(case):
    # $$ y(0) = 0 $$
    return receptive_field.forward(case.network, case.x, act=exactly, skip=case.skip)


@claim("receptive-field-no-biases", cases=without_biases)
def black_stays_black(case, black_image=black_image):
    """Sums of zeros, and relu(0) = 0."""
    same(black_image(case), np.zeros((1, 1, 5, 5), int))
    same(target(case.x)[0, 0, 0, 0], 1)


@slip("receptive-field-no-biases")
def white_is_learnt(case):
    """Expect that training finds white corners all the same."""
    return target(case.x)


# --- residual connections ---------------------------------------------------------------------------------------------


def skips():
    """Every skip from layer i to layer j > i of the four."""
    yield from itertools.combinations(range(5), 2)


def with_skip(case):
    # $$ R = 9 $$
    i, j = case
    layers = [*SHEET[:i], Join([SHEET[i:j], []]), *SHEET[j:]]
    return receptive_field.receptive_field(layers).size


@claim("receptive-field-skip", cases=skips)
def offsets_enumerated(case, with_skip=with_skip):
    """All sums of moves by -1, 0 and 1, of all four layers, and of those that the skip leaves: 81 offsets."""
    i, j = case
    note("enumeration")
    moves = list(itertools.product((-1, 0, 1), repeat=2))
    offsets = set()
    for count in (4, 4 - (j - i)):
        reached = {(0, 0)}
        for _ in range(count):
            reached = {(r + a, s + b) for r, s in reached for a, b in moves}
        offsets |= reached
    same(len(offsets), 81)
    rows = [r for r, _ in offsets]
    same(with_skip(case), max(rows) - min(rows) + 1)


@slip("receptive-field-skip")
def sum_of_both_ways(case):
    """Add the receptive fields of the two ways: a residual connection would enlarge it."""
    i, j = case
    return 9 + 1 + 2 * (4 - (j - i))


@slip("receptive-field-skip")
def the_shorter_way_only(case):
    """Count the shorter way only: a residual connection would shrink it."""
    i, j = case
    return 1 + 2 * (4 - (j - i))


@dataclass(frozen=True)
class Skipped:
    """The images, the skip, and whether it comes after the activation."""

    images: Images
    skip: tuple
    after: bool


def variants():
    """h1 added to h3 before its activation, h1 added to h3 after it, x added to the output."""
    for images in all_images():
        yield from (Skipped(images, *how) for how in (((1, 3), False), ((1, 3), True), ((0, 4), False)))


def skipped(case, network=None):
    network = network or receptive_field.corner_network(subtract_input=case.skip == (0, 4))
    return receptive_field.forward(network, case.images.x, act=exactly, skip=case.skip, after=case.after)


def skipped_output(case):
    return skipped(case)


@claim("receptive-field-skip-networks", cases=variants)
def sixteen_images_with_a_skip(case, output=skipped_output):
    """All 16 images, all 25 pixels of each, in whole numbers."""
    same(output(case), case.images.target)


@slip("receptive-field-skip-networks")
def skip_forgotten_in_the_weights(case):
    """Put the five results of layer 3 in channels 0 to 4, where layer 1 has its own, and do not take x off."""
    return skipped(case, results_in_low_channels())


@claim("receptive-field-skip-networks", cases=variants)
def off_by_one(case):
    """With those weights some corner is off by 1, and none by more; with a black interior, no pixel by more."""
    error = np.abs(skip_forgotten_in_the_weights(case) - case.images.target)
    same(error[:, :, ::4, ::4].max(), 1)
    if not case.images.x[:, :, 1:4].any():
        same(error.max(), 1)


def three_layers_with_skips(rng):
    """Three layers, a skip over the middle one."""
    return Deep(whole_network(rng, 3), rng.integers(0, 2, (1, 1, 5, 5)), (1, 2))


def first_corner_with_a_skip(case):
    return receptive_field.forward(case.network, with_far_corner(case, 7), act=exactly, skip=case.skip)[0, 0, 0, 0]


@claim("receptive-field-skip-no-rescue", cases=three_layers_with_skips)
def far_corner_still_without_effect(case, first_corner=first_corner_with_a_skip):
    """With any value in the far corner, the output stays the same to the last digit."""
    x = with_far_corner(case, 0)
    same(first_corner(case), receptive_field.forward(case.network, x, act=exactly, skip=case.skip)[0, 0, 0, 0])


@claim("receptive-field-skip-no-rescue")
def no_skip_of_three_layers():
    """All six skips of three layers: rows 0 to 3 reach the first output."""
    three = SHEET[:3]
    every(
        itertools.combinations(range(4), 2),
        lambda at: (
            receptive_field.region([*three[: at[0]], Join([three[at[0] : at[1]], []]), *three[at[1] :]], (0, 0), (5, 5))
            == ((0, 3), (0, 3))
        ),
    )


@slip("receptive-field-skip-no-rescue")
def a_skip_sees_further(case):
    """Let the skip carry the far corner to the first output."""
    return first_corner_with_a_skip(case) + 7


# --- the calculator ---------------------------------------------------------------------------------------------------


def texts():
    """Numbers, names, both; remarks and empty lines."""
    yield "3\n5 2\n\n3 1 1\n2 3 0 2  # dilated", [Layer(3), Layer(5, 2), Layer(3, 1, 1), Layer(2, 3, 0, 2)]
    yield "conv 3 stride 2 padding 1\npool 2\nPool 3 stride=2", [Layer(3, 2, 1), Layer(2, 2), Layer(3, 2)]
    yield "kernel 5 dilation 2\n 7, 2, 3\nconv 3 padding 1", [Layer(5, dilation=2), Layer(7, 2, 3), Layer(3, padding=1)]
    yield "pool 3\npool 4 padding 1", [Layer(3, 3), Layer(4, 4, 1)]


def parsed(case):
    return np.array([numbers(layer) for layer in receptive_field.parse(case[0])])


@claim("receptive-field-text", cases=texts)
def written_out(case, parsed=parsed):
    """The layers, written in Python."""
    same(parsed(case), np.array([numbers(layer) for layer in case[1]]))


@claim("receptive-field-text")
def lines_are_named():
    """Each of these is refused, with its line."""
    bad = (
        "x",
        "3 x",
        "3 0",
        "0",
        "3 -1",
        "3 1.5",
        "3 1 1 1 1",
        "conv",
        "pool",
        "3 stride",
        "stride 2",
        "3 stride 2 1",
        "3 padding 1 2",
        "3 2 stride 2",
        "3 padding 1 padding 1",
        "3 1 1 0",
        "٣",
        "conv conv 3",
        ",",
        "9" * 5000,
    )
    for line in bad:
        refuses(lambda line=line: receptive_field.parse("3\n" + line), naming="text")
    every(bad, lambda line: message(lambda: receptive_field.parse("3\n\n" + line)).startswith("text line 3, "))
    same(
        message(lambda: receptive_field.table("3 2\n2 2\n3", 8)),
        "text line 3, '3': the kernel is larger than its padded input",
    )
    for text in (None, 3, ["3"], b"3"):
        refuses(lambda text=text: receptive_field.parse(text), naming="text")
    for n in (0, 2.0, True, "8", (8, 8), None):
        refuses(lambda n=n: receptive_field.table("3", n), naming="n")


def message(call):
    try:
        call()
    except ValueError as error:
        return str(error)
    return "accepted"


@slip("receptive-field-text")
def padding_before_the_stride(case):
    """Read kernel, padding, stride, dilation."""
    rows = parsed(case)
    return rows[:, [0, 2, 1, 3]]


def calculated(rng):
    """A text of three layers, the layers, and an input size."""
    layers = chain(rng)
    return "\n".join(" ".join(map(str, numbers(layer))) for layer in layers), layers, 64


def rows(case):
    text, _, n = case
    keys = ("line", "output", "size", "jump", "padding")
    found = receptive_field.table(text, n)
    return np.array([[int(row[key]) for key in keys] + [round(2 * row["start"])] for row in found])


@claim("receptive-field-table", cases=calculated)
def row_by_row(case, rows=rows):
    """Each row by itself: sizes by convolutions, the rest by following every entry of every kernel."""
    _, layers, n = case
    expected = []
    for number in range(len(layers) + 1):
        part = layers[:number]
        zero, one = looked_at(part, {0}), looked_at(part, {1})
        first, last = min(zero), max(zero)
        n_out = run(part, np.zeros((1, 1, n, 1), int)).shape[2]
        expected.append([number, n_out, last - first + 1, min(one) - first, -first, first + last])
    same(rows(case), np.array(expected))
    same(all(row["start"] * 2 % 1 == 0 for row in receptive_field.table(case[0], n)), True)


@slip("receptive-field-table", blind=lambda case: ("3\n2", [Layer(3), Layer(2)], 9))
def each_layer_alone(case):
    """Take each layer for the first one."""
    _, layers, _ = case
    found = rows(case)
    for row, layer in zip(found[1:], layers, strict=True):
        row[3] = layer.stride
    return found


# --- in the machine ---------------------------------------------------------------------------------------------------


@claim("receptive-field-bad-input")
def refused_by_name():
    """Integers out of range, other types, ragged lists, outputs that do not exist."""
    for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
        for value in (least - 1, 1.0, True, None, "3", (3, 3, 3), (3,), (), (3, least - 1), [3, [3]], np.array([3, 3])):
            options = {"kernel_size": 3, name: value}
            refuses(lambda options=options: Layer(**options), naming=name)
    for branches in (None, [], Layer(3), [Layer(3)], [[Layer(3)], 3], [["3"]]):
        refuses(lambda branches=branches: Join(branches), naming="branches")
    for layers in (None, Layer(3), [3], [[Layer(3)], []], "3 2"):
        for call in (receptive_field.receptive_field, receptive_field.path_variance, receptive_field.path_counts):
            refuses(lambda call=call, layers=layers: call(layers), naming="layers")
        refuses(lambda layers=layers: receptive_field.output_size(layers, 9), naming="layers")
        refuses(lambda layers=layers: receptive_field.interval(layers, 1), naming="layers")
        refuses(lambda layers=layers: receptive_field.region(layers, 1, 9), naming="layers")
    refuses(lambda: receptive_field.path_variance([Join([[], []])]), naming="layers")
    for n in (0, -1, 1.5, True, None, (5,), (5, 0), (5, [5])):
        refuses(lambda n=n: receptive_field.output_size(SHEET, n), naming="n")
        refuses(lambda n=n: receptive_field.path_counts(SHEET, 0, n), naming="n")
    refuses(lambda: receptive_field.output_size([Layer(7)], 5), naming="n")
    refuses(lambda: receptive_field.region([Layer(3), Layer(5)], 0, 5), naming="n")
    for index in (-1, 1.0, None, 5, (0, 5), (0, 0, 0)):
        refuses(lambda index=index: receptive_field.region(SHEET, index, 5), naming="index")
    network, x = receptive_field.corner_network(), np.zeros((1, 1, 5, 5))
    same(receptive_field.forward(network, x, skip=(np.int64(1), np.int64(3))).shape, (1, 1, 5, 5))
    for skip in ((0, 3), (3, 1), (1, 5), (-1, 2), (1,), 1, (1, 1), (1.0, 3), "13"):
        refuses(lambda skip=skip: receptive_field.forward(network, x, skip=skip), naming="skip")
    refuses(lambda: receptive_field.forward(network, x[0]), naming="x")
    refuses(lambda: receptive_field.forward(network, np.zeros((1, 2, 5, 5))), naming="w")


@claim("receptive-field-bad-input")
def nothing_is_written_to():
    """The same calls give the same; networks, images and lists stay as they are."""
    network, x = receptive_field.corner_network(), sixteen(np.ones((5, 5), int))
    before = copy.deepcopy((network, x))
    first, second = (receptive_field.forward(network, x, skip=(1, 3)) for _ in range(2))
    same(first.astype(int), second.astype(int))
    same(all((w == v).all() and (b == c).all() for (w, b), (v, c) in zip(network, before[0], strict=True)), np.True_)
    same(x, before[1])
    layers = [*SHEET, Join([SHEET, []])]
    receptive_field.path_counts(layers)
    same(layers == [*SHEET, Join([SHEET, []])], True)
