"""The reading of pages and test files, and every way the two can fail to fit together."""

import html
import re
from pathlib import Path

import markdown
import pytest

from dlnotes._site import pages, question, steps
from dlnotes._site.page import PageError

PAGE = Path("docs/chapters/small.md")
PAGE_TEXT = r"""# Small numbers

/// claim | The total is a sum
    id: small-total

$$
t = a + b \label{total}
$$
///

```{.steps #small-square}
(a + b)^2
= a^2 + 2 a b
  + b^2
\ge 4 a b
```

/// question | small.1, small.2

Add.
///
"""

TEST = Path("tests/test_small.py")
TEST_TEXT = '''"""The claims of the small chapter."""

from dlnotes.check import agree, claim, slip, steps


def total(case):
    return sum(case)


def product(case):
    return 4 * case[0] * case[1]


@claim("small-total", cases=product)
def by_hand(case, total=total):
    """Add."""
    # $$ t = a+b $$
    agree(total(case), case[0] + case[1])


@slip("small-total")
def first_only(case):
    """Forget the second."""
    return case[0]


@steps("small-square", cases=product, ends_in=product)
def expand(case):
    """Multiply out."""
    a, b = case
    # (a+b)^2
    yield (a + b) ** 2
    # = a^2 + 2ab
    #   + b^2
    yield a**2 + 2 * a * b + b**2
    # \\ge 4ab
    yield 4 * a * b
'''


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(file, text): a file of a small book, of which the current folder holds one page and its tests."""
    monkeypatch.delenv("DLNOTES_SITE", raising=False)
    monkeypatch.setattr(question, "table", getattr(question.table, "__wrapped__", question.table))
    monkeypatch.chdir(tmp_path)

    def run(file, text):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text, encoding="utf-8")

    run(PAGE, PAGE_TEXT)
    run(TEST, TEST_TEXT)
    run("docs/questions.tsv", "question\tchapter\tasks\nsmall.1\tsmall\tAdd\nsmall.2\tsmall\tAdd too\n")
    return run


def change(file, old, new):
    """Change a file where `old` first stands in it; an empty `old` is its end."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")


def faults():
    return [str(fault) for fault in pages.disagreements(pages.book())]


def convert(file=PAGE):
    fences = {"custom_fences": [{"name": "steps", "class": "steps", "format": steps.fence}]}
    extensions = ["pymdownx.superfences", *(f"dlnotes._site.{name}" for name in ("claim", "quote", "question"))]
    text = file.read_text(encoding="utf-8")
    return markdown.markdown(text, extensions=extensions, extension_configs={"pymdownx.superfences": fences})


def boxes(page):
    return [
        html.unescape(box) for box in re.findall(r'<pre class="dl-error" role="alert">(.*?)</pre>', page, re.DOTALL)
    ]


# --- reading a page -------------------------------------------------------------------------------------------------


def test_a_page_is_read_with_its_lines(write):
    page = pages.read_page(PAGE)
    assert page.title == "Small numbers"
    assert page.claims == [pages.Block(PAGE, 3, "small-total", "The total is a sum", ("t = a + b",))]
    lines = ("(a + b)^2", "= a^2 + 2 a b + b^2", r"\ge 4 a b")
    assert page.steps == [pages.Block(PAGE, 11, "small-square", "", lines)]
    assert page.questions == {"small.1": 18, "small.2": 18}
    assert page.faults == []


def test_a_claim_keeps_all_its_formulas_in_order(write):
    change(PAGE, "$$\n///", "$$\n\nAnd $inline$.\n\n$$b = t - a$$\n///")
    assert pages.read_page(PAGE).claims[0].tex == ("t = a + b", "b = t - a")


def test_what_a_fence_shows_is_not_read(write):
    shown = "# Title\n\n/// claim | Shown\n    id: shown\n///\n\n/// question | q.1\n///\n///\n"
    write(PAGE, f"````markdown\n{shown}```\n````\n\n~~~\n{shown}~~~\n\n{PAGE_TEXT}")
    page = pages.read_page(PAGE)
    assert ([c.id for c in page.claims], list(page.questions)) == (["small-total"], ["small.1", "small.2"])
    assert (page.title, page.faults) == ("Small numbers", [])


