"""The formulas of the chapters, written to be fast: NumPy only, one thread, no graph of operations."""

from dlnotes.core.newton import mlp_hvp
from dlnotes.core.softmax import cross_entropy

__all__ = ["cross_entropy", "mlp_hvp"]
