"""What each step of a training uses: images, noise, learning rate.

All are functions of the seed and the number of steps done, and random numbers come from the
processor's generator. So a resumed run takes the same steps as an undisturbed one, on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lbae_lib.models.config import TrainingConfig

_SEED_STRIDE = 1_000_003  # a prime, so that seeds of different trainings do not meet early


def image_order(training: TrainingConfig, epoch: int, count: int) -> Tensor:
    """The random order of the training images in an epoch: int64 (count,) on the processor."""
    generator = torch.Generator().manual_seed(training.seed * _SEED_STRIDE + epoch)
    return torch.randperm(count, generator=generator, device="cpu")


def posterior_noise(training: TrainingConfig, step: int, size: tuple[int, int]) -> Tensor:
    """ε ~ N(0, I) of a VAE for the batch of a step: float32 (B, N) on the processor."""
    generator = torch.Generator().manual_seed(training.seed * _SEED_STRIDE + step)
    return torch.randn(size, generator=generator, device="cpu")


def learning_rate(training: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Constant, as in the paper, then falling linearly to zero over the cooldown epochs.

    Args:
        training: the schedule.
        step: number of steps done since the beginning of the training.
        steps_per_epoch: whole batches per epoch.
    """
    cooldown = training.cooldown_epochs * steps_per_epoch
    left = training.epochs * steps_per_epoch - step
    share = min(1.0, left / cooldown) if cooldown else 1.0
    return training.learning_rate * share
