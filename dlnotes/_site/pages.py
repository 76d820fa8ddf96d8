"""The reading of pages and of test files, as text: what each says, and where they disagree.

Nothing is imported or run here. Pages and tests meet in `disagreements`, which the build and the tests both ask.
"""

import ast
import functools
import re
from collections import Counter
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from dlnotes._site.page import UNREAD
from dlnotes.check import Line, Malformed, comments, read_steps, split_sign

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def squeeze(tex: str) -> str:
    """TeX without its spaces: how page and test are compared."""
    return re.sub(r"\s+", "", tex)


# --- pages ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A claim or a derivation as a page shows it. `tex`: its display formulas, or the lines of the derivation."""

    path: Path
    line: int
    id: str
    title: str
    tex: tuple[str, ...]
    questions: tuple[str, ...] = ()  # those whose block surrounds it
    uses: tuple[str, ...] = ()  # the claims that it takes as known


@dataclass
class Page:
    path: Path
    title: str = ""
    claims: list[Block] = field(default_factory=list)
    steps: list[Block] = field(default_factory=list)
    questions: dict[str, int] = field(default_factory=dict)  # id -> line
    faults: list[tuple[int, str, str]] = field(default_factory=list)  # line, name, message

    @property
    def url(self) -> str:
        """Its address from the top of the site, as mkdocs gives it."""
        stem = self.path.relative_to("docs").with_suffix("")
        return "" if str(stem) == "index" else f"{stem.as_posix()}/"


# The blocks of this site, and whether they take an argument.
BLOCKS = {"claim": True, "figure": True, "question": True, "quote": True, "see": True, "timings": True}
BLOCKS |= {"chapters": False, "graph": False, "ledger": False, "questions": False, "totals": False}

_BLOCK = re.compile(r"^(?P<before>[\s>*+-]*)(?P<slashes>/{3,})\s*(?P<name>\w*)\s*(?P<bar>\|?)\s*(?P<argument>.*?)\s*$")
_FENCE = re.compile(r"^(?P<before>[\s>*+-]*)(?P<marks>`{3,}|~{3,})(?P<header>.*)$")


def read_page(path: Path) -> Page:
    page = Page(path)
    rows = path.read_text(encoding="utf-8").splitlines()
    fence: tuple[int, re.Match] | None = None  # an open fence: line, header
    stack: list[tuple[int, dict, re.Match]] = []  # open blocks: line, options, header
    comment = False
    for number, row in enumerate(rows, 1):
        if fence:
            if row.lstrip(" >").rstrip() == fence[1]["marks"]:
                _read_fence(page, fence[1], fence[0], rows[fence[0] : number - 1])
                fence = None
        elif comment or row.lstrip().startswith("<!--"):
            comment = "-->" not in row
        elif match := _FENCE.match(row):
            fence = number, match
        elif match := _BLOCK.match(row):
            _read_block(page, stack, match, number, rows)
        elif not page.title and row.startswith("# "):
            page.title = row[2:].strip()
    page.faults += [
        (line, options.get("id") or block["name"], "this block is not closed") for line, options, block in stack
    ]
    if fence:
        ident = re.search(r"#([^\s}]+)", fence[1]["header"])
        page.faults.append((fence[0], ident[1] if ident else "fence", "this fence is not closed"))
    return page


def _read_fence(page: Page, match: re.Match, line: int, body: list[str]) -> None:
    header = match["header"].strip()
    if not re.match(r"\{?\s*(\S+\s+)*\.?steps\b", header):
        return
    ident = re.search(r"#([^\s}]+)", header)
    ident = ident[1] if ident else "steps"
    if not re.fullmatch(r"\{\s*\.steps\s+#\S+\s*\}", header):
        page.faults.append((line, ident, "a derivation takes an id, and nothing else: ```{.steps #id}"))
    elif match["before"]:
        page.faults.append((line, ident, "a derivation stands at the start of its line"))
    page.steps.append(Block(page.path, line, ident, "", tuple(step_lines("\n".join(body)))))


