"""Initialisation: the claims of the chapter, in its order.

Surrogates: laws with few values and the moments that matter, so that an expectation is a finite sum of fractions.
"""

import functools
import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dlnotes import activation, initialization
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

# --- expectations as finite sums -------------------------------------------------------------------------------------

HALF = Fraction(1, 2)
SIGNS = ((-1, HALF), (1, HALF))
SKEW = ((-HALF, Fraction(4, 5)), (2, Fraction(1, 5)))  # mean 0, variance 1, not symmetric
THREE = (
    (-1, Fraction(1, 6)),
    (0, Fraction(2, 3)),
    (1, Fraction(1, 6)),
)  # times root 3: the normal moments, up to order 5


def expectation(f, *laws):
    """The mean of f over independent draws, one from each law."""
    total = 0
    for draws in itertools.product(*laws):
        p = math.prod(p for _, p in draws)
        total = total + p * f(*(value for value, _ in draws))
    return total


def each(values, references, tolerance):
    """Agree entry by entry, so that a small entry counts as much as a large one."""
    for value, reference in zip(values, references, strict=True):
        agree(value, reference, tolerance=tolerance)


# --- a pre-activation ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Neuron:
    """One unit with D inputs. The deviation of its weights is rational, so that all is exact."""

    D: int
    std: Fraction

    @property
    def variance(self):
        return self.std**2


def neurons():
    yield Neuron(2, Fraction(3))
    yield Neuron(3, Fraction(1, 2))
    yield Neuron(4, Fraction(2, 3))


def one_input(case):
    return Neuron(1, case.std)


def unit_deviation(case):
    return Neuron(case.D, Fraction(1))


def recommended(case):
    return Neuron(4, HALF)


def dot(draws):
    """sum_j W_ij x_j, of the draws x_1, W_i1, x_2, W_i2, ..."""
    return sum(x * w for x, w in zip(draws[::2], draws[1::2], strict=True))


def moment_of(power, D, law):
    """A moment of the pre-activation of D inputs, both inputs and weights of this law: all outcomes are summed."""
    return expectation(lambda *draws: dot(draws) ** power, *[law, law] * D)


moment = functools.cache(moment_of)


def gaussian_draws_of(D):
    """400 000 pre-activations with standard normal inputs and weights."""
    rng = np.random.default_rng(D)
    return sum(rng.normal(size=400_000) * rng.normal(size=400_000) for _ in range(D))


gaussian_draws = functools.cache(gaussian_draws_of)


def pre_activation(case):
    # $$ \mathbb E[z_i] = 0, \qquad \operatorname{Var}(z_i) = D \operatorname{Var}(W) $$
    return [0, initialization.pre_activation_variance(case.D, case.variance)]


@claim("initialization-pre-activation", cases=neurons)
def pre_activation_by_signs(case, pre_activation=pre_activation):
    """Inputs -1 or 1, weights minus or plus the deviation: all outcomes are summed, in fractions."""
    note("enumeration")
    same(pre_activation(case), [case.std**k * moment(k, case.D, SIGNS) for k in (1, 2)])


@claim("initialization-pre-activation", cases=neurons)
def pre_activation_by_skewed_draws(case, pre_activation=pre_activation):
    """Inputs and weights of a law that is not symmetric: all outcomes are summed."""
    note("enumeration")
    same(pre_activation(case), [case.std**k * moment(k, case.D, SKEW) for k in (1, 2)])


@claim("initialization-pre-activation", cases=neurons)
def pre_activation_by_gaussian_draws(case, pre_activation=pre_activation):
    """Normal inputs and weights, 400 000 times; four standard errors."""
    note("Monte-Carlo")
    z, (mean, variance) = float(case.std) * gaussian_draws(case.D), pre_activation(case)
    agree(mean, z.mean(), tolerance=4 / math.sqrt(z.size), scale=z.std())
    agree(variance, z.var(), tolerance=4 * math.sqrt((2 + 6 / case.D) / z.size))


@slip("initialization-pre-activation", blind=one_input)
def number_of_inputs_forgotten(case):
    """Give the variance of one term."""
    return [0, case.variance]


@slip("initialization-pre-activation", blind=unit_deviation)
def deviation_not_squared(case):
    """Multiply the deviation of the weights, not their variance. It shows unless that is 1."""
    return [0, case.D * case.std]


@slip("initialization-pre-activation", blind=one_input)
def weights_all_equal(case):
    """Add deviations instead of variances, as if the terms were one term D times."""
    return [0, case.D**2 * case.variance]


@slip("initialization-pre-activation", blind=recommended)
def deviation_for_the_variance(case):
    """Give the deviation for the variance. They are equal where both are 1, as the recommended weights make them."""
    import sympy

    return [0, sympy.sqrt(case.D) * sympy.Rational(case.std)]


@slip("initialization-pre-activation")
def variances_added(case):
    """Add D and the variance."""
    return [0, case.D + case.variance]


def variance_of_z(case):
    return pre_activation(case)[1]


@steps("initialization-pre-activation-steps", cases=neurons, ends_in=variance_of_z)
def pre_activation_steps(case):
    """All outcomes of inputs and weights of the skewed law are summed."""
    # \mathbb E[z_i^2]
    yield case.std**2 * moment(2, case.D, SKEW)
    diagonal = expectation(lambda w: (case.std * w) ** 2, SKEW) * expectation(lambda x: x**2, SKEW)
    crossed = expectation(lambda w, o: case.std**2 * w * o, SKEW, SKEW) * expectation(lambda x, o: x * o, SKEW, SKEW)
    # = \sum_j \sum_k \mathbb E[W_{ij} W_{ik}]\,\mathbb E[x_j x_k]
    yield sum(diagonal if j == k else crossed for j in range(case.D) for k in range(case.D))
    # = \sum_j \mathbb E[W_{ij}^2]\,\mathbb E[x_j^2]
    yield sum(expectation(lambda w, x: (case.std * w * x) ** 2, SKEW, SKEW) for _ in range(case.D))
    # = D \operatorname{Var}(W)
    yield variance_of_z(case)


def fourth_moment(case):
    # $$ \mathbb E[z_i^4] = (3 D^2 + 6 D) \operatorname{Var}(W)^2, \qquad
    #    \frac{\mathbb E[z_i^4]}{\mathbb E[z_i^2]^2} = 3 + \frac6D $$
    moment = initialization.pre_activation_fourth_moment(case.D, case.variance)
    return [moment, moment / initialization.pre_activation_variance(case.D, case.variance) ** 2]


@claim("initialization-not-gaussian", cases=neurons)
def fourth_moment_by_three_values(case, fourth_moment=fourth_moment):
    """Three values carry the normal moments up to order 5, so the sum over all outcomes is exact for normal laws."""
    note("enumeration")
    z2, z4 = ((3 * case.std) ** k * moment(k, case.D, THREE) for k in (2, 4))
    same(fourth_moment(case), [z4, z4 / z2**2])


@claim("initialization-not-gaussian", cases=neurons)
def fourth_moment_by_chi_square(case, fourth_moment=fourth_moment):
    """Given the weights z is normal, so E z^4 = 3 E |w|^4, and |w|^2 follows a chi-square law: its integral."""
    import sympy

    r, half = sympy.Symbol("r", positive=True), sympy.Rational(case.D, 2)
    density = r ** (half - 1) * sympy.exp(-r / 2) / 2**half / sympy.gamma(half)
    fourth = 3 * sympy.integrate(r**2 * density, (r, 0, sympy.oo))
    same(fourth_moment(case), [sympy.Rational(case.variance) ** 2 * fourth, fourth / case.D**2])


@slip("initialization-not-gaussian")
def taken_for_gaussian(case):
    """Take a sum of products for normal: its excess 6/D is forgotten."""
    return [3 * (case.D * case.variance) ** 2, 3]


def three_weights():
    import sympy

    yield np.array(sympy.symbols("w:3"))


def given_weights(w):
    # $$ \mathbb E[z_i^2 \mid W] = \sum_j W_{ij}^2, \qquad
    #    \mathbb E[z_i^4 \mid W] = 3 \Bigl( \sum_j W_{ij}^2 \Bigr)^2 $$
    variance = initialization.variance_given_weights(w, np.eye(len(w), dtype=int))
    return [variance, 3 * variance**2]


@claim("initialization-given-weights", cases=three_weights)
def given_weights_by_three_values(w, given_weights=given_weights):
    """Weights are symbols; the inputs take three values with the normal moments up to order 5."""
    note("enumeration")
    z2 = expectation(lambda *x: 3 * (w @ np.array(x)) ** 2, *[THREE] * 3)
    z4 = expectation(lambda *x: 9 * (w @ np.array(x)) ** 4, *[THREE] * 3)
    same(given_weights(w), [z2, z4])


@slip("initialization-given-weights")
def squares_of_squares(w):
    """Sum the fourth powers: the crossed terms are forgotten."""
    return [(w**2).sum(), 3 * (w**4).sum()]


@dataclass(frozen=True)
class Chain:
    """Inputs -1 or 1; each keeps the sign of the one before with probability `keep`. Weights of two signs, or given."""

    std: Fraction
    keep: Fraction
    w: np.ndarray

    @property
    def law(self):
        return ((1, self.keep), (-1, 1 - self.keep))

    @property
    def covariance(self):
        D, same_sign = len(self.w), 2 * self.keep - 1
        return np.array([[same_sign ** abs(j - k) for k in range(D)] for j in range(D)])


def chains():
    yield Chain(Fraction(3), Fraction(3, 4), np.array([Fraction(2), Fraction(-1), Fraction(1, 3)]))
    yield Chain(HALF, Fraction(1, 5), np.array([Fraction(1), Fraction(5, 2), Fraction(-1)]))


def independent(case):
    return replace(case, keep=HALF)


