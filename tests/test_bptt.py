"""Backpropagation through time: the claims of the chapter, in its order.

Letters, as on the page. A sequence has T steps: inputs x_t, states h_t from h_0 to h_T, and g_t, the gradient of L_t
alone by h_t. In the arrays of a case, row t of h is h_t, and row t - 1 of x and of g belongs to step t.
"""

import functools
import math
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from dlnotes import bptt
from dlnotes.check import agree, at_most, claim, complex_step, differ, need, note, refuses, same, slip, steps

# --- cases: one sequence, in numbers or in symbols; a batch of them ---------------------------------------------------


def exponential(z):
    """The sigmoid by its definition. Real-analytic: it takes a complex step."""
    return 1 / (1 + np.exp(-z))


def abstract_sigmoid():
    """A function of SymPy of which nothing is known but that its derivative is sigma (1 - sigma)."""
    import sympy

    class sigma(sympy.Function):
        def fdiff(self, argindex=1):
            return self * (1 - self)

        def _eval_evalf(self, prec):
            return (1 / (1 + sympy.exp(-self.args[0])))._eval_evalf(prec)

    return sigma


abstract_sigmoid = functools.cache(abstract_sigmoid)


def letters(name, *shape):
    """An array of SymPy symbols."""
    import sympy

    return np.array(sympy.symbols(f"{name}:{math.prod(shape)}", real=True), dtype=object).reshape(shape)


class Numbers:
    """Arithmetic in float64."""

    sigma = staticmethod(exponential)

    def derivative(self, f, x):
        """The Jacobian of the array f at the array x, of shape f.shape + x.shape, by complex steps."""
        note("complex step")
        columns = []
        for index in np.ndindex(x.shape):
            moved = x.astype(complex)
            moved[index] += 1e-30j
            columns.append(np.imag(f(moved)) / 1e-30)
        return np.stack(columns, -1).reshape(np.shape(columns[0]) + x.shape)


class Letters:
    """Arithmetic in SymPy: what holds of the symbols holds for all values."""

    @staticmethod
    def sigma(z):
        return np.array([abstract_sigmoid()(entry) for entry in np.ravel(z)], dtype=object).reshape(np.shape(z))

    def derivative(self, f, x):
        """The same by SymPy's own differentiation. States are then called by their letters."""
        note("SymPy")
        moved = letters("moved", *x.shape)
        value = np.asarray(f(moved), dtype=object)
        at = dict(zip(moved.flat, x.flat, strict=True))
        rows = [[entry.diff(v).xreplace(at).xreplace(self.names) for v in moved.flat] for entry in value.flat]
        return np.array(rows, dtype=object).reshape(value.shape + x.shape)

    @property
    def names(self):
        return {}


@dataclass(frozen=True)
class Sequence(Numbers):
    """One sequence. The loss is the sum of g_t h_t over the steps: any loss is, to first order."""

    x: np.ndarray  # (T, D)
    h0: np.ndarray  # (H,)
    W: np.ndarray  # (H, H)
    U: np.ndarray  # (H, D)
    g: np.ndarray  # (T, H)

    # The definition, spelled out.

    def step(self, t, before, W=None):
        """h_t from h_{t-1}."""
        return self.sigma((self.W if W is None else W) @ before + self.U @ self.x[t - 1])

    def run(self, tau, state, W=None):
        """The states from h_tau on, h_tau being given: row 0 is h_tau."""
        states = [state]
        for t in range(tau + 1, self.T + 1):
            states.append(self.step(t, states[-1], W))
        return states

    def loss(self, tau, state, W=None):
        """What the losses from step tau on say, h_tau being given."""
        states = self.run(tau, state, W)
        return sum((self.g[t - 1] * states[t - tau]).sum() for t in range(max(tau, 1), self.T + 1))

    def gradient(self, name):
        """The loss's gradient by x, h0, W or U."""

        def loss(value):
            moved = replace(self, **{name: value})
            return moved.loss(0, moved.h0)

        return self.derivative(loss, getattr(self, name))

    # The values at these weights.

    @property
    def T(self):
        return len(self.x)

    @functools.cached_property
    def h(self):
        return np.array(self.run(0, self.h0))

    def z(self, t):
        return self.W @ self.h[t - 1] + self.U @ self.x[t - 1]

    def slope(self, t):
        """sigma'(z_t), (H,)."""
        return self.h[t] * (1 - self.h[t])

    def J(self, t):
        """The Jacobian of step t, (H, H)."""
        return self.slope(t)[:, None] * self.W

    def between(self, t, tau):
        """The derivative of h_t by h_tau, (H, H): J_t first, J_{tau+1} last."""
        product = np.eye(len(self.W), dtype=int)
        for k in range(tau + 1, t + 1):
            product = self.J(k) @ product
        return product

    def immediate(self, tau):
        """The immediate derivative of h_tau by W, (H, H, H): unit, then row and column of W."""
        return np.eye(len(self.W), dtype=int)[:, :, None] * (self.slope(tau)[:, None] * self.h[tau - 1])

    def total(self, t):
        """The total derivative of h_t by W, (H, H, H), by its recursion."""
        derivative = self.immediate(1)
        for k in range(2, t + 1):
            derivative = self.immediate(k) + chain(self.J(k), derivative)
        return derivative

    def upstream(self, tau):
        """The derivative of L by h_tau, (H,): all later losses included."""
        return sum(self.between(t, tau).T @ self.g[t - 1] for t in range(tau, self.T + 1))

    @property
    def batch(self):
        return Batch((self,))


class Symbols(Letters, Sequence):
    """The same in SymPy, with one letter for each entry of a state, beside the function that it is."""

    @functools.cached_property
    def h(self):
        return np.concatenate([[self.h0], letters("h", self.T, len(self.h0))])

    @functools.cached_property
    def names(self):
        """Which function of earlier letters each letter of a state stands for, from every start."""
        found = {}
        for tau in range(self.T):
            for t, state in enumerate(self.run(tau, self.h[tau]), tau):
                found |= dict(zip(state, self.h[t], strict=True)) if t > tau else {}
        return found


@dataclass(frozen=True)
class Batch:
    """Sequences that share their weights."""

    sequences: tuple[Sequence, ...]

    def __getattr__(self, name):  # T, W and U are those of any of them
        return getattr(self.sequences[0], name)

    @property
    def dh(self):
        return np.stack([one.g for one in self.sequences], 1)

    @property
    def inputs(self):
        x = np.stack([one.x for one in self.sequences], 1)
        return x, np.stack([one.h0 for one in self.sequences]), self.W, self.U

    @property
    def saved(self):
        if self.W.dtype != object:
            return bptt.forward(*self.inputs)[1]
        x, h0, W, U = self.inputs
        return bptt.Saved(x, h0, np.stack([one.h[1:] for one in self.sequences], 1), W, U)

    def gradient(self, name):
        each = [one.gradient(name) for one in self.sequences]
        return sum(each) if name in "WU" else np.stack(each, 1 if name == "x" else 0)


def chain(J, derivative):
    """J times the derivative of a state by W."""
    return (J @ derivative.reshape(len(J), -1)).reshape(derivative.shape)


def contract(g, derivative):
    """g^T times the derivative of a state by W, (H, H)."""
    return (g @ derivative.reshape(len(g), -1)).reshape(derivative.shape[1:])


def pairs(T):
    """The pairs of steps of the double sum: a loss at t, a use of W at tau."""
    return [(t, tau) for t in range(1, T + 1) for tau in range(1, t + 1)]


def rng_sequence(rng, W, U, T=5):
    H, D = U.shape
    return Sequence(rng.normal(size=(T, D)), rng.uniform(0.1, 0.9, H), W, U, rng.normal(size=(T, H)) + 0.3)


def weights(rng, H=4, D=3):
    """W is orthogonal times 6, so that five steps back still count; then its rows are centred: no unit saturates."""
    W = 6 * np.linalg.qr(rng.normal(size=(H, H)))[0]
    return W - W.mean(1, keepdims=True), rng.normal(size=(H, D))


def sequence(rng):
    """Five steps, three inputs, four units; a loss at each step."""
    return rng_sequence(rng, *weights(rng))


def batch(rng):
    """Two such sequences, with the same weights."""
    W, U = weights(rng)
    return Batch((rng_sequence(rng, W, U), rng_sequence(rng, W, U)))


def symbols(T, H, D):
    return Symbols(letters("x", T, D), letters("i", H), letters("W", H, H), letters("U", H, D), letters("g", T, H))


def three_steps():
    """Three steps, two units, one input, in symbols: the shortest sequence in which two Jacobians are multiplied."""
    yield symbols(3, 2, 1)


def three_steps_batch():
    """The same, as a batch of one."""
    yield symbols(3, 2, 1).batch


# What makes a wrong answer right. On a batch, of each of its sequences.


def of_each(case, change):
    return Batch(tuple(map(change, case.sequences))) if isinstance(case, Batch) else change(case)


def one_step(case):
    """T = 1."""
    return of_each(case, lambda one: replace(one, x=one.x[:1], g=one.g[:1]))


def two_steps(case):
    """T = 2."""
    return of_each(case, lambda one: replace(one, x=one.x[:2], g=one.g[:2]))


def no_memory(case):
    """W = 0: no state reads the one before."""
    return of_each(case, lambda one: replace(one, W=0 * one.W))


def loss_at_the_end(case):
    """Only the last step has a loss."""
    return of_each(case, lambda one: replace(one, g=np.concatenate([0 * one.g[:-1], one.g[-1:]])))


def no_later_loss(case):
    """Only the first step has a loss."""
    return of_each(case, lambda one: replace(one, g=np.concatenate([one.g[:1], 0 * one.g[1:]])))


