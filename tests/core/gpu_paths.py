"""The paths of dlnotes.core.gpu that can be tested here, as (algorithm, device).

torch on the CPU, always. Where there is a GPU, torch and Triton on it. Where there is none, those are not collected: a
GPU that is not there passes no test. Triton on the CPU runs in its interpreter. That must be chosen before Triton is
imported, so each test file runs itself once more in a process of its own, where ("triton", "cpu") is the only path.
"""

import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
GPU = torch.cuda.is_available() and not INTERPRETED
DEVICES = ["cpu", *(["cuda"] if GPU else [])]
PATHS = [("triton" if INTERPRETED else "torch", "cpu"), *([("torch", "cuda"), ("triton", "cuda")] if GPU else [])]
TRITON = [path for path in PATHS if path[0] == "triton"]
EVERY_DTYPE = [
    (*path, dtype) for path in PATHS for dtype in ("float32", "float64") if (path[0], dtype) != ("triton", "float64")
]
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def run_in_the_interpreter(path):
    """Run a test file again with the interpreter; its own process ends the setting."""
    if not sys.platform.startswith("linux"):
        pytest.importorskip("triton")  # elsewhere there is none; here its absence is no reason to pass
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", path, "-k", "by_path"]
    ran = subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    if GPU and "only 0-dimensional arrays can be converted" in ran.stdout:  # without a GPU it is the only witness
        pytest.skip("the interpreter of this Triton does not know this NumPy; its kernels ran on the GPU")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def off(answers, exact):
    """The largest deviation, relative to the largest entry of the exact answer."""
    worst = 0.0
    for a, b in zip(answers, exact, strict=True):
        a, b = a.cpu().double(), torch.as_tensor(b)
        assert a.shape == b.shape
        assert torch.isfinite(a).all()
        assert torch.isfinite(b).all()
        if a.numel():
            worst = max(worst, float((a - b).abs().max() / max(float(b.abs().max()), 1e-3)))
    return worst


def compile_for_a_gpu(kernel, pointers, options, **constants):
    """Compile a kernel for compute capability 9.0, which needs no GPU; return the assembly for it (PTX).

    Arguments that are neither constants nor named among the pointers, "name" or "name:type", are 32-bit integers, but
    for eps.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types = dict(p.split(":") if ":" in p else (p, "fp32") for p in pointers.split())
    signature = {}
    for name in kernel.arg_names:
        kind = "fp32" if name == "eps" else "i32"
        signature[name] = "constexpr" if name in constants else f"*{types[name]}" if name in types else kind
    source = ASTSource(kernel, signature, constexprs=constants)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["ptx"]
