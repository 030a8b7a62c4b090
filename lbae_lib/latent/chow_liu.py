"""How bits depend on each other in pairs: entropy, mutual information, the Chow-Liu tree."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lbae_lib.latent.moments import Moments


def binary_entropy(probability: Tensor) -> Tensor:
    """Entropy in bits of events with these probabilities."""
    both = torch.stack([probability, 1 - probability])
    return -torch.special.xlogy(both, both).sum(0) / math.log(2)


def mutual_information(truth: Moments) -> Tensor:
    """Mutual information of each pair of bits, in bits, float64 (N, N) with a zero diagonal.

    Args:
        truth: moments; a pair's four probabilities are (1 + s E[b_i] + t E[b_j] + s t E[b_i b_j])/4
            for the signs s, t.
    """
    first, second = truth.first, truth.second
    joint = torch.zeros_like(second)
    for s in (1, -1):
        for t in (1, -1):
            share = ((1 + s * first[:, None] + t * first + s * t * second) / 4).clamp(min=0)
            joint -= torch.special.xlogy(share, share) / math.log(2)
    single = binary_entropy((1 + first) / 2)
    return (single[:, None] + single - joint).clamp(min=0).fill_diagonal_(0)


def chow_liu_tree(truth: Moments) -> tuple[Tensor, Tensor]:
    """The tree of largest total mutual information, grown from its best connected bit (Prim).

    Args:
        truth: moments.

    Returns:
        Bits in the order in which they join, int64 (N,); and each bit's parent, -1 for the root,
        int64 (N,). A bit comes after its parent, next to what it depends on most.

    Reference:
        C. K. Chow and C. N. Liu (1968), *Approximating discrete probability distributions with
        dependence trees*, IEEE Transactions on Information Theory 14, 462-467.
    """
    information = mutual_information(truth)
    size = len(information)
    root = int(information.sum(1).argmax())
    parents = torch.full((size,), -1, dtype=torch.int64)
    order = [root]
    outside = torch.ones(size, dtype=torch.bool)
    outside[root] = False
    nearest = torch.full((size,), root)
    best = information[root].clone()
    for _ in range(size - 1):
        joined = int(torch.where(outside, best, -1.0).argmax())
        order.append(joined)
        parents[joined] = nearest[joined]
        outside[joined] = False
        closer = information[joined] > best
        nearest[closer] = joined
        best = torch.maximum(best, information[joined])
    return torch.tensor(order), parents


def tree_code_length(truth: Moments, bits: Tensor) -> float:
    """Mean length in bits of latents' ideal codes under the Chow-Liu tree.

    Args:
        truth: moments of the latents it is fitted to; a case never seen still has the chance of
            half an observation (Krichevsky and Trofimov).
        bits: latents to code, (K, N) in {-1, +1}.
    """
    order, parents = chow_liu_tree(truth)
    root, children = order[0], order[1:]
    first, second = truth.first, truth.second
    lengths = -_log_share((1 + bits[:, root] * first[root]) / 2, 1.0, truth.count)
    own, given = bits[:, children], bits[:, parents[children]]
    parent = (1 + given * first[parents[children]]) / 2
    both = first[children] * own + first[parents[children]] * given
    joint = (1 + both + own * given * second[children, parents[children]]) / 4
    return float((lengths - _log_share(joint, parent, truth.count).sum(1)).mean())


def _log_share(joint: Tensor, parent: Tensor | float, count: int) -> Tensor:
    """Base-2 logarithm of joint / parent, from counts with half an observation in each case."""
    cases = (joint.double() * count).round() + 0.5
    total = (torch.as_tensor(parent, dtype=torch.float64) * count).round() + 1.0
    return (cases / total).log2()
