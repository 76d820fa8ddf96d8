"""Paper: a chapter printed from the browser, and the whole book as one PDF."""

import re
from collections import Counter
from pathlib import Path

import pytest
from pypdf import PdfReader

from dlnotes._site import pdf

CHAPTER = "chapters/batch_norm/"
A4 = (595, 842)
SIDES = 16 / 25.4 * 72  # the margins of print.css, in points


@pytest.fixture(scope="module")
def book(site):
    return pdf.combined(site, pdf.menu(), made="1 May 2026, commit abc1234")


@pytest.fixture(scope="module")
def paper(browser, address):
    """A chapter as it is when the browser is about to print it."""
    context = browser.new_context(color_scheme="dark", viewport={"width": 673, "height": 1000})  # A4 less its margins
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}", wait_until="networkidle")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # the theme opens all folds
    page.emulate_media(media="print")
    yield page
    context.close()


def _style(page, selector, name):
    """What all elements have for this property."""
    script = "([s, n]) => [...document.querySelectorAll(s)].map(e => getComputedStyle(e)[n])"
    return set(page.evaluate(script, [selector, name]))


@pytest.mark.parametrize("shown", [".dl-verdict", ".dl-step summary tex-math", ".dl-figure svg", ".dl-quote pre"])
def test_paper_shows(paper, shown):
    assert paper.locator(shown).first.is_visible()


@pytest.mark.parametrize(
    "hidden",
    [
        ".dl-claim details",
        ".dl-step .highlight",
        ".dl-solution",
        ".dl-run__bar",
        ".dl-run__button",
        ".md-code__nav",
        ".md-header",
        ".md-sidebar",
        ".md-footer",
        ".headerlink",
    ],
)
def test_paper_hides(paper, hidden):
    found = paper.locator(hidden)
    assert found.count() > 0
    assert [element for element in found.all() if element.is_visible()] == []


def test_no_solution_is_printed_where_no_script_hides_it(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}")
    page.emulate_media(media="print")
    shown = [fold.is_visible() for fold in page.locator(".dl-solution").all()]
    context.close()
    assert shown
    assert not any(shown)


def test_nothing_is_cut_at_a_page_break_that_could_stand_whole(paper):
    for whole in (".dl-claim", ".dl-steps", ".dl-figure", "tex-math.display", ".md-content tr"):
        assert _style(paper, whole, "breakInside") == {"avoid"}, whole
    for before in (".md-content h1", ".md-content h2", ".md-content h3", ".dl-quote-name"):
        assert _style(paper, before, "breakAfter") == {"avoid"}, before


def test_paper_is_white_whatever_the_screen(paper):
    assert paper.evaluate("document.body.dataset.mdColorScheme") == "slate"
    assert _style(paper, ".dl-verdict.held", "color") <= {"rgb(27, 127, 59)"}
    assert _style(paper, ".dl-figure svg", "color") == {"rgba(0, 0, 0, 0.87)"}


@pytest.mark.parametrize(
    "path", [CHAPTER, "chapters/convolution/", "claims/", "questions/", "graph/", "errata/", "notation/"]
)
def test_nothing_is_wider_than_the_paper(browser, address, path):
    page = browser.new_page(viewport={"width": 673, "height": 1000})
    page.goto(f"{address}/{path}", wait_until="networkidle")
    page.emulate_media(media="print")
    wide = page.evaluate(
        """() => [...document.querySelectorAll(".md-content :is(table, td, th, pre, svg, .katex-base, img, h3)")]
            .filter(e => e.checkVisibility() && !e.closest("svg svg, .katex-mathml"))
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.tagName + " " + e.textContent.trim().slice(0, 60))"""
    )
    page.close()
    assert wide == []


def test_no_word_is_broken_or_cut_in_the_head_of_the_ledger(browser, address):
    page = browser.new_page(viewport={"width": 673, "height": 1000}, java_script_enabled=False)
    page.goto(f"{address}/claims/")
    page.emulate_media(media="print")
    heads = page.evaluate(
        """() => [...document.querySelectorAll(".dl-ledger th")].filter(e => e.checkVisibility())
            .map(e => [e.textContent, getComputedStyle(e).overflowWrap, e.scrollWidth <= e.clientWidth])"""
    )
    page.close()
    assert len(heads) == 8
    assert [head for head in heads if head[1:] != ["normal", True]] == []


