"""The figures of the chapter on receptive fields."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import receptive_field
from dlnotes.receptive_field import Join, Layer

INK, GRID = "#010203", "#040506"
SHEET = [Layer(3, padding=1)] * 4


def canvas(width, height, scale):
    """An empty figure whose unit is one cell, rows counted downwards."""
    figure, ax = plt.subplots(figsize=(width * scale, height * scale))
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    ax.axis("off")
    return figure, ax


def box(ax, column, row, width=1.0, height=1.0, *, fill=None, alpha=0.35, edge=GRID, line=0.8):
    """A rectangle, perhaps filled."""
    if fill:
        ax.add_patch(plt.Rectangle((column, row), width, height, facecolor=fill, alpha=alpha, linewidth=0))
    ax.add_patch(plt.Rectangle((column, row), width, height, facecolor="none", edgecolor=edge, linewidth=line))


def growing():
    """One output of four layers, and what it sees in each layer below: 3, 5, 7, 9 pixels."""
    figure, ax = canvas(15.4, 11.4, 0.44)
    names = ["input", "layer 1", "layer 2", "layer 3", "layer 4"]
    middle, left = 6, 2.3
    for level in range(5):
        row = 2.55 * (4 - level) + 0.1
        first, last = receptive_field.interval(SHEET[level:], middle)
        for column in range(13):
            seen = first <= column <= last
            box(ax, left + column * 0.82, row, 0.82, 0.82, fill="C1" if seen else None, edge=INK if seen else GRID)
        ax.text(2.0, row + 0.41, names[level], ha="right", va="center", fontsize=12)
        size = last - first + 1
        ax.text(13.2, row + 0.41, f"{size} x {size}", ha="left", va="center", fontsize=12, color="C1")
        if level:
            below = receptive_field.interval(SHEET[level - 1 :], middle)
            for here, there, side in ((first, below[0], 0), (last, below[1], 1)):
                ax.plot(
                    [left + (here + side) * 0.82, left + (there + side) * 0.82],
                    [row + 0.82, row + 2.55],
                    color="C1",
                    linewidth=1.2,
                )
    return figure


def strides():
    """A chain with a stride: what outputs 1 and 2 see in each layer, and how far apart that is."""
    layers = [Layer(3, 2, 1), Layer(3, 1, 1)]
    sizes, jumps, names = [10, 5, 5], [1, 2, 2], ["input", "layer 1,\nstride 2", "layer 2"]
    figure, ax = canvas(14.6, 8.0, 0.46)
    left = 3.4
    for level in range(3):
        row = 2.5 * (2 - level) + 0.1
        for column in range(sizes[level]):
            box(ax, left + jumps[level] * column + 0.05, row, 0.9, 0.9)
        for output, color in ((1, "C1"), (2, "C0")):
            first, last = receptive_field.interval(layers[level:], output)
            ends = [left + jumps[level] * first + 0.1, left + jumps[level] * last + 0.9]
            ax.plot(ends, [row + 0.8 + 0.45 * output] * 2, color=color, linewidth=5, solid_capstyle="butt")
        ax.text(1.9, row + 0.45, names[level], ha="right", va="center", fontsize=11)
    for column in (-1, 10):  # the padding that is met
        ax.text(left + column + 0.5, 5.55, "0", ha="center", va="center", fontsize=11)
    found = receptive_field.receptive_field(layers)
    ax.text(
        left + 5, 7.7, f"$R = {found.size}$,   $S = {found.stride}$,   $Z = {found.padding}$", ha="center", fontsize=13
    )
    return figure


def joined():
    """A residual block, and two branches that are not centred: what output 1 sees of each, and of both."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.7), layout="constrained")
    cases = [
        ("centred", [Layer(3, 2, 1)], [Layer(1, 2)], ["3, stride 2", "1, stride 2"]),
        ("not centred", [Layer(3, 2, 1)], [Layer(2, 2)], ["3, stride 2", "pool 2"]),
    ]
    for ax, (title, one, other, names) in zip(axes, cases, strict=True):
        both = [Join([one, other])]
        for row, (layers, name, color) in enumerate(
            ((one, names[0], "C0"), (other, names[1], "C2"), (both, "join", "C1"))
        ):
            first, last = receptive_field.interval(layers, 1)
            for column in range(6):
                seen = first <= column <= last
                box(ax, column, 1.35 * row, fill=color if seen else None, edge=color if seen else GRID, line=1.1)
            at = receptive_field.centre(layers, 1) + 0.5
            ax.plot([at], [1.35 * row + 0.5], "o", color=color, markersize=5)
            ax.text(-0.3, 1.35 * row + 0.5, name, ha="right", va="center", fontsize=11)
        ax.set(xlim=(-3.3, 6.1), ylim=(4, -0.2), aspect="equal", title=title)
        ax.axis("off")
    return figure


