"""Controls: real and corrupted images, which the distances of an evaluator must tell apart."""

from collections.abc import Mapping

import torch
from torch import Tensor

from companion.analysis.evaluators import Evaluator
from companion.analysis.image_source import ImageSource, random_indices
from companion.analysis.spread import Spread, lower
from lbae_lib.data.images import ImageSet
from lbae_lib.metrics.corruptions import blurred, noisy

REPEATS = 20  # of each image, in a set that has few
STRONG_BLUR = 1.5  # pixels
# Made of the test images themselves, as reconstructions are, which must be nearer than these
BLURRED = "blurred_test"
_UNCHECKED = ("validation", BLURRED)  # no corrupted images of the training set
CHECKED = 2000  # test images, at most, that a page without a table of controls checks
_DRAWS = 3  # of each control


def control_sources(images: Mapping[str, ImageSet]) -> dict[str, ImageSource]:
    """Real images, and images corrupted in known ways: what a metric must tell apart.

    All but "validation" and "blurred_test" are made of training images, on which the in-domain
    extractor was trained.
    """
    train, validation = images["train"], images["validation"]

    def drawn(count: int, generator: torch.Generator) -> Tensor:
        return train.images[random_indices(len(train), count, generator)]

    def repeated(count: int, generator: torch.Generator) -> Tensor:
        few = random_indices(len(train), max(1, count // REPEATS), generator)
        return train.images[few[torch.randint(len(few), (count,), generator=generator)]]

    sources = {
        "train": ImageSource("training images", drawn),
        "validation": ImageSource(
            f"validation images, {len(validation):,} at most",
            lambda c, _: validation.images[:c],
            False,
        ),
        "blur_0.7": ImageSource("blur, σ = 0.7 px", lambda c, g: blurred(drawn(c, g), 0.7)),
        "blur_1.5": ImageSource("blur, σ = 1.5 px", lambda c, g: blurred(drawn(c, g), STRONG_BLUR)),
        "noise": ImageSource("noise, σ = 0.15", lambda c, g: noisy(drawn(c, g), 0.15, g)),
        "repeated": ImageSource(f"training images, each about {REPEATS} times", repeated),
        BLURRED: ImageSource(
            "test images, blur σ = 1.5 px",
            lambda c, _: blurred(images["test"].images[:c], STRONG_BLUR),
            False,
        ),
    }
    labels, left_out, title = train.labels, 0, "one class dropped"
    if labels is not None:
        left_out = int(labels.bincount().argmax())
    elif train.attributes is not None and train.attributes.shape[1]:
        # The attribute that comes nearest to half of the images: its absence must show.
        chosen = int((train.attributes.double().mean(0) - 0.5).abs().argmin())
        labels, left_out, title = train.attributes[:, chosen].long(), 1, "one attribute dropped"
    if labels is not None:
        kept = torch.nonzero(labels != left_out)[:, 0]
        if not len(kept):  # all images are alike
            return sources

        def dropped(count: int, generator: torch.Generator) -> Tensor:
            return train.images[kept[random_indices(len(kept), count, generator)]]

        sources["class_dropped"] = ImageSource(title, dropped)
    return sources


def in_order(found: Mapping[str, Spread]) -> bool:
    """Whether a distance passes its control checks, by key of :func:`control_sources`.

    No corrupted set may be nearer than training images, nor the stronger blur nearer than the
    weaker one, by more than noise; and the stronger blur must be farther than training images by
    more than noise. With a single draw, the means decide.
    """
    floor, weak, strong = (found[key] for key in ("train", "blur_0.7", "blur_1.5"))
    if floor.deviation is None:
        return floor.mean < weak.mean < strong.mean
    corrupted = (own for key, own in found.items() if key not in ("train", *_UNCHECKED))
    nearer = any(lower(own, floor) for own in corrupted)
    return not nearer and not lower(strong, weak) and lower(floor, strong) is True


def passes_controls(
    evaluator: Evaluator, images: Mapping[str, ImageSet], reference: Tensor, seed: int = 0
) -> bool:
    """Whether the Fréchet distance passes, for pages that do not list the controls.

    ``reference`` has at least two test images, uint8 (K, C, S, S). As many are drawn of each
    control, as the page of scores draws them.
    """
    distance, found = evaluator.distance_to(reference), {}
    for number, (key, source) in enumerate(control_sources(images).items()):
        if key in _UNCHECKED:
            continue
        generators = (
            torch.Generator().manual_seed(1000 * (seed + draw) + number) for draw in range(_DRAWS)
        )
        found[key] = Spread.of([distance(source.draw(len(reference), g)) for g in generators])
    return in_order(found)


def warning(evaluator: Evaluator) -> str:
    """For captions of distances by an evaluator that fails its control checks."""
    return f" {evaluator.extractor.name} fails its control checks: its distances decide nothing."
