"""The graph: which claim uses which, as the pages declare it. One drawing for the book, and one a page.

/// graph
///

A page's claims stand one below the other, in its order, with an arc from each to those that it uses.
"""

import html
from dataclasses import dataclass
from xml.etree import ElementTree

from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes._site import evidence, page, pages, question
from dlnotes._site.ledger import kinds_of, number

# Colour is not alone: each kind has a shape of its own, drawn about the origin.
SHAPES = {
    "exact": "M-4-4H4V4H-4Z",
    "measured": "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0-4.5 0Z",
    "exact and measured": "M0-6L6 0L0 6L-6 0Z",
    "failed": "M-5-3L-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0Z",
    "not run": "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0-4.5 0Z",
}
WIDTH = 760  # of every drawing, in the units that its letters are 12 of
MARGIN = 170  # left of a page's claims, where the arcs are
ROW = 20  # from claim to claim
NAMES = 268  # left of the first claims in the drawing of the book
BAND, STEP = 52, 7.8  # there, from page to page, and from claim to claim


@dataclass(frozen=True)
class Node:
    """A claim: who states it, how it is known, and where it is drawn."""

    where: pages.Page
    block: pages.Block
    kind: str
    x: float
    y: float


def kind(record: evidence.Record | None) -> str:
    """The one kind that a claim is drawn as."""
    if not record or record.status != "held":
        return record.status if record else "not run"
    return " and ".join(found for found in kinds_of(record) if found != "not run")


def _shape(of: str) -> str:
    return f'<path class="{of.replace(" ", "-")}" d="{SHAPES[of]}"/>'


def _mark(node: Node, scale: str = "") -> str:
    return f'<g transform="translate({node.x:.1f} {node.y:g}){scale}">{_shape(node.kind)}</g>'


def _svg(label: str, height: float, drawn: list[str]) -> str:
    """A drawing in a box that scrolls sideways on a phone, so the keyboard must reach it."""
    box = f'<div class="dl-graph" tabindex="0" role="group" aria-label="{html.escape(label)}">'
    return f'{box}<svg viewBox="0 0 {WIDTH} {height:g}">{"".join(drawn)}</svg></div>'


def _edges(nodes: dict[str, Node], users: list[str], path) -> list[str]:
    """A path from each of these claims to each claim that it uses. graph.js finds the two by their places."""
    place = {ident: k for k, ident in enumerate(nodes)}
    return [
        f'<path class="dl-use" data-use="{place[ident]} {place[used]}" d="{path(nodes[ident], nodes[used])}"/>'
        for ident in users
        for used in nodes[ident].block.uses
        if used in nodes
    ]


def _arc(user: Node, used: Node) -> str:
    end = MARGIN - 9
    out = MARGIN - min(MARGIN - 14, 14 + 1.1 * abs(user.y - used.y) ** 0.75)
    return f"M{end} {user.y:g}C{out:.0f} {user.y:g} {out:.0f} {used.y:g} {end} {used.y:g}"


def _bow(user: Node, used: Node) -> str:
    """Over the claims of a page, or from page to page."""
    if user.y == used.y:
        top = user.y - min(34, 8 + abs(user.x - used.x) / 4)
        return f"M{user.x:.1f} {user.y - 5:g}C{user.x:.1f} {top:.0f} {used.x:.1f} {top:.0f} {used.x:.1f} {used.y - 5:g}"
    middle = (user.y + used.y) / 2
    return f"M{user.x:.1f} {user.y:g}C{user.x:.1f} {middle:g} {used.x:.1f} {middle:g} {used.x:.1f} {used.y:g}"


