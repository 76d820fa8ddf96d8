"""Going from page to page without loading them, as the published site does: after each arrival its tools work, once."""

import re

import pytest

CHAPTER = "chapters/batch_norm/"


@pytest.fixture
def reader(browser, site, address):
    """A page whose site map names this server: the theme then swaps pages instead of loading them."""
    context = browser.new_context(
        permissions=["clipboard-read", "clipboard-write"],
        color_scheme="light",
        viewport={"width": 1280, "height": 1000},
    )
    context.set_default_timeout(10_000)
    pages = sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))
    named = "".join(f"<url><loc>{address}/{'' if path == '.' else path + '/'}</loc></url>" for path in pages)
    sitemap = f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{named}</urlset>'
    context.route("**/sitemap.xml", lambda route: route.fulfill(body=sitemap, content_type="application/xml"))
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(f"{address}/", wait_until="networkidle")
    page.evaluate("""
        window.stays = true;
        window.copied = [];
        navigator.clipboard.writeText = text => Promise.resolve(copied.push(text));
    """)
    yield page
    context.close()


def arrived(page, title):
    page.get_by_role("heading", level=1, name=title).wait_for()
    assert page.evaluate("window.stays"), "the page was loaded anew: this test shows nothing"
    assert page.complaints == []


def copies_once(page, button):
    page.evaluate("copied.length = 0")
    button.click()
    page.wait_for_function("copied.length")
    page.wait_for_timeout(100)  # a second listener would have had its turn
    assert page.evaluate("copied.length") == 1


def chapter_works(page):
    arrived(page, "Batch normalisation")
    page.locator(".dl-run[data-ready] button").first.wait_for()
    for box in page.locator(".dl-run").all():
        names = [name for name in box.locator(".dl-run__bar button").all_inner_texts() if name]
        begins = "Check" if "dl-exercise" in box.get_attribute("class") else "Run"
        assert (names[0], len(names)) == (begins, len(set(names)))
    assert page.locator(".dl-exercise").count() == 2
    snippet = page.locator(".dl-run:not(.dl-exercise)").first
    snippet.get_by_role("button", name="Edit").click()
    assert snippet.locator("textarea").count() == 1
    claim = page.locator("section:has(> #batch-norm-input-gradient)")
    copies_once(page, claim.get_by_role("button", name="Cite this claim"))  # which leaves the history as it is
    searches(page)


def ledger_works(page, chapter):
    arrived(page, "Every claim")
    page.locator(".dl-ledger[data-ready]").wait_for()
    ledger = page.locator(".dl-ledger")
    assert ledger.get_by_label("Chapter").input_value() == chapter
    shown = ledger.locator("tbody tr:visible").evaluate_all("rows => rows.map(row => row.dataset.chapter)")
    assert set(shown) == {chapter}
    assert ledger.get_by_role("status").inner_text().startswith(f"{len(shown)} of ")
    ledger.get_by_label("Kind").select_option("exact")
    assert f"chapter={chapter}&kind=exact" in page.url
    assert 0 < ledger.locator("tbody tr:visible").count() < len(shown)
    ledger.get_by_label("Kind").select_option("")
    assert ledger.locator("th button").count() == ledger.locator("th").count()
    head = ledger.get_by_role("columnheader", name="Claim")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending", "sorted twice by one click"
    copies_once(page, page.get_by_role("button", name="Copy link to this view"))
    searches(page)


def searches(page):
    page.locator(".md-search__input").click()
    page.locator(".md-search__input").press_sequentially("td5-2019.II.2")
    page.locator(".md-search-result__link[href$='#td5-2019.II.2']").first.wait_for()
    page.keyboard.press("Escape")
    page.locator(".md-search-result__link").first.wait_for(state="hidden")


def test_there_and_back_again(reader, address):
    page, table = reader, reader.locator("article table")
    table.get_by_role("link", name="Batch normalisation").click()
    chapter_works(page)
    page.go_back()
    arrived(page, "dlnotes")
    row = table.get_by_role("row", name=re.compile("Batch normalisation"))
    row.get_by_role("link", name=re.compile(r"\d+ claims")).click()
    page.wait_for_url(f"{address}/claims/?chapter=batch_norm")
    ledger_works(page, "batch_norm")
    page.locator("#batch-norm-input-gradient").get_by_role("link").first.click()
    page.wait_for_url(f"**/{CHAPTER}#batch-norm-input-gradient")
    chapter_works(page)
    page.go_back()
    ledger_works(page, "batch_norm")
    page.go_forward()
    chapter_works(page)
    assert page.locator(".dl-said").count() == 1


def test_the_choice_of_a_theme_is_kept_from_page_to_page_and_by_a_reload(reader, address):
    scheme = "document.body.dataset.mdColorScheme"
    page = reader
    assert page.evaluate(scheme) == "default"
    page.locator("label[title='Switch to dark']").click()
    page.wait_for_function(f"{scheme} === 'slate'")
    page.locator("article table").get_by_role("link", name="Softmax").click()
    arrived(page, "Softmax")
    assert page.evaluate(scheme) == "slate"
    page.go_back()
    arrived(page, "dlnotes")
    assert page.evaluate(scheme) == "slate"
    page.reload(wait_until="networkidle")
    assert page.evaluate(scheme) == "slate"
    page.goto(f"{address}/{CHAPTER}", wait_until="networkidle")
    assert page.evaluate(scheme) == "slate"
    page.locator("label[title='Switch to light']").click()
    page.wait_for_function(f"{scheme} === 'default'")
    page.reload(wait_until="networkidle")
    assert page.evaluate(scheme) == "default"
    assert page.complaints == []