def symmetric_weights(case):
    """W is symmetric."""
    return of_each(case, lambda one: replace(one, W=one.W + one.W.T))


# --- the network ------------------------------------------------------------------------------------------------------


def h(case):
    # $$ h_t = \sigma(z_t), \qquad z_t = W h_{t-1} + U x_t, \qquad t = 1, \dots, T $$
    return bptt.forward(*case.inputs)[0]


@claim("bptt-forward", cases=batch)
def by_definition(case, h=h):
    """The definition, one sequence, one step and one unit at a time, in plain Python numbers."""
    x, h0, W, U = (array.tolist() for array in case.inputs)
    expected = np.empty(case.dh.shape)
    for b, state in enumerate(h0):
        for t in range(case.T):
            z = [
                sum(w * s for w, s in zip(W[i], state, strict=True))
                + sum(u * v for u, v in zip(U[i], x[t][b], strict=True))
                for i in range(len(W))
            ]
            state = [1 / (1 + math.exp(-value)) for value in z]
            expected[t, b] = state
    agree(h(case), expected)


@claim("bptt-forward", cases=batch)
def by_torch(case, h=h):
    """PyTorch's sigmoid and linear maps, step by step."""
    agree(h(case), torch_states(case)[0].detach().numpy())


def torch_states(case):
    """The states by PyTorch, and the leaves they were computed from: x, h0, W, U."""
    torch = need("torch")
    x, state, W, U = leaves = [torch.tensor(array, requires_grad=True) for array in case.inputs]
    states = []
    for row in x:
        state = torch.sigmoid(torch.nn.functional.linear(state, W) + torch.nn.functional.linear(row, U))
        states.append(state)
    return torch.stack(states), leaves


def states_by(case, step):
    """The states, for another step: step(one sequence, t, state before)."""
    rows = []
    for one in case.sequences:
        states = [one.h0]
        for t in range(1, one.T + 1):
            states.append(step(one, t, states[-1]))
        rows.append(states[1:])
    return np.stack([np.array(states) for states in rows], 1)


@slip("bptt-forward")
def weights_transposed(case):
    """Multiply by W transposed: the state as a row, and W on its right."""
    return states_by(case, lambda one, t, before: one.step(t, before, one.W.T))


@slip("bptt-forward", blind=one_step)
def state_not_carried(case):
    """Start each step from h_0."""
    return states_by(case, lambda one, t, before: one.step(t, one.h0))


@slip("bptt-forward")
def hyperbolic_tangent(case):
    """Use tanh, the activation of most libraries."""
    return states_by(case, lambda one, t, before: np.tanh(one.W @ before + one.U @ one.x[t - 1]))


@slip("bptt-forward")
def input_of_the_step_before(case):
    """Read x_{t-1} at step t, and the last input at the first."""
    return states_by(case, lambda one, t, before: one.sigma(one.W @ before + one.U @ one.x[t - 2]))


def far_points():
    """Pre-activations from -700 to 700, where e^700 is still a number; and a million, where it is not."""
    yield np.array([-700.0, -40.5, -3.0, -1e-9, 0.0, 2.0, 36.5, 700.0]), np.array([-1e6, 1e6])


def through_one_unit(points):
    """The sigmoid that `forward` uses: one unit, one step, no state."""
    x = points.reshape(1, -1, 1)
    return bptt.forward(x, np.zeros((points.size, 1)), np.zeros((1, 1)), np.ones((1, 1)))[0].ravel()


def logits(case):
    # $$ \sigma(z) = \frac{1}{1 + e^{-z}} \ \text{ for } z \ge 0, \qquad
    #    \sigma(z) = \frac{e^{z}}{1 + e^{z}} \ \text{ for } z < 0 $$
    return tuple(map(through_one_unit, case))


@claim("bptt-sigmoid-stable", cases=far_points)
def in_fifty_digits(case, logits=logits):
    """1 / (1 + exp(-z)) in decimal numbers of fifty digits, each value by itself; then 0 and 1 at a million."""
    near, far = logits(case)
    with localcontext() as context:
        context.prec = 50
        expected = np.array([float(1 / (1 + (-Decimal(z)).exp())) for z in case[0].tolist()])
    agree(near / expected, np.ones(len(expected)))
    agree(far, np.array([0.0, 1.0]))


@slip("bptt-sigmoid-stable")
def overflowing(case):
    """Use exp(z) / (1 + exp(z)) everywhere: infinity over infinity at a million."""
    with np.errstate(over="ignore", invalid="ignore"):
        return tuple(np.exp(points) / (1 + np.exp(points)) for points in case)


@slip("bptt-sigmoid-stable")
def by_the_tangent(case):
    """Use (1 + tanh(z / 2)) / 2: it never overflows, but at z = -40 nothing is left."""
    return tuple((1 + np.tanh(points / 2)) / 2 for points in case)


# --- the Jacobian of one layer ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer(Numbers):
    """One elementwise layer, h = sigma(W x)."""

    x: np.ndarray  # (D,)
    W: np.ndarray  # (H, D)

    def output(self, x):
        return self.sigma(self.W @ x)

    @property
    def z(self):
        return self.W @ self.x

    @property
    def h(self):
        return self.sigma(self.z)

    @property
    def slope(self):
        return self.h * (1 - self.h)


class LayerSymbols(Letters, Layer):
    """The same in SymPy."""


def layer(rng):
    """Three inputs, four units."""
    return Layer(rng.normal(size=3), rng.normal(size=(4, 3)))


def layer_symbols():
    """Three inputs, two units, in symbols."""
    yield LayerSymbols(letters("x", 3), letters("W", 2, 3))


def jacobian(case):
    # $$ J = \frac{\partial h}{\partial x} = \operatorname{diag}(\sigma'(z))\, W, \qquad
    #    \operatorname{diag}(\sigma'(z)) =
    #    \begin{pmatrix} h_1 (1 - h_1) & & 0 \\ & \ddots & \\
    #    0 & & h_{D_{\mathrm h}} (1 - h_{D_{\mathrm h}}) \end{pmatrix} $$
    return np.diag(case.h * (1 - case.h)) @ case.W


@claim("bptt-layer-jacobian", cases=layer)
def jacobian_by_complex_step(case, jacobian=jacobian):
    """Each output differentiated along each input by a complex step; the shape is (outputs, inputs)."""
    agree(jacobian(case), case.derivative(case.output, case.x))


@claim("bptt-layer-jacobian", cases=layer_symbols)
def jacobian_in_symbols(case, jacobian=jacobian):
    """The same in symbols."""
    same(jacobian(case), case.derivative(case.output, case.x))


@claim("bptt-layer-jacobian", cases=layer)
def jacobian_by_backward(case, jacobian=jacobian):
    """`backward` of a network of one step, with W as its input weights, fed with each unit gradient: the rows of J."""
    H = len(case.W)
    saved = bptt.forward(case.x[None, None], np.zeros((1, H)), np.zeros((H, H)), case.W)[1]
    agree(jacobian(case), np.array([bptt.backward(row[None, None], saved).dx[0, 0] for row in np.eye(H)]))


@claim("bptt-layer-jacobian", cases=layer)
def jacobian_by_autograd(case, jacobian=jacobian):
    """PyTorch's sigmoid, differentiated by autograd."""
    torch = need("torch")
    x, W = torch.tensor(case.x), torch.tensor(case.W)
    agree(jacobian(case), torch.autograd.functional.jacobian(lambda v: torch.sigmoid(W @ v), x).numpy())


@slip("bptt-layer-jacobian")
def transposed(case):
    """Write W^T diag(sigma'): one row an input, which is the transpose."""
    return case.W.T @ np.diag(case.slope)


@slip("bptt-layer-jacobian")
def value_for_slope(case):
    """Put the outputs on the diagonal: diag(h) W."""
    return np.diag(case.h) @ case.W


@slip("bptt-layer-jacobian")
def slope_at_the_output(case):
    """Evaluate sigma' at h: the sigmoid is applied twice."""
    again = case.sigma(case.h)
    return np.diag(again * (1 - again)) @ case.W


@slip("bptt-layer-jacobian")
def slope_at_the_input(case):
    """Evaluate sigma' at x, and put it where the shapes allow: W diag(sigma'(x))."""
    again = case.sigma(case.x)
    return case.W @ np.diag(again * (1 - again))


@slip("bptt-layer-jacobian")
def slope_of_tanh(case):
    """Use 1 - h^2, the derivative of tanh."""
    return np.diag(1 - case.h**2) @ case.W


@slip("bptt-layer-jacobian")
def plus_for_minus(case):
    """Write h (1 + h)."""
    return np.diag(case.h * (1 + case.h)) @ case.W


@slip("bptt-layer-jacobian")
def weights_alone(case):
    """Forget the activation: the Jacobian of z."""
    return case.W + 0 * jacobian(case)


@steps("bptt-layer-jacobian-steps", cases=(layer, layer_symbols), ends_in=jacobian)
def jacobian_steps(case):
    """h_i depends on z_i alone; z_i depends on every x_j."""
    # \frac{\partial h_i}{\partial x_j}
    yield case.derivative(case.output, case.x)
    # = \sigma'(z_i)\,\frac{\partial z_i}{\partial x_j}
    yield case.slope[:, None] * case.derivative(lambda x: case.W @ x, case.x)
    # = \sigma'(z_i)\,W_{ij}
    yield case.slope[:, None] * case.W
    # = h_i (1 - h_i)\,W_{ij}
    yield (case.h * (1 - case.h))[:, None] * case.W


# --- the slope of the sigmoid -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Points(Numbers):
    """Points of the real line."""

    z: np.ndarray
    exp = staticmethod(np.exp)
    sigma = staticmethod(exponential)

    @property
    def h(self):
        return self.sigma(self.z)

    @property
    def slopes(self):
        """The derivative of the sigmoid, by the exponential."""
        return np.diag(self.derivative(self.sigma, self.z))


