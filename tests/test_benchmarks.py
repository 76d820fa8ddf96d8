"""The fast core: the formulas that its tricks rest on, and that each function is the one of its chapter.

Letters, as on the page. An RNN has arrays (T, B, D) and (T, B, H); a layer has x (N, C, H, W) and w (F, C, kH, kW).
"""

from dataclasses import astuple, dataclass, replace
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from dlnotes import activation, batch_norm, bptt, convolution, core, newton, softmax
from dlnotes.check import agree, at_most, claim, complex_step, proved, refuses, same, slip, steps

# --- what several claims use ------------------------------------------------------------------------------------------


def all_agree(values, references, **options):
    """Each array agrees with its reference."""
    for value, reference in zip(values, references, strict=True):
        agree(value, reference, **options)


def all_same(values, references):
    """Each array is its reference, exactly."""
    for value, reference in zip(values, references, strict=True):
        same(value, reference)


def flat(pairs):
    """The arrays of a list of pairs."""
    return [array for pair in pairs for array in pair]


def letters(name, *shape):
    """An array of real SymPy symbols."""
    import sympy

    return np.array(sympy.symbols(f"{name}:{int(np.prod(shape))}", real=True), dtype=object).reshape(shape)


class Counted(np.ndarray):
    """An array that says how many multiplications each matrix product took."""

    tally: list = []  # noqa: RUF012

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [plainly(a) for a in inputs]
        if ufunc is np.matmul:
            note_product(*plain)
        if out is not None:
            options["out"] = tuple(plainly(a) for a in out)
        result = getattr(ufunc, method)(*plain, **options)
        return result.view(Counted) if isinstance(result, np.ndarray) else result

    def dot(self, other, out=None):
        note_product(self, other)
        result = np.dot(plainly(self), plainly(other), out if out is None else plainly(out))
        return result.view(Counted)


def plainly(a):
    return a.view(np.ndarray) if isinstance(a, Counted) else a


def note_product(a, b):
    Counted.tally.append(int(np.prod(a.shape) * (b.shape[-1] if b.ndim > 1 else 1)))


class CountingNumpy:
    """NumPy, whose arrays count. Inside `with`, a module reads this instead of NumPy, and runs its own code."""

    def __init__(self, module):
        self.module, self.products, self.exponentials = module, [], 0

    def __enter__(self):
        Counted.tally, self.module.np = self.products, self
        return self

    def __exit__(self, *problem):
        self.module.np = np

    def __getattr__(self, name):
        return getattr(np, name)

    def ascontiguousarray(self, a):
        return np.ascontiguousarray(a).view(Counted)

    def asarray(self, a):
        return np.asarray(a).view(Counted)

    def empty(self, shape, dtype=float):
        return np.empty(shape, dtype).view(Counted)

    def dot(self, a, b, out=None):
        return a.dot(b, out)

    def exp(self, a, out=None):
        self.exponentials += a.size
        return np.exp(a, out=out)


# --- the recurrent network: what the time goes into -------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network, from small numbers that differ."""

    T: int
    B: int
    D: int
    H: int


def network_sizes():
    yield Sizes(5, 3, 2, 4)
    yield Sizes(2, 7, 3, 5)
    yield Sizes(6, 1, 4, 3)


def multiplications(case):
    # $$ T B D_{\mathrm h} (D_{\mathrm h} + D) \ \text{forward}, \qquad
    #    2\,T B D_{\mathrm h} (D_{\mathrm h} + D) \ \text{back} $$
    once = case.T * case.B * case.H * (case.H + case.D)
    return np.array([once, 2 * once])


@claim("benchmarks-rnn-operations", cases=network_sizes)
def products_of_the_network_counted(case, multiplications=multiplications):
    """The core runs on arrays that count. It makes T + 1 products forward and T + 3 back."""
    network = sequences_of(np.random.default_rng(0), case.T, case.B, case.D, case.H)
    with CountingNumpy(core.rnn) as there:
        saved = core.rnn.forward(*network.inputs)[1]
    with CountingNumpy(core.rnn) as back:
        core.rnn.backward(network.dh, saved)
    same(multiplications(case), [sum(there.products), sum(back.products)])
    same([len(there.products), len(back.products)], [case.T + 1, case.T + 3])


@slip("benchmarks-rnn-operations")
def backward_counted_once(case):
    """Count one product back for each product forward: each has two factors, and two gradients."""
    return multiplications(case)[[0, 0]]


# --- the recurrent network: sigmoid by tanh ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """A number, or an array of them, or a symbol."""

    a: Any
    exp: Any = np.exp

    def tanh(self, a):
        return (self.exp(2 * a) - 1) / (self.exp(2 * a) + 1)


def points(rng):
    return Point(rng.normal(size=7) * 3)


def any_point():
    """a = 2 log t for any positive t: the exponentials are then powers of t."""
    import sympy

    yield Point(2 * sympy.log(sympy.Symbol("t", positive=True)), sympy.exp)


def sigmoid(case):
    # $$ \sigma(a) = \frac12 \Bigl( 1 + \tanh \frac a2 \Bigr) $$
    return (1 + case.tanh(case.a / 2)) / 2


@claim("benchmarks-sigmoid-by-tanh", cases=any_point)
def sigmoid_in_symbols(case, sigmoid=sigmoid):
    """For any real number, in symbols, from the two definitions."""
    same(sigmoid(case), 1 / (1 + case.exp(-case.a)))


@claim("benchmarks-sigmoid-by-tanh", cases=points)
def sigmoid_of_the_chapter(case, sigmoid=sigmoid):
    """The chapter's sigmoid, beside this formula with its tanh written out; and NumPy's tanh is that one."""
    agree(sigmoid(case), activation.sigmoid(case.a))
    agree(case.tanh(case.a), np.tanh(case.a), scale=1)


def at_zero(case):
    """At a = 0, where both are 1/2."""
    return replace(case, a=0 * case.a)


@slip("benchmarks-sigmoid-by-tanh", blind=at_zero)
def halved_outside_only(case):
    """Halve the result and not the argument."""
    return (1 + case.tanh(case.a)) / 2


@slip("benchmarks-sigmoid-by-tanh")
def not_moved(case):
    """Halve tanh without bringing its range from (-1, 1) to (0, 1)."""
    return case.tanh(case.a / 2) / 2


@steps("benchmarks-sigmoid-by-tanh-steps", cases=(points, any_point), ends_in=sigmoid)
def sigmoid_steps(case):
    """Multiply above and below by the exponential of a / 2, then add and subtract half of the denominator."""
    up, down = case.exp(case.a / 2), case.exp(-case.a / 2)
    # \sigma(a)
    yield 1 / (1 + case.exp(-case.a))
    # = \frac{e^{a/2}}{e^{a/2} + e^{-a/2}}
    yield up / (up + down)
    # = \frac12 \Bigl( 1 + \frac{e^{a/2} - e^{-a/2}}{e^{a/2} + e^{-a/2}} \Bigr)
    yield (1 + (up - down) / (up + down)) / 2
    # = \frac12 \Bigl( 1 + \tanh \frac a2 \Bigr)
    yield (1 + case.tanh(case.a / 2)) / 2


# --- the recurrent network: the same states, by tanh ------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One step of one sequence: the state before (H,), the input (D,), the weights."""

    before: np.ndarray
    x: np.ndarray
    W: np.ndarray
    U: np.ndarray

    def grown(self, z):
        return np.exp(z)

    def sigmoid(self, z):
        return self.grown(z) / (1 + self.grown(z))

    def tanh(self, z):
        return (self.grown(2 * z) - 1) / (self.grown(2 * z) + 1)

    @property
    def s_before(self):
        return 2 * self.before - 1

    @property
    def half(self):
        return Fraction(1, 2) if self.W.dtype == object else 0.5


class SymbolicStep(Step):
    """The same in symbols."""

    def grown(self, z):
        import sympy

        return np.array([sympy.exp(sympy.expand(entry)) for entry in z])


def step_drawn(rng):
    return Step(rng.uniform(0.1, 0.9, 3), rng.normal(size=2), rng.normal(size=(3, 3)), rng.normal(size=(3, 2)))


def any_step():
    yield SymbolicStep(letters("h", 2), letters("x", 1), letters("W", 2, 2), letters("U", 2, 1))


def s_after(case):
    # $$ s_t = \tanh\Bigl( \tfrac14 W s_{t-1} + \tfrac12 U x_t + \tfrac14 W \mathbf 1 \Bigr),
    #    \qquad s_t = 2 h_t - 1 $$
    quarter = case.half**2
    return case.tanh(quarter * (case.W @ case.s_before) + case.half * (case.U @ case.x) + quarter * case.W.sum(1))


def s_by_definition(case):
    return 2 * case.sigmoid(case.W @ case.before + case.U @ case.x) - 1


@claim("benchmarks-rnn-as-tanh", cases=any_step)
def step_in_symbols(case, s_after=s_after):
    """A step of two units and one input, in symbols."""
    same(s_after(case), s_by_definition(case))


@claim("benchmarks-rnn-as-tanh", cases=step_drawn)
def step_by_the_core(case, s_after=s_after):
    """Twice the state that the core gives, less 1; three units and two inputs."""
    h, _ = core.rnn.forward(case.x[None, None], case.before[None], case.W, case.U)
    agree(s_after(case), 2 * h[0, 0] - 1)


@slip("benchmarks-rnn-as-tanh")
def row_sums_forgotten(case):
    """Rescale the weights, and forget that h is (1 + s) / 2: the constant goes through W too."""
    return case.tanh(case.half**2 * (case.W @ case.s_before) + case.half * (case.U @ case.x))


@slip("benchmarks-rnn-as-tanh")
def inputs_quartered(case):
    """Rescale U as W: but x is not a state, and is halved once."""
    quarter = case.half**2
    return case.tanh(quarter * (case.W @ case.s_before + case.U @ case.x + case.W.sum(1)))


@slip("benchmarks-rnn-as-tanh")
def column_sums(case):
    """Add up the columns of W instead of its rows."""
    quarter = case.half**2
    return case.tanh(quarter * (case.W @ case.s_before) + case.half * (case.U @ case.x) + quarter * case.W.sum(0))