def test_blocks_that_nest_are_no_fault(write):
    write(PAGE, "///// question | q.1\n\n//// claim | C\n    id: c\n\n/// quote | a\n///\n\n////\n\n/////\n")
    page = pages.read_page(PAGE)
    assert page.faults == []
    assert [claim.id for claim in page.claims] == ["c"]


@pytest.mark.parametrize(
    ("file", "url"),
    [("docs/index.md", ""), ("docs/claims.md", "claims/"), ("docs/chapters/small.md", "chapters/small/")],
)
def test_a_page_knows_its_address(file, url):
    assert pages.Page(Path(file)).url == url


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("a\n= b", ["a", "= b"]),
        ("a\n  + c\n= b\n\t+ d", ["a + c", "= b + d"]),
        ("\na\n\n= b\n\n", ["a", "= b"]),
        ("  a\n= b", ["a", "= b"]),
        ("", []),
    ],
)
def test_an_indented_row_of_a_derivation_goes_on_with_the_line_above(source, lines):
    assert pages.step_lines(source) == lines


# --- reading a test file --------------------------------------------------------------------------------------------


def test_a_test_file_is_read_with_its_lines(write):
    tests = pages.read_tests(TEST)
    assert tests.witnesses == {"small-total": ["by_hand"]}
    assert tests.slips == {"small-total": ["first_only"]}
    assert tests.answers == {"by_hand": "total"}
    assert tests.tex["by_hand"] == {"t=a+b"}
    name, lines = tests.steps["small-square"]
    assert name == "expand"
    assert [(line.sign, line.tex) for line in lines] == [
        ("", "(a+b)^2"),
        ("=", "a^2 + 2ab + b^2"),
        (r"\ge", "4ab"),
    ]
    assert [line.code for line in lines][1:] == ["yield a**2 + 2 * a * b + b**2", "yield 4 * a * b"]
    assert tests.ids == {"small-total": 15, "small-square": 28}
    assert tests.faults == []


def test_a_formula_may_go_over_several_comments(write):
    change(TEST, "# $$ t = a+b $$", "# $$ t = a\n    # +b $$\n    # $$u$$ and $$v$$\n    x = '$$no$$'  # $$no$$")
    assert pages.read_tests(TEST).tex["by_hand"] == {"t=a+b", "u", "v"}


def test_a_file_is_read_again_when_it_changes_and_only_then(write):
    before = pages.book()
    assert pages.book() is before
    change(PAGE, "Small numbers", "Small sums")
    assert pages.book().pages[0].title == "Small sums"
    change(TEST, "first_only", "one_only")
    assert pages.book().tests[0].slips == {"small-total": ["one_only"]}
    write("docs/other.md", "# Other\n")
    assert [page.title for page in pages.book().pages] == ["Small sums", "Other"]


def test_each_id_leads_to_its_page_and_its_test(write):
    book = pages.book()
    for ident in ("small-total", "small-square"):
        assert book.page_of(ident).path == PAGE
        assert book.tests_of(ident).path == TEST
    assert book.page_of("nowhere") is book.tests_of("nowhere") is None
    assert {ident: page.path for ident, page in book.answered().items()} == {"small.1": PAGE, "small.2": PAGE}


# --- where they disagree --------------------------------------------------------------------------------------------

ANOTHER = '\n\n@{0}("{1}", {2})\ndef another(case):\n    """Another."""\n    {3}\n'
YIELDS = "# a\n    yield case\n    # b\n    yield 2 * case"
CLAIM = "\n/// claim | Again\n    id: {0}\n///\n"
SEEN = "docs/chapters/small.md:{}: {}: {}"
TOLD = "tests/test_small.py:{}: {}: {}"
NO_TEST, NO_CLAIM = "a claim without a test", "a test without a claim on a page"
KEBAB = "a claim needs an id in kebab-case"
UNLIKE = "line {} is not the TeX of tests/test_small.py::expand: {}"
FORMULA = "the formula {} does not stand as a $$ comment $$ in its test (by_hand)"
DECORATES = "only claim, slip and steps decorate here: nothing is skipped"
RUNNER = "a file of claims imports dlnotes.check, not a test runner"

