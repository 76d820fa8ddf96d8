"""The closed forms again, written to be fast: NumPy only, no autograd, one thread.

Each function is the one of its chapter, up to rounding; the chapter's code is the one to read.
"""

from dlnotes.core.convolution import conv2d, conv2d_backward

__all__ = ["conv2d", "conv2d_backward"]
