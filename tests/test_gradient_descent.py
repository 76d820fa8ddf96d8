"""Gradient descent on a quadratic: the claims of the chapter, in its order.

Letters, as on the page: H the Hessian (P, P), w_star the minimiser, eta the step, m the momentum, zeta the weight
decay, kappa the condition number, rho the rate. Spectra are written smallest first.
"""

import functools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from dlnotes import gradient_descent
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

# --- cases: a polynomial of degree two, in numbers or in symbols ------------------------------------------------------


@dataclass(frozen=True)
class Polynomial:
    """A loss of degree two, w^T A w + b^T w + c. A need not be symmetric; A + A^T is positive definite."""

    A: np.ndarray
    b: np.ndarray
    c: Any
    w: np.ndarray  # the point in question

    def loss(self, w):
        return w @ self.A @ w + self.b @ w + self.c

    def slope(self, w):
        """The gradient, from the polynomial itself."""
        return complex_step(self.loss, w)

    def solve(self, A, b):
        return np.linalg.solve(A, b)

    @property
    def H(self):
        """The second derivatives: entry (i, j) of A and entry (j, i) both multiply w_i w_j."""
        return self.A + self.A.T

    @property
    def w_star(self):
        return self.solve(self.H, -self.b)

    @property
    def least(self):
        return self.loss(self.w_star)

    @property
    def v(self):
        return self.w - self.w_star


class Symbols(Polynomial):
    """The same in SymPy symbols: what holds of it holds for all values."""

    def slope(self, w):
        import sympy

        note("SymPy")
        letters = np.array(sympy.symbols(f"t:{len(w)}", real=True))
        value, at = sympy.expand(self.loss(letters)), dict(zip(letters, w, strict=True))
        return np.array([value.diff(letter).subs(at) for letter in letters])

    def solve(self, A, b):
        import sympy

        return np.array(sympy.Matrix(A).LUsolve(sympy.Matrix(b))).reshape(len(b))


def polynomial(rng):
    """Three parameters; A leans to one side, and the minimiser is far from 0."""
    A = np.diag([1.0, 2.5, 4.0]) + np.triu(rng.uniform(0.5, 1.0, (3, 3)), 1)
    w_star = rng.uniform(1, 2, 3)
    return Polynomial(A, -(A + A.T) @ w_star, rng.uniform(1, 2), w_star + rng.uniform(0.7, 1.5, 3) * [1, -1, 1])


def symbols():
    """Two parameters, every number a symbol."""
    import sympy

    A = np.array(sympy.symbols("a:4", positive=True)).reshape(2, 2)
    b, w = (np.array(sympy.symbols(f"{name}:2", real=True)) for name in "bw")
    yield Symbols(A, b, sympy.Symbol("c", real=True), w)


def centred(case):
    """The minimiser at 0."""
    return replace(case, b=0 * case.b)


# --- the quadratic ----------------------------------------------------------------------------------------------------


def loss(case):
    # $$ L(w) = L(w^\star) + \tfrac12\,(w - w^\star)^\top H\,(w - w^\star) $$
    return gradient_descent.loss(case.H, case.w_star, case.w, case.least)


@claim("gradient-descent-quadratic", cases=polynomial)
def polynomial_measured(case, loss=loss):
    """A polynomial of degree two in three variables, term by term; its minimiser by solving for a gradient 0."""
    terms = sum(case.A[i, j] * case.w[i] * case.w[j] for i in range(3) for j in range(3))
    agree(loss(case), terms + sum(case.b * case.w) + case.c)


@claim("gradient-descent-quadratic", cases=symbols)
def polynomial_in_symbols(case, loss=loss):
    """Every polynomial of degree two in two variables that has a minimiser, in symbols."""
    same(loss(case), case.loss(case.w))


@slip("gradient-descent-quadratic")
def half_forgotten(case):
    """Forget the half."""
    return case.least + case.v @ case.H @ case.v


@slip("gradient-descent-quadratic", blind=centred)
def minimiser_forgotten(case):
    """Write w^T H w / 2, as if the minimiser were 0."""
    return case.least + case.w @ case.H @ case.w / 2


@slip("gradient-descent-quadratic")
def linear_term_kept(case):
    """Keep a linear term, with the gradient at w: at the minimiser it is 0."""
    return case.least + case.slope(case.w) @ case.v + case.v @ case.H @ case.v / 2


@steps("gradient-descent-quadratic-steps", cases=(polynomial, symbols), ends_in=loss)
def quadratic_steps(case):
    """Expand at the minimiser, where the gradient is 0."""
    second = case.v @ case.H @ case.v / 2
    # L(w)
    yield case.loss(case.w)
    # = L(w^\star) + \nabla L(w^\star)^\top (w - w^\star) + \tfrac12\,(w - w^\star)^\top H\,(w - w^\star)
    yield case.least + case.slope(case.w_star) @ case.v + second
    # = L(w^\star) + \tfrac12\,(w - w^\star)^\top H\,(w - w^\star)
    yield case.least + second


LENGTHS = (1, 10, 1000)


def fractions(rng):
    """A polynomial in three variables, all numbers fractions."""
    case = polynomial(rng)

    def exact(a):
        return np.array([Fraction(round(60 * x), 60) for x in np.ravel(a)], dtype=object).reshape(np.shape(a))

    return Symbols(exact(case.A), exact(case.b), Fraction(7, 5), exact(case.w))


def remainder(case):
    # $$ L(w^\star + r\,\vec v) - L(w^\star) - \frac{r^2}{2}\,\vec v^\top H\,\vec v = 0 \qquad \text{for every } r $$
    quadratic = [gradient_descent.loss(case.H, case.w_star, case.w_star + r * case.v, case.least) for r in LENGTHS]
    return np.array([case.loss(case.w_star + r * case.v) - value for r, value in zip(LENGTHS, quadratic, strict=True)])


@claim("gradient-descent-no-remainder", cases=fractions)
def nothing_is_left(case, remainder=remainder):
    """At 1, 10 and 1000 times the distance, in fractions."""
    same(remainder(case), np.zeros(3, dtype=int))


@claim("gradient-descent-no-remainder")
def third_derivatives_vanish():
    """SymPy: all third derivatives of a polynomial of degree two are 0. Those of log cosh are not."""
    import sympy

    case = next(symbols())
    value = sympy.expand(case.loss(case.w))
    same([value.diff(*w) for w in np.stack(np.meshgrid(*[case.w] * 3), -1).reshape(-1, 3)], [0] * 8)
    w = sympy.Symbol("w", positive=True)
    proved(sympy.Ne(sympy.log(sympy.cosh(w)).diff(w, 3).subs(w, 1), 0))


@slip("gradient-descent-no-remainder")
def to_second_order_only(case):
    """Hold the formula for an approximation, with a remainder of third order."""
    return np.array([Fraction(r) ** 3 * (case.v @ case.v) for r in LENGTHS])


def slope(case):
    # $$ \nabla L(w) = H\,(w - w^\star) $$
    return gradient_descent.gradient(case.H, case.w_star, case.w)


@claim("gradient-descent-gradient", cases=polynomial)
def slope_by_complex_step(case, slope=slope):
    """The polynomial, differentiated by a complex step."""
    agree(slope(case), complex_step(case.loss, case.w))


@claim("gradient-descent-gradient", cases=symbols)
def slope_in_symbols(case, slope=slope):
    """The polynomial, differentiated by SymPy. The second derivatives are H."""
    import sympy

    value = sympy.expand(case.loss(case.w))
    same(slope(case), [value.diff(w) for w in case.w])
    same(case.H, sympy.hessian(value, list(case.w)).tolist())


@slip("gradient-descent-gradient")
def half_kept(case):
    """Keep the half of the loss."""
    return case.H @ case.v / 2


@slip("gradient-descent-gradient", blind=centred)
def slope_without_the_minimiser(case):
    """Write H w, as if the minimiser were 0."""
    return case.H @ case.w


def symmetric(case):
    """A symmetric A."""
    return replace(case, A=(case.A + case.A.T) / 2)


@slip("gradient-descent-gradient", blind=symmetric)
def twice_a_matrix_that_is_not_symmetric(case):
    """Take 2 A for the Hessian of w^T A w. It is A + A^T."""
    return 2 * case.A @ case.v


# --- the direction of the gradient ------------------------------------------------------------------------------------


def direction(case):
    # $$ \cos(-\nabla L(w),\, w^\star - w) =
    #    \frac{\vec v^\top H\,\vec v}{\lVert \vec v \rVert\,\lVert H\,\vec v \rVert}, \qquad \vec v = w - w^\star $$
    return gradient_descent.cosine(case.H, case.w_star, case.w)


@claim("gradient-descent-cosine", cases=polynomial)
def direction_by_complex_step(case, direction=direction):
    """The gradient by a complex step; then the scalar product over the two lengths."""
    down, way = -complex_step(case.loss, case.w), case.w_star - case.w
    agree(direction(case), down @ way / math.sqrt((down @ down) * (way @ way)))


@claim("gradient-descent-cosine")
def example():
    """H = diag(1, 10) and w - w* = (1, 1): the cosine is 11 / sqrt(202) = 0.7740, the angle 39.29 degrees."""
    value = gradient_descent.cosine(np.diag([1.0, 10.0]), [3.0, 5.0], [4.0, 6.0])
    agree(value, 11 / math.sqrt(202))
    agree(value, 0.7740, tolerance=1e-4)
    agree(math.degrees(math.acos(value)), 39.29, tolerance=1e-4)


@claim("gradient-descent-cosine", cases=polynomial)
def downhill(case, direction=direction):
    """It is positive: every step that is short enough comes nearer to the minimiser."""
    at_most(-direction(case), 0.0, scale=1)
    short = case.w - 1e-3 * complex_step(case.loss, case.w)
    at_most(np.linalg.norm(short - case.w_star) / np.linalg.norm(case.v), 1 - 1e-4)
    agree(direction(case) * np.linalg.norm(case.H @ case.v), case.v @ case.H @ case.v / np.linalg.norm(case.v))


def on_an_eigenvector(case):
    """w - w* an eigenvector."""
    return replace(case, w=case.w_star + 1.3 * np.linalg.eigh(case.H)[1][:, 1])


@slip("gradient-descent-cosine", blind=on_an_eigenvector)
def always_points_at_the_minimum(case):
    """Believe that the gradient of a convex quadratic always points at its minimum."""
    return 1.0


@slip("gradient-descent-cosine")
def gradient_taken_as_long_as_the_way(case):
    """Divide by the squared length of the way, as if the gradient were as long."""
    return case.v @ case.H @ case.v / (case.v @ case.v)


@dataclass(frozen=True)
class Pairs:
    """Hessians (2, 2) and ways v from the minimiser, in integers."""

    pairs: tuple


WAYS = [(a, b) for a in range(-3, 4) for b in range(-3, 4) if (a, b) != (0, 0)]


def small_integers():
    """All positive definite H with diagonal 1 to 4 and all v with entries up to 3 in size, but v = 0."""
    hessians = [(a, b, d) for a in range(1, 5) for d in range(1, 5) for b in range(-3, 4) if a * d > b * b]
    yield Pairs(tuple((H, v) for H in hessians for v in WAYS))


def identities(case):
    """Multiples of the identity only."""
    return Pairs(tuple((H, v) for H, v in case.pairs if H[0] == H[2] and H[1] == 0))


def times(H, v):
    a, b, d = H
    return a * v[0] + b * v[1], b * v[0] + d * v[1]


def is_eigenvector(case):
    # $$ -\nabla L(w) \text{ points at } w^\star
    #    \iff H\,(w - w^\star) = \lambda\,(w - w^\star) \text{ for some } \lambda > 0 $$
    verdicts = []
    for H, v in case.pairs:
        Hv = times(H, v)
        eigenvalue = Fraction(v[0] * Hv[0] + v[1] * Hv[1], v[0] ** 2 + v[1] ** 2)
        verdicts.append(eigenvalue > 0 and Hv == (eigenvalue * v[0], eigenvalue * v[1]))
    return np.array(verdicts)


@claim("gradient-descent-points-at-optimum", cases=small_integers)
def some_step_lands_on_it(case, is_eigenvector=is_eigenvector):
    """All such H and v: whether w - s grad L(w) is w* for some s > 0, that is, whether v and H v turn the same way."""
    lands = []
    for H, v in case.pairs:
        Hv = times(H, v)
        lands.append(v[0] * Hv[1] == v[1] * Hv[0] and v[0] * Hv[0] + v[1] * Hv[1] > 0)
    same(is_eigenvector(case), np.array(lands))


@claim("gradient-descent-points-at-optimum")
def from_everywhere_iff_multiple_of_identity():
    """All such H: the gradient points at the minimiser from every v iff H is a multiple of the identity."""
    everywhere = {}
    (case,) = small_integers()
    for (H, _), verdict in zip(case.pairs, is_eigenvector(case), strict=True):
        everywhere[H] = everywhere.get(H, True) and verdict
    every(everywhere, lambda H: everywhere[H] == (H[0] == H[2] and H[1] == 0))


@claim("gradient-descent-points-at-optimum")
def eigenvalue_must_be_positive():
    """On an eigenvector: with eigenvalue 0 the gradient is 0, and with one below 0 its negative points away."""
    H, w = np.diag([0.0, 1.0, -2.0]), np.eye(3)
    agree(gradient_descent.gradient(H, np.zeros(3), w[0]), np.zeros(3), scale=1)
    agree(np.array([gradient_descent.cosine(H, np.zeros(3), w[i]) for i in (1, 2)]), np.array([1.0, -1.0]))


@slip("gradient-descent-points-at-optimum")
def never_points_at_it(case):
    """Answer that the gradient never points at the minimum."""
    return np.zeros(len(case.pairs), dtype=bool)


@slip("gradient-descent-points-at-optimum", blind=identities)
def convexity_is_enough(case):
    """Answer that it always does, as the loss is convex."""
    return np.ones(len(case.pairs), dtype=bool)


@slip("gradient-descent-points-at-optimum", blind=identities)
def diagonal_hessian(case):
    """Answer that it does if, and only if, H is diagonal."""
    return np.array([H[1] == 0 for H, _ in case.pairs])


@dataclass(frozen=True)
class Plane:
    """Two eigenvalues, orthonormal eigenvectors q1 and q2 (q2 a quarter turn on), and v."""

    first: Any
    second: Any
    q1: np.ndarray
    v: np.ndarray

    @property
    def q2(self):
        return np.array([-self.q1[1], self.q1[0]])

    @property
    def H(self):
        return self.first * np.outer(self.q1, self.q1) + self.second * np.outer(self.q2, self.q2)


def plane(rng):
    angle = rng.uniform(0.3, 1.2)
    v = rng.uniform(1, 2, 2) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return Plane(rng.uniform(1, 2), rng.uniform(3, 5), np.array([np.cos(angle), np.sin(angle)]), v)


def plane_in_symbols():
    """All eigenvalues, all angles (but a half turn), all v."""
    import sympy

    u, first, second, v1, v2 = sympy.symbols("u lambda1 lambda2 v1 v2", positive=True)
    yield Plane(first, second, np.array([(1 - u**2) / (1 + u**2), 2 * u / (1 + u**2)]), np.array([v1, v2]))


def turn(case):
    # $$ \det(\vec v,\, H\,\vec v) = (\lambda_2 - \lambda_1)\,(q_1^\top \vec v)\,(q_2^\top \vec v) $$
    return (case.second - case.first) * (case.q1 @ case.v) * (case.q2 @ case.v)


@claim("gradient-descent-turn", cases=plane)
def turn_measured(case, turn=turn):
    """The determinant of v and the gradient at w* + v."""
    w_star = np.array([0.3, 0.7])
    gradient = gradient_descent.gradient(case.H, w_star, w_star + case.v)
    lengths = np.linalg.norm(case.v) * np.linalg.norm(gradient)
    agree(turn(case), np.linalg.det(np.column_stack([case.v, gradient])), scale=lengths)


@claim("gradient-descent-turn", cases=plane_in_symbols)
def turn_in_symbols(case, turn=turn):
    """The same in symbols."""
    Hv = case.H @ case.v
    same(turn(case), case.v[0] * Hv[1] - case.v[1] * Hv[0])


