"""The figures of the page on the fast core: errors computed here, times read from the results of the benchmarks."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter, ScalarFormatter

from dlnotes.core import conv2d

RESULTS = Path("benchmarks/results")


def error_over_channels():
    """Error of each algorithm in float32, relative to the largest output, over the number of channels."""
    channels = [2, 4, 8, 16, 32, 64]
    errors = {"direct": [], "winograd": [], "fft": []}
    for C in channels:
        found = {algorithm: [] for algorithm in errors}
        for seed in range(3):
            rng = np.random.default_rng(seed)
            x, w = (rng.normal(size=shape).astype(np.float32) for shape in ((2, C, 12, 12), (C, C, 3, 3)))
            exact = conv2d(x.astype(float), w.astype(float), padding=1, algorithm="direct")
            for algorithm, off in found.items():
                y = conv2d(x, w, padding=1, algorithm=algorithm)
                off.append(np.abs(y - exact).max() / np.abs(exact).max())
        for algorithm, off in found.items():
            errors[algorithm].append(np.median(off))

    figure, ax = plt.subplots()
    for k, (algorithm, values) in enumerate(errors.items()):
        ax.loglog(channels, values, "-o", color=f"C{k}", markersize=4, label=algorithm)
    ax.axhline(2.0**-24, color="#010203", linewidth=0.8, linestyle=":", label="one rounding, $2^{-24}$")
    _whole_numbers(ax, channels)
    ax.set_xlabel("channels, as many as filters")
    ax.set_ylabel("relative error")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def growth():
    """Time of the recurrence, forward and backward, over the number of steps, on each machine measured."""
    figure, ax = plt.subplots()
    found = []
    for k, (machine, rows) in enumerate(_rows("RNN, growth with T", "cpu")):
        steps, times = _over_size(rows)
        if len(steps) < 2:
            continue
        slope = np.polyfit(np.log(steps), np.log(times), 1)[0]
        ax.loglog(steps, times, "-o", color=f"C{k % 4}", markersize=4, label=f"{machine}, exponent {slope:.2f}")
        found += steps
    ax.set_xlabel("steps $T$")
    ax.set_ylabel("seconds")
    return _finished(figure, [ax], found)


def cpu_against_gpu():
    """Time on the CPU and on the GPU, over size, of three layers."""
    works = [
        ("RNN, CPU against GPU", "recurrence", "hidden units", -1),
        ("convolution, CPU against GPU", "convolution", "images", 0),
        ("batch norm, CPU against GPU", "batch norm", "images", 0),
    ]
    figure, axes = plt.subplots(1, 3, figsize=(8, 3.1))
    found = []
    for ax, (work, title, what, axis) in zip(axes, works, strict=True):
        for k, device in enumerate(("cpu", "cuda")):
            for machine, rows in _rows(work, device):
                sizes, times = _over_size(rows, axis)
                ax.loglog(sizes, times, "-o" if k else "--o", color=f"C{k}", markersize=4, label=machine)
                found += sizes if device == "cuda" else []
        ax.set_title(title)
        ax.set_xlabel(what)
    axes[0].set_ylabel("seconds")
    return _finished(figure, axes, found)


def _rows(work, device):
    """The rows of a work on a device, with the name of each machine."""
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = [row for row in content["rows"] if row["work"] == work and row["device"] == device]
        if rows:
            machine = content["machine"]
            yield machine["gpu"] if device == "cuda" else machine["processor"], rows


def _over_size(rows, axis=0):
    """Sizes along one axis, and median times, in order."""
    pairs = sorted((int(row["size"].split(" x ")[axis]), row["seconds"][1]) for row in rows)
    return [size for size, _ in pairs], [seconds for _, seconds in pairs]


def _whole_numbers(ax, values):
    """Write these numbers along a logarithmic axis, and no powers."""
    ax.set_xticks(sorted(set(values)))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _finished(figure, axes, found):
    """The figure with its legend, or with a line that says that there is nothing to show."""
    if found:
        axes[0].legend(loc="upper left")
        for ax in axes:
            if ax.lines:
                _whole_numbers(ax, [int(x) for x in ax.lines[-1].get_xdata()])
        return figure
    for ax in axes:
        ax.cla()
        ax.axis("off")
    figure.set_size_inches(7, 1)
    figure.text(0.5, 0.5, "not measured", ha="center", va="center")
    return figure
