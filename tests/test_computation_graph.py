"""Computation graphs: the claims of the chapter, in its order.

Most claims are short programs. A program takes the module that it runs on: `dlnotes.computation_graph`, or
TensorFlow under its names of version 1. Letters, as on the page: y = x W^T is the output of a layer, L = sum(y * y).
"""

import itertools
import os
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dlnotes import computation_graph
from dlnotes.check import agree, claim, complex_step, need, note, refuses, same, slip, steps


def tensorflow():
    """TensorFlow, under its names of version 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return need("tensorflow").compat.v1


def error_of(call):
    """The name of the exception that a call raises; an empty string if it raises none."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return ""


def gives(call):
    """Whether a call gives something, rather than raise."""
    return error_of(call) == ""


# --- one run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """A layer without bias: three examples, two features, four outputs."""

    x: np.ndarray
    W: np.ndarray

    @property
    def y(self):
        return self.x @ self.W.T

    def as_floats(self):
        return Layer(self.x.astype(float), self.W.astype(float))


def fractions(rng, *shape):
    flat = [Fraction(int(a), int(b)) for a, b in zip(rng.integers(1, 30, 99), rng.integers(7, 12, 99), strict=True)]
    flat = [number if k % 3 else -number for k, number in enumerate(flat)]
    return np.array(flat[: int(np.prod(shape))], dtype=object).reshape(shape)


def layer(rng):
    """In fractions."""
    return Layer(fractions(rng, 3, 2), fractions(rng, 4, 2))


def floats(rng):
    """In float64."""
    return Layer(rng.normal(size=(3, 2)) + 0.3, rng.normal(size=(4, 2)))


def layer_graph(tf, case):
    """The graph: x is a placeholder, W a Variable, the rest are tensors. Nothing is computed here."""
    x = tf.placeholder(case.x.dtype, (None, 2))
    W = tf.Variable(case.W)
    y = tf.matmul(x, tf.transpose(W))
    return x, W, y, tf.reduce_sum(tf.multiply(y, y))


def loss(case):
    # $$ L = \sum_{i,j} y_{ij}^2, \qquad y = x W^\top $$
    with computation_graph.Graph().as_default():
        x = computation_graph.placeholder(case.x.dtype, (None, 2))
        W = computation_graph.Variable(case.W)
        y = computation_graph.matmul(x, computation_graph.transpose(W))
        L = computation_graph.reduce_sum(computation_graph.multiply(y, y))
        session = computation_graph.Session()
        session.run(computation_graph.global_variables_initializer())
        return session.run(L, {x: case.x})


@claim("computation-graph-run", cases=layer)
def by_loops(case, loss=loss):
    """Entry by entry, in fractions."""
    N, K = len(case.x), len(case.W)
    y = [[sum(a * b for a, b in zip(case.x[i], case.W[j], strict=True)) for j in range(K)] for i in range(N)]
    same(loss(case), sum(entry**2 for row in y for entry in row))


@claim("computation-graph-run", cases=floats)
def by_tensorflow(case, loss=loss):
    """The same graph in TensorFlow."""
    tf = tensorflow()
    with tf.Graph().as_default():
        x, _, _, L = layer_graph(tf, case)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            agree(loss(case), session.run(L, {x: case.x}))


@slip("computation-graph-run")
def mean_for_sum(case):
    """Take the mean over the entries."""
    return (case.y**2).mean()


@slip("computation-graph-run")
def not_squared(case):
    """Leave out the square."""
    return case.y.sum()


@dataclass(frozen=True)
class Operands:
    """Two matrices of one shape, and a number."""

    x: np.ndarray
    y: np.ndarray
    number: float


def operands(rng):
    return Operands(rng.normal(size=(3, 2)), rng.normal(size=(3, 2)) + 0.5, float(rng.uniform(1.5, 2)))


def operations(case):
    """Each operation on two constants, and each with a number on the left and on the right."""
    with computation_graph.Graph().as_default():
        x, y = computation_graph.constant(case.x), computation_graph.constant(case.y)
        results = [computation_graph.add(x, y), computation_graph.subtract(x, y), computation_graph.multiply(x, y)]
        results += [computation_graph.transpose(x) @ y, computation_graph.sigmoid(x), computation_graph.reduce_sum(x)]
        results += [case.number - x, x - case.number, case.number * x, x + case.number]
        return computation_graph.Session().run(results)


def operations_by(np, matmul, sigmoid, x, y, number):
    return [
        *(x + y, x - y, x * y, matmul(np.transpose(x), y), sigmoid(x)),
        *((np.sum if hasattr(np, "sum") else np.reduce_sum)(x), number - x, x - number, number * x, x + number),
    ]


@claim("computation-graph-operations", cases=operands)
def as_numpy_does(case, operations=operations):
    """NumPy on the same arrays."""
    expected = operations_by(np, np.matmul, lambda x: 1 / (1 + np.exp(-x)), case.x, case.y, case.number)
    for value, right in zip(operations(case), expected, strict=True):
        agree(value, right)


@claim("computation-graph-operations", cases=operands)
def as_tensorflow_does(case, operations=operations):
    """TensorFlow on the same arrays."""
    tf = tensorflow()
    with tf.Graph().as_default(), tf.Session() as session:
        x, y = tf.constant(case.x), tf.constant(case.y)
        expected = session.run(operations_by(tf, tf.matmul, tf.sigmoid, x, y, case.number))
    for value, right in zip(operations(case), expected, strict=True):
        agree(value, right)


@slip("computation-graph-operations")
def columns_for_rows(case):
    """Multiply the matrices without a transpose of the first, entry by entry."""
    return [value if k != 3 else case.x * case.y for k, value in enumerate(operations(case))]


# --- the four things --------------------------------------------------------------------------------------------------


def table():
    """Rows: Variable, placeholder, tensor w + x, Python variable. Columns as on the page."""
    return np.array(
        [
            [False, True, True, False],
            [False, True, False, False],
            [False, True, False, False],
            [True, True, True, True],
        ]
    )


def lifetimes(tf):
    """Ask each thing for its value at the four moments."""
    with tf.Graph().as_default():
        x, w, number = tf.placeholder(np.int64, ()), tf.Variable(np.int64(2)), 5
        ask = [w, x, tf.add(w, x)]
        session, other = tf.Session(), tf.Session()

        def moment(session, feed=None):
            return [*(gives(lambda thing=thing: session.run(thing, feed)) for thing in ask), number == 5]

        first = moment(session)
        session.run(tf.global_variables_initializer())
        return np.array([first, moment(session, {x: 3}), moment(session), moment(other)]).T