def correlated(case):
    # $$ \operatorname{Var}(z_i) = D \operatorname{Var}(W), \qquad
    #    \operatorname{Var}(z_i \mid W) = \sum_{j,k} W_{ij} W_{ik} \operatorname{Cov}(x_j, x_k) $$
    return [
        initialization.pre_activation_variance(len(case.w), case.std**2),
        initialization.variance_given_weights(case.w, case.covariance),
    ]


@claim("initialization-correlated-inputs", cases=chains)
def correlated_by_enumeration(case, correlated=correlated):
    """A chain of signs, each of which depends on the one before: all outcomes are summed."""
    note("enumeration")
    D = len(case.w)
    inputs = [SIGNS, *[case.law] * (D - 1)]
    over_both = expectation(lambda *d: (case.std * np.cumprod(d[:D]) @ np.array(d[D:])) ** 2, *inputs, *[SIGNS] * D)
    same(correlated(case), [over_both, expectation(lambda *d: (case.w @ np.cumprod(d)) ** 2, *inputs)])


def standard_normal_draws():
    return np.random.default_rng(1).normal(size=(2, 400_000, 3))


standard_normal = functools.cache(standard_normal_draws)


@claim("initialization-correlated-inputs", cases=chains)
def correlated_by_gaussian_draws(case, correlated=correlated):
    """Normal inputs with the same covariance, and normal weights, 400 000 times; 2 %."""
    note("Monte-Carlo")
    inputs, weights = standard_normal()
    x, weights = inputs @ np.linalg.cholesky(case.covariance.astype(float)).T, float(case.std) * weights
    each(correlated(case), [(x * weights).sum(1).var(), (x @ case.w.astype(float)).var()], 2e-2)


@slip("initialization-correlated-inputs", blind=independent)
def covariances_forgotten(case):
    """Given the weights, sum their squares: right for uncorrelated inputs only."""
    return [len(case.w) * case.std**2, (case.w**2).sum()]


@slip("initialization-correlated-inputs", blind=independent)
def covariances_kept(case):
    """Over inputs and weights too, add the covariances: the independent signs of the weights cancel them."""
    return [case.std**2 * case.covariance.sum(), case.w @ case.covariance @ case.w]


def deviations():
    yield 1.0
    yield 0.5
    yield 3.0


def sigmoid_output(std):
    # $$ \mathbb E[\sigma(z_i)] = \frac12, \qquad
    #    \operatorname{Var}(\sigma(z_i)) = \frac14 - \mathbb E[\sigma'(z_i)] $$
    return [0.5, 0.25 - initialization.mean_slope(std)]


def sigmoid_integrals_of(std):
    import mpmath

    cuts = [-12, -6, -3, -1, 0, 1, 3, 6, 12]
    mean = mpmath.quad(lambda u: mpmath.npdf(u) / (1 + mpmath.exp(-std * u)), cuts)
    spread = mpmath.quad(lambda u: mpmath.npdf(u) * mpmath.tanh(std * u / 2) ** 2 / 4, cuts)
    return [float(mean), float(spread)]


sigmoid_integrals = functools.cache(sigmoid_integrals_of)


@claim("initialization-sigmoid-output", cases=deviations)
def sigmoid_output_by_quadrature(std, sigmoid_output=sigmoid_output):
    """The integrals of the sigmoid and of its squared distance to 1/2, by mpmath."""
    note("mpmath quadrature")
    each(sigmoid_output(std), sigmoid_integrals(std), 1e-12)


@claim("initialization-sigmoid-output")
def square_of_the_sigmoid():
    """sigma^2 = sigma - sigma', hence E sigma^2 = 1/2 - E sigma'."""
    import sympy

    z = sympy.Symbol("z")
    sigmoid = 1 / (1 + sympy.exp(-z))
    same(sigmoid**2, sympy.simplify(sigmoid - sigmoid.diff(z)))


@slip("initialization-sigmoid-output")
def mean_zero(std):
    """Carry the mean 0 through the sigmoid, which is 1/2 at 0."""
    return [0.0, 0.25 - initialization.mean_slope(std)]


@slip("initialization-sigmoid-output")
def sigmoid_as_a_line(std):
    """Multiply the variance by the squared slope at 0, 1/16."""
    return [0.5, std**2 / 16]


def sigmoid_width():
    # $$ \begin{array}{l|rrr} D & 1 & 10 & \infty \\ \hline
    #    \operatorname{Var}(\sigma(z_i)) & 0.0331 & 0.0419 & 0.0434 \end{array} $$
    return [0.0331, 0.0419, 0.0434]


@claim("initialization-sigmoid-width")
def sigmoid_width_by_chi(sigmoid_width=sigmoid_width):
    """Given the weights z is normal; an integral over the law of their norm."""
    note("quadrature")
    r, found = np.linspace(0, 12, 241)[1:], []
    for D in (1, 10):
        density = 2 * r ** (D - 1) * np.exp(-(r**2) / 2) / 2 ** (D / 2) / math.gamma(D / 2)
        spread = np.array([0.25 - initialization.mean_slope(s / math.sqrt(D)) for s in r])
        found.append((density * spread).sum() * (r[1] - r[0]))
    each(sigmoid_width(), [*found, 0.25 - initialization.mean_slope(1)], 2e-3)


@claim("initialization-sigmoid-width")
def sigmoid_width_by_draws(sigmoid_width=sigmoid_width):
    """Normal inputs and weights, 400 000 times; four standard errors, below 1 %."""
    note("Monte-Carlo")
    draws = [gaussian_draws(D) / math.sqrt(D) for D in (1, 10)]
    draws.append(np.random.default_rng(0).normal(size=400_000))
    each(sigmoid_width(), [activation.sigmoid(z).var() for z in draws], 8e-3)


@slip("initialization-sigmoid-width")
def normal_at_once():
    """Take z for normal with few inputs too."""
    return [0.0434, 0.0434, 0.0434]


# --- a good deviation ------------------------------------------------------------------------------------------------


def input_sizes():
    yield from (2, 3, 5)


def good_std(D):
    # $$ \operatorname{Var}(z_i) = 1 \iff \operatorname{std}(W) = \frac{1}{\sqrt D} $$
    import sympy

    return initialization.lecun_std(sympy.Integer(D))


@claim("initialization-good-std", cases=input_sizes)
def only_positive_solution(D, good_std=good_std):
    """The variance for weights of deviation 1 is summed over all signs; SymPy solves for the deviation."""
    import sympy

    s = sympy.Symbol("s", positive=True)
    unit = sum(sum(x) ** 2 for x in itertools.product((-1, 1), repeat=D)) / sympy.Integer(2**D)
    (solution,) = sympy.solve(unit * s**2 - 1, s)
    same(good_std(D), solution)


@claim("initialization-good-std", cases=input_sizes)
def variance_of_the_layer(D, good_std=good_std):
    """In floating point: the variance of a pre-activation is 1."""
    agree(initialization.pre_activation_variance(D, float(good_std(D)) ** 2), 1.0)


def one(_):
    return 1


@slip("initialization-good-std", blind=one)
def variance_for_the_deviation(D):
    """Give the variance, 1/D."""
    return Fraction(1, D)


@slip("initialization-good-std", blind=one)
def root_upside_down(D):
    """Multiply instead of dividing."""
    import sympy

    return sympy.sqrt(D)


@slip("initialization-good-std", blind=one)
def always_one(D):
    """Reduce the weights as the data are reduced."""
    return 1


@slip("initialization-good-std")
def as_small_as_possible(D):
    """Take the deviation as small as possible, here a millionth."""
    return Fraction(1, 10**6)


def saturation():
    # $$ \begin{array}{lr|rr}
    #    \operatorname{std}(W) & \operatorname{std}(z_i) & \mathbb E[\sigma'(z_i)] & P(\lvert z_i \rvert > 4) \\ \hline
    #    1/28 & 1 & 0.2066 & 6.33 \cdot 10^{-5} \\ 1 & 28 & 0.01422 & 0.886 \end{array} $$
    return [0.2066, 6.33e-5, 0.01422, 0.886]


@claim("initialization-saturation")
def saturation_by_error_function(saturation=saturation):
    """The mean slope by quadrature, the probability by the error function; half a unit of the last digit."""
    note("quadrature")
    expected = []
    for std in (1, math.sqrt(784)):
        expected += [initialization.mean_slope(std), math.erfc(4 / std / math.sqrt(2))]
    each(saturation(), expected, 8e-4)


@claim("initialization-saturation")
def saturation_by_quadrature(saturation=saturation):
    """Both columns as integrals over the normal law, by mpmath."""
    import mpmath

    note("mpmath quadrature")
    expected = []
    for std in (1, 28):
        slope = mpmath.quad(lambda u, s=std: mpmath.sech(s * u / 2) ** 2 / 4 * mpmath.npdf(u), [0, 0.05, 0.3, 1, 4, 12])
        tail = mpmath.quad(mpmath.npdf, [4 / std, 4 / std + 2, 4 / std + 6, 20])
        expected += [float(2 * slope), float(2 * tail)]
    each(saturation(), expected, 8e-4)


@slip("initialization-saturation")
def variance_taken_for_deviation():
    """Use 784 for the deviation of z, which is its variance."""
    return [0.2066, 6.33e-5, initialization.mean_slope(784), math.erfc(4 / 784 / math.sqrt(2))]


def saturated_slope():
    # $$ \lim_{\operatorname{std}(z_i) \to \infty} \operatorname{std}(z_i)\,\mathbb E[\sigma'(z_i)]
    #    = \frac{1}{\sqrt{2\pi}} $$
    return 1 / math.sqrt(2 * math.pi)