class PointSymbols(Points):
    """One point, any real number, and the sigmoid with its exponential."""

    @staticmethod
    def exp(z):
        import sympy

        return np.array([sympy.exp(entry) for entry in z])

    def sigma(self, z):
        return 1 / (1 + self.exp(-z))

    @property
    def slopes(self):
        return np.array([value.diff(z) for value, z in zip(self.h, self.z, strict=True)])


def points(rng):
    """Six points around 0, none of them near."""
    return Points(rng.uniform(0.5, 2.5, 6) * [1, -1, 1, -1, 1, 1])


def any_point():
    """One real number, as a symbol."""
    yield PointSymbols(letters("z", 1))


def sigmoid_slope(case):
    # $$ \sigma'(z) = \sigma(z)\,(1 - \sigma(z)) $$
    N, h = case.z.size, case.h.reshape(1, -1, 1)
    one, zero = np.ones((1, 1), dtype=int), np.zeros((1, 1), dtype=int)
    unit = bptt.Saved(x=case.z.reshape(1, -1, 1), h0=np.zeros((N, 1), dtype=int), h=h, W=zero, U=one)
    return bptt.backward(np.ones((1, N, 1), dtype=int), unit).dx.ravel()


@claim("bptt-sigmoid-derivative", cases=points)
def slope_by_complex_step(case, sigmoid_slope=sigmoid_slope):
    """`backward` through one unit, against the exponential differentiated by a complex step."""
    agree(sigmoid_slope(case), case.slopes)


@claim("bptt-sigmoid-derivative", cases=any_point)
def slope_in_symbols(case, sigmoid_slope=sigmoid_slope):
    """`backward` through one unit, on a symbol, against SymPy's derivative of 1 / (1 + exp(-z))."""
    same(sigmoid_slope(case), case.slopes)


@slip("bptt-sigmoid-derivative")
def square_under_the_line_forgotten(case):
    """Differentiate 1/f as f' / f: e^-z / (1 + e^-z)."""
    return case.exp(-case.z) / (1 + case.exp(-case.z))


@slip("bptt-sigmoid-derivative")
def inner_sign_forgotten(case):
    """Forget that the derivative of -z is -1."""
    return -case.h * (1 - case.h)


@slip("bptt-sigmoid-derivative")
def derivative_of_tanh(case):
    """Use 1 - sigma^2, as for tanh."""
    return 1 - case.h**2


@slip("bptt-sigmoid-derivative")
def sigma_plus_its_square(case):
    """Write sigma (1 + sigma)."""
    return case.h * (1 + case.h)


@steps("bptt-sigmoid-derivative-steps", cases=(points, any_point), ends_in=sigmoid_slope)
def slope_steps(case):
    """The derivative of one over a function; then the fraction is cut in two."""
    # \sigma'(z)
    yield case.slopes
    # = \frac{e^{-z}}{(1 + e^{-z})^2}
    yield case.exp(-case.z) / (1 + case.exp(-case.z)) ** 2
    # = \frac{1}{1 + e^{-z}} \cdot \frac{(1 + e^{-z}) - 1}{1 + e^{-z}}
    yield 1 / (1 + case.exp(-case.z)) * ((1 + case.exp(-case.z)) - 1) / (1 + case.exp(-case.z))
    # = \sigma(z)\,(1 - \sigma(z))
    yield case.h * (1 - case.h)


def slopes(points):
    """dx of one unit whose pre-activation is x."""
    one = np.ones((1, 1))
    saved = [bptt.forward(np.full((1, 1, 1), z), 0 * one, 0 * one, one)[1] for z in points]
    return np.array([bptt.backward(np.ones((1, 1, 1)), each).dx.item() for each in saved])


def saturated():
    """Four points from 38 on, and four from 0 down to -700."""
    yield np.array([38.0, 40.0, 100.0, 700.0]), np.array([0.0, -1.0, -20.0, -700.0])


@claim("bptt-slope-lost", cases=saturated)
def lost_above_and_kept_below(case):
    """`backward` through one unit: exactly 0 above, where the truth is not; below, e^z / (1 + e^z)^2."""
    # $$ h\,(1 - h) = 0 \ \text{ in float64, for } z \ge 38 $$
    above, below = case
    agree(slopes(above), np.zeros(4), scale=1e-300, tolerance=0)
    at_most(np.exp(-above), np.full(4, 3.2e-17))
    agree(slopes(below) / (np.exp(below) / (1 + np.exp(below)) ** 2), np.ones(4))


def gap(case):
    # $$ \frac14 - \sigma'(z) = \Bigl( \sigma(z) - \frac12 \Bigr)^2 $$
    return (case.h - Fraction(1, 2)) ** 2 if isinstance(case, PointSymbols) else (case.h - 0.5) ** 2


@claim("bptt-sigmoid-slope-bound", cases=any_point)
def gap_in_symbols(case, gap=gap):
    """For any real z, in symbols; and the one point where the square is zero is z = 0."""
    import sympy

    same(gap(case), Fraction(1, 4) - case.slopes)
    same(sympy.solve(case.h[0] - sympy.Rational(1, 2), case.z[0]), [0])


@claim("bptt-sigmoid-slope-bound", cases=points)
def gap_measured(case, gap=gap):
    """At six points, with the slope by a complex step."""
    agree(gap(case), 0.25 - case.slopes)


@slip("bptt-sigmoid-slope-bound")
def square_completed_at_a_quarter(case):
    """Complete the square about 1/4."""
    return (case.h - Fraction(1, 4)) ** 2 if isinstance(case, PointSymbols) else (case.h - 0.25) ** 2


@slip("bptt-sigmoid-slope-bound")
def gap_of_tanh(case):
    """Take the square that is missing from 1 for tanh: sigma^2."""
    return case.h**2


@steps("bptt-sigmoid-slope-bound-steps", cases=(points, any_point), ends_in=gap)
def gap_steps(case):
    """Complete the square."""
    quarter = Fraction(1, 4) if isinstance(case, PointSymbols) else 0.25
    # \frac14 - \sigma'(z)
    yield quarter - case.slopes
    # = \frac14 - \sigma(z) + \sigma(z)^2
    yield quarter - case.h + case.h**2
    # = \Bigl( \sigma(z) - \frac12 \Bigr)^2
    yield (case.h - 2 * quarter) ** 2


def norm_bound(case):
    # $$ \lVert J \rVert \le \tfrac14\, \lVert W \rVert $$
    return np.linalg.norm(case.W, 2) / 4


@claim("bptt-jacobian-norm", cases=layer)
def norm_measured(case, norm_bound=norm_bound):
    """The largest singular value of the measured Jacobian at this x, and at 0, where the bound is reached."""
    at_most(np.linalg.norm(case.derivative(case.output, case.x), 2), norm_bound(case))
    agree(np.linalg.norm(case.derivative(case.output, 0 * case.x), 2), norm_bound(case))


@slip("bptt-jacobian-norm")
def slope_at_most_one(case):
    """Use the bound of tanh, whose slope reaches 1."""
    return np.linalg.norm(case.W, 2)


@slip("bptt-jacobian-norm")
def slope_at_most_a_half(case):
    """Take sigma(0) = 1/2 for the largest slope."""
    return np.linalg.norm(case.W, 2) / 2


@slip("bptt-jacobian-norm")
def largest_entry(case):
    """Use the largest entry of W for its norm."""
    return np.abs(case.W).max() / 4


@steps("bptt-jacobian-norm-steps", cases=layer, ends_in=norm_bound)
def norm_steps(case):
    """The norm of a product is at most the product of the norms; that of a diagonal matrix is its largest entry."""
    # \lVert J \rVert
    yield np.linalg.norm(case.derivative(case.output, case.x), 2)
    # \le \lVert \operatorname{diag}(\sigma'(z)) \rVert\,\lVert W \rVert
    yield np.linalg.norm(np.diag(case.slope), 2) * np.linalg.norm(case.W, 2)
    # = \max_i \sigma'(z_i)\,\lVert W \rVert
    yield np.max(case.slope) * np.linalg.norm(case.W, 2)
    # \le \tfrac14\,\lVert W \rVert
    yield 0.25 * np.linalg.norm(case.W, 2)


# --- from state to state ----------------------------------------------------------------------------------------------


def step_jacobians(case):
    # $$ J_t = \frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(\sigma'(z_t))\, W $$
    return np.array([np.diag(case.slope(t)) @ case.W for t in range(1, case.T + 1)])


def measured_step_jacobians(case):
    steps = range(1, case.T + 1)
    return np.array([case.derivative(lambda before, t=t: case.step(t, before), case.h[t - 1]) for t in steps])


@claim("bptt-step-jacobian", cases=sequence)
def step_by_complex_step(case, step_jacobians=step_jacobians):
    """Each h_t differentiated along each entry of h_{t-1}."""
    agree(step_jacobians(case), measured_step_jacobians(case))


@claim("bptt-step-jacobian", cases=three_steps)
def step_in_symbols(case, step_jacobians=step_jacobians):
    """The same in symbols."""
    same(step_jacobians(case), measured_step_jacobians(case))


@claim("bptt-step-jacobian", cases=sequence)
def step_by_backward(case, step_jacobians=step_jacobians):
    """`backward` of one step from h_{t-1}, fed with each unit gradient: dh0 gives the rows of J_t."""
    found = []
    for t in range(1, case.T + 1):
        saved = bptt.forward(case.x[t - 1][None, None], case.h[t - 1][None], case.W, case.U)[1]
        found.append([bptt.backward(row[None, None], saved).dh0[0] for row in np.eye(len(case.W))])
    agree(step_jacobians(case), np.array(found))