@claim("computation-graph-four-things")
def asked_of_the_interpreter(table=table):
    """Run each of them at each moment."""
    same(table(), lifetimes(computation_graph))


@claim("computation-graph-four-things")
def asked_of_tensorflow(table=table):
    """The same program on TensorFlow."""
    same(table(), lifetimes(tensorflow()))


@slip("computation-graph-four-things")
def placeholder_remembers():
    """Say that a placeholder keeps the value that it was fed."""
    return table() | (np.indices((4, 4)) == np.array([1, 2])[:, None, None]).all(0)


@slip("computation-graph-four-things")
def variable_is_global():
    """Say that all sessions share a Variable's value."""
    return table() | (np.indices((4, 4)) == np.array([0, 3])[:, None, None]).all(0)


@slip("computation-graph-four-things")
def variable_as_python_variable():
    """Treat a TensorFlow Variable as a Python variable."""
    return table()[[3, 1, 2, 3]]


# --- tensors ----------------------------------------------------------------------------------------------------------


def outside_a_run():
    """Whether a tensor gives a number, a truth value, or an array; and whether a run of it gives NumPy's."""
    return False, False, False, True


def asked_outside(tf):
    with tf.Graph().as_default():
        t = tf.add(tf.constant(1.0), tf.constant(2.0))
        run = isinstance(tf.Session().run(t), np.ndarray | np.generic)
        return gives(lambda: float(t)), gives(lambda: bool(t)), gives(lambda: np.asarray(t)), run


@claim("computation-graph-tensor-has-no-value")
def interpreter_refuses(outside_a_run=outside_a_run):
    """Ask a sum of two constants, which is no placeholder's fault."""
    same(outside_a_run(), asked_outside(computation_graph))


@claim("computation-graph-tensor-has-no-value")
def tensorflow_refuses(outside_a_run=outside_a_run):
    """The same program on TensorFlow."""
    same(outside_a_run(), asked_outside(tensorflow()))


@slip("computation-graph-tensor-has-no-value")
def a_tensor_is_an_array():
    """Take a tensor for a NumPy array."""
    t = np.add(1.0, 2.0)
    return gives(lambda: float(t)), gives(lambda: bool(t)), gives(lambda: np.asarray(t)), True


def known_before_a_run():
    """dtype and shape of x W^T, for x of shape (None, 2) and W of shape (4, 2). -1 stands for None."""
    with computation_graph.Graph().as_default():
        y = layer_graph(computation_graph, floats(np.random.default_rng(0)))[2]
    return y.dtype.name, *(-1 if n is None else n for n in y.shape)


@claim("computation-graph-tensor-typed")
def two_batches(known_before_a_run=known_before_a_run):
    """Run it on batches of three and of one: what differs is what was not known."""
    case = floats(np.random.default_rng(0))
    with computation_graph.Graph().as_default():
        x, W, y, _ = layer_graph(computation_graph, case)
        session = computation_graph.Session()
        session.run(W.initializer)
        values = [session.run(y, {x: case.x[:n]}) for n in (3, 1)]
    shape = [m if m == n else -1 for m, n in zip(values[0].shape, values[1].shape, strict=True)]
    same(known_before_a_run(), (values[0].dtype.name, *shape))


@claim("computation-graph-tensor-typed")
def tensorflow_knows(known_before_a_run=known_before_a_run):
    """TensorFlow's static dtype and shape."""
    tf = tensorflow()
    with tf.Graph().as_default():
        y = layer_graph(tf, floats(np.random.default_rng(0)))[2]
    same(known_before_a_run(), (y.dtype.name, *(-1 if n is None else n for n in y.shape.as_list())))


@claim("computation-graph-tensor-typed")
def mistakes_are_found_while_building():
    """Another dtype, shapes that do not fit: refused before a run. Of two shapes, each fills the other's gaps."""
    tf = computation_graph
    with tf.Graph().as_default():
        x, other = tf.placeholder(np.float64, (None, 2)), tf.placeholder(np.float32, (None, 2))
        same((x + np.ones((3, 2))).shape, (3, 2))
        same((np.ones((3, 2)) + x).shape, (3, 2))
        refuses(lambda: tf.add(x, other), naming="y")
        for kind in ("int32", "float32"):
            same(tf.Session().run(tf.reduce_sum(tf.constant(np.ones(2, kind)))).dtype.name, kind)
        refuses(lambda: tf.matmul(x, tf.constant(np.ones((3, 2)))), naming="y")


@slip("computation-graph-tensor-typed")
def size_of_the_first_batch():
    """Take the first batch that is fed for the shape."""
    return "float64", 3, 4


@slip("computation-graph-tensor-typed")
def nothing_is_known():
    """Say that a tensor has no shape before a run, since it has no value."""
    return "float64", -1, -1


@dataclass(frozen=True)
class Numbers:
    """Integers, all different."""

    a: int
    b: int
    c: int


def numbers(rng):
    a, b, c = rng.permutation(np.arange(2, 12))[:3].tolist()
    return Numbers(a, b, c)


def one_of_two(tf, case):
    with tf.Graph().as_default(), tf.Session() as session:
        x, other = tf.placeholder(np.int64, ()), tf.placeholder(np.int64, ())
        t = tf.multiply(x, x)
        tf.add(t, other)  # built, and not asked for
        return session.run(t, {x: case.a})


def what_is_needed(case):
    return one_of_two(computation_graph, case)


@claim("computation-graph-only-what-is-needed", cases=numbers)
def an_unfed_placeholder_elsewhere(case, what_is_needed=what_is_needed):
    """A square of the fed number."""
    same(what_is_needed(case), case.a**2)


@claim("computation-graph-only-what-is-needed", cases=numbers)
def tensorflow_needs_no_more(case, what_is_needed=what_is_needed):
    """The same program on TensorFlow."""
    same(what_is_needed(case), one_of_two(tensorflow(), case))


@slip("computation-graph-only-what-is-needed")
def all_placeholders_must_be_fed(case):
    """Expect an error for the placeholder that is not fed."""
    return "InvalidArgumentError"


# --- placeholders -----------------------------------------------------------------------------------------------------


def unfed():
    return "InvalidArgumentError"


def read_unfed(tf):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(np.float64, (2,))
        t = tf.multiply(x, x)
        call = lambda: session.run(t)  # noqa: E731
        same(gives(lambda: session.run(t, {x: [1, 2]})), True)
        return error_of(call)


@claim("computation-graph-placeholder-unfed")
def by_interpreter_unfed(unfed=unfed):
    """Run the square of a placeholder without a feed."""
    same(unfed(), read_unfed(computation_graph))


