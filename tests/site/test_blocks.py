"""Claims, derivations, quotes, figures, questions and the ledger on a page: what they show, and every way they fail.

A small book with a package of its own is tested once, for real; each test changes a copy of it and converts one page.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import markdown
import pytest
from mkdocs.config import load_config

from dlnotes._site import evidence, pages, question
from dlnotes._site.page import PageError

ROOT = Path(__file__).parents[2]

PYPROJECT = """
[tool.pytest.ini_options]
addopts = "-p dlnotes._site.pytest_claims"
python_files = ["none"]
"""

PACKAGE = '''"""Small numbers."""


def total(pair):
    """The sum of two numbers."""
    return pair[0] + pair[1]


def square(pair):
    """The square of the sum."""
    return (pair[0] + pair[1]) ** 2
'''

TEST = '''"""The claims of the small chapter."""

from dlnotes import small
from dlnotes.check import agree, claim, need, same, slip, steps


def pair(rng):
    return rng.uniform(1, 2, size=2)


def second_is_zero(case):
    """the second number is 0."""
    return case * [1, 0]


def total(case):
    return small.total(case)


@claim("small-total", cases=pair)
def by_hand(case, total=total):
    """Add the two `numbers`."""
    # $$ t = a + b $$
    agree(total(case), case[0] + case[1])


@claim("small-total")
def by_integers():
    """Add 2 and 3, which is < 6."""
    same(small.total([2, 3]), 5)


@slip("small-total", blind=second_is_zero)
def first_only(case):
    """Forget the second number."""
    return case[0]


@steps("small-square", cases=pair, ends_in=small.square)
def expand(case):
    """Multiply out."""
    a, b = case
    # (a + b)^2
    yield (a + b) ** 2
    # = a^2 + 2 a b + b^2
    yield a**2 + 2 * a * b + b**2
'''

CLAIM = """/// claim | The total is a sum
    id: small-total

$$
t = a + b
$$
///
"""

STEPS = """```{.steps #small-square}
(a + b)^2
= a^2 + 2 a b + b^2
```
"""

PAGE = f"""# Small numbers

{CLAIM}
{STEPS}
/// quote | dlnotes/small.py::total
///

/// question | small.1, small.2

Add.
///
"""
END = PAGE.count("\n") + 2  # where what is added to the page begins

FIGURE = """/// figure | docs/figures/small.py::line
    alt: A "straight" line.

The *caption*.
///
"""

FIGURES = """
def line():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([0, 1])
    return figure


def breaks():
    raise ValueError("no such colour")
"""

BRIEF = f"# Title\n\n{CLAIM}"
TORCH = '''@claim("small-total", cases=pair)
def by_torch(case, total=total):
    """Ask torch."""
    need("torch")
    agree(total(case), case.sum())


'''
OTHERS = {  # chapters that do not hold: the page, and what its test has in the place of what
    "wrong": (BRIEF, "case[0] + case[1])", "case[0] - case[1])"),
    "lenient": (BRIEF, "    return case[0]\n", "    return total(case)\n"),
    "seeing": (BRIEF, "case * [1, 0]", "case * [1, 2]"),
    "absent": (BRIEF, '@claim("small-total")\n', f'{TORCH}@claim("small-total")\n'),
    "crooked": (f"# Title\n\n{STEPS}", "2 * a * b", "3 * a * b"),
}

REFERENCE = {
    "docs/figures.md": f"# Figures\n\n{FIGURE}",
    "docs/index.md": "# Home\n\n/// see | small-total\n///\n\n/// chapters\n///\n",
    "docs/claims.md": "# Every claim\n\n/// ledger\n///\n",
    "docs/questions.md": "# Questions\n\n/// questions\n///\n",
    "docs/questions.tsv": "question\tchapter\tasks\tfrench\n"
    "small.1\tsmall\tAdd\taddition\nsmall.2\tsmall\tAdd too\tégalité, somme\nsmall.3\tsmall\tSubtract\tsoustraction\n",
    "docs/sheets.tsv": "sheet\ttitle\torigin\nsmall\tA sheet\tNobody\n",
}

SMALL = Path("docs/chapters/small.md")
TABLE = question.table


def part(test, what):
    """A test file with its claim only, or its derivation only."""
    head, claim, rest = test.partition("@claim")
    claims, steps, derivation = rest.partition("@steps")
    return head + {"claim": claim + claims, "steps": steps + derivation}[what]


def run(command, folder, **environment):
    """Run Python there, without what this session's environment says of the site."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "DLNOTES_SITE")}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """The small book, its tests run."""
    folder = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "dlnotes/_site", folder / "dlnotes/_site", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "check.py"):
        shutil.copy(ROOT / "dlnotes" / name, folder / "dlnotes")
    files = REFERENCE | {"pyproject.toml": PYPROJECT, "dlnotes/small.py": PACKAGE, "docs/figures/small.py": FIGURES}
    files |= {SMALL: PAGE, "tests/test_small.py": TEST}
    for name, (page, old, new) in OTHERS.items():
        assert old in TEST
        what = part(TEST.replace(old, new, 1), "steps" if name == "crooked" else "claim")
        hide = 'import sys\n\nsys.modules["torch"] = None\n' if name == "absent" else ""
        files[f"docs/chapters/{name}.md"] = page.replace("small-", f"{name}-")
        files[f"tests/test_{name}.py"] = what.replace("small-", f"{name}-") + hide
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    made = run(["pytest", "-q", "tests"], folder)
    assert made.returncode == 1, made.stdout + made.stderr
    return folder


