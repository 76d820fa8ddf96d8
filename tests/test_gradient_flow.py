"""Vanishing and exploding gradients: the claims of the chapter, in its order.

Letters, as on the page: h_t is the state at time t, g_t = dL_t/dh_t, J_t = dh_t/dh_{t-1}; D_t stands for the immediate
derivative of h_t by W. Arrays start at 0: `case.J[0]` is J_1.
"""

import functools
import itertools
from dataclasses import dataclass, replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from dlnotes import batch_norm, gradient_flow
from dlnotes.check import agree, at_most, claim, complex_step, differ, every, need, note, refuses, same, slip, steps

# --- cases: a recurrence, in numbers or in symbols -------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_entries(f, x):
    """The Jacobian of the vector f at x, by a complex step: one row an output."""
    return np.array([complex_step(lambda x, i=i: f(x)[i], x) for i in range(len(f(x)))])


@dataclass(frozen=True)
class Rnn:
    """h_t = sigmoid(W h_{t-1} + u_t), u_t = U x_t given. The loss is the sum of g_t . h_t: any is, to first order."""

    W: np.ndarray  # (H, H)
    h0: np.ndarray  # (H,)
    u: np.ndarray  # (T, H)
    g: np.ndarray  # (T, H)

    def run(self, W, h, start=0):
        """The states after steps start + 1 to T, from the state h."""
        states = []
        for u in self.u[start:]:
            h = sigmoid(W @ h + u)
            states.append(h)
        return states

    def loss(self, W):
        return sum((g * h).sum() for g, h in zip(self.g, self.run(W, self.h0), strict=True))

    @property
    def T(self):
        return len(self.u)

    @property
    def h(self):
        """h_0 to h_T."""
        return np.array([self.h0, *self.run(self.W, self.h0)])

    @property
    def slopes(self):
        return self.h[1:] * (1 - self.h[1:])

    @property
    def J(self):
        return self.slopes[:, :, None] * self.W

    @property
    def D(self):
        """(T, H, H, H): entry i, a, b is the derivative of h_{t,i} by W_ab, with h_{t-1} held."""
        return np.einsum("ia,ti,tb->tiab", np.eye(len(self.h0)), self.slopes, self.h[:-1])

    def jump(self, t, tau):
        """dh_t/dh_tau, measured by a complex step through the recurrence."""
        h = self.h[tau]
        if t == tau:
            return np.eye(len(h))
        return by_entries(lambda h: self.run(self.W, h, tau)[t - tau - 1], h)

    def total(self, t):
        """dh_t/dW, measured by a complex step through the recurrence."""
        return by_entries(lambda W: self.run(W, self.h0)[t - 1], self.W)


def through(W, h, g):
    """The network whose states are h (T + 1, H): its inputs are chosen so."""
    return Rnn(W, h[0], np.log(h[1:] / (1 - h[1:])) - h[:-1] @ W.T, g)


def three(rng):
    """Three steps of two units. The slopes of steps 2 and 3 differ much, so that the order of a product shows."""
    h = np.array([[0.4, 0.6], [0.7, 0.3], [0.1, 0.5], [0.5, 0.9]]) + rng.uniform(-0.05, 0.05, (4, 2))
    W = np.array([[2.0, 9.0], [7.0, 1.0]]) + rng.normal(size=(2, 2))
    return through(W, h, rng.uniform(0.5, 1.5, (3, 2)))


def five(rng):
    """Five steps of three units; the slopes differ from step to step."""
    pattern = np.array([[0.1, 0.5, 0.8], [0.5, 0.9, 0.4], [0.9, 0.3, 0.5]])
    h = np.vstack([pattern, pattern]) + rng.uniform(-0.05, 0.05, (6, 3))
    return through(lopsided(rng), h, rng.uniform(0.5, 1.5, (5, 3)))


def lopsided(rng):
    """Weights that are far from symmetric."""
    return np.array([[1.0, 6.0, -2.0], [-1.0, 2.0, 7.0], [5.0, -3.0, 1.0]]) + 0.5 * rng.normal(size=(3, 3))


@dataclass(frozen=True)
class Chain:
    """Gradients, Jacobians and immediate derivatives, all free symbols."""

    g: np.ndarray
    J: np.ndarray
    D: np.ndarray

    @property
    def T(self):
        return len(self.g)


def symbolic_three():
    """Three steps of two units and one parameter, in 24 symbols."""
    import sympy

    def array(name, *shape):
        return np.array(sympy.symbols(f"{name}:{np.prod(shape)}")).reshape(shape)

    yield Chain(array("g", 3, 2), array("J", 3, 2, 2), array("D", 3, 2))


def gradient_by_autograd(case):
    torch = need("torch")
    W = torch.tensor(case.W, requires_grad=True)
    h, loss = torch.tensor(case.h0), 0
    for u, g in zip(case.u, case.g, strict=True):
        h = torch.sigmoid(W @ h + torch.tensor(u))
        loss = loss + (torch.tensor(g) * h).sum()
    loss.backward()
    return W.grad.numpy()


def double_sum(case, between):
    """The sum over t and over tau <= t of g_t^T between(t, tau) D_tau."""
    pairs = [(t, tau) for t in range(1, case.T + 1) for tau in range(1, t + 1)]
    return sum(np.tensordot(case.g[t - 1] @ between(t, tau), case.D[tau - 1], 1) for t, tau in pairs)


# --- three steps -----------------------------------------------------------------------------------------------------


def third_state(case):
    return np.tensordot(case.J[2] @ case.J[1], case.D[0], 1) + np.tensordot(case.J[2], case.D[1], 1) + case.D[2]


@steps("gradient-flow-third-state-steps", cases=three, ends_in=third_state)
def third_state_steps(case):
    """W acts at once, and through the state before; the rule is used until no state is left."""
    # \frac{\partial h_3}{\partial W}
    yield case.total(3)
    # = \frac{\partial^+ h_3}{\partial W} + J_3\,\frac{\partial h_2}{\partial W}
    yield case.D[2] + np.tensordot(case.J[2], case.total(2), 1)
    # = \frac{\partial^+ h_3}{\partial W}
    #   + J_3 \Bigl( \frac{\partial^+ h_2}{\partial W} + J_2\,\frac{\partial h_1}{\partial W} \Bigr)
    yield case.D[2] + np.tensordot(case.J[2], case.D[1] + np.tensordot(case.J[1], case.total(1), 1), 1)
    # = J_3 J_2\,\frac{\partial^+ h_1}{\partial W} + J_3\,\frac{\partial^+ h_2}{\partial W}
    #   + \frac{\partial^+ h_3}{\partial W}
    yield third_state(case)


def three_steps(case):
    # $$ \begin{aligned} \frac{\partial L}{\partial W}
    #    &= g_1^\top \frac{\partial^+ h_1}{\partial W} \\
    #    &+ g_2^\top J_2\,\frac{\partial^+ h_1}{\partial W} + g_2^\top \frac{\partial^+ h_2}{\partial W} \\
    #    &+ g_3^\top J_3 J_2\,\frac{\partial^+ h_1}{\partial W} + g_3^\top J_3\,\frac{\partial^+ h_2}{\partial W}
    #    + g_3^\top \frac{\partial^+ h_3}{\partial W} \end{aligned} $$
    return gradient_flow.unrolled_gradient(case.g, case.J, case.D)


@claim("gradient-flow-three-steps", cases=symbolic_three)
def three_by_recursion(case, three_steps=three_steps):
    """Total derivatives carried forward, dh_t/dW = D_t + J_t dh_{t-1}/dW, in symbols: true for all values."""
    total, expected = case.D[0], case.g[0] @ case.D[0]
    for t in (1, 2):
        total = case.D[t] + case.J[t] @ total
        expected = expected + case.g[t] @ total
    same(three_steps(case), expected)


@claim("gradient-flow-three-steps", cases=three)
def three_by_complex_step(case, three_steps=three_steps):
    """Derivative of the loss along each entry of W, by a complex step."""
    agree(three_steps(case), complex_step(case.loss, case.W))


@claim("gradient-flow-three-steps", cases=three)
def three_by_autograd(case, three_steps=three_steps):
    """PyTorch's autograd through the recurrence."""
    agree(three_steps(case), gradient_by_autograd(case))


@claim("gradient-flow-three-steps")
def three_by_nested_exponentials():
    """One unit: SymPy differentiates the nested exponentials; both sides are worked out to 60 digits."""
    import sympy

    note("SymPy, 60 digits")
    w, half = sympy.Symbol("w"), sympy.Rational(1, 2)
    h, loss, at = sympy.Rational(1, 3), 0, {w: sympy.Rational(7, 2)}
    g, J, D = [2, -3, 5], [], []
    for t in range(3):
        before, z = h, w * h + half * t - 1
        h = 1 / (1 + sympy.exp(-z))
        loss += g[t] * h
        slope = (h * (1 - h)).subs(at).n(60)
        J.append([[slope * at[w]]])
        D.append([slope * sympy.sympify(before).subs(at).n(60)])
    six = three_steps(Chain(np.array([[x] for x in g], object), np.array(J, object), np.array(D, object)))
    agree(float(six - loss.diff(w).subs(at).n(60)), 0.0, tolerance=1e-50, scale=float(six))


@slip("gradient-flow-three-steps")
def last_loss_only(case):
    """Keep the three terms of L_3, and forget those of L_1 and L_2."""
    return gradient_flow.unrolled_gradient(np.vstack([0 * case.g[:-1], case.g[-1:]]), case.J, case.D)


@slip("gradient-flow-three-steps")
def first_jacobian_present(case):
    """Take one Jacobian too many: J_1 would lead to h_0, which is a constant."""
    return double_sum(case, lambda t, tau: gradient_flow.jacobian_product(case.J[tau - 1 : t]))


@slip("gradient-flow-three-steps")
def order_reversed(case):
    """Multiply in the order of time, J_2 J_3."""
    return double_sum(case, lambda t, tau: gradient_flow.jacobian_product(case.J[tau:t][::-1]))


def three_counts():
    # $$ [\,\cdot\,]^0 \text{ three times}, \qquad [\,\cdot\,]^1 \text{ twice}, \qquad [\,\cdot\,]^2 \text{ once} $$
    return read_counts(3)


def digits_of(T):
    J, ones = np.full((T, 1, 1), 1000, dtype=object), np.ones((T, 1), dtype=object)
    total, counts = gradient_flow.unrolled_gradient(ones, J, ones), []
    while total:
        total, digit = divmod(int(total), 1000)
        counts.append(digit)
    return counts


digits = functools.cache(digits_of)


def read_counts(T):
    """How often each power occurs: with all Jacobians 1000 and the rest 1, these are the digits in base 1000."""
    return list(digits(T))


