"""What a claim declares that it uses: how it is read, what is refused, and how it is drawn."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from dlnotes._site import pages

PAGE = Path("docs/chapters/small.md")
CLAIM = "/// claim | {0}\n    id: {0}\n{1}\n$$x$$\n///\n\n"


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """faults(one="two, three", ...): what is wrong with these claims and the claims that they use."""
    monkeypatch.chdir(tmp_path)
    PAGE.parent.mkdir(parents=True)

    def run(**uses):
        rows = {ident: f"    uses: {used}\n" if used is not None else "" for ident, used in uses.items()}
        PAGE.write_text("# Small\n\n" + "".join(CLAIM.format(*row) for row in rows.items()), encoding="utf-8")
        told = [str(fault) for fault in pages.disagreements(pages.book())]
        return [fault for fault in told if "test" not in fault]

    return run


def read(options):
    """The id and the uses of a claim with these options."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(f"# Small\n\n/// claim | Title\n{options}\n\n$$x$$\n///\n", encoding="utf-8")
    (block,) = pages.read_page(PAGE).claims
    return block.id, block.uses


@pytest.mark.parametrize(
    ("options", "uses"),
    [
        ("    id: one", ()),
        ("    id: one\n    uses: two", ("two",)),
        ("    uses: two,three\n    id: one", ("two", "three")),
        ("    id: one\n    uses: two,\n        three, four", ("two", "three", "four")),
    ],
)
def test_the_options_of_a_claim_are_read(tmp_path, monkeypatch, options, uses):
    monkeypatch.chdir(tmp_path)
    assert read(options) == ("one", uses)


def test_uses_that_lead_up_and_down_are_no_fault(faults):
    assert faults(one="three", two="one, three", three=None) == []


def test_who_uses_a_claim_is_the_inverse_of_what_it_uses(faults):
    faults(one="three", two="one, three", three=None)
    assert pages.book().users == {"three": ["one", "two"], "one": ["two"]}