@claim("computation-graph-placeholder-unfed")
def by_tensorflow_unfed(unfed=unfed):
    """The same program on TensorFlow."""
    same(unfed(), read_unfed(tensorflow()))


@claim("computation-graph-placeholder-unfed")
def nothing_is_assigned():
    """The message names feed_dict. The assignment in the same run is not made."""
    tf = computation_graph
    with tf.Graph().as_default():
        x, w = tf.placeholder(int, ()), tf.Variable(7)
        both, session = [tf.assign(w, 8), x], tf.Session()
        session.run(w.initializer)
        refuses(lambda: session.run(both), naming="feed_dict")
        same(session.run(w), 7)


@slip("computation-graph-placeholder-unfed")
def zero_by_default():
    """Expect zeros."""
    return ""


@slip("computation-graph-placeholder-unfed")
def not_initialised():
    """Take a placeholder for a Variable that lacks its initialiser."""
    return "FailedPreconditionError"


def fed_then_not(tf, case):
    """Feed a, then b, then nothing."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(np.int64, ())
        t = 3 * x
        return session.run(t, {x: case.a}), session.run(t, {x: case.b}), error_of(lambda: session.run(t))


def three_runs(case):
    return fed_then_not(computation_graph, case)


@claim("computation-graph-placeholder-forgets", cases=numbers)
def by_hand_three_runs(case, three_runs=three_runs):
    """Two products, then an error."""
    same(three_runs(case), (3 * case.a, 3 * case.b, "InvalidArgumentError"))


@claim("computation-graph-placeholder-forgets", cases=numbers)
def by_tensorflow_three_runs(case, three_runs=three_runs):
    """The same program on TensorFlow."""
    same(three_runs(case), fed_then_not(tensorflow(), case))


@slip("computation-graph-placeholder-forgets")
def placeholder_keeps_its_value(case):
    """Use the last value that was fed."""
    return 3 * case.a, 3 * case.b, ""


@slip("computation-graph-placeholder-forgets")
def fed_once_for_all(case):
    """Keep the first value, as if feeding were initialising."""
    return 3 * case.a, 3 * case.a, "InvalidArgumentError"


DECLARED = (None, (), (None,), (2,), (None, 3), (2, None), (2, 3), (None, None))
FED = ((), (2,), (3,), (1, 3), (2, 3), (4, 3), (2, 1), (0, 3), (1, 2, 3))


def accepted():
    """Whether a placeholder of each declared shape takes an array of each shape."""

    def fits(declared, fed):
        # $$ \text{rank equal, and each size equal or } \mathtt{None} $$
        if declared is None:
            return True
        return len(declared) == len(fed) and all(m is None or m == n for m, n in zip(declared, fed, strict=True))

    return np.array([[fits(declared, fed) for fed in FED] for declared in DECLARED])


def feeding(tf):
    with tf.Graph().as_default(), tf.Session() as session:
        places = [tf.placeholder(np.float64, shape) for shape in DECLARED]
        return np.array([[gives(lambda x=x, n=n: session.run(x, {x: np.ones(n)})) for n in FED] for x in places])


@claim("computation-graph-placeholder-shape")
def each_shape_fed(accepted=accepted):
    """Eight declared shapes, nine arrays."""
    same(accepted(), feeding(computation_graph))


@claim("computation-graph-placeholder-shape")
def each_shape_fed_to_tensorflow(accepted=accepted):
    """The same program on TensorFlow."""
    same(accepted(), feeding(tensorflow()))


@slip("computation-graph-placeholder-shape")
def none_is_one():
    """Read None as one example."""
    fixed = [d and tuple(1 if n is None else n for n in d) for d in DECLARED]
    return np.array([[d is None or d == fed for fed in FED] for d in fixed])


@slip("computation-graph-placeholder-shape")
def none_takes_anything():
    """Read None anywhere in the shape as any array."""
    return accepted() | np.array([[d is None or None in d for _ in FED] for d in DECLARED])


@slip("computation-graph-placeholder-shape")
def the_shape_must_be_whole():
    """Refuse what is not declared to the last size."""
    return np.array([[d == fed for fed in FED] for d in DECLARED])


# --- Variables --------------------------------------------------------------------------------------------------------


def before_and_after(tf, case):
    """Read a Variable before its initialiser has run, and after. Read another that was assigned without one."""
    with tf.Graph().as_default(), tf.Session() as session:
        w, other = tf.Variable(np.int64(case.a)), tf.Variable(np.int64(case.a))
        before = error_of(lambda: session.run(w))
        session.run([w.initializer, tf.assign(other, np.int64(case.b))])
        return before, session.run(w), session.run(other)


def uninitialised(case):
    return "FailedPreconditionError", case.a, case.b


@claim("computation-graph-variable-uninitialised", cases=numbers)
def by_interpreter_before_and_after(case, uninitialised=uninitialised):
    """Build a Variable with an initial value, read it, initialise it, read it."""
    same(uninitialised(case), before_and_after(computation_graph, case))


@claim("computation-graph-variable-uninitialised", cases=numbers)
def by_tensorflow_before_and_after(case, uninitialised=uninitialised):
    """The same program on TensorFlow."""
    same(uninitialised(case), before_and_after(tensorflow(), case))


def count_from_nothing(tf):
    """Assign w + 1 to a Variable w that has no value yet."""
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(np.int64(1))
        up = tf.assign(w, w + 1)
        return error_of(lambda: session.run(up))


@claim("computation-graph-variable-uninitialised")
def not_by_an_assignment_that_reads_it():
    """The first assignment cannot be that of w + 1 to w."""
    same(count_from_nothing(computation_graph), "FailedPreconditionError")


@claim("computation-graph-variable-uninitialised")
def tensorflow_reads_it_too():
    """The same program on TensorFlow."""
    same(count_from_nothing(tensorflow()), "FailedPreconditionError")


@slip("computation-graph-variable-uninitialised")
def building_sets_the_value(case):
    """Expect the initial value as soon as the Variable is built."""
    return "", case.a, case.b


@slip("computation-graph-variable-uninitialised")
def as_an_unfed_placeholder(case):
    """Take it for a placeholder that was not fed."""
    return "InvalidArgumentError", case.a, case.b


def counting(tf, case):
    """Count up by one, `b` times in one session; initialise in a second, then close it; leave out a third."""
    with tf.Graph().as_default():
        w = tf.Variable(np.int64(case.a))
        up, start = tf.assign(w, w + 1), tf.global_variables_initializer()
        sessions = [tf.Session() for _ in range(3)]
        sessions[0].run(start)
        for _ in range(case.b):
            sessions[0].run(up)
        sessions[1].run(start)
        with sessions[1]:
            second = sessions[1].run(w)
        closed = gives(lambda: sessions[1].run(w))
        return sessions[0].run(w), second, closed, error_of(lambda: sessions[2].run(w))


def counted(case):
    # $$ w_t = w_0 + t $$
    return counting(computation_graph, case)


@claim("computation-graph-variable-persists", cases=numbers)
def by_adding(case, counted=counted):
    """t runs in the first session, none in the second, no initialiser in the third."""
    same(counted(case), (case.a + case.b, case.a, False, "FailedPreconditionError"))


@claim("computation-graph-variable-persists", cases=numbers)
def by_tensorflow_counting(case, counted=counted):
    """The same program on TensorFlow."""
    same(counted(case), counting(tensorflow(), case))


@claim("computation-graph-variable-persists")
def unless_a_server_keeps_it():
    """Two sessions of one TensorFlow server: what one initialises, the other reads."""
    tf = tensorflow()
    server = tf.train.Server.create_local_server()
    with tf.Graph().as_default(), tf.Session(server.target) as first, tf.Session(server.target) as second:
        w = tf.Variable(2.0)
        first.run(w.initializer)
        agree(second.run(w), 2.0)


@slip("computation-graph-variable-persists")
def each_run_starts_anew(case):
    """Start each run from the initial value."""
    return case.a + 1, case.a, False, "FailedPreconditionError"


@slip("computation-graph-variable-persists")
def sessions_share(case):
    """Let all sessions share the value."""
    return case.a + case.b, case.a + case.b, True, ""


@dataclass(frozen=True)
class Neuron:
    """y = w x + b, and a step of gradient descent on y^2."""

    x: Fraction
    w: Fraction
    b: Fraction
    step: Fraction


def neuron(rng):
    x, w, b = (abs(entry) + 1 for entry in fractions(rng, 3))
    return Neuron(x, w, b, Fraction(1, 8))  # TensorFlow keeps the step in single precision


def trained(case):
    # $$ w_1 = w_0 - \eta\,2\,(w_0 x + b)\,x, \qquad b_1 = b_0 $$
    with computation_graph.Graph().as_default():
        x = computation_graph.placeholder(object, ())
        w, b = computation_graph.Variable(case.w), computation_graph.Variable(case.b, trainable=False)
        y = w * x + b
        variables = computation_graph.trainable_variables()
        moves = zip(variables, computation_graph.gradients(y * y, variables), strict=True)
        update = [computation_graph.assign(v, v - case.step * g) for v, g in moves]
        session = computation_graph.Session()
        session.run(computation_graph.global_variables_initializer())
        session.run(update, {x: case.x})
        return *session.run([w, b]), len(variables)


@claim("computation-graph-trainable", cases=neuron)
def by_hand_one_step(case, trained=trained):
    """The step in fractions: the placeholder, the constants and b are not in the list."""
    y = case.w * case.x + case.b
    same(trained(case), (case.w - case.step * 2 * y * case.x, case.b, 1))


@claim("computation-graph-trainable", cases=neuron)
def by_tensorflow_one_step(case, trained=trained):
    """TensorFlow's own optimiser, which trains what it finds in its list."""
    tf = tensorflow()
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(np.float64, ())
        w, b = (tf.Variable(np.float64(v), trainable=kept) for v, kept in ((case.w, True), (case.b, False)))
        move = tf.train.GradientDescentOptimizer(float(case.step)).minimize((w * x + b) * (w * x + b))
        session.run(tf.global_variables_initializer())
        session.run(move, {x: float(case.x)})
        agree(trained(case), (*session.run([w, b]), len(tf.trainable_variables())))


