"""Formulas: what a reader sees, what search holds, and every way a page can get them wrong."""

import html
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import markdown
import pytest
from axe_playwright_python.sync_playwright import Axe
from markdown.extensions.toc import TocExtension

from dlnotes._site import maths
from dlnotes._site.maths import MACROS, TexError, render
from dlnotes._site.page import PageError

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "docs" / "assets"
EXTENSIONS = [
    "abbr", "admonition", "attr_list", "def_list", "footnotes", "tables", TocExtension(permalink="#"),
    "pymdownx.highlight", "pymdownx.superfences", "pymdownx.blocks.admonition",
]  # fmt: skip
MATHS = ["pymdownx.arithmatex", "dlnotes._site.maths"]


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """convert(text) -> the HTML of a page docs/page.md."""
    monkeypatch.delenv("DLNOTES_SITE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()

    def run(text):
        Path("docs/page.md").write_text(text, encoding="utf-8")
        options = {"pymdownx.arithmatex": {"generic": True}}
        return markdown.markdown(text, extensions=EXTENSIONS + MATHS, extension_configs=options)

    return run


def annotations(page):
    """The TeX that the MathML of each formula carries, in page order."""
    return [html.unescape(tex) for tex in re.findall(r"<annotation[^>]*>(.*?)</annotation>", page, re.DOTALL)]


def visible(page):
    """The text of the page without its formulas."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<tex-math.*?</tex-math>", "", page, flags=re.DOTALL)))


# --- render ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tex", "mathml"),
    [
        (r"\frac{a}{b}", "<mfrac><mi>a</mi><mi>b</mi></mfrac>"),
        ("x_i^*", "<msubsup><mi>x</mi><mi>i</mi><mo>∗</mo></msubsup>"),
        (r"\sqrt{x}", "<msqrt><mi>x</mi></msqrt>"),
        (r"x \in \R", '<mi mathvariant="double-struck">R</mi>'),
        (r"\E", '<mi mathvariant="double-struck">E</mi>'),
        (r"\softmax(z)", '<mi mathvariant="normal">softmax</mi>'),
        (r"\begin{bmatrix} a & b \end{bmatrix}", "<mtd"),
        ("a < b", "<mo>&lt;</mo>"),
    ],
)
def test_a_formula_is_html_and_mathml(tex, mathml):
    rendered = render(tex, False)
    assert mathml in rendered
    assert annotations(rendered) == [tex]
    assert 'class="katex-html" aria-hidden="true"' in rendered


def test_a_sign_that_the_fonts_of_the_site_lack_is_refused():
    assert "≲" in render(r"\mathbb{N} a \lesssim b \geqslant c", False)
    with pytest.raises(TexError, match=r"^⋞: not in this site's AMS font"):
        render(r"a \lesssim b \curlyeqprec c", False)
    cut = re.search(r'--text="([^"]*)"', (maths.KATEX.parent / "README.md").read_text(encoding="utf-8"))[1]
    assert set(cut) == maths.AMS


def test_display_differs_from_inline():
    assert "katex-display" in render(r"\sum_i x_i", True)
    assert "katex-display" not in render(r"\sum_i x_i", False)


@pytest.mark.parametrize("name", MACROS)
def test_every_macro_is_one_that_KaTeX_understands(name):
    assert annotations(render(name, True)) == [name]


def test_a_formula_cannot_change_the_macros_of_the_next():
    render(r"\gdef\R{r}\R", False)
    assert 'mathvariant="double-struck"' in render(r"{\R}", False)


def test_threads_render_the_same_bytes():
    tex, seen = r"\frac{1}{1 + \mathrm{e}^{-x}}", []
    threads = [threading.Thread(target=lambda: seen.append(render.__wrapped__(tex, True))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [render.__wrapped__(tex, True)] * 4


def test_deep_nesting_is_rendered():
    assert render(r"\frac{1}{1 + " * 30 + "x" + "}" * 30, True).count("<mfrac>") == 30


@pytest.mark.parametrize(
    ("tex", "display", "message"),
    [
        (r"\foo", False, r"Undefined control sequence: \foo"),
        (r"\frac{a}{b", True, "expected '}'"),
        ("é", False, "unicodeTextInMathMode"),
        ("a % b", False, "commentAtEnd"),
        (r"a \\ b", True, "does nothing in display mode"),
        (r"\href{x.html}{y}", False, r"\href is not for formulas"),
        (r"\htmlId{a}{b}", False, "HTML extension is disabled"),
        (r"\tag{1} x", False, r"\tag works only in display equations"),
        (r"x \label{a}", False, r"one \label, in a display formula"),
        (r"x \eqref{a}", True, r"\eqref stands in the text"),
        (r"\begin{align} a &= b \end{align}", True, "this environment numbers itself"),
    ],
)
def test_bad_tex_is_refused(tex, display, message):
    with pytest.raises(TexError) as error:
        render(tex, display)
    assert message in str(error.value)


# --- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tex",
    ["a < b \\;\\&\\; c", "x_i^* y_i^*", r"\{1, \dots, n\}", r"\lVert w \rVert", "a<b>c", "x'' > y", r"\text{a \& b}",
     r"\begin{bmatrix} a & b \\ c & d \end{bmatrix}", "*a* _b {}_c", "a [b](c) ~d~"],
)  # fmt: skip
def test_tex_reaches_KaTeX_as_it_was_written(convert, tex):
    page = convert(f"Before ${tex}$ between\n\n$$\n{tex}\n$$\n\nafter.\n")
    inline, display = annotations(page)
    assert inline == tex
    assert display.strip() == tex
    assert visible(page).split() == ["Before", "between", "after."]


PLACES = {
    "paragraph": "Text $x$.\n\n$$\ny\n$$\n",
    "one line": "Text $x$.\n\n$$y$$\n",
    "list": "- item $x$\n\n    $$\n    y\n    $$\n",
    "nested list": "1. a\n    - item $x$\n\n        $$\n        y\n        $$\n",
    "block": "/// note | Title\nText $x$.\n\n$$\ny\n$$\n///\n",
    "admonition": "!!! note\n    Text $x$.\n\n    $$\n    y\n    $$\n",
    "definition": "Term\n:   Text $x$.\n\n    $$\n    y\n    $$\n",
    "quotation": "> Text $x$.\n>\n> $$\n> y\n> $$\n",
    "footnote": "Foot[^1].\n\n[^1]: Text $x$.\n\n    $$\n    y\n    $$\n",
    "emphasis": "Text **bold $x$** end.\n\n$$\ny\n$$\n",
    "link": "A [link $x$](#a).\n\n$$\ny\n$$\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_formulas_are_rendered_wherever_they_stand(convert, place):
    page = convert(PLACES[place])
    assert [tex.strip() for tex in annotations(page)] == ["x", "y"]
    assert page.count("<tex-math ") == 2
    assert len(re.findall('<tex-math [^>]*class="display"', page)) == 1
    assert "$" not in page
    assert "\\(" not in page
    assert "\\[" not in page
    assert "arithmatex" not in page
    assert "\x02" not in page


def test_a_table_holds_formulas(convert):
    page = convert("| a | b |\n|---|---|\n| $W$ | $\\lvert x \\rvert$ |\n")
    assert annotations(page) == ["W", r"\lvert x \rvert"]
    assert len(re.findall("<td><tex-math", page)) == 2


def test_code_and_escaped_dollars_stay_as_they_are(convert):
    page = convert("`$x$` and `\\eqref{a}` cost \\$5.\n\n```\n$y$ \\eqref{b}\n```\n\n    $z$ indented\n")
    assert " ".join(visible(page).split()) == r"$x$ and \eqref{a} cost $5. $y$ \eqref{b} $z$ indented"
    assert "<tex-math" not in page


def test_the_same_page_gives_the_same_bytes(convert):
    text = "$a$\n\n$$\nb \\label{one}\n$$\n\n\\eqref{one}\n"
    assert convert(text) == convert(text)


def test_a_display_formula_can_be_reached_by_the_keyboard(convert):
    page = convert("$x$\n\n$$\ny\n$$\n")
    assert len(re.findall(r'<tex-math [^>]*tabindex="0"', page)) == 1


# --- labels ---------------------------------------------------------------------------------------------------------


def test_labels_number_in_page_order_and_references_lead_both_ways(convert):
    page = convert(
        "Forward \\eqref{second}.\n\n$$\na \\label{first}\n$$\n\n$$\nunnumbered\n$$\n\n"
        "- item\n\n    $$\n    \\begin{aligned} b &= c \\\\ &= d \\end{aligned}\n    \\label{second}\n    $$\n\n"
        "*Back* \\eqref{first}.\n"
    )
    assert re.findall(r'<a class="eqref" href="(.*?)">(.*?)</a>', page) == [("#second", "(2)"), ("#first", "(1)")]
    assert re.findall(r'<tex-math [^>]*id="(.*?)"', page) == ["first", "second"]
    assert re.findall(r'aria-label="(.*?)"', page) == ["formula (1)", "formula", "formula (2)"]
    shown = re.findall(r'class="katex-tag">(.*?)</tex-math>', page, re.DOTALL)
    assert [re.sub("<[^>]*>", "", tag) for tag in shown] == ["(1)", "(2)"]
    assert r"\label" not in page


def test_a_tag_of_the_author_stands_beside_the_numbers(convert):
    page = convert("$$\na \\tag{R}\n$$\n\n$$\nb \\label{b}\n$$\n\n\\eqref{b}\n")
    assert ">(1)</a>" in page
    assert page.count("katex-tag") == 2


# --- errors ---------------------------------------------------------------------------------------------------------

ERRORS = {
    "bad TeX": ("Good $x$.\n\nBad $\\foo$.\n", 3, r"formula: KaTeX parse error: Undefined control sequence: \foo"),
    "bad TeX, alike before": ("Good $\\forall$.\n\nBad $\\for$.\n", 3, r"Undefined control sequence: \for"),
    "bad display": ("a\n\n$$\nx\n$$\n\n$$\n\\frac{a}{b\n$$\n", 7, "expected '}' at end of input: \\frac{a}{b"),
    "bad in a list": ("- a\n\n    $$\n    x +\n    \\foo\n    $$\n", 3, "Undefined control sequence"),
    "bad in a quotation": ("> a\n>\n> $$\n> x +\n> \\foo\n> $$\n", 3, "Undefined control sequence"),
    "with front matter": ("---\ntitle: t\n---\n\n$\\foo$\n", 5, "Undefined control sequence"),
    "heading": ("# Title\n\n## About $x$\n", 3, "no formula in a heading"),
    "bold in a heading": ("# Title\n\nAbout **the $x$**\n------\n", 3, "no formula in a heading"),
    "unknown label": ("a\n\nSee \\eqref{nowhere}.\n", 3, "nowhere: unknown equation label"),
    "duplicate label": ("$$\na \\label{one}\n$$\n\n$$\nb \\label{one}\n$$\n", 5, "one: duplicate label"),
    "label of another id": ("/// note | T\n    attrs: {id: one}\n\na\n///\n\n$$\nb \\label{one}\n$$\n", 7, "duplicate"),
    "two labels": ("a\n\n$$\na \\label{one} \\label{two}\n$$\n", 3, r"one \label, in a display formula"),
    "bad label": ("a\n\n$$\na \\label{eq:One}\n$$\n", 3, "eq:One: a label is written in lower case"),
    "empty label": ("a\n\n$$\na \\label{}\n$$\n", 3, "a label is written in lower case"),
    "inline label": ("a\n\nb $a \\label{one}$\n", 3, r"one \label, in a display formula"),
    "eqref in a formula": ("a\n\nb $a \\eqref{one}$\n", 3, r"\eqref stands in the text"),
    "label and tag": ("a\n\n$$\na \\tag{R} \\label{one}\n$$\n", 3, r"one: KaTeX parse error: Multiple \tag"),
    "numbered environment": ("a\n\n\\begin{align}\na &= b\n\\end{align}\n", 3, "this environment numbers itself"),
    "bar in a table": ("a\n\n| a | b |\n|---|---|\n| $|x|$ | c |\n", 5, "a $ without its formula"),
    "display in a sentence": ("a\n\nsee $$x$$ here\n", 3, "a $ without its formula"),
    "no blank line": ("a\n\nsee\n$$\nx\n$$\n", 3, "a $ without its formula"),
    "lone dollar": ("a\n\ncosts $5.\n", 3, "a $ without its formula"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_tells_file_and_line(convert, case):
    text, line, message = ERRORS[case]
    with pytest.raises(PageError) as error:
        convert(text)
    assert str(error.value).startswith(f"docs/page.md:{line}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("case", ERRORS)
def test_while_serving_an_error_is_a_box_and_the_page_goes_on(convert, monkeypatch, case):
    text, line, _ = ERRORS[case]
    convert("a\n")  # sets the environment that the next line changes
    monkeypatch.setenv("DLNOTES_SITE", "serve")
    page = convert(text + "\nThe end $x$.\n")
    assert f'<pre class="dl-error" role="alert">docs/page.md:{line}: ' in page
    assert "The end " in visible(page)
    assert "x" in annotations(page)


def test_loading_the_extension_alone_raises_nothing():
    assert markdown.Markdown(extensions=["dlnotes._site.maths"]).convert("a") == "<p>a</p>"


# --- the built site -------------------------------------------------------------------------------------------------

CONFIG = """
site_name: t
strict: true
theme: {name: material, font: false}
extra_css: [assets/katex/katex.min.css, assets/maths.css]
plugins: [search]
markdown_extensions:
  - tables
  - toc: {permalink: "#"}
  - pymdownx.arithmatex: {generic: true}
  - dlnotes._site.maths
"""
PAGE = r"""# Page

Before $\mathbb{R} \ni xyzzy$ after, \eqref{long}.

$$
plugh \label{short}
$$

## Next

Middle.

$$
LONG \label{long}
$$

Last $\frac{a}{b}$ words.
""".replace("LONG", " + ".join(rf"\frac{{\hat{{x}}_{{{i}}}}}{{n}}" for i in range(60)))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maths")
    shutil.copytree(ASSETS / "katex", folder / "docs" / "assets" / "katex")
    shutil.copy(ASSETS / "maths.css", folder / "docs" / "assets")
    (folder / "mkdocs.yml").write_text(CONFIG)
    (folder / "docs" / "index.md").write_text(PAGE)
    build = "import sys; sys.path.insert(0, sys.argv.pop(1)); from mkdocs.__main__ import cli; cli()"
    subprocess.run([sys.executable, "-c", build, str(ROOT), "build", "--quiet"], cwd=folder, check=True)
    return folder / "site"


def test_search_holds_the_words_and_no_formula(built):
    docs = json.loads((built / "search" / "search_index.json").read_text())["docs"]
    text = " ".join(entry["text"] for entry in docs)
    assert " ".join(re.sub("<[^>]*>", "", text).split()) == "Before after, (2). Middle. Last words."


def test_no_style_names_a_missing_file():
    named = set(re.findall(r"url\((.*?)\)", (ASSETS / "katex" / "katex.min.css").read_text()))
    assert named == {f"fonts/{path.name}" for path in (ASSETS / "katex" / "fonts").iterdir()}


SIZES = "id => { const box = document.getElementById(id); return [box.scrollWidth, box.clientWidth] }"


@pytest.fixture(scope="module")
def phone(built, browser, serve):
    """The page on a narrow screen, with what it fetched and what the console said."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    fetched, said = [], []
    page.on("response", lambda response: fetched.append((response.url, response.status)))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.address = serve(built)
    page.goto(page.address)
    page.evaluate("document.fonts.ready")
    page.wait_for_load_state("networkidle")
    page.fetched, page.said = fetched, said
    yield page
    page.close()


def test_a_long_formula_scrolls_and_does_not_widen_the_page(phone):
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    wide, box = phone.evaluate(SIZES, "long")
    assert wide > 2 * box
    wide, box = phone.evaluate(SIZES, "short")
    assert wide == box


def test_the_number_never_lies_over_its_formula(phone):
    tag, last = phone.evaluate("""[".katex-tag", ".katex-base:nth-last-child(2)"].map(
        part => document.querySelector("#long " + part).getBoundingClientRect().toJSON())""")
    assert tag["left"] > last["right"]


def test_the_number_stands_at_the_right_edge(phone):
    tag, box = phone.evaluate("""["#short .katex-tag", "#short"].map(
        part => document.querySelector(part).getBoundingClientRect().right)""")
    assert abs(tag - box) < 1


def test_nothing_is_cut_off_above_or_below(phone):
    whole = phone.evaluate("""[...document.querySelectorAll("tex-math.display")].map(box => {
        const outer = box.getBoundingClientRect(), inner = box.querySelector(".katex-html").getBoundingClientRect();
        return inner.top >= outer.top && inner.bottom <= outer.bottom && box.scrollHeight <= box.clientHeight })""")
    assert whole == [True, True]


def test_fonts_come_from_the_same_host_and_the_console_is_silent(phone):
    assert phone.said == []
    assert [(url, status) for url, status in phone.fetched if status >= 400 or not url.startswith(phone.address)] == []
    fonts = {url.rsplit("/", 1)[1] for url, _ in phone.fetched if url.endswith("woff2")}
    assert {"KaTeX_Main-Regular.woff2", "KaTeX_Math-Italic.woff2", "KaTeX_AMS-Regular.woff2"} <= fonts
    assert phone.evaluate("[...document.fonts].filter(font => font.status === 'error').length") == 0


def test_axe_finds_nothing_in_the_formulas(phone):
    violations = Axe().run(phone, context="article").response["violations"]
    assert [(v["id"], [n["html"][:80] for n in v["nodes"]]) for v in violations] == []


def test_a_link_leads_to_its_equation_below_the_header(phone):
    phone.click("a.eqref")
    top = phone.evaluate("document.getElementById('long').getBoundingClientRect().top")
    assert top >= phone.evaluate("document.querySelector('.md-header').getBoundingClientRect().bottom")


def test_on_paper_a_long_formula_breaks_into_lines(phone):
    phone.emulate_media(media="print")
    wide, box = phone.evaluate(SIZES, "long")
    phone.emulate_media(media="screen")
    assert wide == box


def test_no_line_begins_with_the_comma_after_a_formula(convert, browser):
    page = browser.new_page()
    style = (ASSETS / "maths.css").read_text("utf-8") + (ASSETS / "katex/katex.min.css").read_text("utf-8")
    text = convert("some words $h_{ij}$, and more")
    for width in range(60, 130):
        page.set_content(f"<style>{style}</style><div style='width:{width}px'>{text}</div>")
        box = page.evaluate(
            """() => {
                const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                const range = document.createRange();
                while (!/^,/.test(words.nextNode().data));
                range.setStart(words.currentNode, 0), range.setEnd(words.currentNode, 1);
                const formula = document.querySelector(".katex-html").getBoundingClientRect();
                return [formula.bottom, range.getBoundingClientRect().top];
            }"""
        )
        assert box[1] < box[0], width
    page.close()
