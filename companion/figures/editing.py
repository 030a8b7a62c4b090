"""What an attribute edit gains and costs, over its threshold."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from companion.analysis.editing import EditScore
from companion.figures.axes import legend_below
from companion.figures.fonts import literal
from companion.figures.style import COLOURS, GREY, new_figure, styled
from lbae_lib.latent.attributes import PAPER_THRESHOLD

_KINDS = {"mean": ("Eq. 17", "algorithm_1"), "contrast": ("contrast", "nearest")}


@styled
def edit_strength(
    sweeps: Mapping[str, Mapping[str, Sequence[EditScore]]], controls: Mapping[str, float]
) -> Figure:
    """Attribute found and others kept over the share of bits changed, one column per attribute.

    Classes exclude each other, so none is kept: the lower row then shows how far pixels change.
    ``sweeps`` has scores over thresholds by attribute and "mean" or "contrast"; ``controls`` the
    share found in untouched reconstructions. A ring marks the paper's threshold.
    """
    figure, axes = new_figure(len(sweeps), 2, height=4.2, sharex="col", sharey="row")
    upper, lower = axes[: len(sweeps)], axes[len(sweeps) :]
    exclusive = any(s.kept is None for k in sweeps.values() for found in k.values() for s in found)
    for above, below, (name, kinds) in zip(upper, lower, sweeps.items(), strict=True):
        for kind, scores in kinds.items():
            label, colour = _KINDS[kind]
            look: Any = {"color": COLOURS[colour], "label": label, "marker": "o", "ms": 3}
            changed = [score.bits_changed for score in scores]
            above.plot(changed, [score.found for score in scores], **look)
            cost: Any = [score.distance if exclusive else score.kept for score in scores]
            below.plot(changed, cost, **look)
            at = [i for i, score in enumerate(scores) if score.threshold == PAPER_THRESHOLD]
            ring: Any = {"mfc": "none", "mec": COLOURS[colour], "ms": 8, "clip_on": False}
            above.plot([changed[i] for i in at], [scores[i].found for i in at], "o", **ring)
            below.plot([changed[i] for i in at], [cost[i] for i in at], "o", **ring)
        above.axhline(controls[name], color=GREY, lw=0.8, ls=":", label="untouched")
        title = literal(f"class {name}" if exclusive else name, max(12, 80 // len(sweeps)))
        above.set(title=title, ylim=(-0.02, 1.02))
        below.set_xlabel("share of bits changed")
    upper[0].set_ylabel("attribute found")
    cost_label = "RMS change (grey levels)" if exclusive else "other attributes kept"
    lower[0].set_ylabel(cost_label)
    legend_below(figure, upper[0], 3)
    return figure
