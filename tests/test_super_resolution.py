"""Super-resolution: the claims of the chapter, in its order."""

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from dlnotes import super_resolution
from dlnotes.check import (
    agree,
    at_most,
    claim,
    complex_step,
    differ,
    every,
    need,
    note,
    proved,
    refuses,
    same,
    slip,
    steps,
)
from dlnotes.convolution import conv_transpose2d


def sigmoid(z):
    return 1 / (1 + np.exp(-z))  # as it is defined; it takes complex numbers too


def divergence(p, q):
    """The Jensen-Shannon divergence by its definition, in plain Python numbers."""
    total = 0.0
    for a, b in zip(np.ravel(p).tolist(), np.ravel(q).tolist(), strict=True):
        total += (a * math.log(2 * a / (a + b)) if a else 0) / 2 + (b * math.log(2 * b / (a + b)) if b else 0) / 2
    return total


# --- pairs of images -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Images:
    """True images, what a generator made of their small versions, and four times as many channels of small ones."""

    high: np.ndarray  # (N, C, 2H, 2W)
    fake: np.ndarray  # as high
    z: np.ndarray  # (N, 4C, H, W)

    @property
    def low(self):
        return super_resolution.downsample(self.high)

    def enlarged(self, low):
        return low.repeat(2, 2).repeat(2, 3)


def images(rng):
    """Three pairs of two channels, 6 x 10 pixels."""
    high = rng.normal(size=(3, 2, 6, 10)) + 1
    return Images(high, high + rng.normal(size=high.shape) * 0.7 + 0.4, rng.normal(size=(3, 8, 3, 5)) + 0.5)


def flat_blocks(case):
    """Each block of the true image is of one value."""
    return replace(case, high=case.enlarged(case.low))


def constant(case):
    """Images of one value in each channel."""
    return replace(case, high=0 * case.high + case.high[:, :, :1, :1])


def low(case):
    # $$ x_{\mathrm{LR},c,i} = \frac14 \sum_{j_1=0}^{1} \sum_{j_2=0}^{1} x_{\mathrm{HR},c,2i+j} $$
    return super_resolution.downsample(case.high)


