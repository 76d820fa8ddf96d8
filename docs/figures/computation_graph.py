"""The figures of the chapter on computation graphs."""

import matplotlib.pyplot as plt


def graph():
    """The graph of one layer and its loss: what is fed, what is kept, what is computed."""
    nodes = {  # place, label, kind
        "x": ((0, 1), "$x$\nplaceholder", "C0"),
        "W": ((0, 0), "$W$\nVariable", "C1"),
        "t": ((1.25, 0), r"$W^\top$" + "\ntranspose", "C2"),
        "y": ((2.5, 0.5), r"$y = x W^\top$" + "\nmatmul", "C2"),
        "s": ((3.75, 0.5), r"$y \odot y$" + "\nmultiply", "C2"),
        "L": ((5, 0.5), "$L$\nreduce_sum", "C2"),
    }
    edges = [("x", "y", 0), ("W", "t", 0), ("t", "y", 0), ("y", "s", 0.35), ("y", "s", -0.35), ("s", "L", 0)]
    figure, ax = plt.subplots(figsize=(8, 2.6))
    for start, end, bend in edges:
        arrow = {"arrowstyle": "->", "color": "#010203", "shrinkA": 32, "shrinkB": 32}
        arrow["connectionstyle"] = f"arc3,rad={bend}"
        ax.annotate("", nodes[end][0], nodes[start][0], arrowprops=arrow)
    for place, label, colour in nodes.values():
        ax.plot(*place, "o", markersize=54, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=2)
        ax.text(*place, label, ha="center", va="center", fontsize=8)
    ax.set_xlim(-0.5, 5.5)
    ax.set_ylim(-0.5, 1.5)
    ax.axis("off")
    return figure


def lifetimes():
    """When each of the four has a value: a graph is built, initialised, and run twice."""
    moments = [
        "the graph\nis built",
        "initialiser\nis run",
        "first run,\n$x$ fed",
        "second run,\n$x$ fed",
        "session\ncloses",
    ]
    spans = {  # where a value is there
        "Python variable": [(0, 5)],
        "Variable": [(1.35, 4.35)],
        "placeholder": [(2.2, 2.8), (3.2, 3.8)],
        "tensor": [(2.35, 2.8), (3.35, 3.8)],
    }
    figure, ax = plt.subplots(figsize=(8, 2.6))
    for k, (name, parts) in enumerate(spans.items()):
        for start, end in parts:
            ax.plot([start, end], [-k, -k], color=f"C{k}", linewidth=9, solid_capstyle="butt")
        ax.text(-0.1, -k, name, ha="right", va="center")
    for k, moment in enumerate(moments):
        ax.axvspan(k + 0.15, k + 0.85, color="#808080", alpha=0.15, linewidth=0)
        ax.text(k + 0.5, 0.55, moment, ha="center", va="bottom", fontsize=9)
    ax.set_xlim(-1.2, 5)
    ax.set_ylim(-3.6, 1.5)
    ax.axis("off")
    return figure
