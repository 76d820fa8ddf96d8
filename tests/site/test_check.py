"""The referee: it accepts what is right, and refuses what is wrong for its own reason."""

import contextlib
import copy
import dataclasses
import importlib
import math
import sys
import typing
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
import z3
from sympy import Rational, S, sqrt

from dlnotes import check
from dlnotes.check import (
    Line,
    Malformed,
    NotHere,
    Refused,
    agree,
    at_most,
    complex_step,
    differ,
    every,
    excused,
    follow,
    hold,
    need,
    note,
    proved,
    read_steps,
    refuses,
    reject,
    same,
    split_sign,
)

INF, NAN = math.inf, math.nan
HALF = Fraction(1, 2)
x, y = sympy.symbols("x y", positive=True)
r = sympy.Symbol("r", real=True)
k = sympy.Symbol("k", integer=True)
c, d = sympy.symbols("c d")  # complex: no rule on roots holds of them


def given(*cases):
    return lambda: cases


def registered(decorate, function):
    function.__doc__ = function.__doc__ or "Said in a sentence."
    vars(function).pop("dlnotes", None)  # some are registered more than once here
    return decorate(function).dlnotes


def witness(function, cases=None):
    return registered(check.claim("one", cases=cases), function)


def slip(function, blind=None):
    return registered(check.slip("one", blind=blind), function)


def derivation(function, ends_in, cases=None):
    return registered(check.steps("one", cases=cases or given(1), ends_in=ends_in), function)


def refusal(call, *arguments, **options):
    with pytest.raises(Refused) as caught:
        call(*arguments, **options)
    return caught.value


def one():
    return 1.0


def ramp():
    return np.arange(1.0, 6.0)


# --- agree ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (1.0, 1),
        (1 + 1e-13, 1.0),
        ([1e-13, 1.0], [0.0, 1.0]),
        (HALF, 0.5),
        (Rational(1, 3), 1 / 3),
        (np.array([x / x, HALF], dtype=object), [1.0, 0.5]),
        (1 + 2j, 1 + 2j),
        (np.float32(0.5), np.float64(0.5)),
        (np.ones((2, 3)), np.ones((2, 3))),
    ],
)
def test_agree_accepts_equal_values_to_rounding(value, reference):
    agree(value, reference)


@pytest.mark.parametrize(
    ("value", "reference", "off_by"),
    [
        (1.25, 1.0, 0.25),
        (1.0, 1.25, 0.2),  # relative to the reference
        (-1.0, 1.0, 2.0),
        ([1.0, 3.0], [1.0, 4.0], 0.25),
        ([1.5, 4.0], [1.0, 4.0], 0.125),  # relative to its largest entry
        (1j, 1.0, math.sqrt(2)),
        (NAN, 1.0, INF),
        ([1.0, NAN], [1.0, 2.0], INF),
        (INF, 1.0, INF),
        (-INF, 1.0, INF),
        (INF, INF, INF),
        (NAN, NAN, INF),
        (1.0, NAN, INF),
        (np.ones(3), np.ones((3, 1)), INF),
        (np.ones((1, 3)), np.ones(3), INF),
        (1.0, [1.0], INF),
        (np.ones(3), np.ones(2), INF),
    ],
)
def test_agree_refuses_what_is_off_and_says_by_how_much(value, reference, off_by):
    assert refusal(agree, value, reference).off_by == pytest.approx(off_by)


def test_agree_allows_its_tolerance_and_no_more():
    agree(1.0009, 1.0, tolerance=1e-3)
    assert "off by 0.0011 (relative), 0.001 allowed" in str(refusal(agree, 1.0011, 1.0, tolerance=1e-3))
    agree(1.0, 1.0, tolerance=0)


@pytest.mark.parametrize("ask", [agree, differ, at_most])
@pytest.mark.parametrize("zero", [0.0, [0, 0], -0.0])
def test_a_comparison_with_zero_needs_a_scale(ask, zero):
    with pytest.raises(Malformed, match="needs a scale"):
        ask(zero, zero)


def test_a_scale_is_what_deviations_are_relative_to():
    agree([1e-13], [0.0], scale=1)
    assert refusal(agree, [1e-3], [0.0], scale=4).off_by == pytest.approx(2.5e-4)
    assert refusal(at_most, 1e-3, 0.0, scale=4).off_by == pytest.approx(2.5e-4)
    differ(0.5, 0.0, scale=4)
    refusal(differ, 0.5, 0.0, scale=100)


@pytest.mark.parametrize("scale", [0, -1, NAN])
def test_a_scale_is_positive(scale):
    with pytest.raises(Malformed, match="scale"):
        agree(1.0, 1.0, scale=scale)


@pytest.mark.parametrize("ask", [agree, differ, at_most, same])
@pytest.mark.parametrize("empty", [[], np.empty((0, 3), dtype=int)])
def test_nothing_is_concluded_from_empty_arrays(ask, empty):
    with pytest.raises(Malformed, match="empty"):
        ask(empty, empty)


@pytest.mark.parametrize("ask", [agree, differ, at_most])
def test_only_numbers_are_measured(ask):
    with pytest.raises(Malformed, match="value: numbers are measured"):
        ask("1", 1.0)
    with pytest.raises(Malformed, match="reference: numbers are measured"):
        ask(1.0, ["1"])


# --- differ, at_most ------------------------------------------------------------------------------------------------


def test_differ_accepts_what_is_apart_in_one_entry():
    differ([1.0, 1.02], [1.0, 1.0])
    differ(1.002, 1.0, by=1e-3)


