"""Exercises: what the judge says, how the fence fails, and that every one of the book can be done."""

import importlib
import re
import sys
from pathlib import Path

import markdown
import pytest

from dlnotes import exercise
from dlnotes._site import exercise as fences
from dlnotes._site import pages
from dlnotes._site.page import PageError

NOT_IN_THE_PAGE = ("torch", "sympy", "z3", "sklearn", "scipy", "keras", "tensorflow", "mpmath")


@pytest.fixture
def in_the_page(monkeypatch):
    """Only what a browser has: NumPy, the package, and a file of claims."""
    for name in list(sys.modules):
        if name.partition(".")[0] in NOT_IN_THE_PAGE:
            monkeypatch.delitem(sys.modules, name)
    for name in NOT_IN_THE_PAGE:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.syspath_prepend("tests")
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("test_"):
            del sys.modules[name]


def function(code):
    namespace = {}
    exec(code, namespace)
    return list(namespace.values())[-1]


BOOK = [
    pytest.param(ident, claim, body, id=ident)
    for path in sorted(Path("docs").rglob("*.md"))
    for ident, claim, body in re.findall(
        r'^```\{\.exercise #(\S+) claim="([^"]*)"\}\n(.*?)^```', path.read_text(encoding="utf-8"), re.M | re.S
    )
]


@pytest.mark.parametrize(("ident", "claim", "body"), BOOK)
def test_the_start_is_refused_and_the_solution_accepted(in_the_page, capsys, ident, claim, body):
    read, tests = fences.read(body), importlib.import_module(pages.book().tests_of(claim).path.stem)
    assert exercise.judge(claim, function(read.solution), tests), capsys.readouterr().out
    told = capsys.readouterr().out
    assert told.startswith("Right: accepted by ")
    assert not exercise.judge(claim, function(read.start), tests)
    assert capsys.readouterr().out.startswith("Not yet. ")


@pytest.mark.parametrize(("ident", "claim", "body"), BOOK)
def test_a_slip_is_called_by_its_name(in_the_page, capsys, ident, claim, body):
    tests = importlib.import_module(pages.book().tests_of(claim).path.stem)
    slips = [f for f in vars(tests).values() if getattr(f, "dlnotes", None) and type(f.dlnotes).__name__ == "Slip"]
    slips = [f for f in slips if f.dlnotes.id == claim]
    for slip in slips:
        assert not exercise.judge(claim, lambda *case, slip=slip: slip(*case), tests), slip.__name__
        assert f"This is the slip `{slip.__name__}`: " in capsys.readouterr().out


def test_ids_of_exercises_are_unlike_each_other():
    idents = [param.id for param in BOOK]
    assert len(idents) == len(set(idents))


@pytest.mark.parametrize("stem", [path.stem for path in sorted(Path("docs/chapters").glob("*.md"))])
def test_a_chapter_has_two_exercises_at_least(stem):
    mine = [param.id for param in BOOK if param.id.startswith(f"{stem.replace('_', '-')}-write-")]
    assert len(mine) >= 2


# --- the judge ------------------------------------------------------------------------------------------------------

CLAIMS = '''
from dataclasses import dataclass
from fractions import Fraction
import numpy as np
from dlnotes.check import agree, claim, need, same, slip

@dataclass(frozen=True)
class Pair:
    a: np.ndarray
    b: np.ndarray

def pair(rng):
    return Pair(rng.normal(size=2), rng.normal(size=30))

def total(case):
    return case.a.sum() + case.b.sum()

@claim("small-total", cases=pair)
def by_hand(case, total=total):
    """Add one by one."""
    agree(total(case), sum(case.a) + sum(case.b))

@claim("small-total", cases=pair)
def by_torch(case, total=total):
    """Ask torch."""
    torch = need("torch")
    agree(total(case), float(torch.tensor(np.concatenate([case.a, case.b])).sum()))

@slip("small-total")
def first_only(case):
    """Forget the second."""
    return case.a.sum()

def fractions():
    yield Fraction(1, 3)

@claim("small-third", cases=fractions)
def in_fractions(case, third=lambda case: case):
    """Compare fractions."""
    same(third(case), case)

@claim("small-nothing")
def no_answer():
    """Take no answer."""
    agree(1.0, 1.0)
'''


