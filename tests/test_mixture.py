"""Mixture of logistic regressions: the claims of the chapter, in its order.

Letters, as on the page: N examples x_i, one a row of x (N, D); K components; pi (K,) their probabilities; W (K, D)
their parameters, one row each; z_j = W_j^T x; h_j = sigma(z_j).
"""

import functools
import itertools
import math
import warnings
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from dlnotes import mixture
from dlnotes.check import (
    agree,
    at_most,
    claim,
    complex_step,
    differ,
    every,
    need,
    note,
    proved,
    refuses,
    same,
    slip,
    steps,
)

# --- cases: a mixture and its examples -------------------------------------------------------------------------------


def sigma(z):
    """The sigmoid, spelled out; complex numbers work too."""
    return 1 / (1 + np.exp(-z))


def softmax(z):
    """The same for softmax, along the last axis."""
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


@dataclass(frozen=True)
class Mixture:
    """A mixture, examples with their labels, and the matrix A of a gate that some slips use."""

    x: np.ndarray
    pi: np.ndarray
    W: np.ndarray
    labels: np.ndarray
    A: np.ndarray

    @property
    def z(self):
        return np.einsum("id,jd->ij", self.x, self.W)

    @property
    def h(self):
        return sigma(self.z)

    @property
    def p(self):
        return (self.h * self.pi).sum(1)

    @property
    def N(self):
        return len(self.x)

    def of_label(self, z):
        """What each component gives to the label of each example."""
        return sigma(np.where(self.labels == 1, 1, -1)[:, None] * z)

    def loss(self, pi, W):
        z = np.einsum("id,jd->ij", self.x, W)
        return -np.log((pi * self.of_label(z)).sum(1)).sum() / self.N

    @property
    def joint(self):
        return self.pi * self.of_label(self.z)


def batch(rng):
    """Seven examples of three features, four components; both labels occur, and no weight is near another."""
    pi = rng.permutation([0.1, 0.2, 0.3, 0.4]) + rng.uniform(-0.02, 0.02, 4)
    return Mixture(
        x=rng.normal(size=(7, 3)) + 0.4,
        pi=pi / pi.sum(),
        W=1.5 * rng.normal(size=(4, 3)),
        labels=rng.permutation([0, 1, 1, 0, 1, 0, 1]),
        A=rng.normal(size=(4, 3)),
    )


@dataclass(frozen=True)
class Urn(Mixture):
    """A mixture whose probabilities are rational: W is whole, and x is log 2 times whole numbers.

    Then sigma(z) = 2^n / (1 + 2^n). A ticket decides the component, a ball the label; all pairs are equally likely.
    """

    whole_x: tuple
    share: tuple  # pi, in Fractions

    def n(self, i):
        return [int(sum(a * b for a, b in zip(w, self.whole_x[i], strict=True))) for w in self.W]

    def exact_h(self, i):
        return [Fraction(2) ** n / (1 + Fraction(2) ** n) for n in self.n(i)]

    @functools.cached_property
    def counts(self):
        """How many outcomes there are with each component and label: (N, K, 2), whole numbers."""
        counts = np.zeros((self.N, len(self.share), 2), dtype=object)
        tickets = math.lcm(*(share.denominator for share in self.share))
        owner = [j for j, share in enumerate(self.share) for _ in range(int(share * tickets))]
        for i in range(self.N):
            h = self.exact_h(i)
            balls = math.lcm(*(entry.denominator for entry in h))
            for ticket in range(tickets):
                for ball in range(balls):
                    counts[i, owner[ticket], int(ball < h[owner[ticket]] * balls)] += 1
        return counts

    def shares(self, counts, among):
        return np.array([Fraction(int(a), int(b)) for a, b in zip(counts.flat, among.flat, strict=True)]).reshape(
            counts.shape
        )


def urns():
    """Four examples of two features, three components."""
    whole_x = ((1, 0), (0, 1), (1, 1), (1, -1))
    share = (Fraction(1, 2), Fraction(1, 5), Fraction(3, 10))
    yield Urn(
        x=np.log(2) * np.array(whole_x),
        pi=np.array([0.5, 0.2, 0.3]),
        W=np.array([[1, 2], [-1, 1], [2, -1]]),
        labels=np.array([1, 0, 1, 0]),
        A=np.array([[1.0, 0.5], [-1.0, 2.0], [0.3, -0.7]]),
        whole_x=whole_x,
        share=share,
    )


def at_the_origin(case):
    """x = 0: every component says one half."""
    return replace(case, x=0 * case.x, **({"whole_x": ((0, 0),) * 4} if isinstance(case, Urn) else {}))


def one_model(case):
    """All components have the same parameters."""
    return replace(case, W=case.W[:1] + 0 * case.W)


def uniform(case):
    """All components are equally likely."""
    share = {"share": (Fraction(1, 3),) * 3} if isinstance(case, Urn) else {}
    return replace(case, pi=np.full(len(case.pi), 1 / len(case.pi)), **share)


def no_gate(case):
    """A gate that does not look at its input."""
    return replace(case, A=0 * case.A)


# --- the marginal ----------------------------------------------------------------------------------------------------


def p(case):
    # $$ p(\ell = 1 \mid x) = \sum_{j=1}^{K} \pi_j\, \sigma(W_j^\top x) $$
    return mixture.probability(case.x, case.pi, case.W)


@claim("mixture-marginal", cases=batch)
def by_definition(case, p=p):
    """The sum, one example and one component at a time, in plain Python numbers."""
    expected = np.zeros(case.N)
    for i, x in enumerate(case.x.tolist()):
        for share, w in zip(case.pi.tolist(), case.W.tolist(), strict=True):
            expected[i] += share / (1 + math.exp(-sum(a * b for a, b in zip(w, x, strict=True))))
    agree(p(case), expected)


@claim("mixture-marginal", cases=urns)
def by_counting(case, p=p):
    """The law told as draws from an urn: all outcomes are listed, and those with label 1 are counted."""
    note("enumeration")
    agree(p(case), case.shares(case.counts[:, :, 1].sum(1), case.counts.sum((1, 2))))


@slip("mixture-marginal", blind=at_the_origin)
def average_inside(case):
    """Average the parameters, then take one sigmoid."""
    return sigma(case.z @ case.pi)


@slip("mixture-marginal")
def second_sigmoid(case):
    """Put a sigmoid on the output too."""
    return sigma(case.p)


@slip("mixture-marginal", blind=one_model)
def product_of_powers(case):
    """Multiply the probabilities, each to the power of its weight."""
    return np.prod(case.h**case.pi, axis=1)


@slip("mixture-marginal", blind=uniform)
def weights_ignored(case):
    """Average the components as if all were equally likely."""
    return case.h.mean(1)


@slip("mixture-marginal", blind=at_the_origin)
def most_certain_component(case):
    """Take the largest of the probabilities."""
    return case.h.max(1)


@slip("mixture-marginal", blind=no_gate)
def gate_sees_the_input(case):
    """Let the weights of the components depend on the input, as a mixture of experts does."""
    return (softmax(np.log(case.pi) + case.x @ case.A.T) * case.h).sum(1)


@slip("mixture-marginal", blind=at_the_origin)
def other_label(case):
    """Give the probability of label 0."""
    return 1 - case.p


