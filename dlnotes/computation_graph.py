"""A computation graph that is built first and run later, under the names of TensorFlow 1 (Abadi et al. 2016).

Building gives tensors without values. A session runs them: it holds the Variables, and is fed the placeholders.
Arrays hold floats, integers or objects, so that a graph also runs on fractions and symbols.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from dlnotes import activation


class FailedPreconditionError(ValueError):
    """A Variable was read in a session where its initializer has not run."""


class InvalidArgumentError(ValueError):
    """A run needs a placeholder that was not fed, or was fed arrays that do not fit together."""


class Graph:
    """The tensors, in the order in which they were built: an input stands before what uses it."""

    def __init__(self):
        self.tensors = []

    @contextmanager
    def as_default(self):
        """Inside `with graph.as_default():` what is built belongs to this graph."""
        _default.append(self)
        try:
            yield self
        finally:
            _default.pop()

    def needed(self, wanted, fed=()):
        """What the wanted tensors need, themselves included, up to what is fed; in the order of building."""
        found = set(wanted)
        for tensor in reversed(self.tensors):
            if tensor in found and tensor not in fed:
                found.update(tensor.inputs)
        return [tensor for tensor in self.tensors if tensor in found and tensor not in fed]


_default = [Graph()]


class Tensor:
    """What an operation will give: a dtype, a shape with None where unknown, and no value."""

    __array_ufunc__ = None  # array * tensor is an operation of the graph, not of NumPy

    def __init__(self, op, inputs=(), *, dtype=None, shape=None, detail=None):
        self.op, self.inputs, self.dtype, self.shape, self.detail = op, tuple(inputs), dtype, shape, detail
        self.graph = _default[-1]
        self.graph.tensors.append(self)

    def __repr__(self):
        return f"<{self.op.name}: shape {self.shape}, {self.dtype}, no value outside a run>"

    def _no_value(self, *arguments, **options):
        raise TypeError(f"{self!r}: ask a session to run it")

    __bool__ = __int__ = __float__ = __len__ = __iter__ = __array__ = _no_value


@dataclass(frozen=True)
class Operation:
    """A kind of tensor."""

    name: str
    compute: Callable | None = None  # the value, from those of the inputs
    shape: Callable | None = None  # its shape, from theirs, which may be unknown
    backward: Callable | None = None  # the gradient by input i, from g, the one by the output

    def __call__(self, x, *y):
        """Add a tensor of this kind to the default graph. Operands that are no tensors become constants."""
        inputs = [_operand("x", x, *y), *(_operand("y", value, x) for value in y)]
        if inputs[0].dtype != inputs[-1].dtype:
            raise ValueError(f"y has dtype {inputs[-1].dtype}; expected {inputs[0].dtype}, that of x")
        if self is sigmoid and inputs[0].dtype.kind != "f":
            raise ValueError(f"x has dtype {inputs[0].dtype}; expected floating point")
        if self.shape is _equal and inputs[0].shape == () != inputs[1].shape:
            inputs[0] = _fill_like(*inputs)
        elif self.shape is _equal and inputs[1].shape == () != inputs[0].shape:
            inputs[1] = _fill_like(*inputs[::-1])
        return Tensor(self, inputs, dtype=inputs[0].dtype, shape=self.shape(*(entry.shape for entry in inputs)))


def _equal(x, y, name="y"):
    """What is known of a shape that is both."""
    if x is None or y is None:
        return y if x is None else x
    if len(x) != len(y) or any(m != n and None not in (m, n) for m, n in zip(x, y, strict=True)):
        raise ValueError(f"{name} has shape {y}; expected {x}")
    return tuple(n if m is None else m for m, n in zip(x, y, strict=True))


def _product(x, y):
    N, D = _equal((None, None), x, "x")
    return N, _equal((D, None), y)[1]


# Claim computation-graph-operations. In a sum, a difference and a product the shapes are equal, or one of them is ().
add = Operation("add", np.add, _equal, lambda i, g, out, x, y: g)
subtract = Operation("subtract", np.subtract, _equal, lambda i, g, out, x, y: -1 * g if i else g)
multiply = Operation("multiply", np.multiply, _equal, lambda i, g, out, x, y: g * (x if i else y))
matmul = Operation("matmul", np.matmul, _product, lambda i, g, out, x, y: transpose(x) @ g if i else g @ transpose(y))
transpose = Operation("transpose", np.transpose, lambda x: x and x[::-1], lambda i, g, out, x: transpose(g))
sigmoid = Operation("sigmoid", activation.sigmoid, lambda x: x, lambda i, g, out, x: g * (out * sigmoid(0 - x)))
reduce_sum = Operation("reduce_sum", np.sum, lambda x: (), lambda i, g, out, x: _fill_like(g, x))
_fill_like = Operation(
    "fill_like",
    lambda x, other: np.full_like(other, x[()]),
    lambda x, other: other,
    lambda i, g, out, x, other: None if i else reduce_sum(g),
)
_read = Operation("read", backward=lambda i, g, out, variable: g)
_assign = Operation("assign", lambda x: x, lambda x: x, lambda i, g, out, x: None)
_group = Operation("group", lambda *values: None, lambda *shapes: None)
_placeholder, _constant, _variable = Operation("placeholder"), Operation("constant"), Operation("variable")

Tensor.__add__ = Tensor.__radd__ = lambda x, y: add(x, y)
Tensor.__sub__, Tensor.__rsub__ = lambda x, y: subtract(x, y), lambda y, x: subtract(x, y)
Tensor.__mul__ = Tensor.__rmul__ = lambda x, y: multiply(x, y)
Tensor.__matmul__ = lambda x, y: matmul(x, y)


def placeholder(dtype, shape=None):
    """Return an input that each run must be fed (claim computation-graph-placeholder-unfed).

    dtype: floats, integers or objects. shape: sizes, None for one that is not fixed; None alone fixes nothing.
    """
    sizes = isinstance(shape, tuple | list) and all(n is None or (isinstance(n, int) and n >= 0) for n in shape)
    if shape is not None and not sizes:
        raise ValueError(f"shape is {shape!r}; expected None, or sizes, from 0 or None")
    try:
        dtype = _array("dtype", np.empty(0, dtype)).dtype
    except TypeError:
        raise ValueError(f"dtype is {dtype!r}; expected a dtype of NumPy") from None
    return Tensor(_placeholder, dtype=dtype, shape=None if shape is None else tuple(shape))


def constant(value):
    """Return a tensor that has this value in every run (claim computation-graph-operations). The value is copied."""
    value = _array("value", value)
    return Tensor(_constant, dtype=value.dtype, shape=value.shape, detail=value)


class Variable(Tensor):
    """A tensor whose value a session keeps from run to run, once `initializer` has run in it.

    With `use_resource` each use reads the session anew, and a feed of the Variable does not reach it.
    """

    def __init__(self, initial_value, trainable=True, use_resource=False):
        value = _array("initial_value", initial_value)
        super().__init__(_variable, dtype=value.dtype, shape=value.shape, detail=self)
        self.trainable, self.use_resource = trainable, use_resource
        self.initializer = assign(self, value)


def assign(variable, value):
    """Return an operation that gives the Variable a value when it is run (claim computation-graph-variable-persists).

    Whatever reads the Variable in the same run still sees the value from before it.
    """
    if not isinstance(variable, Variable):
        raise ValueError(f"variable is {variable!r}; expected a Variable: nothing else has a value to keep")
    value = _operand("value", value, variable)
    if value.dtype != variable.dtype:
        raise ValueError(f"value has dtype {value.dtype}; expected {variable.dtype}")
    _equal(variable.shape, value.shape, "value")
    return Tensor(_assign, [value], dtype=value.dtype, shape=variable.shape, detail=variable)


def trainable_variables():
    """Return the Variables of the default graph that training may change (claim computation-graph-trainable)."""
    return [tensor for tensor in _default[-1].tensors if isinstance(tensor, Variable) and tensor.trainable]


def global_variables_initializer():
    """Return an operation that initialises every Variable built so far (claim computation-graph-variable-persists)."""
    return Tensor(_group, [tensor.initializer for tensor in _default[-1].tensors if isinstance(tensor, Variable)])


def gradients(ys, xs):
    """Return one tensor for each of xs: the gradient of the scalar ys by it (claim computation-graph-gradient).

    The graph is walked backward once, and operations are added to it; no number is computed. None stands for an x
    that ys does not depend on, or through assignments only.
    """
    if not isinstance(ys, Tensor) or ys.shape != ():
        raise ValueError(f"ys is {ys!r}; expected a tensor of shape ()")
    if not isinstance(xs, list | tuple) or not all(isinstance(x, Tensor) and x.graph is ys.graph for x in xs):
        raise ValueError(f"xs is {xs!r}; expected a list of tensors of the graph of ys")
    needed, leads_to = ys.graph.needed([ys]), set(xs)
    leads_to.update(tensor for tensor in needed if not leads_to.isdisjoint(tensor.inputs))
    with ys.graph.as_default():
        gradient = {ys: constant(np.ones((), ys.dtype))}
        for tensor in reversed(needed):
            for i, entry in enumerate(tensor.inputs if tensor in gradient else ()):
                if entry in leads_to:
                    part = tensor.op.backward(i, gradient[tensor], tensor, *tensor.inputs)
                    if part is not None:  # every use of a tensor adds its part
                        gradient[entry] = add(gradient[entry], part) if entry in gradient else part
    return [gradient.get(x) for x in xs]


class Session:
    """Runs a graph, and keeps the values of its Variables from run to run. Two sessions share nothing."""

    def __init__(self, graph=None):
        self.graph, self._kept = _default[-1] if graph is None else graph, {}
        if not isinstance(self.graph, Graph):
            raise ValueError(f"graph is {graph!r}; expected a Graph")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._kept = {}

    def run(self, fetches, feed_dict=None):
        """Return the values of the fetches, a tensor or a list of them (claim computation-graph-run).

        feed_dict: tensor -> value that takes its place in this run. Only what is needed is computed, once.
        """
        wanted = fetches if isinstance(fetches, list) else [fetches]
        if not all(isinstance(tensor, Tensor) and tensor.graph is self.graph for tensor in wanted):
            raise ValueError(f"fetches is {fetches!r}; expected tensors of the graph of this session")
        values, kept = self._fed(feed_dict or {}), dict(self._kept)
        for tensor in self.graph.needed(wanted, values):
            value = self._value(tensor, [values[entry] for entry in tensor.inputs])
            values[tensor] = np.asarray(value, tensor.dtype)
            if tensor.op is _assign:
                kept[tensor.detail] = values[tensor]
        self._kept = kept  # a run that fails has assigned nothing
        found = [values[tensor].copy()[()] for tensor in wanted]
        return found if isinstance(fetches, list) else found[0]

    def _fed(self, feed_dict):
        if not isinstance(feed_dict, dict):
            raise ValueError(f"feed_dict is {feed_dict!r}; expected a dict from tensors to values")
        values = {}
        for tensor, value in feed_dict.items():
            if not _has_value(tensor, self.graph):
                raise ValueError(f"feed_dict has the key {tensor!r}; expected tensors of the graph of this session")
            values[tensor] = _array("feed_dict", value, tensor.dtype)
            _equal(tensor.shape, values[tensor].shape, "feed_dict")
        return values

    def _value(self, tensor, inputs):
        if tensor.op is _placeholder:
            raise InvalidArgumentError(f"feed_dict has no value for {tensor!r}, which the run needs")
        if tensor.op is _constant:
            return tensor.detail
        if tensor.op in (_variable, _read):
            if tensor.detail not in self._kept:
                raise FailedPreconditionError(f"fetches needs {tensor!r}: run its initializer in this session first")
            return self._kept[tensor.detail]
        try:  # the rule that was applied, while building, to what was known of the shapes
            _equal(tensor.shape, tensor.op.shape(*(value.shape for value in inputs)))
        except ValueError as error:
            raise InvalidArgumentError(f"feed_dict gives {tensor!r} what does not fit: {error}") from None
        return tensor.op.compute(*inputs)


def _operand(name, value, like=None):
    """A tensor of the default graph: a resource Variable is read, anything else that is no tensor is a constant."""
    if not isinstance(value, Tensor):
        return constant(_array(name, value, like.dtype if isinstance(like, Tensor) else None))
    if not _has_value(value, _default[-1]):
        raise ValueError(f"{name} is {value!r}; expected a tensor of the default graph, with a value")
    if isinstance(value, Variable) and value.use_resource:
        return Tensor(_read, [value], dtype=value.dtype, shape=value.shape, detail=value)
    return value


def _has_value(tensor, graph):
    return isinstance(tensor, Tensor) and tensor.graph is graph and tensor.op is not _group


def _array(name, value, dtype=None):
    """A copy of the value as an array, of the dtype where one is given. Numbers only."""
    try:
        array = np.array(value)
    except (ValueError, TypeError):  # rows of several lengths, or tensors
        array = np.array(None)
    no_numbers = list | tuple | dict | Tensor | str | None
    if array.dtype.kind not in "ifO" or (
        array.dtype.kind == "O" and any(isinstance(x, no_numbers) for x in array.flat)
    ):
        raise ValueError(f"{name} is {value!r}; expected floats, integers or other numbers, in rows of one length")
    fits = dtype is None or np.can_cast(array.dtype, dtype, "same_kind")
    if not fits or (dtype is not None and dtype.kind == "i" and (array.astype(dtype) != array).any()):
        raise ValueError(f"{name} is {value!r}; expected what {dtype} can hold")
    return array.astype(dtype or array.dtype, copy=False)
