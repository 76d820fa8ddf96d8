"""Activation functions: the claims of the chapter, in its order.

Letters, as on the page: x the input; alpha the sharpness, which `swish` calls beta; z = alpha x; a_r, a_l, x_r, x_l the
slopes and the knots of the piecewise linear function, which the code calls a, b, alpha, beta.
"""

import functools
import inspect
import operator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from dlnotes import activation
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

# --- cases: points in numbers, in symbols, and real numbers of which nothing is known --------------------------------


@dataclass(frozen=True)
class Points:
    """Points x, and a sharpness alpha. The definitions are spelled out as the sheets have them."""

    x: Any
    alpha: Any = 1.7

    exp = staticmethod(np.exp)
    log = staticmethod(np.log)

    def sigma(self, x):
        return 1 / (1 + self.exp(-x))

    def tanh(self, x):
        return (self.exp(x) - self.exp(-x)) / (self.exp(x) + self.exp(-x))

    def softplus(self, x):
        return self.log(1 + self.exp(x))

    def swish(self, x):
        return x * self.sigma(self.alpha * x)

    def derivative(self, f):
        """The derivative of f at each of the points."""
        return complex_step(lambda x: f(x).sum(), self.x)


class Letters(Points):
    """The same at one point, a SymPy symbol: what holds there holds for all real numbers."""

    @staticmethod
    def exp(x):
        import sympy

        return sympy.exp(x)

    @staticmethod
    def log(x):
        import sympy

        return sympy.log(x)

    def derivative(self, f):
        import sympy

        z = sympy.Symbol("z", real=True)
        return f(z).diff(z).subs(z, self.x)


def points(rng):
    """Six points on both sides of zero, up to about 4, and a sharpness."""
    x = rng.uniform(0.3, 4, (2, 3)) * [[1, -1, 1], [-1, 1, -1]]
    return Points(x, alpha=rng.uniform(1.3, 2.5))


def letters():
    """One real x and one positive alpha, in symbols."""
    import sympy

    yield Letters(sympy.Symbol("x", real=True), sympy.Symbol("alpha", positive=True))


def one_sided_letters():
    """A positive and a negative x, in symbols."""
    import sympy

    alpha = sympy.Symbol("alpha", positive=True)
    yield Letters(sympy.Symbol("x", positive=True), alpha)
    yield Letters(sympy.Symbol("x", negative=True), alpha)


def with_zero(rng):
    """Points on both sides of zero, and zero itself."""
    case = points(rng)
    return replace(case, x=np.append(case.x, 0.0))


def off_zero(case):
    """No point is zero."""
    return replace(case, x=np.where(case.x == 0, 1.0, case.x))


def sixty_digits(f, x, *others):
    """The values of f, a function of mpmath numbers, at the entries of x, computed with 60 digits."""
    import mpmath

    note("60 digits")
    with mpmath.workdps(60):
        others = [mpmath.mpf(other) for other in others]
        return np.array([float(f(mpmath, mpmath.mpf(float(entry)), *others)) for entry in np.ravel(x)]).reshape(
            np.shape(x)
        )


class Real:
    """Any real number: a term of Z3. The package's own functions run on it.

    A comparison is first taken to be true, if it can be, and later, in another run, to be false: see `runs`.
    """

    guessed: tuple = ()  # truth values to give, in the order of the questions
    asked: list = []  # noqa: RUF012  # what was asked in this run: (statement, its truth)

    def __init__(self, term):
        self.term = term

    def _decide(self, statement):
        known = len(Real.asked) < len(Real.guessed)
        truth = Real.guessed[len(Real.asked)] if known else possible([*Real.asked, (statement, True)])
        Real.asked.append((statement, truth))
        return truth

    __hash__ = None

    def _with(self, other, operation):
        return NotImplemented if isinstance(other, np.ndarray) else Real(operation(self.term, term(other)))

    def __add__(self, other):
        return self._with(other, operator.add)

    def __sub__(self, other):
        return self._with(other, operator.sub)

    def __rsub__(self, other):
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other):
        return self._with(other, operator.mul)

    def __neg__(self):
        return Real(-self.term)

    def __lt__(self, other):
        return self._decide(self.term < term(other))

    def __le__(self, other):
        return self._decide(self.term <= term(other))

    def __gt__(self, other):
        return self._decide(self.term > term(other))

    def __ge__(self, other):
        return self._decide(self.term >= term(other))

    def __eq__(self, other):
        return self._decide(self.term == term(other))

    __radd__, __rmul__ = __add__, __mul__


def term(value):
    """The term of Z3 that a number, or a Real, is."""
    import z3

    return value.term if isinstance(value, Real) else z3.RealVal(str(Fraction(value)))


def all_of(asked):
    """The statements that were taken to be true, and the negations of the others."""
    import z3

    return z3.And(*(statement if truth else z3.Not(statement) for statement, truth in asked))


def possible(asked):
    """Whether these answers can be true of some real numbers."""
    import z3

    solver = z3.SimpleSolver()
    solver.add(all_of(asked))
    return solver.check() != z3.unsat


def runs(f):
    """Run f once for each way in which its comparisons can turn out: (what was assumed, the value; None if refused)."""
    todo = [()]
    while todo:
        Real.guessed, Real.asked = todo.pop(), []
        given = len(Real.guessed)
        try:
            value = f()
        except ValueError:
            value = None
        asked, truths = Real.asked, tuple(truth for _, truth in Real.asked)
        for k in range(given, len(asked)):
            if truths[k] and possible([*asked[:k], (asked[k][0], False)]):
                todo.append((*truths[:k], False))
        yield all_of(asked), value


def proved_of(f, holds, *, given=True):
    """Prove holds(the entries of f()) in every run of f that the hypothesis `given` allows. None is refused."""
    import z3

    for assumed, value in runs(f):
        if value is None:
            proved(z3.Not(z3.And(given, assumed)))
            continue
        entries = [term(entry) for entry in np.ravel(np.asarray(value, dtype=object))]
        proved(z3.Implies(z3.And(given, assumed), holds(*entries)))


def real(name):
    import z3

    return Real(z3.Real(name))


def any_real():
    """One real number of which nothing is known."""
    yield Points(real("x"))


# --- the definitions: sigmoid, tanh, softplus -------------------------------------------------------------------------


def sigmoid(case):
    # $$ \sigma(x) = \frac{1}{1 + e^{-x}} $$
    return activation.sigmoid(case.x)


@claim("activation-sigmoid", cases=points)
def sigmoid_by_definition(case, sigmoid=sigmoid):
    """The definition, in 60-digit arithmetic."""
    agree(sigmoid(case), sixty_digits(lambda mp, x: 1 / (1 + mp.exp(-x)), case.x))


@claim("activation-sigmoid", cases=points)
def sigmoid_by_torch(case, sigmoid=sigmoid):
    """PyTorch's own."""
    agree(sigmoid(case), need("torch").sigmoid(need("torch").tensor(case.x)).numpy())


def at_zero(case):
    """x = 0."""
    return replace(case, x=0 * case.x)


@slip("activation-sigmoid", blind=at_zero)
def sign_of_the_exponent_lost(case):
    """Write 1 / (1 + e^x)."""
    return 1 / (1 + np.exp(case.x))


def tanh(case):
    # $$ \tanh(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}} $$
    return activation.tanh(case.x)


@claim("activation-tanh", cases=points)
def tanh_by_definition(case, tanh=tanh):
    """The definition, in 60-digit arithmetic."""
    agree(tanh(case), sixty_digits(lambda mp, x: (mp.exp(x) - mp.exp(-x)) / (mp.exp(x) + mp.exp(-x)), case.x))


def printed_tanh(case):
    # $$ \frac{e^x\,e^{-x}}{e^x + e^{-x}} = \frac{1}{2 \cosh x} $$
    return case.exp(case.x) * case.exp(-case.x) / (case.exp(case.x) + case.exp(-case.x))


@slip("activation-tanh")
def tanh_as_printed(case):
    """Read the sheet to the letter, where the scan lost the minus: a product stands above the line."""
    return printed_tanh(case)


@slip("activation-tanh")
def half_the_argument(case):
    """Take 2 sigma(x) - 1, which is tanh(x / 2)."""
    return 2 * case.sigma(case.x) - 1


def by_sigmoid(case):
    # $$ \tanh(x) = 2\,\sigma(2x) - 1 $$
    return 2 * case.sigma(2 * case.x) - 1


@claim("activation-tanh-by-sigmoid", cases=letters)
def tanh_by_sigmoid_in_symbols(case, by_sigmoid=by_sigmoid):
    """Both sides in symbols."""
    same(by_sigmoid(case), case.tanh(case.x))


@claim("activation-tanh-by-sigmoid", cases=points)
def tanh_by_sigmoid_measured(case, by_sigmoid=by_sigmoid):
    """The functions of the package, at six points."""
    agree(by_sigmoid(case), activation.tanh(case.x))
    agree(2 * activation.sigmoid(2 * case.x) - 1, activation.tanh(case.x))


@slip("activation-tanh-by-sigmoid")
def argument_not_doubled(case):
    """Write 2 sigma(x) - 1."""
    return 2 * case.sigma(case.x) - 1


@claim("activation-tanh-misprint", cases=letters)
def printed_tanh_in_symbols(case, printed_tanh=printed_tanh):
    """The formula as printed, in symbols: 1 / (2 cosh x), which is 1/2 at 0."""
    import sympy

    same(printed_tanh(case), (1 / (2 * sympy.cosh(case.x))).rewrite(sympy.exp))
    same(printed_tanh(at_zero(case)), Fraction(1, 2))


@claim("activation-tanh-misprint", cases=points)
def printed_tanh_is_not_tanh(case, printed_tanh=printed_tanh):
    """At six points: the cosh is right, and tanh is another function."""
    agree(printed_tanh(case), 0.5 / np.cosh(case.x))
    differ(printed_tanh(case), activation.tanh(case.x))


@slip("activation-tanh-misprint")
def missing_minus_supplied(case):
    """Read the minus into it, and get tanh."""
    return case.tanh(case.x)


def softplus(case):
    # $$ \operatorname{softplus}(x) = \log(1 + e^x) $$
    return activation.softplus(case.x)


@claim("activation-softplus", cases=points)
def softplus_by_definition(case, softplus=softplus):
    """The definition, in 60-digit arithmetic."""
    agree(softplus(case), sixty_digits(lambda mp, x: mp.log(1 + mp.exp(x)), case.x))


@slip("activation-softplus", blind=at_zero)
def softplus_of_minus_x(case):
    """Write log(1 + e^{-x})."""
    return np.log(1 + np.exp(-case.x))


@slip("activation-softplus")
def one_forgotten(case):
    """Write log(e^x), which is x."""
    return np.log(np.exp(case.x))


# --- the definitions: Heaviside and ReLU ------------------------------------------------------------------------------


def heaviside(case):
    # $$ \operatorname{heaviside}(x) = [\,x > 0\,] + \tfrac12 [\,x = 0\,] $$
    return activation.heaviside(case.x)