@claim("gradient-flow-three-steps-exponents")
def three_enumerated(three_counts=three_counts):
    """All pairs tau <= t <= 3 are listed, and the Jacobians between them counted."""
    pairs = [(t, tau) for t in (1, 2, 3) for tau in range(1, t + 1)]
    same(three_counts(), [sum(len(range(tau, t)) == p for t, tau in pairs) for p in range(3)])
    same(len(pairs), 6)


@slip("gradient-flow-three-steps-exponents")
def up_to_the_power_3():
    """Think that three steps give a third power."""
    return [0, 3, 2, 1]


@slip("gradient-flow-three-steps-exponents")
def one_power_each():
    """Keep the terms of the last loss only: each power once."""
    return [1, 1, 1]


# --- any number of steps ---------------------------------------------------------------------------------------------


def general(case):
    # $$ \frac{\partial L}{\partial W} = \sum_{t=1}^{T} \sum_{\tau=1}^{t}
    #    g_t^\top \, J_t J_{t-1} \cdots J_{\tau+1} \, \frac{\partial^+ h_\tau}{\partial W} $$
    return gradient_flow.unrolled_gradient(case.g, case.J, case.D)


@steps("gradient-flow-general-steps", cases=five, ends_in=general)
def general_steps(case):
    """The total derivative of a state is the sum over the times at which W acted."""
    # \frac{\partial L}{\partial W}
    yield complex_step(case.loss, case.W)
    # = \sum_{t=1}^{T} g_t^\top \frac{\partial h_t}{\partial W}
    yield sum(np.tensordot(case.g[t - 1], case.total(t), 1) for t in range(1, case.T + 1))
    # = \sum_{t=1}^{T} \sum_{\tau=1}^{t}
    #   g_t^\top \frac{\partial h_t}{\partial h_\tau} \frac{\partial^+ h_\tau}{\partial W}
    yield double_sum(case, case.jump)
    # = \sum_{t=1}^{T} \sum_{\tau=1}^{t}
    #   g_t^\top \, J_t J_{t-1} \cdots J_{\tau+1} \, \frac{\partial^+ h_\tau}{\partial W}
    yield double_sum(case, lambda t, tau: gradient_flow.jacobian_product(case.J[tau:t]))


@claim("gradient-flow-general", cases=five)
def general_by_complex_step(case, general=general):
    """Derivative of the loss along each entry of W, by a complex step."""
    agree(general(case), complex_step(case.loss, case.W))


@claim("gradient-flow-general", cases=five)
def general_by_autograd(case, general=general):
    """PyTorch's autograd through the recurrence."""
    agree(general(case), gradient_by_autograd(case))


@slip("gradient-flow-general")
def product_in_the_order_of_time(case):
    """Let the index grow from left to right."""
    return order_reversed(case)


@slip("gradient-flow-general")
def one_factor_too_many(case):
    """Begin the product at J_tau."""
    return first_jacobian_present(case)


def stay(case):
    """Every state is h_1: the recurrence is at a fixed point, and all Jacobians are one matrix."""
    return through(case.W, np.array([case.h[1]] * (case.T + 1)), case.g)


@slip("gradient-flow-general", blind=stay)
def true_power(case):
    """Take the abuse of notation at its word: one matrix, that of the last step, to the power t - tau."""
    return double_sum(case, lambda t, tau: np.linalg.matrix_power(case.J[-1], t - tau))


LENGTHS = range(1, 30)


def exponents():
    # $$ \#\{(t, \tau) : t - \tau = p\} = T - p, \qquad p = 0, \dots, T - 1,
    #    \qquad \sum_{p=0}^{T-1} (T - p) = \frac{T (T + 1)}{2} $$
    return [read_counts(T) for T in LENGTHS]


@claim("gradient-flow-exponents")
def exponents_enumerated(exponents=exponents):
    """For each T from 1 to 29, the powers in the double sum of the code."""
    for T, counts in zip(LENGTHS, exponents(), strict=True):
        same(counts, [T - p for p in range(T)])
        same(sum(counts), T * (T + 1) // 2)


@slip("gradient-flow-exponents")
def powers_from_1_to_T():
    """Count t - tau + 1 factors."""
    return [[0, *range(T, 0, -1)] for T in LENGTHS]


@slip("gradient-flow-exponents")
def all_powers_once():
    """Give each power one term, as if only the last loss were there."""
    return [[1] * T for T in LENGTHS]


@slip("gradient-flow-exponents")
def power_t():
    """Raise to the power t, whatever tau: the power p then has p terms."""
    return [list(range(T + 1)) for T in LENGTHS]


def settled(rng):
    """A network that is at its fixed point from the start: five steps of three units."""
    h = np.array([0.1, 0.45, 0.25]) + rng.uniform(-0.05, 0.05, 3)
    return through(lopsided(rng), np.array([h] * 6), rng.uniform(0.5, 1.5, (5, 3)))


def powers_of_the_step(case, exponent):
    eigenvalues, Q = np.linalg.eig(case.J[0])
    Q_inv = np.linalg.inv(Q)
    return double_sum(case, lambda t, tau: gradient_flow.eigen_power(Q, eigenvalues, Q_inv, exponent(t, tau)).real)


def fixed_point(case):
    # $$ \frac{\partial L}{\partial W} = \sum_{t=1}^{T} \sum_{\tau=1}^{t}
    #    g_t^\top \bigl[\operatorname{diag}(\sigma'(z))\,W\bigr]^{t-\tau} \frac{\partial^+ h_\tau}{\partial W}
    #    \qquad (h_0 = h_1 = \dots = h_T) $$
    return powers_of_the_step(case, lambda t, tau: t - tau)


@claim("gradient-flow-fixed-point", cases=settled)
def fixed_point_by_complex_step(case, fixed_point=fixed_point):
    """Derivative of the loss by a complex step, in a network that starts at its fixed point."""
    agree(case.h, np.array([case.h0] * 6))
    agree(fixed_point(case), complex_step(case.loss, case.W), tolerance=1e-9)


@claim("gradient-flow-fixed-point", cases=settled)
def fixed_point_by_autograd(case, fixed_point=fixed_point):
    """PyTorch's autograd."""
    agree(fixed_point(case), gradient_by_autograd(case), tolerance=1e-9)


@slip("gradient-flow-fixed-point")
def power_one_too_high(case):
    """Write t - tau + 1."""
    return powers_of_the_step(case, lambda t, tau: t - tau + 1)


@slip("gradient-flow-fixed-point")
def power_of_the_loss(case):
    """Write t."""
    return powers_of_the_step(case, lambda t, tau: t)


@slip("gradient-flow-fixed-point")
def power_of_the_weight(case):
    """Write tau."""
    return powers_of_the_step(case, lambda t, tau: tau)


def one_loss_at_the_end(case):
    """Only L_T is not zero."""
    return replace(case, g=np.vstack([0 * case.g[:-1], case.g[-1:]]))


@slip("gradient-flow-fixed-point", blind=one_loss_at_the_end)
def power_from_the_end(case):
    """Write T - tau: right if only the last step has a loss."""
    return powers_of_the_step(case, lambda t, tau: case.T - tau)


def at_one_half(case):
    """Every state is 1/2: then diag(sigma') is a quarter of the identity, and commutes with W."""
    return through(case.W, np.full((6, 3), 0.5), case.g)


@slip("gradient-flow-fixed-point", blind=at_one_half)
def powers_apart(case):
    """Raise diag(sigma') and W apart, as if they commuted."""
    diagonal, power = np.diag(case.slopes[0]), np.linalg.matrix_power
    return double_sum(case, lambda t, tau: power(diagonal, t - tau) @ power(case.W, t - tau))


# --- powers of a diagonalisable matrix -------------------------------------------------------------------------------


def eigen(Q, eigenvalues, t):
    """A case: A = Q Lambda Q^{-1} is made from 2 x 2 parts; t is the power."""
    Q, eigenvalues = np.array(Q, dtype=object), np.array(eigenvalues, dtype=object)
    determinant = Q[0, 0] * Q[1, 1] - Q[0, 1] * Q[1, 0]
    Q_inv = np.array([[Q[1, 1], -Q[0, 1]], [-Q[1, 0], Q[0, 0]]]) * (1 / determinant)
    return SimpleNamespace(Q=Q, eigenvalues=eigenvalues, Q_inv=Q_inv, A=(Q * eigenvalues) @ Q_inv, t=t)


def rational():
    """Matrices of fractions, powers from 2 to 6."""
    one = Fraction(1)
    for t in range(2, 7):
        yield eigen([[1 * one, 2], [3, 7]], [2 * one, 5 * one], t)
        yield eigen([[1 * one, -2], [3, 5]], [Fraction(-1, 2), Fraction(4, 3)], t)


def generic():
    """Any Q with an inverse, any eigenvalues, in symbols: powers 2 and 3."""
    import sympy

    a, b, c, d, x, y = sympy.symbols("q11 q12 q21 q22 lambda1 lambda2")
    for t in (2, 3):
        yield eigen([[a, b], [c, d]], [x, y], t)


def multiplied(A, t):
    """A times itself, by the definition."""
    return functools.reduce(np.matmul, [A] * t, np.array([[1, 0], [0, 1]], dtype=object))


def power(case):
    # $$ A^t = Q \Lambda^t Q^{-1} $$
    return gradient_flow.eigen_power(case.Q, case.eigenvalues, case.Q_inv, case.t)


@claim("gradient-flow-power", cases=rational)
def power_of_fractions(case, power=power):
    """A multiplied by itself, in fractions."""
    same(power(case), multiplied(case.A, case.t))


@claim("gradient-flow-power", cases=generic)
def power_of_symbols(case, power=power):
    """A multiplied by itself, in six symbols."""
    same(power(case), multiplied(case.A, case.t))


def to_the(case, t):
    return SimpleNamespace(**{**vars(case), "t": t})


@claim("gradient-flow-power", cases=generic)
def power_zero_and_below(case):
    """The powers 0, 1, 4 and -1 in symbols: the identity, A, four factors A, and the inverse."""
    for t in (0, 1, 4):
        same(power(to_the(case, t)), multiplied(case.A, t))
    same(power(to_the(case, -1)) @ case.A, multiplied(case.A, 0))


def first_power(case):
    """t = 1."""
    return to_the(case, 1)


def scaled_identity(case):
    """Q is 1 on the left and on the right: A is diagonal."""
    return eigen([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]], case.eigenvalues, case.t)


def involution(case):
    """Q is [[1, 1], [1, -1]], whose inverse is Q / 2."""
    return eigen([[Fraction(1), Fraction(1)], [Fraction(1), Fraction(-1)]], case.eigenvalues, case.t)


