"""Snippets that run in the page: the fence `run`, and the one setting that says where Pyodide is fetched."""

import ast
import hashlib
import html
import re

from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from dlnotes._site import page, wheel

CDN = "https://cdn.jsdelivr.net/pyodide/v314.0.7/full/"
HEADER = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*(\{[ \t]*)?\.?run\b.*")


def fence(source, language, class_name, options, md, *, classes, id_value, attrs, **kwargs) -> str:
    """The snippet, highlighted as any other code, in a box that assets/run.js gives its buttons."""
    name = f"snippet {id_value}".strip()
    if unknown := [*classes, *attrs]:
        message = f"a run fence takes an #id and nothing else, not {unknown[0]!r}"
        return page.problem(md, message, find=_header(md, unknown[0]), ident=name)
    if not source.strip():
        return page.problem(md, "the snippet is empty", find=_header(md, id_value), ident=name)
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        lines = source.splitlines()
        wrong = lines[min(error.lineno or 1, len(lines)) - 1].strip()  # an unfinished block is told one line later
        return page.problem(md, f"Python cannot read {wrong!r}: {error.msg}", find=wrong, ident=name)

    imports = any(_imports_the_package(node) for node in ast.walk(tree))
    if imports and md.dlnotes_wheel_problem:
        return page.problem(md, md.dlnotes_wheel_problem, find=source.partition("\n")[0], ident=name)
    data = {"class": "dl-run", "id": id_value} | addresses(md, versioned=imports)
    attributes = " ".join(f'{key}="{html.escape(value)}"' for key, value in data.items() if value)
    return f'<div {attributes}>{highlighted(md, source)}<div class="dl-run__bar"></div></div>'


def addresses(md, *, versioned: bool = True) -> dict[str, str]:
    """Where Python and the wheel are, against the script's own address: right at any depth and under any prefix."""
    version = "?" + hashlib.sha256(wheel.WHEEL.read_bytes()).hexdigest()[:8] if versioned else ""
    return {  # a browser keeps files by address, hence the version
        "data-pyodide": md.dlnotes_pyodide,
        "data-wheel": wheel.WHEEL.relative_to("docs/assets").as_posix() + version,
    }


def highlighted(md, source: str) -> str:
    return md.preprocessors["fenced_code_block"].highlight(
        src=source, language="python", options={}, md=md, classes=[], id_value="", attrs={}
    )


def _imports_the_package(node) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)]
    return any(name and name.partition(".")[0] == "dlnotes" for name in names)


def _header(md, word: str) -> str:
    lines = filter(HEADER.fullmatch, md.dlnotes_source.splitlines())
    return next((line for line in lines if word in line), "run")


class _Unread(Preprocessor):
    """superfences leaves a fence that it cannot read in the text, without a word."""

    def run(self, lines):
        return [self._told(line) if HEADER.fullmatch(line) else line for line in lines]

    def _told(self, line: str) -> str:
        message = f"this fence is not closed, or its first line cannot be read: {line.strip()}"
        return self.md.htmlStash.store(page.problem(self.md, message, find=line.strip(), ident="snippet"))


class _Run(Extension):
    def __init__(self, **kwargs):
        self.config = {"pyodide": [CDN, "Base address of Pyodide: absolute, or relative to assets/"]}
        super().__init__(**kwargs)

    def extendMarkdown(self, md):
        page.attach(md)
        md.dlnotes_pyodide = self.getConfig("pyodide").rstrip("/") + "/"
        # Now, not in the fence: mkdocs loads the extensions, lists the files of docs/, and only then converts pages.
        md.dlnotes_wheel_problem = wheel.refresh()
        md.preprocessors.register(_Unread(md), "dlnotes-run-unread", 24)  # superfences has 25


def makeExtension(**kwargs):
    return _Run(**kwargs)
