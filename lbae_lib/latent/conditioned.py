"""Latents with given classes or attributes, from the moments of latents and attributes together.

The attributes A of the training images are written as bits and appended to the latents. The moments
(Eq. 4) of the joined bits [Y, A] give unit vectors for latent bits, attribute bits and the boundary
(Eqs. 9, 10), V = [V_Y; W] with W = [V_A; V_{N+1}]. A hyperplane with normal r ~ N(0, I) has the
attributes a, and the boundary vector on its positive side, if x = W r lies in the orthant of
[a, 1]. So latents given a are drawn in three steps:

    x ~ N(0, W Wᵀ)  given that x has the signs [a, 1]
    r = W⁺ x + (I - W⁺ W) z,  z ~ N(0, I)
    b = f_b(V_Y r)

The first is a truncated Gaussian with one number for each attribute and one for the boundary, drawn
by Gibbs sampling. The second is exact: the part of r outside the row space of W does not depend on
x. Nothing is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from lbae_lib.bits import check_latents
from lbae_lib.latent.correlation import Method
from lbae_lib.latent.draws import draw_integers
from lbae_lib.latent.hyperplane import HyperplaneSampler, hyperplane_sampler
from lbae_lib.latent.inversion import full_rank
from lbae_lib.latent.moments import moments
from lbae_lib.latent.truncated_gaussian import truncated_gaussian

_CHUNK = 4096  # hyperplanes at a time
_SWEEPS = 50  # of Gibbs sampling, which starts from the sizes of unconditioned products


@dataclass(frozen=True)
class ConditionedSampler:
    """Draws latents given attributes, or with the attributes of random training images.

    Attributes:
        joined: hyperplane sampler of the joined bits [Y, A]. The rows of attributes and boundary
            must be linearly independent.
        attributes: A of the training images, (K, A) in {-1, +1}.
    """

    joined: HyperplaneSampler
    attributes: Tensor

    @classmethod
    def fit(
        cls, latents: Tensor, attributes: Tensor, method: Method = "nearest"
    ) -> ConditionedSampler:
        """From the moments of latents and attributes together, blended by ``full_rank``.

        Args:
            latents: Y, (K, N) in {-1, +1}.
            attributes: A of the same images, (K, A) in {-1, +1}. Classes are attributes of which
                each image has exactly one.
            method: see :func:`lbae_lib.latent.hyperplane.hyperplane_sampler`.

        Raises:
            ValueError: if the numbers of rows differ, or an entry is not -1 or +1.
            RuntimeError: if the repair does not converge.
        """
        if len(attributes) != len(latents):
            raise ValueError(
                f"{len(attributes)} rows of attributes for {len(latents)} latents: give one each"
            )
        check_latents(attributes, "attributes")
        attributes = attributes.to(latents)
        sampler, _ = hyperplane_sampler(moments(torch.cat([latents, attributes], 1)), method)
        return cls(full_rank(sampler), attributes)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float32 (count, N), each given attributes of a random training image."""
        rows = draw_integers(len(self.attributes), count, generator, self.attributes.device)
        return self.sample_given(self.attributes[rows], generator)

    def sample_given(self, attributes: Tensor, generator: torch.Generator) -> Tensor:
        """A random latent, float32 (K, N), for each row of attributes a, (K, A) in {-1, +1}.

        Raises:
            ValueError: if attributes are not bits, or their number is not that of the fit.
        """
        parts = attributes.split(_CHUNK)
        return torch.cat([self.joined_bits(part, generator)[:, : self._side] for part in parts])

    def joined_bits(self, attributes: Tensor, generator: torch.Generator) -> Tensor:
        """Latents and the given attributes (K, A) together, [Y, A]: float32 (K, N+A)."""
        check_latents(attributes, "attributes", empty=True, size=self.attributes.shape[1])
        normals = self.joined.normals(len(attributes), generator)
        rows = self.joined.vectors[self._side :]  # W, (A+1, R)
        products = normals @ rows.T  # W z
        start = pad(attributes.to(rows), (0, 1), value=1.0) * products.abs()
        precision = torch.cholesky_inverse(torch.linalg.cholesky(rows @ rows.T))
        wanted = truncated_gaussian(start, precision, _SWEEPS, generator)  # x
        # W⁺ = Wᵀ (W Wᵀ)⁻¹
        return self.joined.bits(normals + (wanted - products) @ precision @ rows)

    @property
    def _side(self) -> int:
        """N, where the rows of the attributes begin."""
        return self.joined.latent_size - self.attributes.shape[1]
