"""Continuous distributions fitted to latents after training: the baselines of Tables 1, 4 and 5.

Each has ``sample(count, generator)``, which gives real latents (count, N); :class:`Signed` rounds
them to bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from lbae_lib.bits import signs
from lbae_lib.errors import extra

Covariance = Literal["full", "diag"]

# A full covariance is fitted only from so many latents a component and dimension: with fewer the
# fit describes noise.
_LATENTS_PER_DIMENSION = 2


class Prior(Protocol):
    """Anything that draws real latents."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N)."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """N(μ, Σ).

    Attributes:
        mean: μ, float64 (N,).
        root: L with L Lᵀ = Σ, float64 (N, N).
    """

    mean: Tensor
    root: Tensor

    @classmethod
    def standard(cls, latent_size: int) -> Gaussian:
        """N(0, I), a VAE's prior."""
        return cls(
            torch.zeros(latent_size, dtype=torch.float64),
            torch.eye(latent_size, dtype=torch.float64),
        )

    @classmethod
    def aggregate_posterior(cls, mean: Tensor, log_variance: Tensor) -> Gaussian:
        """The Gaussian with the moments of a VAE's posteriors, averaged over images.

        Its covariance is that of the posterior means plus the mean posterior variance.

        Args:
            mean: posterior means (K, N).
            log_variance: posterior log-variances (K, N).
        """
        covariance = torch.cov(mean.double().T, correction=0)
        covariance = covariance + log_variance.double().exp().mean(0).diag()
        values, basis = torch.linalg.eigh(covariance)
        return cls(mean.double().mean(0), basis * values.clamp(min=0).sqrt())

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float64 (count, N)."""
        size = (count, len(self.mean))
        return torch.randn(size, generator=generator, dtype=torch.float64) @ self.root.T + self.mean


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of Gaussians, fitted by expectation-maximisation (scikit-learn).

    Attributes:
        weights: float64 (components,).
        means: float64 (components, N).
        roots: float64 (components, N, N), L with L Lᵀ the covariance.
        covariance: "full" or "diag".
        latents: how many it was fitted on.
        converged: whether the likelihood had settled when the fit ended.
    """

    weights: Tensor
    means: Tensor
    roots: Tensor
    covariance: Covariance
    latents: int
    converged: bool

    @classmethod
    def fit(
        cls,
        latents: Tensor,
        components: int = 10,
        *,
        at_most: int = 20_000,
        floor: float = 1e-3,
        iterations: int = 100,
        seed: int = 0,
    ) -> GaussianMixture:
        """Fit to latents: full covariances if there are enough latents for them, else diagonal.

        Args:
            latents: (K, N).
            components: number of Gaussians.
            at_most: latents used, random ones; the fit's time grows with them.
            floor: added to every variance. Bits that are constant within a component have none.
            iterations: of expectation-maximisation, at most.
            seed: of the latents used and the starting clusters.

        Raises:
            ValueError: if there are fewer latents than components.
        """
        import warnings

        with extra("metrics", "scikit-learn", "Gaussian mixtures"):
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.mixture import GaussianMixture as Mixture

        mixed = torch.randperm(len(latents), generator=torch.Generator().manual_seed(seed))
        used = latents.cpu()[mixed[:at_most]].double()
        count, width = used.shape
        if count < components:
            raise ValueError(f"{count} latents cannot be fitted by {components} Gaussians")
        enough = count >= _LATENTS_PER_DIMENSION * components * width
        covariance: Covariance = "full" if enough else "diag"
        mixture = Mixture(
            components, covariance_type=covariance, reg_covar=floor, max_iter=iterations,
            random_state=seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # `converged` says it
            mixture.fit(used.numpy())
        spread = torch.from_numpy(mixture.covariances_)
        return cls(
            weights=torch.from_numpy(mixture.weights_),
            means=torch.from_numpy(mixture.means_),
            roots=torch.linalg.cholesky(spread) if enough else torch.diag_embed(spread.sqrt()),
            covariance=covariance,
            latents=count,
            converged=bool(mixture.converged_),
        )

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, float64 (count, N)."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator, dtype=torch.float64)
        result = torch.empty_like(noise)
        for component, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):
            rows = chosen == component
            result[rows] = noise[rows] @ root.T + mean
        return result


@dataclass(frozen=True)
class Signed:
    """Bits by the sign of real latents.

    Attributes:
        prior: draws them.
    """

    prior: Prior

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Random latents, (count, N) in {-1, +1}."""
        return signs(self.prior.sample(count, generator))
