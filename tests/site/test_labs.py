"""The labs: what is executed, what is shown, and what must stop a build."""

import base64
import json
from pathlib import Path

import pytest
from mkdocs.exceptions import BuildError

from dlnotes._site import labs

LAB = """\
# %% [markdown]
# # Squares
# Some of them.

# %%
import numbers_of_ours

print(numbers_of_ours.two() ** 2)
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A project with one lab, which imports a module beside it."""
    monkeypatch.chdir(tmp_path)
    path = Path("docs/labs/squares.py")
    path.parent.mkdir(parents=True)
    path.write_text(LAB, encoding="utf-8")
    module = Path("numbers_of_ours.py")
    module.write_text("def two():\n    return 2\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return path


def _append(lab, text):
    lab.write_text(LAB + "\n" + text, encoding="utf-8")


def test_a_lab_shows_what_its_cells_printed(lab):
    shown = labs.markdown_of(lab, labs.execute(lab))
    assert shown.startswith("# Squares\n\n")
    assert ">4</pre>" in shown
    assert "print(numbers_of_ours.two() ** 2)" in shown


def test_a_cell_that_raises_stops_the_build(lab):
    _append(lab, "# %%\nassert numbers_of_ours.two() == 3, 'two is not three'\n")
    with pytest.raises(BuildError, match=r"squares\.py: a cell of this lab failed(.|\n)*two is not three"):
        labs.execute(lab)


def test_a_lab_that_takes_too_long_stops_the_build(lab, monkeypatch):
    monkeypatch.setattr(labs, "SECONDS", 1)
    _append(lab, "# %%\nimport time\n\ntime.sleep(30)\n")
    with pytest.raises(BuildError, match=r"squares\.py: a cell of this lab failed"):
        labs.execute(lab)


PIXELS = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
DRAWS = f"""\
# %%WORDS
import base64
from IPython.display import Image, display

display(Image(base64.b64decode("{PIXELS}")))
"""


def test_a_picture_carries_its_words(lab):
    _append(lab, DRAWS.replace("WORDS", ' alt="A square."'))
    assert 'alt="A square." src="data:image/png;base64,' in labs.markdown_of(lab, labs.execute(lab))


def test_a_picture_without_words_stops_the_build(lab):
    _append(lab, DRAWS.replace("WORDS", ""))
    with pytest.raises(BuildError, match=r"squares\.py: .*alt="):
        labs.markdown_of(lab, labs.execute(lab))


def test_what_is_downloaded_is_a_notebook_without_outputs_and_always_the_same(lab):
    labs.on_pre_build(None)
    target = labs.DOWNLOADS / "squares.ipynb"
    first = target.read_bytes()
    notebook = json.loads(first)
    assert [cell["cell_type"] for cell in notebook["cells"]] == ["markdown", "code"]
    assert notebook["cells"][1]["outputs"] == []
    target.unlink()
    labs.on_pre_build(None)
    assert target.read_bytes() == first


def test_the_download_of_a_lab_that_is_gone_goes_too(lab):
    labs.on_pre_build(None)
    lab.unlink()
    labs.on_pre_build(None)
    assert list(labs.DOWNLOADS.iterdir()) == []


def test_while_serving_a_lab_shows_the_outputs_of_this_code_and_of_no_other(lab):
    shows_four = lambda: ">4</pre>" in labs._served(lab)  # noqa: E731
    assert "Not run yet" in labs._served(lab)
    assert labs.stale() == lab
    labs.run(lab)
    assert shows_four()
    assert labs.stale() is None
    Path("numbers_of_ours.py").write_text("def two():\n    return 3\n", encoding="utf-8")
    assert not shows_four()
    assert "Not run yet" in labs._served(lab)
    assert labs.stale() == lab
    labs.run(lab)
    assert ">9</pre>" in labs._served(lab)
    assert len(list(labs.FOLDER.iterdir())) == 1


def test_while_serving_a_lab_that_fails_says_why_and_is_not_run_again(lab):
    _append(lab, "# %%\nassert False, 'two is not three'\n")
    labs.run(lab)
    assert "two is not three" in labs._served(lab)
    assert 'role="alert"' in labs._served(lab)
    assert labs.stale() is None
