"""Tables of timings: what they show of the results and the goals, and that nothing is shown that no run gave."""

import html.parser
import json

import markdown
import pytest

from dlnotes._site import calculator, timings
from dlnotes._site.page import PageError

ROW = {
    "work": "sum of two",
    "size": "3 x 4",
    "dtype": "float32",
    "device": "cpu",
    "name": "dlnotes",
    "seconds": [0.0019, 0.002, 0.0024],
    "rounds": 11,
    "error": 2.5e-7,
    "flops": 4e8,
    "bytes": None,
    "peers": {
        "other": {"seconds": [0.003, 0.004, 0.005], "ratio": [0.4, 0.5, 0.6]},
        "absent": {"seconds": None, "ratio": None},
    },
}
LIMITS = [
    ROW | {"work": "matrix product", "flops": 2e9, "seconds": [0.001, 0.002, 0.003], "peers": {}},
    ROW | {"work": "copy", "bytes": 4e7, "flops": None, "seconds": [0.001, 0.002, 0.003], "peers": {}},
]
MACHINE = {
    "name": "A processor",
    "processor": "A processor",
    "gpu": None,
    "cores": 2,
    "threads": 1,
    "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    "blas": "some-blas",
}
GOALS = """\
work\tsize\tdtype\tdevice\tname\tpeer\tgoal
sum of two\t3 x 4\tfloat32\tcpu\tdlnotes\tother\t0.45
sum of two\t9 x 9\tfloat32\tcpu\tdlnotes\tother\t0.8
sum of two\t3 x 4\tfloat32\tcuda\tTriton\tother\t0.1
"""


@pytest.fixture
def results(tmp_path, monkeypatch):
    """results(*rows) writes the file of a machine that measured them, and the goals."""
    monkeypatch.setattr(timings, "RESULTS", tmp_path)
    monkeypatch.setattr(timings, "GOALS", tmp_path / "goals.tsv")
    (tmp_path / "goals.tsv").write_text(GOALS, encoding="utf-8")

    def write(*rows, name="machine"):
        content = {"machine": MACHINE, "date": "2026-01-02", "rows": list(rows)}
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    return write