@steps("benchmarks-rnn-as-tanh-steps", cases=(step_drawn, any_step), ends_in=s_after)
def step_steps(case):
    """Each state is (1 + s) / 2, so that W meets half of s and half of ones."""
    W, U, x, half = case.W, case.U, case.x, case.half
    # 2 h_t - 1
    yield 2 * case.sigmoid(W @ case.before + U @ x) - 1
    # = \tanh\Bigl( \tfrac12 \bigl( W h_{t-1} + U x_t \bigr) \Bigr)
    yield case.tanh(half * (W @ case.before + U @ x))
    # = \tanh\Bigl( \tfrac12 \bigl( W\,\tfrac12 (\mathbf 1 + s_{t-1}) + U x_t \bigr) \Bigr)
    yield case.tanh(half * (W @ (half * (1 + case.s_before)) + U @ x))
    # = \tanh\Bigl( \tfrac14 W s_{t-1} + \tfrac12 U x_t + \tfrac14 W \mathbf 1 \Bigr)
    yield case.tanh(half**2 * (W @ case.s_before) + half * (U @ x) + half**2 * W.sum(1))


# --- the recurrent network: forward and backward ----------------------------------------------------------------------


@dataclass(frozen=True)
class Sequences:
    """T steps of B sequences, and the gradient of each step's own loss."""

    x: np.ndarray  # (T, B, D)
    h0: np.ndarray  # (B, H)
    W: np.ndarray
    U: np.ndarray
    dh: np.ndarray  # (T, B, H)

    def states(self, x, h0, W, U):
        """The definition, step after step; complex numbers too."""
        h = [h0]
        for x_t in x:
            h.append(1 / (1 + np.exp(-(h[-1] @ W.T + x_t @ U.T))))
        return np.array(h)

    @property
    def inputs(self):
        return self.x, self.h0, self.W, self.U

    @property
    def h(self):
        return self.states(*self.inputs)

    @property
    def dz(self):
        """The gradient by the pre-activations."""
        dz, later, slope = np.empty(self.dh.shape), 0 * self.h0, self.h[1:] * (1 - self.h[1:])
        for t in reversed(range(len(dz))):
            dz[t] = slope[t] * (self.dh[t] + later)
            later = dz[t] @ self.W
        return dz

    def loss(self, **moved):
        """The sum of dh times the states, as a function of one of the inputs."""
        inputs = {"x": self.x, "h0": self.h0, "W": self.W, "U": self.U} | moved
        return (self.dh * self.states(**inputs)[1:]).sum()


def sequences_of(rng, T, B, D, H):
    shapes = (T, B, D), (B, H), (H, H), (H, D), (T, B, H)
    x, h0, W, U, dh = (rng.normal(size=shape) for shape in shapes)
    return Sequences(x, activation.sigmoid(h0), 1.5 * W, U, dh + 0.5)


def sequences(rng):
    return sequences_of(rng, 5, 3, 2, 4)


def one_sequence_and_many():
    """Several sequences, one sequence, and more sequences than steps."""
    rng = np.random.default_rng(3)
    yield sequences_of(rng, 5, 3, 2, 4)
    yield sequences_of(rng, 7, 1, 2, 3)
    yield sequences_of(rng, 2, 4, 5, 3)


def h(case):
    # $$ h_t = \sigma(W h_{t-1} + U x_t) $$
    return core.rnn.forward(*case.inputs)[0]


@claim("benchmarks-rnn-forward", cases=one_sequence_and_many)
def states_of_the_chapter(case, h=h):
    """The states of `bptt.forward`, for several sequences and for one."""
    agree(h(case), bptt.forward(*case.inputs)[0])


@claim("benchmarks-rnn-forward", cases=sequences)
def states_by_definition(case, h=h):
    """The recurrence written out; and in pieces, as when the states do not fit in the cache."""
    agree(h(case), case.h[1:])
    block, core.rnn.BLOCK = core.rnn.BLOCK, 200  # bytes: two steps at once
    try:
        agree(core.rnn.forward(*case.inputs)[0], case.h[1:])
    finally:
        core.rnn.BLOCK = block


@slip("benchmarks-rnn-forward")
def weights_transposed(case):
    """Multiply by W where a row of states asks for its transpose."""
    return bptt.forward(case.x, case.h0, case.W.T, case.U)[0]


@slip("benchmarks-rnn-forward")
def tanh_units(case):
    """Take torch.nn.RNN's tanh without rescaling its weights."""
    states = [case.h0]
    for x_t in case.x:
        states.append(np.tanh(states[-1] @ case.W.T + x_t @ case.U.T))
    return np.array(states[1:])


def stacked(case):
    # $$ \sum_{t=1}^T \frac{\partial L}{\partial z_t}\, h_{t-1}^\top
    #    = \begin{pmatrix} \dfrac{\partial L}{\partial z_1} & \cdots & \dfrac{\partial L}{\partial z_T} \end{pmatrix}
    #    \begin{pmatrix} h_0^\top \\ \vdots \\ h_{T-1}^\top \end{pmatrix} $$
    dz, h = case
    return dz.reshape(-1, dz.shape[2]).T @ h.reshape(-1, h.shape[2])


def any_steps():
    """Two steps of two sequences, two units, three states."""
    yield letters("z", 2, 2, 2), letters("h", 2, 2, 3)


@claim("benchmarks-rnn-stacked", cases=any_steps)
def one_outer_product_at_a_time(case, stacked=stacked):
    """The sum of the outer products, one step and one sequence at a time, in symbols."""
    dz, h = case
    same(stacked(case), sum(np.outer(dz[t, b], h[t, b]) for t in range(2) for b in range(2)))


@slip("benchmarks-rnn-stacked")
def last_step_only(case):
    """Keep the outer products of the last step."""
    return case[0][-1].T @ case[1][-1]


def gradients(case):
    # $$ \frac{\partial L}{\partial z_t}
    #    = h_t \odot (1 - h_t) \odot \Bigl( g_t + W^\top \frac{\partial L}{\partial z_{t+1}} \Bigr),
    #    \qquad \frac{\partial L}{\partial z_{T+1}} = 0 $$
    found = core.rnn.backward(case.dh, core.rnn.forward(*case.inputs)[1])
    return found.dW, found.dU, found.dx, found.dh0


@claim("benchmarks-rnn-gradients", cases=one_sequence_and_many)
def gradients_of_the_chapter(case, gradients=gradients):
    """The four gradients of `bptt.backward`."""
    expected = bptt.backward(case.dh, bptt.forward(*case.inputs)[1])
    all_agree(gradients(case), (expected.dW, expected.dU, expected.dx, expected.dh0))


@claim("benchmarks-rnn-gradients", cases=sequences)
def gradients_by_complex_step(case, gradients=gradients):
    """The derivative of the loss by each entry of W, U, x and h0."""
    dW, dU, dx, dh0 = gradients(case)
    for name, value in (("W", dW), ("U", dU), ("x", dx), ("h0", dh0)):
        agree(value, complex_step(lambda moved, name=name: case.loss(**{name: moved}), getattr(case, name)))


def drawn(rng, *shape):
    return np.array([Fraction(int(n), 6) for n in rng.integers(-9, 10, np.prod(shape))], dtype=object).reshape(shape)


@claim("benchmarks-rnn-gradients")
def gradients_in_fractions():
    """The core's own backward pass on rational numbers, beside the chapter's: equal to the last digit."""
    rng = np.random.default_rng(5)
    x, states, W, U, dh = (drawn(rng, *s) for s in ((3, 2, 2), (4, 2, 3), (3, 3), (3, 2), (3, 2, 3)))
    ours = core.rnn.backward(dh, core.rnn.Saved(x, states, W, U))
    theirs = bptt.backward(dh, bptt.Saved(x, states[0], states[1:], W, U))
    all_same(astuple(ours), astuple(theirs))


@slip("benchmarks-rnn-gradients")
def later_losses_forgotten(case):
    """Stop the gradient at each step: only its own loss is followed."""
    slope = case.h[1:] * (1 - case.h[1:]) * case.dh
    rows = slope.reshape(-1, slope.shape[2])
    before, inputs = case.h[:-1].reshape(len(rows), -1), case.x.reshape(len(rows), -1)
    return rows.T @ before, rows.T @ inputs, slope @ case.U, slope[0] @ case.W


@slip("benchmarks-rnn-gradients")
def states_not_shifted(case):
    """Multiply by the state after the step where the state before it entered."""
    expected = bptt.backward(case.dh, bptt.forward(*case.inputs)[1])
    dz = case.dz.reshape(-1, case.dz.shape[2])
    return dz.T @ case.h[1:].reshape(len(dz), -1), expected.dU, expected.dx, expected.dh0


# --- convolution: what the time goes into -----------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerSizes:
    N: int
    C: int
    F: int
    kernel: tuple
    size: tuple

    @property
    def out(self):
        return tuple(n - k + 1 for n, k in zip(self.size, self.kernel, strict=True))


def layer_sizes():
    yield LayerSizes(2, 3, 4, (3, 2), (5, 6))
    yield LayerSizes(5, 2, 3, (1, 3), (2, 7))


def layer_multiplications(case):
    # $$ 3\,N F C\, k_{\mathrm h} k_{\mathrm w} $$
    positions = case.N * case.out[0] * case.out[1]
    return 3 * positions * case.F * case.C * case.kernel[0] * case.kernel[1]


@claim("benchmarks-convolution-operations", cases=layer_sizes)
def weights_of_the_matrix_counted(case, layer_multiplications=layer_multiplications):
    """The layer is linear in x, and in W: one product for each entry of its matrices that is not zero.

    The matrix by x multiplies forward, its transpose multiplies for the gradient by x; the transpose of the matrix by W
    multiplies for the gradient by W.
    """
    shape, pixels = (case.F, case.C, *case.kernel), np.ones((1, case.C, *case.size), dtype=int)
    by_x = convolution.conv_matrix(np.ones(shape, dtype=int), pixels.shape[1:])
    weights = np.eye(np.prod(shape), dtype=int).reshape(-1, *shape)
    by_w = np.array([convolution.conv2d(pixels, w).ravel() for w in weights])
    same(layer_multiplications(case), case.N * (2 * np.count_nonzero(by_x) + np.count_nonzero(by_w)))


