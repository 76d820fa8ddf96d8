"""The built site, as a reader's browser meets it."""

import gzip
import html.parser
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe

from dlnotes._site import question

CHAPTER = "chapters/batch_norm/"


def _pages(site):
    return sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))


@pytest.fixture
def open_page(browser, address):
    """open_page(path, **context) -> a page that records its requests and what its console says."""
    contexts = []

    def open_(path, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(
            f"{address}/{path}", wait_until="load"
        )  # on a busy machine the network is idle before the page is read
        page.wait_for_load_state("networkidle")
        return page

    yield open_
    for context in contexts:
        context.close()


def _axe(page, path, **options):
    """What axe finds, in words."""
    # Folds and rows are written by one function each: a few of them speak for all. The inside of a formula is
    # KaTeX's. Code has the theme's colours on every page, and figures ours: one chapter speaks for all.
    page.evaluate("""
        document.querySelectorAll('.dl-ledger tr:nth-child(n + 20)').forEach(row => row.remove());
        const folds = [...document.querySelectorAll('.md-content details')];
        folds.slice(0, 9).forEach(fold => { fold.open = true });
        folds.slice(9).filter(fold => !fold.open).forEach(fold => fold.lastElementChild.remove());
        document.querySelectorAll('.katex-html').forEach(drawn => drawn.replaceChildren());
    """)
    seen_once = [] if path == CHAPTER.strip("/") else [[".highlight"], [".dl-figure svg"]]
    context = {"include": [[".md-content"]], "exclude": [[".katex"], *seen_once]}
    found = Axe().run(page, context=context, options=options | {"resultTypes": ["violations"]}).response["violations"]
    told = [f"{path}: {v['id']}: {node['html'][:160]}" for v in found for node in v["nodes"]]
    return [line for line in told if "md-code__nav" not in line]  # the theme's copy buttons: landmarks of one name


@pytest.fixture(scope="module")
def visit(browser, address):
    """visit(path) -> what the visit met: requests, words of the console, layout shift, the width a phone needs, axe."""
    shifts = """
        window.shift = 0;
        const add = list => list.getEntries().forEach(e => { if (!e.hadRecentInput) window.shift += e.value });
        new PerformanceObserver(add).observe({type: "layout-shift", buffered: true});
    """

    def run(path):
        met = {"requests": [], "console": []}
        context = browser.new_context()
        page = context.new_page()
        page.add_init_script(shifts)
        page.on("request", lambda request: met["requests"].append(request.url))
        page.on("console", lambda m: met["console"].append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: met["console"].append(str(error)))
        page.goto(f"{address}/{path}/".replace("/./", "/"), wait_until="load")
        page.mouse.wheel(0, 10_000)
        page.wait_for_load_state("networkidle")
        met["shift"] = page.evaluate("window.shift")
        page.set_viewport_size({"width": 390, "height": 800})
        met["phone"] = page.evaluate("document.documentElement.scrollWidth")
        page.set_viewport_size({"width": 1280, "height": 720})
        met["axe"] = _axe(page, path)
        context.close()
        return met

    return run


@pytest.fixture(scope="module")
def visits(site, visit):
    return {path: visit(path) for path in _pages(site)}


def test_reading_asks_no_other_host(visits, address):
    for path, visit in visits.items():
        assert [url for url in visit["requests"] if not url.startswith((address, "data:"))] == [], path


def test_the_console_is_silent(visits):
    assert {path: visit["console"] for path, visit in visits.items() if visit["console"]} == {}


def test_a_phone_is_wide_enough(visits):
    assert {path: visit["phone"] for path, visit in visits.items() if visit["phone"] > 390} == {}


def test_no_line_jumps_while_a_page_loads(visits, visit):
    for path, met in visits.items():
        shift = met["shift"]
        for _ in range(3):  # on a busy machine a page may be drawn before its fonts have come
            shift = min(shift, visit(path)["shift"]) if shift > 0.02 else shift
        assert shift <= 0.02, path


def test_a_page_weighs_less_than_300_kb(site, visits, address):
    for path, visit in visits.items():
        files = {urlparse(url).path.lstrip("/") for url in visit["requests"] if url.startswith(address)}
        files = {name for name in files if "search" not in name}  # of the whole book, and fetched beside the page
        paths = [site / name / "index.html" if (site / name).is_dir() else site / name for name in files]
        # woff2 and pictures are compressed already; the rest is as a server sends it.
        packed = (".woff2", ".png")
        weight = sum(
            len(data) if p.suffix in packed else len(gzip.compress(data)) for p in paths if (data := p.read_bytes())
        )
        assert 50_000 < weight < 300_000, path


def test_the_fonts_of_a_page_are_asked_for_and_used(visits, open_page):
    """Asked for in vain, Chromium complains; met without having been asked for, the lines jump."""
    for path in ("chapters/softmax", "errata"):
        page = open_page(f"{path}/")
        asked = set(page.locator("link[rel=preload][as=font]").evaluate_all("all => all.map(link => link.href)"))
        fetched = {url for url in visits[path]["requests"] if url.endswith(".woff2")}
        assert asked == fetched, path
        assert len(asked) > 5, path


def test_axe_finds_nothing_in_what_we_write(visits):
    assert [line for visit in visits.values() for line in visit["axe"]] == []


def test_axe_finds_nothing_in_the_dark(open_page):
    for path in (".", "claims", "graph", "questions", "trust", "benchmarks", "labs/siamese", CHAPTER.strip("/")):
        page = open_page(path, color_scheme="dark")
        assert _axe(page, path, runOnly=["color-contrast"]) == []  # the theme changes colours and nothing else
        page.context.close()


def test_a_chapter_reads_without_javascript(open_page):
    page = open_page(CHAPTER, java_script_enabled=False)
    assert page.locator("h3#batch-norm-input-gradient").is_visible()
    assert page.locator(".dl-claim tex-math .katex-html").first.is_visible()
    step = page.locator("#batch-norm-three-paths details").first
    step.locator("summary").click()
    assert step.locator("code").is_visible()


def test_a_step_opens_by_keyboard(open_page):
    page = open_page(CHAPTER)
    step = page.locator("#batch-norm-three-paths details").nth(1)
    step.locator("summary").focus()
    page.keyboard.press("Enter")
    assert "Agrees with the line above" in step.inner_text()
    assert step.locator(".highlight").is_visible()


def test_the_theme_switches_and_the_figures_follow(open_page):
    page = open_page(CHAPTER, color_scheme="light")
    ink = lambda: page.evaluate("getComputedStyle(document.querySelector('.dl-figure svg')).color")  # noqa: E731
    light = ink()
    page.locator("label[title='Switch to dark']").click()
    page.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
    assert ink() != light


def test_a_chapter_prints_its_verdicts_and_not_its_tests(open_page):
    page = open_page(CHAPTER)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # the theme opens all folds
    page.emulate_media(media="print")
    assert page.locator(".dl-verdict").first.is_visible()
    assert page.locator("#batch-norm-three-paths tex-math").last.is_visible()
    folded = page.locator(".dl-claim .highlight, .dl-step .highlight")
    assert folded.count() > 50
    assert not any(block.is_visible() for block in folded.all())


class _Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ids, self.text, self.skip = [], set(), [], 0

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name)]
        self.skip += tag in ("pre", "code", "script", "style", "tex-math")

    def handle_endtag(self, tag):
        self.skip -= tag in ("pre", "code", "script", "style", "tex-math")

    def handle_data(self, data):
        if not self.skip:
            self.text.append(data)


