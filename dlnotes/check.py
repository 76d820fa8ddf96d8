"""The referee: how a test asks, what it may conclude, and what it must reject.

A test file registers functions with three decorators:

- ``claim``: a witness, which asks the referee about one answer;
- ``slip``: a wrong answer, which every witness of its claim must refuse;
- ``steps``: a derivation, one ``yield`` a line, consecutive lines being compared.

A witness concludes nothing by itself. It asks: ``agree``, ``differ`` and ``at_most`` measure; ``same``, ``proved`` and
``every`` are exact. Whether a claim counts as measured or exact follows from what was asked.

NumPy only (SymPy and Z3 where a test hands their objects over), so that the same checks run in the browser.
"""

import ast
import copy
import dataclasses
import importlib
import importlib.util
import inspect
import io
import textwrap
import tokenize
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

SEEDS = range(5)  # a claim holds for any seed; these are the ones that are run
VISIBLE = 1e-2  # a measured slip must be off by more than this
SPOIL = 0.03  # one entry of a spoiled answer is off by this share of the largest
EXACT = {"integers", "rational arithmetic", "SymPy", "Z3", "enumeration"}  # methods that measure nothing
PLACES = 12  # as many entries of an answer are spoiled, one at a time
OPTIONAL = ("torch", "tensorflow")  # libraries that a witness may need and not find
PROVIDED = ("torch",)  # of these, what `make test` installs: a complete run goes without none of them


class Refused(AssertionError):
    """The referee's own refusal. `off_by` is the relative deviation; None when the question was exact."""

    def __init__(self, message: str, off_by: float | None = None):
        super().__init__(message)
        self.off_by = off_by


class NotHere(Exception):
    """A library that a witness needs, and may do without, is not installed. Only `need` raises it."""

    def __init__(self, name: str):
        super().__init__(f"{name} is not installed")
        self.name = name


def excused(reason: str) -> bool:
    """Whether a complete run may lack a witness for this reason: `make test` does not install its library."""
    return reason in [str(NotHere(name)) for name in OPTIONAL if name not in PROVIDED]


def lacks(name: str) -> bool:
    """Whether the library is one that may be missing, and is."""
    return name in OPTIONAL and importlib.util.find_spec(name) is None


class Malformed(TypeError):
    """A witness, slip or derivation that is not written as it must be."""


# --- asking ---------------------------------------------------------------------------------------------------------


class _Docket:
    """What one run of a witness asked. With `visible`, refusals too small to be seen are noted and the run goes on."""

    def __init__(self, visible: float | None = None):
        self.visible = visible
        self.asked: list[tuple[str, float | None, float | None]] = []  # (kind, error, tolerance)
        self.methods: set[str] = set()
        self.faint: list[Refused] = []
        self.refusal: Refused | None = None  # kept, lest a witness swallow it

    def refuse(self, message: str, off_by: float | None = None) -> None:
        refusal = Refused(message, off_by)
        if self.visible is not None and off_by is not None and off_by <= self.visible:
            self.faint.append(refusal)
        else:
            self.refusal = self.refusal or refusal
            raise refusal


_dockets: list[_Docket] = []


@contextmanager
def _docket(visible: float | None = None) -> Iterator[_Docket]:
    _dockets.append(_Docket(visible))
    try:
        yield _dockets[-1]
    finally:
        _dockets.pop()


def _now() -> _Docket:
    return _dockets[-1] if _dockets else _Docket()  # outside a run (an interactive session) an ask only raises


def note(method: str) -> None:
    """Name the method a witness works by, as the page shows it ("complex step")."""
    _now().methods.add(method)


def need(name: str) -> Any:
    """Import a library. Only torch and tensorflow may be missing: then the witness is shown as not run."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if name in OPTIONAL and error.name == name:
            raise NotHere(name) from error
        raise
    note(name)
    return module


def _numbers(value: Any, name: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype == object:
        array = np.array([float(entry) for entry in array.flat]).reshape(array.shape)
    if array.dtype.kind not in "biufc":
        raise Malformed(f"{name}: numbers are measured, {array.dtype} is not")
    return array.astype(complex if array.dtype.kind == "c" else float)  # small integers would wrap around


def _measure(
    value: Any, reference: Any, scale: float | None, tolerance: float = 0
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Both as arrays, and the scale of deviations; None, after a refusal, when they cannot be compared."""
    value, reference = _numbers(value, "value"), _numbers(reference, "reference")
    if value.shape != reference.shape:
        _now().refuse(f"shape {value.shape} where {reference.shape} is right", np.inf)
    if value.size == 0:
        raise Malformed("nothing to compare: the arrays are empty")
    if not 0 <= tolerance < 1:
        raise Malformed(f"a tolerance is relative, less than 1; got {tolerance}")
    if not np.all(np.isfinite(reference)):
        _now().refuse("the reference is not finite", np.inf)
    if scale is None:
        scale = float(np.max(np.abs(reference)))
    if not 0 < scale < np.inf:
        raise Malformed("a comparison with zero needs a scale: agree(value, zero, scale=...)")
    return value, reference, scale