@claim("activation-heaviside", cases=any_real)
def heaviside_for_all_x(case, heaviside=heaviside):
    """The three cases of the sheet, for every real x."""
    import z3

    x = case.x.term
    proved_of(lambda: heaviside(case), lambda y: y == z3.If(x > 0, 1, z3.If(x < 0, z3.RealVal(0), z3.Q(1, 2))))


@claim("activation-heaviside", cases=with_zero)
def heaviside_by_numpy(case, heaviside=heaviside):
    """NumPy's own, with 1/2 at 0."""
    agree(heaviside(case), np.heaviside(case.x, 0.5))


@slip("activation-heaviside")
def one_at_zero(case):
    """Give 1 at 0."""
    return np.where(case.x >= 0, 1.0, 0.0)


@slip("activation-heaviside")
def zero_at_zero(case):
    """Give 0 at 0."""
    return np.where(case.x > 0, 1.0, 0.0)


def relu(case):
    # $$ \operatorname{relu}(x) = \max(0, x) = x\,[\,x > 0\,] $$
    return activation.relu(case.x)


@claim("activation-relu", cases=any_real)
def relu_for_all_x(case, relu=relu):
    """Not below 0 nor below x, and equal to one of them; and x times the indicator: for every real x."""
    import z3

    x = case.x.term
    proved_of(lambda: relu(case), lambda y: z3.And(y >= 0, y >= x, z3.Or(y == 0, y == x), y == x * z3.If(x > 0, 1, 0)))


@claim("activation-relu", cases=with_zero)
def relu_one_by_one(case, relu=relu):
    """The definition, one number at a time."""
    agree(relu(case), [max(0.0, x) for x in case.x.tolist()])


@slip("activation-relu")
def relu_as_printed(case):
    """Read the sheet to the letter, where the factor x is lost: the indicator alone, which is 1 at 2."""
    return np.where(case.x > 0, 1.0, 0.0)


@slip("activation-relu")
def absolute_value(case):
    """Take |x|."""
    return np.where(case.x > 0, case.x, -case.x)


# --- sign, by indicators ----------------------------------------------------------------------------------------------


def sign(case):
    # $$ \operatorname{sign}(x) = [\,x > 0\,] - [\,x < 0\,] = [\,x \ge 0\,] - [\,x \le 0\,] $$
    return activation.sign(case.x)


@claim("activation-sign", cases=any_real)
def sign_for_all_x(case, sign=sign):
    """The definition of the sheet and both differences of indicators, for every real x."""
    import z3

    x = case.x.term

    def holds(y):
        def indicator(statement):
            return z3.If(statement, z3.RealVal(1), z3.RealVal(0))

        return z3.And(
            y == z3.If(x > 0, 1, z3.If(x < 0, z3.RealVal(-1), z3.RealVal(0))),
            y == indicator(x > 0) - indicator(x < 0),
            y == indicator(x >= 0) - indicator(x <= 0),
        )

    proved_of(lambda: sign(case), holds)


@claim("activation-sign", cases=with_zero)
def sign_one_by_one(case, sign=sign):
    """The definition, one number at a time."""
    agree(sign(case), [1.0 if x > 0 else -1.0 if x < 0 else 0.0 for x in case.x.tolist()])


@slip("activation-sign")
def twice_one_indicator_less_one(case):
    """Write 2 [x > 0] - 1, which is -1 at 0."""
    return 2 * np.where(case.x > 0, 1.0, 0.0) - 1


@slip("activation-sign")
def zero_counted_as_positive(case):
    """Write [x >= 0] - [x < 0], which is 1 at 0."""
    return np.where(case.x >= 0, 1.0, 0.0) - np.where(case.x < 0, 1.0, 0.0)


# --- the derivative of ReLU -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moved:
    """A point x, and a step delta from it."""

    x: Any
    delta: Any


def moved_real():
    """Any x and any delta."""
    yield Moved(real("x"), real("delta"))


def moved_within_a_piece(rng):
    """Points on both sides of zero, as Fractions, and steps of both signs that do not cross zero."""
    x = np.array([Fraction(int(n), 8) for n in rng.integers(3, 40, 6)]) * [1, -1, 1, 1, -1, -1]
    return Moved(x, x * Fraction(2, 3) * [1, -1, -1, 1, 1, -1])


def d_relu(case):
    # $$ \frac{\operatorname{relu}(x + \delta) - \operatorname{relu}(x)}{\delta}
    #    = \operatorname{heaviside}(x) \qquad (0 < \lvert\delta\rvert < \lvert x\rvert) $$
    return activation.d_relu(case.x)


@claim("activation-relu-derivative", cases=moved_real)
def quotient_for_all_x(case, d_relu=d_relu):
    """The difference quotient of ReLU, for every real x and every step that does not reach 0; and the step function."""
    import z3

    x, delta = case.x.term, case.delta.term
    short = z3.And(delta != 0, z3.If(delta > 0, delta, -delta) < z3.If(x > 0, x, -x))

    def sides():
        change = activation.relu(case.x + case.delta) - activation.relu(case.x)
        return d_relu(case), change, activation.heaviside(case.x)

    proved_of(sides, lambda slope, change, step: z3.And(slope * delta == change, slope == step), given=short)


@claim("activation-relu-derivative", cases=moved_within_a_piece)
def quotient_in_fractions(case, d_relu=d_relu):
    """The same quotient at six points, in fractions."""
    quotient = (activation.relu(case.x + case.delta) - activation.relu(case.x)) / case.delta
    same([Fraction(slope) for slope in d_relu(case)], quotient)


@slip("activation-relu-derivative")
def sign_for_step(case):
    """Take the sign, which is -1 on the left."""
    return activation.sign(case.x)


@slip("activation-relu-derivative")
def slope_one_everywhere(case):
    """Differentiate x, and forget the maximum."""
    return np.sign(case.x) ** 2 if isinstance(case.x, np.ndarray) else 1


def any_step():
    """Any step delta > 0, from x = 0."""
    yield Moved(0, real("delta"))


def step_fractions():
    """Steps from 1 down to 10^-9, in fractions."""
    for k in (0, 1, 3, 9):
        yield Moved(0, Fraction(1, 10**k))


def changes_at_zero(case):
    # $$ \frac{\operatorname{relu}(\delta) - \operatorname{relu}(0)}{\delta} = 1, \qquad
    #    \frac{\operatorname{relu}(-\delta) - \operatorname{relu}(0)}{-\delta} = 0 \qquad (\delta > 0) $$
    zero = 0 * case.delta
    start = activation.relu(zero)
    return [activation.relu(case.delta) - start, -(activation.relu(-case.delta) - start)]


@claim("activation-relu-kink", cases=any_step)
def one_sided_for_all_steps(case, changes=changes_at_zero):
    """The changes are 1 times and 0 times the step, for every step: quotients with two limits."""
    import z3

    delta = case.delta.term
    proved_of(lambda: changes(case), lambda right, left: z3.And(right == delta, left == 0), given=delta > 0)


@claim("activation-relu-kink", cases=step_fractions)
def one_sided_in_fractions(case, changes=changes_at_zero):
    """The quotients of steps down to a billionth, in fractions."""
    right, left = changes(case)
    same([right / case.delta, left / case.delta], [1, 0])


@slip("activation-relu-kink")
def half_by_symmetry(case):
    """Say that the derivative at 0 is 1/2: the quotient from -delta to delta is, for every delta."""
    return [case.delta * Fraction(1, 2), case.delta * Fraction(1, 2)]


def convention():
    # $$ \operatorname{relu}'(0) := 0 \ne \operatorname{heaviside}(0) = \tfrac12 $$
    return np.array([activation.d_relu(0.0), activation.heaviside(0.0)])


@claim("activation-relu-at-zero")
def zero_as_in_torch(values=convention):
    """PyTorch's gradient of ReLU at 0, and its step function there with the value of the sheet."""
    torch = need("torch")
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    torch.relu(x).sum().backward()
    step = torch.heaviside(torch.zeros(1), torch.tensor([0.5]))
    agree(values(), [x.grad.item(), step.item()])


@claim("activation-relu-at-zero")
def zero_is_the_slope_on_the_left(values=convention):
    """The value at 0 is the slope on the left, and the two functions differ there."""
    slope, step = values()
    same(Fraction(slope), (activation.relu(Fraction(0)) - activation.relu(Fraction(-1, 7))) * 7)
    same(Fraction(step), Fraction(1, 2))


@slip("activation-relu-at-zero")
def step_function_everywhere():
    """Say that the derivative is the step function everywhere, and so 1/2 at 0."""
    return np.array([0.5, 0.5])


# --- ReLU by the step function ----------------------------------------------------------------------------------------


def product_with_step(case):
    # $$ \operatorname{relu}(x) = x \operatorname{heaviside}(x) $$
    return case.x * activation.heaviside(case.x)


@claim("activation-relu-product", cases=any_real)
def product_for_all_x(case, product=product_with_step):
    """x times the step function, and the maximum of 0 and x: for every real x, 0 included."""
    import z3

    x = case.x.term
    proved_of(lambda: product(case), lambda y: y == z3.If(x > 0, x, 0))


@claim("activation-relu-product", cases=with_zero)
def product_measured(case, product=product_with_step):
    """The same in numbers, against `relu`."""
    agree(product(case), activation.relu(case.x))


@slip("activation-relu-product")
def factor_x_forgotten(case):
    """Give the step function itself."""
    return activation.heaviside(case.x)


@slip("activation-relu-product")
def product_with_sign(case):
    """Multiply by the sign: that is |x|."""
    return case.x * activation.sign(case.x)


def integral_of_step(case):
    # $$ \operatorname{relu}(x) = \int_{-\infty}^{x} \operatorname{heaviside}(z)\,dz
    #    = \int_{0}^{x} \operatorname{heaviside}(z)\,dz $$
    import sympy

    z = sympy.Symbol("z", real=True)
    return [sympy.integrate(sympy.Heaviside(z), (z, start, case.x)) for start in (-sympy.oo, 0)]


@claim("activation-relu-integral", cases=one_sided_letters)
def integrals_in_symbols(case, integral=integral_of_step):
    """Both definite integrals, for a positive and for a negative x."""
    same(integral(case), [activation.relu(case.x)] * 2)


@slip("activation-relu-integral")
def no_bounds(case):
    """Write the integral without bounds. Then x heaviside(x) + 7 will do too: at 2 it is 9."""
    return [activation.relu(case.x) + 7] * 2


@slip("activation-relu-integral")
def from_x_on(case):
    """Integrate from x upwards, here to 10 + |x|: with no upper bound the integral is infinite."""
    import sympy

    z = sympy.Symbol("z", real=True)
    return [sympy.integrate(sympy.Heaviside(z), (z, case.x, 10 + abs(case.x)))] * 2


# --- the step function as a limit of sigmoids -------------------------------------------------------------------------


