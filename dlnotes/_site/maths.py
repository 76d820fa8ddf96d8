r"""Formulas become HTML while the site is built: KaTeX inside QuickJS, so reading needs no script.

pymdownx.arithmatex finds the formulas; this extension renders them. `\label{name}` in a display formula numbers it, and
`\eqref{name}` in the text links to it.
"""

import functools
import html
import json
import re
import threading
from pathlib import Path
from xml.etree import ElementTree

import quickjs
from markdown import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

from dlnotes._site import page

KATEX = Path(__file__).parent / "katex" / "katex.min.js"

# The book's own commands, beside KaTeX's. An operator takes the spaces that \log takes.
MACROS = {
    r"\R": r"\mathbb{R}",
    r"\E": r"\mathbb{E}",
    r"\Var": r"\operatorname{Var}",
    r"\Cov": r"\operatorname{Cov}",
    r"\diag": r"\operatorname{diag}",
    r"\tr": r"\operatorname{tr}",
    r"\vect": r"\operatorname{vec}",  # \vec is KaTeX's arrow
    r"\sign": r"\operatorname{sign}",
    r"\relu": r"\operatorname{relu}",
    r"\softmax": r"\operatorname{softmax}",
    r"\argmin": r"\operatorname*{arg\,min}",
    r"\argmax": r"\operatorname*{arg\,max}",
}

# What KaTeX lacks, or numbers on its own beside our numbers.
REFUSED = {
    r"\\label\b": r"one \label, in a display formula: $$...$$ in a paragraph of its own",
    r"\\(eq)?ref\b": r"\eqref stands in the text, outside formulas",
    r"\\begin\{(align|alignat|gather|equation)\}": r"this environment numbers itself: write aligned in $$...$$",
}

# The letters of KaTeX's AMS font that the site carries: see katex/README.md.
AMS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ≲≳⩽⩾")

# strict: refuse what KaTeX would draw with a warning, and a line break outside an environment, which it would skip.
# trust: refuse \href and its kin, which it would show in red. The macros are copied: a formula may define its own.
RENDERER = r"""(tex, display) => {
    let skipped = "";
    try {
        const answer = katex.renderToString(tex, {
            displayMode: display, output: "htmlAndMathml", throwOnError: true, macros: Object.assign({}, %s),
            strict: (code, message) => { if (code === "newLineInDisplayMode") skipped = message; return "error" },
            trust: ({command}) => { throw new katex.ParseError(command + " is not for formulas") },
        });
        return skipped ? "!" + skipped : answer;
    } catch (error) { return "!" + error.message }
}"""

LABEL = re.compile(r"\s*\\label\{([^{}]*)\}")
KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}


class TexError(ValueError):
    """A formula that cannot be rendered, mostly in KaTeX's words."""


_thread = threading.local()


def _katex():
    """This thread's KaTeX: a QuickJS context must stay on the thread that made it."""
    if not hasattr(_thread, "render"):
        _thread.context = quickjs.Context()
        _thread.context.set_max_stack_size(2**20)  # the default ends at some fifteen nested fractions
        _thread.context.eval(KATEX.read_text(encoding="utf-8"))
        _thread.render = _thread.context.eval(RENDERER % json.dumps(MACROS))
    return _thread.render


@functools.cache
def render(tex: str, display: bool) -> str:
    """The HTML (with MathML in it) of one formula, given without its dollars. Raises TexError."""
    for pattern, message in REFUSED.items():
        if re.search(pattern, tex):
            raise TexError(message)
    answer = _katex()(tex, display)
    if answer.startswith("!"):
        raise TexError(answer[1:])
    drawn = "".join(re.findall(r'class="[^"]*\b(?:amsrm|mathbb)\b[^"]*">([^<]*)<', answer))
    if missing := set(html.unescape(drawn)) - AMS:
        raise TexError(f"{''.join(sorted(missing))}: not in this site's AMS font, see dlnotes/_site/katex/README.md")
    return answer