@pytest.mark.parametrize(
    ("value", "other"), [(1.0, 1.0), (1.009, 1.0), ([1.0, 100.5], [1.0, 100.0]), (NAN, 1.0), (1.0, INF), ([2.0], 1.0)]
)
def test_differ_refuses_what_is_close_or_cannot_be_compared(value, other):
    refusal(differ, value, other)


@pytest.mark.parametrize(("value", "bound"), [(1.0, 1.0), (0.5, 1.0), (-9.0, 1.0), (1 + 1e-13, 1.0), ([1, 2], [1, 3])])
def test_at_most_accepts_what_is_below_its_bound(value, bound):
    at_most(value, bound)


@pytest.mark.parametrize(
    ("value", "bound", "off_by"),
    [
        (1.25, 1.0, 0.25),
        ([1.0, 3.0], [4.0, 2.0], 0.25),
        ([0.0, -1.0], [0.0, -2.0], 0.5),
        (NAN, 1.0, INF),
        ([0.0, NAN], [1.0, 1.0], INF),
        (-INF, 1.0, INF),
        (INF, 1.0, INF),
        (1.0, INF, INF),
        ([0.0, 0.0], 1.0, INF),
    ],
)
def test_at_most_refuses_what_is_above_or_not_finite(value, bound, off_by):
    assert refusal(at_most, value, bound).off_by == pytest.approx(off_by)


# --- same -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, np.int64(3)),
        (Fraction(2, 4), HALF),
        (Fraction(4, 2), 2),
        (10**40, 10**40),
        ("abc", "abc"),
        (True, np.bool_(True)),
        ([[1, 2]], np.array([[1, 2]])),
        ((x + 1) ** 2, x**2 + 2 * x + 1),
        (sympy.sin(r) ** 2 + sympy.cos(r) ** 2, 1),
        (Rational(1, 2), HALF),
        ([x, 2], np.array([x, S(2)])),
    ],
)
def test_same_accepts_equal_values(value, expected):
    same(value, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 4),
        (10**40 + 1, 10**40),
        (Fraction(1, 3), Fraction(333333333333, 10**12)),
        ("abc", "abd"),
        (True, False),
        (np.array([1, 2]), np.array([[1, 2]])),
        (1, [1]),
        (x, y),
        (sympy.zoo, S(1)),
        (x + Rational(1, 10**30), x),  # too little to be seen at a point
        (sympy.sqrt(c**2), c),  # equal at every point with c > 0
    ],
)
def test_same_refuses_what_is_not_equal(value, expected):
    assert refusal(same, value, expected).off_by is None


def test_same_says_where():
    assert str(refusal(same, [[1, 2], [3, 5]], [[1, 2], [3, 4]])) == "5 where 4 is right at (1, 1)"
    assert str(refusal(same, 5, 4)) == "5 where 4 is right"


@pytest.mark.parametrize("number", [1.0, 1 + 0j, np.float32(1), np.float64(1), np.complex128(1)])
def test_same_takes_no_floats(number):
    for value, expected in [(number, 1), (1, number), ([1, number], [1, 1]), (number, number), (x, number)]:
        with pytest.raises(Malformed, match="floats are for agree"):
            same(value, expected)


# Square roots: `_vanishes` proves, so it must never prove what is false.

ZEROS = [
    1 / (sqrt(x) + 1) - (sqrt(x) - 1) / (x - 1),
    sqrt(c * (c + 1)) - sqrt(c**2 + c),
    (sqrt(c) + sqrt(d)) ** 2 - c - d - 2 * sqrt(c) * sqrt(d),
    (c + 1) ** Rational(3, 2) - c * sqrt(c + 1) - sqrt(c + 1),
    1 / sqrt((c + 1) ** 2 + d) - sqrt(c**2 + 2 * c + 1 + d) / (c**2 + 2 * c + 1 + d),
    1 / (sqrt(2) - 1) - sqrt(2) - 1,
    1 / (sqrt(2) + sqrt(3)) - sqrt(3) + sqrt(2),
    (sqrt(c) - sqrt(d)) * (sqrt(c) + sqrt(d)) - c + d,
    (1 + 1 / sqrt(1 + 1 / c)) * (1 - 1 / sqrt(1 + 1 / c)) - 1 / (c + 1),
    (c**k - 1) * (c**k + 1) - c ** (2 * k) + 1,
    S(0),
]
NOT_ZEROS = [
    sqrt(c**2) - c,
    sqrt(r**2) - r,
    sqrt((x - 1) ** 2) - x + 1,
    sqrt(c**2 + 2 * c + 1) - c - 1,
    sqrt(c * d) - sqrt(c) * sqrt(d),
    sqrt(1 / c) - 1 / sqrt(c),
    sqrt(c**2 - 1) - sqrt(c - 1) * sqrt(c + 1),
    sqrt(1 - c) - sympy.I * sqrt(c - 1),
    sqrt(c) + sqrt(d) - sqrt(c + d),
    1 / (sqrt(x) + 1) - (sqrt(x) + 1) / (x - 1),
    sqrt(x) - x,
    x ** Rational(3, 2) - x,
    (x + 1) ** Rational(-1, 2) - sqrt(x + 1),
    sqrt(x) + sqrt(x),
    sqrt(2) + sqrt(3) - sqrt(10),
    sqrt(2) - Rational(14142135623730950488, 10**19),
    sqrt(sqrt(x) + 1) - sqrt(x) - 1,
    sqrt(x + sqrt(y)) - sqrt(x - sqrt(y)),
    (c**3) ** Rational(1, 3) - c,
    S(1),
    x - y,
]