@slip("benchmarks-convolution-operations")
def one_gradient_counted(case):
    """Count the way back as one product: there are two, by x and by W."""
    return layer_multiplications(case) * 2 // 3


# --- convolution: direct ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """A convolution layer of whole numbers, and the gradient of its output."""

    x: np.ndarray  # (N, C, H, W)
    w: np.ndarray  # (F, C/groups, kH, kW)
    b: np.ndarray  # (F,)
    dy: np.ndarray
    options: dict
    algorithm: Any = "direct"

    @property
    def floats(self):
        return tuple(a.astype(float) for a in (self.x, self.w, self.b, self.dy))

    def chapter(self, w=None, b=True):
        """y, with another kernel, or without its bias."""
        return convolution.conv2d(self.x, self.w if w is None else w, self.b if b else None, **self.options)

    def chapter_gradients(self, w=None):
        found = convolution.conv2d_backward(self.dy, self.x, self.w if w is None else w, **self.options)
        return found.dx, found.dw, found.db


def layer_of(seed, x_shape, w_shape, **options):
    rng = np.random.default_rng(seed)
    x, w, b = (rng.integers(-9, 10, shape) for shape in (x_shape, w_shape, w_shape[:1]))
    y = convolution.conv2d(x, w, b, **options)
    return Layer(x, w, b + 11, rng.integers(-9, 10, y.shape) + 3, options)


def whole_layers():
    """Small layers, which are one product; and layers with more than 2^16 copies, which are one product a row."""
    yield layer_of(0, (2, 3, 7, 6), (4, 3, 3, 3), padding=1)
    yield layer_of(1, (2, 4, 9, 8), (6, 2, 3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
    yield layer_of(2, (2, 6, 24, 22), (4, 6, 4, 3), padding=(2, 1))
    yield layer_of(3, (3, 12, 23, 25), (4, 6, 5, 3), stride=(2, 1), padding=(0, 2), dilation=(1, 2), groups=2)


def exactly(a):
    """Floating-point numbers as the rational numbers that they are."""
    return np.array([int(v) if v == int(v) else Fraction(v) for v in a.flat], dtype=object).reshape(a.shape)


def y_direct(case):
    # $$ y_{f,i} = b_f + \sum_{c,j} W_{f,c,j}\; x_{c,\ \text{stride}\,i + \text{dilation}\,j - \text{padding}} $$
    x, w, b, _ = case.floats
    return exactly(core.conv2d(x, w, b, **case.options, algorithm="direct"))


@claim("benchmarks-convolution-direct", cases=whole_layers)
def whole_output_of_the_chapter(case, y_direct=y_direct):
    """On whole numbers: the chapter's layer in integers, to the last digit, with strides, holes and groups."""
    same(y_direct(case), case.chapter())


def half_turn_symmetric(case):
    """A kernel that a half turn does not change."""
    return replace(case, w=case.w + case.w[..., ::-1, ::-1])


def no_bias(case):
    """b = 0."""
    return replace(case, b=0 * case.b)


@slip("benchmarks-convolution-direct", blind=half_turn_symmetric)
def kernel_turned_over(case):
    """Turn the kernel over: that is the true convolution."""
    return case.chapter(case.w[..., ::-1, ::-1])


@slip("benchmarks-convolution-direct", blind=no_bias)
def bias_forgotten(case):
    """Leave the bias out."""
    return case.chapter(b=False)


def gradients_direct(case):
    # $$ \frac{\partial L}{\partial x_{c,o}} = \sum_f \sum_{i,j}
    #    [\,\text{stride}\,i + \text{dilation}\,j - \text{padding} = o\,]\; W_{f,c,j}\,g_{f,i} $$
    # $$ \frac{\partial L}{\partial W_{f,c,j}}
    #    = \sum_i g_{f,i}\; x_{c,\ \text{stride}\,i + \text{dilation}\,j - \text{padding}}, \qquad
    #    \frac{\partial L}{\partial b_f} = \sum_i g_{f,i} $$
    x, w, _, dy = case.floats
    found = core.conv2d_backward(dy, x, w, **case.options, algorithm="direct")
    return exactly(found.dx), exactly(found.dw), exactly(found.db)


@claim("benchmarks-convolution-gradients", cases=whole_layers)
def whole_gradients_of_the_chapter(case, gradients_direct=gradients_direct):
    """On whole numbers: the chapter's three gradients in integers."""
    all_same(gradients_direct(case), case.chapter_gradients())


@slip("benchmarks-convolution-gradients", blind=half_turn_symmetric)
def kernel_turned_over_on_the_way_back(case):
    """Send the gradient back through the kernel turned over."""
    dx, dw, db = case.chapter_gradients(case.w[..., ::-1, ::-1])
    return dx, dw, db


@slip("benchmarks-convolution-gradients")
def images_averaged(case):
    """Take the mean over the images for the gradients of W and b."""
    dx, dw, db = case.chapter_gradients()
    return dx, dw * Fraction(1, len(case.x)), db * Fraction(1, len(case.x))


@dataclass(frozen=True)
class Picture:
    """One channel, one filter."""

    x: np.ndarray  # (H, W)
    w: np.ndarray  # (kH, kW)

    @property
    def out(self):
        return tuple(n - k + 1 for n, k in zip(self.x.shape, self.w.shape, strict=True))

    def correlation(self, w=None):
        w = self.w if w is None else w
        y = np.zeros(self.out, dtype=object)
        for i in np.ndindex(self.out):
            y[i] = sum(w[j] * self.x[i[0] + j[0], i[1] + j[1]] for j in np.ndindex(w.shape))
        return y


def any_picture():
    """5 x 4 pixels and a 3 x 2 kernel, in symbols."""
    yield Picture(letters("x", 5, 4), letters("W", 3, 2))


def by_rows(case):
    # $$ y_{i_1, i_2}
    #    = \sum_{j=0}^{k_{\mathrm h} k_{\mathrm w} - 1} \operatorname{vec}(W)_j\; X_{k_{\mathrm w} i_1 + j,\ i_2},
    #    \qquad X_{k_{\mathrm w} i_1 + j_2,\ i_2} = x_{i_1,\ i_2 + j_2} $$
    (kH, kW), (Ho, Wo) = case.w.shape, case.out
    X = np.stack([case.x[:, j : j + Wo] for j in range(kW)], axis=1).reshape(-1, Wo)
    return np.stack([case.w.ravel() @ X[kW * i : kW * i + kH * kW] for i in range(Ho)])


@claim("benchmarks-shifted-copies", cases=any_picture)
def rows_of_copies_in_symbols(case, by_rows=by_rows):
    """The definition, for any pixels and any weights."""
    same(by_rows(case), case.correlation())


@slip("benchmarks-shifted-copies")
def copies_not_interleaved(case):
    """Store the copies one after the other: the rows that an output sees are then no neighbours."""
    (kH, kW), (Ho, Wo) = case.w.shape, case.out
    X = np.stack([case.x[:, j : j + Wo] for j in range(kW)]).reshape(-1, Wo)
    return np.stack([case.w.ravel() @ X[kW * i : kW * i + kH * kW] for i in range(Ho)])


# --- convolution: Winograd --------------------------------------------------------------------------------------------

_G = [["1/4", 0, 0], ["-1/6", "-1/6", "-1/6"], ["-1/6", "1/6", "-1/6"]]
_G += [["1/24", "1/12", "1/6"], ["1/24", "-1/12", "1/6"], [0, 0, 1]]
_BT = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0]]
_BT += [[0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
_AT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


def rational(rows):
    return np.array([[Fraction(entry) for entry in row] for row in rows], dtype=object)


BT, G, AT = rational(_BT), rational(_G), rational(_AT)


@dataclass(frozen=True)
class Tile:
    """Six pixels of one line, three weights, and the gradient of the four outputs."""

    x: np.ndarray
    w: np.ndarray
    g: np.ndarray


def any_tile():
    yield Tile(letters("x", 6), letters("W", 3), letters("g", 4))


def y_of_tile(case):
    # $$ y = A^\top \bigl( (G\,W) \odot (B^\top x) \bigr) $$
    # $$ B^\top = \begin{pmatrix} 4 & 0 & -5 & 0 & 1 & 0 \\ 0 & -4 & -4 & 1 & 1 & 0 \\ 0 & 4 & -4 & -1 & 1 & 0 \\
    #    0 & -2 & -1 & 2 & 1 & 0 \\ 0 & 2 & -1 & -2 & 1 & 0 \\ 0 & 4 & 0 & -5 & 0 & 1 \end{pmatrix}, \quad
    #    G = \frac{1}{24} \begin{pmatrix} 6 & 0 & 0 \\ -4 & -4 & -4 \\ -4 & 4 & -4 \\
    #    1 & 2 & 4 \\ 1 & -2 & 4 \\ 0 & 0 & 24 \end{pmatrix} $$
    # $$ A^\top = \begin{pmatrix} 1 & 1 & 1 & 1 & 1 & 0 \\ 0 & 1 & -1 & 2 & -2 & 0 \\ 0 & 1 & 1 & 4 & 4 & 0 \\
    #    0 & 1 & -1 & 8 & -8 & 1 \end{pmatrix} $$
    return AT @ ((G @ case.w) * (BT @ case.x))


@claim("benchmarks-winograd-axis", cases=any_tile)
def four_outputs_in_symbols(case, y_of_tile=y_of_tile):
    """The correlation, for any six pixels and any three weights."""
    same(y_of_tile(case), [sum(case.w[j] * case.x[i + j] for j in range(3)) for i in range(4)])


@slip("benchmarks-winograd-axis")
def true_convolution(case):
    """Give the kernel turned over, as the algorithm of Toom and Cook multiplies polynomials."""
    return y_of_tile(replace(case, w=case.w[::-1]))


@slip("benchmarks-winograd-axis")
def denominators_forgotten(case):
    """Evaluate the kernel at the points 0, 1, -1, 2, -2 and leave out the factors 1/4, -1/6, 1/24."""
    powers = np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 1]], dtype=object)
    return AT @ ((powers @ case.w) * (BT @ case.x))