@claim("initialization-saturated-slope")
def slope_of_a_wide_law(saturated_slope=saturated_slope):
    """At a deviation of 10 000; what is missing there is of the order of its inverse square."""
    note("quadrature")
    agree(saturated_slope(), 1e4 * initialization.mean_slope(1e4), tolerance=1e-7)


@slip("initialization-saturated-slope")
def slope_at_zero():
    """Take the largest slope, 1/4, for the area below the curve of slopes, which is 1."""
    return 0.25 / math.sqrt(2 * math.pi)


def nearly_linear():
    # $$ \lim_{\operatorname{std}(z_i) \to 0}
    #    \frac{\mathbb E \bigl[ ( \sigma(z_i) - \frac12 - \frac14 z_i )^2 \bigr]}
    #    {\operatorname{Var}(\sigma(z_i)) \operatorname{std}(z_i)^4} = \frac{5}{48} $$
    return Fraction(5, 48)


@claim("initialization-small-is-linear")
def nearly_linear_by_series(nearly_linear=nearly_linear):
    """The series of the sigmoid, and the normal moments: E z^6 = 15."""
    import sympy

    z = sympy.Symbol("z")
    terms = sympy.series(1 / (1 + sympy.exp(-z)), z, 0, 5).removeO()
    square = sympy.integrate(z**6 * sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi), (z, -sympy.oo, sympy.oo))
    same(nearly_linear(), terms.coeff(z, 3) ** 2 * square / terms.coeff(z, 1) ** 2)


@claim("initialization-small-is-linear")
def nearly_linear_by_quadrature(nearly_linear=nearly_linear):
    """The quotient at a deviation of 0.01, by mpmath."""
    import mpmath

    note("mpmath quadrature")
    s, cuts = 0.01, [-12, -4, 0, 4, 12]
    rest = mpmath.quad(lambda u: mpmath.npdf(u) * (mpmath.tanh(s * u / 2) / 2 - s * u / 4) ** 2, cuts)
    spread = mpmath.quad(lambda u: mpmath.npdf(u) * mpmath.tanh(s * u / 2) ** 2 / 4, cuts)
    agree(float(nearly_linear()), float(rest / spread) / s**4, tolerance=2e-3)


@slip("initialization-small-is-linear")
def sixth_moment_taken_for_one():
    """Forget that E z^6 is 15 times the cube of the variance."""
    return Fraction(1, 144)


@claim("initialization-equal-units")
def equal_units_stay_equal():
    """Two hidden units with equal weights, in and out: their gradients are equal; the third unit's is another."""
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(3, 4)), rng.normal(size=(2, 3))
    first[1], second[:, 1] = first[0], second[:, 0]
    y, saved = initialization.forward(rng.normal(size=(5, 4)), [first, second])
    dW = initialization.backward(rng.normal(size=y.shape), saved).dW
    agree(dW[0][1], dW[0][0])
    agree(dW[1][:, 1], dW[1][:, 0])
    differ(dW[0][2], dW[0][0])
    differ(dW[1][:, 2], dW[1][:, 0])


# --- Glorot, normal --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """The two sizes of a layer."""

    fan_in: int
    fan_out: int
    variance: Fraction = Fraction(1)


def layers():
    yield Layer(2, 3, Fraction(5, 7))
    yield Layer(3, 1, Fraction(2))
    yield Layer(2, 4, Fraction(1, 9))


def square_layer(case):
    return Layer(2, 2, case.variance)


def measured_factors_of(fan_in, fan_out):
    """What all matrices of signs, on average, do to the mean square of a vector, and transposed."""
    x, g = np.arange(1, fan_in + 1), np.arange(2, fan_out + 2) ** 2
    forward = backward = count = 0
    for signs in itertools.product((-1, 1), repeat=fan_in * fan_out):
        W = np.reshape(signs, (fan_out, fan_in))
        forward, backward, count = forward + ((W @ x) ** 2).sum(), backward + ((g @ W) ** 2).sum(), count + 1
    return (
        Fraction(int(forward), fan_out * count) / Fraction(int((x**2).sum()), fan_in),
        Fraction(int(backward), fan_in * count) / Fraction(int((g**2).sum()), fan_out),
    )


measured_factors = functools.cache(measured_factors_of)


def two_factors(case):
    # $$ \mathbb E[z_i^2] = D_{\mathrm{in}} \operatorname{Var}(W)\,\mathbb E[x_j^2], \qquad
    #    \mathbb E \Bigl[ \Bigl( \frac{\partial L}{\partial x_j} \Bigr)^2 \Bigr]
    #    = D_{\mathrm{out}} \operatorname{Var}(W)\,
    #    \mathbb E \Bigl[ \Bigl( \frac{\partial L}{\partial z_i} \Bigr)^2 \Bigr] $$
    return list(initialization.factors(case.fan_in, case.fan_out, case.variance))


@claim("initialization-factors", cases=layers)
def two_factors_by_enumeration(case, two_factors=two_factors):
    """All matrices of plus and minus the deviation, on one vector forward and one backward."""
    note("enumeration")
    same(two_factors(case), [factor * case.variance for factor in measured_factors(case.fan_in, case.fan_out)])


@slip("initialization-factors", blind=square_layer)
def factors_exchanged(case):
    """Take the number of outputs forward, and of inputs backward."""
    return list(initialization.factors(case.fan_out, case.fan_in, case.variance))


@slip("initialization-factors", blind=square_layer)
def one_factor_for_both(case):
    """Use the number of inputs in both directions."""
    return [case.fan_in * case.variance] * 2


def glorot_variance(case):
    # $$ \operatorname{Var}(W) = \frac{2}{D_{\mathrm{in}} + D_{\mathrm{out}}} $$
    import sympy

    return initialization.glorot_variance(sympy.Integer(case.fan_in), sympy.Integer(case.fan_out))


@claim("initialization-glorot-variance", cases=layers)
def mean_factor_is_one(case, glorot_variance=glorot_variance):
    """The mean of the two factors, measured over all signs, is 1."""
    note("enumeration")
    same(sum(measured_factors(case.fan_in, case.fan_out)) * HALF * glorot_variance(case), 1)


@claim("initialization-glorot-variance", cases=layers)
def glorot_variance_in_torch(case, glorot_variance=glorot_variance):
    """PyTorch's xavier_normal_ on a layer a hundred times as large; four standard errors."""
    torch = need("torch")
    large = Layer(100 * case.fan_in, 100 * case.fan_out)
    W = torch.empty(large.fan_out, large.fan_in, dtype=torch.float64)
    torch.nn.init.xavier_normal_(W, generator=torch.Generator().manual_seed(5))
    agree(float(glorot_variance(large)), float(W.var()), tolerance=4 * math.sqrt(2 / W.numel()))


@slip("initialization-glorot-variance")
def two_forgotten(case):
    """Divide by the sum of the sizes, and not by their mean."""
    return Fraction(1, case.fan_in + case.fan_out)


@slip("initialization-glorot-variance")
def printed_deviation(case):
    """Take 2 / sqrt(D_in + D_out) for the deviation, as printed."""
    return Fraction(4, case.fan_in + case.fan_out)


@slip("initialization-glorot-variance")
def variance_used_as_deviation(case):
    """Take 2 / (D_in + D_out) for the deviation."""
    return Fraction(2, case.fan_in + case.fan_out) ** 2


@slip("initialization-glorot-variance", blind=square_layer)
def mean_of_the_two_wishes(case):
    """Average 1/D_in and 1/D_out: the mean of the inverses is not the inverse of the mean."""
    return (Fraction(1, case.fan_in) + Fraction(1, case.fan_out)) / 2


@slip("initialization-glorot-variance", blind=square_layer)
def inputs_alone(case):
    """Take care of the forward direction only."""
    return Fraction(1, case.fan_in)


def any_layer():
    import sympy

    yield Layer(*sympy.symbols("a b", positive=True))


def any_square_layer(case):
    return Layer(case.fan_in, case.fan_in)


def glorot_factors(case):
    # $$ D_{\mathrm{in}} \operatorname{Var}(W) = \frac{2 D_{\mathrm{in}}}{D_{\mathrm{in}} + D_{\mathrm{out}}}, \qquad
    #    D_{\mathrm{out}} \operatorname{Var}(W) = \frac{2 D_{\mathrm{out}}}{D_{\mathrm{in}} + D_{\mathrm{out}}} $$
    variance = initialization.glorot_variance(case.fan_in, case.fan_out)
    return list(initialization.factors(case.fan_in, case.fan_out, variance))


@claim("initialization-glorot-factors", cases=any_layer)
def glorot_factors_in_symbols(case, glorot_factors=glorot_factors):
    """The difference to 1 is half the difference of the sizes, over their mean, with opposite signs."""
    forward, backward = glorot_factors(case)
    excess = (case.fan_in - case.fan_out) / (case.fan_in + case.fan_out)
    same([forward - 1, backward - 1], [excess, -excess])


@claim("initialization-glorot-factors", cases=any_layer)
def sum_range_and_equality(case, glorot_factors=glorot_factors):
    """For all positive sizes: the sum is 2, each lies between 0 and 2, and is 1 iff the sizes are equal."""
    import sympy
    import z3

    at = {case.fan_in: z3.Real("fan_in"), case.fan_out: z3.Real("fan_out")}
    a, b = at[case.fan_in], at[case.fan_out]
    both = [z3.RealVal(0) + sympy.lambdify(list(at), f)(*at.values()) for f in glorot_factors(case)]
    between = [z3.And(f > 0, f < 2, (f == 1) == (a == b)) for f in both]
    larger = (both[0] > 1) == (a > b)
    proved(z3.Implies(z3.And(a > 0, b > 0), z3.And(sum(both) == 2, larger, *between)))


@slip("initialization-glorot-factors", blind=any_square_layer)
def unit_variance_everywhere(case):
    """Believe that Glorot guarantees the variance 1 in every layer. It does so in square ones."""
    return [1, 1]


