"""Convolutions: the layer, its sizes, its matrix, its transpose, its gradients, and pooling."""

import itertools
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dlnotes import convolution
from dlnotes.check import agree, at_most, claim, complex_step, differ, every, need, note, proved, refuses, same, slip, steps

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

    def loss(self, x=None, w=None, b=None):
        return (self.dy * self.forward(x, w, b)).sum()


SETTINGS = [
    dict(zip(("stride", "padding", "dilation", "groups"), values, strict=True))
    for values in itertools.product((1, 2, (2, 3)), (0, 1, (1, 2)), (1, 2, (2, 1)), (1, 2))
]


def drawn(rng, options):
    """Whole numbers from -4 to 4, for these options. The kernels are 2 x 3 and 3 x 2 in turn."""
    kernel = (2, 3) if rng.integers(2) else (3, 2)
    x, b = rng.integers(-4, 5, (2, 4, 7, 8)), rng.integers(1, 5, 6)
    return Layer(x, rng.integers(-4, 5, (6, 4 // options["groups"], *kernel)), b, **options)


def layer(rng):
    """One layer, its options drawn."""
    return drawn(rng, SETTINGS[rng.integers(len(SETTINGS))])


def layer_of_one_group(rng):
    """One layer without groups, its other options drawn."""
    return drawn(rng, SETTINGS[2 * rng.integers(len(SETTINGS) // 2)])


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
    """Move an image right by one pixel, zeros entering: same columns inside, others at the border."""
    w, x = case.w, case.x
    right = np.concatenate([np.zeros_like(x[..., :1]), x[..., :-1]], axis=-1)
    before, after = (convolution.conv2d(image, w, padding=1) for image in (x, right))
    same(after[..., 1:-1], before[..., :-2])
    differ(after[..., -1], before[..., -2])


@claim("convolution-equivariance-border")
def border_column(n=8):
    """A constant image: the sum of the kernel inside, and less of it along the border."""
    y = convolution.conv2d(np.ones((1, 1, n, n), int), np.ones((1, 1, 3, 3), int), padding=1)[0, 0]
    same(y[0, :3], [4, 6, 6])
    same(y[1, :3], [6, 9, 9])


def mean_of_output(case):
    # $$ \frac{1}{N} \sum_i y_{f,i}(\mathcal T x) = \frac{1}{N} \sum_i y_{f,i}(x) $$
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
    """Every kernel of three entries from -1 to 1, on every signal with one entry 1: equal if, and only if, symmetric."""
    kernels = [np.array(kernel) for kernel in itertools.product((-1, 0, 1), repeat=3)]

    def holds(W):
        pairs = [(np.correlate(e, W, "full"), convolution.convolve(e, W, "full")) for e in np.eye(4, dtype=int)]
        return all((a == b).all() for a, b in pairs) == bool((W == W[::-1]).all())

    every(kernels, holds)


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
    torch = need("torch")
    x, W = tensors(case, case.x[None, None], case.W[::-1][None, None])
    numpy, other = two_readings(case)
    same(numpy, np.convolve(case.x, case.W, "same"))
    same(other, whole(torch.nn.functional.conv1d(x, W, padding="same"))[0, 0])


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
    # $$ \max_i \lvert y_{i+1} - y_i \rvert:\ 3 \to \tfrac34, \qquad \sum_i \lvert y_{i+1} - y_i \rvert:\ 6 \to \tfrac32 $$
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
