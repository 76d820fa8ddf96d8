"""The errata: for each misprint and each error of a sheet, the right reading, and the printed one refuted.

The letters are those of the sheets. A slip here is what a sheet prints, evaluated as it stands.
Logarithms are kept exact by one device: x = log t with t rational, so that exp(x) is t, and df/dx = t df/dt.
"""

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from dlnotes.check import claim, note, proved, same, slip

# --- what the sheets' formulas are made of, in exact numbers ----------------------------------------------------------


def exact(*values):
    """Fractions, in an array."""
    return np.array([Fraction(value) for value in values], dtype=object)


def letters(name, n):
    """n positive SymPy symbols: each is the exponential of a real one."""
    import sympy

    return sympy.symbols(f"{name}1:{n + 1}", positive=True)


def normalise(t):
    """The softmax of x = log t."""
    return np.array([entry / sum(t) for entry in t], dtype=object)


def by_exponent(f, t):
    """The derivative of f by x = log t."""
    import sympy

    return t * sympy.diff(f, t)


def one_hot(y, size):
    """1 at position y, counted from 0."""
    return np.array([int(k == y) for k in range(size)], dtype=object)


def heaviside(x):
    return Fraction(1, 2) if x == 0 else Fraction(x > 0)


def relu(x):
    return max(x, 0)


# --- partiel-2019.1.1: two minuses ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bowl:
    """The loss a w^2 / 2, where gradient descent stands at w and makes a step of alpha."""

    a: Fraction
    w: Fraction
    alpha: Fraction

    def loss(self, w):
        return self.a * w**2 / 2

    @property
    def gradient(self):
        """The slope at w: of a quadratic, any symmetric difference is exact."""
        return (self.loss(self.w + 1) - self.loss(self.w - 1)) / 2


def bowls():
    """Three slopes, on both sides of the minimum."""
    for a, w, alpha in ((2, 3, "1/4"), (5, "-1/2", "1/10"), ("1/3", 7, "3/2")):
        yield Bowl(Fraction(a), Fraction(w), Fraction(alpha))


def updated(case):
    # $$ w^{(t+1)} = w^{(t)} - \alpha\, \frac{\delta \mathcal{L}}{\delta w^{(t)}} $$
    return case.w - case.alpha * case.gradient


@claim("errata-update-subtracts", cases=bowls)
def lowest_near_the_tangent(case, updated=updated):
    """The new weight minimises the tangent plus a square of the step: there the derivative is zero."""
    same(case.gradient + (updated(case) - case.w) / case.alpha, 0)


@claim("errata-update-subtracts", cases=bowls)
def loss_goes_down(case, updated=updated):
    """On a bowl the loss is multiplied by the square of 1 - alpha a, here less than 1."""
    same(case.loss(updated(case)), (1 - case.alpha * case.a) ** 2 * case.loss(case.w))
    same(case.loss(updated(case)) < case.loss(case.w), True)


@slip("errata-update-subtracts")
def update_as_printed(case):
    """As printed: the product of the weight, the step and the gradient."""
    return case.w * case.alpha * case.gradient


@dataclass(frozen=True)
class Pair:
    """The outputs of the two branches."""

    s: np.ndarray
    s_prime: np.ndarray


def pairs():
    """Two pairs of outputs."""
    yield Pair(exact(1, 2, "-1/2"), exact(3, "1/3", -1))
    yield Pair(exact(0, 2), exact(5, 0))


def distance(case):
    # $$ D^{(t)} = 0.5 \times \lVert s_6^{(t)} - s_{6'}^{(t)} \rVert_2^2 $$
    return sum((case.s - case.s_prime) ** 2) / 2


@claim("errata-distance-of-a-difference", cases=pairs)
def law_of_cosines(case, distance=distance):
    """The law of cosines."""
    same(distance(case), (case.s @ case.s + case.s_prime @ case.s_prime) / 2 - case.s @ case.s_prime)


@claim("errata-distance-of-a-difference", cases=pairs)
def zero_for_one_image_twice(case, distance=distance):
    """The same image twice: nothing is left to pull together."""
    same(distance(Pair(case.s, case.s)), 0)
    same(distance(Pair(case.s_prime, case.s_prime)), 0)


@slip("errata-distance-of-a-difference")
def distance_as_printed(case):
    """As printed, the product taken entry by entry."""
    return sum((case.s * case.s_prime) ** 2) / 2


@slip("errata-distance-of-a-difference")
def distance_of_a_scalar_product(case):
    """As printed, read as a scalar product: half its square."""
    return (case.s @ case.s_prime) ** 2 / 2


# --- partiel-2019.1.7: the Kullback-Leibler term ----------------------------------------------------------------------

RHO = Fraction(1, 10)


def rates():
    """Mean activations on both sides of 0.1."""
    return [Fraction(1, 2), Fraction(1, 4), Fraction(1, 20)]


def log(value):
    import sympy

    return sympy.log(sympy.Rational(value.numerator, value.denominator))


def divergence(r):
    # $$ D_{KL} = \rho \log\frac{\rho}{r} + (1 - \rho) \log\frac{1 - \rho}{1 - r} $$
    import sympy

    rho = sympy.Rational(1, 10)
    return rho * log(RHO / r) + (1 - rho) * log((1 - RHO) / (1 - r))


@claim("errata-sparsity-has-two-outcomes", cases=rates)
def ten_equal_points(r, divergence=divergence):
    """The printed sum, over ten points that P makes equally likely: one is active, nine share what Q leaves."""
    import sympy

    q = [r] + 9 * [(1 - r) / 9]
    # Ten times the divergence, as the logarithm of a fraction.
    same(sympy.exp(sympy.expand(10 * divergence(r))), Rational(math.prod(RHO / entry for entry in q)))


@slip("errata-sparsity-has-two-outcomes")
def active_outcome_only(r):
    """Sum over the active outcome alone."""
    import sympy

    return sympy.Rational(1, 10) * log(RHO / r)


@claim("errata-sparsity-needs-a-rate")
def both_logarithms_exist():
    """For all numbers except the two poles, by Z3."""
    # $$ \frac{\rho}{r} > 0 \ \text{ and } \ \frac{1 - \rho}{1 - r} > 0 \iff 0 < r < 1 $$
    import z3

    r, rho = z3.Reals("r rho")
    exist = z3.And(rho / r > 0, (1 - rho) / (1 - r) > 0)
    inside = z3.And(r > 0, r < 1)
    proved(z3.Implies(z3.And(rho > 0, rho < 1, r != 0, r != 1), exist == inside))


# --- td5-2019.I.2 and I.3: Glorot -------------------------------------------------------------------------------------


def sizes():
    """d and N_h, as positive symbols."""
    import sympy

    return sympy.symbols("d N_h", positive=True)


def glorot_std():
    # $$ \sigma = \sqrt{\frac{2}{d + N_h}} $$
    import sympy

    return sympy.sqrt(2 / sum(sizes()))


@claim("errata-glorot-normal")
def forward_and_backward_average_to_one(glorot_std=glorot_std):
    """Forward the variance is multiplied by d sigma^2, backward by N_h sigma^2: the mean of the two is 1."""
    d, hidden = sizes()
    same((d * glorot_std() ** 2 + hidden * glorot_std() ** 2) / 2, 1)


@slip("errata-glorot-normal")
def glorot_std_as_printed():
    """As printed: the root does not cover the 2."""
    import sympy

    return 2 / sympy.sqrt(sum(sizes()))


def glorot_bound():
    # $$ \Bigl[ -\sqrt{\frac{6}{d + N_h}},\ \sqrt{\frac{6}{d + N_h}} \Bigr] $$
    import sympy

    return sympy.sqrt(6 / sum(sizes()))


def uniform_variance(bound):
    """The integral of w^2 over [-bound, bound], divided by its length."""
    import sympy

    w, a = sympy.symbols("w a", positive=True)
    return (sympy.integrate(w**2, (w, -a, a)) / (2 * a)).subs(a, bound)


@claim("errata-glorot-uniform")
def same_balance(glorot_bound=glorot_bound):
    """The variance by integration: forward and backward factors average to 1."""
    same(uniform_variance(glorot_bound()) * sum(sizes()) / 2, 1)


@slip("errata-glorot-uniform")
def glorot_bound_as_printed():
    """As printed: the root does not cover the 6."""
    import sympy

    return 6 / sympy.sqrt(sum(sizes()))


def printed_factors():
    # $$ \frac{d + N_h}{2}\,\check\sigma^2 = 2, \qquad \frac{d + N_h}{2} \cdot \frac{\check a^2}{3} = 6 $$
    return [2, 6]


@claim("errata-glorot-printed-laws-disagree")
def printed_laws_measured(printed_factors=printed_factors):
    """The same balance for the two laws as printed."""
    total = sum(sizes())
    variances = [glorot_std_as_printed() ** 2, uniform_variance(glorot_bound_as_printed())]
    same(printed_factors(), [variance * total / 2 for variance in variances])


# --- td5-2019.III.1 and III.3: the Hessian ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Quadratic:
    """C(w) = (w - w_star)^T A (w - w_star) / 2 with a symmetric integer matrix A, and a point w."""

    A: np.ndarray
    w_star: np.ndarray
    w: np.ndarray

    def value(self, w):
        e = w - self.w_star
        return e @ self.A @ e / 2

    def symbolic(self):
        """C and its variables, in SymPy."""
        import sympy

        w = np.array(sympy.symbols(f"w1:{len(self.w) + 1}", real=True))
        return sympy.expand(self.value(w) * 2) / 2, w