def round_bowl(case):
    """Equal eigenvalues."""
    return replace(case, second=case.first)


@slip("gradient-descent-turn", blind=round_bowl)
def gradient_along_the_way(case):
    """Take the gradient along v: the determinant is 0."""
    return 0 * (case.q1 @ case.v)


@slip("gradient-descent-turn")
def eigenvalues_added(case):
    """Add the two eigenvalues."""
    return (case.second + case.first) * (case.q1 @ case.v) * (case.q2 @ case.v)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues, smallest first, and a point v in the basis of the eigenvectors."""

    eigenvalues: Any
    v: Any = None

    @property
    def smallest(self):
        return min(x for x in self.eigenvalues if x > 0)

    @property
    def largest(self):
        return max(self.eigenvalues)

    @property
    def kappa(self):
        return self.largest / self.smallest


def spectrum(rng):
    """Three eigenvalues, kappa between 5 and 12, and a point."""
    smallest = rng.uniform(0.5, 0.8)
    kappa = rng.uniform(5, 12)
    return Spectrum(smallest * np.array([1, rng.uniform(1.5, 2.0), kappa]), rng.uniform(1, 2, 3) * [1, -1, 1])


def one_eigenvalue(case):
    """All eigenvalues equal to the largest."""
    return replace(case, eigenvalues=[case.largest] * 3)


def worst(case):
    # $$ \cos(-\nabla L(w),\, w^\star - w) \ge \frac{2 \sqrt\kappa}{1 + \kappa},
    #    \qquad \kappa = \frac{\lambda_{\max}}{\lambda_{\min}} $$
    return gradient_descent.worst_cosine(case.eigenvalues)


@claim("gradient-descent-worst-angle", cases=spectrum)
def random_search(case, worst=worst):
    """None of 4,000 random directions is below; (sqrt(lambda_max), 0, sqrt(lambda_min)) attains it."""
    eigenvalues = np.array(case.eigenvalues)
    v = np.random.default_rng(7).normal(size=(4000, 3))
    v[0] = [math.sqrt(case.largest), 0, math.sqrt(case.smallest)]
    cosines = (v * v * eigenvalues).sum(1) / np.sqrt((v * v).sum(1) * (v * v * eigenvalues**2).sum(1))
    at_most(np.full(4000, worst(case)), cosines)
    agree(worst(case), gradient_descent.cosine(np.diag(eigenvalues), np.zeros(3), v[0]))


@claim("gradient-descent-worst-angle")
def worst_in_symbols():
    """With x the squared ratio of the two components: its square exceeds 4 kappa / (1 + kappa)^2 by a square."""
    import sympy

    k, x = sympy.symbols("kappa x", positive=True)
    cosine = (1 + k * x) ** 2 / ((1 + x) * (1 + k**2 * x))
    square = ((1 - k * x) * (k - 1)) ** 2
    same(cosine - 4 * k / (1 + k) ** 2, square / ((1 + x) * (1 + k**2 * x) * (1 + k) ** 2))


@claim("gradient-descent-worst-angle")
def equal_eigenvalues_always_point():
    """With one eigenvalue the bound is 1. With 1 and 10 it is 0.5750, an angle of 54.9 degrees."""
    agree(gradient_descent.worst_cosine([2.5, 2.5, 2.5]), 1.0)
    tenfold = gradient_descent.worst_cosine([1, 10])
    agree(tenfold, 2 * math.sqrt(10) / 11)
    agree(math.degrees(math.acos(tenfold)), 54.9, tolerance=1e-3)


@claim("gradient-descent-worst-angle")
def nearly_a_right_angle_with_a_0():
    """Eigenvalues 0 and 1: from (1, r) the cosine is r / sqrt(1 + r^2), which is as near to 0 as one likes."""
    for r in (1e-1, 1e-4, 1e-8):
        agree(gradient_descent.cosine(np.diag([0.0, 1.0]), [0, 0], [1, r]), r / math.hypot(1, r), scale=r)


@slip("gradient-descent-worst-angle")
def right_angle(case):
    """Allow a right angle."""
    return 0.0


@slip("gradient-descent-worst-angle", blind=one_eigenvalue)
def diagonal_start(case):
    """Hold v = (1, 1) for the worst direction: for large kappa it leaves 45 degrees."""
    return (1 + case.kappa) / math.sqrt(2 * (1 + case.kappa**2))


@slip("gradient-descent-worst-angle", blind=one_eigenvalue)
def ratio_of_the_eigenvalues(case):
    """Give the ratio of the smallest eigenvalue to the largest."""
    return case.smallest / case.largest


def worst_times_lengths(case):
    Hv = np.array(case.eigenvalues) * case.v
    return 2 * np.sqrt(case.smallest * case.largest) * np.sqrt(Hv @ Hv) * np.sqrt(case.v @ case.v)


@steps("gradient-descent-worst-angle-steps", cases=spectrum, ends_in=worst_times_lengths)
def worst_steps(case):
    """Every eigenvalue lies between the extreme ones; then a sum of squares is at least twice the product."""
    v, Hv = case.v, np.array(case.eigenvalues) * case.v
    low, high = case.smallest, case.largest
    # (\lambda_{\min} + \lambda_{\max})\,\vec v^\top H\,\vec v
    yield (low + high) * (v @ Hv)
    # \ge \lVert H\,\vec v \rVert^2 + \lambda_{\min} \lambda_{\max}\,\lVert \vec v \rVert^2
    yield Hv @ Hv + low * high * (v @ v)
    # \ge 2 \sqrt{\lambda_{\min} \lambda_{\max}}\;\lVert H\,\vec v \rVert\,\lVert \vec v \rVert
    yield 2 * np.sqrt(low * high) * np.linalg.norm(Hv) * np.linalg.norm(v)


# --- the iterates -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Descent:
    """A start, a step, a number of steps. The columns of Q are orthonormal eigenvectors."""

    Q: np.ndarray
    eigenvalues: np.ndarray
    w_star: np.ndarray
    w0: np.ndarray
    step: Any
    t: int

    @property
    def H(self):
        return (self.Q * self.eigenvalues) @ self.Q.T

    def run(self):
        """Gradient descent itself, step by step."""
        w = self.w0
        for _ in range(self.t):
            w = w - self.step * (self.H @ (w - self.w_star))
        return w

    def with_factors(self, factors):
        return self.w_star + self.Q @ (factors * (self.Q.T @ (self.w0 - self.w_star)))


def descent(rng):
    """Three eigenvalues, one of them with a factor below 0; 4 to 6 steps."""
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    eigenvalues = np.array([0.3, 0.8, 2.5]) * rng.uniform(0.9, 1.1, 3)
    w_star = rng.uniform(1, 2, 3)
    w0 = w_star + Q @ (rng.uniform(1, 2, 3) * [1, 1, -1])
    return Descent(Q, eigenvalues, w_star, w0, rng.uniform(0.55, 0.65), int(rng.integers(4, 7)))


def one_step_only(case):
    """t = 1."""
    return replace(case, t=1)


def at_the_start(case):
    """t = 0."""
    return replace(case, t=0)


def minimiser_at_0(case):
    """w* = 0."""
    return replace(case, w_star=0 * case.w_star)


def iterates(case):
    # $$ w_t = w^\star + \sum_i (1 - \eta \lambda_i)^t\, q_i\, q_i^\top (w_0 - w^\star) $$
    return gradient_descent.iterate(case.H, case.w_star, case.w0, case.step, case.t)


@claim("gradient-descent-iterate", cases=descent)
def step_by_step(case, iterates=iterates):
    """Gradient descent run t times, with the gradient of the loss by a complex step."""
    w = case.w0
    for _ in range(case.t):
        w = w - case.step * complex_step(lambda w: (w - case.w_star) @ case.H @ (w - case.w_star) / 2, w)
    agree(iterates(case), w)


@claim("gradient-descent-iterate")
def fifteen_steps_in_fractions():
    """H = [[2, 1], [1, 2]] with the step 2/7, from t = 0 to 14: run in fractions, and only then rounded."""
    H = np.array([[2, 1], [1, 2]])
    w_star, w = np.array([Fraction(3), Fraction(-1, 2)]), np.array([Fraction(1, 3), Fraction(5)])
    w0 = w.astype(float)
    for t in range(15):
        value = gradient_descent.iterate(H, w_star.astype(float), w0, 2 / 7, t)
        agree(value, w.astype(float))
        w = w - Fraction(2, 7) * (H @ (w - w_star))


@slip("gradient-descent-iterate", blind=minimiser_at_0)
def components_of_the_start_alone(case):
    """Forget w*: shrink the components of the start itself."""
    return case.Q @ ((1 - case.step * case.eigenvalues) ** case.t * (case.Q.T @ case.w0))


@slip("gradient-descent-iterate", blind=at_the_start)
def uphill(case):
    """Take the sign of the gradient wrongly: 1 + eta lambda."""
    return case.with_factors((1 + case.step * case.eigenvalues) ** case.t)


@slip("gradient-descent-iterate", blind=one_step_only)
def steps_added(case):
    """Add the t steps instead of multiplying: 1 - t eta lambda."""
    return case.with_factors(1 - case.t * case.step * case.eigenvalues)


@slip("gradient-descent-iterate", blind=at_the_start)
def gradient_flow(case):
    """Let the time run on between the steps: exp(-eta lambda t)."""
    return case.with_factors(np.exp(-case.step * case.eigenvalues * case.t))


@slip("gradient-descent-iterate", blind=at_the_start)
def no_half_in_the_loss(case):
    """Forget the half in the loss, so that the gradient is twice as long: 1 - 2 eta lambda."""
    return case.with_factors((1 - 2 * case.step * case.eigenvalues) ** case.t)


@slip("gradient-descent-iterate", blind=at_the_start)
def eigenvectors_not_of_length_1(case):
    """Project on eigenvectors of lengths 1, 2 and 3, as if they were of length 1."""
    Q = case.Q * np.array([1, 2, 3])
    return case.w0 + Q @ (((1 - case.step * case.eigenvalues) ** case.t - 1) * (Q.T @ (case.w0 - case.w_star)))


def next_components(case):
    return case.Q.T @ (gradient_descent.iterate(case.H, case.w_star, case.w0, case.step, case.t + 1) - case.w_star)


@steps("gradient-descent-iterate-steps", cases=descent, ends_in=next_components)
def iterate_steps(case):
    """One step, seen from w* and along q_i; every row of Q^T is a q_i."""
    w, Q = case.run(), case.Q
    after = w - case.step * (case.H @ (w - case.w_star))
    # q_i^\top (w_{t+1} - w^\star)
    yield Q.T @ (after - case.w_star)
    # = q_i^\top \bigl( w_t - w^\star - \eta\,H\,(w_t - w^\star) \bigr)
    yield Q.T @ (w - case.w_star - case.step * (case.H @ (w - case.w_star)))
    # = q_i^\top (w_t - w^\star) - \eta \lambda_i\, q_i^\top (w_t - w^\star)
    yield Q.T @ (w - case.w_star) - case.step * case.eigenvalues * (Q.T @ (w - case.w_star))
    # = (1 - \eta \lambda_i)\; q_i^\top (w_t - w^\star)
    yield (1 - case.step * case.eigenvalues) * (Q.T @ (w - case.w_star))


def exact_descents():
    """Two and three parameters, with rational eigenvectors; then [[2, 1], [1, 2]], where they have roots."""
    import sympy

    tenth, F = Fraction(1, 10), Fraction
    two = np.array([[F(3, 5), F(-4, 5)], [F(4, 5), F(3, 5)]])
    three = np.array([[F(2), F(-2), F(1)], [F(1), F(2), F(2)], [F(2), F(1), F(-2)]]) / 3
    yield Descent(two, np.array([F(1), F(7)]), np.array([F(2), F(1)]), np.array([F(5), F(-3)]), 2 * tenth, 4)
    eigenvalues = np.array([F(1, 2), F(3), F(9)])
    yield Descent(three, eigenvalues, np.array([F(1), F(4), F(2)]), np.array([F(3), F(-1), F(9)]), 2 * tenth, 5)
    root = 1 / sympy.sqrt(2)
    R = sympy.Rational
    yield Descent(
        np.array([[root, root], [-root, root]]),
        np.array([1, 3]),
        np.array([R(2), R(1)]),
        np.array([R(5), R(-3)]),
        R(2, 7),
        4,
    )


def components(case):
    # $$ q_i^\top w_t = q_i^\top w^\star + (1 - \eta \lambda_i)^t\,\bigl( q_i^\top w_0 - q_i^\top w^\star \bigr) $$
    at_star, at_start = case.Q.T @ case.w_star, case.Q.T @ case.w0
    return at_star + (1 - case.step * case.eigenvalues) ** case.t * (at_start - at_star)


@claim("gradient-descent-components", cases=exact_descents)
def components_exactly(case, components=components):
    """Gradient descent run in fractions or roots, then projected on the eigenvectors."""
    same(components(case), case.Q.T @ case.run())


@slip("gradient-descent-components", blind=minimiser_at_0)
def shrunk_towards_0(case):
    """Shrink the components of the start towards 0."""
    return (1 - case.step * case.eigenvalues) ** case.t * (case.Q.T @ case.w0)


@slip("gradient-descent-components", blind=minimiser_at_0)
def minimiser_not_subtracted(case):
    """Add the minimiser, but do not subtract it from the start."""
    return case.Q.T @ case.w_star + (1 - case.step * case.eigenvalues) ** case.t * (case.Q.T @ case.w0)


@dataclass(frozen=True)
class Flat(Descent):
    """A descent in fractions whose first eigenvalue is 0."""

    def nearest(self):
        """The minimiser nearest to w0, among all w* + s q_1: the difference to w0 is orthogonal to q_1."""
        q = self.Q[:, 0]
        return self.w_star + q * (q @ (self.w0 - self.w_star)) / (q @ q)


def flat():
    """Two and three parameters, the first eigenvalue 0, the step below 2 / lambda_max."""
    for case in list(exact_descents())[:2]:
        eigenvalues = case.eigenvalues * (np.arange(len(case.eigenvalues)) > 0)
        yield Flat(case.Q, eigenvalues, case.w_star, case.w0, case.step, case.t)


def start_level(case):
    """w0 - w* without a component along q_1."""
    return replace(case, w0=case.w0 - case.Q[:, 0] * (case.Q[:, 0] @ (case.w0 - case.w_star)))


def limit_point(case):
    # $$ q_i^\top w_t = q_i^\top w_0 \quad \text{if } \lambda_i = 0, \qquad
    #    w_t \to w^\star + \sum_{\lambda_i = 0} q_i\, q_i^\top (w_0 - w^\star) $$
    still = case.Q[:, case.eigenvalues == 0]
    return case.w_star + still @ (still.T @ (case.w0 - case.w_star))


@claim("gradient-descent-zero-eigenvalue", cases=flat)
def frozen_in_fractions(case, limit_point=limit_point):
    """In fractions: the component never moves, the limit is the minimiser nearest to the start, and w_t tends to it."""
    frozen = [case.Q[:, 0] @ replace(case, t=t).run() for t in range(6)]
    same(frozen, [case.Q[:, 0] @ case.w0] * 6)
    same(limit_point(case), case.nearest())
    same(case.H @ (limit_point(case) - case.w_star), 0 * case.w0)
    left = {t: max(abs(replace(case, t=t).run() - limit_point(case))) for t in (20, 30)}
    every(left, lambda t: left[t] < 10 * Fraction(9, 10) ** t)


@claim("gradient-descent-zero-eigenvalue", cases=flat)
def frozen_in_the_formula(case, limit_point=limit_point):
    """The closed form after a thousand steps."""
    H, w_star, w0 = (a.astype(float) for a in (case.H, case.w_star, case.w0))
    reached = gradient_descent.iterate(H, w_star, w0, float(case.step), 1000)
    agree(reached, limit_point(case).astype(float), tolerance=1e-9)


@slip("gradient-descent-zero-eigenvalue", blind=start_level)
def to_the_minimiser_in_the_formula(case):
    """Let every start end in the one w* that the formula names."""
    return case.w_star


@slip("gradient-descent-zero-eigenvalue")
def stays_where_it_is(case):
    """Freeze all components, and not only those with eigenvalue 0."""
    return case.w0


def saddle():
    # $$ L(w) = w_1 w_2: \qquad H = \begin{pmatrix} 0 & 1 \\ 1 & 0 \end{pmatrix},
    #    \qquad \lambda_1 = -1, \quad \lambda_2 = 1 $$
    import sympy

    return sorted(sympy.Matrix([[0, 1], [1, 0]]).eigenvals())


@claim("gradient-descent-indefinite")
def saddle_in_symbols(saddle=saddle):
    """SymPy: the Hessian of w_1 w_2 and its eigenvalues; along (s, -s) the loss is -s^2, so there is no minimiser."""
    import sympy

    w1, w2, s = sympy.symbols("w1 w2 s", real=True)
    H = sympy.hessian(w1 * w2, [w1, w2])
    roots = sympy.roots(H.charpoly().as_expr())
    same(saddle(), sorted(roots))
    same((w1 * w2).subs({w1: s, w2: -s}), -(s**2))


@claim("gradient-descent-indefinite")
def negative_eigenvalue_diverges():
    """Z3: an eigenvalue below 0 has a factor above 1, whatever the positive step. The iterates run away from w*."""
    import z3

    x, step = z3.Reals("lambda eta")
    proved(z3.Implies(z3.And(x < 0, step > 0), 1 - step * x > 1))
    away = gradient_descent.iterate([[0, 1], [1, 0]], [0, 0], [1, -0.5], 0.1, 40)
    agree(away @ [1, -1], 1.1**40 * 1.5, tolerance=1e-12)


@slip("gradient-descent-indefinite")
def every_quadratic_is_semidefinite():
    """Trust that every quadratic form has eigenvalues that are not negative."""
    return [0, 1]


@slip("gradient-descent-indefinite")
def diagonal_read_off():
    """Read the eigenvalues off the diagonal."""
    return [0, 0]


# --- the best step ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stepped(Spectrum):
    """A spectrum and two steps."""

    steps: Any = None

    def at(self, short, long):
        """The steps as shares of the best one."""
        best = 2 / (self.smallest + self.largest)
        return replace(self, steps=(best * short, best * long))


def stepped(rng):
    """Two steps: one short of the best, one beyond it."""
    case = spectrum(rng)
    return Stepped(case.eigenvalues, case.v).at(rng.uniform(0.7, 0.9), rng.uniform(1.1, 1.3))


def stepped_fractions():
    """A short and a long step, in fractions; one spectrum has a 0."""
    F = Fraction
    for eigenvalues in ([F(1), F(3), F(20)], [F(0), F(2), F(5)], [F(3), F(4)]):
        yield Stepped(eigenvalues).at(F(1, 3), F(5, 4))


def short_steps(case):
    """Both steps short of the best."""
    return case.at(Fraction(1, 2), Fraction(3, 4))


def long_steps(case):
    """Both steps beyond the best."""
    return case.at(Fraction(9, 8), Fraction(5, 4))


def factor(case):
    # $$ \lVert w_t - w^\star \rVert \le \rho^t\,\lVert w_0 - w^\star \rVert, \qquad
    #    \rho = \max_i \lvert 1 - \eta \lambda_i \rvert
    #    = \max \bigl( \lvert 1 - \eta \lambda_{\min} \rvert,\ \lvert 1 - \eta \lambda_{\max} \rvert \bigr) $$
    return np.array([gradient_descent.rate(case.eigenvalues, step) for step in case.steps])


@claim("gradient-descent-rate", cases=stepped)
def spectral_norm(case, factor=factor):
    """The spectral norm of I - eta H; the distance after 9 steps is within the bound, and attains it from one start."""
    eigenvalues = np.array(case.eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    H = (Q * eigenvalues) @ Q.T
    agree(factor(case), np.array([np.linalg.norm(np.eye(3) - step * H, 2) for step in case.steps]))
    for step, rho in zip(case.steps, factor(case), strict=True):
        w = gradient_descent.iterate(H, np.zeros(3), Q @ case.v, step, 9)
        at_most(np.linalg.norm(w), rho**9 * np.linalg.norm(case.v))
        ends = [np.linalg.norm(gradient_descent.iterate(np.diag(eigenvalues), [0] * 3, e, step, 9)) for e in np.eye(3)]
        agree(rho**9, max(ends), tolerance=1e-11)


@claim("gradient-descent-rate", cases=stepped_fractions)
def every_factor(case, factor=factor):
    """In fractions: the largest of all factors, those of eigenvalue 0 left out."""
    same(factor(case), [max(abs(1 - step * x) for x in case.eigenvalues if x) for step in case.steps])


@claim("gradient-descent-rate")
def ends_decide():
    """Z3: for an eigenvalue x between a and b, |1 - eta x| is at most the larger of its values at a and b."""
    import z3

    a, x, b, step = z3.Reals("a x b eta")

    def size(y):
        return z3.If(1 - step * y >= 0, 1 - step * y, step * y - 1)

    proved(z3.Implies(z3.And(a <= x, x <= b), z3.Or(size(x) <= size(a), size(x) <= size(b))))


@slip("gradient-descent-rate", blind=short_steps)
def smallest_eigenvalue_only(case):
    """Look at lambda_min only, the slowest one: right up to the best step."""
    return np.array([abs(1 - step * case.smallest) for step in case.steps])


@slip("gradient-descent-rate", blind=long_steps)
def largest_eigenvalue_only(case):
    """Look at lambda_max only: right from the best step on."""
    return np.array([abs(1 - step * case.largest) for step in case.steps])


@slip("gradient-descent-rate", blind=short_steps)
def sign_for_size(case):
    """Take the largest factor with its sign, so that -1.2 counts less than 0.5."""
    return np.array([max(1 - step * x for x in case.eigenvalues if x) for step in case.steps])


@slip("gradient-descent-rate")
def gradient_twice_as_long(case):
    """Forget the half in the loss: 1 - 2 eta lambda."""
    return np.array([max(abs(1 - 2 * step * x) for x in case.eigenvalues if x) for step in case.steps])


def exact_spectra():
    """Three eigenvalues of uneven spacing; two with a 0; fractions."""
    F = Fraction
    for eigenvalues in ([F(1), F(3), F(20)], [F(1, 2), F(1), F(6)], [F(0), F(2), F(3), F(7)]):
        yield Spectrum(eigenvalues)


def one_exact_eigenvalue(case):
    """One eigenvalue only."""
    return Spectrum([case.largest])


def two_exact_eigenvalues(case):
    """The two extreme eigenvalues only."""
    return Spectrum([case.smallest, case.largest])


def best_step(case):
    # $$ \eta^\star = \frac{2}{\lambda_{\min} + \lambda_{\max}} $$
    return gradient_descent.optimal_step(case.eigenvalues)


@claim("gradient-descent-optimal-step", cases=exact_spectra)
def no_other_step_is_as_good(case, best_step=best_step):
    """Z3, for each spectrum: every other step gives some positive eigenvalue a larger factor than any has here."""
    import z3

    best, step = best_step(case), z3.Real("eta")
    worst = max(abs(1 - best * x) for x in case.eigenvalues if x)
    at_best = z3.Q(best.numerator, best.denominator)
    bound = z3.Q(worst.numerator, worst.denominator)
    factors = [1 - step * z3.Q(x.numerator, x.denominator) for x in case.eigenvalues if x]
    proved(z3.Implies(step != at_best, z3.Or([z3.Or(f > bound, -f > bound) for f in factors])))


@claim("gradient-descent-optimal-step")
def for_all_spectra():
    """Z3, for all 0 < a <= b: 2/(a + b) has the factor (b - a)/(b + a) at both ends, and no other step is as good."""
    import z3

    a, b, step, best, bound = z3.Reals("a b eta best bound")
    given = z3.And(a > 0, a <= b, best * (a + b) == 2, bound * (a + b) == b - a)
    proved(z3.Implies(given, z3.And(1 - best * a == bound, 1 - best * b == -bound)))
    proved(z3.Implies(z3.And(given, step < best), 1 - step * a > bound))
    proved(z3.Implies(z3.And(given, step > best), step * b - 1 > bound))


@slip("gradient-descent-optimal-step", blind=one_exact_eigenvalue)
def inverse_of_the_smallest(case):
    """Take 1 / lambda_min."""
    return 1 / case.smallest


@slip("gradient-descent-optimal-step")
def the_limit_itself(case):
    """Take 2 / lambda_max: it is the limit, where nothing converges any more."""
    return 2 / case.largest


@slip("gradient-descent-optimal-step", blind=two_exact_eigenvalues)
def inverse_of_the_mean(case):
    """Take one over the mean of the eigenvalues: right for two of them, or when their mean is the middle."""
    return len(case.eigenvalues) / sum(case.eigenvalues)


@slip("gradient-descent-optimal-step")
def difference_for_the_sum(case):
    """Take 2 / (lambda_max - lambda_min)."""
    return 2 / (case.largest - case.smallest) if case.largest > case.smallest else Fraction(0)


@slip("gradient-descent-optimal-step", blind=one_exact_eigenvalue)
def inverse_of_the_largest(case):
    """Take 1 / lambda_max, the answer to the other question: which step is safe for the loss."""
    return 1 / case.largest


def mild_spectra():
    """Kappa from 3 to 14, in fractions: one eigenvalue between the ends, or a 0 below."""
    F = Fraction
    for eigenvalues in ([F(1), F(2), F(14)], [F(2), F(3), F(6)], [F(0), F(1, 2), F(4)]):
        yield Spectrum(eigenvalues)


def best_rate(case):
    # $$ \rho\Bigl( \frac{2}{\lambda_{\min} + \lambda_{\max}} \Bigr) = \frac{\kappa - 1}{\kappa + 1}, \qquad
    #    \rho\Bigl( \frac{1}{\lambda_{\max}} \Bigr) = 1 - \frac1\kappa $$
    return np.array([(case.kappa - 1) / (case.kappa + 1), 1 - 1 / case.kappa])


@claim("gradient-descent-optimal-rate", cases=mild_spectra)
def rates_of_both_steps(case, best_rate=best_rate):
    """The largest factor with either step, in fractions."""
    both = gradient_descent.optimal_step(case.eigenvalues), 1 / case.largest
    same(best_rate(case), [gradient_descent.rate(case.eigenvalues, step) for step in both])


@claim("gradient-descent-optimal-rate")
def fitted():
    """Spectrum 1, 3, 20: the slope of log distance, from step 200 to step 400, gives 19/21 and 19/20."""
    H, t = np.diag([1.0, 3.0, 20.0]), np.arange(200, 401, 50)
    for step, expected in ((gradient_descent.optimal_step([1, 3, 20]), 19 / 21), (1 / 20, 19 / 20)):
        distances = [np.linalg.norm(gradient_descent.iterate(H, [0, 0, 0], [1, 1, 1], step, int(k))) for k in t]
        agree(np.exp(np.polyfit(t, np.log(distances), 1)[0]), expected, tolerance=1e-9)


@claim("gradient-descent-optimal-rate")
def wrong_steps_are_slower():
    """Spectrum 1, 3, 20: the factor with each of four wrong steps is larger than 19/21."""
    best = gradient_descent.rate([1, 3, 20], gradient_descent.optimal_step([1, 3, 20]))
    for step in (1 / 1, 2 / 20, 3 / 24, 2 / 19):
        at_most(best + 0.01, gradient_descent.rate([1, 3, 20], step))
    agree(best, 19 / 21)


@slip("gradient-descent-optimal-rate")
def rates_exchanged(case):
    """Give each step the rate of the other."""
    return np.array([1 - 1 / case.kappa, (case.kappa - 1) / (case.kappa + 1)])


@slip("gradient-descent-optimal-rate")
def first_order_in_kappa(case):
    """State 1 - 2/kappa as exact: it is off by 2 / (kappa (kappa - 1)) relative to the rate."""
    return np.array([1 - 2 / case.kappa, 1 - 1 / case.kappa])


def best_rate_alone(case):
    best = gradient_descent.optimal_step(case.eigenvalues)
    return gradient_descent.rate(case.eigenvalues, best)


@steps("gradient-descent-optimal-rate-steps", cases=mild_spectra, ends_in=best_rate_alone)
def rate_steps(case):
    """Put the step in; divide by the smallest eigenvalue."""
    low, high = case.smallest, case.largest
    # \rho
    yield 1 - gradient_descent.optimal_step(case.eigenvalues) * low
    # = 1 - \frac{2 \lambda_{\min}}{\lambda_{\min} + \lambda_{\max}}
    yield 1 - 2 * low / (low + high)
    # = \frac{\lambda_{\max} - \lambda_{\min}}{\lambda_{\max} + \lambda_{\min}}
    yield (high - low) / (high + low)
    # = \frac{\kappa - 1}{\kappa + 1}
    yield (case.kappa - 1) / (case.kappa + 1)


def bound_after_step(case):
    v, g = case.v, np.array(case.eigenvalues) * case.v
    return v @ g / 2 - case.steps[0] * (1 - case.steps[0] * case.largest / 2) * (g @ g)


@steps("gradient-descent-loss-bound-steps", cases=stepped, ends_in=bound_after_step)
def loss_bound_steps(case):
    """The exact quadratic; then H is replaced by its largest eigenvalue."""
    eigenvalues, g, step = np.array(case.eigenvalues), np.array(case.eigenvalues) * case.v, case.steps[0]
    H, w_star, w = np.diag(eigenvalues), np.full(3, 2.0), 2 + case.v
    value = gradient_descent.loss(H, w_star, w)
    # L(w - \eta \nabla L)
    yield gradient_descent.loss(H, w_star, w - step * g)
    # = L(w) - \eta\,\lVert \nabla L \rVert^2 + \frac{\eta^2}{2}\,\nabla L^\top H\,\nabla L
    yield value - step * (g @ g) + step**2 / 2 * (g @ H @ g)
    # \le L(w) - \eta \Bigl( 1 - \frac{\eta \lambda_{\max}}{2} \Bigr) \lVert \nabla L \rVert^2
    yield value - step * (1 - step * case.largest / 2) * (g @ g)


def safest_step(case):
    # $$ \eta \Bigl( 1 - \frac{\eta \lambda_{\max}}{2} \Bigr) \text{ is largest at } \eta = \frac{1}{\lambda_{\max}} $$
    return 1 / case.largest


@claim("gradient-descent-safest-step", cases=exact_spectra)
def largest_decrease(case, safest_step=safest_step):
    """Z3: every other step is promised less."""
    import z3

    best, step, largest = safest_step(case), z3.Real("eta"), case.largest
    promised = best * (1 - best * largest / 2)
    number = z3.Q(largest.numerator, largest.denominator)
    other = step != z3.Q(best.numerator, best.denominator)
    proved(z3.Implies(other, step * (1 - step * number / 2) < z3.Q(promised.numerator, promised.denominator)))


@claim("gradient-descent-safest-step", cases=exact_spectra)
def whoever_knows_the_spectrum(case):
    """Knowing all eigenvalues, the best rate is the better promise on the loss too: the worst factor, in fractions."""
    if case.kappa > 1:
        both = 2 / (case.smallest + case.largest), 1 / case.largest
        left = [max((1 - step * x) ** 2 for x in case.eigenvalues if x) for step in both]
        every((left,), lambda left: left[0] < left[1])


@slip("gradient-descent-safest-step")
def decrease_at_the_limit(case):
    """Take 2 / lambda_max: there the promise is 0."""
    return 2 / case.largest


@slip("gradient-descent-safest-step", blind=one_exact_eigenvalue)
def best_rate_for_best_decrease(case):
    """Take the step of the best rate: the same if there is one eigenvalue."""
    return 2 / (case.smallest + case.largest)


def one_value():
    """One eigenvalue, once or twice, in fractions."""
    F = Fraction
    for eigenvalue, P in ((F(3), 1), (F(5, 2), 2), (F(1, 7), 3)):
        w0, w_star = np.array([F(4), F(-3), F(9)][:P]), np.array([F(1), F(2), F(5)][:P])
        yield SimpleNamespace(eigenvalue=eigenvalue, w0=w0, w_star=w_star)


def lands(case):
    # $$ H = \lambda\,I, \quad \eta = \frac1\lambda: \qquad w_1 = w^\star $$
    return case.w0 - gradient_descent.optimal_step([case.eigenvalue] * len(case.w0)) * (
        gradient_descent.gradient(np.diag([case.eigenvalue] * len(case.w0)), case.w_star, case.w0)
    )


@claim("gradient-descent-one-step", cases=one_value)
def lands_in_fractions(case, lands=lands):
    """In fractions: one step is enough. The rate is 0."""
    same(lands(case), case.w_star)
    same(gradient_descent.rate([case.eigenvalue], 1 / case.eigenvalue), Fraction(0))


@slip("gradient-descent-one-step")
def half_the_way(case):
    """Use 1 / (2 lambda), the step of a loss without its half."""
    return (case.w0 + case.w_star) / 2


@slip("gradient-descent-one-step")
def limit_for_optimum(case):
    """Use 2 / lambda: the first step lands opposite."""
    return 2 * case.w_star - case.w0


# --- the largest step -------------------------------------------------------------------------------------------------


def limit(case):
    # $$ 0 < \eta < \frac{2}{\lambda_{\max}} $$
    return gradient_descent.step_limit(case.eigenvalues)


@claim("gradient-descent-maximal-step", cases=exact_spectra)
def all_factors_below_1(case, limit=limit):
    """Z3, for each spectrum: all factors are below 1 in size iff the step is strictly between 0 and the limit."""
    import z3

    step, bound = z3.Real("eta"), limit(case)
    factors = [1 - step * z3.Q(x.numerator, x.denominator) for x in case.eigenvalues if x]
    shrink = z3.And([z3.And(f > -1, f < 1) for f in factors])
    proved(shrink == z3.And(step > 0, step < z3.Q(bound.numerator, bound.denominator)))


@claim("gradient-descent-maximal-step")
def for_all_eigenvalues():
    """Z3: with x any eigenvalue, 0 < x <= b, and b among them, all factors are below 1 iff 0 < eta < 2/b."""
    import z3

    x, b, step = z3.Reals("x b eta")
    within = z3.And(step > 0, step * b < 2)
    proved(z3.Implies(z3.And(x > 0, x <= b, within), z3.And(1 - step * x > -1, 1 - step * x < 1)))
    proved(z3.Implies(z3.And(b > 0, 1 - step * b > -1, 1 - step * b < 1), within))


@claim("gradient-descent-maximal-step", cases=exact_spectra)
def just_below_and_above(case, limit=limit):
    """Run: 1 % below the limit the iterates end in a minimiser; 1 % above, they leave it, from a start along q_max."""
    H = np.diag(np.array(case.eigenvalues, dtype=float))
    start, bound = np.ones(len(H)), float(limit(case))
    frozen = np.array([float(x == 0) for x in case.eigenvalues])
    agree(gradient_descent.iterate(H, 0 * start, start, 0.99 * bound, 5000), frozen, tolerance=1e-9, scale=1)
    at_most(1e9, np.linalg.norm(gradient_descent.iterate(H, 0 * start, start, 1.01 * bound, 5000)), scale=1e9)


@slip("gradient-descent-maximal-step")
def inverse_for_the_limit(case):
    """Take 1 / lambda_max."""
    return 1 / case.largest


@slip("gradient-descent-maximal-step", blind=one_exact_eigenvalue)
def smallest_for_the_largest(case):
    """Take 2 / lambda_min: right with one eigenvalue."""
    return 2 / case.smallest


@slip("gradient-descent-maximal-step", blind=one_exact_eigenvalue)
def over_the_trace(case):
    """Take 2 / trace: enough, but not the bound, unless one eigenvalue is the trace."""
    return 2 / sum(case.eigenvalues)


def swings(case):
    # $$ \eta = \frac{2}{\lambda_{\max}}: \qquad
    #    q_{\max}^\top (w_t - w^\star) = (-1)^t\, q_{\max}^\top (w_0 - w^\star) $$
    return np.array([(-1) ** t * case.v for t in range(8)])


def end_components():
    """The component along q_max, in fractions."""
    for largest, v in ((Fraction(20), Fraction(3)), (Fraction(1, 3), Fraction(-7, 2))):
        yield SimpleNamespace(largest=largest, v=v)


@claim("gradient-descent-at-the-limit", cases=end_components)
def swings_in_fractions(case, swings=swings):
    """Run exactly at the limit, in fractions. A second, smaller eigenvalue still shrinks."""
    step = gradient_descent.step_limit([case.largest / 3, case.largest])
    w, path, other = case.v, [], Fraction(1)
    for _ in range(8):
        path.append(w)
        w, other = w - step * case.largest * w, other - step * case.largest / 3 * other
    same(swings(case), path)
    same(other, Fraction(1, 3) ** 8)


@slip("gradient-descent-at-the-limit")
def converges_at_the_limit(case):
    """Allow equality: let the component tend to 0, by half at each step."""
    return np.array([case.v / 2**t for t in range(8)])


@slip("gradient-descent-at-the-limit")
def diverges_at_the_limit(case):
    """Let the component grow at the limit, as it does above it."""
    return np.array([(-2) ** t * case.v for t in range(8)])


# --- the speed --------------------------------------------------------------------------------------------------------


def speeds(case):
    # $$ \lVert w_{t+1} - w^\star \rVert \le \frac{\kappa - 1}{\kappa + 1}\,\lVert w_t - w^\star \rVert, \qquad
    #    L(w_{t+1}) - L(w^\star) \le \Bigl( \frac{\kappa - 1}{\kappa + 1} \Bigr)^2 \bigl( L(w_t) - L(w^\star) \bigr) $$
    rho = (case.kappa - 1) / (case.kappa + 1)
    return np.array([rho, rho**2])


def ratios(case, start, t):
    """Distance and loss: the factor on each from step t to step t + 1."""
    H, P = np.diag(np.array(case.eigenvalues, dtype=float)), len(case.eigenvalues)
    best = float(gradient_descent.optimal_step(case.eigenvalues))
    near, far = (gradient_descent.iterate(H, np.zeros(P), start, best, k) for k in (t + 1, t))
    losses = (gradient_descent.loss(H, np.zeros(P), w) for w in (near, far))
    return np.array([np.linalg.norm(near) / np.linalg.norm(far), np.divide(*losses)])


@claim("gradient-descent-speed", cases=spectrum)
def speed_of_a_run(case, speeds=speeds):
    """The factors from one step to the next: within the bounds at every step, and equal to them from step 300 on."""
    for t in range(4):
        at_most(ratios(case, case.v, t), speeds(case))
    agree(ratios(case, case.v, 300), speeds(case), tolerance=1e-9)


@claim("gradient-descent-speed", cases=spectrum)
def only_the_ratio_counts(case, speeds=speeds):
    """The loss multiplied by 1000, and a fourth parameter with an eigenvalue between: the same factors."""
    stretched = replace(case, eigenvalues=1000 * case.eigenvalues)
    agree(ratios(stretched, case.v, 300), speeds(case), tolerance=1e-9)
    wider = replace(case, eigenvalues=np.append(case.eigenvalues, 1.7 * case.smallest))
    agree(ratios(wider, np.append(case.v, 1.0), 300), speeds(case), tolerance=1e-9)


@slip("gradient-descent-speed")
def largest_eigenvalue_alone(case):
    """Let the speed depend on lambda_max alone, as if lambda_min were 1."""
    rho = abs(case.largest - 1) / (case.largest + 1)
    return np.array([rho, rho**2])


@slip("gradient-descent-speed")
def root_of_kappa(case):
    """Put the root of kappa: that is the rate with the best momentum."""
    rho = (math.sqrt(case.kappa) - 1) / (math.sqrt(case.kappa) + 1)
    return np.array([rho, rho**2])


@slip("gradient-descent-speed")
def number_of_parameters(case):
    """Let the speed depend on the number P of parameters."""
    rho = (len(case.eigenvalues) - 1) / (len(case.eigenvalues) + 1)
    return np.array([rho, rho**2])


@slip("gradient-descent-speed")
def one_minus_two_over_kappa(case):
    """State 1 - 2/kappa as exact."""
    rho = 1 - 2 / case.kappa
    return np.array([rho, rho**2])


@slip("gradient-descent-speed")
def loss_as_slow_as_the_distance(case):
    """Let the loss shrink by the factor of the distance."""
    rho = (case.kappa - 1) / (case.kappa + 1)
    return np.array([rho, rho])


def long_runs():
    """Kappa from 6 to 3000, and distances divided by 1e60 or 1e120, so that rounding up does not count."""
    for kappa in (6, 30, 300, 3000):
        for ratio in (1e60, 1e120):
            yield SimpleNamespace(kappa=kappa, ratio=ratio)


def iterations(case):
    # $$ t \approx \frac{\kappa}{2}\,\log \frac{\lVert w_0 - w^\star \rVert}{\lVert w_t - w^\star \rVert} $$
    return case.kappa / 2 * math.log(case.ratio)


@claim("gradient-descent-iterations", cases=long_runs)
def iterations_counted(case, iterations=iterations):
    """The first t at which the run is near enough, found by bisection: within 1 % of the formula."""
    H, start = np.diag([1.0, case.kappa]), np.array([1.0, 1.0])
    best = gradient_descent.optimal_step([1, case.kappa])
    low, high = 0, 200 * case.kappa
    while high - low > 1:
        middle = (low + high) // 2
        near = np.linalg.norm(gradient_descent.iterate(H, [0, 0], start, best, middle)) <= math.sqrt(2) / case.ratio
        low, high = (low, middle) if near else (middle, high)
    agree(iterations(case), float(high), tolerance=0.01)


@claim("gradient-descent-iterations")
def sooner_between_the_ends():
    """kappa = 30: along an eigenvalue between the ends, 3 steps do for a thousand, where the formula says 104."""
    near = gradient_descent.iterate(np.diag([1.0, 14.0, 30.0]), np.zeros(3), [0, 1, 0], 2 / 31, 3)
    at_most(np.linalg.norm(near), 1e-3, scale=1)
    at_most(103, 30 / 2 * math.log(1e3))


@claim("gradient-descent-iterations", cases=long_runs)
def linear_in_kappa(case, iterations=iterations):
    """The logarithm of the rate, one over: log(ratio) / log((kappa + 1) / (kappa - 1)), to 1 %. It is never more."""
    exact = math.log(case.ratio) / math.log1p(2 / (case.kappa - 1))
    agree(iterations(case), exact, tolerance=0.01)
    at_most(exact, iterations(case))


@slip("gradient-descent-iterations")
def without_the_half(case):
    """Forget the half: that is the count for the step 1 / lambda_max."""
    return case.kappa * math.log(case.ratio)


@slip("gradient-descent-iterations")
def iterations_with_momentum(case):
    """Put the root of kappa."""
    return math.sqrt(case.kappa) / 2 * math.log(case.ratio)


@slip("gradient-descent-iterations")
def common_logarithm(case):
    """Use the logarithm to base 10."""
    return case.kappa / 2 * math.log10(case.ratio)


# --- the rule of AlexNet ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """Parameters, the last displacement, the gradient of the loss, and the three numbers of the rule."""

    w: np.ndarray
    velocity: np.ndarray
    gradient: np.ndarray
    step: Any
    m: Any
    zeta: Any

    def take(self, w, velocity, gradient):
        return gradient_descent.sgd_momentum(w, velocity, gradient, step=self.step, momentum=self.m, penalty=self.zeta)


def rule(rng):
    """Three parameters; every term of the rule counts."""
    w, velocity, gradient = rng.uniform(1, 2, (3, 3)) * [[2, -2, 2], [1, 1, -1], [1, -1, -2]]
    return Rule(w, velocity, gradient, rng.uniform(0.2, 0.3), rng.uniform(0.6, 0.8), rng.uniform(0.4, 0.5))


def rule_in_symbols():
    """One parameter, every number a symbol."""
    import sympy

    w, velocity, gradient = (np.array([sympy.Symbol(name, real=True)]) for name in ("w", "v", "g"))
    yield Rule(w, velocity, gradient, *sympy.symbols("eta m zeta", positive=True))


def without_momentum(case):
    """m = 0."""
    return replace(case, m=0 * case.m)


def without_decay(case):
    """zeta = 0."""
    return replace(case, zeta=0 * case.zeta)


def unit_step(case):
    """eta = 1."""
    return replace(case, step=1 + 0 * case.step)


def after_one_step(case):
    # $$ \Delta w_{t+1} = m\,\Delta w_t - \eta \zeta\, w_t - \eta\,\nabla L(w_t),
    #    \qquad w_{t+1} = w_t + \Delta w_{t+1} $$
    w, velocity = gradient_descent.sgd_momentum(
        case.w, case.velocity, case.gradient, step=case.step, momentum=case.m, penalty=case.zeta
    )
    return np.array([w, velocity])


def displaced(case, velocity):
    """A step of this displacement, as the rule's answer."""
    return np.array([case.w + velocity, velocity])


