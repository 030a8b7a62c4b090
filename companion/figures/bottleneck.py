"""The bottleneck's forward and backward pass: Figure 1."""

import torch
from matplotlib.figure import Figure

from companion.figures.style import COLOURS, GREY, ONE_COLUMN, new_figure, styled
from lbae_lib.models.binarization import bernoulli_bottleneck


@styled
def bottleneck() -> Figure:
    """What the bottleneck does to a logit, and the gradient it lets through; both computed."""
    z = torch.linspace(-3, 3, 601, requires_grad=True)
    bits = bernoulli_bottleneck(z)
    (gradient,) = torch.autograd.grad(bits.sum(), z)
    figure, (axis,) = new_figure(width=ONE_COLUMN * 1.4)
    x = z.detach()
    axis.axhline(0, color=GREY, lw=0.5)
    axis.plot(x, torch.tanh(x), color=GREY, ls="--", label=r"$\tanh z$")
    axis.plot(x, bits.detach(), color=COLOURS["nearest"], label=r"forward: $b = f_b(\tanh z)$")
    axis.plot(x, gradient, color=COLOURS["positive"], label=r"backward: $\partial b/\partial z$")
    axis.set(xlabel="logit $z$", ylim=(-1.15, 1.15))
    axis.legend(loc="lower right")
    return figure