def effective():
    """Above, the share of paths a pixel gets, and the bell; below, the receptive field and twice the deviation."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.4, 5.6), layout="constrained")
    for number, depth in enumerate((4, 16, 64)):
        layers = [Layer(3, padding=1)] * depth
        counts = receptive_field.path_counts(layers)
        share = np.array([int(count) / 3**depth for count in counts])
        at = np.arange(len(counts)) - depth
        near = np.abs(at) <= 32
        top.plot(
            at[near], share[near], "o", color=f"C{number}", markersize=3, label=f"{depth} layers, R = {len(counts)}"
        )
        fine = np.linspace(-32, 32, 97)
        variance = float(receptive_field.path_variance(layers))
        bell = np.exp(-(fine**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        top.plot(fine, bell, color=f"C{number}", linewidth=0.9)
    top.set_xlabel("pixels from the middle")
    top.set_ylabel("share of the paths")
    top.legend(fontsize="small")
    depths = np.array([1, 2, 4, 8, 16, 32, 64, 128])
    chains = [[Layer(3)] * int(depth) for depth in depths]
    bottom.loglog(depths, [receptive_field.receptive_field(c).size for c in chains], "o-", color="C0", markersize=4)
    wide = 4 * np.sqrt([float(receptive_field.path_variance(c)) for c in chains])
    bottom.loglog(depths, wide, "s--", color="C1", markersize=4)
    bottom.text(40, 150, "$R$", color="C0", fontsize=13)
    bottom.text(30, 10, r"$\pm 2$ std", color="C1", fontsize=12)
    bottom.set_xlabel("layers $M$")
    bottom.set_ylabel("pixels")
    return figure


def corners():
    """The path of the corner network: two images through its four layers."""
    network = receptive_field.corner_network()
    figure, ax = canvas(36.2, 20.2, 0.205)
    heads = ["input", "layer 1", "layer 2", "layer 3", "output"]
    says = ["", "send the\ncorners off", "compare at\nthe centre", "send the\nresult back", "subtract at\nthe corners"]
    for image, (a, b, c, d) in enumerate(((1, 0, 1, 1), (1, 1, 0, 0))):
        x = np.zeros((1, 1, 5, 5))
        x[0, 0, [0, 0, 4, 4], [0, 4, 0, 4]] = a, b, c, d
        row = 3.4 + 8.7 * image
        pictures = [x[0, 0]]
        for depth in (1, 2, 3):
            pictures.append(np.maximum(receptive_field.forward(network[:depth], x)[0], 0))
        first = [pictures[1][:2].sum(0), pictures[1][2:4].sum(0)]
        second = [pictures[2][:2].sum(0), pictures[2][2:4].sum(0)]
        third = [pictures[3][5:7].sum(0), pictures[3][7:9].sum(0)]
        output = receptive_field.forward(network, x)[0, 0]
        for number, pair in enumerate(([x[0, 0]], first, second, third, [output])):
            left = 0.6 + 7.5 * number
            for place in np.ndindex(5, 5):
                i, j = place
                corner = i in (0, 4) and j in (0, 4)
                color = "C0" if i == j else "C1"
                box(ax, left + j, row + i)
                if len(pair) == 1:
                    if pair[0][place] > 0:
                        box(ax, left + j, row + i, fill=color, alpha=0.75)
                    if corner:
                        box(ax, left + j, row + i, edge=color, line=1.8)
                        ax.text(
                            left + j + 0.5,
                            row + i + 0.5,
                            f"{int(pair[0][place])}",
                            ha="center",
                            va="center",
                            fontsize=11,
                        )
                elif number == 2:  # only the centre counts
                    if place == (2, 2):
                        for side, values in enumerate(pair):
                            size = values[place]
                            box(
                                ax,
                                left + j + side * 0.5,
                                row + i,
                                0.5,
                                1,
                                fill=f"C{side}" if size else None,
                                alpha=0.75,
                            )
                else:
                    for side, values in enumerate(pair):
                        on_diagonal = (i == j) if side == 0 else (i + j == 4)
                        if values[place] and on_diagonal:
                            width, shift = (0.5, side * 0.5) if place == (2, 2) else (1, 0)
                            box(ax, left + j + shift, row + i, width, 1, fill=f"C{side}", alpha=0.75)
            if number == 2:
                box(ax, left + 2, row + 2, edge=INK, line=1.8)
            if number == 4:
                box(ax, left, row, 5, 5, edge=INK, line=1.2)
            if number:
                ax.annotate(
                    "",
                    (left - 0.5, row + 2.5),
                    (left - 2.0, row + 2.5),
                    arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.3},
                )
    for number, (head, say) in enumerate(zip(heads, says, strict=True)):
        ax.text(3.1 + 7.5 * number, 2.4, head, ha="center", va="bottom", fontsize=12)
        ax.text(3.1 + 7.5 * number, 17.9, say, ha="center", va="top", fontsize=10)
    return figure