def agree(value: Any, reference: Any, *, tolerance: float = 1e-12, scale: float | None = None) -> None:
    """Measured: max |value - reference| <= tolerance * scale. Same shapes; no broadcasting.

    scale: the size of what cancelled, needed when the reference is zero; by default max |reference|.
    """
    value, reference, scale = _measure(value, reference, scale, tolerance)
    error = float(np.max(np.abs(value - reference))) / scale
    docket = _now()
    docket.asked.append(("measured", error, tolerance))
    if not error <= tolerance:  # NaN is refused too
        docket.refuse(f"off by {error:.2g} (relative), {tolerance:g} allowed", error if error == error else np.inf)


def differ(value: Any, other: Any, *, by: float = VISIBLE, scale: float | None = None) -> None:
    """Measured: the two are further apart than `by`, relative to `other`."""
    value, other, scale = _measure(value, other, scale)
    apart = float(np.max(np.abs(value - other))) / scale
    _now().asked.append(("measured", None, None))
    if not by < apart < np.inf:
        _now().refuse(f"only {apart:.2g} apart (relative), more than {by:g} wanted")


def at_most(value: Any, bound: Any, *, tolerance: float = 1e-12, scale: float | None = None) -> None:
    """Measured: value <= bound + tolerance * scale, entry by entry. Same shapes; scale is max |bound| by default."""
    value, bound, scale = _measure(value, bound, scale, tolerance)
    error = max(float(np.max(value - bound)) / scale, 0.0) if np.all(np.isfinite(value)) else np.inf
    docket = _now()
    docket.asked.append(("measured", error, tolerance))
    if not error <= tolerance:
        docket.refuse(f"above its bound by {error:.2g} (relative), {tolerance:g} allowed", error)


def same(value: Any, expected: Any) -> None:
    """Exact: integers, Fractions and SymPy expressions, alone or in arrays of one shape. Floats are for `agree`."""
    value, expected = np.asarray(value, dtype=object), np.asarray(expected, dtype=object)
    _now().asked.append(("exact", None, None))
    if value.shape != expected.shape:
        _now().refuse(f"shape {value.shape} where {expected.shape} is right")
    if value.size == 0:
        raise Malformed("nothing to compare: the arrays are empty")
    for index in np.ndindex(value.shape):
        a, b = value[index], expected[index]
        if not _equal(a, b):
            at = f" at {index}" if index else ""
            _now().refuse(f"{a} where {b} is right{at}")


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float | complex | np.inexact) or isinstance(b, float | complex | np.inexact):
        raise Malformed("same is exact: floats are for agree")
    if isinstance(a, str | bool | int | np.integer | np.bool_ | Fraction) and isinstance(
        b, str | bool | int | np.integer | np.bool_ | Fraction
    ):
        note("rational arithmetic" if Fraction in (type(a), type(b)) else "integers")
        return bool(a == b)
    import sympy

    note("SymPy")
    a, b = sympy.sympify(a), sympy.sympify(b)
    if a.has(sympy.Float) or b.has(sympy.Float):
        raise Malformed("same is exact: floats are for agree")
    difference = a - b
    if difference == 0:
        return True
    # Refute at a point first: a proof is slow to fail.
    letters = sorted(difference.free_symbols, key=str)
    point = {x: sympy.Rational(2 * k + 3, 3 * k + 7) for k, x in enumerate(letters)}
    value = sympy.N(difference.xreplace(point), 30)
    suits = all(letter.is_negative is not True for letter in letters)  # the point is positive
    if suits and value.is_number and value.is_finite and abs(value) > sympy.Rational(1, 10**20):
        return False
    return _vanishes(difference) or bool(sympy.simplify(difference) == 0)


