"""Questions of the sheets: the mark around an answer, the list of all of them, and the map of chapters.

/// question | devoir-bn-rnn.I.2, td5-2019.II.2
the answer
///
"""

import csv
import functools
import html
import re
import unicodedata
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from markdown.util import AtomicString
from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes._site import page, pages


def table(path: Path) -> tuple[dict, ...]:
    """The rows of a tab-separated file with a header."""
    return _table(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _table(path: Path, changed_ns: int) -> tuple[dict, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def questions() -> tuple[dict, ...]:
    """question, chapter, asks, french (the sheet's own key terms): in the order of the sheets."""
    return table(Path("docs/questions.tsv"))


def link(md, target: pages.Page, anchor: str = "") -> str:
    """The address of a page, from the page being converted."""
    here = page.current(md)
    depth = pages.Page(here).url.count("/") if here else 0
    return "../" * depth + target.url + (f"#{anchor}" if anchor else "")


class Question(Block):
    NAME = "question"
    ARGUMENT = True

    def on_create(self, parent):
        section = ElementTree.SubElement(parent, "section", {"class": "dl-question"})
        label = ElementTree.SubElement(section, "p", {"class": "dl-answers"})
        label.text = "Answers "
        known, answered = {row["question"] for row in questions()}, pages.book().answered()
        for ident in (part.strip() for part in self.argument.split(",")):
            why = None
            if ident not in known:
                why = "no such question in docs/questions.tsv"
            elif answered.get(ident) and answered[ident].path != page.current(self.md):
                why = f"answered on {answered[ident].path} too"
            if why:
                box = page.problem(self.md, why, find=page.header("question", self.argument), ident=ident)
                ElementTree.SubElement(section, "div").text = self.md.htmlStash.store(box)
            ElementTree.SubElement(label, "code", {"id": ident}).text = ident
            permalink = {"class": "headerlink", "href": f"#{ident}", "title": "Link to this question"}
            ElementTree.SubElement(label, "a", permalink).text = "#"
        return section


class Questions(Block):
    """Every question, sheet by sheet. Each has a heading of its own: the search finds what has a heading."""

    NAME = "questions"

    def on_create(self, parent):
        answered = pages.book().answered()
        div = ElementTree.SubElement(parent, "div")
        for sheet in table(Path("docs/sheets.tsv")):
            rows = [row for row in questions() if row["question"].startswith(sheet["sheet"] + ".")]
            count = sum(row["question"] in answered for row in rows)
            # Elements, and not text like the rest: so the page's table of contents is the sheets.
            ElementTree.SubElement(div, "h2", {"id": sheet["sheet"]}).text = AtomicString(sheet["title"])
            parts = [f"<p>{html.escape(sheet['origin'])}. {count} of {len(rows)} questions answered.</p>"]
            parts += [self._row(row, answered) for row in rows]
            ElementTree.SubElement(div, "div").text = self.md.htmlStash.store("".join(parts))
        return div

    def _row(self, row, answered):
        ident = row["question"]
        where = answered.get(ident)
        answer = "Not yet answered"
        if where:
            answer = f'Answered in <a href="{link(self.md, where, ident)}">{html.escape(where.title)}</a>'
        permalink = f'<a class="headerlink" href="#{ident}" title="Link to this question">#</a>'
        return (
            f'<div class="dl-asked"><h3 id="{ident}"><code>{ident}</code> {html.escape(row["asks"])}{permalink}</h3>'
            f'<p>{answer}. <span lang="fr">{html.escape(row["french"])}</span>'
            f"<span hidden> {html.escape(' '.join(typed(row)))}</span></p></div>"
        )


def typed(row: dict) -> list[str]:
    """What a reader may type into the search and the row does not show: the number as the sheet prints it, and the
    French words without their accents."""
    words = {word: _plain(word) for word in re.findall(r"\w+", row["french"])}
    bare = dict.fromkeys(plain for word, plain in words.items() if plain != word)
    return [row["question"].partition(".")[2], *bare]


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


class Chapters(Block):
    """The map: every chapter that the questions ask for, with how far it is."""

    NAME = "chapters"

    def on_create(self, parent):
        book = pages.book()
        rows = []
        counts = Counter(row["chapter"] for row in questions())
        ledger, sheets = (link(self.md, pages.Page(Path(f"docs/{name}.md"))) for name in ("claims", "questions"))
        for chapter, name in ORDER.items():
            where = next((p for p in book.pages if p.path == Path(f"docs/chapters/{chapter}.md")), None)
            title = f'<a href="{link(self.md, where)}">{html.escape(where.title)}</a>' if where else html.escape(name)
            claims = "not yet written"
            if where:
                claims = f'<a href="{ledger}?chapter={chapter}">{len(where.claims)} claims</a>'
            rows.append(f"<tr><td>{title}</td><td>{counts[chapter]}</td><td>{claims}</td></tr>")
        head = f'<tr><th>Chapter</th><th><a href="{sheets}">Questions</a></th><th>State</th></tr>'
        div = ElementTree.SubElement(parent, "div")
        div.text = self.md.htmlStash.store(f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>")
        return div


ORDER = {  # the order of reading, and what a chapter is called until it is written
    "activation": "Activation functions",
    "softmax": "Softmax",
    "mlp": "Multilayer perceptron",
    "depth": "Depth",
    "computation_graph": "Computation graphs",
    "initialization": "Initialisation",
    "batch_norm": "Batch normalisation",
    "gradient_descent": "Gradient descent",
    "newton": "Newton's method and Hessian-vector products",
    "bptt": "Backpropagation through time",
    "gradient_flow": "Vanishing and exploding gradients",
    "convolution": "Convolutions",
    "receptive_field": "Receptive fields",
    "super_resolution": "Super-resolution",
    "mixture": "Mixture of logistic regressions",
    "siamese": "Siamese networks",
}


class Extension(BlocksExtension):
    def extendMarkdownBlocks(self, md, block_mgr):
        page.attach(md)
        for block in (Question, Questions, Chapters):
            block_mgr.register(block, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)
