"""Snippets run in the page: a small site, a local copy of Pyodide without NumPy, a real browser."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import markdown
import pytest

from dlnotes._site import run, wheel
from dlnotes._site.page import PageError

PYODIDE = "pyodide@314.0.7"

MKDOCS = """
site_name: Snippets
strict: true
theme: {name: material, font: false, features: [navigation.instant, content.code.copy]}
plugins: []
extra_css: [assets/run.css, assets/print.css]
extra_javascript: [assets/run.js]
markdown_extensions:
  - attr_list
  - pymdownx.highlight: {use_pygments: true}
  - pymdownx.superfences:
      custom_fences: [{name: run, class: run, format: !!python/name:dlnotes._site.run.fence }]
  - dlnotes._site.run: {pyodide: ../pyodide}
"""

SNIPPETS = {
    "prints": 'import sys\nprint("1 < 2 & é")\nprint("careful", file=sys.stderr)\nprint("no newline", end="")',
    "expression": "x = 6\nx * 7",
    "nothing": "None",
    "fails": "def half(n):\n    return n / 0\n\n\nprint('before')\nhalf(1)",
    "fresh": "try:\n    x\nexcept NameError:\n    print('x is unknown here')",
    "endless": "print('begun')\nwhile True:\n    pass",
    "flood": "while True:\n    print(1)",
    "long": "print('y' * 10_000_000)",
    "exits": "import sys\nsys.exit('goodbye')",
    "deep": "f = lambda n: f(n + 1)\nf(0)",
    "package": "import dlnotes\nprint(dlnotes.__doc__)",
    "numpy": "import numpy as np\nprint(np.arange(3))",
    "through": "from dlnotes import check",
}


def fenced(name: str) -> str:
    return f"```{{.run #{name}}}\n{SNIPPETS[name]}\n```\n"


@pytest.fixture(scope="session")
def pyodide() -> Path:
    """A folder with Pyodide: DLNOTES_PYODIDE_DIR, or the npm package, fetched once into .cache/."""
    if given := os.environ.get("DLNOTES_PYODIDE_DIR"):
        return Path(given).resolve()
    folder = Path(".cache", PYODIDE.replace("@", "-")).resolve()
    if not folder.exists():
        missing = None
        try:
            folder.parent.mkdir(exist_ok=True)
            subprocess.run(["npm", "pack", "--silent", PYODIDE], cwd=folder.parent, check=True, capture_output=True)
        except FileNotFoundError:
            missing = f"no npm found to fetch {PYODIDE} (install npm, or set DLNOTES_PYODIDE_DIR to an unpacked copy)"
        except subprocess.CalledProcessError as error:
            missing = f"npm could not fetch {PYODIDE}: {error.stderr.decode().strip()[:200]}"
        if missing:
            pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
        archive = folder.with_suffix(".7.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder.with_suffix(".part"), filter="data")
        archive.unlink()
        (folder.with_suffix(".part") / "package").rename(folder)
        folder.with_suffix(".part").rmdir()
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A copy of the package with pages of its own: what README and LICENSE say does not matter here."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree("dlnotes", root / "dlnotes", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "docs" / "assets").mkdir(parents=True)
    (root / "docs" / "deep" / "down").mkdir(parents=True)
    shutil.copy("pyproject.toml", root)
    for asset in ["run.js", "run-worker.js", "run.css", "print.css"]:
        shutil.copy(Path("docs", "assets", asset), root / "docs" / "assets")
    (root / "README.md").write_text("# A copy\n")
    (root / "LICENSE").write_text("Any.\n")
    index = "# Snippets\n\n[To the other page](deep/down/other.md)\n\n" + "\n".join(map(fenced, SNIPPETS))
    (root / "docs" / "index.md").write_text(index)
    other = "# Other page\n\n[Back home](../../index.md)\n\n" + fenced("package") + fenced("endless")
    (root / "docs" / "deep" / "down" / "other.md").write_text(other)
    return root


@pytest.fixture(scope="session")
def home(project, pyodide, serve) -> str:
    """The address of the built site, under a prefix, as on a host of project pages."""
    address = serve(project) + "/site/"
    (project / "mkdocs.yml").write_text(f"site_url: {address}\n{MKDOCS}")  # instant navigation goes by the site map
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet"], cwd=project, check=True)
    (project / "site" / "pyodide").symlink_to(pyodide)
    return address


@pytest.fixture
def page(browser, home):
    context = browser.new_context()
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.asked = []
    context.on("request", lambda request: page.asked.append(request.url))
    page.goto(home)
    yield page
    context.close()


@pytest.fixture(scope="module")
def one_page(browser, home):
    page = browser.new_page()
    page.goto(home)
    yield page
    page.close()


@pytest.fixture
def shared(one_page):
    """A page that other tests used too, as Python takes seconds to load: each snippet is reset."""
    one_page.evaluate("document.querySelectorAll('.dl-run__button:nth-of-type(4)').forEach(reset => reset.click())")
    return one_page


class Snippet:
    def __init__(self, page, name):
        self.box = page.locator(f"#{name}")
        self.output = self.box.locator(".dl-run__output")
        self.words = self.box.get_by_role("status")
        self.area = self.box.get_by_role("textbox")

    def button(self, name):
        return self.box.get_by_role("button", name=name, exact=True)

    def run(self, until=r"^(Done|Ended)"):
        self.button("Run").click()
        self.wait(until)
        return self

    def wait(self, until):
        from playwright.sync_api import expect

        expect(self.words).to_have_text(re.compile(until), timeout=15_000)

    def printed(self) -> str:
        return self.output.text_content() if self.output.count() else ""


def wait_for_no_worker(page):
    """The browser tells the end of a worker a moment after it."""
    for _ in range(40):
        if not page.workers:
            return
        page.wait_for_timeout(50)
    pytest.fail("the worker is still there")


def test_nothing_is_fetched_before_the_first_run(page, home):
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    assert page.workers == []
    before = " ".join(page.asked)
    assert "run.js" in before
    assert not re.search(r"pyodide|run-worker|\.whl", before)

    Snippet(page, "expression").run()
    after = " ".join(page.asked)
    assert "run-worker.js" in after
    assert "pyodide.asm.wasm" in after
    assert not re.search(r"numpy|\.whl", after), "a snippet that imports neither fetches neither"
    assert all(url.startswith(home) for url in page.asked), "another host was asked"


@pytest.mark.parametrize(
    ("name", "printed", "words"),
    [
        ("prints", "1 < 2 & é\ncareful\nno newline", "Done"),
        ("expression", "42\n", "Done"),
        ("nothing", "", "Done"),
        ("exits", "SystemExit: goodbye\n", "Ended with an error"),
        ("package", "Closed forms of deep learning, each proved or measured by a test that ran.\n", "Done"),
    ],
)
def test_what_a_snippet_prints(shared, name, printed, words):
    snippet = Snippet(shared, name).run()
    text = snippet.printed()
    assert text == printed if name != "exits" else text.endswith(printed)
    assert words in snippet.words.text_content()


def test_stderr_is_set_apart(shared):
    assert Snippet(shared, "prints").run().output.locator(".dl-run__error").text_content() == "careful\n"


def test_a_traceback_shows_the_lines_of_the_snippet_and_no_others(shared):
    text = Snippet(shared, "fails").run().printed()
    assert text.startswith("before\nTraceback (most recent call last):\n")
    assert re.findall(r'File "(.+)", line (\d+)', text) == [("snippet", "6"), ("snippet", "2")]
    assert "    half(1)" in text
    assert text.endswith("ZeroDivisionError: division by zero\n")


def test_snippets_share_no_variables(shared):
    Snippet(shared, "expression").run()
    assert Snippet(shared, "fresh").run().printed() == "x is unknown here\n"


def test_too_deep_a_recursion_is_told(shared):
    assert "RecursionError: maximum recursion depth exceeded" in Snippet(shared, "deep").run().printed()


def test_a_long_line_is_cut(shared):
    text = Snippet(shared, "long").run().printed()
    assert 100_000 < len(text) < 100_100
    assert "[Output cut after 100 kB.]" in text


def test_numpy_that_cannot_be_had_is_told_in_words(shared):
    for name in ["numpy", "through"]:
        snippet = Snippet(shared, name).run(until="Could not load")
        words = snippet.words.text_content()
        assert "Could not load NumPy from http://127.0.0.1" in words
        assert "Check the connection, then press Run again." in words
    assert Snippet(shared, "expression").run().printed() == "42\n"


def test_edit_run_and_reset(shared):
    snippet = Snippet(shared, "expression")
    height = shared.evaluate("document.body.scrollHeight")
    snippet.button("Edit").click()
    assert snippet.area.input_value() == "x = 6\nx * 7"
    assert shared.evaluate("document.body.scrollHeight") == height, "Edit moves what stands below"
    snippet.area.fill("x = 6\n'edited'")
    assert snippet.run().printed() == "'edited'\n"
    snippet.button("Reset").click()
    assert snippet.area.count() == 0
    assert snippet.printed() == ""
    assert snippet.box.locator("code").is_visible()
    assert snippet.box.locator("code").inner_text() == "x = 6\nx * 7\n"
    assert snippet.run().printed() == "42\n"


def test_all_by_keyboard(shared):
    snippet, keys = Snippet(shared, "expression"), shared.keyboard

    def focus():
        return shared.evaluate("document.activeElement.textContent || document.activeElement.tagName")

    shared.locator("#prints").get_by_role("button", name="Reset").focus()
    keys.press("Tab")  # the theme's own copy button
    keys.press("Tab")
    assert snippet.button("Run").evaluate("button => button === document.activeElement")
    outline = snippet.button("Run").evaluate("button => getComputedStyle(button).outlineStyle")
    assert outline == "solid", "the focus cannot be seen"
    keys.press("Enter")
    snippet.wait("Done")
    assert focus() == "Run", "running takes the focus away"

    keys.press("Tab")
    keys.press("Tab")
    keys.press("Enter")
    assert focus().startswith("TEXTAREA")
    keys.press("Control+a")
    keys.type("if True:\n")
    keys.press("Tab")
    keys.type("print('typed')")
    assert snippet.area.input_value() == "if True:\n    print('typed')"
    keys.press("Control+Enter")
    snippet.wait("Done")
    assert snippet.printed() == "typed\n"
    assert focus().startswith("TEXTAREA")

    keys.press("Escape")
    keys.press("Tab")
    assert focus() != "TEXTAREA", "the keyboard is trapped"
    assert snippet.area.input_value() == "if True:\n    print('typed')"


def test_axe_finds_nothing_in_what_the_script_adds(shared):
    from axe_playwright_python.sync_playwright import Axe

    Snippet(shared, "fails").run()
    Snippet(shared, "expression").button("Edit").click()
    added = [[".dl-run__bar"], [".dl-run__output"], [".dl-run__area"]]
    violations = Axe().run(shared, context={"include": added}).response["violations"]
    assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []


def test_print_shows_the_code_and_the_output_without_the_buttons(shared):
    snippet = Snippet(shared, "expression").run()
    shared.emulate_media(media="print")
    try:
        assert snippet.box.locator("code").first.is_visible()
        assert snippet.output.is_visible()
        assert not snippet.button("Run").is_visible()
    finally:
        shared.emulate_media(media="screen")


def test_stop_ends_an_endless_loop_at_once_and_the_next_snippet_runs(shared):
    endless, other = Snippet(shared, "endless").run(until="Running"), Snippet(shared, "expression")
    other.run(until="Waiting")
    begun = time.monotonic()
    endless.button("Stop").click()
    endless.wait("Stopped")
    assert time.monotonic() - begun < 1
    assert endless.printed() == "begun\n"
    other.wait("Done")
    assert other.printed() == "42\n"


def test_a_flood_of_output_is_cut_and_the_page_answers(shared):
    flood = Snippet(shared, "flood").run(until="Running")
    flood.output.get_by_text("[Output cut after 100 kB.]").wait_for()
    begun = time.monotonic()
    flood.button("Stop").click()
    flood.wait("Stopped")
    assert time.monotonic() - begun < 1
    assert len(flood.printed()) < 100_100


def test_a_failed_load_is_told_in_words_and_run_can_be_tried_again(page, project, pyodide):
    built = project / "site"
    snippet = Snippet(page, "package")
    (built / "pyodide").unlink()
    try:
        snippet.run(until="Could not load Python from http")
    finally:
        (built / "pyodide").symlink_to(pyodide)
    wait_for_no_worker(page)
    whl = built / "assets" / "wheel" / "dlnotes.whl"
    whl.rename(whl.with_suffix(".gone"))
    try:
        snippet.run(until=r"Could not load dlnotes from http.*dlnotes\.whl.*404")
    finally:
        whl.with_suffix(".gone").rename(whl)
    assert snippet.run().printed().startswith("Closed forms")


def test_a_worker_that_cannot_start_is_told_in_words(browser, home, project):
    for address in [home, (project / "site" / "index.html").as_uri()]:
        page = browser.new_page()
        page.route("**/run-worker.js", lambda route: route.fulfill(status=404))
        page.goto(address)
        Snippet(page, "expression").run(until=r"Could not start Python \(.+\)\. Open this page from its site")
        page.close()


def test_instant_navigation_keeps_the_snippets_alive(page, home):
    page.goto(home + "deep/down/other/")
    page.evaluate("window.stays = true")
    Snippet(page, "endless").run(until="Running")
    page.get_by_role("link", name="Back home").click()
    page.get_by_role("heading", name="Snippets").wait_for()
    assert page.evaluate("window.stays"), "the page was loaded anew: this test shows nothing"
    wait_for_no_worker(page)
    assert Snippet(page, "package").run().printed().startswith("Closed forms"), "the wheel, at another depth"
    page.get_by_role("link", name="To the other page").click()
    page.get_by_role("heading", name="Other page").wait_for()
    assert page.evaluate("window.stays")
    assert Snippet(page, "package").run().printed().startswith("Closed forms")
    assert page.locator("#package").get_by_role("button", name="Run").count() == 1


def test_without_javascript_the_code_is_there_and_no_button(browser, home):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home)
    assert page.locator("#fails code").inner_text().strip() == SNIPPETS["fails"]
    assert page.locator("#fails code .k").count(), "not highlighted"
    assert page.locator(".dl-run button").count() == 0
    assert not page.locator(".dl-run__bar").first.is_visible()
    context.close()


def test_the_buttons_move_nothing(browser, home):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        "new PerformanceObserver(list => window.shifts = (window.shifts ?? 0) + list.getEntries().length)"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.route("**/run.js", lambda route: (time.sleep(0.5), route.continue_()))  # late: the page is painted before
    page.goto(home)
    page.locator("#prints").get_by_role("button", name="Run").wait_for()
    page.wait_for_timeout(300)
    assert not page.evaluate("window.shifts")
    context.close()


# The fence: what it writes, and every way it must fail.


def convert(text: str, **config) -> str:
    fences = [{"name": "run", "class": "run", "format": run.fence}]
    return markdown.Markdown(
        extensions=["attr_list", "pymdownx.highlight", "pymdownx.superfences", "dlnotes._site.run"],
        extension_configs={"pymdownx.superfences": {"custom_fences": fences}, "dlnotes._site.run": config},
    ).convert(text)


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.delenv("DLNOTES_SITE", raising=False)
    return project


def test_the_fence_carries_both_addresses(here):
    assert 'data-pyodide="https://cdn.jsdelivr.net/pyodide/v314.0.7/full/"' in convert("```{.run}\n1 + 1\n```")
    text = convert("```{.run #one}\nfrom dlnotes import check\n```", pyodide="/copy")
    assert '<div class="dl-run" id="one" data-pyodide="/copy/" data-wheel="wheel/dlnotes.whl?' in text


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\n```{.run timeout=3}\n1\n```", 2, "takes an #id and nothing else, not 'timeout'"),
        ("\n```{.run .numpy}\n1\n```", 2, "takes an #id and nothing else, not 'numpy'"),
        ("\n```run timeout=3\n1\n```", 2, "its first line cannot be read: ```run timeout=3"),
        ("\n```{.run}\n1\n", 2, "this fence is not closed"),
        ("\n```{.run}\n\n```", 2, "the snippet is empty"),
        ("```{.run #bad}\na = 1\nb = = 2\n```", 3, "snippet bad: Python cannot read 'b = = 2': invalid syntax"),
        ("```{.run}\nfor x in y:\n```", 2, "Python cannot read 'for x in y:'"),
    ],
)
def test_a_wrong_fence_is_told_with_its_line(here, monkeypatch, text, line, words):
    with pytest.raises(PageError) as told:
        convert(text)
    assert str(told.value).startswith(f"page:{line}: ")
    assert words in str(told.value)
    monkeypatch.setenv("DLNOTES_SITE", "serve")
    assert '<pre class="dl-error" role="alert">' in convert(text)


def test_a_wheel_that_cannot_be_built_is_told_where_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "dl-run" in convert("```{.run}\n1 + 1\n```")
    with pytest.raises(PageError, match="the wheel cannot be built"):
        convert("```{.run}\nimport dlnotes\n```")


# The wheel.


def test_the_wheel_is_the_same_to_the_byte_and_is_written_only_when_it_changed(here):
    target = wheel.build()
    assert target == Path("docs/assets/wheel/dlnotes.whl")
    first, written = target.read_bytes(), target.stat().st_mtime_ns
    os.utime("dlnotes/__init__.py")
    wheel.build()
    assert target.stat().st_mtime_ns == written
    target.unlink()
    assert wheel.build().read_bytes() == first
    with zipfile.ZipFile(target) as packed:
        names = packed.namelist()
    assert "dlnotes/check.py" in names
    assert not [name for name in names if "_site" in name]
    assert os.listdir(target.parent) == ["dlnotes.whl"]


def test_a_changed_formula_is_in_the_wheel_of_the_next_page(here):
    snippet = "```{.run}\nimport dlnotes\n```"
    before = convert(snippet)
    formula = Path("dlnotes/new_formula.py")
    formula.write_text("x = 1\n")
    try:
        assert convert(snippet) != before
    finally:
        formula.unlink()
    assert convert(snippet) == before