class _Reference(InlineProcessor):
    r"""`\eqref{name}` as a link; its number is known once the whole page has been read."""

    def handleMatch(self, m, data):
        return ElementTree.Element("a", {"class": "eqref", "href": f"#{m[1]}"}), m.start(), m.end()


class _Formulas(Treeprocessor):
    def run(self, root):
        in_heading = {el for heading in root.iter() if heading.tag in HEADINGS for el in heading.iter()}
        taken = {el.get("id") for el in root.iter()}
        numbers = {}
        for el in root.iter():
            self._stray_dollar(el)
            if el.get("class") != "arithmatex":
                continue
            display = el.text.startswith(r"\[")
            written = html.unescape(el.text[2:-2]) if display else el.text[2:-2]  # only blocks come escaped
            label = LABEL.search(written) if display else None
            tex, name = (LABEL.sub("", written, count=1), label[1]) if label else (written, None)
            attributes = {"data-search-exclude": "true"}
            if display:  # it may scroll sideways, so the keyboard must reach it
                attributes |= {"class": "display", "tabindex": "0", "role": "group", "aria-label": "formula"}
            try:
                if el in in_heading:
                    raise TexError("no formula in a heading: menus, search and addresses cannot show it")
                if name is not None:
                    if not KEBAB.fullmatch(name):
                        raise TexError("a label is written in lower case, digits and hyphens: like-this-1")
                    if name in taken:
                        raise TexError("duplicate label: this page has that id already")
                    taken.add(name)
                    numbers[name] = len(numbers) + 1
                    attributes |= {"id": name, "aria-label": f"formula ({numbers[name]})"}
                    tex = rf"\tag{{{numbers[name]}}}{tex}"
                rendered = render(tex.strip(), display)
            except TexError as error:
                message = " ".join(str(error).split())  # KaTeX quotes the formula with its line breaks
                rendered = page.problem(self.md, message, find=self._as_written(written), ident=name or "formula")
            short = not display and rendered.count('class="katex-base"') == 1
            if short and (el.tail or " ")[0] in ",.;:?!)":  # or a line would begin with it
                rendered, el.tail = rendered + el.tail[0], el.tail[1:]
                attributes["class"] = "closed"
            el.tag, el.attrib, el.text = "tex-math", attributes, self.md.htmlStash.store(rendered)
        for link in root.iter("a"):
            if link.get("class") == "eqref":
                name = link.get("href")[1:]
                if name not in numbers:
                    box = page.problem(self.md, "unknown equation label", find=rf"\eqref{{{name}}}", ident=name)
                    link.text = self.md.htmlStash.store(box)
                else:
                    link.text = AtomicString(f"({numbers[name]})")

    def _stray_dollar(self, el):
        """A dollar still in the text belongs to no formula, as when a table cut the formula at its `|`."""
        for where in ("text", "tail"):
            text = getattr(el, where) or ""
            if "$" in text and not isinstance(text, AtomicString):  # code is atomic
                message = r"a $ without its formula. \$ is a dollar, $$...$$ a paragraph, \vert a bar in a table"
                near = re.search(r"[^\x02\x03]*\$[^\x02\x03]*", text)[0].strip()  # between two placeholders
                box = page.problem(self.md, message, find=self._as_written(near), ident="formula")
                setattr(el, where, text + self.md.htmlStash.store(box))

    def _as_written(self, text: str) -> str:
        """`text` as it stands in the page, where its lines may be indented or quoted."""
        body = r"[\s>]*\n[\s>]*".join(re.escape(line.strip()) for line in text.strip().splitlines())
        for pattern in (rf"[$(\[][\s>]*{body}[\s>]*[$\\]", body):  # between its dollars, if it has them
            if found := re.search(pattern, self.md.dlnotes_source):
                return found[0]
        return text


class Maths(Extension):
    def extendMarkdown(self, md):
        page.attach(md)
        md.inlinePatterns.register(_Reference(r"(?<!\\)\\eqref\{([^{}]*)\}", md), "dlnotes-eqref", 189.8)  # after code
        md.treeprocessors.register(_Formulas(md), "dlnotes-maths", 15)  # after inline (20), before prettify (10)


def makeExtension(**options):
    return Maths(**options)