def weight_gradient_of_tile(case):
    # $$ \frac{\partial L}{\partial W} = G^\top \bigl( (A\,g) \odot (B^\top x) \bigr) $$
    return G.T @ ((AT.T @ case.g) * (BT @ case.x))


@claim("benchmarks-winograd-weight-gradient", cases=any_tile)
def weight_gradient_in_symbols(case, weight_gradient_of_tile=weight_gradient_of_tile):
    """The correlation of the pixels with the gradient, for any tile."""
    same(weight_gradient_of_tile(case), [sum(case.g[i] * case.x[i + j] for i in range(4)) for j in range(3)])


@slip("benchmarks-winograd-weight-gradient")
def four_weights_transformed_anew(case):
    """Take a layer with the gradient as its kernel, and F(4, 3) for it: it has four weights, not three."""
    return (AT @ ((G @ case.g[:3]) * (BT @ case.x)))[:3]


def read_transforms(dtype):
    """Those of the core, as the rational numbers with small denominators that they are meant to be."""
    found = core.convolution._winograd._transforms(np.dtype(dtype))
    return [np.array([Fraction(float(v)).limit_denominator(576) for v in m.flat]).reshape(m.shape) for m in found]


transforms_of_the_core = cache(read_transforms)


def picture_tile(rng):
    """6 x 6 pixels, 3 x 3 weights, in rational numbers."""
    return Picture(drawn(rng, 6, 6), drawn(rng, 3, 3))


def tile_by_winograd(case):
    # $$ \operatorname{vec}(y) = (A \otimes A)^\top \Bigl( (G \otimes G) \operatorname{vec}(W)
    #    \odot (B \otimes B)^\top \operatorname{vec}(x) \Bigr) $$
    image, kernel, back = transforms_of_the_core("float64")
    return (back @ ((kernel @ case.w.ravel()) * (image @ case.x.ravel()))).reshape(4, 4)


@claim("benchmarks-winograd-plane", cases=picture_tile)
def tiles_by_definition(case, tile_by_winograd=tile_by_winograd):
    """The definition, in rational numbers, with the matrices that the core uses."""
    same(tile_by_winograd(case), case.correlation())


@claim("benchmarks-winograd-plane")
def each_pixel_with_each_weight():
    """Both sides are linear in x and in W: it is enough that they agree on each pixel with each weight, 5184 numbers.

    The matrices are those of the core, in both precisions.
    """
    image, kernel, back = transforms_of_the_core("float64")
    ours = np.einsum("om,mp,mq->opq", *((m * d).astype(int) for m, d in ((back, 1), (image, 1), (kernel, 576))))
    theirs = np.zeros((4, 4, 6, 6, 3, 3), dtype=int)
    for i, j, k, m in np.ndindex(4, 4, 3, 3):
        theirs[i, j, i + k, j + m, k, m] = 576
    same(ours, theirs.reshape(ours.shape))
    all_same(transforms_of_the_core("float32"), (image, kernel, back))


@slip("benchmarks-winograd-plane")
def one_axis_only(case):
    """Transform the rows, and take the products before the columns are transformed."""
    return AT @ ((G @ case.w @ np.ones((3, 6), dtype=int)) * (BT @ case.x)) @ AT.T


class Tallied:
    """A number that knows how often two of its kind were multiplied."""

    count = 0

    def __mul__(self, other):
        Tallied.count += isinstance(other, Tallied)
        return self

    def __add__(self, other):
        return self

    __radd__, __rmul__ = __add__, __mul__


@dataclass(frozen=True)
class Patch:
    m: int  # outputs along each axis
    k: int  # weights along each axis


def patches():
    yield Patch(4, 3)


def products(case):
    # $$ (4 + 3 - 1)^2 = 36, \qquad 4^2 \cdot 3^2 = 144 $$
    return np.array([(case.m + case.k - 1) ** 2, case.m**2 * case.k**2])


@claim("benchmarks-winograd-products", cases=patches)
def products_counted(case, products=products):
    """Both run on numbers that count the products of a pixel and a weight."""
    tallied = Picture(*(np.array([Tallied() for _ in range(n * n)]).reshape(n, n) for n in (6, 3)))
    counts = []
    for run in (tile_by_winograd, Picture.correlation):
        Tallied.count = 0
        run(tallied)
        counts.append(Tallied.count)
    same(products(case), counts)


@slip("benchmarks-winograd-products")
def one_axis_counted(case):
    """Count 6 products where 12 stood: that is one axis."""
    return np.array([case.m + case.k - 1, case.m * case.k])


# --- convolution: Fourier ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """n pixels and as many weights, zeros behind the kernel; g is a gradient."""

    x: np.ndarray
    w: np.ndarray
    g: np.ndarray

    @property
    def n(self):
        return len(self.x)

    @property
    def waves(self):
        """e^{-i omega j}, one row a frequency."""
        return np.fft.fft(np.eye(self.n))

    def fft(self, a):
        return self.waves @ a

    def ifft(self, a):
        return self.conj(self.waves) @ a / self.n

    def conj(self, a):
        return np.conj(a)

    def wrapped(self, a, b):
        """sum_j a_j b_{i + j}, the positions counted modulo n."""
        return np.array([sum(a[j] * b[(i + j) % self.n] for j in range(self.n)) for i in range(self.n)])


class Quarters(Line):
    """Four pixels in symbols: the waves are powers of the imaginary unit."""

    @property
    def waves(self):
        import sympy

        return np.array([[(-sympy.I) ** (j * k % 4) for k in range(4)] for j in range(4)])

    def ifft(self, a):
        return self.conj(self.waves) @ a * Fraction(1, 4)

    def conj(self, a):
        import sympy

        return np.array([sympy.conjugate(entry) for entry in np.ravel(a)]).reshape(np.shape(a))


def line(rng):
    x, w, g = rng.normal(size=(3, 7))
    return Line(x, np.where(np.arange(7) < 3, w, 0), g)


def any_line():
    yield Quarters(letters("x", 4), letters("W", 4) * [1, 1, 1, 0], letters("g", 4))


def y_of_line(case):
    # $$ y = \operatorname{ifft}\Bigl( \operatorname{fft}(x)
    #    \odot \operatorname{conj}\bigl( \operatorname{fft}(W) \bigr) \Bigr),
    #    \qquad y_i = \sum_j W_j\, x_{i+j} $$
    return case.ifft(case.fft(case.x) * case.conj(case.fft(case.w)))


@claim("benchmarks-correlation-theorem", cases=any_line)
def correlation_in_symbols(case, y_of_line=y_of_line):
    """Four real pixels and three real weights, in symbols."""
    same(y_of_line(case), case.wrapped(case.w, case.x))


@claim("benchmarks-correlation-theorem", cases=line)
def correlation_of_seven(case, y_of_line=y_of_line):
    """Seven pixels and three weights; the first five outputs do not meet the end of the line."""
    agree(y_of_line(case), case.wrapped(case.w, case.x))
    agree(y_of_line(case)[:5], np.correlate(case.x, case.w[:3]))


@slip("benchmarks-correlation-theorem")
def not_conjugated(case):
    """Multiply the spectra as they are: that turns the kernel over."""
    return case.ifft(case.fft(case.x) * case.fft(case.w))


@slip("benchmarks-correlation-theorem")
def other_one_conjugated(case):
    """Take the conjugate of the image's spectrum: the output runs backwards."""
    return case.ifft(case.conj(case.fft(case.x)) * case.fft(case.w))


def spectrum(case):
    return case.fft(case.wrapped(case.w, case.x))


def spectrum_of_y(case):
    return case.fft(case.x) * case.conj(case.fft(case.w))


@steps("benchmarks-correlation-theorem-steps", cases=(line, any_line), ends_in=spectrum_of_y)
def correlation_steps(case):
    """Put the wave at i + j in place of the wave at i, and pay with the conjugate of the wave at j."""
    waves, x, w, n = case.waves, case.x, case.w, case.n
    # \sum_i e^{-\mathrm i \omega i} \sum_j W_j\, x_{i+j}
    yield waves @ case.wrapped(w, x)
    # = \sum_j W_j\, e^{\mathrm i \omega j} \sum_i e^{-\mathrm i \omega (i+j)}\, x_{i+j}
    yield sum(
        w[j] * case.conj(waves[:, j]) * sum(waves[:, (i + j) % n] * x[(i + j) % n] for i in range(n)) for j in range(n)
    )
    # = \operatorname{conj}\Bigl( \sum_j W_j\, e^{-\mathrm i \omega j} \Bigr) \sum_i e^{-\mathrm i \omega i}\, x_i
    yield case.conj(waves @ w) * (waves @ x)


def gradients_of_line(case):
    # $$ \frac{\partial L}{\partial x}
    #    = \operatorname{ifft}\bigl( \operatorname{fft}(g) \odot \operatorname{fft}(W) \bigr), \qquad
    #    \frac{\partial L}{\partial W}
    #    = \operatorname{ifft}\Bigl( \operatorname{conj}\bigl( \operatorname{fft}(g) \bigr)
    #    \odot \operatorname{fft}(x) \Bigr) $$
    g, x, w = case.fft(case.g), case.fft(case.x), case.fft(case.w)
    return case.ifft(g * w), case.ifft(case.conj(g) * x)


@claim("benchmarks-fft-gradients", cases=any_line)
def line_gradients_in_symbols(case, gradients_of_line=gradients_of_line):
    """The derivatives of the loss, in symbols: the sum of g times y."""
    by_x = [sum(case.g[i] * case.w[(j - i) % 4] for i in range(4)) for j in range(4)]
    all_same(gradients_of_line(case), (by_x, case.wrapped(case.g, case.x)))


@claim("benchmarks-fft-gradients", cases=line)
def line_gradients_by_complex_step(case, gradients_of_line=gradients_of_line):
    """The same derivatives by a complex step, for seven pixels."""
    dx, dw = gradients_of_line(case)
    agree(dx, complex_step(lambda x: (case.g * case.wrapped(case.w, x)).sum(), case.x))
    agree(dw, complex_step(lambda w: (case.g * case.wrapped(w, case.x)).sum(), case.w))