@slip("bptt-step-jacobian")
def diagonal_on_the_right(case):
    """Write W diag(sigma'): W is square here, so the shape does not object."""
    return np.array([case.W @ np.diag(case.slope(t)) for t in range(1, case.T + 1)])


@slip("bptt-step-jacobian")
def step_transposed(case):
    """Write W^T diag(sigma'), which is the transpose."""
    return np.array([case.J(t).T for t in range(1, case.T + 1)])


@slip("bptt-step-jacobian")
def slope_of_the_step_before(case):
    """Take sigma' from h_{t-1}, where the derivative is taken, and not from h_t."""
    before = case.h[:-1]
    return (before * (1 - before))[:, :, None] * case.W


def state_jacobians(case):
    # $$ \frac{\partial h_t}{\partial h_\tau} = J_t\, J_{t-1} \cdots J_{\tau+1} \quad (\tau < t), \qquad
    #    \frac{\partial h_t}{\partial h_t} = I $$
    return np.array([case.between(t, tau) for t, tau in pairs(case.T)])


def measured_between(case, t, tau):
    """The derivative of h_t by h_tau: the network run again from h_tau."""
    return case.derivative(lambda state: np.asarray(case.run(tau, state)[t - tau]), case.h[tau])


@claim("bptt-state-jacobian", cases=sequence)
def states_by_complex_step(case, state_jacobians=state_jacobians):
    """For every pair of steps, the network run again from h_tau, each entry of which takes a complex step."""
    agree(state_jacobians(case), np.array([measured_between(case, t, tau) for t, tau in pairs(case.T)]))


@claim("bptt-state-jacobian", cases=three_steps)
def states_in_symbols(case, state_jacobians=state_jacobians):
    """The same in symbols."""
    same(state_jacobians(case), np.array([measured_between(case, t, tau) for t, tau in pairs(case.T)]))


def reversed_between(case, t, tau):
    """The product with its factors in the order of time."""
    product = np.eye(len(case.W), dtype=int)
    for k in range(tau + 1, t + 1):
        product = product @ case.J(k)
    return product


@slip("bptt-state-jacobian", blind=two_steps)
def product_reversed(case):
    """Write the factors in the order of time, J_{tau+1} first."""
    return np.array([reversed_between(case, t, tau) for t, tau in pairs(case.T)])


@slip("bptt-state-jacobian")
def one_factor_too_many(case):
    """Start the product at J_tau."""
    return np.array([case.between(t, tau - 1) for t, tau in pairs(case.T)])


@slip("bptt-state-jacobian", blind=two_steps)
def one_matrix_for_all_steps(case):
    """Raise the last J_t to a power, as if the slopes were the same at each step."""
    return np.array([np.linalg.matrix_power(case.J(t), t - tau) for t, tau in pairs(case.T)])


# --- two derivatives --------------------------------------------------------------------------------------------------


def immediate(case):
    # $$ \frac{\partial^+ h_\tau}{\partial W_{ij}} = \sigma'(z_{\tau,i})\, h_{\tau-1,j}\, e_i $$
    return np.array([case.immediate(tau) for tau in range(1, case.T + 1)])


def measured_immediate(case):
    return np.array(
        [case.derivative(lambda W, tau=tau: case.step(tau, case.h[tau - 1], W), case.W) for tau in range(1, case.T + 1)]
    )


@claim("bptt-immediate-derivative", cases=sequence)
def immediate_by_complex_step(case, immediate=immediate):
    """One step, with h_{tau-1} given as a number: a complex step on each weight."""
    agree(immediate(case), measured_immediate(case))


@claim("bptt-immediate-derivative", cases=three_steps)
def immediate_in_symbols(case, immediate=immediate):
    """The same in symbols."""
    same(immediate(case), measured_immediate(case))


@slip("bptt-immediate-derivative")
def state_after_for_state_before(case):
    """Write h_tau for h_{tau-1}."""
    unit = np.eye(len(case.W), dtype=int)[:, :, None]
    return np.array([unit * (case.slope(t)[:, None] * case.h[t]) for t in range(1, case.T + 1)])


@slip("bptt-immediate-derivative")
def row_and_column_exchanged(case):
    """Let W_ij act on unit j: e_j for e_i, and the letters exchanged."""
    return immediate(case).swapaxes(2, 3)


@slip("bptt-immediate-derivative")
def slope_forgotten(case):
    """Differentiate z, and forget the sigmoid."""
    unit = np.eye(len(case.W), dtype=int)[:, :, None]
    return np.array([unit * (1 + 0 * case.h[t][:, None]) * case.h[t - 1] for t in range(1, case.T + 1)])


@slip("bptt-immediate-derivative", blind=one_step)
def total_for_immediate(case):
    """Let h_{tau-1} depend on W too: that is the total derivative."""
    return np.array([case.total(t) for t in range(1, case.T + 1)])


def total(case):
    # $$ \frac{\partial h_t}{\partial W_{ij}}
    #    = \frac{\partial^+ h_t}{\partial W_{ij}} + J_t\,\frac{\partial h_{t-1}}{\partial W_{ij}}
    #    = \sum_{\tau=1}^t \frac{\partial h_t}{\partial h_\tau}\,\frac{\partial^+ h_\tau}{\partial W_{ij}} $$
    return np.array([total_by_sum(case, t) for t in range(1, case.T + 1)])


def total_by_sum(case, t, weight=lambda t, tau: 1):
    return sum(weight(t, tau) * chain(case.between(t, tau), case.immediate(tau)) for tau in range(1, t + 1))


def last_total(case):
    """The total derivative of the last state."""
    return total(case)[-1]


def measured_total(case, t):
    """The derivative of h_t by W: the network run again from h_0."""
    return case.derivative(lambda W: np.asarray(case.run(0, case.h0, W)[t]), case.W)


@claim("bptt-total-derivative", cases=sequence)
def total_by_complex_step(case, total=total):
    """The network run again from h_0, each weight of which takes a complex step; and the recursion."""
    agree(total(case), np.array([measured_total(case, t) for t in range(1, case.T + 1)]))
    agree(total(case), np.array([case.total(t) for t in range(1, case.T + 1)]))


@claim("bptt-total-derivative", cases=three_steps)
def total_in_symbols(case, total=total):
    """The same in symbols."""
    same(total(case), np.array([measured_total(case, t) for t in range(1, case.T + 1)]))
    same(total(case), np.array([case.total(t) for t in range(1, case.T + 1)]))


@slip("bptt-total-derivative", blind=no_memory)
def immediate_for_total(case):
    """Hold h_{t-1} constant: that is the immediate derivative."""
    return np.array([case.immediate(t) for t in range(1, case.T + 1)])


@slip("bptt-total-derivative", blind=one_step)
def paths_not_carried(case):
    """Add the immediate derivatives of all steps, and forget the Jacobians that carry them to step t."""
    return np.array([sum(case.immediate(k) for k in range(1, t + 1)) for t in range(1, case.T + 1)])


@slip("bptt-total-derivative", blind=two_steps)
def one_step_back_only(case):
    """Follow W one step back, and no further."""
    return np.array([total_by_sum(case, t, lambda t, tau: int(t - tau <= 1)) for t in range(1, case.T + 1)])


@steps("bptt-total-derivative-steps", cases=(sequence, three_steps), ends_in=last_total)
def total_steps(case):
    """W acts at step t, and through the state before; the same is then said of that state."""
    t = case.T
    # \frac{\partial h_t}{\partial W_{ij}}
    yield measured_total(case, t)
    # = \frac{\partial^+ h_t}{\partial W_{ij}} + J_t\,\frac{\partial h_{t-1}}{\partial W_{ij}}
    yield case.immediate(t) + chain(case.J(t), measured_total(case, t - 1))
    # = \frac{\partial^+ h_t}{\partial W_{ij}} + J_t\,\frac{\partial^+ h_{t-1}}{\partial W_{ij}}
    #   + J_t\,J_{t-1}\,\frac{\partial h_{t-2}}{\partial W_{ij}}
    yield (
        case.immediate(t)
        + chain(case.J(t), case.immediate(t - 1))
        + chain(case.J(t) @ case.J(t - 1), measured_total(case, t - 2))
    )
    # = \sum_{\tau=1}^t \frac{\partial h_t}{\partial h_\tau}\,\frac{\partial^+ h_\tau}{\partial W_{ij}}
    yield sum(chain(case.between(t, tau), case.immediate(tau)) for tau in range(1, t + 1))


# --- the double sum ---------------------------------------------------------------------------------------------------


def autograd(case):
    """The four gradients by PyTorch's autograd: x, h0, W, U."""
    torch = need("torch")
    states, leaves = torch_states(case)
    states.backward(torch.tensor(case.dh))
    return [leaf.grad.numpy() for leaf in leaves]


def single_sum(case):
    # $$ \frac{\partial L}{\partial W_{ij}} = \sum_{t=1}^T g_t^\top\,\frac{\partial h_t}{\partial W_{ij}} $$
    return sum(contract(case.g[t - 1], case.total(t)) for t in range(1, case.T + 1))


@claim("bptt-single-sum", cases=sequence)
def single_sum_by_complex_step(case, single_sum=single_sum):
    """The loss, each weight of which takes a complex step."""
    agree(single_sum(case), case.gradient("W"))


@claim("bptt-single-sum", cases=three_steps)
def single_sum_in_symbols(case, single_sum=single_sum):
    """The same in symbols."""
    same(single_sum(case), case.gradient("W"))


@claim("bptt-single-sum", cases=sequence)
def single_sum_by_autograd(case, single_sum=single_sum):
    """PyTorch's autograd."""
    agree(single_sum(case), autograd(case.batch)[2])


