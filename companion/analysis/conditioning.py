"""Samples with a given class or attribute: whether the classifier finds it in their images."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.analysis.attribute_evaluator import AttributeEvaluator
from companion.analysis.samplers import FittedSamplers
from companion.experiments.trained import Trained
from lbae_lib.models.encoding import decode

SAMPLES = 100  # of each class or attribute
AT_MOST = 10  # classes or attributes


@dataclass(frozen=True)
class GivenAttribute:
    """Images of latents that were drawn with one class or attribute."""

    name: str  # of the class or attribute
    images: Tensor  # uint8 (SAMPLES, C, S, S)
    # By what the images are, the share in which the classifier finds it: "conditioned" are these
    # images, "component" those of its own mixture component, where there is one.
    found: dict[str, float]


def conditioned_images(
    trained: Trained,
    samplers: FittedSamplers,
    evaluator: AttributeEvaluator,
    others: Mapping[str, Tensor],
    generator: torch.Generator,
) -> list[GivenAttribute]:
    """Images given each class, or each of the most frequent attributes that are measurable.

    A sample's remaining attributes are those of a random training image that has the given one.
    ``samplers`` have attributes; each attribute is looked for in ``others`` too, uint8 images
    (K, C, S, S), e.g. of a sampler that is not conditioned.
    """
    names = trained.dataset.attribute_names or trained.dataset.class_names
    has, joined = samplers.attributes, samplers.conditioned
    assert has is not None
    share = has.double().mean(0).cpu()
    order = share.argsort(descending=True, stable=True).tolist()
    kept = [i for i in order if share[i] > 0 and (evaluator.exclusive or evaluator.measurable[i])]
    elsewhere = {key: evaluator.find(images).double().mean(0) for key, images in others.items()}
    result = []
    for index in sorted(kept[:AT_MOST]):
        rows = torch.nonzero(has[:, index].cpu())[:, 0]
        chosen = rows[torch.randint(len(rows), (SAMPLES,), generator=generator)]
        bits = joined.sample_given(joined.attributes[chosen.to(has.device)], generator)
        drawn = {"conditioned": decode(trained.model, bits)}
        if samplers.labels is not None and evaluator.exclusive:
            component = samplers.classes.components[index]
            drawn["component"] = decode(trained.model, component.sample(SAMPLES, generator))
        found = {key: float(shares[index]) for key, shares in elsewhere.items()}
        for key, images in drawn.items():
            found[key] = float(evaluator.find(images)[:, index].double().mean())
        result.append(GivenAttribute(names[index], drawn["conditioned"], found))
    return result
