"""`make pdf`: the built site as one book on A4, `python -m dlnotes._site.pdf site build/dlnotes.pdf`.

The pages are put one after another into one page of HTML, in the order of the menu, and Chromium prints it. What paper
shows and hides is said in docs/assets/print.css, for a chapter alone and for the book.

Chromium cannot write into the contents on which page a chapter begins. So the contents are printed again once the book
shows it, and what is drawn then replaces what was drawn first. Links, outline and tags stay those of the first print.
"""

import datetime
import html
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import yaml
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject

from dlnotes._site import chromium

HOST = "http://book/"  # the pages' address while they are printed; no request leaves the machine
_TAG = re.compile(r"""<[a-zA-Z][^\s/>]*(?:\s+[^\s=/>]+(?:="[^"]*"|='[^']*')?)*\s*/?>""")
_ATTRIBUTE = re.compile(r"""(\s[^\s=/>]+)=(?:"([^"]*)"|'([^']*)')""")
_ARTICLE = re.compile(r'<article class="md-content__inner[^>]*>(.*)</article>', re.S)
_HEADING = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.S)
# The folds below a claim. Paper hides them, and without them Chromium has half as much to lay out.
_FOLDS = re.compile(r'(<p class="dl-verdict.*?</p>)(?:<details>.*?</details>)+', re.S)
_NO_NUMBER = "000"  # stands in the contents until the book is printed
# Leaves the title and the contents: to print them again takes no time.
_NUMBERED = """numbers => {
    for (const link of document.querySelectorAll(".dl-book-contents a"))
        link.querySelector(".dl-book-number").textContent = numbers[link.hash.slice(1)];
    for (const page of document.querySelectorAll(".dl-book-page")) page.remove();
}"""
_POINTS_BY_ID = {"for", "aria-labelledby", "aria-describedby", "aria-controls"}


@dataclass(frozen=True)
class Page:
    part: str  # the heading of the menu that it stands under; empty for the home page
    url: str  # "chapters/softmax/", from the root of the site

    @property
    def key(self) -> str:
        """What its ids begin with in the book."""
        return self.url.strip("/").replace("/", "-") or "home"


def pages(nav: list) -> Iterator[Page]:
    """The pages in the order of the menu."""
    for entry in nav:
        ((name, under),) = entry.items()
        for source in [under] if isinstance(under, str) else [path for item in under for path in item.values()]:
            url = re.sub(r"(^|/)index$", "", re.sub(r"\.\w+$", "", source))
            yield Page("" if isinstance(under, str) else name, f"{url}/" if url else "")


def menu(config: Path = Path("mkdocs.yml")) -> list[Page]:
    """The pages of the menu. The rest of the file has tags that only mkdocs can read."""
    text = config.read_text(encoding="utf-8")
    return list(pages(yaml.safe_load(text[text.index("\nnav:") :])["nav"]))


def _moved(page: Page, body: str, keys: dict[str, str]) -> str:
    """The page's HTML with ids of its own, and links that stay inside the book where they can."""

    chunks = re.split(r"(<svg\b.*?</svg>)", body, flags=re.S)
    names = [set(re.findall(r'\sid="([^"]*)"', chunk)) if chunk.startswith("<svg") else set() for chunk in chunks]
    counts = Counter(name for found in names for name in found)
    drawn: set[str] = set()  # ids of the drawing at hand that another drawing of the page has too
    number = 0

    def ident(name: str) -> str:
        return f"{page.key}--{number}-{name}" if name in drawn else f"{page.key}--{name}"

    def attribute(match: re.Match) -> str:
        name, value = match[1].strip(), match[2] if match[2] is not None else match[3]
        if name == "id":
            value = ident(value)
        elif name in _POINTS_BY_ID:
            value = " ".join(map(ident, value.split()))
        elif name in ("href", "xlink:href") and value.startswith("#"):
            value = f"#{ident(value[1:])}" if value != "#" else value
        elif name in ("href", "xlink:href"):
            target, anchor = urldefrag(urljoin(HOST + page.url, html.unescape(value)))
            if target.startswith(HOST):
                if (url := target.removeprefix(HOST).removesuffix("index.html")) not in keys:
                    return ""  # a file of the site, such as a notebook: on paper it is no link
                value = f"#{keys[url]}--{anchor}" if anchor else f"#{keys[url]}"
        elif name == "src" and not value.startswith("data:"):
            value = urljoin(f"/{page.url}", value)
        else:
            value = re.sub(r"url\(#([^)]*)\)", lambda name: f"url(#{ident(name[1])})", value)
        return f'{match[1]}="{value}"' if '"' not in value else f"{match[1]}='{value}'"

    moved = []
    for number, chunk in enumerate(chunks):
        drawn = {name for name in names[number] if counts[name] > 1}
        moved.append(_TAG.sub(lambda tag: _ATTRIBUTE.sub(attribute, tag[0]), chunk))
    return "".join(moved)