@slip("gradient-flow-power", blind=first_power)
def q_to_the_power(case):
    """Raise all three factors: Q^t Lambda^t Q^{-t}."""
    return multiplied(case.Q, case.t) * case.eigenvalues**case.t @ multiplied(case.Q_inv, case.t)


@slip("gradient-flow-power", blind=involution)
def q_on_the_wrong_side(case):
    """Write Q^{-1} Lambda^t Q: right where Q^{-1} is a multiple of Q."""
    return case.Q_inv * case.eigenvalues**case.t @ case.Q


@slip("gradient-flow-power", blind=first_power)
def eigenvalues_times_t(case):
    """Multiply the eigenvalues by t."""
    return case.Q * (case.t * case.eigenvalues) @ case.Q_inv


@slip("gradient-flow-power", blind=scaled_identity)
def power_entry_by_entry(case):
    """Raise each entry of A, as `A**t` does in NumPy: right for a diagonal matrix."""
    return case.A**case.t


def next_power(case):
    return gradient_flow.eigen_power(case.Q, case.eigenvalues, case.Q_inv, case.t + 1)


@steps("gradient-flow-power-steps", cases=(rational, generic), ends_in=next_power)
def power_steps(case):
    """One step of the induction: Q^{-1} meets Q."""
    Lambda = np.array([[case.eigenvalues[0], 0], [0, case.eigenvalues[1]]], dtype=object)
    # A^{t+1}
    yield multiplied(case.A, case.t + 1)
    # = A^t A
    yield multiplied(case.A, case.t) @ case.A
    # = Q \Lambda^t Q^{-1}\,Q \Lambda Q^{-1}
    yield case.Q @ multiplied(Lambda, case.t) @ case.Q_inv @ case.Q @ Lambda @ case.Q_inv
    # = Q \Lambda^t \Lambda Q^{-1}
    yield case.Q @ multiplied(Lambda, case.t) @ Lambda @ case.Q_inv
    # = Q \Lambda^{t+1} Q^{-1}
    yield next_power(case)


