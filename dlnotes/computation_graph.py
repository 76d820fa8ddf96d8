"""A computation graph that is built first and run later, under the names of TensorFlow 1 (Abadi et al. 2016).

Building gives tensors without values. A session runs them: it holds the Variables, and is fed the placeholders.
Any dtype of NumPy's floats, integers and objects goes, so that a graph also runs on fractions and symbols.
"""

from contextlib import contextmanager

import numpy as np

from dlnotes import activation


class FailedPreconditionError(ValueError):
    """A Variable was read in a session where its initializer has not run."""


class InvalidArgumentError(ValueError):
    """A run needs a placeholder that was not fed, or was fed arrays that do not fit together."""


class Graph:
    """The operations, in the order in which they were added: an input stands before what uses it."""

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


_default = [Graph()]


class Tensor:
    """What an operation will give: a dtype, a shape with None where unknown, and no value."""

    __array_ufunc__ = None  # array * tensor is an operation of the graph, not of NumPy

    def __init__(self, op, inputs=(), *, dtype=None, shape=None, detail=None):
        self.op, self.inputs, self.dtype, self.shape, self.detail = op, tuple(inputs), dtype, shape, detail
        self.graph = _default[-1]
        self.number = len(self.graph.tensors)
        self.graph.tensors.append(self)

    def __repr__(self):
        return f"<{self.op} {self.number}: shape {self.shape}, {self.dtype}, no value outside a run>"

    def _no_value(self, *arguments, **options):
        raise TypeError(f"{self!r}: ask a session to run it")

    __bool__ = __int__ = __float__ = __len__ = __iter__ = __array__ = _no_value

    def __add__(self, other):
        return add(self, other)

    def __sub__(self, other):
        return subtract(self, other)

    def __mul__(self, other):
        return multiply(self, other)

    def __matmul__(self, other):
        return matmul(self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other):
        return subtract(other, self)


class Variable(Tensor):
    """A tensor whose value a session keeps from run to run, once `initializer` has run in it.

    With `use_resource` each use reads the session anew, and a feed of the Variable does not reach it.
    """

    def __init__(self, initial_value, trainable=True, use_resource=False):
        value = _array("initial_value", initial_value)
        super().__init__("variable", dtype=value.dtype, shape=value.shape)
        self.trainable, self.use_resource = bool(trainable), bool(use_resource)
        self.initializer = assign(self, value)


def placeholder(dtype, shape=None):
    """Return an input that each run must be fed (claim computation-graph-placeholder-unfed).

    Args:
        dtype: of the arrays to come; a kind of float, integer or object.
        shape: sizes, None for one that is not fixed; None alone fixes nothing.
    """
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise ValueError(f"dtype is {dtype!r}; expected a dtype of NumPy") from None
    _check_dtype("dtype", dtype)
    if shape is not None:
        if not isinstance(shape, tuple | list) or not all(n is None or _is_size(n) for n in shape):
            raise ValueError(f"shape is {shape!r}; expected None, or sizes that are integers from 0 or None")
        shape = tuple(shape)
    return Tensor("placeholder", dtype=dtype, shape=shape)


def constant(value):
    """Return a tensor that has this value in every run (claim computation-graph-operations). The value is copied."""
    value = _array("value", value)
    return Tensor("constant", dtype=value.dtype, shape=value.shape, detail=value)


def add(x, y):
    """Return x + y (claim computation-graph-operations). Shapes are equal, or one of them is ()."""
    return _elementwise("add", x, y)


def subtract(x, y):
    """Return x - y (claim computation-graph-operations). Shapes are equal, or one of them is ()."""
    return _elementwise("subtract", x, y)


def multiply(x, y):
    """Return x * y, entry by entry (claim computation-graph-operations). Shapes are equal, or one of them is ()."""
    return _elementwise("multiply", x, y)


