"""`make serve`: what is kept between two builds is what a new build would give, and claims are checked beside it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from material.plugins.search.plugin import SearchIndex
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.structure.pages import Page
from test_blocks import MKDOCS, OTHERS, PYPROJECT, ROOT, SMALL, book, boxes, change, marks, run, tested  # noqa: F401

from dlnotes._site import evidence, serve

NAMES = ("maths", "claim", "quote", "figure", "question", "ledger")
OTHER = Path("docs/chapters/other.md")


@pytest.fixture
def served(book, monkeypatch):  # noqa: F811
    """A book of two chapters, built as under `make serve`. It counts which pages are converted."""
    for name in OTHERS:
        Path(f"docs/chapters/{name}.md").unlink()
        Path(f"tests/test_{name}.py").unlink()
    OTHER.write_text("# Another\n\nIt shows nothing of others.\n", encoding="utf-8")
    theme = "theme: {name: material, font: false}\nplugins: [search]\n"
    config = MKDOCS.replace("theme: {name: mkdocs}\nplugins: []\n", theme)
    Path("mkdocs.yml").write_text(config + "".join(f"  - dlnotes._site.{name}\n" for name in NAMES), encoding="utf-8")
    monkeypatch.setenv("DLNOTES_SITE", "serve")
    render, converted = Page.render, []

    def count(self, config, files):
        converted.append(self.file.src_uri)
        render(self, config, files)

    monkeypatch.setattr(Page, "render", count)
    monkeypatch.setattr(SearchIndex, "add_entry_from_context", SearchIndex.add_entry_from_context)
    return converted


def built(name):
    """Every file of a build, by its name."""
    folder = Path(name).resolve()
    build(load_config("mkdocs.yml", site_dir=str(folder)))
    kept = {path for path in folder.rglob("*") if path.suffix in (".html", ".json")}
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in kept}


def test_nothing_is_converted_again_when_nothing_changed(served):
    serve.keep_pages()
    first = built("site")
    assert "chapters/small.md" in served
    served.clear()
    assert built("site") == first
    assert served == []


def test_a_save_converts_its_page_and_those_that_show_others(served):
    serve.keep_pages()
    built("site")
    served.clear()
    change(SMALL, "", "\nOne more sentence.\n")
    assert "One more sentence." in built("site")["chapters/small/index.html"]
    assert "chapters/small.md" in served
    assert "claims.md" in served
    assert "chapters/other.md" not in served
    assert "figures.md" not in served


CHANGES = {
    "the text of a page": (SMALL, "Add.", "Add up."),
    "a title that others show": (SMALL, "The total is a sum", "The total is what it is"),
    "an id": (SMALL, "id: small-total", "id: small-totals"),
    "a formula of a test": ("tests/test_small.py", "a + b $$", "a + c $$"),
    "a remark in a test": ("tests/test_small.py", "", "# A remark.\n"),
    "a quoted function": ("dlnotes/small.py", "return pair[0] + pair[1]\n", "return pair[1] + pair[0]\n"),
    "a figure": ("docs/figures/small.py", "[0, 1]", "[0, 2]"),
    "the words of a question": ("docs/questions.tsv", "Subtract", "Take away"),
    "another page's question": (OTHER, "", "\n/// question | small.1\n\nToo.\n///\n"),
    "the evidence": ("build/evidence/test_small.json", '"held"', '"failed"'),
    "a broken formula": (SMALL, "a b + b^2", "a b + \\foo"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_kept_is_what_a_new_build_gives(served, monkeypatch, what):
    convert, index = Page.render, SearchIndex.add_entry_from_context
    serve.keep_pages()
    before = built("site")
    change(*CHANGES[what])
    after = built("site")
    monkeypatch.setattr(Page, "render", convert)
    monkeypatch.setattr(SearchIndex, "add_entry_from_context", index)
    assert after == built("new")
    if what not in ("a remark in a test", "a quoted function"):
        return
    assert "held" in marks(before["chapters/small/index.html"])
    assert set(marks(after["chapters/small/index.html"])) == {"not run"}


def test_a_stale_file_of_claims_is_run_once_for_each_state_of_the_code(served, capsys):
    tried = {}
    assert not serve.check_next(tried)
    change("dlnotes/small.py", "", "\n# Another.\n")
    assert serve.check_next(tried)
    assert "Checked tests/test_small.py: 4 passed" in capsys.readouterr().out
    assert evidence.load(Path("tests/test_small.py")) is not None
    assert not serve.check_next(tried)
    change("tests/test_small.py", "", "\nno Python\n")
    assert serve.check_next(tried)
    assert evidence.load(Path("tests/test_small.py")) is None
    assert not serve.check_next(tried)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait(what, seconds=60):
    """What `what` gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    pytest.fail(f"not seen within {seconds} s")


def test_grey_turns_green_and_a_break_turns_red(served):
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, name)
    packed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    Path("pyproject.toml").write_text(packed.partition("[tool.pytest")[0] + PYPROJECT, encoding="utf-8")
    shutil.rmtree("build/evidence")
    port = free_port()

    def page():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/chapters/small/", timeout=30) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    command = [sys.executable, "-m", "dlnotes._site.serve", f"127.0.0.1:{port}"]
    with open("serve.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    try:
        wait(page)
        wait(lambda: marks(page()) == ["held", "held", "held", "rejected", "held"])
        change("dlnotes/small.py", "pair[0] + pair[1]\n", "pair[0] - pair[1]\n")
        wait(lambda: any("small-total: by_hand: failed" in box for box in boxes(page())))
        change("dlnotes/small.py", "pair[0] - pair[1]\n", "pair[0] + pair[1]\n")
        wait(lambda: "failed" not in marks(page()) and not boxes(page()))
    finally:
        server.terminate()
        server.wait()
        print(Path("serve.log").read_text(encoding="utf-8"))
