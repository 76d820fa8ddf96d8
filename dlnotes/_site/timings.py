"""Timings: what the benchmarks measured, beside what was aimed at. Nothing is shown that no run gave.

/// timings | RNN forward and backward
    device: cpu
///

One table a machine, from `benchmarks/results/<machine>.json`. `benchmarks/goals.tsv` lists the ratios aimed at; a goal
that no machine measured is a row of "not measured".
"""

import html
import json
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from pymdownx.blocks import BlocksExtension
from pymdownx.blocks.block import Block

from dlnotes._site import page
from dlnotes._site.claim import small
from dlnotes._site.question import table

RESULTS, GOALS = Path("benchmarks/results"), Path("benchmarks/goals.tsv")
HEADS = ("Size", "Ours", "Peer", "Our time over its", "Goal", "Share of the limit", "Error")
BENCHMARKS = Path("benchmarks")
MISSING, NO_RUN = "not measured", "Not measured: no run on such a machine yet."


def machines() -> list[dict]:
    """What each results file holds: machine, date, rows."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]


def limits(rows: list[dict], device: str) -> dict:
    """The machine's own limits as its benchmark measured them: operations a second by type, and bytes a second."""
    found = {}
    for row in rows:
        if row["device"] == device and row["work"] == "matrix product":
            found[row["dtype"]] = max(found.get(row["dtype"], 0), row["flops"] / row["seconds"][1])
        if row["device"] == device and row["work"] == "copy":  # the largest: beyond the caches
            found["bytes"] = row["bytes"] / row["seconds"][1]
    return found


def seconds(value: float) -> str:
    """1.23 ms, as a person writes it."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size or unit == "µs":
            return f"{value / size:.3g} {unit}"
    return ""


def share(row: dict, limit: dict) -> str:
    """How near the work comes to the product, or to the copy, that the machine does at its best."""
    shares = []
    if row["flops"] and row["dtype"] in limit:
        shares.append((row["flops"] / row["seconds"][1] / limit[row["dtype"]], "matrix product"))
    if row["bytes"] and "bytes" in limit:
        shares.append((row["bytes"] / row["seconds"][1] / limit["bytes"], "copy"))
    return "; ".join(f"{100 * part:.0f} % of {what}" for part, what in shares)


def goals() -> dict[tuple, str]:
    return {_key(row, row["peer"]): row["goal"] for row in table(GOALS)} if GOALS.exists() else {}


def _key(row: dict, peer: str) -> tuple:
    return (*(row[name] for name in ("work", "device", "size", "dtype", "name")), peer)


def cells(row: dict, peer: str, found: dict | None, goal: str, limit: dict) -> list[str]:
    """One line of a table."""
    low, middle, high = found["ratio"] if found and found["ratio"] else (None, None, None)
    if not peer:
        ratio = ""
    elif middle is None:
        ratio = "peer not installed"
    else:
        ratio = f"<strong>{middle:.3g}</strong> <small>({low:.3g} to {high:.3g})</small>"
    if goal and middle is not None:
        goal += " ✓" if middle <= float(goal) else " ✗"
    error = small(row["error"]) if row["error"] is not None else ""
    size = f"{html.escape(row['size'])}, {row['dtype']}"
    own = f"{html.escape(row['name'])}, {seconds(row['seconds'][1])}"
    return [size, own, html.escape(peer), ratio, goal, share(row, limit), error]


class Timings(Block):
    NAME = "timings"
    ARGUMENT = True
    OPTIONS: ClassVar = {"device": ["cpu", None]}

    def on_create(self, parent):
        work, device = self.argument.strip(), str(self.options["device"])
        aims, met, shown = goals(), set(), []
        for found in machines():
            rows = [row for row in found["rows"] if row["work"] == work and row["device"] == device]
            if not rows:
                continue
            limit, lines = limits(found["rows"], device), []
            for row in rows:
                for peer, entry in (row["peers"] or {"": None}).items():
                    met.add(_key(row, peer))
                    lines.append(cells(row, peer, entry, aims.get(_key(row, peer), ""), limit))
            shown.append(self._table(self._about(found, device), lines))
        # What is left was aimed at, and no machine measured it.
        left = [key for key in aims if key not in met and key[:2] == (work, device)]
        if left:
            lines = [
                [
                    f"{html.escape(size)}, {dtype}",
                    f"{html.escape(name)}, {MISSING}",
                    html.escape(peer),
                    MISSING,
                    aims[key],
                    "",
                    MISSING,
                ]
                for key in left
                for _, _, size, dtype, name, peer in [key]
            ]
            shown.append(self._table(NO_RUN, lines))
        if not shown and any(f'"{work}"' in path.read_text(encoding="utf-8") for path in BENCHMARKS.glob("bench_*.py")):
            shown = [f"<p>{NO_RUN}</p>"]  # timed without a goal
        if not shown:
            where = page.header("timings", work)
            shown = [page.problem(self.md, f"no such work on {device} in {RESULTS} or {GOALS}", find=where, ident=work)]
        div = ElementTree.SubElement(parent, "div", {"class": "dl-timings"})
        div.text = self.md.htmlStash.store("".join(shown))
        return div

    def _about(self, found: dict, device: str) -> str:
        machine = found["machine"]
        name = machine["gpu"] if device == "cuda" else machine["processor"]
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        return f"{name}, {machine['threads']} thread, {found['date']}; {versions}, {machine['blas']}."

    def _table(self, caption: str, lines: list[list[str]]) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in HEADS)
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines)
        caption = f"<caption>{html.escape(caption)}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Extension(BlocksExtension):
    def extendMarkdownBlocks(self, md, block_mgr):
        page.attach(md)
        block_mgr.register(Timings, self.getConfigs())


def makeExtension(**options):
    return Extension(**options)