def _vanishes(expression: Any) -> bool:
    """Prove that a fraction of polynomials and square roots is zero, much faster than simplify. False: not shown.

    Each root of b becomes a letter r; the numerator is then reduced by r^2 = b.
    """
    import sympy

    roots, letters = {}, {}
    for power in expression.atoms(sympy.Pow):
        if power.exp.is_Rational and power.exp.q == 2:
            base = sympy.expand(power.base)
            roots[power] = letters.setdefault(base, sympy.Dummy()) ** power.exp.p
    if any(base.has(sympy.Pow) and any(not p.exp.is_integer for p in base.atoms(sympy.Pow)) for base in letters):
        return False  # a root under a root

    def reduced(polynomial):
        polynomial = sympy.expand(polynomial)
        for base, letter in letters.items():
            remainder = sympy.rem(sympy.Poly(polynomial, letter), sympy.Poly(letter**2 - base, letter))
            polynomial = sympy.expand(remainder.as_expr())
        return polynomial

    numerator, denominator = sympy.fraction(sympy.together(expression.xreplace(roots)))
    try:
        return bool(reduced(numerator) == 0 and reduced(denominator) != 0)
    except sympy.PolynomialError:
        return False


def proved(statement: Any) -> None:
    """Exact: a Z3 formula true for all values of its variables, or a SymPy statement that simplifies to true."""
    _now().asked.append(("exact", None, None))
    if type(statement).__module__.startswith("z3"):
        import z3

        note("Z3")
        solver = z3.Solver()
        solver.add(z3.Not(statement))
        verdict = solver.check()
        if verdict == z3.sat:
            _now().refuse(f"not true for {solver.model()}")
        if verdict != z3.unsat:
            _now().refuse(f"Z3 cannot tell: {solver.reason_unknown()}")
        return
    import sympy

    note("SymPy")
    if not isinstance(statement, sympy.logic.boolalg.Boolean):
        raise Malformed(f"proved takes a statement of Z3 or SymPy, not {type(statement).__name__}")
    verdict = sympy.simplify(statement)
    if verdict != sympy.true:
        _now().refuse(f"not shown to be true: {verdict}")


def every(cases: Iterable, holds: Callable[[Any], bool]) -> None:
    """Exact: `holds` is true of each of `cases`, all of which are tried."""
    docket = _now()
    docket.asked.append(("exact", None, None))
    docket.methods.add("enumeration")
    count = 0
    for case in cases:
        count += 1
        verdict = holds(case)
        if not isinstance(verdict, bool | np.bool_):
            raise Malformed(f"every: the predicate gave {verdict!r}, not true or false")
        if not verdict:
            _now().refuse(f"not true of {case!r}")
    if not count:
        raise Malformed("every: no case to try")


def refuses(call: Callable[[], Any], *, naming: str) -> None:
    """Measured: the call raises a ValueError whose message begins with the name of the argument."""
    docket = _now()
    docket.asked.append(("measured", None, None))
    docket.methods.add("examples")
    try:
        call()
    except ValueError as error:
        if str(error).split()[:1] != [naming]:
            docket.refuse(f"the ValueError does not begin with {naming}: {error}")
    else:
        docket.refuse(f"bad {naming} was accepted")


def complex_step(f: Callable[[np.ndarray], Any], x: np.ndarray, h: float = 1e-30) -> np.ndarray:
    """Gradient of the real-analytic scalar f at the real array x, to rounding: Im f(x + i h e) / h, entry by entry.

    There is no subtraction, hence no cancellation (Squire and Trapp 1998). f must be written without abs, max or conj.
    """
    note("complex step")
    x = np.asarray(x)
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1j * h
        gradient[index] = np.imag(f(moved)) / h
    return gradient


# --- registering ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Claim:
    """A witness of the claim `id`. `answer` is the default of its one optional argument, if it takes one."""

    id: str
    function: Callable
    cases: Callable | None
    answer: Callable | None


@dataclasses.dataclass(frozen=True)
class Slip:
    """A wrong answer to the claim `id`. `blind` turns a case into one where it is right."""

    id: str
    function: Callable
    blind: Callable | None


@dataclasses.dataclass(frozen=True)
class Steps:
    """A derivation: `function` yields the value of each line; the last is what `ends_in` gives."""

    id: str
    function: Callable
    cases: tuple[Callable, ...]
    ends_in: Callable