@slip("bptt-single-sum", blind=no_memory)
def immediate_in_the_single_sum(case):
    """Read the derivative of h_t by W as the immediate one: backpropagation stops after one step."""
    return sum(contract(case.g[t - 1], case.immediate(t)) for t in range(1, case.T + 1))


@slip("bptt-single-sum", blind=loss_at_the_end)
def last_loss_alone(case):
    """Differentiate the last loss only."""
    return contract(case.g[-1], case.total(case.T))


def double_sum_over(case, *, weight=lambda t, tau: 1, between=Sequence.between, part=Sequence.immediate):
    """The double sum; its weights, its product of Jacobians and its last factor can be exchanged for wrong ones."""
    return sum(
        weight(t, tau) * contract(case.g[t - 1], chain(between(case, t, tau), part(case, tau)))
        for t, tau in pairs(case.T)
    )


def double_sum(case):
    # $$ \frac{\partial L}{\partial W_{ij}} = \sum_{t=1}^T \sum_{\tau=1}^t
    #    g_t^\top\,\frac{\partial h_t}{\partial h_\tau}\,\frac{\partial^+ h_\tau}{\partial W_{ij}} $$
    return double_sum_over(case)


@claim("bptt-double-sum", cases=sequence)
def double_sum_by_complex_step(case, double_sum=double_sum):
    """The loss, each weight of which takes a complex step."""
    agree(double_sum(case), case.gradient("W"))


@claim("bptt-double-sum", cases=three_steps)
def double_sum_in_symbols(case, double_sum=double_sum):
    """The same in symbols, for three steps."""
    same(double_sum(case), case.gradient("W"))


@claim("bptt-double-sum", cases=sequence)
def double_sum_by_autograd(case, double_sum=double_sum):
    """PyTorch's autograd."""
    agree(double_sum(case), autograd(case.batch)[2])


@slip("bptt-double-sum", blind=one_step)
def total_inside(case):
    """Take the total derivative of h_tau by W inside the double sum."""
    return double_sum_over(case, part=Sequence.total)


@slip("bptt-double-sum", blind=no_memory)
def only_the_step_itself(case):
    """Keep the terms with tau = t: W as it acts on h_t, and not on the states before."""
    return double_sum_over(case, weight=lambda t, tau: int(t == tau))


@slip("bptt-double-sum", blind=loss_at_the_end)
def only_the_last_loss(case):
    """Keep the terms with t = T."""
    return double_sum_over(case, weight=lambda t, tau: int(t == case.T))


@slip("bptt-double-sum", blind=two_steps)
def jacobians_reversed(case):
    """Multiply the Jacobians in the order of time. For T < 3 there are no two to exchange."""
    return double_sum_over(case, between=reversed_between)


@slip("bptt-double-sum")
def state_after(case):
    """Write h_tau for h_{tau-1} in the last factor."""
    return double_sum_over(case, part=lambda case, t: state_after_for_state_before(case)[t - 1])


@slip("bptt-double-sum")
def last_slope_forgotten(case):
    """Forget sigma' in the last factor."""
    return double_sum_over(case, part=lambda case, t: slope_forgotten(case)[t - 1])


@steps("bptt-double-sum-steps", cases=(sequence, three_steps), ends_in=double_sum)
def double_sum_steps(case):
    """One chain rule over the losses, with total derivatives; then each total derivative is opened."""
    # \frac{\partial L}{\partial W_{ij}}
    yield case.gradient("W")
    # = \sum_{t=1}^T g_t^\top\,\frac{\partial h_t}{\partial W_{ij}}
    yield sum(contract(case.g[t - 1], measured_total(case, t)) for t in range(1, case.T + 1))
    # = \sum_{t=1}^T g_t^\top \sum_{\tau=1}^t
    #   \frac{\partial h_t}{\partial h_\tau}\,\frac{\partial^+ h_\tau}{\partial W_{ij}}
    yield sum(contract(case.g[t - 1], total_by_sum(case, t)) for t in range(1, case.T + 1))
    # = \sum_{t=1}^T \sum_{\tau=1}^t
    #   g_t^\top\,\frac{\partial h_t}{\partial h_\tau}\,\frac{\partial^+ h_\tau}{\partial W_{ij}}
    yield double_sum_over(case)


def matrix_form(case):
    # $$ \frac{\partial L}{\partial W} = \sum_{t=1}^T \sum_{\tau=1}^t \operatorname{diag}(\sigma'(z_\tau))
    #    \Bigl( \frac{\partial h_t}{\partial h_\tau} \Bigr)^{\!\top} g_t\; h_{\tau-1}^\top $$
    return sum(
        np.outer(case.slope(tau) * (case.between(t, tau).T @ case.g[t - 1]), case.h[tau - 1])
        for t, tau in pairs(case.T)
    )


@claim("bptt-matrix-form", cases=sequence)
def matrix_by_complex_step(case, matrix_form=matrix_form):
    """The loss, each weight of which takes a complex step."""
    agree(matrix_form(case), case.gradient("W"))


@claim("bptt-matrix-form", cases=three_steps)
def matrix_in_symbols(case, matrix_form=matrix_form):
    """The same in symbols."""
    same(matrix_form(case), case.gradient("W"))


def matrix_over(case, term):
    return sum(term(t, tau) for t, tau in pairs(case.T))


@slip("bptt-matrix-form")
def outer_product_transposed(case):
    """Put the state on the left: h_{tau-1} times a row."""
    return matrix_form(case).T


@slip("bptt-matrix-form", blind=no_memory)
def jacobian_not_transposed(case):
    """Multiply g_t by the Jacobian and not by its transpose."""
    return matrix_over(
        case,
        lambda t, tau: np.outer(case.slope(tau) * (case.between(t, tau) @ case.g[t - 1]), case.h[tau - 1]),
    )


@slip("bptt-matrix-form", blind=no_memory)
def slope_at_the_wrong_step(case):
    """Use sigma'(z_t), the slope where the loss is, for sigma'(z_tau), where W acts."""
    return matrix_over(
        case,
        lambda t, tau: np.outer(case.slope(t) * (case.between(t, tau).T @ case.g[t - 1]), case.h[tau - 1]),
    )


@steps("bptt-matrix-form-steps", cases=(sequence, three_steps), ends_in=matrix_form)
def matrix_steps(case):
    """e_i picks entry i of a row; a row is the transpose of a column."""
    H = len(case.W)
    # \frac{\partial L}{\partial W_{ij}}
    yield case.gradient("W")
    # = \sum_{t=1}^T \sum_{\tau=1}^t
    #   g_t^\top\,\frac{\partial h_t}{\partial h_\tau}\, e_i\,\sigma'(z_{\tau,i})\,h_{\tau-1,j}
    yield np.array(
        [
            [
                sum(
                    case.g[t - 1] @ case.between(t, tau)[:, i] * case.slope(tau)[i] * case.h[tau - 1][j]
                    for t, tau in pairs(case.T)
                )
                for j in range(H)
            ]
            for i in range(H)
        ]
    )
    # = \sum_{t=1}^T \sum_{\tau=1}^t \sigma'(z_{\tau,i})
    #   \Bigl[ \Bigl( \frac{\partial h_t}{\partial h_\tau} \Bigr)^{\!\top} g_t \Bigr]_i\, h_{\tau-1,j}
    yield sum(
        (case.slope(tau) * (case.between(t, tau).T @ case.g[t - 1]))[:, None] * case.h[tau - 1]
        for t, tau in pairs(case.T)
    )


# --- the two readings -------------------------------------------------------------------------------------------------


def weighted_sum(case):
    # $$ \sum_{t=1}^T \sum_{\tau=1}^t
    #    g_t^\top\,\frac{\partial h_t}{\partial h_\tau}\,\frac{\partial h_\tau}{\partial W_{ij}}
    #    = \sum_{t=1}^T \sum_{\tau=1}^t (t - \tau + 1)\;
    #    g_t^\top\,\frac{\partial h_t}{\partial h_\tau}\,\frac{\partial^+ h_\tau}{\partial W_{ij}} $$
    return double_sum_over(case, weight=lambda t, tau: t - tau + 1)


@claim("bptt-total-derivative-inside", cases=sequence)
def total_inside_measured(case, weighted_sum=weighted_sum):
    """The left side, its total derivatives by complex steps."""
    agree(weighted_sum(case), double_sum_over(case, part=lambda case, tau: measured_total(case, tau)))


@claim("bptt-total-derivative-inside", cases=sequence)
def it_is_not_the_gradient(case):
    """The same sum against the gradient: they are apart."""
    differ(weighted_sum(case), case.gradient("W"))


@claim("bptt-total-derivative-inside", cases=three_steps)
def total_inside_in_symbols(case, weighted_sum=weighted_sum):
    """The left side in symbols, for three steps."""
    same(weighted_sum(case), double_sum_over(case, part=lambda case, tau: measured_total(case, tau)))


@slip("bptt-total-derivative-inside", blind=no_memory)
def counted_once(case):
    """Believe that the two readings are one: every term counted once."""
    return double_sum_over(case)


@slip("bptt-total-derivative-inside")
def counted_one_less(case):
    """Count the steps between: t - tau times."""
    return double_sum_over(case, weight=lambda t, tau: t - tau)


@slip("bptt-total-derivative-inside", blind=one_step)
def counted_by_the_loss(case):
    """Count each term of L_t as often as there are steps up to it: t times."""
    return double_sum_over(case, weight=lambda t, tau: t)


def last_weighted_total(case):
    """The inner sum at t = T, with its weights."""
    return total_by_sum(case, case.T, lambda t, tau: t - tau + 1)


