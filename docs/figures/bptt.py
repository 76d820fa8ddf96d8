"""The figures of the chapter on backpropagation through time."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch

INK, FAINT = "#010203", "#040506"


def _canvas(width, height, size):
    figure, ax = plt.subplots(figsize=size)
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_aspect("equal")
    ax.axis("off")
    return figure, ax


def _node(ax, x, y, text, color=INK):
    ax.add_patch(Circle((x, y), 0.34, fill=False, edgecolor=color, linewidth=1.4))
    ax.text(x, y, text, ha="center", va="center", fontsize=13, color=color)


def _arrow(ax, start, end, color=INK, width=1.4, bend=0.0):
    style = f"arc3,rad={bend}"
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=12,
            shrinkA=13,
            shrinkB=13,
            color=color,
            linewidth=width,
            connectionstyle=style,
        )
    )


def unrolled():
    """The network over its steps: inputs below, states in a row, losses above, the same W and U at each step."""
    figure, ax = _canvas(9.6, 4.1, (7, 3))
    columns = [(2.4, "1"), (4.4, "2"), (8.4, "T")]
    _node(ax, 0.5, 2.0, "$h_0$")
    for x, t in columns:
        _node(ax, x, 0.5, f"$x_{t}$")
        _node(ax, x, 2.0, f"$h_{t}$")
        _node(ax, x, 3.5, f"$L_{t}$")
        _arrow(ax, (x, 0.5), (x, 2.0), "C1")
        _arrow(ax, (x, 2.0), (x, 3.5))
        ax.text(x + 0.15, 1.25, "$U$", color="C1", fontsize=12, va="center")
    for start, end in ((0.5, 2.4), (2.4, 4.4), (4.4, 6.4), (6.4, 8.4)):
        _arrow(ax, (start, 2.0), (end, 2.0), "C0")
        ax.text((start + end) / 2, 2.25, "$W$", color="C0", fontsize=12, ha="center")
    ax.text(6.4, 2.0, r"$\cdots$", fontsize=16, ha="center", va="center")
    return figure


def immediate_and_total():
    """Three steps and one W: the one path of the immediate derivative of h_3, and the three of the total one."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.9))
    for ax, title, all_paths in zip(axes, ("immediate: one path", "total: three paths"), (False, True), strict=True):
        ax.set_xlim(0, 7)
        ax.set_ylim(0, 3.4)
        ax.set_aspect("equal")
        ax.axis("off")
        ax.set_title(title)
        xs = (0.5, 2.5, 4.5, 6.5)
        for k, x in enumerate(xs):
            _node(ax, x, 2.6, f"$h_{k}$")
        for k in range(3):
            if k == 0 or not all_paths:
                _arrow(ax, (xs[k], 2.6), (xs[k + 1], 2.6), FAINT)
        _node(ax, 4.5, 0.5, "$W$")
        for k in (1, 2):
            if not all_paths:
                _arrow(ax, (4.5, 0.5), (xs[k], 2.6), FAINT)
        _arrow(ax, (4.5, 0.5), (6.5, 2.6), "C0", 2)
        if all_paths:
            _arrow(ax, (4.5, 0.5), (4.5, 2.6), "C1", 2)
            _arrow(ax, (4.5, 2.6), (6.5, 2.6), "C1", 2, 0.18)
            _arrow(ax, (4.5, 0.5), (2.5, 2.6), "C2", 2)
            _arrow(ax, (2.5, 2.6), (4.5, 2.6), "C2", 2, -0.18)
            _arrow(ax, (4.5, 2.6), (6.5, 2.6), "C2", 2, -0.18)
    return figure


def counted():
    """How often each term (t, tau) of the double sum is counted, under the two readings."""
    T = 5
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True)
    readings = (("immediate: once", lambda t, tau: 1), (r"total: $t - \tau + 1$ times", lambda t, tau: t - tau + 1))
    for k, (ax, (title, count)) in enumerate(zip(axes, readings, strict=True)):
        pairs = np.array([(t, tau, count(t, tau)) for t in range(1, T + 1) for tau in range(1, t + 1)])
        ax.scatter(pairs[:, 0], pairs[:, 1], s=150 * pairs[:, 2], color=f"C{k}", alpha=0.35, linewidths=0)
        for t, tau, times in pairs:
            ax.text(t, tau, str(times), ha="center", va="center", fontsize=11)
        ax.set_title(title)
        ax.set_xlabel("step $t$ of the loss")
        ax.set_xticks(range(1, T + 1))
        ax.set_yticks(range(1, T + 1))
        ax.set_xlim(0.4, T + 0.6)
        ax.set_ylim(0.4, T + 0.6)
    axes[0].set_ylabel(r"step $\tau$ where $W$ acts")
    return figure