class Graph(Block):
    NAME = "graph"

    def on_create(self, parent):
        self.book = pages.book()
        order = [*question.ORDER]
        stated = [p for p in self.book.pages if p.claims]
        stated.sort(key=lambda p: (order.index(p.path.stem) if p.path.stem in order else len(order), p.path))
        uses = [(where, used) for where in stated for block in where.claims for used in block.uses]
        across = sum(self.book.page_of(used) != where for where, used in uses)
        free = sum(not block.uses for where in stated for block in where.claims)
        div = ElementTree.SubElement(parent, "div")
        told = f"{number(len(self.book.claims), 'claim')}, {number(len(uses), 'use')}, {across:,} of them across pages."
        told += f" {free:,} claims use no other."
        self._add(div, f"<p>{told}</p>{self._legend()}{self._whole(stated)}")
        for where in stated:
            ElementTree.SubElement(div, "h2", {"id": where.path.stem}).text = where.title
            self._add(div, self._page(where))
        return div

    def _add(self, parent, drawn):
        ElementTree.SubElement(parent, "div").text = self.md.htmlStash.store(drawn)

    def _node(self, ident, x, y):
        where, block = self.book.claims[ident]
        return Node(where, block, kind(evidence.record(block, "claims", self.md.dlnotes_evidence)), x, y)

    def _legend(self):
        nodes = [self._node(ident, 0, 0) for ident in self.book.claims]
        counts = {name: sum(node.kind == name for node in nodes) for name in SHAPES}
        items = [
            f'<li><svg viewBox="-7 -7 14 14" aria-hidden="true">{_shape(name)}</svg> {name} ({count:,})</li>'
            for name, count in counts.items()
            if count
        ]
        return f'<ul class="dl-legend">{"".join(items)}</ul>'

    def _link(self, node, place, body, attributes=""):
        """`xlink:`, because the theme would write to a plain `href`, which in a drawing cannot be written to."""
        address = question.link(self.md, node.where, node.block.id)
        return f'<a xlink:href="{address}" data-claim="{place}"{attributes}>{body}</a>'

    def _whole(self, stated):
        """A band a page, a mark a claim. The keyboard stops at names: each mark stands in its page's drawing too."""
        nodes, names = {}, []
        for k, where in enumerate(stated):
            y = BAND * (k + 1) - 8
            names.append(
                f'<a xlink:href="#{where.path.stem}"><text x="4" y="{y + 4:g}">{html.escape(where.title)}</text></a>'
            )
            for column, block in enumerate(where.claims):
                nodes[block.id] = self._node(block.id, NAMES + STEP * column, y)
        marks = []
        for place, node in enumerate(nodes.values()):
            body = f"<title>{html.escape(node.block.title)}</title>{_mark(node, ' scale(.6)')}"
            marks.append(self._link(node, place, body, ' tabindex="-1"'))
        label = "The book: every claim, and what it uses"
        return _svg(label, BAND * len(stated) + 6, [*_edges(nodes, [*nodes], _bow), *names, *marks])

    def _page(self, where):
        """The claims of a page, below those of other pages that they use."""
        own = [block.id for block in where.claims]
        used = {ident for block in where.claims for ident in block.uses} & self.book.claims.keys() - set(own)
        rows, drawn, y, above = {}, [], ROW / 2, None
        for ident in [*(ident for ident in self.book.claims if ident in used), *own]:
            of = self.book.claims[ident][0]
            if used and of != above:
                drawn.append(f'<text class="dl-from" x="{MARGIN - 5}" y="{y + 4:g}">{html.escape(of.title)}</text>')
                above, y = of, y + ROW
            rows[ident] = self._node(ident, MARGIN, y)
            y += ROW
        for place, (ident, node) in enumerate(rows.items()):
            title = html.escape(node.block.title)
            if ident not in own:
                drawn.append(
                    self._link(node, place, f'{_mark(node)}<text x="{MARGIN + 12}" y="{node.y + 4:g}">{title}</text>')
                )
                continue
            users = {self.book.page_of(user).title for user in self.book.users.get(ident, ()) if user not in own}
            told = ", ".join(sorted(users)) if len(users) < 3 else f"{len(users)} other pages"
            also = f'<tspan dx="8">→ {html.escape(told)}</tspan>' if users else ""
            body = f'{_mark(node)}<text x="{MARGIN + 12}" y="{node.y + 4:g}">{title}{also}</text>'
            drawn.append(self._link(node, place, body, f' id="{ident}"'))
        return _svg(f"{where.title}: what each claim uses", y - ROW / 2 + 4, [*_edges(rows, own, _arc), *drawn])


class Extension(BlocksExtension):
    def extendMarkdownBlocks(self, md, block_mgr):
        page.attach(md)
        block_mgr.register(Graph, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)