def closed_form():
    # $$ \begin{pmatrix} 2 & 1 \\ 1 & 2 \end{pmatrix}^{t}
    #    = \frac12 \begin{pmatrix} 3^t + 1 & 3^t - 1 \\ 3^t - 1 & 3^t + 1 \end{pmatrix} $$
    return [np.array([[3**t + 1, 3**t - 1], [3**t - 1, 3**t + 1]], dtype=object) // 2 for t in range(12)]


@claim("gradient-flow-power-closed-form")
def closed_form_in_integers(closed_form=closed_form):
    """The matrix multiplied by itself, and Q Lambda^t Q^{-1} in fractions, for t from 0 to 11."""
    A = np.array([[2, 1], [1, 2]], dtype=object)
    one = Fraction(1)
    for t, value in enumerate(closed_form()):
        same(value, multiplied(A, t))
        same(value, power(eigen([[one, one], [one, -one]], [3, 1], t)))


@slip("gradient-flow-power-closed-form")
def each_entry_raised():
    """Raise each entry."""
    return [np.array([[2**t, 1], [1, 2**t]], dtype=object) for t in range(12)]


@slip("gradient-flow-power-closed-form")
def small_eigenvalue_dropped():
    """Keep the largest eigenvalue only (twice the matrix, so that it is of integers)."""
    return [np.array([[3**t, 3**t], [3**t, 3**t]], dtype=object) for t in range(12)]


def turning(rng):
    """A rotation by an angle, times a rate, to a power, in numbers."""
    rate, omega, t = rng.uniform(0.8, 1.3), rng.uniform(0.5, 1.2), int(rng.integers(3, 8))
    return SimpleNamespace(rate=rate, omega=omega, t=t, functions=np)


def turning_symbols():
    """The same in symbols, to the powers 2 and 3."""
    import sympy

    rate, omega = sympy.symbols("rho omega", positive=True)
    for t in (2, 3):
        yield SimpleNamespace(rate=rate, omega=omega, t=t, functions=sympy)


def rotation(case, t):
    cos, sin = case.functions.cos(t * case.omega), case.functions.sin(t * case.omega)
    return np.array([[cos, -sin], [sin, cos]])


def turned(case):
    # $$ \Bigl[ \rho \begin{pmatrix} \cos\omega & -\sin\omega \\ \sin\omega & \cos\omega \end{pmatrix} \Bigr]^t
    #    = \rho^t \begin{pmatrix} \cos t\omega & -\sin t\omega \\ \sin t\omega & \cos t\omega \end{pmatrix} $$
    return case.rate**case.t * rotation(case, case.t)


@claim("gradient-flow-complex-eigenvalues", cases=turning)
def turned_by_eigenvalues(case, turned=turned):
    """Q Lambda^t Q^{-1} with the eigenvalues rho e^{i omega} and rho e^{-i omega}: the imaginary parts cancel."""
    Q = np.array([[1, 1], [-1j, 1j]])
    eigenvalues = case.rate * np.exp([1j * case.omega, -1j * case.omega])
    agree(eigenvalues, np.linalg.eigvals(case.rate * rotation(case, 1))[[0, 1]])
    agree(turned(case).astype(complex), gradient_flow.eigen_power(Q, eigenvalues, np.linalg.inv(Q), case.t))


@claim("gradient-flow-complex-eigenvalues", cases=turning_symbols)
def turned_by_products(case, turned=turned):
    """The matrix multiplied by itself, for any rate and angle."""
    same(turned(case), multiplied(case.rate * rotation(case, 1), case.t))


@slip("gradient-flow-complex-eigenvalues")
def modulus_only(case):
    """Keep the modulus of the eigenvalues: that is the size, and not the matrix."""
    return case.rate**case.t * rotation(case, 0)


@slip("gradient-flow-complex-eigenvalues")
def angle_not_multiplied(case):
    """Raise the rate to the power, and leave the angle."""
    return case.rate**case.t * rotation(case, 1)


def jordan_symbols():
    """Any eigenvalue, powers from 2 to 6; and eigenvalue 1 to the power 25."""
    import sympy

    for t in range(2, 7):
        yield SimpleNamespace(eigenvalue=sympy.Symbol("lambda"), t=t)
    yield SimpleNamespace(eigenvalue=1, t=25)


def jordan(case):
    # $$ \begin{pmatrix} \lambda & 1 \\ 0 & \lambda \end{pmatrix}^{t}
    #    = \begin{pmatrix} \lambda^t & t \lambda^{t-1} \\ 0 & \lambda^t \end{pmatrix} $$
    x, t = case.eigenvalue, case.t
    return np.array([[x**t, t * x ** (t - 1)], [0, x**t]], dtype=object)


@claim("gradient-flow-defective", cases=jordan_symbols)
def jordan_multiplied(case, jordan=jordan):
    """The matrix multiplied by itself; SymPy finds that it has no basis of eigenvectors."""
    import sympy

    A = np.array([[case.eigenvalue, 1], [0, case.eigenvalue]], dtype=object)
    same(jordan(case), multiplied(A, case.t))
    same(bool(sympy.Matrix(A).is_diagonalizable()), False)


@slip("gradient-flow-defective")
def diagonalised_all_the_same(case):
    """Take Q Lambda^t Q^{-1} for true of every square matrix: with Lambda = lambda I it gives lambda^t I."""
    return np.array([[case.eigenvalue**case.t, 0], [0, case.eigenvalue**case.t]], dtype=object)


@slip("gradient-flow-defective")
def one_stays_one(case):
    """Raise each entry: the 1 stays 1."""
    return np.array([[case.eigenvalue**case.t, 1], [0, case.eigenvalue**case.t]], dtype=object)


# --- long sequences --------------------------------------------------------------------------------------------------


def norms_over_time(case):
    # $$ \lVert g \rVert, \quad \lVert J_T^\top g \rVert, \quad \lVert J_{T-1}^\top J_T^\top g \rVert, \quad \dots,
    #    \quad \lVert J_1^\top \cdots J_T^\top g \rVert $$
    return gradient_flow.backpropagated_norms(case.g[-1], case.J)


@claim("gradient-flow-norms", cases=five)
def norms_by_complex_step(case, norms=norms_over_time):
    """Norm of the gradient of g . h_T by each earlier state, by a complex step through the recurrence."""
    end = case.T - 1
    gradients = [
        complex_step(lambda h, k=k: (case.g[-1] * case.run(case.W, h, k)[end - k]).sum(), case.h[k])
        for k in range(end, -1, -1)
    ]
    agree(norms(case), np.linalg.norm([case.g[-1], *gradients], axis=1))


@slip("gradient-flow-norms")
def not_transposed(case):
    """Multiply by J where the gradient takes the transpose of J."""
    return gradient_flow.backpropagated_norms(case.g[-1], case.J.transpose(0, 2, 1))


@slip("gradient-flow-norms")
def first_step_first(case):
    """Begin with J_1: the gradient starts at the end."""
    return gradient_flow.backpropagated_norms(case.g[-1], case.J[::-1])


def one_eigenvector():
    """A^T in fractions, one of its eigenvectors, powers from 2 to 9."""
    one = Fraction(1)
    for t in range(2, 10):
        for eigenvalues in ([2 * one, 5 * one], [Fraction(-1, 2), Fraction(4, 3)]):
            yield eigen([[1 * one, 2], [3, 7]], eigenvalues, t)


def along_an_eigenvector(case):
    # $$ (A^\top)^t q = \lambda^t q \qquad \text{if } A^\top q = \lambda q $$
    return case.eigenvalues[0] ** case.t * case.Q[:, 0]


@claim("gradient-flow-one-eigenvector", cases=one_eigenvector)
def eigenvector_multiplied(case, along=along_an_eigenvector):
    """The matrix with these eigenvectors, multiplied by itself in fractions."""
    # The columns of Q are eigenvectors of case.A, here the transpose of the matrix of the claim.
    same(along(case), multiplied(case.A, case.t) @ case.Q[:, 0])


@slip("gradient-flow-one-eigenvector")
def linear_in_time(case):
    """Let the component change by the same amount at each step."""
    return (1 + case.t * (case.eigenvalues[0] - 1)) * case.Q[:, 0]


@slip("gradient-flow-one-eigenvector")
def once_for_all(case):
    """Multiply by the eigenvalue once."""
    return case.eigenvalues[0] * case.Q[:, 0]


RATES = np.array([0.9, 1.0, 1.1])


def three_rates(rng):
    """Three matrices A = diag(slopes) W, of spectral radius 0.9, 1 and 1.1, with one dominant real eigenvalue."""
    Q = np.eye(4) + 0.4 * rng.normal(size=(4, 4))
    eigenvalues = RATES[:, None] * [1, 0.6, -0.5, 0.3]
    A = np.array([gradient_flow.eigen_power(Q, row, np.linalg.inv(Q), 1) for row in eigenvalues])
    slopes = rng.uniform(0.1, 0.25, 4)
    return SimpleNamespace(A=A, W=A / slopes[:, None], g=rng.normal(size=4))


def log_rates(case):
    # $$ \frac{\log \lVert (A^\top)^t g \rVert}{t} \to \log \rho, \qquad \rho = \max_i \lvert \lambda_i \rvert $$
    return np.array([np.log(gradient_flow.spectral_radius(A)) for A in case.A])


@claim("gradient-flow-three-cases", cases=three_rates)
def rates_by_fit(case, log_rates=log_rates):
    """Slope of the log-norm of the gradient, fitted from step 60 to step 120: log 0.9, 0 and log 1.1."""
    note("rate fit")
    t = np.arange(60, 121)
    logs = [np.log(gradient_flow.backpropagated_norms(case.g, [A] * 120)[60:]) for A in case.A]
    slopes = np.array([np.polyfit(t, row, 1)[0] for row in logs])
    agree(log_rates(case), slopes, tolerance=1e-6, scale=1)
    agree(log_rates(case), np.log(RATES), tolerance=1e-6, scale=1)


@slip("gradient-flow-three-cases")
def eigenvalues_of_w(case):
    """Use the eigenvalues of W, without the slopes of the sigmoid."""
    return np.array([np.log(gradient_flow.spectral_radius(W)) for W in case.W])


@slip("gradient-flow-three-cases")
def determinant_only(case):
    """Use the determinant, that is, the mean of log |lambda|."""
    return np.log(np.abs(np.linalg.det(case.A))) / 4


@slip("gradient-flow-three-cases")
def one_explodes(case):
    """Count 1 among the exploding."""
    return np.log([0.9, 1.1, 1.1])


def at_rest(rng):
    """A network of four units with positive weights, at its fixed point for 80 steps; its slopes are far from 1/4."""
    h, W = rng.uniform(0.08, 0.2, 4), rng.uniform(0.2, 1.0, (4, 4))
    W *= rng.uniform(0.8, 1.05) / gradient_flow.spectral_radius((h * (1 - h))[:, None] * W)
    return through(W, np.array([h] * 81), rng.uniform(0.5, 1.5, (80, 4)))


def rate_of_the_network(case):
    # $$ \frac1t \log \Bigl\lVert \Bigl( \frac{\partial h_T}{\partial h_{T-t}} \Bigr)^{\!\top} g_T \Bigr\rVert
    #    \to \log \rho\bigl( \operatorname{diag}(\sigma'(z))\,W \bigr) $$
    return np.log(gradient_flow.spectral_radius(case.J[0]))


@claim("gradient-flow-fixed-point-rate", cases=at_rest)
def network_by_fit(case, rate=rate_of_the_network):
    """A gradient sent back through the Jacobians of 80 steps at rest; the slope is fitted from step 30 on."""
    note("rate fit")
    logs = np.log(gradient_flow.backpropagated_norms(case.g[-1], case.J))
    agree(rate(case), np.polyfit(np.arange(30, 81), logs[30:], 1)[0], tolerance=1e-6, scale=1)


@slip("gradient-flow-fixed-point-rate")
def threshold_on_w(case):
    """Compare the eigenvalues of W with 1."""
    return np.log(gradient_flow.spectral_radius(case.W))


def resting_at_one_half(case):
    """Every state is 1/2, and every slope 1/4."""
    return through(case.W * 4 / gradient_flow.spectral_radius(case.W), np.full((81, 4), 0.5), case.g)


@slip("gradient-flow-fixed-point-rate", blind=resting_at_one_half)
def quarter_for_every_slope(case):
    """Take every slope for 1/4: that is the largest one, reached at z = 0 only."""
    return np.log(gradient_flow.spectral_radius(case.W) / 4)


# --- what norms say --------------------------------------------------------------------------------------------------


def pre_activations(rng):
    """Numbers around 0, and 0 itself."""
    return np.append(rng.uniform(-4, 4, 6), 0.0)


def a_quarter(z):
    return np.full(z.shape, 0.25)


@steps("gradient-flow-sigmoid-slope-steps", cases=pre_activations, ends_in=a_quarter)
def sigmoid_slope_steps(z):
    """Complete the square."""
    # \sigma'(z)
    yield np.imag(sigmoid(z + 1e-30j)) / 1e-30
    # = \sigma(z)\,(1 - \sigma(z))
    yield sigmoid(z) * (1 - sigmoid(z))
    # = \frac14 - \Bigl( \sigma(z) - \frac12 \Bigr)^2
    yield 0.25 - (sigmoid(z) - 0.5) ** 2
    # \le \frac14
    yield a_quarter(z)


def widest(rng):
    """A network that attains the bound: all states 1/2, and a multiple of a rotation for W. The norm is not near 4."""
    W = (rng.choice([2, 3, 5, 6]) + rng.uniform(0, 0.5)) * np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return through(W, np.full((7, 3), 0.5), np.ones((6, 3)))


def bound_over_time(case):
    # $$ \Bigl\lVert \frac{\partial h_t}{\partial h_\tau} \Bigr\rVert
    #    \le \Bigl( \frac{\lVert W \rVert}{4} \Bigr)^{t-\tau} $$
    return gradient_flow.sigmoid_bound(case.W, case.T)


@claim("gradient-flow-sigmoid-bound", cases=widest)
def bound_attained(case, bound=bound_over_time):
    """A network where the bound is an equality: the norm of the product of its Jacobians after 0 to 6 steps."""
    agree(bound(case), np.array([np.linalg.norm(case.jump(t, 0), 2) for t in range(case.T + 1)]))


@claim("gradient-flow-sigmoid-bound")
def bound_on_random_networks():
    """Twenty random networks of five units, 40 steps each, norms of W from 1 to 12."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        W = rng.normal(size=(5, 5))
        W *= rng.uniform(1, 12) / np.linalg.norm(W, 2)
        case = Rnn(W, rng.uniform(0, 1, 5), rng.normal(size=(40, 5)), np.ones((40, 5)))
        norms = [np.linalg.norm(gradient_flow.jacobian_product(case.J[:t]), 2) for t in range(41)]
        share = np.array(norms) / bound_over_time(case)
        at_most(share, np.ones(41))


@slip("gradient-flow-sigmoid-bound")
def quarter_forgotten(case):
    """Compare the norm of W with 1."""
    return np.linalg.norm(case.W, 2) ** np.arange(case.T + 1)


@slip("gradient-flow-sigmoid-bound")
def frobenius_norm(case):
    """Take the Frobenius norm of W: also a bound, and never attained in more than one direction."""
    return (np.linalg.norm(case.W) / 4) ** np.arange(case.T + 1)


@slip("gradient-flow-sigmoid-bound")
def linear_decay(case):
    """Lose the same amount at each step."""
    return 1 - np.arange(case.T + 1) * (1 - np.linalg.norm(case.W, 2) / 4)


def last_bound(case):
    return gradient_flow.sigmoid_bound(case.W, case.T)[-1]


@steps("gradient-flow-sigmoid-bound-steps", cases=(five, widest), ends_in=last_bound)
def sigmoid_bound_steps(case):
    """The norm of a product is at most the product of the norms."""
    spectral = functools.partial(np.linalg.norm, ord=2, axis=(1, 2))
    # \Bigl\lVert \frac{\partial h_t}{\partial h_\tau} \Bigr\rVert
    yield np.linalg.norm(case.jump(case.T, 0), 2)
    # = \lVert J_t J_{t-1} \cdots J_{\tau+1} \rVert
    yield np.linalg.norm(gradient_flow.jacobian_product(case.J), 2)
    # \le \prod_{i=\tau+1}^{t} \lVert J_i \rVert
    yield np.prod(spectral(case.J))
    # \le \prod_{i=\tau+1}^{t} \lVert \operatorname{diag}(\sigma'(z_i)) \rVert\,\lVert W \rVert
    yield np.prod(case.slopes.max(1) * np.linalg.norm(case.W, 2))
    # \le \Bigl( \frac{\lVert W \rVert}{4} \Bigr)^{t-\tau}
    yield last_bound(case)


# --- the scalar network that can be solved ---------------------------------------------------------------------------


def scalar_numbers():
    """w = 2, 4, 8 and -3, over four steps."""
    for w in (2.0, 4.0, 8.0, -3.0):
        yield SimpleNamespace(w=w, T=4)


def scalar_exact():
    """The same weights, exact, over two and three steps."""
    import sympy

    for w, T in itertools.product((2, 4, 8, -3), (2, 3)):
        yield SimpleNamespace(w=sympy.Integer(w), T=T)


def scalar_state(case, w, h, exp=np.exp):
    """h_T as a function of w and of h_0; the input -w/2 is held at the case's w."""
    for _ in range(case.T):
        h = 1 / (1 + exp(-(w * h - case.w / 2)))
    return h


def scalar(case):
    # $$ \frac{\partial h_T}{\partial h_0} = \Bigl( \frac w4 \Bigr)^{T},
    #    \qquad \frac{\partial h_T}{\partial w} = \frac18 \sum_{t=0}^{T-1} \Bigl( \frac w4 \Bigr)^{t} $$
    return gradient_flow.scalar_rnn(case.w, case.T)


@claim("gradient-flow-scalar-rnn", cases=scalar_exact)
def scalar_in_symbols(case, scalar=scalar):
    """SymPy differentiates the nested exponentials by h_0 and by w; then h_0 = 1/2, where every state is 1/2."""
    import sympy

    w, h = sympy.symbols("w h")
    end = scalar_state(case, w, h, sympy.exp)
    at = {w: case.w, h: sympy.Rational(1, 2)}
    same(end.subs(at), sympy.Rational(1, 2))
    same(list(scalar(case)), [end.diff(h).subs(at), end.diff(w).subs(at)])


@claim("gradient-flow-scalar-rnn", cases=scalar_numbers)
def scalar_by_complex_step(case, scalar=scalar):
    """Derivatives through the recurrence, by a complex step."""
    by_state = complex_step(lambda h: scalar_state(case, case.w, h[0]), np.array([0.5]))
    by_weight = complex_step(lambda w: scalar_state(case, w[0], 0.5), np.array([case.w]))
    agree(np.array(scalar(case)), np.concatenate([by_state, by_weight]))


@claim("gradient-flow-scalar-rnn", cases=scalar_numbers)
def scalar_by_autograd(case, scalar=scalar):
    """PyTorch's autograd."""
    torch = need("torch")
    w, h = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (case.w, 0.5))
    scalar_state(case, w, h, torch.exp).backward()
    agree(np.array(scalar(case)), np.array([h.grad.item(), w.grad.item()]))