def _read_block(page: Page, stack: list, match: re.Match, line: int, rows: list[str]) -> None:
    """Follow the blocks that are open. What pymdownx would drop without a word is a fault."""
    slashes, name, argument = len(match["slashes"]), match["name"].lower(), match["argument"]
    if not match["name"]:
        if stack and len(stack[-1][2]["slashes"]) == slashes:
            first, options, opened = stack.pop()
            if opened["name"].lower() == "claim":
                asked = [
                    part for _, _, block in stack if block["name"] == "question" for part in parts(block["argument"])
                ]
                _read_claim(page, first, options, opened["argument"], rows[first : line - 1], asked)
        else:
            page.faults.append((line, match["slashes"], "this closes no block"))
        return
    options = _options(rows[line:]) if name == "claim" else {}
    ident = options.get("id", "")
    if name == "question":
        for question in parts(argument):
            if question in page.questions:
                page.faults.append((line, question, "answered twice on this page"))
            page.questions.setdefault(question, line)
    if name not in BLOCKS or BLOCKS[name] != bool(match["bar"] and argument):
        page.faults.append((line, match.string.lstrip(" >*+-/").strip(), UNREAD))
    elif match["before"] or match["name"] != name:
        page.faults.append((line, ident or name, "a block stands at the start of its line, its name in lower case"))
    if stack and len(stack[-1][2]["slashes"]) <= slashes:
        message = f"inside {stack[-1][2]['name']}, which needs more slashes than what it contains"
        page.faults.append((line, name, message))
    stack.append((line, options, match))


def parts(listed: str) -> list[str]:
    """The ids that stand between commas."""
    return [part.strip() for part in listed.split(",")]


def _options(rows: list[str]) -> dict[str, str]:
    """The options of a claim: the rows `name: value` under its first line. Ids may go on on the next, indented row."""
    options, name = {}, ""
    for row in rows:
        text = row.lstrip(" >*+-")
        option = re.match(r"(id|uses):(.*)", text)
        if not option and not (name and re.fullmatch(r" {4,}[\w\s,-]+", row)):
            break
        name, value = option.groups() if option else (name, options[name] + " " + text)
        options[name] = value.strip()
    return options


def _read_claim(page: Page, line: int, options: dict, title: str, body: list[str], questions: list[str]) -> None:
    ident, text = options.get("id", ""), "\n".join(body)
    formulas = re.findall(r"\$\$(.+?)\$\$", text, re.S)
    tex = tuple(map(strip_label, formulas))
    uses = parts(options["uses"]) if "uses" in options else []
    page.claims.append(Block(page.path, line, ident, title, tex, tuple(questions), tuple(uses)))
    if re.search(r"\\[\[(]|\\begin\b", re.sub(r"\$\$.+?\$\$|\$[^$]+\$|`[^`]+`", "", text, flags=re.S)):
        page.faults.append((line, ident, "a formula of a claim stands between dollars, or it is tied to no test"))


def strip_label(tex: str) -> str:
    """A formula without its label, which belongs to the page."""
    return re.sub(r"\\label\{[^}]*\}", "", tex).strip()


def step_lines(source: str) -> list[str]:
    """The lines of a derivation; an indented row goes on with the line above."""
    lines: list[str] = []
    for row in source.splitlines():
        if row.strip() and lines and row[0].isspace():
            lines[-1] += " " + row.strip()
        elif row.strip():
            lines.append(row.strip())
    return lines


# --- test files -----------------------------------------------------------------------------------------------------


@dataclass
class Tests:
    """What a test file registers. Function names are in the order of the file."""

    path: Path
    witnesses: dict[str, list[str]] = field(default_factory=dict)  # claim id -> function names
    slips: dict[str, list[str]] = field(default_factory=dict)
    steps: dict[str, tuple[str, list[Line]]] = field(default_factory=dict)  # id -> function name, lines
    lines: dict[str, int] = field(default_factory=dict)  # function name -> line
    tex: dict[str, set[str]] = field(default_factory=dict)  # function name -> squeezed $$ formulas $$ in its comments
    answers: dict[str, str] = field(default_factory=dict)  # witness name -> name of the answer under test
    faults: list[tuple[int, str, str]] = field(default_factory=list)  # line, id or name, message

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """Each id the file registers, with the line of its first function."""
        names = {ident: found[0] for ident, found in [*self.slips.items(), *self.witnesses.items()]}
        names |= {ident: name for ident, (name, _) in self.steps.items()}
        return {ident: self.lines[name] for ident, name in names.items()}


def read_tests(path: Path) -> Tests:
    tests = Tests(path)
    source = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(source, str(path))
    except SyntaxError as error:
        tests.faults.append((error.lineno or 1, path.stem, f"Python cannot read this file: {error.msg}"))
        return tests
    remarks, rows = comments(source), source.split("\n")
    for node in ast.walk(tree):
        imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in {name.partition(".")[0] for name in imported} & {"pytest", "_pytest", "unittest"}:
            tests.faults.append((node.lineno, name, "a file of claims imports dlnotes.check, not a test runner"))
        if isinstance(node, ast.FunctionDef) and node not in tree.body and _registers(node):
            tests.faults.append((node.lineno, node.name, "what the referee runs stands at the top level of its file"))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("test_"):
            tests.faults.append((node.lineno, node.name, "no test runner reads this file: register a claim"))
        if node.name in tests.lines:
            first = tests.lines[node.name]
            tests.faults.append((node.lineno, node.name, f"defined twice, first at line {first}: only one would run"))
        tests.lines[node.name] = node.lineno
        text = " ".join(remarks.get(k, "\n") for k in range(node.lineno, node.end_lineno + 1))
        tests.tex[node.name] = {squeeze(formula) for formula in re.findall(r"\$\$(.+?)\$\$", text, re.S)}
        if isinstance(node, ast.FunctionDef):
            _read_decorators(tests, node, rows)
    return tests


