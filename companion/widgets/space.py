"""The latent space that the explorer shows."""

from functools import cached_property

import torch
from torch import Tensor

from companion.analysis.inversions import INVERSIONS
from companion.analysis.samplers import FittedSamplers
from companion.experiments.images import attribute_table
from companion.experiments.trained import Trained
from lbae_lib.bits import hamming_distance, unpack_bits
from lbae_lib.data.registry import dataset_slug
from lbae_lib.errors import DataError
from lbae_lib.latent import inversion
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.interpolation import interpolate_bits
from lbae_lib.latent.sampler import Sampler
from lbae_lib.models.encoding import decode, encode

# Of the exact inversion: normals are a tenth longer than after 40 sweeps, in a third of the time.
_SWEEPS = 3


class Space:
    """A trained model and what the panels need of its latents, computed when first needed.

    The panels compute on the model's device.
    """

    def __init__(self, trained: Trained, prior: Sampler | None = None) -> None:
        self.trained = trained
        self.test = trained.bits("test")
        self.test_images = trained.images["test"].images
        self.name = dataset_slug(trained.dataset.name)  # for files
        self.scale = max(2, 192 // self.test_images.shape[-1])
        device = next(trained.model.parameters()).device
        self.samplers = FittedSamplers(trained.bits("train").to(device), prior=prior)

    @property
    def sampler_keys(self) -> list[str]:
        """The samplers offered, by their keys in the registry."""
        keys = ["nearest", "clip", "dichotomized", "direct", "independent", "uniform"]
        return keys if self.samplers.prior is None else [*keys, "autoregressive"]

    @cached_property
    def hyperplanes(self) -> HyperplaneSampler:
        """The sampler whose normals turn, and between whose normals exact paths run."""
        vectors = self.samplers.hyperplane_fit("nearest").vectors
        return inversion.full_rank(HyperplaneSampler(vectors))

    @cached_property
    def clipped(self) -> HyperplaneSampler:
        """The authors' sampler, which need not have full rank."""
        return HyperplaneSampler(self.samplers.hyperplane_fit("clip").vectors)

    @cached_property
    def test_attributes(self) -> tuple[tuple[str, ...], Tensor] | None:
        """Names of attributes or classes, and which test images have them; None without any."""
        try:
            return attribute_table(self.trained.dataset, self.trained.images["test"])
        except DataError:
            return None

    def path(self, ends: Tensor, steps: int, key: str = "exact") -> tuple[Tensor, tuple[int, int]]:
        """A path (T, N) along a great circle between two latents; the same one at every call.

        With it come the numbers of bits that the inversion gets wrong at its ends. Inversions that
        need no sampler of full rank take the authors' sampler, as in the book.
        """
        method, generator = INVERSIONS[key], torch.Generator().manual_seed(0)
        sampler = self.hyperplanes if method.full_rank else self.clipped
        latents = ends.double()
        if key == "exact":
            found = inversion.exact(latents, sampler, generator, _SWEEPS)
        else:
            found = method.invert(latents, sampler, generator)
        first, last = found.normals[:1], found.normals[1:]
        bits = interpolate_bits(sampler, first, last, steps, method.boundary)[0]
        wrong = found.wrong_bits.tolist()
        return bits.cpu(), (wrong[0], wrong[1])

    def nearest_training(self, bits: Tensor) -> tuple[int, int]:
        """The training image whose latent is nearest to one latent (N,), and their distance."""
        train = self.samplers.latents
        at = int((train @ bits.to(train)).argmax())  # <a, b> = N - 2 d
        return at, int(hamming_distance(train[at].cpu(), bits.cpu()))

    def encode(self, images: Tensor) -> Tensor:
        """Latents, float32 (K, N), of uint8 images (K, C, S, S)."""
        return unpack_bits(encode(self.trained.model, images), self.test.shape[1])

    def decode(self, bits: Tensor) -> Tensor:
        """uint8 images (K, C, S, S) of bits (K, N)."""
        return decode(self.trained.model, bits)
