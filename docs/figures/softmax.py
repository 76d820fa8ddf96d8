"""The figures of the chapter on softmax."""

from decimal import Decimal, getcontext

import matplotlib.pyplot as plt
import numpy as np

from dlnotes import softmax

FORMS = ("plain", "log of a shifted softmax", "expanded", "expanded, with log1p")


def _results(x):
    """The log-probabilities by the four forms of the page."""
    with np.errstate(all="ignore"):
        yield x - np.log(np.exp(x).sum())
        yield np.log(softmax.softmax(x))
        yield (x - x.max()) - np.log(np.exp(x - x.max()).sum())
    yield softmax.log_softmax(x)


def _exact(x):
    """The same with 60 digits, for logits of which the first is the largest."""
    getcontext().prec = 60
    gaps = [Decimal(float(entry)) - Decimal(float(x[0])) for entry in x]
    rest = sum(gap.exp() for gap in gaps[1:])
    total = (1 + rest).ln() if rest > Decimal("1e-25") else rest - rest**2 / 2
    return [gap - total for gap in gaps]


def _errors(x):
    """Per form: error over the largest log-probability, and the worst error of an entry over the entry."""
    exact = _exact(x)
    largest = max(abs(entry) for entry in exact)
    for values in _results(x):
        if not np.isfinite(values).all():
            yield np.inf, np.inf
            continue
        off = [abs(Decimal(float(value)) - entry) for value, entry in zip(values, exact, strict=True)]
        normal = [max(abs(entry), Decimal("1e-300")) for entry in exact]  # below that no float64 is near
        yield float(max(off) / largest), float(max(a / b for a, b in zip(off, normal, strict=True)))


def forms():
    """Error of the four forms in float64 against the size of the logits."""
    sizes = np.geomspace(0.3, 1e5, 90)
    x = np.array([1.0, -0.93, 0.11])
    errors = np.array([list(_errors(size * x)) for size in sizes])  # (size, form, kind)

    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 4.2))
    titles = ("over the largest log-probability", "of each entry, over the entry itself")
    styles = ((":", 3.5), ("--", 2.8), ("-", 2.2), ("-", 1.2))
    for kind, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        for k, (name, (style, width)) in enumerate(zip(FORMS, styles, strict=True)):
            error = np.clip(errors[:, k, kind], 2e-18, 1e5)
            ax.loglog(sizes, error, style, linewidth=width, color=f"C{k}", label=name)
        ax.axvline(1024 * np.log(2), color="#010203", linewidth=0.8)
        ax.set_title(title)
        ax.set_xlabel("size of the logits")
        ax.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1, 1e5], ["1e-16", "1e-12", "1e-8", "1e-4", "1", "not finite"])
        ax.minorticks_off()
    axes[0].set_ylabel("largest error")
    axes[0].legend(loc="center left", fontsize=8)
    return figure


def temperature():
    """Probabilities of three classes against the factor on the logits (0, 0.9, 1)."""
    alpha = np.linspace(-8, 24, 321)
    p = softmax.softmax(alpha[:, None] * np.array([0, 0.9, 1]))

    figure, ax = plt.subplots(figsize=(7, 3.6))
    for k, (name, style) in enumerate((("logit 0", ":"), ("logit 0.9", "--"), ("logit 1", "-"))):
        ax.plot(alpha, p[:, k], style, color=f"C{k}", label=name)
    ax.axvline(0, color="#010203", linewidth=0.8)
    ax.set_xlabel(r"factor $\alpha$")
    ax.set_ylabel("probability")
    ax.legend()
    return figure