def quadratic(rng):
    """Three variables; A is neither diagonal nor zero anywhere."""
    lower = np.tril(rng.integers(1, 6, (3, 3)))
    A = lower + lower.T
    return Quadratic(A.astype(object), rng.integers(-3, 4, 3).astype(object), rng.integers(5, 9, 3).astype(object))


def hessian(case):
    # $$ \mathcal{H} = \Bigl[ \frac{\partial^2 C}{\partial w_i \partial w_j} \Bigr]_{i,j} $$
    C, w = case.symbolic()
    return np.array([[C.diff(a, b) for b in w] for a in w])


@claim("errata-hessian-of-the-criterion", cases=quadratic)
def by_second_differences(case, hessian=hessian):
    """Second differences of C, which are exact for a quadratic."""

    def value(w):
        e = w - case.w_star
        return Fraction(int(e @ case.A @ e), 2)

    steps = np.eye(3, dtype=int).astype(object)
    near = [[value(case.w + a + b) - value(case.w + a) - value(case.w + b) for b in steps] for a in steps]
    same(hessian(case), np.array(near) + value(case.w))


@slip("errata-hessian-of-the-criterion")
def hessian_as_printed(case):
    """As printed: differentiate the entries of the Hessian itself. They are constants."""
    C, w = case.symbolic()
    return np.array([[C.diff(a, b).diff(a, b) for b in w] for a in w])


def direction(case):
    # $$ -\nabla C(w) = w^* - w \qquad \text{if } \mathcal{H} = I $$
    C, w = replace(case, A=np.eye(3, dtype=int).astype(object)).symbolic()
    return np.array([-C.diff(a).subs(dict(zip(w, case.w, strict=True))) for a in w])


@claim("errata-minus-the-gradient-points", cases=quadratic)
def straight_to_the_optimum(case, direction=direction):
    """On a round bowl, one step along the direction ends at the optimum."""
    same(case.w + direction(case), case.w_star)


@slip("errata-minus-the-gradient-points")
def the_gradient_itself(case):
    """As printed: the gradient itself."""
    return -direction(case)


def eigenvalues():
    # $$ C(w) = w_1^2 - w_2^2, \qquad \lambda = 2, -2 $$
    import sympy

    a, b = sympy.symbols("w1 w2", real=True)
    C = a**2 - b**2
    return [C.diff(a, a), C.diff(b, b)]


@claim("errata-quadratic-form-without-minimum")
def along_the_two_axes(eigenvalues=eigenvalues):
    """On the axis of the eigenvalue lambda, C(t u) = lambda t^2 / 2: below any bound on the second."""
    for axis, eigenvalue in enumerate(eigenvalues()):
        for t in (1, 10, 1000):
            w = [t * (k == axis) for k in range(2)]
            same(w[0] ** 2 - w[1] ** 2, Fraction(int(eigenvalue)) * t**2 / 2)


@slip("errata-quadratic-form-without-minimum")
def none_is_negative():
    """As printed: the eigenvalues of a quadratic form are not negative."""
    return [abs(value) for value in eigenvalues()]


# --- ift6135-2022.1.2: three slopes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slopes:
    """a to the right of alpha, 0 between, -b to the left of beta."""

    a: Fraction
    b: Fraction
    alpha: Fraction
    beta: Fraction

    def h(self, x):
        return self.a * relu(x - self.alpha) + self.b * relu(self.beta - x)

    def quotient(self, x, t):
        return (self.h(x + t) - self.h(x)) / t


def slopes():
    """Three functions; in the second both slopes are negative."""
    for values in ((2, 3, 1, -2), (-1, "-1/2", "1/2", 0), ("1/10", 5, 4, "7/2")):
        yield Slopes(*map(Fraction, values))


def three_slopes(case):
    # $$ h'(x) = \begin{cases} a & x > \alpha \\ 0 & \beta < x < \alpha \\ -b & x < \beta \end{cases} $$
    return [-case.b, Fraction(0), case.a]


@claim("errata-three-slopes", cases=slopes)
def quotients_of_a_construction(case, three_slopes=three_slopes):
    """Difference quotients of a function of two ReLUs, left of beta, between, and right of alpha."""
    middle, quarter = (case.alpha + case.beta) / 2, (case.alpha - case.beta) / 4
    points = ((case.beta - 3, 1), (middle, quarter), (case.alpha + 2, 1))
    same(three_slopes(case), [case.quotient(x, t) for x, t in points])


@slip("errata-three-slopes")
def two_rows_as_displayed(case):
    """The two rows that the brace holds: nothing turns on the left, and the slope stays 0."""
    return [Fraction(0), Fraction(0), case.a]


def slopes_at_the_knots(case):
    # $$ h'(\alpha^-) = 0, \quad h'(\alpha^+) = a, \qquad h'(\beta^-) = -b, \quad h'(\beta^+) = 0 $$
    return [[Fraction(0), case.a], [-case.b, Fraction(0)]]


@claim("errata-no-slope-at-the-knots", cases=slopes)
def one_sided_quotients(case, slopes_at_the_knots=slopes_at_the_knots):
    """Quotients to the left and to the right of each knot, exact for a small step."""
    t = (case.alpha - case.beta) / 7
    same(slopes_at_the_knots(case), [[case.quotient(x, -t), case.quotient(x, t)] for x in (case.alpha, case.beta)])


def flat(case):
    """a = b = 0: there is no knot."""
    return replace(case, a=Fraction(0), b=Fraction(0))


@slip("errata-no-slope-at-the-knots", blind=flat)
def slopes_as_printed(case):
    """As printed, with signs that include equality: the slope is a at alpha, and -b at beta."""
    return [[case.a, case.a], [-case.b, -case.b]]


# --- ift6135-2022.1.3 and 1.4: softmax --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shifted:
    """x = log t and c = log k, of one size."""

    t: np.ndarray
    k: np.ndarray


def shifts():
    """The first is x = (0, 0), c = (log 2, 0)."""
    yield Shifted(exact(1, 1), exact(2, 1))
    yield Shifted(exact(1, 3, "1/2"), exact(5, "1/4", 2))


def softmax_shifted(case):
    # $$ S(\mathbf{x} + \mathbf{c})_i = \frac{e^{c_i}\, S(\mathbf{x})_i}{\sum_j e^{c_j}\,
    #    S(\mathbf{x})_j} $$
    return case.k * normalise(case.t) / (case.k @ normalise(case.t))


@claim("errata-softmax-moves-with-a-vector", cases=shifts)
def shifted_by_definition(case, softmax_shifted=softmax_shifted):
    """The definition at x + c: the exponential of a sum is a product."""
    same(softmax_shifted(case), normalise(case.t * case.k))


def one_constant(case):
    """All entries of c are equal."""
    return replace(case, k=exact(*[case.k[0]] * len(case.k)))


@slip("errata-softmax-moves-with-a-vector", blind=one_constant)
def invariant_as_printed(case):
    """As printed: any vector c may be added."""
    return normalise(case.t)


def log_softmax():
    # $$ \log S(x)_i = x_i - \log \sum_j e^{x_j} $$
    import sympy

    t = letters("t", 3)
    return [sympy.log(entry) - sympy.log(sum(t)) for entry in t]


@claim("errata-log-softmax-is-a-difference")
def its_exponential_is_softmax(log_softmax=log_softmax):
    """Its exponential is the softmax, for all inputs of three entries."""
    import sympy

    same([sympy.exp(entry) for entry in log_softmax()], normalise(letters("t", 3)))


@slip("errata-log-softmax-is-a-difference")
def log_softmax_as_printed():
    """As printed: the product of the entry and the logarithm."""
    import sympy

    t = letters("t", 3)
    return [sympy.log(entry) * sympy.log(sum(t)) for entry in t]


def corners():
    """All inputs of three entries that are 0, 1000 or -1000."""
    return list(itertools.product((0.0, 1000.0, -1000.0), repeat=3))


def out_of_range():
    """Whether the sum overflows, and whether it is zero."""
    return [1000 in corner for corner in corners()], [corner == (-1000, -1000, -1000) for corner in corners()]


@claim("errata-one-large-entry-overflows")
def in_double_precision(out_of_range=out_of_range):
    """The sum of the exponentials in float64, for every input whose entries are 0, 1000 or -1000."""
    with np.errstate(over="ignore"):
        sums = [np.exp(np.array(corner)).sum() for corner in corners()]
    note("enumeration")
    same(out_of_range(), ([bool(np.isinf(s)) for s in sums], [bool(s == 0) for s in sums]))


@slip("errata-one-large-entry-overflows")
def all_must_be_large():
    """As printed: it overflows if all are large."""
    return [corner == (1000, 1000, 1000) for corner in corners()], out_of_range()[1]


# --- ift6135-2022.3.1: a step without a length, a minimum without a hypothesis --------------------------------------


def next_after_step(case):
    # $$ \mathbf{w}^{(t+1)} = \mathbf{w}^{(t)} - \eta\, \nabla f(\mathbf{w}^{(t)}) $$
    return case.w - case.alpha * case.gradient


@claim("errata-step-needs-a-length", cases=bowls)
def factor_on_the_bowl(case, next_after_step=next_after_step):
    """On f = a w^2 / 2 a step multiplies w by 1 - eta a."""
    same(next_after_step(case), (1 - case.alpha * case.a) * case.w)


