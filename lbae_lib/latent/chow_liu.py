"""Mutual information of pairs of bits, and the Chow-Liu tree.

C. K. Chow and C. N. Liu (1968), *Approximating discrete probability distributions with dependence
trees*, IEEE Transactions on Information Theory 14, 462-467.
"""

import math

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.latent.moments import Moments


def mutual_information(truth: Moments) -> Tensor:
    """Mutual information in bits of each pair of bits: float64 (N, N) in [0, 1], zero diagonal.

    The pair (i, j) takes the values (s, t) with the probability
    (1 + s E[b_i] + t E[b_j] + s t E[b_i b_j]) / 4.
    """
    first, second = truth.first, truth.second
    joint_entropy = torch.zeros_like(second)
    for s in (1, -1):
        for t in (1, -1):
            p = ((1 + s * first[:, None] + t * first + s * t * second) / 4).clamp(min=0)
            joint_entropy -= torch.special.xlogy(p, p) / math.log(2)
    single = joint_entropy.diagonal()  # of a bit with itself
    return (single[:, None] + single - joint_entropy).clamp(min=0).fill_diagonal_(0)


def chow_liu_tree(truth: Moments) -> tuple[Tensor, Tensor]:
    """The tree of largest total mutual information, by Prim's algorithm from its root.

    The root is the bit with the largest total mutual information. The tree is grown on the
    processor, so that it is the same on every device.

    Returns:
        The bits in the order in which they join, int64 (N,); and each bit's parent, int64 (N,),
        which is -1 for the root. A bit comes after its parent, the earlier bit that it has the
        largest mutual information with.
    """
    information = mutual_information(Moments(truth.matrix.cpu(), truth.count))
    root = int(information.sum(1).argmax())
    order = [root]
    nearest = torch.full_like(information[0], root, dtype=torch.int64)  # bit of the tree
    parents = torch.full_like(nearest, -1)
    outside = torch.ones_like(nearest, dtype=torch.bool)
    outside[root] = False
    best = information[root].clone()  # mutual information with that bit
    for _ in range(len(information) - 1):
        joined = int(torch.where(outside, best, -1.0).argmax())
        order.append(joined)
        parents[joined] = nearest[joined]
        outside[joined] = False
        closer = information[joined] > best
        nearest[closer] = joined
        best = torch.maximum(best, information[joined])
    return torch.tensor(order, device=parents.device), parents


def tree_code_length(truth: Moments, bits: Tensor) -> float:
    """Mean length of the ideal codes of latents under the Chow-Liu tree, in bits per latent.

    The tree is fitted to latents with the moments ``truth``. Each count of a pair of values gets
    half an observation more (Krichevsky and Trofimov), so that values which never occurred have a
    positive probability.

    Raises:
        ValueError: unless ``bits`` are (K, N) in {-1, +1} with K >= 1 and the N of ``truth``.
    """
    check_latents(bits, size=len(truth.first))
    order, parents = chow_liu_tree(truth)
    root, children = order[0], order[1:]
    first, second = truth.first, truth.second
    root_probability = (1 + bits[:, root] * first[root]) / 2  # (K,)
    lengths = -_log_ratio(root_probability, torch.ones_like(root_probability), truth.count)
    own, given = bits[:, children], bits[:, parents[children]]  # (K, N-1)
    parent = (1 + given * first[parents[children]]) / 2
    both = first[children] * own + first[parents[children]] * given
    joint = (1 + both + own * given * second[children, parents[children]]) / 4
    return float((lengths - _log_ratio(joint, parent, truth.count).sum(1)).mean())


def _log_ratio(joint: Tensor, parent: Tensor, count: int) -> Tensor:
    """log2(joint / parent), from counts with half an observation more in each case."""
    cases = (joint.double() * count).round() + 0.5
    total = (parent.double() * count).round() + 1.0
    return (cases / total).log2()