@pytest.fixture
def book(tested, tmp_path, monkeypatch):
    """A copy of the small book as the current folder."""
    shutil.copytree(tested, tmp_path / "book")
    monkeypatch.chdir(tmp_path / "book")
    monkeypatch.delenv("DLNOTES_SITE", raising=False)
    monkeypatch.setattr(question, "table", getattr(question.table, "__wrapped__", question.table))


@pytest.fixture
def serving(monkeypatch, book):
    monkeypatch.setenv("DLNOTES_SITE", "serve")


@pytest.fixture
def full(monkeypatch, book):
    monkeypatch.setenv("DLNOTES_SITE", "full")


@pytest.fixture(scope="module")
def convert():
    """convert(page) -> its HTML, with the extensions of mkdocs.yml."""
    config = load_config(str(ROOT / "mkdocs.yml"))
    names = [name for name in config.markdown_extensions if name != "dlnotes._site.run"]

    def run(page=SMALL):
        text = Path(page).read_text(encoding="utf-8")
        return markdown.markdown(text, extensions=names, extension_configs=config.mdx_configs)

    return run


def change(file, old, new):
    """Change a file where `old` first stands in it; an empty `old` is its end."""
    file = Path(file)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")


def boxes(page):
    return [
        html.unescape(box) for box in re.findall(r'<pre class="dl-error" role="alert">(.*?)</pre>', page, re.DOTALL)
    ]