def unit_step(case):
    """eta = 1."""
    return replace(case, alpha=Fraction(1))


@slip("errata-step-needs-a-length", blind=unit_step)
def step_as_printed(case):
    """As printed: subtract the gradient itself. On the bowl with a = 5 each step multiplies w by -4."""
    return case.w - case.gradient


@dataclass(frozen=True)
class Taylor:
    """The second-order model at the origin, f = 0: gradient g, Hessian diag(p, -q) with q > 0; a length t."""

    g: np.ndarray
    p: Fraction
    q: Fraction
    t: Fraction

    def model(self, w):
        return w @ self.g + (self.p * w[0] ** 2 - self.q * w[1] ** 2) / 2

    @property
    def newton(self):
        """The point w - H^{-1} g."""
        return np.array([-self.g[0] / self.p, self.g[1] / self.q])


def saddles():
    """Two models with one negative eigenvalue."""
    yield Taylor(exact(1, 2), Fraction(1), Fraction(1), Fraction(3))
    yield Taylor(exact(-3, "1/2"), Fraction(2), Fraction(1, 5), Fraction(1, 10))


def change_along_the_negative_axis(case):
    # $$ \mathrm{m}(\mathbf{w}^\star + t \mathbf{u}) - \mathrm{m}(\mathbf{w}^\star) = \tfrac12\,
    #    \lambda\, t^2, \qquad \mathbf{H} \mathbf{u} = \lambda \mathbf{u}, \quad \lVert \mathbf{u}
    #    \rVert = 1 $$
    return -case.q * case.t**2 / 2


@claim("errata-taylor-model-without-minimum", cases=saddles)
def model_evaluated(case, change=change_along_the_negative_axis):
    """The model itself, at the stationary point and beside it."""
    beside = case.newton + np.array([Fraction(0), case.t])
    same(change(case), case.model(beside) - case.model(case.newton))


@slip("errata-taylor-model-without-minimum")
def called_a_minimum(case):
    """Take the stationary point for the minimum, as if the eigenvalue were positive."""
    return case.q * case.t**2 / 2


# --- ift6135-2022.5.4: only convolutions ------------------------------------------------------------------------------


@claim("errata-corners-need-an-activation")
def no_affine_output():
    """For all weights, by Z3: no affine function of the two corners is high where they agree, low where not."""
    # $$ y(0, 0) + y(1, 1) = y(0, 1) + y(1, 0) $$
    import z3

    p, q, r, level = z3.Reals("p q r level")

    def y(a, d):
        return p * a + q * d + r

    proved(y(0, 0) + y(1, 1) == y(0, 1) + y(1, 0))
    proved(z3.Not(z3.And(y(0, 0) > level, y(1, 1) > level, y(0, 1) < level, y(1, 0) < level)))


# --- ift6390-devoir3.1.0: definitions ---------------------------------------------------------------------------------


def tanh():
    # $$ \tanh(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}} $$
    (t,) = letters("t", 1)
    return (t - 1 / t) / (t + 1 / t)


@claim("errata-tanh")
def by_the_sigmoid(tanh=tanh):
    """2 sigma(2x) - 1, for all x."""
    (t,) = letters("t", 1)
    same(tanh(), 2 / (1 + t**-2) - 1)


@claim("errata-tanh")
def by_its_equation(tanh=tanh):
    """It is 0 at 0, and its derivative is 1 - tanh^2."""
    (t,) = letters("t", 1)
    same(by_exponent(tanh(), t), 1 - tanh() ** 2)
    same(tanh().subs(t, 1), 0)


@slip("errata-tanh")
def tanh_as_printed():
    """As printed: a product in the numerator. It is 1 over 2 cosh x."""
    (t,) = letters("t", 1)
    return t * (1 / t) / (t + 1 / t)


def points():
    """Points on both sides of 0."""
    yield exact(-2, "-1/3", 0, "1/2", 2)
    yield exact(-1, 5)


def rect(x):
    # $$ \operatorname{rect}(x) = x\, \mathbf{1}_{\{x > 0\}}(x) $$
    return np.array([entry * (entry > 0) for entry in x], dtype=object)


@claim("errata-rect", cases=points)
def the_larger_of_zero_and_x(x, rect=rect):
    """The larger of 0 and x."""
    same(rect(x), [relu(entry) for entry in x])


def zeros_and_ones(x):
    """x is 1 where it is positive."""
    return np.array([min(entry, Fraction(1)) if entry <= 0 else Fraction(1) for entry in x], dtype=object)


@slip("errata-rect", blind=zeros_and_ones)
def rect_as_printed(x):
    """As printed: the indicator, without its factor."""
    return np.array([Fraction(entry > 0) for entry in x], dtype=object)


# --- ift6390-devoir3.1.g ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """x = log t, where t is a number or a symbol."""

    t: Any

    def softplus(self, t):
        import sympy

        return sympy.log(1 + t)

    @property
    def x(self):
        import sympy

        return sympy.log(self.t)


def anywhere():
    """All x at once, and x = log 3."""
    yield Point(letters("t", 1)[0])
    yield Point(3)


def difference(case):
    # $$ \operatorname{softplus}(x) - \operatorname{softplus}(-x) = x $$
    return case.x


@claim("errata-softplus-difference", cases=anywhere)
def exponentials_of_both(case, difference=difference):
    """The exponentials of both sides: a quotient on the left."""
    import sympy

    same(sympy.exp(difference(case)), (1 + case.t) / (1 + 1 / sympy.sympify(case.t)))


@slip("errata-softplus-difference")
def softplus_product_as_printed(case):
    """As printed: the product of the two. At 0 it is (ln 2)^2, and not 0."""
    import sympy

    return case.softplus(case.t) * case.softplus(1 / sympy.sympify(case.t))


# --- ift6390-devoir3.1.j ----------------------------------------------------------------------------------------------


def softmax_derivative():
    # $$ \frac{\partial S(\mathbf{x})_i}{\partial \mathbf{x}_j} = S(\mathbf{x})_i\, (\delta_{i=j} - S(\mathbf{x})_j) $$
    S = normalise(letters("t", 3))
    return np.array([[S[i] * (int(i == j) - S[j]) for j in range(3)] for i in range(3)])


@claim("errata-softmax-derivative")
def differentiated(softmax_derivative=softmax_derivative):
    """The derivatives of the definition, for all inputs of three entries."""
    t = letters("t", 3)
    same(softmax_derivative(), [[by_exponent(entry, s) for s in t] for entry in normalise(t)])


@slip("errata-softmax-derivative")
def derivative_as_printed():
    """As printed: a product in the bracket. Off the diagonal it is 0."""
    S = normalise(letters("t", 3))
    return np.array([[S[i] * (int(i == j) * S[j]) for j in range(3)] for i in range(3)])


# --- ift6390-devoir3.1.l and 1.m --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inputs:
    """x_k(u) = log t_k(u), of two variables u; and the correct class, from 0."""

    t: tuple
    u: tuple
    label: int

    @property
    def S(self):
        return normalise(self.t)

    @property
    def jacobian(self):
        """Row k: the gradient of x_k by u."""
        import sympy

        return np.array([[sympy.diff(sympy.log(t), v) for v in self.u] for t in self.t])

    @property
    def c(self):
        return one_hot(self.label, len(self.t))

    def gradient(self, f):
        """The gradient by u of f, a function of the exponentials t."""
        import sympy

        return np.array([sympy.diff(f(*self.t), v) for v in self.u])


def three_of_two():
    """Three inputs that are functions of two variables."""
    import sympy

    a, b = sympy.symbols("u1 u2", positive=True)
    yield Inputs((1 + a**2, 2 + b, 1 + a * b), (a, b), 0)
    yield Inputs((a + b, 1 + 3 * a, 1 + b**2), (a, b), 2)


def themselves(case):
    """x(u) = u."""
    import sympy

    u = sympy.symbols("u1:4", real=True)
    return Inputs(tuple(map(sympy.exp, u)), u, case.label)


def log_softmax_gradient(case):
    # $$ \nabla_u \log S(\mathbf{x}(\mathbf{u}))_i = \nabla_u \mathbf{x}(\mathbf{u})_i - \sum_j
    #    S(\mathbf{x}(\mathbf{u}))_j\, \nabla_u \mathbf{x}(\mathbf{u})_j $$
    return case.jacobian[case.label] - case.S @ case.jacobian


@claim("errata-log-softmax-gradient", cases=three_of_two)
def log_softmax_differentiated(case, log_softmax_gradient=log_softmax_gradient):
    """The derivatives of the definition."""
    import sympy

    same(log_softmax_gradient(case), case.gradient(lambda *t: sympy.log(t[case.label]) - sympy.log(sum(t))))


def all_probabilities_equal(case):
    """The three entries of x are one function, so that all probabilities are 1/3."""
    return replace(case, t=(case.t[0],) * 3)


@slip("errata-log-softmax-gradient", blind=all_probabilities_equal)
def probability_as_printed(case):
    """As printed: j is drawn with the probability of i."""
    return case.jacobian[case.label] - case.S[case.label] * case.jacobian.sum(0)


def gradients_of_the_loss(case):
    # $$ \nabla_x L = \mathbf{y} - \mathbf{c}, \qquad \nabla_u L = \sum_j (\mathbf{y}_j - \mathbf{c}_j)\, \nabla_u
    #    \mathbf{x}(\mathbf{u})_j $$
    return case.S - case.c, (case.S - case.c) @ case.jacobian