@slip("gradient-flow-scalar-rnn")
def slope_forgotten(case):
    """Forget the slope 1/4: w^T, so that the threshold is 1."""
    return case.w**case.T, sum(case.w**t for t in range(case.T)) / 8


@slip("gradient-flow-scalar-rnn")
def input_follows_the_weight(case):
    """Differentiate the input -w/2 as well: the state then never moves, but the input is given."""
    return (case.w / 4) ** case.T, 0 * case.w


@slip("gradient-flow-scalar-rnn")
def one_term_too_many(case):
    """Let the sum run to T: w acts T times."""
    return (case.w / 4) ** case.T, sum((case.w / 4) ** t for t in range(case.T + 1)) / 8


def scalar_by_state(case):
    return gradient_flow.scalar_rnn(case.w, case.T)[0]


def scalar_by_weight(case):
    return gradient_flow.scalar_rnn(case.w, case.T)[1]


@steps("gradient-flow-scalar-state-steps", cases=scalar_numbers, ends_in=scalar_by_state)
def scalar_state_steps(case):
    """Every pre-activation is w/2 - w/2 = 0, and the slope there is 1/4."""
    h = np.array([0.5])
    # \frac{\partial h_T}{\partial h_0}
    yield complex_step(lambda h: scalar_state(case, case.w, h[0]), h)[0]
    # = \prod_{t=1}^{T} \sigma'(0)\,w
    yield np.prod([sigmoid(0.0) * (1 - sigmoid(0.0)) * case.w] * case.T)
    # = \Bigl( \frac w4 \Bigr)^{T}
    yield (case.w / 4) ** case.T


@steps("gradient-flow-scalar-weight-steps", cases=scalar_numbers, ends_in=scalar_by_weight)
def scalar_weight_steps(case):
    """The double sum, with one loss at the end; the immediate derivative is slope times state, 1/4 times 1/2."""
    # \frac{\partial h_T}{\partial w}
    yield complex_step(lambda w: scalar_state(case, w[0], 0.5), np.array([case.w]))[0]
    # = \sum_{\tau=1}^{T} \Bigl( \frac w4 \Bigr)^{T-\tau} \sigma'(0)\,h_{\tau-1}
    yield sum((case.w / 4) ** (case.T - tau) * sigmoid(0.0) * (1 - sigmoid(0.0)) * 0.5 for tau in range(1, case.T + 1))
    # = \frac18 \sum_{t=0}^{T-1} \Bigl( \frac w4 \Bigr)^{t}
    yield sum((case.w / 4) ** t for t in range(case.T)) / 8


def times():
    """T from 2 to 20."""
    yield from range(2, 21)


def three_weights(T):
    # $$ \begin{array}{c|cc}
    #    w & \partial h_T / \partial h_0 & \partial h_T / \partial w \\ \hline
    #    2 & 2^{-T} & (1 - 2^{-T}) / 4 \\
    #    4 & 1 & T / 8 \\
    #    8 & 2^T & (2^T - 1) / 8
    #    \end{array} $$
    half = Fraction(1, 2**T)
    return [[half, (1 - half) / 4], [Fraction(1), Fraction(T, 8)], [Fraction(2**T), Fraction(2**T - 1, 8)]]


@claim("gradient-flow-scalar-three-cases", cases=times)
def three_weights_by_the_chain_rule(T, three_weights=three_weights):
    """The chain rule carried forward in fractions: dh_t/dw = w/4 dh_{t-1}/dw + 1/8."""
    for row, w in zip(three_weights(T), (2, 4, 8), strict=True):
        by_state, by_weight = Fraction(1), Fraction(0)
        for _ in range(T):
            by_state, by_weight = by_state * w / 4, by_weight * w / 4 + Fraction(1, 8)
        same(row, [by_state, by_weight])
        same(row, list(gradient_flow.scalar_rnn(Fraction(w), T)))


@slip("gradient-flow-scalar-three-cases")
def whole_gradient_vanishes(T):
    """For w = 2, let the gradient for w vanish too: it tends to 1/4, because the last steps stay."""
    return [[Fraction(1, 2**T), Fraction(0)], *three_weights(T)[1:]]


@slip("gradient-flow-scalar-three-cases")
def preserved_means_constant(T):
    """For w = 4, keep the gradient for w at 1/8: it gains 1/8 at each step."""
    right = three_weights(T)
    return [right[0], [Fraction(1), Fraction(1, 8)], right[2]]


@slip("gradient-flow-scalar-three-cases")
def vanishes_linearly(T):
    """For w = 2, lose one half at each step."""
    return [[1 - Fraction(T, 2), three_weights(T)[0][1]], *three_weights(T)[1:]]


# --- what the eigenvalues do not say ---------------------------------------------------------------------------------

SWAP = np.array([[0, 8], [8, 0]], dtype=object) * Fraction(1)
FIRST = np.diag([Fraction(1, 4), Fraction(1, 256)])
SECOND = np.diag([Fraction(1, 256), Fraction(1, 4)])


def two_factors():
    # $$ \begin{pmatrix} \frac14 & 0 \\ 0 & \frac1{256} \end{pmatrix} W
    #    \begin{pmatrix} \frac1{256} & 0 \\ 0 & \frac14 \end{pmatrix} W
    #    = \begin{pmatrix} 4 & 0 \\ 0 & \frac1{1024} \end{pmatrix},
    #    \qquad W = \begin{pmatrix} 0 & 8 \\ 8 & 0 \end{pmatrix} $$
    return gradient_flow.jacobian_product(np.array([SECOND @ SWAP, FIRST @ SWAP]))


@claim("gradient-flow-factors-mislead")
def factors_in_fractions(two_factors=two_factors):
    """SymPy's product and eigenvalues: those of each factor are 1/4 and -1/4, the largest of the product is 4."""
    import sympy

    first, second = (sympy.Matrix(2, 2, [sympy.Rational(str(x)) for x in (D @ SWAP).flat]) for D in (FIRST, SECOND))
    quarter = sympy.Rational(1, 4)
    for factor in (first, second):
        same(sorted(factor.eigenvals()), [-quarter, quarter])
    value = np.vectorize(lambda x: sympy.Rational(str(x)), otypes=[object])(two_factors())
    same(value, np.array((first * second).tolist()))
    same(max(sympy.Matrix(value).eigenvals()), 4)


@claim("gradient-flow-factors-mislead")
def in_a_network():
    """A network whose inputs drive its two units in turn to the slopes 1/4 and 1/256: ten steps multiply by 4^5."""
    far = 1 / (1 + np.exp(-float(saturated())))
    states = np.array([[0.5, far], [far, 0.5]] * 5 + [[0.5, far]])
    case = through(SWAP.astype(float), states, np.ones((10, 2)))
    agree(max(gradient_flow.spectral_radius(J) for J in case.J), 0.25, tolerance=1e-9)
    agree(np.linalg.norm(case.jump(10, 0), 2), 4.0**5, tolerance=1e-9)


@slip("gradient-flow-factors-mislead")
def radii_multiplied():
    """Multiply the spectral radii: 1/16."""
    return np.diag([Fraction(1, 16), Fraction(1, 16)])


@slip("gradient-flow-factors-mislead")
def factors_exchanged():
    """Exchange the two factors."""
    return np.diag([Fraction(1, 1024), Fraction(4)])


def saturated():
    # $$ \sigma'(z) = \frac1{256} \quad \text{at} \quad z = 2 \log (8 + 3\sqrt7) \approx 5.5373 $$
    import sympy

    return 2 * sympy.log(8 + 3 * sympy.sqrt(7))


@claim("gradient-flow-small-slope")
def slope_in_symbols(saturated=saturated):
    """SymPy differentiates the sigmoid, and puts the point in."""
    import sympy

    z = sympy.Symbol("z")
    same((1 / (1 + sympy.exp(-z))).diff(z).subs(z, saturated()), sympy.Rational(1, 256))


@claim("gradient-flow-small-slope")
def slope_in_digits():
    """The five digits shown."""
    agree(float(saturated()), 5.5373, tolerance=1e-5)


@slip("gradient-flow-small-slope")
def tail_of_the_exponential():
    """Take e^{-z} for the slope: then z is log 256."""
    import sympy

    return sympy.log(256)


def hump():
    # $$ \begin{pmatrix} \frac12 & 8 \\ 0 & \frac14 \end{pmatrix}^{t}
    #    = \begin{pmatrix} 2^{-t} & 32\,(2^{-t} - 4^{-t}) \\ 0 & 4^{-t} \end{pmatrix} $$
    halves = [(Fraction(1, 2**t), Fraction(1, 4**t)) for t in range(13)]
    return [np.array([[a, 32 * (a - b)], [0, b]], dtype=object) for a, b in halves]


@claim("gradient-flow-transient-growth")
def hump_in_fractions(hump=hump):
    """The matrix multiplied by itself, and by its eigenvalues, for t from 0 to 12."""
    A = np.array([[Fraction(1, 2), Fraction(8)], [Fraction(0), Fraction(1, 4)]])
    case = eigen([[Fraction(1), Fraction(-32)], [Fraction(0), Fraction(1)]], [Fraction(1, 2), Fraction(1, 4)], 1)
    for t, value in enumerate(hump()):
        same(value, multiplied(A, t))
        same(value, gradient_flow.eigen_power(case.Q, case.eigenvalues, case.Q_inv, t))


@claim("gradient-flow-transient-growth")
def hump_size():
    """The norm is above 1 for t from 1 to 4: an entry is. It is below 1 for t from 5 to 12: the sum of squares is."""
    values = hump()
    every(range(1, 5), lambda t: values[t][0, 1] > 1)
    every(range(5, 13), lambda t: (values[t] ** 2).sum() < 1)
    same(values[1][0, 1], Fraction(8))


@slip("gradient-flow-transient-growth")
def radius_from_the_start():
    """Let the radius rule from the first step: 2^{-t} in every direction."""
    return [np.array([[1, 0], [0, 1]], dtype=object) * Fraction(1, 2**t) for t in range(13)]


@slip("gradient-flow-transient-growth")
def corner_halved():
    """Let the corner shrink by the largest eigenvalue, 8 / 2^t."""
    return [np.array([[Fraction(1, 2**t), Fraction(8, 2**t)], [0, Fraction(1, 4**t)]]) for t in range(13)]