@claim("gradient-descent-alexnet-rule", cases=rule)
def rule_entry_by_entry(case, after_one_step=after_one_step):
    """The rule, one parameter at a time, in plain Python numbers."""
    expected = np.empty((2, 3))
    for i in range(3):
        w, velocity, gradient = float(case.w[i]), float(case.velocity[i]), float(case.gradient[i])
        expected[1, i] = case.m * velocity - case.zeta * case.step * w - case.step * gradient
        expected[0, i] = w + expected[1, i]
    agree(after_one_step(case), expected)


@claim("gradient-descent-alexnet-rule", cases=rule_in_symbols)
def rule_in_three_terms(case, after_one_step=after_one_step):
    """In symbols: the displacement is linear in the old one, in w and in the gradient, with these three factors."""
    import sympy

    (w,), (velocity,) = after_one_step(case)
    letters = [case.velocity[0], case.w[0], case.gradient[0]]
    factors = [case.m, -case.step * case.zeta, -case.step]
    same([sympy.expand(velocity).diff(letter) for letter in letters], factors)
    same(velocity.subs(dict.fromkeys(letters, 0)), 0)
    same(w - case.w[0], velocity)


@claim("gradient-descent-alexnet-rule")
def numbers_of_alexnet():
    """The defaults are those of the rule: 0.9 and 0.0005."""
    one = np.ones(1)
    _, velocity = gradient_descent.sgd_momentum(one, one, 0 * one, step=2.0)
    agree(velocity, np.array([0.9 - 0.0005 * 2]))