@slip("benchmarks-fft-gradients")
def forward_rule_for_the_input(case):
    """Send the gradient back by the rule of the forward pass, with the conjugate."""
    g, w = case.fft(case.g), case.fft(case.w)
    return case.ifft(g * case.conj(w)), gradients_of_line(case)[1]


# --- convolution: the three algorithms --------------------------------------------------------------------------------


def layers_by_algorithm():
    """Each algorithm on a layer that it can do, with and without a margin; and the choice by size."""
    plain, strided, *_ = whole_layers()
    margin = layer_of(4, (3, 2, 9, 11), (5, 2, 3, 3), padding=(0, 2))
    groups = layer_of(5, (2, 4, 5, 8), (6, 2, 3, 3), padding=1, groups=2)
    for layer, algorithm in (
        (plain, "winograd"),
        (margin, "winograd"),
        (groups, "winograd"),
        (plain, "fft"),
        (strided, "fft"),
        (strided, "direct"),
        (plain, None),
        (layer_of(6, (2, 32, 17, 18), (32, 32, 3, 3), padding=1), None),
        (layer_of(7, (1, 2, 15, 16), (3, 2, 12, 13), padding=2), None),
    ):
        yield replace(layer, algorithm=algorithm)


def layer_and_gradients(case):
    x, w, b, dy = case.floats
    found = core.conv2d_backward(dy, x, w, **case.options, algorithm=case.algorithm)
    return core.conv2d(x, w, b, **case.options, algorithm=case.algorithm), found.dx, found.dw, found.db


@claim("benchmarks-convolution-algorithms", cases=layers_by_algorithm)
def algorithms_and_the_chapter(case, layer_and_gradients=layer_and_gradients):
    """The chapter's layer and gradients, in float64, for each algorithm and for the choice by size."""
    all_agree(layer_and_gradients(case), (case.chapter(), *case.chapter_gradients()))


@claim("benchmarks-convolution-algorithms")
def chosen_by_size():
    """At both sides of each limit, the choice by size gives the bits of one algorithm, and of that one alone."""
    rng = np.random.default_rng(11)
    for algorithm, channels, filters, size, kernel, options in (
        ("winograd", 32, 32, (25, 20), 3, {"padding": 1}),
        ("direct", 32, 32, (25, 19), 3, {"padding": 1}),
        ("direct", 31, 32, (25, 20), 3, {"padding": 1}),
        ("direct", 32, 31, (25, 20), 3, {"padding": 1}),
        ("direct", 64, 64, (25, 40), 3, {"padding": 1, "stride": (1, 2)}),
        ("fft", 2, 2, (40, 30), 12, {}),
        ("direct", 2, 2, (40, 30), 11, {}),
        ("direct", 2, 2, (40, 30), 12, {"stride": (1, 2)}),
        ("fft", 2, 2, (40, 30), 24, {"stride": 2}),
    ):
        x, w = rng.normal(size=(1, channels, *size)), rng.normal(size=(filters, channels, kernel, kernel))
        chosen = core.conv2d(x, w, **options).tobytes()
        able = ["direct", "fft"] + ["winograd"] * (kernel == 3 and "stride" not in options)
        found = [name for name in able if core.conv2d(x, w, **options, algorithm=name).tobytes() == chosen]
        same(found, [algorithm])


@slip("benchmarks-convolution-algorithms", blind=half_turn_symmetric)
def spectrum_not_conjugated(case):
    """Turn the kernel over on both ways, as an fft without the conjugate does."""
    w = case.w[..., ::-1, ::-1]
    return (case.chapter(w), *case.chapter_gradients(w))


# --- batch normalisation ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """One feature of a batch. Its mean mu and its s are numbers, or any symbols: what follows needs no more of them."""

    x: np.ndarray
    g: np.ndarray
    gamma: Any
    beta: Any
    mu: Any
    s: Any

    @property
    def N(self):
        return len(self.x)

    @property
    def x_hat(self):
        return (self.x - self.mu) / self.s

    @property
    def slope(self):
        return self.gamma / self.s

    @property
    def dgamma(self):
        return sum(self.g * self.x_hat)

    @property
    def part(self):
        """1 / N."""
        return Fraction(1, self.N) if self.x.dtype == object else 1 / self.N

    def backward(self):
        """The chapter's own gradient, from what its forward pass saves."""
        saved = batch_norm.Saved(self.x_hat[:, None], np.array([1 / self.s]), np.array([self.gamma]))
        return batch_norm.backward(self.g[:, None], saved)


def feature(rng):
    x, g = rng.normal(size=(2, 6)) * 1.5 + 2
    gamma, beta = rng.uniform(1, 2, 2)
    return Feature(x, g, gamma, beta, x.mean(), np.sqrt(x.var() + 0.1))


def any_feature():
    import sympy

    gamma, beta, mu, s = sympy.symbols("gamma beta mu s", positive=True)
    yield Feature(letters("x", 3), letters("g", 3), gamma, beta, mu, s)


def y_by_line(case):
    # $$ y_i = a\,x_i + \delta, \qquad a = \frac{\gamma}{s}, \qquad \delta = \beta - a\,\mu $$
    a = case.gamma / case.s
    return a * case.x + (case.beta - a * case.mu)


@claim("benchmarks-batch-norm-line", cases=any_feature)
def line_in_symbols(case, y_by_line=y_by_line):
    """The layer as the chapter defines it, three examples, in symbols."""
    same(y_by_line(case), [case.gamma * x_hat + case.beta for x_hat in case.x_hat])


@claim("benchmarks-batch-norm-line", cases=feature)
def line_of_the_chapter(case, y_by_line=y_by_line):
    """The chapter's layer, on six numbers."""
    y, _ = batch_norm.forward(case.x[:, None], np.array([case.gamma]), np.array([case.beta]), eps=0.1)
    agree(y_by_line(case), y[:, 0])


@slip("benchmarks-batch-norm-line")
def shift_unscaled(case):
    """Subtract the mean and not the mean times the slope."""
    return case.slope * case.x + case.beta - case.mu


@steps("benchmarks-batch-norm-line-steps", cases=(feature, any_feature), ends_in=y_by_line)
def line_steps(case):
    """Multiply out."""
    # \gamma\,\frac{x_i - \mu}{s} + \beta
    yield case.gamma * case.x_hat + case.beta
    # = \frac{\gamma}{s}\,x_i + \Bigl( \beta - \frac{\gamma}{s}\,\mu \Bigr)
    yield case.gamma / case.s * case.x + (case.beta - case.gamma / case.s * case.mu)


def dx_by_line(case):
    # $$ \frac{\partial L}{\partial x_i} = a \bigl( g_i + a_x\,x_i + \delta_x \bigr), \qquad
    #    a_x = -\frac{1}{N s}\,\frac{\partial L}{\partial \gamma}, \qquad
    #    \delta_x = -\frac1N\,\frac{\partial L}{\partial \beta} - a_x\,\mu $$
    a_x = -case.part * case.dgamma / case.s
    return case.slope * (case.g + a_x * case.x - case.part * sum(case.g) - a_x * case.mu)


@claim("benchmarks-batch-norm-gradient", cases=any_feature)
def gradient_line_in_symbols(case, dx_by_line=dx_by_line):
    """The chapter's own `backward`, run on the symbols of three examples."""
    same(dx_by_line(case), case.backward().dx[:, 0])


@claim("benchmarks-batch-norm-gradient", cases=feature)
def gradient_line_of_the_core(case, dx_by_line=dx_by_line):
    """The core's gradient, on six numbers."""
    gamma, beta = np.array([case.gamma]), np.array([case.beta])
    _, saved = core.batch_norm.forward(case.x[:, None], gamma, beta, eps=0.1)
    agree(dx_by_line(case), core.batch_norm.backward(case.g[:, None], saved).dx[:, 0])


@slip("benchmarks-batch-norm-gradient")
def mean_not_taken_off(case):
    """Multiply by x where the normalised value is meant: the mean is missing in the constant."""
    a_x = -case.part * case.dgamma / case.s
    return case.slope * (case.g + a_x * case.x - case.part * sum(case.g))


@slip("benchmarks-batch-norm-gradient")
def statistics_held(case):
    """Hold the statistics constant: the slope of the forward line is all that is left."""
    return case.slope * case.g


@steps("benchmarks-batch-norm-gradient-steps", cases=(feature, any_feature), ends_in=dx_by_line)
def gradient_line_steps(case):
    """Write the normalised value out, and collect what goes with x and what is constant."""
    a, part, dgamma, dbeta = case.slope, case.part, case.dgamma, sum(case.g)
    # \frac{\gamma}{N s} \Bigl( N g_i - \sum_j g_j - \hat x_i \sum_j g_j\,\hat x_j \Bigr)
    yield case.gamma * part / case.s * (case.N * case.g - dbeta - case.x_hat * dgamma)
    # = a \Bigl( g_i - \frac1N\,\frac{\partial L}{\partial \beta}
    #   - \frac{x_i - \mu}{N s}\,\frac{\partial L}{\partial \gamma} \Bigr)
    yield a * (case.g - part * dbeta - part * (case.x - case.mu) / case.s * dgamma)
    a_x = -part * dgamma / case.s
    # = a \Bigl( g_i + a_x\,x_i - \frac1N\,\frac{\partial L}{\partial \beta} - a_x\,\mu \Bigr)
    yield a * (case.g + a_x * case.x - part * dbeta - a_x * case.mu)


def dgamma_by_sums(case):
    # $$ \frac{\partial L}{\partial \gamma} = \frac1s \Bigl( \sum_i g_i\,x_i - \mu \sum_i g_i \Bigr) $$
    return (sum(case.g * case.x) - case.mu * sum(case.g)) / case.s


@claim("benchmarks-batch-norm-sums", cases=any_feature)
def scale_gradient_in_symbols(case, dgamma_by_sums=dgamma_by_sums):
    """The chapter's gradient by the scale, in symbols."""
    same(dgamma_by_sums(case), case.backward().dgamma[0])