@steps("mixture-marginal-steps", cases=urns, ends_in=p)
def marginal_steps(case):
    """Shares of outcomes of the urn; the last line is the formula, in fractions."""
    counts = case.counts
    # p(\ell = 1 \mid x)
    yield case.shares(counts[:, :, 1].sum(1), counts.sum((1, 2)))
    total = counts.sum((1, 2))[:, None] + 0 * counts[:, :, 1]
    # = \sum_{j=1}^{K} p(\ell = 1,\, j \mid x)
    yield case.shares(counts[:, :, 1], total).sum(1)
    of_j = counts.sum(2)
    # = \sum_{j=1}^{K} p(j \mid x)\, p(\ell = 1 \mid j,\, x)
    yield (case.shares(of_j, total) * case.shares(counts[:, :, 1], of_j)).sum(1)
    # = \sum_{j=1}^{K} \pi_j\, \sigma(W_j^\top x)
    yield np.array([sum(a * b for a, b in zip(case.share, case.exact_h(i), strict=True)) for i in range(case.N)])


# --- the network -----------------------------------------------------------------------------------------------------


def output(case):
    # $$ z = W x, \qquad h = \sigma(z), \qquad p = \pi^\top h $$
    return mixture.probability(case.x, case.pi, case.W)


@claim("mixture-network", cases=batch)
def by_torch(case, output=output):
    """PyTorch's linear layer, sigmoid and linear layer, both without bias, with W and pi as their weights."""
    torch = need("torch")
    K, D = case.W.shape
    linear = functools.partial(torch.nn.Linear, bias=False, dtype=torch.float64)
    network = torch.nn.Sequential(linear(D, K), torch.nn.Sigmoid(), linear(K, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor(case.W))
        network[2].weight.copy_(torch.tensor(case.pi)[None])
        same(sum(weights.numel() for weights in network.parameters()), K * D + K)
        agree(output(case), network(torch.tensor(case.x))[:, 0].numpy())


@claim("mixture-network", cases=batch)
def layer_by_layer(case, output=output):
    """Matrix times vector, one example at a time; the hidden layer goes through tanh: 2 sigma(z) = 1 + tanh(z / 2)."""
    expected = []
    for x in case.x:
        h = (1 + np.tanh(np.dot(case.W, x) / 2)) / 2
        expected.append(np.dot(case.pi, h))
    agree(output(case), np.array(expected))


@slip("mixture-network", blind=at_the_origin)
def linear_hidden_layer(case):
    """Leave the hidden layer linear, and put the sigmoid on the output."""
    return sigma((case.x @ case.W.T) @ case.pi)


@slip("mixture-network")
def sigmoid_on_both_layers(case):
    """Put a sigmoid on the hidden layer and on the output."""
    return sigma(case.h @ case.pi)


@slip("mixture-network", blind=uniform)
def softmax_of_the_weights(case):
    """Take the weights of the output for logits, and pass them through a softmax."""
    return case.h @ softmax(case.pi)


@slip("mixture-network")
def hidden_softmax(case):
    """Use a softmax as the activation of the hidden layer."""
    return softmax(case.z) @ case.pi


def sizes():
    """Sizes (D, K), and a mixture drawn at each."""
    yield from [(3, 2), (2, 3), (5, 1), (4, 2), (1, 3)]


def counted(case):
    # $$ P = K D + K, \qquad P - 1 \text{ of them free} $$
    return mixture.parameter_count(*case)


@claim("mixture-parameter-count", cases=sizes)
def entries_and_rank(case, counted=counted):
    """The entries of W and pi; the rank of the derivatives of p at 20 inputs, in fractions, with pi = softmax(b)."""
    D, K = case
    rng = np.random.default_rng(7)
    x, W = rng.integers(-9, 10, size=(20, D)), rng.permutation(np.arange(1, K * D + 1)).reshape(K, D)  # x over log 2
    weights, free = counted(case)
    pi = [Fraction(j + 1, K * (K + 1) // 2) for j in range(K)]
    same(weights, W.size + len(pi))
    rows = []
    for entry in x.tolist():
        h = [1 / (1 + Fraction(2) ** -sum(a * b for a, b in zip(w, entry, strict=True))) for w in W.tolist()]
        p = sum(a * b for a, b in zip(pi, h, strict=True))
        slopes = [share * a * (1 - a) for share, a in zip(pi, h, strict=True)]
        by_W = [slope * feature for slope in slopes for feature in entry]  # over log 2
        rows.append(by_W + [share * (a - p) for share, a in zip(pi, h, strict=True)])
    same(free, rank(rows))


def rank(rows):
    """The rank of a matrix of Fractions, by elimination."""
    found, rows = 0, [list(row) for row in rows]
    for column in range(len(rows[0])):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column] != 0), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            factor = rows[i][column] / rows[found][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


@slip("mixture-parameter-count")
def biases_counted(case):
    """Give each unit a bias."""
    D, K = case
    return K * (D + 1) + K + 1, K * (D + 1) + K


@slip("mixture-parameter-count")
def sum_forgotten(case):
    """Take all weights for free."""
    D, K = case
    return K * D + K, K * D + K


@claim("mixture-between")
def no_output_sigmoid_needed():
    """Three components, any weights, any hidden outputs inside (0, 1)."""
    # $$ 0 < \min_j \sigma(W_j^\top x) \le p \le \max_j \sigma(W_j^\top x) < 1 $$
    import z3

    pi, h, least, most = z3.Reals("a b c"), z3.Reals("d e f"), z3.Real("least"), z3.Real("most")
    law = [sum(pi) == 1, *(share >= 0 for share in pi)]
    bounds = [z3.And(least > 0, least <= entry, entry <= most, most < 1) for entry in h]
    # The sum is taken of pi_j (h_j - least): each term is a product of two numbers that are not negative.
    total = sum(share * entry for share, entry in zip(pi, h, strict=True))
    proved(z3.Implies(z3.And(*law, *bounds), z3.And(least > 0, least <= total, total <= most, most < 1)))


@claim("mixture-between", cases=batch)
def between_its_components(case, p=p):
    """What `probability` gives lies between the components; moved to the nearest one, it is the same or less."""
    at_most(p(case), case.h.max(1))
    at_most(case.h.min(1), p(case))
    agree(p(case), case.p)


# --- the story, told many times --------------------------------------------------------------------------------------

DRAWS = 400_000


def one_input(rng):
    """One example, given DRAWS times."""
    case = batch(rng)
    return replace(case, x=case.x[:1] + np.zeros((DRAWS, 1)))


def drawn(case):
    # $$ p(j,\, \ell = 1 \mid x) = \pi_j\, \sigma(W_j^\top x) $$
    return table(*mixture.sample(case.x, case.pi, case.W, np.random.default_rng(11)), len(case.pi))


def table(components, labels, K):
    """The share of the draws with each component and label: (K, 2)."""
    return np.bincount(2 * components + labels, minlength=2 * K).reshape(K, 2) / len(labels)


@claim("mixture-sampling", cases=one_input)
def shares_of_draws(case, drawn=drawn):
    """400 000 draws: each share, and the sum over components, within four standard errors of its own."""
    note("Monte-Carlo")
    shares, h = drawn(case), sigma(case.W @ case.x[0])
    expected = np.stack([case.pi * (1 - h), case.pi * h], axis=1)
    for share, law in zip([*shares.flat, shares[:, 1].sum()], [*expected.flat, case.pi @ h], strict=True):
        agree(share, law, tolerance=4 * np.sqrt(law * (1 - law) / DRAWS), scale=1.0)


@claim("mixture-sampling", cases=one_input)
def neighbours_are_independent(case):
    """Two examples one after the other have the same component, in 200 000 pairs, as often as two draws of pi have."""
    note("Monte-Carlo")
    components = mixture.sample(case.x, case.pi, case.W, np.random.default_rng(11))[0]
    law = (case.pi**2).sum()
    error = 4 * np.sqrt(law * (1 - law) / (DRAWS / 2))
    agree((components[::2] == components[1::2]).mean(), law, tolerance=error, scale=1.0)


class Extreme(np.random.Generator):
    """A generator whose uniform numbers are all one number."""

    value = 0.0

    def random(self, size):
        return np.full(size, self.value)


class Highest(Extreme):
    """The largest number below 1."""

    value = 1 - 2**-53


@claim("mixture-sampling")
def components_of_weight_zero():
    """At either end of the uniform numbers, a component of weight 0 is not drawn, nor a label of probability 0."""
    for generator in (Extreme, Highest):
        draws = mixture.sample([[1.0]], [0.0, 1 - 1e-9, 0.0], [[1.0]] * 3, generator(np.random.PCG64(1)))
        same(draws[0], [1])
    same(mixture.sample([[-2000.0]], [1.0], [[1.0]], Extreme(np.random.PCG64(1)))[1], [0])  # sigma rounds to 0


@slip("mixture-sampling")
def one_component_for_all(case):
    """Draw the component once, and keep it for all examples."""
    rng = np.random.default_rng(11)
    j = rng.choice(len(case.pi), p=case.pi)
    labels = rng.random(DRAWS) < sigma(case.W[j] @ case.x[0])
    return table(np.full(DRAWS, j), labels, len(case.pi))


@slip("mixture-sampling")
def label_drawn_twice(case):
    """Draw the label from the marginal, without regard to the component that was drawn."""
    h = sigma(case.W @ case.x[0])
    return np.outer(case.pi, [1 - case.pi @ h, case.pi @ h])


@slip("mixture-sampling", blind=uniform)
def component_drawn_uniformly(case):
    """Draw each component with probability 1 / K."""
    h = sigma(case.W @ case.x[0])
    return np.stack([1 - h, h], axis=1) / len(case.pi)


# --- not one logistic regression -------------------------------------------------------------------------------------


def two_models():
    """pi = (1/2, 1/2), and the logits 0 and 2: D = 2, so that no shape is another."""
    x, W = np.array([[1.0, 2.0]]), np.array([[2.0, -1.0], [-2.0, 2.0]])
    yield Mixture(x, np.array([0.5, 0.5]), W, np.array([1]), 0 * W)


def two_numbers(case):
    # $$ p = \tfrac12\,\sigma(0) + \tfrac12\,\sigma(2) = 0.690398\ldots,
    #    \qquad \sigma\bigl(\tfrac12 \cdot 0 + \tfrac12 \cdot 2\bigr) = \sigma(1) = 0.731058\ldots $$
    return mixture.probability(case.x, case.pi, case.W), mixture.probability(case.x, [1], [case.pi @ case.W])


@claim("mixture-is-not-the-average", cases=two_models)
def in_closed_form(case, two_numbers=two_numbers):
    """The first is (1 + 3 e^2) / (4 + 4 e^2), the second e / (1 + e); and the digits printed here."""
    of_mixture, of_average = two_numbers(case)
    e = math.e
    agree(of_mixture, [(1 + 3 * e**2) / (4 + 4 * e**2)])
    agree(of_average, [e / (1 + e)])
    same([math.floor(1e6 * value) for value in (of_mixture[0], of_average[0])], [690398, 731058])


@slip("mixture-is-not-the-average")
def same_number_twice(case):
    """Take the mixture for the regression with the average parameters."""
    return (mixture.probability(case.x, [1], [case.pi @ case.W]),) * 2


def one_and_two():
    """One feature, pi = (1/2, 1/2), W = (1, 2), at log 2 and at twice that."""
    x, share = ((1,), (2,)), (Fraction(1, 2), Fraction(1, 2))
    W = np.array([[1], [2]])
    yield Urn(np.log(2) * np.array(x), np.array([0.5, 0.5]), W, np.array([1, 0]), 0.0 * W, x, share)


def three_odds(case):
    # $$ \frac{p(\log 2)}{p(-\log 2)} = \frac{11}{4}, \qquad
    #    \frac{p(2 \log 2)}{p(-2 \log 2)} = \frac{74}{11} \ne \Bigl( \frac{11}{4} \Bigr)^2 = \frac{121}{16} $$
    odds = mixture.probability(case.x, case.pi, case.W) / mixture.probability(-case.x, case.pi, case.W)
    return np.array([*odds, odds[0] ** 2])


@claim("mixture-two-slopes", cases=one_and_two)
def counted_odds(case, three_odds=three_odds):
    """The outcomes of the urn: with label 1 over with label 0; exact, and then as the package gives them."""
    of_label = case.counts.sum(1)
    first, second = (Fraction(int(one), int(zero)) for zero, one in of_label)
    same([first, second, first**2], [Fraction(11, 4), Fraction(74, 11), Fraction(121, 16)])
    agree(three_odds(case), np.array([first, second, first**2]))


@slip("mixture-two-slopes")
def odds_that_multiply(case):
    """Twice the input, the square of the odds: as in one logistic regression."""
    odds = case.p[0] / (1 - case.p[0])
    return np.array([odds, odds**2, odds**2])


def rays():
    """Two, three and four logits along a ray, with their weights, as SymPy symbols."""
    import sympy

    for K in (2, 3, 4):
        pi = sympy.symbols(f"p1:{K}", positive=True)
        yield (*pi, 1 - sum(pi)), sympy.symbols(f"z1:{K + 1}", real=True)


def mean(pi, values):
    return sum(a * b for a, b in zip(pi, values, strict=True))


def taylor(case):
    # $$ \log \frac{p(\alpha x)}{1 - p(\alpha x)} = \alpha\,\mathbb E[z]
    #    + \frac{\alpha^3}{12} \bigl( \mathbb E[z]^3 - \mathbb E[z^3] \bigr) + O(\alpha^5) $$
    pi, z = case
    m1, m3 = mean(pi, z), mean(pi, [a**3 for a in z])
    return np.array([m1, 0 * m1, (m1**3 - m3) / 12, 0 * m1])


def exact_series():
    """Coefficients of the log-odds in the factor, as polynomials in the moments of z; and these moments' letters."""
    import sympy

    # Those of p are the sigmoid's, times the moments; then log(p / (1 - p)) is expanded in q = p - 1/2.
    alpha, t, q, letters = *sympy.symbols("alpha t q"), sympy.symbols("m1:5")
    of_sigmoid = [sympy.diff(1 / (1 + sympy.exp(-t)), t, k).subs(t, 0) / math.factorial(k) for k in range(1, 5)]
    moved = sum(c * m * alpha**k for k, (c, m) in enumerate(zip(of_sigmoid, letters, strict=True), 1))
    log_odds = sympy.log((1 + 2 * q) / (1 - 2 * q))
    of_log_odds = [sympy.diff(log_odds, q, k).subs(q, 0) / math.factorial(k) for k in range(1, 5)]
    polynomial = sympy.Poly(sympy.expand(sum(c * moved**k for k, c in enumerate(of_log_odds, 1))), alpha)
    return [polynomial.coeff_monomial(alpha**k) for k in range(1, 5)], letters


series = functools.cache(exact_series)


@claim("mixture-log-odds-at-the-origin", cases=rays)
def derivatives_in_symbols(case, taylor=taylor):
    """The first four derivatives of the log-odds by the factor, in SymPy, over their factorials."""
    pi, z = case
    coefficients, letters = series()
    at = {letter: mean(pi, [a**k for a in z]) for k, letter in enumerate(letters, 1)}
    same(taylor(case), [coefficient.subs(at) for coefficient in coefficients])
    same(taylor(((Fraction(3, 10), Fraction(7, 10)), (17, -13)))[2], Fraction(0))


def equal_logits(case):
    """All logits are one."""
    pi, z = case
    return pi, (z[0],) * len(z)


@slip("mixture-log-odds-at-the-origin", blind=equal_logits)
def straight_line(case):
    """Stop at the first term: the log-odds of one logistic regression."""
    m1 = mean(*case)
    return np.array([m1, 0 * m1, 0 * m1, 0 * m1])


@slip("mixture-log-odds-at-the-origin")
def log_odds_averaged(case):
    """Expand the probability instead of its log-odds."""
    pi, z = case
    m1, m3 = mean(pi, z), mean(pi, [a**3 for a in z])
    return np.array([m1 / 4, 0 * m1, -m3 / 48, 0 * m1])


@dataclass(frozen=True)
class Far:
    """One example of three features, four components, and which sign each logit has."""

    x: np.ndarray
    pi: np.ndarray
    W: np.ndarray

    @property
    def z(self):
        return self.W @ self.x[0]


def signs(rng):
    """Two logits above 0, one below, one that is 0 exactly; small whole numbers, so that no product is rounded."""
    x = np.array([[1.0, 2.0, -1.0]])
    W = np.array([[1.0, 1, 1], [3, -1, 0], [-2, 0, 1], [1, 0, 1]])  # the logits 2, 1, -3, 0
    order = rng.permutation(4)
    return Far(x, rng.dirichlet([5, 5, 5, 5]) * 0.6 + 0.1, W[order])


def limit(case):
    # $$ \lim_{\alpha \to \infty} p(\alpha x) = \sum_j \pi_j\, [\,z_j > 0\,] + \frac12 \sum_j \pi_j\, [\,z_j = 0\,] $$
    return case.pi @ (case.z > 0) + case.pi @ (case.z == 0) / 2


@claim("mixture-far-away", cases=signs)
def at_a_far_point(case, limit=limit):
    """The package's probability 50 and 1e300 times as far out; no smaller factor is needed for rounding."""
    for alpha in (50, 1e300):
        agree(limit(case), mixture.probability(alpha * case.x, case.pi, case.W)[0])


@slip("mixture-far-away")
def saturated(case):
    """Say that p tends to 1 or to 0, as one logistic regression does."""
    return float(case.pi @ case.z > 0)


@slip("mixture-far-away")
def zeros_forgotten(case):
    """Leave out the components that do not feel x."""
    return case.pi @ (case.z > 0)


@slip("mixture-far-away")
def zeros_in_full(case):
    """Count the components that do not feel x in full."""
    return case.pi @ (case.z >= 0)


def bounds(case):
    # $$ \pi_k\, \sigma(-z_k) \le 1 - p(x) \le \sigma(-z_k), \qquad z_k = \min_j z_j $$
    k = np.argmin(case.z)
    return case.pi[k] * sigma(-case.z[k]), sigma(-case.z[k])


def one_row(rng):
    """One example, four components, of any signs."""
    return Far(rng.normal(size=(1, 3)), rng.dirichlet([5, 5, 5, 5]), 1.5 * rng.normal(size=(4, 3)))


@claim("mixture-least-logit", cases=one_row)
def two_bounds(case, bounds=bounds):
    """Each bound holds, and is reached: both where pi_k is 1, and the lower one where the other logits are far."""
    at_most(bounds(case)[0], 1 - mixture.probability(case.x, case.pi, case.W)[0], scale=1.0)
    at_most(1 - mixture.probability(case.x, case.pi, case.W)[0], bounds(case)[1], scale=1.0)
    k = np.argmin(case.z)
    tight = replace(case, pi=np.eye(4)[k])
    agree(bounds(tight), (1 - mixture.probability(tight.x, tight.pi, tight.W)) * np.ones(2))
    # The other logits are moved to 60: their part of 1 - p is below 1e-25.
    far = replace(
        case, W=case.W + np.outer(np.arange(4) != k, (60 - case.z.min()) * case.x[0] / (case.x[0] @ case.x[0]))
    )
    agree(bounds(far)[0], case.pi[k] * (1 - sigma(case.z[k])), tolerance=1e-10)


@slip("mixture-least-logit")
def average_logit(case):
    """Bound by the average logit."""
    m = case.pi @ case.z
    return case.pi.min() * sigma(-m), sigma(-m)


@slip("mixture-least-logit")
def largest_logit(case):
    """Bound by the largest logit."""
    k = np.argmax(case.z)
    return case.pi[k] * sigma(-case.z[k]), sigma(-case.z[k])


def all_positive(rng):
    """One example on which all four logits are positive, and differ."""
    x = np.array([[1.0, 2.0, -1.0]])
    W = rng.normal(size=(4, 3))
    z = rng.permutation([0.5, 1.0, 2.0, 3.5]) + rng.uniform(-0.1, 0.1, 4)
    return Far(x, rng.dirichlet([5, 5, 5, 5]), W + np.outer(z - W @ x[0], x[0]) / 6)


def slope(case):
    # $$ \lim_{\alpha \to \infty} \frac1\alpha \log \frac{p(\alpha x)}{1 - p(\alpha x)} = \min_j z_j $$
    return case.z.min()


@claim("mixture-slope-far-away", cases=all_positive)
def log_odds_over_the_factor(case, slope=slope):
    """The log-odds are a difference of two losses, which do not overflow, at the factor 1e15."""
    of_label = [mixture.loss(1e15 * case.x, [label], case.pi, case.W) for label in (0, 1)]
    agree(slope(case), (of_label[0] - of_label[1]) / 1e15)


@slip("mixture-slope-far-away")
def average_slope(case):
    """Keep the slope that the log-odds have at the origin."""
    return case.pi @ case.z


@slip("mixture-slope-far-away")
def steepest_slope(case):
    """Let the steepest component decide."""
    return case.z.max()


# --- when is it one logistic regression, after all -------------------------------------------------------------------


def quarters(K):
    """All weights in quarters, zero allowed."""
    return [pi for pi in itertools.product(range(5), repeat=K) if sum(pi) == 4]


def many(D, K, size):
    """Every mixture with whole parameters from -size to size and weights in quarters."""
    rows = list(itertools.product(range(-size, size + 1), repeat=D))
    return [(pi, W) for pi in quarters(K) for W in itertools.product(rows, repeat=K)]


def small_mixtures():
    """One feature and three components, 1875 mixtures; two features and two components, 405."""
    yield many(1, 3, 2)
    yield many(2, 2, 1)


def one_regression(case):
    # $$ p(x) = \sigma(w^\top x) \text{ for all } x \iff
    #    \begin{cases} \text{all } W_j \text{ with } \pi_j > 0 \text{ are equal (to } w), \text{ or} \\
    #    \sum_j \pi_j \bigl( [\,W_j = W_i\,] - [\,W_j = -W_i\,] \bigr) = 0 \text{ for every } i \text{ (and } w = 0)
    #    \end{cases} $$
    return np.array([len(used(pi, W)) == 1 or balanced(pi, W) for pi, W in case])


def used(pi, W):
    """The parameters that are ever drawn."""
    return {w for share, w in zip(pi, W, strict=True) if share > 0}


def balanced(pi, W):
    """Whether w and -w have one weight, for each w."""
    weight = dict.fromkeys(W, 0)
    for share, w in zip(pi, W, strict=True):
        weight[w] += share
    return all(weight[w] == weight.get(tuple(-entry for entry in w), 0) for w in W)


def exact_odds(pi, z):
    """The odds p / (1 - p) where x is log 2 times whole numbers: z are the logits over log 2."""
    p = sum(
        Fraction(share, 4) * Fraction(2**n if n > 0 else 1, 1 + 2 ** abs(n)) for share, n in zip(pi, z, strict=True)
    )
    return p / (1 - p)


odds = functools.cache(exact_odds)  # each is asked for many times


def log_odds_are_linear(pi, W):
    """Whether the log-odds are linear on a grid: the odds at x are those at the basis vectors, to the powers x."""

    def at(x):
        return odds(pi, tuple(sum(a * b for a, b in zip(w, x, strict=True)) for w in W))

    D = len(W[0])
    grid = itertools.product(range(-1, 4), repeat=D)
    basis = [at(tuple(int(i == j) for j in range(D))) for i in range(D)]
    return all(at(x) == math.prod(b**n for b, n in zip(basis, x, strict=True)) for x in grid)


is_linear = functools.cache(log_odds_are_linear)


@claim("mixture-one-logistic-regression", cases=small_mixtures)
def on_a_grid_of_fractions(case, one_regression=one_regression):
    """Every small mixture, in fractions: linear log-odds multiply the odds. One point that fails refutes linearity."""
    note("enumeration")
    same(sum(map(len, small_mixtures())), 2280)
    same(one_regression(case), np.array([is_linear(pi, W) for pi, W in case]))


@claim("mixture-one-logistic-regression", cases=small_mixtures)
def parameters_recovered(case, one_regression=one_regression):
    """Where the condition holds, p is sigma(w^T x) with the w said, at every point of another grid."""
    chosen = [entry for entry, holds in zip(case, one_regression(case), strict=True) if holds]
    others = [entry for entry, holds in zip(case, one_regression(case), strict=True) if not holds]

    def as_said(entry):
        pi, W = entry
        w = next(iter(used(pi, W))) if len(used(pi, W)) == 1 else (0,) * len(W[0])
        return all(
            odds(pi, tuple(sum(a * b for a, b in zip(v, x, strict=True)) for v in W))
            == Fraction(2) ** sum(a * b for a, b in zip(w, x, strict=True))
            for x in itertools.product((-2, 1, 3), repeat=len(w))
        )

    every(chosen, as_said)
    every(others, lambda entry: not as_said(entry))


@slip("mixture-one-logistic-regression")
def equal_parameters_only(case):
    """Ask that the parameters be equal, and forget the mixture that says 1/2 everywhere."""
    return np.array([len(used(pi, W)) == 1 for pi, W in case])


@slip("mixture-one-logistic-regression")
def unused_components_count(case):
    """Ask it of the components of weight 0 too."""
    return np.array([len(set(W)) == 1 or balanced(pi, W) for pi, W in case])


@slip("mixture-one-logistic-regression")
def opposite_parameters_suffice(case):
    """Ask that -w be drawn whenever w is, without regard to the weights."""

    def closed(pi, W):
        return all(tuple(-entry for entry in w) in used(pi, W) for w in used(pi, W))

    return np.array([len(used(pi, W)) == 1 or closed(pi, W) for pi, W in case])


# --- not a mixture of experts ----------------------------------------------------------------------------------------


def mirrored(case):
    # $$ p(-x) = 1 - p(x), \qquad p(0) = \frac12 $$
    return mixture.probability(-case.x, case.pi, case.W), mixture.probability(0 * case.x[:1], case.pi, case.W)


@claim("mixture-mirrored", cases=batch)
def label_exchanged(case, mirrored=mirrored):
    """The probability of label 0, summed over the components."""
    there, at_0 = mirrored(case)
    agree(there, (1 / (1 + np.exp(case.z))) @ case.pi)
    agree(at_0, [0.5])


@slip("mixture-mirrored", blind=no_gate)
def gate_mirrored_too(case):
    """Give the mixture a gate softmax(log pi + A x): mirroring the input changes the weights."""
    x = -case.x
    return (softmax(np.log(case.pi) + x @ case.A.T) * sigma(x @ case.W.T)).sum(1), np.array([0.5])


@slip("mixture-mirrored", blind=at_the_origin)
def even(case):
    """Say that p does not change."""
    return case.p, np.array([0.5])


@claim("mixture-gate", cases=batch)
def a_gate_breaks_the_mirror(case):
    """With the matrix A of the case the two sides sum to other than 1; with A = 0, to 1."""
    # $$ p_{\mathrm{experts}}(x) = \sum_j \operatorname{softmax}(A x)_j\, \sigma(W_j^\top x), \qquad
    #    p_{\mathrm{experts}}(x) + p_{\mathrm{experts}}(-x) \ne 1 \text{ in general} $$

    def of_experts(x, A):
        return (softmax(x @ A.T) * sigma(x @ case.W.T)).sum(1)

    both = of_experts(case.x, case.A) + of_experts(-case.x, case.A)
    differ(both, np.ones(case.N))
    agree(of_experts(0 * case.x, case.A), np.full(case.N, 0.5))
    agree(of_experts(case.x, 0 * case.A) + of_experts(-case.x, 0 * case.A), np.ones(case.N))
    agree(of_experts(case.x, 0 * case.A), mixture.probability(case.x, np.full(4, 0.25), case.W))


# --- learning --------------------------------------------------------------------------------------------------------


def mean_loss(case):
    # $$ L = -\frac1N \sum_i \log p(\ell_i \mid x_i), \qquad
    #    p(\ell \mid x) = \sum_j \pi_j\, \sigma\bigl((2 \ell - 1)\, W_j^\top x\bigr) $$
    return mixture.loss(case.x, case.labels, case.pi, case.W)


@claim("mixture-loss", cases=batch)
def loss_by_definition(case, mean_loss=mean_loss):
    """The probability of label 1, or what is left to 1, one example at a time."""
    logs = [math.log(p if label else 1 - p) for p, label in zip(case.p.tolist(), case.labels, strict=True)]
    agree(mean_loss(case), -sum(logs) / case.N)
    unsigned = replace(case, labels=case.labels.astype(np.uint8))  # 2 * 0 - 1 is 255 there
    agree(mean_loss(unsigned), -sum(logs) / case.N)


@claim("mixture-loss", cases=urns)
def loss_by_counting(case, mean_loss=mean_loss):
    """The share of outcomes of the urn with the example's label."""
    note("enumeration")
    counts = case.counts.sum(1)
    shares = [Fraction(int(counts[i, label]), int(counts[i].sum())) for i, label in enumerate(case.labels)]
    agree(mean_loss(case), -math.log(math.prod(shares)) / case.N)


@slip("mixture-loss")
def summed_over_the_batch(case):
    """Sum over the examples instead of taking the mean."""
    return case.loss(case.pi, case.W) * case.N


@slip("mixture-loss", blind=one_model)
def logarithm_inside(case):
    """Average the logarithms of the components: Jensen's bound, not the loss."""
    return -(np.log(case.of_label(case.z)) @ case.pi).sum() / case.N


@slip("mixture-loss")
def label_ignored(case):
    """Take every label for 1."""
    return -np.log(case.p).sum() / case.N


def hopeless(rng):
    """Two examples on the wrong side of every component, by logits of 800 and more: p rounds to 0."""
    z = rng.uniform(800, 1200, size=4)
    x = np.array([[1.0, 2.0, -1.0], [-1.0, -2.0, 1.0]])
    W = rng.normal(size=(4, 3))
    W += np.outer(z - W @ x[0], x[0]) / 6
    return Mixture(x, np.array([0.1, 0.2, 0.3, 0.4]), W, np.array([0, 1]), 0 * W)


def far_off(case):
    # $$ \log p(\ell \mid x)
    #    = \operatorname{log\,sum\,exp}_j \bigl( \log \pi_j + \log \sigma((2 \ell - 1)\, z_j) \bigr) $$
    return mixture.loss(case.x, case.labels, case.pi, case.W)


@claim("mixture-loss-in-logarithms", cases=hopeless)
def loss_to_60_digits(case, far_off=far_off):
    """The definition in 60 digits; the same number as a sum of two losses of one example."""
    import mpmath

    note("60 digits")
    with mpmath.workdps(60):
        total = mpmath.mpf(0)
        for x, label in zip(case.x, case.labels, strict=True):
            z = [mpmath.fsum(mpmath.mpf(a) * mpmath.mpf(b) for a, b in zip(w, x, strict=True)) for w in case.W]
            of_label = [1 / (1 + mpmath.exp(-a if label else a)) for a in z]
            total -= mpmath.log(mpmath.fsum(mpmath.mpf(a) * b for a, b in zip(case.pi, of_label, strict=True)))
        expected = float(total / 2)
    agree(far_off(case), expected)


@slip("mixture-loss-in-logarithms")
def logarithm_of_a_rounded_probability(case):
    """Compute p, then its logarithm, with 1e-15 added lest it be that of 0."""
    p = mixture.probability(case.x, case.pi, case.W)
    return -np.log(np.where(case.labels == 1, p, 1 - p) + 1e-15).mean()


@slip("mixture-loss-in-logarithms")
def average_of_logarithms(case):
    """Average the logarithms of the components."""
    z = case.z * (2 * case.labels - 1)[:, None]
    return -((z - np.log1p(np.exp(z))) @ case.pi).mean()


def shared_out(case):
    # $$ p(j \mid x_i,\, \ell_i) = \frac{\pi_j\, p(\ell_i \mid j,\, x_i)}{\sum_k \pi_k\, p(\ell_i \mid k,\, x_i)} $$
    return mixture.responsibilities(case.x, case.labels, case.pi, case.W)


@claim("mixture-responsibilities", cases=urns)
def shares_of_the_urn(case, shared_out=shared_out):
    """Among the outcomes with the example's label, the share of each component."""
    note("enumeration")
    of_label = np.array([case.counts[i, :, label] for i, label in enumerate(case.labels)])
    agree(shared_out(case), case.shares(of_label, of_label.sum(1)[:, None] + 0 * of_label))


@claim("mixture-responsibilities", cases=batch)
def bayes_one_by_one(case, shared_out=shared_out):
    """Bayes' rule, in plain Python numbers."""
    expected = []
    for z, label in zip(case.z.tolist(), case.labels, strict=True):
        h = [1 / (1 + math.exp(-a)) for a in z]
        parts = [share * (b if label else 1 - b) for share, b in zip(case.pi, h, strict=True)]
        expected.append([part / sum(parts) for part in parts])
    agree(shared_out(case), np.array(expected))


@slip("mixture-responsibilities", blind=at_the_origin)
def weights_before_the_label(case):
    """Give the weights as they are before the label is seen."""
    return case.pi + 0 * case.z


@slip("mixture-responsibilities")
def label_1_for_all(case):
    """Use the probability of label 1 for both labels."""
    return case.pi * case.h / case.p[:, None]


@slip("mixture-responsibilities", blind=uniform)
def uniform_weights(case):
    """Leave the weights out."""
    of_label = case.of_label(case.z)
    return of_label / of_label.sum(1, keepdims=True)


@slip("mixture-responsibilities")
def over_the_examples(case):
    """Normalise over the examples instead of the components."""
    return case.joint / case.joint.sum(0)


def dW(case):
    # $$ \frac{\partial L}{\partial W_j}
    #    = -\frac1N \sum_i p(j \mid x_i,\, \ell_i)\, \bigl( \ell_i - \sigma(W_j^\top x_i) \bigr)\, x_i $$
    return mixture.d_loss(case.x, case.labels, case.pi, case.W).dW


@claim("mixture-parameters-gradient", cases=batch)
def dW_by_complex_step(case, dW=dW):
    """Derivative of the definition of the loss by each entry of W."""
    agree(dW(case), complex_step(lambda W: case.loss(case.pi, W), case.W))


@claim("mixture-parameters-gradient", cases=batch)
def dW_by_autograd(case, dW=dW):
    """PyTorch's gradient, through its own binary cross-entropy."""
    torch = need("torch")
    x, pi, W = (torch.tensor(array) for array in (case.x, case.pi, case.W))
    W.requires_grad_(True)
    p = torch.sigmoid(x @ W.T) @ pi
    torch.nn.functional.binary_cross_entropy(p, torch.tensor(case.labels, dtype=torch.float64)).backward()
    agree(dW(case), W.grad.numpy())


@slip("mixture-parameters-gradient", blind=one_model)
def weights_for_responsibilities(case):
    """Write the weight where the responsibility stands."""
    return -(case.pi * (case.labels[:, None] - case.h)).T @ case.x / case.N


@slip("mixture-parameters-gradient", blind=one_model)
def error_of_the_mixture(case):
    """Use the error of the whole mixture, as in the last layer of a classifier with a sigmoid on its output."""
    return -(case.joint / case.joint.sum(1, keepdims=True) * (case.labels - case.p)[:, None]).T @ case.x / case.N


@slip("mixture-parameters-gradient")
def ascent(case):
    """Give the gradient of the likelihood instead of the loss."""
    r = case.joint / case.joint.sum(1, keepdims=True)
    return (r * (case.labels[:, None] - case.h)).T @ case.x / case.N


@slip("mixture-parameters-gradient")
def mean_forgotten(case):
    """Leave out 1 / N."""
    r = case.joint / case.joint.sum(1, keepdims=True)
    return -(r * (case.labels[:, None] - case.h)).T @ case.x


@steps("mixture-parameters-gradient-steps", cases=batch, ends_in=dW)
def dW_steps(case):
    """The derivative of a logarithm, then that of the sigmoid."""
    sign = (2 * case.labels - 1)[:, None]
    # \frac{\partial L}{\partial W_j}
    yield complex_step(lambda W: case.loss(case.pi, W), case.W)
    p = case.joint.sum(1)
    slopes = case.pi * np.exp(-sign * case.z) / (1 + np.exp(-sign * case.z)) ** 2 * sign
    # = -\frac1N \sum_i \frac{1}{p(\ell_i \mid x_i)}\, \frac{\partial p(\ell_i \mid x_i)}{\partial W_j}
    yield -np.einsum("i,ij,id->jd", 1 / p, slopes, case.x) / case.N
    # = -\frac1N \sum_i \frac{\pi_j\, \sigma((2 \ell_i - 1) z_{ij})}{p(\ell_i \mid x_i)}\,
    #   (2 \ell_i - 1)\, \sigma\bigl(-(2 \ell_i - 1) z_{ij}\bigr)\, x_i
    yield -(case.joint / p[:, None] * sign * sigma(-sign * case.z)).T @ case.x / case.N
    r = mixture.responsibilities(case.x, case.labels, case.pi, case.W)
    # = -\frac1N \sum_i p(j \mid x_i,\, \ell_i)\, \bigl( \ell_i - \sigma(W_j^\top x_i) \bigr)\, x_i
    yield -(r * (case.labels[:, None] - case.h)).T @ case.x / case.N


def dpi(case):
    # $$ \frac{\partial L}{\partial \pi_j} = -\frac{1}{N \pi_j} \sum_i p(j \mid x_i,\, \ell_i), \qquad
    #    \sum_j \pi_j\, \frac{\partial L}{\partial \pi_j} = -1 $$
    return mixture.d_loss(case.x, case.labels, case.pi, case.W).dpi


@claim("mixture-weights-gradient", cases=batch)
def dpi_by_complex_step(case, dpi=dpi):
    """Derivative of the definition of the loss by each weight; and the weighted sum."""
    agree(dpi(case), complex_step(lambda pi: case.loss(pi, case.W), case.pi))
    agree(case.pi @ dpi(case), -1.0)


@slip("mixture-weights-gradient")
def responsibilities_alone(case):
    """Forget to divide by the weight."""
    return -(case.joint / case.joint.sum(1, keepdims=True)).mean(0)


@slip("mixture-weights-gradient")
def of_label_1(case):
    """Differentiate as if every label were 1."""
    return -(case.h / case.p[:, None]).mean(0)


def db(case):
    # $$ \pi = \operatorname{softmax}(b), \qquad
    #    \frac{\partial L}{\partial b_j} = \pi_j - \frac1N \sum_i p(j \mid x_i,\, \ell_i) $$
    return case.pi - mixture.responsibilities(case.x, case.labels, case.pi, case.W).mean(0)


@claim("mixture-logits-gradient", cases=batch)
def db_by_complex_step(case, db=db):
    """Derivative of the loss at pi = softmax(b), by each entry of b."""
    agree(db(case), complex_step(lambda b: case.loss(softmax(b), case.W), np.log(case.pi) + 0.7))


@claim("mixture-logits-gradient", cases=batch)
def db_through_the_jacobian(case, db=db):
    """The Jacobian of softmax times the gradient by the weights."""
    jacobian = np.diag(case.pi) - np.outer(case.pi, case.pi)
    agree(db(case), jacobian @ mixture.d_loss(case.x, case.labels, case.pi, case.W).dpi)


@slip("mixture-logits-gradient")
def constraint_forgotten(case):
    """Give the gradient by the weights themselves."""
    return case.pi * 0 - (case.of_label(case.z) / case.joint.sum(1, keepdims=True)).mean(0)


@slip("mixture-logits-gradient")
def sign_of_the_likelihood(case):
    """Exchange the two terms."""
    return (case.joint / case.joint.sum(1, keepdims=True)).mean(0) - case.pi


@claim("mixture-em-step", cases=batch)
def loss_never_rises(case):
    """Twenty steps from the weights of the case; each lowers the loss by the divergence said, or by more."""
    # $$ \pi_j \leftarrow \frac1N \sum_i p(j \mid x_i,\, \ell_i) $$
    pi = case.pi
    for _ in range(20):
        after = mixture.responsibilities(case.x, case.labels, pi, case.W).mean(0)
        fall = mixture.loss(case.x, case.labels, pi, case.W) - mixture.loss(case.x, case.labels, after, case.W)
        at_most((after * np.log(after / pi)).sum(), fall, scale=1.0, tolerance=1e-14)
        at_most(0.0, fall, scale=1.0, tolerance=1e-14)
        pi = after
    first = mixture.loss(case.x, case.labels, case.pi, case.W)
    differ(mixture.loss(case.x, case.labels, pi, case.W), first, by=1e-4)


# --- bad input, rounding, precision, purity --------------------------------------------------------------------------


@claim("mixture-bad-input")
def bad_input():
    """Wrong shapes, dtypes and values, for each argument of each function."""
    x, pi, W = np.arange(12.0).reshape(4, 3) / 7, np.array([0.25, 0.75]), np.arange(6.0).reshape(2, 3) / 5
    labels, rng = np.array([0, 1, 1, 0]), np.random.default_rng(0)
    calls = (
        lambda x=x, pi=pi, W=W: mixture.probability(x, pi, W),
        lambda x=x, pi=pi, W=W: mixture.sample(x, pi, W, rng),
        lambda x=x, pi=pi, W=W: mixture.loss(x, labels, pi, W),
        lambda x=x, pi=pi, W=W: mixture.responsibilities(x, labels, pi, W),
        lambda x=x, pi=pi, W=W: mixture.d_loss(x, labels, pi, W),
    )
    common = (None, "x", 1.0, [[1.0, 2.0], [3.0]])
    nan, inf = x.copy(), x.copy()
    nan[1, 2], inf[1, 2] = np.nan, np.inf
    bad_x = (*common, x[0], x[:0], x[:, :0], x[None], x + 1j, x > 0, x.astype(object), x.astype("f2"), nan, inf)
    bad_pi = (
        *common,
        pi[None],
        pi[:0],
        [0.5, 0.6],
        [-0.5, 1.5],
        [-1e-300, 1.0],
        [np.nan, 1],
        [1 + 1e-6, 0],
        pi.astype(object),
        [True, False],
    )
    bad_W = (*common, W.T, W[0], W[:1], W[None], np.ones((3, 3)), W[:, :2], W * 1j, W * np.nan, W.astype("f2"))
    third = np.array([1 / 3, 2 / 3])
    for call, sign in itertools.product(calls, (1, -1)):
        for off, weights in ((1e-8, third), (3e-4, third.astype(np.float32))):
            call(pi=(weights * (1 + sign * off)).astype(weights.dtype))
            wide = (weights * (1 + sign * 2 * off)).astype(weights.dtype)
            refuses(lambda call=call, wide=wide: call(pi=wide), naming="pi")
    for call in calls:
        for bad in bad_x:
            refuses(lambda call=call, bad=bad: call(x=bad), naming="x")
        for bad in bad_pi:
            refuses(lambda call=call, bad=bad: call(pi=bad), naming="pi")
        for bad in bad_W:
            refuses(lambda call=call, bad=bad: call(W=bad), naming="W")
    bad_labels = (
        [[0, 1], [1]],
        None,
        labels[:3],
        labels[:, None],
        1,
        labels * 1.0,
        labels > 0,
        2 * labels,
        -labels,
        ["0", "1", "1", "0"],
    )
    for call in (mixture.loss, mixture.responsibilities, mixture.d_loss):
        for bad in bad_labels:
            refuses(lambda call=call, bad=bad: call(x, bad, pi, W), naming="labels")
    for bad in (None, 0, np.random.RandomState(0), np.random):
        refuses(lambda bad=bad: mixture.sample(x, pi, W, bad), naming="rng")
    for bad in (0, -1, 2.0, True, None, "3"):
        refuses(lambda bad=bad: mixture.parameter_count(bad, 2), naming="D")
        refuses(lambda bad=bad: mixture.parameter_count(3, bad), naming="K")


@claim("mixture-extreme-input")
def no_overflow():
    """Products beyond the range, of either sign and mixed; a weight of 0; all without a warning."""
    with warnings.catch_warnings(), np.errstate(under="ignore"):
        warnings.simplefilter("error")
        x, W = np.array([[1e200, -1e200]]), np.array([[1e200, 1e200], [1e200, -1e200], [-1e200, 1e200]])
        agree(mixture.probability(x, [0.5, 0.2, 0.3], W), [0.25 + 0.2])  # the logits 0, 2e400 and -2e400
        agree(mixture.responsibilities(x, [0], [0.5, 0.2, 0.3], W), [[0.25 / 0.55, 0, 0.3 / 0.55]])
        agree(mixture.loss([[1e308]], [0], [1.0], [[1.5]]), 1.5e308, tolerance=1e-9)
        agree(mixture.loss([[1e308]] * 3, [0] * 3, [1.0], [[1.79]]), 1.79e308, tolerance=1e-9)
        agree(mixture.d_loss([[1e308]] * 3, [0] * 3, [1.0], [[1.7]]).dW, [[1e308]])
        gradients = mixture.d_loss([[-1000.0]], [1], [1.0, 0.0], [[1.0], [2.0]])
        agree(gradients.dpi, [-1, 0], scale=1.0)
        agree(gradients.dW, [[1000.0], [0.0]])
        agree(mixture.d_loss([[1.0]], [1], [1.0], [[40.0]]).dW, [[-1 / (1 + math.exp(40))]])  # where 1 - p rounds to 0
        # e^710 is beyond the range, its half is not
        one_in_two = mixture.d_loss([[710.0], [0.0]], [1, 1], [1.0, 0.0], [[-1.0], [1.0]])
        agree(one_in_two.dpi[1] / 1e308, -math.exp(710 - math.log(2)) / 1e308)
        for D in range(2, 40):  # sums in which inf and -inf meet, in the order of any library
            x = np.full((1, D), 1e200) * (-1.0) ** np.arange(D)
            z = 1e200 * (-1.0) ** (np.arange(D) // 2 % 2 + np.arange(D))
            agree(mixture.probability(x, [1.0], z[None]), [(np.sign((z * np.sign(x[0])).sum()) + 1) / 2], scale=1.0)
        for unused in (0.0, 5e-324):
            same(str(mixture.d_loss([[1000.0]], [1], [1.0, unused], [[-1.0], [2.0]]).dpi[1]), "-inf")
        largest = np.finfo(float).max
        for N in (1, 2, 3, 49, 55, 98):  # a mean of largest numbers may round to infinity on its way
            beyond = [[1e200]] * N, [0] * N, [0.4, 0.6], [[1e200]] * 2
            agree(mixture.loss(*beyond) / largest, 1.0)
            agree(mixture.responsibilities(*beyond), [[0.4, 0.6]] * N)
        unused = [[1e200]], [0], [0.4, 0.6, 0], [[1e200], [1e200], [-1]]
        agree(mixture.responsibilities(*unused), [[0.4, 0.6, 0]])
        agree(mixture.probability([[1.7e308, -1.7e308]], [1.0], [[1.7e308, 1.7e308]]), [0.5])
        single = np.array([[3e38]], np.float32), [0], np.ones(1, np.float32), np.array([[3e38]], np.float32)
        same(str(mixture.loss(*single)), "inf")
        refuses(lambda: mixture.probability([[1.0]], [largest, largest], [[1.0], [1.0]]), naming="pi")
        more = [1 + 1e-9, 0.0]  # a sum that rounding may leave
        at_most(mixture.probability([[1e3]], more, [[1.0], [1.0]]), [1.0], tolerance=0)
        at_most(0.0, mixture.loss([[1e3]], [1], more, [[1.0], [1.0]]), scale=1.0, tolerance=0)
        at_most(0.0, mixture.loss([[1e3]], [1], [1 / 3] * 3, [[1.0]] * 3), scale=1.0, tolerance=0)
        components, labels = mixture.sample(
            [[1e3, 0]] * 99, [0, 1, 0], [[-9, 9], [9, 9], [-9, 9]], np.random.default_rng(0)
        )
        same(components, np.ones(99, int))
        same(labels, np.ones(99, int))


def everything(case, dtype):
    """All results for a batch, in a precision."""
    x, pi, W = (array.astype(dtype) for array in (case.x, case.pi, case.W))
    gradients = mixture.d_loss(x, case.labels, pi, W)
    results = mixture.probability(x, pi, W), mixture.loss(x, case.labels, pi, W)
    return *results, mixture.responsibilities(x, case.labels, pi, W), gradients.dpi, gradients.dW


@claim("mixture-precision", cases=batch)
def in_single_precision(case):
    """The same numbers in float32 and float64, of which the results are rounded; and parameters in whole numbers."""
    pi = np.round(1024 * case.pi)  # weights that float32 holds exactly, and their sum too
    pi[0] = 1024 - pi[1:].sum()
    held = replace(case, x=case.x.astype(np.float32), pi=pi / 1024, W=case.W.astype(np.float32))
    for low, high in zip(everything(held, np.float32), everything(held, np.float64), strict=True):
        same([str(low.dtype), str(high.dtype)], ["float32", "float64"])
        agree(low, high.astype(np.float32), tolerance=0)
    mixed = mixture.probability(case.x.astype(np.float32), case.pi, case.W.astype(np.float32))
    whole = mixture.probability(case.x.astype(int), [1, 0, 0, 0], case.W.astype(int))
    same([str(mixed.dtype), str(whole.dtype)], ["float64", "float64"])
    agree(whole, sigma(1.0 * (case.x.astype(int) @ case.W[0].astype(int))))


@claim("mixture-pure", cases=batch)
def inputs_unchanged(case):
    """Arrays that cannot be written to, twice: the same bits; and the same draws from the same state."""
    for array in (case.x, case.pi, case.W, case.labels):
        array.setflags(write=False)
    for first, again in zip(everything(case, np.float64), everything(case, np.float64), strict=True):
        agree(first, again, tolerance=0)
    draws = [mixture.sample(case.x, case.pi, case.W, np.random.default_rng(5)) for _ in range(2)]
    same(draws[0][0], draws[1][0])
    same(draws[0][1], draws[1][1])
