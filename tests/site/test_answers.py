"""What a page computes for its reader: the calculator and the exercises, in a real browser.

NumPy for the browser comes from a public network only. So here the page's worker hands the code to this very
interpreter; how the true worker loads and runs code is tested in test_run.py.
"""

import os
import subprocess
import sys

import pytest

from dlnotes import receptive_field

WORKER = """
onmessage = async ({ data: { code, file } }) => {
  const { out, err } = await (await fetch("/cpython", { method: "POST", body: code })).json();
  if (out) postMessage({ text: out });
  if (err) postMessage({ text: err, error: true });
  postMessage({ done: err ? "Ended with an error." : "Done in 0.00 s." });
};
"""


# Libraries that a page does not load: for this interpreter they are not there either.
ABSENT = "import sys; sys.modules |= dict.fromkeys(['torch', 'sympy', 'z3', 'sklearn', 'scipy'])\n"


def _run(route):
    run = subprocess.run(
        [sys.executable, "-c", ABSENT + route.request.post_data],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": "tests"},
    )
    route.fulfill(json={"out": run.stdout, "err": run.stderr})


@pytest.fixture
def open_page(browser, address):
    context = browser.new_context()
    context.set_default_timeout(20_000)
    context.route("**/run-worker.js", lambda route: route.fulfill(body=WORKER, content_type="text/javascript"))
    context.route("**/cpython", _run)

    def open_(path):
        page = context.new_page()
        page.goto(f"{address}/{path}")
        return page

    yield open_
    context.close()


class Calculator:
    def __init__(self, page):
        self.box = page.locator(".dl-calculator")
        self.words = self.box.get_by_role("status")
        self.answer = self.box.locator(".dl-calculator__answer")

    def compute(self, layers, n=32, row=0, column=0):
        for label, value in {"Layers": layers, "Image size": n, "Output row": row, "Output column": column}.items():
            self.box.get_by_label(label).fill(str(value))
        self.box.get_by_role("button", name="Compute").click()
        self.answer.locator("table, .dl-error").wait_for()

    def rows(self):
        return [row.split("\t") for row in self.answer.locator("table").inner_text().strip().split("\n")]

    def drawn(self, name):
        box = self.answer.locator(f"rect.{name}")
        return [float(box.get_attribute(side)) for side in ("x", "y", "width", "height")] if box.count() else None


@pytest.fixture
def calculator(open_page):
    return Calculator(open_page("chapters/receptive_field/"))


def test_the_calculator_answers_what_the_chapters_functions_give(calculator):
    text = "conv 3 padding 1\nconv 5 stride 2 dilation 2\npool 2"
    calculator.compute(text, n=40, row=3, column=0)
    keys = ("layer", "output", "size", "jump", "padding", "start")
    wanted = [
        [f"{row[key]:g}" if key != "layer" else row[key] for key in keys] for row in receptive_field.table(text, 40)
    ]
    assert calculator.rows()[1:] == wanted
    layers = receptive_field.parse(text)
    for name, ((top, bottom), (left, right)) in {
        "seen": receptive_field.region(layers, (3, 0), (40, 40)),
        "whole": receptive_field.interval(layers, (3, 0)),
    }.items():
        assert calculator.drawn(name) == [left, top, right - left + 1, bottom - top + 1]
    assert calculator.drawn("image") == [0, 0, 40, 40]


def test_what_lies_in_the_padding_is_said(calculator):
    calculator.compute("conv 3 padding 1\nconv 3 padding 1", n=5, row=0, column=2)
    told = calculator.answer.locator("p").inner_text()
    assert told == (
        "Output (0, 2) of 5 x 5 sees rows 0 to 2 and columns 0 to 4 of the image."
        " Without borders: rows -2 to 2, columns 0 to 4."
    )
    calculator.compute("conv 1 padding 2", n=3, row=0, column=0)
    assert calculator.answer.locator("p").inner_text() == "Output (0, 0) sees padding only."
    assert calculator.drawn("seen") is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"layers": "conv 3\nconv x"}, "text line 2, 'conv x': "),
        ({"layers": "conv 3", "row": 30}, "index "),
        ({"layers": "conv 9", "n": 4}, "text line 1, 'conv 9': "),
    ],
)
def test_a_wrong_question_is_told_in_a_line_and_can_be_asked_again(calculator, asked, told):
    calculator.compute(**asked)
    alert = calculator.answer.get_by_role("alert").inner_text()
    assert alert.startswith(told)
    assert "\n" not in alert
    calculator.compute("conv 3")
    assert len(calculator.rows()) == 3


def test_the_calculator_by_keyboard(open_page):
    page = open_page("chapters/receptive_field/")
    page.get_by_label("Output column").focus()
    page.keyboard.press("Enter")
    page.locator(".dl-calculator table").wait_for()


@pytest.fixture
def exercise(open_page):
    return open_page("chapters/batch_norm/").locator("#batch-norm-write-dx")


def _check(exercise, code=None):
    if code is not None:
        edit = exercise.get_by_role("button", name="Edit")
        if edit.get_attribute("aria-disabled") != "true":
            edit.click()
        exercise.get_by_role("textbox").fill(code)
    exercise.get_by_role("button", name="Check").click()
    exercise.get_by_role("status").filter(has_text="Done").or_(
        exercise.get_by_role("status").filter(has_text="Ended")
    ).wait_for()
    return exercise.locator(".dl-run__output").inner_text()


def test_an_exercise_names_the_slip_and_then_opens_its_solution(exercise):
    solution = exercise.locator(".dl-solution")
    assert not solution.is_visible()
    assert _check(exercise).startswith("Not yet. This is the slip `statistics_held_constant`: ")
    assert solution.is_visible()
    assert _check(exercise, solution.locator("code").text_content()).startswith("Right: accepted by ")


def test_an_exercise_shows_the_first_input_where_another_mistake_fails(exercise):
    told = _check(exercise, "def dx(case):\n    return 2 * case.dy")
    assert told.startswith("Not yet. `by_complex_step` refuses it in case 1: off by ")
    assert "case.x: [[" in told


def test_an_exercise_is_reset(exercise):
    _check(exercise, "def dx(case):\n    return 0")
    exercise.get_by_role("button", name="Reset").click()
    assert exercise.get_by_role("textbox").count() == 0
    assert exercise.locator(".dl-run__output").count() == 0
    assert "case.gamma / s * case.dy" in exercise.locator("code").first.inner_text()


def test_code_that_does_not_run_shows_its_traceback(exercise):
    assert "NameError" in _check(exercise, "def dx(case):\n    return nothing\n\nnothing")