def _only_ids_that_are_used(book: str) -> str:
    """Without the names that Matplotlib gives to the groups of every figure: they are the same in each."""
    tags = "".join(_TAG.findall(book))
    used = set(re.findall(r"#([^\"')]+)", tags))
    for names in re.findall(rf'\s(?:{"|".join(_POINTS_BY_ID)})="([^"]*)"', tags):
        used |= set(names.split())
    return _TAG.sub(lambda tag: re.sub(r'\sid="([^"]*)"', lambda i: i[0] if i[1] in used else "", tag[0]), book)


def combined(site: Path, book: list[Page], *, made: str) -> str:
    """The book as one page of HTML: a title, contents, the pages."""
    keys = {page.url: page.key for page in book}
    first = (site / book[0].url / "index.html").read_text(encoding="utf-8")
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]*)"', first)
    sheets = "".join(f'<link rel="stylesheet" href="{urljoin("/" + book[0].url, sheet)}">' for sheet in sheets)
    contents, bodies, part = [], [], None
    for page in book:
        body = _ARTICLE.search((site / page.url / "index.html").read_text(encoding="utf-8"))[1]
        title = re.sub(r"<a class=\"headerlink.*?</a>|<[^>]*>", "", _HEADING.search(body)[1]).strip()
        if page.part != part and page.part:
            contents.append(f'</ol><p class="dl-book-part">{page.part}</p><ol>')
        part = page.part
        entry = f'{title if page.url else "About this book"} <span class="dl-book-number">{_NO_NUMBER}</span>'
        contents.append(f'<li><a href="#{page.key}">{entry}</a></li>')
        body = _moved(page, _FOLDS.sub(r"\1", body), keys)
        bodies.append(f'<section class="dl-book-page" id="{page.key}">{body}</section>')
    title = re.search(r'<meta name="description" content="([^"]*)"', first)[1]
    return _only_ids_that_are_used(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>dlnotes</title>{sheets}</head>'
        '<body dir="ltr" data-md-color-scheme="default"><main class="md-content__inner md-typeset">'
        f'<section class="dl-book-title"><p class="dl-book-name">dlnotes</p><p>{title}</p><p>{made}</p></section>'
        f'<nav class="dl-book-contents"><h1>Contents</h1><ol>{"".join(contents)}</ol></nav>'
        f"{''.join(bodies)}</main></body></html>"
    )


def begins(book: PdfReader | PdfWriter) -> dict[str, int]:
    """The page on which each page of the site begins, by its key. The title is page 1, as in the foot."""
    places = book.named_destinations.items()
    return {
        name.removeprefix("/"): book.get_destination_page_number(place) + 1
        for name, place in places
        if "--" not in name
    }


def print_(browser, site: Path, book: str, target: Path, *, foot: str) -> None:
    """Have Chromium print the combined page, its style sheets and fonts read from the site."""
    page = browser.new_page(java_script_enabled=False)

    def answer(route) -> None:
        name = route.request.url.removeprefix(HOST).partition("?")[0]
        if not name:
            route.fulfill(body=book, content_type="text/html; charset=utf-8")
        elif (site / name).is_file():
            route.fulfill(path=site / name)
        else:
            route.abort()

    page.route("**/*", answer)
    page.goto(HOST, wait_until="load", timeout=300_000)

    def printed(total: str) -> bytes:
        style = (
            "font: 8px sans-serif; color: #666; width: 100%; margin: 0 16mm; display: flex; "
            "justify-content: space-between"
        )
        numbers = f'<span class="pageNumber"></span> / {total}'
        return page.pdf(
            prefer_css_page_size=True,
            outline=True,  # the headings, beside the page in a reader
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=f'<div style="{style}"><span>{foot}</span><span>{numbers}</span></div>',
        )

    whole = PdfWriter(io.BytesIO(printed('<span class="totalPages"></span>')), incremental=True)
    numbers = begins(whole)
    page.evaluate(_NUMBERED, numbers)
    again = PdfReader(io.BytesIO(printed(str(len(whole.pages)))))
    front = slice(min(numbers.values()) - 1)
    for old, new in zip(whole.pages[front], again.pages[front], strict=True):
        for drawn in ("/Contents", "/Resources"):
            old[NameObject(drawn)] = new.raw_get(drawn).clone(whole)
    page.close()
    target.parent.mkdir(parents=True, exist_ok=True)
    whole.write(target)


def stamp() -> str:
    """The day, and the commit that was printed."""
    git = ["git", "describe", "--always", "--dirty=, with changes that are not committed", "--exclude=*"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return f"{datetime.date.today():%d %B %Y}" + (f", commit {commit}" if commit else "")


def main(site: str, target: str) -> None:
    from playwright.sync_api import sync_playwright

    if chromium.PATH is None:
        sys.exit(chromium.MISSING)
    made = stamp()
    book = combined(Path(site), menu(), made=made)
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        print_(browser, Path(site), book, Path(target), foot=f"dlnotes, {made}")
        browser.close()
    print(f"{target}: {Path(target).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