# name: (file, old text, new text, all that is wrong then)
CASES = {
    "claim without a test": (PAGE, "", CLAIM.format("small-new"), [SEEN.format(23, "small-new", NO_TEST)]),
    "claim of a derivation's id": (
        PAGE, "", CLAIM.format("small-square"),
        [SEEN.format(11, "small-square", "this id stands twice on the pages"),
         SEEN.format(23, "small-square", NO_TEST)],
    ),
    "claim twice on a page": (
        PAGE, "", CLAIM.format("small-total"),
        [SEEN.format(23, "small-total", "this id stands twice on the pages"),
         TOLD.format(15, "by_hand", "no claim displays the formula t=a+b")],
    ),
    "claim without an id": (PAGE, "", "\n/// claim | Again\n///\n", [SEEN.format(23, "Again", KEBAB)]),
    "claim with an id too late": (
        PAGE, "", "\n/// claim | Again\n\n    id: small-new\n///\n", [SEEN.format(23, "Again", KEBAB)],
    ),
    "id with a capital": (PAGE, "", CLAIM.format("Small-new"), [SEEN.format(23, "Small-new", KEBAB)]),
    "id with an underscore": (PAGE, "", CLAIM.format("small_new"), [SEEN.format(23, "small_new", KEBAB)]),
    "id with a space": (PAGE, "", CLAIM.format("small new"), [SEEN.format(23, "small new", KEBAB)]),
    "id ending in a hyphen": (PAGE, "", CLAIM.format("small-"), [SEEN.format(23, "small-", KEBAB)]),
    "id quoted": (PAGE, "", CLAIM.format('"small-new"'), [SEEN.format(23, '"small-new"', KEBAB)]),
    "derivation without a test": (
        PAGE, "", "\n```{.steps #small-new}\na\n= b\n```\n",
        [SEEN.format(23, "small-new", "a derivation without a test")],
    ),
    "derivation twice on a page": (
        PAGE, "", "\n```{.steps #small-square}\n(a + b)^2\n= a^2 + 2 a b + b^2\n\\ge 4 a b\n```\n",
        [SEEN.format(23, "small-square", "this id stands twice on the pages")],
    ),
    "other TeX in a line": (PAGE, "4 a b", "5 a b", [SEEN.format(14, "small-square", UNLIKE.format(3, "4ab"))]),
    "other TeX in the first line": (
        PAGE, "(a + b)^2", "(a - b)^2", [SEEN.format(12, "small-square", UNLIKE.format(1, "(a+b)^2"))],
    ),
    "other TeX in the test": (TEST, "4ab", "5ab", [SEEN.format(14, "small-square", UNLIKE.format(3, "5ab"))]),
    "other sign on the page": (PAGE, r"\ge", r"\le", [SEEN.format(14, "small-square", UNLIKE.format(3, "4ab"))]),
    "other sign in the test": (
        TEST, "# = a^2", "# \\ge a^2", [SEEN.format(13, "small-square", UNLIKE.format(2, "a^2 + 2ab + b^2"))],
    ),
    "no sign": (
        PAGE, "= a^2", "a^2", [SEEN.format(13, "small-square", UNLIKE.format(2, "a^2 + 2ab + b^2"))],
    ),
    "one line fewer on the page": (
        PAGE, "\n\\ge 4 a b", "", [SEEN.format(11, "small-square", "2 lines here, 3 in tests/test_small.py::expand")],
    ),
    "one line more on the page": (
        PAGE, "```\n\n///", "= c\n```\n\n///",
        [SEEN.format(11, "small-square", "4 lines here, 3 in tests/test_small.py::expand")],
    ),
    "one line fewer in the test": (
        TEST, "    # \\ge 4ab\n    yield 4 * a * b\n", "",
        [SEEN.format(11, "small-square", "3 lines here, 2 in tests/test_small.py::expand")],
    ),
    "other formula on the page": (
        PAGE, "t = a + b", "t = a - b",
        [SEEN.format(3, "small-total", FORMULA.format("t = a - b")),
         TOLD.format(15, "by_hand", "no claim displays the formula t=a+b")],
    ),
    "one formula more on the page": (
        PAGE, "$$\n///", "$$\n\n$$b = t - a$$\n///", [SEEN.format(3, "small-total", FORMULA.format("b = t - a"))],
    ),
    "one formula more in the test": (
        TEST, "a+b $$", "a+b $$ and $$ b = t-a $$", [TOLD.format(15, "by_hand", "no claim displays the formula b=t-a")],
    ),
    "formula in another function": (
        TEST, "    # $$ t = a+b $$\n    agree", "    agree",
        [SEEN.format(3, "small-total", FORMULA.format("t = a + b"))],
    ),
    "formula beside code": (
        TEST, '    # $$ t = a+b $$\n', "    0  # $$ t = a+b $$\n",
        [SEEN.format(3, "small-total", FORMULA.format("t = a + b"))],
    ),
    "witness without a claim": (
        TEST, "", ANOTHER.format("claim", "small-new", "cases=total", "agree(1, 1)"),
        [TOLD.format(41, "small-new", NO_CLAIM)],
    ),
    "slip without a claim": (
        TEST, "", ANOTHER.format("slip", "small-new", "", "return 1"), [TOLD.format(41, "small-new", NO_CLAIM)],
    ),
    "steps without a derivation": (
        TEST, "", ANOTHER.format("steps", "small-new", "cases=total, ends_in=total", YIELDS),
        [TOLD.format(41, "small-new", NO_CLAIM)],
    ),
    "slip without a witness": (
        TEST, "", ANOTHER.format("slip", "small-square", "", "return 1"),
        [TOLD.format(28, "small-square", "a slip without a witness")],
    ),
    "block not closed": (PAGE, "Add.\n///", "Add.", [SEEN.format(18, "question", "this block is not closed")]),
    "block closed twice": (PAGE, "Add.\n///", "Add.\n///\n\n///", [SEEN.format(23, "///", "this closes no block")]),
    "block closed with other slashes": (
        PAGE, "Add.\n///", "Add.\n////",
        [SEEN.format(21, "////", "this closes no block"), SEEN.format(18, "question", "this block is not closed")],
    ),
    "as many slashes inside": (
        PAGE, "Add.", "/// quote | a\n///",
        [SEEN.format(20, "quote", "inside question, which needs more slashes than what it contains")],
    ),
    "more slashes inside": (
        PAGE, "Add.", "//// quote | a\n////",
        [SEEN.format(20, "quote", "inside question, which needs more slashes than what it contains")],
    ),
    "pytest in the test": (TEST, "", "\n\nimport pytest\n", [TOLD.format(40, "pytest", RUNNER)]),
    "unittest inside a function": (
        TEST, "    return sum(case)", "    from unittest import mock\n    return sum(case)",
        [TOLD.format(7, "unittest", RUNNER)],
    ),
    "function defined twice": (
        TEST, "", "\n\ndef by_hand():\n    return 1\n",
        [TOLD.format(40, "by_hand", "defined twice, first at line 15: only one would run"),
         SEEN.format(3, "small-total", FORMULA.format("t = a + b"))],
    ),
    "other decorator": (TEST, "", "\n\n@skip\ndef f():\n    return 1\n", [TOLD.format(41, "f", DECORATES)]),
    "decorator of a module": (
        TEST, "", '\n\n@check.claim("small-total")\ndef f():\n    return 1\n', [TOLD.format(41, "f", DECORATES)],
    ),
    "id that is computed": (
        TEST, "", '\n\n@slip("small" + "-total")\ndef f(case):\n    return 1\n',
        [TOLD.format(41, "f", "the id of slip is written out, as a string")],
    ),
    "derivation that branches": (
        TEST, "    a, b = case", "    if case:\n        a, b = case",
        [SEEN.format(11, "small-square", "a derivation without a test"),
         TOLD.format(28, "small-square", "expand: a derivation is straight: assignments and yields only")],
    ),
    "two derivations with one id": (
        TEST, "", ANOTHER.format("steps", "small-square", "cases=total, ends_in=total", YIELDS),
        [TOLD.format(41, "small-square", "two derivations with one id"),
         SEEN.format(11, "small-square", "3 lines here, 2 in tests/test_small.py::another")],
    ),
}  # fmt: skip


