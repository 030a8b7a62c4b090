"""Gaussians and mixtures fitted to latents after training: baselines of Tables 1, 4 and 5.

They draw real latents; :class:`SignedSampler` rounds these to bits.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lbae_lib.bits import signs
from lbae_lib.errors import extra
from lbae_lib.latent.draws import draw_categories, draw_normals, draw_permutation
from lbae_lib.latent.sampler import Sampler

Covariance = Literal["full", "diag"]

# With fewer latents for each component and dimension, a full covariance would describe noise.
_LATENTS_PER_DIMENSION = 2
_AT_MOST = 20_000  # latents in a fit, chosen at random
_FLOOR = 1e-3  # added to every variance, because a bit may be constant within a component


@dataclass(frozen=True)
class Gaussian:
    """N(μ, Σ), where ``mean`` is μ, (N,), and ``root`` is L with L Lᵀ = Σ, (N, R)."""

    mean: Tensor
    root: Tensor

    @classmethod
    def standard(cls, latent_size: int, device: torch.device | str = "cpu") -> Gaussian:
        """N(0, I), the prior that a VAE is trained with."""
        identity = torch.eye(latent_size, dtype=torch.float64, device=device)
        return cls(torch.zeros_like(identity[0]), identity)

    @classmethod
    def with_covariance(cls, mean: Tensor, covariance: Tensor) -> Gaussian:
        """N(μ, Σ) from μ, (N,), and Σ, (N, N); negative eigenvalues of Σ count as zero."""
        values, basis = torch.linalg.eigh(covariance)
        return cls(mean, basis * values.clamp(min=0).sqrt())

    @classmethod
    def aggregate_posterior(cls, mean: Tensor, log_variance: Tensor) -> Gaussian:
        """The Gaussian with the moments of a VAE's posteriors, averaged over images.

        Its covariance is the covariance of the posterior means plus the mean posterior variance.
        Means and log-variances are (K, N).
        """
        covariance = torch.cov(mean.double().T, correction=0)
        covariance = covariance + log_variance.double().exp().mean(0).diag()
        return cls.with_covariance(mean.double().mean(0), covariance)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents μ + L z with z ~ N(0, I), (count, N), of the dtype of L."""
        noise = draw_normals((count, self.root.shape[1]), generator, self.root)
        return noise @ self.root.T + self.mean


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of Gaussians, fitted by expectation-maximisation (scikit-learn).

    Attributes:
        weights: float64 (components,), with sum 1.
        means: float64 (components, N).
        roots: L with L Lᵀ the covariance, float64 (components, N, N).
        covariance: "full" or "diag".
        latents: number of latents in the fit.
        converged: whether the likelihood had converged when the fit ended.
    """

    weights: Tensor
    means: Tensor
    roots: Tensor
    covariance: Covariance
    latents: int
    converged: bool

    @classmethod
    def fit(cls, latents: Tensor, components: int = 10, seed: int = 0) -> GaussianMixture:
        """Fit to latents: full covariances if there are enough latents for them, else diagonal.

        The fit runs on the processor; the mixture is then moved to the device of the latents.

        Args:
            latents: (K, N), of which at most 20,000 are used.
            components: number of Gaussians.
            seed: of the choice of latents and of the starting clusters.

        Raises:
            ValueError: if there are fewer latents than components.
            LbaeError: if scikit-learn is not installed.
        """
        with extra("metrics", "scikit-learn", "Gaussian mixtures"):
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.mixture import GaussianMixture as Mixture

        shuffled = draw_permutation(len(latents), torch.Generator().manual_seed(seed), "cpu")
        used = latents.cpu()[shuffled[:_AT_MOST]].double()
        count, width = used.shape
        if count < components:
            raise ValueError(
                f"{count} latents are too few for {components} Gaussians: "
                f"give at least {components} latents or fit fewer components"
            )
        enough = count >= _LATENTS_PER_DIMENSION * components * width
        covariance: Covariance = "full" if enough else "diag"
        mixture = Mixture(
            components, covariance_type=covariance, reg_covar=_FLOOR, max_iter=100,
            random_state=seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the field `converged` says it
            mixture.fit(used.numpy())
        found = (mixture.weights_, mixture.means_, mixture.covariances_)
        weights, means, spread = (torch.from_numpy(x).to(latents.device) for x in found)
        roots = torch.linalg.cholesky(spread) if enough else torch.diag_embed(spread.sqrt())
        return cls(weights, means, roots, covariance, count, bool(mixture.converged_))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float64 (count, N)."""
        chosen = draw_categories(self.weights, count, generator)
        noise = draw_normals((count, self.means.shape[1]), generator, self.means)
        result = torch.empty_like(noise)
        for component, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):
            rows = chosen == component
            result[rows] = noise[rows] @ root.T + mean
        return result


@dataclass(frozen=True)
class SignedSampler:
    """Rounds the latents that another sampler, ``real``, draws (Eq. 1)."""

    real: Sampler

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}, of the dtype that ``real`` draws."""
        return signs(self.real.sample(count, generator))