# --- the book ---------------------------------------------------------------------------------------------------------


def test_the_pages_stand_in_the_order_of_the_menu():
    urls = [page.url for page in pdf.menu()]
    chapters = {f"chapters/{path.stem}/" for path in Path("docs/chapters").glob("*.md")}
    assert urls[0] == ""
    assert set(urls[1 : 1 + len(chapters)]) == chapters
    labs = [place for place, url in enumerate(urls) if url.startswith("labs/")]
    assert labs == list(range(1 + len(chapters), 1 + len(chapters) + len(labs)))
    assert {"claims/", "errata/"} <= set(urls[labs[-1] + 1 :])


def test_a_menu_with_an_index_inside_a_part():
    nav = [{"Home": "index.md"}, {"Labs": [{"All": "labs/index.md"}, {"One": "labs/one.py"}]}]
    assert list(pdf.pages(nav)) == [pdf.Page("", ""), pdf.Page("Labs", "labs/"), pdf.Page("Labs", "labs/one/")]


def test_the_title_says_the_day_and_the_commit(book):
    title = re.search(r'<section class="dl-book-title">(.*?)</section>', book, re.S)[1]
    assert "1 May 2026, commit abc1234" in title
    assert re.fullmatch(r"\d\d \w+ \d{4}(, commit [0-9a-f]{7,}(, with changes that are not committed)?)?", pdf.stamp())


def test_the_contents_link_to_every_page_in_order(book):
    contents = re.search(r'<nav class="dl-book-contents">(.*?)</nav>', book, re.S)[1]
    linked = re.findall(r'<a href="#([^"]*)">[^<]+ <span class="dl-book-number">000</span></a>', contents)
    assert linked == [page.key for page in pdf.menu()]
    assert re.findall(r'<section class="dl-book-page" id="([^"]*)"', book) == linked
    assert re.findall(r'dl-book-part">([^<]*)<', contents) == ["Chapters", "Labs", "Reference"]


def _tags(book):
    return "\n".join(pdf._TAG.findall(book))


def test_ids_are_unique(book):
    twice = [ident for ident, count in Counter(re.findall(r'\sid="([^"]*)"', _tags(book))).items() if count > 1]
    assert twice == []


def test_every_link_inside_the_book_leads_somewhere_and_no_other_leaves_it(book):
    tags = _tags(book)
    ids = set(re.findall(r'\sid="([^"]*)"', tags))
    links = re.findall(r'\s(?:xlink:)?href="([^"]*)"', tags) + re.findall(r"url\((#[^)]*)\)", tags)
    inside = {link for link in links if link.startswith("#")}
    assert sum("--" in link for link in inside) > 500
    assert {link for link in inside if link[1:] not in ids} == set()
    assert [x for x in links if not x.startswith(("#", "https://", "http://", "/assets/"))] == []


def test_claims_keep_their_verdicts_and_lose_their_folds(site, book):
    pages = [(site / page.url / "index.html").read_text(encoding="utf-8") for page in pdf.menu()]
    verdicts = sum(text.count('<p class="dl-verdict') for text in pages)
    assert book.count('<p class="dl-verdict') == verdicts > 100
    assert "<summary>How it is checked" not in book
    assert book.count('<section class="dl-claim') == sum(text.count('<section class="dl-claim') for text in pages)


@pytest.fixture(scope="module")
def small(site):
    """A book of three pages whose contents take two sheets."""
    some = [page for page in pdf.menu() if page.url in ("", CHAPTER, "labs/siamese/")]
    tall = "<style>.dl-book-contents li { height: 150mm }</style></head>"
    return some, pdf.combined(site, some, made="1 May 2026").replace("</head>", tall)