def three_signs():
    """A positive x, zero, and a negative x, in symbols."""
    import sympy

    yield Letters([sympy.Symbol("x", positive=True), sympy.Integer(0), sympy.Symbol("y", negative=True)])


def limit_of_sigmoid(case):
    # $$ \lim_{\alpha \to \infty} \sigma(\alpha x) = \operatorname{heaviside}(x) $$
    return [Fraction(activation.heaviside(x)) for x in np.array(case.x, dtype=object)]


@claim("activation-logistic-limit", cases=three_signs)
def limits_in_symbols(case, limits=limit_of_sigmoid):
    """The limit for a positive x, for zero, and for a negative x."""
    import sympy

    alpha = sympy.Symbol("alpha", positive=True)
    same(limits(case), [sympy.limit(1 / (1 + sympy.exp(-alpha * x)), alpha, sympy.oo) for x in case.x])


@slip("activation-logistic-limit")
def one_at_zero_in_the_limit(case):
    """Take the limit to be 1 at 0."""
    return [1, 1, 0]


@slip("activation-logistic-limit")
def zero_at_zero_in_the_limit(case):
    """Take the limit to be 0 at 0."""
    return [1, 0, 0]


@slip("activation-logistic-limit")
def alpha_to_zero(case):
    """Let alpha go to 0: the limit is 1/2 everywhere."""
    return [Fraction(1, 2)] * 3


def step_gap(case):
    # $$ \lvert \sigma(\alpha x) - \operatorname{heaviside}(x) \rvert
    #    = \sigma(-\alpha \lvert x\rvert) \le e^{-\alpha \lvert x\rvert} \qquad (x \ne 0) $$
    return np.where(case.x == 0, 0, case.sigma(-case.alpha * np.abs(case.x)))[()]


@claim("activation-logistic-gap", cases=with_zero)
def gap_measured(case, gap=step_gap):
    """The distance at points on both sides of 0, and at 0; and its bound."""
    agree(gap(case), np.abs(activation.sigmoid(case.alpha * case.x) - activation.heaviside(case.x)))
    at_most(gap(case), np.exp(-case.alpha * np.abs(case.x)))


def gap_in_symbols_of(case):
    """Sigma at minus alpha |x|, for a symbol that is not 0."""
    return case.sigma(-case.alpha * abs(case.x))


@claim("activation-logistic-gap", cases=one_sided_letters)
def gap_in_symbols(case, gap=gap_in_symbols_of):
    """The distance for a positive and for a negative x; it is exponential over 1 plus exponential."""
    step = 1 if case.x.is_positive else 0
    same(gap(case), (step - case.sigma(case.alpha * case.x)) * (1 if step else -1))
    bound = case.exp(-case.alpha * abs(case.x))
    same(gap(case), bound / (1 + bound))


@slip("activation-logistic-gap")
def bound_taken_for_the_gap(case):
    """Give the bound as if it were the distance."""
    return case.exp(-case.alpha * abs(case.x))


def gap_at_zero(case):
    # $$ \lvert \sigma(\alpha \cdot 0) - \operatorname{heaviside}(0) \rvert = 0 $$
    return abs(activation.sigmoid(case.alpha * 0.0) - activation.heaviside(0.0))


@claim("activation-logistic-gap-at-zero", cases=points)
def no_gap_at_zero(case, gap=gap_at_zero):
    """Sigma at 0 is 1/2, as the step function, whatever alpha."""
    agree(gap(case), case.sigma(case.alpha * 0) - 0.5, scale=0.5)


@slip("activation-logistic-gap-at-zero")
def formula_carried_over_to_zero(case):
    """Use sigma(-alpha |x|) at 0 too: that is 1/2."""
    return case.sigma(-case.alpha * 0)


def largest_gap(case):
    # $$ \sup_{x \ne 0}\, \lvert \sigma(\alpha x) - \operatorname{heaviside}(x) \rvert = \frac12 $$
    return Fraction(1, 2)


def sharpnesses():
    """One alpha, from 1 to a million."""
    for alpha in (1.0, 30.0, 1e6):
        yield Points(np.array([1e-9, 1e-6, 1e-3, 0.1, 3.0]) / alpha, alpha)


@claim("activation-logistic-not-uniform", cases=letters)
def supremum_in_symbols(case, largest=largest_gap):
    """The distance on the right of 0 falls with x, and its limit at 0 is 1/2, whatever alpha."""
    import sympy

    x = sympy.Symbol("x", positive=True)
    gap = case.sigma(-case.alpha * x)
    same(largest(case), sympy.limit(gap, x, 0, "+"))
    same(gap.diff(x), -case.alpha * gap * (1 - gap))


@claim("activation-logistic-not-uniform", cases=sharpnesses)
def supremum_measured(case, largest=largest_gap):
    """At x = 10^-9 / alpha the distance is 1/2 but for a billionth; it is nowhere more."""
    gap = np.abs(activation.sigmoid(case.alpha * case.x) - activation.heaviside(case.x))
    at_most(gap, np.full(gap.shape, float(largest(case))), scale=0.5)
    agree(largest(case), gap.max(), tolerance=1e-8)


@slip("activation-logistic-not-uniform")
def uniform(case):
    """Believe that the convergence is uniform: a large alpha makes all distances small."""
    return 0


# --- the derivative of the sigmoid ------------------------------------------------------------------------------------


def d_sigmoid_by_sigma(case):
    return case.sigma(case.x) * (1 - case.sigma(case.x))


def d_sigmoid(case):
    # $$ \sigma'(x) = \sigma(x)\,(1 - \sigma(x)) $$
    return activation.d_sigmoid(case.x)


@claim("activation-sigmoid-derivative", cases=points)
def d_sigmoid_by_complex_step(case, d_sigmoid=d_sigmoid):
    """The definition, differentiated by a complex step; and the formula."""
    agree(d_sigmoid(case), case.derivative(case.sigma))
    agree(d_sigmoid(case), d_sigmoid_by_sigma(case))


@claim("activation-sigmoid-derivative", cases=letters)
def d_sigmoid_in_symbols(case, d_sigmoid=d_sigmoid_by_sigma):
    """The definition, differentiated in symbols."""
    same(d_sigmoid(case), case.derivative(case.sigma))


@slip("activation-sigmoid-derivative")
def plus_for_minus(case):
    """Write sigma (1 + sigma)."""
    return case.sigma(case.x) * (1 + case.sigma(case.x))


@slip("activation-sigmoid-derivative", blind=at_zero)
def sigma_squared(case):
    """Write sigma^2."""
    return case.sigma(case.x) ** 2


@slip("activation-sigmoid-derivative")
def minus_in_front(case):
    """Forget that the exponent has a minus of its own."""
    return -case.sigma(case.x) * (1 - case.sigma(case.x))


@steps("activation-sigmoid-derivative-steps", cases=(points, letters), ends_in=d_sigmoid_by_sigma)
def d_sigmoid_steps(case):
    """The quotient rule, and a quotient taken apart."""
    e = case.exp(-case.x)
    # \sigma'(x)
    yield case.derivative(case.sigma)
    # = \frac{e^{-x}}{(1 + e^{-x})^2}
    yield e / (1 + e) ** 2
    # = \frac{1}{1 + e^{-x}}\;\frac{e^{-x}}{1 + e^{-x}}
    yield 1 / (1 + e) * (e / (1 + e))
    # = \sigma(x)\,(1 - \sigma(x))
    yield case.sigma(case.x) * (1 - case.sigma(case.x))


def below_a_quarter(case):
    # $$ \sigma'(x) = \frac14 - \Bigl( \sigma(x) - \frac12 \Bigr)^2 \le \frac14 $$
    return Fraction(1, 4) - (case.sigma(case.x) - Fraction(1, 2)) ** 2


@claim("activation-sigmoid-derivative-largest", cases=letters)
def quarter_in_symbols(case, d_sigmoid=below_a_quarter):
    """The square completed, in symbols."""
    same(d_sigmoid(case), case.derivative(case.sigma))


@claim("activation-sigmoid-derivative-largest", cases=any_real)
def quarter_for_all(case):
    """For every real s: s (1 - s) is at most 1/4, and equal to it only if s = 1/2."""
    import z3

    s = case.x.term
    proved(z3.And(s * (1 - s) <= z3.Q(1, 4), z3.Implies(s * (1 - s) == z3.Q(1, 4), s == z3.Q(1, 2))))


@slip("activation-sigmoid-derivative-largest")
def as_large_as_that_of_tanh(case):
    """Take the largest slope to be 1, as that of tanh."""
    return 1 - (2 * case.sigma(case.x) - 1) ** 2


@dataclass(frozen=True)
class Vector(Points):
    """A vector of points."""


def vector(rng):
    """Three points: a vector of which no two entries are equal."""
    return Vector(np.array([0.4, -1.1, 2.3]) + rng.uniform(0, 0.5, 3))


def one_entry(case):
    """A vector of one entry."""
    return replace(case, x=case.x[:1])


def jacobian(case):
    # $$ J_{ij} = \frac{\partial \sigma(x_i)}{\partial x_j} = [\,i = j\,]\;\sigma(x_i)\,(1 - \sigma(x_i)) $$
    return np.diag(activation.d_sigmoid(case.x))


@claim("activation-logistic-jacobian", cases=vector)
def jacobian_by_complex_step(case, jacobian=jacobian):
    """Each output, differentiated along each input by a complex step."""
    rows = [complex_step(lambda x, i=i: case.sigma(x)[i], case.x) for i in range(len(case.x))]
    agree(jacobian(case), rows)


@claim("activation-logistic-jacobian", cases=vector)
def jacobian_by_torch(case, jacobian=jacobian):
    """PyTorch's Jacobian."""
    torch = need("torch")
    agree(jacobian(case), torch.autograd.functional.jacobian(torch.sigmoid, torch.tensor(case.x)).numpy())


@slip("activation-logistic-jacobian", blind=one_entry)
def jacobian_of_a_softmax(case):
    """Use the pattern of softmax, sigma(x_i) ([i = j] - sigma(x_j)): right on the diagonal, not zero off it."""
    s = case.sigma(case.x)
    return s[:, None] * (np.eye(len(s)) - s)


@slip("activation-logistic-jacobian")
def delta_forgotten(case):
    """Leave out [i = j]: every row holds all the derivatives."""
    return np.tile(case.sigma(case.x) * (1 - case.sigma(case.x)), (len(case.x), 1))


# --- the derivative of tanh -------------------------------------------------------------------------------------------


def d_tanh_by_tanh(case):
    return 1 - case.tanh(case.x) ** 2


def d_tanh(case):
    # $$ \tanh'(x) = 1 - \tanh(x)^2 $$
    return activation.d_tanh(case.x)


@claim("activation-tanh-derivative", cases=points)
def d_tanh_by_complex_step(case, d_tanh=d_tanh):
    """The definition, differentiated by a complex step; and the formula."""
    agree(d_tanh(case), case.derivative(case.tanh))
    agree(d_tanh(case), d_tanh_by_tanh(case))