@slip("initialization-glorot-factors", blind=any_square_layer)
def wide_layers_exchanged(case):
    """Exchange the two factors: a layer with more inputs than units amplifies forward, not backward."""
    return glorot_factors(case)[::-1]


def slopes_at_zero():
    # $$ \tanh'(0) = 1, \qquad \sigma'(0) = \frac14 $$
    return [1.0, 0.25]


@claim("initialization-slope-at-zero")
def slopes_by_complex_step(slopes_at_zero=slopes_at_zero):
    """Both functions, differentiated at 0 by a complex step."""
    zero = np.zeros(1)
    tanh = complex_step(lambda x: np.tanh(x).sum(), zero)[0]
    agree(slopes_at_zero(), [tanh, complex_step(lambda x: (1 / (1 + np.exp(-x))).sum(), zero)[0]])


@claim("initialization-slope-at-zero")
def sixteen_at_least():
    """Two by two sigmoids, all signs of Glorot's weights, for inputs of three sizes; equal to 1/16 at the input 0."""
    g, found = np.array([1.0, -3.0]), []
    for size in (0.0, 0.5, 4.0):
        total = 0.0
        for signs in itertools.product((-1, 1), repeat=4):
            W = np.reshape(signs, (2, 2)) * math.sqrt(initialization.glorot_variance(2, 2))
            total += (((g * activation.d_sigmoid(W @ (size * np.array([1.0, 2.0])))) @ W) ** 2).sum() / 16
        found.append(total / (g @ g))
    agree(found[0], 1 / 16)
    for quotient in found[1:]:
        at_most(quotient, 1 / 16)


@slip("initialization-slope-at-zero")
def logistic_with_slope_one():
    """Use Glorot's derivation for the logistic sigmoid as it stands."""
    return [1.0, 1.0]


def printed_normal(case):
    # $$ \operatorname{Var}(\check W) = \frac{4}{D_{\mathrm{in}} + D_{\mathrm{out}}}
    #    = 2 \cdot \frac{2}{D_{\mathrm{in}} + D_{\mathrm{out}}} $$
    import sympy

    return (2 / sympy.sqrt(case.fan_in + case.fan_out)) ** 2


@claim("initialization-printed-normal", cases=any_layer)
def twice_too_large(case, printed_normal=printed_normal):
    """In symbols: twice the variance for which the factors have mean 1."""
    same(printed_normal(case) * (case.fan_in + case.fan_out) * HALF * HALF, 1)


@claim("initialization-printed-normal", cases=any_layer)
def twice_what_keras_draws(case, printed_normal=printed_normal):
    """Twice the variance of Keras's GlorotNormal, within 2 %: Keras does not do what is printed."""
    keras = keras_draws("GlorotNormal", Draw(300, 500, 1))[0] ** 2
    value = float(printed_normal(Layer(300, 500)))
    agree(value / 2, keras, tolerance=2e-2)
    differ(value, keras, by=0.5)


@slip("initialization-printed-normal")
def root_read_over_the_fraction(case):
    """Read the root over the whole fraction: the right law, but not the printed one."""
    return initialization.glorot_variance(case.fan_in, case.fan_out)


def limits():
    yield from (2.0, 1.0, 0.1)


def no_limit(limit):
    return 40.0


def truncated_std(limit):
    # $$ \operatorname{std}\bigl( u \bigm| \lvert u \rvert \le 2 \bigr)
    #    = \sqrt{1 - \frac{4 e^{-2}}{\sqrt{2\pi}\,\operatorname{erf}(\sqrt 2)}} = 0.87962566103423\ldots $$
    return initialization.truncated_normal_std(limit)


@claim("initialization-truncated-std", cases=limits)
def truncated_std_by_quadrature(limit, truncated_std=truncated_std):
    """For the limits 2, 1 and 0.1: the integrals of u^2 and of 1 against the density, by mpmath."""
    import mpmath

    note("mpmath quadrature")
    cuts = [0, min(limit, 1), min(limit, 10), limit]
    square = mpmath.quad(lambda u: u**2 * mpmath.npdf(u), cuts) / mpmath.quad(mpmath.npdf, cuts)
    agree(truncated_std(limit), float(mpmath.sqrt(square)))


@claim("initialization-truncated-std")
def fourteen_digits():
    """The formula at 2, and its digits, in 40 digits."""
    import sympy

    note("SymPy, 40 digits")
    value = sympy.sqrt(1 - 4 * sympy.exp(-2) / (sympy.sqrt(2 * sympy.pi) * sympy.erf(sympy.sqrt(2))))
    same(str(value.n(40))[:16], "0.87962566103423")
    agree(float(value.n(40)), initialization.truncated_normal_std(2), tolerance=1e-15)


@slip("initialization-truncated-std", blind=no_limit)
def cut_without_effect(limit):
    """Take the deviation of the law that is not cut."""
    return 1.0


@slip("initialization-truncated-std", blind=no_limit)
def variance_of_the_cut_law(limit):
    """Forget the root: correct the deviation by the variance."""
    return initialization.truncated_normal_std(limit) ** 2


@slip("initialization-truncated-std")
def one_side_only(limit):
    """Take the spread about the mean of the positive half."""
    inside = math.erf(limit / math.sqrt(2)) / 2
    mean = (1 - math.exp(-(limit**2) / 2)) / math.sqrt(2 * math.pi) / inside
    return math.sqrt(initialization.truncated_normal_std(limit) ** 2 - mean**2)


@dataclass(frozen=True)
class Draw:
    """A layer to be drawn."""

    fan_in: int
    fan_out: int
    seed: int

    @property
    def rng(self):
        return np.random.default_rng(self.seed)


def draws(rng):
    return Draw(300, 500, int(rng.integers(1000)))


def summary(W, share=1.0):
    """Deviation and largest entry, or the size that this share of the entries does not exceed."""
    W = np.abs(np.asarray(W, dtype=float))
    return [float(np.sqrt((W**2).mean())), float(np.quantile(W, share))]


def keras_weights(name, fan_in, fan_out, seed):
    """What Keras draws on its torch backend. TensorFlow is not needed."""
    need("torch")
    import os

    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    note("Keras")
    return getattr(keras.initializers, name)(seed=seed)((fan_in, fan_out)).detach().cpu().numpy()


def in_keras_of(name, fan_in, fan_out, seed):
    """The largest entry is that of 99.99 %: about four in a million escape the cut."""
    return summary(keras_weights(name, fan_in, fan_out, seed), 0.9999)


in_keras = functools.cache(in_keras_of)


def keras_draws(name, case):
    need("torch")
    note("Keras")
    return in_keras(name, case.fan_in, case.fan_out, case.seed)


def glorot_normal(case):
    # $$ \operatorname{std}(W) = \sqrt{\frac{2}{D_{\mathrm{in}} + D_{\mathrm{out}}}}, \qquad
    #    \max \lvert W_{ij} \rvert \le \frac{2 \operatorname{std}(W)}{0.87962566103423} $$
    return summary(initialization.glorot_normal(case.fan_in, case.fan_out, case.rng))


@claim("initialization-glorot-normal", cases=draws)
def glorot_normal_by_its_law(case, glorot_normal=glorot_normal):
    """150 000 weights: the deviation within four standard errors, the largest below its bound and within 1 % of it."""
    note("Monte-Carlo")
    std, largest = glorot_normal(case)
    right = math.sqrt(2 / (case.fan_in + case.fan_out))
    agree(std, right, tolerance=4 / math.sqrt(2 * case.fan_in * case.fan_out))
    at_most(largest, 2 * right / 0.87962566103423)
    agree(largest, 2 * right / 0.87962566103424, tolerance=1e-2)


@claim("initialization-glorot-normal", cases=draws)
def glorot_normal_in_keras(case, glorot_normal=glorot_normal):
    """Keras's GlorotNormal has the same deviation, and 99.99 % of its weights within the bound: within 1 %."""
    keras = keras_draws("GlorotNormal", case)
    each(glorot_normal(case), keras, 1e-2)


@claim("initialization-glorot-normal", cases=draws)
def one_row_a_unit(case):
    """The shape, the mean within four standard errors, and the share within one deviation before the cut."""
    W = initialization.glorot_normal(case.fan_in, case.fan_out, case.rng)
    same(W.shape, (case.fan_out, case.fan_in))
    agree(W.mean(), 0, scale=W.std(), tolerance=4 / math.sqrt(W.size))
    before = math.sqrt(2 / (case.fan_in + case.fan_out)) / 0.87962566103424
    share = math.erf(1 / math.sqrt(2)) / math.erf(math.sqrt(2))
    agree((np.abs(W) < before).mean(), share, tolerance=4 * math.sqrt((1 / share - 1) / W.size))


@slip("initialization-glorot-normal")
def printed_normal_law(case):
    """Draw with the printed deviation."""
    std = 2 / math.sqrt(case.fan_in + case.fan_out)
    return [std, 2 * std / 0.87962566103424]


@slip("initialization-glorot-normal")
def cut_and_not_rescaled(case):
    """Cut at two deviations, and leave the deviation smaller."""
    std = math.sqrt(2 / (case.fan_in + case.fan_out))
    return [0.87962566103424 * std, 2 * std]


@slip("initialization-glorot-normal")
def not_cut(case):
    """Draw from the normal law itself."""
    return summary(case.rng.normal(size=(case.fan_out, case.fan_in)) * math.sqrt(2 / (case.fan_in + case.fan_out)))


def four_tries():
    # $$ P \bigl( \lvert u \rvert > 2 \bigr)^4 = \bigl( 1 - \operatorname{erf}(\sqrt2) \bigr)^4
    #    \approx 4.29 \cdot 10^{-6} $$
    return 4.29e-6


