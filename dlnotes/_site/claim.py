"""A claim: a result under an id, with the evidence that the last run of its test gave.

/// claim | Two means are subtracted from the gradient
    id: batch-norm-input-gradient
    uses: batch-norm-forward, batch-norm-x-hat-variance

$$...$$
///

`uses` names the claims that this one takes as known. The graph is drawn from it.
"""

import html
import os
import re
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from markdown.preprocessors import Preprocessor
from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes import check
from dlnotes._site import evidence, page, pages, question, quote

LEDGER, GRAPH = pages.Page(Path("docs/claims.md")), pages.Page(Path("docs/graph.md"))
MARKS = {"held": "✓", "rejected": "✓", "failed": "✗", "not run": "–"}


def small(number: float) -> str:
    """3.1e-16, as a person writes it."""
    return "0" if number == 0 else f"{number:.0e}" if abs(number) < 1e-3 or abs(number) >= 1e3 else f"{number:.2g}"


def text(says: str) -> str:
    """The first paragraph of a docstring as HTML."""
    first = html.escape(says.partition("\n\n")[0].replace("\n", " "), quote=False)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", first)


def mark(status: str) -> str:
    """A tick, a cross or a dash, said in words to who cannot see it."""
    return f'<span class="dl-mark {status.replace(" ", "-")}" role="img" aria-label="{status}">{MARKS[status]}</span>'


def kinds(entry: dict) -> str:
    """How a claim is known: "exact (SymPy), measured (complex step)"."""
    methods: dict[str, list[str]] = {}
    for witness in entry["witnesses"].values():
        if witness["status"] == "held":
            methods.setdefault(witness["kind"], []).append(witness["method"])
    return ", ".join(f"{kind} ({', '.join(dict.fromkeys(by))})" for kind, by in sorted(methods.items()))


def worst(entry: dict) -> tuple[float, float] | None:
    """The error and the tolerance of the witness that came closest to its tolerance."""
    pairs = [(w["error"], w["tolerance"]) for w in entry["witnesses"].values() if w["error"] is not None]
    return max(pairs, key=lambda pair: pair[0] / (pair[1] or 1), default=None)


def slip_status(wrong: dict) -> str:
    """rejected: by every witness that ran; failed; or not run."""
    statuses = {at["status"] for at in wrong["by"].values()}
    return next(status for status in ("failed", "rejected", "not run") if status in statuses)


def off_by(slips) -> float | None:
    """How far the best of these wrong answers is from the right one, where that was measured."""
    return min(
        (off for wrong in slips for at in wrong["by"].values() if (off := at["off_by"]) is not None), default=None
    )


def complete() -> bool:
    """Under `make site` every witness must have run whose libraries `make test` installs."""
    return os.environ.get("DLNOTES_SITE") == "full"


def failures(entry: dict) -> list[str]:
    """What must not be on a published page: what failed and, where all must run, what did not."""
    found = []
    for name, witness in entry["witnesses"].items():
        missing = witness["status"] == "not run" and complete() and not check.excused(witness["reason"])
        if witness["status"] == "failed" or missing:
            found.append(f"{name}: {witness['status']}: {witness['reason']}")
    for name, wrong in entry["slips"].items():
        found += [
            f"the slip {name} at {by}: not rejected" for by, at in wrong["by"].items() if at["status"] == "failed"
        ]
    return found


def evidence_html(record: evidence.Record | None, tests: pages.Tests | None, ident: str) -> str:
    """What stands under a claim: the verdict, how it is checked, and the slips it rejects."""
    if record is None:
        when = ": being checked, or its file cannot run" if page.serving() else ""
        why = f"Not checked yet on this version of the code{when}."
        return f'<p class="dl-verdict not-run">{mark("not run")} {why}</p>'
    entry, status = record.entry, record.status
    if status == "held":
        verdict = f"Checked: {kinds(entry)}."
        if pair := worst(entry):
            verdict += f" Largest error {small(pair[0])}, allowed {small(pair[1])}."
    elif status == "failed":
        verdict = "This claim fails."
    else:
        verdict = "Not run: " + "; ".join(dict.fromkeys(w["reason"] for w in entry["witnesses"].values())) + "."
    parts = [f'<p class="dl-verdict {status.replace(" ", "-")}">{mark(status)} {html.escape(verdict)}</p>']
    parts.append(_how(entry, record.run, tests, ident))
    if entry["slips"]:
        parts.append(_slips(entry, tests))
    return "".join(parts)


def _how(entry: dict, run: dict, tests: pages.Tests, ident: str) -> str:
    items, shown = [], []
    for name, witness in entry["witnesses"].items():
        how = f"{witness['kind']}, {witness['method']}" if witness["kind"] else witness["reason"]
        if witness["error"] is not None:
            how += f", error {small(witness['error'])} of {small(witness['tolerance'])} allowed"
        if witness["cases"] > 1:
            how += f", {witness['cases']} cases"
        items.append(f"<li>{mark(witness['status'])} {text(witness['says'])} <small>{html.escape(how)}</small></li>")
        for function in (tests.answers.get(name), name):
            if function and function not in shown and function in tests.lines:
                shown.append(function)
    code = quote.code_html("\n\n\n".join(quote.find(tests.path, function) for function in shown))
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version)
    when = f"{tests.path}, {run['date']}, commit {run['commit'] or 'none'}, {versions}"
    body = f'<ul>{"".join(items)}</ul>{code}<p class="dl-run-of">{html.escape(when)}</p>'
    return _fold("How it is checked", body)


