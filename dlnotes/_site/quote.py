"""Code on a page is quoted by name, `path::name`, from the file that runs: never a copy, never line numbers.

/// quote | dlnotes/batch_norm.py::backward
///
"""

import ast
import functools
import re
from pathlib import Path
from xml.etree import ElementTree

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes._site import page

_PLAIN = re.compile(r'<span class="(?:n|w|p|o)">([^<]*)</span>')


@functools.lru_cache(maxsize=4096)
def code_html(source: str) -> str:
    """Python as the theme colours it, but for names and signs: a mark on each would be a tenth of the page's weight."""
    shown = highlight(source, PythonLexer(), HtmlFormatter(cssclass="highlight", wrapcode=True))
    return _PLAIN.sub(r"\1", shown).strip()


def find(path: Path, name: str) -> str:
    """The source of a function, a class or a method (Class.method) of a file. Raises LookupError."""
    if not path.is_file():
        raise LookupError(f"no file {path}")
    rows, node = _read(path.resolve(), path.stat().st_mtime_ns)
    for part in name.split("."):
        node = next((child for child in node.body if getattr(child, "name", None) == part), None)
        if node is None:
            raise LookupError(f"no {name} in {path}")
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    rows = rows[first - 1 : node.end_lineno]
    indent = len(rows[0]) - len(rows[0].lstrip())
    return "\n".join(row[indent:] for row in rows)


@functools.lru_cache(maxsize=256)
def _read(path: Path, changed_ns: int) -> tuple[list[str], ast.Module]:
    source = path.read_text(encoding="utf-8")
    return source.splitlines(), ast.parse(source)


class Quote(Block):
    NAME = "quote"
    ARGUMENT = True

    def on_create(self, parent):
        return ElementTree.SubElement(parent, "div", {"class": "dl-quote"})

    def on_end(self, block):
        target = self.argument.strip()
        path, _, name = target.partition("::")
        try:
            shown = code_html(find(Path(path), name))
        except (LookupError, SyntaxError) as error:
            shown = page.problem(self.md, str(error), find=page.header("quote", target), ident=target)
        ElementTree.SubElement(block, "p", {"class": "dl-quote-name"}).text = target
        ElementTree.SubElement(block, "div").text = self.md.htmlStash.store(shown)


class Extension(BlocksExtension):
    def extendMarkdownBlocks(self, md, block_mgr):
        page.attach(md)
        block_mgr.register(Quote, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)
