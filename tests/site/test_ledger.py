"""The ledger and the deep links, as a reader's browser meets them: filter, sort, link, copy, cite."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from dlnotes._site import pages

CLAIM = "batch-norm-input-gradient"
CHAPTER = "chapters/batch_norm/"


@pytest.fixture(scope="module")
def found():
    """The evidence of every claim, read apart from the code under test: id -> chapter, entry."""
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in Path("build/evidence").glob("*.json")}
    return {ident: entry for file in files.values() for ident, entry in file["claims"].items()}


@pytest.fixture
def open_page(browser, address):
    """open_page(path, **context) -> a page that may use the clipboard."""
    contexts = []

    def open_(path, *, permissions=("clipboard-read", "clipboard-write"), **options):
        contexts.append(browser.new_context(permissions=list(permissions), **options))
        contexts[-1].set_default_timeout(10_000)
        page = contexts[-1].new_page()
        page.goto(f"{address}/{path}", wait_until="load")
        if options.get("java_script_enabled", True):
            page.wait_for_function("!document.querySelector('.dl-ledger:not([data-ready])')")
        return page

    yield open_
    for context in contexts:
        context.close()


def rows(page, what="row => row.id"):
    return page.locator(".dl-ledger tbody tr:visible").evaluate_all(f"rows => rows.map({what})")


def control(page, name):
    return page.locator(".dl-ledger").get_by_label(name)


def said(page):
    return page.locator(".dl-ledger [role=status]").inner_text()


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def kinds(entry):
    return {w["kind"] if w["status"] == "held" else w["status"] for w in entry["witnesses"].values()}


# --- the rows -------------------------------------------------------------------------------------------------------


def test_a_row_says_what_the_evidence_says(open_page, site, found):
    page = open_page("claims/")
    cells = dict(rows(page, "row => [row.id, [...row.cells].map(cell => cell.innerText.trim())]"))
    assert set(cells) == set(found) == {block.id for p in pages.book().pages for block in p.claims}
    for ident, entry in found.items():
        _, _, known, error, allowed, cases, slips, off, tests = cells[ident]
        witnesses = entry["witnesses"].values()
        assert {kind for kind in ("exact", "measured") if kind in known} == kinds(entry) - {"not run"}, ident
        measured = [w for w in witnesses if w["error"] is not None]
        if measured:
            nearest = max(measured, key=lambda w: w["error"] / (w["tolerance"] or 1))
            assert float(error) == pytest.approx(nearest["error"], rel=0.5), ident
            assert float(allowed) == pytest.approx(nearest["tolerance"], rel=0.5), ident
        else:
            assert (error, allowed) == (("none", "none") if "measured" in kinds(entry) else ("exact", "0")), ident
        assert int(cases) == sum(w["cases"] for w in witnesses), ident
        rejected = [s for s in entry["slips"].values() if "rejected" in {at["status"] for at in s["by"].values()}]
        assert slips == (f"{len(rejected)} of {len(entry['slips'])}" if entry["slips"] else "no slip"), ident
        distances = [at["off_by"] for s in rejected for at in s["by"].values() if at["off_by"] is not None]
        assert (float(off) if off else None) == (pytest.approx(min(distances), rel=0.1) if distances else None), ident
        nodes = [("– " if w["status"] == "not run" else "") + w["node"] for w in witnesses]
        assert tests.split("\n") == nodes, ident


def test_the_totals_are_those_of_the_evidence(open_page, found):
    text = open_page("claims/").locator("article").inner_text().replace(",", "")
    each = [k for entry in found.values() if (k := kinds(entry)) != {"not run"}]
    exact, measured = (sum(kind in k for k in each) for kind in ("exact", "measured"))
    both = sum({"exact", "measured"} <= k for k in each)
    told = f"{len(found)} claims of which {len(each)} hold: {exact} known exactly {measured} measured {both} both."
    assert told in text
    witnesses = [w for entry in found.values() for w in entry["witnesses"].values()]
    held = sum(w["status"] == "held" for w in witnesses)
    assert f"{held} witnesses held on {sum(w['cases'] for w in witnesses)} cases." in text
    assert f"{len(witnesses) - held} did not run." in text
    slips = [wrong for entry in found.values() for wrong in entry["slips"].values()]
    rejected = sum("rejected" in {at["status"] for at in wrong["by"].values()} for wrong in slips)
    assert f"{len(slips)} slips of which {rejected} were rejected" in text
    steps = [block for p in pages.book().pages for block in p.steps]
    lines = sum(len(block.tex) - 1 for block in steps)
    assert f"{len(steps)} derivations with {lines} lines of which {lines} hold." in text


def test_the_page_on_trust_counts_the_witnesses_by_kind_and_method(open_page, found):
    page = open_page("trust/")
    table = page.locator("article table tbody tr").all_inner_texts()
    table = {kind: (int(count), methods) for kind, count, methods in (row.split("\t") for row in table)}
    held = [w for entry in found.values() for w in entry["witnesses"].values() if w["status"] == "held"]
    for kind in ("exact", "measured"):
        mine = [w for w in held if w["kind"] == kind]
        used = Counter(method for w in mine for method in w["method"].split(", "))
        assert table[kind][0] == len(mine)
        assert dict(re.findall(r"([^,(]+) \((\d+)\)", table[kind][1].replace(", ", ","))) == {
            method: str(count) for method, count in used.items()
        }
    assert table["not run"][0] == sum(len(entry["witnesses"]) for entry in found.values()) - len(held)


def test_trust_is_linked_from_home_and_from_the_ledger(open_page):
    for path in ("", "claims/"):
        page = open_page(path)
        page.locator("article").get_by_role("link", name="What a mark is worth").first.click()
        page.wait_for_url("**/trust/")


def test_the_ledger_is_light(site):
    assert len(gzip.compress((site / "claims/index.html").read_bytes())) < 150_000


# --- filters --------------------------------------------------------------------------------------------------------


def test_each_filter_shows_its_claims_and_says_how_many(open_page, found):
    page = open_page("claims/")
    everything = rows(page)
    assert said(page) == f"{len(everything)} claims"
    control(page, "Chapter").select_option("Batch normalisation")
    assert rows(page) == [ident for ident in everything if ident.startswith("batch-norm-")]
    for kind, name in {"exact": "exact", "measured": "measured", "not-run": "not run"}.items():
        control(page, "Kind").select_option(kind)
        wanted = [i for i in everything if i.startswith("batch-norm-") and name in kinds(found[i])]
        assert rows(page) == wanted
        assert said(page) == f"{len(wanted)} of {len(everything)} claims"
        assert control(page, "Kind").evaluate("s => s.selectedOptions[0].text") == (
            f"{name} ({sum(name in kinds(entry) for entry in found.values())})"
        )
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("location.search === ''")
    assert rows(page) == everything
    assert said(page) == f"{len(everything)} claims"


def test_a_claim_belongs_to_the_questions_whose_block_surrounds_it(open_page, found):
    page = open_page(CHAPTER)
    around = page.locator(".dl-claim > h3").evaluate_all(
        """heads => heads.map(h => [h.id, [...(h.closest(".dl-question")?.querySelectorAll(".dl-answers code") ?? [])]
            .map(code => code.id)])"""
    )
    wanted = [ident for ident, questions in around if "devoir-bn-rnn.I.2" in questions]
    assert CLAIM in wanted
    assert 0 < len(wanted) < len(around)
    page = open_page("claims/")
    control(page, "Question").select_option("devoir-bn-rnn.I.2")
    assert rows(page) == wanted
    page.locator(f"#{CLAIM}").get_by_role("link", name="devoir-bn-rnn.I.2").click()
    page.wait_for_url("**/chapters/batch_norm/#devoir-bn-rnn.I.2")


def test_a_filtered_view_can_be_linked_and_copied(open_page, address):
    page = open_page("claims/")
    control(page, "Chapter").select_option("Softmax")
    control(page, "Kind").select_option("exact")
    page.get_by_role("button", name="Copy link to this view").click()
    page.get_by_text("Link to these claims copied.").wait_for()
    link = clipboard(page)
    assert link == page.url == f"{address}/claims/?chapter=softmax&kind=exact"
    shown, told = rows(page), said(page)
    again = open_page(link.removeprefix(f"{address}/"))
    assert (rows(again), said(again)) == (shown, told)
    assert control(again, "Chapter").input_value() == "softmax"


def test_an_address_that_names_no_option_hides_nothing(open_page, found):
    page = open_page("claims/?chapter=nothing&kind=&color=red")
    assert len(rows(page)) == len(found)
    assert control(page, "Chapter").evaluate("select => select.selectedIndex") == 0


def test_the_filters_by_keyboard(open_page):
    page = open_page("claims/")
    control(page, "Kind").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("location.search === '?kind=exact'")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("location.search === ''")


def test_the_count_is_a_status_that_stands_before_it_changes(open_page):
    page = open_page("claims/", java_script_enabled=False)
    assert page.locator(".dl-ledger form [role=status]").count() == 1


def test_without_javascript_the_whole_table_stands_and_no_dead_control(open_page, found):
    page = open_page("claims/?chapter=softmax", java_script_enabled=False)
    assert page.locator(".dl-ledger tbody tr:visible").count() == len(found)
    assert page.locator(".dl-ledger form:visible").count() == 0
    page = open_page(CHAPTER, java_script_enabled=False)
    assert page.locator(".dl-cite:visible").count() == 0
    assert page.get_by_role("link", name="In the ledger").first.is_visible()


# --- sorting --------------------------------------------------------------------------------------------------------


def test_the_ledger_sorts_by_a_click_and_back(open_page):
    page = open_page("claims/")
    before = rows(page)
    head = page.get_by_role("columnheader", name="Claim")
    head.get_by_role("button").click()
    up = rows(page)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert rows(page) == up[::-1]
    assert sorted(up) == sorted(before)


def test_numbers_sort_as_numbers_and_before_words(open_page):
    page = open_page("claims/")
    for name, column in (("Largest error", 3), ("Allowed", 4), ("Cases", 5), ("Off by at least", 7)):
        page.get_by_role("button", name=name).click()
        texts = rows(page, f"row => row.cells[{column}].innerText.trim()")
        numbers = [float(text) for text in texts if re.match(r"[0-9]", text)]
        assert len(set(numbers)) > 5, name
        assert [text for text in texts[: len(numbers)] if not re.match(r"[0-9]", text)] == [], name
        assert numbers == sorted(numbers), name


def test_a_sort_keeps_the_filter(open_page):
    page = open_page("claims/?chapter=bptt")
    shown = rows(page)
    page.get_by_role("button", name="Cases").click()
    assert sorted(rows(page)) == sorted(shown)
    assert rows(page) != shown


# --- links ----------------------------------------------------------------------------------------------------------


def test_claim_and_row_lead_to_each_other(open_page):
    page = open_page(CHAPTER)
    section = page.locator(f"section:has(> #{CLAIM})")
    section.get_by_role("link", name="In the ledger").click()
    page.wait_for_url(f"**/claims/#{CLAIM}")
    row = page.locator(f"tr#{CLAIM}")
    row.wait_for()
    box = f"document.querySelector('tr#{CLAIM}').getBoundingClientRect()"
    page.wait_for_function(f"{box}.top >= 0 && {box}.bottom <= innerHeight")
    row.get_by_role("link").first.click()
    page.wait_for_url(f"**/{CHAPTER}#{CLAIM}")
    assert page.locator(f"h3#{CLAIM}").is_visible()


@pytest.mark.parametrize(
    ("beside", "anchor"),
    [
        pytest.param(f"#{CLAIM}", CLAIM, id="claim"),
        pytest.param("#batch-norm-three-paths", "batch-norm-three-paths", id="derivation"),
        pytest.param("[id='batch-norm-three-paths.2']", "batch-norm-three-paths.2", id="line"),
        pytest.param("[id='devoir-bn-rnn.I.2']", "devoir-bn-rnn.I.2", id="question"),
        pytest.param("#the-missing-square", "the-missing-square", id="section"),
    ],
)
def test_a_click_copies_the_address_and_says_so(open_page, address, beside, anchor):
    page = open_page(CHAPTER)
    assert page.locator(beside).count() == 1
    status = page.locator(".dl-said")
    assert (status.get_attribute("role"), status.text_content()) == ("status", "")
    page.locator(f"article a.headerlink[href$='#{anchor}']").click()
    page.wait_for_function("document.querySelector('.dl-said').textContent")
    assert status.inner_text() == f"Link copied: #{anchor}"
    assert clipboard(page) == f"{address}/{CHAPTER}#{anchor}"
    page.keyboard.press("Escape")
    assert status.text_content() == ""


def test_every_claim_derivation_line_and_question_has_a_link_of_its_own(open_page):
    for read in pages.book().pages:
        if not read.claims:
            continue
        page = open_page(read.url, java_script_enabled=False)
        links = set(page.locator("article a.headerlink").evaluate_all("all => all.map(a => a.getAttribute('href'))"))
        wanted = {block.id for block in (*read.claims, *read.steps)} | set(read.questions)
        wanted |= {f"{block.id}.{k}" for block in read.steps for k in range(1, len(block.tex))}
        assert {f"#{ident}" for ident in wanted} <= links, read.path
        ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
        assert wanted <= set(ids)
        assert [ident for ident, count in Counter(ids).items() if count > 1 and ident in wanted] == []
        page.context.close()


def test_a_link_to_a_line_opens_it(open_page):
    page = open_page(f"{CHAPTER}#batch-norm-three-paths.2")
    opened = page.locator(".dl-step[open]")
    assert opened.evaluate_all("all => all.map(e => e.id)") == ["batch-norm-three-paths.2"]
    assert "Agrees with the line above" in opened.inner_text()
    page.evaluate("location.hash = 'batch-norm-three-paths.1'")
    page.locator("[id='batch-norm-three-paths.1'][open]").wait_for()


def test_a_link_is_copied_by_keyboard(open_page, address):
    page = open_page(CHAPTER)
    page.locator(f"#{CLAIM} .headerlink").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Link copied: ").wait_for()
    assert clipboard(page) == f"{address}/{CHAPTER}#{CLAIM}"


def test_a_click_for_another_tab_copies_nothing(open_page):
    page = open_page(CHAPTER)
    page.evaluate("navigator.clipboard.writeText('before')")
    page.locator(f"#{CLAIM} .headerlink").click(modifiers=["Control"])
    page.wait_for_timeout(300)
    assert clipboard(page) == "before"


# --- citation -------------------------------------------------------------------------------------------------------


def cite(page):
    page.locator(f"section:has(> #{CLAIM})").get_by_role("button", name="Cite this claim").click()
    page.wait_for_function("document.querySelector('.dl-said').textContent")
    return page.locator(".dl-said").inner_text()


def citation(address):
    run = json.loads(Path("build/evidence/test_batch_norm.json").read_text(encoding="utf-8"))["run"]
    return (
        f"“Two means are subtracted from the gradient” ({CLAIM}), dlnotes. {address}/{CHAPTER}#{CLAIM}"
        f" Checked {run['date']}, commit {run['commit']}."
    )


def test_a_claim_is_cited_with_its_address_and_the_run_that_checked_it(open_page, address):
    page = open_page(f"{CHAPTER}?q=1#the-missing-square")
    assert cite(page) == f"Citation copied: {citation(address)}"
    assert clipboard(page) == citation(address)


def test_a_published_book_is_cited_at_its_own_address(open_page):
    page = open_page(CHAPTER)
    canonical = "https://book.example/notes/chapters/batch_norm/"  # what the theme writes where site_url is set
    page.evaluate(f"document.head.insertAdjacentHTML('beforeend', '<link rel=canonical href={canonical}>')")
    cite(page)
    assert clipboard(page) == citation("https://book.example/notes")


def test_without_the_clipboard_of_https_the_old_way_copies(open_page, address):
    page = open_page(CHAPTER)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    assert cite(page).startswith("Citation copied: ")
    page.evaluate("delete navigator.clipboard")
    assert clipboard(page) == citation(address)
    assert page.evaluate("document.activeElement.className") == "dl-cite"


def test_where_nothing_may_be_copied_the_text_is_shown(open_page, address):
    page = open_page(CHAPTER)
    page.evaluate("navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false")
    assert cite(page) == f"Your browser does not let this page copy. Here it is: {citation(address)}"