@claim("computation-graph-trainable")
def unless_it_is_told_which():
    """TensorFlow's `var_list` replaces the list: there the Variable that is not trainable moves, the other does not."""
    tf = tensorflow()
    with tf.Graph().as_default(), tf.Session() as session:
        w, b = tf.Variable(np.float64(1)), tf.Variable(np.float64(2), trainable=False)
        move = tf.train.GradientDescentOptimizer(0.125).minimize(w * b * b, var_list=[b])
        session.run(tf.global_variables_initializer())
        session.run(move)
        agree(session.run([w, b]), [1.0, 2 - 0.125 * 4])


@slip("computation-graph-trainable")
def every_variable_is_trained(case):
    """Move b too."""
    y = case.w * case.x + case.b
    return case.w - case.step * 2 * y * case.x, case.b - case.step * 2 * y, 2


@slip("computation-graph-trainable")
def the_placeholder_is_trained(case):
    """Count the placeholder among what is trained."""
    return *trained(case)[:2], 2


# --- Python variables -------------------------------------------------------------------------------------------------


def rebind(tf, case):
    """Build y = n * c, let n name another number, run y."""
    with tf.Graph().as_default(), tf.Session() as session:
        n = case.a
        y = n * tf.constant(case.c)
        n = case.b
        return session.run(y), n


def rebound(case):
    return rebind(computation_graph, case)


@claim("computation-graph-python-rebinding", cases=numbers)
def by_the_first_number(case, rebound=rebound):
    """The product with the number that n named while the graph was built."""
    same(rebound(case), (case.a * case.c, case.b))


@claim("computation-graph-python-rebinding", cases=numbers)
def by_tensorflow_rebinding(case, rebound=rebound):
    """The same program on TensorFlow."""
    same(rebound(case), rebind(tensorflow(), case))


def same_number(case):
    """n names the same number again."""
    return Numbers(case.a, case.a, case.c)


@slip("computation-graph-python-rebinding", blind=same_number)
def rebinding_updates_the_graph(case):
    """Use the number that n names when the graph is run."""
    return case.b * case.c, case.b


def rename(tf, case):
    """Let the name w stand for w + a, and run that three times. Gives the Variable and the last run."""
    with tf.Graph().as_default(), tf.Session() as session:
        w = variable = tf.Variable(np.int64(case.b))
        session.run(w.initializer)
        w = w + case.a
        last = [session.run(w) for _ in range(3)][-1]
        return session.run(variable), last


def renamed(case):
    return rename(computation_graph, case)


@claim("computation-graph-python-name", cases=numbers)
def the_variable_is_unchanged(case, renamed=renamed):
    """Each run gives the sum with the same, unchanged value."""
    same(renamed(case), (case.b, case.b + case.a))


@claim("computation-graph-python-name", cases=numbers)
def by_tensorflow_renaming(case, renamed=renamed):
    """The same program on TensorFlow."""
    same(renamed(case), rename(tensorflow(), case))


