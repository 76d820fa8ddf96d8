"""The closed forms again, written to be fast: NumPy only, no autograd, one thread.

Each function is the one of its chapter, up to rounding; the chapter's code is the one to read. The layers with a
forward and a backward pass are modules: `dlnotes.core.rnn`, `dlnotes.core.batch_norm`.
"""

from dlnotes.core import batch_norm, rnn
from dlnotes.core.convolution import conv2d, conv2d_backward
from dlnotes.core.newton import mlp_hvp
from dlnotes.core.softmax import cross_entropy

__all__ = ["batch_norm", "conv2d", "conv2d_backward", "cross_entropy", "mlp_hvp", "rnn"]