def visible(page):
    """The text of a page without its formulas, its spaces made one."""
    text = re.sub(r"<tex-math.*?</tex-math>", "", page, flags=re.DOTALL)
    text = re.sub(r"</?(details|div|h\d|li|p|small|summary|td)\b[^>]*>", " ", text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


def marks(page):
    return re.findall(r'<span class="dl-mark [^"]*" role="img" aria-label="([^"]*)">', page)


# --- all is well ----------------------------------------------------------------------------------------------------


def test_a_page_where_all_is_well_shows_its_evidence(book, convert):
    page = convert()
    assert boxes(page) == []
    assert "///" not in page
    assert '<section class="dl-claim held">' in page
    assert '<h3 id="small-total">The total is a sum' in page
    assert marks(page) == ["held", "held", "held", "rejected", "held"]  # claim, two witnesses, slip, a line
    text = visible(page)
    assert "✓ Checked: exact (integers), measured (float64). Largest error 0, allowed 1e-12." in text
    assert "✓ Add the two numbers. measured, float64, error 0 of 1e-12 allowed, 5 cases" in text
    assert "<code>numbers</code>" in page
    assert "✓ Add 2 and 3, which is < 6. exact, integers" in text
    assert "tests/test_small.py, 20" in text
    found = re.search(r"Common slips \(1\) ✓ Forget the second number\. It is right where: the second number is 0\. "
                      r"rejected, off by ([0-9.]+) at least", text)  # fmt: skip
    assert 0.01 < float(found[1]) < 10


def test_the_tests_of_a_claim_are_quoted_once_each(book, convert):
    text = visible(convert())
    for head in ("def total(case):", "def by_hand(case, total=total):", "def by_integers():", "def first_only(case):"):
        assert text.count(head) == 1


def test_a_line_of_a_derivation_opens_on_its_code(book, convert):
    text = visible(convert())
    assert re.search(r"✓ Agrees with the line above to \S+ \(1e-12 allowed\), in 5 cases\. a, b = case "
                     r"yield \(a \+ b\) \*\* 2 yield a\*\*2 \+ 2 \* a \* b \+ b\*\*2", text)  # fmt: skip


def test_a_quote_shows_the_code_that_runs(book, convert):
    shown = 'dlnotes/small.py::total def total(pair): """The sum of two numbers.""" return pair[0] + pair[1]'
    assert shown in visible(convert())
    change("dlnotes/small.py", "two numbers", "two letters")
    assert shown.replace("two numbers", "two letters") in visible(convert())


def test_a_quote_names_a_method_and_keeps_its_decorators(book, convert):
    change("dlnotes/small.py", "", "\n\nclass Pair:\n    @property\n    def total(self):\n        return 5\n")
    change(SMALL, "small.py::total", "small.py::Pair.total")
    assert "dlnotes/small.py::Pair.total @property def total(self): return 5" in visible(convert())
    assert '<span class="nd">@property</span>\n<span class="k">def' in convert()


def test_a_figure_is_drawn_with_its_words(book, convert):
    page = convert("docs/figures.md")
    svg = re.search(r"<svg .*?</svg>", page, re.DOTALL)[0]
    assert svg.startswith('<svg role="img" aria-label="A &quot;straight&quot; line."')
    assert "var(--dl-series-0)" in svg
    assert "currentColor" in svg
    assert not re.search(r"#0[0-9a]000[1-4]|#010203|#040506", svg)
    assert "<figcaption><p>The <em>caption</em>.</p></figcaption>" in re.sub(r">\s+<", "><", page)


def test_an_answer_carries_the_ids_of_its_questions(book, convert):
    page = convert()
    assert "Answers small.1#small.2# Add." in visible(page)
    assert [f'<code id="small.{k}">' in page for k in (1, 2, 3)] == [True, True, False]


def test_the_table_of_questions_leads_to_the_answers(book, convert):
    page = convert("docs/questions.md")
    assert "Nobody. 2 of 3 questions answered." in visible(page)
    assert '<a href="../chapters/small/#small.1">Small numbers</a>' in page
    assert "small.3 Subtract# Not yet answered." in visible(page)


def test_the_table_of_questions_is_read_again_when_it_changes(book, convert, monkeypatch):
    monkeypatch.setattr(question, "table", TABLE)
    convert("docs/questions.md")
    change("docs/questions.tsv", "Subtract", "Multiply")
    assert "small.3 Multiply#" in visible(convert("docs/questions.md"))


def test_a_claim_can_be_seen_from_another_page(book, convert):
    page = convert("docs/index.md")
    assert '<a href="chapters/small/#small-total">The total is a sum</a>' in page
    assert '<section class="dl-claim held">' in page
    assert "✓ Checked: exact (integers), measured (float64)." in visible(page)
    assert page.count('<tex-math class="display"') == 1


def test_the_ledger_has_a_row_for_each_claim(book, convert):
    page = convert("docs/claims.md")
    text = visible(page)
    assert "5 claims, of which 2 hold: 2 known exactly, 2 measured, 2 both." in text
    assert "2 derivations with 2 lines, of which 1 hold." in text
    rows = re.findall(r"<tr id=.*?</tr>", page)
    states = {re.search("<code>(.*?)</code>", row)[1]: (*marks(row), row.count("1 of 1")) for row in rows}
    assert states == {
        "absent-total": ("held", "not run", 1),  # its slip is rejected by the witness that ran
        "lenient-total": ("failed", 0),
        "seeing-total": ("failed", 0),
        "small-total": ("held", 1),
        "wrong-total": ("failed", "failed", 1),
    }
    assert '<a href="../chapters/small/#small-total">' in page
    assert '<tr id="small-total" data-chapter="small" data-kind="exact measured" data-question="">' in page
    assert 'data-chapter="wrong" data-kind="exact" data-question=""' in page


def test_a_claim_has_the_questions_of_every_block_around_it(tmp_path):
    inner = "//// question | small.2\n\n/// claim | Inside\n    id: inside\n///\n////\n"
    text = f"# T\n\n///// question | small.1, small.3\n\n{inner}\n/////\n\n/// claim | After\n    id: after\n///\n"
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    read = pages.read_page(tmp_path / "page.md")
    asked = {block.id: block.questions for block in read.claims}
    assert asked == {"inside": ("small.1", "small.3", "small.2"), "after": ()}
    assert read.faults == []


def test_a_claim_leads_to_its_row_and_can_be_cited(book, convert, monkeypatch):
    monkeypatch.setenv("DLNOTES_SITE", "serve")  # where what fails is shown
    page = convert(SMALL)
    assert '<a href="../../claims/#small-total">In the ledger</a>' in page
    cited = {
        name: re.search('data-cite="(.*?)"', convert(f"docs/chapters/{name}.md"))[1] for name in ("small", "wrong")
    }
    assert re.fullmatch(
        r"“The total is a sum” \(small-total\), dlnotes\. \{address\} Checked 20.*, commit .*\.", cited["small"]
    )
    assert "{address} Failed 20" in cited["wrong"]


def test_the_totals_count_witnesses_by_kind(book, convert):
    Path("docs/trust.md").write_text("# Trust\n\n/// totals\n///\n", encoding="utf-8")
    text = visible(convert("docs/trust.md"))
    assert "exact 5 integers (5)" in text
    assert "not run 1 torch is not installed (1)" in text
    assert re.search(r"The tests ran (on|from) 20.* UTC, with numpy .*, python .*, sympy ", text)


def test_the_ledger_tells_what_no_page_tells(book, convert):
    Path("tests/test_orphan.py").write_text(TEST.replace("small-", "orphan-"), encoding="utf-8")
    with pytest.raises(PageError, match=r"^tests/test_orphan\.py:21: orphan-total: a test without a claim on a page$"):
        convert("docs/claims.md")


# --- errors of the page ---------------------------------------------------------------------------------------------

UNREAD = "not a block of this site, or an option or argument that it does not take"
ALONE = "a derivation takes an id, and nothing else: ```{.steps #id}"
SOME = "\n{}\n\nThe end.\n"

# name: (what is added to the page, id, message)
ADDED = {
    "quote of no file": ("/// quote | dlnotes/no.py::f\n///", "dlnotes/no.py::f", "no file dlnotes/no.py"),
    "quote of no name": ("/// quote | dlnotes/small.py::f\n///", "dlnotes/small.py::f", "no f in dlnotes/small.py"),
    "quote of no method": (
        "/// quote | dlnotes/small.py::square.f\n///", "dlnotes/small.py::square.f", "no square.f in dlnotes/small.py",
    ),
    "quote of a folder": ("/// quote | dlnotes::f\n///", "dlnotes::f", "no file dlnotes"),
    "quote with an option": (
        "/// quote | dlnotes/small.py::square\n    lang: python\n///", "quote | dlnotes/small.py::square", UNREAD,
    ),
    "claim with a bad id": ("/// claim | New\n    id: new.id\n///", "new.id", "a claim needs an id in kebab-case"),
    "claim without an id": ("/// claim | New\n///", "New", "a claim needs an id in kebab-case"),
    "claim without a test": ("/// claim | New\n    id: small-new\n///", "small-new", "a claim without a test"),
    "figure without words": (
        "/// figure | docs/figures/small.py::line\n///", "docs/figures/small.py::line",
        "a figure says in its option alt what it shows",
    ),
    "figure with blank words": (
        "/// figure | docs/figures/small.py::line\n    alt: ' '\n///", "docs/figures/small.py::line",
        "a figure says in its option alt what it shows",
    ),
    "figure of no file": (
        "/// figure | docs/figures/no.py::f\n    alt: No.\n///", "docs/figures/no.py::f", "no file docs/figures/no.py",
    ),
    "figure of no function": (
        "/// figure | docs/figures/small.py::f\n    alt: No.\n///", "docs/figures/small.py::f", "KeyError: 'f'",
    ),
    "figure that raises": (
        "/// figure | docs/figures/small.py::breaks\n    alt: No.\n///", "docs/figures/small.py::breaks",
        "ValueError: no such colour",
    ),
    "figure with an option": (
        "/// figure | docs/figures/small.py::breaks\n    alt: No.\n    width: 3\n///",
        "figure | docs/figures/small.py::breaks", UNREAD,
    ),
    "figure with words that are no YAML": (
        "/// figure | docs/figures/small.py::breaks\n    alt: one: two\n///",
        "figure | docs/figures/small.py::breaks", UNREAD,
    ),
    "unknown question": ("/// question | small.3, small.4\n///", "small.4", "no such question in docs/questions.tsv"),
    "question with a comma too many": ("/// question | small.3,\n///", "", "no such question in docs/questions.tsv"),
    "unknown claim to see": ("/// see | small-new\n///", "small-new", "no such claim"),
    "ledger with an argument": ("/// ledger | all\n///", "ledger | all", UNREAD),
    "unknown block": ("/// theorem | Pythagoras\n///", "theorem | Pythagoras", UNREAD),
    "block without a space": ("///quotes | dlnotes/small.py::total\n///", "quotes | dlnotes/small.py::total", UNREAD),
    "derivation with a class": ("```{.steps .new #small-new}\na\n= b\n```", "small-new", ALONE),
    "derivation with an attribute": ('```{.steps #small-new title="T"}\na\n= b\n```', "small-new", ALONE),
    "derivation with an option": ("```{.steps #small-new hl_lines=1}\na\n= b\n```", "small-new", ALONE),
    "derivation without a test": ("```{.steps #small-new}\na\n= b\n```", "small-new", "a derivation without a test"),
    "block not closed": ("/// question | small.3\n\nAdd.", "question", "this block is not closed"),
    "block that does not nest": (
        "//// question | small.3\n\n/// see | small-total\n///\n////\n\n///", "///", "this closes no block",
    ),
}  # fmt: skip
LATER = {"block that does not nest": 6}  # rows from the first added one to the one that is wrong


@pytest.mark.parametrize("case", ADDED)
def test_an_error_fails_the_build_with_file_line_and_id(book, convert, case):
    added, ident, message = ADDED[case]
    change(SMALL, "", SOME.format(added))
    with pytest.raises(PageError) as error:
        convert()
    assert str(error.value) == f"{SMALL}:{END + LATER.get(case, 0)}: {ident}: {message}"


@pytest.mark.parametrize("case", ADDED)
def test_while_serving_an_error_is_a_box_and_the_page_goes_on(serving, convert, case):
    added, ident, message = ADDED[case]
    change(SMALL, "", SOME.format(added))
    page = convert()
    assert f"{SMALL}:{END + LATER.get(case, 0)}: {ident}: {message}" in boxes(page)
    assert "The end." in visible(page)
    assert '<section class="dl-claim held">' in page


# name: (file -> old text and new text, how the error begins)
CHANGED = {
    "bad TeX in a claim": (
        {SMALL: ("a + b\n$$", "\\foo\n$$"), "tests/test_small.py": ("a + b $$", "\\foo $$")},
        f"{SMALL}:6: formula: KaTeX parse error: Undefined control sequence: \\foo",
    ),
    "bad TeX in a line": (
        {SMALL: ("b^2\n```", "\\foo\n```"), "tests/test_small.py": ("a b + b^2", "a b + \\foo")},
        f"{SMALL}:11: small-square: KaTeX parse error: Undefined control sequence: \\foo",
    ),
    "bad TeX in the first line": (
        {SMALL: ("(a + b)^2", "(a + b^"), "tests/test_small.py": ("# (a + b)^2", "# (a + b^")},
        f"{SMALL}:11: small-square: KaTeX parse error: ",
    ),
    "formula in a title": (
        {SMALL: ("The total is", "The $t$ is")}, f"{SMALL}:3: formula: no formula in a heading",
    ),
    "claim without a title": (
        {SMALL: ("claim | The total is a sum", "claim")}, f"{SMALL}:3: claim: not a block of this site, or",
    ),
    "claim with an option": (
        {SMALL: ("id: small-total", "id: small-total\n    colour: red")},
        f"{SMALL}:3: claim | The total is a sum: not a block of this site, or an option",
    ),
    "derivation without an id": ({SMALL: (" #small-square}", "}")}, f"{SMALL}:11: steps: a derivation takes an id"),
    "other formula": ({SMALL: ("t = a + b", "t = a - b")}, f"{SMALL}:3: small-total: the formula t = a - b does not"),
    "other sign": ({SMALL: ("= a^2", "\\le a^2")}, f"{SMALL}:13: small-square: line 2 is not the TeX of tests/"),
    "one line fewer": ({SMALL: ("= a^2 + 2 a b + b^2\n", "")}, f"{SMALL}:11: small-square: 1 lines here, 2 in tests/"),
    "test without a claim": ({SMALL: (CLAIM, "")}, "tests/test_small.py:21: small-total: a test without a claim"),
    "slip without a witness": (
        {"tests/test_small.py": ('slip("small-total", blind=second_is_zero', 'slip("small-square"')},
        "tests/test_small.py:40: small-square: a slip without a witness",
    ),
    "question answered twice": (
        {"docs/index.md": ("/// see", "/// question | small.1\n///\n\n/// see")}, f"{SMALL}:19: small.1: answered on ",
    ),
    "answer that does not nest": (
        {SMALL: ("Add.", "/// see | small-total\n///")},
        f"{SMALL}:21: see: inside question, which needs more slashes than what it contains",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGED)
def test_a_change_that_breaks_the_page_fails_the_build(book, convert, case):
    changes, begins = CHANGED[case]
    for file, (old, new) in changes.items():
        change(file, old, new)
    with pytest.raises(PageError) as error:
        convert()
    assert str(error.value).startswith(begins)


@pytest.mark.parametrize("case", CHANGED)
def test_while_serving_such_a_change_is_a_box(serving, convert, case):
    changes, begins = CHANGED[case]
    for file, (old, new) in changes.items():
        change(file, old, new)
    change(SMALL, "", "\nThe end.\n")
    page = convert()
    assert any(box.startswith(begins) for box in boxes(page))
    assert "The end." in visible(page)


def test_the_first_error_fails_the_build_and_serving_shows_them_all(book, convert, monkeypatch):
    change(SMALL, "t = a + b", "t = a - b")
    change(
        SMALL, "", "\n/// claim | New\n    id: small-new\n///\n\n/// quote | no.py::f\n///\n\n/// see | no-claim\n///\n"
    )
    unlike = "the formula t = a - b does not stand as a $$ comment $$ in its test (by_hand, by_integers)"
    told = [
        f"{SMALL}:{END}: small-new: a claim without a test",
        f"{SMALL}:3: small-total: {unlike}",
        f"{SMALL}:{END + 4}: no.py::f: no file no.py",
        f"{SMALL}:{END + 7}: no-claim: no such claim",
    ]
    with pytest.raises(PageError, match=f"^{re.escape(told[0])}$"):
        convert()
    monkeypatch.setenv("DLNOTES_SITE", "serve")
    assert boxes(convert()) == told


# name: (what is added to the page, row, how the message begins)
ROWS = {
    "the start of an earlier name": ("/// quote | dlnotes/small.py\n///", 0, "dlnotes/small.py: no  in"),
    "no argument, after one with": ("/// quote\n///", 0, "quote: not a block"),
    "no title, after one with": ("/// claim\n    id: small-new\n///", 0, "claim: not a block"),
    "two spaces": ("/// question |  small.4\n///", 0, "small.4: no such question"),
    "no id, in braces": ("```{.steps}\na\n= b\n```", 0, "steps: a derivation takes an id"),
    "no id, bare": ("```steps\na\n= b\n```", 0, "steps: a derivation takes an id"),
    "an id linked above": ("[Below](#small-square).\n\n```{.steps .new #small-square}\na\n= b\n```", 2, ""),
}


@pytest.mark.parametrize("case", ROWS)
def test_the_line_of_an_error_is_its_own(book, convert, case):
    added, row, begins = ROWS[case]
    change(SMALL, "", SOME.format(added))
    with pytest.raises(PageError, match=f"^{SMALL}:{END + row}: {re.escape(begins)}"):
        convert()


def test_the_line_of_a_failed_claim_is_its_own(book, convert):
    page = Path("docs/chapters/wrong.md")
    change(page, "# Title\n", "# Title\n\nNot to be taken for id: wrong-total-of-three.\n")
    with pytest.raises(PageError, match=f"^{page}:6: wrong-total: by_hand"):
        convert(page)


BROKEN = {  # a file that Python cannot read, and the page that needs it
    "tests/test_small.py": SMALL, "dlnotes/small.py": SMALL, "docs/figures/small.py": "docs/figures.md",
}  # fmt: skip


@pytest.mark.parametrize("file", BROKEN)
def test_a_file_that_Python_cannot_read_is_told(book, convert, file):
    change(file, "", "\ndef broken(:\n")
    with pytest.raises(PageError):
        convert(BROKEN[file])


@pytest.mark.parametrize("file", BROKEN)
def test_while_serving_a_file_that_Python_cannot_read_is_a_box(serving, convert, file):
    change(file, "", "\ndef broken(:\n")
    assert boxes(convert(BROKEN[file]))


def test_bad_tex_in_a_claim_seen_from_another_page_is_told(book, convert):
    change(SMALL, "a + b\n$$", "\\foo\n$$")
    change("tests/test_small.py", "a + b $$", "\\foo $$")
    with pytest.raises(PageError):
        convert("docs/index.md")


def test_an_error_is_one_line(book, convert):
    change(SMALL, "t = a + b", "t\n= a - b")
    with pytest.raises(PageError) as error:
        convert()
    assert "\n" not in str(error.value)


# --- what the tests found -------------------------------------------------------------------------------------------

FAILING = {
    "wrong": r"wrong-total: by_hand: failed: off by .* \(relative\), 1e-12 allowed",
    "lenient": "lenient-total: the slip first_only at by_hand: not rejected",
    "seeing": "seeing-total: the slip first_only at by_hand: not rejected",
    "crooked": "crooked-square: the derivation fails: expand: line 1 and line 2 disagree: .*",
}


@pytest.mark.parametrize("name", FAILING)
def test_what_fails_fails_the_build(book, convert, name):
    file = f"docs/chapters/{name}.md"
    line = 3 if name == "crooked" else 4
    with pytest.raises(PageError, match=f"^{file}:{line}: {FAILING[name]}$"):
        convert(file)


@pytest.mark.parametrize("name", FAILING)
def test_while_serving_what_fails_is_a_box_and_red(serving, convert, name):
    page = convert(f"docs/chapters/{name}.md")
    assert re.search(FAILING[name], boxes(page)[0])
    assert "failed" in marks(page)
    assert marks(page)[0] == "failed"
    assert name == "crooked" or '<section class="dl-claim failed">' in page


def test_a_witness_that_lacks_torch_is_shown_as_not_run(book, convert):
    page = convert("docs/chapters/absent.md")
    assert marks(page) == ["held", "held", "not run", "held", "rejected"]  # the slip by the witness that ran
    assert "– Ask torch. torch is not installed" in visible(page)


def test_a_complete_site_refuses_a_witness_that_was_not_run(full, convert):
    with pytest.raises(PageError, match=r"absent.md:4: absent-total: by_torch: not run: torch is not installed$"):
        convert("docs/chapters/absent.md")


def test_a_complete_site_takes_a_page_where_all_is_well(full, convert):
    assert marks(convert()).count("held") == 4


@pytest.mark.parametrize(("name", "ident"), [("lenient", "4: lenient-total"), ("crooked", "3: crooked-square")])
def test_a_complete_site_refuses_what_has_no_evidence(full, convert, name, ident):
    Path(f"build/evidence/test_{name}.json").unlink()
    with pytest.raises(PageError, match=f"{name}.md:{ident}: no evidence for this version of the code"):
        convert(f"docs/chapters/{name}.md")


# --- evidence of other code -----------------------------------------------------------------------------------------

GREY = ["not run", "not run"]  # the claim, the line of the derivation


@pytest.mark.parametrize(
    "file",
    ["tests/test_small.py", "dlnotes/small.py", "dlnotes/__init__.py", "dlnotes/check.py",
     "dlnotes/_site/pytest_claims.py"],
)  # fmt: skip
def test_evidence_of_other_code_is_never_green(book, convert, file):
    change(file, "", "\n# Another.\n")
    page = convert()
    assert marks(page) == GREY
    assert visible(page).count("Not checked yet on this version of the code.") == 2
    assert '<section class="dl-claim not-run">' in page
    assert marks(convert("docs/index.md")) == ["not run"]
    others = int(file == "tests/test_small.py")
    assert f"of which {others} hold" in visible(convert("docs/claims.md"))


def test_other_files_leave_the_evidence_standing(book, convert):
    change("tests/test_wrong.py", "", "\n# Another.\n")
    change(SMALL, "", "\nMore words.\n")
    Path("dlnotes/tall.py").write_text("tall = 1\n")
    assert marks(convert()) == ["held", "held", "held", "rejected", "held"]


@pytest.mark.parametrize(
    ("file", "line"),
    [("dlnotes/small.py", "from .deep import add"), ("dlnotes/small.py", "from . import deep"),
     ("tests/test_small.py", "from tests import deep"), ("tests/test_small.py", "import deep")],
)  # fmt: skip
def test_evidence_names_all_files_of_ours_that_were_imported(book, file, line):
    deep = Path(file).parent / "deep.py"
    deep.write_text("add = sum\n")
    change(file, "", f"\n\n{line}\n")
    assert deep.as_posix() in evidence.inputs(Path("tests/test_small.py"))


@pytest.mark.parametrize("text", [None, "", "{", '{"schema": 0}'])
def test_evidence_that_is_missing_or_torn_is_never_green(book, convert, text):
    file = Path("build/evidence/test_small.json")
    file.unlink() if text is None else file.write_text(text)
    assert marks(convert()) == GREY


@pytest.mark.parametrize(
    ("kind", "ident", "tex", "shown"),
    [
        ("claims", "small-total", ["t = a"], ["not run", "held"]),
        ("claims", "small-total", [], ["not run", "held"]),
        ("steps", "small-square", ["(a + b)^2", "a^2"], ["held", "held", "held", "rejected", "not run"]),
        ("steps", "small-square", ["(a + b)^2"], ["held", "held", "held", "rejected", "not run"]),
    ],
)
def test_evidence_of_other_tex_is_never_green(book, convert, kind, ident, tex, shown):
    file = Path("build/evidence/test_small.json")
    document = json.loads(file.read_text())
    document[kind][ident]["tex"] = tex
    file.write_text(json.dumps(document))
    assert marks(convert()) == shown


@pytest.mark.parametrize("old", ["t = a + b", "= a^2 + 2"])
def test_while_serving_a_page_with_other_tex_is_grey_under_its_box(serving, convert, old):
    change(SMALL, old, f"{old} c")
    page = convert()
    assert boxes(page)
    assert "not run" in marks(page)
    assert len(marks(page)) < 6


# --- the build ------------------------------------------------------------------------------------------------------

MKDOCS = """
site_name: Small
theme: {name: mkdocs}
plugins: []
exclude_docs: "/figures/"
markdown_extensions:
  - pymdownx.superfences:
      custom_fences: [{name: steps, class: steps, format: !!python/name:dlnotes._site.steps.fence }]
  - pymdownx.arithmatex: {generic: true}
"""


def build():
    names = ("maths", "claim", "quote", "figure", "question", "ledger")
    Path("mkdocs.yml").write_text(MKDOCS + "".join(f"  - dlnotes._site.{name}\n" for name in names))
    for name in OTHERS:
        Path(f"docs/chapters/{name}.md").unlink()
        Path(f"tests/test_{name}.py").unlink()
    return run(["mkdocs", "build", "--strict"], Path.cwd(), DLNOTES_SITE="full")


def test_mkdocs_builds_a_book_where_all_is_well(book):
    made = build()
    assert made.returncode == 0, made.stderr
    page = Path("site/chapters/small/index.html").read_text(encoding="utf-8")
    assert marks(page) == ["held", "held", "held", "rejected", "held"]
    assert "1 claim, of which 1 hold" in Path("site/claims/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("small.py::total", "small.py::f", f"{SMALL}:16: dlnotes/small.py::f: no f in dlnotes/small.py"),
        ("b + b^2", "b", f"{SMALL}:13: small-square: line 2 is not the TeX of tests/test_small.py::expand: "),
        ("(a + b)^2\n=", "(a + b)^2\n=\\foo ", f"{SMALL}:13: small-square: line 2 is not"),
    ],
)
def test_mkdocs_stops_at_an_error_and_tells_it_without_a_traceback(book, old, new, message):
    change(SMALL, old, new)
    made = build()
    assert made.returncode == 1
    assert message in made.stdout + made.stderr
    assert "Traceback" not in made.stdout + made.stderr
    assert not Path("site/chapters/small/index.html").exists()