def claim(id: str, *, cases: Callable | None = None) -> Callable:
    """Register a witness: `f(case, answer=default)`, `f(case)`, `f(answer=default)` or `f()`.

    cases: a function from a NumPy generator to a case (run for several seeds), or one without arguments that gives
    an iterable of cases.
    """

    def register(function: Callable) -> Callable:
        parameters = list(inspect.signature(function).parameters.values())
        answers = [p.default for p in parameters if p.default is not p.empty]
        if len(answers) > 1 or (answers and not callable(answers[0])):
            raise Malformed(f"{function.__name__}: one default at most, the function that gives the answer under test")
        if len(parameters) - len(answers) != (cases is not None):
            raise Malformed(f"{function.__name__}: takes a case if, and only if, cases= is given")
        return _mark(function, Claim(id, function, cases, answers[0] if answers else None))

    return register


def slip(id: str, *, blind: Callable | None = None) -> Callable:
    """Register a wrong answer, called as the answer under test is. Its docstring says what the person did."""
    return lambda function: _mark(function, Slip(id, function, blind))


def steps(id: str, *, cases: Callable | tuple[Callable, ...], ends_in: Callable) -> Callable:
    """Register a derivation: a straight-line generator, each `yield` under its line of TeX as a comment."""
    several = cases if isinstance(cases, tuple) else (cases,)
    return lambda function: _mark(function, Steps(id, function, several, ends_in))


def _mark(function: Callable, entry: Claim | Slip | Steps) -> Callable:
    if hasattr(function, "dlnotes"):
        raise Malformed(f"{function.__name__}: one decorator of the referee a function")
    if not inspect.getdoc(function):
        raise Malformed(f"{function.__name__}: a docstring must say in a sentence what is done")
    function.dlnotes = entry
    return function


# --- running --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a witness that held was worth. `error` and `tolerance` belong to the tightest question it asked."""

    kind: str
    method: str
    cases: int
    error: float | None
    tolerance: float | None


def _each(cases: Callable | None) -> Iterator[tuple]:
    """The arguments of each run: () without cases, (case,) with."""
    if cases is None:
        yield ()
    elif inspect.signature(cases).parameters:
        for seed in SEEDS:
            yield (cases(np.random.default_rng(seed)),)
    else:
        for case in cases():
            yield (case,)


def _run(witness: Claim, answer: Callable | None, arguments: tuple, visible: float | None = None) -> _Docket:
    with _docket(visible) as docket:
        witness.function(*arguments, *([answer] if witness.answer else []))
        if docket.refusal:
            raise docket.refusal
        if not docket.asked:
            raise Malformed(f"{witness.function.__name__} asks nothing")
    return docket


def hold(witness: Claim, answer: Callable | None = None) -> Outcome:
    """Run a witness on every case; raise Refused where it does not hold, or where it would accept a spoiled answer."""
    answer = answer or witness.answer
    asked, methods, count, first = [], set(), 0, None
    for arguments in _each(witness.cases):
        docket = _run(witness, answer, arguments)
        asked += docket.asked
        methods |= docket.methods
        count += 1
        first = arguments if first is None else first
    if not count:
        raise Malformed(f"{witness.function.__name__}: cases= gives no case")
    if answer:
        _reject_spoiled(witness, answer, first)
    exact = all(kind == "exact" for kind, _, _ in asked)
    if not exact and methods <= EXACT:
        methods |= {"float64"}
    measured = [(error, tolerance) for _, error, tolerance in asked if tolerance is not None]
    error, tolerance = max(measured, key=lambda pair: pair[0] / (pair[1] or 1), default=(None, None))
    return Outcome("exact" if exact else "measured", ", ".join(sorted(methods)), count, error, tolerance)


def _reject_spoiled(witness: Claim, answer: Callable, arguments: tuple) -> None:
    called, places = False, _places(answer(*arguments))
    if not places:
        raise Malformed(f"{witness.function.__name__}: the answer under test is empty")
    for number in range(places):

        def spoiled(*arguments, number=number):
            nonlocal called
            called = True
            return _spoil(answer(*arguments), number)

        try:
            _run(witness, spoiled, arguments)
        except Refused:
            continue
        why = "accepts an answer that was spoiled" if called else "ignores its answer"
        raise Refused(f"{witness.function.__name__} {why}")


def _parts(value: Any) -> list | None:
    """The components of a compound answer; None for a plain one."""
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return list(value) if isinstance(value, tuple | list) else None