@claim("initialization-keras-escapes")
def four_tries_by_integral(four_tries=four_tries):
    """The normal law beyond two deviations, to the fourth power, by mpmath."""
    import mpmath

    note("mpmath quadrature")
    agree(four_tries(), float((2 * mpmath.quad(mpmath.npdf, [2, 4, 8, 20])) ** 4), tolerance=2e-3)


@claim("initialization-keras-escapes")
def escapes_in_keras():
    """Of 6 million weights that Keras 3.15 draws on torch, about 26 are beyond the bound; within four roots of 26."""
    need("torch")
    std = math.sqrt(2 / 800)
    weights = [keras_weights("GlorotNormal", 300, 500, seed) for seed in range(40)]
    beyond = sum(int((np.abs(W) > 1.00001 * 2 * std / 0.87962566103424).sum()) for W in weights)
    expected = 6e6 * four_tries()
    agree(beyond, expected, tolerance=4 / math.sqrt(expected))


@slip("initialization-keras-escapes")
def one_try():
    """Draw once: 4.6 % would be beyond."""
    return math.erfc(math.sqrt(2))


@slip("initialization-keras-escapes")
def drawn_until_inside():
    """Believe that each weight is drawn until it is inside, as its definition says."""
    return 0.0


# --- Glorot, uniform -------------------------------------------------------------------------------------------------


def bounds():
    yield 0.5
    yield 3.0


def uniform_variance(bound):
    # $$ \operatorname{Var}(W) = \tfrac13\,\text{bound}^2 $$
    return initialization.uniform_variance(bound)


@claim("initialization-uniform-variance", cases=bounds)
def uniform_variance_by_integral(bound, uniform_variance=uniform_variance):
    """SymPy integrates the square over the interval."""
    import sympy

    w = sympy.Symbol("w")
    edge = sympy.Rational(bound)
    agree(uniform_variance(bound), float(sympy.integrate(w**2 / (2 * edge), (w, -edge, edge))))


@claim("initialization-uniform-variance", cases=bounds)
def uniform_variance_by_draws(bound, uniform_variance=uniform_variance):
    """200 000 draws, within 1 %."""
    note("Monte-Carlo")
    agree(uniform_variance(bound), np.random.default_rng(6).uniform(-bound, bound, 200_000).var(), tolerance=1e-2)


@slip("initialization-uniform-variance")
def length_taken_for_the_bound(bound):
    """Use the rule length^2 / 12 with the half-length: bound^2 / 12."""
    return bound**2 / 12


@slip("initialization-uniform-variance")
def bound_taken_for_the_deviation(bound):
    """Take the bound for the deviation: the variance would be bound^2."""
    return bound**2


@slip("initialization-uniform-variance")
def length_taken_for_the_half(bound):
    """Use the rule bound^2 / 3 with the whole length."""
    return (2 * bound) ** 2 / 3


def glorot_bound(case):
    # $$ \text{bound} = \sqrt{\frac{6}{D_{\mathrm{in}} + D_{\mathrm{out}}}} $$
    return initialization.glorot_bound(case.fan_in, case.fan_out)


@claim("initialization-glorot-bound", cases=any_layer)
def same_variance_as_normal(case, glorot_bound=glorot_bound):
    """SymPy integrates the square over the interval: the variance is Glorot's, for all sizes."""
    import sympy

    w, edge = sympy.Symbol("w"), sympy.sympify(glorot_bound(case))
    variance = sympy.integrate(w**2 / (2 * edge), (w, -edge, edge))
    same(variance, 2 / (case.fan_in + case.fan_out))


@claim("initialization-glorot-bound", cases=any_layer)
def glorot_bound_in_torch(case, glorot_bound=glorot_bound):
    """PyTorch's xavier_uniform_ on 300 inputs and 500 units: the largest weight is the bound, within 0.1 %."""
    torch = need("torch")
    W = torch.empty(500, 300, dtype=torch.float64)
    torch.nn.init.xavier_uniform_(W, generator=torch.Generator().manual_seed(7))
    agree(float(glorot_bound(Layer(300, 500))), float(W.abs().max()), tolerance=1e-3)


@slip("initialization-glorot-bound")
def printed_bound(case):
    """Take 6 / sqrt(D_in + D_out), as printed."""
    import sympy

    return 6 / sympy.sqrt(case.fan_in + case.fan_out)


@slip("initialization-glorot-bound")
def deviation_for_the_bound(case):
    """Compare the bound with the deviation directly, and give the deviation."""
    import sympy

    return sympy.sqrt(2) / sympy.sqrt(case.fan_in + case.fan_out)


def glorot_uniform(case):
    # $$ \operatorname{std}(W) = \sqrt{\frac{2}{D_{\mathrm{in}} + D_{\mathrm{out}}}}, \qquad
    #    \max \lvert W_{ij} \rvert \le \sqrt{\frac{6}{D_{\mathrm{in}} + D_{\mathrm{out}}}} $$
    return summary(initialization.glorot_uniform(case.fan_in, case.fan_out, case.rng))


@claim("initialization-glorot-uniform", cases=draws)
def glorot_uniform_by_its_law(case, glorot_uniform=glorot_uniform):
    """150 000 weights: four standard errors, and the largest below its bound."""
    note("Monte-Carlo")
    std, largest = glorot_uniform(case)
    bound = math.sqrt(6 / (case.fan_in + case.fan_out))
    agree(std, bound / math.sqrt(3), tolerance=4 / math.sqrt(5 * case.fan_in * case.fan_out))
    at_most(largest, bound)
    agree(largest, bound, tolerance=1e-3)


@claim("initialization-glorot-uniform", cases=draws)
def glorot_uniform_in_keras(case, glorot_uniform=glorot_uniform):
    """Keras's GlorotUniform has the same deviation and the same bound, within 1 %."""
    keras = keras_draws("GlorotUniform", case)
    each(glorot_uniform(case), keras, 1e-2)


@claim("initialization-glorot-uniform", cases=draws)
def glorot_uniform_is_flat(case):
    """The shape, one row a unit; the mean within four standard errors; each tenth of the interval holds a tenth."""
    W = initialization.glorot_uniform(case.fan_in, case.fan_out, case.rng)
    same(W.shape, (case.fan_out, case.fan_in))
    agree(W.mean(), 0, scale=W.std(), tolerance=4 / math.sqrt(W.size))
    share = np.histogram(W, 10, (-np.abs(W).max(), np.abs(W).max()))[0] / W.size
    agree(share, np.full(10, 0.1), tolerance=4 * math.sqrt(9 / W.size))


@slip("initialization-glorot-uniform")
def printed_uniform_law(case):
    """Draw within the printed bounds."""
    bound = 6 / math.sqrt(case.fan_in + case.fan_out)
    return [bound / math.sqrt(3), bound]


@slip("initialization-glorot-uniform")
def bound_equal_to_the_deviation(case):
    """Put the bound where the normal law has its deviation."""
    bound = math.sqrt(2 / (case.fan_in + case.fan_out))
    return [bound / math.sqrt(3), bound]


def printed_uniform(case):
    # $$ \operatorname{Var}(\check W) = \frac{12}{D_{\mathrm{in}} + D_{\mathrm{out}}}
    #    = 6 \cdot \frac{2}{D_{\mathrm{in}} + D_{\mathrm{out}}} $$
    import sympy

    return (6 / sympy.sqrt(case.fan_in + case.fan_out)) ** 2 / 3


@claim("initialization-printed-uniform", cases=any_layer)
def six_times_too_large(case, printed_uniform=printed_uniform):
    """In symbols: 6 times Glorot's variance, and 3 times that of the printed normal law."""
    right = 2 / (case.fan_in + case.fan_out)
    same([printed_uniform(case) / right, printed_uniform(case) / printed_normal(case)], [6, 3])


@claim("initialization-printed-uniform", cases=any_layer)
def six_times_what_keras_draws(case, printed_uniform=printed_uniform):
    """6 times the variance of Keras's GlorotUniform, within 2 %: Keras does not do what is printed."""
    keras = keras_draws("GlorotUniform", Draw(300, 500, 1))[0] ** 2
    value = float(printed_uniform(Layer(300, 500)))
    agree(value / 6, keras, tolerance=2e-2)
    differ(value, keras, by=2)


@slip("initialization-printed-uniform")
def same_misprint_same_factor(case):
    """Believe that both misprints multiply the variance by 2."""
    return printed_normal(case)


# --- two initialisations through depth -------------------------------------------------------------------------------


def any_width():
    import sympy

    yield sympy.Symbol("D", positive=True)


def two_variances(D):
    # $$ D \operatorname{Var}(W_{\text{standard}}) = \frac13, \qquad D \operatorname{Var}(W_{\text{normalised}}) = 1 $$
    standard, normalised = initialization.standard_bound(D), initialization.glorot_bound(D, D)
    return [D * initialization.uniform_variance(standard), D * initialization.uniform_variance(normalised)]


@claim("initialization-two-variances", cases=any_width)
def two_variances_by_integral(D, two_variances=two_variances):
    """SymPy integrates the square over the two intervals, with the bounds of the paper."""
    import sympy

    w = sympy.Symbol("w")
    bounds = [1 / sympy.sqrt(D), sympy.sqrt(6) / sympy.sqrt(D + D)]
    same(two_variances(D), [D * sympy.integrate(w**2 / (2 * edge), (w, -edge, edge)) for edge in bounds])


@slip("initialization-two-variances")
def variance_one_over_width(D):
    """Take 1 / sqrt(D) for the deviation, as in the first question. Here it is a bound."""
    return [1, 1]