@slip("gradient-descent-alexnet-rule")
def penalty_for_the_step(case):
    """Call 0.0005 the learning rate: let it multiply the gradient, and epsilon the parameters."""
    return displaced(case, case.m * case.velocity - case.step * case.w - case.zeta * case.gradient)


@slip("gradient-descent-alexnet-rule")
def penalty_for_the_momentum(case):
    """Call 0.0005 the momentum: let it multiply the last displacement, and 0.9 the parameters."""
    return displaced(case, case.zeta * case.velocity - case.step * case.m * case.w - case.step * case.gradient)


@slip("gradient-descent-alexnet-rule", blind=unit_step)
def decay_without_the_step(case):
    """Let w decay by 0.0005 a step, without the factor epsilon."""
    return displaced(case, case.m * case.velocity - case.zeta * case.w - case.step * case.gradient)


@dataclass(frozen=True)
class Training:
    """A loss sum log cosh(A w - b), whose gradient is A^T tanh(A w - b), and the numbers of the rule."""

    A: np.ndarray
    b: np.ndarray
    w0: np.ndarray
    step: float
    m: float = 0.9
    zeta: float = 5e-4

    def slope(self, w):
        return self.A.T @ np.tanh(self.A @ w - self.b)

    def torch_run(self, optimiser, count, schedule=None, **options):
        """The parameters after each of `count` steps of an optimiser of PyTorch, (count, P)."""
        torch = need("torch")
        w = torch.tensor(self.w0, requires_grad=True)
        A, b = torch.tensor(self.A), torch.tensor(self.b)
        chosen = getattr(torch.optim, optimiser)([w], lr=self.step, **options)
        path = []
        for t in range(count):
            chosen.param_groups[0]["lr"] = schedule(t) if schedule else self.step
            chosen.zero_grad()
            torch.log(torch.cosh(A @ w - b)).sum().backward()
            chosen.step()
            path.append(w.detach().numpy().copy())
        return np.array(path)

    @functools.cached_property
    def sgd(self):
        return self.torch_run("SGD", 200, momentum=self.m, weight_decay=self.zeta)

    @functools.cached_property
    def adams(self):
        return [self.torch_run(name, 30, eps=0.0, weight_decay=self.zeta) for name in ("Adam", "AdamW")]


