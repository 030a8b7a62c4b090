"""Quantisers of Section 5 with the same number of bits: VQ-VAE, FSQ, LFQ and BSQ.

They are those of the package vector-quantize-pytorch. Each reads a latent of N bits as T tokens of
k bits, and an index in [0, 2^k) is written as k bits, the most significant first. The interface is
that of :class:`companion.experiments.bottlenecks.BinaryBottleneck`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbae_lib.bits import signs
from lbae_lib.errors import ConfigError, extra
from lbae_lib.latent.draws import draw_permutation

COUNTED = 64  # tokens of an image, at most, that the running means of codewords are taken from
VECTOR = 4  # numbers of a codeword of a VQ-VAE
COMMITMENT = 0.25  # weight of the VQ-VAE's commitment loss
LEVELS = 4  # of each number of an FSQ: two bits
# Inverse temperature of the entropies of LFQ and BSQ. At the usual 100 all images start with one
# code, where the entropies have no gradient, and stay there.
TEMPERATURE = 1.0


def indices_of_bits(bits: Tensor, token: int) -> Tensor:
    """Indices of tokens of k bits: (K, T·k) in {-1, +1} to int64 (K, T) in [0, 2^k)."""
    weights = 2 ** torch.arange(token - 1, -1, -1, device=bits.device)
    return ((bits > 0).long().unflatten(1, (-1, token)) * weights).sum(2)


def bits_of_indices(indices: Tensor, token: int) -> Tensor:
    """Undo :func:`indices_of_bits`: (K, T) to float32 (K, T·k) in {-1, +1}."""
    shifts = torch.arange(token - 1, -1, -1, device=indices.device)
    return (2.0 * ((indices.long()[..., None] >> shifts) & 1) - 1).flatten(1)


class _Tokens(nn.Module):
    """T tokens of k bits: ``inputs`` numbers of the encoder, ``outputs`` for the decoder."""

    def __init__(self, latent_size: int, token: int) -> None:
        super().__init__()
        if latent_size % token:
            raise ConfigError(
                f"a latent of {latent_size} bits is not a whole number of tokens of {token} bits: "
                "change latent_size or token_bits"
            )
        self.token, self.tokens = token, latent_size // token


class VectorQuantiser(_Tokens):
    """VQ-VAE: the nearest of 2^k codewords, which are running means of the encoder's outputs.

    A. van den Oord et al. (2017), *Neural discrete representation learning*; dead codewords are
    replaced as by Zeghidour et al. (2021).
    """

    def __init__(self, latent_size: int, token: int) -> None:
        super().__init__(latent_size, token)
        with extra("companion", "vector-quantize-pytorch", "VQ-VAE"):
            from vector_quantize_pytorch import VectorQuantize
        self.inputs = self.outputs = self.tokens * VECTOR
        self.codebook = VectorQuantize(
            VECTOR, 2**token, kmeans_init=True, threshold_ema_dead_code=1,
            commitment_weight=COMMITMENT, rotation_trick=False,
        )  # fmt: skip

    def forward(
        self, numbers: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Codewords (B, T·d) with a straight-through gradient, and the commitment loss.

        The package's distances and one-hot rows of all tokens take seconds per step where an image
        has hundreds of tokens. It then gets ``COUNTED`` random ones, which update the codebook.
        """
        tokens = numbers.unflatten(1, (self.tokens, VECTOR))
        if self.tokens <= COUNTED:
            values, _, loss = self.codebook(tokens)
            return values.flatten(1), loss.sum()
        values = self.values(self.code(numbers))  # before the codebook moves
        chosen = draw_permutation(self.tokens, generator, numbers.device)[:COUNTED]
        self.codebook(tokens[:, chosen].detach())
        loss = COMMITMENT * functional.mse_loss(numbers, values)
        return numbers + (values - numbers).detach(), loss

    def code(self, numbers: Tensor) -> Tensor:
        """Bits of the nearest codewords."""
        codewords = self.codebook.codebook
        # ‖x - e‖² - ‖x‖²; in place, because it is large for hundreds of tokens
        distances = numbers.detach().unflatten(1, (self.tokens, VECTOR)) @ (-2 * codewords.T)
        distances += codewords.square().sum(1)
        return bits_of_indices(distances.argmin(2), self.token)

    def values(self, bits: Tensor) -> Tensor:
        """Codewords."""
        return self.codebook.codebook[indices_of_bits(bits, self.token)].flatten(1)

    def nearest(self, values: Tensor) -> Tensor:
        """Bits of the nearest codewords."""
        return self.code(values)


class FiniteScalarQuantiser(_Tokens):
    """FSQ: each of N/2 numbers is bounded by tanh and rounded to four levels.

    F. Mentzer et al. (2024), *Finite scalar quantization: VQ-VAE made simple*.
    """

    def __init__(self, latent_size: int, token: int) -> None:
        super().__init__(latent_size, token)
        with extra("companion", "vector-quantize-pytorch", "FSQ"):
            from vector_quantize_pytorch import FSQ
        if token % 2:
            raise ConfigError(f"token_bits is {token}, but FSQ needs an even number: change it")
        self.inputs = self.outputs = latent_size // 2
        self.rounding = FSQ([LEVELS], num_codebooks=self.inputs)

    def forward(
        self, numbers: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Levels (B, N/2) with a straight-through gradient, and no additional loss."""
        values, _ = self.rounding(numbers[:, None])
        return values[:, 0], numbers.new_zeros(())

    def code(self, numbers: Tensor) -> Tensor:
        """Bits of the levels."""
        return bits_of_indices(self.rounding(numbers[:, None])[1][:, 0], 2)

    def values(self, bits: Tensor) -> Tensor:
        """Levels -1, -1/2, 0 and 1/2."""
        return (indices_of_bits(bits, 2) - LEVELS // 2).float() / (LEVELS // 2)

    def nearest(self, values: Tensor) -> Tensor:
        """Bits of the nearest levels."""
        half = LEVELS // 2
        return bits_of_indices((values * half + half).round().clamp(0, LEVELS - 1), 2)


class LookupFreeQuantiser(_Tokens):
    """LFQ and BSQ: signs, with a loss that makes each latent certain and all latents diverse.

    The entropies are those of tokens. BSQ first projects each token to the sphere.

    L. Yu et al. (2024), *Language model beats diffusion: tokenizer is key to visual generation*
    (LFQ); Y. Zhao et al. (2024), *Image and video tokenization with binary spherical quantization*
    (BSQ).
    """

    def __init__(self, latent_size: int, token: int, spherical: bool = False) -> None:
        super().__init__(latent_size, token)
        with extra("companion", "vector-quantize-pytorch", "LFQ and BSQ"):
            from vector_quantize_pytorch import LFQ
        self.inputs = self.outputs = latent_size
        self.scale = token**-0.5 if spherical else 1.0
        self.signs = LFQ(
            codebook_size=2**token, num_codebooks=self.tokens, entropy_loss_weight=0.1,
            spherical=spherical,
        )  # fmt: skip

    def forward(
        self, numbers: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Signs, scaled, with a straight-through gradient, and the entropy loss."""
        values, _, loss = self.signs(numbers[:, None], inv_temperature=TEMPERATURE)
        return values[:, 0], loss

    def code(self, numbers: Tensor) -> Tensor:
        """Signs."""
        return signs(numbers)

    def values(self, bits: Tensor) -> Tensor:
        """Signs, scaled."""
        return bits * self.scale

    def nearest(self, values: Tensor) -> Tensor:
        """Signs."""
        return signs(values)