def spectral(rng):
    """Eigenvectors that are far from orthogonal, spectral radius 1/2, 1 or 1.1, powers up to 6."""
    Q = np.array([[1.0, -0.9, 0.8], [0.0, 0.3, 0.3], [0.0, 0.0, 0.3]]) + 0.02 * rng.normal(size=(3, 3))
    return SimpleNamespace(Q=Q, eigenvalues=rng.choice([0.5, 1.0, 1.1]) * np.array([1, -0.8, 0.4]), T=6)


def orthogonal(case):
    """Orthogonal eigenvectors of length 1: A is normal, and the factor is 1."""
    return SimpleNamespace(Q=np.linalg.qr(case.Q)[0], eigenvalues=case.eigenvalues, T=case.T)


def power_norms(case):
    Q_inv = np.linalg.inv(case.Q)
    powers = [gradient_flow.eigen_power(case.Q, case.eigenvalues, Q_inv, t) for t in range(case.T + 1)]
    return np.linalg.norm(powers, 2, axis=(1, 2))


def bound_by_eigenvectors(case):
    # $$ \lVert A^t \rVert \le \lVert Q \rVert\,\lVert Q^{-1} \rVert\,\rho^t $$
    return gradient_flow.power_bound(case.Q, case.eigenvalues, case.T)


@claim("gradient-flow-power-bound", cases=spectral)
def bounded_by_eigenvectors(case, bound=bound_by_eigenvectors):
    """Norms of the powers: at most the bound; equal to it for orthonormal eigenvectors, not where one is longer."""
    at_most(power_norms(case) / bound(case), np.ones(case.T + 1))
    straight = orthogonal(case)
    agree(bound(straight), power_norms(straight))
    lengths = 1 + 9 * (np.arange(len(straight.Q)) == 1)
    longer = SimpleNamespace(Q=straight.Q * lengths, eigenvalues=straight.eigenvalues, T=straight.T)
    differ(gradient_flow.power_bound(longer.Q, longer.eigenvalues, longer.T), power_norms(longer))


@slip("gradient-flow-power-bound", blind=orthogonal)
def radius_alone(case):
    """Bound by rho^t alone: right if the eigenvectors are orthonormal."""
    return np.abs(case.eigenvalues).max() ** np.arange(case.T + 1)


@slip("gradient-flow-power-bound", blind=orthogonal)
def inverse_forgotten(case):
    """Multiply by the norm of Q, and forget that of its inverse."""
    return np.linalg.norm(case.Q, 2) * np.abs(case.eigenvalues).max() ** np.arange(case.T + 1)


def last_power_bound(case):
    return gradient_flow.power_bound(case.Q, case.eigenvalues, case.T)[-1]


@steps("gradient-flow-power-bound-steps", cases=spectral, ends_in=last_power_bound)
def power_bound_steps(case):
    """Only the eigenvalues are raised to the power."""
    Q_inv, Lambda = np.linalg.inv(case.Q), np.diag(case.eigenvalues)
    norm = functools.partial(np.linalg.norm, ord=2)
    # \lVert A^t \rVert
    yield norm(np.linalg.matrix_power(case.Q @ Lambda @ Q_inv, case.T))
    # = \lVert Q \Lambda^t Q^{-1} \rVert
    yield norm(case.Q @ Lambda**case.T @ Q_inv)
    # \le \lVert Q \rVert\,\lVert \Lambda^t \rVert\,\lVert Q^{-1} \rVert
    yield norm(case.Q) * norm(Lambda**case.T) * norm(Q_inv)
    # = \lVert Q \rVert\,\lVert Q^{-1} \rVert\,\rho^t
    yield norm(case.Q) * norm(Q_inv) * np.abs(case.eigenvalues).max() ** case.T


# --- remedies --------------------------------------------------------------------------------------------------------

M, UNITS = 30, 64
EXAMPLES = (4, 32)  # 128 in blocks: products that small stay on one core


def he(rng):
    return rng.normal(size=(UNITS, UNITS)) * np.sqrt(2 / UNITS)


def glorot(rng):
    return rng.normal(size=(UNITS, UNITS)) * np.sqrt(1 / UNITS)


def small_uniform(rng):
    """Uniform between -1/sqrt(D_h) and 1/sqrt(D_h): the variance is 1 / (3 D_h)."""
    return rng.uniform(-1, 1, (UNITS, UNITS)) / np.sqrt(UNITS)


def sigmoid_layer(h, W, rng):
    y = sigmoid(h @ W.T)
    return y, lambda g: (g * y * (1 - y)) @ W


def sigmoid_with_dropout(h, W, rng):
    y, back = sigmoid_layer(h, W, rng)
    mask = (rng.random(y.shape) < 0.5) / 0.5
    return y * mask, lambda g: back(g * mask)


def relu_layer(h, W, rng):
    z = h @ W.T
    return np.maximum(z, 0), lambda g: (g * (z > 0)) @ W


def tanh_layer(h, W, rng):
    y = np.tanh(h @ W.T)
    return y, lambda g: (g * (1 - y**2)) @ W


def residual_layer(h, W, rng):
    y, back = sigmoid_layer(h, W, rng)
    return h + y, lambda g: g + back(g)


def batch_norm_layer(h, W, rng):
    y, saved = batch_norm.forward((h @ W.T).reshape(-1, UNITS), np.ones(UNITS), np.zeros(UNITS))

    def back(g):
        dz = batch_norm.backward(g.reshape(y.shape) * (y > 0), saved).dx
        return dz.reshape(h.shape) @ W

    return np.maximum(y, 0).reshape(h.shape), back


STACKS = {
    "sigmoid": (sigmoid_layer, glorot),
    "relu small": (relu_layer, small_uniform),
    "relu he": (relu_layer, he),
    "tanh glorot": (tanh_layer, glorot),
    "residual": (residual_layer, glorot),
    "batch norm": (batch_norm_layer, he),
}


def log_ratio(layer, init, rng):
    """log10 of the norm of dL/dh^(0) over that of dL/dh^(M), for a batch through M layers."""
    h, backs = rng.normal(size=(*EXAMPLES, UNITS)), []
    for _ in range(M):
        h, back = layer(h, init(rng), rng)
        backs.append(back)
    g = start = rng.normal(size=h.shape)
    for back in backs[::-1]:
        g = back(g)
    return np.log10(np.linalg.norm(g) / np.linalg.norm(start))


def measured_stack(layer, init, seed):
    return np.mean([log_ratio(layer, init, np.random.default_rng([seed, k])) for k in range(6)])


measure = functools.cache(measured_stack)


def seed_of(rng):
    """A seed: the stacks drawn from it are measured once."""
    return int(rng.integers(10**6))


def thirty_quarters():
    # $$ \Bigl( \frac14 \Bigr)^{30} = 2^{-60} < 10^{-18} $$
    return Fraction(1, 2**60)


@claim("gradient-flow-thirty-quarters")
def quarters_multiplied(thirty_quarters=thirty_quarters):
    """A quarter, thirty times, in fractions."""
    same(thirty_quarters(), functools.reduce(lambda a, b: a * b, [Fraction(1, 4)] * 30))
    same(thirty_quarters() < Fraction(1, 10**18), True)


@slip("gradient-flow-thirty-quarters")
def quarters_added():
    """Divide by 4 times 30, as if each layer lost the same amount."""
    return Fraction(1, 4 * 30)


def stack(seed):
    # $$ \begin{array}{l|r}
    #    \text{thirty layers} & \log_{10} \text{ratio} \\ \hline
    #    \text{sigmoid, Glorot} & -18.9 \\
    #    \text{ReLU, } \operatorname{Var}(W) = 1 / (3 D_{\mathrm h}) & -11.7 \\
    #    \text{ReLU, He} & -0.1 \\
    #    \text{tanh, Glorot} & -0.8 \\
    #    \text{residual, } x + \sigma(Wx) & 0.1 \\
    #    \text{batch norm, ReLU, He} & 2.3
    #    \end{array} $$
    return np.array([-18.9, -11.7, -0.1, -0.8, 0.1, 2.3])


@claim("gradient-flow-stack", cases=seed_of)
def stacks_measured(seed, stack=stack):
    """Thirty layers of 64 units, 128 examples, mean over six networks: within 0.3, that is a factor of 2."""
    note("Monte-Carlo")
    measured = np.array([measure(layer, init, seed) for layer, init in STACKS.values()])
    agree(stack(seed), measured, tolerance=0.3, scale=1)


@slip("gradient-flow-stack")
def relu_alone_is_enough(seed):
    """Believe that ReLU cures, whatever the weights."""
    return np.array([-18.9, 0.0, -0.1, -0.8, 0.1, 2.3])


@slip("gradient-flow-stack")
def batch_norm_removes_the_problem(seed):
    """Believe that batch norm keeps the norm: at initialisation it makes it grow, by 1.19 a layer."""
    return np.array([-18.9, -11.7, -0.1, -0.8, 0.1, 0.0])


@slip("gradient-flow-stack")
def glorot_saves_the_sigmoid(seed):
    """Believe that the initialisation is enough for a sigmoid."""
    return np.array([0.0, -11.7, -0.1, -0.8, 0.1, 2.3])


def relu_scale(seed):
    # $$ \frac{\lVert \partial L / \partial h^{(0)} \rVert}{\lVert \partial L / \partial h^{(M)} \rVert}
    #    \approx \Bigl( \tfrac12\, D_{\mathrm h} \operatorname{Var}(W) \Bigr)^{M/2} $$
    variances = np.array([1 / (3 * UNITS), 2 / UNITS])
    return M / 2 * np.log10(UNITS * variances / 2)


@claim("gradient-flow-relu-scale", cases=seed_of)
def relu_scale_measured(seed, relu_scale=relu_scale):
    """The two ReLU stacks, mean over six networks: logarithms to base 10, within 0.3."""
    note("Monte-Carlo")
    agree(
        relu_scale(seed),
        np.array([measure(*STACKS[k], seed) for k in ("relu small", "relu he")]),
        tolerance=0.3,
        scale=1,
    )


@slip("gradient-flow-relu-scale")
def half_forgotten(seed):
    """Forget that ReLU closes half of the units."""
    return M / 2 * np.log10(UNITS * np.array([1 / (3 * UNITS), 2 / UNITS]))


@slip("gradient-flow-relu-scale")
def variance_for_norm(seed):
    """Raise to M where the norm takes M/2: the variance is of the square."""
    return 2 * relu_scale(seed)


@dataclass(frozen=True)
class Branch:
    """A residual layer x + tanh(W x)."""

    W: np.ndarray
    x: np.ndarray

    def layer(self, x):
        return x + np.tanh(self.W @ x)

    @property
    def slope_of_the_branch(self):
        return (1 - np.tanh(self.W @ self.x) ** 2)[:, None] * self.W


