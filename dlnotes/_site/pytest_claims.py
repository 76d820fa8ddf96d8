"""The pytest plugin: collects claims, slips and steps, runs them through the referee, and writes the evidence.

Each witness is a test; so is each slip at each witness of its claim that takes an answer; so is each derivation.
The evidence of a file is written once all of its tests have run, and not at all when only some were asked for.
"""

import datetime
import importlib.util
import inspect
import math
import os
import platform
import subprocess
import sys
import unittest
from importlib import metadata
from pathlib import Path

import pytest

from dlnotes import check
from dlnotes._site import evidence, pages


class _Item(pytest.Item):
    """One test of the referee. `entry` is its place in the evidence, filled when it has run."""

    def __init__(self, *, ident, function, entry, **kwargs):
        super().__init__(**kwargs)
        self.ident, self.function, self.entry = ident, function, entry

    def runtest(self):
        try:
            self.entry.update(self.verdict())
        except check.NotHere as error:
            if not check.lacks(error.name):
                self.tell("failed", f"{error.name} is there")
                raise check.Malformed(f"only need() may excuse a witness: {error.name} is there") from error
            self.tell("not run", str(error))
            if os.environ.get("CI") and not check.excused(str(error)):
                raise
            pytest.skip(f"{self.ident}: {error}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.tell("failed", check.explain(error))
            if not isinstance(error, Exception) or isinstance(error, unittest.SkipTest):  # pytest's skip and its kin
                raise check.Malformed(f"only need() may excuse a witness: {error}") from error
            raise

    def tell(self, status, reason):
        self.entry.update(status=status, reason=reason)

    def repr_failure(self, excinfo):
        if excinfo.errisinstance((check.Refused, check.Malformed, check.NotHere)):
            return f"claim {self.ident}: {self.function.__name__}: {excinfo.value}"
        return f"claim {self.ident}: {self.function.__name__}\n{super().repr_failure(excinfo, style='short')}"

    def reportinfo(self):
        return self.path, inspect.getsourcelines(self.function)[1], f"{self.ident}: {self.name}"


class WitnessItem(_Item):
    def verdict(self):
        outcome = check.hold(self.function.dlnotes)
        return {"status": "held", "reason": "", **vars(outcome)}


class SlipItem(_Item):
    witness = None

    def tell(self, status, reason):
        self.entry.update(status=status)  # the reason is its witness's

    def verdict(self):
        off_by = check.reject(self.function.dlnotes, self.witness)
        finite = off_by is not None and math.isfinite(off_by)  # infinite: a wrong shape, or NaN
        return {"status": "rejected", "off_by": off_by if finite else None}


class StepsItem(_Item):
    def verdict(self):
        count, errors = check.follow(self.function.dlnotes)
        for line, error in zip(self.entry["lines"], errors, strict=True):
            line["error"] = error
        return {"status": "held", "cases": count}


class ClaimFile(pytest.File):
    """A file of claims. The whole of it is read before anything runs, so that every slip meets every witness."""

    def collect(self):
        test = self.path.relative_to(self.config.rootpath)
        read = pages.read_tests(test)
        if read.faults:
            line, name, message = read.faults[0]
            raise self.CollectError(f"{test}:{line}: {name}: {message}")
        try:
            module = _load(self.path)
        except (pytest.skip.Exception, pytest.xfail.Exception, unittest.SkipTest) as error:
            raise self.CollectError(f"{test}:1: {test.stem}: only need() may excuse a witness: {error}") from error
        self.document = _blank(test)
        self.left = set()
        functions = [f for f in vars(module).values() if inspect.isfunction(f) and hasattr(f, "dlnotes")]
        functions = list(dict.fromkeys(functions))
        witnesses = [f for f in functions if isinstance(f.dlnotes, check.Claim)]
        for item in self._items(functions, witnesses, read):
            self.left.add(item.nodeid)
            yield item

    def _items(self, functions, witnesses, read):
        for function in functions:
            entry, ident, says = function.dlnotes, function.dlnotes.id, inspect.getdoc(function)
            if isinstance(entry, check.Claim):
                names = [function.__name__, read.answers.get(function.__name__, function.__name__)]
                place = self._claim(ident)
                place["tex"] += sorted(set().union(*(read.tex.get(name, set()) for name in names)) - set(place["tex"]))
                blank = {"says": says, "node": "", "status": "not run", "reason": "", "kind": None, "method": None}
                blank |= {"cases": 0, "error": None, "tolerance": None}
                slot = place["witnesses"].setdefault(function.__name__, blank)
                item = self._item(WitnessItem, function.__name__, function, slot)
                slot["node"] = item.nodeid
                yield item
            elif isinstance(entry, check.Steps):
                lines = read.steps[ident][1]
                codes = [f"{lines[0].code}\n{lines[1].code}", *(line.code for line in lines[2:])]
                slot = self.document["steps"].setdefault(
                    ident,
                    {
                        "says": says,
                        "node": "",
                        "status": "not run",
                        "cases": 0,
                        "tolerance": 1e-12,
                        "ends_in": entry.ends_in.__name__,
                        "tex": [line.tex for line in lines],
                        "lines": [{"code": code, "error": None} for code in codes],
                    },
                )
                item = self._item(StepsItem, function.__name__, function, slot)
                slot["node"] = item.nodeid
                yield item
            else:
                place = self._claim(ident)["slips"].setdefault(
                    function.__name__, {"says": says, "by": {}, "blind": _says(entry.blind)}
                )
                through = [w for w in witnesses if w.dlnotes.id == ident and w.dlnotes.answer]
                if not through:
                    line = read.lines[function.__name__]
                    raise self.CollectError(
                        f"{read.path}:{line}: {ident}: {function.__name__}: no witness takes an answer"
                    )
                for witness in through:
                    slot = place["by"].setdefault(witness.__name__, {"status": "not run", "off_by": None})
                    item = self._item(SlipItem, f"{function.__name__}[{witness.__name__}]", function, slot)
                    item.witness = witness.dlnotes
                    yield item

    def _claim(self, ident):
        return self.document["claims"].setdefault(ident, {"tex": [], "witnesses": {}, "slips": {}})

    def _item(self, kind, name, function, entry):
        return kind.from_parent(self, name=name, ident=function.dlnotes.id, function=function, entry=entry)


def _says(blind):
    return None if blind is None else inspect.getdoc(blind) or blind.__name__.replace("_", " ")


def _load(path: Path):
    """Import a file of claims afresh, under its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _blank(test: Path) -> dict:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    versions = {"python": platform.python_version()}
    for name in ("numpy", "sympy", *check.OPTIONAL):
        versions[name] = _version(name) or _version(f"{name}-cpu")
    return {
        "schema": evidence.SCHEMA,
        "module": test.stem,
        "inputs": evidence.inputs(test),
        "run": {
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": commit.stdout.strip(),
            "versions": versions,
        },
        "claims": {},
        "steps": {},
    }


def pytest_collect_file(file_path, parent):
    if file_path.match("tests/test_*.py"):
        return ClaimFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not isinstance(item, _Item))  # the built site shows the evidence: claims run first


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    if isinstance(item, _Item):
        file = item.parent
        file.left.discard(item.nodeid)
        if not file.left:
            evidence.write(file.path.relative_to(file.config.rootpath), file.document)