@claim("errata-gradient-by-the-input", cases=three_of_two)
def loss_differentiated(case, gradients=gradients_of_the_loss):
    """The derivatives of the loss, by x and by u."""
    import sympy

    def loss(*t):
        return sympy.log(sum(t)) - sympy.log(t[case.label])

    by_x, by_u = gradients(case)
    t = letters("t", 3)
    there = dict(zip(t, case.t, strict=True))
    same(by_x, [by_exponent(loss(*t), s).subs(there, simultaneous=True) for s in t])
    same(by_u, case.gradient(loss))


@slip("errata-gradient-by-the-input", blind=themselves)
def one_for_the_other(case):
    """Take the two for one, as the question does."""
    return case.S - case.c, case.S - case.c


# --- ift6390-devoir3.2.d ----------------------------------------------------------------------------------------------


def first_of_two(case):
    # $$ o_1^s = \frac{1}{1 + \exp(o_2^a - o_1^a)} $$
    import sympy

    return 1 / (1 + sympy.exp(case.o[1] - case.o[0]))


@dataclass(frozen=True)
class Two:
    """Two pre-activations."""

    o: tuple


def two_outputs():
    """In symbols, and (1, 0)."""
    import sympy

    yield Two(sympy.symbols("o1 o2", real=True))
    yield Two((sympy.Integer(1), sympy.Integer(0)))


@claim("errata-exponential-of-a-difference", cases=two_outputs)
def two_class_softmax(case, first_of_two=first_of_two):
    """The definition of softmax."""
    import sympy

    a, b = (sympy.exp(o) for o in case.o)
    same(first_of_two(case), a / (a + b))


def first_is_zero(case):
    """The first pre-activation is 0."""
    return Two((case.o[0] * 0, case.o[1]))


@slip("errata-exponential-of-a-difference", blind=first_is_zero)
def without_parentheses(case):
    """As printed, without parentheses: subtract after the exponential. At (1, 0) it is 1."""
    import sympy

    return 1 / (1 + sympy.exp(case.o[1]) - case.o[0])


# --- ift6390-devoir3.2.g ----------------------------------------------------------------------------------------------


def residual():
    # $$ \frac{\partial L_{MSE}}{\partial \sigma(o^a)} = \frac{2}{m}\, (\sigma(o^a) - y)^T $$
    import sympy

    s, y = np.array(sympy.symbols("s1:4")), np.array(sympy.symbols("y1:4"))
    return 2 * (s - y) / sympy.Integer(3)


@claim("errata-residual-is-a-difference")
def mean_square_differentiated(residual=residual):
    """The derivatives of the mean square error of three outputs."""
    import sympy

    s, y = np.array(sympy.symbols("s1:4")), np.array(sympy.symbols("y1:4"))
    loss = sum((s - y) ** 2) / 3
    same(residual(), [sympy.diff(loss, entry) for entry in s])


@slip("errata-residual-is-a-difference")
def residual_as_printed():
    """As printed in 2.g: the product of the output and the label."""
    import sympy

    s, y = np.array(sympy.symbols("s1:4")), np.array(sympy.symbols("y1:4"))
    return 2 * (s * y) / sympy.Integer(3)


# --- ift6390-devoir3.3.0 ----------------------------------------------------------------------------------------------


def windows(n, k, stride, padding):
    """Where a window of k may begin on an axis of n, padded on both sides, one stride apart."""
    return [start for start in range(-padding, n + padding, stride) if start + k <= n + padding]


def size_of_the_map():
    # $$ \Bigl\lfloor \frac{128 + 2 \cdot 3 - 8}{2} \Bigr\rfloor + 1 = 64 $$
    return (128 + 2 * 3 - 8) // 2 + 1


@claim("errata-kernel-is-not-its-map")
def windows_counted(size_of_the_map=size_of_the_map):
    """The positions of the kernel are counted, one at a time."""
    same(size_of_the_map(), len(windows(128, 8, 2, 3)))


@slip("errata-kernel-is-not-its-map")
def map_called_a_kernel():
    """As printed: the kernel is the map, so the map is 8 wide."""
    return 8


# --- E01, E02 ---------------------------------------------------------------------------------------------------------


def integral(x):
    # $$ g(x) = \int_{-\infty}^x H(t)\, dt $$
    return np.array([entry * heaviside(entry) for entry in x], dtype=object)


@claim("errata-definite-integral", cases=points)
def area_in_strips(x, integral=integral):
    """The area under H from -6, in strips of one sixth, on each of which H is constant."""

    def area(end):
        strips = int((end + 6) * 6)
        return sum((heaviside(Fraction(2 * k + 1, 12) - 6) for k in range(strips)), Fraction(0)) / 6

    same(integral(x), [area(entry) for entry in x])


@slip("errata-definite-integral")
def another_antiderivative(x):
    """As printed, without bounds: another antiderivative, 7 higher, is one too."""
    return integral(x) + 7


def minus_log_sigmoid(case):
    # $$ -\ln \sigma(-x) = \ln(1 + \exp(x)) $$
    import sympy

    return sympy.log(1 + case.t)


@claim("errata-minus-log-sigmoid", cases=anywhere)
def exponential_of_it(case, minus_log_sigmoid=minus_log_sigmoid):
    """Its exponential is one over the sigmoid at -x."""
    import sympy

    def sigmoid(t):
        return 1 / (1 + 1 / t)  # of log t

    same(sympy.exp(minus_log_sigmoid(case)), 1 / sigmoid(1 / sympy.sympify(case.t)))


def at_zero(case):
    """x = 0."""
    return Point(1)


@slip("errata-minus-log-sigmoid", blind=at_zero)
def minus_log_sigmoid_as_printed(case):
    """As printed: exp(-x). That is softplus(-x)."""
    import sympy

    return sympy.log(1 + 1 / sympy.sympify(case.t))


# --- E03 --------------------------------------------------------------------------------------------------------------


def factors():
    """Factors below, at and above 1, some of them negative. Their doubles are integers."""
    yield tuple(map(Fraction, (-5, -2, -1, "-1/2", 0, "1/2", 1, 2, 3)))


def sharper(alphas):
    # $$ \max_i S(\alpha \mathbf{x})_i > \max_i S(\mathbf{x})_i \iff \lvert \alpha \rvert > 1 $$
    return [abs(alpha) > 1 for alpha in alphas]


@claim("errata-negative-factor-sharpens", cases=factors)
def two_entries_exactly(alphas, sharper=sharper):
    """The two probabilities for x = (0, log 4), as fractions: they are in the ratio 4^alpha."""

    def largest(alpha):
        return max(normalise(exact(1, Fraction(2) ** int(2 * alpha))))

    same(sharper(alphas), [largest(alpha) > largest(1) for alpha in alphas])


@claim("errata-negative-factor-sharpens", cases=factors)
def two_entries_measured(alphas, sharper=sharper):
    """The probabilities of two random inputs of two entries, in float64. Larger means by more than 1e-9."""
    for x in np.random.default_rng(3).normal(size=(2, 2)):

        def largest(alpha, x=x):
            z = np.exp(float(alpha) * (x - x.mean()))
            return (z / z.sum()).max()

        same(sharper(alphas), [bool(largest(alpha) > largest(1) + 1e-9) for alpha in alphas])


def positive_factors(alphas):
    """No factor is negative."""
    return tuple(abs(alpha) for alpha in alphas)


@slip("errata-negative-factor-sharpens", blind=positive_factors)
def sharper_as_printed(alphas):
    """As printed: a factor smaller than 1 moves away from the extremes, whatever its sign."""
    return [alpha > 1 for alpha in alphas]


def limit_with_a_tie():
    # $$ \lim_{\alpha \to \infty} S(\alpha\, (1, 1, 0)) = \bigl(\tfrac12, \tfrac12, 0\bigr) $$
    import sympy

    return [sympy.Rational(1, 2), sympy.Rational(1, 2), sympy.Integer(0)]


@claim("errata-ties-share")
def limit_by_sympy(limit_with_a_tie=limit_with_a_tie):
    """The limit of the fractions (t, t, 1) / (2 t + 1), where t = exp(alpha)."""
    import sympy

    (t,) = letters("t", 1)
    same(limit_with_a_tie(), [sympy.limit(entry, t, sympy.oo) for entry in normalise((t, t, 1))])


@slip("errata-ties-share")
def only_zeros_and_ones():
    """As printed: the values go to 0 or 1."""
    return [1, 0, 0]


@dataclass(frozen=True)
class Scaled:
    """Integer logits, all distinct, and a factor."""

    x: np.ndarray
    alpha: int


def scaled(rng):
    """Five logits, and a negative factor: there the slip shows."""
    return Scaled(rng.permutation(5).astype(object), -int(rng.integers(1, 4)))


def predicted(case):
    # $$ \arg\max_i S(\alpha \mathbf{x})_i = \arg\max_i \mathbf{x}_i \ \ (\alpha > 0), \qquad \arg\max_i S(\alpha
    #    \mathbf{x})_i = \arg\min_i \mathbf{x}_i \ \ (\alpha < 0) $$
    return int(np.argmax(case.x) if case.alpha > 0 else np.argmin(case.x))


@claim("errata-prediction-kept", cases=scaled)
def largest_probability(case, predicted=predicted):
    """The class with the largest probability, as fractions: two to the powers of the logits, not e. Both signs."""
    for alpha in (case.alpha, -case.alpha):
        S = normalise([Fraction(2) ** int(alpha * entry) for entry in case.x])
        best = int(max(range(len(S)), key=S.__getitem__))
        same(predicted(replace(case, alpha=alpha)), best)