def matmul(x, y):
    """Return the matrix product of x, (N, D), and y, (D, K) (claim computation-graph-run)."""
    x, y = _operands(x, y)
    for name, tensor in (("x", x), ("y", y)):
        if tensor.shape is not None and len(tensor.shape) != 2:
            raise ValueError(f"{name} has shape {tensor.shape}; expected a matrix")
    (N, D), (rows, K) = (tensor.shape or (None, None) for tensor in (x, y))
    if None not in (D, rows) and rows != D:
        raise ValueError(f"y has shape {y.shape}; expected {D} rows, the columns of x")
    return Tensor("matmul", (x, y), dtype=x.dtype, shape=(N, K))


def transpose(x):
    """Return x with its axes in reverse order (claim computation-graph-operations)."""
    x = _operand("x", x)
    return Tensor("transpose", [x], dtype=x.dtype, shape=x.shape and x.shape[::-1])


def sigmoid(x):
    """Return 1 / (1 + exp(-x)), entry by entry (claim computation-graph-operations)."""
    x = _operand("x", x)
    if x.dtype.kind != "f":
        raise ValueError(f"x has dtype {x.dtype}; expected floating point")
    return Tensor("sigmoid", [x], dtype=x.dtype, shape=x.shape)


def reduce_sum(x):
    """Return the sum of all entries of x, of shape () (claim computation-graph-run)."""
    x = _operand("x", x)
    return Tensor("reduce_sum", [x], dtype=x.dtype, shape=())


def assign(variable, value):
    """Return an operation that gives the Variable a value when it is run (claim computation-graph-variable-persists).

    What else is in the run still sees the value from before it.
    """
    if not isinstance(variable, Variable):
        raise ValueError(f"variable is {variable!r}; expected a Variable: nothing else has a value to keep")
    value = _operand("value", value, like=variable)
    if value.dtype != variable.dtype or not _fits(value.shape, variable.shape):
        raise ValueError(f"value has shape {value.shape}, {value.dtype}; expected {variable.shape}, {variable.dtype}")
    return Tensor("assign", [value], dtype=value.dtype, shape=variable.shape, detail=variable)


def trainable_variables():
    """Return the Variables of the default graph that training may change (claim computation-graph-trainable)."""
    return [tensor for tensor in _default[-1].tensors if isinstance(tensor, Variable) and tensor.trainable]


def global_variables_initializer():
    """Return an operation that initialises every Variable built so far (claim computation-graph-variable-persists)."""
    return Tensor("group", [tensor.initializer for tensor in _default[-1].tensors if isinstance(tensor, Variable)])


def gradients(ys, xs):
    """Return one tensor for each of xs: the gradient of the scalar ys by it (claim computation-graph-gradient).

    The graph is walked backward once, and operations are added to it; no number is computed. None stands for an x
    that ys does not depend on.
    """
    if not isinstance(ys, Tensor) or ys.shape != ():
        raise ValueError(f"ys is {ys!r}; expected a tensor of shape ()")
    if not isinstance(xs, list | tuple) or not all(isinstance(x, Tensor) and x.graph is ys.graph for x in xs):
        raise ValueError(f"xs is {xs!r}; expected a list of tensors of the graph of ys")
    needed, leads_to = _ancestors([ys], ()), set(xs)
    for tensor in needed:
        if any(entry in leads_to for entry in tensor.inputs):
            leads_to.add(tensor)
    with ys.graph.as_default():
        gradient = {ys: constant(np.ones((), ys.dtype))} if ys in leads_to else {}
        for tensor in reversed(needed):
            if tensor in gradient:
                parts = _BACKWARD[tensor.op](gradient[tensor], tensor, *tensor.inputs) if tensor.inputs else ()
                for entry, part in zip(tensor.inputs, parts, strict=True):
                    if entry in leads_to and part is not None:  # every use of a tensor adds its part
                        gradient[entry] = add(gradient[entry], part()) if entry in gradient else part()
    return [gradient.get(x) for x in xs]