def _slips(entry: dict, tests: pages.Tests) -> str:
    items = []
    for name, wrong in entry["slips"].items():
        status, off = slip_status(wrong), off_by([wrong])
        how = status + (f", off by {small(off)} at least" if off is not None else "")
        blind = f" It is right where: {text(wrong['blind'])}" if wrong["blind"] else ""
        items.append(
            f"<li>{mark(status)} {text(wrong['says'])}{blind} <small>{how}</small>"
            f"{quote.code_html(quote.find(tests.path, name))}</li>"
        )
    return _fold(f"Common slips ({len(items)})", f"<ul>{''.join(items)}</ul>")


def _fold(summary: str, body: str) -> str:
    return f'<details data-search-exclude="true"><summary>{summary}</summary>{body}</details>'


class Claim(Block):
    NAME = "claim"
    ARGUMENT = True
    # Any value: what is wrong with it is said by pages.py and below, not by a silent fallback.
    OPTIONS: ClassVar = {"id": ["", None], "uses": ["", None]}

    def on_create(self, parent):
        ident = str(self.options["id"])
        section = ElementTree.SubElement(parent, "section", {"class": "dl-claim"})
        heading = ElementTree.SubElement(section, "h3", {"id": ident})
        heading.text = self.argument.strip()
        self.body = ElementTree.SubElement(section, "div", {"class": "dl-claim-body"})
        return section

    def on_add(self, block):
        return self.body

    def on_end(self, block):
        ident = str(self.options["id"])
        book = pages.book()
        _, shown = book.claims.get(ident, (None, None))
        record = shown and evidence.record(shown, "claims", self.md.dlnotes_evidence)
        wrong = failures(record.entry) if record else []
        if record is None and complete():
            wrong = ["no evidence for this version of the code: run the tests first"]
        if shown is None:
            wrong = ["this claim is drawn and not read: is it indented, quoted or in a list?"]
        line = shown.line + 1 if shown else 1  # where the id stands
        content = "".join(page.problem(self.md, why, find=line, ident=ident) for why in wrong)
        content += evidence_html(record, book.tests_of(ident), ident)
        content += self._neighbours(book, ident) + self._tools(record, ident)
        block.set("class", f"dl-claim {record.status.replace(' ', '-') if record else 'not-run'}")
        ElementTree.SubElement(block, "div", {"class": "dl-evidence"}).text = self.md.htmlStash.store(content)

    def _neighbours(self, book, ident):
        """The claims that this one uses, and those that use it."""
        uses, users = book.claims[ident][1].uses if ident in book.claims else (), book.users.get(ident, ())
        rows = []
        for said, idents in (("Uses", uses), ("Used by", users)):
            found = [book.claims[name] for name in idents if name in book.claims]
            links = [
                f'<li><a href="{question.link(self.md, where, block.id)}">{html.escape(block.title)}</a></li>'
                for where, block in found
            ]
            rows.append(f"<p>{said}:</p><ul>{''.join(links)}</ul>" if links else "")
        return _fold(f"Uses {len(uses)}, used by {len(users)}", "".join(rows)) if any(rows) else ""

    def _tools(self, record, ident):
        """The ways to it in the ledger and in the graph, and its citation, to which links.js adds the address."""
        row = question.link(self.md, LEDGER, ident)
        when = "Not checked yet."
        if record:
            verdict = {"held": "Checked", "failed": "Failed", "not run": "Not run"}[record.status]
            when = f"{verdict} {record.run['date']}, commit {record.run['commit'] or 'none'}."
        said = html.escape(f"“{self.argument.strip()}” ({ident}), dlnotes. {{address}} {when}")
        cite = f'<button type="button" class="dl-cite" data-cite="{said}">Cite this claim</button>'
        drawn = question.link(self.md, GRAPH, ident)
        ways = f'<a href="{row}">In the ledger</a> <a href="{drawn}">In the graph</a>'
        return f'<p class="dl-tools" data-search-exclude="true">{ways} {cite}</p>'


class _Agreement(Preprocessor):
    """Where this page and its test file do not fit together, say so before anything is drawn."""

    def run(self, lines):
        mine = set(page.alike(self.md))
        mine |= {Path("tests") / f"test_{path.stem}.py" for path in mine}
        faults = [fault for fault in pages.book().faults if fault.path in mine]
        boxes = [page.tell(str(fault)) for fault in faults]
        return [*boxes, "", *lines] if boxes else lines


class Extension(BlocksExtension):
    def extendMarkdownBlocks(self, md, block_mgr):
        page.attach(md)
        md.preprocessors.register(_Agreement(md), "dlnotes-agreement", 999)
        block_mgr.register(Claim, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)