def _registers(node: ast.FunctionDef) -> bool:
    names = {call.func.id for call in node.decorator_list if isinstance(call, ast.Call) and hasattr(call.func, "id")}
    return bool(names & {"claim", "slip", "steps"})


def _read_decorators(tests: Tests, node: ast.FunctionDef, rows: list[str]) -> None:
    for call in node.decorator_list:
        name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        if name not in ("claim", "slip", "steps"):
            tests.faults.append(
                (node.lineno, node.name, "only claim, slip and steps decorate here: nothing is skipped")
            )
            continue
        if not (call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)):
            tests.faults.append((node.lineno, node.name, f"the id of {name} is written out, as a string"))
            continue
        ident = call.args[0].value
        if name == "steps":
            try:
                lines = read_steps("\n".join(rows[node.lineno - 1 : node.end_lineno]))
            except Malformed as error:
                tests.faults.append((node.lineno, ident, str(error)))
                continue
            if ident in tests.steps:
                tests.faults.append((node.lineno, ident, "two derivations with one id"))
            tests.steps[ident] = (node.name, lines)
            continue
        {"claim": tests.witnesses, "slip": tests.slips}[name].setdefault(ident, []).append(node.name)
        if name == "claim" and node.args.defaults and isinstance(node.args.defaults[-1], ast.Name):
            tests.answers[node.name] = node.args.defaults[-1].id


# --- the two together -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Book:
    pages: tuple[Page, ...]
    tests: tuple[Tests, ...]

    def page_of(self, ident: str) -> Page | None:
        """The page that shows a claim or a derivation."""
        return next((p for p in self.pages for b in (*p.claims, *p.steps) if b.id == ident), None)

    def tests_of(self, ident: str) -> Tests | None:
        """The test file that registers an id."""
        return next((t for t in self.tests if ident in t.ids), None)

    @functools.cached_property
    def claims(self) -> dict[str, tuple[Page, Block]]:
        """Claim id -> the page that states it, and the claim, in the order of the pages."""
        found: dict[str, tuple[Page, Block]] = {}
        for page in self.pages:
            for block in page.claims:
                found.setdefault(block.id, (page, block))  # an id that stands twice is a fault, told elsewhere
        return found

    @functools.cached_property
    def users(self) -> dict[str, list[str]]:
        """Claim id -> the claims that use it."""
        found: dict[str, list[str]] = {}
        for ident, (_, block) in self.claims.items():
            for used in block.uses:
                found.setdefault(used, []).append(ident)
        return found

    @functools.cached_property
    def faults(self) -> list["Fault"]:
        """Every way in which pages and tests do not fit together."""
        return disagreements(self)

    def answered(self) -> dict[str, Page]:
        """Question id -> the page that answers it."""
        return {ident: page for page in self.pages for ident in page.questions}


def book() -> Book:
    """Pages and test files as they are now, read once per state of the files."""
    pages = sorted(Path("docs").rglob("*.md"))
    tests = sorted(Path("tests").glob("test_*.py"))
    state = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in (*pages, *tests))
    return _read(str(Path.cwd()), state, len(pages))


@functools.lru_cache(maxsize=2)
def _read(folder: str, state: tuple, pages: int) -> Book:
    read = [_read_file(folder, k < pages, *file) for k, file in enumerate(state)]
    return Book(tuple(read[:pages]), tuple(read[pages:]))


@functools.lru_cache(maxsize=512)
def _read_file(folder: str, is_page: bool, path: Path, changed_ns: int, size: int) -> Page | Tests:
    return read_page(path) if is_page else read_tests(path)


@dataclass(frozen=True)
class Fault:
    path: Path
    line: int
    id: str
    message: str

    def __str__(self) -> str:
        return " ".join(f"{self.path}:{self.line}: {self.id}: {self.message}".split())