@pytest.mark.parametrize("expression", ZEROS, ids=str)
def test_identities_between_roots_are_proved(expression):
    assert check._vanishes(expression)
    same(expression, 0)


@pytest.mark.parametrize("expression", NOT_ZEROS, ids=str)
def test_false_identities_between_roots_are_never_proved(expression):
    assert not check._vanishes(expression)
    refusal(same, expression, 0)


@pytest.mark.parametrize("expression", ZEROS, ids=str)
@pytest.mark.parametrize("off_by", [Rational(1, 10**30), sqrt(x), sqrt(c + 1) / 7, -1 / (sqrt(c) + sqrt(d)), sqrt(2)])
def test_no_identity_holds_once_a_term_is_added(expression, off_by):
    assert not check._vanishes(expression + off_by)
    assert not check._vanishes(expression * (c + 1) + off_by / (sqrt(d) + 3))


# --- proved, every, refuses -----------------------------------------------------------------------------------------

a, b = z3.Ints("a b")


@pytest.mark.parametrize(
    "statement",
    [
        (a + b) * (a + b) == a * a + 2 * a * b + b * b,
        z3.Implies(z3.And(a > 0, b > 0), a + b > 0),
        sympy.Eq((r + 1) ** 2, r**2 + 2 * r + 1),
        r**2 + 1 > 0,
        x > 0,
        sympy.true,
    ],
    ids=str,
)
def test_proved_accepts_what_is_always_true(statement):
    proved(statement)


@pytest.mark.parametrize(
    "statement", [a + b > a, z3.And(a == 1, a == 2), sympy.Eq(r, 1), r > 0, x > 1, c**2 >= 0, sympy.false], ids=str
)
def test_proved_refuses_what_is_false_or_only_sometimes_true(statement):
    assert refusal(proved, statement).off_by is None


def test_proved_names_a_counterexample():
    assert "not true for [a = 3]" in str(refusal(proved, a != 3))


def test_proved_refuses_what_z3_cannot_tell(monkeypatch):
    class Impatient(z3.Solver):
        def check(self):
            self.set("rlimit", 1000)
            return super().check()

    monkeypatch.setattr(z3, "Solver", Impatient)
    p, q, s = z3.Ints("p q s")
    assert "Z3 cannot tell" in str(refusal(proved, p * p * p + q * q * q + s * s * s != 114))


@pytest.mark.parametrize("thing", [1, "x > 0", np.bool_(True), x + 1, None])
def test_proved_takes_statements_only(thing):
    with pytest.raises(Malformed, match="takes a statement"):
        proved(thing)


def test_every_tries_every_case():
    tried = []
    every(range(4), lambda n: tried.append(n) is None)
    assert tried == [0, 1, 2, 3]
    assert str(refusal(every, range(4), lambda n: n < 3)) == "not true of 3"


def test_every_needs_a_case_and_a_verdict():
    with pytest.raises(Malformed, match="no case"):
        every([], lambda n: True)
    with pytest.raises(Malformed, match="the predicate gave 1"):
        every([1], lambda n: n)


def fails(error):
    def call():
        raise error

    return call


def test_refuses_wants_a_value_error_that_names_the_argument():
    refuses(fails(ValueError("stride is 0, at least 1 expected")), naming="stride")
    assert "bad stride was accepted" in str(refusal(refuses, lambda: 1, naming="stride"))
    for message in ("it is 0", "strides are 0"):
        assert "does not begin with stride" in str(refusal(refuses, fails(ValueError(message)), naming="stride"))
    with pytest.raises(ZeroDivisionError):
        refuses(fails(ZeroDivisionError("stride")), naming="stride")


# --- complex_step, need ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_a_complex_step_gives_the_gradient_to_rounding(shape):
    at = np.random.default_rng(0).normal(size=shape)
    before = at.copy()
    gradient = complex_step(lambda z: np.sum(np.exp(z) * np.sin(3 * z)), at)
    agree(gradient, np.exp(at) * (np.sin(3 * at) + 3 * np.cos(3 * at)), tolerance=1e-14)
    assert np.array_equal(at, before)


def test_a_complex_step_takes_integers():
    agree(complex_step(lambda z: (z**3).sum(), np.array([1, 2])), [3.0, 12.0])


def test_need_gives_the_library():
    assert need("json") is sys.modules["json"]


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_torch_and_tensorflow_may_be_missing(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotHere, match=f"^{name} is not installed$"):
        need(name)


@pytest.mark.parametrize("name", ["sympy", "torch.func", "tensorflow.compat", "no_such_library"])
def test_nothing_else_may_be_missing(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError):
        need(name)


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_one_that_lacks_a_library_of_its_own_is_an_error(monkeypatch, name):
    error = ModuleNotFoundError("No module named 'filelock'", name="filelock")
    monkeypatch.setattr(importlib, "import_module", lambda name: fails(error)())
    with pytest.raises(ModuleNotFoundError, match="filelock"):
        need(name)


@pytest.mark.parametrize(
    ("reason", "is_excused"),
    [
        ("tensorflow is not installed", True),
        ("torch is not installed", False),
        ("off by 2: tensorflow is not installed", False),
        ("", False),
    ],
)
def test_a_complete_run_may_lack_tensorflow_only(reason, is_excused):
    assert excused(reason) is is_excused