@claim("activation-tanh-derivative", cases=letters)
def d_tanh_in_symbols(case, d_tanh=d_tanh_by_tanh):
    """The definition, differentiated in symbols."""
    same(d_tanh(case), case.derivative(case.tanh))


@slip("activation-tanh-derivative")
def tanh_not_squared(case):
    """Write 1 - tanh."""
    return 1 - case.tanh(case.x)


@slip("activation-tanh-derivative")
def rule_of_the_sigmoid(case):
    """Write tanh (1 - tanh), by analogy."""
    return case.tanh(case.x) * (1 - case.tanh(case.x))


@steps("activation-tanh-derivative-steps", cases=(points, letters), ends_in=d_tanh_by_tanh)
def d_tanh_steps(case):
    """From the sigmoid: a factor 2 from inside, and one from in front."""
    s, y = case.sigma(2 * case.x), case.tanh(case.x)
    # \tanh'(x)
    yield case.derivative(case.tanh)
    # = 4\,\sigma(2x)\,(1 - \sigma(2x))
    yield 4 * s * (1 - s)
    # = 4\;\frac{1 + \tanh(x)}{2}\;\frac{1 - \tanh(x)}{2}
    yield 4 * ((1 + y) / 2) * ((1 - y) / 2)
    # = 1 - \tanh(x)^2
    yield 1 - y**2


# --- the logarithm of the sigmoid -------------------------------------------------------------------------------------


def log_sigmoid_by_softplus(case):
    return -case.softplus(-case.x)


def log_sigmoid(case):
    # $$ \log \sigma(x) = -\operatorname{softplus}(-x) $$
    return activation.log_sigmoid(case.x)


@claim("activation-log-sigmoid", cases=points)
def log_sigmoid_measured(case, log_sigmoid=log_sigmoid):
    """The logarithm of the definition, in 60-digit arithmetic; and minus the package's softplus."""
    agree(log_sigmoid(case), sixty_digits(lambda mp, x: mp.log(1 / (1 + mp.exp(-x))), case.x))
    agree(log_sigmoid(case), -activation.softplus(-case.x))


@claim("activation-log-sigmoid", cases=letters)
def log_sigmoid_in_symbols(case, log_sigmoid=log_sigmoid_by_softplus):
    """In symbols: the exponential of the right side is sigma."""
    same(case.exp(log_sigmoid(case)), case.sigma(case.x))


@slip("activation-log-sigmoid")
def minus_forgotten(case):
    """Write softplus(-x)."""
    return case.softplus(-case.x)


@slip("activation-log-sigmoid", blind=at_zero)
def argument_not_turned(case):
    """Write -softplus(x), which is the logarithm of 1 - sigma."""
    return -case.softplus(case.x)


@steps("activation-log-sigmoid-steps", cases=points, ends_in=log_sigmoid_by_softplus)
def log_sigmoid_steps(case):
    """The logarithm of a quotient."""
    # \log \sigma(x)
    yield case.log(case.sigma(case.x))
    # = \log 1 - \log(1 + e^{-x})
    yield 0 - case.log(1 + case.exp(-case.x))
    # = -\operatorname{softplus}(-x)
    yield -case.softplus(-case.x)


def d_log_sigmoid_by_sigma(case):
    return 1 - case.sigma(case.x)


def d_log_sigmoid(case):
    # $$ \frac{d \log \sigma(x)}{dx} = 1 - \sigma(x) = \sigma(-x) $$
    return activation.d_log_sigmoid(case.x)


@claim("activation-log-sigmoid-derivative", cases=points)
def d_log_sigmoid_by_complex_step(case, d_log_sigmoid=d_log_sigmoid):
    """The logarithm of the definition, differentiated by a complex step."""
    agree(d_log_sigmoid(case), case.derivative(lambda x: case.log(case.sigma(x))))


@claim("activation-log-sigmoid-derivative", cases=letters)
def d_log_sigmoid_in_symbols(case, d_log_sigmoid=d_log_sigmoid_by_sigma):
    """The same in symbols; and sigma at minus x."""
    same(d_log_sigmoid(case), case.derivative(lambda x: case.log(case.sigma(x))))
    same(d_log_sigmoid(case), case.sigma(-case.x))


@slip("activation-log-sigmoid-derivative")
def inner_derivative_forgotten(case):
    """Differentiate the logarithm alone: 1 / sigma."""
    return 1 / case.sigma(case.x)


@slip("activation-log-sigmoid-derivative", blind=at_zero)
def one_less_too_few(case):
    """Give sigma(x)."""
    return case.sigma(case.x)


# --- softplus ---------------------------------------------------------------------------------------------------------


def softplus_difference(case):
    # $$ \operatorname{softplus}(x) - \operatorname{softplus}(-x) = x $$
    return case.x


@claim("activation-softplus-difference", cases=points)
def difference_measured(case, difference=softplus_difference):
    """The package's softplus, at six points and their mirror images."""
    agree(difference(case), activation.softplus(case.x) - activation.softplus(-case.x), scale=4)


@claim("activation-softplus-difference", cases=letters)
def difference_in_symbols(case, difference=softplus_difference):
    """In symbols: the exponentials of both sides."""
    same(case.exp(difference(case)), case.exp(case.softplus(case.x) - case.softplus(-case.x)))


@slip("activation-softplus-difference", blind=at_zero)
def difference_turned(case):
    """Give -x."""
    return -case.x


@slip("activation-softplus-difference")
def product_as_printed(case):
    """Read the sheet to the letter, where the minus is lost: the product of the two softplus, 0.48 at 0."""
    return case.softplus(case.x) * case.softplus(-case.x)


@steps("activation-softplus-difference-steps", cases=points, ends_in=softplus_difference)
def softplus_difference_steps(case):
    """Take e^x out of the numerator."""
    e = case.exp(case.x)
    # \operatorname{softplus}(x) - \operatorname{softplus}(-x)
    yield case.softplus(case.x) - case.softplus(-case.x)
    # = \log \frac{1 + e^x}{1 + e^{-x}}
    yield case.log((1 + e) / (1 + 1 / e))
    # = \log \frac{e^x\,(e^{-x} + 1)}{1 + e^{-x}}
    yield case.log(e * (1 / e + 1) / (1 + 1 / e))
    # = \log e^x
    yield case.log(e)
    # = x
    yield case.x


def printed_product():
    # $$ \operatorname{softplus}(0)\,\operatorname{softplus}(-0) = (\log 2)^2 \ne 0 $$
    return activation.softplus(0.0) * activation.softplus(-0.0)


@claim("activation-softplus-misprint")
def product_at_zero(product=printed_product):
    """The printed product at 0: 0.48045, where x is 0."""
    agree(product(), np.log(2) ** 2)
    differ(product(), 0.0, scale=1)


def softplus_by_log_sigma(case):
    # $$ \operatorname{softplus}(x) = -\log \sigma(-x) = x - \log \sigma(x) $$
    return [-case.log(case.sigma(-case.x)), case.x - case.log(case.sigma(case.x))]


@claim("activation-softplus-by-log-sigma", cases=points)
def by_log_sigma_measured(case, forms=softplus_by_log_sigma):
    """Both forms, against the package's softplus."""
    agree(forms(case), [activation.softplus(case.x)] * 2)


@claim("activation-softplus-by-log-sigma", cases=letters)
def by_log_sigma_in_symbols(case, forms=softplus_by_log_sigma):
    """In symbols: the exponentials are 1 + e^x."""
    same([case.exp(form) for form in forms(case)], [1 + case.exp(case.x)] * 2)


@slip("activation-softplus-by-log-sigma", blind=at_zero)
def exponent_turned_in_the_answer(case):
    """Write log(1 + e^{-x}) for -log sigma(-x), as three lines of the printed answer do: 0.313 at 1, not 1.313."""
    return [case.log(1 + case.exp(-case.x))] * 2


def d_softplus_by_sigma(case):
    return case.sigma(case.x)


def d_softplus(case):
    # $$ \operatorname{softplus}'(x) = \sigma(x) $$
    return activation.d_softplus(case.x)


@claim("activation-softplus-derivative", cases=points)
def d_softplus_by_complex_step(case, d_softplus=d_softplus):
    """The definition, differentiated by a complex step."""
    agree(d_softplus(case), case.derivative(case.softplus))


@claim("activation-softplus-derivative", cases=letters)
def d_softplus_in_symbols(case, d_softplus=d_softplus_by_sigma):
    """The definition, differentiated in symbols."""
    same(d_softplus(case), case.derivative(case.softplus))


@slip("activation-softplus-derivative", blind=at_zero)
def derivative_turned(case):
    """Give sigma(-x), which is 1 - sigma(x)."""
    return case.sigma(-case.x)


@slip("activation-softplus-derivative")
def derivative_of_the_sigmoid(case):
    """Give sigma (1 - sigma)."""
    return case.sigma(case.x) * (1 - case.sigma(case.x))


@steps("activation-softplus-derivative-steps", cases=(points, letters), ends_in=d_softplus_by_sigma)
def d_softplus_steps(case):
    """Softplus is x less the logarithm of sigma."""
    s = case.sigma(case.x)
    # \operatorname{softplus}'(x)
    yield case.derivative(case.softplus)
    # = 1 - \frac{\sigma'(x)}{\sigma(x)}
    yield 1 - case.derivative(case.sigma) / s
    # = 1 - (1 - \sigma(x))
    yield 1 - (1 - s)
    # = \sigma(x)
    yield case.sigma(case.x)


# --- swish ------------------------------------------------------------------------------------------------------------


def swish(case):
    # $$ \operatorname{swish}(x) = x\,\sigma(\alpha x) $$
    return activation.swish(case.x, case.alpha)


@claim("activation-swish", cases=points)
def swish_by_definition(case, swish=swish):
    """The definition, in 60-digit arithmetic."""
    agree(swish(case), sixty_digits(lambda mp, x, alpha: x / (1 + mp.exp(-alpha * x)), case.x, case.alpha))


@claim("activation-swish", cases=points)
def swish_by_torch(case, swish=swish):
    """PyTorch's SiLU, which has sharpness 1, at alpha x, over alpha."""
    torch = need("torch")
    agree(swish(case), torch.nn.functional.silu(torch.tensor(case.alpha * case.x)).numpy() / case.alpha)


def unit_alpha(case):
    """alpha = 1."""
    return replace(case, alpha=1.0)


@slip("activation-swish", blind=unit_alpha)
def alpha_forgotten(case):
    """Write x sigma(x)."""
    return case.x * case.sigma(case.x)


@slip("activation-swish")
def no_factor_x(case):
    """Write sigma(alpha x)."""
    return case.sigma(case.alpha * case.x)


@slip("activation-swish", blind=unit_alpha)
def alpha_in_front_too(case):
    """Write alpha x sigma(alpha x)."""
    return case.alpha * case.swish(case.x)


def half_x(case):
    # $$ \operatorname{swish}(x) = \frac{x}{2} \qquad (\alpha = 0) $$
    return case.x / 2


