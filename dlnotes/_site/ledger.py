"""The ledger: every claim of the book in one table; what it adds up to; and one claim seen from another page.

/// ledger
///

/// totals
///

/// see | batch-norm-input-gradient
///
"""

import html
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes._site import evidence, maths, page, pages, question
from dlnotes._site.claim import evidence_html, kinds, mark, off_by, slip_status, small, worst

KINDS = ("exact", "measured", "not run")
HEADS = (
    "Claim",
    "Chapter and questions",
    "Known by",
    "Largest error",
    "Allowed",
    "Cases",
    "Slips rejected",
    "Off by at least",
    "Tests",
)


def kinds_of(record: evidence.Record | None) -> list[str]:
    """Every kind that some witness of a claim has: it may be exact, measured and in part not run."""
    if not record:
        return ["not run"]
    witnesses = record.entry["witnesses"].values()
    found = {w["kind"] if w["status"] == "held" else w["status"] for w in witnesses}
    return [kind for kind in KINDS if kind in found]


def number(amount: int, what: str, plural: str = "") -> str:
    """1,204 cases, as a person writes it."""
    return f"{amount:,} {what if amount == 1 else plural or what + 's'}"


class Ledger(Block):
    NAME = "ledger"

    def on_create(self, parent):
        book = pages.book()
        boxes = "".join(page.tell(str(fault)) for fault in book.faults)
        loaded = self.md.dlnotes_evidence
        claims = [(p, block, evidence.record(block, "claims", loaded)) for p in book.pages for block in p.claims]
        rows = "".join(self._row(*claim) for claim in claims)
        head = "".join(f'<th scope="col">{name}</th>' for name in HEADS)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        steps = [(block, evidence.record(block, "steps", loaded)) for p in book.pages for block in p.steps]
        totals = _list(_sums([record for *_, record in claims], steps))
        div = ElementTree.SubElement(parent, "div")
        shown = f'{boxes}{totals}<div class="dl-ledger">{_form(claims)}{table}</div>'
        div.text = self.md.htmlStash.store(shown)
        return div

    def _row(self, where, block, record):
        address = question.link(self.md, where)
        name = f'<a href="{address}#{block.id}">{html.escape(block.title)}</a><br><code>{block.id}</code>'
        asked = " ".join(f'<a href="{address}#{ident}">{ident}</a>' for ident in block.questions)
        chapter = html.escape(where.title) + (f"<br><small>{asked}</small>" if asked else "")
        cells = [f"{mark(record.status if record else 'not run')} {name}", chapter, *_evidence(record)]
        said = {
            "id": block.id,
            "data-chapter": where.path.stem,
            "data-kind": " ".join(kind.replace(" ", "-") for kind in kinds_of(record)),
            "data-question": " ".join(block.questions),
        }
        attributes = " ".join(f'{key}="{html.escape(value)}"' for key, value in said.items())
        return f"<tr {attributes}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _evidence(record: evidence.Record | None) -> list[str]:
    """The cells from "Known by" on."""
    if not record:
        return ["not run", *[""] * 6]
    witnesses, slips = record.entry["witnesses"].values(), record.entry["slips"].values()
    pair, off = worst(record.entry), off_by(slips)
    if pair:
        errors = [small(error) for error in pair]
    else:  # an exact witness has no error; some measured ones have none either, such as an example
        errors = ["exact", "0"] if "measured" not in kinds_of(record) else ["none", "none"]
    rejected = sum(slip_status(wrong) == "rejected" for wrong in slips)
    return [
        html.escape(kinds(record.entry)) or record.status,
        *errors,
        str(sum(witness["cases"] for witness in witnesses)),
        f"{rejected} of {len(slips)}" if slips else "no slip",
        "" if off is None else small(off),
        "<br>".join(
            (mark(w["status"]) + " ") * (w["status"] != "held") + f"<code>{w['node']}</code>" for w in witnesses
        ),
    ]


def _form(claims) -> str:
    """What ledger.js filters by. The name of each control is a part of the address: `?chapter=bptt&kind=exact`."""
    chapters = {where.path.stem: where.title for where, *_ in claims}
    counted = Counter(kind for *_, record in claims for kind in kinds_of(record))
    asked = {ident for _, block, _ in claims for ident in block.questions}
    sheets = []
    for sheet in question.table(Path("docs/sheets.tsv")):
        names = [row["question"] for row in question.questions()]
        mine = [name for name in names if name.startswith(sheet["sheet"] + ".") and name in asked]
        options = "".join(f"<option>{name}</option>" for name in mine)
        sheets.append(f'<optgroup label="{html.escape(sheet["title"])}">{options}</optgroup>' if mine else "")
    options = {
        "Chapter": [f'<option value="{stem}">{html.escape(title)}</option>' for stem, title in chapters.items()],
        "Kind": [f'<option value="{kind.replace(" ", "-")}">{kind} ({counted[kind]})</option>' for kind in KINDS],
        "Question": sheets,
    }
    controls = "".join(
        f'<label>{name} <select name="{name.lower()}"><option value="">all</option>{"".join(made)}</select></label>'
        for name, made in options.items()
    )
    copy = '<button type="button" class="dl-copy">Copy link to this view</button>'
    buttons = f'<button type="reset">Show all</button> {copy}'
    return f'<form aria-label="Filter the claims">{controls}{buttons}<p role="status">{len(claims)} claims</p></form>'