class Session:
    """Runs a graph, and keeps the values of its Variables from run to run. Two sessions share nothing."""

    def __init__(self, graph=None):
        self.graph = _default[-1] if graph is None else graph
        if not isinstance(self.graph, Graph):
            raise ValueError(f"graph is {graph!r}; expected a Graph")
        self._kept = {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._kept = {}

    def run(self, fetches, feed_dict=None):
        """Return the values of the fetches (claim computation-graph-run). Only what they need is computed, once.

        Args:
            fetches: a tensor, or a list of them.
            feed_dict: tensor -> value that takes its place in this run.

        Raises:
            InvalidArgumentError: a placeholder is needed and not fed, or fed arrays do not fit together.
            FailedPreconditionError: a Variable is needed that has not been initialised in this session.
            ValueError: something fetched or fed is not of this graph; a fed value does not have the tensor's type.
        """
        wanted = fetches if isinstance(fetches, list) else [fetches]
        if not all(isinstance(tensor, Tensor) and tensor.graph is self.graph for tensor in wanted):
            raise ValueError(f"fetches is {fetches!r}; expected tensors of the graph of this session")
        values, kept = self._fed(feed_dict), dict(self._kept)
        needed = _ancestors(wanted, values)
        for tensor in needed:
            if tensor.op == "placeholder":
                raise InvalidArgumentError(f"feed_dict has no value for {tensor!r}, which the run needs")
        for tensor in needed:
            value = self._value(tensor, [values[entry] for entry in tensor.inputs])
            values[tensor] = value if tensor.op == "group" else np.asarray(value, tensor.dtype)
            if tensor.op == "assign":
                kept[tensor.detail] = _same_shape(values[tensor], tensor.detail)
        self._kept = kept  # a run that fails has assigned nothing
        found = [None if tensor.op == "group" else values[tensor].copy()[()] for tensor in wanted]
        return found if isinstance(fetches, list) else found[0]

    def _fed(self, feed_dict):
        if not isinstance(feed_dict, dict | type(None)):
            raise ValueError(f"feed_dict is {feed_dict!r}; expected a dict from tensors to values")
        values = {}
        for tensor, value in (feed_dict or {}).items():
            if not isinstance(tensor, Tensor) or tensor.graph is not self.graph or tensor.op == "group":
                raise ValueError(f"feed_dict has the key {tensor!r}; expected tensors of the graph of this session")
            value = _array("feed_dict", value)
            if not np.can_cast(value.dtype, tensor.dtype, "same_kind") or not _fits(value.shape, tensor.shape):
                raise ValueError(f"feed_dict gives shape {value.shape}, {value.dtype}; expected that of {tensor!r}")
            values[tensor] = value.astype(tensor.dtype)
        return values

    def _value(self, tensor, inputs):
        if tensor.op in ("variable", "read"):
            variable = tensor.inputs[0] if tensor.op == "read" else tensor
            if variable not in self._kept:
                raise FailedPreconditionError(f"fetches needs {variable!r}: run its initializer in this session first")
            return self._kept[variable]
        shapes = [value.shape for value in inputs]
        if tensor.op in ("add", "subtract", "multiply") and shapes[0] != shapes[1]:
            raise InvalidArgumentError(f"feed_dict makes {tensor!r} meet shapes {shapes}; expected equal ones")
        if tensor.op == "matmul" and ([len(shape) for shape in shapes] != [2, 2] or shapes[0][1] != shapes[1][0]):
            raise InvalidArgumentError(f"feed_dict makes {tensor!r} meet shapes {shapes}; expected (N, D) and (D, K)")
        return tensor.detail if tensor.op == "constant" else _FORWARD[tensor.op](*inputs)


_FORWARD = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "matmul": np.matmul,
    "transpose": np.transpose,
    "sigmoid": activation.sigmoid,
    "reduce_sum": np.sum,
    "fill_like": lambda x, other: np.full_like(other, x[()]),
    "assign": lambda value: value,
    "group": lambda *values: None,
}