def training(rng):
    """Five terms, three parameters."""
    return Training(
        rng.normal(size=(5, 3)), rng.normal(size=5), rng.uniform(2, 3, 3) * [1, -1, 1], rng.uniform(0.02, 0.05)
    )


def run_of_the_rule(case):
    # $$ w_{t+1} \text{ of the rule} = w_{t+1} \text{ of } \texttt{torch.optim.SGD} $$
    w, velocity, path = case.w0, 0 * case.w0, []
    for _ in range(200):
        w, velocity = gradient_descent.sgd_momentum(
            w, velocity, case.slope(w), step=case.step, momentum=case.m, penalty=case.zeta
        )
        path.append(w)
    return np.array(path)


@claim("gradient-descent-torch-sgd", cases=training)
def two_hundred_steps(case, run_of_the_rule=run_of_the_rule):
    """PyTorch's SGD with momentum 0.9 and weight_decay 0.0005, 200 steps of a loss that is not quadratic."""
    agree(run_of_the_rule(case), case.sgd)


def run_otherwise(case, rule):
    """200 steps; rule(w, velocity, gradient) gives w and velocity."""
    w, velocity, path = case.w0, 0 * case.w0, []
    for _ in range(200):
        w, velocity = rule(w, velocity, case.slope(w))
        path.append(w)
    return np.array(path)


@slip("gradient-descent-torch-sgd")
def averaged_gradient(case):
    """Average: weight the new gradient by 1 - m."""

    def averaged(w, velocity, g):
        velocity = case.m * velocity - (1 - case.m) * case.step * (g + case.zeta * w)
        return w + velocity, velocity

    return run_otherwise(case, averaged)


@slip("gradient-descent-torch-sgd")
def looks_ahead(case):
    """Move by the next displacement too, as Nesterov does."""

    def ahead(w, velocity, g):
        change = case.step * (g + case.zeta * w)
        velocity = case.m * velocity - change
        return w + case.m * velocity - change, velocity

    return run_otherwise(case, ahead)


@dataclass(frozen=True)
class Scheduled(Training):
    """A training whose step changes once, after six steps."""

    later: float = 0.0


def scheduled(rng):
    """The step is divided by 10."""
    case = training(rng)
    return Scheduled(case.A, case.b, case.w0, case.step, later=case.step / 10)


def constant_step(case):
    """The step does not change."""
    return replace(case, later=case.step)


def before_the_change(case):
    path = replace(case, w0=case.w0)
    w, velocity = path.w0, 0 * path.w0
    for _ in range(6):
        w, velocity = gradient_descent.sgd_momentum(
            w, velocity, case.slope(w), step=case.step, momentum=case.m, penalty=case.zeta
        )
    return w, velocity


def first_smaller_step(case):
    # $$ \Delta w_{t+1} = \frac{\eta_t}{\eta_{t-1}}\,m\,\Delta w_t - \eta_t \bigl( \zeta\, w_t + \nabla L(w_t) \bigr) $$
    w, velocity = before_the_change(case)
    rescaled = case.later / case.step * velocity
    return gradient_descent.sgd_momentum(
        w, rescaled, case.slope(w), step=case.later, momentum=case.m, penalty=case.zeta
    )[1]


@claim("gradient-descent-torch-schedule", cases=scheduled)
def step_changed_in_torch(case, first_smaller_step=first_smaller_step):
    """PyTorch's SGD with six steps at one learning rate, and one at a tenth of it."""
    path = case.torch_run(
        "SGD", 7, lambda t: case.step if t < 6 else case.later, momentum=case.m, weight_decay=case.zeta
    )
    agree(first_smaller_step(case), path[6] - path[5], tolerance=1e-9)


@claim("gradient-descent-torch-schedule", cases=scheduled)
def gradients_kept_without_their_step(case, first_smaller_step=first_smaller_step):
    """Keep the sum of gradients without the step, and multiply it by the step of the day."""
    w, kept = case.w0, 0 * case.w0
    for t in range(7):
        start = w
        kept = case.m * kept + case.zeta * w + case.slope(w)
        w = w - (case.step if t < 6 else case.later) * kept
    agree(first_smaller_step(case), w - start, tolerance=1e-9)


@slip("gradient-descent-torch-schedule", blind=constant_step)
def old_displacement_kept(case):
    """Follow the rule of AlexNet: the old displacement keeps the old step."""
    w, velocity = before_the_change(case)
    return case.m * velocity - case.later * (case.zeta * w + case.slope(w))


@slip("gradient-descent-torch-schedule")
def step_before_the_change(case):
    """Let the change of the step wait for one step more."""
    w, velocity = before_the_change(case)
    return case.m * velocity - case.step * (case.zeta * w + case.slope(w))


def long_training():
    """Steps up to 0.1, with 0.9 and 0.0005, and other pairs; no gradient of the loss."""
    for step, m, zeta in ((0.06, 0.9, 5e-4), (0.01, 0.9, 5e-4), (0.05, 0.5, 1e-3), (0.03, 0.8, 2e-3)):
        yield Rule(np.array([3.0, -2.0]), np.zeros(2), np.zeros(2), step, m, zeta)


def decay(case):
    # $$ 1 - \frac{\lVert w_{t+1} \rVert}{\lVert w_t \rVert} \approx \frac{\eta \zeta}{1 - m} \qquad (\nabla L = 0) $$
    return case.step * case.zeta / (1 - case.m)


@claim("gradient-descent-decay-rate", cases=long_training)
def decay_of_a_run(case, decay=decay):
    """The rule run 600 times without a gradient, to 1 %; and the rate that belongs to the eigenvalue zeta."""
    w, velocity = case.w, case.velocity
    for _ in range(600):
        before = w
        w, velocity = case.take(w, velocity, case.gradient)
    shrinks = 1 - np.linalg.norm(w) / np.linalg.norm(before)
    agree(decay(case), shrinks, tolerance=0.01)
    agree(1 - gradient_descent.rate([case.zeta], case.step, case.m), shrinks, tolerance=1e-6)


@claim("gradient-descent-decay-rate")
def decay_in_symbols():
    """SymPy: the larger root of z^2 - (1 + m - eta zeta) z + m is 1 - eta zeta / (1 - m) up to terms in eta^2."""
    import sympy

    eta, zeta, m = sympy.symbols("eta zeta m", positive=True)
    z = 1 - eta * zeta / (1 - m)
    left = sympy.together(z**2 - (1 + m - eta * zeta) * z + m)
    same(left.subs(eta, 0), 0)
    same(sympy.simplify(left.diff(eta)).subs(eta, 0), 0)


@claim("gradient-descent-decay-rate")
def decay_at_step_1():
    """With 0.9 and 0.0005: right to 1 % at eta = 0.1, and already 5 % too small at eta = 1."""
    agree(5e-4 * 0.1 / (1 - 0.9), 1 - gradient_descent.rate([5e-4], 0.1, 0.9), tolerance=0.01)
    exact = 1 - gradient_descent.rate([5e-4], 1, 0.9)
    agree(exact / (5e-4 / (1 - 0.9)), 1.05, tolerance=0.005)


def gentle(case):
    """m = 0, where one step is exact."""
    return replace(case, m=0.0)


def step_of_a_tenth(case):
    """eta = 1 - m, which cancels the two factors."""
    return replace(case, step=1 - case.m)


@slip("gradient-descent-decay-rate", blind=gentle)
def decay_of_one_step(case):
    """Answer eta zeta, as without momentum."""
    return case.step * case.zeta


@slip("gradient-descent-decay-rate", blind=step_of_a_tenth)
def coefficient_alone(case):
    """Answer 0.0005 a step, without epsilon."""
    return case.zeta


# --- weight decay -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plain(Rule):
    """The rule without momentum."""

    def penalised(self, penalty):
        """One step of plain gradient descent on the loss plus penalty(w), which SymPy differentiates."""
        import sympy

        note("SymPy")
        letters = sympy.symbols(f"t:{len(self.w)}", real=True)
        at = dict(zip(letters, self.w, strict=True))
        extra = np.array([sympy.sympify(penalty(letters)).diff(letter).subs(at) for letter in letters])
        return self.w - self.step * (self.gradient + extra)


def plain_fractions():
    """Three parameters, in fractions."""
    F = Fraction
    gradient = np.array([F(1, 2), F(-2), F(3)])
    yield Plain(np.array([F(4), F(-3), F(1, 3)]), np.array([F(0)] * 3), gradient, F(1, 4), 0, F(2, 5))
    yield Plain(np.array([F(-1, 2), F(5)]), np.array([F(0)] * 2), gradient[:2], F(1, 10), 0, F(1, 3))


def shrunk_step(case):
    # $$ \eta \zeta\, w_t = \eta\,\nabla \Bigl( \frac{\zeta}{2}\,\lVert w \rVert^2 \Bigr)(w_t), \qquad
    #    w_{t+1} = (1 - \eta \zeta)\, w_t - \eta\,\nabla L(w_t) \quad (m = 0) $$
    return gradient_descent.sgd_momentum(
        case.w, case.velocity, case.gradient, step=case.step, momentum=0, penalty=case.zeta
    )[0]


@claim("gradient-descent-l2", cases=plain_fractions)
def penalty_differentiated(case, shrunk_step=shrunk_step):
    """SymPy differentiates the penalty; the same step again, as a shrinking of w."""
    same(shrunk_step(case), case.penalised(lambda w: case.zeta * sum(x * x for x in w) / 2))
    same(shrunk_step(case), (1 - case.step * case.zeta) * case.w - case.step * case.gradient)


@slip("gradient-descent-l2")
def l1_penalty(case):
    """Call it L1: its derivative is the sign of w, and not w."""
    return case.w - case.step * (case.gradient + case.zeta * np.array([1 if x > 0 else -1 for x in case.w]))


@slip("gradient-descent-l2", blind=without_decay)
def penalty_without_its_half(case):
    """Take 0.0005 |w|^2 for the penalty: its gradient is 0.001 w."""
    return case.w - case.step * (case.gradient + 2 * case.zeta * case.w)


@slip("gradient-descent-l2", blind=unit_step)
def shrunk_without_the_step(case):
    """Shrink w by 1 - 0.0005 a step."""
    return (1 - case.zeta) * case.w - case.step * case.gradient


def two_steps(rng):
    """Two gradients, in one case."""
    case = rule(rng)
    return SimpleNamespace(rule=case, second=rng.uniform(1, 2, 3))


def two_steps_in_symbols():
    import sympy

    for case in rule_in_symbols():
        yield SimpleNamespace(rule=case, second=np.array([sympy.Symbol("h", real=True)]))


def after_two_steps(case):
    """w after two steps: by the rule, and with the decay outside the displacement."""
    r = case.rule
    w, velocity = r.take(r.w, r.velocity, r.gradient)
    w, velocity = r.take(w, velocity, case.second)
    apart, outside = r.w, r.velocity
    for g in (r.gradient, case.second):
        outside = r.m * outside - r.step * g
        apart = (1 - r.step * r.zeta) * apart + outside
    return w, apart


def difference(case):
    # $$ w_2^{\text{L2}} - w_2^{\text{decoupled}} = -m\,\eta \zeta\, w_0 $$
    return -case.rule.m * case.rule.step * case.rule.zeta * case.rule.w


@claim("gradient-descent-decoupled", cases=two_steps)
def both_forms_run(case, difference=difference):
    """Two steps of either form, with the same gradients."""
    w, apart = after_two_steps(case)
    term = np.abs(case.rule.step * case.rule.zeta * case.rule.w).max()
    agree(difference(case), w - apart, scale=term)


@claim("gradient-descent-decoupled", cases=two_steps_in_symbols)
def both_forms_in_symbols(case, difference=difference):
    """The same in symbols."""
    w, apart = after_two_steps(case)
    same(difference(case), w - apart)


@claim("gradient-descent-decoupled", cases=training)
def both_forms_train(case):
    """A training of 200 steps with zeta = 0.05: the two forms end in different places. Without momentum they do not."""
    for m, apart in ((0.9, True), (0.0, False)):
        variant = replace(case, m=m, zeta=0.05)

        def outside(w, velocity, g, variant=variant):
            velocity = variant.m * velocity - variant.step * g
            return (1 - variant.step * variant.zeta) * w + velocity, velocity

        pair = run_of_the_rule(variant)[-1], run_otherwise(variant, outside)[-1]
        (differ if apart else agree)(*pair)


def no_momentum_in_two_steps(case):
    """m = 0."""
    return SimpleNamespace(rule=without_momentum(case.rule), second=case.second)


@slip("gradient-descent-decoupled", blind=no_momentum_in_two_steps)
def always_the_same_thing(case):
    """Hold the two forms for one: right without momentum."""
    return 0 * case.rule.w


@slip("gradient-descent-decoupled")
def whole_decay(case):
    """Forget that only the share m of the first displacement comes back."""
    return -case.rule.step * case.rule.zeta * case.rule.w


@dataclass(frozen=True)
class FirstStep(Training):
    """The first step of Adam; the penalty turns the sign of one entry."""


def first_step(rng):
    """zeta w is larger than the gradient in the first entry, of the other sign, and smaller elsewhere."""
    A = np.array([[-0.5, 0.1, 0.0], [0.0, 1.0, 0.2], [0.1, 0.0, 1.5], [0.0, 0.3, 1.0]]) * rng.uniform(0.9, 1.1, (4, 3))
    return FirstStep(A, np.array([0.3, -0.2, 0.4, 0.1]), rng.uniform(2, 3, 3) * [1, -1, 1], 0.1, zeta=0.4)


def adam(case, count, decoupled, m=0.9, square=0.999):
    """Adam as it is defined, without the constant in the denominator, (count, P)."""
    w, mean, mean_square, path = case.w0, 0, 0, []
    for t in range(1, count + 1):
        g = case.slope(w) + (0 if decoupled else case.zeta * w)
        mean, mean_square = m * mean + (1 - m) * g, square * mean_square + (1 - square) * g * g
        shrunk = (1 - case.step * case.zeta) * w if decoupled else w
        w = shrunk - case.step * (mean / (1 - m**t)) / np.sqrt(mean_square / (1 - square**t))
        path.append(w)
    return np.array(path)


def first_steps_of_adam(case):
    # $$ \begin{aligned}
    #    w_1 &= w_0 - \eta \operatorname{sign}\bigl( \nabla L(w_0) + \zeta\, w_0 \bigr) && \text{(L2)} \\
    #    w_1 &= (1 - \eta \zeta)\, w_0 - \eta \operatorname{sign}\bigl( \nabla L(w_0) \bigr) && \text{(decoupled)}
    #    \end{aligned} $$
    g = case.slope(case.w0)
    penalised = case.w0 - case.step * np.sign(g + case.zeta * case.w0)
    return np.array([penalised, (1 - case.step * case.zeta) * case.w0 - case.step * np.sign(g)])


@claim("gradient-descent-adam", cases=first_step)
def adam_by_definition(case, first_steps_of_adam=first_steps_of_adam):
    """Adam's two averages, corrected for their start, in NumPy."""
    both = np.array([adam(case, 1, decoupled)[0] for decoupled in (False, True)])
    agree(first_steps_of_adam(case), both, tolerance=1e-11)