def test_a_page_and_its_test_that_fit_have_no_fault(write):
    assert faults() == []
    assert boxes(convert()) == []


@pytest.mark.parametrize("case", CASES)
def test_a_disagreement_is_told_with_file_line_and_id(write, case):
    file, old, new, expected = CASES[case]
    change(file, old, new)
    assert sorted(faults()) == sorted(expected)


@pytest.mark.parametrize("case", CASES)
def test_a_disagreement_fails_the_build_of_its_page(write, case):
    file, old, new, expected = CASES[case]
    change(file, old, new)
    with pytest.raises(PageError) as error:
        convert()
    assert str(error.value) in expected


@pytest.mark.parametrize("case", CASES)
def test_while_serving_each_disagreement_is_a_box(write, monkeypatch, case):
    file, old, new, expected = CASES[case]
    change(file, old, new)
    monkeypatch.setenv("DLNOTES_SITE", "serve")
    page = convert()
    assert set(expected) <= set(boxes(page))
    assert "<h1>Small numbers</h1>" in page


def indented(text, by):
    return "".join(f"{by}{row}".rstrip() + "\n" for row in text.splitlines())


STEPS = "```{.steps #small-new}\na\n= b\n```\n"
NEW = CLAIM.format("small-new").lstrip()
TOTAL = PAGE_TEXT[PAGE_TEXT.index("/// claim") : PAGE_TEXT.index("///\n") + 4]

