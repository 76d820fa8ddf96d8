"""Softmax: the claims of the chapter, in its order.

Letters, as on the page: x are K logits, p = softmax(x), alpha a factor on the logits, delta a number added to all of
them. `by_definition` is the plain formula. It overflows, and it also takes complex numbers and symbols.
"""

import math
import warnings
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from dlnotes import softmax
from dlnotes.check import agree, at_most, claim, complex_step, differ, need, note, proved, refuses, same, slip, steps

# --- cases: K logits, in numbers or in symbols ------------------------------------------------------------------------


def entrywise(name, x):
    """exp or log of each entry: of numbers, or of symbols."""
    if np.asarray(x).dtype != object:
        return getattr(np, name)(x)
    import sympy

    return np.array([getattr(sympy, name)(entry) for entry in np.ravel(x)]).reshape(np.shape(x))


def exp(x):
    return entrywise("exp", x)


def log(x):
    return entrywise("log", x)


def by_definition(x):
    """e^{x_i} / sum_j e^{x_j}."""
    return exp(x) / sum(exp(x))


@dataclass(frozen=True)
class Logits:
    """K logits; what is added to them and what they are multiplied by; an upstream direction q."""

    x: np.ndarray  # (K,)
    delta: Any  # a number added to all
    vector: np.ndarray  # (K,): a vector added, entry by entry
    alpha: Any  # a factor
    q: np.ndarray  # (K,)

    gradient = staticmethod(complex_step)  # gradient(f, x): of the scalar f at the array x

    @property
    def p(self):
        return by_definition(self.x)

    @property
    def K(self):
        return len(self.x)

    @property
    def one_hot(self):
        """e_label, for the label 1."""
        return np.arange(self.K) == 1

    @property
    def eye(self):
        return np.eye(self.K, dtype=int)

    def derivative(self, f, at):
        """Of the scalar f at the number `at`."""
        return self.gradient(lambda a: f(a[0]), np.array([at]))[0]


class Symbols(Logits):
    """The same in SymPy symbols: what holds of them holds for all values."""

    @staticmethod
    def gradient(f, x):
        import sympy

        note("SymPy")
        letters = np.array(sympy.symbols(f"t:{np.size(x)}", real=True)).reshape(np.shape(x))
        value = sympy.sympify(f(letters))
        at = dict(zip(letters.flat, np.ravel(x), strict=True))
        return np.array([value.diff(letter).subs(at) for letter in letters.flat]).reshape(np.shape(x))


def logits(rng):
    """Five logits about 2, no two alike, in any order; a factor of either sign."""
    x = rng.permutation([-1.1, 0.2, 0.9, 1.6, 2.4]) + rng.uniform(-0.2, 0.2, 5) + 2
    alpha, q = rng.choice([-1, 1]) * rng.uniform(1.6, 2.4), rng.permutation([-2.0, -0.4, 0.7, 1.1, 3.0])
    return Logits(x, rng.uniform(2, 4), rng.permutation([-1.0, 0.3, 0.9, 2.0, 3.1]), alpha, q)


def symbols(K):
    import sympy

    def vector(name):
        return np.array(sympy.symbols(f"{name}0:{K}", real=True))

    delta, alpha = sympy.symbols("delta alpha", real=True)
    return Symbols(vector("x"), delta, vector("d"), alpha, vector("q"))


def three_symbols():
    """Three logits, in symbols."""
    yield symbols(3)


def two_and_four_symbols():
    """Two and four logits, in symbols."""
    yield symbols(2)
    yield symbols(4)


def exact(value):
    """60 digits: mpmath's numbers for the entries of an array."""
    import mpmath

    note("mpmath, 60 digits")
    mpmath.mp.dps = 60
    return [mpmath.mpf(float(entry)) for entry in value]


def log_softmax_to_60_digits(x):
    """x_i - log sum_j e^{x_j} in mpmath, whose exponents have no bound."""
    import mpmath

    entries = exact(x)
    total = mpmath.log(mpmath.fsum(mpmath.exp(entry) for entry in entries))
    return [entry - total for entry in entries]


def floats(entries):
    return np.array([float(entry) for entry in entries])


# --- the definition ---------------------------------------------------------------------------------------------------


def rows(rng):
    """Three rows of five logits."""
    return rng.normal(size=(3, 5)) * 1.5 + [[1.0], [-2.0], [0.5]]


def both_axes(x):
    # $$ \operatorname{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}} $$
    return softmax.softmax(x), softmax.softmax(x, axis=0)


@claim("softmax-definition", cases=rows)
def in_plain_numbers(x, both_axes=both_axes):
    """The definition, one entry at a time in plain Python numbers, along the rows and along the columns."""
    along_rows, along_columns = both_axes(x)
    for value, table in ((along_rows, x), (along_columns.T, x.T)):
        expected = [[math.exp(a) / sum(map(math.exp, row)) for a in row] for row in table.tolist()]
        agree(value, np.array(expected))


@claim("softmax-definition", cases=rows)
def by_torch(x, both_axes=both_axes):
    """PyTorch's softmax, along both axes."""
    torch = need("torch")
    for value, axis in zip(both_axes(x), (-1, 0), strict=True):
        agree(value, torch.softmax(torch.tensor(x), axis).numpy())


@slip("softmax-definition")
def one_sum_for_all(x):
    """Divide by the sum over the whole array: then the array sums to 1, and not each row."""
    return np.exp(x) / np.exp(x).sum(), np.exp(x) / np.exp(x).sum()


@slip("softmax-definition")
def axes_swapped(x):
    """Sum along the other axis."""
    return softmax.softmax(x, axis=0), softmax.softmax(x, axis=1)


@slip("softmax-definition")
def divided_by_the_largest(x):
    """Divide by the largest exponential, and forget the sum: the largest entry is then 1."""
    return np.exp(x - x.max(1, keepdims=True)), np.exp(x - x.max(0))


# --- invariance -------------------------------------------------------------------------------------------------------


def translated(case):
    # $$ \operatorname{softmax}(x + \delta\,\mathbf 1) = \operatorname{softmax}(x) $$
    if isinstance(case, Symbols):
        return by_definition(case.x + case.delta)
    return softmax.softmax(case.x + case.delta)


@claim("softmax-translation", cases=logits)
def translation_measured(case, translated=translated):
    """One number added to five logits, against the definition at the logits themselves."""
    agree(translated(case), by_definition(case.x))


@claim("softmax-translation", cases=two_and_four_symbols)
def translation_in_symbols(case, translated=translated):
    """The same in symbols, for two and four logits."""
    same(translated(case), by_definition(case.x))


@claim("softmax-translation")
def rounded_away():
    """In float64: 10^17 plus 1 is 10^17, and the two logits become equal."""
    agree(softmax.softmax(np.array([1.0, 0.0]) + 1e17), np.array([0.5, 0.5]), tolerance=0)
    differ(softmax.softmax(np.array([1.0, 0.0])), np.array([0.5, 0.5]))


def equal_entries(case):
    """A vector whose entries are all delta."""
    return replace(case, vector=case.delta + 0 * case.vector)


def factor_one(case):
    """alpha = 1."""
    return replace(case, alpha=1 + 0 * case.alpha)


@slip("softmax-translation", blind=equal_entries)
def any_vector(case):
    """Add any vector, as the sheet prints it."""
    return by_definition(case.x + case.vector)


@slip("softmax-translation", blind=factor_one)
def any_factor(case):
    """Believe that multiplying the logits changes nothing either."""
    return by_definition(case.alpha * case.x)


@steps("softmax-translation-steps", cases=(logits, two_and_four_symbols), ends_in=lambda case: case.p)
def translation_steps(case):
    """The exponential of a sum is a product; the common factor cancels."""
    # \operatorname{softmax}(x + \delta\,\mathbf 1)_i
    yield by_definition(case.x + case.delta)
    # = \frac{e^{\delta}\, e^{x_i}}{e^{\delta} \sum_j e^{x_j}}
    yield exp(np.array([case.delta])) * exp(case.x) / (exp(np.array([case.delta])) * sum(exp(case.x)))
    # = \operatorname{softmax}(x)_i
    yield by_definition(case.x)


def counterexample():
    # $$ \operatorname{softmax}(0, 0) = \Bigl( \frac12, \frac12 \Bigr),
    #    \qquad \operatorname{softmax}(0 + \log 2,\; 0 + 0) = \Bigl( \frac23, \frac13 \Bigr) $$
    return softmax.softmax(np.zeros(2)), softmax.softmax(np.zeros(2) + np.array([math.log(2), 0]))


@claim("softmax-translation-counterexample")
def counterexample_measured(counterexample=counterexample):
    """Both sides through `softmax`: they are not the same."""
    before, after = counterexample()
    agree(before, np.array([1 / 2, 1 / 2]))
    agree(after, np.array([2 / 3, 1 / 3]))
    differ(after, before)


@claim("softmax-translation-counterexample")
def counterexample_in_symbols():
    """Both sides of the definition in SymPy."""
    import sympy

    zero = sympy.Integer(0)
    same(by_definition(np.array([zero, zero])), [Fraction(1, 2), Fraction(1, 2)])
    same(by_definition(np.array([sympy.log(2), zero])), [Fraction(2, 3), Fraction(1, 3)])


@slip("softmax-translation-counterexample")
def invariant_as_printed():
    """Trust the printed statement: adding (log 2, 0) changes nothing."""
    return np.array([1 / 2, 1 / 2]), np.array([1 / 2, 1 / 2])


@claim("softmax-translation-condition")
def only_equal_entries():
    """For two to five logits, with t_i = e^{x_i} and u_i the exponential of what is added: Z3, all positive reals."""
    # $$ \operatorname{softmax}(x + \check\delta) = \operatorname{softmax}(x)
    #    \iff \check\delta_i = \check\delta_j \text{ for all } i, j $$
    import z3

    for K in (2, 3, 4, 5):
        t, u = (z3.Reals([f"{name}{i}" for i in range(K)]) for name in "tu")
        positive = z3.And(*(letter > 0 for letter in t + u))
        before, after = sum(t), sum(a * b for a, b in zip(t, u, strict=True))
        unchanged = z3.And(*(a * b * before == a * after for a, b in zip(t, u, strict=True)))
        equal = z3.And(*(letter == u[0] for letter in u))
        proved(z3.Implies(positive, unchanged == equal))


def change(case):
    # $$ \frac{\operatorname{softmax}(x + \check\delta)_i}{\operatorname{softmax}(x)_i}
    #    = e^{\check\delta_i}\, \frac{\sum_j e^{x_j}}{\sum_j e^{x_j + \check\delta_j}} $$
    return exp(case.vector) * sum(exp(case.x)) / sum(exp(case.x + case.vector))


@claim("softmax-translation-ratio", cases=logits)
def change_measured(case, change=change):
    """The quotient of two calls of `softmax`."""
    agree(change(case), softmax.softmax(case.x + case.vector) / softmax.softmax(case.x))


@claim("softmax-translation-ratio", cases=three_symbols)
def change_in_symbols(case, change=change):
    """The same in symbols."""
    same(change(case), by_definition(case.x + case.vector) / case.p)


@slip("softmax-translation-ratio")
def sums_cancelled(case):
    """Cancel the two sums, which differ: only e to the entry is left."""
    return exp(case.vector)


@slip("softmax-translation-ratio", blind=equal_entries)
def one_everywhere(case):
    """Say that nothing changes."""
    return 1 + 0 * exp(case.vector)


# --- the logarithm ----------------------------------------------------------------------------------------------------


