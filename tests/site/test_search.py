"""Finding a question: by its id, by its words in English, by the French key terms of its sheet, from the home page."""

import html
import json
import re
import unicodedata
from pathlib import Path

import pytest

from dlnotes._site import question


def _plain(text):
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _words(text):
    return set(re.findall(r"\w+", html.unescape(re.sub(r"<[^>]*>", " ", text))))


@pytest.fixture(scope="module")
def index(site):
    return json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))


@pytest.fixture
def search(browser, address):
    """search(words) -> for each page that is found, its links: the best first. The page searched in is search.page."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    page.locator(".md-search__input").focus()
    page.get_by_text("Type to start searching").wait_for()

    def ask(words):
        page.evaluate("document.querySelector('.md-search-result__list').innerHTML = '<li data-before></li>'")
        page.locator(".md-search__input").fill(words[:-1])
        page.locator(".md-search__input").press(words[-1])  # the theme looks at what is typed when a key is let go
        page.wait_for_function("!document.querySelector('[data-before]')")
        found = "items => items.map(item => [...item.querySelectorAll('a[href]')].map(a => a.pathname + a.hash))"
        return page.locator(".md-search-result__item").evaluate_all(found)

    ask.page = page
    yield ask
    context.close()


# --- what can be found ----------------------------------------------------------------------------------------------


def test_each_question_is_a_section_of_its_own_in_the_index(index):
    found = {entry["location"]: entry for entry in index["docs"] if entry["location"].startswith("questions/#")}
    assert len(found) == sum(entry["location"].startswith("questions/#") for entry in index["docs"])  # no id twice
    for row in question.questions():
        entry = found.pop(f"questions/#{row['question']}")
        assert entry["title"] == f"<code>{row['question']}</code> {html.escape(row['asks'], quote=False)}"
        assert row["french"] in entry["text"]
        assert _words(_plain(row["french"])) <= _words(_plain(entry["text"]))
        typed = set(entry["text"].removesuffix("</p>").split())
        assert {_plain(word) for word in _words(row["french"]) if _plain(word) != word} <= typed
        assert row["question"].partition(".")[2] in typed
    assert set(found) == {f"questions/#{sheet['sheet']}" for sheet in question.table(Path("docs/sheets.tsv"))}


def test_the_contents_of_the_page_are_the_sheets(site):
    text = (site / "questions/index.html").read_text(encoding="utf-8")
    contents = text[text.index("md-nav--secondary") : text.index("<article")]
    sheets = [sheet["sheet"] for sheet in question.table(Path("docs/sheets.tsv"))]
    assert list(dict.fromkeys(re.findall(r'href="#([^"]*)"', contents[: contents.index("</nav>")]))) == sheets


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("devoir-bn-rnn.IV.1.a", ["devoir", "bn", "rnn.IV.1.a"]),
        ("critère d'erreur", ["critère", "erreur"]),
        ("l’évanouissement du gradient", ["évanouissement", "gradient"]),
        ("Fonction de la perte", ["Fonction", "perte"]),
        ("de", []),  # as it comes when words are typed one by one
        ("the modèle, a desert", ["the", "modèle,", "a", "desert"]),
        ("Hessian's d", ["Hessian's", "d"]),
    ],
)
def test_words_end_where_french_words_end(index, text, words):
    parts = re.split(index["config"]["separator"], text)
    assert [part for part in parts if part] == words


# --- the search, as a reader meets it -------------------------------------------------------------------------------

FIRST = ["devoir-bn-rnn.I.2", "partiel-2019.2.bonus", "td5-2019.II.2", "ift6135-2022.3.5", "ift6390-devoir3.2.k"]
AMONG = {
    "td5-2019 II.2": "td5-2019.II.2",
    "devoir3.2.k": "ift6390-devoir3.2.k",
    "universal approximation theorem": "partiel-2019.2.2.a",
    "R operator product rule": "ift6135-2022.3.5",
    "évanouissement du gradient": "devoir-bn-rnn.III.4",
    "evanouissement": "devoir-bn-rnn.III.4",
    "derivee": "ift6390-devoir3.1.g",
    "l’entropie croisée": "ift6390-devoir3.2.f",
    "regle de derivation en chaine": "ift6390-devoir3.2.m",
    "champ réceptif": "ift6135-2022.5.3",
}


def test_the_search_finds_questions(search):
    for ident in FIRST:
        for typed in (ident, ident.upper()):
            assert next(link for link in search(typed)[0] if "#" in link) == f"/questions/#{ident}", typed
    for typed, ident in AMONG.items():
        assert f"/questions/#{ident}" in [link for links in search(typed)[:3] for link in links], typed
    assert next(link for links in search("softmax") for link in links) == "/chapters/softmax/"


def test_a_result_leads_to_the_question_and_the_question_to_its_answer(search):
    search("td5-2019.II.2")
    page = search.page
    page.locator(".md-search-result__link[href$='#td5-2019.II.2']").click()
    page.wait_for_url("**/questions/*#td5-2019.II.2")
    row = page.locator("h3[id='td5-2019.II.2']")
    row.wait_for()
    page.wait_for_function("document.querySelector('h3:target').getBoundingClientRect().top >= 48")  # below the header
    page.wait_for_function("document.querySelector('h3:target').getBoundingClientRect().bottom <= innerHeight")
    row.locator("xpath=..").get_by_role("link", name="Batch normalisation").click()
    page.wait_for_url("**/chapters/batch_norm/#td5-2019.II.2")


# --- from the home page ---------------------------------------------------------------------------------------------


def test_an_answer_is_two_clicks_from_home(site):
    article = re.compile(r"<article.*</article>", re.S)
    home, questions = (
        article.search((site / name).read_text(encoding="utf-8"))[0] for name in ("index.html", "questions/index.html")
    )
    assert 'href="questions/"' in home
    for row in question.questions():
        link = re.search(rf'href="\.\./(chapters/\w+/)#{re.escape(row["question"])}"', questions)
        assert link, row["question"]
        answer = (site / link[1] / "index.html").read_text(encoding="utf-8")
        assert f'<code id="{row["question"]}">' in answer


def test_the_home_page_leads_to_the_claims_of_each_chapter(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    ledger = (site / "claims/index.html").read_text(encoding="utf-8")
    found = re.findall(r'<td><a href="chapters/(\w+)/">[^<]*</a></td><td>\d+</td><td>(.*?)</td>', home)
    assert len(found) == len(question.ORDER)
    for stem, claims in found:
        count = ledger.count(f'data-chapter="{stem}"')
        assert count > 5
        assert claims == f'<a href="claims/?chapter={stem}">{count} claims</a>'