def factor_positive(case):
    """The factor is positive."""
    return replace(case, alpha=abs(case.alpha))


@slip("errata-prediction-kept")
def never_changes(case):
    """The prediction never changes, whatever the sign of the factor."""
    return int(np.argmax(case.x))


# --- E04, E05 ---------------------------------------------------------------------------------------------------------


def jacobian_entries():
    # $$ \frac{\partial S(\mathbf{x})_i}{\partial \mathbf{x}_j} = S(\mathbf{x})_i\, \delta_{i=j} - S(\mathbf{x})_i\,
    #    S(\mathbf{x})_j $$
    S = normalise(letters("t", 3))
    return np.array([[S[i] * int(i == j) - S[i] * S[j] for j in range(3)] for i in range(3)])


@claim("errata-summary-of-the-two-cases")
def entries_differentiated(jacobian_entries=jacobian_entries):
    """The derivatives of the definition, for all inputs of three entries."""
    t = letters("t", 3)
    same(jacobian_entries(), [[by_exponent(entry, s) for s in t] for entry in normalise(t)])


@claim("errata-summary-of-the-two-cases")
def the_two_cases_above(jacobian_entries=jacobian_entries):
    """What the sheet derives just above: S_i (1 - S_i) on the diagonal, -S_i S_j beside it."""
    S = normalise(letters("t", 3))
    same(jacobian_entries(), [[S[i] * (1 - S[i]) if i == j else -S[i] * S[j] for j in range(3)] for i in range(3)])


@slip("errata-summary-of-the-two-cases")
def bracket_closed_early():
    """As printed: the bracket closes before the minus."""
    S = normalise(letters("t", 3))
    return np.array([[S[i] * int(i == j) - S[j] for j in range(3)] for i in range(3)])


def jacobian_matrix():
    # $$ J(S(x)) = \operatorname{diag}(S(x)) - S(x)\, (S(x))^T $$
    S = normalise(letters("t", 3))
    return np.diag(S) - np.outer(S, S)


@claim("errata-softmax-jacobian-matrix")
def matrix_differentiated(jacobian_matrix=jacobian_matrix):
    """The derivatives of the definition, in one matrix."""
    t = letters("t", 3)
    same(jacobian_matrix(), [[by_exponent(entry, s) for s in t] for entry in normalise(t)])


@claim("errata-softmax-jacobian-matrix")
def rows_sum_to_zero(jacobian_matrix=jacobian_matrix):
    """Rows and columns sum to 0, and it is symmetric: the probabilities keep their sum 1."""
    J = jacobian_matrix()
    same(J.sum(0), [0, 0, 0])
    same(J.sum(1), [0, 0, 0])
    same(J, J.T)


@slip("errata-softmax-jacobian-matrix")
def repeated_as_printed():
    """The formula that 1.k repeats, as a matrix: diag(S) minus a matrix whose rows are all S."""
    S = normalise(letters("t", 3))
    return np.diag(S) - np.outer([1, 1, 1], S)


# --- E06, E07, E08 ----------------------------------------------------------------------------------------------------


def gradient_of_log_sum(case):
    # $$ \nabla_u \log \sum_j \exp(x(u))_j = \sum_{j=1}^n S(\mathbf{x}(\mathbf{u}))_j\, \nabla_u
    #    \mathbf{x}(\mathbf{u})_j \in \mathbb{R}^p $$
    return case.S @ case.jacobian


@claim("errata-gradient-of-a-number", cases=three_of_two)
def log_sum_differentiated(case, gradient_of_log_sum=gradient_of_log_sum):
    """The derivatives of the logarithm of the sum: as many as there are variables."""
    import sympy

    same(gradient_of_log_sum(case), case.gradient(lambda *t: sympy.log(sum(t))))


@slip("errata-gradient-of-a-number")
def n_equal_rows(case):
    """As printed: n equal rows S^T times the Jacobian, a matrix of n equal rows."""
    return np.array([case.S] * 3) @ case.jacobian


def gradient_with_its_index(case):
    # $$ \nabla_u \log S(\mathbf{x}(\mathbf{u}))_i = \nabla_u x(u)_i - \nabla_u \log \sum_k \exp(x(u))_k $$
    import sympy

    return case.jacobian[case.label] - case.gradient(lambda *t: sympy.log(sum(t)))


@claim("errata-summed-index", cases=three_of_two)
def probability_differentiated(case, gradient_with_its_index=gradient_with_its_index):
    """The gradient of the probability itself, divided by it."""
    S = case.S[case.label]
    same(gradient_with_its_index(case), case.gradient(lambda *t: t[case.label] / sum(t)) / S)


@slip("errata-summed-index", blind=all_probabilities_equal)
def sum_over_another_index(case):
    """As printed: the sum runs over i, its terms have j. All n terms are equal (here j is the entry after i)."""
    import sympy

    j = (case.label + 1) % 3
    return case.jacobian[case.label] - case.gradient(lambda *t: sympy.log(3 * t[j]))


def last_line(case):
    # $$ \nabla_u L = \mathbb{E}_j[\nabla_u \mathbf{x}(\mathbf{u})_j] - \sum_{i=1}^K \mathbf{c}_i \nabla_u
    #    \mathbf{x}(\mathbf{u})_i = \Bigl( \frac{\partial \mathbf{x}}{\partial \mathbf{u}} \Bigr)^{\!T} (\mathbf{y} -
    #    \mathbf{c}) $$
    return case.jacobian.T @ (case.S - case.c)


@claim("errata-one-hot-sums-to-one", cases=three_of_two)
def printed_line_agrees(case, last_line=last_line):
    """The printed last line, evaluated as it stands: the classes sum to 1 in it."""
    mean = case.S @ case.jacobian
    same(last_line(case), -(case.c @ case.jacobian) + mean * sum(case.c))
    same(last_line(case), mean - case.c @ case.jacobian)


@claim("errata-one-hot-sums-to-one", cases=three_of_two)
def cross_entropy_differentiated(case, last_line=last_line):
    """The derivatives of the loss."""
    import sympy

    same(last_line(case), case.gradient(lambda *t: sympy.log(sum(t)) - sympy.log(t[case.label])))


# --- E09 --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """The output layer, in integers: W is m x d_h with m < d_h."""

    W: np.ndarray
    h: np.ndarray
    b: np.ndarray


def layers():
    """m = 2, d_h = 3: all ones without biases, then all entries distinct."""
    yield Layer(np.array([[1, 1, 1], [1, 1, 1]]), np.array([1, 1, 1]), np.array([0, 0]))
    yield Layer(np.array([[1, 2, 3], [4, 5, 6]]), np.array([7, 8, 9]), np.array([10, 11]))


def output(case):
    # $$ o_k^a = \sum_{i=1}^{d_h} \mathbf{W}_{ki}^{(2)} h_i^s + \mathbf{b}_k^{(2)} $$
    m, d_h = case.W.shape
    return [sum(case.W[k, i] * case.h[i] for i in range(d_h)) + case.b[k] for k in range(m)]


@claim("errata-sum-over-hidden-units", cases=layers)
def matrix_product(case, output=output):
    """The matrix form, which the sheet has right."""
    same(output(case), case.W @ case.h + case.b)


def as_many_hidden_as_outputs(case):
    """d_h = m."""
    return Layer(case.W[:, :2], case.h[:2], case.b)


@slip("errata-sum-over-hidden-units", blind=as_many_hidden_as_outputs)
def sum_to_m(case):
    """As printed: the sum stops at m."""
    m = len(case.b)
    return [sum(case.W[k, i] * case.h[i] for i in range(m)) + case.b[k] for k in range(m)]


# --- E10, E11, E12 ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Logistic:
    """Pre-activations o = log t, each with its own logistic output; one-hot labels y."""

    t: np.ndarray
    y: np.ndarray

    @property
    def s(self):
        return self.t / (1 + self.t)

    @property
    def softmax_jacobian(self):
        """What the sheet takes for the Jacobian of sigma."""
        return np.diag(self.s) - np.outer(self.s, self.s)

    def gradient(self, loss):
        """The gradient of loss(s) by the pre-activations, in symbols, then at t."""
        letter = letters("t", len(self.t))
        value = loss([t / (1 + t) for t in letter])
        there = {s: Rational(t) for s, t in zip(letter, self.t, strict=True)}
        return np.array([by_exponent(value, s).subs(there) for s in letter])


def Rational(value):
    """A Fraction, for SymPy."""
    import sympy

    return sympy.Rational(value.numerator, value.denominator)


def logistic():
    """The first is o = (0, 0), y = (1, 0). The last has three outputs: there 2/m is not 1."""
    yield Logistic(exact(1, 1), one_hot(0, 2))
    yield Logistic(exact(3, "1/2"), one_hot(1, 2))
    yield Logistic(exact(3, "1/2", 5), one_hot(1, 3))


def logistic_mse(case):
    # $$ \frac{\partial L_{MSE}}{\partial o_k^a} = \frac{2}{m}\, (\sigma(o_k^a) - y_k)\, \sigma(o_k^a)\, (1 -
    #    \sigma(o_k^a)) $$
    return Fraction(2, len(case.y)) * (case.s - case.y) * case.s * (1 - case.s)