@pytest.mark.parametrize(
    ("uses", "fault"),
    [
        ({"one": "four"}, "3: one: it uses four, which is no claim"),
        ({"one": None, "two": "one, one"}, "9: two: it uses one twice"),
        ({"one": "two,, ", "two": None}, "3: one: it uses nothing, between two commas, which is no claim"),
        ({"one": "one"}, "3: one: a claim cannot rest on itself: one uses one"),
        (
            {"one": "three", "two": "one", "three": "two", "four": "one"},
            "3: one: a claim cannot rest on itself: one uses three uses two uses one",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told_with_its_line(faults, uses, fault):
    assert f"{PAGE}:{fault}" in faults(**uses)


# --- as it is drawn ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def declared():
    """(page's stem, claim) -> the claims that it uses, read from the pages by other means."""
    found = {}
    for path in sorted(Path("docs").rglob("*.md")):
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
        for ident, uses in re.findall(r"^/{3,} claim \|.*\n    id: (\S+)\n((?:    .*\n)*)", text, re.M):
            found[path.stem, ident] = uses.replace("uses:", "").replace(",", " ").split()
    return found


@pytest.fixture(scope="module")
def graph(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/graph/")
    yield page
    context.close()


DRAWN = """svg => [
    svg.parentElement.getAttribute("aria-label"),
    [...svg.querySelectorAll("[data-claim]")].map(a => [
        a.getAttribute("xlink:href").split("#")[1], a.id, a.querySelector("g path").getAttribute("class"),
        a.querySelector("g").transform.baseVal[0].matrix.f]),
    [...svg.querySelectorAll("[data-use]")].map(path => {
        const [from, to] = [path.getPointAtLength(0), path.getPointAtLength(path.getTotalLength())];
        return [path.dataset.use, from.y, to.y];
    }),
]"""


def _drawings(graph):
    """Label -> (claims, their kinds and heights, pairs of claims, heights of the ends of each path)."""
    found = {}
    for label, claims, paths in graph.evaluate(f"[...document.querySelectorAll('.dl-graph svg')].map({DRAWN})"):
        pairs = [tuple(claims[int(k)][0] for k in use.split()) for use, *_ in paths]
        found[label] = claims, pairs, [ends for _, *ends in paths]
    return found


def test_the_book_and_every_page_are_drawn_as_declared(graph, declared):
    drawn = _drawings(graph)
    book = drawn.pop("The book: every claim, and what it uses")
    assert Counter(name for name, *_ in book[0]) == Counter(ident for _, ident in declared)
    assert Counter(book[1]) == Counter((ident, used) for (_, ident), uses in declared.items() for used in uses)
    assert len(drawn) == len({stem for stem, _ in declared})
    for claims, pairs, _ in drawn.values():
        own = [name for name, ident, *_ in claims if ident]
        (stem,) = {stem for stem, ident in declared if ident in own}
        assert own == [ident for of, ident in declared if of == stem]
        assert Counter(pairs) == Counter((ident, used) for ident in own for used in declared[stem, ident])
        foreign = [name for name, ident, *_ in claims if not ident]
        assert sorted(foreign) == sorted({used for _, used in pairs} - set(own))


def test_a_line_leads_from_a_claim_to_what_it_uses(graph):
    for label, (claims, pairs, ends) in _drawings(graph).items():
        height = {name: y for name, *_, y in claims}
        for pair, found in zip(pairs, ends, strict=True):
            assert found == pytest.approx([height[name] for name in pair], abs=5.1), label


def test_a_mark_shows_how_the_claim_is_known(graph):
    witnesses = {}
    for file in Path("build/evidence").glob("*.json"):
        for ident, entry in json.loads(file.read_text(encoding="utf-8"))["claims"].items():
            witnesses[ident] = {w["kind"] for w in entry["witnesses"].values() if w["status"] == "held"}
    names = {frozenset(): "not-run", frozenset(["exact"]): "exact", frozenset(["measured"]): "measured"}
    for claims, *_ in _drawings(graph).values():
        for ident, _, kind, _ in claims:
            assert kind == names.get(frozenset(witnesses[ident]), "exact-and-measured"), ident


def test_the_sentence_counts_claims_and_uses(graph, declared):
    where = {ident: stem for stem, ident in declared}
    uses = [(stem, used) for (stem, _), all_ in declared.items() for used in all_]
    across = sum(where[used] != stem for stem, used in uses)
    free = sum(not all_ for all_ in declared.values())
    told = f"{len(declared)} claims {len(uses)} uses {across} of them across pages. {free} claims use no other."
    assert told in graph.locator("article").inner_text().replace(",", "")


def test_pointing_at_a_claim_or_reaching_it_by_keyboard_lights_its_uses(graph, declared):
    ident = "batch-norm-input-gradient"  # it uses one, and more use it
    row = graph.locator(f"[id='{ident}']")
    lit = f"svg:has([id='{ident}']) [data-use].lit"
    for reach, leave in ((row.hover, lambda: graph.mouse.move(0, 0)), (row.focus, row.blur)):
        reach()
        up = graph.locator(f"{lit}.up").count()
        assert up == len(declared["batch_norm", ident])
        users = sum(ident in uses for (stem, _), uses in declared.items() if stem == "batch_norm")
        assert graph.locator(lit).count() - up == users > 0
        leave()
        assert graph.locator(".lit").count() == 0


def test_a_claim_names_its_neighbours_and_the_graph_leads_back(browser, address, declared):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/chapters/batch_norm/")
    for stem, ident in declared:
        if stem != "batch_norm":
            continue
        section = page.locator(f"section:has(> h3[id='{ident}'])")
        links = section.locator("details:has-text('sed by') a").evaluate_all("all => all.map(a => a.hash.slice(1))")
        assert links == declared[stem, ident] + [user for (_, user), uses in declared.items() if ident in uses]
    page.locator("section:has(> h3[id='batch-norm-jacobian'])").get_by_role("link", name="In the graph").click()
    page.wait_for_url("**/graph/#batch-norm-jacobian")
    page.locator("[id='batch-norm-jacobian']").click()
    page.wait_for_url("**/chapters/batch_norm/#batch-norm-jacobian")
    context.close()