@claim("activation-swish-linear", cases=letters)
def half_in_symbols(case, half=half_x):
    """In symbols, with alpha = 0."""
    same(half(case), replace(case, alpha=0).swish(case.x))


@claim("activation-swish-linear", cases=points)
def half_measured(case, half=half_x):
    """The package's function with alpha = 0: equal to the last bit."""
    agree(half(case), activation.swish(case.x, 0), tolerance=0)


@slip("activation-swish-linear")
def identity(case):
    """Take alpha = 0 to give x. The slope is 1/2; no finite alpha gives the identity."""
    return case.x


def swish_series(case):
    # $$ \operatorname{swish}(x) = \frac{x}{2} + \frac{\alpha x^2}{4} - \frac{\alpha^3 x^4}{48} + O(\alpha^5) $$
    return case.x / 2 + case.alpha * case.x**2 / 4 - case.alpha**3 * case.x**4 / 48


@claim("activation-swish-linear-series", cases=letters)
def series_in_symbols(case, series=swish_series):
    """The Taylor polynomial of degree 4 in alpha."""
    import sympy

    z = sympy.Symbol("z")
    taylor = sympy.series(1 / (1 + sympy.exp(-z)), z, 0, 5).removeO()
    same(series(case), sympy.expand(case.x * taylor.subs(z, case.alpha * case.x)))


@slip("activation-swish-linear-series")
def factorials_alone(case):
    """Take the coefficients of the exponential for those of the sigmoid."""
    return case.x / 2 + case.alpha * case.x**2 / 2 + case.alpha**2 * case.x**3 / 6


def linear_bound(case):
    # $$ \Bigl\lvert \operatorname{swish}(x) - \frac x2 \Bigr\rvert \le \frac{\lvert\alpha\rvert\, x^2}{4} $$
    return np.abs(case.alpha) * case.x**2 / 4


def negative_alpha(rng):
    """Six points, and a negative sharpness."""
    case = points(rng)
    return replace(case, alpha=-case.alpha)


@claim("activation-swish-linear-bound", cases=negative_alpha)
def bound_holds_and_is_tight(case, bound=linear_bound):
    """Below the bound at all points; and next to it where alpha x is small."""
    at_most(np.abs(activation.swish(case.x, case.alpha) - case.x / 2), bound(case))
    near = replace(case, alpha=case.alpha / 2**16)
    agree(np.abs(activation.swish(near.x, near.alpha) - near.x / 2), bound(near), tolerance=1e-8)


@slip("activation-swish-linear-bound")
def half_the_bound(case):
    """Divide by 8."""
    return np.abs(case.alpha) * case.x**2 / 8


def absolute_alpha(case):
    """A positive alpha."""
    return replace(case, alpha=abs(case.alpha))


@slip("activation-swish-linear-bound", blind=absolute_alpha)
def bound_without_absolute_value(case):
    """Write alpha x^2 / 4: a negative bound, if alpha is negative."""
    return case.alpha * case.x**2 / 4


def squared_distance_from_a_half(case):
    return (case.sigma(case.x) - case.sigma(0 * case.x)) ** 2


@steps("activation-swish-linear-bound-steps", cases=(points, letters), ends_in=squared_distance_from_a_half)
def linear_bound_steps(case):
    """The derivative is a square, so it is not negative."""
    s, half = case.sigma(case.x), case.sigma(0 * case.x)
    # \frac{d}{dz} \Bigl( \frac z4 - \sigma(z) + \frac12 \Bigr)
    yield case.derivative(lambda z: z / 4 - case.sigma(z) + half)
    # = \frac14 - \sigma(z)\,(1 - \sigma(z))
    yield half / 2 - s * (1 - s)
    # = \Bigl( \sigma(z) - \frac12 \Bigr)^2
    yield (s - half) ** 2


# --- swish and ReLU ---------------------------------------------------------------------------------------------------


def relu_gap(case):
    # $$ \lvert \operatorname{swish}(x) - \operatorname{relu}(x) \rvert
    #    = \lvert x\rvert\, \sigma(-\alpha \lvert x\rvert) \le \lvert x\rvert\, e^{-\alpha \lvert x\rvert}
    #    \qquad (\alpha > 0) $$
    return abs(case.x) * case.sigma(-case.alpha * abs(case.x))


@claim("activation-swish-relu-gap", cases=points)
def relu_gap_measured(case, gap=relu_gap):
    """The package's two functions, on both sides of 0; and the bound."""
    agree(gap(case), np.abs(activation.swish(case.x, case.alpha) - activation.relu(case.x)))
    at_most(gap(case), np.abs(case.x) * np.exp(-case.alpha * np.abs(case.x)))


@claim("activation-swish-relu-gap", cases=one_sided_letters)
def relu_gap_in_symbols(case, gap=relu_gap):
    """In symbols: for a positive x ReLU is above swish, and for a negative x too."""
    same(gap(case), activation.relu(case.x) - case.swish(case.x))
    e = case.exp(-case.alpha * abs(case.x))
    same(gap(case), abs(case.x) * e / (1 + e))


@slip("activation-swish-relu-gap")
def exponential_alone(case):
    """Give the bound |x| e^{-alpha |x|} as if it were the distance."""
    return abs(case.x) * case.exp(-case.alpha * abs(case.x))


@slip("activation-swish-relu-gap")
def no_gap(case):
    """Say that swish already is ReLU."""
    return 0 * case.x


def highest():
    """z* of the page, by Newton's method: (z - 1) e^z = 1."""
    z = 1.3
    for _ in range(9):
        z -= (z - 1 - np.exp(-z)) / (1 + np.exp(-z))
    return float(z)


def supremum(case):
    # $$ \sup_x\, \lvert \operatorname{swish}(x) - \operatorname{relu}(x) \rvert = \frac{z^\star - 1}{\alpha}
    #    = \frac{0.278464\ldots}{\alpha}, \qquad (z^\star - 1)\, e^{z^\star} = 1 $$
    return (highest() - 1) / case.alpha


def fine_grid(rng):
    """Points up to 20 / alpha on both sides, more of them about the two highest."""
    alpha = rng.uniform(1.3, 2.5)
    x = np.concatenate([np.linspace(-20, 20, 100001), np.linspace(1.2, 1.35, 20001), np.linspace(-1.35, -1.2, 20001)])
    return Points(x / alpha, alpha)


@claim("activation-swish-relu-supremum", cases=fine_grid)
def supremum_on_a_grid(case, supremum=supremum):
    """The largest distance on a fine grid; and the distance at x = z* / alpha, on both sides."""
    gap = np.abs(activation.swish(case.x, case.alpha) - activation.relu(case.x))
    agree(supremum(case), gap.max(), tolerance=1e-9)
    at = np.array([highest(), -highest()]) / case.alpha
    agree(np.full(2, supremum(case)), np.abs(activation.swish(at, case.alpha) - activation.relu(at)))


@claim("activation-swish-relu-supremum", cases=points)
def supremum_by_lambert(case, supremum=supremum):
    """Lambert's function at 1/e, with 60 digits, over alpha."""
    agree(supremum(case), sixty_digits(lambda mp, one: mp.lambertw(mp.exp(-one)).real, 1.0) / case.alpha)


@claim("activation-swish-relu-supremum")
def stationary_in_symbols():
    """In symbols: with e^z = 1 / y and z = 1 + y, the slope of z / (1 + e^z) is 0, and its value is y."""
    import sympy

    z, y = sympy.symbols("z y", positive=True)
    there = {sympy.exp(z): 1 / y, z: 1 + y}
    same(sympy.diff(z / (1 + sympy.exp(z)), z).subs(there), 0)
    same(y, (z / (1 + sympy.exp(z))).subs(there))


def upper_bound(case):
    return case.x


def halves(rng):
    """Values of z from 0 to 6."""
    return Points(rng.uniform(0, 6, 7))


@steps("activation-swish-relu-supremum-steps", cases=halves, ends_in=upper_bound)
def supremum_steps(case):
    """An exponential lies above its tangent, here that at z*."""
    z, star = case.x, highest()
    # e^{-z^\star} (1 + e^z)
    yield case.exp(-star) * (1 + case.exp(z))
    # \ge e^{-z^\star} \bigl( 1 + e^{z^\star} (1 + z - z^\star) \bigr)
    yield case.exp(-star) * (1 + case.exp(star) * (1 + z - star))
    # = e^{-z^\star} + 1 + z - z^\star
    yield case.exp(-star) + 1 + z - star
    # = z
    yield z


@slip("activation-swish-relu-supremum")
def highest_at_one_over_alpha(case):
    """Take the largest distance to be at |x| = 1 / alpha: sigma(-1) / alpha, 3 % too little."""
    return case.sigma(-1.0) / case.alpha


def unit_alpha_same_z(case):
    """alpha = 1, and the same alpha x."""
    return replace(case, x=case.alpha * case.x, alpha=1.0)


@slip("activation-swish-relu-supremum", blind=unit_alpha_same_z)
def constant_without_alpha(case):
    """Forget to divide by alpha."""
    return highest() - 1


@slip("activation-swish-relu-supremum")
def relu_already(case):
    """Say that the function already is ReLU, say with alpha = 1."""
    return 0.0


@slip("activation-swish-relu-supremum")
def exponentially_small(case):
    """Carry the bound of one fixed x, here x = 1, over to all x: e^{-alpha}."""
    return case.exp(-case.alpha)


def swish_scaled(case):
    # $$ \operatorname{swish}(x;\, \alpha) = \frac1\alpha \operatorname{swish}(\alpha x;\, 1) \qquad (\alpha \ne 0) $$
    return activation.swish(case.alpha * case.x, 1) / case.alpha


def swish_scaled_in_symbols(case):
    return replace(case, alpha=1).swish(case.alpha * case.x) / case.alpha


@claim("activation-swish-scale", cases=negative_alpha)
def scale_measured(case, scaled=swish_scaled):
    """The package's function on both sides, for a negative alpha."""
    agree(scaled(case), activation.swish(case.x, case.alpha))


@claim("activation-swish-scale", cases=letters)
def scale_in_symbols(case, scaled=swish_scaled_in_symbols):
    """Both sides in symbols."""
    same(scaled(case), case.swish(case.x))


@slip("activation-swish-scale")
def factor_in_front_forgotten(case):
    """Write swish(alpha x; 1)."""
    return replace(case, alpha=1).swish(case.alpha * case.x)


def rate():
    # $$ \log \sup_x\, \lvert \operatorname{swish}(x) - \operatorname{relu}(x) \rvert
    #    = -1 \cdot \log \alpha + \log(z^\star - 1) $$
    return -1.0


@claim("activation-swish-relu-rate")
def slope_is_fitted(rate=rate):
    """The slope of a line through the logarithms, for alpha from 1 to 10^6, each supremum taken on a grid."""
    note("rate fit")
    alphas = np.geomspace(1, 1e6, 13)
    z = np.linspace(-8, 8, 16001)
    gaps = [np.abs(activation.swish(z / alpha, alpha) - activation.relu(z / alpha)).max() for alpha in alphas]
    agree(rate(), np.polyfit(np.log(alphas), np.log(gaps), 1)[0], tolerance=1e-6)