@claim("benchmarks-batch-norm-sums", cases=feature)
def scale_gradient_of_the_chapter(case, dgamma_by_sums=dgamma_by_sums):
    """The same on six numbers."""
    agree(dgamma_by_sums(case), case.backward().dgamma[0])


def centred(case):
    """mu = 0."""
    return replace(case, x=case.x - case.mu, mu=0 * case.mu)


@slip("benchmarks-batch-norm-sums", blind=centred)
def mean_left_in(case):
    """Take the sum of g times x over s."""
    return sum(case.g * case.x) / case.s


@dataclass(frozen=True)
class Batch:
    """A batch of vectors or of images."""

    x: np.ndarray
    dy: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    eps: float = 0.1

    def chapter(self, dy=None):
        y, saved = batch_norm.forward(self.x, self.gamma, self.beta, eps=self.eps)
        return y, batch_norm.backward(self.dy if dy is None else dy, saved)


def batch_of(rng, *shape):
    x, dy = rng.normal(size=(2, *shape)) * 1.3 + 0.7
    return Batch(x, dy + 0.5 * x, *rng.uniform(0.5, 2, (2, shape[1])))


def batches():
    """Vectors, images, and images of one pixel."""
    rng = np.random.default_rng(4)
    yield batch_of(rng, 7, 3)
    yield batch_of(rng, 4, 3, 5, 2)
    yield batch_of(rng, 6, 2, 1, 1)


def layer_of_the_core(case):
    y, saved = core.batch_norm.forward(case.x, case.gamma, case.beta, eps=case.eps)
    found = core.batch_norm.backward(case.dy, saved)
    return y, found.dx, found.dgamma, found.dbeta


@claim("benchmarks-batch-norm-core", cases=batches)
def batch_norm_of_the_chapter(case, layer_of_the_core=layer_of_the_core):
    """The chapter's output and its three gradients, for vectors and images."""
    y, found = case.chapter()
    all_agree(layer_of_the_core(case), (y, found.dx, found.dgamma, found.dbeta))


@claim("benchmarks-batch-norm-core", cases=batches)
def batch_norm_by_complex_step(case, layer_of_the_core=layer_of_the_core):
    """The layer by its definition, and the derivative of the loss by each entry of x, gamma and beta."""
    axes, shape = tuple(k for k in range(case.x.ndim) if k != 1), (-1,) + (1,) * (case.x.ndim - 2)

    def y(x=case.x, gamma=case.gamma, beta=case.beta):
        centred = x - x.mean(axes, keepdims=True)
        s = np.sqrt((centred**2).mean(axes, keepdims=True) + case.eps)
        return gamma.reshape(shape) * centred / s + beta.reshape(shape)

    found = [
        complex_step(lambda moved, name=name: (case.dy * y(**{name: moved})).sum(), getattr(case, name))
        for name in ("x", "gamma", "beta")
    ]
    all_agree(layer_of_the_core(case), (y(), *found))


@slip("benchmarks-batch-norm-core")
def output_in_the_place_of_the_input(case):
    """Keep the output y instead of the input x for the way back."""
    y, saved = core.batch_norm.forward(case.x, case.gamma, case.beta, eps=case.eps)
    found = core.batch_norm.backward(case.dy, replace(saved, x=y))
    return y, found.dx, found.dgamma, found.dbeta


def far_batch(rng):
    """Single precision, thousands of deviations from zero."""
    x, dy = rng.normal(size=(2, 40, 3)).astype(np.float32)
    return Batch(x + np.float32(3000), dy, np.ones(3, np.float32), np.zeros(3, np.float32), 1e-5)


def far_output(case):
    # $$ v = \frac1N \sum_i (x_i - \delta)^2 - (\mu - \delta)^2 $$
    return core.batch_norm.forward(case.x, case.gamma, case.beta, eps=case.eps)[0]


@claim("benchmarks-batch-norm-far", cases=far_batch)
def far_batch_in_double_precision(case, far_output=far_output):
    """The chapter's output in float64, beside the core's in float32."""
    wide = replace(case, **{name: getattr(case, name).astype(float) for name in ("x", "dy", "gamma", "beta")})
    agree(far_output(case), wide.chapter()[0], tolerance=1e-5)


@claim("benchmarks-batch-norm-far")
def at_each_distance():
    """The same with means from 1 to 10000 deviations, before and behind where something is taken off first."""
    numbers = np.random.default_rng(1).normal(size=(400, 2))
    gamma, beta = np.ones(2, np.float32), np.zeros(2, np.float32)
    for mean in (1, 2.5, 3, 10, 50, 80, 300, 10000):
        x = (numbers + mean).astype(np.float32)
        expected, _ = batch_norm.forward(x.astype(float), gamma.astype(float), beta.astype(float))
        agree(core.batch_norm.forward(x, gamma, beta)[0], expected, tolerance=2e-6)


@claim("benchmarks-batch-norm-far")
def variance_in_symbols():
    """The formula of the variance, three numbers, for any constant that is taken off."""
    import sympy

    x, delta = letters("x", 3), sympy.Symbol("delta", real=True)
    mu = sum(x) / 3
    same(sum((x - delta) ** 2) / 3 - (mu - delta) ** 2, sum((x - mu) ** 2) / 3)


@slip("benchmarks-batch-norm-far")
def squares_as_they_are(case):
    """Subtract the square of the mean from the mean of the squares, in the precision of x and without a shift."""
    variance = np.maximum(np.square(case.x).mean(0) - np.square(case.x.mean(0)), 0)
    return (case.x - case.x.mean(0)) / np.sqrt(variance + np.float32(case.eps))


# --- Hessian-vector products ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """What one layer adds to the gradient: dz and h, and how both move along the direction."""

    dz: np.ndarray
    h: np.ndarray
    Rdz: np.ndarray
    Rh: np.ndarray


def any_stage():
    """Two examples, two units, three inputs, in symbols."""
    yield Stage(letters("z", 2, 2), letters("h", 2, 3), letters("u", 2, 2), letters("v", 2, 3))


def moved_product(case):
    # $$ \mathcal R\Bigl\{ \frac{\partial L}{\partial W} \Bigr\}
    #    = \begin{pmatrix} \dfrac{\partial L}{\partial z} \\
    #    \mathcal R\Bigl\{ \dfrac{\partial L}{\partial z} \Bigr\} \end{pmatrix}^{\!\top}
    #    \begin{pmatrix} \mathcal R\{h\} \\ h \end{pmatrix} $$
    return np.concatenate([case.dz, case.Rdz]).T @ np.concatenate([case.Rh, case.h])


@claim("benchmarks-hvp-stacked", cases=any_stage)
def product_differentiated(case, moved_product=moved_product):
    """The derivative of the product along the direction, in symbols."""
    import sympy

    r = sympy.Symbol("r", real=True)
    moved = (case.dz + r * case.Rdz).T @ (case.h + r * case.Rh)
    same(moved_product(case), [[sympy.diff(entry, r).subs(r, 0) for entry in row] for row in moved])


@slip("benchmarks-hvp-stacked")
def stacked_alike(case):
    """Stack both with their derivatives below: each then meets its like."""
    return np.concatenate([case.dz, case.Rdz]).T @ np.concatenate([case.h, case.Rh])


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron, its data, and a direction."""

    params: list
    x: np.ndarray
    labels: np.ndarray
    v: list

    @property
    def weights(self):
        """The number of weights of each layer."""
        return [W.size for W, _ in self.params]


def network_of(rng, N, *sizes):
    def pairs():
        return [(rng.normal(size=(o, i)) / i**0.5, rng.normal(size=o)) for i, o in pairwise(sizes)]

    return Network(pairs(), rng.normal(size=(N, sizes[0])), rng.integers(0, sizes[-1], N), pairs())


def networks():
    """None, one and two hidden layers."""
    rng = np.random.default_rng(6)
    yield network_of(rng, 7, 3, 5, 4, 2)
    yield network_of(rng, 5, 4, 3, 6)
    yield network_of(rng, 6, 3, 4)


def hvp(case):
    # $$ H\vec v = \mathcal R_{\vec v}\{\nabla L\} $$
    return core.mlp_hvp(case.params, case.x, case.labels, case.v)


@claim("benchmarks-hvp-core", cases=networks)
def hvp_of_the_chapter(case, hvp=hvp):
    """The chapter's product; and its gradient, which the core has too."""
    all_agree(flat(hvp(case)), flat(newton.mlp_hvp(case.params, case.x, case.labels, case.v)))
    found = core.newton.mlp_gradient(case.params, case.x, case.labels)
    all_agree(flat(found), flat(newton.mlp_gradient(case.params, case.x, case.labels)))


@claim("benchmarks-hvp-core", cases=networks)
def hvp_by_a_central_difference(case, hvp=hvp):
    """A central difference of the chapter's gradient."""

    def gradient(r):
        moved = [(W + r * RW, b + r * Rb) for (W, b), (RW, Rb) in zip(case.params, case.v, strict=True)]
        return flat(newton.mlp_gradient(moved, case.x, case.labels))

    expected = [(after - before) / 2e-4 for after, before in zip(gradient(1e-4), gradient(-1e-4), strict=True)]
    all_agree(flat(hvp(case)), expected, tolerance=1e-6)


@slip("benchmarks-hvp-core")
def gradient_times_direction(case):
    """Multiply the gradient by the direction, entry by entry."""
    gradient = newton.mlp_gradient(case.params, case.x, case.labels)
    return [(W * RW, b * Rb) for (W, b), (RW, Rb) in zip(gradient, case.v, strict=True)]


def deep_networks():
    """One, two and three hidden layers."""
    rng = np.random.default_rng(7)
    yield network_of(rng, 5, 4, 3, 6)
    yield network_of(rng, 7, 3, 5, 4, 2)
    yield network_of(rng, 2, 3, 4, 6, 5, 7)


def hvp_multiplications(case):
    # $$ N \Bigl( 3 P_1 + 8 \sum_{i=2}^M P_i \Bigr), \qquad N \Bigl( 2 P_1 + 3 \sum_{i=2}^M P_i \Bigr) $$
    N, first, others = len(case.x), case.weights[0], sum(case.weights[1:])
    return np.array([N * (3 * first + 8 * others), N * (2 * first + 3 * others)])


