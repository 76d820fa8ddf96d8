"""The figures of the chapter on convolutions."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import convolution

INK, GRID = "#010203", "#040506"


def canvas(width, height, scale=0.55):
    """An empty figure whose unit is one cell, rows counted downwards."""
    figure, ax = plt.subplots(figsize=(width * scale, height * scale))
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    ax.axis("off")
    return figure, ax


def cell(ax, row, column, text="", *, color=None, alpha=0.3, edge=INK, size=14, style="-", width=0.8):
    """One square cell, perhaps filled, with a text in its middle."""
    box = {"linewidth": width, "linestyle": style, "edgecolor": edge}
    ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor="none", **box))
    if color:
        ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=color, alpha=alpha, linewidth=0))
    ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size)


def frame(ax, row, column, height, width, color):
    """A thick frame."""
    ax.add_patch(plt.Rectangle((column, row), width, height, facecolor="none", edgecolor=color, linewidth=2.6))


def letter(name, row, column):
    return f"${name}_{{{row}{column}}}$"


def arrow(ax, start, end, color=INK):
    ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    )


def layer():
    """One output of a layer: a window through all input channels, one filter with as many, one sum."""
    figure, ax = canvas(12.6, 8.4, 0.46)
    for depth in (2, 1, 0):  # the image, back to front
        x, y = 0.2 + 0.7 * depth, 2.9 - 0.7 * depth
        ax.add_patch(plt.Rectangle((x, y), 4, 4, facecolor="C0", alpha=0.16, linewidth=0))
        ax.add_patch(plt.Rectangle((x, y), 4, 4, facecolor="none", edgecolor="C0", linewidth=1.3))
        ax.add_patch(plt.Rectangle((x + 1.6, y + 1), 1.5, 1.5, facecolor="C1", alpha=0.5, linewidth=0))
        ax.add_patch(plt.Rectangle((x + 1.6, y + 1), 1.5, 1.5, facecolor="none", edgecolor="C1", linewidth=1.8))
    for depth in (2, 1, 0):  # the output
        x, y = 8.8 + 0.5 * depth, 3.1 - 0.5 * depth
        ax.add_patch(plt.Rectangle((x, y), 2.6, 2.6, facecolor="C2", alpha=0.16, linewidth=0))
        ax.add_patch(plt.Rectangle((x, y), 2.6, 2.6, facecolor="none", edgecolor="C2", linewidth=1.3))
    ax.add_patch(plt.Rectangle((9.8, 3.75), 0.55, 0.55, facecolor="C1", linewidth=0))
    ax.plot([3.3, 9.8], [3.9, 3.75], color="C1", linewidth=1)
    ax.plot([3.3, 9.8], [5.4, 4.3], color="C1", linewidth=1)
    ax.plot([4.7, 9.8], [2.5, 3.75], color="C1", linewidth=0.8, linestyle=":")
    ax.text(7.3, 2.2, r"$\times\,W_f$", ha="center", fontsize=14)
    ax.text(7.4, 6.0, "sum over\n$c$ and $j$,\n" + r"$+\,b_f$", ha="center", va="center", fontsize=12)
    ax.text(
        2.9, 7.7, "image $x$\n" + r"$C \times n_\mathrm{h} \times n_\mathrm{w}$", ha="center", va="center", fontsize=12
    )
    ax.text(2.55, 5.9, "window", ha="center", color="C1", fontsize=11)
    ax.text(10.6, 6.4, "output $y$\n$F$ channels", ha="center", va="center", fontsize=12)
    ax.text(10.07, 5.05, "$y_{f,i}$", ha="center", color="C1", fontsize=14)
    figure.set_figwidth(5.8)
    return figure


def window():
    """The sheet's layer, once for each output: the padded image, and the weights on the cells that they touch."""
    figure, ax = canvas(11.2, 16.3, 0.5)
    for output in np.ndindex(2, 2):
        color = f"C{2 * output[0] + output[1]}"
        top, left = 0.7 + 5.9 * output[0], 5.9 * output[1]
        ax.text(left + 2.65, top - 0.25, letter("y", *output), ha="center", va="bottom", fontsize=14, color=color)
        for row, column in np.ndindex(5, 5):
            inside = 1 <= row < 4 and 1 <= column < 4
            weight = (row - 2 * output[0], column - 2 * output[1])
            seen = all(0 <= place < 3 for place in weight)
            text = letter("x", row - 1, column - 1) if inside else "0"
            if seen and inside:
                text = letter("w", *weight)
            look = {"edge": INK if inside else GRID, "color": color if seen else None}
            cell(ax, top + row, left + column, text, alpha=0.5 if inside else 0.15, **look)
        frame(ax, top + 2 * output[0], left + 2 * output[1], 3, 3, color)
    for row, column in np.ndindex(3, 3):
        cell(ax, 13.1 + row, 1.0 + column, letter("w", row, column))
    for row, column in np.ndindex(2, 2):
        cell(ax, 13.6 + row, 7.3 + column, letter("y", row, column), color=f"C{2 * row + column}", alpha=0.5)
    ax.text(2.5, 12.9, "kernel $W$", ha="center", va="bottom", fontsize=12)
    ax.text(8.3, 13.4, "output $y$", ha="center", va="bottom", fontsize=12)
    arrow(ax, (4.6, 14.6), (6.8, 14.6))
    return figure


