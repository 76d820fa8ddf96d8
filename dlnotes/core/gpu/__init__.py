"""The formulas of the chapters on torch tensors, on a GPU or on the CPU: no autograd, the closed forms themselves.

``algorithm="torch"`` is made of torch operations: any device, float32 and float64; its matrix products follow torch's
own setting of TF32. ``algorithm="triton"`` is fused kernels: CUDA, float32 only, no TF32 unless ``allow_tf32`` says so.
Triton is imported when it is first asked for. Without a GPU its kernels run in its interpreter, slowly, if
TRITON_INTERPRET=1 was set before. ``rnn.graphed`` and ``newton.graphed`` replay a CUDA graph.
"""

from dlnotes.core.gpu.convolution import conv2d, conv2d_backward
from dlnotes.core.gpu.newton import mlp_hvp

__all__ = ["conv2d", "conv2d_backward", "mlp_hvp"]