# --- what it adds up to ---------------------------------------------------------------------------------------------


def _sums(records: list, steps: list) -> list[str]:
    """What the claims and the derivations add up to, in sentences."""
    ran = [record for record in records if record]
    witnesses = [witness for record in ran for witness in record.entry["witnesses"].values()]
    slips = [wrong for record in ran for wrong in record.entry["slips"].values()]
    found = [kinds_of(record) for record in ran if record.status == "held"]
    exact, measured = (sum(kind in kinds for kinds in found) for kind in ("exact", "measured"))
    both = sum("exact" in kinds and "measured" in kinds for kinds in found)
    lines = sum(len(block.tex) - 1 for block, _ in steps)
    held = sum(len(block.tex) - 1 for block, record in steps if record and record.status == "held")
    rejected, off = sum(slip_status(wrong) == "rejected" for wrong in slips), off_by(slips)
    return [
        f"{number(len(records), 'claim')}, of which {len(found):,} hold:"
        f" {exact:,} known exactly, {measured:,} measured, {both:,} both.",
        f"{number(sum(w['status'] == 'held' for w in witnesses), 'witness', 'witnesses')} held,"
        f" on {number(sum(w['cases'] for w in witnesses), 'case')}."
        f" {sum(w['status'] == 'not run' for w in witnesses):,} did not run.",
        f"{number(len(slips), 'slip')}, of which {rejected:,} were rejected"
        + (f"; where that is measured, off by {small(off)} at least." if off is not None else "."),
        f"{number(len(steps), 'derivation')} with {number(lines, 'line')}, of which {held:,} hold.",
    ]


def _list(sentences: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences) + "</ul>"


class Totals(Block):
    """What the evidence adds up to, by method, and the versions that it was made with."""

    NAME = "totals"

    def on_create(self, parent):
        loaded = self.md.dlnotes_evidence
        claims = [block for p in pages.book().pages for block in p.claims]
        records = [record for block in claims if (record := evidence.record(block, "claims", loaded))]
        witnesses = [w for record in records for w in record.entry["witnesses"].values()]
        rows = "".join(self._row(kind, [w for w in witnesses if w["kind"] == kind]) for kind in ("exact", "measured"))
        missing = Counter(w["reason"] for w in witnesses if w["status"] == "not run")
        reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(missing.items()))
        rows += f"<tr><td>not run</td><td>{missing.total()}</td><td>{html.escape(reasons)}</td></tr>"
        head = "<thead><tr><th>Kind</th><th>Witnesses</th><th>Method, and how many used it</th></tr></thead>"
        shown = f"<table>{head}<tbody>{rows}</tbody></table>" + self._runs([record.run for record in records])
        div = ElementTree.SubElement(parent, "div")
        div.text = self.md.htmlStash.store(shown)
        return div

    def _row(self, kind, witnesses):
        held = [w for w in witnesses if w["status"] == "held"]
        methods = Counter(method for w in held for method in w["method"].split(", "))
        by = ", ".join(f"{method} ({count})" for method, count in sorted(methods.items(), key=lambda m: (-m[1], m[0])))
        return f"<tr><td>{kind}</td><td>{len(held)}</td><td>{html.escape(by)}</td></tr>"

    def _runs(self, runs):
        if not runs:
            return "<p>No evidence yet for this version of the code.</p>"
        days = sorted(run["date"] for run in runs)
        versions = sorted({(name, version) for run in runs for name, version in run["versions"].items() if version})
        told = ", ".join(f"{name} {version}" for name, version in versions)
        when = f"on {days[0]}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"
        return f"<p>The tests ran {when}, with {html.escape(told)}.</p>"


class See(Block):
    """One claim's evidence on another page: `/// see | id`."""

    NAME = "see"
    ARGUMENT = True

    def on_create(self, parent):
        ident = self.argument.strip()
        book = pages.book()
        found = book.claims.get(ident)
        div = ElementTree.SubElement(parent, "section", {"class": "dl-claim"})
        if not found:
            shown = page.problem(self.md, "no such claim", find=page.header("see", ident), ident=ident)
        else:
            where, block = found
            record = evidence.record(block, "claims", self.md.dlnotes_evidence)
            div.set("class", f"dl-claim {record.status.replace(' ', '-') if record else 'not-run'}")
            address = question.link(self.md, where, ident)
            formulas = "".join(self._formula(tex, ident) for tex in block.tex)
            title = f'<p><strong><a href="{address}">{html.escape(block.title)}</a></strong></p>'
            shown = title + formulas + evidence_html(record, book.tests_of(ident), ident)
        ElementTree.SubElement(div, "div").text = self.md.htmlStash.store(shown)
        return div

    def _formula(self, tex, ident):
        try:
            drawn = maths.render(tex, True)
        except maths.TexError as error:
            return page.problem(self.md, " ".join(str(error).split()), find=page.header("see", ident), ident=ident)
        label = 'tabindex="0" role="group" aria-label="formula"'
        return f'<tex-math class="display" data-search-exclude="true" {label}>{drawn}</tex-math>'


class Extension(BlocksExtension):
    def extendMarkdownBlocks(self, md, block_mgr):
        page.attach(md)
        for block in (Ledger, Totals, See):
            block_mgr.register(block, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)