@pytest.fixture
def claims(in_the_page, tmp_path, monkeypatch):
    (tmp_path / "test_small_exercise.py").write_text(CLAIMS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("test_small_exercise")


def said(capsys, claims, answer):
    right = exercise.judge("small-total", answer, claims)
    return right, capsys.readouterr().out


def test_a_right_answer_is_told_what_was_left_out(capsys, claims):
    right, told = said(capsys, claims, lambda case: case.a.sum() + case.b.sum())
    assert right
    assert told == "Right: accepted by 1 check of the claim. 1 more need torch, not loaded here.\n"


def test_a_slip_is_recognised(capsys, claims):
    right, told = said(capsys, claims, lambda case: np_sum(case.a))
    assert not right
    assert told == "Not yet. This is the slip `first_only`: Forget the second.\n"


def np_sum(values):
    return sum(list(values))


def test_another_mistake_is_shown_with_the_case_and_both_values(capsys, claims):
    def total(case):
        return case.a[0]

    right, told = said(capsys, claims, total)
    assert not right
    assert "`by_hand` refuses it in case 1: off by " in told
    assert re.search(r"^case\.a: \[.*\]$", told, re.M)
    assert "case.b: array of shape (30,), float64" in told
    assert "total gave:\n" in told
    assert "right is:\n" in told


def test_a_wrong_shape_is_told(capsys, claims):
    right, told = said(capsys, claims, lambda case: case.a)
    assert not right
    assert "shape (2,) where () is right" in told


def test_a_function_that_raises_is_told_and_is_not_right(capsys, claims):
    right, told = said(capsys, claims, lambda case: case.c)
    assert not right
    assert "Judging it in case 1 raised AttributeError" in told


def test_floats_in_an_exact_check_are_told_in_words(capsys, claims):
    assert not exercise.judge("small-third", lambda case: float(case), claims)
    assert "works in exact fractions, and this answer holds floats" in capsys.readouterr().out
    assert exercise.judge("small-third", lambda case: case + 0, claims)


def test_where_nothing_can_be_checked_nothing_is_right(capsys, claims, monkeypatch):
    monkeypatch.delattr(claims, "by_hand")
    right, told = said(capsys, claims, lambda case: case.a.sum() + case.b.sum())
    assert not right
    assert told == "Not judged. 1 more need torch, not loaded here.\n"


def test_a_claim_that_takes_no_answer_is_no_exercise(claims):
    for ident in ("small-nothing", "small-unknown"):
        with pytest.raises(ValueError, match=r"^ident "):
            exercise.judge(ident, lambda: 1.0, claims)


# --- the fence ------------------------------------------------------------------------------------------------------

GOOD = "def dx(case):\n    return 0\n# --- solution\ndef dx(case):\n    return 1\n"
HEADER = '{.exercise #small-write claim="batch-norm-input-gradient"}'


def convert(header, body):
    superfences = {"custom_fences": [{"name": "exercise", "class": "exercise", "format": fences.fence}]}
    extensions = ["attr_list", "pymdownx.superfences", "dlnotes._site.exercise", "dlnotes._site.run"]
    md = markdown.Markdown(extensions=extensions, extension_configs={"pymdownx.superfences": superfences})
    return md.convert(f"```{header}\n{body}```\n")


def test_the_fence_shows_the_start_and_folds_the_solution():
    shown = convert(HEADER, GOOD)
    before, _, after = shown.partition('<details class="dl-solution">')
    assert 'id="small-write"' in before
    assert 'data-file="claims/test_batch_norm.txt"' in before
    assert "exercise.judge(&#x27;batch-norm-input-gradient&#x27;, dx, test_batch_norm)" in before
    assert "solution" not in re.sub(r"<[^>]*>", "", before).lower()
    assert ">1<" in after


@pytest.mark.parametrize(
    ("header", "body", "message"),
    [
        pytest.param(
            HEADER, "def dx(case):\n    return 0\n", "an exercise has a line '# --- solution'", id="no solution"
        ),
        pytest.param(HEADER, GOOD.replace("def dx", "def dy", 1), "define dy and dx", id="two names"),
        pytest.param(HEADER, "1\n# --- solution\n2\n", "defines no function", id="no function"),
        pytest.param(HEADER, GOOD.replace("(case)", "(case", 1), "Python cannot read it", id="syntax"),
        pytest.param(
            HEADER.replace("input-gradient", "inputs"), GOOD, "no such claim: 'batch-norm-inputs'", id="claim"
        ),
        pytest.param('{.exercise claim="batch-norm-input-gradient"}', GOOD, "takes an #id and claim", id="no id"),
        pytest.param(HEADER.replace("}", ' more="1"}'), GOOD, "takes an #id and claim", id="more"),
    ],
)
def test_a_fence_that_cannot_be_done_is_an_error(header, body, message):
    with pytest.raises(PageError, match=re.escape(message)):
        convert(header, body)
