"""The book as it stands in this tree: stems, claims, questions, snippets, the README."""

import ast
import csv
import doctest
import re
import unicodedata
from pathlib import Path

import pytest

from dlnotes._site import pages, question

STEMS = sorted(path.stem for path in Path("docs/chapters").glob("*.md"))
TESTED = sorted(path.stem.removeprefix("test_") for path in Path("tests").glob("test_*.py"))


def _page(stem):
    """The page of a file of claims: a chapter, or a page beside the chapters, such as the errata."""
    return Path(f"docs/chapters/{stem}.md") if stem in STEMS else Path(f"docs/{stem}.md")


def test_a_chapter_has_one_stem_in_every_folder():
    assert STEMS
    for folder in ("dlnotes/{}.py", "tests/test_{}.py", "docs/figures/{}.py"):
        missing = [folder.format(stem) for stem in STEMS if not Path(folder.format(stem)).is_file()]
        assert not missing
    assert set(STEMS) <= set(TESTED)
    assert set(STEMS) <= set(question.ORDER)


def test_a_file_of_claims_has_its_page():
    assert [stem for stem in TESTED if not _page(stem).is_file()] == []


def test_pages_and_tests_agree():
    assert [str(fault) for fault in pages.disagreements(pages.book())] == []


@pytest.mark.parametrize("stem", TESTED)
def test_claims_stand_in_the_order_of_the_page(stem):
    tests = pages.read_tests(Path(f"tests/test_{stem}.py"))
    page = pages.read_page(_page(stem))
    first = {ident: min(tests.lines[name] for name in names) for ident, names in tests.witnesses.items()}
    shown = [claim.id for claim in page.claims]
    assert sorted(shown, key=first.get) == shown


def _nodes(path):
    return ast.parse(path.read_text(encoding="utf-8")).body


@pytest.mark.parametrize("stem", STEMS)
def test_every_public_function_and_every_gradient_is_an_answer_of_some_claim(stem):
    public, gradients = set(), set()
    for node in _nodes(Path(f"dlnotes/{stem}.py")):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            public.add(node.name)
        if isinstance(node, ast.ClassDef) and node.name.endswith("Gradients"):
            gradients |= {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}
    tests = Path(f"tests/test_{stem}.py")
    answers = set(pages.read_tests(tests).answers.values())
    used = [
        attribute
        for node in _nodes(tests)
        if isinstance(node, ast.FunctionDef) and node.name in answers
        for attribute in ast.walk(node)
        if isinstance(attribute, ast.Attribute)
    ]
    called = {a.attr for a in used if isinstance(a.value, ast.Name) and a.value.id == stem}
    assert public - called == set()
    assert gradients - {a.attr for a in used} == set()


def test_the_table_of_questions_is_whole():
    rows = question.questions()
    ids = [row["question"] for row in rows]
    assert len(ids) == len(set(ids)) == 102
    sheets = [row["sheet"] for row in question.table(Path("docs/sheets.tsv"))]
    assert all(any(ident.startswith(sheet + ".") for sheet in sheets) for ident in ids)
    assert {row["chapter"] for row in rows} <= set(question.ORDER)
    assert all(row["asks"].strip() and not row["asks"].endswith(".") for row in rows)


def test_a_question_has_some_key_terms_in_french():
    for row in question.questions():
        terms = row["french"].split(", ")
        assert 2 <= len(terms) == len(set(terms)) <= 6, row
        assert [term for term in terms if not re.fullmatch(r"[^\W_](?:[\w' %-]*[\w%])?", term)] == [], row
        assert [term for term in terms if len(term) > 45] == [], row  # a term, not a sentence of the sheet
        assert unicodedata.is_normalized("NFC", row["french"]), row  # as a keyboard types it


def test_what_a_reader_types_stands_beside_the_question():
    row = {"question": "td5-2019.III.4.a", "french": "critère d'erreur, étiquette, pré-activations, pas, l'étiquette"}
    assert question.typed(row) == ["III.4.a", "critere", "etiquette", "pre"]


def test_the_chapter_of_an_answer_is_the_one_the_table_says():
    chapters = {row["question"]: row["chapter"] for row in question.questions()}
    wrong = {
        ident: page.path.stem for ident, page in pages.book().answered().items() if page.path.stem != chapters[ident]
    }
    assert wrong == {}


SNIPPETS = [
    pytest.param(source, id=path.stem)
    for path in sorted(Path("docs").rglob("*.md"))
    for source in re.findall(r"^```\{\.run[^}]*\}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.S | re.M)
]


@pytest.mark.parametrize("source", SNIPPETS)
def test_a_snippet_runs(source, capsys):
    exec(compile(source, "snippet", "exec"), {})
    assert capsys.readouterr().out


def test_the_readme_shows_what_its_code_prints():
    result = doctest.testfile(str(Path("README.md").resolve()), module_relative=False)
    assert result.attempted > 4
    assert result.failed == 0


def test_the_readme_names_real_files_and_targets():
    text = Path("README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", Path("Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"make ([a-z]+)\b", text)) - {"the"} <= targets
    assert all(Path(target).exists() for target in re.findall(r"\]\((?!http)([^)#]+)\)", text))


def test_tables_are_read_as_they_are_written():
    with Path("docs/questions.tsv").open(encoding="utf-8", newline="") as file:
        assert all(len(row) == 4 for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
