"""The recipe for a chapter, followed to the letter in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "benchmarks",
    "dlnotes",
    "docs",
    "tests",
    "mkdocs.yml",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "build/evidence",
    "build/figures",  # not to draw them all again
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    tree = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / part)
    recipe = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = re.findall(r"^`([a-z_/]+\.[a-z]+)`:\n\n(`{3,})\w+\n(.*?)^\2$", recipe, re.S | re.M)
    assert len(files) == 4
    for name, _, text in files:
        (tree / name).write_text(text, encoding="utf-8")
    menu = re.search(r"^```yaml\n(.*?)^```$", recipe, re.S | re.M)[1]
    config = tree / "mkdocs.yml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("  - Chapters:\n", "  - Chapters:\n" + menu), encoding="utf-8")
    return tree


def run(tree, *arguments):
    env = {name: value for name, value in os.environ.items() if name != "DLNOTES_SITE"}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=tree, env=env, capture_output=True, text=True, check=False
    )


def test_the_recipe_gives_a_green_chapter(tree):
    tested = run(tree, "pytest", "-q", "tests/test_parabola.py")
    assert tested.returncode == 0, tested.stdout
    assert "3 passed" in tested.stdout
    built = run(tree, "mkdocs", "build", "--quiet")
    assert built.returncode == 0, built.stderr
    page = (tree / "site/chapters/parabola/index.html").read_text(encoding="utf-8")
    assert 'class="dl-claim held"' in page
    assert "not-run" not in page
    assert "<svg" in page
    assert "parabola-minimiser" in (tree / "site/claims/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("dlnotes/parabola.py", "return -slope", "return slope"),
        ("tests/test_parabola.py", "    yield -case.slope", "    yield case.slope"),
    ],
)
def test_a_break_is_red_and_names_the_claim(tree, file, right, wrong):
    path = tree / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    tested = run(tree, "pytest", "-q", "tests/test_parabola.py")
    path.write_text(text, encoding="utf-8")
    assert tested.returncode == 1
    assert "claim parabola-minimiser" in tested.stdout
