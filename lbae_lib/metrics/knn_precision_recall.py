"""k-NN precision and recall: which images lie in the other set's k-nearest-neighbour balls.

Each image has a ball around its features that reaches to its k-th nearest neighbour of the same
set. The balls of a set cover its manifold; a generator that copies a few images is precise but
recalls little. torch-fidelity had precision and recall swapped before 0.4 (its issue 58).

Reference:
    Kynkäänniemi et al. (2019), *Improved precision and recall metric for assessing generative
    models*.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.metrics.checks import checked, checked_pair

_CHUNK = 1000  # rows of the distances' matrix at a time


@dataclass(frozen=True)
class ManifoldPrecisionRecall:
    """Shares of images: generated in the reference's balls (precision), and vice versa (recall)."""

    precision: float
    recall: float


def manifold_precision_recall(
    reference: Tensor,
    generated: Tensor,
    neighbours: int = 3,
    reference_radii: Tensor | None = None,
) -> ManifoldPrecisionRecall:
    """k-NN precision and recall of generated images, in one pass over the distances.

    Args:
        reference: features (K, D).
        generated: features (L, D).
        neighbours: k.
        reference_radii: float64 (K,) if known, from :func:`neighbour_radii` with the same k.

    Raises:
        ValueError: as :func:`.checks.checked`.
    """
    reference, generated = checked_pair(reference, generated, at_least=neighbours + 1)
    if reference_radii is None:
        reference_radii = neighbour_radii(reference, neighbours)
    generated_radii = neighbour_radii(generated, neighbours)
    precise = torch.zeros(len(generated), dtype=torch.bool, device=generated.device)
    recalled = []
    for rows, radii in zip(reference.split(_CHUNK), reference_radii.split(_CHUNK), strict=True):
        distances = torch.cdist(rows, generated)  # (chunk, L)
        # Precision: the balls are the reference's, the images in them are generated.
        precise |= (distances <= radii[:, None]).any(0)
        # Recall: the balls are the generated images', the images in them are the reference's.
        recalled.append((distances <= generated_radii).any(1))
    recall = torch.cat(recalled).double().mean()
    return ManifoldPrecisionRecall(float(precise.double().mean()), float(recall))


def neighbour_radii(features: Tensor, neighbours: int = 3) -> Tensor:
    """Distance of each image, features (K, D), from its k-th nearest neighbour: float64 (K,).

    Raises:
        ValueError: as :func:`.checks.checked`.
    """
    centres = checked(features, "given", neighbours + 1)
    # The nearest row is the image itself. topk is much faster than kthvalue.
    nearest = [
        torch.cdist(rows, centres).topk(neighbours + 1, dim=1, largest=False).values[:, -1]
        for rows in centres.split(_CHUNK)
    ]
    return torch.cat(nearest)