# --- registering ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "cases"),
    [
        (lambda first=one, second=one: None, None),
        (lambda case, first=one, second=one: None, list),
        (lambda answer=1.0: None, None),
        (lambda case: None, None),
        (lambda case, answer=one: None, None),
        (lambda: None, list),
        (lambda answer=one: None, list),
        (lambda case, other, answer=one: None, list),
    ],
)
def test_a_wrong_signature_is_refused_at_decoration(function, cases):
    with pytest.raises(Malformed, match=r"one default at most|takes a case if, and only if"):
        witness(function, cases)


@pytest.mark.parametrize(
    "decorate", [check.claim("one"), check.slip("one"), check.steps("one", cases=one, ends_in=one)]
)
def test_a_function_without_a_docstring_is_refused(decorate):
    def undocumented():
        pass

    with pytest.raises(Malformed, match="undocumented: a docstring"):
        decorate(undocumented)


def test_two_decorators_are_refused():
    def twice():
        """Said in a sentence."""

    check.claim("one")(twice)
    for decorate in (check.claim("two"), check.slip("one"), check.steps("one", cases=one, ends_in=one)):
        with pytest.raises(Malformed, match="twice: one decorator"):
            decorate(twice)


def test_decoration_leaves_the_function_as_it_is():
    def doubled(case):
        """Said in a sentence."""
        return 2 * case

    assert check.slip("one", blind=abs)(doubled) is doubled
    assert doubled(3) == 6
    assert doubled.dlnotes == check.Slip("one", doubled, abs)


# --- holding --------------------------------------------------------------------------------------------------------


def test_a_witness_that_asks_nothing_is_refused():
    with pytest.raises((Refused, Malformed), match="asks nothing"):
        hold(witness(lambda: None))
    with pytest.raises((Refused, Malformed), match="asks nothing"):
        hold(witness(lambda case: agree(1.0, 1.0) if case < 3 else None, given(1, 2, 3)))


def test_a_witness_that_ignores_its_answer_is_refused():
    with pytest.raises(Refused, match="ignores its answer"):
        hold(witness(lambda answer=one: agree(1.0, one())))


@pytest.mark.parametrize(
    "lax",
    [
        lambda answer=ramp: agree(np.abs(answer() - ramp())[:1].sum(), 0.0, scale=1),
        lambda answer=ramp: agree(answer()[1:], ramp()[1:]),
        lambda answer=ramp: agree(answer()[:-1], ramp()[:-1]),
        lambda answer=ramp: agree(answer()[[0, 1, 3, 4]], ramp()[[0, 1, 3, 4]]),
        lambda answer=ramp: agree(answer(), ramp(), tolerance=0.05),
        lambda answer=ramp: at_most(answer(), ramp() + 1),
        lambda answer=ramp: same(len(answer()), 5),
        lambda answer=ramp: differ(answer(), -ramp()),
    ],
)
def test_a_witness_that_accepts_a_spoiled_answer_is_refused(lax):
    with pytest.raises(Refused, match="accepts an answer that was spoiled"):
        hold(witness(lax))


def test_every_part_of_a_compound_answer_is_watched():
    def both():
        return 1.0, ramp()

    hold(witness(lambda answer=both: [agree(part, right) for part, right in zip(answer(), both(), strict=True)]))
    for blinkered in (
        lambda answer=both: agree(answer()[0], 1.0),
        lambda answer=both: agree(answer()[1], ramp()),
    ):
        with pytest.raises(Refused, match="accepts an answer that was spoiled"):
            hold(witness(blinkered))


def test_a_wrong_answer_is_refused():
    with pytest.raises(Refused, match=r"off by 0\.5"):
        hold(witness(lambda answer=lambda: 1.5: agree(answer(), 1.0)))
    with pytest.raises(Refused, match="3 where 2 is right"):
        hold(witness(lambda answer=one: same(answer(), 2)), lambda: 3)


def test_an_answer_can_be_given_in_place_of_the_default():
    doubled = witness(lambda case, answer=lambda case: 2.0 * case: agree(answer(case), 2.0 * case), given(1, 2))
    hold(doubled, lambda case: case + float(case))
    with pytest.raises(Refused):
        hold(doubled, lambda case: 3.0 * case)


def test_an_error_of_a_witness_is_not_a_refusal():
    with pytest.raises(ZeroDivisionError):
        hold(witness(lambda: agree(1 / 0, 1.0)))


def test_every_case_counts():
    wrong_at_the_end = witness(lambda case: same(case % 7, case), lambda: range(8))
    with pytest.raises(Refused, match="0 where 7"):
        hold(wrong_at_the_end)
    assert hold(witness(lambda case: same(case % 7, case), lambda: iter(range(7)))).cases == 7
    with pytest.raises(Malformed, match="no case"):
        hold(witness(lambda case: same(case, case), given()))


def test_random_cases_are_run_for_several_fixed_seeds():
    seen = []
    drawn = witness(lambda case: (seen.append(case), agree(case, case)), lambda rng: rng.normal())
    assert hold(drawn).cases == len(check.SEEDS) >= 3
    assert len(set(seen)) == len(check.SEEDS)
    first, seen[:] = list(seen), []
    hold(drawn)
    assert seen == first


