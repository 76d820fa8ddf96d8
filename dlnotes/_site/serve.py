"""`make serve`: the pages at once, the claims checked beside them, and each save seen at once.

mkdocs converts every page after every save. Here a page whose sources are as they were is kept, and so is its part of
the search index. Claims run in a process beside the server; when a file of them is done, its page turns from grey to
green or red. Then the labs run.
"""

import functools
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from material.plugins.search.plugin import SearchIndex
from mkdocs.commands import serve
from mkdocs.structure.pages import Page

from dlnotes._site import evidence, labs, pages, wheel

_SHOWS_OTHERS = re.compile(r"^/{3,}\s*(see|ledger|totals|questions|chapters|timings)\b", re.M)
_SHOWS_FILE = re.compile(r"^/{3,}\s*(?:quote|figure)\s*\|\s*(\S+?)::", re.M)
_LEFT_OUT = re.compile(
    r"<tex-math\b[^>]*data-search-exclude.*?</tex-math>|<details data-search-exclude.*?</details>", re.S
)
_KEPT = ("content", "toc", "_title_from_render", "present_anchor_ids")


def sources(page: Path, text: str) -> set[Path]:
    """The files, beside its own text, that decide what a page shows."""
    if _SHOWS_OTHERS.search(text):
        folders = {"docs": "*.*", "tests": "*.py", "dlnotes": "*.py", "benchmarks": "*.*", evidence.FOLDER: "*.json"}
        return {path for folder, names in folders.items() for path in Path(folder).rglob(names)}
    test = Path("tests") / f"test_{page.stem}.py"
    read = {test, *map(Path, _SHOWS_FILE.findall(text))}
    return {Path(name) for path in read for name in evidence.inputs(path)} | {evidence.file_of(test)}


def _state(path: Path) -> tuple[int, int] | None:
    try:
        return path.stat().st_mtime_ns, path.stat().st_size
    except FileNotFoundError:
        return None


def keep_pages() -> None:
    """Have mkdocs convert a page again only when something that it shows has changed."""
    convert, index = Page.render, SearchIndex.add_entry_from_context
    shown: dict[str, tuple] = {}  # page -> state of its sources, what came of them
    indexed: dict[str, tuple] = {}  # page -> its HTML, its entries

    def render(self, config, files):
        path = Path("docs", self.file.src_uri)
        mine = {path, Path("tests") / f"test_{path.stem}.py"}
        faults = [str(fault) for fault in pages.book().faults if fault.path in mine]
        state = self.markdown, faults, {source: _state(source) for source in sources(path, self.markdown)}
        if shown.get(self.file.src_uri, (None,))[0] == state:
            vars(self).update(shown[self.file.src_uri][1])
            return
        convert(self, config, files)
        shown[self.file.src_uri] = state, {name: vars(self)[name] for name in _KEPT}

    def add_entry_from_context(self, page):
        before, content = len(self.entries), page.content
        if indexed.get(page.url, (None,))[0] == content:
            self.entries += indexed[page.url][1]
            return
        page.content = _LEFT_OUT.sub("", content)  # the theme's parser is slow, and leaves them out itself
        index(self, page)
        page.content = content
        indexed[page.url] = content, self.entries[before:]

    Page.render, SearchIndex.add_entry_from_context = render, add_entry_from_context


def check_next(tried: dict[Path, str]) -> bool:
    """Run one file of claims whose evidence is stale, once for each state of the code. Whether there was one."""
    for test in evidence.files():
        state = str(evidence.inputs(test))
        if tried.get(test) != state and evidence.load(test) is None:
            tried[test] = state
            print(f"Checking {test}", flush=True)
            command = ["nice", sys.executable, "-m", "pytest", "-q", "--no-header", str(test)]  # a save goes first
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            print(run.stdout if run.returncode else f"Checked {test}: {run.stdout.splitlines()[-1]}", flush=True)
            return True
    return False


def run_next_lab() -> bool:
    """Run one lab that has not run on this state of the code. Whether there was one."""
    if not (lab := labs.stale()):
        return False
    print(f"Running {lab}", flush=True)
    subprocess.run(["nice", sys.executable, "-m", "dlnotes._site.labs", str(lab)], check=True)
    return True


def _check_all() -> None:
    tried: dict[Path, str] = {}
    while True:
        if not check_next(tried) and not run_next_lab():
            time.sleep(0.3)


def main(address: str) -> None:
    os.environ["DLNOTES_SITE"] = "serve"
    wheel.build()
    watched = [evidence.FOLDER, labs.FOLDER]
    for folder in watched:
        folder.mkdir(parents=True, exist_ok=True)
    keep_pages()
    threading.Thread(target=_check_all, daemon=True).start()
    serve.LiveReloadServer = functools.partial(
        serve.LiveReloadServer, polling_interval=0.2
    )  # looks at the files oftener
    serve.serve("mkdocs.yml", dev_addr=address, watch=list(map(str, watched)))


if __name__ == "__main__":
    main(sys.argv[1])