@claim("benchmarks-hvp-operations", cases=deep_networks)
def products_of_the_core_counted(case, hvp_multiplications=hvp_multiplications):
    """The core runs on arrays that count. Hv takes three calls for the first layer, and five for each other one."""
    with CountingNumpy(core.newton) as product:
        core.mlp_hvp(case.params, case.x, case.labels, case.v)
    with CountingNumpy(core.newton) as gradient:
        core.newton.mlp_gradient(case.params, case.x, case.labels)
    same(hvp_multiplications(case), [sum(product.products), sum(gradient.products)])
    same(len(product.products), 3 + 5 * (len(case.params) - 1))


@claim("benchmarks-hvp-operations")
def at_most_eight_thirds():
    """For any positive numbers of weights: eight thirds of the gradient's products are at least those of Hv."""
    import sympy

    first, others = sympy.symbols("first others", positive=True)
    proved(sympy.Rational(8, 3) * (2 * first + 3 * others) - (3 * first + 8 * others) > 0)


@slip("benchmarks-hvp-operations")
def twice_the_gradient(case):
    """Say that Hv takes twice the products of the gradient: the first layer alone takes fewer, the others more."""
    return hvp_multiplications(case)[1] * np.array([2, 1])


# --- the cross-entropy ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One row of logits, in numbers or in symbols: x_j = log t_j. The largest is at `top`."""

    t: np.ndarray
    label: int
    top: int

    @property
    def log(self):
        if self.t.dtype == object:
            import sympy

            return lambda a: np.array([sympy.log(entry) for entry in np.ravel(a)]).reshape(np.shape(a))
        return np.log

    @property
    def x(self):
        return self.log(self.t)


def row(rng):
    t = np.exp(rng.normal(size=5))
    return Row(t, int(rng.integers(5)), int(t.argmax()))


def any_row():
    """Three positive numbers, the label at the largest and beside it."""
    import sympy

    t = np.array(sympy.symbols("t:3", positive=True))
    yield Row(t, 0, 2)
    yield Row(t, 1, 1)


def row_gradient(case):
    # $$ \frac{\partial L}{\partial x_j} = \frac{E_j}{\sum_i E_i} \ \ (j \ne \ell), \qquad
    #    \frac{\partial L}{\partial x_\ell} = -\frac{\sum_{j \ne \ell} E_j}{\sum_i E_i} $$
    E = case.t / case.t[case.top]
    gradient, others = E / sum(E), sum(np.delete(E, case.label))
    gradient[case.label] = -others / sum(E)
    return gradient


@claim("benchmarks-cross-entropy-gradient", cases=any_row)
def row_gradient_in_symbols(case, row_gradient=row_gradient):
    """The probabilities less the one-hot label, in symbols."""
    expected = case.t / sum(case.t)
    expected[case.label] = expected[case.label] - 1
    same(row_gradient(case), expected)


@claim("benchmarks-cross-entropy-gradient", cases=row)
def row_gradient_of_the_core(case, row_gradient=row_gradient):
    """The core's gradient of one row."""
    agree(row_gradient(case), core.cross_entropy(case.x[None], np.array([case.label]))[1][0])


@slip("benchmarks-cross-entropy-gradient")
def one_not_subtracted(case):
    """Give the probabilities: the label's too."""
    return case.t / sum(case.t)


def row_loss(case):
    # $$ L = \log\Bigl( 1 + \Bigl( \sum_{j \ne \ell} E_j + E_\ell - 1 \Bigr) \Bigr) + \max_j x_j - x_\ell $$
    E = case.t / case.t[case.top]
    others = sum(np.delete(E, case.label))
    return case.log(1 + (others + E[case.label] - 1)) + case.x[case.top] - case.x[case.label]


@claim("benchmarks-cross-entropy-loss", cases=any_row)
def row_loss_in_symbols(case, row_loss=row_loss):
    """Minus the logarithm of the label's probability, in symbols: the exponentials of both are equal."""
    import sympy

    loss = sympy.sympify(np.ravel(row_loss(case))[0])
    same(sympy.exp(loss), sum(case.t) / case.t[case.label])


@claim("benchmarks-cross-entropy-loss", cases=row)
def row_loss_of_the_core(case, row_loss=row_loss):
    """The core's loss of one row."""
    agree(row_loss(case), core.cross_entropy(case.x[None], np.array([case.label]))[0])


def largest_at_zero(case):
    """The largest logit is 0."""
    return replace(case, t=case.t / case.t[case.top])


@slip("benchmarks-cross-entropy-loss", blind=largest_at_zero)
def largest_not_given_back(case):
    """Shift the logits and forget to add what was subtracted."""
    return row_loss(case) - case.x[case.top]


@dataclass(frozen=True)
class Logits:
    x: np.ndarray  # (N, K)
    labels: np.ndarray

    def chapter(self):
        return softmax.cross_entropy(self.x, self.labels), softmax.d_cross_entropy(self.x, self.labels)


def logits(rng):
    return Logits(3 * rng.normal(size=(7, 5)), rng.integers(0, 5, 7))


def long_logits():
    """Few classes; and more rows and more classes than are worked on at once."""
    rng = np.random.default_rng(8)
    yield logits(rng)
    yield Logits(rng.normal(size=(9, 20000)) * 2, rng.integers(0, 20000, 9))


def loss_and_gradient(case):
    # $$ L = -\frac1N \sum_{i=1}^{N} \log p_{i, \ell_i}, \qquad
    #    \frac{\partial L}{\partial x_i} = \frac1N\, (p_i - e_{\ell_i}) $$
    return core.cross_entropy(case.x, case.labels)


@claim("benchmarks-cross-entropy-core", cases=long_logits)
def loss_and_gradient_of_the_chapter(case, loss_and_gradient=loss_and_gradient):
    """The chapter's loss and its gradient."""
    all_agree(loss_and_gradient(case), case.chapter())


@claim("benchmarks-cross-entropy-core", cases=logits)
def gradient_is_of_that_loss(case, loss_and_gradient=loss_and_gradient):
    """The loss by its definition, and its derivative by a complex step."""

    def loss(x):
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        return -np.log(p[np.arange(len(x)), case.labels]).mean()

    all_agree(loss_and_gradient(case), (loss(case.x), complex_step(loss, case.x)))


@claim("benchmarks-cross-entropy-core")
def one_exponential_an_entry():
    """The core runs with a NumPy that counts: N K exponentials for N rows of K logits, loss and gradient together."""
    with CountingNumpy(core.softmax) as count:
        core.cross_entropy(np.linspace(-1, 2, 21).reshape(3, 7), np.array([0, 6, 2]))
    same(count.exponentials, 21)


@slip("benchmarks-cross-entropy-core")
def summed_over_rows(case):
    """Sum over the rows instead of taking the mean."""
    loss, gradient = case.chapter()
    return loss * len(case.x), gradient * len(case.x)


def certain():
    """The label is far above: 40 and 300 in float64."""
    yield Logits(np.array([[40.0, 0.0, 1.0]]), np.array([0]))
    yield Logits(np.array([[-1.0, 300.0, 2.0]]), np.array([1]))


def when_certain(case):
    loss, gradient = core.cross_entropy(case.x, case.labels)
    return np.array([loss, gradient[0, case.labels[0]]])


@claim("benchmarks-cross-entropy-certain", cases=certain)
def with_enough_digits(case, when_certain=when_certain):
    """The logarithm of p, and p - 1, with 200 digits."""
    import sympy

    powers = [sympy.exp(sympy.Integer(int(x))) for x in case.x[0]]
    p = powers[case.labels[0]] / sum(powers)
    agree(when_certain(case), [float(sympy.N(value, 200)) for value in (-sympy.log(p), p - 1)])


@slip("benchmarks-cross-entropy-certain")
def one_subtracted(case):
    """Compute p, which is 1 in floating point, then its logarithm, and p less 1."""
    p = softmax.softmax(case.x)[0, case.labels[0]]
    return np.array([-np.log(p), p - 1])


# --- numerical error --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rounding:
    """A layer in float32: what each algorithm is off by, relative to the largest output."""

    direct: float
    winograd: float
    fft: float


def rounded(rng):
    x, w = rng.normal(size=(2, 64, 12, 12)).astype(np.float32), rng.normal(size=(8, 64, 3, 3)).astype(np.float32)
    exact = core.conv2d(x.astype(float), w.astype(float), padding=1, algorithm="direct")
    off = {}
    for algorithm in ("direct", "winograd", "fft"):
        y = core.conv2d(x, w, padding=1, algorithm=algorithm)
        off[algorithm] = np.abs(y - exact).max() / np.abs(exact).max()
    return Rounding(**off)


@claim("benchmarks-winograd-error", cases=rounded)
def between_two_and_thirty_times(case):
    """64 channels of normal numbers in float32: more than 2 times the error of direct, and less than 30 times."""
    at_most([2 * case.direct, case.winograd], [case.winograd, 30 * case.direct])
    at_most(case.winograd, 3e-5)
    at_most(case.fft, 2e-6)


# --- what holds of all of them ----------------------------------------------------------------------------------------


