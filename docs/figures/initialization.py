"""The figures of the chapter on initialisation: the lost histograms, drawn again."""

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import initialization

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))  # one a layer; there are four colours, and that of the text


def _arrays(draw, what):
    """The arrays of five tanh layers of 300 units, at 300 standard normal inputs and gradients at the output."""
    rng = np.random.default_rng(0)
    weights = [draw(300, 300, rng) for _ in range(5)]
    y, saved = initialization.forward(rng.normal(size=(300, 300)), weights)
    return saved.h[1:] if what == "h" else initialization.backward(rng.normal(size=y.shape), saved).dz


def _histograms(what, limit, xlabel, sharey=False):
    figure, axes = plt.subplots(2, 1, sharex=True, sharey=sharey, figsize=(6.4, 6.0))
    edges = np.linspace(-limit, limit, 82)
    laws = (initialization.standard_uniform, initialization.glorot_uniform)
    colors = ("C0", "C1", "C2", "C3", plt.rcParams["text.color"])
    for ax, draw, title in zip(axes, laws, ("standard", "normalised"), strict=True):
        for i, (array, color, style) in enumerate(zip(_arrays(draw, what), colors, STYLES, strict=True), 1):
            density, _ = np.histogram(array, edges, density=True)
            ax.plot((edges[1:] + edges[:-1]) / 2, density, color=color, linestyle=style, label=f"layer {i}")
        ax.set_title(title)
        ax.set_ylabel("density")
    axes[0].legend()
    axes[1].set_xlabel(xlabel)
    return figure


def gradients():
    """Densities of the gradient by the pre-activations, layer by layer, for the two initialisations."""
    return _histograms("dz", 2, r"$\partial L / \partial z$", sharey=True)


def activations():
    """Densities of the outputs of the layers, for the two initialisations."""
    return _histograms("h", 1, "$h$")