@claim("gradient-descent-adam", cases=first_step)
def adam_of_torch(case, first_steps_of_adam=first_steps_of_adam):
    """PyTorch's Adam and AdamW with weight_decay, and eps=0; 30 steps of each against the definition."""
    agree(first_steps_of_adam(case), np.array([path[0] for path in case.adams]), tolerance=1e-9)
    for path, decoupled in zip(case.adams, (False, True), strict=True):
        agree(adam(case, 30, decoupled), path, tolerance=1e-9)


@claim("gradient-descent-adam", cases=first_step)
def adam_goes_on_otherwise(case):
    """After 30 steps the two differ by more than 1 %. Without decay they are one."""
    differ(adam(case, 30, False)[-1], adam(case, 30, True)[-1])
    free = replace(case, zeta=0.0)
    agree(adam(free, 30, False), adam(free, 30, True))


@slip("gradient-descent-adam", blind=without_decay)
def l2_is_always_weight_decay(case):
    """Hold L2 for decoupled decay, whatever the optimiser."""
    decoupled = (1 - case.step * case.zeta) * case.w0 - case.step * np.sign(case.slope(case.w0))
    return np.array([decoupled, decoupled])


@slip("gradient-descent-adam", blind=without_decay)
def forms_exchanged(case):
    """Take the penalty in the gradient for the decoupled form, and the other way round."""
    return first_steps_of_adam(case)[::-1]


# --- momentum ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sequence:
    """Gradients, oldest first, a step and a momentum."""

    gradients: Any
    step: Any
    m: Any

    def run(self):
        """The displacement after the last gradient, by the rule."""
        w = velocity = np.array([Fraction(0)])
        for g in self.gradients:
            w, velocity = gradient_descent.sgd_momentum(
                w, velocity, np.array([g], dtype=object), step=self.step, momentum=self.m, penalty=0
            )
        return velocity[0]


def sequences():
    """Gradients in fractions, with 0.9 and with 2/3."""
    F = Fraction
    yield Sequence([F(3), F(-1, 2), F(2), F(5, 3), F(1)], F(1, 5), F(9, 10))
    yield Sequence([F(1), F(4), F(-7, 2)], F(2), F(2, 3))


def sequences_in_symbols():
    """Four gradients, in symbols."""
    import sympy

    eta, m = sympy.symbols("eta m", positive=True)
    yield Sequence(list(sympy.symbols("g:4", real=True)), eta, m)


def every_sequence():
    yield from sequences()
    yield from sequences_in_symbols()


def single_gradient(case):
    """One gradient."""
    return replace(case, gradients=case.gradients[:1])


def velocity_sum(case):
    # $$ \Delta w_t = -\eta \sum_{\tau=0}^{t-1} m^{t-1-\tau}\,\nabla L(w_\tau) \qquad (\Delta w_0 = 0,\ \zeta = 0) $$
    t = len(case.gradients)
    return -case.step * sum(case.m ** (t - 1 - tau) * case.gradients[tau] for tau in range(t))


@claim("gradient-descent-velocity-sum", cases=every_sequence)
def rule_unrolled(case, velocity_sum=velocity_sum):
    """The rule run on gradients in fractions, and in symbols."""
    same(velocity_sum(case), case.run())


@slip("gradient-descent-velocity-sum")
def weights_of_an_average(case):
    """Weight by (1 - m) m^k, so that the weights sum to 1."""
    return (1 - case.m) * velocity_sum(case)


@slip("gradient-descent-velocity-sum")
def last_gradient_damped(case):
    """Multiply the newest gradient by 0.9 too: all exponents are one too large."""
    return case.m * velocity_sum(case)


@slip("gradient-descent-velocity-sum", blind=single_gradient)
def nothing_forgotten(case):
    """Add up all gradients alike."""
    return -case.step * sum(case.gradients)


@slip("gradient-descent-velocity-sum", blind=single_gradient)
def oldest_counts_most(case):
    """Run the exponents the other way."""
    return -case.step * sum(case.m**tau * g for tau, g in enumerate(case.gradients))


@steps("gradient-descent-velocity-sum-steps", cases=every_sequence, ends_in=velocity_sum)
def velocity_steps(case):
    """Put the rule into itself."""
    t, g = len(case.gradients), case.gradients
    before = replace(case, gradients=g[:-1]).run()
    earlier = replace(case, gradients=g[:-2]).run()
    # \Delta w_t
    yield case.run()
    # = m\,\Delta w_{t-1} - \eta\,\nabla L(w_{t-1})
    yield case.m * before - case.step * g[t - 1]
    # = m^2\,\Delta w_{t-2} - \eta\,m\,\nabla L(w_{t-2}) - \eta\,\nabla L(w_{t-1})
    yield case.m**2 * earlier - case.step * case.m * g[t - 2] - case.step * g[t - 1]
    # = -\eta \sum_{\tau=0}^{t-1} m^{t-1-\tau}\,\nabla L(w_\tau)
    yield -case.step * sum(case.m ** (t - 1 - tau) * g[tau] for tau in range(t))


def constant_gradients():
    """A gradient that stays the same, for some numbers of steps; 0.9 first."""
    F = Fraction
    for step, m, t in ((F(1, 100), F(9, 10), 12), (F(3), F(2, 3), 5), (F(1, 4), F(1, 2), 9)):
        yield Sequence([F(1)] * t, step, m)


def amplified(case):
    # $$ \Delta w_t = -\eta\,\frac{1 - m^t}{1 - m}\,\nabla L \;\longrightarrow\; -\frac{\eta}{1 - m}\,\nabla L $$
    t = len(case.gradients)
    return np.array([-case.step * (1 - case.m**t) / (1 - case.m), -case.step / (1 - case.m)])


@claim("gradient-descent-constant-gradient", cases=constant_gradients)
def constant_in_fractions(case, amplified=amplified):
    """The rule run in fractions; the limit is where one more step changes nothing, and the run comes near it."""
    after, end = amplified(case)
    same(after, case.run())
    same(case.m * end - case.step, end)
    every((100,), lambda t: abs(replace(case, gradients=[1] * t).run() - end) < abs(end) * Fraction(1, 10000))


@claim("gradient-descent-constant-gradient")
def ten_steps_of_memory():
    """With 0.9 the effective step is 10 eta; the last ten gradients carry 65 % of the weight, and the mean age is 9."""
    m, one = Fraction(9, 10), Fraction(1)
    case = Sequence([one], one, m)
    same(amplified(case)[1], -10 * one)
    agree(float(amplified(replace(case, gradients=[one] * 10))[0] / amplified(case)[1]), 0.65, tolerance=0.005)
    weights = [float(m) ** k for k in range(1000)]
    agree(sum(k * weight for k, weight in enumerate(weights)) / sum(weights), 9.0)


@slip("gradient-descent-constant-gradient")
def average_has_the_plain_step(case):
    """Take an average, whose effective step is eta."""
    t = len(case.gradients)
    return np.array([-case.step * (1 - case.m**t), -case.step])


@slip("gradient-descent-constant-gradient")
def step_times_momentum(case):
    """Multiply the step by 0.9."""
    return np.array([-case.step * case.m, -case.step * case.m])


@slip("gradient-descent-constant-gradient")
def step_over_momentum(case):
    """Divide the step by 0.9."""
    return np.array([-case.step / case.m, -case.step / case.m])


@slip("gradient-descent-constant-gradient")
def step_times_1_9(case):
    """Multiply the step by 1 + 0.9, as if only one step were remembered."""
    return np.array([-case.step * (1 + case.m), -case.step * (1 + case.m)])


@slip("gradient-descent-constant-gradient")
def smaller_learning_rate(case):
    """Say that it reduces the learning rate, by the factor 1 - 0.9."""
    return np.array([-case.step * (1 - case.m), -case.step * (1 - case.m)])


@steps("gradient-descent-constant-gradient-steps", cases=constant_gradients, ends_in=lambda case: -amplified(case)[0])
def geometric_steps(case):
    """A geometric series; k is the age of a gradient."""
    t, m = len(case.gradients), case.m
    # \eta \sum_{\tau=0}^{t-1} m^{t-1-\tau}
    yield case.step * sum(m ** (t - 1 - tau) for tau in range(t))
    # = \eta\,(1 + m + \dots + m^{t-1})
    yield case.step * sum(m**age for age in range(t))
    # = \eta\,\frac{1 - m^t}{1 - m}
    yield case.step * (1 - m**t) / (1 - m)


def alternating_gradients():
    """A gradient that changes its sign at each step."""
    F = Fraction
    for step, m, t in ((F(1, 100), F(9, 10), 12), (F(3), F(2, 3), 5), (F(1, 4), F(1, 2), 9)):
        yield Sequence([F(-1) ** (t - 1 - k) for k in range(t)], step, m)


def damped(case):
    # $$ \nabla L(w_\tau) = (-1)^\tau\,\nabla L(w_0): \qquad
    #    \lVert \Delta w_t \rVert = \eta\,\frac{1 - (-m)^t}{1 + m}\,\lVert \nabla L \rVert
    #    \;\longrightarrow\; \frac{\eta}{1 + m}\,\lVert \nabla L \rVert $$
    t = len(case.gradients)
    return np.array([case.step * (1 - (-case.m) ** t) / (1 + case.m), case.step / (1 + case.m)])


@claim("gradient-descent-alternating-gradient", cases=alternating_gradients)
def alternating_in_fractions(case, damped=damped):
    """The rule run in fractions; the limit is where one more step only changes the sign. With 0.9 it is eta / 1.9."""
    after, end = damped(case)
    same(after, abs(case.run()))
    same(case.m * end - case.step, -end)
    many = [(-1) ** k for k in range(100)]
    every((many,), lambda signs: abs(abs(replace(case, gradients=signs).run()) - end) < end * Fraction(1, 1000))


@slip("gradient-descent-alternating-gradient")
def amplified_as_well(case):
    """Amplify oscillations like the rest: 1 / (1 - m)."""
    return -amplified(case)


@slip("gradient-descent-alternating-gradient")
def oscillations_cancel(case):
    """Let oscillations cancel completely."""
    return 0 * damped(case)


@slip("gradient-descent-alternating-gradient")
def oscillations_pass(case):
    """Let oscillations through as without momentum."""
    return np.array([case.step, case.step])


def momenta():
    """0.9 first."""
    yield from (0.9, 0.5, 0.7)


def noise(m):
    # $$ \frac{\operatorname{Var}\bigl( (1 - m)\,\Delta w_t \bigr)}{\operatorname{Var}(\eta\,\nabla L)}
    #    \;\longrightarrow\; \frac{1 - m}{1 + m} $$
    return (1 - m) / (1 + m)


RUNS = 100_000


def simulate(m):
    """The variance of (1 - m) times the velocity, over many runs of 40 steps on noise of variance 1."""
    rng = np.random.default_rng(11)
    w = velocity = np.zeros(RUNS)
    for _ in range(40):
        w, velocity = gradient_descent.sgd_momentum(w, velocity, rng.normal(size=RUNS), step=1, momentum=m, penalty=0)
    return np.var((1 - m) * velocity)


simulated = functools.cache(simulate)


@claim("gradient-descent-noise", cases=momenta)
def noise_simulated(m, noise=noise):
    """100,000 runs of 40 steps on independent noise of variance 1: within 4 standard errors."""
    note("Monte-Carlo")
    agree(noise(m), simulated(m), tolerance=4 * math.sqrt(2 / RUNS))
    agree(1 / (1 - m**2), simulated(m) / (1 - m) ** 2, tolerance=4 * math.sqrt(2 / RUNS))


@claim("gradient-descent-noise", cases=lambda: iter([Fraction(9, 10), Fraction(1, 2), Fraction(2, 3)]))
def noise_summed(m, noise=noise):
    """In fractions: the sum of the squared weights, (1 - m)^2 (1 + m^2 + m^4 + ...), in closed form."""
    same(noise(m), (1 - m) ** 2 / (1 - m * m))
    partial = (1 - m) ** 2 * sum(m ** (2 * k) for k in range(150))
    every((partial,), lambda partial: 0 < noise(m) - partial < Fraction(1, 10**12))


@claim("gradient-descent-noise", cases=lambda: iter([Fraction(9, 10), Fraction(1, 2)]))
def sum_of_displacements(m):
    """In fractions: a gradient of age k counts 1 - m^(k+1) in all; over 300 steps the noise of the sum is as large."""
    total = sum((1 - m ** (k + 1)) ** 2 for k in range(300)) / 300
    every((total,), lambda total: Fraction(9, 10) < total < 1)
    impulse = replace(Sequence([], Fraction(1), m), gradients=[1, 0, 0, 0])
    same((1 - m) * sum(replace(impulse, gradients=[1, 0, 0, 0][:k]).run() for k in (1, 2, 3, 4)), m**4 - 1)


@slip("gradient-descent-noise")
def noise_untouched(m):
    """Expect no change: an average of noise is noise."""
    return m / m


@slip("gradient-descent-noise")
def weights_not_squared(m):
    """Add the weights, and not their squares."""
    return 1 - m


@slip("gradient-descent-noise")
def newest_weight_squared(m):
    """Square the newest weight, and forget the others."""
    return (1 - m) ** 2


# --- momentum on a quadratic ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rolling(Spectrum):
    """A spectrum, a momentum, and two steps."""

    m: Any = None
    steps: Any = None


def companion(x, m):
    """What one step with momentum does to (w_t - w*, w_{t-1} - w*) along an eigenvector with eta lambda = x."""
    return np.array([[1 + m - x, -m], [1.0, 0.0]])


def radius(eigenvalues, step, m):
    """The spectral radius of one step of the rule itself, on (w, velocity), by NumPy."""
    P = len(eigenvalues)
    columns = []
    for e in np.eye(2 * P):
        w, velocity = e[:P], e[P:]
        gradient = np.array(eigenvalues) * w
        columns.append(
            np.concatenate(gradient_descent.sgd_momentum(w, velocity, gradient, step=step, momentum=m, penalty=0))
        )
    return np.abs(np.linalg.eigvals(np.array(columns).T)).max()


def exact_momenta():
    """Spectra and momenta in fractions."""
    F = Fraction
    for eigenvalues, m in (([F(1), F(3), F(20)], F(9, 10)), ([F(0), F(2), F(5)], F(1, 3)), ([F(4)], F(1, 2))):
        yield Rolling(eigenvalues, m=m)


def stable_below(case):
    # $$ 0 < \eta < \frac{2\,(1 + m)}{\lambda_{\max}} $$
    return gradient_descent.step_limit(case.eigenvalues, case.m)


@claim("gradient-descent-momentum-stability", cases=exact_momenta)
def signs_at_both_ends(case, stable_below=stable_below):
    """Z3, for each spectrum: z^2 - (1 + m - eta lambda) z + m is positive at 1 and -1, for all lambda > 0, iff so."""
    import z3

    step, m, bound = z3.Real("eta"), z3.Q(case.m.numerator, case.m.denominator), stable_below(case)
    traces = [1 + m - step * z3.Q(x.numerator, x.denominator) for x in case.eigenvalues if x]
    positive = z3.And([z3.And(1 - b + m > 0, 1 + b + m > 0) for b in traces])
    proved(positive == z3.And(step > 0, step < z3.Q(bound.numerator, bound.denominator)))


@claim("gradient-descent-momentum-stability")
def those_signs_mean_roots_inside():
    """Z3, for 0 <= m < 1: both signs positive iff both roots lie inside the unit circle, be they real or not."""
    import z3

    m, b, y, z = z3.Reals("m b y z")
    given, inside = z3.And(m >= 0, m < 1), z3.And(1 - b + m > 0, 1 + b + m > 0)
    real = z3.And(y + z == b, y * z == m)
    both = z3.And(y > -1, y < 1, z > -1, z < 1)
    proved(z3.Implies(z3.And(given, real), inside == both))
    conjugate = z3.And(2 * y == b, y * y + z * z == m)  # y + i z and y - i z
    proved(z3.Implies(z3.And(given, conjugate, z != 0), z3.And(inside, y * y + z * z < 1)))


@claim("gradient-descent-momentum-stability", cases=exact_momenta)
def radius_on_both_sides(case, stable_below=stable_below):
    """The radius of the rule: below 1 just under the limit, above 1 just over it. At the limit a root is -1."""
    bound, m, eigenvalues = stable_below(case), float(case.m), [float(x) for x in case.eigenvalues if x]
    at_most(radius(eigenvalues, 0.999 * float(bound), m), 1 - 1e-4)
    at_most(1 + 1e-4, radius(eigenvalues, 1.001 * float(bound), m))
    same(1 + (1 + case.m - bound * case.largest) + case.m, 0)