@pytest.mark.parametrize(
    ("ask", "kind", "method"),
    [
        (lambda: agree(1.0, 1.0), "measured", "float64"),
        (lambda: differ(1.0, 2.0), "measured", "float64"),
        (lambda: at_most(1.0, 2.0), "measured", "float64"),
        (lambda: agree(complex_step(np.sum, np.ones(2)), np.ones(2)), "measured", "complex step"),
        (lambda: (note("Monte-Carlo"), note("autograd"), agree(1.0, 1.0)), "measured", "Monte-Carlo, autograd"),
        (lambda: (need("json"), agree(1.0, 1.0)), "measured", "json"),
        (lambda: same(1, 1), "exact", "integers"),
        (lambda: same(HALF, HALF), "exact", "rational arithmetic"),
        (lambda: same(x + x, 2 * x), "exact", "SymPy"),
        (lambda: proved(x > 0), "exact", "SymPy"),
        (lambda: proved(a == a), "exact", "Z3"),
        (lambda: every([1], lambda n: True), "exact", "enumeration"),
        (lambda: refuses(fails(ValueError("n")), naming="n"), "measured", "examples"),
        (lambda: (same(x, x), proved(a == a)), "exact", "SymPy, Z3"),
        (lambda: (same(x, x), agree(1.0, 1.0)), "measured", "SymPy, float64"),
        (lambda: (differ(1.0, 2.0), every([1], lambda n: True)), "measured", "enumeration, float64"),
    ],
)
def test_kind_and_method_follow_from_what_was_asked(ask, kind, method):
    outcome = hold(witness(ask))
    assert (outcome.kind, outcome.method, outcome.cases) == (kind, method, 1)


def test_one_measured_case_makes_a_claim_measured():
    def either(case):
        return same(case, 1) if case == 1 else agree(case, 2.5)

    assert hold(witness(either, given(1, 2.5, 1))).kind == "measured"


def test_error_and_tolerance_are_those_of_the_tightest_question():
    def asks(case):
        agree(1 + case * 1e-6, 1.0, tolerance=1e-3)
        at_most(1 + case * 1e-8, 1.0, tolerance=1e-7)
        differ(1.0, 2.0)

    outcome = hold(witness(asks, given(1, 3, 2)))
    assert (outcome.error, outcome.tolerance) == (pytest.approx(3e-8), 1e-7)


@pytest.mark.parametrize("ask", [lambda: same(1, 1), lambda: differ(1.0, 2.0)])
def test_no_error_is_claimed_where_none_was_measured(ask):
    outcome = hold(witness(ask))
    assert (outcome.error, outcome.tolerance) == (None, None)


def test_methods_of_one_run_are_not_those_of_the_next():
    hold(witness(lambda: (note("autograd"), agree(1.0, 1.0))))
    with pytest.raises(Refused):
        hold(witness(lambda: (note("autograd"), agree(1.0, 2.0))))
    assert hold(witness(lambda: agree(1.0, 1.0))).method == "float64"


# --- spoiling -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Pair:
    left: Any
    right: Any


def leaves(value):
    """The plain entries of an answer, in order."""
    if isinstance(value, Pair):
        return leaves(value.left) + leaves(value.right)
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in leaves(part)]
    return list(np.asarray(value, dtype=object).flat)


@pytest.mark.parametrize(
    ("value", "places"),
    [
        (2.0, [0]),
        (np.float32(2), [0]),
        (1 + 2j, [0]),
        (7, [0]),
        (HALF, [0]),
        (x, [0]),
        (Rational(1, 3), [0]),
        (True, [0]),
        (np.bool_(False), [0]),
        ("same", [0]),
        (np.array(2.0), [0]),
        (np.array([3]), [0]),
        (np.array([1.0, 2.0]), [0, 1]),
        (np.arange(1.0, 6.0), list(range(5))),
        (np.arange(12).reshape(3, 4), list(range(12))),
        (np.array([HALF, HALF, HALF]), [0, 1, 2]),
        (np.array([[x, y], [x, y]]), [0, 1, 2, 3]),
        (np.array([True, False]), [0, 1]),
        (np.zeros(3), [0, 1, 2]),
        ((1.0, 2), [0, 1]),
        ([np.ones(2), HALF], [0, 1, 2]),
        ((1.0, (2, np.ones(4))), [0, 1, 2, 3, 4, 5]),
        (Pair(np.ones(2), Pair(x, True)), [0, 1, 2, 3]),
    ],
    ids=str,
)
def test_spoiling_changes_one_entry_and_nothing_else(value, places):
    before = copy.deepcopy(value)
    changed = []
    for number in range(check._places(value)):
        spoiled = check._spoil(value, number)
        pairs = list(zip(leaves(spoiled), leaves(value), strict=True))
        changed += [k for k, (new, old) in enumerate(pairs) if new != old]
    assert changed == places
    assert str(value) == str(before)


def test_floats_are_spoiled_by_a_share_of_the_largest():
    np.testing.assert_allclose(check._spoil(np.array([1.0, -100.0, 5.0]), 0), [4.0, -100.0, 5.0])
    np.testing.assert_allclose(check._spoil(np.array([1.0, -100.0, 5.0]), 2), [1.0, -100.0, 8.0])
    assert check._spoil(2.0, 0) == pytest.approx(2.06)
    assert check._spoil(0.0, 0) != 0
    np.testing.assert_allclose(check._spoil(np.array([INF, 100.0, 5.0]), 2), [INF, 100.0, 8.0])


@pytest.mark.parametrize(("value", "spoiled"), [(7, 8), (HALF, Fraction(3, 2)), (x, x + 1), (True, False), ("y", "y?")])
def test_exact_answers_are_spoiled_exactly(value, spoiled):
    found = check._spoil(value, 0)
    assert found == spoiled
    assert isinstance(found, int | np.integer | Fraction | sympy.Expr | bool | str)


def test_arrays_keep_their_type_when_spoiled():
    for array in (np.arange(3), np.ones(3, np.float32), np.array([True, False]), np.array([HALF, x]), np.array(1.0)):
        spoiled = check._spoil(array, 0)
        assert isinstance(spoiled, np.ndarray)
        assert spoiled.dtype == array.dtype