@slip("computation-graph-python-name")
def the_name_assigns(case):
    """Take w = w + a for an assignment to the Variable, made at each run."""
    return case.b + 3 * case.a, case.b + 3 * case.a


def loop(tf, case):
    """Double a tensor in a Python loop. Gives the value, and how many operations the loop and a run added."""
    graph = tf.Graph()
    with graph.as_default(), tf.Session() as session:
        x = tf.placeholder(np.int64, ())
        count = lambda: len(graph.tensors if tf is computation_graph else graph.get_operations())  # noqa: E731
        y, before = x, count()
        for _ in range(case.b):
            y = tf.add(y, y)
        built = count()
        value = session.run(y, {x: case.a})
        return value, built - before, count() - built


def looped(case):
    # $$ y = 2^t x $$
    return loop(computation_graph, case)


@claim("computation-graph-python-loop", cases=numbers)
def one_operation_a_turn(case, looped=looped):
    """t turns add t operations; the run adds none."""
    same(looped(case), (2**case.b * case.a, case.b, 0))


@claim("computation-graph-python-loop", cases=numbers)
def by_tensorflow_looping(case, looped=looped):
    """The same program on TensorFlow."""
    same(looped(case), loop(tensorflow(), case))


@slip("computation-graph-python-loop")
def the_loop_is_in_the_graph(case):
    """Expect one operation, which the run repeats."""
    return 2**case.b * case.a, 1, case.b - 1


# --- feeding ----------------------------------------------------------------------------------------------------------


def feed_within(tf, case):
    """y = (x + c) * c. Feed the sum, then the constant, then neither."""
    with tf.Graph().as_default(), tf.Session() as session:
        x, c = tf.placeholder(np.int64, ()), tf.constant(np.int64(case.c))
        s = tf.add(x, c)
        y = tf.multiply(s, c)
        return session.run(y, {s: case.b}), session.run(y, {x: case.a, c: case.b}), session.run(y, {x: case.a})


def overridden(case):
    return feed_within(computation_graph, case)


@claim("computation-graph-feed-overrides", cases=numbers)
def by_substitution(case, overridden=overridden):
    """Put the fed number where the tensor stands. The first run does without x."""
    same(overridden(case), (case.b * case.c, (case.a + case.b) * case.b, (case.a + case.c) * case.c))


@claim("computation-graph-feed-overrides", cases=numbers)
def by_tensorflow_feeding(case, overridden=overridden):
    """The same program on TensorFlow."""
    same(overridden(case), feed_within(tensorflow(), case))


@claim("computation-graph-feed-overrides")
def unless_it_is_forbidden():
    """TensorFlow refuses to feed a tensor for which `prevent_feeding` was called."""
    tf = tensorflow()
    with tf.Graph().as_default() as graph, tf.Session() as session:
        t = tf.constant(1.0) + 2.0
        same(gives(lambda: session.run(t, {t: 5.0})), True)
        graph.prevent_feeding(t)
        same(error_of(lambda: session.run(t, {t: 5.0})), "ValueError")


@slip("computation-graph-feed-overrides")
def only_placeholders_can_be_fed(case):
    """Expect an error, or the fed number to be ignored."""
    whole = (case.a + case.c) * case.c
    return "InvalidArgumentError", whole, whole


@slip("computation-graph-feed-overrides")
def the_feed_stays(case):
    """Keep the number that was fed for the run after."""
    return case.b * case.c, (case.a + case.b) * case.b, (case.a + case.b) * case.b


def feed_variable(tf, case):
    """Feed a Variable of each kind. Gives both products, the second Variable itself, and the values kept."""
    with tf.Graph().as_default(), tf.Session() as session:
        reference = tf.Variable(np.int64(case.a), use_resource=False)
        resource = tf.Variable(np.int64(case.a), use_resource=True)
        asked = [case.c * reference, case.c * resource, resource]
        session.run(tf.global_variables_initializer())
        fed = session.run(asked, {reference: case.b, resource: case.b})
        return *map(int, fed), *session.run([reference, resource])


def fed_variable(case):
    return feed_variable(computation_graph, case)


@claim("computation-graph-feed-variable", cases=numbers)
def the_first_is_replaced(case, fed_variable=fed_variable):
    """The first product uses the fed number, the second the Variable's. Both keep their value."""
    same(fed_variable(case), (case.b * case.c, case.a * case.c, case.b, case.a, case.a))


@claim("computation-graph-feed-variable", cases=numbers)
def by_tensorflow_variable(case, fed_variable=fed_variable):
    """The same program on TensorFlow."""
    same(fed_variable(case), feed_variable(tensorflow(), case))


@claim("computation-graph-feed-variable")
def the_default_of_version_two():
    """TensorFlow 2 says that it makes resource Variables, and its plain Variable lets no feed through."""
    tf = tensorflow()
    same(bool(tf.resource_variables_enabled()), True)
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(2.0)
        session.run(w.initializer)
        agree(session.run(3 * w, {w: 5.0}), 6.0)


@slip("computation-graph-feed-variable")
def a_feed_assigns(case):
    """Take the feed for an assignment."""
    return case.b * case.c, case.b * case.c, case.b, case.b, case.b


@slip("computation-graph-feed-variable")
def every_variable_takes_the_feed(case):
    """Let the feed reach both products."""
    return case.b * case.c, case.b * case.c, case.b, case.a, case.a


@slip("computation-graph-feed-variable")
def no_variable_takes_the_feed(case):
    """Let it reach none."""
    return case.a * case.c, case.a * case.c, case.a, case.a, case.a


# --- TensorFlow 2 -----------------------------------------------------------------------------------------------------


def in_version_two():
    """The error of a placeholder in eager mode, and what 3 * x gives in a graph of one's own, for x = 5."""
    return "RuntimeError", 15.0


@claim("computation-graph-tensorflow-two")
def eager_and_in_a_graph(in_version_two=in_version_two):
    """Ask TensorFlow 2, eager mode being on."""
    tf = tensorflow()
    eager = error_of(lambda: tf.placeholder(np.float64))
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(np.float64)
        error, value = in_version_two()
        same(error, eager)
        agree(value, session.run(3 * x, {x: 5.0}))


@slip("computation-graph-tensorflow-two")
def eager_mode_must_be_off():
    """Say that nothing works before disable_eager_execution()."""
    return "RuntimeError", np.nan


# --- gradients --------------------------------------------------------------------------------------------------------


