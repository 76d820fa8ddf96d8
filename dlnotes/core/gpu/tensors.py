"""What is asked of tensors before any arithmetic, and the device that it is done on."""

from functools import wraps

import torch

MOST = 2**31 - 2**20  # entries: kernels count in 32 bits, and to the end of a block, beyond the last entry


def floats(**tensors):
    """Return the tensors, contiguous and detached, if all have the dtype and the device of the first.

    Raises:
        ValueError: one is no tensor, the first is neither float32 nor float64, or another differs from it.
    """
    first, checked = None, []
    for name, a in tensors.items():
        if not isinstance(a, torch.Tensor):
            raise ValueError(f"{name} is of type {type(a).__name__}; expected a torch tensor")
        if first is None:
            first, like = a, name
            if a.dtype not in (torch.float32, torch.float64):
                raise ValueError(f"{name} has dtype {a.dtype}; expected float32 or float64")
        if a.dtype != first.dtype:
            raise ValueError(f"{name} has dtype {a.dtype}; expected that of {like}, {first.dtype}")
        if a.device != first.device:
            raise ValueError(f"{name} is on {a.device}; expected the device of {like}, {first.device}")
        checked.append(a.detach().contiguous())
    return checked


def by_triton(algorithm, **tensors):
    """Return whether kernels shall do it; False for empty tensors, which no kernel needs to see.

    Raises:
        ValueError: algorithm is unknown; or it is "triton", and a tensor is not float32, too large for 32-bit indices,
            or on the CPU while Triton's interpreter is off.
    """
    if algorithm not in ("torch", "triton"):
        raise ValueError(f"algorithm is {algorithm!r}; expected 'torch' or 'triton'")
    if algorithm == "torch":
        return False
    for name, a in tensors.items():
        if a.dtype != torch.float32:
            raise ValueError(f"{name} has dtype {a.dtype}; expected float32 for algorithm 'triton'")
        if a.numel() > MOST:
            raise ValueError(f"{name} has {a.numel()} entries; expected {MOST} at most for algorithm 'triton'")
        if not (a.is_cuda or _interpreted()):
            raise ValueError(f"{name} is on {a.device}; expected a CUDA device for algorithm 'triton'")
    return all(a.numel() for a in tensors.values())


def on_its_device(function):
    """Let a function that launches kernels do so on the GPU of its first argument, be it the current one or not."""

    @wraps(function)
    def there(first, *rest):
        with torch.cuda.device_of(first):
            return function(first, *rest)

    return there


def _interpreted():
    import triton

    return triton.knobs.runtime.interpret