# --- slips ----------------------------------------------------------------------------------------------------------


def triple(case):
    return 3.0 * case


def tripled(*cases):
    return witness(lambda case, answer=triple: agree(answer(case), triple(case)), given(*cases or (1.0, 2.0)))


def test_a_slip_is_rejected_by_its_smallest_deviation():
    assert reject(slip(lambda case: 3 * case**2), tripled(3.0, 2.0, 5.0)) == pytest.approx(1.0)


def test_a_slip_that_passes_is_refused():
    with pytest.raises(Refused, match=r"the slip .* passes: .* accepts it"):
        reject(slip(lambda case: case + case + case), tripled())


def test_a_slip_must_be_rejected_in_every_case():
    with pytest.raises(Refused, match="accepts it"):
        reject(slip(lambda case: 3 * case**2), tripled(3.0, 2.0, 1.0, 4.0))


def test_a_slip_that_is_hardly_seen_is_refused():
    faint = slip(lambda case: 3.015 * case)
    with pytest.raises(Refused, match=r"sees it off by 0\.005 only, 0\.01 wanted"):
        reject(faint, tripled())
    assert reject(faint, tripled(), visible=1e-3) == pytest.approx(5e-3)


def test_a_slip_that_is_hardly_seen_by_one_question_may_be_seen_by_another():
    def asks(answer=ramp):
        agree(answer().sum(), ramp().sum(), tolerance=1e-13)
        agree(answer()[0], 1.0)
        at_most(answer(), ramp())

    watched = witness(asks)
    assert reject(slip(lambda: ramp() + np.array([0.1, 0, 0, 0, 0])), watched) == pytest.approx(0.1)
    with pytest.raises(Refused, match=r"sees it off by 0\.009 only"):
        reject(slip(lambda: ramp() + np.array([0.009, 0, 0, 0, 0])), watched)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("oops"), AssertionError("oops"), ValueError("oops"), Malformed("o")]
)
def test_a_slip_that_breaks_is_not_rejected(error):
    with pytest.raises(type(error), match="o") as caught:
        reject(slip(lambda case: fails(error)()), tripled())
    assert caught.value is error


def test_an_exact_rejection_has_no_size():
    exact = witness(lambda answer=lambda: 2: same(answer(), 2))
    assert reject(slip(lambda: 3), exact) is None
    with pytest.raises(Refused, match="accepts it"):
        reject(slip(lambda: Fraction(4, 2)), exact)


@pytest.mark.parametrize("wrong", [lambda case: NAN, lambda case: [3 * case], lambda case: np.array([1.0, 2.0])])
def test_a_slip_of_the_wrong_shape_or_nan_is_off_without_bound(wrong):
    assert reject(slip(wrong), tripled()) == INF


def test_a_slip_is_right_where_it_is_blind():
    square = slip(lambda case: 3 * case**2, blind=lambda case: 1.0)
    assert reject(square, tripled(2.0, 3.0)) == pytest.approx(1.0)


@pytest.mark.parametrize("blind", [lambda case: 4.0, lambda case: 1.001, lambda case: case])
def test_a_slip_that_is_wrong_where_it_is_blind_is_refused(blind):
    with pytest.raises(Refused, match="should be right where it is blind, and is not: off by"):
        reject(slip(lambda case: 3 * case**2, blind=blind), tripled(2.0, 3.0))


def test_a_witness_without_an_answer_rejects_no_slip():
    with pytest.raises(Malformed, match="takes no answer"):
        reject(slip(lambda: 3), witness(lambda: same(2, 2)))


# --- derivations: reading -------------------------------------------------------------------------------------------


def lines(body):
    return read_steps(f"def derived(case):\n{body}")


def test_a_derivation_is_read_line_by_line():
    source = '''
    @steps("one", cases=cases, ends_in=last)
    def derived(case):
        """Said in a sentence."""
        # \\frac{a}{b}
        yield case.a / case.b
        half = case.a / 2
        # not of the line below

        third = half / 3
        # = c
        #   + d
        yield (
            half
            + third
        )
        # \\le \\left( e \\right)
        yield 3
        # \\le f
        yield 4
        # g
        yield 5
    '''
    assert read_steps(source) == [
        Line("", r"\frac{a}{b}", "yield case.a / case.b"),
        Line(
            "=",
            "c + d",
            "half = case.a / 2\n# not of the line below\n\nthird = half / 3\nyield (\n    half\n    + third\n)",
        ),
        Line(r"\le", r"\left( e \right)", "yield 3"),
        Line(r"\le", "f", "yield 4"),
        Line("=", "g", "yield 5"),
    ]