def branch(rng):
    """Four units."""
    return Branch(rng.normal(size=(4, 4)), rng.normal(size=4))


def residual_jacobian(case):
    # $$ \frac{\partial}{\partial x} \bigl( x + \mathcal F(x) \bigr) = I + \frac{\partial \mathcal F}{\partial x} $$
    return np.eye(4) + case.slope_of_the_branch


@claim("gradient-flow-residual", cases=branch)
def residual_by_complex_step(case, jacobian=residual_jacobian):
    """The layer differentiated by a complex step."""
    agree(jacobian(case), by_entries(case.layer, case.x))


@claim("gradient-flow-residual", cases=branch)
def residual_by_autograd(case, jacobian=residual_jacobian):
    """PyTorch's autograd."""
    torch = need("torch")
    W = torch.tensor(case.W)
    rows = torch.autograd.functional.jacobian(lambda x: x + torch.tanh(W @ x), torch.tensor(case.x))
    agree(jacobian(case), rows.numpy())


@slip("gradient-flow-residual")
def identity_forgotten(case):
    """Differentiate the branch alone."""
    return case.slope_of_the_branch


@slip("gradient-flow-residual")
def identity_only(case):
    """Believe that the gradient passes unchanged."""
    return np.eye(4)


@dataclass(frozen=True)
class Normalised:
    """A linear layer without bias, then batch norm: the loss is the sum of g times the output."""

    x: np.ndarray
    W: np.ndarray
    g: np.ndarray
    eps: float = 0.0

    def output(self, W):
        z = self.x @ W.T
        z = z - z.mean(0)
        return z / np.sqrt((z**2).mean(0) + self.eps)

    def loss(self, W):
        return (self.g * self.output(W)).sum()

    def gradient(self, W):
        n = len(W)
        _, saved = batch_norm.forward(self.x @ W.T, np.ones(n), np.zeros(n), eps=self.eps)
        return batch_norm.backward(self.g, saved).dx.T @ self.x


def normalised(rng):
    """Seven examples, four inputs, three units, eps = 0; the gradient leans on the output."""
    x, W = rng.normal(size=(7, 4)), rng.normal(size=(3, 4))
    return Normalised(x, W, rng.normal(size=(7, 3)) + x @ W.T)


def rescaled_gradient(case):
    # $$ \nabla L(c W) = \frac1c\,\nabla L(W), \qquad \sum_{i,j} W_{ij}\,\frac{\partial L}{\partial W_{ij}} = 0
    #    \qquad (c > 0,\ \varepsilon = 0) $$
    return case.gradient(case.W) / 3


@claim("gradient-flow-batch-norm-scale", cases=normalised)
def rescaled_by_complex_step(case, rescaled_gradient=rescaled_gradient):
    """Weights times 3: the output is the same, and the loss is differentiated there by a complex step."""
    agree(case.output(3 * case.W), case.output(case.W))
    agree(rescaled_gradient(case), complex_step(case.loss, 3 * case.W))


@claim("gradient-flow-batch-norm-scale", cases=normalised)
def orthogonal_to_the_weights(case):
    """The gradient is orthogonal to the weights. With eps = 1/2 none of the three holds."""
    gradient = complex_step(case.loss, case.W)
    scale = np.linalg.norm(gradient) * np.linalg.norm(case.W)
    agree((gradient * case.W).sum(), 0.0, scale=scale)
    wide = replace(case, eps=0.5)
    differ(wide.output(3 * case.W), wide.output(case.W))
    gradients = complex_step(wide.loss, case.W), complex_step(wide.loss, 3 * case.W)
    differ(3 * gradients[1], gradients[0])
    differ((gradients[0] * case.W).sum(), 0.0, scale=scale)


@slip("gradient-flow-batch-norm-scale")
def gradient_unchanged(case):
    """Think that an output that does not move has a gradient that does not."""
    return case.gradient(case.W)


@slip("gradient-flow-batch-norm-scale")
def gradient_grows_with_the_weights(case):
    """Multiply by c, as in a linear network."""
    return 3 * case.gradient(case.W)


@dataclass(frozen=True)
class Cell:
    """Cell states: chi_t = forget_t * chi_{t-1} + entry_t, with gates that are given."""

    forget: np.ndarray  # (T, H)
    entry: np.ndarray  # (T, H)
    start: np.ndarray  # (H,)

    def end(self, start):
        for forget, entry in zip(self.forget, self.entry, strict=True):
            start = forget * start + entry
        return start


def cell(rng):
    """Four steps, three units."""
    return Cell(rng.uniform(0.5, 0.95, (4, 3)), rng.normal(size=(4, 3)), rng.normal(size=3))


def direct_path(case):
    # $$ \frac{\partial \chi_T}{\partial \chi_0}
    #    = \operatorname{diag}\bigl( \phi_1 \odot \phi_2 \odot \dots \odot \phi_T \bigr) \qquad (\text{gates held}) $$
    return gradient_flow.jacobian_product(np.array([np.diag(forget) for forget in case.forget]))


@claim("gradient-flow-lstm-path", cases=cell)
def path_by_complex_step(case, direct_path=direct_path):
    """The cell run for four steps with given gates, and differentiated by a complex step."""
    agree(direct_path(case), by_entries(case.end, case.start))


@claim("gradient-flow-lstm-path", cases=cell)
def path_in_torch(case, direct_path=direct_path):
    """PyTorch's LSTM cell. Without recurrent weights the path is all there is; with them there is more."""
    torch = need("torch")
    layer = torch.nn.LSTMCell(2, 3, dtype=torch.float64)
    bias = torch.zeros(4, 12, dtype=torch.float64)
    bias[:, 3:6] = torch.logit(torch.tensor(case.forget))

    def end(start, recurrent):
        h, chi = torch.zeros(1, 3, dtype=torch.float64), start[None]
        weights = {
            "weight_ih": torch.zeros(12, 2),
            "weight_hh": torch.full((12, 3), recurrent),
            "bias_ih": torch.zeros(12),
        }
        for b in bias:
            values = {name: w.double() for name, w in weights.items()} | {"bias_hh": b}
            h, chi = torch.func.functional_call(layer, values, (torch.zeros(1, 2, dtype=torch.float64), (h, chi)))
        return chi[0]

    start = torch.tensor(case.start)
    rows = [torch.autograd.functional.jacobian(lambda s, r=r: end(s, r), start).numpy() for r in (0.0, 0.5)]
    agree(direct_path(case), rows[0])
    differ(rows[1], rows[0])


def gates_open(case):
    """All forget gates are 1."""
    return replace(case, forget=np.ones((4, 3)))


def gates_constant(case):
    """The forget gates do not change in time."""
    return replace(case, forget=np.array([case.forget[-1]] * 4))


@slip("gradient-flow-lstm-path")
def gates_added(case):
    """Add the gates where they multiply."""
    return np.diag(case.forget.sum(0))


@slip("gradient-flow-lstm-path", blind=gates_open)
def nothing_is_lost(case):
    """Say that the cell passes the gradient unchanged: right if the forget gates are 1."""
    return np.eye(3)


@slip("gradient-flow-lstm-path", blind=gates_constant)
def last_gate_to_the_power(case):
    """Raise the last gate to the power T: the gates differ from step to step."""
    return np.diag(case.forget[-1] ** 4)


def hundred_steps():
    # $$ \sigma(1)^{100} \approx 2.5 \cdot 10^{-14}, \qquad \sigma(5)^{100} \approx 0.511 $$
    return np.array([2.5e-14, 0.511])


@claim("gradient-flow-forget-bias")
def hundred_steps_in_digits(hundred_steps=hundred_steps):
    """Thirty digits by SymPy; each number to 2 %."""
    import sympy

    note("SymPy, 30 digits")
    gates = [1 / (1 + sympy.exp(-sympy.Integer(b))) for b in (1, 5)]
    agree(hundred_steps() / np.array([float((gate**100).n(30)) for gate in gates]), np.ones(2), tolerance=0.02)


@slip("gradient-flow-forget-bias")
def losses_added():
    """Add a hundred losses, 1 - 100 (1 - sigma)."""
    return 1 - 100 * (1 - sigmoid(np.array([1.0, 5.0])))


@slip("gradient-flow-forget-bias")
def open_gate_is_one():
    """Take sigma(5) for 1."""
    return np.array([2.5e-14, 1.0])


# --- what is no remedy -----------------------------------------------------------------------------------------------


def tiny():
    """Norm 5e-20 and limit 1, norm 5 and limit 6, norm 1/4 and limit 1/3, in fractions."""
    yield SimpleNamespace(g=np.array([Fraction(3, 10**20), Fraction(4, 10**20)]), norm=Fraction(5, 10**20), limit=1)
    yield SimpleNamespace(g=np.array([Fraction(3), Fraction(-4)]), norm=Fraction(5), limit=6)
    yield SimpleNamespace(g=np.array([Fraction(3, 20), Fraction(1, 5)]), norm=Fraction(1, 4), limit=Fraction(1, 3))


def at_the_limit(case):
    """The norm is the limit."""
    return SimpleNamespace(g=case.g, norm=case.norm, limit=case.norm)


def clipped(case):
    # $$ \operatorname{clip}(g) = \min\Bigl( 1, \frac{\text{limit}}{\lVert g \rVert} \Bigr)\, g,
    #    \qquad \operatorname{clip}(g) = g \quad \text{if } \lVert g \rVert \le \text{limit} $$
    return gradient_flow.clip(case.g, case.limit)


@claim("gradient-flow-clipping", cases=tiny)
def tiny_unchanged(case, clipped=clipped):
    """A gradient below the limit, tiny or not, comes out as it went in, in fractions."""
    same(clipped(case), case.g)


@claim("gradient-flow-clipping", cases=five)
def long_ones_shortened(case):
    """A gradient of norm 7, clipped to 2: the norm is 2, the direction is the same."""
    g = 7 * case.g[0] / np.linalg.norm(case.g[0])
    agree(gradient_flow.clip(g, 2), 2 / 7 * g)


@slip("gradient-flow-clipping", blind=at_the_limit)
def always_rescaled(case):
    """Bring every gradient to the limit: that is normalising, not clipping."""
    return case.g * (case.limit / case.norm)


def two_layers():
    """Two linear layers of two units, in fractions; a unit is kept with probability 1/3, then multiplied by 3."""
    first = np.array([[1, 2], [3, 5]], dtype=object) * Fraction(1, 4)
    second = np.array([[2, -1], [1, 3]], dtype=object) * Fraction(1, 4)
    yield SimpleNamespace(first=first, second=second, keep=Fraction(1, 3))


