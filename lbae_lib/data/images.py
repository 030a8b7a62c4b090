"""Image sets as uint8 tensors in memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbae_lib.errors import DataError

# The validation images are the same for every model and seed of a data set.
_SPLIT_SEED = 2020


@dataclass(frozen=True)
class ImageSet:
    """Images and, where known, their classes.

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

    def split(self, validation: int) -> tuple[ImageSet, ImageSet]:
        """Cut ``validation`` images off for model selection; always the same ones.

        Returns:
            The images left for training, and the validation images.

        Raises:
            DataError: if that leaves no image to either.
        """
        if not 0 < validation < len(self):
            raise DataError(
                f"{validation} validation images cannot be cut from {len(self)}: "
                f"ask for 1 to {len(self) - 1}"
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(_SPLIT_SEED))
        kept, cut = order[validation:].sort().values, order[:validation].sort().values
        return self.select(kept), self.select(cut)


@dataclass(frozen=True)
class Dataset:
    """A data set's training and test images.

    Attributes:
        name: as in the registry, or "folder:PATH".
        title: for captions.
        train: the official training images, validation images included.
        test: the official test images.
        class_names: what the labels stand for; empty without labels.
        attribute_names: what the columns of the attributes stand for; empty without.
    """

    name: str
    title: str
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ()