@steps("bptt-total-derivative-inside-steps", cases=(sequence, three_steps), ends_in=last_weighted_total)
def total_inside_steps(case):
    """Open the total derivative; two products of Jacobians join into one; then count."""
    t = case.T
    # \sum_{\tau=1}^t \frac{\partial h_t}{\partial h_\tau}\,\frac{\partial h_\tau}{\partial W}
    yield sum(chain(case.between(t, tau), measured_total(case, tau)) for tau in range(1, t + 1))
    # = \sum_{\tau=1}^t \sum_{j=1}^\tau
    #   \frac{\partial h_t}{\partial h_\tau}\,\frac{\partial h_\tau}{\partial h_j}\,\frac{\partial^+ h_j}{\partial W}
    yield sum(chain(case.between(t, tau), chain(case.between(tau, j), case.immediate(j))) for tau, j in pairs(t))
    # = \sum_{\tau=1}^t \sum_{j=1}^\tau \frac{\partial h_t}{\partial h_j}\,\frac{\partial^+ h_j}{\partial W}
    yield sum(chain(case.between(t, j), case.immediate(j)) for tau, j in pairs(t))
    # = \sum_{j=1}^t (t - j + 1)\,\frac{\partial h_t}{\partial h_j}\,\frac{\partial^+ h_j}{\partial W}
    yield sum((t - j + 1) * chain(case.between(t, j), case.immediate(j)) for j in range(1, t + 1))


def by_hand():
    """One unit, three steps, in fractions: W = 2, U = 1, x_t = -1, h_0 = 1/2. Each z_t is 0, each h_t is 1/2."""
    half, row = Fraction(1, 2), np.full((3, 1), -1)
    yield Fractions(row, np.array([half]), np.array([[2]], dtype=object), np.array([[1]]), np.ones((3, 1), dtype=int))


class Fractions(Sequence):
    """A sequence in exact fractions, whose pre-activations are all 0."""

    def sigma(self, z):
        return np.array([{0: Fraction(1, 2)}[value] for value in z], dtype=object)


def small_example(case):
    # $$ \frac{\partial L}{\partial W}
    #    = \tfrac18 + \bigl(\tfrac18 + \tfrac1{16}\bigr) + \bigl(\tfrac18 + \tfrac1{16} + \tfrac1{32}\bigr)
    #    = \tfrac{17}{32} $$
    return bptt.backward(case.batch.dh, case.batch.saved).dW


@claim("bptt-by-hand", cases=by_hand)
def in_fractions(case, small_example=small_example):
    """`backward` on fractions; the states, the slopes, the Jacobians and the immediate derivatives are as said."""
    same(small_example(case), [[Fraction(17, 32)]])
    same(case.h[1:], [[Fraction(1, 2)]] * 3)
    same([case.slope(t)[0] for t in (1, 2, 3)], [Fraction(1, 4)] * 3)
    same([case.J(t)[0, 0] for t in (1, 2, 3)], [Fraction(1, 2)] * 3)
    same([case.immediate(t)[0, 0, 0] for t in (1, 2, 3)], [Fraction(1, 8)] * 3)


@claim("bptt-by-hand")
def through_forward():
    """`forward` and `backward` in floating point."""
    saved = bptt.forward(-np.ones((3, 1, 1)), np.full((1, 1), 0.5), np.full((1, 1), 2.0), np.ones((1, 1)))[1]
    agree(bptt.backward(np.ones((3, 1, 1)), saved).dW, np.array([[17 / 32]]))


@slip("bptt-by-hand")
def twenty_three(case):
    """Take the total derivative inside the double sum: 1/8 + (1/8 + 2/16) + (1/8 + 2/16 + 3/32) = 23/32."""
    return double_sum_over(case, part=Sequence.total)


@slip("bptt-by-hand")
def twelve(case):
    """Keep the terms with tau = t: 1/8 + 1/8 + 1/8 = 12/32."""
    return double_sum_over(case, weight=lambda t, tau: int(t == tau))


@slip("bptt-by-hand")
def seven(case):
    """Keep the last loss: 1/8 + 1/16 + 1/32 = 7/32."""
    return double_sum_over(case, weight=lambda t, tau: int(t == case.T))


def printed_pairs(T):
    # $$ \{ (t, \tau) : 0 \le t \le T,\ 1 \le \tau \le t \} = \{ (t, \tau) : 1 \le t \le T,\ 1 \le \tau \le t \} $$
    return [(t, tau) for t in range(T + 1) for tau in range(1, t + 1)]


def lengths():
    """Sequences of 1 to 29 steps."""
    yield from range(1, 30)