def standard_uniform(case):
    # $$ \operatorname{std}(W) = \frac{1}{\sqrt{3 D_{\mathrm{in}}}}, \qquad
    #    \max \lvert W_{ij} \rvert \le \frac{1}{\sqrt{D_{\mathrm{in}}}} $$
    return summary(initialization.standard_uniform(case.fan_in, case.fan_out, case.rng))


@claim("initialization-standard-uniform", cases=draws)
def standard_uniform_by_its_law(case, standard_uniform=standard_uniform):
    """150 000 weights: four standard errors, and the largest below its bound."""
    note("Monte-Carlo")
    std, largest = standard_uniform(case)
    agree(std, 1 / math.sqrt(3 * case.fan_in), tolerance=4 / math.sqrt(5 * case.fan_in * case.fan_out))
    at_most(largest, 1 / math.sqrt(case.fan_in))
    agree(largest, 1 / math.sqrt(case.fan_in), tolerance=1e-3)


@claim("initialization-standard-uniform", cases=draws)
def standard_uniform_in_torch(case, standard_uniform=standard_uniform):
    """The weights that torch.nn.Linear starts from, within 1 %."""
    torch = need("torch")
    with torch.random.fork_rng():
        torch.manual_seed(case.seed)
        W = torch.nn.Linear(case.fan_in, case.fan_out).weight
    each(standard_uniform(case), summary(W.detach().numpy().astype(float)), 1e-2)


@claim("initialization-standard-uniform", cases=draws)
def standard_uniform_is_flat(case):
    """The shape, one row a unit; the mean within four standard errors; each tenth of the interval holds a tenth."""
    W = initialization.standard_uniform(case.fan_in, case.fan_out, case.rng)
    same(W.shape, (case.fan_out, case.fan_in))
    agree(W.mean(), 0, scale=W.std(), tolerance=4 / math.sqrt(W.size))
    share = np.histogram(W, 10, (-np.abs(W).max(), np.abs(W).max()))[0] / W.size
    agree(share, np.full(10, 0.1), tolerance=4 * math.sqrt(9 / W.size))


@slip("initialization-standard-uniform")
def outputs_counted(case):
    """Divide by the number of units."""
    return [1 / math.sqrt(3 * case.fan_out), 1 / math.sqrt(case.fan_out)]


@dataclass(frozen=True)
class Network:
    """A network, an input, and the gradient g at its output: the loss is the sum of g . h^(M)."""

    x: np.ndarray
    weights: tuple
    g: np.ndarray
    linear: bool = False

    def act(self, z):
        return z if self.linear else np.tanh(z)

    def loss(self, weights=None, bumps=()):
        """The loss, with numbers added to h^(0), z^(1), h^(1), z^(2), ..."""
        bumps = dict(bumps)
        h = self.x + bumps.get(("h", 0), 0)
        for m, W in enumerate(weights or self.weights, 1):
            h = self.act(h @ W.T + bumps.get(("z", m), 0)) + bumps.get(("h", m), 0)
        return (self.g * h).sum()

    @property
    def saved(self):
        return initialization.forward(self.x, self.weights, linear=self.linear)[1]


def network(rng):
    """Three layers of 5, 3, 4 and 2 units, two examples."""
    sizes = (5, 3, 4, 2)
    weights = tuple(rng.normal(size=(b, a)) for a, b in itertools.pairwise(sizes))
    return Network(rng.normal(size=(2, 5)), weights, rng.normal(size=(2, 2)))


def without_tanh(case):
    return replace(case, linear=True)


def network_output(case):
    # $$ h^{(i)} = \tanh(z^{(i)}), \qquad z^{(i)} = h^{(i-1)} (W^{(i)})^\top $$
    return initialization.forward(case.x, case.weights, linear=case.linear)[0]


@claim("initialization-network", cases=network)
def network_by_loops(case, network_output=network_output):
    """One unit of one example at a time, with Python's own tanh."""
    act = float if case.linear else math.tanh
    rows = []
    for h in case.x.tolist():
        for W in case.weights:
            h = [act(sum(W[i, j] * h[j] for j in range(W.shape[1]))) for i in range(W.shape[0])]
        rows.append(h)
    agree(network_output(case), rows)


@claim("initialization-network", cases=network)
def linear_network_is_a_product(case):
    """Without tanh the output is x times the product of the matrices."""
    output = initialization.forward(case.x, case.weights, linear=True)[0]
    agree(output, case.x @ np.linalg.multi_dot([W.T for W in case.weights]))


@slip("initialization-network", blind=without_tanh)
def last_layer_linear(case):
    """Leave the tanh of the last layer out."""
    return case.saved.z[-1]


def network_gradients(case):
    # $$ \frac{\partial L}{\partial z^{(i)}} = \frac{\partial L}{\partial h^{(i)}} \odot \tanh'(z^{(i)}), \qquad
    #    \frac{\partial L}{\partial W^{(i)}}
    #    = \Bigl( \frac{\partial L}{\partial z^{(i)}} \Bigr)^{\!\top} h^{(i-1)}, \qquad
    #    \frac{\partial L}{\partial h^{(i-1)}} = \frac{\partial L}{\partial z^{(i)}}\, W^{(i)} $$
    gradients = initialization.backward(case.g, case.saved)
    return [*gradients.dh, *gradients.dz, *gradients.dW]


@claim("initialization-network-gradients", cases=network)
def gradients_by_complex_step(case, network_gradients=network_gradients):
    """A complex number is added to each h, to each z and to each weight."""
    expected = [
        complex_step(lambda e, m=m: case.loss(bumps=[(("h", m), e)]), 0 * h) for m, h in enumerate(case.saved.h)
    ]
    for m, z in enumerate(case.saved.z, 1):
        expected.append(complex_step(lambda e, m=m: case.loss(bumps=[(("z", m), e)]), 0 * z))
    for m, W in enumerate(case.weights):
        others = list(case.weights)
        expected.append(complex_step(lambda W, m=m, o=others: case.loss([*o[:m], W, *o[m + 1 :]]), W))
    each(network_gradients(case), expected, 1e-12)


@claim("initialization-network-gradients", cases=network)
def gradients_by_autograd(case, network_gradients=network_gradients):
    """PyTorch's autograd, with gradients kept at each h and each z."""
    torch = need("torch")
    h = torch.tensor(case.x, requires_grad=True)
    weights = [torch.tensor(W, requires_grad=True) for W in case.weights]
    hs, zs = [h], []
    for W in weights:
        z = hs[-1] @ W.T
        zs.append(z)
        hs.append(z * 1 if case.linear else torch.tanh(z))
    wanted = torch.autograd.grad((torch.tensor(case.g) * hs[-1]).sum(), [*hs, *zs, *weights])
    each(network_gradients(case), [g.numpy() for g in wanted], 1e-12)


@slip("initialization-network-gradients", blind=without_tanh)
def slope_forgotten(case):
    """Send the gradient back as if each unit were linear."""
    gradients = initialization.backward(case.g, replace(case.saved, linear=True))
    return [*gradients.dh, *gradients.dz, *gradients.dW]


@slip("initialization-network-gradients")
def not_transposed(case):
    """Write the gradient by the weights as h^T dz: the layout of x W, not of x W^T."""
    gradients = initialization.backward(case.g, case.saved)
    return [*gradients.dh, *gradients.dz, *(dW.T for dW in gradients.dW)]


@dataclass(frozen=True)
class Linear:
    """Sizes D_0 to D_M, and one deviation of the weights for each layer, an integer."""

    sizes: tuple
    stds: tuple

    @property
    def M(self):
        return len(self.stds)

    @property
    def variances(self):
        return [std**2 for std in self.stds]


def linear_networks():
    yield Linear((2, 3, 1, 2), (2, 3, 5))
    yield Linear((3, 2, 1, 3), (1, 2, 3))


def equal_sizes(case):
    return Linear((2, 2, 2, 2), case.stds)


def mean_squares_of(sizes, stds):
    """Over all signs of all weights: the mean squares of h, dh and dW, relative as in linear_variances. One example."""
    shapes = [(b, a) for a, b in itertools.pairwise(sizes)]
    total = sum(a * b for a, b in shapes)
    signs = 1 - 2 * ((np.arange(2**total)[:, None] >> np.arange(total)) & 1)
    weights = []
    for (b, a), std in zip(shapes, stds, strict=True):
        weights.append(std * signs[:, : a * b].reshape(-1, b, a))
        signs = signs[:, a * b :]
    h = [np.broadcast_to(np.arange(1, sizes[0] + 1), (2**total, sizes[0]))]
    for W in weights:
        h.append(np.einsum("kij,kj->ki", W, h[-1]))
    dh = [np.broadcast_to(np.arange(2, sizes[-1] + 2), (2**total, sizes[-1]))]
    for W in weights[::-1]:
        dh.append(np.einsum("kij,ki->kj", W, dh[-1]))
    dh = dh[::-1]
    dW = [a[:, :, None] * b[:, None, :] for a, b in zip(dh[1:], h[:-1], strict=True)]

    def mean(array):
        return Fraction(int((array.astype(np.int64) ** 2).sum()), array.size)

    x, g = mean(h[0]), mean(dh[-1])
    return [mean(a) / x for a in h], [mean(a) / g for a in dh], [mean(a) / (x * g) for a in dW]


mean_squares = functools.cache(mean_squares_of)


def linear_depth(case):
    # $$ \begin{aligned}
    #    \operatorname{Var}\bigl( h^{(i)} \bigr)
    #    &= \operatorname{Var}\bigl( h^{(0)} \bigr) \prod_{j=1}^{i} D_{j-1} \operatorname{Var}(W^{(j)}) \\
    #    \operatorname{Var}\Bigl( \frac{\partial L}{\partial h^{(i)}} \Bigr)
    #    &= \operatorname{Var}\Bigl( \frac{\partial L}{\partial h^{(M)}} \Bigr)
    #    \prod_{j=i+1}^{M} D_j \operatorname{Var}(W^{(j)}) \\
    #    \operatorname{Var}\Bigl( \frac{\partial L}{\partial W^{(i)}} \Bigr)
    #    &= \operatorname{Var}\bigl( h^{(i-1)} \bigr)
    #    \operatorname{Var}\Bigl( \frac{\partial L}{\partial h^{(i)}} \Bigr)
    #    \end{aligned} $$
    found = initialization.linear_variances(case.sizes, case.variances)
    return [*found.h, *found.dh, *found.dW]