def with_dropout(case):
    # $$ \mathbb E \Bigl[ \tfrac{1}{p_{\mathrm{keep}}} \operatorname{diag}(\text{mask}^{(2)})\, W^{(2)}\,
    #    \tfrac{1}{p_{\mathrm{keep}}} \operatorname{diag}(\text{mask}^{(1)})\, W^{(1)} \Bigr] = W^{(2)} W^{(1)} $$
    return gradient_flow.jacobian_product(np.array([case.first, case.second]))


@claim("gradient-flow-dropout", cases=two_layers)
def all_masks(case, with_dropout=with_dropout):
    """The product of the two Jacobians for each of the 16 masks, weighted by its probability."""
    note("enumeration")
    mean = 0
    for mask in itertools.product((0, 1), repeat=4):
        chance = case.keep ** sum(mask) * (1 - case.keep) ** (4 - sum(mask))
        first, second = (np.diag(np.array(m, dtype=object)) / case.keep for m in (mask[:2], mask[2:]))
        mean = mean + chance * (second @ case.second @ first @ case.first)
    same(with_dropout(case), mean)


@claim("gradient-flow-dropout", cases=seed_of)
def dropout_in_the_stack(seed):
    """The sigmoid stack with half of its units dropped at each layer: 15 decades are lost, within 0.3."""
    note("Monte-Carlo")
    agree(measure(sigmoid_with_dropout, glorot, seed), -15.1, tolerance=0.3, scale=1)


@slip("gradient-flow-dropout")
def not_rescaled(case):
    """Forget the division by the probability: the signal shrinks at each layer."""
    return with_dropout(case) * case.keep**2


@slip("gradient-flow-dropout")
def dropout_amplifies(case):
    """Count the division, and forget the units that are dropped."""
    return with_dropout(case) / case.keep**2


def decay():
    """A step of weight decay with eta zeta = 1/10, then a gradient through 2 to 6 equal layers, in fractions."""
    for t in range(2, 7):
        yield SimpleNamespace(A=np.array([[1, 2], [3, 5]], dtype=object) * Fraction(1, 4), shrink=Fraction(9, 10), t=t)


def decayed(case):
    # $$ \bigl( (1 - \eta\zeta) A \bigr)^t = (1 - \eta\zeta)^t A^t $$
    return case.shrink**case.t * multiplied(case.A, case.t)


@claim("gradient-flow-weight-decay", cases=decay)
def decayed_multiplied(case, decayed=decayed):
    """The smaller matrix multiplied by itself, in fractions."""
    same(decayed(case), gradient_flow.jacobian_product(np.array([case.shrink * case.A] * case.t)))


@claim("gradient-flow-weight-decay")
def saturated_unit():
    """One sigmoid unit with the input 1: its Jacobian at the weight 9 is twice that at 10, and more."""

    def size(w):
        return w * np.exp(-w) / (1 + np.exp(-w)) ** 2

    at_most(2 * size(10.0), size(9.0))


@slip("gradient-flow-weight-decay")
def shrinks_once(case):
    """Shrink the gradient once, and not once a layer."""
    return case.shrink * multiplied(case.A, case.t)


@slip("gradient-flow-weight-decay")
def decay_helps(case):
    """Think that the penalty makes the gradient larger."""
    return multiplied(case.A, case.t) / case.shrink**case.t


def unequal_layers(rng):
    """Two layers of tanh, of distinct sizes, and a step between 1/20 and 1/2."""
    return SimpleNamespace(
        x=rng.normal(size=3),
        W=[rng.normal(size=(4, 3)), rng.normal(size=(2, 4))],
        g=rng.uniform(1, 2, 2),
        step=rng.uniform(0.05, 0.5),
    )


def displacement_ratio(case):
    # $$ \frac{\lVert \eta\, \partial L / \partial W^{(1)} \rVert}{\lVert \eta\, \partial L / \partial W^{(M)} \rVert}
    #    = \frac{\lVert \partial L / \partial W^{(1)} \rVert}{\lVert \partial L / \partial W^{(M)} \rVert} $$
    h = np.tanh(case.W[0] @ case.x)
    dz = case.g * (1 - np.tanh(case.W[1] @ h) ** 2)
    first = np.outer((1 - h**2) * (case.W[1].T @ dz), case.x)
    return np.linalg.norm(first) / np.linalg.norm(np.outer(dz, h))


@claim("gradient-flow-larger-step", cases=unequal_layers)
def displacements(case, ratio=displacement_ratio):
    """Both layers of a network are moved by one step of gradient descent, its gradients taken by a complex step."""
    moved = []
    for k in range(2):

        def loss(W, k=k):
            layers = [W if j == k else case.W[j] for j in range(2)]
            return (case.g * np.tanh(layers[1] @ np.tanh(layers[0] @ case.x))).sum()

        after = case.W[k] - case.step * complex_step(loss, case.W[k])
        moved.append(np.linalg.norm(after - case.W[k]))
    agree(ratio(case), moved[0] / moved[1], tolerance=1e-10)  # the displacement is a difference of rounded weights


@slip("gradient-flow-larger-step")
def step_helps_the_first_layer(case):
    """Let the larger step act on the first layer alone."""
    return case.step * displacement_ratio(case)


# --- bad input -------------------------------------------------------------------------------------------------------


@claim("gradient-flow-bad-input")
def bad_input():
    """Wrong shapes, numbers that are not integers, a negative power of a singular matrix, a limit of 0."""
    J, g, D, I = np.ones((3, 2, 2)), np.ones((3, 2)), np.ones((3, 2, 4)), np.eye(2)
    refuses(lambda: gradient_flow.unrolled_gradient(g[:2], J, D), naming="g")
    refuses(lambda: gradient_flow.unrolled_gradient(g[:, :1], J, D), naming="g")
    refuses(lambda: gradient_flow.unrolled_gradient(g, J[:, :1], D), naming="J")
    refuses(lambda: gradient_flow.unrolled_gradient(g[:0], J[:0], D[:0]), naming="J")
    refuses(lambda: gradient_flow.unrolled_gradient(g, J, D[:2]), naming="D")
    refuses(lambda: gradient_flow.jacobian_product(J[0]), naming="J")
    refuses(lambda: gradient_flow.backpropagated_norms(g, J), naming="g")
    refuses(lambda: gradient_flow.backpropagated_norms(g[0], J[:, :, :1]), naming="J")
    refuses(lambda: gradient_flow.eigen_power(J, g[0], I, 2), naming="Q")
    refuses(lambda: gradient_flow.eigen_power(I, g[:, 0], I, 2), naming="eigenvalues")
    refuses(lambda: gradient_flow.eigen_power(I, g[0], I[:1], 2), naming="Q_inv")
    refuses(lambda: gradient_flow.eigen_power(I, g[0], I, 0.5), naming="t")
    refuses(lambda: gradient_flow.eigen_power(I, np.array([1.0, 0.0]), I, -1), naming="t")
    refuses(lambda: gradient_flow.spectral_radius(J), naming="A")
    refuses(lambda: gradient_flow.power_bound(J, g[0], 2), naming="Q")
    refuses(lambda: gradient_flow.power_bound(I, g[0], -1), naming="T")
    refuses(lambda: gradient_flow.power_bound(I, g[:, 0], 2), naming="eigenvalues")
    refuses(lambda: gradient_flow.sigmoid_bound(J, 2), naming="W")
    refuses(lambda: gradient_flow.sigmoid_bound(I, 2.0), naming="T")
    refuses(lambda: gradient_flow.scalar_rnn(2, -1), naming="T")
    refuses(lambda: gradient_flow.clip(g, 0), naming="limit")
    eye, two = np.eye(2), np.array([2.0, 3.0])
    refuses(lambda: gradient_flow.clip(two * 1j, 1.0), naming="g")
    refuses(lambda: gradient_flow.clip(two, np.nan), naming="limit")
    refuses(lambda: gradient_flow.eigen_power(eye, two, eye, True), naming="t")
    refuses(lambda: gradient_flow.eigen_power(eye, two, np.ones((1, 4)), 2), naming="Q_inv")
    refuses(lambda: gradient_flow.eigen_power(eye, two[:, None], eye, 2), naming="eigenvalues")
    refuses(lambda: gradient_flow.sigmoid_bound(eye, -1), naming="T")
    refuses(lambda: gradient_flow.spectral_radius(np.empty((0, 0))), naming="A")


@claim("gradient-flow-large-numbers")
def large_numbers():
    """3^70 and 8^30 from integers, powers below 0, a radius that is not the first nor positive, clipping at 1e200."""
    eye = np.eye(2, dtype=int)
    same(gradient_flow.eigen_power(eye, [2, 3], eye, np.int8(70))[1, 1], 3**70)
    agree(gradient_flow.power_bound(eye, [2, 3], np.int8(70))[-1], 3.0**70)
    eights = np.full((30, 1, 1), 8)
    same(gradient_flow.jacobian_product(eights)[0, 0], 8**30)
    agree(gradient_flow.backpropagated_norms([1], eights)[-1], 8.0**30)
    same(gradient_flow.unrolled_gradient(eights[:, 0], eights, eights)[0], 64 * sum((30 - p) * 8**p for p in range(30)))
    agree(gradient_flow.power_bound(eye, [2, -3], 4)[-1], 81.0)
    half = np.array([Fraction(2), Fraction(-3)], dtype=object)
    same(gradient_flow.eigen_power(eye, half, eye, -2), np.diag([Fraction(1, 4), Fraction(1, 9)]) + 0 * eye)
    agree(gradient_flow.spectral_radius(np.array([[0.0, -2.0], [2.0, 0.0]])), 2.0)
    agree(gradient_flow.clip(np.array([[3e200], [4e200]]), 1.0), [[0.6], [0.8]])
    agree(gradient_flow.clip(np.array([100, 100], dtype=np.int8), 10), np.full(2, 50**0.5))
    short = np.array([0.3, 0.4])
    same(bool(np.shares_memory(gradient_flow.clip(short, 1.0), short)), False)


@claim("gradient-flow-pure", cases=five)
def inputs_unchanged(case):
    """Inputs that cannot be written to, then a second call: same results, to the bit."""
    g, J, D = case.g, case.J, case.D
    for array in (g, J, D):
        array.setflags(write=False)

    def results():
        yield gradient_flow.unrolled_gradient(g, J, D)
        yield gradient_flow.jacobian_product(J)
        yield gradient_flow.backpropagated_norms(g[0], J)
        yield gradient_flow.eigen_power(J[0], g[0], J[1], 3)
        yield gradient_flow.clip(g[0], 0.1)

    same([bool(np.array_equal(a, b)) for a, b in zip(results(), results(), strict=True)], [True] * 5)