@slip("activation-swish-relu-rate")
def exponential_rate():
    """Fit the same line through the bound at x = 1: that falls exponentially."""
    alphas = np.geomspace(1, 100, 13)
    return np.polyfit(np.log(alphas), -alphas, 1)[0]


def swish_mirrored(case):
    # $$ \operatorname{swish}(x;\, -\alpha) = -\operatorname{swish}(-x;\, \alpha)
    #    = x - \operatorname{swish}(x;\, \alpha) $$
    return -activation.swish(-case.x, case.alpha)


def swish_mirrored_in_symbols(case):
    return -case.swish(-case.x)


@claim("activation-swish-negative", cases=points)
def mirrored_measured(case, mirrored=swish_mirrored):
    """The package's function with -alpha; the sum with alpha; and how near min(0, x) is, when alpha is large."""
    agree(mirrored(case), activation.swish(case.x, -case.alpha))
    agree(mirrored(case), case.x - activation.swish(case.x, case.alpha))
    agree(mirrored(replace(case, alpha=1e9)), np.minimum(case.x, 0), tolerance=1e-9)


@claim("activation-swish-negative", cases=letters)
def mirrored_in_symbols(case, mirrored=swish_mirrored_in_symbols):
    """The same in symbols."""
    same(mirrored(case), replace(case, alpha=-case.alpha).swish(case.x))
    same(mirrored(case), case.x - case.swish(case.x))


@slip("activation-swish-negative")
def odd(case):
    """Take swish to be odd in alpha."""
    return -case.swish(case.x)


def d_swish_by_sigma(case):
    s = case.sigma(case.alpha * case.x)
    return s + case.alpha * case.x * s * (1 - s)


def d_swish(case):
    # $$ \operatorname{swish}'(x) = \sigma(z) + z\,\sigma(z)\,(1 - \sigma(z)), \qquad z = \alpha x $$
    return activation.d_swish(case.x, case.alpha)


@claim("activation-swish-derivative", cases=points)
def d_swish_by_complex_step(case, d_swish=d_swish):
    """The definition, differentiated by a complex step; and the formula."""
    agree(d_swish(case), case.derivative(case.swish))
    agree(d_swish(case), d_swish_by_sigma(case))


@claim("activation-swish-derivative", cases=letters)
def d_swish_in_symbols(case, d_swish=d_swish_by_sigma):
    """The definition, differentiated in symbols."""
    same(d_swish(case), case.derivative(case.swish))


@slip("activation-swish-derivative")
def product_rule_forgotten(case):
    """Hold the sigmoid constant: sigma(alpha x)."""
    return case.sigma(case.alpha * case.x)


def unit_alpha_in_kind(case):
    """alpha = 1."""
    return replace(case, alpha=1)


@slip("activation-swish-derivative", blind=unit_alpha_in_kind)
def inner_alpha_forgotten(case):
    """Forget the factor alpha from inside: sigma + x sigma (1 - sigma)."""
    s = case.sigma(case.alpha * case.x)
    return s + case.x * s * (1 - s)


# --- the piecewise linear function ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pieces:
    """Points x; the slopes a_r and -a_l; the knots x_r and x_l."""

    x: Any
    a_r: Any
    a_l: Any
    x_r: Any
    x_l: Any

    @property
    def parameters(self):
        return self.a_r, self.a_l, self.x_r, self.x_l

    def at(self, *x):
        """The same function at other points."""
        return replace(self, x=np.array(x, dtype=object))


def any_pieces():
    """Any two points, slopes and knots."""
    yield Pieces(np.array([real("x"), real("y")], dtype=object), real("a_r"), real("a_l"), real("x_r"), real("x_l"))


def pieces(rng):
    """Two points on each piece; no two letters have one value, and no knot is 0."""
    x_l, x_r = -1.3 - rng.uniform(0, 0.5), 0.6 + rng.uniform(0, 0.5)
    x = np.array([x_l - 2.1, x_l - 0.4, x_l + 0.2, x_r - 0.3, x_r + 0.7, x_r + 1.9])
    return Pieces(x, rng.uniform(2, 3), rng.uniform(0.5, 1.5), x_r, x_l)


def piecewise(case):
    # $$ y = a_{\mathrm r} \operatorname{relu}(x - x_{\mathrm r}) + a_{\mathrm l} \operatorname{relu}(x_{\mathrm l} - x)
    #    \qquad (x_{\mathrm l} \le x_{\mathrm r}) $$
    return activation.piecewise_linear(case.x, *case.parameters)


@claim("activation-piecewise-slopes", cases=any_pieces)
def slopes_for_all(case, piecewise=piecewise):
    """For any two points on one piece, the change is the slope times the distance: for all reals, x_l <= x_r."""
    import z3

    x, y = (entry.term for entry in case.x)
    a_r, a_l, x_r, x_l = map(term, case.parameters)

    def holds(at_x, at_y):
        change = at_y - at_x
        return z3.And(
            z3.Implies(z3.And(x >= x_r, y >= x_r), change == a_r * (y - x)),
            z3.Implies(z3.And(x_l <= x, x <= x_r, x_l <= y, y <= x_r), change == 0),
            z3.Implies(z3.And(x <= x_l, y <= x_l), change == -a_l * (y - x)),
        )

    proved_of(lambda: piecewise(case), holds, given=x_l <= x_r)


@claim("activation-piecewise-slopes", cases=pieces)
def one_piece_at_a_time(case, piecewise=piecewise):
    """The three straight lines, one number at a time."""
    expected = []
    for x in case.x.tolist():
        if x >= case.x_r:
            expected.append(case.a_r * (x - case.x_r))
        elif x <= case.x_l:
            expected.append(-case.a_l * (x - case.x_l))
        else:
            expected.append(0.0)
    agree(piecewise(case), expected)


@slip("activation-piecewise-slopes")
def minus_before_the_left_ramp(case):
    """Copy the minus of the slope: a_r relu(x - x_r) - a_l relu(x_l - x), which rises on the left."""
    return case.a_r * activation.relu(case.x - case.x_r) - case.a_l * activation.relu(case.x_l - case.x)


@slip("activation-piecewise-slopes")
def left_ramp_not_turned(case):
    """Write a_r relu(x - x_r) + a_l relu(x - x_l): both ramps rise to the right."""
    return case.a_r * activation.relu(case.x - case.x_r) + case.a_l * activation.relu(case.x - case.x_l)


@slip("activation-piecewise-slopes")
def shift_outside(case):
    """Shift the output for the input: a_r relu(x) - x_r + a_l relu(-x) - x_l."""
    return case.a_r * activation.relu(case.x) - case.x_r + case.a_l * activation.relu(-case.x) - case.x_l


@slip("activation-piecewise-slopes")
def signs_of_the_knots_turned(case):
    """Write a_r relu(x + x_r) + a_l relu(-x - x_l)."""
    return case.a_r * activation.relu(case.x + case.x_r) + case.a_l * activation.relu(-case.x - case.x_l)


@slip("activation-piecewise-slopes")
def sign_of_the_left_knot_turned(case):
    """Write a_l relu(-x_l - x) for the left ramp."""
    return case.a_r * activation.relu(case.x - case.x_r) + case.a_l * activation.relu(-case.x_l - case.x)


def at_the_knots(case):
    # $$ y = 0 \qquad (x_{\mathrm l} \le x \le x_{\mathrm r}) $$
    return activation.piecewise_linear(case.at(case.x_l, case.x[0], case.x_r).x, *case.parameters)


@claim("activation-piecewise-continuous", cases=any_pieces)
def zero_between_for_all(case, values=at_the_knots):
    """At both knots and anywhere between them the value is 0; for all reals with x_l <= x <= x_r."""
    import z3

    x, x_r, x_l = case.x[0].term, case.x_r.term, case.x_l.term
    between = z3.And(x_l <= x, x <= x_r)
    proved_of(lambda: values(case), lambda *entries: z3.And(*(entry == 0 for entry in entries)), given=between)


@claim("activation-piecewise-continuous", cases=any_pieces)
def bounded_change_for_all(case):
    """The change from x to y is at most the larger of |a_r|, |a_l| times the distance: hence no jump anywhere."""
    import z3

    x, y = (entry.term for entry in case.x)
    a_r, a_l, x_r, x_l = map(term, case.parameters)
    slope = z3.Real("slope")
    larger = z3.And(-slope <= a_r, a_r <= slope, -slope <= a_l, a_l <= slope)

    def holds(at_x, at_y):
        return z3.And(at_y - at_x <= slope * (y - x), at_x - at_y <= slope * (y - x))

    proved_of(lambda: piecewise(case), holds, given=z3.And(x_l <= x_r, x <= y, larger))


@slip("activation-piecewise-continuous")
def lines_through_the_origin(case):
    """Use the lines a_r x and -a_l x outside: at the knots they jump."""
    return np.array([-case.a_l * case.x_l, 0 * case.x[0], case.a_r * case.x_r], dtype=object)


def changes_at_the_knots(case):
    # $$ y'(x_{\mathrm l}^-) = -a_{\mathrm l}, \qquad y'(x_{\mathrm l}^+) = 0, \qquad
    #    y'(x_{\mathrm r}^-) = 0, \qquad y'(x_{\mathrm r}^+) = a_{\mathrm r} \qquad (x_{\mathrm l} < x_{\mathrm r}) $$
    step, x_r, x_l = case.x[0], case.x_r, case.x_l
    near = case.at(x_l - step, x_l, x_l + step, x_r - step, x_r, x_r + step).x
    y = activation.piecewise_linear(near, *case.parameters)
    return [y[1] - y[0], y[2] - y[1], y[4] - y[3], y[5] - y[4]]


def gap_in_fractions():
    """Slopes and knots in fractions, and steps down to a billionth."""
    for k in (1, 3, 9):
        step = Fraction(1, 10**k)
        yield Pieces([step], Fraction(7, 3), Fraction(5, 4), Fraction(2, 3), Fraction(-9, 7))


@claim("activation-piecewise-knots", cases=any_pieces)
def one_sided_slopes_for_all(case, changes=changes_at_the_knots):
    """The changes on each side of each knot, over any step not longer than the middle piece: for all reals."""
    import z3

    step = case.x[0].term
    a_r, a_l, x_r, x_l = map(term, case.parameters)

    def holds(*change):
        return z3.And(*(one == slope * step for one, slope in zip(change, (-a_l, 0, 0, a_r), strict=True)))

    proved_of(lambda: changes(case), holds, given=z3.And(step > 0, step <= x_r - x_l))


@claim("activation-piecewise-knots", cases=gap_in_fractions)
def one_sided_slopes_in_fractions(case, changes=changes_at_the_knots):
    """The quotients in fractions; they do not depend on the step, and differ at each knot."""
    slopes = [change / case.x[0] for change in changes(case)]
    same(slopes, [-case.a_l, 0, 0, case.a_r])