# What is easily dropped without a word: (file, old text, new text, how the error begins)
DROPPED = {
    "claim set in by a space": (PAGE, "", "\n" + indented(NEW, " "), "docs/chapters/small.md:23: small-new: "),
    "claim in a list": (PAGE, "", "\n- item\n\n" + indented(NEW, "    "), "docs/chapters/small.md:25: small-new: "),
    "claim in a quotation": (PAGE, "", "\n" + indented(NEW, "> "), "docs/chapters/small.md:23: small-new: "),
    "claim with a capital": (PAGE, "", "\n" + NEW.replace("claim", "Claim"), "docs/chapters/small.md:23: small-new: "),
    "claim around a claim": (
        PAGE, TOTAL, f"//// claim | Outer\n    id: small-new\n\n{TOTAL}////\n", "docs/chapters/small.md:3: small-new: ",
    ),
    "formula after a block in a claim": (
        PAGE, TOTAL,
        f"/{TOTAL[:-4]}\n/// quote | tests/test_small.py::total\n///\n\n$$\nnew\n$$\n////\n",
        "docs/chapters/small.md:3: small-total: ",
    ),
    "formula in brackets": (PAGE, "$$\n///", "$$\n\n\\[\nnew\n\\]\n///", "docs/chapters/small.md:3: small-total: "),
    "formula in an environment": (
        PAGE, "$$\n///", "$$\n\n\\begin{aligned}\nnew\n\\end{aligned}\n///", "docs/chapters/small.md:3: small-total: ",
    ),
    "steps after its id": (
        PAGE, "", "\n" + STEPS.replace(".steps #small-new", "#small-new .steps"),
        "docs/chapters/small.md:23: small-new: ",
    ),
    "steps in a quotation": (PAGE, "", "\n" + indented(STEPS, "> "), "docs/chapters/small.md:23: small-new: "),
    "steps not closed": (PAGE, "", "\n" + STEPS[:-4], "docs/chapters/small.md:23: small-new: "),
    "claim in a comment": (PAGE, TOTAL, f"<!--\n{TOTAL}-->\n", "tests/test_small.py:15: small-total: "),
    "unknown block below a line of text": (
        PAGE, "", "\nText\n/// quot | a\n///\n", "docs/chapters/small.md:24: quot",
    ),
    "claim without a title below a line of text": (
        PAGE, "", "\nText\n/// claim\n    id: small-new\n///\n", "docs/chapters/small.md:24: claim",
    ),
    "unknown block in a list": (PAGE, "", "\n- /// quot | a\n- b\n", "docs/chapters/small.md:23: quot"),
    "question twice on a page": (PAGE, "", "\n/// question | small.1\n///\n", "docs/chapters/small.md:23: small.1: "),
    "derivation tested under a claim's id": (
        TEST, "", ANOTHER.format("steps", "small-total", "cases=total, ends_in=total", YIELDS),
        "tests/test_small.py:41: small-total: ",
    ),
    "witness under a derivation's id": (
        TEST, "", ANOTHER.format("claim", "small-square", "cases=total", "agree(1, 1)"),
        "tests/test_small.py:41: small-square: ",
    ),
    "slip in a class": (
        TEST, "", '\n\nclass Slips:\n    @slip("small-total")\n    def f(case):\n        """F."""\n        return 1\n',
        "tests/test_small.py:42: ",
    ),
    "slip in a condition": (
        TEST, "", '\n\nif total:\n\n    @slip("small-total")\n    def f(case):\n        """F."""\n        return 1\n',
        "tests/test_small.py:43: ",
    ),
    "function for another test runner": (
        TEST, "", "\n\ndef test_total():\n    assert total([2, 3]) == 6\n", "tests/test_small.py:40: test_total: ",
    ),
    "test that Python cannot read": (TEST, "", "\n\ndef f(:\n    pass\n", "tests/test_small.py:40: "),
}  # fmt: skip


