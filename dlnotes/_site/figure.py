"""Figures, drawn at build by functions of `docs/figures/`, as SVG in the page.

    /// figure | docs/figures/batch_norm.py::spectrum
        alt: What the picture shows, in words.

    The caption.
    ///

The function takes nothing and returns a matplotlib figure. Colours become variables of the page, so that one picture
serves light and dark.
"""

import hashlib
import html
import io
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes._site import evidence, page

FOLDER = Path("build/figures")

# Colours that no figure would use by chance, and what they become.
INK, GRID = "#010203", "#040506"
SERIES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004")
VARIABLES = {INK: "currentColor", GRID: "var(--dl-grid)"} | {c: f"var(--dl-series-{k})" for k, c in enumerate(SERIES)}


def draw(path: Path, name: str) -> str:
    """Run the function and give its SVG. This imports the package: the build does so in a process of its own."""
    import matplotlib

    matplotlib.use("svg")
    style = {
        "svg.hashsalt": f"{path}::{name}",  # same picture, same bytes
        "svg.fonttype": "path",  # the same letters everywhere
        "figure.figsize": (7, 3.4),
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "legend.facecolor": "none",
        "legend.frameon": False,
        "savefig.transparent": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": GRID,
        "mathtext.fontset": "cm",
        "font.size": 11,
        "axes.prop_cycle": matplotlib.cycler(color=SERIES),
    }
    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "axes.titlecolor")
    with matplotlib.rc_context(style | dict.fromkeys(ink, INK)):
        drawn = runpy.run_path(str(path))[name]()
        out = io.StringIO()
        drawn.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(?<= d=")[^"]*', _shorter, svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg


def _shorter(path: re.Match) -> str:
    """A path to a tenth of a point: half the bytes, the same picture."""
    return re.sub(r"-?\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), path[0])


def svg_of(path: Path, name: str) -> str:
    """The SVG, from the cache when neither the function nor what it imports has changed. Raises LookupError."""
    if not path.is_file():
        raise LookupError(f"no file {path}")
    read = [Path(__file__), *sorted(Path("benchmarks/results").glob("*.json"))]  # what a figure may draw
    state = {**evidence.inputs(path), **{str(file): file.read_text(encoding="utf-8") for file in read}}
    cached = FOLDER / f"{path.stem}-{name}-{hashlib.sha256(str(state).encode()).hexdigest()[:16]}.svg"
    if not cached.exists():
        command = [sys.executable, "-m", "dlnotes._site.figure", str(path), name]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise LookupError(run.stderr.strip().splitlines()[-1] if run.stderr.strip() else "the figure gave nothing")
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(run.stdout, encoding="utf-8")
    return cached.read_text(encoding="utf-8")


class Figure(Block):
    NAME = "figure"
    ARGUMENT = True
    OPTIONS: ClassVar = {"alt": ["", None]}

    def on_create(self, parent):
        figure = ElementTree.SubElement(parent, "figure", {"class": "dl-figure"})
        target, alt = self.argument.strip(), str(self.options["alt"]).strip()
        path, _, name = target.partition("::")
        try:
            if not alt:
                raise LookupError("a figure says in its option alt what it shows")
            drawn = svg_of(Path(path), name)
            drawn = drawn.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', 1)
        except LookupError as error:
            drawn = page.problem(self.md, str(error), find=page.header("figure", target), ident=target)
        ElementTree.SubElement(figure, "div").text = self.md.htmlStash.store(drawn)
        self.caption = ElementTree.SubElement(figure, "figcaption")
        return figure

    def on_add(self, block):
        return self.caption


class Extension(BlocksExtension):
    def extendMarkdownBlocks(self, md, block_mgr):
        page.attach(md)
        block_mgr.register(Figure, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)


if __name__ == "__main__":
    print(draw(Path(sys.argv[1]), sys.argv[2]))
