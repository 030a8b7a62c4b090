"""Random hyperplane rounding (Section 3.2, Eq. 11, Eq. 12)."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lbae_lib.bits import check_latents
from lbae_lib.latent.correlation import Method, Repair, gram_matrix, repair
from lbae_lib.latent.draws import draw_normals
from lbae_lib.latent.moments import Moments

_CHUNK = 512  # hyperplanes at a time, so that their products need little memory


@dataclass(frozen=True)
class HyperplaneSampler:
    """Draws bits: the sides of a random hyperplane on which unit vectors lie (Eq. 11).

    Attributes:
        vectors: V of Eq. 10, unit rows, float64 (N+1, R). The last row is the boundary vector,
            whose side of the hyperplane is the positive one.
    """

    vectors: Tensor

    @property
    def latent_size(self) -> int:
        """N."""
        return len(self.vectors) - 1

    @cached_property
    def gram(self) -> Tensor:
        """V Vᵀ in single precision, (N+1, N+1): computed once, for inversions."""
        single = self.vectors.float()
        return single @ single.T

    def checked(self, latents: Tensor) -> Tensor:
        """Latents (K, N) in {-1, +1}, in the dtype and on the device of V.

        Raises:
            ValueError: if they have other values or a different number of bits.
        """
        check_latents(latents, empty=True, size=self.latent_size)
        return latents.to(self.vectors)

    def normals(self, count: int, generator: torch.Generator) -> Tensor:
        """Hyperplane normals r ~ N(0, I), (count, R), of the dtype of V."""
        return draw_normals((count, self.vectors.shape[1]), generator, self.vectors)

    def bits(self, normals: Tensor, boundary: bool = True) -> Tensor:
        """The bits of hyperplanes (Eq. 11): b = f_r(r) = f_b(V r) f_b(V_{N+1} r) (Eq. 12).

        Args:
            normals: r, (..., R), of any length but zero.
            boundary: whether the boundary vector's side is the positive one, as in Eq. 12. If
                not, b = f_b(V r): the raw signs, which the authors' code takes along a path.

        Returns:
            float32 (..., N) in {-1, +1}.
        """
        return self.bits_of_products(normals.to(self.vectors) @ self.vectors.T, boundary)

    @staticmethod
    def bits_of_products(products: Tensor, boundary: bool = True) -> Tensor:
        """:meth:`bits` from the products V r: (..., N+1) to float32 (..., N)."""
        products = products + 0.0  # turns -0 into 0, which is on the positive side (Eq. 1)
        agree = products[..., :-1] * products[..., -1:] if boundary else products[..., :-1]
        return torch.copysign(torch.ones((), device=agree.device), agree).float()

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N) in {-1, +1}.

        Products are taken in single precision, which changes less than one bit in a million.
        """
        result = torch.empty(count, self.latent_size, device=self.vectors.device)
        single = HyperplaneSampler(self.vectors.float())
        for rows in result.split(_CHUNK):
            rows.copy_(single.bits(single.normals(len(rows), generator)))
        return result


def hyperplane_sampler(
    target: Moments, method: Method = "nearest"
) -> tuple[HyperplaneSampler, Repair]:
    """The sampler for given moments (Eq. 4 to Eq. 10), and the repair that its Gram matrix needed.

    The repair is "clip" (the authors') or "nearest" (the nearest correlation matrix); errors are
    those of :func:`lbae_lib.latent.correlation.repair`.
    """
    repaired = repair(gram_matrix(target.matrix), method)
    return HyperplaneSampler(repaired.vectors()), repaired
