"""What all extensions share: which page is being converted, and how a page error is told.

Everything runs from the project's root: paths are relative to the current folder.
"""

import html
import os
import re
from pathlib import Path

from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from mkdocs.exceptions import BuildError
from pymdownx.superfences import SuperFencesException


class PageError(BuildError, SuperFencesException):
    """An error of a page, with file, line and id. mkdocs prints it without a traceback; superfences lets it through."""


def serving() -> bool:
    """Under `make serve` an error is a red box on the page: mkdocs stops answering when a build raises."""
    return os.environ.get("DLNOTES_SITE") == "serve"


class _Remember(Preprocessor):
    def run(self, lines):
        self.md.dlnotes_source = "\n".join(lines)
        self.md.dlnotes_alike = None
        self.md.dlnotes_evidence = {}
        return lines


UNREAD = "not a block of this site, or an option or argument that it does not take"


class _Unread(Treeprocessor):
    """A block that pymdownx does not understand is left as a paragraph that begins with slashes: say so."""

    def run(self, root):
        for paragraph in root.iter("p"):
            first = (paragraph.text or "").partition("\n")[0].strip()
            if first.startswith("///"):
                box = problem(self.md, UNREAD, find=first, ident=first.strip("/ ") or "///")
                paragraph.text = self.md.htmlStash.store(box)


def attach(md) -> None:
    """Have `md` remember the text of the page it converts. Each extension calls it; only the first call counts."""
    if "dlnotes-page" not in md.preprocessors:
        md.preprocessors.register(_Remember(md), "dlnotes-page", 1000)
        md.treeprocessors.register(_Unread(md), "dlnotes-unread", 25)  # before inline (20)


def alike(md) -> list[Path]:
    """The files that have the text of the page being converted: a Markdown extension is not told its file."""
    if getattr(md, "dlnotes_alike", None) is None:
        source = getattr(md, "dlnotes_source", "").strip()
        texts = {path: path.read_text(encoding="utf-8").strip() for path in sorted(Path("docs").rglob("*.md"))}
        exact = [path for path, text in texts.items() if text == source]
        ends = [path for path, text in texts.items() if source and text.endswith(source)]  # after front matter
        md.dlnotes_alike = exact or ends
    return md.dlnotes_alike


def current(md) -> Path | None:
    """The file of the page being converted."""
    return next(iter(alike(md)), None)


def tell(message: str) -> str:
    """Raise a PageError, or give a red box (HTML) while serving."""
    if not serving():
        raise PageError(message)
    return f'<pre class="dl-error" role="alert">{html.escape(message)}</pre>'


def header(name: str, argument: str) -> re.Pattern:
    """What finds the first line of a block."""
    return re.compile(rf"^[ \t>]*/{{3,}}\s*{name}\s*\|\s*{re.escape(argument.strip())}\s*$", re.M)


def problem(md, message: str, *, find: str | re.Pattern | int, ident: str) -> str:
    """Tell an error of the page being converted.

    find: the line, or a text or pattern of the page that tells it; ident: the id or the name the error is about.
    """
    path = current(md)
    text = path.read_text(encoding="utf-8") if path else getattr(md, "dlnotes_source", "")
    found = re.search(re.escape(find) if isinstance(find, str) else find, text) if not isinstance(find, int) else None
    line = find if isinstance(find, int) else text.count("\n", 0, found.start()) + 1 if found else 1
    return tell(f"{path or 'page'}:{line}: {ident}: {message}")
