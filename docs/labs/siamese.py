# %% [markdown]
# # Verification of digits
#
# Two images: is it the same digit? A siamese network answers by a distance. Here its two dense layers are trained on
# the handwritten digits of scikit-learn, with the formulas of the chapter alone: `dlnotes.siamese`, and NumPy.
#
# **What is compared.** The distance $d$ between the outputs, against the same distance between the raw pixels.
#
# **The splits.** The 1797 images are shuffled once, with a fixed seed.
#
# - The digits 0 to 7: one half of the images to train on, a quarter to choose thresholds on, a quarter to test on.
# - The digits 8 and 9: no image of them is trained on, and no threshold is chosen on them. They are a second test.
#
# **The threshold.** A pair is called *same* if its distance is below a number. That number is chosen on the validation
# pairs, for the network and for the pixels separately, as the one with the most right answers there. The test pairs have
# no part in that choice.
#
# Half of all pairs, in each split, are of one class: guessing is right half of the time.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from dlnotes import siamese

rng = np.random.default_rng(0)
digits = load_digits()
x, labels = digits.data / 16, digits.target  # (1797, 64), from 0 to 1

order = rng.permutation(len(x))
known, unseen = order[labels[order] < 8], order[labels[order] >= 8]
train, validation, test = np.split(known, [len(known) // 2, 3 * len(known) // 4])
assert len({*train, *validation, *test}) == len(known)
print(
    len(train),
    "images to train on,",
    len(validation),
    "to choose on,",
    len(test),
    "to test on,",
    len(unseen),
    "of unseen digits",
)


# %% [markdown]
# ## Pairs
#
# Half of the pairs are of one class (label 0), half of two (label 1).


# %%
def draw_pairs(images, count):
    """`count` pairs of different images, half of them of one class: two lists of indices, and labels."""
    i, j = rng.choice(images, (2, 40 * count))
    i, j = i[i != j], j[i != j]
    different = labels[i] != labels[j]
    chosen = np.concatenate([np.flatnonzero(different == kind)[: count // 2] for kind in (False, True)])
    assert len(chosen) == count
    return i[chosen], j[chosen], different[chosen].astype(int)


# %% [markdown]
# ## Training
#
# Layer 5 has 64 PReLU units, layer 6 has 8 outputs. Stochastic gradient descent: 1500 steps, each on 256
# pairs drawn at random from 8000.


# %%
def dense(units, inputs):
    """Weights for ReLU-like units, after He."""
    return rng.normal(size=(units, inputs)) * np.sqrt(2 / inputs)


centre = x[train].mean(0)
features = x - centre
params = siamese.Parameters(
    W5=dense(64, 64) / 2, b5=np.zeros(64), slope=np.full(64, 0.25), W6=dense(8, 64) / 2, b6=np.zeros(8)
)
pool = draw_pairs(train, 8000)
losses = []
for _ in range(1500):
    batch = rng.integers(len(pool[0]), size=256)
    i, j, different = (part[batch] for part in pool)
    h, h_tilde, saved = siamese.forward(params, features[i], features[j])
    losses.append(siamese.loss(h, h_tilde, different))
    dparams = siamese.backward(*siamese.d_loss(h, h_tilde, different), saved).dparams
    params = siamese.descend(params, dparams, 0.2)

print(f"loss: {np.mean(losses[:20]):.3f} over the first 20 steps, {np.mean(losses[-100:]):.3f} over the last 100")
assert np.mean(losses[-100:]) < 0.05 < np.mean(losses[:20])


# %% [markdown]
# ## Verification


# %%
def embed(features):
    """The outputs of layer 6."""
    return siamese.forward(params, features, features)[0]


def best_threshold(distances, different):
    """The threshold with the most right answers, halfway between two distances."""
    order = np.argsort(distances)
    right = np.cumsum(different[order] == 0) + (different == 1).sum() - np.cumsum(different[order] == 1)
    k = right[:-1].argmax()
    return distances[order][k : k + 2].mean()


def accuracy(distances, different, threshold):
    """The share of right answers."""
    return ((distances >= threshold) == different).mean()


outputs = embed(features)
chosen_on = draw_pairs(validation, 2000)
splits = {"test, digits 0 to 7": draw_pairs(test, 2000), "digits 8 and 9, never seen": draw_pairs(unseen, 2000)}
found = {}
for name, space in {"raw pixels": x, "network": outputs}.items():
    i, j, different = chosen_on
    threshold = best_threshold(siamese.distance(space[i], space[j]), different)
    for split, (i, j, different) in splits.items():
        found[name, split] = accuracy(siamese.distance(space[i], space[j]), different, threshold)
        print(f"{name:12s} {split:28s} right: {found[name, split]:.1%}   (threshold {threshold:.2f})")

# %% [markdown]
# On pairs of digits that it was trained on, the network is far better than the pixels. On the two digits that it
# never saw, it is worse than the pixels: nothing in its training asked it to tell an 8 from a 9. A distance learnt on
# eight classes need not serve new ones.

# %%
seen, new = splits
assert found["network", seen] > 0.95
assert found["network", seen] > found["raw pixels", seen] + 0.1
assert found["network", new] < found["raw pixels", new]

# %% [markdown]
# ## What the outputs look like
#
# The eight outputs of the test images, on the two directions in which they vary most; and the loss. Two directions
# do not show all: the clusters of 1 and 7 lie on one another there.

# %% alt="Left: the test images in the plane of largest variance, a cluster for each digit; those of 1 and 7 overlap. Right: the loss falls from about 0.5 to about 0.02, fast at first."
shown = outputs[test] - outputs[test].mean(0)
_, _, directions = np.linalg.svd(shown, full_matrices=False)
plane = shown @ directions[:2].T

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
for digit in range(8):
    left.scatter(*plane[labels[test] == digit].T, s=10, label=str(digit))
left.legend(ncols=8, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.12), columnspacing=0.8, handletextpad=0.1)
left.set_title("test images, digits 0 to 7")
left.set_aspect("equal")
right.semilogy(losses, linewidth=0.6)
right.set_xlabel("step")
right.set_ylabel("loss of the batch")
plt.show()

# %% [markdown]
# ## The margin
#
# Within a class the distances are small. Across classes most lie beyond $d = 1$, where the loss stops pushing, and they
# spread widely there.

# %% alt="Histogram of the distances of test pairs: those of one class lie near 0. Most of those of two classes lie beyond the margin at 1, spread out to about 11."
i, j, different = splits[seen]
d = siamese.distance(outputs[i], outputs[j])
print(f"median distance: {np.median(d[different == 0]):.3f} within a class, {np.median(d[different == 1]):.2f} across")
print(
    f"beyond the margin: {(d[different == 0] > 1).mean():.1%} within a class, {(d[different == 1] > 1).mean():.1%} across"
)
assert np.median(d[different == 0]) < 0.1
assert (d[different == 1] > 1).mean() > 0.8
assert d.max() < 12

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
bins = np.linspace(0, 12, 121)
ax.hist(d[different == 0], bins, alpha=0.6, label="one class")
ax.hist(d[different == 1], bins, alpha=0.6, label="two classes")
ax.axvline(1, color="black", linewidth=1, linestyle="--")
ax.set_xlabel("distance $d$ of a test pair")
ax.legend()
plt.show()