def matrix():
    """The matrix of the sheet's layer, read off the package's own: one row an output, one column a pixel."""
    places = np.arange(1, 10).reshape(3, 3)  # each weight is its own number
    A = convolution.conv_matrix(places, (3, 3), stride=2, padding=1)
    figure, ax = canvas(10.2, 5.2, 0.56)
    for column in range(9):
        ax.text(column + 1.5, 0.75, letter("x", *divmod(column, 3)), ha="center", fontsize=14)
    for row in range(4):
        ax.text(0.5, row + 1.5, letter("y", *divmod(row, 2)), ha="center", va="center", fontsize=14, color=f"C{row}")
        for column in range(9):
            entry = A[row, column]
            text = letter("w", *divmod(int(entry) - 1, 3)) if entry else ""
            cell(ax, row + 1, column + 1, text, color=f"C{row}" if entry else None, alpha=0.45, edge=GRID)
    for column in (1, 4, 7, 10):
        ax.plot([column, column], [1, 5], color=INK, linewidth=1.2)
    return figure


def stamps():
    """The sheet's transposed layer: each pixel stamps the kernel, times its value; below, the matrix."""
    figure, ax = canvas(10.4, 13.2, 0.55)
    ax.text(1.6, 1.0, "image $x$", ha="center", va="bottom", fontsize=12)
    for row, column in np.ndindex(2, 2):
        cell(ax, 1.4 + row, 0.6 + column, letter("x", row, column), color=f"C{2 * row + column}", alpha=0.5)
    arrow(ax, (3.0, 2.4), (4.2, 2.4))
    for row, column in np.ndindex(4, 4):
        color = f"C{2 * (row // 2) + column // 2}"
        text = letter("x", row // 2, column // 2) + letter("w", row % 2, column % 2)
        ax.add_patch(plt.Rectangle((4.5 + 1.42 * column, 0.4 + row), 1.42, 1, facecolor=color, alpha=0.35, linewidth=0))
        box = {"facecolor": "none", "edgecolor": GRID, "linewidth": 0.8}
        ax.add_patch(plt.Rectangle((4.5 + 1.42 * column, 0.4 + row), 1.42, 1, **box))
        ax.text(5.21 + 1.42 * column, 0.9 + row, text, ha="center", va="center", fontsize=13)
    for row, column in np.ndindex(2, 2):
        frame(ax, 0.4 + 2 * row, 4.5 + 2.84 * column, 2, 2.84, f"C{2 * row + column}")
    A = convolution.conv_transpose_matrix(np.arange(1, 5).reshape(2, 2), (2, 2), stride=2)
    for half in range(2):  # rows 0 to 7, then rows 8 to 15
        left = 0.2 + 5.2 * half
        for column in range(4):
            ax.text(left + 1.5 + column, 5.15, letter("x", *divmod(column, 2)), ha="center", va="bottom", fontsize=13)
        for k in range(8):
            at = 8 * half + k
            ax.text(left + 0.45, 5.75 + 0.9 * k, letter("y", *divmod(at, 4)), ha="center", va="center", fontsize=13)
            for column in range(4):
                entry = int(A[at, column])
                place = (left + 1 + column, 5.3 + 0.9 * k)
                ax.add_patch(plt.Rectangle(place, 1, 0.9, facecolor="none", edgecolor=GRID, linewidth=0.8))
                if entry:
                    ax.add_patch(plt.Rectangle(place, 1, 0.9, facecolor=f"C{column}", alpha=0.4, linewidth=0))
                    text = letter("w", *divmod(entry - 1, 2))
                    ax.text(place[0] + 0.5, place[1] + 0.45, text, ha="center", va="center", fontsize=13)
    return figure


def moving_average():
    """The sheet's signal and its average; the gain of four taps, and of three."""
    signal = np.array([1, 1, 4, 4, 4, 1, 1.0])
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5, 5), layout="constrained")
    top.step(np.arange(-1, 9), np.pad(signal, (1, 2)), where="mid", color="C0", label="signal")
    full = convolution.convolve(signal, np.full(4, 0.25), "full")
    top.plot(np.arange(10) - 1.5, full, "o--", color="C1", markersize=4, label="full")
    top.plot(np.arange(3, 7) - 1.5, full[3:7], "o", color="C2", markersize=9, fillstyle="none", label="valid")
    top.set_xlabel("position")
    top.legend(loc="upper right", fontsize="small")
    omega = np.linspace(0, np.pi, 121)
    for taps, style in ((4, "C1-"), (3, "C3:")):
        response = np.abs(np.exp(1j * np.outer(omega, np.arange(taps))).sum(1)) / 4
        bottom.plot(omega, response, style, label=f"{taps} taps of 1/4")
    bottom.set_xticks([0, np.pi / 2, np.pi], ["0", r"$\pi/2$", r"$\pi$"])
    bottom.set_xlabel(r"frequency $\omega$")
    bottom.set_ylabel("gain")
    bottom.legend(fontsize="small")
    return figure