def log_probabilities(case):
    # $$ \log \operatorname{softmax}(x)_i = x_i - \log \sum_j e^{x_j} $$
    if isinstance(case, Symbols):
        return case.x - log(np.array([sum(exp(case.x))]))
    return softmax.log_softmax(case.x)


@claim("softmax-log", cases=logits)
def log_in_plain_numbers(case, log_probabilities=log_probabilities):
    """The log of the definition, in plain Python numbers; and along the other axis of a table."""
    total = sum(math.exp(a) for a in case.x.tolist())
    agree(log_probabilities(case), np.array([math.log(math.exp(a) / total) for a in case.x.tolist()]))
    agree(softmax.log_softmax(np.stack([case.x, case.vector], 1), axis=0)[:, 0], np.log(case.p))


@claim("softmax-log", cases=logits)
def log_by_torch(case, log_probabilities=log_probabilities):
    """PyTorch's log_softmax."""
    torch = need("torch")
    agree(log_probabilities(case), torch.log_softmax(torch.tensor(case.x), -1).numpy())


@claim("softmax-log", cases=three_symbols)
def log_in_symbols(case, log_probabilities=log_probabilities):
    """Exponentials of both sides, in symbols."""
    same(exp(log_probabilities(case)), case.p)


@slip("softmax-log")
def printed_product(case):
    """Read the formula as printed, without its minus: a product."""
    return case.x * log(np.array([sum(exp(case.x))]))


@slip("softmax-log")
def log_of_each_term(case):
    """Take the log inside the sum."""
    return case.x - sum(case.x)


def at_two_zeros():
    # $$ \log \operatorname{softmax}(0, 0) = (-\log 2,\; -\log 2), \qquad 0 \cdot \log (e^0 + e^0) = 0 $$
    return softmax.log_softmax(np.zeros(2))


@claim("softmax-log-printed")
def two_zeros(at_two_zeros=at_two_zeros):
    """At two zeros each probability is one half. The printed product is 0, the log of 1."""
    agree(at_two_zeros(), np.log([1 / 2, 1 / 2]))
    import sympy

    zeros = replace(symbols(2), x=np.array([sympy.Integer(0)] * 2))
    same(log_probabilities(zeros), [-sympy.log(2)] * 2)
    same(printed_product(zeros), [0, 0])


@slip("softmax-log-printed")
def product_at_two_zeros():
    """Evaluate the printed product."""
    return np.zeros(2) * np.log(np.exp(np.zeros(2)).sum())


# --- where the exponential stops --------------------------------------------------------------------------------------


def thresholds():
    # $$ e^{x} = \infty \text{ above } 1024 \log 2 \approx 709.78,
    #    \qquad e^{x} = 0 \text{ below } -1075 \log 2 \approx -745.13 $$
    return np.array([1024 * math.log(2), -1075 * math.log(2)])


@claim("softmax-exp-range")
def thresholds_by_bisection(thresholds=thresholds):
    """Bisect for the last number whose exponential NumPy gives as finite, and as more than 0."""

    def last(holds, good, bad):
        while abs(bad - good) > 1e-13 * abs(good):
            middle = (good + bad) / 2
            good, bad = (middle, bad) if holds(middle) else (good, middle)
        return good

    with np.errstate(over="ignore"):
        found = [last(lambda a: np.exp(a) < np.inf, 0.5, 1e3), last(lambda a: np.exp(a) > 0, -0.5, -1e3)]
    agree(thresholds(), np.array(found), tolerance=1e-12)


@slip("softmax-exp-range")
def smallest_normal_number():
    """Take the smallest normal number, 2^-1022, for the smallest: numbers go down to 2^-1074, with fewer digits."""
    return np.array([1024 * math.log(2), -1022 * math.log(2)])


@slip("softmax-exp-range")
def single_precision():
    """Give the thresholds of float32."""
    return np.array([128 * math.log(2), -150 * math.log(2)])


@dataclass(frozen=True)
class Table:
    """Rows of logits, each of K."""

    x: np.ndarray

    @property
    def naive_fails(self):
        """Which rows make x_i - log(sum of e^{x_j}) infinite or NaN."""
        return ~np.isfinite([naive(row) for row in self.x]).all(1)


def naive(x):
    with np.errstate(all="ignore"):
        return x - np.log(np.exp(x).sum())


def one_large_entry(rng):
    """Rows of four logits with one above 710, and the three others about 0."""
    x = rng.normal(size=(7, 4))
    x[np.arange(7), rng.integers(0, 4, 7)] = rng.uniform(710, 3000, 7)
    return Table(x)


def some_large_entries(rng):
    """Rows of which one, two, ... entries are above 710, or none."""
    x = rng.normal(size=(6, 5))
    x[:, ::-1] = np.where(np.arange(5) < np.arange(6)[:, None], x + 800, x)
    return Table(x)


def overflows(case):
    # $$ \max_j x_j > 1024 \log 2 \implies \sum_j e^{x_j} = \infty $$
    return (case.x > 1024 * math.log(2)).any(1)


@claim("softmax-one-large-entry", cases=one_large_entry)
def one_is_enough(case, overflows=overflows):
    """One large entry in each row: the plain formula fails in all rows, and `log_softmax` in none."""
    agree(overflows(case), case.naive_fails, tolerance=0)
    reference = [floats(log_softmax_to_60_digits(row)) for row in case.x]
    agree(softmax.log_softmax(case.x), np.array(reference), tolerance=1e-14)


def all_large(case):
    """Every entry above 710."""
    return Table(np.abs(case.x) + 710)


@slip("softmax-one-large-entry", blind=all_large)
def all_must_be_large(case):
    """Say with the sheet that all the x_j must be large."""
    return (case.x > 1024 * math.log(2)).all(1)


@claim("softmax-one-large-entry", cases=some_large_entries)
def any_number_of_them(case):
    """Rows with none, one, two, ... large entries: only the first is computed. Two of 709.5 overflow."""
    agree(overflows(case), case.naive_fails, tolerance=0)
    agree(case.naive_fails.sum(), 5, tolerance=0)
    agree(Table(np.full((1, 2), 709.5)).naive_fails, [True], tolerance=0)


@claim("softmax-all-very-negative")
def underflow_takes_all():
    """One entry at 0 saves the sum from being 0; with every entry below -746 it is 0."""
    # $$ \max_j x_j < -1075 \log 2 \implies \sum_j e^{x_j} = 0 $$
    saved, lost = np.array([-1000.0, 0.0, -900.0]), np.array([-1000.0, -746.0, -900.0])
    agree(naive(saved), floats(log_softmax_to_60_digits(saved)))
    same(np.isposinf(naive(lost)), [True, True, True])
    agree(softmax.log_softmax(lost), floats(log_softmax_to_60_digits(lost)))


# --- the stable form --------------------------------------------------------------------------------------------------


def wide(rng):
    """Logits from one to forty thousand on either side, so that every shift but that by the maximum overflows."""
    size = rng.uniform(1e3, 4e4)
    return Logits(size * rng.permutation([-1.0, 0.13, 0.78, 1.7, 1.7 + 2 / size]), 0, np.zeros(5), 1, np.zeros(5))


def shifted(case):
    # $$ \log \operatorname{softmax}(x)_i = (x_i - x_{\max}) - \log \sum_j e^{x_j - x_{\max}},
    #    \qquad x_{\max} = \max_j x_j $$
    return softmax.log_softmax(case.x)


@claim("softmax-log-shifted", cases=wide)
def log_to_60_digits(case, shifted=shifted):
    """x_i - log of the sum of e^{x_j}, with 60 digits; the error is measured against the largest entry."""
    agree(shifted(case), floats(log_softmax_to_60_digits(case.x)), tolerance=1e-14)


def sizes():
    """Logits of size 10^-3 to 10^5."""
    for k in range(-3, 6):
        yield replace(wide(np.random.default_rng(k + 3)), x=10.0**k * np.array([0.3, -1.0, 0.9, 0.55]))


@claim("softmax-log-shifted", cases=sizes)
def log_at_nine_sizes(case):
    """Nine sizes, from 0.001 to 100000, against 60 digits."""
    agree(softmax.log_softmax(case.x), floats(log_softmax_to_60_digits(case.x)), tolerance=1e-14)


def shifted_by(x, by):
    with np.errstate(all="ignore"):
        return (x - by) - np.log(np.exp(x - by).sum())


def largest_is_zero(case):
    """The largest logit is 0: there is nothing to shift."""
    return replace(case, x=case.x - case.x.max())


@slip("softmax-log-shifted", blind=largest_is_zero)
def maximum_left_in_front(case):
    """Shift under the sum, and forget to shift x_i: the result is off by the maximum."""
    return case.x - np.log(np.exp(case.x - case.x.max()).sum())


@slip("softmax-log-shifted")
def shift_by_the_smallest(case):
    """Subtract the smallest logit: right on paper, and the exponentials overflow."""
    return shifted_by(case.x, case.x.min())


@slip("softmax-log-shifted")
def shift_by_the_mean(case):
    """Subtract the mean: right on paper, and it overflows where one logit is far above it."""
    return shifted_by(case.x, case.x.mean())


def narrow(case):
    """Logits within 1 of each other."""
    return replace(case, x=case.x / np.abs(case.x).max() / 2)


@slip("softmax-log-shifted", blind=narrow)
def no_shift(case):
    """Take the formula as it stands."""
    return naive(case.x)


@slip("softmax-log-shifted", blind=narrow)
def log_of_softmax(case):
    """Take the log of a stable softmax: a probability that underflows has the log -inf."""
    with np.errstate(divide="ignore"):
        return np.log(softmax.softmax(case.x))


@slip("softmax-log-shifted")
def shift_by_the_largest_exponential(case):
    """Take the hint to the letter, and subtract the largest e^{x_j} instead of the largest x_j."""
    with np.errstate(all="ignore"):
        return shifted_by(case.x, np.exp(case.x).max())


def log_of_p(case):
    """Of the definition."""
    return log(by_definition(case.x))


def as_a_difference(case):
    highest = case.x.max()
    return (case.x - highest) - log(sum(exp(case.x - highest)))


@steps("softmax-log-shifted-steps", cases=logits, ends_in=log_of_p)
def shifted_steps(case):
    """Translate by the maximum, which changes nothing; then the log of a quotient is a difference."""
    # \log \operatorname{softmax}(x)_i
    yield np.log(softmax.softmax(case.x))
    # = \log \operatorname{softmax}(x - x_{\max} \mathbf 1)_i
    yield np.log(by_definition(case.x - case.x.max()))
    # = \log e^{x_i - x_{\max}} - \log \sum_j e^{x_j - x_{\max}}
    yield np.log(np.exp(case.x - case.x.max())) - np.log(sum(np.exp(case.x - case.x.max())))
    # = (x_i - x_{\max}) - \log \sum_j e^{x_j - x_{\max}}
    yield as_a_difference(case)


@claim("softmax-sum-bounds")
def one_term_is_one():
    """With u_j the exponentials: each in (0, 1], one of them 1. Z3, for four of them."""
    # $$ 1 \le \sum_j e^{x_j - x_{\max}} \le K $$
    import z3

    u = z3.Reals("u0 u1 u2 u3")
    given = z3.And(z3.Or(*(a == 1 for a in u)), *(z3.And(a > 0, a <= 1) for a in u))
    proved(z3.Implies(given, z3.And(sum(u) >= 1, sum(u) <= 4)))