@claim("errata-logistic-square-error", cases=logistic)
def square_error_differentiated(case, logistic_mse=logistic_mse):
    """The derivatives of the mean square error of the logistic outputs."""
    m = len(case.y)
    same(
        logistic_mse(case), case.gradient(lambda s: sum((a - int(b)) ** 2 for a, b in zip(s, case.y, strict=True)) / m)
    )


@slip("errata-logistic-square-error")
def softmax_jacobian_for_mse(case):
    """As printed: the Jacobian of softmax, for the function that the sheet defines as the logistic."""
    return (case.s - case.y) @ case.softmax_jacobian


def logistic_ce(case):
    # $$ L = -\sum_k y_k \log \sigma(o_k^a), \qquad \frac{\partial L}{\partial o_k^a} = -y_k\, (1 - \sigma(o_k^a)) $$
    return -case.y * (1 - case.s)


@claim("errata-logistic-cross-entropy", cases=logistic)
def printed_cross_entropy_differentiated(case, logistic_ce=logistic_ce):
    """The derivatives of the printed loss, each output being a logistic."""
    import sympy

    same(
        logistic_ce(case), case.gradient(lambda s: -sum(int(b) * sympy.log(a) for a, b in zip(s, case.y, strict=True)))
    )


@slip("errata-logistic-cross-entropy")
def softmax_jacobian_for_ce(case):
    """As printed in 2.f: the same Jacobian again."""
    return (-case.y / case.s) @ case.softmax_jacobian


@dataclass(frozen=True)
class One:
    """One pre-activation o = log t, and its label 0 or 1."""

    t: Fraction
    y: int

    @property
    def s(self):
        return self.t / (1 + self.t)

    def derivative(self, loss):
        """The derivative of loss(s) by o, in symbols, then at t."""
        (t,) = letters("t", 1)
        return by_exponent(loss(t / (1 + t)), t).subs(t, Rational(self.t))


def one_output():
    """Both labels, confidently wrong and confidently right."""
    yield One(Fraction(1, 1000), 1)
    yield One(Fraction(3), 1)
    yield One(Fraction(1000), 0)


def scalar_mse(case):
    # $$ \frac{\partial}{\partial o^a} (\sigma(o^a) - y)^2 = 2\, (\sigma(o^a) - y)\, \sigma(o^a)\, (1 - \sigma(o^a)) $$
    return 2 * (case.s - case.y) * case.s * (1 - case.s)


@claim("errata-square-error-of-one-output", cases=one_output)
def one_square_differentiated(case, scalar_mse=scalar_mse):
    """The derivative of the square error."""
    same(scalar_mse(case), case.derivative(lambda s: (s - case.y) ** 2))


@slip("errata-square-error-of-one-output")
def second_factor_forgotten(case):
    """Stop at the derivative by the output."""
    return 2 * (case.s - case.y)


def simplified(case):
    # $$ \begin{bmatrix} \frac{-y_1}{\sigma(o^a)_1} & \frac{-y_2}{\sigma(o^a)_2} \end{bmatrix} \bigl(
    #    \operatorname{diag}(\sigma(o^a)) - \sigma(o^a)\, (\sigma(o^a))^T \bigr) = (\sigma(o^a) - y)^T $$
    s, y = case
    return s - y


def two_class_symbols():
    """Outputs and labels in symbols; only the labels are told to sum to 1."""
    import sympy

    s1, s2, y1 = sympy.symbols("s1 s2 y1", positive=True)
    yield np.array([s1, s2]), np.array([y1, 1 - y1])


@claim("errata-product-simplifies", cases=two_class_symbols)
def printed_product(case, simplified=simplified):
    """The printed product, multiplied out."""
    s, y = case
    same(simplified(case), (-y / s) @ (np.diag(s) - np.outer(s, s)))


@slip("errata-product-simplifies")
def diagonal_only(case):
    """Keep the diagonal of the matrix only."""
    s, y = case
    return -y * (1 - s)


def both_gradients(case):
    # $$ \frac{\partial L_{MSE}}{\partial o^a} = 2\, \sigma(o^a)\, (1 - \sigma(o^a))\, (\sigma(o^a) - y), \qquad
    #    \frac{\partial L_{CE}}{\partial o^a} = \sigma(o^a) - y $$
    return [2 * case.s * (1 - case.s) * (case.s - case.y), case.s - case.y]


@claim("errata-which-gradient-vanishes", cases=one_output)
def both_differentiated(case, both_gradients=both_gradients):
    """The derivatives of the two losses."""
    import sympy

    losses = (
        lambda s: (s - case.y) ** 2,
        lambda s: -case.y * sympy.log(s) - (1 - case.y) * sympy.log(1 - s),
    )
    same(both_gradients(case), [case.derivative(loss) for loss in losses])


@slip("errata-which-gradient-vanishes")
def derivatives_by_the_output(case):
    """As the printed reason does: compare the derivatives by the output, not by the pre-activation."""
    return [2 * (case.s - case.y), -case.y / case.s + (1 - case.y) / (1 - case.s)]


def limits():
    # $$ y = 1: \quad \Bigl( \frac{\partial L_{MSE}}{\partial o^a}, \frac{\partial L_{CE}}{\partial o^a} \Bigr) \to
    #    (0, -1) \ \text{ for } o^a \to -\infty, \qquad \to (0, 0) \ \text{ for } o^a \to +\infty $$
    return [[0, -1], [0, 0]]


@claim("errata-gradients-far-out")
def limits_by_sympy(limits=limits):
    """Both losses are differentiated, and the limits taken."""
    import sympy

    (t,) = letters("t", 1)
    s = t / (1 + t)
    gradients = [by_exponent((s - 1) ** 2, t), by_exponent(-sympy.log(s), t)]
    same(limits(), [[sympy.limit(sympy.simplify(g), t, end) for g in gradients] for end in (0, sympy.oo)])


@slip("errata-gradients-far-out")
def never_zero_as_printed():
    """As the printed reason has it: the cross-entropy's gradient never comes near 0."""
    return [[0, -1], [0, -1]]


# --- E13, E14, E15 ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Classified:
    """Examples: row i holds the exponentials of its pre-activations; y counts from 0."""

    t: np.ndarray
    y: tuple

    @property
    def s(self):
        return np.array([normalise(row) for row in self.t])


def classified():
    """Two examples of three classes; neither label is the number of its example."""
    yield Classified(np.array([exact(1, 3, 2), exact(4, 1, 7)]), (1, 2))


def wrong_labels():
    """Two more, with labels that are unlikely."""
    yield from classified()
    yield Classified(np.array([exact(9, 1, 1), exact(1, 5, 1)]), (2, 0))


def loss_of_the_first(case):
    # $$ L(\mathbf{x}, y) = \log \sum_{j=1}^m \exp o_j^a - o_y^a $$
    import sympy

    t = [Rational(entry) for entry in case.t[0]]
    return sympy.log(sum(t)) - sympy.log(t[case.y[0]])


@claim("errata-loss-sums-over-its-index", cases=wrong_labels)
def exponential_of_minus_the_loss(case, loss_of_the_first=loss_of_the_first):
    """The exponential of minus the loss is the probability of the class."""
    import sympy

    same(sympy.exp(-loss_of_the_first(case)), Rational(case.s[0, case.y[0]]))


def equal_outputs(case):
    """All pre-activations are equal."""
    return replace(case, t=np.array([exact(2, 2, 2)] * 2))


@slip("errata-loss-sums-over-its-index", blind=equal_outputs)
def sum_of_m_equal_terms(case):
    """As printed: the sum runs over i, its terms have j. All m terms are equal (here j is the first)."""
    import sympy

    t = [Rational(entry) for entry in case.t[0]]
    return sympy.log(3 * t[0]) - sympy.log(t[case.y[0]])


def risk(case):
    # $$ \hat{R} = \frac1n \sum_{i=1}^n -\log \mathbf{o}^s_{y^{(i)}}(\mathbf{x}^{(i)}) $$
    import sympy

    n = len(case.y)
    return sum(-sympy.log(Rational(case.s[i, case.y[i]])) for i in range(n)) / sympy.Integer(n)


def likelihood(case):
    """The probability of all labels at once."""
    return math.prod(case.s[i, label] for i, label in enumerate(case.y))


@claim("errata-risk-is-positive", cases=wrong_labels)
def mean_of_the_losses(case, risk=risk):
    """The mean of the losses of the examples is minus the logarithm of the likelihood, divided by n. It is positive."""
    import sympy

    same(sympy.exp(-len(case.y) * risk(case)), Rational(likelihood(case)))
    proved(risk(case) > 0)


@slip("errata-risk-is-positive")
def two_minuses(case):
    """As printed: a minus before the sum, and another one in it."""
    return -risk(case)


def example_loss(case):
    # $$ L(x^{(i)}, y^{(i)}) = -\log \mathbf{o}^s_{y^{(i)}}(\mathbf{x}^{(i)}) $$
    import sympy

    return [-sympy.log(Rational(case.s[i, label])) for i, label in enumerate(case.y)]


@claim("errata-risk-looks-at-the-label", cases=wrong_labels)
def probability_of_each_label(case, example_loss=example_loss):
    """The exponential of minus each loss is the probability that the network gives to the label."""
    import sympy

    same(
        [sympy.exp(-loss) for loss in example_loss(case)], [Rational(s[y]) for s, y in zip(case.s, case.y, strict=True)]
    )


def labels_in_order(case):
    """The label of example i happens to be i."""
    return replace(case, y=tuple(range(len(case.y))))


