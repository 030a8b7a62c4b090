"""Decisions on edits of attributes: Section 4.3."""

import math

from companion.analysis.editing import EditScore
from companion.paper.decisions import Decision, Outcome, all_hold, undecided
from companion.paper.limits import LIMITS, above, judge, share_error


def given(
    edited: EditScore,
    before: EditScore,
    ceiling: float,
    measurable: bool,
    images: int,
    with_it: int,
) -> Decision:
    """Whether an edit gives the attribute to ``images``.

    It is found in the share ``ceiling`` of reconstructions of test images that have it, of which
    there are ``with_it``.
    """
    gap = ceiling - before.found
    if not measurable or gap <= 0:
        return undecided(
            "the classifier does not tell images with the attribute from images without it: "
            "train it and the model longer",
            LIMITS["given"].rule,
        )
    share = (edited.found - before.found) / gap
    edits = ((edited.found, 1.0), (before.found, 1 - share))
    errors = [weight * share_error(found, images) for found, weight in edits]
    error = math.hypot(*errors, share * share_error(ceiling, with_it))
    return judge("given", share, error / gap)


def still_the_image(
    is_given: Decision, edited: EditScore, other: EditScore, images: int
) -> Decision:
    """The decision on an edit: it gives the attribute, and has not replaced the image.

    The edited image must be recognised, and keep more of the other attributes than an ``other``
    image has in common with it, where there are others.
    """
    if is_given.outcome is not Outcome.HOLDS:
        return is_given
    parts = [
        is_given,
        judge("recognised", edited.recognised, share_error(edited.recognised, images)),
    ]
    if edited.kept is not None and other.kept is not None:
        rule = "It must keep more of the other attributes than another image has in common."
        gain = edited.kept - other.kept
        parts.append(above(gain, share_error(edited.kept, images), 0.0, rule))
    return all_hold(*parts)


def kept(edited: EditScore, again: EditScore, other: EditScore, images: int) -> Decision:
    """Whether an edit keeps the other attributes, as far as re-encoding keeps them (``again``).

    Reconstructions of ``other`` images keep what most images share.
    """
    rule = LIMITS["kept"].rule
    if edited.kept is None or again.kept is None or other.kept is None:
        return Decision(Outcome.NOT_APPLICABLE, why="there are no other attributes to keep")
    error = share_error(edited.kept, images)
    if again.kept - other.kept <= 2 * error:
        return undecided(
            "re-encoding keeps no more attributes than another image does: train longer", rule
        )
    return all_hold(
        judge("kept", edited.kept / again.kept, error / again.kept),
        above(edited.kept - other.kept, error, 0.0),
    )


def satisfactory(is_given: Decision, is_kept: Decision) -> Decision:
    """Whether an edit is satisfactory: the attribute is given, and the others are kept.

    Without a measurable attribute nothing can be said, not even if others are lost.
    """
    if is_kept.outcome is Outcome.NOT_APPLICABLE:
        return is_kept
    return all_hold(is_kept, is_given) if is_given.outcome is not Outcome.UNDECIDED else is_given