class _Tables(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.captions, self.rows, self.place = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "caption":
            self.captions.append("")
        self.place = tag if tag in ("td", "th", "caption") else self.place if tag in ("strong", "small") else None

    def handle_endtag(self, tag):
        if tag in ("td", "th", "caption"):
            self.place = None

    def handle_data(self, data):
        if self.place == "caption":
            self.captions[-1] += data
        elif self.place:
            self.rows[-1][-1] += data


def shown(device="cpu", work="sum of two"):
    text = markdown.markdown(
        f"/// timings | {work}\n    device: {device}\n///\n", extensions=["dlnotes._site.timings", "attr_list"]
    )
    return _Tables(text)


def test_a_row_shows_time_ratio_spread_goal_share_and_error(results):
    results(ROW, *LIMITS)
    tables = shown()
    assert tables.captions[0] == "A processor, 1 thread, 2026-01-02; python 3.11.7, numpy 2.4.6, some-blas."
    assert tables.rows[1] == [
        "3 x 4, float32",
        "dlnotes, 2 ms",
        "other",
        "0.5 (0.4 to 0.6)",
        "0.45 ✗",
        "20 % of matrix product",  # 4e8 / 0.002 of 2e9 / 0.002
        "2e-07",
    ]


def test_a_goal_is_reached_at_its_own_value(results):
    reached = ROW["peers"]["other"] | {"ratio": [0.4, 0.45, 0.6]}
    results(ROW | {"peers": {"other": reached}})
    assert shown().rows[1][4] == "0.45 ✓"


def test_a_peer_that_is_not_installed_is_said(results):
    results(ROW)
    assert shown().rows[2][2:5] == ["absent", "peer not installed", ""]


def test_bytes_are_a_share_of_the_largest_copy(results):
    moved = ROW | {"flops": None, "bytes": 1e7, "seconds": [0.0005, 0.001, 0.002]}
    small = LIMITS[1] | {"bytes": 1e6}
    results(moved, small, LIMITS[1])
    assert shown().rows[1][5] == "50 % of copy"  # 1e7 / 0.001 of 4e7 / 0.002


def test_what_was_aimed_at_and_not_measured_is_a_row_without_numbers(results):
    results(ROW)
    tables = shown()
    assert tables.captions[1] == "Not measured: no run on such a machine yet."
    row = tables.rows[-1]
    assert row == ["9 x 9, float32", "dlnotes, not measured", "other", "not measured", "0.8", "", "not measured"]


def test_without_a_gpu_every_gpu_cell_says_so(results):
    results(ROW)
    tables = shown("cuda")
    assert len(tables.rows) == 2
    assert tables.rows[1][1] == "Triton, not measured"
    assert tables.rows[1][3] == tables.rows[1][6] == "not measured"


def test_a_goal_that_was_measured_is_not_shown_as_missing(results):
    results(ROW, ROW | {"size": "9 x 9"})
    assert "not measured" not in str(shown().rows)


def test_each_machine_is_beside_the_goal(results):
    results(ROW, name="one")
    results(ROW, name="two")
    assert [row[4] for row in shown().rows if row[2:3] == ["other"] and "9 x 9" not in row[0]] == ["0.45 ✗"] * 2


def test_a_work_without_goals_that_no_machine_measured_says_so(results, tmp_path, monkeypatch):
    monkeypatch.setattr(timings, "BENCHMARKS", tmp_path)
    (tmp_path / "bench_sums.py").write_text('race(work="sum of four")', encoding="utf-8")
    results(ROW)
    text = markdown.markdown(
        "/// timings | sum of four\n    device: cuda\n///\n", extensions=["dlnotes._site.timings", "attr_list"]
    )
    assert "<p>Not measured: no run on such a machine yet.</p>" in text
    with pytest.raises(PageError, match="no such work on cuda"):
        shown("cuda", work="sum of")


def test_a_work_that_nobody_knows_is_an_error(results):
    results(ROW)
    with pytest.raises(PageError, match="no such work on cpu"):
        shown(work="sum of three")


@pytest.mark.parametrize(("value", "text"), [(2.0, "2 s"), (0.0123, "12.3 ms"), (4.5e-5, "45 µs"), (3e-9, "0.003 µs")])
def test_seconds_are_written_as_a_person_does(value, text):
    assert timings.seconds(value) == text


def test_each_goal_on_a_cpu_was_measured_by_a_run_that_is_kept():
    measured = {
        timings._key(row, peer) for found in timings.machines() for row in found["rows"] for peer in row["peers"]
    }
    assert {key for key in timings.goals() if key[1] == "cpu"} <= measured


# --- the calculator's fence -----------------------------------------------------------------------------------------


def convert(header, body):
    superfences = {"custom_fences": [{"name": "calculator", "class": "calculator", "format": calculator.fence}]}
    extensions = ["attr_list", "pymdownx.superfences", "dlnotes._site.run"]
    md = markdown.Markdown(extensions=extensions, extension_configs={"pymdownx.superfences": superfences})
    return md.convert(f"```{header}\n{body}\n```\n")


def test_the_calculator_begins_with_the_layers_of_its_fence():
    text = convert("{.calculator #field}", "conv 3 <stride> 2")
    assert 'id="field"' in text
    assert "conv 3 &lt;stride&gt; 2</textarea>" in text


@pytest.mark.parametrize(
    ("header", "body"),
    [("{.calculator}", "conv 3"), ("{.calculator #field}", ""), ('{.calculator #f a="1"}', "conv 3")],
)
def test_a_calculator_without_id_or_layers_is_an_error(header, body):
    with pytest.raises(PageError, match="a calculator takes an #id"):
        convert(header, body)
