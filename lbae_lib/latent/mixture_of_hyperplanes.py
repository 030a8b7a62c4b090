"""A mixture of hyperplane samplers: moments of each class or cluster of latents by themselves.

One sampler has the moments of all latents, and its samples mix the classes within an image. A
sample of a mixture has those of one component, in closed form as in Section 3.2. Sampling from one
component alone conditions on its class, without training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.errors import extra
from lbae_lib.latent.correlation import Method
from lbae_lib.latent.draws import draw_categories
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.moments import moments


@dataclass(frozen=True)
class MixtureOfHyperplanes:
    """Draws a component with the probabilities ``weights``, (C,), then bits from it (Eq. 11)."""

    weights: Tensor
    components: tuple[HyperplaneSampler, ...]

    @classmethod
    def fit(
        cls, latents: Tensor, labels: Tensor, method: Method = "nearest"
    ) -> MixtureOfHyperplanes:
        """One component for each label, weighted by its share of the latents.

        Labels are int64 (K,) in [0, C); :func:`clusters` makes them for latents without classes.
        ``method`` is that of :func:`lbae_lib.latent.hyperplane.hyperplane_sampler`.

        Raises:
            ValueError: if the numbers of latents and labels differ, or a label has no latents.
            RuntimeError: if the repair does not converge.

        Example:
            >>> latents = torch.tensor([[1.0, 1.0], [1.0, 1.0], [-1.0, 1.0]])
            >>> mixture = MixtureOfHyperplanes.fit(latents, torch.tensor([0, 0, 1]))
            >>> mixture.components[1].sample(2, torch.Generator().manual_seed(0)).tolist()
            [[-1.0, 1.0], [-1.0, 1.0]]
        """
        if len(labels) != len(latents):
            raise ValueError(f"{len(labels)} labels for {len(latents)} latents: give one for each")
        if bool((labels < 0).any()):
            raise ValueError("a label is below 0: number labels from 0")
        counts = torch.bincount(labels.cpu())
        empty = torch.nonzero(counts == 0).flatten().tolist()
        if empty:
            raise ValueError(f"labels {empty} have no latents: number labels without gaps")
        labels = labels.to(latents.device)
        components = tuple(
            hyperplane_sampler(moments(latents[labels == label]), method)[0]
            for label in range(len(counts))
        )
        return cls(counts.double() / len(labels), components)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}, in random order of the components."""
        vectors = self.components[0].vectors
        chosen = draw_categories(self.weights, count, generator).to(vectors.device)
        result = torch.empty(count, len(vectors) - 1, device=vectors.device)
        for label, component in enumerate(self.components):
            rows = torch.nonzero(chosen == label)[:, 0]
            result[rows] = component.sample(len(rows), generator)
        return result


def clusters(latents: Tensor, count: int, seed: int = 0) -> Tensor:
    """Labels of latents without classes, by k-means (scikit-learn): int64 (K,) in [0, C).

    Labels have no gaps. There are fewer than ``count`` clusters if fewer latents differ. The seed
    is that of the starting clusters.

    Raises:
        LbaeError: if scikit-learn is not installed.
    """
    with extra("metrics", "scikit-learn", "k-means"):
        from sklearn.cluster import KMeans

    rows = latents.cpu().float()
    count = min(count, len(rows.unique(dim=0)))
    found = KMeans(count, n_init=1, random_state=seed).fit_predict(rows.numpy())
    return torch.from_numpy(found).long().unique(return_inverse=True)[1].to(latents.device)
