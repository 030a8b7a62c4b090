"""k-NN precision and recall: which images lie in the other set's k-nearest-neighbour balls.

Each image has a ball around its features that reaches to its k-th nearest neighbour of the same
set. The balls of a set cover its manifold; a generator that copies a few images is precise but
recalls little. torch-fidelity had precision and recall swapped before 0.4 (its issue 58).

Reference:
    Kynkäänniemi et al. (2019), *Improved precision and recall metric for assessing generative
    models*.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.metrics.checks import checked, checked_pair


@dataclass(frozen=True)
class ManifoldPrecisionRecall:
    """Shares of images: generated in the reference's balls (precision), and vice versa (recall)."""

    precision: float
    recall: float


def manifold_precision_recall(
    reference: Tensor,
    generated: Tensor,
    neighbours: int = 3,
    chunk: int = 1000,
    reference_radii: Tensor | None = None,
) -> ManifoldPrecisionRecall:
    """k-NN precision and recall of generated images, in one pass over the distances.

    Args:
        reference: features (K, D).
        generated: features (L, D).
        neighbours: k.
        chunk: rows at a time; memory is chunk × max(K, L) numbers.
        reference_radii: float64 (K,) if known, from :func:`neighbour_radii` with the same k.

    Raises:
        ValueError: as :func:`.checks.checked`.
    """
    reference, generated = checked_pair(reference, generated, at_least=neighbours + 1)
    if reference_radii is None:
        reference_radii = neighbour_radii(reference, neighbours, chunk)
    generated_radii = neighbour_radii(generated, neighbours, chunk)
    precise = torch.zeros(len(generated), dtype=torch.bool, device=generated.device)
    recalled = []
    for rows, radii in zip(reference.split(chunk), reference_radii.split(chunk), strict=True):
        distances = torch.cdist(rows, generated)  # (chunk, L)
        # Precision: the balls are the reference's, the images in them are generated.
        precise |= (distances <= radii[:, None]).any(0)
        # Recall: the balls are the generated images', the images in them are the reference's.
        recalled.append((distances <= generated_radii).any(1))
    recall = torch.cat(recalled).double().mean()
    return ManifoldPrecisionRecall(float(precise.double().mean()), float(recall))


def neighbour_radii(features: Tensor, neighbours: int = 3, chunk: int = 1000) -> Tensor:
    """Distance of each image from its k-th nearest neighbour in the same set, float64 (K,).

    ``features`` are (K, D); memory is chunk × K numbers. Raises ``ValueError`` as
    :func:`.checks.checked`.
    """
    centres = checked(features, "given", neighbours + 1)
    # The nearest row is the image itself. topk is much faster than kthvalue.
    nearest = [
        torch.cdist(rows, centres).topk(neighbours + 1, dim=1, largest=False).values[:, -1]
        for rows in centres.split(chunk)
    ]
    return torch.cat(nearest)
