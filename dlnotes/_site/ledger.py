"""The ledger: every claim of the book in one table; and one claim seen from another page.

/// ledger
///

/// see | batch-norm-input-gradient
///
"""

import html
from xml.etree import ElementTree

from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes._site import evidence, maths, page, pages, question
from dlnotes._site.claim import evidence_html, kinds, mark, small, worst


class Ledger(Block):
    NAME = "ledger"

    def on_create(self, parent):
        book = pages.book()
        boxes = "".join(page.tell(str(fault)) for fault in book.faults)
        claims = [(p, block) for p in book.pages for block in p.claims]
        rows, held = [], 0
        for where, block in claims:
            record = evidence.record(block, "claims", self.md.dlnotes_evidence)
            held += bool(record and record.status == "held")
            rows.append(self._row(where, block, record))
        steps = [block for p in book.pages for block in p.steps]
        lines = sum(len(block.tex) - 1 for block in steps)
        total = f"{len(claims)} claims, of which {held} hold; {len(steps)} derivations with {lines} checked lines."
        heads = ("Claim", "Page", "Known by", "Largest error", "Allowed", "Slips rejected")
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        div = ElementTree.SubElement(parent, "div")
        div.text = self.md.htmlStash.store(f'{boxes}<p>{total}</p><div class="dl-ledger">{table}</div>')
        return div

    def _row(self, where, block, record):
        address = question.link(self.md, where, block.id)
        name = f'<a href="{address}">{html.escape(block.title)}</a><br><code>{block.id}</code>'
        cells = [f"{mark(record.status if record else 'not run')} {name}", html.escape(where.title)]
        if record:
            pair, slips = worst(record.entry), record.entry["slips"].values()
            rejected = sum(all(at["status"] == "rejected" for at in wrong["by"].values()) for wrong in slips)
            cells += [html.escape(kinds(record.entry)), *(map(small, pair) if pair else ("exact", "0"))]
            cells.append(f"{rejected} of {len(slips)}" if slips else "no slip")
        else:
            cells += ["not run", "", "", ""]
        return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


class See(Block):
    """One claim's evidence on another page: `/// see | id`."""

    NAME = "see"
    ARGUMENT = True

    def on_create(self, parent):
        ident = self.argument.strip()
        book = pages.book()
        found = next(((p, block) for p in book.pages for block in p.claims if block.id == ident), None)
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
        for block in (Ledger, See):
            block_mgr.register(block, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)
