"""Exercises: a function that the reader writes in the page, judged there by the witnesses of a claim.

```{.exercise #batch-norm-write-dx claim="batch-norm-input-gradient"}
def dx(case):
    return case.dy
# --- solution
def dx(case):
    ...
```
"""

import ast
import html
import re
from dataclasses import dataclass
from pathlib import Path

from markdown.extensions import Extension

from dlnotes._site import page, pages, run

CUT = "# --- solution"
CLAIMS = Path("docs/assets/claims")  # the files of claims that exercises need, for the browser
_CLAIM = re.compile(r'^`{3,}\{\.exercise #\S+ claim="([^"]*)"\}', re.M)


@dataclass(frozen=True)
class Exercise:
    """What the reader starts from, and one right answer: the function that stands last in each."""

    start: str
    solution: str
    name: str


def read(source: str) -> Exercise:
    """Split the fence. Raises ValueError where the two parts do not define the same function last."""
    start, cut, solution = source.partition(CUT)
    if not cut:
        raise ValueError(f"an exercise has a line {CUT!r}")
    names = []
    for part in (start, solution):
        try:
            functions = [node.name for node in ast.parse(part).body if isinstance(node, ast.FunctionDef)]
        except SyntaxError as error:
            raise ValueError(f"Python cannot read it: {error.msg}") from error
        if not functions:
            raise ValueError("a part of it defines no function")
        names.append(functions[-1])
    if names[0] != names[1]:
        raise ValueError(f"the two parts define {names[0]} and {names[1]}: one name is wanted")
    return Exercise(start.strip(), solution.strip(), names[0])


def fence(source, language, class_name, options, md, *, classes, id_value, attrs, **kwargs) -> str:
    """A box like a snippet's, with what assets/run.js needs to have the reader's function judged."""
    name, claim = id_value or "exercise", attrs.get("claim", "")
    tests = pages.book().tests_of(claim)
    try:
        exercise = read(source)
        if classes or not id_value or set(attrs) != {"claim"}:
            raise ValueError('an exercise takes an #id and claim="...", and nothing else')
        if tests is None or claim not in tests.witnesses:
            raise ValueError(f"no such claim: {claim!r}")
        if md.dlnotes_wheel_problem:
            raise ValueError(md.dlnotes_wheel_problem)
    except ValueError as error:
        return page.problem(md, str(error), find=f"#{id_value}", ident=name)
    judged = f"\n\nimport {tests.path.stem}\nfrom dlnotes import exercise\n"
    judged += f"_ = exercise.judge({claim!r}, {exercise.name}, {tests.path.stem})\n"
    data = {"class": "dl-run dl-exercise", "id": id_value} | run.addresses(md)
    data |= {"data-file": f"claims/{tests.path.stem}.txt", "data-after": judged}
    attributes = " ".join(f'{key}="{html.escape(value)}"' for key, value in data.items())
    shown, solution = (run.highlighted(md, code) for code in (exercise.start, exercise.solution))
    return (
        f'<div {attributes}>{shown}<div class="dl-run__bar"></div>'
        f'<details class="dl-solution"><summary>Solution</summary>{solution}</details></div>'
    )


class _Exercise(Extension):
    def extendMarkdown(self, md):
        """Put the files of claims that exercises need where a page can fetch them.

        Now, not in the fence: mkdocs lists the files of docs/ before it converts pages.
        """
        page.attach(md)
        claims = [claim for path in Path("docs").rglob("*.md") for claim in _CLAIM.findall(path.read_text("utf-8"))]
        for tests in {tests.path for claim in claims if (tests := pages.book().tests_of(claim))}:
            target, text = CLAIMS / f"{tests.stem}.txt", tests.read_text(encoding="utf-8")
            if not target.exists() or target.read_text(encoding="utf-8") != text:  # mkdocs serve watches docs/
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")


def makeExtension(**options):
    return _Exercise(**options)