@slip("errata-risk-looks-at-the-label", blind=labels_in_order)
def number_of_the_example(case):
    """As printed: the output whose number is that of the example."""
    import sympy

    return [-sympy.log(Rational(s[i])) for i, s in enumerate(case.s)]


# --- E16, E17 ---------------------------------------------------------------------------------------------------------


@claim("errata-step-is-positive")
def down_for_positive_up_for_negative():
    """On every bowl, by Z3: down for a small positive step, up for every negative one."""
    # $$ \hat{R}(\theta - \eta \nabla \hat{R}) - \hat{R}(\theta) = -\eta\, \lVert \nabla \hat{R} \rVert^2 \Bigl( 1 -
    #    \frac{\eta a}{2} \Bigr) \qquad \text{for } \hat{R} = \frac{a}{2} \theta^2 $$
    import sympy
    import z3

    a, theta, eta = sympy.symbols("a theta eta", real=True)
    g = sympy.diff(a * theta**2 / 2, theta)
    same(a * (theta - eta * g) ** 2 / 2 - a * theta**2 / 2, -eta * g**2 * (1 - eta * a / 2))
    a, g, eta = z3.Reals("a g eta")
    change = -eta * g * g * (1 - eta * a / 2)
    proved(z3.Implies(z3.And(a > 0, g != 0, eta > 0, eta * a < 2), change < 0))
    proved(z3.Implies(z3.And(a > 0, g != 0, eta * a > 2), change > 0))
    proved(z3.Implies(z3.And(a > 0, g != 0, eta < 0), change > 0))


def decayed():
    # $$ \theta^{t+1} = (1 - 2 \eta \lambda)\, \theta^t - \eta \nabla_\theta \hat{R}(\theta^t) $$
    import sympy

    theta, eta, penalty, g = sympy.symbols("theta eta lambda g", real=True)
    return (1 - 2 * eta * penalty) * theta - eta * g


@claim("errata-decay-factored")
def printed_update_agrees(decayed=decayed):
    """The printed last line, expanded."""
    import sympy

    theta, eta, penalty, g = sympy.symbols("theta eta lambda g", real=True)
    same(decayed(), theta - eta * g - 2 * eta * penalty * theta)


@claim("errata-decay-factored")
def penalty_differentiated(decayed=decayed):
    """A step along the derivative of the risk plus the penalty; the risk is any function of theta."""
    import sympy

    theta, eta, penalty, g = sympy.symbols("theta eta lambda g", real=True)
    R = sympy.Function("R")(theta)
    slope = sympy.diff(R + penalty * theta**2, theta)
    same(decayed(), theta - eta * slope.subs(sympy.diff(R, theta), g))


@slip("errata-decay-factored")
def factor_two_lost():
    """Forget the 2 of the square."""
    import sympy

    theta, eta, penalty, g = sympy.symbols("theta eta lambda g", real=True)
    return (1 - eta * penalty) * theta - eta * g


# --- E18 --------------------------------------------------------------------------------------------------------------


def partials():
    # $$ \frac{\partial L}{\partial \mathbf{o}_k^a} = \frac{\exp o_k^a}{\sum_{j=1}^m \exp o_j^a} - \mathbf{1}_{\{k =
    #    y\}} $$
    t = letters("t", 3)
    return normalise(t) - one_hot(0, 3)


@claim("errata-no-log-in-the-denominator")
def loss_by_the_outputs(partials=partials):
    """The derivatives of log sum exp minus the first entry."""
    import sympy

    t = letters("t", 3)
    loss = sympy.log(sum(t)) - sympy.log(t[0])
    same(partials(), [by_exponent(loss, s) for s in t])


@slip("errata-no-log-in-the-denominator")
def log_in_the_denominator():
    """As printed, twice: the logarithm of the sum in the denominator."""
    import sympy

    t = letters("t", 3)
    return np.array(t) / sympy.log(sum(t)) - one_hot(0, 3)


# --- E19 to E25: backwards through the output layer -------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """The output layer at o^a = log t, with W (m x d_h), h^s and the label y, from 0. The bias follows from these."""

    W: np.ndarray
    h: np.ndarray
    t: np.ndarray
    y: int

    @property
    def delta(self):
        """o^s - onehot(y)."""
        return normalise(self.t) - one_hot(self.y, len(self.t))

    def symbols(self):
        """W, h and b in symbols."""
        import sympy

        W = np.array(
            [[sympy.Symbol(f"W{k}{j}", real=True) for j in range(self.W.shape[1])] for k in range(len(self.W))]
        )
        return W, np.array(sympy.symbols(f"h1:{len(self.h) + 1}", real=True)), letters_b(len(self.t))

    def at(self, values):
        """What the symbolic values are here."""
        import sympy

        W, h, b = self.symbols()
        there = dict(zip([*W.flat, *h], map(int, [*self.W.flat, *self.h]), strict=True))
        bias = [sympy.log(Rational(t)) - int(o) for t, o in zip(self.t, self.W @ self.h, strict=True)]
        there |= dict(zip(b, bias, strict=True))
        return np.array([sympy.sympify(value).subs(there) for value in np.ravel(values)]).reshape(np.shape(values))

    def outputs(self):
        W, h, b = self.symbols()
        return W @ h + b

    def loss(self):
        import sympy

        o = self.outputs()
        return sympy.log(sum(sympy.exp(entry) for entry in o)) - o[self.y]


def letters_b(n):
    import sympy

    return np.array(sympy.symbols(f"b1:{n + 1}", real=True))


def derivatives(values, variables):
    """The derivative of each value by each variable; the axes of the values come first."""
    import sympy

    rows = [[sympy.diff(value, v) for v in np.ravel(variables)] for value in np.ravel(values)]
    return np.array(rows).reshape(np.shape(values) + np.shape(variables))


def outputs():
    """m = 3, d_h = 2."""
    yield Output(np.array([[1, 2], [3, -1], [2, 5]]), np.array([2, 3]), exact(1, 2, "1/2"), 1)


def by_weights(case):
    # $$ \frac{\partial \mathbf{o}_k^a}{\partial \mathbf{W}^{(2)}} = e_k\, (h^s)^T \in \mathbb{R}^{m \times d_h} $$
    m = len(case.t)
    return np.array([np.outer(one_hot(k, m), case.h) for k in range(m)])


@claim("errata-one-row-of-weights", cases=outputs)
def each_output_by_each_weight(case, by_weights=by_weights):
    """Every output, differentiated by every weight."""
    W, _, _ = case.symbols()
    same(by_weights(case), case.at(derivatives(case.outputs(), W)))


@slip("errata-one-row-of-weights")
def dense_as_printed(case):
    """As printed: every line of the matrix is h^s (a column there; a row, for it to be m x d_h)."""
    m = len(case.t)
    return np.array([np.outer(np.ones(m, dtype=int), case.h) for k in range(m)])


def by_biases(case):
    # $$ \frac{\partial \mathbf{o}^a}{\partial \mathbf{b}^{(2)}} = I_m $$
    return np.eye(len(case.t), dtype=int)


@claim("errata-bias-jacobian", cases=outputs)
def each_output_by_each_bias(case, by_biases=by_biases):
    """Every output, differentiated by every bias."""
    _, _, b = case.symbols()
    same(by_biases(case), case.at(derivatives(case.outputs(), b)))


@slip("errata-bias-jacobian")
def ones_as_printed(case):
    """As printed: every output depends on every bias."""
    return np.ones((len(case.t), len(case.t)), dtype=int)


def assembled(case):
    # $$ \frac{\partial L}{\partial \mathbf{W}_{kj}^{(2)}} = (\mathbf{o}_k^s - \mathbf{1}_{\{k = y\}})\, h_j^s,
    #    \qquad \frac{\partial L}{\partial \mathbf{b}_k^{(2)}} = \mathbf{o}_k^s - \mathbf{1}_{\{k = y\}} $$
    m, d_h = case.W.shape
    return [[case.delta[k] * case.h[j] for j in range(d_h)] for k in range(m)], [case.delta[k] for k in range(m)]


@claim("errata-gradients-assembled", cases=outputs)
def loss_by_weights_and_biases(case, assembled=assembled):
    """The loss, differentiated by every weight and every bias."""
    W, _, b = case.symbols()
    by_W, by_b = assembled(case)
    same(by_W, case.at(derivatives(case.loss(), W)))
    same(by_b, case.at(derivatives(case.loss(), b)))


@slip("errata-gradients-assembled")
def label_forgotten(case):
    """Forget to subtract 1 at the label."""
    return [[s * h for h in case.h] for s in normalise(case.t)], list(normalise(case.t))


def bias_cases():
    """The first is o^s = (7/10, 3/10), with the first class right."""
    yield Output(np.array([[1, 2], [3, 4]]), np.array([2, 3]), exact(7, 3), 0)
    yield from outputs()


def bias_gradient(case):
    # $$ \frac{\partial L}{\partial \mathbf{b}^{(2)}} = \mathbf{o}^s - \text{onehot}_m(y) $$
    return case.delta


@claim("errata-bias-gradient", cases=bias_cases)
def loss_by_biases(case, bias_gradient=bias_gradient):
    """The loss, differentiated by every bias."""
    _, _, b = case.symbols()
    same(bias_gradient(case), case.at(derivatives(case.loss(), b)))


@slip("errata-bias-gradient")
def ones_times_delta(case):
    """As printed: a matrix of ones times the vector. Its entries sum to 0, so this is 0 whatever the network does."""
    m = len(case.t)
    return np.ones((m, m), dtype=int) @ case.delta