@claim("bptt-sum-from-zero", cases=lengths)
def pairs_enumerated(T, printed_pairs=printed_pairs):
    """The pairs of both sums, listed; there are T (T + 1) / 2 of them."""
    same(printed_pairs(T), pairs(T))
    same(len(printed_pairs(T)), T * (T + 1) // 2)


@slip("bptt-sum-from-zero")
def inner_sum_from_zero_too(T):
    """Start the inner sum at 0 as well: T + 1 more terms, which ask how h_0 depends on W."""
    return [(t, tau) for t in range(T + 1) for tau in range(t + 1)]


@slip("bptt-sum-from-zero")
def empty_sum_run_backwards(T):
    """Run the empty sum from 1 down to 0: two terms for t = 0."""
    return [(0, 1), (0, 0), *pairs(T)]


# --- the recursion ----------------------------------------------------------------------------------------------------


def upstream(case):
    # $$ \frac{\partial L}{\partial h_T} = g_T, \qquad
    #    \frac{\partial L}{\partial h_\tau}
    #    = g_\tau + J_{\tau+1}^\top\,\frac{\partial L}{\partial h_{\tau+1}} \quad (\tau < T) $$
    found = [case.g[-1]]
    for tau in range(case.T - 1, 0, -1):
        found.append(case.g[tau - 1] + case.J(tau + 1).T @ found[-1])
    return np.array(found[::-1])


def before_the_last(case):
    """The loss's gradient by every state but the last."""
    return upstream(case)[:-1]


def measured_upstream(case, tau):
    """The derivative of L by h_tau: the network run again from h_tau."""
    return case.derivative(lambda state: case.loss(tau, state), case.h[tau])


@claim("bptt-recursion", cases=sequence)
def upstream_by_complex_step(case, upstream=upstream):
    """The network run again from each h_tau, each entry of which takes a complex step."""
    agree(upstream(case), np.array([measured_upstream(case, tau) for tau in range(1, case.T + 1)]))


@claim("bptt-recursion", cases=three_steps)
def upstream_in_symbols(case, upstream=upstream):
    """The same in symbols."""
    same(upstream(case), np.array([measured_upstream(case, tau) for tau in range(1, case.T + 1)]))


@claim("bptt-recursion", cases=sequence)
def upstream_by_backward(case, upstream=upstream):
    """`backward` of the steps after each h_tau gives its dh0; the state's own g_tau is added."""
    found = []
    for tau in range(1, case.T):
        later = replace(case, x=case.x[tau:], g=case.g[tau:], h0=case.h[tau]).batch
        found.append(case.g[tau - 1] + bptt.backward(later.dh, later.saved).dh0[0])
    agree(upstream(case), np.array([*found, case.g[-1]]))


def upstream_by(case, before):
    """The recursion with another step: before(step number of the later state, what is known of it)."""
    found = [case.g[-1]]
    for tau in range(case.T - 1, 0, -1):
        found.append(case.g[tau - 1] + before(tau + 1, found[-1]))
    return np.array(found[::-1])


@slip("bptt-recursion", blind=no_memory)
def own_loss_only(case):
    """Take g_tau for the whole: the immediate derivative of the loss."""
    return case.g + 0 * upstream(case)


@slip("bptt-recursion", blind=no_memory)
def step_not_transposed(case):
    """Multiply by J and not by its transpose."""
    return upstream_by(case, lambda t, later: case.J(t) @ later)


@slip("bptt-recursion", blind=no_memory)
def slope_of_the_earlier_step(case):
    """Use the slope of h_tau for that of h_{tau+1}."""
    return upstream_by(case, lambda t, later: case.J(t - 1).T @ later)


@slip("bptt-recursion", blind=no_memory)
def slope_after_the_weights(case):
    """Multiply by W^T first, and by the slopes then."""
    return upstream_by(case, lambda t, later: case.slope(t) * (case.W.T @ later))


@steps("bptt-recursion-steps", cases=(sequence, three_steps), ends_in=before_the_last)
def upstream_steps(case):
    """Every later state goes through h_{tau+1}: its Jacobian leaves the sum."""
    earlier = range(1, case.T)
    # \frac{\partial L}{\partial h_\tau}
    yield np.array([measured_upstream(case, tau) for tau in earlier])
    # = \sum_{t=\tau}^T \Bigl( \frac{\partial h_t}{\partial h_\tau} \Bigr)^{\!\top} g_t
    yield np.array([case.upstream(tau) for tau in earlier])
    # = g_\tau + J_{\tau+1}^\top \sum_{t=\tau+1}^T
    #   \Bigl( \frac{\partial h_t}{\partial h_{\tau+1}} \Bigr)^{\!\top} g_t
    yield np.array([case.g[tau - 1] + case.J(tau + 1).T @ case.upstream(tau + 1) for tau in earlier])
    # = g_\tau + J_{\tau+1}^\top\,\frac{\partial L}{\partial h_{\tau+1}}
    yield np.array([case.g[tau - 1] + case.J(tau + 1).T @ measured_upstream(case, tau + 1) for tau in earlier])


# --- the gradients for weights, inputs and first state ----------------------------------------------------------------


def summed(case, term):
    """The sum of term(sequence, tau) over the steps and the sequences of a batch."""
    return sum(term(one, tau) for one in case.sequences for tau in range(1, one.T + 1))


def per_step(case, term):
    """term(sequence, tau) for every step of every sequence, (T, B, ...)."""
    rows = [[term(one, tau) for one in case.sequences] for tau in range(1, case.T + 1)]
    return np.array(rows)


def dz(one, tau):
    """The derivative of L by z_tau."""
    return one.slope(tau) * one.upstream(tau)


def dW(case):
    # $$ \frac{\partial L}{\partial W} = \sum_{\tau=1}^T
    #    \Bigl( \sigma'(z_\tau) \odot \frac{\partial L}{\partial h_\tau} \Bigr)\, h_{\tau-1}^\top $$
    return bptt.backward(case.dh, case.saved).dW


@claim("bptt-weight-gradient", cases=batch)
def dW_equals_the_double_sum(case, dW=dW):
    """The walk back gives the double sum, to rounding."""
    agree(dW(case), sum(map(double_sum, case.sequences)))


@claim("bptt-weight-gradient", cases=batch)
def dW_by_complex_step(case, dW=dW):
    """The loss, each weight of which takes a complex step."""
    agree(dW(case), case.gradient("W"))


@claim("bptt-weight-gradient", cases=three_steps_batch)
def dW_in_symbols(case, dW=dW):
    """`backward` itself, run on symbols, against SymPy's derivative, for three steps."""
    same(dW(case), case.gradient("W"))


@slip("bptt-weight-gradient")
def state_after_in_dW(case):
    """Multiply by h_tau, the state that the step gives, for h_{tau-1}, the state that it reads."""
    return summed(case, lambda one, tau: np.outer(dz(one, tau), one.h[tau]))


@slip("bptt-weight-gradient", blind=no_memory)
def truncated(case):
    """Use g_tau for the whole gradient at h_tau: backpropagation through one step."""
    return summed(case, lambda one, tau: np.outer(one.slope(tau) * one.g[tau - 1], one.h[tau - 1]))


@slip("bptt-weight-gradient", blind=loss_at_the_end)
def losses_on_the_way_forgotten(case):
    """Start from the last loss, and do not add the others on the way back."""
    at_the_end = loss_at_the_end(case)
    return summed(at_the_end, lambda one, tau: np.outer(dz(one, tau), one.h[tau - 1]))


@slip("bptt-weight-gradient")
def slope_left_out(case):
    """Multiply the gradient at h_tau by h_{tau-1}, without sigma'."""
    return summed(case, lambda one, tau: np.outer(one.upstream(tau), one.h[tau - 1]))


@slip("bptt-weight-gradient", blind=symmetric_weights)
def weights_not_transposed(case):
    """Walk back with W and not with its transpose."""

    def walk(one):
        later, found = 0 * one.g[0], 0
        for tau in range(one.T, 0, -1):
            asked = one.slope(tau) * (one.g[tau - 1] + later)
            found = found + np.outer(asked, one.h[tau - 1])
            later = one.W @ asked
        return found

    return sum(map(walk, case.sequences))


@slip("bptt-weight-gradient", blind=one_step)
def every_path_counted_again(case):
    """Use the total derivative inside the double sum."""
    return sum(map(total_inside, case.sequences))


@slip("bptt-weight-gradient", blind=one_step)
def last_use_of_the_weights(case):
    """Take the product of the last step alone, and forget that W is used at every step."""
    return sum(np.outer(dz(one, one.T), one.h[one.T - 1]) for one in case.sequences)


@slip("bptt-weight-gradient", blind=one_step)
def mean_over_steps(case):
    """Average over the steps: W is used T times, and the uses add."""
    return dW(case) / case.T


@steps("bptt-weight-gradient-steps", cases=(batch, three_steps_batch), ends_in=dW)
def dW_steps(case):
    """Exchange the sums: first the uses of W, then the losses that each of them reaches."""
    # \frac{\partial L}{\partial W}
    yield case.gradient("W")
    # = \sum_{t=1}^T \sum_{\tau=1}^t \operatorname{diag}(\sigma'(z_\tau))
    #   \Bigl( \frac{\partial h_t}{\partial h_\tau} \Bigr)^{\!\top} g_t\; h_{\tau-1}^\top
    yield sum(map(matrix_form, case.sequences))
    # = \sum_{\tau=1}^T \operatorname{diag}(\sigma'(z_\tau)) \Bigl[ \sum_{t=\tau}^T
    #   \Bigl( \frac{\partial h_t}{\partial h_\tau} \Bigr)^{\!\top} g_t \Bigr] h_{\tau-1}^\top
    yield summed(case, lambda one, tau: np.outer(np.diag(one.slope(tau)) @ one.upstream(tau), one.h[tau - 1]))
    # = \sum_{\tau=1}^T \Bigl( \sigma'(z_\tau) \odot \frac{\partial L}{\partial h_\tau} \Bigr)\, h_{\tau-1}^\top
    yield summed(case, lambda one, tau: np.outer(one.slope(tau) * upstream(one)[tau - 1], one.h[tau - 1]))


def dU(case):
    # $$ \frac{\partial L}{\partial U} = \sum_{\tau=1}^T
    #    \Bigl( \sigma'(z_\tau) \odot \frac{\partial L}{\partial h_\tau} \Bigr)\, x_\tau^\top $$
    return bptt.backward(case.dh, case.saved).dU


@claim("bptt-input-weight-gradient", cases=batch)
def dU_by_complex_step(case, dU=dU):
    """The loss, each input weight of which takes a complex step."""
    agree(dU(case), case.gradient("U"))


@claim("bptt-input-weight-gradient", cases=three_steps_batch)
def dU_in_symbols(case, dU=dU):
    """`backward` itself, run on symbols, against SymPy's derivative."""
    same(dU(case), case.gradient("U"))


@claim("bptt-input-weight-gradient", cases=batch)
def dU_by_autograd(case, dU=dU):
    """PyTorch's autograd."""
    agree(dU(case), autograd(case)[3])


@slip("bptt-input-weight-gradient")
def input_shifted(case):
    """Multiply by x_{tau-1}, as for the state (and by the last input at the first step)."""
    return summed(case, lambda one, tau: np.outer(dz(one, tau), one.x[tau - 2]))


@slip("bptt-input-weight-gradient")
def state_for_input(case):
    """Multiply by h_{tau-1}, as for W: the shape objects."""
    return summed(case, lambda one, tau: np.outer(dz(one, tau), one.h[tau - 1]))


@slip("bptt-input-weight-gradient", blind=no_memory)
def own_loss_for_U(case):
    """Use g_tau for the whole gradient at h_tau: U does not act on h_{tau+1} by x_tau, but h_tau does."""
    return summed(case, lambda one, tau: np.outer(one.slope(tau) * one.g[tau - 1], one.x[tau - 1]))


@slip("bptt-input-weight-gradient")
def slope_left_out_for_U(case):
    """Forget sigma'."""
    return summed(case, lambda one, tau: np.outer(one.upstream(tau), one.x[tau - 1]))


def dx(case):
    # $$ \frac{\partial L}{\partial x_\tau} = U^\top
    #    \Bigl( \sigma'(z_\tau) \odot \frac{\partial L}{\partial h_\tau} \Bigr) $$
    return bptt.backward(case.dh, case.saved).dx


@claim("bptt-input-gradient", cases=batch)
def dx_by_complex_step(case, dx=dx):
    """The loss, each input of which takes a complex step."""
    agree(dx(case), case.gradient("x"))


@claim("bptt-input-gradient", cases=three_steps_batch)
def dx_in_symbols(case, dx=dx):
    """`backward` itself, run on symbols, against SymPy's derivative."""
    same(dx(case), case.gradient("x"))


@claim("bptt-input-gradient", cases=batch)
def dx_by_autograd(case, dx=dx):
    """PyTorch's autograd."""
    agree(dx(case), autograd(case)[0])


@slip("bptt-input-gradient", blind=no_memory)
def own_loss_for_x(case):
    """Let x_tau reach the loss of its own step only."""
    return per_step(case, lambda one, tau: one.U.T @ (one.slope(tau) * one.g[tau - 1]))


@slip("bptt-input-gradient")
def slope_left_out_for_x(case):
    """Forget sigma'."""
    return per_step(case, lambda one, tau: one.U.T @ one.upstream(tau))


@slip("bptt-input-gradient", blind=one_step)
def summed_over_steps(case):
    """Sum over the steps, as for the weights: but each step has an input of its own."""
    whole = dx(case)
    return 0 * whole + whole.sum(0, keepdims=True)


def dh0(case):
    # $$ \frac{\partial L}{\partial h_0} = J_1^\top\,\frac{\partial L}{\partial h_1} $$
    return bptt.backward(case.dh, case.saved).dh0


@claim("bptt-initial-state-gradient", cases=batch)
def dh0_by_complex_step(case, dh0=dh0):
    """The loss, each entry of h_0 taking a complex step."""
    agree(dh0(case), case.gradient("h0"))


@claim("bptt-initial-state-gradient", cases=three_steps_batch)
def dh0_in_symbols(case, dh0=dh0):
    """`backward` itself, run on symbols, against SymPy's derivative."""
    same(dh0(case), case.gradient("h0"))


@claim("bptt-initial-state-gradient", cases=batch)
def dh0_by_autograd(case, dh0=dh0):
    """PyTorch's autograd."""
    agree(dh0(case), autograd(case)[1])


@slip("bptt-initial-state-gradient")
def one_step_short(case):
    """Stop at h_1."""
    return np.array([one.upstream(1) for one in case.sequences])


@slip("bptt-initial-state-gradient", blind=no_later_loss)
def first_loss_only(case):
    """Let h_0 reach the first loss only."""
    return np.array([one.J(1).T @ one.g[0] for one in case.sequences])


@slip("bptt-initial-state-gradient")
def a_loss_at_step_zero(case):
    """Add a g_0: the sheet's sum starts at t = 0, but the loss does not."""
    return dh0(case) + np.array([one.g[0] for one in case.sequences])


# --- batches, cost, length --------------------------------------------------------------------------------------------


def batch_gradients(case):
    found = bptt.backward(case.dh, case.saved)
    return found.dW, found.dU, found.dx, found.dh0


@claim("bptt-batch", cases=batch)
def one_sequence_at_a_time(case, batch_gradients=batch_gradients):
    """Each sequence run by itself: the weights' gradients add, the others stand side by side."""
    first, second = (bptt.backward(one.batch.dh, one.batch.saved) for one in case.sequences)
    dW, dU, dx, dh0 = batch_gradients(case)
    agree(dW, first.dW + second.dW)
    agree(dU, first.dU + second.dU)
    agree(dx, np.concatenate([first.dx, second.dx], 1))
    agree(dh0, np.concatenate([first.dh0, second.dh0]))


def three_sequences(rng):
    """Three sequences of four steps, five units, two inputs: x, h0, W, U, and the factors of a loss that bends."""
    sizes = ((4, 3, 2), (3, 5), (5, 5), (5, 2), (4, 3, 5))
    return [rng.normal(size=size) for size in sizes]


@claim("bptt-batch", cases=three_sequences)
def by_a_loss_that_bends(case):
    """The loss is a sum of sines of all states, so that dh depends on them; the four gradients by a complex step."""
    *inputs, g = case

    def loss(k):
        def of(moved):
            x, state, W, U = (moved if j == k else a for j, a in enumerate(inputs))
            total = 0
            for row, factor in zip(x, g, strict=True):
                state = exponential(state @ W.T + row @ U.T)
                total = total + (factor * np.sin(state)).sum()
            return total

        return of

    h, saved = bptt.forward(*inputs)
    found = bptt.backward(g * np.cos(h), saved)
    for k, ours in enumerate((found.dx, found.dh0, found.dW, found.dU)):
        agree(ours, complex_step(loss(k), inputs[k]))


@slip("bptt-batch")
def mean_over_sequences(case):
    """Average over the batch: if the loss is a mean, the factor is in g already."""
    dW, dU, dx, dh0 = batch_gradients(case)
    B = len(case.sequences)
    return dW / B, dU / B, dx, dh0


class Counted:
    """A number that is not looked at. Each multiplication of two of them is counted."""

    count = 0

    def __mul__(self, other):
        Counted.count += 1
        return self

    def __add__(self, other):
        return self

    __rmul__, __radd__, __sub__, __rsub__ = __mul__, __add__, __add__, __add__


def multiplications(sizes):
    # $$ T B \,(2 D_{\mathrm h}^2 + 2 D_{\mathrm h} D + 2 D_{\mathrm h}) $$
    T, B, D, H = sizes
    return T * B * (2 * H * H + 2 * H * D + 2 * H)


def many_sizes():
    """Sequences of 2 to 12 steps, and three sizes of the rest."""
    for T in range(2, 13):
        yield from [(T, 1, 1, 1), (T, 2, 3, 4), (T, 3, 4, 2)]


@claim("bptt-cost", cases=many_sizes)
def multiplications_counted(sizes, multiplications=multiplications):
    """`backward` run on numbers that count their multiplications."""
    T, B, D, H = sizes

    def counted(*shape):
        return np.array([Counted() for _ in range(math.prod(shape))], dtype=object).reshape(shape)

    saved = bptt.Saved(counted(T, B, D), counted(B, H), counted(T, B, H), counted(H, H), counted(H, D))
    before = Counted.count
    bptt.backward(counted(T, B, H), saved)
    same(multiplications(sizes), Counted.count - before)


@slip("bptt-cost")
def forward_cost(sizes):
    """Give the multiplications of the forward pass."""
    T, B, D, H = sizes
    return T * B * (H * H + H * D)


def one_long(sizes):
    """T = 1."""
    return (1, *sizes[1:])


@slip("bptt-cost", blind=one_long)
def one_product_a_term(sizes):
    """Pay for each of the T (T + 1) / 2 terms of the double sum."""
    T, B, D, H = sizes
    return T * (T + 1) // 2 * B * (2 * H * H + 2 * H * D + 2 * H)


def long_batches():
    """Sequences of 1, 2, 17, 75 and 200 steps."""
    for T in (1, 2, 17, 75, 200):
        rng = np.random.default_rng(T)
        W, U = weights(rng)
        yield Batch((rng_sequence(rng, W, U, T), rng_sequence(rng, W, U, T)))


def all_gradients(case):
    found = bptt.backward(case.dh, case.saved)
    return found.dx, found.dh0, found.dW, found.dU


@claim("bptt-long-sequences", cases=long_batches)
def long_by_autograd(case, all_gradients=all_gradients):
    """The four gradients by PyTorch's autograd, each to 1e-12."""
    for ours, theirs in zip(all_gradients(case), autograd(case), strict=True):
        agree(ours, theirs)


@claim("bptt-long-sequences", cases=long_batches)
def long_by_complex_step(case, all_gradients=all_gradients):
    """Five random directions, each moving all inputs, states and weights at once, by one complex step each."""
    rng = np.random.default_rng(0)
    gradients, inputs = all_gradients(case), case.inputs
    directions = [[rng.normal(size=array.shape) for array in inputs] for _ in range(5)]

    def loss(amounts):
        moved = [a + sum(r * v[k] for r, v in zip(amounts, directions, strict=True)) for k, a in enumerate(inputs)]
        x, state, W, U = moved
        total = 0
        for row, g in zip(x, case.dh, strict=True):
            state = exponential(state @ W.T + row @ U.T)
            total = total + (g * state).sum()
        return total

    along = [sum((g * v).sum() for g, v in zip(gradients, direction, strict=True)) for direction in directions]
    agree(np.array(along), complex_step(loss, np.zeros(5)))


@slip("bptt-long-sequences")
def long_with_the_state_after(case):
    """Multiply by the states that the steps give."""
    dx, dh0, _, dU = all_gradients(case)
    return dx, dh0, sum((one.h[1:] * (1 - one.h[1:]) * upstream(one)).T @ one.h[1:] for one in case.sequences), dU


@slip("bptt-long-sequences")
def long_and_one_step_short(case):
    """Stop at h_1."""
    dx, _, dW, dU = all_gradients(case)
    return dx, np.array([upstream(one)[0] for one in case.sequences]), dW, dU


# --- bad input --------------------------------------------------------------------------------------------------------


@claim("bptt-bad-input")
def bad_input():
    """Wrong shapes and wrong dtypes, one argument at a time."""
    x, h0, W, U = np.ones((5, 2, 3)), np.ones((2, 4)), np.ones((4, 4)), np.ones((4, 3))
    refuses(lambda: bptt.forward(x[0], h0, W, U), naming="x")
    refuses(lambda: bptt.forward(x[:0], h0, W, U), naming="x")
    refuses(lambda: bptt.forward(x.astype(int), h0, W, U), naming="x")
    refuses(lambda: bptt.forward(x, h0[:1], W, U), naming="h0")
    refuses(lambda: bptt.forward(x, h0[0], W, U), naming="h0")
    refuses(lambda: bptt.forward(x, h0 * 1j, W, U), naming="h0")
    refuses(lambda: bptt.forward(x, h0, W[:3], U), naming="W")
    refuses(lambda: bptt.forward(x, h0, W[0], U), naming="W")
    refuses(lambda: bptt.forward(x, h0, W > 0, U), naming="W")
    refuses(lambda: bptt.forward(x, h0, W, U.T), naming="U")
    refuses(lambda: bptt.forward(x, h0, W, U[0]), naming="U")
    refuses(lambda: bptt.forward(x, h0, W, U.astype(object)), naming="U")
    saved = bptt.forward(x, h0, W, U)[1]
    refuses(lambda: bptt.backward(saved.h[:1], saved), naming="dh")
    refuses(lambda: bptt.backward(saved.h[-1], saved), naming="dh")
    for bad in (saved.h * 1j, saved.h > 0, saved.h[:, :1], saved.h[..., :1], saved.h.astype(str)):
        refuses(lambda bad=bad: bptt.backward(bad, saved), naming="dh")
    refuses(lambda: bptt.forward(x[None], h0, W, U), naming="x")
    refuses(lambda: bptt.forward(x[:, :0], h0[:0], W, U), naming="x")


@claim("bptt-precision", cases=batch)
def in_single_precision(case):
    """The same batch in float32 and float64; one argument in float64 is enough for float64."""
    high, low = (*case.inputs, case.dh), [a.astype(np.float32) for a in (*case.inputs, case.dh)]
    for ours, theirs in zip(outputs(low), outputs(high), strict=True):
        same(str(ours.dtype), "float32")
        agree(ours, theirs, tolerance=1e-5)
    for k in range(5):
        mixed = [*low[:k], high[k], *low[k + 1 :]]
        same(str(outputs(mixed)[1].dtype), "float64")


def outputs(arrays):
    """h, dW, dU, dx, dh0."""
    h, saved = bptt.forward(*arrays[:-1])
    found = bptt.backward(arrays[-1], saved)
    return h, found.dW, found.dU, found.dx, found.dh0


@claim("bptt-pure", cases=batch)
def inputs_unchanged(case):
    """Arrays that cannot be written to, the saved ones too; then the same calls again: the same bits."""
    arrays = (*case.inputs, case.dh)
    for array in arrays:
        array.setflags(write=False)
    saved = bptt.forward(*arrays[:-1])[1]
    saved.h.setflags(write=False)
    first, again = bptt.backward(case.dh, saved), bptt.backward(case.dh, saved)
    for name in ("dW", "dU", "dx", "dh0"):
        agree(getattr(again, name), getattr(first, name), tolerance=0)
    agree(outputs(arrays)[0], saved.h, tolerance=0)