@pytest.fixture(scope="module")
def printed(browser, site, small, tmp_path_factory):
    target = tmp_path_factory.mktemp("print") / "book.pdf"
    pdf.print_(browser, site, small[1], target, foot="dlnotes")
    return target


def test_a_small_book_is_printed_with_its_outline_and_links(small, printed):
    some, html = small
    data = printed.read_bytes()  # Chromium packs what is drawn, and leaves the rest readable
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)
    assert [round(float(side)) for side in box.groups()] == list(A4)
    headings = len(re.findall(r"<h[1-6]\b", html))
    assert PdfReader(printed).root_object["/Outlines"]["/Count"] == headings
    led_to = set(re.findall(rb"/Dest /(\S+)", data))
    known = set(re.findall(rb"/(\S+) \[\d+ 0 R /XYZ", data))  # hidden elements are not among them
    assert {page.key.encode() for page in some} < led_to <= known
    assert b"chapters-batch_norm--the-missing-square" in led_to
    left = [float(x) for x in re.findall(rb"/Subtype /Link\s.*?/Rect \[([\d.]+)", data, re.S)]
    assert min(left) >= SIDES - 1


def test_the_contents_say_the_page_that_the_foot_of_each_beginning_shows(small, printed):
    """Read as a reader does: what a sheet begins with, and the number at its foot."""
    some, html = small
    sheets = [sheet.extract_text().split("\n") for sheet in PdfReader(printed).pages]
    begins = {}
    for lines in sheets:
        foot = re.fullmatch(rf"dlnotes (\d+) / {len(sheets)}", lines[-1].strip())
        begins[lines[0].strip()] = int(foot[1])
    headings = re.findall(r'dl-book-page"[^>]*>.*?<h1\b[^>]*>([^<]*)', html, re.S)
    assert len(headings) == len(some)
    contents = " ".join(" ".join(lines[:-1]) for lines in sheets[1 : begins["dlnotes"] - 1])
    said = [int(number) for number in re.findall(r"\b\d+\b", contents)]
    assert said == [begins[heading.strip()] for heading in headings]
    assert said == sorted(set(said))
    assert said[0] == 4  # behind the title and two sheets of contents


def test_the_contents_keep_their_links_and_tags(small, printed):
    some, _ = small
    reader = PdfReader(printed)
    root = reader.root_object
    assert root["/MarkInfo"]["/Marked"]
    spoken = root["/StructTreeRoot"]["/ParentTree"]["/Nums"]  # a sheet's number, what its marks stand for, and so on
    spoken = dict(zip(spoken[::2], spoken[1::2], strict=True))
    front = reader.pages[:3]
    links = [note.get_object()["/Dest"] for sheet in front for note in sheet.get("/Annots", [])]
    assert links == [f"/{page.key}" for page in some]
    for sheet in front:
        marks = [int(mark) for mark in re.findall(rb"/MCID (\d+)", sheet.get_contents().get_data())]
        assert sorted(marks) == list(range(len(spoken[sheet["/StructParents"]].get_object())))
        assert marks


def test_the_numbers_stand_under_one_another_at_the_right(browser, address, small):
    page = browser.new_page(viewport={"width": 673, "height": 1000}, java_script_enabled=False)
    page.route(f"{address}/book", lambda route: route.fulfill(body=small[1], content_type="text/html; charset=utf-8"))
    page.goto(f"{address}/book")
    page.emulate_media(media="print")
    edges = """() => [...document.querySelectorAll(".dl-book-contents a")].map(link => {
        const title = document.createRange();
        title.selectNodeContents(link.firstChild);
        const number = link.querySelector(".dl-book-number").getBoundingClientRect();
        return [title.getBoundingClientRect().right, number.left, number.right].map(Math.round);
    })"""
    before = page.evaluate(edges)
    page.evaluate(pdf._NUMBERED, {page.key: 7 for page in small[0]})
    assert page.evaluate(edges) == before
    assert len(before) == len(small[0])
    assert {right for _, _, right in before} == {673}
    assert all(title < left for title, left, _ in before)
    page.close()