def gradient(case):
    # $$ \frac{\partial L}{\partial W} = 2\, y^\top x, \qquad \frac{\partial L}{\partial x} = 2\, y\, W $$
    with computation_graph.Graph().as_default():
        x, W, _, L = layer_graph(computation_graph, case)
        dW, dx = computation_graph.gradients(L, [W, x])
        session = computation_graph.Session()
        session.run(W.initializer)
        return tuple(session.run([dW, dx], {x: case.x}))


def slope(f, x):
    """The derivative of a quadratic by each entry, exactly: a central difference has no error on it."""
    note("rational arithmetic")
    found = np.empty_like(x)
    for index in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[index] = Fraction(1, 3)
        found[index] = (f(x + e) - f(x - e)) / (2 * e[index])
    return found


@claim("computation-graph-gradient", cases=layer)
def by_differences_of_a_quadratic(case, gradient=gradient):
    """L is quadratic along each entry, so that a central difference is exact; in fractions."""
    dW, dx = gradient(case)
    same(dW, slope(lambda W: loss(Layer(case.x, W)), case.W))
    same(dx, slope(lambda x: loss(Layer(x, case.W)), case.x))


@claim("computation-graph-gradient", cases=floats)
def by_tensorflow_gradients(case, gradient=gradient):
    """TensorFlow's gradients, of the same graph."""
    tf = tensorflow()
    with tf.Graph().as_default(), tf.Session() as session:
        x, W, _, L = layer_graph(tf, case)
        theirs = tf.gradients(L, [W, x])
        session.run(W.initializer)
        for ours, value in zip(gradient(case), session.run(theirs, {x: case.x}), strict=True):
            agree(ours, value)


@slip("computation-graph-gradient")
def two_forgotten(case):
    """Forget the factor of the square."""
    return case.y.T @ case.x, case.y @ case.W


@slip("computation-graph-gradient")
def weights_as_columns(case):
    """Use the formula for y = x W, with W of shape (D, K)."""
    return 2 * case.x.T @ case.y, 2 * case.y @ case.W


@slip("computation-graph-gradient")
def no_gradient_for_a_placeholder(case):
    """Say that a placeholder, which is not trained, has no gradient."""
    return 2 * case.y.T @ case.x, 0 * case.x


@steps("computation-graph-gradient-steps", cases=layer, ends_in=lambda case: gradient(case)[0])
def along_the_graph(case):
    """Backward through the square, then through the product."""
    # \frac{\partial L}{\partial W}
    yield slope(lambda W: loss(Layer(case.x, W)), case.W)
    dy = slope(lambda y: (y * y).sum(), case.y)
    # = \Bigl( \frac{\partial L}{\partial y} \Bigr)^\top x
    yield dy.T @ case.x
    # = ( y + y )^\top x
    yield (case.y + case.y).T @ case.x
    # = 2\, y^\top x
    yield 2 * case.y.T @ case.x


def through_a_sigmoid(case):
    # $$ \frac{\partial L}{\partial W} = \bigl( 2 h \odot h \odot (1 - h) \bigr)^\top x, \qquad h = \sigma(x W^\top) $$
    with computation_graph.Graph().as_default():
        x, W, y, _ = layer_graph(computation_graph, case)
        h = computation_graph.sigmoid(y)
        (dW,) = computation_graph.gradients(computation_graph.reduce_sum(h * h), [W])
        session = computation_graph.Session()
        session.run(W.initializer)
        return session.run(dW, {x: case.x})


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@claim("computation-graph-gradient-sigmoid", cases=floats)
def by_complex_step(case, through_a_sigmoid=through_a_sigmoid):
    """Derivative of the loss along each weight, by a complex step."""
    agree(through_a_sigmoid(case), complex_step(lambda W: (sigmoid(case.x @ W.T) ** 2).sum(), case.W))


@claim("computation-graph-gradient-sigmoid", cases=floats)
def by_autograd(case, through_a_sigmoid=through_a_sigmoid):
    """PyTorch's autograd."""
    torch = need("torch")
    W = torch.tensor(case.W, requires_grad=True)
    torch.sigmoid(torch.tensor(case.x) @ W.T).square().sum().backward()
    agree(through_a_sigmoid(case), W.grad.numpy())


@claim("computation-graph-gradient-sigmoid")
def far_to_the_right():
    """At 40 the sigmoid rounds to 1, and its derivative does not round to 0: it is 1 over e^40 + 2 + e^-40."""
    with computation_graph.Graph().as_default():
        z = computation_graph.constant(40.0)
        (dz,) = computation_graph.gradients(computation_graph.sigmoid(z), [z])
        agree(computation_graph.Session().run(dz), 1 / (np.exp(40) + 2 + np.exp(-40)))


@slip("computation-graph-gradient-sigmoid")
def slope_of_the_sigmoid_forgotten(case):
    """Leave out the derivative of the sigmoid."""
    return (2 * sigmoid(case.y)).T @ case.x


@slip("computation-graph-gradient-sigmoid")
def slope_at_the_output(case):
    """Take the derivative of the sigmoid at h, where it is to be taken at z."""
    h = sigmoid(case.y)
    return (2 * h * sigmoid(h) * (1 - sigmoid(h))).T @ case.x


def shared_number(tf, case):
    """The gradients of sum((number * x + number)^2) by the number, which is the first weight."""
    with tf.Graph().as_default(), tf.Session() as session:
        number = tf.Variable(case.W[0, 0])
        h = number * tf.constant(case.x) + number
        (slope_of_number,) = tf.gradients(tf.reduce_sum(h * h), [number])
        session.run(tf.global_variables_initializer())
        return session.run(slope_of_number)


def gathered(case):
    # $$ L = \sum_{i,j} (w\, x_{ij} + w)^2, \qquad \frac{\partial L}{\partial w} = \sum_{i,j} 2 w\, (x_{ij} + 1)^2 $$
    return shared_number(computation_graph, case)


@claim("computation-graph-gradient-gathers", cases=layer)
def by_a_difference(case, gathered=gathered):
    """L is quadratic in w, so that a central difference is exact; in fractions."""
    w = case.W[:1, 0]
    same([gathered(case)], slope(lambda w: ((w[0] * case.x + w[0]) ** 2).sum(), w))


@claim("computation-graph-gradient-gathers", cases=floats)
def by_tensorflow_gathering(case, gathered=gathered):
    """The same program on TensorFlow."""
    agree(gathered(case), shared_number(tensorflow(), case))


@slip("computation-graph-gradient-gathers")
def not_summed(case):
    """Leave one part for each entry of x: the shape is not that of w."""
    return 2 * case.W[0, 0] * (case.x + 1) ** 2