@claim("initialization-linear-depth", cases=linear_networks)
def linear_depth_by_enumeration(case, linear_depth=linear_depth):
    """Three layers of different sizes: one fixed input and gradient, all signs of all weights."""
    note("enumeration")
    same(linear_depth(case), [entry for part in mean_squares(case.sizes, case.stds) for entry in part])


@claim("initialization-linear-depth")
def two_examples_give_twice():
    """First of two layers, of 1 and 2 units; all signs of inputs and weights. Not if gradients depend on inputs."""
    note("enumeration")
    for dependent in (False, True):
        many = one = Fraction(0)
        for s in itertools.product((-1, 1), repeat=6):
            x, V = np.reshape(s[:4], (2, 2)), np.reshape(s[4:], (2, 1))
            g = x if dependent else np.array([[1, 3], [2, -5]])
            many += int((((g @ V).T @ x) ** 2).sum())
            one += sum(int((((g[i : i + 1] @ V).T @ x[i : i + 1]) ** 2).sum()) for i in (0, 1))
        if dependent:
            differ(float(many / one), 1)
        else:
            same(many / one, 1)  # the sum over both examples: N times their mean


@slip("initialization-linear-depth", blind=equal_sizes)
def inputs_counted_backward(case):
    """Send back with the number of inputs of each layer."""
    found = initialization.linear_variances(case.sizes, case.variances)
    pairs = zip(case.sizes, case.variances, strict=False)
    factors = [size * variance for size, variance in pairs]
    dh = [math.prod(factors[i:]) for i in range(case.M + 1)]
    return [*found.h, *dh, *(a * b for a, b in zip(found.h[:-1], dh[1:], strict=True))]


@slip("initialization-linear-depth")
def own_layer_counted(case):
    """Count the layer's own weights in the gradient by them, which does not contain them."""
    found = initialization.linear_variances(case.sizes, case.variances)
    return [*found.h, *found.dh, *(found.h[1:] * found.dh[1:])]


WIDTH, DEPTH = 200, 5


def statistics_of(seed, law, linear):
    """Variances of h, dh, dz and dW by layer: five layers of 200 units, 300 examples."""
    rng = np.random.default_rng(seed)
    weights = [getattr(initialization, law)(WIDTH, WIDTH, rng) for _ in range(DEPTH)]
    y, saved = initialization.forward(rng.normal(size=(300, WIDTH)), weights, linear=linear)
    gradients = initialization.backward(rng.normal(size=y.shape), saved)
    parts = {"h": saved.h, "dh": gradients.dh, "dz": gradients.dz, "dW": gradients.dW}
    return {name: np.array([array.var() for array in arrays]) for name, arrays in parts.items()}


statistics = functools.cache(statistics_of)


LAWS = ("standard_uniform", "glorot_uniform")


def seeds():
    yield from range(3)


def layer_ratio(seed):
    # $$ \frac{\operatorname{Var}(\partial L / \partial h^{(i-1)})}{\operatorname{Var}(\partial L / \partial h^{(i)})}
    #    = \frac13 \text{ (standard)}, \qquad 1 \text{ (normalised)} $$
    return [Fraction(1, 3), Fraction(1)]


@claim("initialization-layer-ratio", cases=seeds)
def layer_ratio_by_networks(seed, layer_ratio=layer_ratio):
    """Linear networks of five layers of 200 units: the ratio of each layer, within 6 %."""
    note("Monte-Carlo")
    for value, law in zip(layer_ratio(seed), LAWS, strict=True):
        dh = statistics(seed, law, True)["dh"]
        agree(np.full(DEPTH, float(value)), dh[:-1] / dh[1:], tolerance=6e-2)


@claim("initialization-layer-ratio", cases=seeds)
def layer_ratio_by_formula(seed, layer_ratio=layer_ratio):
    """The backward factor of a square layer of 7 units, its variance by the bound of each law, in SymPy."""
    import sympy

    D = sympy.Integer(7)
    bounds = (initialization.standard_bound(D), initialization.glorot_bound(D, D))
    same(layer_ratio(seed), [initialization.factors(D, D, initialization.uniform_variance(b))[1] for b in bounds])


@slip("initialization-layer-ratio")
def ratio_of_deviations(seed):
    """Give the ratio of deviations, one over root 3, for that of variances."""
    return [Fraction(577, 1000), Fraction(1)]


@slip("initialization-layer-ratio")
def ratio_one_over_width(seed):
    """Forget that D terms are summed: Var(W) in place of D Var(W), up to its factor."""
    return [Fraction(1, WIDTH), Fraction(1)]


def tanh_depth():
    # $$ \begin{array}{l|rr} \text{tanh, five layers} & \text{standard} & \text{normalised} \\ \hline
    #    \operatorname{Var}(\partial L / \partial h^{(0)}) / \operatorname{Var}(\partial L / \partial h^{(5)})
    #    & 0.0023 & 0.138 \\
    #    \operatorname{Var}(\partial L / \partial z^{(1)}) / \operatorname{Var}(\partial L / \partial z^{(5)})
    #    & 0.0069 & 0.168 \\
    #    \operatorname{Var}(h^{(5)}) / \operatorname{Var}(h^{(1)}) & 0.0103 & 0.262 \\
    #    \operatorname{Var}(\partial L / \partial W^{(1)}) / \operatorname{Var}(\partial L / \partial W^{(5)})
    #    & 1.06 & 1.31 \end{array} $$
    return [0.0023, 0.138, 0.0069, 0.168, 0.0103, 0.262, 1.06, 1.31]


@claim("initialization-tanh-depth")
def tanh_depth_by_networks(tanh_depth=tanh_depth):
    """Means over eight networks of 200 units, standard normal inputs and gradients at the output: within 2.5 %."""
    note("Monte-Carlo")
    columns = []
    for law in LAWS:
        runs = [statistics(seed, law, False) for seed in range(8)]
        rows = [
            [
                run["dh"][0] / run["dh"][5],
                run["dz"][0] / run["dz"][4],
                run["h"][5] / run["h"][1],
                run["dW"][0] / run["dW"][4],
            ]
            for run in runs
        ]
        columns.append(np.mean(rows, axis=0))
    each(tanh_depth(), np.transpose(columns).ravel(), 2.5e-2)


@claim("initialization-tanh-depth")
def tanh_depth_by_mean_field(tanh_depth=tanh_depth):
    """The limit of infinite width, where z is normal: Gauss-Hermite integrals layer by layer; within 2 %."""
    note("quadrature")
    u, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = weight / weight.sum()
    columns = []
    for factor in (1 / 3, 1.0):
        h, slope = [1.0], []
        for _ in range(DEPTH):
            t = np.tanh(math.sqrt(factor * h[-1]) * u)
            h.append((t * t) @ weight)
            slope.append(((1 - t * t) ** 2) @ weight)
        dz, below = [0.0] * DEPTH, 1.0
        for i in reversed(range(DEPTH)):
            dz[i] = below * slope[i]
            below = factor * dz[i]
        columns.append([below, dz[0] / dz[4], h[5] / h[1], h[0] * dz[0] / (h[4] * dz[4])])
    each(tanh_depth(), np.transpose(columns).ravel(), 2e-2)


@slip("initialization-tanh-depth")
def nothing_is_lost():
    """Believe that the normalised initialisation keeps the gradient exactly: the slopes of tanh are below 1."""
    return [0.0023, 1.0, 0.0069, 1.0, 0.0103, 1.0, 1.06, 1.0]


@slip("initialization-tanh-depth")
def linear_law_for_tanh():
    """Use the linear factor, a third a layer, for tanh."""
    return [3.0**-5, 1.0, 3.0**-4, 1.0, 3.0**-4, 1.0, 1.0, 1.0]


def smallest_layers(seed):
    # $$ \arg\min_i \operatorname{Var}\Bigl( \frac{\partial L}{\partial z^{(i)}} \Bigr) = 1, \qquad
    #    \arg\min_i \operatorname{Var}(h^{(i)}) = M $$
    return [1, DEPTH]


@claim("initialization-smallest-layer", cases=seeds)
def smallest_layers_by_networks(seed, smallest_layers=smallest_layers):
    """The standard initialisation, five layers of tanh."""
    note("Monte-Carlo")
    found = statistics(seed, "standard_uniform", False)
    differ(found["dz"][0], found["dz"][1])
    same(smallest_layers(seed), [int(found["dz"].argmin()) + 1, int(found["h"][1:].argmin()) + 1])


@slip("initialization-smallest-layer")
def figure_of_the_activations(seed):
    """Describe the other figure: activations peak at 0 in the higher layers, gradients in the lower ones."""
    return [DEPTH, 1]


# --- why it helps ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stack:
    """M layers of D units."""

    D: int
    M: int
    variance: Fraction


def stacks():
    yield Stack(2, 3, Fraction(1, 6))
    yield Stack(1, 4, Fraction(1, 3))
    yield Stack(2, 2, Fraction(3))


def factor_one(case):
    return Stack(1, case.M, Fraction(1))


