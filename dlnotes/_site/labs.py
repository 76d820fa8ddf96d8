"""The labs: scripts of cells under docs/labs, executed while the site is built, and downloaded as notebooks.

mkdocs-jupyter makes a page of each script. Its own rendering brings 600 KB of style sheets and a formula renderer from
another host, so this hook gives the page the notebook as Markdown instead, which the site's extensions convert like
any other page. While serving, a lab runs beside the server, once for each state of the code that it imports.
"""

import hashlib
import html
import os
import re
import sys
from pathlib import Path

from mkdocs.exceptions import BuildError

from dlnotes._site import evidence, wheel
from dlnotes._site.page import serving

FOLDER = Path("build/labs")  # notebooks executed while serving
SECONDS = 60  # a cell that takes longer is an error
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # the same sums on every machine
DOWNLOADS = Path("docs/assets/labs")


def files() -> list[Path]:
    return sorted(Path("docs/labs").glob("*.py"))


def executed(lab: Path) -> Path:
    """Where `make serve` keeps the notebook with its outputs, for this state of the code."""
    state = hashlib.sha256(str(evidence.inputs(lab)).encode()).hexdigest()[:12]
    return FOLDER / f"{lab.stem}-{state}.ipynb"


def read(lab: Path):
    """The notebook, without outputs. The same script gives the same bytes."""
    import jupytext

    notebook = jupytext.read(lab)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 4  # cells of later formats carry random names
    for cell in notebook.cells:
        cell.pop("id", None)
    return notebook


def execute(lab: Path, *, allow_errors: bool = False):
    """The notebook with its outputs. A cell that raises or takes too long is an error."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = read(lab)
    try:
        NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            allow_errors=allow_errors,
            extra_arguments=["--log-level=ERROR"],
        ).execute(env=os.environ | ONE_THREAD)
    except (CellExecutionError, CellTimeoutError) as error:
        told = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
        raise BuildError(f"{lab}: a cell of this lab failed:\n{told}") from error
    return notebook


def markdown_of(lab: Path, notebook) -> str:
    """The notebook as a page of the site."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"````python\n{cell.source}\n````")
        parts += [_output(lab, cell, output) for output in cell.get("outputs", [])]
    top, _, rest = "\n\n".join(filter(None, parts)).partition("\n")
    download = f"../../assets/labs/{lab.stem}.ipynb"
    package = f"../../assets/{wheel.WHEEL.relative_to('docs/assets').as_posix()}"
    bar = f'<p class="dl-lab"><a href="{download}" download>Download as a notebook</a>'
    bar += f' (it imports NumPy, Matplotlib, scikit-learn and <a href="{package}" download>dlnotes</a>)</p>'
    return f"{top}\n\n{bar}\n{rest}\n"


def _output(lab: Path, cell, output) -> str:
    if output.output_type in ("stream", "error"):
        text = output.text if output.output_type == "stream" else "\n".join(output.traceback)
    elif picture := output.data.get("image/png"):
        if not (alt := cell.metadata.get("alt")):
            raise BuildError(f'{lab}: a cell that draws needs words for who cannot see it: # %% alt="..."')
        return f'<img class="dl-lab__picture" alt="{html.escape(alt)}" src="data:image/png;base64,{picture.strip()}">'
    else:
        text = output.data.get("text/plain", "")
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip()
    return f'<pre class="dl-lab__output" tabindex="0" role="group" aria-label="Output">{html.escape(text)}</pre>'


def _served(lab: Path) -> str:
    """What `make serve` shows: the outputs once there are any, and until then what is missing."""
    done = executed(lab)
    if done.exists():
        import nbformat

        return markdown_of(lab, nbformat.read(done, as_version=4))
    failed = done.with_suffix(".txt")
    told = failed.read_text(encoding="utf-8") if failed.exists() else "Not run yet: the results appear when it has run."
    box = f'<pre class="dl-error" role="alert">{html.escape(told)}</pre>'
    top, _, rest = markdown_of(lab, read(lab)).partition("\n")
    return f"{top}\n\n{box}\n{rest}"


def stale() -> Path | None:
    """A lab that has not run on this state of the code."""
    kept = {path.stem for path in FOLDER.glob("*")}
    return next((lab for lab in files() if executed(lab).stem not in kept), None)


def run(lab: Path) -> None:
    """Run a lab beside the server, and keep what came of it."""
    import nbformat

    done = executed(lab)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob(f"{lab.stem}-*"):
        old.unlink()
    try:
        nbformat.write(execute(lab), done)
    except BuildError as error:
        done.with_suffix(".txt").write_text(str(error), encoding="utf-8")


# --- what mkdocs calls ----------------------------------------------------------------------------------------------


def on_pre_build(config):
    """Write the notebooks that readers download."""
    import nbformat

    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    for old in DOWNLOADS.glob("*.ipynb"):
        if not Path("docs/labs", old.stem).with_suffix(".py").exists():
            old.unlink()
    for lab in files():
        target, text = DOWNLOADS / f"{lab.stem}.ipynb", nbformat.writes(read(lab)) + "\n"
        if not target.exists() or target.read_text(encoding="utf-8") != text:  # mkdocs serve watches docs/
            target.write_text(text, encoding="utf-8")


def on_pre_page(page, config, files):
    """Take back the rendering that mkdocs-jupyter gave the page."""
    if page.file.src_uri.startswith("labs/"):
        vars(page).pop("render", None)
    return page


def on_page_markdown(markdown, page, config, files):
    lab = Path("docs", page.file.src_uri)
    if lab.suffix != ".py":
        return markdown
    if serving():
        return _served(lab)
    options = config.plugins["mkdocs-jupyter"].config
    notebook = execute(lab, allow_errors=options["allow_errors"]) if options["execute"] else read(lab)
    return markdown_of(lab, notebook)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