# From the gradient by an operation's output, those by its inputs. Each is built when it is asked for.
_BACKWARD = {
    "add": lambda g, out, x, y: (lambda: g, lambda: g),
    "subtract": lambda g, out, x, y: (lambda: g, lambda: -1 * g),
    "multiply": lambda g, out, x, y: (lambda: g * y, lambda: g * x),
    "matmul": lambda g, out, x, y: (lambda: g @ transpose(y), lambda: transpose(x) @ g),
    "transpose": lambda g, out, x: (lambda: transpose(g),),
    "sigmoid": lambda g, out, x: (lambda: g * (out * sigmoid(0 - x)),),
    "reduce_sum": lambda g, out, x: (lambda: _fill_like(g, x),),
    "fill_like": lambda g, out, x, other: (lambda: reduce_sum(g), None),
    "read": lambda g, out, x: (lambda: g,),
    "assign": lambda g, out, x: (None,),
    "group": lambda g, out, *x: (None,) * len(x),
}


def _ancestors(wanted, fed):
    """What the wanted tensors need, themselves included, up to what is fed; in the order of building."""
    found, todo = set(), list(wanted)
    while todo:
        tensor = todo.pop()
        if tensor not in found and tensor not in fed:
            found.add(tensor)
            todo += tensor.inputs
    return sorted(found, key=lambda tensor: tensor.number)


def _elementwise(op, x, y):
    x, y = _operands(x, y)
    if x.shape == () != y.shape:
        x = _fill_like(x, y)
    elif y.shape == () != x.shape:
        y = _fill_like(y, x)
    if not _fits(y.shape, x.shape):
        raise ValueError(f"y has shape {y.shape}; expected {x.shape}, that of x, or ()")
    known = y.shape if x.shape is None else x.shape
    if None not in (x.shape, y.shape):
        known = tuple(n if m is None else m for m, n in zip(x.shape, y.shape, strict=True))
    return Tensor(op, (x, y), dtype=x.dtype, shape=known)


def _fill_like(x, other):
    return Tensor("fill_like", (x, other), dtype=x.dtype, shape=other.shape)


def _operands(x, y):
    x, y = (_operand(name, value, like) for name, value, like in (("x", x, y), ("y", y, x)))
    if x.dtype != y.dtype:
        raise ValueError(f"y has dtype {y.dtype}; expected {x.dtype}, that of x")
    return x, y


def _operand(name, value, like=None):
    """A tensor of the default graph: a resource Variable is read, anything else that is no tensor is a constant."""
    if not isinstance(value, Tensor):
        value = _array(name, value)
        if isinstance(like, Tensor) and like.dtype is not None and np.can_cast(value.dtype, like.dtype, "same_kind"):
            value = value.astype(like.dtype)
        return constant(value)
    if value.graph is not _default[-1]:
        raise ValueError(f"{name} is {value!r} of another graph; expected the default one")
    if value.op == "group":
        raise ValueError(f"{name} is {value!r}; expected a tensor with a value")
    if isinstance(value, Variable) and value.use_resource:
        return Tensor("read", [value], dtype=value.dtype, shape=value.shape)
    return value


def _array(name, value):
    """A copy of the value as an array."""
    if isinstance(value, Tensor):
        raise ValueError(f"{name} is {value!r}; expected numbers: a tensor has none outside a run")
    try:
        array = np.array(value)
    except (ValueError, TypeError):
        raise ValueError(f"{name} is {value!r}; expected an array: its rows have different lengths") from None
    _check_dtype(name, array.dtype)
    no_numbers = list | tuple | dict | Tensor | str | type(None)
    if array.dtype.kind == "O" and any(isinstance(entry, no_numbers) for entry in array.flat):
        raise ValueError(f"{name} is {value!r}; expected numbers")
    return array


def _check_dtype(name, dtype):
    if dtype.kind not in "ifO":
        raise ValueError(f"{name} has dtype {dtype}; expected floats, integers or objects")


def _is_size(n):
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0


def _fits(shape, declared):
    """Whether both may be the shape of one array."""
    if shape is None or declared is None:
        return True
    return len(shape) == len(declared) and all(m == n or None in (m, n) for m, n in zip(shape, declared, strict=True))


def _same_shape(value, variable):
    if value.shape != variable.shape:
        raise InvalidArgumentError(f"feed_dict gives {variable!r} the shape {value.shape}; expected its own")
    return value