@claim("softmax-sum-bounds", cases=wide)
def log_sum_in_its_bounds(case):
    """What `log_softmax` gives at the largest logit is minus the log of that sum: between -log K and 0."""
    at_the_largest = softmax.log_softmax(case.x).max()
    at_most(at_the_largest, 0.0, scale=1)
    at_most(-math.log(case.K), at_the_largest, scale=1)


def log_sum(case):
    # $$ \log \sum_j e^{x_j} = x_{\max} + \log \sum_j e^{x_j - x_{\max}} $$
    return softmax.log_sum_exp(case.x)


@claim("softmax-log-sum-exp", cases=wide)
def log_sum_to_60_digits(case, log_sum=log_sum):
    """The log of the sum with 60 digits; and along the other axis of a table."""
    entries = exact(case.x)
    import mpmath

    expected = float(mpmath.log(mpmath.fsum(map(mpmath.exp, entries))))
    agree(log_sum(case), expected, tolerance=1e-14)
    agree(softmax.log_sum_exp(np.stack([case.x, case.x + 1], 1), axis=0), np.array([expected, expected + 1]))
    agree(softmax.log_sum_exp(case.x[None]), np.array([expected]), tolerance=1e-14)  # one axis is removed, not two


@claim("softmax-log-sum-exp", cases=wide)
def log_sum_by_torch(case, log_sum=log_sum):
    """PyTorch's logsumexp."""
    torch = need("torch")
    agree(log_sum(case), torch.logsumexp(torch.tensor(case.x), -1).numpy())


@slip("softmax-log-sum-exp", blind=largest_is_zero)
def shift_not_undone(case):
    """Forget to add the maximum back."""
    return np.log(np.exp(case.x - case.x.max()).sum())


@slip("softmax-log-sum-exp")
def mean_of_exponentials(case):
    """Subtract the maximum where it is to be added."""
    return np.log(np.exp(case.x - case.x.max()).sum()) - case.x.max()


# --- three forms side by side -----------------------------------------------------------------------------------------


def log_of_shifted_softmax(x):
    with np.errstate(divide="ignore"):
        return np.log(softmax.softmax(x))


def expanded(x):
    return shifted_by(x, x.max())


INPUTS = [(1000, 1000), (-1000, -1000), (0, -800), (0, -50)]


def results():
    forms = (naive, log_of_shifted_softmax, expanded, softmax.log_softmax)
    return [np.array([form(np.array(x, float)) for x in INPUTS]) for form in forms]


@claim("softmax-three-forms")
def table_of_forms():
    """Each form at each input, in float64: infinite where the table says so, and as it says elsewhere."""
    # $$ \begin{array}{lrrrr}
    #    x & (1000, 1000) & (-1000, -1000) & (0, -800) & (0, -50) \\
    #    \text{entry} & \text{both} & \text{both} & \text{second} & \text{first} \\ \hline
    #    \text{plain} & -\infty & +\infty & -800 & 0 \\
    #    \text{log of a shifted softmax} & -\log 2 & -\log 2 & -\infty & 0 \\
    #    \text{expanded} & -\log 2 & -\log 2 & -800 & 0 \\
    #    \text{expanded, log1p} & -\log 2 & -\log 2 & -800 & -1.93 \cdot 10^{-22}
    #    \end{array} $$
    plain, log_of, minus, with_log1p = results()
    half, tiny = -math.log(2), float(log_softmax_to_60_digits([0.0, -50.0])[0])
    agree(np.isneginf(plain[0]), [1, 1])
    agree(np.isposinf(plain[1]), [1, 1])
    agree(np.isneginf(log_of[2]), [0, 1])
    for form in (log_of, minus, with_log1p):
        agree(form[:2], np.full((2, 2), half))
    for form in (plain, minus):
        agree(form[2:], np.array([[0, -800.0], [0, -50.0]]), tolerance=0)
    agree(log_of[3], np.array([0, -50.0]))
    same(log_of[3][0] == 0, True)
    agree(with_log1p[2:, 1], np.array([-800.0, -50.0]))
    agree(with_log1p[3][0], tiny)
    agree(tiny, -1.93e-22, tolerance=1e-3)


def far_ahead(rng):
    """One logit is ahead of the others by 38 to 76: its probability is 1 to sixteen digits."""
    x = np.array([0.7, -38.0, -45.0, -50.5]) - [0, *rng.uniform(0, 25, 3)]
    return Logits(rng.permutation(x), 0, np.zeros(4), 1, np.zeros(4))


def with_log1p(case):
    # $$ \log \operatorname{softmax}(x)_i = (x_i - x_{\max})
    #    - \operatorname{log1p} \Bigl( \sum_{j \ne j_{\max}} e^{x_j - x_{\max}} \Bigr) $$
    return softmax.log_softmax(case.x)


@claim("softmax-log1p", cases=far_ahead)
def each_entry_to_60_digits(case, with_log1p=with_log1p):
    """Every entry over its own value in 60 digits: the quotients are 1."""
    expected = log_softmax_to_60_digits(case.x)
    agree(floats(value / e for value, e in zip(exact(with_log1p(case)), expected, strict=True)), np.ones(4))


def further_ahead():
    """One logit is ahead by 100 to 690."""
    for gap in (100.3, 257.7, 400.1, 520.9, 610.7, 690.3):
        yield Logits(np.array([-gap, 0.1, -gap - 3.3, -gap]), 0, np.zeros(4), 1, np.zeros(4))


@claim("softmax-log1p", cases=further_ahead)
def far_entries_to_60_digits(case):
    """The same where the largest log-probability is down to 10^-300 in size; two entries are alike."""
    import mpmath

    entries = exact(case.x)
    gaps = [entry - max(entries) for entry in entries]
    total = mpmath.log1p(mpmath.fsum(mpmath.exp(gap) for gap in gaps if gap != 0))
    values = exact(softmax.log_softmax(case.x))
    agree(floats(value / (gap - total) for value, gap in zip(values, gaps, strict=True)), np.ones(4), tolerance=1e-13)


@slip("softmax-log1p")
def log_of_one_plus(case):
    """Add the small terms to 1 before the log: they vanish, and the largest entry becomes 0."""
    return expanded(case.x)


@slip("softmax-log1p")
def largest_counted_twice(case):
    """Leave the term of the largest logit under the sum: log1p adds it again."""
    return (case.x - case.x.max()) - np.log1p(np.exp(case.x - case.x.max()).sum())


# --- any size, and minus infinity -------------------------------------------------------------------------------------


def huge():
    """About the largest and the smallest numbers of float64, alike and mixed."""
    top, tiny = 1.7e308, 5e-324
    for x in (
        [top, top, top / 2],
        [-top, -top, -top],
        [0.0, -top, 0.0],
        [1e308, -0.7e308, 1e308],
        [tiny, -tiny, 3.0],
        [2.0**60, 2.0**60 + 256, -3.0],
        [-745.0, 1e-300, -1e300],
    ):
        yield Logits(np.array(x), 0, np.zeros(3), 1, np.zeros(3))


def exact_gaps(x):
    """x_i minus the largest, as fractions: nothing is rounded."""
    return [Fraction(entry) - Fraction(max(x)) for entry in x.tolist()]


def gaps_to_60_digits(x):
    """Probabilities and their logs from the exact gaps; e to a gap below -10000 counts as 0."""
    import mpmath

    exact([])
    gaps = [mpmath.mpf(gap.numerator) / gap.denominator for gap in exact_gaps(x)]
    terms = [mpmath.exp(gap) if gap > -10000 else mpmath.mpf(0) for gap in gaps]
    total = mpmath.fsum(terms)
    return [term / total for term in terms], [gap - mpmath.log(total) for gap in gaps]