def weight_gradients(case):
    # $$ \operatorname{Var}\Bigl( \frac{\partial L}{\partial W^{(i)}} \Bigr)
    #    = \bigl( D \operatorname{Var}(W) \bigr)^{M-1} \operatorname{Var}\bigl( h^{(0)} \bigr)
    #    \operatorname{Var}\Bigl( \frac{\partial L}{\partial h^{(M)}} \Bigr)
    #    \qquad \text{for every } i $$
    return list(initialization.linear_variances([case.D] * (case.M + 1), [case.variance] * case.M).dW)


@claim("initialization-weight-gradients", cases=stacks)
def weight_gradients_by_enumeration(case, weight_gradients=weight_gradients):
    """All signs of all weights, for layers of one or two units; each of the other layers gives its variance once."""
    note("enumeration")
    unit = mean_squares((case.D,) * (case.M + 1), (1,) * case.M)[2]
    same(weight_gradients(case), [entry * case.variance ** (case.M - 1) for entry in unit])


@claim("initialization-weight-gradients", cases=stacks)
def weight_gradients_by_networks(case, weight_gradients=weight_gradients):
    """Linear networks of 200 units with the same D Var(W): means over ten networks of 300 examples, within 15 %."""
    note("Monte-Carlo")
    measured = weight_gradient_means(case.M, case.D * case.variance)
    agree(np.array(weight_gradients(case), float), measured, tolerance=0.15)


def weight_gradient_means_of(M, factor):
    total = np.zeros(M)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        weights = [rng.normal(size=(WIDTH, WIDTH)) * math.sqrt(factor / WIDTH) for _ in range(M)]
        y, saved = initialization.forward(rng.normal(size=(300, WIDTH)), weights, linear=True)
        total += [(dW**2).mean() / 300 for dW in initialization.backward(rng.normal(size=y.shape), saved).dW]
    return total / 10


weight_gradient_means = functools.cache(weight_gradient_means_of)


@slip("initialization-weight-gradients", blind=factor_one)
def lower_layers_learn_slower(case):
    """Let the gradient by the weights shrink towards the input as that by the units does."""
    factor = case.D * case.variance
    return [factor ** (case.M - i) for i in range(1, case.M + 1)]


@slip("initialization-weight-gradients", blind=factor_one)
def all_layers_counted(case):
    """Count M factors: a gradient by the weights passes through the M - 1 other layers."""
    return [(case.D * case.variance) ** case.M] * case.M


@dataclass(frozen=True)
class Step:
    """A network, the step of gradient descent, and the factor on the loss."""

    network: Network
    eta: float
    c: float


def step(rng):
    return Step(network(rng), 0.3, 5.0)


def loss_as_it_was(case):
    return replace(case, c=1.0)


def rescaled_loss(case):
    # $$ W - \frac{\eta}{c}\,\frac{\partial (c L)}{\partial W} = W - \eta\,\frac{\partial L}{\partial W} $$
    dW = initialization.backward(case.c * case.network.g, case.network.saved).dW[0]
    return case.network.weights[0] - case.eta / case.c * dW


@claim("initialization-larger-gradients", cases=step)
def step_of_the_first_layer(case, rescaled_loss=rescaled_loss):
    """The step on the loss itself, its gradient by a complex step."""
    W, *others = case.network.weights
    agree(rescaled_loss(case), W - case.eta * complex_step(lambda W: case.network.loss([W, *others]), W))


@slip("initialization-larger-gradients", blind=loss_as_it_was)
def larger_is_faster(case):
    """Credit the larger gradient with a longer way: the step that it allows is as much shorter."""
    network = case.network
    return network.weights[0] - case.eta * initialization.backward(case.c * network.g, network.saved).dW[0]


# --- input -----------------------------------------------------------------------------------------------------------


@claim("initialization-bad-input")
def bad_input():
    """Each argument is spoiled in turn."""
    rng, x, weights = np.random.default_rng(0), np.ones((2, 3)), [np.ones((4, 3))]
    for fan in (0, -1, 2.0, True, "3", None, np.float64(3), np.array([3])):
        for f in (initialization.lecun_std, initialization.standard_bound):
            refuses(lambda f=f, fan=fan: f(fan), naming="fan_in")
        refuses(lambda fan=fan: initialization.pre_activation_variance(fan, 1), naming="fan_in")
        refuses(lambda fan=fan: initialization.pre_activation_fourth_moment(fan, 1), naming="fan_in")
        for f in (initialization.glorot_variance, initialization.glorot_bound):
            refuses(lambda f=f, fan=fan: f(fan, 3), naming="fan_in")
            refuses(lambda f=f, fan=fan: f(3, fan), naming="fan_out")
        for f in (initialization.glorot_normal, initialization.glorot_uniform, initialization.standard_uniform):
            refuses(lambda f=f, fan=fan: f(fan, 3, rng), naming="fan_in")
            refuses(lambda f=f, fan=fan: f(3, fan, rng), naming="fan_out")
        refuses(lambda fan=fan: initialization.factors(fan, 2, 1), naming="fan_in")
        refuses(lambda fan=fan: initialization.factors(2, fan, 1), naming="fan_out")
        refuses(lambda fan=fan: initialization.linear_variances([2, fan], [1]), naming="sizes")
    for f in (initialization.glorot_normal, initialization.glorot_uniform, initialization.standard_uniform):
        refuses(lambda f=f: f(2, 3, 0), naming="rng")
        refuses(lambda f=f: f(2, 3, np.random.RandomState(0)), naming="rng")
    for value in (-1, math.nan, math.inf, [1], "1", None, 1j):
        refuses(lambda v=value: initialization.pre_activation_variance(2, v), naming="variance")
        refuses(lambda v=value: initialization.pre_activation_fourth_moment(2, v), naming="variance")
        refuses(lambda v=value: initialization.factors(2, 3, v), naming="variance")
        refuses(lambda v=value: initialization.linear_variances([2, 3], [v]), naming="variances")
        refuses(lambda v=value: initialization.uniform_variance(v), naming="bound")
    for value in (0, -1, math.nan, math.inf, 10**400, [1], "1", None):
        refuses(lambda v=value: initialization.mean_slope(v), naming="std")
        refuses(lambda v=value: initialization.truncated_normal_std(v), naming="limit")
    for sizes, variances in (([2], []), ([2, 3], [1, 1]), ([2, 3, 4], [1])):
        refuses(lambda s=sizes, v=variances: initialization.linear_variances(s, v), naming="variances")
    refuses(lambda: initialization.variance_given_weights(np.ones((2, 2)), np.eye(2)), naming="weights")
    refuses(lambda: initialization.variance_given_weights(np.ones(2), np.eye(3)), naming="covariance")
    refuses(lambda: initialization.variance_given_weights(np.ones(2), np.ones((2, 1))), naming="covariance")
    for bad in (np.ones(3), np.ones((0, 3)), 1j * x, x.astype(str), x > 0):
        refuses(lambda bad=bad: initialization.forward(bad, weights), naming="x")
    for bad in (np.ones((3, 4)), np.ones(3), np.ones((0, 3)), 1j * weights[0]):
        refuses(lambda bad=bad: initialization.forward(x, [bad]), naming="weights")
    y, saved = initialization.forward(x, weights)
    for bad in (y.T, y[:1], y[0], 1j * y):
        refuses(lambda bad=bad: initialization.backward(bad, saved), naming="dh")


@claim("initialization-large-numbers")
def large_numbers():
    """Small integer types, tiny and huge deviations, saturated units."""
    same(int(initialization.pre_activation_variance(np.int8(100), 4)), 400)
    same(int(initialization.pre_activation_variance(100, np.int8(4))), 400)
    same(int(initialization.variance_given_weights(np.array([100], np.int8), np.array([[2]], np.int8))), 20_000)
    agree(initialization.uniform_variance(np.int8(99)), 3267)
    agree(initialization.glorot_variance(np.int8(100), np.int8(100)), 0.01)
    agree(initialization.pre_activation_fourth_moment(np.int8(100), 1), 30_600)
    for std in (5e-324, 1e-300, 1e-9):
        agree(initialization.mean_slope(std), 0.25)
    agree(1e200 * initialization.mean_slope(1e200), 1 / math.sqrt(2 * math.pi))
    for limit in (1e-300, 1e-170, 1e-90, 1e-9):
        agree(initialization.truncated_normal_std(limit), limit / math.sqrt(3))
    agree(initialization.truncated_normal_std(2e-3), 2e-3 / math.sqrt(3) * (1 - 4e-6 / 15), tolerance=3e-12)
    same(initialization.pre_activation_variance(3, 0), 0)
    for limit in (40, 1e200, 1.7e308):
        agree(initialization.truncated_normal_std(limit), 1)
    agree(initialization.truncated_normal_std(1 + 1e-15), initialization.truncated_normal_std(1))
    saved = initialization.forward([[30, -500]], [[[1, 0], [0, 1]]])[1]
    agree(initialization.backward([[1, 1]], saved).dz[0], [[4 * math.exp(-60), 0]])


@claim("initialization-pure")
def nothing_is_written_to():
    """The arguments keep their bits, the results share no memory with them, the same seed gives the same weights."""
    case = network(np.random.default_rng(4))
    before = [array.copy() for array in (case.x, *case.weights, case.g)]
    y, saved = initialization.forward(case.x, case.weights)
    gradients = initialization.backward(case.g, saved)
    returned = [y, *saved.h, *saved.z, *saved.weights, *gradients.dh, *gradients.dz, *gradients.dW]
    given = [case.x, *case.weights, case.g]
    every(zip(given, before, strict=True), lambda pair: np.array_equal(*pair))
    every(itertools.product(returned, given), lambda pair: not np.shares_memory(*pair))
    every(saved.h, lambda h: not np.shares_memory(y, h))
    for law in ("glorot_normal", "glorot_uniform", "standard_uniform"):
        draw = getattr(initialization, law)
        every([law], lambda _, d=draw: np.array_equal(*(d(3, 2, np.random.default_rng(1)) for _ in range(2))))