def flat(case):
    """a_r = a_l = 0: there is no kink."""
    zero = 0 * case.a_r if isinstance(case.a_r, Fraction) else Real(term(0))
    return replace(case, a_r=zero, a_l=zero)


@slip("activation-piecewise-knots", blind=flat)
def two_sided_as_printed(case):
    """Read the sheet to the letter: h' exists at the knots, and is -a_l at x_l and a_r at x_r, from both sides."""
    step = case.x[0]
    return [-case.a_l * step, -case.a_l * step, case.a_r * step, case.a_r * step]


def changes_at_one_knot(case):
    # $$ y'(x_{\mathrm r}^-) = -a_{\mathrm l}, \qquad y'(x_{\mathrm r}^+) = a_{\mathrm r}
    #    \qquad (x_{\mathrm l} = x_{\mathrm r}) $$
    step, knot = case.x[0], case.x_r
    y = activation.piecewise_linear(case.at(knot - step, knot, knot + step).x, case.a_r, case.a_l, knot, knot)
    return [y[1] - y[0], y[2] - y[1]]


@claim("activation-piecewise-one-knot", cases=any_pieces)
def slopes_at_one_knot_for_all(case, changes=changes_at_one_knot):
    """The changes on both sides of the only knot, over any step: for all reals."""
    step = case.x[0].term
    a_r, a_l = term(case.a_r), term(case.a_l)

    def holds(left, right):
        import z3

        return z3.And(left == -a_l * step, right == a_r * step)

    proved_of(lambda: changes(case), holds, given=step > 0)


@claim("activation-piecewise-one-knot", cases=any_pieces)
def one_line_for_all(case):
    """With a_l = -a_r the function is a straight line through the knot; the code's slope at the knot is 0 still."""
    x, x_r, a_r = case.x[0].term, case.x_r.term, case.a_r.term
    parameters = case.a_r, -case.a_r, case.x_r, case.x_r
    proved_of(lambda: activation.piecewise_linear(case.x[0], *parameters), lambda y: y == a_r * (x - x_r))
    proved_of(lambda: activation.d_piecewise_linear(case.x_r, *parameters), lambda slope: slope == 0)


@claim("activation-piecewise-one-knot", cases=gap_in_fractions)
def slopes_at_one_knot_in_fractions(case, changes=changes_at_one_knot):
    """The quotients in fractions; they do not depend on the step."""
    same([change / case.x[0] for change in changes(case)], [-case.a_l, case.a_r])


@slip("activation-piecewise-one-knot", blind=flat)
def middle_piece_kept(case):
    """Carry the slopes on the inner sides of two knots over: 0 and 0."""
    return [0 * case.x[0], 0 * case.x[0]]


def d_piecewise(case):
    # $$ y' = a_{\mathrm r}\,[\,x > x_{\mathrm r}\,] - a_{\mathrm l}\,[\,x < x_{\mathrm l}\,] $$
    return activation.d_piecewise_linear(case.x, *case.parameters)


def pieces_and_knots(rng):
    """Points on each piece, and both knots."""
    case = pieces(rng)
    return replace(case, x=np.append(case.x, [case.x_l, case.x_r]))


@claim("activation-piecewise-derivative", cases=any_pieces)
def slope_for_all(case, d_piecewise=d_piecewise):
    """The slope of the function on the piece of both points; for all reals. At a knot it is 0."""
    import z3

    x, y = (entry.term for entry in case.x)
    x_r, x_l = case.x_r.term, case.x_l.term

    def sides():
        return [*d_piecewise(case), *piecewise(case)]

    def holds(slope_x, slope_y, at_x, at_y):
        on_one_piece = z3.Or(
            z3.And(x > x_r, y > x_r), z3.And(x < x_l, y < x_l), z3.And(x_l < x, x < x_r, x_l < y, y < x_r)
        )
        change = at_y - at_x
        return z3.And(
            z3.Implies(on_one_piece, z3.And(change == slope_x * (y - x), slope_x == slope_y)),
            z3.Implies(z3.Or(x == x_l, x == x_r), slope_x == 0),
        )

    proved_of(sides, holds, given=z3.And(x_l <= x_r, x != y))


@claim("activation-piecewise-derivative", cases=pieces_and_knots)
def slope_by_torch(case, d_piecewise=d_piecewise):
    """PyTorch's gradient of the two ramps, at points on each piece and at both knots."""
    torch = need("torch")
    x = torch.tensor(case.x, requires_grad=True)
    y = case.a_r * torch.relu(x - case.x_r) + case.a_l * torch.relu(case.x_l - x)
    y.sum().backward()
    agree(d_piecewise(case), x.grad.numpy())


@slip("activation-piecewise-derivative")
def left_slope_without_its_minus(case):
    """Forget the inner derivative of x_l - x."""
    return case.a_r * activation.d_relu(case.x - case.x_r) + case.a_l * activation.d_relu(case.x_l - case.x)


@slip("activation-piecewise-derivative")
def outer_slopes_at_the_knots(case):
    """Take the slopes at the knots as the sheet prints them: a_r if x >= x_r, -a_l if x <= x_l."""
    right, left = case.x >= case.x_r, case.x <= case.x_l
    return np.array([case.a_r * int(r) - case.a_l * int(l) for r, l in zip(right, left, strict=True)])


def between_crossed_knots(case):
    # $$ y' = a_{\mathrm r} - a_{\mathrm l} \qquad (x_{\mathrm r} < x < x_{\mathrm l}) $$
    x, y = case.x
    return [
        case.a_r * activation.relu(entry - case.x_r) + case.a_l * activation.relu(case.x_l - entry) for entry in (x, y)
    ]


@claim("activation-piecewise-order", cases=any_pieces)
def crossed_for_all(case, crossed=between_crossed_knots):
    """If the knots are crossed, both ramps act between them: for all reals."""
    import z3

    x, y = (entry.term for entry in case.x)
    a_r, a_l, x_r, x_l = map(term, case.parameters)
    inside = z3.And(x_r < x, x < x_l, x_r < y, y < x_l)
    proved_of(lambda: crossed(case), lambda u, v: v - u == (a_r - a_l) * (y - x), given=inside)


@claim("activation-piecewise-order", cases=any_pieces)
def refused_if_and_only_if_crossed(case):
    """The package refuses the knots if, and only if, x_r < x_l: for all reals, in each of its runs."""
    import z3

    x_r, x_l = case.x_r.term, case.x_l.term
    for f in (activation.piecewise_linear, activation.d_piecewise_linear):
        for assumed, value in runs(functools.partial(f, case.x, *case.parameters)):
            proved(z3.Implies(assumed, x_r < x_l if value is None else x_r >= x_l))


@slip("activation-piecewise-order")
def still_flat(case):
    """Believe that the middle is flat whatever the order of the knots."""
    return [0 * case.a_r, 0 * case.a_r]


def relatives(case):
    # $$ \operatorname{relu}(x) - a \operatorname{relu}(-x) = x\,[\,x > 0\,] + a x\,[\,x \le 0\,] $$
    h, x, knot, slope = activation.piecewise_linear, case.x, case.x_r, case.a_l / 10
    return [
        h(x, 1, -slope, 0, 0),
        h(x, 1, 1, 0, 0),
        h(x, 1, -1, knot, -knot),
        h(x, case.a_r, 0, knot, case.x_l),
        h(x, 1, 1, knot, -knot),
    ]


@claim("activation-piecewise-relatives", cases=pieces)
def relatives_by_torch(case, relatives=relatives):
    """PyTorch's leaky_relu, abs, softshrink, a scaled and shifted relu, and the loss by softshrink and abs."""
    torch = need("torch")
    f, x, knot = torch.nn.functional, torch.tensor(case.x), case.x_r
    expected = [
        f.leaky_relu(x, case.a_l / 10),
        x.abs(),
        f.softshrink(x, knot),
        case.a_r * f.relu(x - knot),
        f.softshrink(x, knot).abs(),
    ]
    agree(relatives(case), [one.numpy() for one in expected])


@claim("activation-piecewise-relatives", cases=pieces)
def relatives_one_by_one(case, relatives=relatives):
    """Their usual definitions, one number at a time."""
    knot, slope = case.x_r, case.a_l / 10
    usual = [
        lambda x: x if x > 0 else slope * x,
        abs,
        lambda x: x - knot if x > knot else x + knot if x < -knot else 0,
        lambda x: case.a_r * max(0, x - knot),
        lambda x: max(0, abs(x) - knot),
    ]
    agree(relatives(case), [[f(x) for x in case.x.tolist()] for f in usual])


@slip("activation-piecewise-relatives")
def leak_without_its_minus(case):
    """Take a_l for the slope on the left itself, so that the leak turns upwards."""
    values = relatives(case)
    return [activation.piecewise_linear(case.x, 1, case.a_l / 10, 0, 0), *values[1:]]


# --- in floating point ------------------------------------------------------------------------------------------------


FAR = [0.0, 1e-300, -1e-300, 1e-9, -1e-9, 40.0, -40.0, 720.0, -720.0, 1000.0, -1000.0, 1e300, -1e300]
NORMAL = np.finfo(float).smallest_normal


def far():
    """From 0 to 10^300, on both sides."""
    yield Points(np.array(FAR), 1.0)


def entry_by_entry(value, reference):
    """Each value agrees with its own reference, however small; below the normal numbers only in size."""
    agree(value, reference)
    scale = np.maximum(np.abs(reference), NORMAL)
    agree(value / scale, reference / scale, scale=1.0)


def stable_table(case):
    with np.errstate(all="raise"):
        return np.array(
            [
                activation.sigmoid(case.x),
                activation.d_sigmoid(case.x),
                activation.tanh(case.x),
                activation.d_tanh(case.x),
                activation.softplus(case.x),
                activation.d_softplus(case.x),
                activation.log_sigmoid(case.x),
                activation.d_log_sigmoid(case.x),
                activation.swish(case.x, case.alpha),
                activation.d_swish(case.x, case.alpha),
            ]
        )


def exact_table(x):
    """The ten functions of `stable_table` at one mpmath number, by their definitions."""
    import mpmath as mp

    e = mp.exp(-abs(x))
    up, down = 1 / (1 + e), e / (1 + e)
    s, t = (up, down) if x >= 0 else (down, up)
    log1p = mp.log1p(e)
    tail = mp.exp(-2 * abs(x))
    return [
        s,
        s * t,
        mp.sign(x) * -mp.expm1(-2 * abs(x)) / (1 + tail),
        4 * tail / (1 + tail) ** 2,
        max(x, 0) + log1p,
        s,
        min(x, 0) - log1p,
        t,
        x * s,
        s + x * s * t,
    ]


@claim("activation-stable", cases=far)
def stable_against_sixty_digits(case, table=stable_table):
    """Ten functions at 13 points, each value against 60 digits, with every warning of NumPy made an error."""
    import mpmath

    note("60 digits")
    with mpmath.workdps(60):
        expected = np.array([[float(y) for y in exact_table(mpmath.mpf(x))] for x in case.x.tolist()]).T
    entry_by_entry(table(case), expected)


