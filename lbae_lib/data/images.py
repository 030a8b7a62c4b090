"""Image sets as uint8 tensors in memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.data.folder_listing import Reading
from lbae_lib.errors import DataError

VALIDATION_SEED = 2020  # the validation images are the same for every model and training seed


@dataclass(frozen=True)
class ImageSet:
    """Images and, where known, their classes and attributes; other shapes are a ``DataError``.

    Attributes:
        images: uint8 (K, C, S, S).
        labels: int64 (K,) indices into the data set's ``class_names``, or None.
        attributes: uint8 (K, A) of 0 and 1, by the data set's ``attribute_names``, or None.
    """

    images: Tensor
    labels: Tensor | None = None
    attributes: Tensor | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) != 4 or shape[2] != shape[3]:
            raise DataError(
                f"images are {self.images.dtype} of shape {shape}, but must be uint8 (K, C, S, S)"
            )
        for name, values in (("labels", self.labels), ("attributes", self.attributes)):
            if values is not None and len(values) != len(self.images):
                raise DataError(f"{len(values)} {name} for {len(self.images)} images")

    def __len__(self) -> int:
        return len(self.images)

    def select(self, indices: Tensor) -> ImageSet:
        """The images at ``indices``, with their labels and attributes."""
        labels, attributes = (
            None if values is None else values[indices] for values in (self.labels, self.attributes)
        )
        return ImageSet(self.images[indices], labels, attributes)

    def split(self, count: int, seed: int = VALIDATION_SEED) -> tuple[ImageSet, ImageSet]:
        """The remaining images, and ``count`` random ones that are cut off; both keep their order.

        A seed always cuts the same images; the default one cuts those that validate trainings.

        Raises:
            DataError: if one of the sets would be empty.
        """
        if not 0 < count < len(self):
            raise DataError(
                f"{count} validation or test images cannot be cut from {len(self)}: ask for 1 to "
                f"{len(self) - 1}"
            )
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self), generator=generator, device="cpu")
        left, cut = order[count:].sort().values, order[:count].sort().values
        return self.select(left), self.select(cut)


@dataclass(frozen=True)
class Dataset:
    """A data set's training and test images.

    Attributes:
        name: as in the registry, or "folder:PATH".
        title: for captions.
        train: the official training images, without those of ``validation``.
        test: the official test images.
        class_names: what the labels stand for; empty without labels.
        attribute_names: what the columns of the attributes stand for; empty without.
        validation: the official validation images; None where a data set has none.
        reading: of a folder: what was read, what was skipped and why.
    """

    name: str
    title: str
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ()
    validation: ImageSet | None = None
    reading: Reading | None = None
