"""The pytest plugin, end to end: what it runs, what it refuses to run, and the evidence that it leaves."""

import json
import os
import platform
import re
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest
import sympy  # noqa: F401  (a run inside a test would import it anew each time)

from dlnotes import check
from dlnotes._site import claim as claim_block
from dlnotes._site import evidence, pages

pytest_plugins = ["pytester"]

INI = """
[pytest]
testpaths = tests
python_files = site/test_*.py
addopts = -p dlnotes._site.pytest_claims -p no:cacheprovider --assert=plain --strict-markers
"""

IMPORTS = """
import numpy as np

from dlnotes import batch_norm
from dlnotes.check import agree, claim, need, same, slip, steps
"""

TOTAL = r'''
def numbers(rng):
    return rng.uniform(1.0, 2.0, size=5)


def total(case):
    # $$ s = \sum_i x_i $$
    return case.sum()


@claim("small-total", cases=numbers)
def by_loop(case, total=total):
    """One number after the other.

    A second paragraph.
    """
    agree(total(case), sum(case.tolist()), tolerance=1e-14)


@claim("small-total")
def in_integers():
    """Gauss."""
    # $$ \sum_{i=1}^n i = \frac{n(n+1)}2 $$
    same(sum(range(101)), 5050)


def all_equal(case):
    """All numbers are one number."""
    return np.full(5, case[0])


@slip("small-total", blind=all_equal)
def first_times_five(case):
    """Take the first for all."""
    return 5 * case[0] if np.ptp(case) == 0 else 10 * case[0]


@slip("small-total")
def each_alone(case):
    """Forget to add."""
    return case


def halves():
    yield 3


def total_and_one(case):
    return np.sum(case) + 1


@steps("small-steps", cases=(numbers, halves), ends_in=total_and_one)
def split(case):
    """Add the halves."""
    # s
    yield np.sum(case)
    half = case / 2
    # = \frac s2 + \frac s2
    yield np.sum(half) + np.sum(half)
    # \le s + 1
    yield np.sum(case) + 1
'''

SMALL = IMPORTS + TOTAL


class Tree:
    """A project of one test file, with the plugin as this project sets it up."""

    def __init__(self, pytester):
        self.pytester = pytester
        pytester.makeini(INI)
        (pytester.path / "tests").mkdir()
        self.test = Path("tests/test_small.py")
        self.evidence = Path("build/evidence/test_small.json")
        self.write(SMALL)

    def write(self, text):
        self.test.write_text(text, encoding="utf-8")

    def add(self, text):
        self.write(self.test.read_text(encoding="utf-8") + "\n\n" + textwrap.dedent(text))

    def swap(self, old, new):
        text = self.test.read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.write(text.replace(old, new))

    def run(self, *arguments, **outcomes):
        result = self.pytester.runpytest_inprocess(*arguments)
        result.assert_outcomes(**outcomes)
        return result.stdout.str()

    def read(self):
        def never(constant):
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(self.evidence.read_text(encoding="utf-8"), parse_constant=never)