def weight_gradient(case):
    # $$ \frac{\partial L}{\partial \mathbf{W}^{(2)}} = (\mathbf{o}^s - \text{onehot}_m(y))\, (h^s)^T $$
    return np.outer(case.delta, case.h)


@claim("errata-weight-gradient", cases=bias_cases)
def loss_by_weights(case, weight_gradient=weight_gradient):
    """The loss, differentiated by every weight."""
    W, _, _ = case.symbols()
    same(weight_gradient(case), case.at(derivatives(case.loss(), W)))


@slip("errata-weight-gradient")
def equal_blocks(case):
    """As printed: m equal matrices, each times its entry of a vector that sums to 0."""
    m = len(case.t)
    return sum(case.delta[k] * np.outer(np.ones(m, dtype=int), case.h) for k in range(m))


def square_layers():
    """m = d_h = 2, where both products exist. The first has o^s = (1/2, 1/2)."""
    yield Output(np.array([[1, 2], [3, 4]]), np.array([2, 5]), exact(1, 1), 0)
    yield Output(np.array([[0, 1], [-2, 3]]), np.array([1, 1]), exact(1, 3), 1)


def hidden_gradient(case):
    # $$ \frac{\partial L}{\partial \mathbf{h}^{s}} = (\mathbf{W}^{(2)})^T (\mathbf{o}^s - \text{onehot}_m(y)) $$
    return case.W.T @ case.delta


@claim("errata-transposed-weights", cases=square_layers)
def loss_by_hidden_outputs(case, hidden_gradient=hidden_gradient):
    """The loss, differentiated by every output of the hidden layer."""
    _, h, _ = case.symbols()
    same(hidden_gradient(case), case.at(derivatives(case.loss(), h)))


def symmetric_weights(case):
    """W is symmetric."""
    return replace(case, W=case.W + case.W.T)


@slip("errata-transposed-weights", blind=symmetric_weights)
def not_transposed(case):
    """As printed: W without its transpose."""
    return case.W @ case.delta


@dataclass(frozen=True)
class Hidden(Output):
    """The same, with h^s = softplus(h^a) at h^a = log v: h is not used."""

    v: np.ndarray = None

    @property
    def slope(self):
        """The sigmoid of h^a."""
        return self.v / (1 + self.v)

    def differentiated(self):
        """The gradient of the loss by h^a, in symbols, then here."""
        import sympy

        letter, b = letters("v", len(self.v)), letters_b(len(self.t))
        o = [sum(int(w) * sympy.log(1 + s) for w, s in zip(row, letter, strict=True)) for row in self.W]
        loss = sympy.log(sum(sympy.exp(a + c) for a, c in zip(o, b, strict=True))) - o[self.y] - b[self.y]
        there = {s: Rational(v) for s, v in zip(letter, self.v, strict=True)}
        bias = {c: sympy.log(Rational(t)) - a.subs(there) for c, a, t in zip(b, o, self.t, strict=True)}
        return np.array([by_exponent(loss, s).subs(there).subs(bias) for s in letter])


def hidden_layers():
    """The first is h^a = (0, 0)."""
    for case, v in zip(square_layers(), (exact(1, 1), exact(2, "1/3")), strict=True):
        yield Hidden(case.W, case.h, case.t, case.y, v)


def preactivation_gradient(case):
    # $$ \frac{\partial L}{\partial \mathbf{h}^{a}} = \operatorname{diag}(\text{sigmoid}(\mathbf{h}^a))\,
    #    (\mathbf{W}^{(2)})^T (\mathbf{o}^s - \text{onehot}_m(y)) $$
    return case.slope * (case.W.T @ case.delta)


@claim("errata-transpose-carried-on", cases=hidden_layers)
def loss_by_hidden_preactivations(case, preactivation_gradient=preactivation_gradient):
    """The loss, differentiated by every pre-activation of the hidden layer."""
    same(preactivation_gradient(case), case.differentiated())


@slip("errata-transpose-carried-on", blind=symmetric_weights)
def not_transposed_either(case):
    """As printed: W without its transpose."""
    return case.slope * (case.W @ case.delta)


# --- E26, E27 ---------------------------------------------------------------------------------------------------------


def scalar_dimension():
    # $$ 32 \times 32 \times 64 = 65\,536 $$
    return 32 * 32 * 64


@claim("errata-scalar-dimension")
def three_layers_counted(scalar_dimension=scalar_dimension):
    """The windows of each layer are counted, then the outputs of the last."""
    n = len(windows(128, 8, 2, 3))
    n = len(windows(n, 2, 2, 0))
    n = len(windows(n, 3, 1, 1))
    same(scalar_dimension(), sum(1 for _ in itertools.product(range(64), range(n), range(n))))


@slip("errata-scalar-dimension")
def channels_forgotten():
    """Count the positions, and not the channels."""
    return 32 * 32


def last_layer_weights():
    # $$ 3 \times 3 \times 32 \times 64 = 18\,432 $$
    return 3 * 3 * 32 * 64


@claim("errata-last-layer-weights")
def weights_listed(last_layer_weights=last_layer_weights):
    """One weight for each row, column, input channel and kernel: they are listed."""
    same(last_layer_weights(), len(list(itertools.product(range(3), range(3), range(32), range(64)))))


@slip("errata-last-layer-weights")
def input_channels_forgotten():
    """As printed: the 32 input channels are forgotten."""
    return 3 * 3 * 64


# --- E28, E29 ---------------------------------------------------------------------------------------------------------

SIGNAL = (1, 1, 4, 4, 4, 1, 1)


def convolved(taps):
    """Full, valid and same convolution of the signal with equal taps of 1/4. Same: the 7 values that NumPy keeps."""
    kernel = [Fraction(1, 4)] * taps
    full = [Fraction(0)] * (len(SIGNAL) + taps - 1)
    for i, value in enumerate(SIGNAL):
        for j, tap in enumerate(kernel):
            full[i + j] += value * tap
    first = (taps - 1) // 2
    return full, full[taps - 1 : len(SIGNAL)], full[first : first + len(SIGNAL)]


def four_taps():
    # $$ \text{full} = \bigl[\tfrac14, \tfrac12, \tfrac32, \tfrac52, \tfrac{13}4, \tfrac{13}4, \tfrac52, \tfrac32,
    #    \tfrac12, \tfrac14\bigr], \qquad \text{valid} = \bigl[\tfrac52, \tfrac{13}4, \tfrac{13}4, \tfrac52\bigr] $$
    # $$ \text{same} = \bigl[\tfrac12, \tfrac32, \tfrac52, \tfrac{13}4, \tfrac{13}4, \tfrac52, \tfrac32\bigr] $$
    return convolved(4)


@claim("errata-four-taps")
def by_numpy(four_taps=four_taps):
    """NumPy's convolution, in integers: four times each value."""
    for mode, values in zip(("full", "valid", "same"), four_taps(), strict=True):
        note("rational arithmetic")
        same([4 * value for value in values], [int(v) for v in np.convolve(SIGNAL, [1, 1, 1, 1], mode)])


@claim("errata-four-taps")
def on_the_page(four_taps=four_taps):
    """The three lists as this page prints them."""
    full = exact("1/4", "1/2", "3/2", "5/2", "13/4", "13/4", "5/2", "3/2", "1/2", "1/4")
    valid = exact("5/2", "13/4", "13/4", "5/2")
    for printed, value in zip((full, valid, full[1:8]), four_taps(), strict=True):
        same(value, printed)


@slip("errata-four-taps")
def three_taps():
    """As printed in the answer: a kernel of three quarters."""
    return convolved(3)


def printed_lists():
    # $$ \bigl[\tfrac14, \tfrac12, \tfrac32, \tfrac94, 3, \tfrac94, \tfrac32, \tfrac12, \tfrac14\bigr], \qquad
    #    \bigl[\tfrac32, \tfrac94, 3, \tfrac94, \tfrac32\bigr], \qquad \bigl[\tfrac12, \tfrac32, \tfrac94, 3,
    #    \tfrac94, \tfrac32, \tfrac12\bigr] $$
    full = exact("1/4", "1/2", "3/2", "9/4", 3, "9/4", "3/2", "1/2", "1/4")
    valid = exact("3/2", "9/4", 3, "9/4", "3/2")
    return full, valid, exact("1/2", "3/2", "9/4", 3, "9/4", "3/2", "1/2")


@claim("errata-three-taps-were-used")
def three_taps_by_definition(printed_lists=printed_lists):
    """The definition, with three taps: full, valid, same."""
    for printed, value in zip(printed_lists(), convolved(3), strict=True):
        same(printed, value)


def gains():
    # $$ \sum_k \tfrac14 = 1 \ \text{ with four taps}, \qquad \tfrac34 \ \text{ with three} $$
    return [Fraction(1), Fraction(3, 4)]


@claim("errata-gain-of-the-filter")
def constant_signal(gains=gains):
    """Filter a constant 4 with each kernel: 4 comes out of the first, 3 of the second."""
    out = [int(v) for taps in (4, 3) for v in set(np.convolve([4] * 9, [1] * taps, "valid"))]
    note("rational arithmetic")
    same([4 * gain for gain in gains()], [Fraction(v, 4) for v in out])


@slip("errata-gain-of-the-filter")
def taken_for_a_mean():
    """Take the kernel of three quarters for a mean, too."""
    return [Fraction(1), Fraction(1)]
