"""Mini-batch k-means in PyTorch, with the random numbers of scikit-learn's.

A seed gives the clusters of ``sklearn.cluster.MiniBatchKMeans(clusters, n_init=10)``, but for rows
that rounding puts on the other side of a boundary.

References:
    D. Sculley (2010), *Web-scale k-means clustering*, WWW; D. Arthur and S. Vassilvitskii (2007),
    *k-means++: the advantages of careful seeding*, SODA.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

_STARTS = 10
_EPOCHS = 100  # at most
_PATIENCE = 10  # steps without a lower smoothed inertia, after which the clustering ends
_FEW = 0.01  # of the rows of the largest cluster: a smaller cluster moves to a random row


def mini_batch_k_means(
    rows: Tensor, clusters: int, batch_size: int, seeds: Iterable[int]
) -> Iterator[Tensor]:
    """Clusterings of the same rows, each the best of 10 starts: labels int64 (K,) in [0, C).

    Args:
        rows: (K, D), K >= C; distances are computed in their dtype.
        clusters: C.
        batch_size: rows of a step; three times as many are used by each start.
        seeds: of NumPy's ``RandomState``, one for each clustering.
    """
    count = len(rows)
    rows = rows - rows.mean(0, dtype=torch.float64).to(rows.dtype)  # distances lose fewer digits
    norms = rows.square().sum(1)
    batch_size = min(batch_size, count)
    start_size = min(3 * (batch_size if 3 * batch_size >= clusters else clusters), count)
    for seed in seeds:
        random = np.random.RandomState(seed)

        def subset(random: np.random.RandomState = random) -> tuple[Tensor, Tensor]:
            drawn = torch.from_numpy(random.randint(0, count, start_size)).to(rows.device)
            return rows.index_select(0, drawn), norms[drawn]

        test = subset()
        starts = [
            _spread(*(subset() if start_size < count else (rows, norms)), clusters, random)
            for _ in range(_STARTS)
        ]
        best = min(starts, key=lambda centres: _nearest(*test, centres)[1])
        yield _nearest(rows, norms, _improved(rows, norms, best, batch_size, random))[0]


def _spread(rows: Tensor, norms: Tensor, clusters: int, random: np.random.RandomState) -> Tensor:
    """Greedy k-means++: of a few candidates, drawn by squared distance, the best is a centre."""
    count, trials = len(rows), 2 + int(math.log(clusters))
    chosen = [int(random.choice(count, p=np.full(count, 1 / count)))]
    nearest = _squares(rows, norms, rows[chosen])[0]
    for _ in range(1, clusters):
        total = float(nearest.sum(dtype=torch.float64))
        shares = torch.from_numpy(random.uniform(size=trials) * total).to(rows.device)
        places = torch.searchsorted(nearest.cumsum(0, dtype=torch.float64), shares)
        places.clamp_(max=count - 1)
        following = torch.minimum(_squares(rows, norms, rows[places]), nearest)  # (T, K)
        best = int(following.sum(1).argmin())
        nearest = following[best]
        chosen.append(int(places[best]))
    return rows[chosen]


def _improved(
    rows: Tensor, norms: Tensor, centres: Tensor, batch_size: int, random: np.random.RandomState
) -> Tensor:
    """Centres moved by mini-batches until the smoothed inertia no longer falls."""
    count, clusters = len(rows), len(centres)
    uniform = np.full(count, 1 / count)
    weight = min(2 * batch_size / (count + 1), 1)
    sizes = torch.zeros(clusters, dtype=rows.dtype, device=rows.device)
    smoothed, least, stale, since = 0.0, math.inf, 0, 0
    for step in range(_EPOCHS * count // batch_size):
        drawn = torch.from_numpy(random.choice(count, batch_size, p=uniform)).to(rows.device)
        since += batch_size
        reassigns = bool((sizes == 0).any()) or since >= 10 * clusters
        since = 0 if reassigns else since
        batch = rows.index_select(0, drawn)  # on the processor faster than rows[drawn]
        labels, inertia = _nearest(batch, norms[drawn], centres)
        members = torch.nn.functional.one_hot(labels, clusters).to(rows.dtype)  # (B, C)
        before, sizes = sizes, sizes + members.sum(0)
        moved = (centres * before[:, None] + members.T @ batch) / sizes[:, None].clamp(min=1)
        centres = torch.where((sizes > before)[:, None], moved, centres)
        if reassigns:
            _reassign(centres, sizes, batch, random)
        if step == 0:  # of the start
            continue
        mean = inertia / batch_size
        smoothed = mean if step == 1 else smoothed * (1 - weight) + mean * weight
        stale = 0 if smoothed < least else stale + 1
        least = min(least, smoothed)
        if stale == _PATIENCE:
            break
    return centres


def _reassign(centres: Tensor, sizes: Tensor, batch: Tensor, random: np.random.RandomState) -> None:
    """Move the centres of small clusters to random rows of the batch, in place."""
    small = sizes < _FEW * sizes.max()
    most = len(batch) // 2
    if int(small.sum()) > most:
        # NumPy's order of equal sizes decides, as in scikit-learn.
        largest = sizes.double().cpu().numpy().argsort()[most:]
        small[torch.from_numpy(largest).to(sizes.device)] = False
    number = int(small.sum())
    if number:
        drawn = random.choice(len(batch), replace=False, size=number)
        centres[small] = batch[torch.from_numpy(drawn).to(batch.device)]
        sizes[small] = sizes[~small].min()


def _nearest(rows: Tensor, norms: Tensor, centres: Tensor) -> tuple[Tensor, float]:
    """The nearest centre of each row, int64 (K,), and the sum of squared distances from them."""
    squares, labels = _squares(rows, norms, centres).min(0)
    return labels, float(squares.sum(dtype=torch.float64))


def _squares(rows: Tensor, norms: Tensor, centres: Tensor) -> Tensor:
    """Squared distances of centres and rows, (C, K)."""
    inner = centres @ rows.T  # much faster than rows @ centres.T
    return (norms + centres.square().sum(1, keepdim=True)).sub_(inner, alpha=2).clamp_(min=0)