@pytest.fixture
def tree(pytester, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("DLNOTES_SITE", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Tree(pytester)


TORCH = """
@claim("small-total", cases=numbers)
def by_torch(case, total=total):
    \"\"\"PyTorch's sum.\"\"\"
    torch = need("torch")
    agree(total(case), torch.tensor(case).sum().numpy())
"""


# --- a run in which all holds ----------------------------------------------------------------------------------------


def test_every_witness_slip_and_derivation_is_a_test(tree):
    report = tree.run("-v", passed=5)
    for name in ("by_loop", "in_integers", "first_times_five[by_loop]", "each_alone[by_loop]", "split"):
        assert f"tests/test_small.py::{name} PASSED" in report


def test_the_evidence_says_what_was_shown_and_nothing_else(tree):
    tree.run(passed=5)
    found = tree.read()
    assert list(found) == ["schema", "module", "inputs", "run", "claims", "steps"]
    assert (found["schema"], found["module"]) == (evidence.SCHEMA, "test_small")
    assert list(found["inputs"]) == ["tests/test_small.py"]  # this tree has no dlnotes of its own
    assert re.fullmatch(r"[0-9a-f]{64}", found["inputs"]["tests/test_small.py"])

    assert list(found["run"]) == ["date", "commit", "versions"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", found["run"]["date"])
    assert isinstance(found["run"]["commit"], str)
    versions = found["run"]["versions"]
    assert list(versions) == ["python", "numpy", "sympy", "torch", "tensorflow"]
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == metadata.version("numpy")

    claim = found["claims"].pop("small-total")
    assert found["claims"] == {}
    assert 0 <= claim["witnesses"]["by_loop"].pop("error") <= 1e-14
    assert 0.01 < claim["slips"]["first_times_five"]["by"]["by_loop"].pop("off_by") < 10
    assert claim == {
        "tex": [r"s=\sum_ix_i", r"\sum_{i=1}^ni=\frac{n(n+1)}2"],
        "witnesses": {
            "by_loop": {
                "says": "One number after the other.\n\nA second paragraph.",
                "node": "tests/test_small.py::by_loop",
                "status": "held",
                "reason": "",
                "kind": "measured",
                "method": "float64",
                "cases": 5,
                "tolerance": 1e-14,
            },
            "in_integers": {
                "says": "Gauss.",
                "node": "tests/test_small.py::in_integers",
                "status": "held",
                "reason": "",
                "kind": "exact",
                "method": "integers",
                "cases": 1,
                "error": None,
                "tolerance": None,
            },
        },
        "slips": {
            "first_times_five": {
                "says": "Take the first for all.",
                "by": {"by_loop": {"status": "rejected"}},
                "blind": "All numbers are one number.",
            },
            "each_alone": {
                "says": "Forget to add.",
                "by": {"by_loop": {"status": "rejected", "off_by": None}},  # the shape is wrong
                "blind": None,
            },
        },
    }
    (steps,) = found["steps"].values()
    errors = [line.pop("error") for line in steps["lines"]]
    assert all(0 <= error <= 1e-12 for error in errors)
    assert found["steps"] == {
        "small-steps": {
            "says": "Add the halves.",
            "node": "tests/test_small.py::split",
            "status": "held",
            "cases": 6,
            "tolerance": 1e-12,
            "ends_in": "total_and_one",
            "tex": ["s", r"\frac s2 + \frac s2", "s + 1"],
            "lines": [
                {"code": "yield np.sum(case)\nhalf = case / 2\nyield np.sum(half) + np.sum(half)"},
                {"code": "yield np.sum(case) + 1"},
            ],
        }
    }


def test_a_slip_meets_every_witness_of_its_claim_that_takes_an_answer(tree):
    tree.add("""
        @claim("small-total", cases=numbers)
        def backwards(case, total=total):
            \"\"\"The last number first.\"\"\"
            agree(total(case), sum(case[::-1].tolist()))


        @claim("small-other", cases=numbers)
        def unrelated(case, total=total):
            \"\"\"Another claim.\"\"\"
            agree(total(case), sum(case.tolist()))
    """)
    tree.run(passed=9)
    claims = tree.read()["claims"]
    for wrong in claims["small-total"]["slips"].values():
        assert [by["status"] for by in wrong["by"].values()] == ["rejected", "rejected"]
        assert list(wrong["by"]) == ["by_loop", "backwards"]
    assert claims["small-other"]["slips"] == {}


def test_claims_run_before_the_tests_of_the_site(tree):
    (tree.pytester.path / "tests/site").mkdir()
    Path("tests/site/test_a.py").write_text(
        "from pathlib import Path\n\n"
        "def test_the_evidence_is_there():\n    assert Path('build/evidence/test_small.json').is_file()\n"
    )
    tree.run("tests/site", "tests/test_small.py", passed=6)


def test_files_of_claims_stand_directly_in_tests(tree):
    (tree.pytester.path / "tests/deep").mkdir()
    for name in ("tests/deep/test_small.py", "tests/small.py"):
        Path(name).write_text("raise RuntimeError\n")
    tree.run(passed=5)


# --- what fails -----------------------------------------------------------------------------------------------------


def test_a_witness_that_does_not_hold_is_red(tree):
    tree.swap("sum(range(101)), 5050", "sum(range(100)), 5050")
    report = tree.run(passed=4, failed=1)
    assert "claim small-total: in_integers: 4950 where 5050 is right" in report
    assert "Traceback" not in report
    witness = tree.read()["claims"]["small-total"]["witnesses"]["in_integers"]
    assert (witness["status"], witness["reason"]) == ("failed", "4950 where 5050 is right")
    assert (witness["kind"], witness["cases"]) == (None, 0)


def test_a_witness_that_breaks_is_red(tree):
    tree.swap("same(sum(range(101)), 5050)", "same(1 // 0, 5050)")
    report = tree.run(passed=4, failed=1)
    assert "claim small-total: in_integers" in report
    assert "ZeroDivisionError" in report
    witness = tree.read()["claims"]["small-total"]["witnesses"]["in_integers"]
    assert witness["status"] == "failed"
    assert re.fullmatch(r"ZeroDivisionError: .* \(line \d+ of in_integers\)", witness["reason"])


@pytest.mark.parametrize("code", ["agree(1.0, 1.0)", "pass", "agree(total(case), sum(case), tolerance=0.1)"])
def test_a_lax_witness_is_red(tree, code):
    tree.swap("agree(total(case), sum(case.tolist()), tolerance=1e-14)", code)
    tree.run("-k", "by_loop and not five and not alone", failed=1, deselected=4)


def test_a_slip_that_passes_is_red(tree):
    tree.swap("    return case\n", "    return case.sum()\n")
    report = tree.run(passed=4, failed=1)
    assert "claim small-total: each_alone: the slip each_alone passes: by_loop accepts it" in report
    by = tree.read()["claims"]["small-total"]["slips"]["each_alone"]["by"]["by_loop"]
    assert (by["status"], by["off_by"]) == ("failed", None)


def test_a_slip_that_is_not_right_where_it_is_blind_is_red(tree):
    tree.swap("np.full(5, case[0])", "case + 1")
    report = tree.run(passed=4, failed=1)
    assert "claim small-total: first_times_five: the slip first_times_five should be right where it is blind" in report


def test_a_derivation_that_does_not_hold_is_red(tree):
    tree.swap("np.sum(half) + np.sum(half)", "np.sum(half) + np.sum(case)")
    report = tree.run(passed=4, failed=1)
    assert "claim small-steps: split: split: line 1 and line 2 disagree: off by 0.33" in report
    steps = tree.read()["steps"]["small-steps"]
    assert steps["status"] == "failed"
    assert steps["reason"].startswith("split: line 1 and line 2 disagree")
    assert [line["error"] for line in steps["lines"]] == [None, None]


def test_a_witness_that_ends_the_process_is_red(tree):
    tree.swap("same(sum(range(101)), 5050)", "raise SystemExit(0)")
    tree.run(passed=4, failed=1)
    assert tree.read()["claims"]["small-total"]["witnesses"]["in_integers"]["status"] == "failed"


def test_a_run_that_is_interrupted_writes_nothing(tree):
    tree.swap("same(sum(range(101)), 5050)", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        tree.run()
    assert not tree.evidence.exists()


def test_a_green_run_after_a_red_one_is_all_green(tree):
    tree.swap("sum(range(101)), 5050", "sum(range(100)), 5050")
    tree.run(passed=4, failed=1)
    tree.swap("sum(range(100)), 5050", "sum(range(101)), 5050")
    tree.run(passed=5)
    assert tree.read()["claims"]["small-total"]["witnesses"]["in_integers"]["reason"] == ""


# --- runs of a part -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        (["-k", "in_integers"], {"passed": 1, "deselected": 4}),
        (["-k", "not split"], {"passed": 4, "deselected": 1}),
        (["tests/test_small.py::by_loop"], {"passed": 1}),
        (["--deselect", "tests/test_small.py::split"], {"passed": 4, "deselected": 1}),
        (["--collect-only"], {}),
        (["-x"], {"passed": 1, "failed": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("older", [None, "an older run\n"])
def test_a_run_of_a_part_leaves_the_evidence_as_it_is(tree, arguments, outcomes, older):
    if "-x" in arguments:
        tree.swap("sum(range(101)), 5050", "sum(range(100)), 5050")
    if older:
        tree.evidence.parent.mkdir(parents=True)
        tree.evidence.write_text(older)
    tree.run(*arguments, **outcomes)
    assert (tree.evidence.read_text() if tree.evidence.exists() else None) == older
    assert list(Path("build").rglob("*.tmp")) == []


def test_one_file_alone_writes_its_own_evidence_only(tree):
    Path("tests/test_large.py").write_text(SMALL.replace("small-", "large-"), encoding="utf-8")
    tree.run("tests/test_large.py", passed=5)
    assert not tree.evidence.exists()
    tree.run(passed=10)
    assert list(tree.read()["claims"]) == ["small-total"]
    assert list(json.loads(Path("build/evidence/test_large.json").read_text())["claims"]) == ["large-total"]


def test_evidence_is_written_whole_or_not_at_all(tree):
    tree.run(passed=5)
    before = tree.evidence.read_text()
    with pytest.raises(TypeError):
        evidence.write(tree.test, {"schema": evidence.SCHEMA, "claims": object()})
    assert tree.evidence.read_text() == before


# --- torch is not there ---------------------------------------------------------------------------------------------


def test_without_torch_its_witnesses_are_skipped_and_shown_as_not_run(tree, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    tree.add(TORCH)
    report = tree.run("-rs", passed=5, skipped=3)  # by_torch, and the two slips through it
    assert "small-total: torch is not installed" in report
    claim = tree.read()["claims"]["small-total"]
    witness = claim["witnesses"]["by_torch"]
    assert (witness["status"], witness["reason"]) == ("not run", "torch is not installed")
    assert (witness["kind"], witness["cases"]) == (None, 0)
    for wrong in claim["slips"].values():
        assert [by["status"] for by in wrong["by"].values()] == ["rejected", "not run"]


def test_without_torch_its_witnesses_fail_where_ci_is_set(tree, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv("CI", "true")
    tree.add(TORCH)
    report = tree.run(passed=5, failed=3)
    assert "claim small-total: by_torch: torch is not installed" in report
    assert tree.read()["claims"]["small-total"]["witnesses"]["by_torch"]["status"] == "not run"


@pytest.mark.parametrize("ci", ["", "true"])
def test_without_tensorflow_its_witnesses_are_skipped_everywhere(tree, monkeypatch, ci):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setenv("CI", ci)
    tree.add(TORCH.replace("torch", "tensorflow"))
    report = tree.run("-rs", passed=5, skipped=3)
    assert "small-total: tensorflow is not installed" in report
    claim = tree.read()["claims"]["small-total"]
    witness = claim["witnesses"]["by_tensorflow"]
    assert (witness["status"], witness["reason"]) == ("not run", "tensorflow is not installed")
    for wrong in claim["slips"].values():
        assert [by["status"] for by in wrong["by"].values()] == ["rejected", "not run"]


@pytest.mark.parametrize(("library", "lacking"), [("torch", 1), ("tensorflow", 0)])
def test_a_complete_site_may_lack_tensorflow_only(tree, monkeypatch, library, lacking):
    monkeypatch.setitem(sys.modules, library, None)
    tree.add(TORCH.replace("torch", library))
    tree.run(passed=5, skipped=3)
    entry = tree.read()["claims"]["small-total"]
    assert claim_block.failures(entry) == []
    monkeypatch.setenv("DLNOTES_SITE", "full")
    assert len(claim_block.failures(entry)) == lacking


def test_nothing_else_may_be_missing(tree, monkeypatch):
    monkeypatch.setitem(sys.modules, "colorama", None)
    tree.add(TORCH.replace('"torch"', '"colorama"'))
    report = tree.run(passed=5, failed=3)
    assert "ModuleNotFoundError" in report
    assert tree.read()["claims"]["small-total"]["witnesses"]["by_torch"]["status"] == "failed"


# --- nothing is skipped by hand, and nothing is hidden ----------------------------------------------------------------


def line_of(tree, text):
    return tree.test.read_text(encoding="utf-8").split(text)[0].count("\n") + 1


@pytest.mark.parametrize(
    "row",
    [
        "import pytest",
        "import numpy, pytest",
        "import pytest as np",
        "from pytest import skip",
        "import unittest",
        "from unittest import SkipTest",
    ],
)
def test_a_test_runner_cannot_be_imported(tree, row):
    tree.add(row)
    name = "unittest" if "unittest" in row else "pytest"
    report = tree.run(errors=1)
    assert f"tests/test_small.py:{line_of(tree, row)}: {name}: a file of claims imports dlnotes.check" in report
    assert not tree.evidence.exists()


def test_a_test_runner_cannot_be_imported_inside_a_function_either(tree):
    tree.swap("    same(sum(range(101))", "    import pytest\n    same(sum(range(101))")
    assert f"tests/test_small.py:{line_of(tree, 'import pytest')}: pytest: " in tree.run(errors=1)


def test_a_function_defined_twice_is_an_error(tree):
    first = line_of(tree, "def in_integers")
    tree.add("""
        @claim("small-total")
        def in_integers():
            \"\"\"Gauss again.\"\"\"
            same(1 + 2 + 3, 6)
    """)
    second = tree.test.read_text(encoding="utf-8").rpartition("def in_integers")[0].count("\n") + 1
    assert f"tests/test_small.py:{second}: in_integers: defined twice, first at line {first}" in tree.run(errors=1)


@pytest.mark.parametrize("decorator", ["skip_by_hand", 'mark.skip(reason="later")', "np.vectorize", "mark.claim('a')"])
@pytest.mark.parametrize("below", [True, False])
def test_a_foreign_decorator_is_an_error(tree, decorator, below):
    own = '@claim("small-total")\n'
    rows = f"{own}@{decorator}\n" if below else f"@{decorator}\n{own}"
    tree.swap(f"{own}def in_integers", f"{rows}def in_integers")
    where = f"tests/test_small.py:{line_of(tree, 'def in_integers')}: in_integers: "
    assert f"{where}only claim, slip and steps decorate here: nothing is skipped" in tree.run(errors=1)


def test_an_id_is_written_out(tree):
    tree.swap('@claim("small-total")\n', '@claim("small-" + "total")\n')
    where = f"tests/test_small.py:{line_of(tree, 'def in_integers')}: in_integers: "
    assert f"{where}the id of claim is written out, as a string" in tree.run(errors=1)


def test_a_derivation_that_is_not_written_as_it_must_be_is_an_error(tree):
    tree.swap("    # s\n", "")
    where = f"tests/test_small.py:{line_of(tree, 'def split')}: small-steps: "
    assert f"{where}split: no TeX above the yield of line 1" in tree.run(errors=1)


def test_two_derivations_with_one_id_are_an_error(tree):
    tree.add("@steps" + TOTAL.rpartition("@steps")[2].replace("def split", "def again"))
    where = f"tests/test_small.py:{line_of(tree, 'def again')}: small-steps: "
    assert f"{where}two derivations with one id" in tree.run(errors=1)


def test_a_slip_that_no_witness_can_reject_is_an_error(tree):
    tree.swap('@slip("small-total")', '@slip("small-products")')
    assert "each_alone: no witness takes an answer" in tree.run(errors=1)


def test_a_wrong_signature_is_an_error(tree):
    tree.swap("def in_integers():", "def in_integers(case):")
    assert "in_integers: takes a case if, and only if, cases= is given" in tree.run(errors=1)
    assert not tree.evidence.exists()


# --- is the evidence still of this code? -----------------------------------------------------------------------------


@pytest.fixture
def checked(tree):
    """A tree with a dlnotes of its own to be fingerprinted, and evidence."""
    for name in ("check", "batch_norm", "unused", "_site/pytest_claims", "_site/evidence", "_site/pages", "_site/page"):
        path = Path(f"dlnotes/{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((Path(__file__).parents[2] / path).read_bytes() if name != "unused" else b"")
    tree.run(passed=5)
    return tree


def test_evidence_speaks_as_long_as_nothing_changed(checked):
    assert evidence.load(checked.test) == checked.read()
    assert {"dlnotes/check.py", "dlnotes/batch_norm.py", "dlnotes/_site/evidence.py"} <= set(checked.read()["inputs"])
    Path("dlnotes/unused.py").write_text("x = 1\n")
    os.utime("dlnotes/check.py", (0, 0))
    assert evidence.load(checked.test) == checked.read()


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_small.py",
        "dlnotes/batch_norm.py",
        "dlnotes/check.py",
        "dlnotes/_site/pytest_claims.py",
        "dlnotes/_site/evidence.py",
        "dlnotes/_site/pages.py",
    ],
)
def test_evidence_is_silent_once_the_code_changed(checked, path):
    before = Path(path).read_text(encoding="utf-8")
    Path(path).write_text(before + "\n", encoding="utf-8")
    assert evidence.load(checked.test) is None
    Path(path).write_text(before, encoding="utf-8")
    assert evidence.load(checked.test) is not None
    Path(path).unlink()
    assert evidence.load(checked.test) is None


def test_evidence_is_silent_once_a_module_that_a_module_imports_changed(checked):
    Path("dlnotes/batch_norm.py").write_text("def later():\n    from dlnotes import unused\n")
    checked.run(passed=5)
    assert evidence.load(checked.test) is not None
    Path("dlnotes/unused.py").write_text("x = 1\n")
    assert evidence.load(checked.test) is None


@pytest.mark.parametrize("spoil", [lambda found: found | {"schema": 0}, lambda found: found | {"inputs": {}}])
def test_evidence_of_another_form_is_silent(checked, spoil):
    checked.evidence.write_text(json.dumps(spoil(checked.read())))
    assert evidence.load(checked.test) is None


def test_evidence_that_is_not_there_or_cut_short_is_silent(checked):
    checked.evidence.write_text(checked.evidence.read_text()[:-20])
    assert evidence.load(checked.test) is None
    checked.evidence.unlink()
    assert evidence.load(checked.test) is None


PAGE = r"""# Sums

/// claim | A sum is a sum
    id: small-total

$$ s = \sum_i x_i \label{total} $$
///

```{.steps #small-steps}
s
= \frac s2
  + \frac s2
\le s + 1
```

/// claim | Not tested
    id: small-untested
///
"""


def records(page=PAGE):
    """The evidence of the claim, of the derivation, and of the claim without a test."""
    Path("docs").mkdir(exist_ok=True)
    Path("docs/small.md").write_text(page, encoding="utf-8")
    (read,) = pages.book().pages
    return [
        evidence.record(block, kind)
        for kind, blocks in (("claims", read.claims[:1]), ("steps", read.steps), ("claims", read.claims[1:]))
        for block in blocks
    ]


def test_the_evidence_of_a_page_is_found(checked):
    claim, steps, untested = records()
    assert claim.entry == checked.read()["claims"]["small-total"]
    assert steps.entry == checked.read()["steps"]["small-steps"]
    assert claim.run == steps.run == checked.read()["run"]
    assert (claim.status, steps.status) == ("held", "held")
    assert untested is None


def test_spaces_of_a_formula_do_not_count(checked):
    claim, steps, _ = records(PAGE.replace(r"s = \sum_i x_i", r"s=\sum_i  x_i").replace(r"\le s + 1", r"\le s+1"))
    assert None not in (claim, steps)


def test_a_claim_without_a_formula_has_evidence(checked):
    assert records(PAGE.replace(r"$$ s = \sum_i x_i \label{total} $$", "In words."))[0] is not None


@pytest.mark.parametrize("other", [r"s = \sum_j x_j", r"s = \sum_i x_i $$ and $$ s = 1"])
def test_a_claim_with_another_formula_has_no_evidence(checked, other):
    claim, steps, _ = records(PAGE.replace(r"s = \sum_i x_i", other))
    assert claim is None
    assert steps is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\ns\n=", "\nt\n="),
        (r"= \frac s2", r"= \frac s3"),
        ("  + \\frac s2\n", ""),
        ("\\le s + 1\n", ""),
        (r"\le s + 1", "\\le s + 1\n= s + 1"),
    ],
)
def test_a_derivation_with_other_lines_has_no_evidence(checked, old, new):
    assert PAGE.count(old) == 1
    claim, steps, _ = records(PAGE.replace(old, new))
    assert claim is not None
    assert steps is None


def test_a_page_has_no_evidence_of_other_code(checked):
    Path("dlnotes/batch_norm.py").write_text("")
    assert records() == [None, None, None]


def test_a_failure_anywhere_in_a_claim_is_its_status(checked):
    checked.swap("    return case\n", "    return case.sum()\n")
    checked.run(passed=4, failed=1)
    claim, steps, _ = records()
    assert (claim.status, steps.status) == ("failed", "held")
    checked.swap("np.sum(half) + np.sum(half)", "np.sum(half) + np.sum(case)")
    checked.run(passed=3, failed=2)
    assert records()[1].status == "failed"


def test_a_claim_of_which_no_witness_ran_is_not_run(checked, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    checked.swap("    same(sum(range(101))", '    need("torch")\n    same(sum(range(101))')
    checked.run(passed=4, skipped=1)
    assert records()[0].status == "held"  # by_loop did run
    checked.swap("    agree(total(case)", '    need("torch")\n    agree(total(case)')
    checked.run(passed=1, skipped=4)
    assert records()[0].status == "not run"


def test_refresh_runs_the_files_whose_evidence_is_silent(checked, monkeypatch, capfd):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    evidence.refresh([checked.test])
    assert capfd.readouterr().out == ""
    checked.add("# a remark")
    evidence.refresh([checked.test])
    assert "5 passed" in capfd.readouterr().out
    assert evidence.load(checked.test) is not None


# --- ways out, all closed ---------------------------------------------------------------------------------------------


ESCAPES = [
    '__import__("pytest").skip("later")',
    '__import__("sys").modules["pytest"].xfail("later")',
    'raise __import__("unittest").SkipTest("later")',
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_witness_that_skips_itself_is_red(tree, escape):
    tree.swap("same(sum(range(101)), 5050)", escape)
    assert "claim small-total: in_integers" in tree.run(passed=4, failed=1)
    assert tree.read()["claims"]["small-total"]["witnesses"]["in_integers"]["status"] == "failed"


@pytest.mark.parametrize("name", ["json", "numpy", "no_such_library"])
def test_a_witness_that_says_that_a_library_is_missing_is_red(tree, monkeypatch, name):
    monkeypatch.setattr(check, "OPTIONAL", (*check.OPTIONAL, "json"))  # one that is there
    tree.swap("same(sum(range(101)), 5050)", f'raise __import__("dlnotes.check").check.NotHere("{name}")')
    assert "only need() may excuse a witness" in tree.run(passed=4, failed=1)
    assert tree.read()["claims"]["small-total"]["witnesses"]["in_integers"]["status"] == "failed"


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_slip_that_skips_itself_is_red(tree, escape):
    tree.swap("    return case\n", f"    {escape}\n")
    assert "claim small-total: each_alone" in tree.run(passed=4, failed=1)
    assert tree.read()["claims"]["small-total"]["slips"]["each_alone"]["by"]["by_loop"]["status"] == "failed"


@pytest.mark.parametrize("escape", ['__import__("pytest").skip("later", allow_module_level=True)', ESCAPES[2]])
def test_a_file_that_skips_itself_is_an_error(tree, escape):
    tree.add(escape)
    tree.run(errors=1)


@pytest.mark.parametrize(
    "row", ["from unittest.case import SkipTest", "import unittest.mock", "from _pytest.outcomes import skip"]
)
def test_a_part_of_a_test_runner_cannot_be_imported_either(tree, row):
    tree.add(row)
    assert f"tests/test_small.py:{line_of(tree, row)}: " in tree.run(errors=1)


@pytest.mark.parametrize("decorator", ['@claim("small-total")', '@slip("small-total")'])
def test_a_claim_or_slip_under_a_condition_is_an_error(tree, decorator):
    tree.add(f"""
        if numbers:
            {decorator}
            def hidden():
                \"\"\"Said in a sentence.\"\"\"
                same(1, 1)
    """)
    assert f"tests/test_small.py:{line_of(tree, 'def hidden')}: " in tree.run(errors=1)


def test_a_derivation_under_a_condition_is_an_error(tree):
    steps = "@steps" + TOTAL.rpartition("@steps")[2].replace("split", "hidden").replace("small-steps", "small-hidden")
    tree.add("if numbers:\n" + textwrap.indent(steps, "    "))
    assert f"tests/test_small.py:{line_of(tree, 'def hidden')}: " in tree.run(errors=1)


def test_a_slip_that_no_witness_can_reject_is_an_error_with_its_line(tree):
    tree.swap('@slip("small-total")', '@slip("small-products")')
    assert f"tests/test_small.py:{line_of(tree, 'def each_alone')}: " in tree.run(errors=1)


def test_the_fields_of_a_slip_are_the_same_when_it_passes(tree):
    tree.swap("    return case\n", "    return case.sum()\n")
    tree.run(passed=4, failed=1)
    for wrong in tree.read()["claims"]["small-total"]["slips"].values():
        assert list(wrong["by"]["by_loop"]) == ["status", "off_by"]


def test_the_evidence_is_json_even_with_an_infinite_tolerance(tree):
    tree.swap("same(sum(range(101)), 5050)", "agree(np.inf, 1.0, tolerance=np.inf)")
    tree.pytester.runpytest_inprocess()
    tree.read()


@pytest.mark.parametrize("row", ["from . import unused", "from .unused import x"])
def test_evidence_is_silent_once_a_module_imported_relatively_changed(checked, row):
    Path("dlnotes/batch_norm.py").write_text(row + "\n")
    checked.run(passed=5)
    Path("dlnotes/unused.py").write_text("x = 1\n")
    assert evidence.load(checked.test) is None


def test_evidence_is_silent_once_a_helper_of_the_tests_changed(checked, monkeypatch):
    monkeypatch.syspath_prepend("tests")
    Path("tests/helper.py").write_text("x = 1\n")
    checked.add("import helper")
    checked.run(passed=5)
    Path("tests/helper.py").write_text("x = 2\n")
    assert evidence.load(checked.test) is None
