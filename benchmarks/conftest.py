"""One thread for every contestant, contestants interleaved round by round, results trimmed to one file a machine."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy and torch are loaded

import datetime
import importlib.metadata
import json
import platform
import re
import time
from pathlib import Path

import numpy as np
import pytest

try:
    import torch
except ModuleNotFoundError:
    torch = None
else:
    torch.set_num_threads(1)

ROUNDS = 11, 41  # at least, at most
ROUND_SECONDS = 0.003  # a shorter call is repeated within its round
RACE_SECONDS = 5


def pytest_addoption(parser):
    parser.addoption("--results", metavar="FOLDER", help="write what was measured to FOLDER/<machine>.json")


def pytest_configure(config):
    config.rows = []


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """Where a benchmark runs. A GPU that is not there is skipped."""
    if request.param == "cuda" and not (torch and torch.cuda.is_available()):
        pytest.skip("no GPU here")
    return request.param


@pytest.fixture
def race(benchmark, request, capsys):
    """race(ours, peers, work=, size=, ...) times `ours` beside each peer, and keeps one row of results.

    ours, and each value of `peers`, is a call without arguments; a peer that is not installed is None. A round calls
    every contestant in turn, so that a noisy moment hits them all; the ratio is the median over rounds of our time over
    the peer's in that round. flops and bytes: what the work needs at least. error: ours against a float64 reference,
    relative to its largest entry; the caller has measured it, and has asserted that it is small. The ratios aimed at
    stand in goals.tsv.
    """

    def run(
        ours,
        peers,
        *,
        work,
        size,
        dtype="float32",
        name="dlnotes",
        flops=None,
        bytes=None,
        error=None,
        on="cpu",
    ):
        contestants = {name: ours} | {peer: call for peer, call in peers.items() if call}
        calls = {who: _calls(call, on) for who, call in contestants.items()}
        seconds = {who: [] for who in contestants}
        rounds = int(np.clip(RACE_SECONDS / sum(once * n for n, once in calls.values()), *ROUNDS))

        def others():
            for who, call in contestants.items():
                if who != name:
                    seconds[who].append(_clock(call, calls[who][0], on))

        benchmark.pedantic(_repeated(ours, calls[name][0], on), setup=others, rounds=rounds, warmup_rounds=1)
        seconds[name] = [t / calls[name][0] for t in benchmark.stats.stats.data]
        own = np.array(seconds.pop(name))
        row = {"work": work, "size": size, "dtype": dtype, "device": on, "name": name, "seconds": _quartiles(own)}
        row |= {"rounds": rounds, "error": error, "flops": flops, "bytes": bytes, "peers": {}}
        for peer in peers:
            theirs = np.array(seconds[peer][-rounds:]) if peer in seconds else None
            row["peers"][peer] = {
                "seconds": None if theirs is None else _quartiles(theirs),
                "ratio": None if theirs is None else _quartiles(own / theirs),
            }
        request.config.rows.append(row)
        with capsys.disabled():
            print("\n" + _line(row), end=" ", flush=True)

    return run


def _sync(on):
    if on == "cuda":
        torch.cuda.synchronize()


def _repeated(call, n, on):
    def calls():
        for _ in range(n):
            call()
        _sync(on)

    return calls


def _clock(call, n, on):
    """Seconds of one call, the mean of n."""
    start = time.perf_counter()
    _repeated(call, n, on)()
    return (time.perf_counter() - start) / n


def _calls(call, on):
    """How many calls make one round, and the seconds of one of them."""
    for _ in range(2):
        _clock(call, 1, on)  # the first calls load, compile and warm up
    once = min(_clock(call, 1, on) for _ in range(3))
    return max(1, int(ROUND_SECONDS / once)), once


def _quartiles(values):
    """The three quartiles, to four digits."""
    return [float(f"{v:.4g}") for v in np.quantile(values, [0.25, 0.5, 0.75])]


def _line(row):
    own = f"{row['work']}, {row['size']}, {row['dtype']}, {row['device']}: {row['name']} {row['seconds'][1]:.3g} s"
    for peer, found in row["peers"].items():
        if not found["ratio"]:
            own += f"; {peer} not installed"
            continue
        low, middle, high = found["ratio"]
        own += f"; {middle:.3g} of {peer} ({low:.3g} to {high:.3g})"
    return own


def pytest_sessionfinish(session):
    folder = session.config.getoption("--results")
    if folder and session.config.rows:
        machine = _machine()
        slug = re.sub(r"[^a-z0-9.]+", "-", machine["name"].lower()).strip("-")
        content = {"machine": machine, "date": datetime.date.today().isoformat(), "rows": session.config.rows}
        path = Path(folder, f"{slug}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _machine():
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE) if info.exists() else []
    processor = re.sub(r"\((R|TM)\)", "", names[0] if names else platform.processor() or platform.machine())
    gpu = torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None
    found = {"numpy", "torch", "triton", "jax", "curvlinops-for-pytorch"}
    versions = {
        d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"] in found
    }
    return {
        "name": gpu or " ".join(processor.split()),
        "processor": " ".join(processor.split()),
        "gpu": gpu,
        "cores": os.cpu_count(),
        "threads": 1,
        "versions": {"python": platform.python_version()} | dict(sorted(versions.items())),
        "blas": np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"],
    }