@pytest.fixture(scope="module")
def parsed(site):
    found = {}
    for path in site.rglob("*.html"):
        found[path] = _Links()
        found[path].feed(path.read_text(encoding="utf-8"))
    return found


def test_every_link_and_asset_leads_somewhere(site, parsed):
    broken = []
    for path, page in parsed.items():
        here = path.relative_to(site).as_posix().removesuffix("index.html")
        for link in page.links:
            target, anchor = urldefrag(urljoin(f"http://site/{here}", link))
            if urlparse(target).netloc != "site":
                continue
            file = site / urlparse(target).path.lstrip("/")
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file() or (anchor and file in parsed and anchor not in parsed[file].ids):
                broken.append(f"{here}: {link}")
    assert broken == []


def test_no_markup_is_left_in_the_text(parsed):
    for path, page in parsed.items():
        text = "".join(page.text)
        left = [mark for mark in ("///", "```", "$$", "{.", r"\eqref", r"\(") if mark in text]
        assert left == [], path


def test_all_questions_are_listed_in_order_and_only_answers_are_linked(site):
    text = (site / "questions/index.html").read_text(encoding="utf-8")
    rows = re.findall(r'<h3 id="([^"]*)"><code>([^<]*)</code> .*?</h3><p>(.*?)</p>', text)
    assert [ident for ident, *_ in rows] == [shown for _, shown, _ in rows]
    assert [ident for ident, *_ in rows] == [row["question"] for row in question.questions()]
    linked = {ident for ident, _, answer in rows if "<a " in answer}
    told = {ident for ident, _, answer in rows if answer.startswith("Not yet answered. ")}
    assert told == {ident for ident, *_ in rows} - linked
    chapter = (site / CHAPTER / "index.html").read_text(encoding="utf-8")
    assert all(f'id="{ident}"' in chapter for ident in linked if ident.startswith("devoir-bn-rnn.I."))


def test_formulas_stand_once_in_the_search_index(site):
    index = (site / "search/search_index.json").read_text(encoding="utf-8")
    assert "batch normalisation" in index.lower()
    assert "\\frac" not in index.replace("\\\\", "\\")


def test_two_builds_are_the_same_to_the_byte(site, tmp_path):
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)], check=True)
    names = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    assert names == {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    differ = [name for name in names if (site / name).read_bytes() != (tmp_path / name).read_bytes()]
    assert [name for name in differ if not name.match("sitemap.xml*")] == []  # it carries the day


def test_sources_of_the_build_are_not_published(site):
    assert list(site.rglob("*.py")) == []
    assert [Path(path) for path in site.rglob("*.tsv")] == []