@claim("activation-stable", cases=points)
def derivative_of_swish_near_its_zero(case):
    """At alpha x = -z*, and near it: the derivative of swish in 60 digits, and its error over 1."""
    x = (np.array([-1e-3, -1e-9, 0, 1e-9, 1e-3]) - highest()) / case.alpha

    def slope(mp, x, alpha):
        s = 1 / (1 + mp.exp(-alpha * x))
        return s + alpha * x * s * (1 - s)

    agree(activation.d_swish(x, case.alpha), sixty_digits(slope, x, case.alpha), scale=1)
    at_most(np.abs(activation.d_swish(x[2:3], case.alpha)), np.zeros(1), scale=1)


@slip("activation-stable")
def formulas_as_on_paper(case):
    """Type the definitions: exponentials overflow, and differences cancel."""
    x = case.x
    with np.errstate(all="ignore"):
        s = 1 / (1 + np.exp(-x))
        y = (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))
        plus = np.log(1 + np.exp(x))
        return np.array([s, s * (1 - s), y, 1 - y**2, plus, s, np.log(s), 1 - s, x * s, s + x * s * (1 - s)])


def far_left():
    """Minus a thousand."""
    yield Points(np.array([-1000.0, -800.0]))


def log_sigmoid_far_left(case):
    return activation.log_sigmoid(case.x)


@claim("activation-log-sigmoid-stable", cases=far_left)
def minus_a_thousand(case, log_sigmoid=log_sigmoid_far_left):
    """At -1000 the logarithm is -1000: log(1 + e^-1000) is far below its last digit."""
    agree(log_sigmoid(case), case.x)


@slip("activation-log-sigmoid-stable")
def logarithm_of_the_sigmoid(case):
    """Take the logarithm of `sigmoid`, which has become 0."""
    with np.errstate(divide="ignore"):
        return np.log(activation.sigmoid(case.x))


@dataclass(frozen=True)
class Extreme:
    """One x and one sharpness, whose product may overflow, or x times the sigmoid underflow."""

    x: float
    alpha: float


EXTREME = [
    Extreme(1e300, 1e300),
    Extreme(-1e300, 1e300),
    Extreme(1e300, -1e300),
    Extreme(0.0, 1e300),
    Extreme(0.0, -1.7e308),
    Extreme(1e300, 0.0),
    Extreme(-1e300, 1e-300),
    Extreme(1e-300, 1e300),
    Extreme(-1e300, 7.5e-298),
    Extreme(-1000.0, 1.0),
    Extreme(-1e300, 1e-3),
]


def extremes():
    """Eleven pairs of x and alpha, all finite."""
    yield EXTREME


def extreme_swish(pairs):
    with np.errstate(all="raise"):
        return np.array([[f(p.x, p.alpha) for f in (activation.swish, activation.d_swish)] for p in pairs])


@claim("activation-swish-stable", cases=extremes)
def extreme_by_sixty_digits(pairs, values=extreme_swish):
    """The function and its derivative against 60 digits, with every warning of NumPy made an error."""
    import mpmath as mp

    note("60 digits")
    expected = []
    with mp.workdps(60):
        for pair in pairs:
            x, alpha = mp.mpf(pair.x), mp.mpf(pair.alpha)
            e = mp.exp(-abs(alpha * x))
            s, t = (1, e) if alpha * x >= 0 else (e, 1)
            s, t = s / (1 + e), t / (1 + e)
            expected.append([float(x * s), float(s + alpha * x * s * t)])
    entry_by_entry(values(pairs), np.array(expected))


@slip("activation-swish-stable")
def product_with_the_sigmoid(pairs):
    """Multiply x by its sigmoid, and the product by the derivative: infinity times 0, and a sigmoid rounded to 0."""
    with np.errstate(all="ignore"):
        x, z = (np.array(column) for column in zip(*((p.x, np.float64(p.alpha) * p.x) for p in pairs), strict=True))
        s = activation.sigmoid(z)
        return np.array([x * s, s + z * s * (1 - s)]).T


@claim("activation-piecewise-stable")
def far_from_the_knots():
    """At a thousand and at 10^300, and at 0 and at the smallest numbers, with every warning of NumPy made an error."""
    x = np.array([0.0, 5e-324, -5e-324, 1e-300, 1000.0, -1000.0, 1e300, -1e300])
    with np.errstate(all="raise"):
        y = activation.piecewise_linear(x, 2, 0.5, 1, -3)
        slope = activation.d_piecewise_linear(x, 2, 0.5, 1, -3)
        steps_of_x = [activation.sign(x), activation.heaviside(x), activation.relu(x), activation.d_relu(x)]
    agree(y, [0, 0, 0, 0, 1998, 498.5, 2e300, 0.5e300])
    agree(y[:6], [0, 0, 0, 0, 1998, 498.5])
    agree(slope, [0, 0, 0, 0, 2, -0.5, 2, -0.5])
    agree(steps_of_x[0], [0, 1, -1, 1, 1, -1, 1, -1])
    agree(steps_of_x[1], [0.5, 1, 0, 1, 1, 0, 1, 0])
    every(zip(steps_of_x[2], [0.0, 5e-324, 0.0, 1e-300, 1000.0, 0.0, 1e300, 0.0], strict=True), lambda p: p[0] == p[1])
    agree(steps_of_x[3], [0, 1, 0, 1, 1, 0, 1, 0])


FUNCTIONS = [f for name, f in inspect.getmembers(activation, inspect.isfunction) if not name.startswith("_")]


def calls():
    """Each public function, with the parameters it needs."""
    for f in FUNCTIONS:
        many = len(inspect.signature(f).parameters)
        yield f, {1: (), 2: (1.5,), 5: (2.0, 0.5, 1.0, -0.75)}[many]


@claim("activation-shapes", cases=calls)
def every_shape(call):
    """Any shape, none and empty too, entry by entry; a number gives a number; integers are read as float64."""
    f, parameters = call
    x = np.random.default_rng(0).normal(size=(2, 3, 5)) * 3
    y = f(x, *parameters)
    agree(y, np.array([f(entry, *parameters) for entry in x.flat]).reshape(x.shape))
    every(((), (0,), (4, 0, 2), (1, 7)), lambda shape: np.shape(f(np.zeros(shape), *parameters)) == shape)
    same(np.ndim(f(0.5, *parameters)), 0)
    agree(f([3, -2], *parameters), f([3.0, -2.0], *parameters), scale=1)
    agree(f(x[:, ::-1, ::2], *parameters), y[:, ::-1, ::2])


@claim("activation-precision", cases=calls)
def single_stays_single(call):
    """float32 gives float32, float16 gives float16, with parameters of any kind; and float32 agrees to six digits."""
    f, parameters = call
    x = np.random.default_rng(1).normal(size=(7, 3)) * 3
    for kind in (np.float16, np.float32, np.float64):
        for one in (parameters, tuple(map(np.float64, parameters))):
            same(str(f(x.astype(kind), *one).dtype), np.dtype(kind).name)
            same(str(f(kind(0.5), *one).dtype), np.dtype(kind).name)
    agree(f(x.astype(np.float32), *parameters), f(x, *parameters), tolerance=2e-6)
    with np.errstate(all="raise"):
        far = f(np.array([1e30, -1e30, 1000, -1000, 0], np.float32), *parameters)
    every(far, np.isfinite)


@claim("activation-pure", cases=calls)
def nothing_is_written(call):
    """The input keeps its bits, and the same call gives the same bits."""
    f, parameters = call
    x = np.random.default_rng(2).normal(size=(3, 5)) * 3
    x[1, 2] = 0
    before = x.copy()
    x.setflags(write=False)
    first, second = f(x, *parameters), f(x, *parameters)
    every(zip(x.flat, before.flat, strict=True), lambda pair: pair[0] == pair[1])
    every(zip(first.flat, second.flat, strict=True), lambda pair: pair[0] == pair[1])


@claim("activation-bad-input", cases=calls)
def bad_x_is_refused(call):
    """Complex numbers, words and truth values; and what is not finite, where there are parameters."""
    f, parameters = call
    objects = [np.array([1, bad], dtype=object) for bad in (1j, "x", True, None)]
    for bad in (np.array([1j]), "x", np.array([True]), None, *objects):
        refuses(lambda bad=bad: f(bad, *parameters), naming="x")
    for bad in (np.inf, -np.inf, np.nan):
        if parameters:
            refuses(lambda bad=bad: f(np.array([0.0, bad]), *parameters), naming="x")
            refuses(lambda bad=bad: f(np.array([0.0, bad], dtype=object), *parameters), naming="x")


@claim("activation-bad-input")
def bad_parameters_are_refused():
    """Arrays for numbers, what is not finite, what float32 cannot hold; crossed knots; a distance that overflows."""
    x = np.array([1.0, -2.0])
    good = {"a": 2.0, "b": 0.5, "alpha": 1.0, "beta": -1.0}
    for bad in (np.ones(2), np.ones(1), np.nan, np.inf, 1j, "1", None, True):
        for f in (activation.swish, activation.d_swish):
            refuses(lambda f=f, bad=bad: f(x, bad), naming="beta")
        for f in (activation.piecewise_linear, activation.d_piecewise_linear):
            for name in good:
                refuses(lambda f=f, bad=bad, name=name: f(x, **{**good, name: bad}), naming=name)
                refuses(lambda f=f, bad=bad, name=name: f(Fraction(1), **{**good, name: bad}), naming=name)
    refuses(lambda: activation.swish(x.astype(np.float32), 1e300), naming="beta")
    refuses(lambda: activation.piecewise_linear(x.astype(np.float32), 1e300, 0, 0, 0), naming="a")
    refuses(lambda: activation.piecewise_linear(x, 1, 1, -1.0, 1.0), naming="alpha")
    refuses(lambda: activation.piecewise_linear(np.array([1.7e308]), 1, 1, -1.7e308, -1.7e308), naming="x")


@claim("activation-infinite")
def limits_at_infinity():
    """Infinite x gives the limit, and NaN gives NaN, in the functions without parameters."""
    ends = np.array([np.inf, -np.inf])
    with np.errstate(all="raise"):
        for f, limits in (
            (activation.sigmoid, [1, 0]),
            (activation.tanh, [1, -1]),
            (activation.heaviside, [1, 0]),
            (activation.sign, [1, -1]),
            (activation.d_relu, [1, 0]),
            (activation.d_softplus, [1, 0]),
            (activation.d_log_sigmoid, [0, 1]),
        ):
            agree(f(ends), limits)
        for f in (activation.d_sigmoid, activation.d_tanh):
            agree(f(ends), [0, 0], scale=1)
        for f, limits in (
            (activation.relu, [np.inf, 0]),
            (activation.softplus, [np.inf, 0]),
            (activation.log_sigmoid, [0, -np.inf]),
        ):
            every(zip(f(ends), limits, strict=True), lambda pair: pair[0] == pair[1])
        every([f(np.nan) for f, parameters in calls() if not parameters], np.isnan)