@slip("computation-graph-gradient-gathers")
def mean_of_the_parts(case):
    """Take the mean of the parts."""
    return (2 * case.W[0, 0] * (case.x + 1) ** 2).mean()


def three_uses(tf, case):
    """The derivative of x * x * x - x at a point."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(np.asarray(case).dtype, ())
        return session.run(tf.gradients(x * x * x - x, [x])[0], {x: case})


def all_uses(case):
    # $$ L = x \cdot x \cdot x - x, \qquad \frac{\partial L}{\partial x} = 3 x^2 - 1 $$
    return three_uses(computation_graph, case)


def symbol():
    """A symbol is fed."""
    import sympy

    yield sympy.Symbol("x")


def points():
    """Four numbers."""
    return [-1.5, 0.25, 0.7, 3.0]


@claim("computation-graph-gradient-adds", cases=symbol)
def by_sympy(case, all_uses=all_uses):
    """The derivative of the polynomial, in symbols."""
    same(all_uses(case), (case**3 - case).diff(case))


@claim("computation-graph-gradient-adds", cases=points)
def by_tensorflow_polynomial(case, all_uses=all_uses):
    """The same program on TensorFlow."""
    agree(all_uses(case), three_uses(tensorflow(), case))


@slip("computation-graph-gradient-adds")
def last_use_only(case):
    """Keep the part of one use, and let it replace the others."""
    return case * case - 1


@slip("computation-graph-gradient-adds")
def minus_forgotten(case):
    """Send the gradient of a difference to both of its terms alike."""
    return 3 * case**2 + 1


def cost(case):
    # $$ \frac{\partial y}{\partial x} = 3 \cdot 2^t, \qquad t + 2 \text{ operations added} $$
    graph = computation_graph.Graph()
    with graph.as_default():
        x = y = computation_graph.placeholder(int, ())
        for _ in range(case):
            y = y + y
        y = 3 * y
    before = len(graph.tensors)
    (dx,) = computation_graph.gradients(y, [x])  # goes to the graph of y, whichever is the default one
    return computation_graph.Session(graph).run(dx), len(graph.tensors) - before


def few_and_many():
    """From one sum to nine."""
    return range(1, 10)


@claim("computation-graph-gradient-cost", cases=few_and_many)
def path_by_path(case, cost=cost):
    """Walk every path from y down to x, each of derivative 3: left or right at each of the t sums."""
    derivative, added = cost(case)
    same(derivative, sum(3 for path in itertools.product("lr", repeat=case)))
    same(added, case + 2)


@claim("computation-graph-gradient-cost")
def too_many_paths_to_walk():
    """Sixty sums: no one walks so many paths."""
    same(cost(60), (3 * 2**60, 62))


@slip("computation-graph-gradient-cost")
def one_operation_a_path(case):
    """Expand the sum over paths, and add an operation for each."""
    return 3 * 2**case, 2**case + 2


@slip("computation-graph-gradient-cost")
def one_path_only(case):
    """Follow one of the two inputs of each sum."""
    return 3, case + 2


def unrelated(tf):
    """Whether each gradient is None: by x, by a placeholder that y does not use, by y itself."""
    with tf.Graph().as_default():
        x, other = tf.placeholder(np.float64, ()), tf.placeholder(np.float64, ())
        y = x * x
        return tuple(gradient is None for gradient in tf.gradients(y, [x, other, y]))


def is_none():
    return False, True, False


@claim("computation-graph-gradient-none")
def interpreter_gives_none(is_none=is_none):
    """Three gradients of one tensor."""
    same(is_none(), unrelated(computation_graph))


@claim("computation-graph-gradient-none")
def tensorflow_gives_none(is_none=is_none):
    """The same program on TensorFlow."""
    same(is_none(), unrelated(tensorflow()))


@claim("computation-graph-gradient-none")
def not_through_an_assignment():
    """In the interpreter an assignment passes no gradient on to what is assigned."""
    tf = computation_graph
    with tf.Graph().as_default():
        x = tf.placeholder(float, ())
        same([gradient is None for gradient in tf.gradients(tf.assign(tf.Variable(1.0), x) * x, [x])], [False])
        same([gradient is None for gradient in tf.gradients(tf.assign(tf.Variable(1.0), x), [x])], [True])


@slip("computation-graph-gradient-none")
def zero_for_none():
    """Expect a tensor of zeros."""
    return False, False, False


@dataclass(frozen=True)
class Descent:
    """A parabola with its minimum at w_star, and t steps down from w0."""

    w0: Fraction
    w_star: Fraction
    step: Fraction
    t: int


def descent(rng):
    w0, w_star = fractions(rng, 2)
    return Descent(w0 + 5, w_star, Fraction(int(rng.integers(2, 9)), 10), int(rng.integers(2, 6)))


def descend(tf, case, number):
    """t runs of one assignment."""
    with tf.Graph().as_default(), tf.Session() as session:
        w, half = tf.Variable(number(case.w0), use_resource=True), number(Fraction(1, 2))
        error = w - number(case.w_star)
        (dw,) = tf.gradients(half * error * error, [w])
        move = tf.assign(w, w - number(case.step) * dw)
        session.run(w.initializer)
        for _ in range(case.t):
            session.run(move)
        return session.run(w)


def after_t_runs(case):
    # $$ w_t = w^\star + (1 - \eta)^t\, (w_0 - w^\star) $$
    return descend(computation_graph, case, lambda number: number)


@claim("computation-graph-training", cases=descent)
def by_the_closed_form(case, after_t_runs=after_t_runs):
    """The closed form, in fractions."""
    same(after_t_runs(case), case.w_star + (1 - case.step) ** case.t * (case.w0 - case.w_star))


@claim("computation-graph-training", cases=descent)
def by_tensorflow_descent(case, after_t_runs=after_t_runs):
    """The same program on TensorFlow."""
    agree(after_t_runs(case), descend(tensorflow(), case, np.float64))


@slip("computation-graph-training")
def one_step_only(case):
    """Forget that the Variable keeps its value between the runs."""
    return case.w_star + (1 - case.step) * (case.w0 - case.w_star)


@slip("computation-graph-training")
def against_the_loss(case):
    """Add the gradient."""
    return case.w_star + (1 + case.step) ** case.t * (case.w0 - case.w_star)


# --- the interpreter itself -------------------------------------------------------------------------------------------


@claim("computation-graph-bad-input")
def bad_constants():
    """Ragged lists, text, booleans, complex numbers, tensors where numbers belong, sizes that are none."""
    tf = computation_graph
    with tf.Graph().as_default():
        t, ragged = tf.constant(1.0), [[1, 2], [3]]
        for bad in (ragged, "one", True, 1j, t, [t, t], None, [None, 1], {}):
            refuses(lambda bad=bad: tf.constant(bad), naming="value")
            refuses(lambda bad=bad: tf.Variable(bad), naming="initial_value")
        for bad in ("no such", bool, complex, str, 3):
            refuses(lambda bad=bad: tf.placeholder(bad), naming="dtype")
        for bad in (3, (-1,), (1.0,), "ab", [(2,)]):
            refuses(lambda bad=bad: tf.placeholder(float, bad), naming="shape")


@claim("computation-graph-bad-input")
def bad_operands():
    """Shapes and dtypes that do not fit, vectors in a matrix product, tensors of another graph. No broadcasting."""
    tf = computation_graph
    with tf.Graph().as_default():
        stranger = tf.constant(np.ones((2, 3)))
    with tf.Graph().as_default():
        x, group = tf.constant(np.ones((2, 3))), tf.global_variables_initializer()
        for bad in (np.ones(3), np.ones((1, 3)), np.ones((2, 1)), [[1.0], [2.0, 3]], stranger, group, 1j, "x", None):
            for op in (tf.add, tf.subtract, tf.multiply):
                refuses(lambda bad=bad, op=op: op(x, bad), naming="y")
            for op in (tf.transpose, tf.reduce_sum, tf.sigmoid):
                if not isinstance(bad, np.ndarray):
                    refuses(lambda bad=bad, op=op: op(bad), naming="x")
        refuses(lambda: tf.matmul(x, np.ones(3)), naming="y")
        refuses(lambda: tf.matmul(np.ones(3), x), naming="x")
        refuses(lambda: tf.matmul(x, x), naming="y")
        refuses(lambda: tf.sigmoid(tf.constant([1, 2])), naming="x")
        refuses(lambda: tf.constant([1, 2]) + 0.5, naming="y")
        refuses(lambda: tf.constant(np.int32(1)) + 2**40, naming="y")
        w = tf.Variable([1.0, 2.0])
        refuses(lambda: tf.assign(x, x), naming="variable")
        for bad in (np.ones(3), 1.0, x, stranger, np.ones(2, complex), tf.constant(np.ones(2, np.float32))):
            refuses(lambda bad=bad: tf.assign(w, bad), naming="value")
        for bad in (x, 3.0, None, group):
            refuses(lambda bad=bad: tf.gradients(bad, [x]), naming="ys")
        for bad in (x, [3.0], [stranger], None):
            refuses(lambda bad=bad: tf.gradients(tf.reduce_sum(x), bad), naming="xs")


@claim("computation-graph-bad-input")
def bad_runs():
    """Fetches and feeds that are no tensors of the graph; fed arrays that do not fit, alone or together."""
    tf = computation_graph
    with tf.Graph().as_default():
        stranger = tf.constant(1.0)
    refuses(lambda: tf.Session(3), naming="graph")
    with tf.Graph().as_default():
        x, y = tf.placeholder(float, (None, 2)), tf.placeholder(float, (None, 2))
        n, v, group = tf.placeholder(int), tf.placeholder(float), tf.global_variables_initializer()
        small = tf.placeholder(np.int32)
        session, one = tf.Session(), np.ones((1, 2))
        for bad in (3.0, "x", None, stranger, [x, 3.0], (x, y)):
            refuses(lambda bad=bad: session.run(bad, {x: one, y: one}), naming="fetches")
        wrong = [
            {x: [[1, 2], [3]]},
            {x: np.ones((1, 3))},
            {x: 1j * one},
            {x: x},
            {x: None},
            {n: 0.5},
            {"x": one},
            {small: 2**40},
        ]
        for bad in (*wrong, {stranger: 1.0}, {group: 1.0}, [one], 3):
            refuses(lambda bad=bad: session.run(x, bad), naming="feed_dict")
        for op in (tf.add, tf.subtract, tf.multiply):
            refuses(lambda op=op: session.run(op(x, y), {x: one, y: np.ones((3, 2))}), naming="feed_dict")
            refuses(lambda op=op: session.run(op(x, v), {x: one, v: 1.0}), naming="feed_dict")
        refuses(lambda: session.run(tf.matmul(x, v), {x: one, v: np.ones((3, 2))}), naming="feed_dict")
        refuses(lambda: session.run(tf.matmul(v, x), {x: one, v: 1.0}), naming="feed_dict")
        refuses(lambda: session.run(tf.Variable(1.0)), naming="fetches")
        w = tf.Variable([1.0, 2.0])
        refuses(lambda: session.run([tf.assign(w, v), w.initializer], {v: np.ones(3)}), naming="feed_dict")


@claim("computation-graph-bad-input")
def tensorflow_takes_more():
    """What the interpreter refuses: TensorFlow broadcasts, cuts a fed 0.5 down to the integer 0, and sums `ys`."""
    tf = tensorflow()
    with tf.Graph().as_default(), tf.Session() as session:
        x, row = tf.placeholder(np.int32, ()), tf.constant([1.0, 2.0])
        agree(session.run(row + np.ones((3, 2))), np.tile([2.0, 3.0], (3, 1)))
        same(session.run(x, {x: 0.5}), 0)
        agree(session.run(tf.gradients(row * row, [row])[0]), [2.0, 4.0])


@claim("computation-graph-pure", cases=floats)
def nothing_is_written_to(case):
    """Write to what was given and to what was got: the graph and the session do not see it."""
    tf = computation_graph
    given = [case.x.copy(), case.W.copy()]
    with tf.Graph().as_default():
        x, W, _, L = layer_graph(tf, Layer(*given))
        c = tf.constant(given[0])
        session = tf.Session()
        session.run(W.initializer)
        first = session.run([L, W, c, x], {x: given[0]})
        agree(first[3], case.x, tolerance=0)
        for array in (*given, *first[1:]):
            array += 1
        for value, right in zip(session.run([L, W, c], {x: case.x}), (first[0], case.W, case.x), strict=True):
            agree(value, right, tolerance=0)


@claim("computation-graph-pure")
def a_run_sees_one_state():
    """An assignment is seen by the next run, not by its own. A run that fails assigns nothing."""
    tf = computation_graph
    with tf.Graph().as_default():
        w, x = tf.Variable(1), tf.placeholder(int, (None,))
        up, session = tf.assign(w, w + 1), tf.Session()
        session.run(w.initializer)
        same(session.run([w, up, w + 0]), [1, 2, 1])
        same(session.run(w), 2)
        refuses(lambda: session.run([up, x + tf.constant([1, 2])], {x: [1]}), naming="feed_dict")
        same(session.run(w), 2)