def at_any_size(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return softmax.softmax(case.x), softmax.log_softmax(case.x), softmax.log_sum_exp(case.x)


@claim("softmax-any-size", cases=huge)
def exact_gaps_to_60_digits(case, at_any_size=at_any_size):
    """Gaps as fractions, the rest with 60 digits; every warning is an error."""
    p, logs, total = at_any_size(case)
    exact_p, exact_logs = gaps_to_60_digits(case.x)
    agree(p, floats(exact_p), tolerance=1e-14)
    agree(logs, floats(exact_logs), tolerance=1e-14)
    highest = max(case.x)
    agree(total, float(exact([highest])[0] - exact_logs[int(np.argmax(case.x))]), tolerance=1e-14)
    jacobian, gradient = softmax.jacobian(case.x), softmax.d_cross_entropy(case.x[None], [1])
    expected = floats(exact_p)
    agree(jacobian, np.diag(expected) - np.outer(expected, expected), scale=1, tolerance=1e-14)
    agree(gradient[0], expected - [0, 1, 0], scale=1, tolerance=1e-14)


@claim("softmax-any-size")
def log_of_the_sum_near_zero():
    """Two logits near -log 2, in 60 digits: the log of the sum is 5e-11, and right to 1e-14 of 1, not of itself."""
    x = -math.log(2) + np.array([0, 1e-10])
    value, expected = softmax.log_sum_exp(x), x[0] - log_softmax_to_60_digits(x)[0]
    agree(value, float(expected), scale=1, tolerance=1e-14)
    differ(value, float(expected), by=1e-8)
    agree(softmax.log_sum_exp(np.array([0.0, -50.0])), -float(log_softmax_to_60_digits([0.0, -50.0])[0]))  # by log1p


@slip("softmax-any-size")
def definition_taken_literally(case):
    """Compute the definition as it stands, after dividing the logits by their size so that nothing overflows."""
    x = case.x / max(np.abs(case.x).max(), 2.0)
    return by_definition(x), np.log(by_definition(x)), np.log(np.exp(x).sum())


@claim("softmax-beyond-range")
def gap_beyond_the_range():
    """A gap of 2e308, in float64; every warning is an error."""
    # $$ x = (10^{308}, -10^{308}):
    #    \qquad \log \operatorname{softmax}(x) \approx (0,\; -2 \cdot 10^{308}) $$
    x = np.array([1e308, -1e308])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logs, p, J = softmax.log_softmax(x), softmax.softmax(x), softmax.jacobian(x)
        losses = softmax.cross_entropy(np.array([x, x]), [1, 0]), softmax.cross_entropy(x[None], [1])
        top = np.finfo(float).max
        alike = [softmax.cross_entropy(np.array([[top, 0.0]] * n), [1] * n) for n in (1, 5, 11, 20)]
    same(logs[0] == 0 and np.isneginf(logs[1]), True)
    same(exact_gaps(x)[1] < -Fraction(np.finfo(float).max), True)
    agree(p, np.array([1.0, 0.0]), tolerance=0)
    agree(J, np.zeros((2, 2)), scale=1, tolerance=0)
    agree(losses[0], 1e308)
    agree(np.array(alike) / top, np.ones(4))
    same(alike[2] == top, True)
    same(np.isposinf(losses[1]), True)


def masked(rng):
    """Five logits; the classes 0 and 3 are masked in half of the cases, the class 2 in the others."""
    case = logits(rng)
    hidden = [0, 3] if rng.random() < 0.5 else [2]
    return replace(case, vector=np.isin(np.arange(5), hidden))


def with_a_mask(case):
    # $$ x_i = -\infty \implies \operatorname{softmax}(x)_i = 0,
    #    \quad \log \operatorname{softmax}(x)_i = -\infty $$
    return softmax.softmax(np.where(case.vector, -np.inf, case.x))


@claim("softmax-masked", cases=masked)
def the_others_alone(case, with_a_mask=with_a_mask):
    """The classes that are left, by the definition, as if the masked ones did not exist."""
    kept, expected = ~case.vector, np.zeros(5)
    expected[kept] = by_definition(case.x[kept])
    agree(with_a_mask(case), expected)
    x = np.where(case.vector, -np.inf, case.x)
    same(np.isneginf(softmax.log_softmax(x)), case.vector)
    agree(softmax.log_softmax(x)[kept], np.log(expected[kept]))
    agree(softmax.log_sum_exp(x), np.log(np.exp(case.x[kept]).sum()))
    label = int(np.flatnonzero(case.vector)[0])
    same(np.isposinf(softmax.cross_entropy(x[None], [label])), True)
    agree(softmax.d_cross_entropy(x[None], [label])[0], expected - np.eye(5)[label])


@claim("softmax-masked")
def all_masked():
    """Three logits of -inf: the log of an empty sum is -inf, and no softmax exists. NaN and +inf are refused."""
    x = np.full((2, 3), -np.inf)
    same(np.isneginf(softmax.log_sum_exp(x)), [True, True])
    refuses(lambda: softmax.softmax(x), naming="x")
    refuses(lambda: softmax.log_softmax(x), naming="x")
    refuses(lambda: softmax.jacobian(x), naming="x")
    for call in (softmax.cross_entropy, softmax.d_cross_entropy):
        refuses(lambda call=call: call(x, [0, 1]), naming="logits")


@slip("softmax-masked")
def zero_for_a_mask(case):
    """Mask by setting the logit to 0: its class keeps a probability."""
    return softmax.softmax(np.where(case.vector, 0, case.x))


@slip("softmax-masked")
def mask_after_softmax(case):
    """Set the probability to 0 after the softmax: what is left does not sum to 1."""
    return np.where(case.vector, 0, case.p)


# --- a factor on the logits -------------------------------------------------------------------------------------------


def ratios(case):
    # $$ \frac{p_i}{p_j} = e^{\alpha (x_i - x_j)}, \qquad p = \operatorname{softmax}(\alpha x) $$
    return exp(case.alpha * (case.x[:, None] - case.x))


@claim("softmax-factor-ratio", cases=logits)
def ratios_measured(case, ratios=ratios):
    """Quotients of what `softmax` gives at alpha x; alpha of either sign."""
    p = softmax.softmax(case.alpha * case.x)
    agree(ratios(case), p[:, None] / p)


@claim("softmax-factor-ratio", cases=three_symbols)
def ratios_in_symbols(case, ratios=ratios):
    """The same in symbols."""
    p = by_definition(case.alpha * case.x)
    same(ratios(case), p[:, None] / p)


@slip("softmax-factor-ratio", blind=factor_one)
def factor_in_front(case):
    """Multiply the ratio by alpha; it is raised to the power alpha."""
    return case.alpha * exp(case.x[:, None] - case.x) + (1 - case.alpha) * case.eye


@slip("softmax-factor-ratio", blind=factor_one)
def unchanged_by_a_factor(case):
    """Say that a factor changes nothing, as a translation does not."""
    return exp(case.x[:, None] - case.x)


@dataclass(frozen=True)
class Scaled:
    """Rows of logits, and one factor for each."""

    x: np.ndarray  # (N, K)
    alpha: np.ndarray  # (N,)

    @property
    def product(self):
        return self.alpha[:, None] * self.x


def factors(rng):
    """Forty rows of six logits, and factors of both signs, from 0.05 to 20 in size."""
    return Scaled(rng.normal(size=(40, 6)), np.exp(rng.uniform(-3, 3, 40)) * rng.permutation([1, -1] * 20))


def predicted(case):
    # $$ \operatorname*{arg\,max}_i p_i = \begin{cases}
    #    \operatorname*{arg\,max}_i x_i & \alpha > 0 \\ \operatorname*{arg\,min}_i x_i & \alpha < 0 \end{cases} $$
    return softmax.softmax(case.product).argmax(1)


@claim("softmax-factor-prediction", cases=factors)
def class_by_the_logits(case, predicted=predicted):
    """200 random rows: the largest logit for a positive factor, the smallest for a negative one."""
    agree(predicted(case), np.where(case.alpha > 0, case.x.argmax(1), case.x.argmin(1)), tolerance=0)


@claim("softmax-factor-prediction")
def tied_classes():
    """(2, -1, 2, 0): two classes tied, for factors of either sign and 0."""
    x = np.array([2.0, -1.0, 2.0, 0.0])
    for alpha, first in ((3.0, [1, 0, 1, 0]), (0.2, [1, 0, 1, 0]), (0.0, [1, 1, 1, 1]), (-2.0, [0, 1, 0, 0])):
        p = softmax.softmax(alpha * x)
        agree(p == p.max(), first, tolerance=0)


def positive(case):
    """Positive factors."""
    return replace(case, alpha=np.abs(case.alpha))


@slip("softmax-factor-prediction", blind=positive)
def same_class_for_every_factor(case):
    """Say that no factor changes the class, whatever its sign."""
    return case.x.argmax(1)


def above_one(case):
    """Factors above 1."""
    return replace(case, alpha=1 + np.abs(case.alpha))


@slip("softmax-factor-prediction", blind=above_one)
def class_changes_below_one(case):
    """Say that a factor below 1 changes the class."""
    return np.where(case.alpha > 1, case.x.argmax(1), case.x.argmin(1))


def positive_factors(rng):
    """Factors from 0.05 to 20."""
    return positive(factors(rng))


def sharper(case):
    # $$ \max_i p_i(\alpha) > \max_i p_i(1) \quad (\alpha > 1), \qquad
    #    \max_i p_i(\alpha) < \max_i p_i(1) \quad (0 \le \alpha < 1) $$
    return np.sign(case.alpha - 1)


@claim("softmax-factor-sharpens", cases=positive_factors)
def largest_probability(case, sharper=sharper):
    """The largest probability at alpha and at 1, in 200 random rows."""
    at_alpha, at_one = softmax.softmax(case.product).max(1), softmax.softmax(case.x).max(1)
    agree(sharper(case), np.sign(at_alpha - at_one))
    at_zero = softmax.softmax(0 * case.x).max(1)
    agree(np.sign(at_zero - at_one), -np.ones(40))


@slip("softmax-factor-sharpens")
def temperature_for_factor(case):
    """Take alpha for a temperature, which is one over alpha."""
    return np.sign(1 - case.alpha)


def at_minus_five():
    # $$ \operatorname{softmax}(-5 \cdot (0, 1)) = (0.9933,\; 0.0067),
    #    \qquad \operatorname{softmax}(0, 1) = (0.2689,\; 0.7311) $$
    return softmax.softmax(-5 * np.array([0.0, 1.0]))


@claim("softmax-factor-negative")
def minus_five(at_minus_five=at_minus_five):
    """Both through plain Python numbers; the largest probability grows, and changes its place."""
    expected = 1 / (1 + math.exp(-5))
    agree(at_minus_five(), np.array([expected, 1 - expected]))
    agree(at_minus_five(), np.array([0.9933, 0.0067]), tolerance=5e-5)
    agree(softmax.softmax(np.array([0.0, 1.0])), np.array([0.2689, 0.7311]), tolerance=1e-4)
    at_most(0.7311 + 0.25, at_minus_five()[0])


@slip("softmax-factor-negative")
def below_one_flattens():
    """Say that -5, being less than 1, moves the outputs away from 0 and 1: as a factor of 1/5 does."""
    return softmax.softmax(np.array([0.0, 1.0]) / 5)


@slip("softmax-factor-negative")
def sign_ignored():
    """Sharpen, and keep the order."""
    return softmax.softmax(5 * np.array([0.0, 1.0]))


def tied():
    """Logits whose largest value occurs twice, in fractions; then three times, as the smallest does twice."""
    yield (1, 1, 0)
    yield (2, -1, 2, 0, -1, 2)


def limits(x):
    # $$ \lim_{\alpha \to \infty} p_i = \frac{[\,x_i = x_{\max}\,]}{\text{number of } j \text{ with } x_j = x_{\max}},
    #    \qquad p_i = \frac1K \quad (\alpha = 0) $$
    largest, smallest = ([int(a == extreme) for a in x] for extreme in (max(x), min(x)))
    return [
        [Fraction(a, sum(largest)) for a in largest],
        [Fraction(1, len(x))] * len(x),
        [Fraction(a, sum(smallest)) for a in smallest],
    ]


@claim("softmax-factor-limits", cases=tied)
def limits_in_symbols(x, limits=limits):
    """SymPy's limits of the definition at plus infinity, 0 and minus infinity, in the letter e^alpha."""
    import sympy

    t = sympy.Symbol("t", positive=True)  # e^alpha
    lift = [value - min(x) for value in x]  # a translation, so that no power is negative
    p = [t**value / sum(t**other for other in lift) for value in lift]
    found = [[sympy.limit(term, t, to) for term in p] for to in (sympy.oo, 1, 0)]
    same(limits(x), found)


@claim("softmax-factor-limits", cases=tied)
def limits_measured(x, limits=limits):
    """`softmax` at alpha = 10^6, 0 and -10^6."""
    at = [softmax.softmax(alpha * np.array(x, float)) for alpha in (1e6, 0.0, -1e6)]
    agree(np.array(limits(x)), np.array(at))


@slip("softmax-factor-limits", blind=lambda x: (2, 5, 1, 3))
def zero_or_one(x):
    """Say that every output goes to 0 or 1: on a tie none goes to 1."""
    first, last = x.index(max(x)), x.index(min(x))
    ones = [[Fraction(int(i == at)) for i in range(len(x))] for at in (first, last)]
    return [ones[0], [Fraction(1, len(x))] * len(x), ones[1]]


def slopes(case):
    # $$ \frac{d \log p_i}{d \alpha} = x_i - \mathbb E_{j \sim p}[x_j] $$
    p = by_definition(case.alpha * case.x)
    return case.x - sum(p * case.x)


@claim("softmax-factor-derivative", cases=logits)
def slopes_by_complex_step(case, slopes=slopes):
    """The log of the definition, differentiated by a complex step in alpha."""
    expected = [case.derivative(lambda a, i=i: np.log(by_definition(a * case.x))[i], case.alpha) for i in range(5)]
    agree(slopes(case), np.array(expected))


@claim("softmax-factor-derivative", cases=three_symbols)
def slopes_in_symbols(case, slopes=slopes):
    """The same in symbols."""
    expected = [case.derivative(lambda a, i=i: log(by_definition(a * case.x))[i], case.alpha) for i in range(3)]
    same(slopes(case), expected)


def factor_zero(case):
    """alpha = 0: the probabilities are uniform."""
    return replace(case, alpha=0 * case.alpha)


@slip("softmax-factor-derivative", blind=factor_zero)
def uniform_mean(case):
    """Subtract the plain mean of the logits: right at alpha = 0 only."""
    return case.x - sum(case.x) / case.K


@slip("softmax-factor-derivative")
def sum_held_constant(case):
    """Forget that the sum depends on alpha too."""
    return case.x


@steps("softmax-factor-derivative-steps", cases=(logits, three_symbols), ends_in=slopes)
def slopes_steps(case):
    """Differentiate the log of the sum; the quotient that comes out is a mean under p."""
    # \frac{d \log p_i}{d \alpha}
    yield np.array(
        [case.derivative(lambda a, i=i: log(by_definition(a * case.x))[i], case.alpha) for i in range(case.K)]
    )
    # = \frac{d}{d \alpha} \Bigl( \alpha x_i - \log \sum_j e^{\alpha x_j} \Bigr)
    yield case.x - case.derivative(lambda a: log(np.array([sum(exp(a * case.x))]))[0], case.alpha)
    e = exp(case.alpha * case.x)
    # = x_i - \frac{\sum_j x_j e^{\alpha x_j}}{\sum_j e^{\alpha x_j}}
    yield case.x - sum(case.x * e) / sum(e)
    # = x_i - \mathbb E_{j \sim p}[x_j]
    yield case.x - sum(by_definition(case.alpha * case.x) * case.x)


@claim("softmax-factor-largest")
def mean_below_maximum():
    """Three logits, positive weights of sum 1: their mean is at most the largest, and less if they differ. Z3."""
    # $$ x_{\max} - \mathbb E_{j \sim p}[x_j] \ge 0, \qquad \text{with equality iff all } x_j \text{ are equal} $$
    import z3

    x, p = z3.Reals("x0 x1 x2"), z3.Reals("p0 p1 p2")
    mean = sum(a * b for a, b in zip(x, p, strict=True))
    given = z3.And(sum(p) == 1, *(a > 0 for a in p), *(x[0] >= a for a in x))
    proved(z3.Implies(given, x[0] >= mean))
    proved(z3.Implies(z3.And(given, x[0] == mean), z3.And(x[0] == x[1], x[1] == x[2])))


@claim("softmax-factor-largest", cases=logits)
def largest_grows(case):
    """The largest probability at eleven factors from -3 to 7: each is above the one before."""
    largest = [softmax.softmax(alpha * case.x)[case.x.argmax()] for alpha in range(-3, 8)]
    at_most(np.array(largest[:-1]), np.array(largest[1:]))


def entropy(p):
    return -sum(p * log(p))


def entropy_slope(case):
    # $$ \frac{d}{d \alpha} \operatorname{entropy}(p) = -\alpha\, \operatorname{Var}_{j \sim p}(x_j) $$
    p = by_definition(case.alpha * case.x)
    return -case.alpha * (sum(p * case.x**2) - sum(p * case.x) ** 2)


def entropy_slope_by_definition(case):
    return case.derivative(lambda a: entropy(by_definition(a * case.x)), case.alpha)


@claim("softmax-factor-entropy", cases=logits)
def entropy_by_complex_step(case, entropy_slope=entropy_slope):
    """The entropy of the definition, differentiated by a complex step in alpha; alpha of either sign."""
    agree(entropy_slope(case), entropy_slope_by_definition(case), scale=case.x.var())


@claim("softmax-factor-entropy", cases=three_symbols)
def entropy_in_symbols(case, entropy_slope=entropy_slope):
    """The same in symbols, for three logits; the logs of the sum are expanded."""
    p = by_definition(case.alpha * case.x)
    logs = case.alpha * case.x - log(np.array([sum(exp(case.alpha * case.x))]))
    slopes = [case.derivative(lambda a, i=i: by_definition(a * case.x)[i], case.alpha) for i in range(case.K)]
    same(entropy_slope(case), -sum(np.array(slopes) * (logs + 1)))
    same([exp(np.array([entry]))[0] for entry in logs], p)


@slip("softmax-factor-entropy")
def entropy_grows(case):
    """Lose the sign: a larger factor would spread the probabilities."""
    return -entropy_slope(case)


@slip("softmax-factor-entropy", blind=factor_one)
def alpha_forgotten(case):
    """Give the slope at alpha = 1 the same form everywhere."""
    p = by_definition(case.alpha * case.x)
    return -(sum(p * case.x**2) - sum(p * case.x) ** 2)


@slip("softmax-factor-entropy", blind=factor_zero)
def plain_variance(case):
    """Take the variance with equal weights."""
    return -case.alpha * (sum(case.x**2) / case.K - (sum(case.x) / case.K) ** 2)


@steps("softmax-factor-entropy-steps", cases=logits, ends_in=entropy_slope)
def entropy_steps(case):
    """The slopes of p sum to zero, so constants drop out; log p_i is alpha x_i less a constant."""
    # \frac{d}{d \alpha} \Bigl( -\sum_i p_i \log p_i \Bigr)
    yield entropy_slope_by_definition(case)
    p = by_definition(case.alpha * case.x)
    dp = np.array([case.derivative(lambda a, i=i: by_definition(a * case.x)[i], case.alpha) for i in range(case.K)])
    # = -\sum_i \frac{d p_i}{d \alpha}\, (\log p_i + 1)
    yield -sum(dp * (np.log(p) + 1))
    # = -\sum_i \frac{d p_i}{d \alpha}\, \alpha x_i
    yield -sum(dp * case.alpha * case.x)
    mean = sum(p * case.x)
    # = -\alpha \sum_i p_i\, \bigl( x_i - \mathbb E_{j \sim p}[x_j] \bigr)\, x_i
    yield -case.alpha * sum(p * (case.x - mean) * case.x)
    # = -\alpha\, \operatorname{Var}_{j \sim p}(x_j)
    yield -case.alpha * sum(p * (case.x - mean) ** 2)


def middle_slope():
    # $$ x = (0,\; 0.9,\; 1): \qquad \frac{d p_1}{d \alpha} = \frac{4}{45} > 0 \text{ at } \alpha = 0,
    #    \qquad \lim_{\alpha \to \infty} p_1 = 0 $$
    x, p = (0, Fraction(9, 10), 1), Fraction(1, 3)
    return p * (x[1] - sum(x) * p)


@claim("softmax-factor-middle")
def middle_in_symbols(middle_slope=middle_slope):
    """SymPy's derivative of the definition at 0, and its limit; p_1 rises above 1/3 before it falls."""
    import sympy

    a = sympy.Symbol("alpha", positive=True)
    p = sympy.exp(sympy.Rational(9, 10) * a) / (1 + sympy.exp(sympy.Rational(9, 10) * a) + sympy.exp(a))
    same(middle_slope(), p.diff(a).subs(a, 0))
    t = sympy.Symbol("t", positive=True)  # e^(alpha / 10)
    same(sympy.limit(t**9 / (1 + t**9 + t**10), t, sympy.oo), 0)


@claim("softmax-factor-middle")
def middle_measured():
    """`softmax` at alpha = 0, 2 and 60: up, then down."""
    at_0, at_2, at_60 = (softmax.softmax(alpha * np.array([0, 0.9, 1]))[1] for alpha in (0.0, 2.0, 60.0))
    at_most(at_0 + 0.05, at_2)
    at_most(at_60, 0.01)


@slip("softmax-factor-middle")
def only_the_largest_grows():
    """Let every other probability fall from the start, by half of what the largest gains."""
    x, p = (0, Fraction(9, 10), 1), Fraction(1, 3)
    return -p * (x[2] - sum(x) * p) / 2


# --- the Jacobian -----------------------------------------------------------------------------------------------------


def jacobian(case):
    # $$ \frac{\partial p_i}{\partial x_j} = p_i \bigl( [\,i = j\,] - p_j \bigr),
    #    \qquad p = \operatorname{softmax}(x) $$
    if isinstance(case, Symbols):
        return softmax._jacobian_at(case.p)  # what `jacobian` runs after `softmax`
    return softmax.jacobian(case.x)


def differentiated(case):
    """Row i: the gradient of p_i, by the definition."""
    return np.array([case.gradient(lambda x, i=i: by_definition(x)[i], case.x) for i in range(case.K)])


@claim("softmax-jacobian", cases=logits)
def jacobian_by_complex_step(case, jacobian=jacobian):
    """Each output of the definition, differentiated by a complex step."""
    agree(jacobian(case), differentiated(case))


@claim("softmax-jacobian", cases=three_symbols)
def jacobian_in_symbols(case, jacobian=jacobian):
    """The code itself, run on symbols, against SymPy's derivative."""
    same(jacobian(case), differentiated(case))


@claim("softmax-jacobian", cases=logits)
def jacobian_by_autograd(case, jacobian=jacobian):
    """PyTorch's softmax, differentiated by autograd; and two rows of logits at once."""
    torch = need("torch")
    expected = torch.autograd.functional.jacobian(lambda x: torch.softmax(x, -1), torch.tensor(case.x)).numpy()
    agree(jacobian(case), expected)
    agree(softmax.jacobian(np.stack([case.q, case.x]))[1], expected)


@slip("softmax-jacobian")
def minus_lost(case):
    """Read the formula as printed, a product: p_i [i = j] p_j."""
    return case.eye * case.p[:, None] * case.p


@slip("softmax-jacobian")
def bracket_closed_early(case):
    """Write p_i [i = j] - p_j, as the printed answer sums up."""
    return case.eye * case.p[:, None] - case.p


@slip("softmax-jacobian")
def diagonal_case_everywhere(case):
    """Write p_i (1 - p_j) for all i and j."""
    return case.p[:, None] * (1 - case.p)


@slip("softmax-jacobian")
def sign_off_the_diagonal(case):
    """Lose the sign off the diagonal."""
    return np.diag(case.p * (1 - case.p)) + (1 - case.eye) * case.p[:, None] * case.p


@steps("softmax-jacobian-steps", cases=(logits, three_symbols), ends_in=jacobian)
def jacobian_steps(case):
    """The rule of the quotient, with both cases in one bracket."""
    # \frac{\partial p_i}{\partial x_j}
    yield differentiated(case)
    e, total = exp(case.x), sum(exp(case.x))
    # = \frac{[\,i = j\,]\, e^{x_i} \sum_k e^{x_k} - e^{x_i} e^{x_j}}{\bigl( \sum_k e^{x_k} \bigr)^2}
    yield (case.eye * e[:, None] * total - e[:, None] * e) / total**2
    # = [\,i = j\,]\, p_i - p_i p_j
    yield case.eye * case.p[:, None] - case.p[:, None] * case.p
    # = p_i \bigl( [\,i = j\,] - p_j \bigr)
    yield case.p[:, None] * (case.eye - case.p)


def at_log_3():
    # $$ x = (\log 3, 0): \qquad \frac{\partial p_0}{\partial x_0} = \frac{3}{16},
    #    \qquad \frac{\partial p_0}{\partial x_1} = -\frac{3}{16} $$
    p = np.array([Fraction(3, 4), Fraction(1, 4)])
    return softmax._jacobian_at(p)[0]


@claim("softmax-jacobian-printed")
def derivatives_at_log_3(at_log_3=at_log_3):
    """SymPy's derivatives of the definition at (log 3, 0). The printed product gives 9/16 and 0."""
    import sympy

    case = replace(symbols(2), x=np.array([sympy.log(3), sympy.Integer(0)]))
    same(at_log_3(), differentiated(case)[0])
    same(minus_lost(case)[0], [Fraction(9, 16), 0])


@claim("softmax-jacobian-printed")
def at_log_3_measured(at_log_3=at_log_3):
    """`jacobian` at (log 3, 0)."""
    agree(at_log_3(), softmax.jacobian(np.array([math.log(3), 0.0]))[0])


@slip("softmax-jacobian-printed")
def printed_at_log_3():
    """Evaluate the printed product."""
    p = (Fraction(3, 4), Fraction(1, 4))
    return np.array([p[0] * p[0], 0 * p[1]])


@claim("softmax-jacobian-summary")
def summary_at_one_half():
    """Fractions at p = (1/2, 1/2): the printed summary gives 0 and -1/2, the right formula 1/4 and -1/4."""
    # $$ p = \Bigl( \frac12, \frac12 \Bigr): \qquad p_0 (1 - p_0) = \frac14, \quad -p_0\, p_1 = -\frac14,
    #    \qquad p_0 - p_0 = 0, \quad 0 - p_1 = -\frac12 $$
    half = Fraction(1, 2)
    case = replace(symbols(2), x=np.zeros(2, int).astype(object))
    same(softmax._jacobian_at(np.array([half, half]))[0], [half / 2, -half / 2])
    same(differentiated(case)[0], [half / 2, -half / 2])
    same(bracket_closed_early(case)[0], [0, -half])


def matrix(case):
    # $$ J = \operatorname{diag}(p) - p\,p^\top $$
    return softmax.jacobian(case.x) if not isinstance(case, Symbols) else softmax._jacobian_at(case.p)


@claim("softmax-jacobian-matrix", cases=logits)
def matrix_measured(case, matrix=matrix):
    """`jacobian` times each basis vector, against derivatives of the definition by a complex step."""
    agree(matrix(case), differentiated(case).T)
    agree(matrix(case), np.diag(case.p) - np.outer(case.p, case.p))


@claim("softmax-jacobian-matrix", cases=three_symbols)
def matrix_in_symbols(case, matrix=matrix):
    """SymPy's derivative of the definition, and its diag and outer product."""
    import sympy

    p = sympy.Matrix(case.p)
    same(matrix(case), np.array(sympy.diag(*case.p) - p * p.T))
    same(matrix(case), differentiated(case))


@slip("softmax-jacobian-matrix")
def inner_for_outer(case):
    """Write p^T p, which is a number: it is subtracted from every entry."""
    return np.diag(case.p) - case.p @ case.p


@slip("softmax-jacobian-matrix")
def signs_exchanged(case):
    """Subtract diag(p) from the outer product."""
    return np.outer(case.p, case.p) - np.diag(case.p)


@slip("softmax-jacobian-matrix")
def diagonal_only(case):
    """Treat softmax as if it acted on each entry by itself, as the sigmoid does."""
    return np.diag(case.p * (1 - case.p))


@claim("softmax-jacobian-sums", cases=logits)
def sums_measured(case, matrix=matrix):
    """Row sums, symmetry, and the trace of what `jacobian` gives."""
    agree(matrix(case).sum(1), np.zeros(5), scale=np.abs(matrix(case)).max())
    agree(matrix(case), matrix(case).T)
    agree(np.trace(matrix(case)), 1 - sum(case.p**2))


@claim("softmax-jacobian-sums", cases=three_symbols)
def sums_in_symbols(case, matrix=matrix):
    """The same in symbols."""
    # $$ J = J^\top, \qquad J\,\mathbf 1 = 0, \qquad \operatorname{tr}(J) = 1 - \sum_i p_i^2 $$
    same(matrix(case), matrix(case).T)
    same(matrix(case).sum(1), [0, 0, 0])
    same(np.trace(matrix(case)), 1 - sum(case.p**2))


@slip("softmax-jacobian-sums")
def nothing_off_the_diagonal(case):
    """Leave out the part off the diagonal: the rows do not sum to zero."""
    return np.diag(case.p * (1 - case.p))


def quadratic(case):
    # $$ q^\top J\, q = \operatorname{Var}_{i \sim p}(q_i) = \sum_{i < j} p_i\, p_j\, (q_i - q_j)^2 $$
    return sum(case.p[i] * case.p[j] * (case.q[i] - case.q[j]) ** 2 for i, j in combinations(range(case.K), 2))


@claim("softmax-jacobian-variance", cases=logits)
def quadratic_measured(case, quadratic=quadratic):
    """q on both sides of what `jacobian` gives."""
    agree(quadratic(case), case.q @ softmax.jacobian(case.x) @ case.q)


@claim("softmax-jacobian-variance", cases=three_symbols)
def quadratic_in_symbols(case, quadratic=quadratic):
    """The same in symbols."""
    same(quadratic(case), case.q @ matrix(case) @ case.q)


@slip("softmax-jacobian-variance")
def every_pair_twice(case):
    """Sum over all i and j: each pair counts twice."""
    return 2 * quadratic(case)


@slip("softmax-jacobian-variance")
def unweighted_pairs(case):
    """Leave out the probabilities."""
    return sum((case.q[i] - case.q[j]) ** 2 for i, j in combinations(range(case.K), 2))


@steps("softmax-jacobian-variance-steps", cases=(logits, three_symbols), ends_in=quadratic)
def quadratic_steps(case):
    """A mean of squares less the square of a mean; then every pair is met twice."""
    # q^\top J\, q
    yield case.q @ differentiated(case) @ case.q
    # = \sum_i p_i\, q_i^2 - \Bigl( \sum_i p_i\, q_i \Bigr)^2
    yield sum(case.p * case.q**2) - sum(case.p * case.q) ** 2
    # = \frac12 \sum_i \sum_j p_i\, p_j\, (q_i - q_j)^2
    yield (case.p[:, None] * case.p * (case.q[:, None] - case.q) ** 2).sum() / 2
    # = \sum_{i < j} p_i\, p_j\, (q_i - q_j)^2
    yield sum(case.p[i] * case.p[j] * (case.q[i] - case.q[j]) ** 2 for i, j in combinations(range(case.K), 2))


def rational_probabilities():
    """Probabilities of two to five classes, as fractions."""
    for weights in ((1, 2), (1, 2, 4), (3, 1, 5, 2), (2, 7, 1, 4, 3)):
        yield np.array([Fraction(weight, sum(weights)) for weight in weights])


def rank(p):
    # $$ \operatorname{rank}(J) = K - 1, \qquad J\,q = 0 \iff q_i = q_j \text{ for all } i, j $$
    return len(p) - 1


@claim("softmax-jacobian-rank", cases=rational_probabilities)
def rank_in_fractions(p, rank=rank):
    """SymPy's rank of what the code gives in fractions, and its null space: the multiples of the vector of ones."""
    import sympy

    J = sympy.Matrix(softmax._jacobian_at(p).tolist())
    same(rank(p), J.rank())
    (kernel,) = J.nullspace()
    same(list(kernel), [kernel[0]] * len(p))


@claim("softmax-jacobian-rank")
def null_space_for_all_probabilities():
    """The code's J for any positive p_i, two to five of them: J q = 0 if, and only if, all q_i are equal. Z3."""
    import z3

    for K in (2, 3, 4, 5):
        p, q = (np.array(z3.Reals([f"{name}{i}" for i in range(K)]), dtype=object) for name in "pq")
        Jq = softmax._jacobian_at(p) @ q
        null, equal = z3.And(*(entry == 0 for entry in Jq)), z3.And(*(entry == q[0] for entry in q))
        proved(z3.Implies(z3.And(*(entry > 0 for entry in p)), null == equal))


@slip("softmax-jacobian-rank")
def full_rank(p):
    """Say that softmax can be inverted, so that J has full rank: a translation of x is lost."""
    return len(p)


def largest_eigenvalue():
    # $$ 0 \le \lambda_i \le \max_j 2\, p_j (1 - p_j) \le \frac12 $$
    return Fraction(1, 2)


@claim("softmax-jacobian-spectrum")
def bound_attained(largest_eigenvalue=largest_eigenvalue):
    """At two equal logits the largest eigenvalue of what `jacobian` gives is the bound."""
    agree(float(largest_eigenvalue()), np.linalg.eigvalsh(softmax.jacobian(np.zeros(2))).max())


@claim("softmax-jacobian-spectrum")
def bound_in_fractions(largest_eigenvalue=largest_eigenvalue):
    """SymPy's eigenvalues for p = (1/2, 1/2): the bound occurs. For all p, 2 p (1 - p) is at most 1/2, by Z3."""
    import sympy
    import z3

    J = sympy.Matrix(softmax._jacobian_at(np.array([Fraction(1, 2)] * 2)).tolist())
    same(largest_eigenvalue(), max(J.eigenvals()))
    p = z3.Real("p")
    proved(2 * p * (1 - p) <= z3.RealVal("1/2"))


@claim("softmax-jacobian-spectrum", cases=three_symbols)
def radius_in_symbols(case):
    """Three classes: det(I/2 - J) is 1/4 - e2 + 3 e3 over 2, in SymPy, and above 0 for all p > 0, by Z3."""
    import sympy
    import z3

    a, b, c = case.p
    J = softmax._jacobian_at(case.p)
    same([-J[0, 1] - J[0, 2], -J[1, 0] - J[1, 2]], [a * (1 - a), b * (1 - b)])  # Gershgorin's radii
    det = (sympy.eye(3) / 2 - sympy.Matrix(J.tolist())).det()
    same(2 * det, sympy.Rational(1, 4) - (a * b + b * c + c * a) + 3 * a * b * c)
    a, b, c = z3.Reals("p0 p1 p2")
    given = z3.And(a > 0, b > 0, c > 0, a + b + c == 1)
    proved(z3.Implies(given, z3.RealVal("1/4") - (a * b + b * c + c * a) + 3 * a * b * c > 0))


@claim("softmax-jacobian-spectrum", cases=logits)
def bound_measured(case):
    """LAPACK's eigenvalues at x, at 3 x and at x with two classes ahead of all others."""
    ahead = np.concatenate([[30.0, 30.0], case.x[2:]])
    for x in (case.x, 3 * case.x, ahead):
        found, p = np.linalg.eigvalsh(softmax.jacobian(x)), softmax.softmax(x)
        at_most(np.zeros(5), found, scale=1)
        at_most(found.max(), (2 * p * (1 - p)).max())
    at_most(0.49, found.max())


@slip("softmax-jacobian-spectrum")
def slope_of_the_sigmoid():
    """Give 1/4, the largest slope of the sigmoid and the largest entry of J."""
    return Fraction(1, 4)


@slip("softmax-jacobian-spectrum")
def below_the_trace():
    """Bound the eigenvalues by the trace, which is below 1: true, and not the best."""
    return Fraction(1)


def saturated_jacobian(case):
    # $$ J_{ii} = p_i \sum_{j \ne i} p_j $$
    return softmax.jacobian(case.x)


def probabilities_to_60_digits(x):
    import mpmath

    return [mpmath.exp(entry) for entry in log_softmax_to_60_digits(x)]


@claim("softmax-jacobian-saturated", cases=far_ahead)
def diagonal_to_60_digits(case, saturated_jacobian=saturated_jacobian):
    """Every entry over its own value p_i ([i = j] - p_j) in 60 digits: the quotients are 1."""
    p, J = probabilities_to_60_digits(case.x), saturated_jacobian(case)
    expected = [[p[i] * ((i == j) - p[j]) for j in range(4)] for i in range(4)]
    agree(np.array([floats(exact(J[i])[j] / expected[i][j] for j in range(4)) for i in range(4)]), np.ones((4, 4)))


@slip("softmax-jacobian-saturated")
def one_minus_p(case):
    """Compute 1 - p_i in float64, which is 0 where p_i rounds to 1."""
    p = softmax.softmax(case.x)
    return np.diag(p) - np.outer(p, p)


# --- the gradient of a log-probability --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """Logits x(w) = c0 + A sin(B w): K of them, smooth functions of P parameters."""

    w: np.ndarray  # (P,)
    c0: np.ndarray  # (K,)
    A: np.ndarray  # (K, M)
    B: np.ndarray  # (M, P)

    gradient = staticmethod(complex_step)

    def logits(self, w):
        return self.c0 + self.A @ np.sin(self.B @ w)

    @property
    def x(self):
        return self.logits(self.w)

    @property
    def p(self):
        return by_definition(self.x)

    @property
    def K(self):
        return len(self.c0)

    @property
    def Jx(self):
        """(K, P): row j is the gradient of x_j by w."""
        return self.A @ (np.cos(self.B @ self.w)[:, None] * self.B)

    @property
    def log_gradients(self):
        """(K, P): row i is the gradient of log p_i by w, of the definition."""
        return np.array(
            [self.gradient(lambda w, i=i: log(by_definition(self.logits(w)))[i], self.w) for i in range(self.K)]
        )

    def loss(self, w):
        """Cross-entropy for the label 1."""
        return -log(by_definition(self.logits(w)))[1]


class SymbolicNetwork(Network):
    """Three functions of two parameters, about w = 0: any values c0 and any slopes A, in symbols."""

    gradient = staticmethod(Symbols.gradient)

    def logits(self, w):
        return self.c0 + self.A @ w

    @property
    def Jx(self):
        return self.A


def network(rng):
    """Five logits, seven parameters, four hidden units."""
    return Network(rng.normal(size=7), rng.normal(size=5), rng.normal(size=(5, 4)) * 1.3, rng.normal(size=(4, 7)))


def any_function():
    """Three functions of two parameters; their values and their slopes are symbols."""
    import sympy

    slopes = np.array(sympy.symbols("a0:6", real=True)).reshape(3, 2)
    yield SymbolicNetwork(np.array([sympy.Integer(0)] * 2), np.array(sympy.symbols("x0:3", real=True)), slopes, None)


def all_logits_equal(case):
    """Biases that make all logits equal: the probabilities are uniform."""
    return replace(case, c0=case.c0 - case.x)


def log_gradient(case):
    # $$ \nabla_w \log p_i = \nabla_w x_i - \mathbb E_{j \sim p}[\nabla_w x_j],
    #    \qquad p = \operatorname{softmax}(x(w)) $$
    p = case.p if isinstance(case, SymbolicNetwork) else softmax.softmax(case.x)
    return case.Jx - sum(p[j] * case.Jx[j] for j in range(case.K))


@claim("softmax-log-gradient", cases=network)
def log_gradient_by_complex_step(case, log_gradient=log_gradient):
    """Each log-probability of the definition, differentiated by a complex step in w."""
    agree(log_gradient(case), case.log_gradients)


@claim("softmax-log-gradient", cases=any_function)
def log_gradient_in_symbols(case, log_gradient=log_gradient):
    """Three functions of two parameters, with any values and any slopes, in SymPy."""
    same(log_gradient(case), case.log_gradients)


@claim("softmax-log-gradient", cases=network)
def log_gradient_by_autograd(case, log_gradient=log_gradient):
    """PyTorch's log_softmax after the network, differentiated by autograd."""
    torch = need("torch")
    c0, A, B = map(torch.tensor, (case.c0, case.A, case.B))
    J = torch.autograd.functional.jacobian(
        lambda w: torch.log_softmax(c0 + A @ torch.sin(B @ w), -1), torch.tensor(case.w)
    )
    agree(log_gradient(case), J.numpy())


@slip("softmax-log-gradient", blind=all_logits_equal)
def plain_mean(case):
    """Take the mean with equal weights."""
    return case.Jx - sum(case.Jx) / case.K


@slip("softmax-log-gradient")
def mean_added(case):
    """Add the mean."""
    return case.Jx + sum(case.p[j] * case.Jx[j] for j in range(case.K))


@slip("softmax-log-gradient")
def sum_without_weights(case):
    """Sum the gradients, without probabilities."""
    return case.Jx - sum(case.Jx)


@slip("softmax-log-gradient", blind=all_logits_equal)
def index_as_printed(case):
    """Weight every j by p_i, as the printed law has it."""
    return case.Jx - case.p[:, None] * sum(case.Jx)


def log_sum_gradient(case):
    """Gradient of the log of the sum."""
    return case.gradient(lambda w: log(np.array([sum(exp(case.logits(w)))]))[0], case.w)


@steps("softmax-log-gradient-steps", cases=(network, any_function), ends_in=log_gradient)
def log_gradient_steps(case):
    """The log of the sum is one number: its gradient has P entries, and is a mean under p."""
    # \nabla_w \log p_i
    yield case.log_gradients
    # = \nabla_w x_i - \nabla_w \log \sum_j e^{x_j}
    yield case.Jx - log_sum_gradient(case)
    e = exp(case.x)
    # = \nabla_w x_i - \frac{1}{\sum_k e^{x_k}} \sum_j e^{x_j}\, \nabla_w x_j
    yield case.Jx - sum(e[j] * case.Jx[j] for j in range(case.K)) / sum(e)
    # = \nabla_w x_i - \sum_j p_j\, \nabla_w x_j
    yield case.Jx - sum(case.p[j] * case.Jx[j] for j in range(case.K))


def gradient_of_log_sum(case):
    # $$ \nabla_w \log \sum_j e^{x_j} = \sum_j p_j\, \nabla_w x_j = J_x^\top\, p $$
    return case.Jx.T @ case.p


@claim("softmax-log-sum-exp-gradient", cases=network)
def log_sum_by_complex_step(case, gradient_of_log_sum=gradient_of_log_sum):
    """The log of the sum, differentiated by a complex step: a vector of P numbers."""
    agree(gradient_of_log_sum(case), log_sum_gradient(case))


@claim("softmax-log-sum-exp-gradient", cases=any_function)
def log_sum_in_symbols(case, gradient_of_log_sum=gradient_of_log_sum):
    """The same for three functions of two parameters."""
    same(gradient_of_log_sum(case), log_sum_gradient(case))


@slip("softmax-log-sum-exp-gradient")
def equal_rows(case):
    """Give the gradient of a number as K equal rows, as the printed answer does."""
    return np.array([gradient_of_log_sum(case)] * case.K)


@slip("softmax-log-sum-exp-gradient", blind=all_logits_equal)
def mean_of_rows(case):
    """Average the rows with equal weights."""
    return sum(case.Jx) / case.K


@claim("softmax-log-gradient-mean", cases=network)
def mean_measured(case, log_gradient=log_gradient):
    """The mean under p of what the formula gives, against the size of its terms."""
    scale = np.abs(case.log_gradients).max()
    agree(softmax.softmax(case.x) @ log_gradient(case), np.zeros(7), scale=scale)


@claim("softmax-log-gradient-mean", cases=any_function)
def mean_in_symbols(case, log_gradient=log_gradient):
    """The same for three functions of two parameters."""
    # $$ \mathbb E_{i \sim p}[\nabla_w \log p_i] = 0 $$
    p = case.p
    same(sum(p[i] * log_gradient(case)[i] for i in range(3)), [0, 0])


@slip("softmax-log-gradient-mean", blind=all_logits_equal)
def mean_of_equals(case):
    """Centre the gradients by their plain mean."""
    return case.Jx - sum(case.Jx) / case.K


# --- the cross-entropy ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labelled:
    """N rows of K logits, and their labels."""

    x: np.ndarray  # (N, K)
    labels: np.ndarray  # (N,)

    gradient = staticmethod(complex_step)

    @property
    def N(self):
        return len(self.x)

    @property
    def one_hot(self):
        return np.arange(self.x.shape[1]) == self.labels[:, None]

    @property
    def p(self):
        return np.array([by_definition(row) for row in self.x])

    def loss(self, x):
        return -sum(log(by_definition(row))[label] for row, label in zip(x, self.labels, strict=True)) / len(x)


class SymbolicLabelled(Labelled):
    """The same in SymPy symbols."""

    gradient = staticmethod(Symbols.gradient)


def labelled(rng):
    """Four rows of three logits; the labels 0 to 2 all occur, and one occurs twice."""
    return Labelled(rng.normal(size=(4, 3)) * 1.5 + [0.5, -0.3, 1.0], rng.permutation([0, 2, 1, 2]))


def labelled_symbols():
    """Two rows of three logits, in symbols."""
    import sympy

    yield SymbolicLabelled(np.array(sympy.symbols("x0:6", real=True)).reshape(2, 3), np.array([2, 0]))


def loss(case):
    # $$ L = -\frac1N \sum_{i=1}^{N} \log p_{i, \ell_i}, \qquad p_i = \operatorname{softmax}(x_i) $$
    return softmax.cross_entropy(case.x, case.labels)


@claim("softmax-cross-entropy", cases=labelled)
def loss_in_plain_numbers(case, loss=loss):
    """The definition, one row at a time in plain Python numbers; labels as a list and in other integer types."""
    terms = [
        math.log(sum(map(math.exp, row))) - row[k] for row, k in zip(case.x.tolist(), case.labels.tolist(), strict=True)
    ]
    agree(loss(case), sum(terms) / 4)
    for labels in (case.labels.tolist(), case.labels.astype(np.uint8), case.labels.astype(np.uint64)):
        agree(softmax.cross_entropy(case.x, labels), loss(case))


@claim("softmax-cross-entropy", cases=labelled)
def loss_by_torch(case, loss=loss):
    """PyTorch's cross_entropy."""
    torch = need("torch")
    expected = torch.nn.functional.cross_entropy(torch.tensor(case.x), torch.tensor(case.labels))
    agree(loss(case), expected.item())


@slip("softmax-cross-entropy")
def sum_for_mean(case):
    """Sum over the rows."""
    return 4 * case.loss(case.x)


@slip("softmax-cross-entropy")
def softmax_twice(case):
    """Give probabilities where logits are expected: softmax is then applied twice."""
    return softmax.cross_entropy(case.p, case.labels)


@slip("softmax-cross-entropy")
def labels_from_one(case):
    """Count the labels from 1."""
    return softmax.cross_entropy(case.x, (case.labels - 1) % 3)


@slip("softmax-cross-entropy")
def sign_of_the_log(case):
    """Give the mean log-probability, which is negative."""
    return -case.loss(case.x)


def dlogits(case):
    # $$ \frac{\partial L}{\partial x_i} = \frac1N\, (p_i - e_{\ell_i}) $$
    if isinstance(case, SymbolicLabelled):
        return softmax._minus_one_hot(case.p, case.labels) / len(case.labels)  # as in `d_cross_entropy`
    return softmax.d_cross_entropy(case.x, case.labels)


@claim("softmax-cross-entropy-gradient", cases=labelled)
def dlogits_by_complex_step(case, dlogits=dlogits):
    """The definition of the loss, differentiated by a complex step."""
    agree(dlogits(case), complex_step(case.loss, case.x))


@claim("softmax-cross-entropy-gradient", cases=labelled_symbols)
def dlogits_in_symbols(case, dlogits=dlogits):
    """The code itself, run on symbols, against SymPy's derivative."""
    same(dlogits(case), case.gradient(case.loss, case.x))


@claim("softmax-cross-entropy-gradient", cases=labelled)
def dlogits_by_autograd(case, dlogits=dlogits):
    """PyTorch's cross_entropy, differentiated by autograd."""
    torch = need("torch")
    x = torch.tensor(case.x, requires_grad=True)
    torch.nn.functional.cross_entropy(x, torch.tensor(case.labels)).backward()
    agree(dlogits(case), x.grad.numpy())


@slip("softmax-cross-entropy-gradient")
def uphill(case):
    """Exchange the two: e - p is the direction in which the loss falls."""
    return (case.one_hot.astype(int) - case.p) / case.N


@slip("softmax-cross-entropy-gradient")
def one_hot_forgotten(case):
    """Stop at p."""
    return case.p / case.N


@slip("softmax-cross-entropy-gradient")
def gradient_by_p(case):
    """Give -e / p, the gradient by the probabilities: the Jacobian of softmax is missing."""
    return -case.one_hot.astype(int) / case.p / case.N


@slip("softmax-cross-entropy-gradient")
def product_with_one_hot(case):
    """Multiply p by the one-hot vector."""
    return case.p * case.one_hot.astype(int) / case.N


def one_row(case):
    """The first row alone."""
    return replace(case, x=case.x[:1], labels=case.labels[:1])


@slip("softmax-cross-entropy-gradient", blind=one_row)
def mean_forgotten(case):
    """Forget the 1/N of the mean."""
    return case.p - case.one_hot.astype(int)


def one_labelled(rng):
    """One row of five logits with the label 1."""
    return logits(rng)


def row_gradient(case):
    return case.p - case.one_hot.astype(int)


@steps("softmax-cross-entropy-steps", cases=(logits, three_symbols), ends_in=row_gradient)
def cross_entropy_steps(case):
    """The previous result with w = x, where the gradient of x_i is the basis vector e_i."""
    # \frac{\partial L_i}{\partial x}
    yield case.gradient(lambda x: -log(by_definition(x))[1], case.x)
    e = case.eye
    logs = e - sum(case.p[j] * e[j] for j in range(case.K))
    # = -\sum_i [\,i = \ell\,]\, \bigl( e_i - \mathbb E_{j \sim p}[e_j] \bigr)
    yield -sum(int(case.one_hot[i]) * logs[i] for i in range(case.K))
    # = -e_\ell + \Bigl( \sum_i [\,i = \ell\,] \Bigr) \sum_j p_j\, e_j
    yield -e[1] + sum(case.one_hot) * sum(case.p[j] * e[j] for j in range(case.K))
    # = p - e_\ell
    yield case.p - case.one_hot.astype(int)


def dw(case):
    # $$ \nabla_w L_i = J_x^\top\, (p - e_\ell) = \sum_j \bigl( p_j - [\,j = \ell\,] \bigr)\, \nabla_w x_j $$
    if isinstance(case, SymbolicNetwork):
        return case.Jx.T @ softmax._minus_one_hot(case.p[None], np.array([1]))[0]
    return case.Jx.T @ softmax.d_cross_entropy(case.x[None], [1])[0]


@claim("softmax-cross-entropy-gradient-w", cases=network)
def dw_by_complex_step(case, dw=dw):
    """The loss of one example after the network, differentiated by a complex step in w; the printed line agrees."""
    agree(dw(case), complex_step(case.loss, case.w))
    agree(students_line(case), complex_step(case.loss, case.w))


@claim("softmax-cross-entropy-gradient-w", cases=any_function)
def dw_in_symbols(case, dw=dw):
    """Three functions of two parameters, with any values and any slopes."""
    same(dw(case), case.gradient(case.loss, case.w))


@claim("softmax-cross-entropy-gradient-w", cases=network)
def dw_by_autograd(case, dw=dw):
    """PyTorch's loss after the network, differentiated by autograd."""
    torch = need("torch")
    c0, A, B = map(torch.tensor, (case.c0, case.A, case.B))
    w = torch.tensor(case.w, requires_grad=True)
    x = c0 + A @ torch.sin(B @ w)
    torch.nn.functional.cross_entropy(x[None], torch.tensor([1])).backward()
    agree(dw(case), w.grad.numpy())


@slip("softmax-cross-entropy-gradient-w")
def own_row_only(case):
    """Keep the row of the label alone: the other logits depend on w too."""
    return (case.p[1] - 1) * case.Jx[1]


@slip("softmax-cross-entropy-gradient-w", blind=all_logits_equal)
def uniform_predictions(case):
    """Take the probabilities as equal."""
    return sum(case.Jx) / case.K - case.Jx[1]


def students_line(case):
    """The last line of the printed answer, unsimplified."""
    one_hot = np.arange(case.K) == 1
    mean = sum(case.p[j] * case.Jx[j] for j in range(case.K))
    return -sum(int(one_hot[i]) * case.Jx[i] for i in range(case.K)) + mean * int(sum(one_hot))


@steps("softmax-cross-entropy-gradient-w-steps", cases=network, ends_in=dw)
def students_line_steps(case):
    """The printed answer stops at the first line."""
    e = np.arange(case.K) == 1
    mean = sum(case.p[j] * case.Jx[j] for j in range(case.K))
    # -\sum_i [\,i = \ell\,]\, \nabla_w x_i + \mathbb E_{j \sim p}[\nabla_w x_j] \sum_i [\,i = \ell\,]
    yield -sum(e[i] * case.Jx[i] for i in range(case.K)) + mean * sum(e)
    # = -\nabla_w x_\ell + \sum_j p_j\, \nabla_w x_j
    yield -case.Jx[1] + mean
    # = \sum_j \bigl( p_j - [\,j = \ell\,] \bigr)\, \nabla_w x_j
    yield sum((case.p[j] - e[j]) * case.Jx[j] for j in range(case.K))


@claim("softmax-cross-entropy-gradient-sums-to-zero", cases=labelled)
def row_sums(case, dlogits=dlogits):
    """Row sums of what `d_cross_entropy` gives."""
    agree(dlogits(case).sum(1), np.zeros(4), scale=np.abs(complex_step(case.loss, case.x)).max())


@claim("softmax-cross-entropy-gradient-sums-to-zero", cases=labelled_symbols)
def row_sums_in_symbols(case, dlogits=dlogits):
    """The same in symbols."""
    # $$ \sum_j \frac{\partial L}{\partial x_{ij}} = 0 $$
    same(dlogits(case).sum(1), [0, 0])


@slip("softmax-cross-entropy-gradient-sums-to-zero")
def probabilities_alone(case):
    """Stop at p, whose rows sum to 1."""
    return case.p / case.N


def unnormalised(case):
    # $$ \frac{\partial}{\partial x} \Bigl( -\sum_i p^\star_i \log p_i \Bigr)
    #    = \Bigl( \sum_i p^\star_i \Bigr)\, p - p^\star $$
    p = case.p if isinstance(case, Symbols) else softmax.softmax(case.x)
    return sum(case.q) * p - case.q


def loss_of_target(case):
    return lambda x: -sum(case.q * log(by_definition(x)))


@claim("softmax-any-target", cases=logits)
def any_target_by_complex_step(case, unnormalised=unnormalised):
    """A target of any sum, differentiated by a complex step."""
    agree(unnormalised(case), complex_step(loss_of_target(case), case.x))


@claim("softmax-any-target", cases=three_symbols)
def any_target_in_symbols(case, unnormalised=unnormalised):
    """The same in symbols."""
    same(unnormalised(case), case.gradient(loss_of_target(case), case.x))


def target_of_sum_1(case):
    """A target that sums to 1."""
    return replace(case, q=case.q + (1 - sum(case.q)) / (case.K + 0 * case.delta))


@slip("softmax-any-target", blind=target_of_sum_1)
def sum_taken_as_one(case):
    """Use p minus the target, as if it summed to 1."""
    return case.p - case.q


def right_by_far(rng):
    """Two rows: in one the label is ahead by 38 or more, in the other a wrong class is."""
    x = np.stack([far_ahead(rng).x, far_ahead(rng).x])
    return Labelled(x, np.array([x[0].argmax(), x[1].argmin()]))


def saturated_gradient(case):
    # $$ p_\ell - 1 = -\sum_{j \ne \ell} p_j $$
    return softmax.d_cross_entropy(case.x, case.labels), softmax.cross_entropy(case.x[:1], case.labels[:1])


@claim("softmax-cross-entropy-saturated", cases=right_by_far)
def gradient_to_60_digits(case, saturated_gradient=saturated_gradient):
    """Every entry, and the loss of the first row, over its own value in 60 digits: the quotients are 1."""
    dx, first = saturated_gradient(case)
    for i in range(2):
        p = probabilities_to_60_digits(case.x[i])
        expected = [(p[j] - (j == case.labels[i])) / 2 for j in range(4)]
        agree(floats(value / e for value, e in zip(exact(dx[i]), expected, strict=True)), np.ones(4))
    expected = -log_softmax_to_60_digits(case.x[0])[case.labels[0]]
    agree(float(exact([first])[0] / expected), 1.0)


@slip("softmax-cross-entropy-saturated")
def p_minus_one(case):
    """Subtract 1 from a probability that rounds to 1, and take the log of it."""
    p = softmax.softmax(case.x)
    return (p - case.one_hot) / 2, -np.log(p[0, case.labels[0]])


# --- bad input, precision, purity -------------------------------------------------------------------------------------


@claim("softmax-bad-input")
def bad_input():
    """Wrong shapes, dtypes, axes and values, and labels that are no labels."""
    x = np.arange(12.0).reshape(4, 3) ** 2
    nan, inf = np.where(x == 4, np.nan, x), np.where(x == 4, np.inf, x)
    bad_x = (x.astype(int), x + 1j, x > 0, x.astype(object), x.astype("f2"), x[:0], 1.0, "x", nan, inf)
    for call in (softmax.softmax, softmax.log_softmax, softmax.log_sum_exp, softmax.jacobian):
        for bad in bad_x:
            refuses(lambda call=call, bad=bad: call(bad), naming="x")
    for call in (softmax.softmax, softmax.log_softmax, softmax.log_sum_exp):
        for bad in (2, -3, 0.0, None, True, (0, 1)):
            refuses(lambda call=call, bad=bad: call(x, axis=bad), naming="axis")
    labels = np.array([0, 2, 1, 2])
    bad_labels = (
        [0, 2, 1],
        [0, 2, 1, 2, 0],
        1,
        labels[:, None],
        labels.astype(float),
        labels > 0,
        ["0", "2", "1", "2"],
        [0, 2, 1, 3],
        [0, -1, 1, 2],
        np.array([0, 2**63, 1, 2], np.uint64),
        np.eye(3)[labels],
    )
    for call in (softmax.cross_entropy, softmax.d_cross_entropy):
        for bad in (*bad_x, x[0], x[None]):
            refuses(lambda call=call, bad=bad: call(bad, labels), naming="logits")
        for bad in bad_labels:
            refuses(lambda call=call, bad=bad: call(x, bad), naming="labels")


def all_results(x, labels):
    return (
        softmax.softmax(x),
        softmax.log_softmax(x),
        softmax.log_sum_exp(x),
        softmax.jacobian(x),
        softmax.cross_entropy(x, labels),
        softmax.d_cross_entropy(x, labels),
    )


@claim("softmax-precision", cases=labelled)
def in_single_precision(case):
    """The same logits in float32 and float64; and logits of size 3e38 in float32, without a warning."""
    for low, high in zip(
        all_results(case.x.astype(np.float32), case.labels), all_results(case.x, case.labels), strict=True
    ):
        same(str(low.dtype), "float32")
        same(str(high.dtype), "float64")
        agree(low, high, tolerance=2e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = np.array([[3e38, -3e38, 3e38]] * 2, np.float32)
        agree(softmax.softmax(huge)[0], np.array([0.5, 0, 0.5]))
        agree(softmax.cross_entropy(huge, [1, 0]) / 1e38, 3.0, tolerance=1e-6)


@claim("softmax-pure", cases=labelled)
def inputs_unchanged(case):
    """Arrays that cannot be written to, and the same calls again: the same bits."""
    before = case.x.copy(), case.labels.copy()
    for array in (case.x, case.labels):
        array.setflags(write=False)
    first = all_results(case.x, case.labels)
    for value, again in zip(first, all_results(case.x, case.labels), strict=True):
        agree(value, again, tolerance=0)
    agree(case.x, before[0], tolerance=0)
    same(case.labels, before[1])