@pytest.mark.parametrize(
    ("tex", "split"),
    [
        ("= A", ("=", "A")),
        (r"\le A", (r"\le", "A")),
        (r"\ge{A}", (r"\ge", "{A}")),
        (r"\le", (r"\le", "")),
        (r"\left( A", ("", r"\left( A")),
        (r"\geq A", ("", r"\geq A")),
        ("A = B", ("", "A = B")),
    ],
)
def test_a_line_begins_with_its_sign(tex, split):
    assert split_sign(tex) == split


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("    # a\n    yield 1\n    # b\n    yield 2\n    n = 3", "code after the last yield"),
        ("    # a\n    yield 1\n    # b\n    yield 2\n    return", "straight"),
        ("    # a\n    yield 1\n    for n in (2, 3):\n        # b\n        yield n", "straight"),
        ("    # a\n    yield 1\n    while case:\n        case = 0\n    # b\n    yield 2", "straight"),
        ("    # a\n    yield 1\n    if case:\n        # b\n        yield 2", "straight"),
        ("    # a\n    yield 1\n    # b\n    yield from (2, 3)", "straight"),
        ("    # a\n    yield 1\n    # b\n    yield", "straight"),
        ("    # a\n    yield 1\n    # b\n    n = yield 2", "straight"),
        ("    # a\n    yield 1\n    # b\n    yield (yield 2)", "straight"),
        ("    # a\n    yield 1\n    n = 1\n    n += 1\n    # b\n    yield n", "straight"),
        ("    # a\n    yield 1\n    print()\n    # b\n    yield 2", "straight"),
        ("    # a\n    yield 1\n    yield 2", "no TeX above the yield of line 2"),
        ("    yield 1\n    # b\n    yield 2", "no TeX above the yield of line 1"),
        ("    # a\n    yield 1\n    # b\n    n = 2\n    yield n", "no TeX above the yield of line 2"),
        ("    # a\n    yield 1\n    # b\n\n    yield 2", "no TeX above the yield of line 2"),
        ("    # a\n    yield 1\n    yield 2  # b", "no TeX above the yield of line 2"),
        ("    # = a\n    yield 1\n    # b\n    yield 2", "the first line has no sign"),
        ("    # \\le a\n    yield 1\n    # b\n    yield 2", "the first line has no sign"),
        (
            "    # a\n    yield case + 1\n    # b\n    yield 2\n    # c\n    yield (case+1)",
            "line 3 yields what a line above",
        ),
        ("    # a\n    yield 1", "two lines at least"),
        ('    """Nothing."""', "two lines at least"),
    ],
)
def test_a_derivation_that_is_not_written_as_it_must_be_is_refused(body, why):
    with pytest.raises(Malformed, match=f"derived: .*{why}"):
        lines(body)


# --- derivations: following -----------------------------------------------------------------------------------------


def squared(case):
    return (case + 1) ** 2


def expansion(case):
    # (n + 1)^2
    yield (case + 1) ** 2
    # n (n + 1) + n + 1
    yield case * (case + 1) + case + 1
    # = n^2 + 2 n + 1
    yield case**2 + 2 * case + 1


def test_a_derivation_is_followed_exactly_on_fractions_and_symbols():
    assert follow(derivation(expansion, squared, given(3, HALF, x, sqrt(x)))) == (4, [None, None])


def test_a_derivation_is_followed_for_all_its_kinds_of_cases():
    count, worst = follow(derivation(expansion, squared, (lambda rng: rng.normal(size=3), given(x, HALF))))
    assert count == len(check.SEEDS) + 2
    assert all(0 <= error < 1e-14 for error in worst)


def test_deviations_are_the_largest_seen_line_by_line():
    def shifted(case):
        # a
        yield 1.0
        # b
        yield 1.0 + case
        # c
        yield 1.0 + 2 * case / 2
        # d
        yield 1.0 + 3 * case

    steps = derivation(shifted, lambda case: 1.0 + 3 * case, given(1e-13, 3e-13, 2e-13))
    count, worst = follow(steps)
    assert count == 3
    assert worst == [pytest.approx(3e-13, rel=1e-2), 0.0, pytest.approx(6e-13, rel=1e-2)]


def test_consecutive_lines_that_disagree_are_refused():
    def broken(case):
        # a
        yield case
        # b
        yield 2 * case - case
        # c
        yield case + case

    with pytest.raises(Refused, match="broken: line 2 and line 3 disagree: 1 where 2 is right"):
        follow(derivation(broken, lambda case: 2 * case, given(HALF * 2)))
    with pytest.raises(Refused, match=r"broken: line 2 and line 3 disagree: off by 0\.5") as caught:
        follow(derivation(broken, lambda case: 2 * case, given(1.0)))
    assert caught.value.off_by == pytest.approx(0.5)


def test_a_derivation_that_drifts_is_refused_where_it_drifts():
    def drifting(case):
        # a
        yield 1.0
        # b
        yield 1.0 + 2e-12

    with pytest.raises(Refused, match="line 1 and line 2 disagree"):
        follow(derivation(drifting, lambda case: 1.0 + 2e-12))
    assert follow(derivation(drifting, lambda case: 1.0 + 2e-12), tolerance=1e-11)[0] == 1


def test_a_derivation_that_is_wrong_in_one_case_only_is_refused():
    def nearly(case):
        # a
        yield case % 7
        # b
        yield case + 0

    assert follow(derivation(nearly, lambda case: case, lambda: range(7)))[0] == 7
    with pytest.raises(Refused, match="line 1 and line 2"):
        follow(derivation(nearly, lambda case: case, lambda: range(8)))


@pytest.mark.parametrize("case", [1, HALF, x, 1.5])
def test_a_derivation_that_ends_elsewhere_is_refused(case):
    def astray(case):
        # a
        yield case + case
        # b
        yield 2 * case

    def elsewhere(case):
        return 3 * case

    with pytest.raises(Refused, match="astray does not end in elsewhere: "):
        follow(derivation(astray, elsewhere, given(case)))


def test_a_derivation_without_a_case_is_refused():
    with pytest.raises(Malformed, match="expansion: cases= gives no case"):
        follow(derivation(expansion, squared, given()))


def at_most_by_sign(case):
    # a
    yield case[0]
    # \le b
    yield case[1]


def at_least_by_sign(case):
    # a
    yield case[0]
    # \ge b
    yield case[1]