def _places(value: Any) -> int:
    """How many ways there are to spoil a value: at most a dozen entries of each of its arrays."""
    parts = _parts(value)
    if parts is not None:
        return sum(map(_places, parts))
    return min(np.asarray(value, dtype=object).size, PLACES)


def _spoil(value: Any, number: int) -> Any:
    """A copy of the value with one entry of one of its arrays changed."""
    parts = _parts(value)
    if parts is not None:
        for k, part in enumerate(parts):
            if number < _places(part):
                parts[k] = _spoil(part, number)
                break
            number -= _places(part)
        if dataclasses.is_dataclass(value):
            return dataclasses.replace(
                value, **{f.name: part for f, part in zip(dataclasses.fields(value), parts, strict=True)}
            )
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, bool | np.bool_):
        return not value
    if isinstance(value, str):
        return value + "?"
    array = np.array(value)
    if array.dtype.kind in "fc":
        finite = np.abs(array[np.isfinite(array)])
        by = SPOIL * (finite.max() if finite.size and finite.max() > 0 else 1.0)
    else:
        by = 1  # integers, Fractions, SymPy
    # All entries of a small array, a fixed draw of a large one: nothing regular, such as a diagonal.
    place = number if array.size <= PLACES else np.random.default_rng(array.size).permutation(array.size)[number]
    if array.dtype == bool:
        array.flat[place] = not array.flat[place]
    else:
        array.flat[place] = array.flat[place] + by
    return array if isinstance(value, np.ndarray) else array[()]


def reject(wrong: Slip, witness: Claim, *, visible: float = VISIBLE) -> float | None:
    """Run a wrong answer through a witness: every case must refuse it, visibly. Gives the smallest relative deviation.

    Where the slip is blind, the witness must accept it: there it is right.
    """
    if witness.answer is None:
        raise Malformed(f"{witness.function.__name__} takes no answer")
    name, by = wrong.function.__name__, []
    for arguments in _each(witness.cases):
        try:
            docket = _run(witness, wrong.function, arguments, visible)
        except Refused as refusal:
            by.append(refusal.off_by)
        else:
            faint = max((refusal.off_by for refusal in docket.faint), default=None)
            seen = "accepts it" if faint is None else f"sees it off by {faint:.2g} only, {visible:g} wanted"
            raise Refused(f"the slip {name} passes: {witness.function.__name__} {seen}")
        if wrong.blind:
            try:
                _run(witness, wrong.function, (wrong.blind(*arguments),))
            except Refused as refusal:
                raise Refused(f"the slip {name} should be right where it is blind, and is not: {refusal}") from refusal
    measured = [off for off in by if off is not None]
    return min(measured) if measured else None


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a derivation, as the test file has it: sign (first line: ""), TeX, and the code that computes it."""

    sign: str
    tex: str
    code: str


SIGNS = ("=", r"\le", r"\ge")


def split_sign(tex: str) -> tuple[str, str]:
    r"""Split "\le B" into ("\le", "B"). A line that says no sign is an equality, and gives ("", tex)."""
    tex = tex.strip()
    for sign in SIGNS:
        if tex.startswith(sign) and (sign == "=" or not tex[len(sign) : len(sign) + 1].isalpha()):
            return sign, tex[len(sign) :].strip()
    return "", tex


def comments(source: str) -> dict[int, str]:
    """Line number -> comment text, for the comments that stand alone on their line."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line.strip().startswith("#"):
            found[token.start[0]] = token.string.lstrip("#").strip()
    return found


