"""The registry of samplers: the key, the label and the fit of every sampler on the pages."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from companion.analysis.hyperplane_fits import HyperplaneFit, by_moments, by_repair
from lbae_lib.files import read_tensors, sha256_tensor, write_tensors
from lbae_lib.latent.autoregressive import FittedPrior, fit_autoregressive
from lbae_lib.latent.baselines import DirectRounding, IndependentBits, Resampling, UniformBits
from lbae_lib.latent.conditioned import ConditionedSampler
from lbae_lib.latent.dichotomized import DichotomizedGaussian
from lbae_lib.latent.gaussians import GaussianMixture, SignedSampler
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.mixture_of_hyperplanes import MixtureOfHyperplanes, clusters
from lbae_lib.latent.moments import Moments, moments
from lbae_lib.latent.sampler import Sampler

T = TypeVar("T")

FAVOURED = 50.0  # weight of the first moments where they are favoured
_MIXTURE_VERSION = 1  # raised by hand when the fit of a mixture gives another one


@dataclass(eq=False)
class FittedSamplers:
    """The samplers of :data:`SAMPLERS`, by key, for one set of training latents.

    A sampler is fitted when it is first asked for, and only once. Without what it needs it raises
    ``ValueError``.
    """

    latents: Tensor  # of the training images, (K, N) in {-1, +1}
    validation: Tensor | None = None  # latents that stop the fit of "logistic"
    prior: Sampler | None = None  # the autoregressive prior, which is the sampler "autoregressive"
    components: int = 10  # Gaussians in the mixture, and clusters; at most as many as latents
    labels: Tensor | None = None  # classes of the training images, int64 (K,), for "classes"
    # Of the training images, or their classes one by one, bool (K, A), for "conditioned"
    attributes: Tensor | None = None
    cache: Path | None = None  # a folder that keeps the mixture, which takes longest to fit

    def __post_init__(self) -> None:
        self.components = min(self.components, len(self.latents))
        self._found: dict[str, Sampler | HyperplaneFit] = {}

    def __getitem__(self, key: str) -> Sampler:
        found = self._fitted(key)
        return HyperplaneSampler(found.vectors) if isinstance(found, HyperplaneFit) else found

    def available(self) -> list[str]:
        """The samplers that can be fitted with what was given, in the order of the registry."""
        optional = ("validation", "prior", "labels", "attributes")
        given = {name for name in optional if getattr(self, name) is not None}
        return [key for key, kind in SAMPLERS.items() if given.issuperset(kind.needs)]

    def draw(self, key: str, count: int, generator: torch.Generator) -> Tensor:
        """Random latents of a sampler, (count, N), on the device of the training latents."""
        return self[key].sample(count, generator).to(self.latents.device)

    def hyperplane_fit(self, key: str) -> HyperplaneFit:
        """The vectors of a hyperplane sampler, and how they were found; or ``ValueError``."""
        found = self._fitted(key)
        if not isinstance(found, HyperplaneFit):
            raise ValueError(f"{key!r} has no hyperplanes: choose a sampler of random hyperplanes")
        return found

    @cached_property
    def moments(self) -> Moments:
        """Moments of the training latents."""
        return moments(self.latents)

    @cached_property
    def mixture(self) -> GaussianMixture:
        """A mixture of Gaussians, fitted to the training latents."""
        if self.cache is None:
            return GaussianMixture.fit(self.latents, self.components)
        # With a hash of the latents in its name, a file is never out of date.
        name = f"{sha256_tensor(self.latents)}-{self.components}-{_MIXTURE_VERSION}.safetensors"
        file = self.cache / name
        if file.exists():
            tensors, about = read_tensors(file, "mixture of Gaussians", "delete this file")
            fields: dict[str, Any] = {k: v.to(self.latents.device) for k, v in tensors.items()}
            return GaussianMixture(**fields, **about)
        mixture = GaussianMixture.fit(self.latents, self.components)
        tensors = {k: v for k, v in vars(mixture).items() if isinstance(v, Tensor)}
        write_tensors(file, tensors, {k: v for k, v in vars(mixture).items() if k not in tensors})
        return mixture

    @cached_property
    def classes(self) -> MixtureOfHyperplanes:
        """Hyperplanes of each class by itself."""
        return MixtureOfHyperplanes.fit(self.latents, _given(self.labels, "labels"))

    @cached_property
    def conditioned(self) -> ConditionedSampler:
        """Hyperplanes of latents and attributes together."""
        has = _given(self.attributes, "attributes")
        return ConditionedSampler.fit(self.latents, has.to(self.latents) * 2 - 1)

    @cached_property
    def logistic(self) -> FittedPrior:
        """A logistic regression of each bit on the bits before it."""
        validation = _given(self.validation, "validation")
        return fit_autoregressive(self.latents, validation, hidden=(), epochs=60)

    def _fitted(self, key: str) -> Sampler | HyperplaneFit:
        if key not in self._found:
            self._found[key] = SAMPLERS[key].fit(self)
        return self._found[key]


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise ValueError(f"this sampler needs {name}: give FittedSamplers {name}=")
    return value


class SamplerKind(NamedTuple):
    """An entry of the registry."""

    label: str  # for tables and figures
    fit: Callable[[FittedSamplers], Sampler | HyperplaneFit]  # or the hyperplanes' vectors
    needs: tuple[str, ...] = ()  # beside latents, as FittedSamplers names it


SAMPLERS: Mapping[str, SamplerKind] = {
    "resampled": SamplerKind("resampled training latents", lambda own: Resampling(own.latents)),
    "independent": SamplerKind("independent bits", lambda own: IndependentBits(own.moments.first)),
    "direct": SamplerKind("direct rounding (Eq. 3)", lambda own: DirectRounding.fit(own.moments)),
    "clip": SamplerKind(
        "hyperplane, clipped eigenvalues", lambda own: by_repair(own.moments, "clip")
    ),
    "nearest": SamplerKind(
        "hyperplane, nearest correlation matrix", lambda own: by_repair(own.moments)
    ),
    "favoured": SamplerKind(
        f"hyperplane, nearest, first moments × {FAVOURED:g}",
        lambda own: by_repair(own.moments, boundary_weight=FAVOURED),
    ),
    "held": SamplerKind(
        "hyperplane, nearest, first moments held",
        lambda own: by_repair(own.moments, boundary_weight=math.inf),
    ),
    "fit": SamplerKind(
        "hyperplane, fitted to moments",
        lambda own: by_moments(own.moments, own.hyperplane_fit("nearest").vectors),
    ),
    "fit_favoured": SamplerKind(
        f"hyperplane, fitted, first moments × {FAVOURED:g}",
        lambda own: by_moments(own.moments, own.hyperplane_fit("nearest").vectors, FAVOURED),
    ),
    "dichotomized": SamplerKind(
        "dichotomized Gaussian", lambda own: DichotomizedGaussian.fit(own.moments)[0]
    ),
    "mixture": SamplerKind("signs of a Gaussian mixture", lambda own: SignedSampler(own.mixture)),
    "logistic": SamplerKind(
        "autoregressive, logistic", lambda own: own.logistic.model, ("validation",)
    ),
    "autoregressive": SamplerKind(
        "autoregressive prior", lambda own: _given(own.prior, "prior"), ("prior",)
    ),
    # Page 08 scores samplers in this order, which is that of the seeds of their samples.
    "uniform": SamplerKind(
        "uniform bits", lambda own: UniformBits(own.latents.shape[1], own.latents.device)
    ),
    "clusters": SamplerKind(
        "hyperplanes, one mixture component per cluster",
        lambda own: MixtureOfHyperplanes.fit(own.latents, clusters(own.latents, own.components)),
    ),
    "classes": SamplerKind(
        "hyperplanes, one mixture component per class", lambda own: own.classes, ("labels",)
    ),
    "conditioned": SamplerKind(
        "hyperplanes, class or attribute bits in M", lambda own: own.conditioned, ("attributes",)
    ),
}
# Of the samplers, and of the latents that they are compared with.
LABELS = {key: kind.label for key, kind in SAMPLERS.items()}
LABELS |= {"truth": "training latents", "test": "test latents"}