def disagreements(of: Book) -> list[Fault]:
    """Every way in which pages and tests do not fit together."""
    faults = [Fault(read.path, *fault) for read in (*of.pages, *of.tests) for fault in read.faults]
    shown = [block for page in of.pages for block in (*page.claims, *page.steps)]
    claims = {block.id for page in of.pages for block in page.claims}
    derivations = {block.id for page in of.pages for block in page.steps}
    tested = Counter(ident for tests in of.tests for ident in tests.ids)
    for ident, times in Counter(block.id for block in shown).items():
        for block in [b for b in shown if b.id == ident][1:] if times > 1 else []:
            faults.append(Fault(block.path, block.line, ident, "this id stands twice on the pages"))
    for page in of.pages:
        for block in page.claims:
            if not KEBAB.fullmatch(block.id):
                faults.append(
                    Fault(page.path, block.line, block.id or block.title, "a claim needs an id in kebab-case")
                )
            elif not any(block.id in tests.witnesses for tests in of.tests):
                faults.append(Fault(page.path, block.line, block.id, "a claim without a test"))
        for block in page.steps:
            if not any(block.id in tests.steps for tests in of.tests):
                faults.append(Fault(page.path, block.line, block.id, "a derivation without a test"))
    for tests in of.tests:
        for ident, line in tests.ids.items():
            if tested[ident] > 1:
                faults.append(Fault(tests.path, line, ident, "this id is tested in two files"))
            if ident not in claims | derivations:
                faults.append(Fault(tests.path, line, ident, "a test without a claim on a page"))
            elif ident not in claims and (names := tests.witnesses.get(ident)):
                faults.append(Fault(tests.path, tests.lines[names[0]], ident, "a witness of what is a derivation"))
            elif ident not in derivations and ident in tests.steps:
                line = tests.lines[tests.steps[ident][0]]
                faults.append(Fault(tests.path, line, ident, "a derivation of what is a claim"))
            elif ident in tests.slips and ident not in tests.witnesses:
                faults.append(Fault(tests.path, line, ident, "a slip without a witness"))
        faults += _formulas(of, tests)
    return faults + _uses(of)


def _uses(of: Book) -> list[Fault]:
    """Where a claim uses what is no claim, or in the end itself."""
    faults = []
    claims = {ident: block for ident, (_, block) in of.claims.items()}
    for block in claims.values():
        for used, times in Counter(block.uses).items():
            why = f"it uses {used or 'nothing, between two commas'}"
            if used not in claims:
                faults.append(Fault(block.path, block.line, block.id, f"{why}, which is no claim"))
            if times > 1:
                faults.append(Fault(block.path, block.line, block.id, f"{why} twice"))
    try:
        TopologicalSorter({block.id: block.uses for block in claims.values()}).prepare()
    except CycleError as error:
        *circle, _ = reversed(error.args[1])  # graphlib tells it from what is used to what uses it, and closes it
        start = circle.index(min(circle))
        circle = circle[start:] + circle[:start]
        block = claims[circle[0]]
        why = "a claim cannot rest on itself: " + " uses ".join([*circle, circle[0]])
        faults.append(Fault(block.path, block.line, block.id, why))
    return faults


def _formulas(of: Book, tests: Tests) -> list[Fault]:
    """Where the TeX of a page is not the TeX of its test."""
    faults = []
    claims = {block.id: block for page in of.pages for block in page.claims}
    steps = {block.id: block for page in of.pages for block in page.steps}
    for ident, names in tests.witnesses.items():
        block = claims.get(ident)
        if block is None:  # said elsewhere
            continue
        checked = set().union(*(tests.tex.get(n, set()) for w in names for n in (w, tests.answers.get(w, w))))
        for tex in block.tex:
            if squeeze(tex) not in checked:
                why = f"the formula {tex} does not stand as a $$ comment $$ in its test ({', '.join(names)})"
                faults.append(Fault(block.path, block.line, ident, why))
    displayed = {squeeze(tex) for block in claims.values() for tex in block.tex}
    for name, formulas in tests.tex.items():
        for tex in sorted(formulas - displayed):
            faults.append(Fault(tests.path, tests.lines[name], name, f"no claim displays the formula {tex}"))
    for ident, (_, lines) in tests.steps.items():
        if ident in steps:
            faults += _lines(steps[ident], lines, tests)
    return faults


def _lines(block: Block, lines: list[Line], tests: Tests) -> list[Fault]:
    page = [split_sign(row) for row in block.tex]
    name = tests.steps[block.id][0]
    if len(page) != len(lines):
        why = f"{len(page)} lines here, {len(lines)} in {tests.path}::{name}"
        return [Fault(block.path, block.line, block.id, why)]
    return [
        Fault(
            block.path, block.line + k + 1, block.id, f"line {k + 1} is not the TeX of {tests.path}::{name}: {line.tex}"
        )
        for k, ((sign, tex), line) in enumerate(zip(page, lines, strict=True))
        if (sign, squeeze(tex)) != (line.sign, squeeze(line.tex))
    ]