def read_steps(source: str) -> list[Line]:
    """Read a derivation off its source: the TeX above each yield, and the code between two yields."""
    source = textwrap.dedent(source)
    function = ast.parse(source).body[0]
    remarks, rows = comments(source), source.splitlines()
    body = function.body[1:] if ast.get_docstring(function) else function.body
    lines, seen, start, meaning = [], set(), None, {}
    for statement in body:
        start = start or statement.lineno
        is_yield = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield)
        inner = [node for node in ast.walk(statement) if isinstance(node, ast.Yield | ast.YieldFrom)]
        plain = isinstance(statement, ast.Import | ast.ImportFrom) or (_assigns_names(statement) and not inner)
        if not (plain or (is_yield and len(inner) == 1 and statement.value.value is not None)):
            raise Malformed(f"{function.name}: a derivation is straight: assignments and yields only")
        if not is_yield:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                meaning[statement.targets[0].id] = _spelled_out(statement.value, meaning)
            continue
        top = statement.lineno - 1
        while top in remarks:
            top -= 1
        tex = " ".join(remarks[k] for k in range(top + 1, statement.lineno))
        if not tex:
            raise Malformed(f"{function.name}: no TeX above the yield of line {len(lines) + 1}")
        value = ast.dump(_spelled_out(statement.value.value, meaning))
        if value in seen:
            raise Malformed(f"{function.name}: line {len(lines) + 1} yields what a line above it yields")
        seen.add(value)
        sign, tex = split_sign(tex)
        if sign and not lines:
            raise Malformed(f"{function.name}: the first line has no sign")
        code = [rows[k - 1] for k in range(start, statement.end_lineno + 1) if not top < k < statement.lineno]
        lines.append(Line(sign or ("=" if lines else ""), tex, textwrap.dedent("\n".join(code)).strip()))
        start = None
    if start is not None:
        raise Malformed(f"{function.name}: code after the last yield")
    if len(lines) < 2:
        raise Malformed(f"{function.name}: a derivation has two lines at least")
    if {r"\le", r"\ge"} <= {line.sign for line in lines}:
        raise Malformed(f"{function.name}: with \\le and \\ge in one chain, its ends are not compared")
    return lines


def _assigns_names(statement: ast.stmt) -> bool:
    """An assignment to names: one to an entry would change what an earlier line gave."""
    if not isinstance(statement, ast.Assign):
        return False
    targets = [entry for t in statement.targets for entry in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return all(isinstance(target, ast.Name) for target in targets)


def _spelled_out(expression: ast.expr, meaning: dict[str, ast.expr]) -> ast.expr:
    """The expression with the names it uses replaced by what was assigned to them."""

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node):
            return meaning.get(node.id, node)

    return Replace().visit(copy.deepcopy(expression))


def follow(derivation: Steps, *, tolerance: float = 1e-12) -> tuple[int, list[float | None]]:
    """Run a derivation: consecutive lines agree as their sign says, and the last one is its `ends_in`.

    Gives the number of cases and, per sign, the largest deviation seen (None where all was exact).
    """
    name = derivation.function.__name__
    lines = read_steps(inspect.getsource(derivation.function))
    worst: list[float | None] = [None] * (len(lines) - 1)
    count = 0
    for arguments in (run for cases in derivation.cases for run in _each(cases)):
        with _docket():
            values = [copy.deepcopy(value) for value in derivation.function(*arguments)]
            answer = derivation.ends_in(*arguments)
        count += 1
        for k in range(1, len(values)):
            what = f"{name}: line {k} and line {k + 1} disagree"
            error = _compare(values[k - 1], lines[k].sign, values[k], tolerance, what)
            worst[k - 1] = error if worst[k - 1] is None else max(worst[k - 1], error or 0.0)
        _compare(values[-1], "=", answer, tolerance, f"{name} does not end in {derivation.ends_in.__name__}")
    if not count:
        raise Malformed(f"{name}: cases= gives no case")
    return count, worst


def _compare(left: Any, sign: str, right: Any, tolerance: float, what: str) -> float | None:
    exact = all(np.asarray(side).dtype.kind in "biuO" for side in (left, right))
    try:
        with _docket() as docket:
            if exact and sign == "=":
                same(left, right)
            elif exact:
                proved(_relation(left, sign, right))
            elif sign == "=":
                agree(left, right, tolerance=tolerance)
            else:
                at_most(*((left, right) if sign == r"\le" else (right, left)), tolerance=tolerance)
    except Refused as refusal:
        raise Refused(f"{what}: {refusal}", refusal.off_by) from refusal
    return docket.asked[0][1]


def _relation(left: Any, sign: str, right: Any) -> Any:
    import sympy

    if np.shape(left) != np.shape(right):
        raise Refused(f"shape {np.shape(left)} beside {np.shape(right)}")
    both = zip(np.ravel(left), np.ravel(right), strict=True)
    both = [(sympy.sympify(a), sympy.sympify(b)) for a, b in both]
    return sympy.And(*(a <= b if sign == r"\le" else a >= b for a, b in both))


def explain(error: BaseException) -> str:
    """What went wrong, in one line: the refusal itself, or the exception's kind and place."""
    if isinstance(error, Refused | NotHere | Malformed):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (line {place.lineno} of {place.name})"
