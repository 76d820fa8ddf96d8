"""Convolutions: the layer, its sizes, its matrix, its transpose, its gradients, and pooling."""

import itertools
import warnings
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dlnotes import convolution
from dlnotes.check import (
    agree,
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

# --- cases ------------------------------------------------------------------------------------------------------------


def both(value):
    """An option as a pair."""
    return value if isinstance(value, tuple) else (value, value)


@dataclass(frozen=True)
class Layer:
    """Images, a kernel, a bias and options, all in whole numbers; no two axes have one size."""

    x: np.ndarray
    w: np.ndarray
    b: np.ndarray
    stride: object = 1
    padding: object = 0
    dilation: object = 1
    groups: int = 1

    @property
    def options(self):
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    @property
    def one_group(self):
        return {name: value for name, value in self.options.items() if name != "groups"}

    def forward(self, x=None, w=None, b=None):
        return convolution.conv2d(*(own if a is None else a for own, a in self.pairs(x, w, b)), **self.options)

    def pairs(self, *others):
        return zip((self.x, self.w, self.b), others, strict=True)

    @property
    def dy(self):
        """A gradient by the output: whole numbers without pattern."""
        shape = self.forward().shape
        return np.random.default_rng(shape[-1]).integers(-4, 5, shape)


SETTINGS = [
    dict(zip(("stride", "padding", "dilation", "groups"), values, strict=True))
    for values in itertools.product((1, 2, (2, 3)), (0, 1, (1, 2)), (1, 2, (2, 1)), (1, 2))
]


def drawn(rng, options):
    """Whole numbers from -4 to 4, for these options. The kernels are 2 x 3 and 3 x 2 in turn."""
    kernel = (2, 3) if rng.integers(2) else (3, 2)
    x, b = rng.integers(-4, 5, (2, 4, 7, 5)), rng.integers(1, 5, 6)
    return Layer(x, rng.integers(-4, 5, (6, 4 // options["groups"], *kernel)), b, **options)


def layer(rng):
    """One layer, its options drawn."""
    return drawn(rng, SETTINGS[rng.integers(len(SETTINGS))])


def layer_of_one_group(rng):
    """One layer of three filters without groups, its other options drawn."""
    case = drawn(rng, SETTINGS[2 * rng.integers(len(SETTINGS) // 2)])
    return replace(case, w=case.w[:3], b=case.b[:3])


def grid():
    """Every combination of three strides, paddings and dilations, with one group and with two."""
    rng = np.random.default_rng(7)
    return [drawn(rng, options) for options in SETTINGS]


def turned(w):
    """The kernel turned by half a turn: both axes reversed."""
    return w[..., ::-1, ::-1]


def half_turn_symmetric(case):
    """A kernel that a half turn leaves as it is."""
    return replace(case, w=case.w + turned(case.w))


def tensors(case, *arrays):
    """The arrays as float64 tensors; their whole numbers stay exact."""
    torch = need("torch")
    torch.set_num_threads(1)  # small arrays
    return [torch.tensor(np.asarray(a, dtype=float), requires_grad=True) for a in arrays]


def whole(tensor):
    """The whole numbers in a tensor."""
    values = tensor.detach().numpy()
    assert (values == np.rint(values)).all()
    return values.astype(int)


def torch_forward(case, x=None, w=None, b=None):
    own = tensors(case, *(a if other is None else other for a, other in case.pairs(x, w, b)))
    return need("torch").nn.functional.conv2d(*own, **case.options), own


def multiplied_out(case):
    """The sum of the definition, one number at a time."""
    (s, t), (p, q), (d, e) = map(both, (case.stride, case.padding, case.dilation))
    N, _, H, W = case.x.shape
    F, C, k, l = case.w.shape
    out = ((H + 2 * p - d * (k - 1) - 1) // s + 1, (W + 2 * q - e * (l - 1) - 1) // t + 1)
    y = np.zeros((N, F, *out), int)
    x, w = case.x.tolist(), case.w.tolist()
    for n, f, i, j in np.ndindex(y.shape):
        first = f // (F // case.groups) * C
        total = int(case.b[f])
        for c, a, m in itertools.product(range(C), range(k), range(l)):
            row, column = s * i + d * a - p, t * j + e * m - q
            if 0 <= row < H and 0 <= column < W:
                total += w[f][c][a][m] * x[n][first + c][row][column]
        y[n, f, i, j] = total
    return y


# --- the layer --------------------------------------------------------------------------------------------------------


def y(case):
    # $$ y_{f,i} = b_f + \sum_{c} \sum_{j} W_{f,c,j}\;
    #    x_{c,\ \text{stride}\,i + \text{dilation}\,j - \text{padding}} $$
    return convolution.conv2d(case.x, case.w, case.b, **case.options)


@claim("convolution-layer", cases=layer)
def by_definition(case, y=y):
    """The sum, one number at a time, in whole numbers; outside of the image x is 0."""
    same(y(case), multiplied_out(case))


@claim("convolution-layer", cases=grid)
def layer_by_torch(case, y=y):
    """PyTorch's conv2d, on a grid of strides, paddings, dilations and groups."""
    same(y(case), whole(torch_forward(case)[0]))


@slip("convolution-layer", blind=half_turn_symmetric)
def kernel_turned_over(case):
    """Turn the kernel over, as the convolution of signal processing does."""
    return case.forward(w=turned(case.w))


@slip("convolution-layer")
def channels_not_summed(case):
    """Give each filter one channel only, without the sum over c: that is a depthwise layer."""
    kept = np.zeros_like(case.w)
    kept[:, 0] = case.w[:, 0]
    return case.forward(w=kept)


def no_bias(case):
    """b = 0."""
    return replace(case, b=0 * case.b)


@slip("convolution-layer", blind=no_bias)
def bias_forgotten(case):
    """Leave the bias out."""
    return case.forward(b=0 * case.b)


# --- sizes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """Many settings of one axis: input size, kernel size, stride, padding, dilation."""

    settings: tuple

    def each(self, f):
        return np.array([f(*setting) for setting in self.settings])


def positions(n, k, stride, padding, dilation):
    """Count the places of the kernel, one by one, inside the padded input."""
    return sum(stride * i + dilation * (k - 1) <= n + 2 * padding - 1 for i in range(n + 2 * padding))


def sizes():
    """Every input size to 8, kernel size to 4, stride to 3, padding to 2 and dilation to 3, if the kernel fits."""
    ranges = range(1, 9), range(1, 5), range(1, 4), range(3), range(1, 4)
    fits = [t for t in itertools.product(*ranges) if t[0] + 2 * t[3] > t[4] * (t[1] - 1)]
    yield Sizes(tuple(fits))


def n_out(case):
    # $$ n_{\mathrm{out}} = \left\lfloor
    #    \frac{n + 2\,\text{padding} - \text{dilation}\,(k - 1) - 1}{\text{stride}} \right\rfloor + 1 $$
    return case.each(lambda n, k, s, p, d: convolution.output_size(n, k, stride=s, padding=p, dilation=d))


@claim("convolution-size", cases=sizes)
def positions_counted(case, n_out=n_out):
    """Count the places of the kernel one by one."""
    note("enumeration")
    same(n_out(case), case.each(positions))


@slip("convolution-size")
def one_forgotten(case):
    """Leave out the + 1."""
    return case.each(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s)


@slip("convolution-size")
def one_forgotten_in_a_plain_layer(case):
    """Write (n - k) / s, rounded down: neither padding nor + 1."""
    return case.each(lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s)


@slip("convolution-size")
def rounded_up(case):
    """Round up: PyTorch's pools do, if asked for ceil_mode; a convolution does not."""
    return case.each(lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1)


@slip("convolution-size")
def padded_once(case):
    """Count the padding at one end only."""
    return case.each(lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1)


def dense_kernels(case):
    """Dilation 1, or a kernel of one entry."""
    return Sizes(tuple(setting for setting in case.settings if setting[4] == 1 or setting[1] == 1))


@slip("convolution-size", blind=dense_kernels)
def dilation_ignored(case):
    """Take k for the extent of the kernel, which is dilation (k - 1) + 1."""
    return case.each(lambda n, k, s, p, d: (n + 2 * p - k) // s + 1)


@steps("convolution-size-steps", cases=sizes, ends_in=n_out)
def size_steps(case):
    """The last place decides; then floor and ceiling change places."""
    # \#\{\, i \ge 0 : \text{stride}\,i + \text{dilation}\,(k - 1) \le n + 2\,\text{padding} - 1 \,\}
    yield case.each(positions)
    # = \left\lfloor \frac{n + 2\,\text{padding} - \text{dilation}\,(k - 1) - 1}{\text{stride}} \right\rfloor + 1
    yield case.each(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s + 1)
    # = \left\lceil \frac{n + 2\,\text{padding} - \text{dilation}\,(k - 1)}{\text{stride}} \right\rceil
    yield case.each(lambda n, k, s, p, d: -((d * (k - 1) - n - 2 * p) // s))


def same_size(case):
    # $$ n_{\mathrm{out}} = \left\lceil \frac{n}{\text{stride}} \right\rceil
    #    \qquad \text{for a padding of } \text{dilation}\,(k - 1) \text{ in all} $$
    return case.each(lambda n, k, s, p, d: -(-n // s))


@claim("convolution-size-same", cases=sizes)
def same_padding_counted(case, same_size=same_size):
    """Pad by dilation (k - 1) zeros in all, then by the least that TensorFlow uses, and count places."""

    def least(n, k, s, p, d):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        return positions(n + total, k, s, 0, d)

    same(same_size(case), case.each(lambda n, k, s, p, d: positions(n + d * (k - 1), k, s, 0, d)))
    same(same_size(case), case.each(least))


def unit_strides(case):
    """Stride 1."""
    return Sizes(tuple(setting for setting in case.settings if setting[2] == 1))


@slip("convolution-size-same", blind=unit_strides)
def divided_and_rounded_down(case):
    """Round n / stride down."""
    return case.each(lambda n, k, s, p, d: n // s)


@slip("convolution-size-same", blind=unit_strides)
def size_kept(case):
    """Believe that SAME keeps the size for every stride."""
    return case.each(lambda n, k, s, p, d: n)


# --- parameters -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shapes:
    """Channels, filters, a square kernel, groups, and a square image that keeps its size."""

    C: int
    F: int
    k: int
    groups: int
    n: int


def shapes():
    """The layer of the text, and two others; the first and the last without groups."""
    return [Shapes(3, 32, 3, 1, 32), Shapes(6, 4, 5, 2, 7), Shapes(32, 64, 3, 1, 11)]


def parameters(case):
    # $$ \Bigl( k^2\,\frac{C}{\text{groups}} + 1 \Bigr)\,F,
    #    \qquad (C n^2 + 1)\,F n^2 $$
    return (
        (case.k**2 * case.C // case.groups + 1) * case.F,
        (case.C * case.n**2 + 1) * case.F * case.n**2,
    )


@claim("convolution-parameters", cases=shapes)
def entries_counted(case, parameters=parameters):
    """Count the entries of a kernel and of a bias that conv2d takes, and those of a matrix between the same images."""
    x, w = np.zeros((1, case.C, case.n, case.n)), np.zeros((case.F, case.C // case.groups, case.k, case.k))
    b = np.zeros(case.F)
    y = convolution.conv2d(x, w, b, padding=case.k // 2, groups=case.groups)
    same(parameters(case), (w.size + b.size, x.size * y.size + y.size))


@claim("convolution-parameters", cases=shapes)
def entries_in_torch(case, parameters=parameters):
    """The parameters of PyTorch's Conv2d and Linear."""
    torch = need("torch")
    layers = (
        torch.nn.Conv2d(case.C, case.F, case.k, groups=case.groups, device="meta"),
        torch.nn.Linear(case.C * case.n**2, case.F * case.n**2, device="meta"),
    )
    same(parameters(case), [sum(p.numel() for p in each.parameters()) for each in layers])


def shapes_of_the_text():
    """3 channels, 32 filters of 3 x 3, images of 32 x 32."""
    return [Shapes(3, 32, 3, 1, 32)]


@claim("convolution-parameters", cases=shapes_of_the_text)
def numbers_of_the_text(case, parameters=parameters):
    """896 and 100 696 064, for the layer of the text."""
    same(parameters(case), (896, 100_696_064))


@slip("convolution-parameters")
def biases_not_counted(case):
    """Count the weights only."""
    return case.k**2 * case.C // case.groups * case.F, case.C * case.n**2 * case.F * case.n**2


@slip("convolution-parameters")
def one_kernel_for_all_channels(case):
    """Forget that a filter has a kernel for each channel."""
    return (case.k**2 + 1) * case.F, (case.n**2 + 1) * case.F * case.n**2


# --- equivariance -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Torus:
    """An image whose opposite borders touch, a square kernel, a stride that divides the image's size, and a move."""

    x: np.ndarray
    w: np.ndarray
    stride: int
    move: int

    def layer(self, x):
        """Pad by the image itself, all round, then convolve."""
        k = self.w.shape[-1]
        around = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)), mode="wrap")
        return convolution.conv2d(around, self.w, stride=self.stride)

    def moved(self, image, by):
        return np.roll(image, by, axis=-1)


def torus(rng):
    """An image of 6 x 8, a 3 x 3 kernel, stride 2, a move by one output."""
    return Torus(rng.integers(-4, 5, (2, 3, 6, 8)), rng.integers(-4, 5, (5, 3, 3, 3)), 2, 1)


def moved_output(case):
    # $$ y(\mathcal T^{\,\text{stride}}\,x) = \mathcal T\,y(x) $$
    return case.moved(case.layer(case.x), case.move)


@claim("convolution-equivariance", cases=torus)
def image_moved(case, moved_output=moved_output):
    """Move the image, then convolve; circular padding, whole numbers."""
    same(moved_output(case), case.layer(case.moved(case.x, case.stride * case.move)))


@claim("convolution-equivariance", cases=torus)
def image_moved_in_torch(case, moved_output=moved_output):
    """The same through PyTorch's circular padding."""
    functional = need("torch").nn.functional
    x, w = tensors(case, case.moved(case.x, case.stride * case.move), case.w)
    around = functional.pad(x, (1, 1, 1, 1), mode="circular")
    same(moved_output(case), whole(functional.conv2d(around, w, stride=case.stride)))


@claim("convolution-equivariance")
def kernels_strides_and_dilations():
    """Kernels of 1 to 4, dilations 1 and 2, strides 1 to 3, the padding at one end or at both, on an axis of 12."""
    x, rng = np.arange(12) ** 2 % 7, np.random.default_rng(5)
    for k, dilation, stride in itertools.product((1, 2, 3, 4), (1, 2), (1, 2, 3)):
        extent = dilation * (k - 1)
        for before in {0, extent // 2, extent}:
            w = rng.integers(-4, 5, (1, 1, 1, k))
            around = (np.pad(image, (before, extent - before), mode="wrap") for image in (x, np.roll(x, stride)))
            options = {"stride": (1, stride), "dilation": (1, dilation)}
            y, moved = (convolution.conv2d(image[None, None, None], w, **options) for image in around)
            same(np.roll(y, 1, axis=-1), moved)


@slip("convolution-equivariance")
def invariant(case):
    """Say invariant for equivariant: the output would not move."""
    return case.layer(case.x)


def unit_stride(case):
    """Stride 1."""
    return replace(case, stride=1)


@slip("convolution-equivariance", blind=unit_stride)
def moved_by_as_many_pixels(case):
    """Move the output by as many pixels as the input."""
    return case.moved(case.layer(case.x), case.stride * case.move)


@claim("convolution-equivariance-border", cases=torus)
def zeros_enter(case):
    """Move an image right by one pixel, zeros entering: all columns but the first and the last move along."""
    w, x = case.w, case.x
    right = np.concatenate([np.zeros_like(x[..., :1]), x[..., :-1]], axis=-1)
    before, after = (convolution.conv2d(image, w, padding=1) for image in (x, right))
    same(after[..., 1:-1], before[..., :-2])
    differ(after[..., -1], before[..., -2])
    shorter = np.concatenate([x[..., :-1], np.zeros_like(x[..., :1])], axis=-1)  # a zero for the pixel that left
    same(after[..., -1], convolution.conv2d(shorter, w, padding=1)[..., -2])


@claim("convolution-equivariance-border")
def border_of_a_constant():
    """A constant image: the sum of the kernel inside, and less of it along the border."""
    y = convolution.conv2d(np.ones((1, 1, 8, 8), int), np.ones((1, 1, 3, 3), int), padding=1)[0, 0]
    same(y[0, :3], [4, 6, 6])
    same(y[1, :3], [6, 9, 9])


def mean_of_output(case):
    # $$ \frac{1}{n_{\mathrm h} n_{\mathrm w}} \sum_i y_{f,i}(\mathcal T x)
    #    = \frac{1}{n_{\mathrm h} n_{\mathrm w}} \sum_i y_{f,i}(x) $$
    return convolution.avg_pool2d(case.layer(case.x), (6, 8))


def torus_of_stride_1(rng):
    """The same, stride 1."""
    return unit_stride(torus(rng))


@claim("convolution-invariance", cases=torus_of_stride_1)
def mean_of_moved(case, mean_of_output=mean_of_output):
    """Global average pooling after the layer; the image moved by three pixels."""
    agree(mean_of_output(case), convolution.avg_pool2d(case.layer(case.moved(case.x, 3)), (6, 8)))


@slip("convolution-invariance")
def mean_without_moving(case):
    """Average the positions with weights that depend on the position, as a flattened layer would."""
    y = case.layer(case.x)
    return (y * np.arange(y.shape[-1])).mean((2, 3), keepdims=True)


# --- the true convolution ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A signal, a kernel, and a second kernel, in whole numbers."""

    x: np.ndarray
    W: np.ndarray
    W2: np.ndarray

    def correlation(self, x, W, padding):
        """What a layer computes, on one row."""
        y = convolution.conv2d(x[None, None, None], W[None, None, None], padding=(0, padding))
        return y[0, 0, 0]


def line(rng):
    """A signal of 7, kernels of 4 and 3. The kernels differ from their mirror images."""
    return Line(rng.integers(1, 9, 7), np.array([1, -2, 3, 5]) * rng.integers(1, 4), np.array([2, 0, -1]))


def mirrored(case):
    """A signal and a kernel that are their own mirror images."""
    return replace(case, x=case.x + case.x[::-1], W=case.W + case.W[::-1])


def full(case):
    # $$ (x * W)_i = \sum_j W_j\,x_{i - j}, \qquad \operatorname{corr}(x, W)_i = \sum_j W_j\,x_{i + j} $$
    return convolution.convolve(case.x, case.W, "full")


@claim("convolution-flip", cases=line)
def layer_with_the_kernel_turned(case, full=full):
    """A layer with the kernel turned over, padded by k - 1; and NumPy's convolve."""
    same(full(case), case.correlation(case.x, case.W[::-1], len(case.W) - 1))
    same(full(case), np.convolve(case.x, case.W))


@claim("convolution-flip", cases=line)
def sum_of_the_definition(case, full=full):
    """The sum, with x = 0 outside, entry by entry; and what np.correlate makes of the kernel as it is."""
    n, k = len(case.x), len(case.W)
    same(full(case), [sum(case.W[j] * case.x[i - j] for j in range(k) if 0 <= i - j < n) for i in range(n + k - 1)])
    same(case.correlation(case.x, case.W, k - 1), np.correlate(case.x, case.W, "full"))


@slip("convolution-flip", blind=mirrored)
def identical(case):
    """Say that the two are the same operation."""
    return case.correlation(case.x, case.W, len(case.W) - 1)


@dataclass(frozen=True)
class Plane:
    """An image and a square kernel."""

    x: np.ndarray
    W: np.ndarray

    def full(self, W):
        return convolution.conv2d(self.x[None, None], W[None, None], padding=len(W) - 1)[0, 0]


def plane(rng):
    """An image of 5 x 6 and a kernel of 3 x 3."""
    return Plane(rng.integers(1, 9, (5, 6)), rng.permutation(9).reshape(3, 3))


def symmetric_about_the_other_diagonal(case):
    """A kernel whose transpose is its half turn."""
    return replace(case, W=case.W + case.W.T[::-1, ::-1])


def by_turning(case):
    # $$ (x * W)_i = \sum_j W_j\,x_{i - j} = \sum_j W_{(k - 1, k - 1) - j}\; x_{i + j - (k - 1, k - 1)} $$
    return case.full(case.W[::-1, ::-1])


@claim("convolution-half-turn", cases=plane)
def plane_by_definition(case, by_turning=by_turning):
    """The sum over j in two dimensions, entry by entry."""
    y = np.zeros((7, 8), int)
    for i, j in itertools.product(np.ndindex(y.shape), np.ndindex(case.W.shape)):
        row, column = i[0] - j[0], i[1] - j[1]
        if 0 <= row < 5 and 0 <= column < 6:
            y[i] += case.W[j] * case.x[row, column]
    same(by_turning(case), y)


@slip("convolution-half-turn", blind=symmetric_about_the_other_diagonal)
def transposed_kernel(case):
    """Transpose the kernel instead of turning it."""
    return case.full(case.W.T)


@slip("convolution-half-turn")
def one_axis_reversed(case):
    """Reverse the rows only: that is a mirror image, not a half turn."""
    return case.full(case.W[::-1])


def exchanged(case):
    # $$ x * W = W * x, \qquad \operatorname{corr}(W, x)_i = \operatorname{corr}(x, W)_{-i} $$
    return case.correlation(case.W, case.x, len(case.x) - 1)


@claim("convolution-commutes", cases=line)
def read_backwards(case, exchanged=exchanged):
    """Exchange signal and kernel: in whole numbers. Also three factors, bracketed both ways."""
    same(exchanged(case), case.correlation(case.x, case.W, len(case.W) - 1)[::-1])
    same(convolution.convolve(case.W, case.x, "full"), convolution.convolve(case.x, case.W, "full"))
    left = convolution.convolve(convolution.convolve(case.x, case.W, "full"), case.W2, "full")
    same(left, convolution.convolve(case.x, convolution.convolve(case.W, case.W2, "full"), "full"))


@slip("convolution-commutes", blind=mirrored)
def layer_commutes(case):
    """Say that the operation of a layer commutes."""
    return case.correlation(case.x, case.W, len(case.W) - 1)


@claim("convolution-symmetric-kernel")
def every_small_kernel():
    """All kernels of three entries from -1 to 1, on all signals with one entry 1: equal exactly if symmetric."""
    kernels = [np.array(kernel) for kernel in itertools.product((-1, 0, 1), repeat=3)]

    def holds(W):
        pairs = [(np.correlate(e, W, "full"), convolution.convolve(e, W, "full")) for e in np.eye(4, dtype=int)]
        return all((a == b).all() for a, b in pairs) == (W.tolist() == W.tolist()[::-1])

    every(kernels, holds)


@claim("convolution-symmetric-kernel", cases=line)
def places_of_the_two(case):
    """Both sums of the text, x = 0 outside: for a symmetric kernel, corr at i is x * W at i + k - 1."""
    x, W = dict(enumerate(case.x.tolist())), (case.W + case.W[::-1]).tolist()
    k = len(W)
    for i in range(-k - 2, len(x) + 2):
        corr = sum(W[j] * x.get(i + j, 0) for j in range(k))
        same(corr, sum(W[j] * x.get(i + k - 1 - j, 0) for j in range(k)))


# --- full, valid, same ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Modes:
    """A signal and a kernel that is not longer."""

    x: np.ndarray
    W: np.ndarray


def lines():
    """Every n from 2 to 8 and every k from 2 to n."""
    rng = np.random.default_rng(3)
    return [Modes(rng.integers(1, 9, n), rng.integers(1, 9, k)) for n in range(2, 9) for k in range(2, n + 1)]


def three_modes(case):
    # $$ n + k - 1 \ \text{(full)}, \qquad n - k + 1 \ \text{(valid)}, \qquad n \ \text{(same)} $$
    return tuple(convolution.convolve(case.x, case.W, mode) for mode in ("full", "valid", "same"))


def cut(y, first, size):
    return y[first : first + size]


@claim("convolution-modes", cases=lines)
def modes_of_numpy(case, three_modes=three_modes):
    """NumPy's three modes, and their sizes."""
    n, k = len(case.x), len(case.W)
    for y, mode, size in zip(three_modes(case), ("full", "valid", "same"), (n + k - 1, n - k + 1, n), strict=True):
        same(y, np.convolve(case.x, case.W, mode))
        same(len(y), size)


@claim("convolution-modes", cases=lines)
def modes_as_layers(case, three_modes=three_modes):
    """A layer with the kernel turned over, padded by k - 1, by 0, and by k - 1 shared between the ends."""
    n, k = len(case.x), len(case.W)
    for y, before, after in zip(three_modes(case), (k - 1, 0, k // 2), (k - 1, 0, (k - 1) // 2), strict=True):
        padded = np.pad(case.x, (before, after))
        same(y, [sum(case.W[::-1] * padded[i : i + k]) for i in range(n + before + after - k + 1)])


@slip("convolution-modes")
def one_too_few(case):
    """Take n + k - 2 and n - k + 2 for the sizes, and the first n values of full for same."""
    y = np.convolve(case.x, case.W)
    return y[:-1], cut(y, len(case.W) - 2, len(case.x) - len(case.W) + 2), y[: len(case.x)]


def even_kernels(rng):
    """A signal of 9, a kernel of 2, 4 or 6."""
    return Modes(rng.integers(1, 9, 9), rng.integers(1, 9, 2 * rng.integers(1, 4)))


def odd_kernel(case):
    """One entry less."""
    return replace(case, W=case.W[:-1])


def two_readings(case):
    # $$ \text{full}_{\,i + \lfloor (k - 1) / 2 \rfloor} \ \text{(NumPy)},
    #    \qquad \text{full}_{\,i + \lceil (k - 1) / 2 \rceil} \ \text{(PyTorch)}, \qquad 0 \le i < n $$
    y, n, k = np.convolve(case.x, case.W), len(case.x), len(case.W)
    return cut(y, (k - 1) // 2, n), cut(y, k // 2, n)


@claim("convolution-same-even", cases=even_kernels)
def same_in_two_libraries(case, two_readings=two_readings):
    """np.convolve, and PyTorch's conv1d with padding "same" and the kernel turned over."""
    functional = need("torch").nn.functional
    x, W = tensors(case, case.x[None, None], case.W[::-1][None, None])
    numpy, other = two_readings(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it copies the input
        same(other, whole(functional.conv1d(x, W, padding="same"))[0, 0])
    same(numpy, np.convolve(case.x, case.W, "same"))


@slip("convolution-same-even", blind=odd_kernel)
def same_in_all_libraries(case):
    """Trust that same means one thing."""
    return (np.convolve(case.x, case.W, "same"),) * 2


SIGNAL = [1, 1, 4, 4, 4, 1, 1]


@dataclass(frozen=True)
class Sheet:
    """The signal of the sheet, and a kernel of equal taps of one quarter."""

    taps: int

    @property
    def x(self):
        return np.array([Fraction(entry) for entry in SIGNAL], dtype=object)

    @property
    def W(self):
        return np.array([Fraction(1, 4)] * self.taps, dtype=object)

    def modes(self, x=None):
        return tuple(convolution.convolve(self.x if x is None else x, self.W, m) for m in ("full", "valid", "same"))


def sheet():
    """The four taps that the question prints."""
    return [Sheet(4)]


def fractions(text):
    return np.array([Fraction(entry) for entry in text.split()], dtype=object)


def sheet_modes(case):
    # $$ \begin{aligned}
    #    \text{full} &= \bigl[\tfrac14, \tfrac12, \tfrac32, \tfrac52, \tfrac{13}4, \tfrac{13}4, \tfrac52, \tfrac32,
    #    \tfrac12, \tfrac14\bigr] \\
    #    \text{valid} &= \bigl[\tfrac52, \tfrac{13}4, \tfrac{13}4, \tfrac52\bigr] \\
    #    \text{same} &= \bigl[\tfrac12, \tfrac32, \tfrac52, \tfrac{13}4, \tfrac{13}4, \tfrac52, \tfrac32\bigr]
    #    \end{aligned} $$
    return (
        fractions("1/4 1/2 3/2 5/2 13/4 13/4 5/2 3/2 1/2 1/4"),
        fractions("5/2 13/4 13/4 5/2"),
        fractions("1/2 3/2 5/2 13/4 13/4 5/2 3/2"),
    )


@claim("convolution-full-valid-same", cases=sheet)
def convolved_in_fractions(case, sheet_modes=sheet_modes):
    """The package's convolve, on Fractions."""
    for value, y in zip(sheet_modes(case), case.modes(), strict=True):
        same(value, y)


@claim("convolution-full-valid-same", cases=sheet)
def product_of_polynomials(case, sheet_modes=sheet_modes):
    """Full is the list of coefficients of a product of two polynomials; the others are parts of it."""
    import sympy

    z = sympy.Symbol("z")
    product = sympy.Poly(SIGNAL, z) * sympy.Poly([sympy.Rational(1, 4)] * 4, z)
    y = product.all_coeffs()
    for value, part in zip(sheet_modes(case), (y, y[3:7], y[1:8]), strict=True):
        same(value, part)


@slip("convolution-full-valid-same")
def three_taps(case):
    """Compute with three taps of one quarter, as the printed answer does: sizes 9, 5 and 7."""
    return Sheet(3).modes()


@slip("convolution-full-valid-same")
def same_is_the_start_of_full(case):
    """Take the first seven values of full for same."""
    y, valid, _ = case.modes()
    return y, valid, y[:7]


def printed_modes(case):
    # $$ \begin{aligned}
    #    \text{full} &= \bigl[\tfrac14, \tfrac12, \tfrac32, \tfrac94, 3, \tfrac94, \tfrac32, \tfrac12, \tfrac14\bigr] \\
    #    \text{valid} &= \bigl[\tfrac32, \tfrac94, 3, \tfrac94, \tfrac32\bigr] \\
    #    \text{same} &= \bigl[\tfrac12, \tfrac32, \tfrac94, 3, \tfrac94, \tfrac32, \tfrac12\bigr]
    #    \end{aligned} $$
    return (
        fractions("1/4 1/2 3/2 9/4 3 9/4 3/2 1/2 1/4"),
        fractions("3/2 9/4 3 9/4 3/2"),
        fractions("1/2 3/2 9/4 3 9/4 3/2 1/2"),
    )


def printed_taps():
    """The three taps of the printed answer."""
    return [Sheet(3)]


@claim("convolution-three-taps", cases=printed_taps)
def three_taps_in_fractions(case, printed_modes=printed_modes):
    """The package's convolve with three taps; the sums are 12 and, with four taps, 16."""
    for value, y in zip(printed_modes(case), case.modes(), strict=True):
        same(value, y)
    same(sum(printed_modes(case)[0]), 12)
    same(sum(Sheet(4).modes()[0]), 16)


@slip("convolution-three-taps")
def four_taps(case):
    """Give the lists for the four taps of the question."""
    return Sheet(4).modes()


def product_of_sums(case):
    return case.x.sum() * case.W.sum()


@steps("convolution-sum-steps", cases=(line, sheet), ends_in=product_of_sums)
def sum_steps(case):
    """Every entry of the kernel meets every entry of the signal once."""
    # \sum_i (x * W)_i
    yield convolution.convolve(case.x, case.W, "full").sum()
    n, k = len(case.x), len(case.W)
    # = \sum_i \sum_j W_j\,x_{i - j}
    yield sum(case.W[j] * case.x[i - j] for i in range(n + k - 1) for j in range(k) if 0 <= i - j < n)
    # = \sum_j W_j \sum_i x_i
    yield sum(case.W[j] * sum(case.x[i] for i in range(n)) for j in range(k))


# --- the moving average -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waves:
    """Angular frequencies."""

    omega: np.ndarray


def waves(rng):
    """Thirty frequencies between 0 and pi, and the four of the text."""
    return Waves(np.concatenate([[0, np.pi / 2, np.pi, np.pi / 3], rng.uniform(0, np.pi, 30)]))


def gain(case):
    # $$ \Bigl| \frac14 \sum_{j=0}^{3} e^{\mathrm i \omega j} \Bigr| = \Bigl| \cos\frac\omega2\,\cos\omega \Bigr| $$
    return np.abs(np.cos(case.omega / 2) * np.cos(case.omega))


def amplitude(omega, W):
    """Send a wave of amplitude 1 through the filter; the amplitude that comes out, on whole overlaps."""
    return np.abs(convolution.convolve(np.exp(1j * omega * np.arange(9)), W, "valid"))


@claim("convolution-gain", cases=waves)
def waves_sent_through(case, gain=gain):
    """Send a complex wave of each frequency through convolve; all whole overlaps have one amplitude."""
    for omega, value in zip(case.omega, gain(case), strict=True):
        agree(np.full(6, value), amplitude(omega, np.full(4, 0.25)), scale=1)


@claim("convolution-gain")
def four_frequencies():
    """Exactly 1 at frequency 0, and 0 at pi / 2 and at pi."""
    import sympy

    for omega, value in ((0, 1), (sympy.pi / 2, 0), (sympy.pi, 0)):
        same(sympy.Abs(sum(sympy.exp(sympy.I * omega * j) for j in range(4)) / 4), value)


@slip("convolution-gain")
def gain_of_three_taps(case):
    """Give the gain of three taps of one quarter: 3/4 at frequency 0."""
    return np.abs(1 + 2 * np.cos(case.omega)) / 4


@slip("convolution-gain")
def high_pass(case):
    """Take it for a detector of edges, which lets high frequencies through."""
    return np.abs(np.sin(case.omega / 2))


@steps("convolution-gain-steps", cases=waves, ends_in=gain)
def gain_steps(case):
    """Factor the sum; a factor 1 + e^(i w) has modulus 2 |cos(w / 2)|."""
    z = np.exp(1j * case.omega)
    # \Bigl| \frac14 \sum_{j=0}^{3} e^{\mathrm i \omega j} \Bigr|
    yield np.abs(1 + z + z**2 + z**3) / 4
    # = \frac14\,\bigl| 1 + e^{\mathrm i \omega} \bigr|\,\bigl| 1 + e^{2 \mathrm i \omega} \bigr|
    yield np.abs(1 + z) * np.abs(1 + z**2) / 4
    # = \Bigl| \cos\frac\omega2\,\cos\omega \Bigr|
    yield np.abs(np.cos(case.omega / 2) * np.cos(case.omega))


def jumps(y):
    """Largest difference between neighbours, and the sum of all."""
    steps_between = np.abs(np.diff(y))
    return [max(steps_between), sum(steps_between)]


def smoothness(case):
    # $$ \max_i \lvert y_{i+1} - y_i \rvert:\ 3 \to \tfrac34,
    #    \qquad \sum_i \lvert y_{i+1} - y_i \rvert:\ 6 \to \tfrac32 $$
    return (fractions("3 6"), fractions("3/4 3/2"))


@claim("convolution-smoothing", cases=sheet)
def neighbours_compared(case, smoothness=smoothness):
    """Before and after, on whole overlaps. With zeros at the ends, in full and same, the largest jump is 1."""
    before, after = smoothness(case)
    full, valid, same_size = case.modes()
    same(before, jumps(case.x))
    same(after, jumps(valid))
    same([jumps(full)[0], jumps(same_size)[0]], [1, 1])


@slip("convolution-smoothing")
def edges_found(case):
    """Take it for a detector of edges: the kernel [1, -1]."""
    return fractions("3 6"), jumps(np.convolve(case.x, [1, -1], "valid"))


@slip("convolution-smoothing")
def sharpened(case):
    """Take it for a sharpening: the signal plus its difference from its mean."""
    return fractions("3 6"), jumps(2 * case.x[1:-2] - case.modes()[1])


def constants(case):
    # $$ 4 \to 4 \ \text{(four taps)}, \qquad 4 \to 3 \ \text{(three taps)} $$
    return fractions("4 3")


@claim("convolution-constant", cases=sheet)
def constant_sent_through(case, constants=constants):
    """A constant signal of 4s, on whole overlaps."""
    four = np.array([Fraction(4)] * 4, dtype=object)
    same(constants(case), [case.modes(four)[1][0], Sheet(3).modes(four)[1][0]])


@slip("convolution-constant")
def amplitude_preserved(case):
    """Say that three taps of one quarter keep the level too."""
    return fractions("4 4")


# --- pooling ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pool:
    """Images, and the options of a pool."""

    x: np.ndarray
    kernel_size: object
    stride: object
    padding: object

    @property
    def options(self):
        return {"stride": self.stride, "padding": self.padding}

    def windows(self, outside):
        """The values that each output sees, in one axis; `outside` stands for the padding."""
        (k, l), (p, q) = both(self.kernel_size), both(self.padding)
        s, t = both(self.kernel_size if self.stride is None else self.stride)
        x = np.pad(np.array(self.x, object), ((0, 0), (0, 0), (p, p), (q, q)), constant_values=outside)
        rows = [x[..., i : i + k, :] for i in range(0, x.shape[2] - k + 1, s)]
        return np.array([[r[..., j : j + l] for j in range(0, x.shape[3] - l + 1, t)] for r in rows], object)


def pools():
    """Kernels, strides and paddings; values all different and below 0, so that a padding of 0 would win."""
    rng = np.random.default_rng(5)
    for k, s, p in itertools.product((2, (2, 3)), (None, 1, (3, 2)), (0, 1, (1, 0))):
        yield Pool(rng.permutation(2 * 3 * 6 * 7).reshape(2, 3, 6, 7) - 2 * 3 * 6 * 7, k, s, p)


def largest(case):
    # $$ y_{c,i} = \max_j x_{c,\ \text{stride}\,i + j - \text{padding}} $$
    return convolution.max_pool2d(case.x, case.kernel_size, **case.options)


@claim("convolution-max-pool", cases=pools)
def windows_compared(case, largest=largest):
    """Cut out each window, and take its largest value."""
    windows = case.windows(-(10**6))
    expected = [[one.max((2, 3)) for one in row] for row in windows]
    same(largest(case), np.moveaxis(np.array(expected, object), (0, 1), (2, 3)))


@claim("convolution-max-pool", cases=pools)
def max_pool_of_torch(case, largest=largest):
    """PyTorch's max_pool2d."""
    (x,) = tensors(case, case.x)
    same(largest(case), whole(need("torch").nn.functional.max_pool2d(x, case.kernel_size, **case.options)))


def positive(case):
    """No value below 0."""
    return replace(case, x=case.x - case.x.min())


def without_padding(case):
    """No padding."""
    return replace(case, padding=0)


@slip("convolution-max-pool")
def smallest(case):
    """Take the smallest value."""
    return -convolution.max_pool2d(-case.x, case.kernel_size, **case.options)


@slip("convolution-max-pool")
def mean_for_largest(case):
    """Take the mean, rounded."""
    return np.rint(convolution.avg_pool2d(case.x, case.kernel_size, **case.options)).astype(int)


def padded_pools():
    """Those with padding."""
    return [case for case in pools() if case.padding]


def padding_of_max(case):
    # $$ x_{c,j} = -\infty \ \text{outside of the image} $$
    return convolution.max_pool2d(case.x, case.kernel_size, **case.options)


@claim("convolution-max-pool-padding", cases=padded_pools)
def never_from_outside(case, padding_of_max=padding_of_max):
    """Put a value below all others around the image, and pool without padding; integers and floats."""
    (p, q), lowest = both(case.padding), case.x.min() - 1
    around = np.pad(case.x, ((0, 0), (0, 0), (p, p), (q, q)), constant_values=lowest)
    same(padding_of_max(case), convolution.max_pool2d(around, case.kernel_size, stride=case.stride))
    agree(convolution.max_pool2d(case.x * 1.0, case.kernel_size, **case.options), padding_of_max(case))


@slip("convolution-max-pool-padding", blind=positive)
def zeros_around(case):
    """Pad with zeros."""
    p, q = both(case.padding)
    around = np.pad(case.x, ((0, 0), (0, 0), (p, p), (q, q)))
    return convolution.max_pool2d(around, case.kernel_size, stride=case.stride)


def in_fractions(case):
    """The same values as Fractions."""
    return replace(case, x=np.vectorize(Fraction, otypes=[object])(case.x))


def mean(case):
    # $$ y_{c,i} = \frac{1}{k_{\mathrm h} k_{\mathrm w}} \sum_j x_{c,\ \text{stride}\,i + j - \text{padding}} $$
    return convolution.avg_pool2d(in_fractions(case).x, case.kernel_size, **case.options)


@claim("convolution-avg-pool", cases=padded_pools)
def windows_averaged(case, mean=mean):
    """Cut out each window, zeros around, and divide its sum by its size; in Fractions."""
    windows = case.windows(0)
    expected = [[one.sum((2, 3)) * Fraction(1, one.shape[2] * one.shape[3]) for one in row] for row in windows]
    same(mean(case), np.moveaxis(np.array(expected, object), (0, 1), (2, 3)))


@claim("convolution-avg-pool", cases=pools)
def avg_pool_of_torch(case, mean=mean):
    """PyTorch's avg_pool2d, and the package's own on floats."""
    (x,) = tensors(case, case.x)
    expected = need("torch").nn.functional.avg_pool2d(x, case.kernel_size, **case.options).detach().numpy()
    agree(mean(case), expected)
    agree(convolution.avg_pool2d(case.x * 1.0, case.kernel_size, **case.options), expected)


@slip("convolution-avg-pool")
def sum_for_mean(case):
    """Forget to divide."""
    return mean(case) * int(np.prod(both(case.kernel_size)))


# --- the first network of the sheets ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """Layers, each with kernel size, stride and padding; "max" marks a pool. F is the number of filters."""

    n: int
    layers: tuple
    C: int = 3
    F: int = 2

    def run(self):
        """Run the package's layers on an image of one row of channels; the sizes along the way."""
        x, found = np.ones((1, self.C, self.n, self.n), dtype=np.int8), []
        for kind, F, k, s, p in self.layers:
            if kind == "max":
                x = convolution.max_pool2d(x, k, stride=s, padding=p)
            else:
                x = np.sign(convolution.conv2d(x, np.ones((F, x.shape[1], k, k), int), stride=s, padding=p))
            found.append(x.shape)
        return found

    def run_in_torch(self):
        torch = need("torch")
        torch.set_num_threads(1)
        x, found = torch.ones(1, self.C, self.n, self.n, device="meta"), []
        for kind, F, k, s, p in self.layers:
            made = (
                torch.nn.MaxPool2d(k, s, p) if kind == "max" else torch.nn.Conv2d(x.shape[1], F, k, s, p, device="meta")
            )
            x = made(x)
            found.append(tuple(x.shape))
        return found


def ift6135_chain():
    """Conv 3 x 3, conv 3 x 3, max-pool 2 x 2, conv 3 x 3, on 32 x 32."""
    conv = ("conv", 2, 3, 1, 0)
    return [Chain(32, (conv, conv, ("max", None, 2, 2, 0), conv))]


def trace(case):
    # $$ 32 \to 30 \to 28 \to 14 \to 12 $$
    first = convolution.output_size(case.n, 3)
    second = convolution.output_size(first, 3)
    third = convolution.output_size(second, 2, stride=2)
    return (first, second, third, convolution.output_size(third, 3))


@claim("convolution-trace", cases=ift6135_chain)
def network_run(case, trace=trace):
    """Run the four layers on an image; and the numbers of the text."""
    same(trace(case), [shape[-1] for shape in case.run()])
    same(trace(case), (30, 28, 14, 12))


@claim("convolution-trace", cases=ift6135_chain)
def network_run_in_torch(case, trace=trace):
    """Run PyTorch's layers; height and width."""
    same(trace(case), [shape[2] for shape in case.run_in_torch()])
    same(trace(case), [shape[3] for shape in case.run_in_torch()])


@slip("convolution-trace")
def pool_of_stride_1(case):
    """Let the pool overlap, with stride 1: 25."""
    return (30, 28, 27, 25)


@slip("convolution-trace")
def pool_after_three_convolutions(case):
    """Put the pool last: 13."""
    return (30, 28, 26, 13)


@slip("convolution-trace")
def padded_to_keep_the_size(case):
    """Pad by one, so that only the pool counts: 16."""
    return (32, 32, 16, 16)


# --- the second network of the sheets ---------------------------------------------------------------------------------


def devoir3_chain():
    """32 kernels of 8 x 8, stride 2, padding 3; max-pool 2 x 2; 64 kernels of 3 x 3, padding 1; on 128 x 128."""
    return [Chain(128, (("conv", 32, 8, 2, 3), ("max", None, 2, 2, 0), ("conv", 64, 3, 1, 1)))]


def three_outputs(case):
    # $$ 64 \times 64 \times 32 \ \to\ 32 \times 32 \times 32 \ \to\ 32 \times 32 \times 64 = 65\,536 $$
    first = convolution.output_size(case.n, 8, stride=2, padding=3)
    second = convolution.output_size(first, 2, stride=2)
    third = convolution.output_size(second, 3, padding=1)
    return ((first, second, third), third * third * 64)


@claim("convolution-three-layers", cases=devoir3_chain)
def shapes_in_torch(case, three_outputs=three_outputs):
    """Run PyTorch's layers, and count the entries of the last output."""
    widths, scalars = three_outputs(case)
    shapes = case.run_in_torch()
    same(widths, [shape[-1] for shape in shapes])
    same(scalars, np.prod(shapes[-1]))


@claim("convolution-three-layers", cases=devoir3_chain)
def places_of_three_kernels(case, three_outputs=three_outputs):
    """Count the places of each kernel one by one; and the numbers of the text."""
    n = case.n
    widths, scalars = three_outputs(case)
    for (_, _, k, s, p), width in zip(case.layers, widths, strict=True):
        n = positions(n, k, s, p, 1)
        same(width, n)
    same(scalars, 65_536)


@slip("convolution-three-layers")
def first_layer_without_padding(case):
    """Forget the padding of the first layer: 61."""
    return ((61, 30, 30), 30 * 30 * 64)


@slip("convolution-three-layers")
def first_layer_padded_once(case):
    """Pad the first layer at one end only: 62."""
    return ((62, 31, 31), 31 * 31 * 64)


@slip("convolution-three-layers")
def channels_not_counted(case):
    """Count the positions only: 1024."""
    return ((64, 32, 32), 32 * 32)


@slip("convolution-three-layers")
def last_layer_without_padding(case):
    """Forget the padding of the last layer: 30 x 30 x 64."""
    return ((64, 32, 30), 30 * 30 * 64)


def last_layer(case):
    # $$ 3 \cdot 3 \cdot 32 \cdot 64 = 18\,432 $$
    return 3 * 3 * case.layers[0][1] * case.layers[2][1]


@claim("convolution-last-layer-weights", cases=devoir3_chain)
def kernel_of_the_last_layer(case, last_layer=last_layer):
    """The entries of a kernel that conv2d takes after the pool; with biases, 18 496."""
    x, w, b = np.zeros(case.run()[1], np.int8), np.zeros((64, 32, 3, 3), np.int8), np.zeros(64, np.int8)
    convolution.conv2d(x, w, b, padding=1)
    same(last_layer(case), w.size)
    same(w.size + b.size, 18_496)


@claim("convolution-last-layer-weights", cases=devoir3_chain)
def kernel_of_torch(case, last_layer=last_layer):
    """The weights of PyTorch's Conv2d."""
    same(last_layer(case), need("torch").nn.Conv2d(32, 64, 3, device="meta").weight.numel())


@slip("convolution-last-layer-weights")
def input_channels_forgotten(case):
    """Give each filter one kernel, as the printed answer does: 576."""
    return 3 * 3 * 64


@slip("convolution-last-layer-weights")
def biases_counted(case):
    """Count the biases, which the question leaves out: 18 496."""
    return 3 * 3 * 32 * 64 + 64


@slip("convolution-last-layer-weights")
def one_kernel(case):
    """Count one kernel of one channel: 9."""
    return 9


@slip("convolution-last-layer-weights")
def one_filter(case):
    """Count one filter: 288."""
    return 3 * 3 * 32


# --- images of any size -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Images:
    """Sizes of images, and the padding of the two convolutions of 5 x 5."""

    sizes: tuple
    padding: int = 0
    F: int = 4

    def features(self, size, functional=None):
        """Convolve, rectify, convolve, rectify, average: the vector that the dense layers get."""
        rng = np.random.default_rng(2)
        x, first, second = (rng.normal(size=s) for s in ((3, 2, *size), (6, 2, 5, 5), (self.F, 6, 5, 5)))
        for w in (first, second):
            x = np.maximum(convolution.conv2d(x, w, padding=self.padding), 0)
        return convolution.avg_pool2d(x, x.shape[2:]).reshape(len(x), -1)

    def works(self, call):
        """Whether each image passes: PyTorch raises RuntimeError, the package ValueError, if not."""
        found = []
        for size in self.sizes:
            try:
                call(size)
            except (RuntimeError, ValueError):
                found.append(False)
            else:
                found.append(True)
        return found


def any_images():
    """Images of several sizes and shapes; three of them are smaller than 9 along one axis."""
    return [Images(((9, 9), (32, 32), (17, 40), (9, 30), (8, 8), (8, 40), (1, 1)))]


def averaging_network(padding):
    torch = need("torch")
    nn = torch.nn
    layers = (nn.Conv2d(2, 6, 5, padding=padding), nn.ReLU(), nn.Conv2d(6, 4, 5, padding=padding), nn.ReLU())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 128), nn.Linear(128, 1))


def accepted(case):
    # $$ \min(n_{\mathrm h}, n_{\mathrm w}) \ge 5 + 5 - 1 = 9 $$
    return [min(size) >= 9 for size in case.sizes]


@claim("convolution-any-size", cases=any_images)
def sizes_tried(case, accepted=accepted):
    """Run the package's layers; where they pass, four numbers an image reach the dense layers."""
    same(accepted(case), case.works(case.features))
    for size, passes in zip(case.sizes, accepted(case), strict=True):
        same(case.features(size).shape if passes else (3, 4), (3, 4))


@claim("convolution-any-size", cases=any_images)
def sizes_tried_in_torch(case, accepted=accepted):
    """One network of PyTorch, with one set of parameters, on all of them; where it passes, the output is (3, 1)."""
    torch = need("torch")
    network = averaging_network(case.padding)
    same(accepted(case), case.works(lambda size: network(torch.zeros(3, 2, *size))))
    same([network(torch.zeros(3, 2, *size)).shape == (3, 1) for size in case.sizes[:4]], [True] * 4)


def padded_by_2(case):
    """Padding 2, which keeps the size."""
    return replace(case, padding=2)


@slip("convolution-any-size", blind=padded_by_2)
def any_size_at_all(case):
    """Accept any image, down to 1 x 1."""
    return [True] * len(case.sizes)


@slip("convolution-any-size")
def dense_layers_fix_the_size(case):
    """Say no, because a dense layer needs an input of fixed size: only the size of training would pass."""
    return [size == (32, 32) for size in case.sizes]


def global_mean(case):
    # $$ y_c = \frac{1}{n_{\mathrm h} n_{\mathrm w}} \sum_i x_{c,i}
    #    \qquad (C \times n_{\mathrm h} \times n_{\mathrm w} \ \to\ C) $$
    return convolution.avg_pool2d(in_fractions(case).x, case.x.shape[2:]).reshape(case.x.shape[:2])


def three_sizes():
    """Images of three sizes, three channels."""
    rng = np.random.default_rng(9)
    return [Pool(rng.integers(1, 9, (2, 3, *size)), None, None, 0) for size in ((4, 5), (7, 2), (1, 6))]


@claim("convolution-global-average", cases=three_sizes)
def mean_of_each_channel(case, global_mean=global_mean):
    """One number a channel, whatever the size."""
    N, C, H, W = case.x.shape
    same(global_mean(case), [[Fraction(sum(channel.ravel().tolist()), H * W) for channel in one] for one in case.x])
    same(global_mean(case).shape, (N, C))


@slip("convolution-global-average")
def over_the_channels(case):
    """Average over the channels: that changes their number, and keeps the size."""
    return in_fractions(case).x.sum(1) * Fraction(1, 3)


@slip("convolution-global-average")
def flattened(case):
    """Flatten: the number of features then depends on the size."""
    return in_fractions(case).x.reshape(len(case.x), -1)


def four_inputs():
    """Two sizes; the first is the size of training."""
    return [Images(((12, 12), (12, 13)))]


def fixed_sizes(case):
    # $$ W^{(1)} \in \R^{D_{\mathrm{out}} \times D_{\mathrm{in}}},
    #    \qquad D_{\mathrm{in}} = C\,n_{\mathrm h} n_{\mathrm w} $$
    passes = [size == (12, 12) for size in case.sizes]
    return (passes, passes)


@claim("convolution-fixed-size", cases=four_inputs)
def dense_layers_in_torch(case, fixed_sizes=fixed_sizes):
    """A multilayer perceptron, and convolutions followed by a flattening, in PyTorch."""
    torch = need("torch")
    nn = torch.nn
    perceptron = nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, 5), nn.ReLU(), nn.Linear(5, 1))
    flat = nn.Sequential(nn.Conv2d(2, 3, 5), nn.ReLU(), nn.Conv2d(3, 4, 5), nn.Flatten(), nn.Linear(4 * 4 * 4, 1))
    for network, passes in zip((perceptron, flat), fixed_sizes(case), strict=True):
        same(passes, case.works(lambda size, network=network: network(torch.zeros(3, 2, *size))))


@claim("convolution-fixed-size", cases=four_inputs)
def dense_layers_in_numpy(case, fixed_sizes=fixed_sizes):
    """A product with a matrix of fixed width: of the image, and of the flattened output of the two convolutions."""

    def perceptron(size):
        return np.ones((3, 2, *size)).reshape(3, -1) @ np.ones((2 * 12 * 12, 5))

    def flat(size):
        y = convolution.conv2d(np.ones((3, 2, *size)), np.ones((4, 2, 9, 9)))
        return y.reshape(3, -1) @ np.ones((4 * 4 * 4, 1))

    for call, passes in zip((perceptron, flat), fixed_sizes(case), strict=True):
        same(passes, case.works(call))


@claim("convolution-fixed-size")
def channels_are_fixed():
    """A layer refuses another number of channels, whatever the size."""
    refuses(lambda: convolution.conv2d(np.ones((1, 3, 9, 9)), np.ones((4, 2, 5, 5))), naming="w")


@claim("convolution-fixed-size")
def rounded_to_one_size():
    """Two sizes that a stride of 2 rounds to one pass through one matrix after a flattening; a third does not."""
    w, matrix = np.ones((4, 2, 2, 2), int), np.ones((4 * 3 * 3, 1), int)
    flat = [convolution.conv2d(np.ones((1, 2, n, n), int), w, stride=2).reshape(1, -1) for n in (6, 7, 8)]
    same([y.shape[1] == len(matrix) for y in flat], [True, True, False])
    same(flat[0] @ matrix, flat[1] @ matrix)


@slip("convolution-fixed-size")
def perceptron_takes_any(case):
    """Let the perceptron take any size."""
    return [True, True], [True, False]


@slip("convolution-fixed-size")
def convolutions_suffice(case):
    """Believe that convolutions suffice, whatever follows them."""
    return [True, False], [True, True]


# --- the matrix -------------------------------------------------------------------------------------------------------


def letters(name, rows, columns):
    """An array of symbols, name_(row column)."""
    import sympy

    return np.array([[sympy.Symbol(f"{name}{i}{j}") for j in range(columns)] for i in range(rows)], dtype=object)


@dataclass(frozen=True)
class Symbols:
    """An image and a kernel in symbols or in whole numbers; one channel, one filter."""

    x: np.ndarray
    w: np.ndarray

    def conv(self, w=None, **options):
        return convolution.conv2d(self.x[None, None], (self.w if w is None else w)[None, None], **options)[0, 0]

    def transposed(self, w=None, **options):
        return convolution.conv_transpose2d(self.x[None, None], (self.w if w is None else w)[None, None], **options)[
            0, 0
        ]

    @property
    def stride_2(self):
        return {"stride": 2, "padding": 1}


def sheet_layer():
    """The sheet's: 3 x 3 symbols in the image, 3 x 3 in the kernel."""
    return [Symbols(letters("x", 3, 3), letters("w", 3, 3))]


def sheet_numbers(rng):
    """Whole numbers in their place."""
    return Symbols(rng.integers(1, 9, (3, 3)), rng.permutation(9).reshape(3, 3) + 1)


def half_turned_kernel(case):
    """A kernel that a half turn leaves as it is."""
    return replace(case, w=case.w + turned(case.w))


def sheet_output(case):
    # $$ y = \begin{bmatrix}
    #    w_{11} x_{00} + w_{12} x_{01} + w_{21} x_{10} + w_{22} x_{11} &
    #    w_{10} x_{01} + w_{11} x_{02} + w_{20} x_{11} + w_{21} x_{12} \\
    #    w_{01} x_{10} + w_{02} x_{11} + w_{11} x_{20} + w_{12} x_{21} &
    #    w_{00} x_{11} + w_{01} x_{12} + w_{10} x_{21} + w_{11} x_{22}
    #    \end{bmatrix} $$
    (w00, w01, w02), (w10, w11, w12), (w20, w21, w22) = case.w
    (x00, x01, x02), (x10, x11, x12), (x20, x21, x22) = case.x
    return np.array(
        [
            [
                w11 * x00 + w12 * x01 + w21 * x10 + w22 * x11,
                w10 * x01 + w11 * x02 + w20 * x11 + w21 * x12,
            ],
            [
                w01 * x10 + w02 * x11 + w11 * x20 + w12 * x21,
                w00 * x11 + w01 * x12 + w10 * x21 + w11 * x22,
            ],
        ]
    )


@claim("convolution-sheet-output", cases=sheet_layer)
def sheet_in_symbols(case, sheet_output=sheet_output):
    """The package's conv2d on eighteen symbols."""
    same(sheet_output(case), case.conv(**case.stride_2))


@claim("convolution-sheet-output", cases=sheet_numbers)
def sheet_in_torch(case, sheet_output=sheet_output):
    """PyTorch's conv2d with stride 2 and padding 1, in whole numbers."""
    x, w = tensors(case, case.x[None, None], case.w[None, None])
    same(sheet_output(case), whole(need("torch").nn.functional.conv2d(x, w, **case.stride_2))[0, 0])


@slip("convolution-sheet-output", blind=half_turned_kernel)
def sheet_kernel_turned(case):
    """Turn the kernel over."""
    return case.conv(turned(case.w), **case.stride_2)


@slip("convolution-sheet-output")
def sheet_stride_1(case):
    """Forget the stride: 3 x 3 outputs."""
    return case.conv(padding=1)


@slip("convolution-sheet-output")
def sheet_without_padding(case):
    """Forget the padding: one output."""
    return case.conv(stride=2)


def sheet_matrix(case):
    # $$ A = \begin{bmatrix}
    #    w_{11} & w_{12} & 0 & w_{21} & w_{22} & 0 & 0 & 0 & 0 \\
    #    0 & w_{10} & w_{11} & 0 & w_{20} & w_{21} & 0 & 0 & 0 \\
    #    0 & 0 & 0 & w_{01} & w_{02} & 0 & w_{11} & w_{12} & 0 \\
    #    0 & 0 & 0 & 0 & w_{00} & w_{01} & 0 & w_{10} & w_{11}
    #    \end{bmatrix} $$
    (w00, w01, w02), (w10, w11, w12), (w20, w21, w22) = case.w
    return np.array(
        [
            [w11, w12, 0, w21, w22, 0, 0, 0, 0],
            [0, w10, w11, 0, w20, w21, 0, 0, 0],
            [0, 0, 0, w01, w02, 0, w11, w12, 0],
            [0, 0, 0, 0, w00, w01, 0, w10, w11],
        ]
    )


@claim("convolution-sheet-matrix", cases=sheet_layer)
def matrix_in_symbols(case, sheet_matrix=sheet_matrix):
    """A vec(x) is vec(y), in symbols; and the package's conv_matrix."""
    same(sheet_matrix(case), convolution.conv_matrix(case.w, (3, 3), **case.stride_2))
    same(sheet_matrix(case) @ case.x.ravel(), case.conv(**case.stride_2).ravel())


@claim("convolution-sheet-matrix", cases=sheet_numbers)
def matrix_in_torch(case, sheet_matrix=sheet_matrix):
    """Each column is what PyTorch makes of an image with one pixel of 1."""
    pixels, w = tensors(case, np.eye(9).reshape(9, 1, 3, 3), case.w[None, None])
    y = need("torch").nn.functional.conv2d(pixels, w, **case.stride_2)
    same(sheet_matrix(case), whole(y).reshape(9, 4).T)


@slip("convolution-sheet-matrix", blind=half_turned_kernel)
def matrix_of_the_turned_kernel(case):
    """Give the matrix of the true convolution for that of a layer."""
    return sheet_matrix(replace(case, w=turned(case.w)))


@slip("convolution-sheet-matrix")
def matrix_transposed(case):
    """Give it 9 x 4: inputs as rows."""
    return sheet_matrix(case).T


@slip("convolution-sheet-matrix")
def column_after_column(case):
    """Flatten images column after column, where the sheet says row after row."""
    order = np.arange(9).reshape(3, 3).T.ravel()
    return sheet_matrix(case)[[0, 2, 1, 3]][:, order]


def turned_matrix(case):
    # $$ \begin{bmatrix}
    #    w_{11} & w_{10} & 0 & w_{01} & w_{00} & 0 & 0 & 0 & 0 \\
    #    0 & w_{12} & w_{11} & 0 & w_{02} & w_{01} & 0 & 0 & 0 \\
    #    0 & 0 & 0 & w_{21} & w_{20} & 0 & w_{11} & w_{10} & 0 \\
    #    0 & 0 & 0 & 0 & w_{22} & w_{21} & 0 & w_{12} & w_{11}
    #    \end{bmatrix} $$
    (w00, w01, w02), (w10, w11, w12), (w20, w21, w22) = case.w
    return np.array(
        [
            [w11, w10, 0, w01, w00, 0, 0, 0, 0],
            [0, w12, w11, 0, w02, w01, 0, 0, 0],
            [0, 0, 0, w21, w20, 0, w11, w10, 0],
            [0, 0, 0, 0, w22, w21, 0, w12, w11],
        ]
    )


@claim("convolution-sheet-matrix-turned", cases=sheet_layer)
def true_convolution_in_symbols(case, turned_matrix=turned_matrix):
    """The full true convolution by its definition, of which the layer keeps every second row and column."""
    y = np.zeros((5, 5), dtype=object)
    for j, i in itertools.product(np.ndindex(3, 3), np.ndindex(3, 3)):
        y[i[0] + j[0], i[1] + j[1]] += case.w[j] * case.x[i]
    same(turned_matrix(case) @ case.x.ravel(), y[1:4:2, 1:4:2].ravel())


@slip("convolution-sheet-matrix-turned", blind=half_turned_kernel)
def matrix_of_the_layer(case):
    """Give the matrix of the layer for that of the true convolution."""
    return sheet_matrix(case)


def occurrences(case):
    # $$ \begin{bmatrix} 1 & 2 & 1 \\ 2 & 4 & 2 \\ 1 & 2 & 1 \end{bmatrix} $$
    return np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@claim("convolution-sheet-matrix-entries", cases=sheet_layer)
def letters_counted(case, occurrences=occurrences):
    """Count each letter in the package's conv_matrix; 16 of 36 entries are not zero."""
    entries = list(convolution.conv_matrix(case.w, (3, 3), **case.stride_2).flat)
    same(occurrences(case), [[entries.count(letter) for letter in row] for row in case.w])
    same(sum(entry != 0 for entry in entries), 16)
    same(occurrences(case).sum(), 16)


@slip("convolution-sheet-matrix-entries")
def each_as_often(case):
    """Let each weight occur once an output, as it does without padding."""
    return np.full((3, 3), 4)


def matrix(case):
    # $$ \operatorname{vec}(y) = A \operatorname{vec}(x),
    #    \qquad A_{(f,i),(c,\ \text{stride}\,i + \text{dilation}\,j - \text{padding})} = W_{f,c,j} $$
    return convolution.conv_matrix(case.w, case.x.shape[1:], **case.one_group)


@claim("convolution-matrix", cases=layer_of_one_group)
def pixels_one_by_one(case, matrix=matrix):
    """Column by column: what the layer makes of an image with one pixel of 1."""
    pixels = np.eye(case.x[0].size, dtype=int).reshape(-1, *case.x.shape[1:])
    y = case.forward(x=pixels, b=0 * case.b)
    same(matrix(case), y.reshape(len(pixels), -1).T)


@claim("convolution-matrix", cases=layer_of_one_group)
def matrix_times_image(case, matrix=matrix):
    """A vec(x) against PyTorch's conv2d."""
    y = whole(torch_forward(case, b=0 * case.b)[0])
    A = matrix(case)
    same(A.shape, (y[0].size, case.x[0].size))
    same(np.array([A @ image.ravel() for image in case.x]), y.reshape(len(case.x), -1))


@slip("convolution-matrix", blind=half_turn_symmetric)
def turned_in_the_matrix(case):
    """Turn the kernel over."""
    return convolution.conv_matrix(turned(case.w), case.x.shape[1:], **case.one_group)


@slip("convolution-matrix")
def matrix_the_other_way(case):
    """Give one row an input."""
    return matrix(case).T


# --- the transposed convolution ---------------------------------------------------------------------------------------


def sheet_transposed_layer():
    """The sheet's: 2 x 2 symbols in the image, 2 x 2 others in the kernel."""
    return [Symbols(letters("x", 2, 2), letters("w", 2, 2))]


def sheet_transposed_numbers(rng):
    """Whole numbers in their place."""
    return Symbols(rng.integers(1, 9, (2, 2)), rng.permutation(4).reshape(2, 2) + 1)


def stamps(case):
    # $$ A^\top = \begin{bmatrix}
    #    w_{00} & w_{01} & 0 & 0 & w_{10} & w_{11} & 0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 \\
    #    0 & 0 & w_{00} & w_{01} & 0 & 0 & w_{10} & w_{11} & 0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 \\
    #    0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 & w_{00} & w_{01} & 0 & 0 & w_{10} & w_{11} & 0 & 0 \\
    #    0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 & w_{00} & w_{01} & 0 & 0 & w_{10} & w_{11}
    #    \end{bmatrix} $$
    (w00, w01), (w10, w11) = case.w
    return np.array(
        [
            [w00, w01, 0, 0, w10, w11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, w00, w01, 0, 0, w10, w11, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, w00, w01, 0, 0, w10, w11, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, w00, w01, 0, 0, w10, w11],
        ]
    ).T


@claim("convolution-sheet-transposed", cases=sheet_transposed_layer)
def stamps_in_symbols(case, stamps=stamps):
    """The package's conv_transpose2d and its matrix, in symbols; and y_{2i + a, 2j + b} = x_{ij} w_{ab}."""
    y = np.zeros((4, 4), dtype=object)
    for i, j in itertools.product(np.ndindex(2, 2), np.ndindex(2, 2)):
        y[2 * i[0] + j[0], 2 * i[1] + j[1]] = case.x[i] * case.w[j]
    same(stamps(case) @ case.x.ravel(), y.ravel())
    same(stamps(case) @ case.x.ravel(), case.transposed(stride=2).ravel())
    same(stamps(case), convolution.conv_transpose_matrix(case.w, (2, 2), stride=2))


@claim("convolution-sheet-transposed", cases=sheet_transposed_numbers)
def stamps_in_torch(case, stamps=stamps):
    """PyTorch's conv_transpose2d with stride 2, and NumPy's Kronecker product, in whole numbers."""
    x, w = tensors(case, case.x[None, None], case.w[None, None])
    y = whole(need("torch").nn.functional.conv_transpose2d(x, w, stride=2))
    same(stamps(case) @ case.x.ravel(), y.ravel())
    same(stamps(case) @ case.x.ravel(), np.kron(case.x, case.w).ravel())


@slip("convolution-sheet-transposed")
def kronecker_the_other_way(case):
    """Write the Kronecker product the other way: a copy of x for each weight. It is right if x is a multiple of W."""
    rows = [np.kron(case.w, pixel.reshape(2, 2)).ravel() for pixel in np.eye(4, dtype=int)]
    return np.array(rows).T


@slip("convolution-sheet-transposed", blind=half_turned_kernel)
def stamps_turned(case):
    """Turn the stamps by half a turn."""
    return stamps(replace(case, w=turned(case.w)))


@slip("convolution-sheet-transposed")
def stamps_overlap(case):
    """Take stride 1, so that the stamps overlap: 3 x 3 outputs."""
    return convolution.conv_transpose_matrix(case.w, (2, 2))


def kernel_of_norm_1(case):
    """A kernel whose squares sum to 1."""
    return replace(case, w=np.array([[0, 1], [0, 0]]))


@slip("convolution-sheet-transposed", blind=kernel_of_norm_1)
def inverse_of_the_convolution(case):
    """Give the (pseudo-)inverse of the matrix of the convolution for its transpose."""
    norm = (case.w**2).sum()
    return stamps(case).astype(object) * (Fraction(1, int(norm)) if isinstance(norm, int | np.integer) else 1 / norm)


def stamp_gram(case):
    # $$ A^\top A = \Bigl( \sum_j W_j^2 \Bigr) I $$
    return (case.w**2).sum() * np.eye(4, dtype=int).astype(object)


@claim("convolution-sheet-transposed-gram", cases=sheet_transposed_layer)
def gram_in_symbols(case, stamp_gram=stamp_gram):
    """A' is the matrix of the ordinary convolution from 4 x 4 to 2 x 2; the product, in symbols."""
    A = stamps(case)
    same(A.T, convolution.conv_matrix(case.w, (4, 4), stride=2))
    same(stamp_gram(case), A.T @ A)


@claim("convolution-sheet-transposed-gram")
def cut_stamps():
    """With a padding of 1 the stamps at the border are cut, and the diagonal is not one number."""
    A = convolution.conv_transpose_matrix(np.array([[1, 2], [3, 4]]), (3, 3), stride=2, padding=1)
    same(A.T @ A, np.diag([16, 25, 9, 20, 30, 10, 4, 5, 1]))


@slip("convolution-sheet-transposed-gram", blind=kernel_of_norm_1)
def transposed_undoes(case):
    """Take the transposed convolution for the inverse of the convolution."""
    return np.eye(4, dtype=int).astype(object)


@dataclass(frozen=True)
class Transposed(Layer):
    """The same for a transposed convolution: w is (C, F/groups, kH, kW)."""

    output_padding: object = 0

    @property
    def transposed_options(self):
        return self.options | {"output_padding": self.output_padding}

    def transposed(self, w=None, b=None, **changed):
        w, b = (own if a is None else a for own, a in ((self.w, w), (self.b, b)))
        return convolution.conv_transpose2d(self.x, w, b, **(self.transposed_options | changed))


def transposed_of(rng, options):
    """The options of a layer, and the largest output padding."""
    plain = drawn(rng, options)
    more = tuple(max(s, d) - 1 for s, d in zip(both(plain.stride), both(plain.dilation), strict=True))
    w = rng.integers(-4, 5, (4, 6 // plain.groups, *plain.w.shape[2:]))
    return Transposed(plain.x[..., :3, :5], w, plain.b, **options, output_padding=more)


def transposed_layer(rng):
    """One transposed layer, its options drawn."""
    return transposed_of(rng, SETTINGS[rng.integers(len(SETTINGS))])


def transposed_grid():
    """Every combination of options, as for the layer."""
    rng = np.random.default_rng(8)
    return [transposed_of(rng, options) for options in SETTINGS]


def stamped(case):
    # $$ y_{f,o} = b_f + \sum_c \sum_{i,j}
    #    [\,\text{stride}\,i + \text{dilation}\,j - \text{padding} = o\,]\; W_{c,f,j}\,x_{c,i} $$
    return convolution.conv_transpose2d(case.x, case.w, case.b, **case.transposed_options)


@claim("convolution-transposed", cases=transposed_layer)
def stamped_one_by_one(case, stamped=stamped):
    """The sum, one number at a time, in whole numbers."""
    strides, pads, dilations, more = map(both, (case.stride, case.padding, case.dilation, case.output_padding))
    axes = zip(case.x.shape[2:], case.w.shape[2:], strides, pads, dilations, more, strict=True)
    y = np.zeros((2, 6, *((n - 1) * s - 2 * p + d * (k - 1) + m + 1 for n, k, s, p, d, m in axes)), int)
    y += case.b[:, None, None]
    channels, filters = 4 // case.groups, 6 // case.groups
    x, w = case.x.tolist(), case.w.tolist()
    for n, c, i, m in np.ndindex(case.x.shape):
        for f, a, l in np.ndindex(case.w.shape[1:]):
            row = strides[0] * i + dilations[0] * a - pads[0]
            column = strides[1] * m + dilations[1] * l - pads[1]
            if 0 <= row < y.shape[2] and 0 <= column < y.shape[3]:
                y[n, c // channels * filters + f, row, column] += w[c][f][a][l] * x[n][c][i][m]
    same(stamped(case), y)


@claim("convolution-transposed", cases=transposed_grid)
def transposed_in_torch(case, stamped=stamped):
    """PyTorch's conv_transpose2d, on a grid of options with the largest output padding."""
    own = tensors(case, case.x, case.w, case.b)
    same(stamped(case), whole(need("torch").nn.functional.conv_transpose2d(*own, **case.transposed_options)))


@slip("convolution-transposed", blind=half_turn_symmetric)
def stamp_turned_over(case):
    """Turn the stamp over."""
    return case.transposed(turned(case.w))


@slip("convolution-transposed", blind=no_bias)
def bias_of_the_transposed_forgotten(case):
    """Leave the bias out."""
    return case.transposed(b=0 * case.b)


def larger_inputs():
    """Input sizes from 1 to 4, kernels to 3, strides to 3, paddings 0 and 1 that leave something, dilations to 2."""
    ranges = range(1, 5), range(1, 4), range(1, 4), range(2), range(1, 3), range(3)
    each = itertools.product(*ranges)
    yield Sizes(tuple(t for t in each if t[5] < t[2] and (t[0] - 1) * t[2] - 2 * t[3] + t[4] * (t[1] - 1) >= 0))


def transposed_size(case):
    # $$ n_{\mathrm{out}} = (n - 1)\,\text{stride} - 2\,\text{padding} + \text{dilation}\,(k - 1)
    #    + \text{output\_padding} + 1 $$
    return case.each(lambda n, k, s, p, d, m: (n - 1) * s - 2 * p + d * (k - 1) + m + 1)


@claim("convolution-transposed-size", cases=larger_inputs)
def sizes_that_give_n(case, transposed_size=transposed_size):
    """Of the sizes that a convolution takes to n, it is number output_padding; and what the code gives."""

    def counted(n, k, s, p, d, m):
        return [size for size in range(1, 18) if size + 2 * p > d * (k - 1) and positions(size, k, s, p, d) == n]

    def of_code(n, k, s, p, d, m):
        x, w = np.ones((1, 1, n, 1), int), np.ones((1, 1, k, 1), int)
        options = {"stride": (s, 1), "padding": (p, 0), "dilation": (d, 1), "output_padding": (m, 0)}
        return convolution.conv_transpose2d(x, w, **options).shape[2]

    note("enumeration")
    same(case.each(lambda *t: len(counted(*t))), case.each(lambda *t: t[2]))
    same(transposed_size(case), case.each(lambda *t: counted(*t)[t[5]]))
    same(transposed_size(case), case.each(of_code))


def no_output_padding(case):
    """Output padding 0."""
    return Sizes(tuple(setting for setting in case.settings if setting[5] == 0))


@slip("convolution-transposed-size", blind=no_output_padding)
def output_padding_forgotten(case):
    """Leave out the output padding."""
    return case.each(lambda n, k, s, p, d, m: (n - 1) * s - 2 * p + d * (k - 1) + 1)


@slip("convolution-transposed-size")
def stride_times_n(case):
    """Multiply the size by the stride."""
    return case.each(lambda n, k, s, p, d, m: n * s)


@slip("convolution-transposed-size")
def padding_added(case):
    """Add the padding, as in a convolution."""
    return case.each(lambda n, k, s, p, d, m: (n - 1) * s + 2 * p + d * (k - 1) + m + 1)


def matrix_of_transposed(case):
    # $$ \operatorname{vec}(y) = A^\top \operatorname{vec}(x) $$
    return convolution.conv_transpose_matrix(case.w, case.x.shape[1:], **case.one_group)


def transposed_of_one_group(rng):
    """One transposed layer of two filters without groups, its other options drawn."""
    case = transposed_of(rng, SETTINGS[2 * rng.integers(len(SETTINGS) // 2)])
    return replace(case, w=case.w[:, :2], b=case.b[:2])


@claim("convolution-transposed-matrix", cases=transposed_of_one_group)
def transposed_pixels_one_by_one(case, matrix_of_transposed=matrix_of_transposed):
    """Column by column: what conv_transpose2d makes of an image with one pixel of 1."""
    pixels = np.eye(case.x[0].size, dtype=int).reshape(-1, *case.x.shape[1:])
    y = convolution.conv_transpose2d(pixels, case.w, **case.one_group)
    same(matrix_of_transposed(case), y.reshape(len(pixels), -1).T)


@slip("convolution-transposed-matrix")
def matrix_not_transposed(case):
    """Forget to transpose."""
    return matrix_of_transposed(case).T


@slip("convolution-transposed-matrix", blind=half_turn_symmetric)
def matrix_of_turned_stamps(case):
    """Turn the kernel over."""
    return convolution.conv_transpose_matrix(turned(case.w), case.x.shape[1:], **case.one_group)


def sent_back(case, dy=None):
    """conv_transpose2d of the upstream gradient, with the output padding that gives the size of the image back."""
    options = map(both, (case.stride, case.padding, case.dilation))
    axes = zip(case.x.shape[2:], case.w.shape[2:], *options, strict=True)
    more = tuple((n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in axes)
    dy = case.dy if dy is None else dy
    return convolution.conv_transpose2d(dy, case.w, output_padding=more, **case.options)


def adjoint(case):
    # $$ \langle g, A x \rangle = \langle A^\top g, x \rangle $$
    return (sent_back(case) * case.x).sum()


@claim("convolution-adjoint", cases=layer)
def two_inner_products(case, adjoint=adjoint):
    """Both inner products, in whole numbers; A is conv2d and its transpose is conv_transpose2d."""
    same(adjoint(case), (case.dy * case.forward(b=0 * case.b)).sum())


@slip("convolution-adjoint", blind=half_turn_symmetric)
def convolved_back(case):
    """Turn the kernel over before sending back."""
    return (sent_back(replace(case, w=turned(case.w)), case.dy) * case.x).sum()


@steps("convolution-adjoint-steps", cases=layer_of_one_group, ends_in=adjoint)
def adjoint_steps(case):
    """The transpose changes sides."""
    A = convolution.conv_matrix(case.w, case.x.shape[1:], **case.one_group)
    g, x = case.dy.reshape(2, -1), case.x.reshape(2, -1)
    # \langle g, A x \rangle
    yield (g * (x @ A.T)).sum()
    # = g^\top A\,x
    yield sum(g[n] @ A @ x[n] for n in range(2))
    # = (A^\top g)^\top x
    yield sum((A.T @ g[n]) @ x[n] for n in range(2))
    # = \langle A^\top g, x \rangle
    yield (sent_back(case) * case.x).sum()


@claim("convolution-transposed-not-inverse", cases=sheet_numbers)
def there_and_back(case):
    """The matrix of the sheet, 4 x 9: there and back is not the image, nor a multiple of it."""
    A = convolution.conv_matrix(case.w, (3, 3), **case.stride_2)
    back = A.T @ A @ case.x.ravel()
    differ(back / np.linalg.norm(back), case.x.ravel() / np.linalg.norm(case.x))


@claim("convolution-transposed-not-inverse")
def rank_of_the_sheet():
    """In symbols: the nine by nine matrix A' A has rank 4 at most, so no factor makes it the identity."""
    import sympy

    A = sympy.Matrix(convolution.conv_matrix(letters("w", 3, 3), (3, 3), stride=2, padding=1))
    proved(sympy.Le(A.rank(), 4))
    same((A.T * A).shape, (9, 9))


# --- gradients --------------------------------------------------------------------------------------------------------


def by_unit_changes(case, name):
    """The loss is linear in each argument, so a change by 1 gives its gradient exactly."""
    own, dy = getattr(case, name), case.dy
    changed = np.zeros(own.shape, int)
    for index in np.ndindex(own.shape):
        moved = own.copy()
        moved[index] += 1
        changed[index] = (dy * case.forward(**{name: moved})).sum()
    return changed - (dy * case.forward()).sum()


def by_autograd(case):
    """PyTorch's gradients by x, w and b."""
    y, own = torch_forward(case)
    y.backward(tensors(case, case.dy)[0].detach())
    return [whole(a.grad) for a in own]


def dx(case):
    # $$ \frac{\partial L}{\partial x_{c,o}} = \sum_f \sum_{i,j}
    #    [\,\text{stride}\,i + \text{dilation}\,j - \text{padding} = o\,]\; W_{f,c,j}\,g_{f,i} $$
    return convolution.conv2d_backward(case.dy, case.x, case.w, **case.options).dx


def one_image(rng):
    """One layer of six filters, on one image."""
    case = layer(rng)
    return replace(case, x=case.x[:1])


@claim("convolution-input-gradient", cases=one_image)
def x_changed_by_1(case, dx=dx):
    """The loss is linear in x: change each pixel by 1, in whole numbers."""
    same(dx(case), by_unit_changes(case, "x"))


@claim("convolution-input-gradient", cases=grid)
def dx_by_autograd(case, dx=dx):
    """PyTorch's autograd, on the grid of options."""
    same(dx(case), by_autograd(case)[0])


@claim("convolution-input-gradient", cases=layer)
def dx_by_transposed_convolution(case, dx=dx):
    """The transposed convolution of the upstream gradient, with the output padding of the text."""
    same(dx(case), sent_back(case))


@slip("convolution-input-gradient", blind=half_turn_symmetric)
def sent_back_through_the_turned_kernel(case):
    """Turn the kernel over in the transposed convolution, which turns it already."""
    return sent_back(replace(case, w=turned(case.w)), case.dy)


@slip("convolution-input-gradient")
def one_filter_sent_back(case):
    """Send back the gradient of the first filter of each group only."""
    kept = np.zeros_like(case.dy)
    kept[:, :: 6 // case.groups] = case.dy[:, :: 6 // case.groups]
    return sent_back(case, kept)


@dataclass(frozen=True)
class OneChannel(Symbols):
    """One channel, and an upstream gradient."""

    dy: np.ndarray

    @property
    def back(self):
        return convolution.conv2d_backward(self.dy[None, None], self.x[None, None], self.w[None, None]).dx[0, 0]


def one_channel(rng):
    """An image of 5 x 6, a kernel of 3 x 3, stride 1, no padding."""
    return OneChannel(rng.integers(-4, 5, (5, 6)), rng.permutation(9).reshape(3, 3), rng.integers(-4, 5, (3, 4)))


def full_convolution_back(case):
    # $$ \frac{\partial L}{\partial x} = g * W \ \text{(full)} $$
    return case.back


@claim("convolution-input-gradient-full", cases=one_channel)
def true_convolution_back(case, full_convolution_back=full_convolution_back):
    """The full true convolution of g and W by its definition."""
    y = np.zeros((5, 6), int)
    for i, j in itertools.product(np.ndindex(3, 4), np.ndindex(3, 3)):
        y[i[0] + j[0], i[1] + j[1]] += case.dy[i] * case.w[j]
    same(full_convolution_back(case), y)


@slip("convolution-input-gradient-full", blind=half_turned_kernel)
def correlated_back(case):
    """Slide the kernel back without turning it over."""
    return convolution.conv2d(case.dy[None, None], case.w[None, None], padding=2)[0, 0]


@steps("convolution-input-gradient-steps", cases=layer_of_one_group, ends_in=dx)
def dx_steps(case):
    """The chain rule over all outputs is a product with the transpose."""
    A = convolution.conv_matrix(case.w, case.x.shape[1:], **case.one_group)
    # \frac{\partial L}{\partial x_{c,o}}
    yield by_unit_changes(case, "x")
    # = \sum_f \sum_i g_{f,i}\,\frac{\partial y_{f,i}}{\partial x_{c,o}}
    yield np.array([(g[:, None] * A).sum(0) for g in case.dy.reshape(2, -1)]).reshape(case.x.shape)
    # = \sum_f \sum_{i,j} [\,\text{stride}\,i + \text{dilation}\,j - \text{padding} = o\,]\; W_{f,c,j}\,g_{f,i}
    yield sent_back(case)


def dw(case):
    # $$ \frac{\partial L}{\partial W_{f,c,j}}
    #    = \sum_i g_{f,i}\; x_{c,\ \text{stride}\,i + \text{dilation}\,j - \text{padding}} $$
    return convolution.conv2d_backward(case.dy, case.x, case.w, **case.options).dw


@claim("convolution-weight-gradient", cases=layer)
def w_changed_by_1(case, dw=dw):
    """The loss is linear in W: change each weight by 1, in whole numbers."""
    same(dw(case), by_unit_changes(case, "w"))


@claim("convolution-weight-gradient", cases=grid)
def dw_by_autograd(case, dw=dw):
    """PyTorch's autograd, on the grid of options."""
    same(dw(case), by_autograd(case)[1])


@slip("convolution-weight-gradient")
def averaged_over_the_batch(case):
    """Average over the images, where the loss sums."""
    return dw(case) // 2


@slip("convolution-weight-gradient")
def turned_weight_gradient(case):
    """Turn the gradient over, as if the kernel had been."""
    return turned(dw(case))


@slip("convolution-weight-gradient")
def first_image_only(case):
    """Take the first image for the batch."""
    return convolution.conv2d_backward(case.dy[:1], case.x[:1], case.w, **case.options).dw


def weights_one_by_one(case):
    """For each weight, the sum of g times what the layer makes of a kernel with that weight 1 and no other."""
    total, dy = np.zeros(case.w.shape, int), case.dy
    for index in np.ndindex(case.w.shape):
        unit = np.zeros_like(case.w)
        unit[index] = 1
        total[index] = (dy * case.forward(w=unit, b=0 * case.b)).sum()
    return total


@steps("convolution-weight-gradient-steps", cases=layer, ends_in=dw)
def dw_steps(case):
    """A weight acts at every position of the output."""
    # \frac{\partial L}{\partial W_{f,c,j}}
    yield by_unit_changes(case, "w")
    # = \sum_i g_{f,i}\,\frac{\partial y_{f,i}}{\partial W_{f,c,j}}
    yield weights_one_by_one(case)
    # = \sum_i g_{f,i}\; x_{c,\ \text{stride}\,i + \text{dilation}\,j - \text{padding}}
    yield dw(case)


def db(case):
    # $$ \frac{\partial L}{\partial b_f} = \sum_i g_{f,i} $$
    return convolution.conv2d_backward(case.dy, case.x, case.w, **case.options).db


@claim("convolution-bias-gradient", cases=layer)
def b_changed_by_1(case, db=db):
    """The loss is linear in b: change each bias by 1, in whole numbers."""
    same(db(case), by_unit_changes(case, "b"))


@claim("convolution-bias-gradient", cases=grid)
def db_by_autograd(case, db=db):
    """PyTorch's autograd, on the grid of options."""
    same(db(case), by_autograd(case)[2])


@slip("convolution-bias-gradient")
def bias_seen_once(case):
    """Let the bias act on the first image only."""
    return case.dy[0].sum((1, 2))


@slip("convolution-bias-gradient")
def mean_over_positions(case):
    """Average over the positions."""
    return np.rint(case.dy.mean((0, 2, 3))).astype(int)


def halved(case):
    """A loss that bends: half of the sum of the squares of y."""
    return convolution.conv2d_backward(case.forward(), case.x, case.w, **case.options)


def two_filters(rng):
    """One layer of two filters, on one image."""
    case = one_image(rng)
    return replace(case, w=case.w[:2], b=case.b[:2])


@claim("convolution-gradients-floats", cases=two_filters)
def bent_loss(case, halved=halved):
    """The three gradients of half the sum of squares, by a complex step."""
    gradients = halved(case)
    for name, value in (("x", gradients.dx), ("w", gradients.dw), ("b", gradients.db)):
        loss = lambda moved, name=name: (case.forward(**{name: moved}) ** 2).sum() / 2  # noqa: E731
        agree(value, complex_step(loss, getattr(case, name)))


@slip("convolution-gradients-floats")
def square_not_halved(case):
    """Forget the half: twice each gradient."""
    gradients = halved(case)
    return convolution.Gradients(2 * gradients.dx, 2 * gradients.dw, 2 * gradients.db)


# --- in the machine ---------------------------------------------------------------------------------------------------


@claim("convolution-bytes")
def bytes_do_not_wrap():
    """An image of bytes: 9 times 255 is 2295, not what is left of it in a byte."""
    x, w = np.full((1, 1, 3, 3), 255, np.uint8), np.ones((1, 1, 3, 3), np.uint8)
    same(convolution.conv2d(x, w), [[[[2295]]]])
    same(convolution.conv2d(np.full((1, 1, 2, 2), 2**62), np.ones((1, 1, 2, 2), int)), [[[[0]]]])
    same(convolution.avg_pool2d(x.astype(object), 3), [[[[255]]]])
    agree(convolution.avg_pool2d(np.full((1, 1, 2, 2), 1e308), 2), np.full((1, 1, 1, 1), 1e308))
    with np.errstate(over="ignore"):
        rounded = convolution.avg_pool2d(np.full((1, 1, 3, 3), np.finfo(float).max), 3)
    same(np.isinf(rounded), [[[[True]]]])
    refuses(lambda: convolution.max_pool2d(np.full((1, 1, 2, 2), 2**63, np.uint64), 2), naming="x")


@claim("convolution-precision", cases=layer)
def single_precision(case):
    """Every function in float32: the dtype stays, and the values are those of whole numbers."""
    x, w, b = (a.astype(np.float32) for a in (case.x, case.w, case.b))
    y = convolution.conv2d(x, w, b, **case.options)
    back = convolution.conv2d_backward(y, x, w, **case.options)
    pooled = convolution.avg_pool2d(x, 2), convolution.max_pool2d(x, 2)
    up = convolution.conv_transpose2d(y, w, **case.options)
    same([a.dtype == np.float32 for a in (y, back.dx, back.dw, back.db, *pooled, up)], [True] * 7)
    agree(y, case.forward(), tolerance=1e-6)


@claim("convolution-pure", cases=layer)
def nothing_changes(case):
    """Call everything twice on arrays that cannot be written to; results do not share memory with inputs."""
    x, w, b, dy = (a.copy() for a in (case.x, case.w, case.b, case.dy))
    for a in (x, w, b, dy):
        a.flags.writeable = False
    calls = (
        lambda: convolution.conv2d(x, w, b, **case.options),
        lambda: convolution.conv2d_backward(dy, x, w, **case.options).dx,
        lambda: convolution.conv2d_backward(dy, x, w, **case.options).dw,
        lambda: convolution.conv_transpose2d(dy, w, **case.options),
        lambda: convolution.max_pool2d(x, 1),
        lambda: convolution.avg_pool2d(x, 1),
        lambda: convolution.conv_matrix(w[0, 0], (7, 8)),
        lambda: convolution.convolve(b, b, "full"),
    )
    for call in calls:
        same(call(), call()) if call().dtype.kind == "i" else agree(call(), call())
        same([np.shares_memory(call(), a) for a in (x, w, b, dy)], [False] * 4)


BAD = {
    "x": [
        lambda: convolution.conv2d(np.ones((3, 3)), np.ones((1, 1, 2, 2))),
        lambda: convolution.conv2d(np.ones((1, 1, 3, 3), bool), np.ones((1, 1, 2, 2))),
        lambda: convolution.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), dilation=3),
        lambda: convolution.max_pool2d(np.ones((1, 1, 3, 3), complex), 2),
        lambda: convolution.avg_pool2d(np.ones((1, 1, 3, 3)), 4),
    ],
    "w": [
        lambda: convolution.conv2d(np.ones((1, 3, 5, 5)), np.ones((4, 1, 2, 2))),
        lambda: convolution.conv_transpose2d(np.ones((1, 3, 5, 5)), np.ones((4, 1, 2, 2))),
        lambda: convolution.conv_matrix(np.ones(3), (3, 3)),
    ],
    "b": [
        lambda: convolution.conv2d(np.ones((1, 3, 5, 5)), np.ones((4, 3, 2, 2)), np.ones(1)),
        lambda: convolution.conv_transpose2d(np.ones((1, 4, 5, 5)), np.ones((4, 3, 2, 2)), np.ones((3, 1))),
    ],
    "groups": [
        lambda: convolution.conv2d(np.ones((1, 4, 5, 5)), np.ones((3, 2, 2, 2)), groups=2),
        lambda: convolution.conv2d(np.ones((1, 4, 5, 5)), np.ones((4, 2, 2, 2)), groups=0),
    ],
    "stride": [
        lambda: convolution.conv2d(np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2)), stride=0),
        lambda: convolution.conv2d(np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2)), stride=(1, 2, 3)),
    ],
    "padding": [
        lambda: convolution.output_size(5, 3, padding=-1),
        lambda: convolution.max_pool2d(np.ones((1, 1, 5, 5)), 2, padding=2),
        lambda: convolution.avg_pool2d(np.ones((1, 1, 5, 5)), 1, padding=1),
        lambda: convolution.conv_transpose2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), padding=2),
    ],
    "dilation": [lambda: convolution.conv2d(np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2)), dilation=1.0)],
    "output_padding": [
        lambda: convolution.conv_transpose2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), output_padding=1)
    ],
    "kernel_size": [lambda: convolution.max_pool2d(np.ones((1, 1, 5, 5)), "2")],
    "n": [lambda: convolution.output_size(2, 3), lambda: convolution.output_size(True, 1)],
    "k": [lambda: convolution.output_size(2, 0), lambda: convolution.convolve(np.ones(3), np.ones(0), "full")],
    "a": [lambda: convolution.convolve(np.ones((3, 1)), np.ones(2), "full")],
    "mode": [lambda: convolution.convolve(np.ones(3), np.ones(2), "half")],
    "input_shape": [
        lambda: convolution.conv_matrix(np.ones((2, 2)), (3,)),
        lambda: convolution.conv_matrix(np.ones((2, 2)), (2, 3, 3)),
        lambda: convolution.conv_matrix(np.ones((2, 2)), (1, 3)),
    ],
    "dy": [lambda: convolution.conv2d_backward(np.ones((1, 1, 5, 5)), np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2)))],
}


@claim("convolution-bad-input")
def bad_input_by_name():
    """Every kind of bad argument, one at a time."""
    for name, calls in BAD.items():
        for call in calls:
            refuses(call, naming=name)