@pytest.mark.parametrize("case", DROPPED)
def test_nothing_is_dropped_without_a_word(write, case):
    file, old, new, begins = DROPPED[case]
    change(file, old, new)
    with pytest.raises(PageError, match=f"^{re.escape(begins)}"):
        convert()


# --- more than one file ---------------------------------------------------------------------------------------------


def test_an_id_on_two_pages_is_told_on_the_second(write):
    other = Path("docs/chapters/tall.md")
    write(other, f"# Tall\n{CLAIM.format('small-total')}")
    twice = f"{other}:3: small-total: this id stands twice on the pages"
    assert faults()[0] == twice
    with pytest.raises(PageError, match=f"^{re.escape(twice)}$"):
        convert(other)


def test_two_pages_alike_are_told(write):
    change(PAGE, "/// question | small.1, small.2", "/// quote | tests/test_small.py::total")
    write("docs/chapters/copy.md", PAGE.read_text())
    with pytest.raises(PageError, match="this id stands twice on the pages"):
        convert()


def test_an_id_in_two_test_files_is_told_in_both(write):
    write("tests/test_tall.py", TEST_TEXT.replace("steps(", "slip(").replace("def expand", "def expanded"))
    write("docs/chapters/tall.md", "# Tall\n")
    why = "small-total: this id is tested in two files"
    assert {f"tests/test_small.py:15: {why}", f"tests/test_tall.py:15: {why}"} <= set(faults())
    with pytest.raises(PageError, match=r"test_small\.py:15: small-total: this id is tested in two files"):
        convert()
    with pytest.raises(PageError, match=r"test_tall\.py:15: small-total: this id is tested in two files"):
        convert(Path("docs/chapters/tall.md"))


def test_a_test_file_without_a_page_is_at_fault(write):
    write("tests/test_tall.py", TEST_TEXT.replace("small-", "tall-"))
    lines = {line for line in faults() if NO_CLAIM in line}
    assert lines == {
        f"tests/test_tall.py:15: tall-total: {NO_CLAIM}",
        f"tests/test_tall.py:28: tall-square: {NO_CLAIM}",
    }


def test_a_page_does_not_tell_the_faults_of_another(write):
    write("docs/chapters/tall.md", f"# Tall\n{CLAIM.format('tall-new')}")
    assert boxes(convert()) == []
    with pytest.raises(PageError, match="tall-new: a claim without a test"):
        convert(Path("docs/chapters/tall.md"))