def float_arrays(dtype=np.float64, seed=9):
    """The arguments of every function, of that type: name -> (function, arguments)."""
    rng = np.random.default_rng(seed)
    case = sequences_of(rng, 4, 3, 2, 5)
    batch, network, layer = batch_of(rng, 6, 3), network_of(rng, 5, 3, 4, 2), layer_of(seed, (2, 3, 7, 6), (4, 3, 3, 3))

    def typed(*arrays):
        return [a.astype(dtype) for a in arrays]

    x, w, b, dy = typed(*layer.floats)
    params, v = ([tuple(typed(*pair)) for pair in pairs] for pairs in (network.params, network.v))
    inputs, dh = typed(*case.inputs), case.dh.astype(dtype)
    images = typed(batch.x, batch.gamma, batch.beta)
    wide = typed(rng.normal(size=(3, 6, 28, 22)), rng.normal(size=(4, 6, 3, 3)), rng.normal(size=(3, 4, 26, 20)))
    layers = {"columns": (x, w, b, dy)}  # a small layer by direct; the others are large enough for their own code
    layers |= dict.fromkeys(("direct", "winograd", "fft"), (*wide[:2], b, wide[2]))
    found = {}
    for name, (x, w, b, dy) in layers.items():
        options = {"algorithm": "direct" if name == "columns" else name}
        found[f"conv2d, {name}"] = (partial(core.conv2d, **options), (x, w, b))
        found[f"conv2d_backward, {name}"] = (partial(core.conv2d_backward, **options), (dy, x, w))
    return found | {
        "rnn.forward": (core.rnn.forward, inputs),
        "rnn.backward": (core.rnn.backward, (dh, core.rnn.forward(*inputs)[1])),
        "batch_norm.forward": (core.batch_norm.forward, images),
        "batch_norm.backward": (
            core.batch_norm.backward,
            (batch.dy.astype(dtype), core.batch_norm.forward(*images)[1]),
        ),
        "mlp_gradient": (core.newton.mlp_gradient, (params, network.x.astype(dtype), network.labels)),
        "mlp_hvp": (core.mlp_hvp, (params, network.x.astype(dtype), network.labels, v)),
        "cross_entropy": (core.cross_entropy, (network.x.astype(dtype), network.labels)),
    }


def arrays_in(value):
    """All arrays of an argument or of a result, however deep."""
    if isinstance(value, np.ndarray | np.floating):
        return [value]
    parts = value if isinstance(value, list | tuple) else list(vars(value).values())
    return [array for part in parts for array in arrays_in(part)]


@claim("benchmarks-precision")
def single_precision():
    """Every function, in float32 and in float64: the type of each result, and how far the first is from the second."""
    wide = float_arrays()
    for name, (function, arguments) in float_arrays(np.float32).items():
        forward = name.endswith("forward")  # then what it saved follows, for its own use
        results, exact = (call(*given) for call, given in ((function, arguments), wide[name]))
        results, exact = (arrays_in(found[:1] if forward else found) for found in (results, exact))
        same([str(a.dtype) for a in results], ["float32"] * len(results))
        all_agree(results, exact, tolerance=1e-5, scale=max(np.abs(a).max() for a in exact))


@claim("benchmarks-pure")
def arguments_unchanged():
    """Every function is called twice, on arrays that cannot be written to: the same bits come out."""
    for function, arguments in float_arrays().values():
        for array in arrays_in(list(arguments)):
            array.setflags(write=False)
        first, again = (arrays_in(function(*arguments)) for _ in range(2))
        same([a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True)], [True] * len(first))


@claim("benchmarks-pure")
def earlier_results_unchanged():
    """Every function is called, then called with other numbers of the same shapes: the first results stay."""
    others = float_arrays(seed=10)
    for name, (function, arguments) in float_arrays().items():
        first = arrays_in(function(*arguments))
        bits = [a.tobytes() for a in first]
        others[name][0](*others[name][1])
        same([a.tobytes() == before for a, before in zip(first, bits, strict=True)], [True] * len(first))


@claim("benchmarks-empty-batch")
def no_example():
    """No image, no sequence, no row: results of the right shapes, and gradients of zero for the parameters."""

    def shaped(arrays, *shapes):
        same([str(a.shape) for a in arrays], [str(shape) for shape in shapes])

    def zero(*arrays):
        agree(np.concatenate([a.ravel() for a in arrays]), np.zeros(sum(a.size for a in arrays)), scale=1)

    w, nothing = np.ones((4, 3, 3, 3)), np.empty((0, 3, 5, 6))
    for algorithm in ("direct", "winograd", "fft"):
        y = core.conv2d(nothing, w, algorithm=algorithm)
        found = core.conv2d_backward(y, nothing, w, algorithm=algorithm)
        shaped([y, found.dx, found.dw, found.db], (0, 4, 3, 4), nothing.shape, w.shape, (4,))
        zero(found.dw, found.db)
    h, saved = core.rnn.forward(np.empty((5, 0, 2)), np.empty((0, 3)), np.ones((3, 3)), np.ones((3, 2)))
    found = core.rnn.backward(h, saved)
    shaped([h, found.dx, found.dh0, found.dW, found.dU], (5, 0, 3), (5, 0, 2), (0, 3), (3, 3), (3, 2))
    zero(found.dW, found.dU)
    for shape in ((0, 3), (0, 3, 4, 2)):
        y, saved = core.batch_norm.forward(np.empty(shape), np.ones(3), np.ones(3))
        found = core.batch_norm.backward(y, saved)
        shaped([y, found.dx, found.dgamma, found.dbeta], shape, shape, (3,), (3,))
        zero(found.dgamma, found.dbeta)
    loss, gradient = core.cross_entropy(np.empty((0, 4)), np.empty(0, int))
    shaped([loss, gradient], (), (0, 4))
    zero(loss)
    pairs, data = [(np.ones((4, 3)), np.ones(4)), (np.ones((2, 4)), np.ones(2))], (np.empty((0, 3)), np.empty(0, int))
    for found in (core.newton.mlp_gradient(pairs, *data), core.mlp_hvp(pairs, *data, pairs)):
        shaped(flat(found), (4, 3), (4,), (2, 4), (2,))
        zero(*flat(found))


@claim("benchmarks-bad-input")
def bad_layers():
    """Convolutions: shapes, types, groups, options, and an algorithm that cannot do the layer."""
    x, w = np.ones((2, 4, 5, 6)), np.ones((6, 4, 3, 3))
    refuses(lambda: core.conv2d(x, np.ones((6, 4, 7, 3))), naming="x")
    refuses(lambda: core.conv2d(x.astype(int), w), naming="x")
    refuses(lambda: core.conv2d(x, w.astype(np.float32)), naming="w")
    refuses(lambda: core.conv2d(x, w[:, :3]), naming="w")
    refuses(lambda: core.conv2d(x, w, np.ones(5)), naming="b")
    refuses(lambda: core.conv2d(x, w, groups=3), naming="groups")
    refuses(lambda: core.conv2d(x, w, stride=0), naming="stride")
    refuses(lambda: core.conv2d(x, w, padding=-1), naming="padding")
    refuses(lambda: core.conv2d(x, w, stride=2, algorithm="winograd"), naming="algorithm")
    refuses(lambda: core.conv2d(x, w, algorithm="fastest"), naming="algorithm")
    refuses(lambda: core.conv2d(x, w, dilation=3), naming="x")
    refuses(lambda: core.conv2d(x, w, np.ones(6, np.float32)), naming="b")
    refuses(lambda: core.conv2d_backward(np.ones((2, 6, 3, 3)), x, w), naming="dy")
    refuses(lambda: core.conv2d_backward(np.ones((2, 6, 3, 4), np.float32), x, w), naming="dy")


@claim("benchmarks-bad-input")
def bad_networks():
    """Recurrent networks, batch normalisation, Hessian products and cross-entropies."""
    x, h0, W, U = np.ones((4, 3, 2)), np.ones((3, 5)), np.ones((5, 5)), np.ones((5, 2))
    refuses(lambda: core.rnn.forward(x[0], h0, W, U), naming="x")
    refuses(lambda: core.rnn.forward(x, h0[:2], W, U), naming="h0")
    refuses(lambda: core.rnn.forward(x, h0, W[:4], U), naming="W")
    refuses(lambda: core.rnn.forward(x, h0, W, U.T), naming="U")
    refuses(lambda: core.rnn.backward(h0, core.rnn.forward(x, h0, W, U)[1]), naming="dh")
    refuses(lambda: core.rnn.forward(x.astype(int), h0, W, U), naming="x")
    for k, name in enumerate(("h0", "W", "U")):
        mixed = [a.astype(np.float32) if k == j else a for j, a in enumerate((h0, W, U))]
        refuses(lambda mixed=mixed: core.rnn.forward(x, *mixed), naming=name)
    dh = np.ones((4, 3, 5), np.float32)
    refuses(lambda: core.rnn.backward(dh, core.rnn.forward(x, h0, W, U)[1]), naming="dh")
    numbers, ones = np.arange(6.0).reshape(3, 2), np.ones(2)
    single, integers = numbers.astype(np.float32), numbers.astype(int)
    refuses(lambda: core.batch_norm.forward(integers, ones, ones), naming="x")
    refuses(lambda: core.batch_norm.forward(single, ones, ones), naming="gamma")
    refuses(lambda: core.batch_norm.forward(single, single[0], ones), naming="beta")
    refuses(lambda: core.batch_norm.backward(single, core.batch_norm.forward(numbers, ones, ones)[1]), naming="dy")
    refuses(lambda: core.batch_norm.forward(x, ones, ones), naming="x")
    refuses(lambda: core.batch_norm.forward(numbers, ones[:1], ones), naming="gamma")
    refuses(lambda: core.batch_norm.forward(numbers, ones, ones, eps=-1.0), naming="eps")
    refuses(lambda: core.batch_norm.backward(ones, core.batch_norm.forward(numbers, ones, ones)[1]), naming="dy")
    pairs, labels = [(np.ones((3, 2)), np.ones(3))], np.array([0, 2, 1])
    refuses(lambda: core.mlp_hvp(pairs, numbers, labels + 1, pairs), naming="labels")
    refuses(lambda: core.mlp_hvp(pairs, numbers, labels, pairs * 2), naming="v")
    refuses(lambda: core.newton.mlp_gradient(pairs * 2, numbers, labels), naming="params")
    refuses(lambda: core.mlp_hvp(pairs, integers, labels, pairs), naming="x")
    refuses(lambda: core.mlp_hvp(pairs, single, labels, pairs), naming="params")
    refuses(lambda: core.mlp_hvp(pairs, numbers, labels, [tuple(a.astype(np.float32) for a in pairs[0])]), naming="v")
    refuses(lambda: core.newton.mlp_gradient(pairs, numbers, labels + 1), naming="labels")
    refuses(lambda: core.cross_entropy(integers, labels % 2), naming="logits")
    refuses(lambda: core.cross_entropy(numbers, labels % 2.0), naming="labels")
    refuses(lambda: core.cross_entropy(numbers, labels), naming="labels")
    refuses(lambda: core.cross_entropy(numbers * np.nan, labels % 2), naming="logits")