@slip("gradient-descent-momentum-stability", blind=without_momentum)
def limit_unchanged(case):
    """Leave the limit at 2 / lambda_max."""
    return 2 / case.largest


@slip("gradient-descent-momentum-stability", blind=without_momentum)
def limit_of_the_effective_step(case):
    """Put the effective step under the old limit: 2 (1 - m) / lambda_max."""
    return 2 * (1 - case.m) / case.largest


@slip("gradient-descent-momentum-stability")
def factor_two_forgotten(case):
    """Write (1 + m) / lambda_max."""
    return (1 + case.m) / case.largest


def rolling(rng):
    """One step with complex roots only, and one with a real root."""
    eigenvalues = np.array([1, rng.uniform(1.5, 2.0), rng.uniform(3, 4)])
    m = rng.uniform(0.3, 0.4)
    inside = 2 * (1 + m) / (1 + eigenvalues[2])
    return Rolling(eigenvalues, m=m, steps=(inside, 0.1 * inside))


def slow(case):
    """m = 0."""
    return replace(case, m=0.0)


def all_complex(case):
    """Two steps with complex roots only."""
    return replace(case, steps=(case.steps[0], 1.01 * case.steps[0]))


def radii(case):
    # $$ \rho = \max_i \begin{cases} \sqrt m & \text{if } (1 + m - \eta \lambda_i)^2 \le 4 m, \\
    #    \dfrac{\lvert 1 + m - \eta \lambda_i \rvert + \sqrt{(1 + m - \eta \lambda_i)^2 - 4 m}}{2} & \text{if not.}
    #    \end{cases} $$
    return np.array([gradient_descent.rate(case.eigenvalues, step, case.m) for step in case.steps])


@claim("gradient-descent-momentum-rate", cases=rolling)
def radius_of_the_rule(case, radii=radii):
    """The spectral radius of one step of the rule, a matrix of 2P rows, by NumPy."""
    agree(radii(case), np.array([radius(case.eigenvalues, step, case.m) for step in case.steps]), tolerance=1e-9)


@claim("gradient-descent-momentum-rate", cases=rolling)
def radius_of_the_companions(case, radii=radii):
    """The roots of z^2 - (1 + m - eta lambda) z + m, eigenvalue by eigenvalue."""
    sizes = [
        [np.abs(np.linalg.eigvals(companion(step * x, case.m))).max() for x in case.eigenvalues] for step in case.steps
    ]
    agree(radii(case), np.array([max(row) for row in sizes]), tolerance=1e-9)


@slip("gradient-descent-momentum-rate", blind=all_complex)
def root_of_m_always(case):
    """Answer sqrt(m), whatever the step."""
    return np.array([math.sqrt(case.m)] * 2)


@slip("gradient-descent-momentum-rate", blind=slow)
def momentum_left_out(case):
    """Use the rate of plain gradient descent."""
    return np.array([max(abs(1 - step * x) for x in case.eigenvalues) for step in case.steps])


@slip("gradient-descent-momentum-rate")
def product_of_the_roots(case):
    """Take m, the product of the roots, for the square of each."""
    return np.array([case.m] * 2)


def tuned_step(case):
    # $$ \eta = \frac{2\,(1 + m)}{\lambda_{\min} + \lambda_{\max}} $$
    return (1 + case.m) * gradient_descent.optimal_step(case.eigenvalues)


@claim("gradient-descent-tuned-step", cases=exact_momenta)
def ends_balance(case, tuned_step=tuned_step):
    """Z3, for each spectrum: any other step makes the largest |1 + m - eta lambda| larger. The rate grows with it."""
    import z3

    def number(x):
        return z3.Q(x.numerator, x.denominator)

    best, step = tuned_step(case), z3.Real("eta")
    worst = max(abs(1 + case.m - best * x) for x in case.eigenvalues if x)
    traces = [number(1 + case.m) - step * number(x) for x in case.eigenvalues if x]
    larger = z3.Or([z3.Or(b > number(worst), -b > number(worst)) for b in traces])
    proved(z3.Implies(step != number(best), larger))


@claim("gradient-descent-tuned-step")
def rate_grows_with_the_trace():
    """Z3: the largest real root of z^2 - b z + m grows with b > 0, and is at least sqrt(m)."""
    import z3

    m, b, c, y, z = z3.Reals("m b c y z")
    largest = z3.And(y * y - b * y + m == 0, 2 * y >= b, z * z - c * z + m == 0, 2 * z >= c)
    proved(z3.Implies(z3.And(m >= 0, b > 0, b < c, largest), z3.And(y < z, y * y >= m)))


@claim("gradient-descent-tuned-step", cases=exact_momenta)
def no_step_of_many(case):
    """None of 400 steps below the limit has a lower rate, by the roots."""
    m, eigenvalues = float(case.m), [float(x) for x in case.eigenvalues if x]
    best = gradient_descent.rate(case.eigenvalues, tuned_step(case), case.m)
    bound = gradient_descent.step_limit(eigenvalues, m)
    scanned = [
        max(np.abs(np.roots([1, -(1 + m - step * x), m])).max() for x in (min(eigenvalues), max(eigenvalues)))
        for step in np.linspace(0, bound, 400)[1:-1]
    ]
    at_most(float(best), min(scanned), tolerance=1e-7)


@slip("gradient-descent-tuned-step", blind=without_momentum)
def plain_best_step(case):
    """Keep the best step of plain gradient descent."""
    return 2 / (case.smallest + case.largest)


@slip("gradient-descent-tuned-step")
def effective_step_kept(case):
    """Multiply by 1 - m, to keep the effective step."""
    return 2 * (1 - case.m) / (case.smallest + case.largest)


def thousand():
    # $$ \kappa = 1000: \quad \rho = \sqrt{0.9} = 0.9487 \text{ with momentum } 0.9, \quad
    #    \rho = \frac{999}{1001} = 0.9980 \text{ without} $$
    case = Rolling(np.array([1.0, 1000.0]), m=0.9)
    best = gradient_descent.optimal_step(case.eigenvalues)
    steps_and_momenta = ((tuned_step(case), 0.9), (best, 0))
    return np.array([gradient_descent.rate(case.eigenvalues, *pair) for pair in steps_and_momenta])


@claim("gradient-descent-kappa-1000")
def kappa_1000_by_the_rule(thousand=thousand):
    """The spectral radius of the rule with either step; the digits shown."""
    with_it, without = radius([1, 1000], 3.8 / 1001, 0.9), radius([1, 1000], 2 / 1001, 0)
    agree(thousand(), np.array([with_it, without]), tolerance=1e-9)
    agree(thousand(), np.array([0.9487, 0.9980]), tolerance=1e-4)


def shrinking(step, m):
    """Eigenvalues 1 and 1000: the factor on the distance, a step, from step 200 to step 2600 of the rule."""
    w, velocity, distances = np.ones(2), np.zeros(2), []
    for _ in range(2601):
        distances.append(math.hypot(*w, *velocity))
        w, velocity = gradient_descent.sgd_momentum(
            w, velocity, np.array([1.0, 1000.0]) * w, step=step, momentum=m, penalty=0
        )
    return (distances[2600] / distances[200]) ** (1 / 2400)


shrinks_by = functools.cache(shrinking)


@claim("gradient-descent-kappa-1000")
def kappa_1000_run(thousand=thousand):
    """The rule run: how the distance shrinks from step 200 to step 2600."""
    agree(thousand(), np.array([shrinks_by(3.8 / 1001, 0.9), shrinks_by(2 / 1001, 0)]), tolerance=0.002)


@slip("gradient-descent-kappa-1000")
def momentum_changes_nothing():
    """Expect the rate of plain gradient descent with momentum too."""
    return np.array([999 / 1001, 999 / 1001])


@slip("gradient-descent-kappa-1000")
def rates_multiplied():
    """Multiply the plain rate by 0.9."""
    return np.array([0.9 * 999 / 1001, 999 / 1001])


def roots_of_momenta():
    """sqrt(m): that of 0.9, and two others."""
    yield from (math.sqrt(0.9), 0.5, math.sqrt(0.7))


def exact_roots():
    """sqrt(m) in fractions."""
    yield from (Fraction(1, 2), Fraction(2, 3), Fraction(9, 10))


def plateau(root):
    # $$ \rho = \sqrt m \iff \kappa \le \Bigl( \frac{1 + \sqrt m}{1 - \sqrt m} \Bigr)^2 $$
    return ((1 + root) / (1 - root)) ** 2


def tuned_radius(kappa, root):
    """The rate with momentum root^2 and its tuned step, by the roots of the two companions."""
    m = root**2
    step = 2 * (1 + m) / (1 + kappa)
    return max(np.abs(np.roots([1, -(1 + m - step * x), m])).max() for x in (1, kappa))


def first_kappa(holds, low=1.0, high=1e5):
    """Where a statement that is false at low and true at high becomes true, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@claim("gradient-descent-plateau", cases=roots_of_momenta)
def plateau_bisected(root, plateau=plateau):
    """The first kappa at which the rate with the tuned step is 1e-6 above sqrt(m), by bisection."""
    agree(plateau(root), first_kappa(lambda kappa: tuned_radius(kappa, root) > root + 1e-6), tolerance=1e-4)


@claim("gradient-descent-plateau", cases=exact_roots)
def plateau_exactly(root, plateau=plateau):
    """In fractions: at this kappa both ends have a double root with the tuned step; Z3: above it, real ones apart."""
    import z3

    m, bound = root**2, plateau(root)
    step = 2 * (1 + m) / (1 + bound)
    same([(1 + m - step) ** 2, (1 + m - step * bound) ** 2], [4 * m, 4 * m])
    k, eta = z3.Reals("kappa eta")
    number, trace = z3.Q(bound.numerator, bound.denominator), 1 + z3.Q(m.numerator, m.denominator)
    given = z3.And(k >= 1, eta * (1 + k) == 2 * trace)
    within = (trace - eta) * (trace - eta) <= 4 * z3.Q(m.numerator, m.denominator)
    proved(z3.Implies(given, within == (k <= number)))


@claim("gradient-descent-plateau")
def plateau_in_digits():
    """With 0.9 it ends at kappa = 1441.9993. At 1442 the rate is already 3.5e-5 above sqrt(0.9)."""
    root = math.sqrt(0.9)
    agree(plateau(root), 1441.9993, tolerance=1e-7)
    excess = gradient_descent.rate([1, 1442], 3.8 / 1443, 0.9) - root
    agree(excess, 3.5e-5, tolerance=0.02)
    same(str(gradient_descent.rate([1, 1441.9], 3.8 / 1442.9, 0.9) == root), "True")


@slip("gradient-descent-plateau")
def square_of_the_ratio_forgotten(root):
    """Forget the square."""
    return (1 + root) / (1 - root)


@slip("gradient-descent-plateau")
def m_for_its_root(root):
    """Write m where its root stands."""
    return ((1 + root**2) / (1 - root**2)) ** 2


def break_even(root):
    # $$ \sqrt m < \frac{\kappa - 1}{\kappa + 1} \iff \kappa > \frac{1 + \sqrt m}{1 - \sqrt m} $$
    return (1 + root) / (1 - root)


@claim("gradient-descent-break-even", cases=roots_of_momenta)
def break_even_bisected(root, break_even=break_even):
    """The first kappa at which the tuned rate with momentum is below that without, by bisection."""
    found = first_kappa(lambda kappa: tuned_radius(kappa, root) < (kappa - 1) / (kappa + 1))
    agree(break_even(root), found, tolerance=1e-6)


@claim("gradient-descent-break-even", cases=exact_roots)
def break_even_exactly(root, break_even=break_even):
    """Z3, for all kappa >= 1."""
    import z3

    k, bound = z3.Real("kappa"), break_even(root)
    beaten = z3.Q(root.numerator, root.denominator) * (k + 1) < k - 1
    proved(z3.Implies(k >= 1, beaten == (k > z3.Q(bound.numerator, bound.denominator))))


@claim("gradient-descent-break-even")
def still_ahead_beyond_the_plateau():
    """Z3: where the roots are real, the largest is below r = (kappa - 1)/(kappa + 1) too; here b = (1 + m) r."""
    import z3

    m, r, z = z3.Reals("m r z")
    given = z3.And(m > 0, m < 1, r > 0, r < 1, z * z - (1 + m) * r * z + m == 0)
    proved(z3.Implies(given, z < r))


@claim("gradient-descent-break-even")
def break_even_in_digits():
    """With 0.9: 37.97. At kappa = 20, 0.9487 is slower than 19/21 = 0.9048."""
    agree(break_even(math.sqrt(0.9)), 37.97, tolerance=1e-4)
    at_most(gradient_descent.rate([1, 20], 2 / 21), 0.9049)
    agree(gradient_descent.rate([1, 20], 3.8 / 21, 0.9), 0.9487, tolerance=1e-4)


@slip("gradient-descent-break-even")
def always_faster(root):
    """Say that momentum is always faster, from kappa = 1 on."""
    return root / root


@slip("gradient-descent-break-even")
def m_for_its_root_again(root):
    """Write m where its root stands: 19 for 0.9."""
    return (1 + root**2) / (1 - root**2)


@slip("gradient-descent-break-even")
def end_of_the_plateau(root):
    """Give the kappa at which the plateau ends."""
    return ((1 + root) / (1 - root)) ** 2


def square_spectra():
    """Condition numbers that are squares, smallest eigenvalue first; one is a single eigenvalue, one has a 0."""
    for eigenvalues in ([1.0, 4.0, 9.0], [2.0, 50.0], [0.0, 1.0, 49.0], [4.0, 7.0, 9.0]):
        yield Spectrum(np.array(eigenvalues))


def any_spectra():
    """Those, and two that are not squares."""
    yield from square_spectra()
    yield Spectrum(np.array([0.3, 1.0, 4.1]))
    yield Spectrum(np.array([2.0, 2.5, 600.0]))


def polyak(case):
    # $$ \eta = \frac{4}{\bigl( \sqrt{\lambda_{\min}} + \sqrt{\lambda_{\max}} \bigr)^2}, \qquad
    #    m = \Bigl( \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1} \Bigr)^2, \qquad
    #    \rho = \sqrt m = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1} $$
    return gradient_descent.heavy_ball(case.eigenvalues)


@claim("gradient-descent-heavy-ball", cases=any_spectra)
def radius_of_polyak(case, polyak=polyak):
    """The largest root of the companions is the rate (double roots: to 1e-6); no pair of 3,000 has a lower one."""
    step, m, rho = polyak(case)
    positive = case.eigenvalues[case.eigenvalues > 0]
    roots = [np.abs(np.linalg.eigvals(companion(step * x, m))).max() for x in positive]
    agree(max(roots), rho, tolerance=1e-6)
    rng = np.random.default_rng(3)
    tried_m = np.clip(m + 0.2 * rng.normal(size=3000), 0, 0.999)
    tried_step = step * np.exp(0.5 * rng.normal(size=3000))
    stack = np.zeros((3000, 2, 2, 2))
    for k, x in enumerate((positive.min(), positive.max())):
        stack[:, k, 0, 0], stack[:, k, 0, 1], stack[:, k, 1, 0] = 1 + tried_m - tried_step * x, -tried_m, 1
    at_most(rho, np.abs(np.linalg.eigvals(stack)).max((1, 2)).min())
    agree(np.array([m, step * positive.max()]), np.array([rho**2, (1 + rho) ** 2]))


@claim("gradient-descent-heavy-ball", cases=square_spectra)
def no_pair_is_better(case, polyak=polyak):
    """In fractions: no discriminant is above 0, so all roots have size sqrt(m). Z3: no pair has a lower rate."""
    import z3

    step, m, rho = (Fraction(float(x)).limit_denominator(2000) for x in polyak(case))
    agree(np.array(polyak(case)), np.array([float(step), float(m), float(rho)]))
    positive = [Fraction(x) for x in case.eigenvalues if x]
    every(positive, lambda x: (1 + m - step * x) ** 2 <= 4 * m)
    same(m, rho**2)
    eta, any_m = z3.Reals("eta m")
    bound = z3.Q(rho.numerator, rho.denominator)
    ends = [1 + any_m - eta * z3.Q(x.numerator, x.denominator) for x in (min(positive), max(positive))]
    lower = [z3.And(b * bound < bound * bound + any_m, -b * bound < bound * bound + any_m) for b in ends]
    proved(z3.Not(z3.And(any_m < bound * bound, -any_m < bound * bound, *lower)))


@claim("gradient-descent-heavy-ball")
def what_roots_inside_imply():
    """Z3: if both roots of z^2 - b z + c are smaller than r in size, then |c| < r^2 and |b| r < r^2 + c."""
    import z3

    b, c, r, y, z = z3.Reals("b c r y z")
    then = z3.And(c < r * r, -c < r * r, b * r < r * r + c, -b * r < r * r + c)
    real = z3.And(y + z == b, y * z == c, -r < y, y < r, -r < z, z < r)
    conjugate = z3.And(2 * y == b, y * y + z * z == c, c < r * r)  # y + i z and y - i z
    proved(z3.Implies(z3.And(r > 0, real), then))
    proved(z3.Implies(z3.And(r > 0, conjugate), then))


@claim("gradient-descent-heavy-ball")
def one_eigenvalue_needs_no_momentum():
    """One eigenvalue: the step 1/lambda, no momentum, rate 0. The two sides of the formula hold for Fractions too."""
    agree(np.array(gradient_descent.heavy_ball([4.0])), np.array([0.25, 0, 0]))
    agree(np.array(gradient_descent.heavy_ball([Fraction(4), Fraction(4)])), np.array([0.25, 0, 0]))


@claim("gradient-descent-heavy-ball")
def no_pair_for_all_spectra():
    """Z3, for all 0 < a <= b: what roots inside r imply at both ends puts r above Polyak's rate. sqrt(b / a) is k."""
    import z3

    a, k, eta, m, rho = z3.Reals("a k eta m rho")
    given = z3.And(a > 0, k > 1, rho * (k + 1) == k - 1)
    low, high = 1 + m - eta * a, 1 + m - eta * a * k * k
    inside = z3.And(m < rho * rho, low * rho < rho * rho + m, -high * rho < rho * rho + m)
    proved(z3.Not(z3.And(given, inside)))