ORDERED = [
    (1, 2),
    (1, 1),
    (HALF, Fraction(2, 3)),
    (-(x**2), x**2),
    (r - 1, r),
    (np.array([1, 2]), np.array([2, 2])),
    (0.5, 1.5),
    (np.array([0.5, 1.0]), np.array([0.5, 2.0])),
    (1.0 + 1e-13, 1.0),
]
UNORDERED = [
    (2, 1),
    (Fraction(2, 3), HALF),
    (x**2, -(x**2)),
    (r, r**2),  # not for r in (0, 1)
    (np.array([1, 3]), np.array([2, 2])),
    (1.5, 0.5),
    (np.array([0.5, 2.5]), np.array([9.0, 2.0])),
    (NAN, 1.0),
]


@pytest.mark.parametrize("pair", ORDERED, ids=str)
def test_true_inequalities_are_followed(pair):
    for function, case in ((at_most_by_sign, pair), (at_least_by_sign, pair[::-1])):
        count, (error,) = follow(derivation(function, lambda case: case[1], given(case)))
        assert count == 1
        measured = any(np.asarray(side).dtype.kind == "f" for side in pair)
        assert error is None or (measured and error < 1e-12)
        assert measured == (error is not None)


@pytest.mark.parametrize("pair", UNORDERED, ids=str)
def test_false_inequalities_are_refused(pair):
    for function, case in ((at_most_by_sign, pair), (at_least_by_sign, pair[::-1])):
        with pytest.raises(Refused, match="line 1 and line 2 disagree"):
            follow(derivation(function, lambda case: case[1], given(case)))


# --- saying what went wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Refused("off by 2", 2.0), NotHere("torch"), Malformed("two defaults")])
def test_a_refusal_is_told_as_it_is(error):
    assert check.explain(error) == str(error)


def test_another_error_is_told_with_its_kind_and_place():
    with pytest.raises(ZeroDivisionError) as caught:
        fails(ZeroDivisionError("by zero"))()
    assert check.explain(caught.value).startswith("ZeroDivisionError: by zero (line ")
    assert check.explain(caught.value).endswith(" of call)")


# --- faults of the first referee, each found by a reader --------------------------------------------------------------


@pytest.mark.parametrize(("ask", "scale"), [(agree, 1), (at_most, None)])
def test_small_integers_are_measured_without_wrapping_around(ask, scale):
    refusal(ask, np.array([100, 127], np.int8), np.array([100, -1], np.int8), scale=scale)


def test_booleans_are_measured_as_numbers():
    agree([True, False], [True, False])
    refusal(agree, [True, True], [True, False])


@pytest.mark.parametrize("options", [{"scale": INF}, {"tolerance": INF}])
@pytest.mark.parametrize("ask", [agree, at_most])
def test_scale_and_tolerance_are_finite(ask, options):
    with pytest.raises(Malformed):
        ask(3.0, 1.0, **options)


def test_same_takes_no_floats_inside_sympy_expressions():
    with pytest.raises(Malformed, match="floats are for agree"):
        same(0.5 * x, x / 2)


def test_proved_takes_no_verdict_of_python():
    with pytest.raises(Malformed, match="takes a statement"):
        proved(0.1 + 0.2 > 0.3)


def test_a_root_inside_a_function_is_left_to_simplify():
    same(sympy.sin(sqrt(x)) ** 2 + sympy.cos(sqrt(x)) ** 2, 1)


def test_a_fraction_over_zero_is_not_zero():
    zero_over_zero = ((sqrt(x) + 1) ** 2 - x - 2 * sqrt(x) - 1) / ((sqrt(x) + 2) ** 2 - x - 4 * sqrt(x) - 4)
    assert not check._vanishes(1 + zero_over_zero)


@pytest.mark.parametrize(("value", "expected"), [(sympy.nan, S(1)), (x, sympy.nan)])
def test_same_refuses_what_is_undefined(value, expected):
    refusal(same, value, expected)


def test_a_slip_of_which_nothing_is_asked_is_not_rejected():
    def asks(answer=ramp):
        for k, entry in enumerate(answer()):
            agree(entry, k + 1.0)

    with pytest.raises((Refused, Malformed), match="asks nothing"):
        reject(slip(lambda: ramp()[:0]), witness(asks))


def test_a_spoiled_answer_of_which_nothing_is_asked_is_not_refused():
    with pytest.raises((Refused, Malformed)):
        hold(witness(lambda answer=one: agree(2.0, 2.0) if answer() == 1.0 else None))


def test_a_witness_cannot_swallow_a_refusal():
    def swallows():
        with contextlib.suppress(AssertionError):
            agree(1.0, 2.0)

    with pytest.raises(Refused):
        hold(witness(swallows))


def test_a_witness_that_ignores_an_empty_answer_is_refused():
    with pytest.raises((Refused, Malformed)):
        hold(witness(lambda answer=tuple: same(1, 1)))


def test_a_named_tuple_can_be_spoiled():
    class Size(typing.NamedTuple):
        height: int
        width: int

    assert check._spoil(Size(2, 3), 1) == Size(2, 4)


@pytest.mark.parametrize(
    "pair",
    [
        (np.array([[1], [2]]), np.array([[2, 3]])),
        (np.array([1]), 2),
        (np.array([1]), np.array([2, 3])),
    ],
    ids=str,
)
def test_an_exact_inequality_between_shapes_is_refused(pair):
    with pytest.raises((Refused, Malformed), match="line 1 and line 2 disagree"):
        follow(derivation(at_most_by_sign, lambda case: case[1], given(pair)))


def test_an_equality_sign_needs_no_space():
    assert split_sign("=A") == ("=", "A")
