"""The strength of an attribute edit, from its threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from companion.analysis.editing import EditScore
from companion.figures.style import COLOURS, GREY, TWO_COLUMNS, new_figure, styled

_KINDS = {"mean": ("Eq. 17", "algorithm_1"), "contrast": ("contrast", "nearest")}


@styled
def edit_strength(
    sweeps: Mapping[str, Mapping[str, Sequence[EditScore]]], controls: Mapping[str, float]
) -> Figure:
    """Attribute found and others kept against the share of bits changed, a column an attribute.

    With classes, of which none is kept, the lower row is how far pixels change.

    Args:
        sweeps: attribute -> "mean" or "contrast" -> scores over thresholds.
        controls: by attribute, the share found in untouched reconstructions.
    """
    figure, axes = new_figure(
        len(sweeps), 2, width=TWO_COLUMNS, height=4.2, sharex="col", sharey="row"
    )
    exclusive = any(s.kept is None for k in sweeps.values() for found in k.values() for s in found)
    for column, (name, kinds) in enumerate(sweeps.items()):
        upper, lower = axes[column], axes[column + len(sweeps)]
        for kind, scores in kinds.items():
            label, colour = _KINDS[kind]
            changed = [score.bits_changed for score in scores]
            options = {"color": COLOURS[colour], "label": label, "marker": "o", "ms": 3}
            upper.plot(changed, [score.found for score in scores], **options)  # type: ignore[arg-type]
            lowest = [score.distance if exclusive else score.kept for score in scores]
            lower.plot(changed, lowest, **options)  # type: ignore[arg-type]
        upper.axhline(controls[name], color=GREY, lw=0.8, ls=":", label="untouched")
        upper.set_title(f"class {name}" if exclusive else name)
        upper.set_ylim(-0.02, 1.02)
        lower.set_xlabel("share of bits changed")
    axes[0].set_ylabel("attribute found")
    axes[len(sweeps)].set_ylabel(
        "RMS change of a pixel (grey levels)" if exclusive else "other attributes kept"
    )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
