"""Random hyperplane rounding (Section 3.2, Eqs. 11-12)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.latent.correlation import Method, Repair, factor, gram_matrix, repair
from lbae_lib.latent.moments import Moments

_CHUNK = 2048  # hyperplanes at a time, so that their products need little memory


@dataclass(frozen=True)
class HyperplaneSampler:
    """Bits from the sides on which unit vectors fall of a random hyperplane.

    Attributes:
        vectors: V, unit rows, float64 (N+1, R); the last row is the boundary vector, whose
            side of the hyperplane is the positive one.
    """

    vectors: Tensor

    @property
    def latent_size(self) -> int:
        """N."""
        return len(self.vectors) - 1

    def normals(self, count: int, generator: torch.Generator) -> Tensor:
        """Hyperplane normals r ~ N(0, I), float64 (count, R)."""
        return torch.randn(
            count,
            self.vectors.shape[1],
            generator=generator,
            dtype=self.vectors.dtype,
            device=self.vectors.device,
        )

    def bits(self, normals: Tensor) -> Tensor:
        """The bits of hyperplanes, b = f_b(V r) f_b(V_{N+1} r) (Eq. 12).

        Args:
            normals: (..., R).

        Returns:
            float32 (..., N) in {-1, +1}.
        """
        return self.bits_of_products(normals.to(self.vectors) @ self.vectors.T)

    @staticmethod
    def bits_of_products(products: Tensor) -> Tensor:
        """The same from V r: (..., N+1) to float32 (..., N)."""
        positive = products >= 0
        return torch.where(positive[..., :-1] == positive[..., -1:], 1.0, -1.0)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}."""
        result = torch.empty(count, self.latent_size, device=self.vectors.device)
        for rows in result.split(_CHUNK):
            rows.copy_(self.bits(self.normals(len(rows), generator)))
        return result


def hyperplane_sampler(
    target: Moments, method: Method = "nearest", rank: int | None = None
) -> tuple[HyperplaneSampler, Repair]:
    """The sampler for given moments, and the repair its Gram matrix needed.

    Args:
        target: moments to reproduce.
        method: "clip" (the authors') or "nearest" (nearest correlation matrix).
        rank: see :func:`lbae_lib.latent.correlation.factor`.
    """
    repaired = repair(gram_matrix(target.matrix), method)
    return HyperplaneSampler(factor(repaired.matrix, rank)), repaired