@claim("super-resolution-downsample", cases=images)
def low_by_definition(case, low=low):
    """Each mean written out, pixel by pixel."""
    N, C, height, width = case.high.shape
    expected = np.empty((N, C, height // 2, width // 2))
    for n, c, i, j in np.ndindex(expected.shape):
        block = [case.high[n, c, 2 * i + a, 2 * j + b] for a in (0, 1) for b in (0, 1)]
        expected[n, c, i, j] = sum(block) / 4
    agree(low(case), expected)


@claim("super-resolution-downsample", cases=images)
def low_by_torch(case, low=low):
    """PyTorch's average pooling."""
    torch = need("torch")
    agree(low(case), torch.nn.functional.avg_pool2d(torch.tensor(case.high), 2).numpy())


@slip("super-resolution-downsample")
def four_times_a_side(case):
    """Read "four times the resolution" as four times the rows and the columns: blocks of 4 x 4."""
    return case.high[:, :, :4, :8].reshape(3, 2, 1, 4, 2, 4).mean((3, 5))


@slip("super-resolution-downsample")
def sum_of_the_block(case):
    """Add the four pixels and do not divide."""
    return 4 * case.low


@slip("super-resolution-downsample", blind=constant)
def one_pixel_of_four(case):
    """Keep the first pixel of each block."""
    return case.high[:, :, ::2, ::2]


# --- what is forgotten -----------------------------------------------------------------------------------------------


def sizes():
    """Heights and widths of small images."""
    yield 1, 1
    yield 2, 3
    yield 3, 1


def basis(shape, scale=1):
    """All images with one pixel that is not 0, as Fractions."""
    size = math.prod(shape)
    eye = np.array([[Fraction(int(i == j) * scale) for j in range(size)] for i in range(size)])
    return eye.reshape(size, *shape)


def forgotten(case):
    # $$ A A^\top = \frac14 I, \qquad \operatorname{rank}(A) = n_{\mathrm h} n_{\mathrm w},
    #    \qquad \dim \ker(A) = 3\,n_{\mathrm h} n_{\mathrm w} $$
    height, width = case
    small = super_resolution.downsample(basis((1, 2 * height, 2 * width)))
    A = small.reshape(len(small), -1).T
    return A @ A.T, height * width, 3 * height * width


@claim("super-resolution-forgets", cases=sizes)
def rank_of_the_mean(case, forgotten=forgotten):
    """The matrix of block means written down by hand; its rank, by SymPy."""
    import sympy

    height, width = case
    A = np.array(
        [
            [Fraction(int((i // 2, j // 2) == (row, column)), 4) for i in range(2 * height) for j in range(2 * width)]
            for row in range(height)
            for column in range(width)
        ]
    )
    gram, rank, nullity = forgotten(case)
    same(gram, A @ A.T)
    same(gram, np.array([[Fraction(int(i == j), 4) for j in range(len(A))] for i in range(len(A))]))
    same(rank, sympy.Matrix(A.tolist()).rank())
    same(nullity, len(sympy.Matrix(A.tolist()).nullspace()))


@claim("super-resolution-forgets")
def a_checkerboard_is_invisible():
    """A board of 1 and -1 becomes 0, whichever of its squares comes first."""
    board = np.array([[[[(-1) ** (i + j) for j in range(6)] for i in range(4)]]])
    agree(super_resolution.downsample(board), np.zeros((1, 1, 2, 3)), scale=1)


@slip("super-resolution-forgets")
def a_quarter_forgotten(case):
    """Exchange the two: take the quarter of the directions that is kept for the part that is lost."""
    height, width = case
    gram = forgotten(case)[0]
    return gram, 3 * height * width, height * width


# --- the criterion ---------------------------------------------------------------------------------------------------


def pixel_loss(case):
    # $$ L = \frac1N \sum_i \lVert \mathcal G(x_{\mathrm{LR},i}) - x_{\mathrm{HR},i} \rVert^2 $$
    return super_resolution.pixel_loss(case.fake, case.high)


@claim("super-resolution-pixel-loss", cases=images)
def loss_by_definition(case, pixel_loss=pixel_loss):
    """One squared norm an image, then the mean over the images."""
    norms = [np.linalg.norm((a - b).ravel()) ** 2 for a, b in zip(case.fake, case.high, strict=True)]
    agree(pixel_loss(case), sum(norms) / len(norms))


@slip("super-resolution-pixel-loss", blind=flat_blocks)
def target_is_the_small_image(case):
    """Train with the small image as its own target: the output is compared with it, enlarged."""
    return ((case.fake - case.enlarged(case.low)) ** 2).sum() / 3


def fake_off_by_flat_blocks(case):
    """An output that is wrong by one value in each block."""
    return replace(case, fake=case.high + case.enlarged(super_resolution.downsample(case.fake - case.high)))


@slip("super-resolution-pixel-loss")
def autoencoder_of_the_small_image(case):
    """Autoencode the small image: the output is made small again and compared there; no large target."""
    return ((super_resolution.downsample(case.fake) - case.low) ** 2).sum() / 3


@slip("super-resolution-pixel-loss")
def mean_over_pixels_too(case):
    """Divide by the number of pixels too. The minimum is the same; the step of a descent is another."""
    return ((case.fake - case.high) ** 2).mean()


def d_pixel_loss(case):
    # $$ \frac{\partial L}{\partial\,\mathcal G(x_{\mathrm{LR},i})}
    #    = \frac2N \bigl( \mathcal G(x_{\mathrm{LR},i}) - x_{\mathrm{HR},i} \bigr) $$
    return super_resolution.d_pixel_loss(case.fake, case.high)


@claim("super-resolution-pixel-loss-gradient", cases=images)
def loss_by_complex_step(case, d_pixel_loss=d_pixel_loss):
    """Derivative of the loss by each pixel of the output, by a complex step."""
    agree(d_pixel_loss(case), complex_step(lambda fake: ((fake - case.high) ** 2).sum() / 3, case.fake))


@slip("super-resolution-pixel-loss-gradient")
def factor_two_lost(case):
    """Forget the exponent's 2."""
    return (case.fake - case.high) / 3


@slip("super-resolution-pixel-loss-gradient")
def direction_of_the_target(case):
    """Subtract the output from the target."""
    return 2 * (case.high - case.fake) / 3


# --- two ways to a larger image --------------------------------------------------------------------------------------


def bilinear(case):
    # $$ y_{2i} = \tfrac14\,x_{i-1} + \tfrac34\,x_i, \qquad y_{2i+1} = \tfrac34\,x_i + \tfrac14\,x_{i+1} $$
    return super_resolution.bilinear(case.low)


@claim("super-resolution-bilinear", cases=images)
def along_one_axis_then_the_other(case, bilinear=bilinear):
    """The two lines, along the rows and then along the columns; beyond the border, the border's own value."""
    y = case.low
    for axis in (2, 3):
        x = np.moveaxis(y, axis, 0)
        last = len(x) - 1
        lines = []
        for i in range(len(x)):
            lines += [x[max(i - 1, 0)] / 4 + 3 * x[i] / 4, 3 * x[i] / 4 + x[min(i + 1, last)] / 4]
        y = np.moveaxis(np.array(lines), 0, axis)
    agree(bilinear(case), y)


@claim("super-resolution-bilinear", cases=images)
def bilinear_by_torch(case, bilinear=bilinear):
    """PyTorch's interpolation, its corners not aligned."""
    torch = need("torch")
    options = {"scale_factor": 2, "mode": "bilinear", "align_corners": False}
    agree(bilinear(case), torch.nn.functional.interpolate(torch.tensor(case.low), **options).numpy())


@claim("super-resolution-bilinear")
def bilinear_in_fractions():
    """One row of three pixels, by hand; Fractions stay Fractions."""
    row = np.array([[[[Fraction(0), Fraction(4), Fraction(1)]]]])
    quarters = [Fraction(k, 4) for k in (0, 4, 12, 13, 7, 4)]
    same(super_resolution.bilinear(row)[0, 0], np.array([quarters, quarters]))


@slip("super-resolution-bilinear", blind=constant)
def each_pixel_four_times(case):
    """Repeat each pixel: that is the nearest neighbour."""
    return case.enlarged(case.low)


@slip("super-resolution-bilinear", blind=constant)
def half_a_pixel_off(case):
    """Put the even rows and columns on the small pixels, and the odd ones halfway: the image moves."""
    y = case.low
    for axis in (2, 3):
        after = np.concatenate([y.take(range(1, y.shape[axis]), axis), y.take([-1], axis)], axis)
        y = np.stack([y, (y + after) / 2], axis + 1).reshape(*y.shape[:axis], 2 * y.shape[axis], *y.shape[axis + 1 :])
    return y


def shuffled(case):
    # $$ y_{c,\,2i + j} = z_{4c + 2 j_1 + j_2,\; i} $$
    return super_resolution.pixel_shuffle(case.z)


@claim("super-resolution-pixel-shuffle", cases=images)
def shuffle_by_definition(case, shuffled=shuffled):
    """One pixel at a time; and no number is lost or made."""
    expected = np.empty((3, 2, 6, 10))
    for n, c, row, column in np.ndindex(expected.shape):
        (i1, j1), (i2, j2) = divmod(row, 2), divmod(column, 2)
        expected[n, c, row, column] = case.z[n, 4 * c + 2 * j1 + j2, i1, i2]
    y = shuffled(case)
    agree(y, expected)
    agree(np.sort(y.ravel()), np.sort(case.z.ravel()))


@claim("super-resolution-pixel-shuffle", cases=images)
def shuffle_by_torch(case, shuffled=shuffled):
    """PyTorch's layer."""
    torch = need("torch")
    agree(shuffled(case), torch.nn.functional.pixel_shuffle(torch.tensor(case.z), 2).numpy())


def one_channel(case):
    """Four channels in, one out."""
    return replace(case, high=case.high[:, :1], fake=case.fake[:, :1], z=np.tile(case.z[:, :1], (1, 8, 1, 1)))


@slip("super-resolution-pixel-shuffle")
def sixteen_times_the_pixels(case):
    """Take 4 for the factor of a side: sixteen times the pixels."""
    return case.z.repeat(4, 2).repeat(4, 3)[:, ::4]


@slip("super-resolution-pixel-shuffle", blind=one_channel)
def place_before_channel(case):
    """Number the channels by place first, (2 j_1 + j_2) C + c, as some libraries do."""
    return super_resolution.pixel_shuffle(case.z.reshape(3, 4, 2, 3, 5).swapaxes(1, 2).reshape(3, 8, 3, 5))


@slip("super-resolution-pixel-shuffle", blind=one_channel)
def rows_and_columns_exchanged(case):
    """Let the first of the two bits of the channel choose the column."""
    return super_resolution.pixel_shuffle(case.z.reshape(3, 2, 2, 2, 3, 5).swapaxes(2, 3).reshape(3, 8, 3, 5))


@slip("super-resolution-pixel-shuffle")
def only_reshaped(case):
    """Reshape, and do not move the axes."""
    return case.z.reshape(3, 2, 6, 10)


def unshuffled(case):
    # $$ \frac{\partial L}{\partial z_{4c + 2 j_1 + j_2,\; i}} = \frac{\partial L}{\partial y_{c,\,2i + j}} $$
    return super_resolution.pixel_unshuffle(case.fake)


@claim("super-resolution-pixel-shuffle-gradient", cases=images)
def shuffle_by_complex_step(case, unshuffled=unshuffled):
    """Derivative of a linear loss through the definition, by a complex step."""

    def loss(z):
        blocks = z.reshape(3, 2, 2, 2, 3, 5)
        parts = [
            (blocks[:, :, j1, j2] * case.fake[:, :, j1::2, j2::2]).sum() for j1, j2 in itertools.product((0, 1), (0, 1))
        ]
        return sum(parts)

    agree(unshuffled(case), complex_step(loss, case.z))


@slip("super-resolution-pixel-shuffle-gradient")
def gradient_only_reshaped(case):
    """Reshape the gradient, and do not move its axes."""
    return case.fake.reshape(3, 8, 3, 5)


# --- checkerboards ---------------------------------------------------------------------------------------------------


def layers():
    """Sizes, kernels and strides, the kernel larger than the stride."""
    return [case for case in itertools.product((5, 6), (3, 4, 5, 6, 7), (2, 3)) if case[1] > case[2]]


def edge_to_edge(case):
    """The kernel is as large as the stride: no two stamps overlap."""
    n, _, stride = case
    return n, stride, stride


def overlap(case):
    n, k, stride = case
    return super_resolution.overlap(n, k, stride)


@claim("super-resolution-overlap", cases=layers)
def ones_through_the_layer(case, overlap=overlap):
    """A transposed convolution of ones with ones; away from the borders, all counts agree iff the stride divides k."""
    n, k, stride = case
    ones = conv_transpose2d(np.ones((1, 1, 1, n), int), np.ones((1, 1, 1, k), int), stride=stride)[0, 0, 0]
    counts = overlap(case)
    same(counts, ones)
    inside = counts[k - 1 : len(counts) - k + 1]
    for o, count in zip(range(k - 1, len(counts) - k + 1), inside, strict=True):
        # $$ \#\{\, j : 0 \le j < k,\; j \equiv o \pmod{\text{stride}} \,\} $$
        same(int(count), sum((o - j) % stride == 0 for j in range(k)))
    same(bool(len(set(inside.tolist())) == 1), k % stride == 0)


@claim("super-resolution-overlap")
def small_and_large():
    """Every input to 9, kernel to 6, stride to 4: never more stamps at a border; only if, from s inner outputs on."""
    note("enumeration")
    for n, k, stride in itertools.product(range(1, 10), range(1, 7), range(1, 5)):
        counts = super_resolution.overlap(n, k, stride).tolist()
        formula = [sum((o - j) % stride == 0 for j in range(k)) for o in range(len(counts))]
        every(zip(counts, formula, strict=True), lambda pair: pair[0] <= pair[1])
        inside = counts[k - 1 : len(counts) - k + 1]
        if inside:
            same(inside, formula[k - 1 : len(counts) - k + 1])
        if len(inside) >= stride:
            same(len(set(inside)) == 1, k % stride == 0)


@claim("super-resolution-overlap")
def three_and_four():
    """The two kernels of the text: 1, 2, 1, 2 for k = 3; 2 everywhere for k = 4."""
    same(super_resolution.overlap(5, 3, 2)[2:-2], np.array([2, 1, 2, 1, 2, 1, 2]))
    same(super_resolution.overlap(5, 4, 2)[3:-3], np.array([2, 2, 2, 2, 2, 2]))


@slip("super-resolution-overlap", blind=edge_to_edge)
def borders_forgotten(case):
    """Say that every output gets the count of the inside, up to the border."""
    n, k, stride = case
    return np.array([sum((o - j) % stride == 0 for j in range(k)) for o in range((n - 1) * stride + k)])


@slip("super-resolution-overlap", blind=edge_to_edge)
def kernel_over_stride(case):
    """Give every output k / stride stamps, rounded down."""
    n, k, stride = case
    return np.full((n - 1) * stride + k, k // stride)


@dataclass(frozen=True)
class Stamp:
    """A kernel along one axis, and an image of one value."""

    w: np.ndarray  # (5,)
    x: float


def stamp(rng):
    """A kernel of five weights, for a stride of 2."""
    return Stamp(rng.uniform(0.5, 1.5, 5) * [1, 2, 1, -1, 3], rng.uniform(1, 2))


def phases(case):
    # $$ y_o = x \sum_{j \equiv o} W_j $$
    sums = [case.w[o::2].sum() for o in (0, 1)]
    return case.x * np.array([sums[o % 2] for o in range(4, 11)])


@claim("super-resolution-phases", cases=stamp)
def constant_through_the_layer(case, phases=phases):
    """The layer itself, stride 2, on a row of six equal pixels; four outputs at each end are left out."""
    y = conv_transpose2d(np.full((1, 1, 1, 6), case.x), case.w[None, None, None], stride=2)[0, 0, 0]
    agree(phases(case), y[4:11])


def even_phases(case):
    """The two sums are one number."""
    w = case.w.copy()
    w[1] += w[0::2].sum() - w[1::2].sum()
    return replace(case, w=w)


@slip("super-resolution-phases", blind=even_phases)
def constant_stays_constant(case):
    """Say that an image of one value gives an image of one value: half the sum of all weights."""
    return np.full(7, case.x * case.w.sum() / 2)


# --- a squared error gives the mean ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Law:
    """What a pixel may be, given the small image; and any one output y."""

    x: np.ndarray  # (K,)
    p: np.ndarray  # (K,)
    y: Any

    def expected(self, f):
        return sum(mass * f(x) for x, mass in zip(self.x, self.p, strict=True))


def law(rng):
    """Four values, not equally probable."""
    p = np.array([0.1, 0.2, 0.3, 0.4]) + rng.uniform(0, 0.05, 4)
    return Law(np.array([3.0, -1.0, 0.5, 6.0]) + rng.normal(size=4) * 0.2, p / p.sum(), rng.normal() + 9)


def two_values():
    """Two values, in symbols."""
    import sympy

    x0, x1, y = sympy.symbols("x0 x1 y", real=True)
    p = sympy.Symbol("p", positive=True)
    yield Law(np.array([x0, x1]), np.array([1 - p, p]), y)


def equally_probable(case):
    """One probability for all."""
    if isinstance(case.y, float):
        return replace(case, p=np.full(len(case.p), 1 / len(case.p)))
    return replace(case, p=np.array([Fraction(1, 2)] * 2))


def mean_and_variance(case):
    # $$ y^\star = \mathbb E[x] = (1-p)\,x_0 + p\,x_1, \qquad \mathbb E[(x - y^\star)^2] = p\,(1-p)\,(x_1 - x_0)^2 $$
    pairs = itertools.combinations(range(len(case.x)), 2)
    lost = sum(case.p[i] * case.p[j] * (case.x[i] - case.x[j]) ** 2 for i, j in pairs)
    return super_resolution.best_l2(case.x, case.p), lost


@claim("super-resolution-l2", cases=two_values)
def l2_in_symbols(case, mean_and_variance=mean_and_variance):
    """The expected square's derivative by y vanishes there, its second is 2, and its value is what is lost."""
    import sympy

    risk = sympy.sympify(case.expected(lambda x: (x - case.y) ** 2))
    best, lost = mean_and_variance(case)
    same(risk.diff(case.y).subs(case.y, best), 0)
    same(sympy.expand(risk.diff(case.y, 2)), 2)
    same(risk.subs(case.y, best), lost)


@claim("super-resolution-l2", cases=law)
def l2_of_four_values(case, mean_and_variance=mean_and_variance):
    """For four values, with the sum over their pairs: the derivative by a complex step, and the value."""
    best, lost = mean_and_variance(case)
    slope = complex_step(lambda y: case.expected(lambda x: (x - y) ** 2), np.array(best))
    agree(slope, np.array(0.0), scale=np.abs(case.x).max())
    agree(lost, case.expected(lambda x: (x - best) ** 2))


@slip("super-resolution-l2", blind=equally_probable)
def midpoint(case):
    """Take the plain mean of the values, as if they were equally probable."""
    return sum(case.x) * Fraction(1, len(case.x)) if case.x.dtype == object else case.x.mean(), mean_and_variance(case)[
        1
    ]


@slip("super-resolution-l2")
def most_probable(case):
    """Take one of the values, the last one, for the best: no blur is then expected."""
    return case.x[-1], mean_and_variance(case)[1]


@slip("super-resolution-l2")
def nothing_lost(case):
    """Say that the best output has no error left."""
    return mean_and_variance(case)[0], 0 * case.x[0]


def risk(case):
    best, lost = mean_and_variance(case)
    return lost + (best - case.y) ** 2


@steps("super-resolution-l2-steps", cases=(law, two_values), ends_in=risk)
def square_completed(case):
    """Add and subtract the mean."""
    best = super_resolution.best_l2(case.x, case.p)
    # \mathbb E[(x - y)^2]
    yield case.expected(lambda x: (x - case.y) ** 2)
    # = \mathbb E[(x - y^\star)^2] + 2\,(y^\star - y)\,\mathbb E[x - y^\star] + (y^\star - y)^2
    yield (
        case.expected(lambda x: (x - best) ** 2)
        + 2 * (best - case.y) * case.expected(lambda x: x - best)
        + (best - case.y) ** 2
    )
    # = \mathbb E[(x - y^\star)^2] + (y^\star - y)^2
    yield case.expected(lambda x: (x - best) ** 2) + (best - case.y) ** 2


@dataclass(frozen=True)
class Pairs:
    """Small images, some of them equal; their large images; and what some generator gives."""

    low: np.ndarray  # (N, 1, 1, 2)
    high: np.ndarray  # (N, 1, 2, 4)
    fake: np.ndarray  # as high, a function of low

    @property
    def keys(self):
        return self.low[:, 0, 0, 0]


def pairs(rng):
    """Three small images, seen 3, 4 and 5 times in a random order."""
    key = rng.permutation([0] * 3 + [1] * 4 + [2] * 5)
    table = rng.normal(size=(3, 1, 2, 4))
    low = np.stack([key, 2.0 * key - 1], 1).reshape(12, 1, 1, 2)
    return Pairs(low, rng.exponential(size=(12, 1, 2, 4)) * (1 + key.reshape(-1, 1, 1, 1)), table[key])


def conditional_mean(case):
    # $$ \bar x(x_{\mathrm{LR}}) = \mathbb E[\,x_{\mathrm{HR}} \mid x_{\mathrm{LR}}\,] $$
    return super_resolution.conditional_mean(case.low, case.high)


@claim("super-resolution-conditional-mean", cases=pairs)
def least_squares(case, conditional_mean=conditional_mean):
    """One free output for each small image, fitted by least squares (LAPACK)."""
    one_hot = (case.keys[:, None] == np.arange(3)).astype(float)
    table = np.linalg.lstsq(one_hot, case.high.reshape(12, -1), rcond=None)[0]
    agree(conditional_mean(case), (one_hot @ table).reshape(case.high.shape))


@claim("super-resolution-conditional-mean", cases=pairs)
def pythagoras(case, conditional_mean=conditional_mean):
    """Any generator's error is that of the conditional mean, plus its own squared distance from it."""
    # $$ \mathbb E \lVert x_{\mathrm{HR}} - \mathcal G(x_{\mathrm{LR}}) \rVert^2
    #    = \mathbb E \lVert x_{\mathrm{HR}} - \bar x(x_{\mathrm{LR}}) \rVert^2
    #    + \mathbb E \lVert \bar x(x_{\mathrm{LR}}) - \mathcal G(x_{\mathrm{LR}}) \rVert^2 $$
    best = conditional_mean(case)
    total = ((case.high - case.fake) ** 2).sum()
    agree(((case.high - best) ** 2).sum() + ((best - case.fake) ** 2).sum(), total)
    for group in range(3):  # and the distance is a distance between functions of the small image
        rows = best[case.keys == group]
        agree(rows, np.broadcast_to(rows[0], rows.shape))


def one_small_image(case):
    """All small images are one."""
    return replace(case, low=0 * case.low, fake=0 * case.fake + case.fake[0])


@slip("super-resolution-conditional-mean")
def mean_of_all_images(case):
    """Average all large images, whatever the small one."""
    return 0 * case.high + case.high.mean(0)


@slip("super-resolution-conditional-mean")
def first_match(case):
    """Give the first large image that has this small one."""
    return np.array([case.high[case.keys == key][0] for key in case.keys])


@slip("super-resolution-conditional-mean")
def median_of_the_matches(case):
    """Take the median in place of the mean."""
    return np.array([np.median(case.high[case.keys == key], 0) for key in case.keys])


# --- two by two ------------------------------------------------------------------------------------------------------


def all_blocks():
    return np.array([Fraction(bit) for bits in itertools.product((0, 1), repeat=4) for bit in bits]).reshape(
        16, 1, 2, 2
    )


def explained_and_lost():
    # $$ \operatorname{Var}(x) = \frac14 = \frac1{16} + \frac3{16} $$
    high = all_blocks()
    flat = super_resolution.conditional_mean(super_resolution.downsample(high), high)
    explained = ((flat - Fraction(1, 2)) ** 2).sum() / 64
    return explained, super_resolution.pixel_loss(flat, high) / 4


@claim("super-resolution-blocks")
def blocks_by_count(explained_and_lost=explained_and_lost):
    """Blocks counted by their number k of white pixels: mean k / 4, variance k / 4 (1 - k / 4)."""
    explained, lost = explained_and_lost()
    share = [Fraction(math.comb(4, k), 16) for k in range(5)]
    same(explained, sum(s * (Fraction(k, 4) - Fraction(1, 2)) ** 2 for k, s in enumerate(share)))
    same(lost, sum(s * Fraction(k, 4) * (1 - Fraction(k, 4)) for k, s in enumerate(share)))
    same([explained, lost, explained + lost], [Fraction(1, 16), Fraction(3, 16), Fraction(1, 4)])


@claim("super-resolution-blocks")
def flat_and_not_a_block():
    """The best output is flat, k / 4, and is a true block only if k is 0 or 4."""
    high = all_blocks()
    low = super_resolution.downsample(high)
    best = super_resolution.conditional_mean(low, high)
    known = {tuple(block.ravel()) for block in high}
    every(range(16), lambda i: set(best[i].ravel()) == {low[i, 0, 0, 0]})
    every(range(16), lambda i: (tuple(best[i].ravel()) in known) == (high[i].sum() in (0, 4)))


@slip("super-resolution-blocks")
def a_quarter_lost():
    """Exchange the shares: three quarters explained, one quarter lost."""
    return Fraction(3, 16), Fraction(1, 16)


@slip("super-resolution-blocks")
def all_explained():
    """Say that the mean keeps all of the variance, as it keeps the small image."""
    return Fraction(1, 4), Fraction(0)


# --- an absolute error gives the median ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Laws:
    """Values, and several laws on them, in Fractions."""

    x: tuple
    laws: tuple


def laws():
    """Two values with p below, at and above one half; and four values, one law of which has a tie."""
    yield Laws((Fraction(2), Fraction(7)), tuple((1 - p, p) for p in (Fraction(1, 3), Fraction(1, 2), Fraction(4, 5))))
    tenths = ((1, 2, 4, 3), (4, 3, 2, 1), (5, 3, 1, 1))
    x = tuple(map(Fraction, (5, -1, 2, 8)))
    yield Laws(x, tuple(tuple(Fraction(t, 10) for t in tens) for tens in tenths))


def medians(case):
    # $$ y^\star = \begin{cases} x_0 & p < \frac12 \\ \text{any } y \in [x_0, x_1] & p = \frac12 \\
    #    x_1 & p > \frac12 \end{cases} $$
    ends = [super_resolution.best_l1(np.array(case.x), np.array(p)) for p in case.laws]
    return np.array(ends)


@claim("super-resolution-l1", cases=laws)
def l1_on_a_grid(case, medians=medians):
    """All best outputs among multiples of a quarter: the expected distance is linear between two values."""
    grid = [Fraction(t, 4) for t in range(-12, 41)]
    expected = []
    for p in case.laws:
        risks = [sum(m * abs(x - y) for x, m in zip(case.x, p, strict=True)) for y in grid]
        best = [y for y, r in zip(grid, risks, strict=True) if r == min(risks)]
        expected.append((best[0], best[-1]))
    same(medians(case), np.array(expected))


@claim("super-resolution-l1", cases=laws)
def half_on_each_side(case, medians=medians):
    """At most half of the mass lies below each end, at most half above; and no value further out has that."""
    for (lowest, highest), p in zip(medians(case), case.laws, strict=True):
        mass = dict(zip(case.x, p, strict=True))

        def balanced(y, mass=mass):
            below, above = sum(m for x, m in mass.items() if x < y), sum(m for x, m in mass.items() if x > y)
            return max(below, above) <= Fraction(1, 2)

        same(
            [min(x for x in case.x if balanced(x)), max(x for x in case.x if balanced(x))],
            [lowest, highest],
        )


def without_a_tie(case):
    """The laws that have one median."""
    kept = [p for p in case.laws if (lambda ends: ends[0] == ends[1])(super_resolution.best_l1(case.x, p))]
    return replace(case, laws=tuple(kept))


@slip("super-resolution-l1", blind=without_a_tie)
def lowest_median_only(case):
    """At one half, name one median and say that it is the only one."""
    return np.array([[super_resolution.best_l1(case.x, p)[0]] * 2 for p in case.laws])


@slip("super-resolution-l1")
def mean_for_median(case):
    """Say that an absolute error gives the mean too."""
    return np.array([[sum(m * x for x, m in zip(case.x, p, strict=True))] * 2 for p in case.laws])


def medians_of_blocks():
    quarters = [Fraction(k, 4) for k in range(5)]
    return np.array([super_resolution.best_l1([Fraction(0), Fraction(1)], [1 - k, k]) for k in quarters])


@claim("super-resolution-l1-blocks")
def pixels_of_the_blocks(medians_of_blocks=medians_of_blocks):
    """One pixel of all blocks with k white pixels, sorted: its two middle values. Only k = 2 leaves a choice."""
    high = all_blocks().reshape(16, 4)
    expected = []
    for k in range(5):
        pixel = sorted(block[0] for block in high if block.sum() == k)
        middle = len(pixel) // 2
        expected.append((pixel[(len(pixel) - 1) // 2], pixel[middle]))
    ends = medians_of_blocks()
    same(ends, np.array(expected))
    same([k for k in range(5) if ends[k, 0] <= Fraction(k, 4) <= ends[k, 1]], [0, 2, 4])


@slip("super-resolution-l1-blocks")
def blocks_of_the_mean():
    """Give the flat block k / 4, as for squares."""
    return np.array([(Fraction(k, 4),) * 2 for k in range(5)])


# --- in frequencies --------------------------------------------------------------------------------------------------


def frequencies(rng):
    """Seven angular frequencies below the highest one, in radians a pixel of the large image."""
    return np.sort(rng.uniform(0.3, 3.0, 7))


def responses(case):
    # $$ 1 + \cos\omega \quad\text{for } (\tfrac12,\, 1,\, \tfrac12), \qquad
    #    2 \cos^3 \frac\omega2 \quad\text{for } (\tfrac14,\, \tfrac34,\, \tfrac34,\, \tfrac14) $$
    return np.array([1 + np.cos(case), 2 * np.cos(case / 2) ** 3])


@claim("super-resolution-response", cases=frequencies)
def gain_of_a_wave(case, responses=responses):
    """The size of sum_j k_j exp(-i omega j), in complex numbers."""
    kernels = ([0.5, 1, 0.5], [0.25, 0.75, 0.75, 0.25])
    waves = [[abs(sum(w * np.exp(-1j * o * j) for j, w in enumerate(k))) for o in case] for k in kernels]
    agree(responses(case), np.array(waves))


@claim("super-resolution-response")
def response_in_symbols():
    """The two sums with exponentials are the two formulas, and both vanish at the highest frequency, pi."""
    import sympy

    half = sympy.Symbol("h", real=True)  # omega / 2
    kernels = (([1, 2, 1], 2), ([1, 3, 3, 1], 4))
    formulas = (1 + sympy.cos(2 * half), 2 * sympy.cos(half) ** 3)
    for (kernel, over), formula in zip(kernels, formulas, strict=True):
        middle = sympy.Rational(len(kernel) - 1, 2)
        wave = sum(w * sympy.exp(2 * sympy.I * half * (j - middle)) for j, w in enumerate(kernel)) / over
        same(sympy.expand(wave - formula.rewrite(sympy.exp)), 0)
        same(formula.subs(half, sympy.pi / 2), 0)


def at_zero(case):
    """The frequency 0."""
    return 0 * case


@slip("super-resolution-response", blind=at_zero)
def response_of_repeated_pixels(case):
    """Give the response of the nearest neighbour, 2 cos(omega / 2)."""
    return np.array([2 * np.cos(case / 2)] * 2)


@slip("super-resolution-response", blind=at_zero)
def kept_as_it_is(case):
    """Say that interpolation keeps all frequencies: the factor is 2, which makes up for the zeros in between."""
    return np.full((2, len(case)), 2.0)


# --- who sees the pair -----------------------------------------------------------------------------------------------


def how_many_pairs():
    """Numbers of pairs."""
    yield 2
    yield 3
    yield 5


def seen_without_and_with(case):
    # $$ \begin{aligned}
    #    \operatorname{JSD}\bigl(p_{\mathrm{data}}(x_{\mathrm{HR}}),\, p_{\mathcal G}(x_{\mathrm{HR}})\bigr) &= 0 \\
    #    \operatorname{JSD}\bigl(p_{\mathrm{data}}(x_{\mathrm{LR}}, x_{\mathrm{HR}}),\,
    #    p_{\mathcal G}(x_{\mathrm{LR}}, x_{\mathrm{HR}})\bigr) &= \log 2
    #    \end{aligned} $$
    true = np.eye(case) / case  # row: small image; column: large image
    swapped = np.roll(true, 1, axis=1)
    jsd = super_resolution.jensen_shannon
    return np.array([jsd(true.sum(0), swapped.sum(0)), jsd(true, swapped)])


@claim("super-resolution-conditional", cases=how_many_pairs)
def pairs_counted(case, seen=seen_without_and_with):
    """Each small image gets the large image of the next one; both laws are then written out."""
    true = {(i, i): 1 / case for i in range(case)}
    swapped = {(i, (i + 1) % case): 1 / case for i in range(case)}
    points = sorted(true | swapped)
    columns = [[sum(law.get((i, j), 0) for i in range(case)) for j in range(case)] for law in (true, swapped)]
    joint = [[law.get(point, 0.0) for point in points] for law in (true, swapped)]
    agree(seen(case), np.array([divergence(*columns), divergence(*joint)]))
    agree(seen(case), np.array([0, math.log(2)]))


@claim("super-resolution-conditional")
def unless_one_is_rarer():
    """An exchange shows without the pair if one image is rarer than the other; so does an image that is given twice."""
    seen = super_resolution.jensen_shannon([0.3, 0.7], [0.7, 0.3])
    differ(seen, 0.0, scale=math.log(2))
    law = np.array([0.2, 0.2, 0.3, 0.3])
    agree(super_resolution.jensen_shannon(law, law[[1, 0, 3, 2]]), 0.0, scale=1)
    differ(super_resolution.jensen_shannon([1 / 3] * 3, [2 / 3, 1 / 3, 0]), 0.0, scale=math.log(2))


@slip("super-resolution-conditional")
def fooled_both_times(case):
    """Say that a swapped image is as plausible as the true one, so the pair does not help."""
    return np.array([0.0, 0.0])


@slip("super-resolution-conditional")
def caught_both_times(case):
    """Say that a discriminator of large images alone notices the swap."""
    return np.array([math.log(2)] * 2)


# --- the game --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Game:
    """A finite world: laws of small and of large images, a generator, a discriminator."""

    p_low: np.ndarray  # (5,)
    p_data: np.ndarray  # (4,)
    generator: np.ndarray  # (5,): which large image each small one becomes
    D: np.ndarray  # (4,)

    @property
    def p_generator(self):
        return np.bincount(self.generator, self.p_low, minlength=4)


def game(rng):
    """Five small images, four large ones; two small ones become one large one, and one large one is never made."""
    p_low, p_data = rng.uniform(0.5, 1.5, 5) * [1, 2, 3, 1, 1], rng.uniform(0.5, 1.5, 4) * [3, 1, 1, 2]
    return Game(p_low / p_low.sum(), p_data / p_data.sum(), np.array([0, 1, 2, 1, 0]), rng.uniform(0.2, 0.9, 4))


def game_value(case):
    # $$ V = \mathbb E_{x_{\mathrm{HR}}}\bigl[\log \mathcal D(x_{\mathrm{HR}})\bigr]
    #    + \mathbb E_{x_{\mathrm{LR}}}\bigl[\log\bigl(1 - \mathcal D(\mathcal G(x_{\mathrm{LR}}))\bigr)\bigr] $$
    return super_resolution.value(case.p_data, case.p_generator, case.D)


@claim("super-resolution-game", cases=game)
def expectations_written_out(case, game_value=game_value):
    """Each expectation over its own law: of large images, and of small images through the generator."""
    first = sum(p * math.log(d) for p, d in zip(case.p_data, case.D, strict=True))
    second = sum(p * math.log(1 - case.D[g]) for p, g in zip(case.p_low, case.generator, strict=True))
    agree(game_value(case), first + second)


@slip("super-resolution-game")
def max_over_the_generator(case):
    """Exchange the players: the generator maximises what the discriminator minimises. The value changes its sign."""
    return -super_resolution.value(case.p_data, case.p_generator, case.D)


@slip("super-resolution-game")
def minus_before_the_second_term(case):
    """Write a minus before log(1 - D)."""
    return case.p_data @ np.log(case.D) - case.p_generator @ np.log(1 - case.D)


@slip("super-resolution-game")
def one_minus_forgotten(case):
    """Write log D for the generated images too."""
    return (case.p_data + case.p_generator) @ np.log(case.D)


@dataclass(frozen=True)
class Logits:
    """Logits of a batch of true images and of a batch of generated ones, those images, and the weight zeta."""

    z_true: np.ndarray  # (5,)
    z_fake: np.ndarray  # (7,)
    fake: np.ndarray  # (7, 1, 2, 4)
    high: np.ndarray  # (7, 1, 2, 4)
    zeta: float


def logits(rng):
    """Five true images, seven generated ones; the discriminator is right more often than not."""
    high = rng.normal(size=(7, 1, 2, 4))
    fake = high + rng.normal(size=high.shape)
    return Logits(rng.normal(size=5) + 1.5, rng.normal(size=7) - 1.0, fake, high, rng.uniform(0.2, 0.5))


def discriminator_loss(case):
    # $$ L_{\mathcal D} = -\frac1N \sum_i \log \sigma(z_{\mathrm{HR},i})
    #    - \frac1N \sum_i \log\bigl(1 - \sigma(z_{\mathcal G,i})\bigr) $$
    return super_resolution.discriminator_loss(case.z_true, case.z_fake)


@claim("super-resolution-discriminator-loss", cases=logits)
def discriminator_written_out(case, discriminator_loss=discriminator_loss):
    """The two means over probabilities, in plain Python numbers."""
    true = [math.log(1 / (1 + math.exp(-z))) for z in case.z_true]
    fake = [math.log(1 - 1 / (1 + math.exp(-z))) for z in case.z_fake]
    agree(discriminator_loss(case), -sum(true) / len(true) - sum(fake) / len(fake))


@claim("super-resolution-discriminator-loss", cases=logits)
def cross_entropy_by_torch(case, discriminator_loss=discriminator_loss):
    """PyTorch's cross-entropy with logits: label 1 for true, 0 for generated."""
    torch = need("torch")
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    true, fake = torch.tensor(case.z_true), torch.tensor(case.z_fake)
    agree(discriminator_loss(case), float(entropy(true, torch.ones_like(true)) + entropy(fake, torch.zeros_like(fake))))


@slip("super-resolution-discriminator-loss")
def discriminator_minimises_v(case):
    """Let the discriminator minimise V itself."""
    return -super_resolution.discriminator_loss(case.z_true, case.z_fake)


@slip("super-resolution-discriminator-loss")
def all_called_true(case):
    """Ask for log D of the generated images too."""
    return -np.log(sigmoid(case.z_true)).mean() - np.log(sigmoid(case.z_fake)).mean()


def d_discriminator_loss(case):
    # $$ \frac{\partial L_{\mathcal D}}{\partial z_{\mathrm{HR},i}}
    #    = -\frac1N \bigl(1 - \sigma(z_{\mathrm{HR},i})\bigr), \qquad
    #    \frac{\partial L_{\mathcal D}}{\partial z_{\mathcal G,i}} = \frac1N\,\sigma(z_{\mathcal G,i}) $$
    return np.concatenate(super_resolution.d_discriminator_loss(case.z_true, case.z_fake))


@claim("super-resolution-discriminator-gradient", cases=logits)
def discriminator_by_complex_step(case, d_discriminator_loss=d_discriminator_loss):
    """Derivative of the two means by each logit, by a complex step."""

    def loss(z):
        return -np.log(sigmoid(z[:5])).sum() / 5 - np.log(1 - sigmoid(z[5:])).sum() / 7

    agree(d_discriminator_loss(case), complex_step(loss, np.concatenate([case.z_true, case.z_fake])))


@slip("super-resolution-discriminator-gradient")
def ascent_for_descent(case):
    """Give the gradient of V: a descent along it makes the discriminator worse."""
    return -d_discriminator_loss(case)


@slip("super-resolution-discriminator-gradient")
def the_loss_is_a_sum(case):
    """Forget the means."""
    return np.concatenate([-sigmoid(-case.z_true), sigmoid(case.z_fake)])


def generator_losses(case):
    # $$ \begin{aligned}
    #    L_{\mathrm{sat}} &= \frac1N \sum_i \log\bigl(1 - \sigma(z_{\mathcal G,i})\bigr) \\
    #    L_{\mathcal G} &= -\frac1N \sum_i \log \sigma(z_{\mathcal G,i})
    #    + \frac\zeta N \sum_i \lVert \mathcal G(x_{\mathrm{LR},i}) - x_{\mathrm{HR},i} \rVert^2
    #    \end{aligned} $$
    saturating = super_resolution.generator_loss(case.z_fake, saturating=True)
    content = super_resolution.pixel_loss(case.fake, case.high)
    return np.array([saturating, super_resolution.generator_loss(case.z_fake) + case.zeta * content])


@claim("super-resolution-generator-loss", cases=logits)
def generator_written_out(case, generator_losses=generator_losses):
    """The means over probabilities, and the squared distances, in plain Python numbers."""
    D = [1 / (1 + math.exp(-z)) for z in case.z_fake]
    content = sum(float(a - b) ** 2 for a, b in zip(case.fake.flat, case.high.flat, strict=True)) / 7
    expected = [sum(math.log(1 - d) for d in D) / 7, -sum(map(math.log, D)) / 7 + case.zeta * content]
    agree(generator_losses(case), np.array(expected))


def no_content(case):
    """zeta = 0."""
    return replace(case, zeta=0.0)


@slip("super-resolution-generator-loss", blind=no_content)
def content_forgotten(case):
    """Leave the distance to the true image out."""
    return generator_losses(no_content(case))


@slip("super-resolution-generator-loss")
def trained_on_true_images(case):
    """Train the generator on log D of the true images: it does not depend on the generator."""
    return generator_losses(replace(case, z_fake=case.z_true))


@slip("super-resolution-generator-loss")
def sign_of_the_adversary(case):
    """Turn the sign of both logarithms: the generator then helps the discriminator."""
    content = np.array([0, case.zeta * super_resolution.pixel_loss(case.fake, case.high)])
    return 2 * content - generator_losses(case)


def slopes(case):
    # $$ \frac{\partial L_{\mathrm{sat}}}{\partial z_{\mathcal G,i}} = -\frac1N\,\sigma(z_{\mathcal G,i}), \qquad
    #    \frac{\partial L_{\mathcal G}}{\partial z_{\mathcal G,i}}
    #    = -\frac1N \bigl(1 - \sigma(z_{\mathcal G,i})\bigr) $$
    return np.array([super_resolution.d_generator_loss(case.z_fake, saturating=k) for k in (True, False)])


@claim("super-resolution-slopes", cases=logits)
def slopes_by_complex_step(case, slopes=slopes):
    """Derivative of the two means by each logit, by a complex step."""
    saturating = complex_step(lambda z: np.log(1 - sigmoid(z)).sum() / 7, case.z_fake)
    other = complex_step(lambda z: -np.log(sigmoid(z)).sum() / 7, case.z_fake)
    agree(slopes(case), np.array([saturating, other]))


@claim("super-resolution-slopes")
def slopes_in_symbols():
    """One image: the two derivatives, proved for every logit."""
    import sympy

    z = sympy.Symbol("z", real=True)
    D = 1 / (1 + sympy.exp(-z))
    same(sympy.log(1 - D).diff(z), -D)
    same((-sympy.log(D)).diff(z), -(1 - D))


def undecided(case):
    """All logits are 0: the discriminator says one half."""
    return replace(case, z_fake=0 * case.z_fake)


@slip("super-resolution-slopes", blind=undecided)
def slopes_exchanged(case):
    """Take one criterion's slope for the other's."""
    return slopes(case)[::-1]


@slip("super-resolution-slopes")
def slopes_of_the_discriminator(case):
    """Give the generator the discriminator's sign."""
    return -slopes(case)


def saturating_slope(case):
    return super_resolution.d_generator_loss(case.z_fake, saturating=True)


@steps("super-resolution-slopes-steps", cases=logits, ends_in=saturating_slope)
def the_logarithm_saturates(case):
    """The slope of the sigmoid cancels the denominator."""
    D = sigmoid(case.z_fake)
    # \frac{\partial L_{\mathrm{sat}}}{\partial z_{\mathcal G,i}}
    yield complex_step(lambda z: np.log(1 - sigmoid(z)).sum() / 7, case.z_fake)
    # = \frac1N\,\frac{-\sigma'(z_{\mathcal G,i})}{1 - \sigma(z_{\mathcal G,i})}
    yield -(np.exp(-case.z_fake) / (1 + np.exp(-case.z_fake)) ** 2) / (1 - D) / 7
    # = -\frac1N\,\frac{\sigma(z_{\mathcal G,i})\,(1 - \sigma(z_{\mathcal G,i}))}{1 - \sigma(z_{\mathcal G,i})}
    yield -D * (1 - D) / (1 - D) / 7
    # = -\frac1N\,\sigma(z_{\mathcal G,i})
    yield -D / 7


# --- at the optimum --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Two:
    """Two laws, or two positive masses at one image."""

    p: np.ndarray
    q: np.ndarray


def two_laws(rng):
    """Laws on six images; each leaves out one of them."""
    p, q = rng.uniform(0.5, 1.5, (2, 6)) * [[3, 1, 1, 2, 0, 1], [1, 1, 3, 0, 2, 1]]
    return Two(p / p.sum(), q / q.sum())


def two_full_laws(rng):
    """Laws on six images, all of them possible in both."""
    p, q = rng.uniform(0.5, 1.5, (2, 6)) * [[3, 1, 1, 2, 1, 1], [1, 1, 3, 1, 2, 1]]
    return Two(p / p.sum(), q / q.sum())


def two_masses():
    """The masses of one image, in symbols."""
    import sympy

    p, q = sympy.symbols("p q", positive=True)
    yield Two(np.array([p]), np.array([q]))


def equal_laws(case):
    """The generator's law is the true one."""
    return replace(case, q=case.p)


def best(case):
    # $$ \mathcal D^\star(x) = \frac{p_{\mathrm{data}}(x)}{p_{\mathrm{data}}(x) + p_{\mathcal G}(x)} $$
    return super_resolution.best_discriminator(case.p, case.q)


@claim("super-resolution-best-discriminator", cases=two_masses)
def best_in_symbols(case, best=best):
    """The derivative of p log D + q log(1 - D) vanishes there."""
    import sympy

    D = sympy.Symbol("D", positive=True)
    slope = (case.p[0] * sympy.log(D) + case.q[0] * sympy.log(1 - D)).diff(D)
    same(slope.subs(D, best(case)[0]), 0)


@claim("super-resolution-best-discriminator")
def best_at_the_ends():
    """If one of the masses is zero, the best D is 1 or 0, among multiples of a tenth; if both are, any is."""
    grid = [k / 10 for k in range(11)]
    for p, q, end in (([1.0, 0.0], [0.0, 1.0], 1.0), ([0.0, 1.0], [1.0, 0.0], 0.0)):
        D = super_resolution.best_discriminator(p, q)
        values = [super_resolution.value(p, q, [d, 1 - d]) for d in grid]
        agree(grid[int(np.argmax(values))], end, scale=1)
        agree(D[0], end, scale=1)
    agree(super_resolution.best_discriminator([1.0, 0.0], [1.0, 0.0]), np.array([0.5, 0.5]))


@claim("super-resolution-best-discriminator", cases=two_full_laws)
def best_by_complex_step(case, best=best):
    """On six images at once, by a complex step; and any other D has a smaller value."""

    def V(D):
        return (case.p * np.log(D) + case.q * np.log(1 - D)).sum()

    D = best(case)
    agree(complex_step(V, D), np.zeros(6), scale=1)
    for share in (0.2, 0.9):
        at_most(V((1 - share) * D + share / 3), V(D))


@claim("super-resolution-best-discriminator")
def concave():
    """The second derivative is negative wherever 0 < D < 1, so the zero of the first is the only maximum."""
    import z3

    # $$ \frac{\partial^2}{\partial \mathcal D^2}
    #    \bigl( p \log \mathcal D + q \log(1 - \mathcal D) \bigr)
    #    = -\frac p{\mathcal D^2} - \frac q{(1 - \mathcal D)^2} < 0 $$
    p, q, D = z3.Reals("p q D")
    proved(z3.Implies(z3.And(p >= 0, q >= 0, p + q > 0, D > 0, D < 1), -p * (1 - D) * (1 - D) - q * D * D < 0))
    import sympy

    p, q, D = sympy.symbols("p q D", positive=True)
    second = (p * sympy.log(D) + q * sympy.log(1 - D)).diff(D, 2)
    same(second, -p / D**2 - q / (1 - D) ** 2)


@slip("super-resolution-best-discriminator", blind=equal_laws)
def probability_of_fake(case):
    """Write the generator's law above: that is the probability that the image is generated."""
    return super_resolution.best_discriminator(case.q, case.p)


@slip("super-resolution-best-discriminator")
def ratio_of_the_laws(case):
    """Forget the true law below: p / q may be more than 1."""
    return case.p / case.q / 9


@slip("super-resolution-best-discriminator", blind=equal_laws)
def one_half_always(case):
    """Give one half, which is right only once the generator has won."""
    return np.array([Fraction(1, 2)]) if case.p.dtype == object else np.full(len(case.p), 0.5)


def best_value(case):
    # $$ \max_{\mathcal D} V = -\log 4 + 2 \operatorname{JSD}(p_{\mathrm{data}}, p_{\mathcal G}) $$
    return -math.log(4) + 2 * super_resolution.jensen_shannon(case.p, case.q)


@claim("super-resolution-value", cases=two_laws)
def value_at_the_best(case, best_value=best_value):
    """The value of the game at the best discriminator."""
    D = super_resolution.best_discriminator(case.p, case.q)
    agree(best_value(case), super_resolution.value(case.p, case.q, D))


@claim("super-resolution-value", cases=two_laws)
def value_by_definition(case, best_value=best_value):
    """Both terms, with 0 log 0 = 0, in plain Python numbers."""
    pairs = list(zip(case.p.tolist(), case.q.tolist(), strict=True))
    terms = [p * math.log(p / (p + q)) for p, q in pairs if p] + [q * math.log(q / (p + q)) for p, q in pairs if q]
    agree(best_value(case), math.fsum(terms))


@claim("super-resolution-value")
def equal_iff_the_laws_are():
    """For 100 pairs of laws, JSD is at least an eighth of the squared sum of |p - q|; it is 0 for p = q."""
    rng = np.random.default_rng(0)
    for p, q in rng.dirichlet(np.full(4, 0.5), (100, 2)):
        jsd = super_resolution.jensen_shannon(p, q)
        # $$ \operatorname{JSD}(p, q) \ge \tfrac18 \Bigl( \sum_x \lvert p(x) - q(x) \rvert \Bigr)^2 $$
        at_most(np.abs(p - q).sum() ** 2 / 8, jsd)
        at_most(jsd, math.log(2))
        agree(super_resolution.value(p, p, np.full(4, 0.5)), -math.log(4))
        agree(super_resolution.jensen_shannon(p, p), 0.0, scale=1)


@slip("super-resolution-value")
def minus_log_two(case):
    """Count the one half of D only once: -log 2."""
    return best_value(case) + math.log(2)


@slip("super-resolution-value")
def zero_at_the_optimum(case):
    """Say that the optimum is 0."""
    return best_value(case) + math.log(4)


@slip("super-resolution-value", blind=equal_laws)
def divergence_once(case):
    """Forget the 2 before the divergence."""
    return -math.log(4) + super_resolution.jensen_shannon(case.p, case.q)


@steps("super-resolution-value-steps", cases=two_full_laws, ends_in=best_value)
def a_two_in_each_logarithm(case):
    """Put a 2 into each logarithm, to compare with the mean of the laws."""
    p, q = case.p, case.q
    # \max_{\mathcal D} V
    yield super_resolution.value(p, q, best(case))
    # = \sum_x p \log \frac{p}{p + q} + \sum_x q \log \frac{q}{p + q}
    yield (p * np.log(p / (p + q))).sum() + (q * np.log(q / (p + q))).sum()
    # = -\log 4 + \sum_x p \log \frac{p}{(p + q) / 2} + \sum_x q \log \frac{q}{(p + q) / 2}
    yield -math.log(4) + (p * np.log(p / ((p + q) / 2))).sum() + (q * np.log(q / ((p + q) / 2))).sum()
    # = -\log 4 + 2 \operatorname{JSD}(p, q)
    yield -math.log(4) + 2 * divergence(p, q)


# --- sharp against blurred -------------------------------------------------------------------------------------------

TRUE, SHARP, BLURRED = (0.5, 0.5, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)  # laws on x_0, x_1 and their mean


def divergences():
    # $$ \operatorname{JSD}_{\mathrm{sharp}} = \frac32 \log 2 - \frac34 \log 3 \approx 0.216, \qquad
    #    \operatorname{JSD}_{\mathrm{mean}} = \log 2 \approx 0.693 $$
    return np.array([super_resolution.jensen_shannon(TRUE, law) for law in (SHARP, BLURRED)])


@claim("super-resolution-sharp")
def sharp_in_closed_form(divergences=divergences):
    """The two numbers."""
    agree(divergences(), np.array([1.5 * math.log(2) - 0.75 * math.log(3), math.log(2)]))
    agree(divergences(), np.array([0.215762, 0.693147]), tolerance=1e-6)


@claim("super-resolution-sharp")
def sharp_by_definition(divergences=divergences):
    """Both divergences written out; and the squared errors are in the opposite order."""
    agree(divergences(), np.array([divergence(TRUE, SHARP), divergence(TRUE, BLURRED)]))
    # $$ \mathbb E (x - x_1)^2 = \tfrac12 (x_1 - x_0)^2 > \mathbb E (x - y^\star)^2 = \tfrac14 (x_1 - x_0)^2 $$
    x = np.array([Fraction(3), Fraction(8)])
    mean = super_resolution.best_l2(x, np.array([Fraction(1, 2)] * 2))
    same([sum((x - y) ** 2) / 2 / (x[1] - x[0]) ** 2 for y in (x[1], mean)], [Fraction(1, 2), Fraction(1, 4)])


@slip("super-resolution-sharp")
def mean_looks_true():
    """Say that the mean of the true images fools the discriminator."""
    return np.array([divergences()[0], 0.0])


@slip("super-resolution-sharp")
def in_bits():
    """Take logarithms in base 2."""
    return divergences() / math.log(2)


def threshold():
    # $$ \zeta^\star = 8 \bigl( \log 2 - \operatorname{JSD}_{\mathrm{sharp}} \bigr)
    #    = 6 \log 3 - 4 \log 2 \approx 3.819 $$
    jsd = super_resolution.jensen_shannon
    return 8 * (jsd(TRUE, BLURRED) - jsd(TRUE, SHARP))


@claim("super-resolution-tradeoff")
def threshold_in_closed_form(threshold=threshold):
    """The other form, and the number."""
    agree(threshold(), 6 * math.log(3) - 4 * math.log(2))
    agree(threshold(), 3.8191, tolerance=1e-5)


@claim("super-resolution-tradeoff")
def best_output_on_a_grid(threshold=threshold):
    """All outputs that are multiples of 1 / 16: just below the threshold the best are 0 and 1; just above, 1 / 2."""
    grid = np.arange(17) / 16
    jsd = np.array([divergence(TRUE, SHARP if y in (0, 1) else BLURRED) for y in grid])
    square = ((grid[:, None] - [0, 1]) ** 2).mean(1)
    for factor, expected in ((0.999, [0, 1]), (1.001, [0.5])):
        cost = 2 * jsd + factor * threshold() * square
        best = grid[cost < cost.min() + 1e-9]
        agree(best, np.array(expected))


@slip("super-resolution-tradeoff")
def divergence_counted_once():
    """Forget the 2 before the divergence; or give the mean a squared error of 0, which comes to the same number."""
    return threshold() / 2


def lost_by_a_draw(case):
    # $$ \mathbb E (x - y)^2 = 2 \operatorname{Var}(x) $$
    return 2 * mean_and_variance(case)[1]


def repeated_draws(case):
    return [(p * q, x, y) for (x, p), (y, q) in itertools.product(zip(case.x, case.p, strict=True), repeat=2)]


@claim("super-resolution-draw", cases=two_values)
def draw_in_symbols(case, lost_by_a_draw=lost_by_a_draw):
    """All pairs of a true value and a drawn one, with the products of their probabilities."""
    same(lost_by_a_draw(case), sum(m * (x - y) ** 2 for m, x, y in repeated_draws(case)))


@claim("super-resolution-draw", cases=law)
def draw_of_four_values(case, lost_by_a_draw=lost_by_a_draw):
    """The same for four values, in numbers; the law of what is drawn is the true one, so JSD is 0."""
    agree(lost_by_a_draw(case), sum(m * (x - y) ** 2 for m, x, y in repeated_draws(case)))
    agree(super_resolution.jensen_shannon(case.p, case.p), 0.0, scale=1)


@slip("super-resolution-draw")
def draw_costs_as_the_mean(case):
    """Say that a draw is as close to the truth as the mean."""
    return mean_and_variance(case)[1]


# --- from two dimensions to three ------------------------------------------------------------------------------------


def depths():
    """Silhouettes of 2 x 2 pixels, depths 2 and 3."""
    yield 2
    yield 3


def volumes(depth):
    return np.array(list(itertools.product((0, 1), repeat=4 * depth))).reshape(-1, depth, 2, 2)


def shadows(case):
    return volumes(case).max(axis=1)


@claim("super-resolution-silhouette", cases=depths)
def largest_along_the_depth(case, shadows=shadows):
    """By its definition: 1 where a cell along the depth is full, for all volumes, one pixel at a time."""
    full = [[[int(1 in v[:, i, j].tolist()) for j in (0, 1)] for i in (0, 1)] for v in volumes(case)]
    same(shadows(case), np.array(full))


@slip("super-resolution-silhouette")
def shadow_of_the_front(case):
    """Keep the first slice only."""
    return volumes(case)[:, 0]


SHAPES = np.array(list(itertools.product((0, 1), repeat=4))).reshape(-1, 2, 2)


def preimages(case):
    # $$ (2^{n_{\mathrm d}} - 1)^{n_{\mathrm{on}}} $$
    return (2**case - 1) ** SHAPES.sum((1, 2))


@claim("super-resolution-silhouettes", cases=depths)
def all_volumes_counted(case, preimages=preimages):
    """Make every volume of 0 and 1, and count those that throw each silhouette."""
    shadow = volumes(case).max(1)
    same(preimages(case), np.array([int((shadow == shape).all((1, 2)).sum()) for shape in SHAPES]))


@slip("super-resolution-silhouettes")
def empty_columns_allowed(case):
    """Let every cell behind a pixel of the silhouette be free: that counts columns with nothing in them."""
    return np.array([2 ** (case * int(shape.sum())) for shape in SHAPES])


@slip("super-resolution-silhouettes")
def all_cells_free(case):
    """Count all volumes, whatever the silhouette."""
    return np.array([2 ** (4 * case)] * len(SHAPES))


def boxes():
    """Depth, height, width."""
    yield 2, 1, 3
    yield 3, 2, 2
    yield 1, 2, 3


def depth_sums(case):
    # $$ \dim \ker = n_{\mathrm h} n_{\mathrm w}\,(n_{\mathrm d} - 1) $$
    depth, height, width = case
    sums = basis(case).sum(axis=1)
    full = np.arange(2, 2 + math.prod(case)).reshape(1, *case) ** 2
    return sums.reshape(len(sums), -1).T, height * width * (depth - 1), full.sum(axis=1)


@claim("super-resolution-depth-sum", cases=boxes)
def rank_of_the_sum(case, depth_sums=depth_sums):
    """The matrix of the sums written down by hand, and its kernel, by SymPy; and the sums of one volume of squares."""
    import sympy

    depth, height, width = case
    A = np.tile(np.eye(height * width, dtype=int), (1, depth))
    matrix, nullity, full = depth_sums(case)
    agree(full.ravel(), A @ np.arange(2.0, 2 + math.prod(case)) ** 2)
    same(matrix, A)
    same(nullity, len(sympy.Matrix(A.tolist()).nullspace()))


@slip("super-resolution-depth-sum")
def every_cell_forgotten(case):
    """Forget that the sum keeps one number for each pixel."""
    return depth_sums(case)[0], math.prod(case), depth_sums(case)[2]


def seen_flat_and_whole(case):
    # $$ \operatorname{JSD}(\text{silhouettes}) = 0, \qquad \operatorname{JSD}(\text{volumes}) = \log 2 $$
    every_volume = volumes(case)
    front, back = (every_volume[:, k].all((1, 2)) & (every_volume.sum((1, 2, 3)) == 4) for k in (0, -1))
    laws, shadow = [front / front.sum(), back / back.sum()], every_volume.max(axis=1)
    place = shadow.reshape(len(shadow), 4) @ [8, 4, 2, 1]
    flat = [np.bincount(place, law, minlength=16) for law in laws]
    return np.array([super_resolution.jensen_shannon(*flat), super_resolution.jensen_shannon(*laws)])


@claim("super-resolution-flat-discriminator", cases=depths)
def front_against_back(case, seen=seen_flat_and_whole):
    """True: a wall in front. Generated: the same wall at the back. One silhouette, two volumes."""
    agree(seen(case), np.array([0.0, divergence([1, 0], [0, 1])]))


@slip("super-resolution-flat-discriminator")
def flat_images_suffice(case):
    """Say that true silhouettes make true volumes."""
    return np.array([0.0, 0.0])


# --- in the machine --------------------------------------------------------------------------------------------------


@claim("super-resolution-extremes")
def far_logits():
    """Logits of a thousand, and of the largest number, give their true losses: no overflow, no NaN."""
    far = np.array([1e3, -1e3])
    agree(super_resolution.discriminator_loss(far, far), 1000.0)
    agree(super_resolution.generator_loss(far), 500.0)
    agree(super_resolution.generator_loss(far, saturating=np.True_), -500.0)
    agree(super_resolution.d_generator_loss(far), np.array([0, -0.5]))
    top = np.finfo(float).max
    agree(super_resolution.generator_loss([-top, -top]), top)
    agree(super_resolution.conditional_mean([0.0, 0.0], [top, top]), np.array([top, top]))
    agree(super_resolution.jensen_shannon([1.0, 0.0], [1 - 1e-300, 1e-300]), 0.0, scale=1)
    pixels = np.array([[[[200]]]], np.uint8)  # 200 - 220 would wrap around
    agree(super_resolution.pixel_loss(pixels, pixels + 20), 400.0)
    halves = np.array([Fraction(1, 2)] * 2)
    agree(super_resolution.jensen_shannon(halves, halves[::-1]), 0.0, scale=1)
    nearly = np.array([0.1, 0.2, 0.7])  # two laws that differ by rounding have no divergence below 0
    laws = [
        nearly * (1 + k * 2e-16 * np.array([a, b, c])) for k, a, b, c in itertools.product((1, 2), *[(-1, 0, 1)] * 3)
    ]
    every(laws, lambda law: bool(super_resolution.jensen_shannon(nearly, law) >= 0))
    same(bool(super_resolution.value([1.0, 0.0], [0.0, 1.0], [0.0, 0.5]) == -np.inf), True)
    same(bool(super_resolution.pixel_loss([[[[1e200]]]], [[[[0.0]]]]) == np.inf), True)
    with np.errstate(over="ignore"):  # each loss is the largest number, their sum none
        same(bool(super_resolution.discriminator_loss([-top], [top]) == np.inf), True)
    two = np.full((2, 1, 1, 1), 1e154)  # the sum of the two squares overflows, their mean does not
    agree(super_resolution.pixel_loss(two, 0 * two), 1e154**2)
    same(super_resolution.overlap(np.uint8(200), np.uint8(3), np.uint8(2)), super_resolution.overlap(200, 3, 2))


@claim("super-resolution-bad-input")
def refused_by_name():
    """Wrong shapes, dtypes, ranges, ragged lists, NaN."""
    import sympy

    s, square = super_resolution, np.ones((1, 1, 2, 2))
    ragged = [[0.5, 0.5], [1.0]]
    calls = [
        ("high", lambda: s.downsample(np.ones((1, 1, 3, 2)))),
        ("high", lambda: s.downsample(np.ones((2, 2)))),
        ("high", lambda: s.downsample([[[[1.0, 2.0], [3.0]]]])),
        ("high", lambda: s.downsample(square * np.nan)),
        ("high", lambda: s.downsample((square * np.nan).astype(object))),
        ("values", lambda: s.best_l2(np.array([Fraction(1), np.inf], object), [0.5, 0.5])),
        ("p", lambda: s.best_l2([0.0, 1.0], [np.inf, 0.0])),
        ("values", lambda: s.best_l2([True, False], [0.5, 0.5])),
        ("z", lambda: s.pixel_shuffle(np.array([[[[True]], [[0.5]], [[0.5]], [[0.5]]]], object))),
        ("discriminator", lambda: s.value([0.5, 0.5], [0.5, 0.5], [0.5])),
        ("discriminator", lambda: s.value([0.5, 0.5], [0.5, 0.5], [0.5, -0.5])),
        ("fake", lambda: s.pixel_loss(np.ones((1, 1, 2, 1)), square)),
        ("high", lambda: s.d_pixel_loss(square, [["a"]])),
        ("low", lambda: s.bilinear(np.ones((1, 2, 2)))),
        ("low", lambda: s.bilinear(square * 1j)),
        ("z", lambda: s.pixel_shuffle(square)),
        ("dy", lambda: s.pixel_unshuffle(np.ones((1, 1, 2, 3)))),
        ("n", lambda: s.overlap(0, 3, 2)),
        ("k", lambda: s.overlap(5, 3.0, 2)),
        ("stride", lambda: s.overlap(5, 3, True)),
        ("p", lambda: s.best_l2([0.0, 1.0], [0.5, 0.6])),
        ("p", lambda: s.best_l2([0.0, 1.0], [0.5, 0.500001])),
        ("p", lambda: s.best_l2([0.0, 1.0], [1.0])),
        ("p", lambda: s.best_l1([0.0, 1.0], [1.5, -0.5])),
        ("values", lambda: s.best_l1([None, 1.0], [0.5, 0.5])),
        ("values", lambda: s.best_l2(ragged, [0.5, 0.5])),
        ("high", lambda: s.conditional_mean([1.0, 2.0], [1.0])),
        ("high", lambda: s.conditional_mean(1.0, [1.0])),
        ("high", lambda: s.conditional_mean([1.0], 1.0)),
        ("values", lambda: s.best_l2([sympy.I, 1], [0.5, 0.5])),
        ("values", lambda: s.best_l2([sympy.oo, 1], [0.5, 0.5])),
        ("low", lambda: s.conditional_mean([], [])),
        ("z_true", lambda: s.discriminator_loss([], [0.0])),
        ("z_fake", lambda: s.d_discriminator_loss([0.0], ["a"])),
        ("z_fake", lambda: s.generator_loss(ragged)),
        ("saturating", lambda: s.d_generator_loss([0.0], saturating=1)),
        ("p_data", lambda: s.value([0.5, 0.6], [0.5, 0.5], [0.5, 0.5])),
        ("discriminator", lambda: s.value([0.5, 0.5], [0.5, 0.5], [0.5, 1.5])),
        ("p_generator", lambda: s.best_discriminator([1.0], [-1.0])),
        ("p_data", lambda: s.jensen_shannon([1.0], [0.5, 0.5])),
    ]
    for name, call in calls:
        refuses(call, naming=name)


@claim("super-resolution-pure")
def inputs_unchanged():
    """Every function, on arrays that refuse to be written to; twice the same bits."""
    rng = np.random.default_rng(0)
    case, batch, net = images(rng), pairs(rng), logits(rng)
    law = np.array([0.25, 0.75])
    for array in (case.high, case.fake, case.z, batch.low, batch.high, net.z_true, net.z_fake, law):
        array.flags.writeable = False
    s = super_resolution
    calls = [
        lambda: s.downsample(case.high),
        lambda: s.pixel_loss(case.fake, case.high),
        lambda: s.d_pixel_loss(case.fake, case.high),
        lambda: s.bilinear(case.high),
        lambda: s.pixel_shuffle(case.z),
        lambda: s.pixel_unshuffle(case.fake),
        lambda: s.best_l2(law, law),
        lambda: s.best_l1(law, law),
        lambda: s.conditional_mean(batch.low, batch.high),
        lambda: s.discriminator_loss(net.z_true, net.z_fake),
        lambda: np.concatenate(s.d_discriminator_loss(net.z_true, net.z_fake)),
        lambda: s.generator_loss(net.z_fake),
        lambda: s.d_generator_loss(net.z_fake),
        lambda: s.value(law, law[::-1], law),
        lambda: s.best_discriminator(law, law[::-1]),
        lambda: s.jensen_shannon(law, law[::-1]),
        lambda: s.overlap(5, 3, 2),
    ]
    every(calls, lambda call: np.asarray(call()).tobytes() == np.asarray(call()).tobytes())
