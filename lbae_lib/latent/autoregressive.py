"""Fitting the autoregressive prior: maximum likelihood, stopped early by validation latents."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from lbae_lib.bits import check_latents
from lbae_lib.latent.bit_models import ONE, Factorised, entropy
from lbae_lib.latent.chow_liu import chow_liu_tree
from lbae_lib.latent.draws import draw_permutation
from lbae_lib.latent.integer_network import Autoregressive
from lbae_lib.latent.masked_network import MaskedNetwork
from lbae_lib.latent.moments import moments
from lbae_lib.progress import progress_bar


@dataclass(frozen=True)
class FittedPrior:
    """An autoregressive prior, and the course of its fit.

    Attributes:
        model: of the epoch with the lowest validation cross-entropy.
        train: cross-entropy of training latents in each epoch, in bits per latent.
        validation: that of validation latents before the first epoch and after each.
    """

    model: Autoregressive
    train: list[float]
    validation: list[float]

    @property
    def epoch(self) -> int:
        """Number of epochs after which the model was kept."""
        return min(range(len(self.validation)), key=self.validation.__getitem__)


def fit_autoregressive(
    train: Tensor,
    validation: Tensor,
    *,
    hidden: Sequence[int] = (512, 512),
    epochs: int = 15,
    patience: int = 3,
    batch_size: int = 250,
    learning_rate: float = 4e-3,
    seed: int = 0,
    show_progress: bool = True,
) -> FittedPrior:
    """Fit a masked network to training latents, on their device.

    The order of the bits is that in which the Chow-Liu tree grows, so that each bit comes soon
    after those it depends on most. The learning rate falls linearly to zero. The model is rounded
    to integers after each epoch, and validated on the processor.

    Args:
        train: (K, N) in {-1, +1}.
        validation: (L, N) in {-1, +1}.
        hidden: number of units of each hidden layer; () makes a logistic regression for each bit.
        epochs: maximum number of epochs.
        patience: stop after this many epochs in a row without a lower validation cross-entropy.
        batch_size: number of latents in a step.
        learning_rate: of Adam, at the start.
        seed: of the hidden weights and the order of the latents.
        show_progress: whether to draw a progress bar.

    Raises:
        ValueError: if a set is empty, has other values than -1 and +1, or the widths differ.
    """
    check_latents(train, "training latents")
    check_latents(validation, "validation latents")
    if train.shape[1] != validation.shape[1]:
        raise ValueError(
            f"training latents have {train.shape[1]} bits and validation latents "
            f"{validation.shape[1]}: give both the same number of bits"
        )
    truth = moments(train)
    order, _ = chow_liu_tree(truth)
    generator = torch.Generator().manual_seed(seed)
    probabilities = Factorised.fit(truth).numerators / ONE
    network = MaskedNetwork(order, hidden, probabilities, generator).to(train.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    steps = epochs * -(-len(train) // batch_size)
    schedule = LambdaLR(optimizer, lambda step: 1 - step / max(1, steps))
    start = Autoregressive.rounded(network)
    fitted = FittedPrior(start, [], [entropy(start, validation)])
    rows = train.float()[:, network.order]  # (K, N), by position
    with progress_bar(steps, "autoregressive prior", "step", enabled=show_progress) as bar:
        for epoch in range(epochs):
            total = torch.zeros((), dtype=torch.float64, device=rows.device)
            shuffled = draw_permutation(len(rows), generator, rows.device)
            for chosen in shuffled.split(batch_size):
                part = rows[chosen]
                # -log σ(±logit) of each bit, in nats
                loss = functional.softplus(-part * network(part)).sum(1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach() * len(part)
                bar.update()
            model = Autoregressive.rounded(network)
            fitted.train.append(float(total) / len(rows) / math.log(2))
            fitted.validation.append(entropy(model, validation))
            bar.set_postfix(bits=f"{fitted.validation[-1]:.2f}")
            if fitted.epoch == epoch + 1:
                fitted = replace(fitted, model=model)
            elif epoch + 1 - fitted.epoch == patience:
                break
    return fitted