@slip("gradient-descent-heavy-ball")
def momentum_not_squared(case):
    """Forget the square on the momentum."""
    rho = 1 - 2 / (1 + math.sqrt(case.kappa))
    return 4 / (math.sqrt(case.smallest) + math.sqrt(case.largest)) ** 2, rho, rho


@slip("gradient-descent-heavy-ball")
def step_of_plain_descent(case):
    """Keep the best step without momentum."""
    rho = 1 - 2 / (1 + math.sqrt(case.kappa))
    return 2 / (case.smallest + case.largest), rho**2, rho


@slip("gradient-descent-heavy-ball")
def kappa_without_its_root(case):
    """Write kappa where its root stands."""
    rho = (case.kappa - 1) / (case.kappa + 1)
    return 4 / (math.sqrt(case.smallest) + math.sqrt(case.largest)) ** 2, rho**2, rho


@slip("gradient-descent-heavy-ball")
def momentum_for_the_rate(case):
    """Give the momentum as the rate."""
    rho = 1 - 2 / (1 + math.sqrt(case.kappa))
    return 4 / (math.sqrt(case.smallest) + math.sqrt(case.largest)) ** 2, rho**2, rho**2


def polyak_rate(case):
    return gradient_descent.heavy_ball(case.eigenvalues)[2]


def square_and_distinct():
    """The spectra with more than one positive eigenvalue."""
    yield from square_spectra()


@steps("gradient-descent-heavy-ball-steps", cases=square_and_distinct, ends_in=polyak_rate)
def polyak_steps(case):
    """Both ends at the edge of the plateau: sqrt(eta lambda_min) = 1 - sqrt(m), sqrt(eta lambda_max) = 1 + sqrt(m)."""
    step, m, _ = gradient_descent.heavy_ball(case.eigenvalues)
    low, high = math.sqrt(step * case.smallest), math.sqrt(step * case.largest)
    # \sqrt m
    yield math.sqrt(m)
    # = \frac{(1 + \sqrt m) - (1 - \sqrt m)}{(1 + \sqrt m) + (1 - \sqrt m)}
    yield ((1 + math.sqrt(m)) - (1 - math.sqrt(m))) / ((1 + math.sqrt(m)) + (1 - math.sqrt(m)))
    # = \frac{\sqrt{\eta \lambda_{\max}} - \sqrt{\eta \lambda_{\min}}}
    #   {\sqrt{\eta \lambda_{\max}} + \sqrt{\eta \lambda_{\min}}}
    yield (high - low) / (high + low)
    # = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}
    yield (math.sqrt(case.kappa) - 1) / (math.sqrt(case.kappa) + 1)


def transients():
    """sqrt(kappa) = 3 and 7."""
    yield from (Fraction(3), Fraction(7))


def slow_start(root_of_kappa):
    # $$ q_{\min}^\top (w_t - w^\star) = \bigl( 1 + (1 - \rho)\,t \bigr)\,\rho^t\; q_{\min}^\top (w_0 - w^\star)
    #    \qquad (\Delta w_0 = 0) $$
    rho = (root_of_kappa - 1) / (root_of_kappa + 1)
    return np.array([(1 + (1 - rho) * t) * rho**t for t in range(12)])


@claim("gradient-descent-heavy-ball-start", cases=transients)
def slow_start_in_fractions(root_of_kappa, slow_start=slow_start):
    """The rule run in fractions, along q_min."""
    rho = (root_of_kappa - 1) / (root_of_kappa + 1)
    step = 4 / (1 + root_of_kappa) ** 2
    w, velocity, path = np.array([Fraction(1)]), np.array([Fraction(0)]), []
    for _ in range(12):
        path.append(w[0])
        w, velocity = gradient_descent.sgd_momentum(w, velocity, w, step=step, momentum=rho**2, penalty=0)
    same(slow_start(root_of_kappa), path)


@claim("gradient-descent-heavy-ball-start", cases=transients)
def overshoot(root_of_kappa):
    """The rule run in fractions, along q_max: (1 + (1 + rho) t) (-rho)^t."""
    rho = (root_of_kappa - 1) / (root_of_kappa + 1)
    step = 4 / (1 + root_of_kappa) ** 2
    w, velocity = np.array([Fraction(1)]), np.array([Fraction(0)])
    for t in range(12):
        same(w[0], (1 + (1 + rho) * t) * (-rho) ** t)
        if t == 1:
            same(w[0], -rho * (2 + rho))
        slope = root_of_kappa**2 * w
        w, velocity = gradient_descent.sgd_momentum(w, velocity, slope, step=step, momentum=rho**2, penalty=0)


@slip("gradient-descent-heavy-ball-start")
def rate_from_the_first_step(root_of_kappa):
    """Let the distance shrink by rho from the first step on."""
    rho = (root_of_kappa - 1) / (root_of_kappa + 1)
    return np.array([rho**t for t in range(12)])


@slip("gradient-descent-heavy-ball-start")
def double_root_with_factor_t(root_of_kappa):
    """Write (1 + t) rho^t, as if the start had no part in it."""
    rho = (root_of_kappa - 1) / (root_of_kappa + 1)
    return np.array([(1 + t) * rho**t for t in range(12)])


# --- in floating point ------------------------------------------------------------------------------------------------


@claim("gradient-descent-extremes")
def far_from_1():
    """Eigenvalues near the ends of float64; iterates that leave it; an infinite factor on a 0; small integers."""
    byte = np.array([100], np.int8)
    agree(gradient_descent.loss(byte.reshape(1, 1), 0 * byte, byte), 500_000.0)
    single = np.array([1, 2**-12], np.float32)
    agree(gradient_descent.gradient(np.eye(2, dtype=np.float32), -single, single**2), np.array([2, 2**-12 + 2**-24]))
    tiny, huge = 1e-300, 1.7e308
    agree(gradient_descent.optimal_step([huge, huge]), 1 / huge, tolerance=1e-9)
    agree(gradient_descent.optimal_step([tiny, tiny]), 1e300)
    agree(gradient_descent.worst_cosine([tiny, 1e300]), 2e-300)
    step, m, rho = gradient_descent.heavy_ball([tiny, 1e300])
    agree(np.array([step * 1e300, m, rho]), np.array([4.0, 1.0, 1.0]))
    agree(gradient_descent.heavy_ball([1.0, 1.0 + 2**-40])[2], 2.0**-42, tolerance=1e-9)
    agree(gradient_descent.heavy_ball([1.0, 1.0 + 2**-52])[2], 2.0**-54, tolerance=1e-9)
    agree(gradient_descent.rate([1e200], 10.0, 0.5), 1e201)
    agree(gradient_descent.cosine(np.diag([1e-200, 1e-199]), [0, 0], [1e300, 1e300]), 11 / math.sqrt(202))
    ways = np.random.default_rng(0).normal(size=(500, 3))
    every(range(500), lambda i: gradient_descent.cosine(np.eye(3), np.zeros(3), ways[i]) <= 1)
    H = np.diag([1.0, 3.0])
    agree(gradient_descent.iterate(H, [1, 2], [2, 2], 1.0, 5000), np.array([1.0, 2.0]))
    far = gradient_descent.iterate(H, [1, 2], [2, 3], 1.0, 5001)
    same([str(x) for x in far], ["1.0", "-inf"])
    far = gradient_descent.iterate(np.diag([2.1, 3.0]), [0, 0], [1, 1], 1.0, 2000)
    agree(far[0], (-1.1) ** 2000, tolerance=1e-9)
    same(str(gradient_descent.iterate([[1e200]], [0], [1], 1e200, 1)[0]), "-inf")
    same([str(far[1]), str(gradient_descent.iterate([[1, 1], [1, 1]], [0, 0], [1, 0], -1.0, 9000)[1])], ["inf", "inf"])
    same([str(x) for x in gradient_descent.iterate([[2, 1], [1, 2]], [0, 0], [1, 0], 5.0, 5000)], ["inf", "inf"])
    agree(gradient_descent.iterate(H, [1, 2], [2, 3], 0.5, 10**15), np.array([1.0, 2.0]))


def rule_in_symbols_of_two():
    """Two letters that stand for positive numbers."""
    import sympy

    return list(sympy.symbols("a b", positive=True))


@claim("gradient-descent-bad-input")
def refused_by_name():
    """Each argument spoiled in turn: shape, dtype, sign, symmetry, range, or not finite."""
    H, v = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
    shapes = np.eye(3), np.ones((2, 3)), np.ones(2), np.ones((0, 0))
    for bad in (*shapes, [[1, 2], [0, 1]], [[1, 1e-9], [0, 1]], [[1, 0], [0, np.nan]], [["a"]]):
        for f in (gradient_descent.loss, gradient_descent.gradient, gradient_descent.cosine):
            name = "w_star" if np.shape(bad) == (3, 3) else "H"
            refuses(lambda f=f, bad=bad: f(bad, v, v + 1), naming=name)
    for bad in (np.ones(3), 1.0, np.ones((2, 1)), [1, np.inf], [1j, 2]):
        refuses(lambda bad=bad: gradient_descent.loss(H, bad, v), naming="w_star")
        refuses(lambda bad=bad: gradient_descent.gradient(H, v, bad), naming="w")
        refuses(lambda bad=bad: gradient_descent.iterate(H, v, bad, 0.1, 3), naming="w0")
    refuses(lambda: gradient_descent.loss(H, v, v, np.nan), naming="least")
    refuses(lambda: gradient_descent.cosine(H, v, v), naming="w")
    refuses(lambda: gradient_descent.cosine(np.zeros((2, 2)), v, v + 1), naming="w")
    refuses(lambda: gradient_descent.iterate(H.astype(object), v, v, 0.1, 3), naming="H")
    for bad in (-1, 2.0, True, 2**53):
        refuses(lambda bad=bad: gradient_descent.iterate(H, v, v, 0.1, bad), naming="t")
    for bad in (np.inf, np.nan, [0.1], "0.1", 1j, True):
        refuses(lambda bad=bad: gradient_descent.iterate(H, v, v, bad, 3), naming="step")
        refuses(lambda bad=bad: gradient_descent.rate(v, bad), naming="step")
        for name in ("step", "momentum", "penalty"):
            options = {"step": 0.1, name: bad}
            refuses(lambda options=options: gradient_descent.sgd_momentum(v, v, v, **options), naming=name)
    letters = rule_in_symbols_of_two()
    spoiled = [Fraction(1), np.nan], [Fraction(1), np.inf], [Fraction(1), None], letters, [[1.0], [1.0, 2.0]]
    for bad in ([], 1.0, [[1.0, 2.0]], [0.0, 0.0], [-1e-9, 1.0], [1.0, np.nan], ["a"], [True], [1j], *spoiled):
        for f in (gradient_descent.optimal_step, gradient_descent.step_limit, gradient_descent.heavy_ball):
            refuses(lambda f=f, bad=bad: f(bad), naming="eigenvalues")
        refuses(lambda bad=bad: gradient_descent.rate(bad, 0.1), naming="eigenvalues")
        refuses(lambda bad=bad: gradient_descent.worst_cosine(bad), naming="eigenvalues")
    refuses(lambda: gradient_descent.worst_cosine([0.0, 1.0]), naming="eigenvalues")
    refuses(lambda: gradient_descent.iterate(H, v, v, letters[0], 3), naming="step")
    refuses(lambda: gradient_descent.rate(v, letters[0]), naming="step")
    refuses(lambda: gradient_descent.rate(v, 0.1, letters[0]), naming="momentum")
    for bad in ([Fraction(1), np.nan], [Fraction(1), None], [[1], [1, 2]]):
        refuses(lambda bad=bad: gradient_descent.loss(H, v, bad), naming="w")
        refuses(lambda bad=bad: gradient_descent.sgd_momentum(v, v, bad, step=0.1), naming="gradient")
    for bad in (-0.1, 1.0, Fraction(3, 2), np.nan):
        refuses(lambda bad=bad: gradient_descent.rate(v, 0.1, bad), naming="momentum")
        refuses(lambda bad=bad: gradient_descent.step_limit(v, bad), naming="momentum")
    for bad in (np.ones(3), 1.0, [1, np.nan]):
        refuses(lambda bad=bad: gradient_descent.sgd_momentum(v, bad, v, step=0.1), naming="velocity")
        refuses(lambda bad=bad: gradient_descent.sgd_momentum(v, v, bad, step=0.1), naming="gradient")
    refuses(lambda: gradient_descent.sgd_momentum(["a"], v, v, step=0.1), naming="w")


@claim("gradient-descent-pure")
def nothing_is_written_to():
    """Read-only arguments: the calls give the same bits twice, and share no memory with what they were given."""
    H, w_star, w, spectrum = np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones(2), np.array([3.0, 5.0]), np.array([2.0, 1.0])
    for a in (H, w_star, w, spectrum):
        a.setflags(write=False)
    calls = [
        lambda: gradient_descent.loss(H, w_star, w),
        lambda: gradient_descent.gradient(H, w_star, w),
        lambda: gradient_descent.cosine(H, w_star, w),
        lambda: gradient_descent.iterate(H, w_star, w, 0.1, 0),
        lambda: np.array(gradient_descent.heavy_ball(spectrum)),
        lambda: gradient_descent.optimal_step(spectrum),
        lambda: gradient_descent.rate(spectrum, 0.1, 0.5),
        lambda: np.array(gradient_descent.sgd_momentum(w, w_star, spectrum, step=0.1)),
        lambda: gradient_descent.sgd_momentum(w, 0 * w, 0 * w, step=0.1, penalty=0)[0],
    ]
    every(calls, lambda call: np.array_equal(call(), call()))
    every(calls, lambda call: not any(np.shares_memory(call(), a) for a in (H, w_star, w, spectrum)))
