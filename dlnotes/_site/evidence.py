"""The evidence: what the last run of a test file showed, and whether it still speaks of the code at hand.

One file per test file, `build/evidence/<test file>.json`, written whole or not at all by the pytest plugin.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from dlnotes._site import pages

SCHEMA = 1
FOLDER = Path("build/evidence")
REFEREE = (Path("dlnotes/check.py"), Path("dlnotes/_site/pytest_claims.py"))  # they decide what is green


def inputs(test: Path) -> dict[str, str]:
    """Path -> SHA-256 of what decides the verdicts of a test file: itself, the referee, and what it imports of ours."""
    found, todo = set(), [test, *REFEREE]
    while todo:
        path = todo.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        todo += _imports(path, path.stat().st_mtime_ns)
    return {
        path.as_posix(): _digest(path.resolve(), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(found)
    }


@cache
def _digest(path: Path, changed_ns: int, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _imports(path: Path, changed_ns: int) -> list[Path]:
    """The files of ours that a file imports, wherever in it: of the package, or beside it."""
    names: set[tuple[str, ...]] = set()
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:  # half written: its own bytes are in the fingerprint all the same
        return []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            here = path.parent.parts[: len(path.parent.parts) - node.level + 1] if node.level else ()
            module = (*here, *(node.module.split(".") if node.module else ()))
            names |= {module, *((*module, alias.name) for alias in node.names)}
    files = []
    for name in names:
        for k in range(1, len(name) + 1 if name[0] not in sys.stdlib_module_names else 0):
            stem = Path(*name[:k])
            files += [stem.with_suffix(".py"), stem / "__init__.py", path.parent / stem.with_suffix(".py")]
            if stem.with_suffix(".py").is_file():  # what it holds are no files
                break
    return list(dict.fromkeys(files))


@dataclass(frozen=True)
class Record:
    """The evidence of one id: an entry of `claims` or `steps`, with the run it comes from."""

    entry: dict
    run: dict

    @property
    def status(self) -> str:
        """held: a witness held and nothing failed; failed; or not run."""
        parts = [self.entry] if "lines" in self.entry else list(self.entry["witnesses"].values())
        parts += [by for wrong in self.entry.get("slips", {}).values() for by in wrong["by"].values()]
        statuses = [part["status"] for part in parts]
        if "failed" in statuses:
            return "failed"
        return "held" if "held" in statuses else "not run"


def file_of(test: Path) -> Path:
    return FOLDER / f"{test.stem}.json"


def write(test: Path, document: dict) -> None:
    """Write whole or not at all: beside the target first, then moved over it."""
    target = file_of(test)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(target)


@lru_cache(maxsize=64)
def _document(path: Path, changed_ns: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def load(test: Path) -> dict | None:
    """The evidence of a test file; None if there is none, or if it speaks of other code than the code at hand."""
    try:
        document = _document(file_of(test).resolve(), file_of(test).stat().st_mtime_ns)
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if document.get("schema") != SCHEMA or document.get("inputs") != inputs(test):
        return None
    return document


def record(block: pages.Block, kind: str, loaded: dict | None = None) -> Record | None:
    """The evidence for a claim or a derivation as the page shows it; None if this code and this TeX were not run.

    loaded: what one conversion of a page has loaded so far, so that it loads each file once.
    """
    tests, loaded = pages.book().tests_of(block.id), {} if loaded is None else loaded
    if tests and tests.path not in loaded:
        loaded[tests.path] = load(tests.path)
    document = loaded[tests.path] if tests else None
    entry = document and document[kind].get(block.id)
    if not entry:
        return None
    shown = [pages.squeeze(tex) for tex in block.tex]
    if kind == "steps":
        shown = [pages.squeeze(pages.split_sign(tex)[1]) for tex in block.tex]
    checked = [pages.squeeze(tex) for tex in entry["tex"]]
    if (shown != checked) if kind == "steps" else not set(shown) <= set(checked):
        return None
    return Record(entry, document["run"])


def refresh(tests: list[Path]) -> None:
    """Run the test files whose evidence does not speak of the code at hand. A failing claim is evidence too."""
    stale = [str(test) for test in tests if load(test) is None]
    if stale:
        print(f"Checking the claims of {', '.join(stale)}", flush=True)
        subprocess.run([sys.executable, "-m", "pytest", "-q", "--no-header", *stale], check=False)


def files() -> list[Path]:
    """Every file of claims."""
    return sorted(Path("tests").glob("test_*.py"))


if __name__ == "__main__":
    refresh(files())
