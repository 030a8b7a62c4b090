"""Images that ship inside the dependencies: nothing is downloaded."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from lbae_lib.data.images import Dataset, ImageSet

_TEST_DIGITS = 360  # a fifth
_DIGIT_SPLIT_SEED = 1797


def load_digits(title: str) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, 8×8 to 32×32; stands for MNIST.

    The 17 grey levels are enlarged to 28×28 (bicubic) and zero-padded to 32×32, the frame that
    the paper gives MNIST. A seeded fifth, 360 images, is the test set.

    Reference:
        E. Alpaydin and C. Kaynak (1998), *Optical recognition of handwritten digits*, UCI
        Machine Learning Repository.
    """
    from sklearn.datasets import load_digits as load

    bunch = load()
    small = torch.from_numpy(np.asarray(bunch.images, dtype=np.float32)).unsqueeze(1) / 16.0
    large = functional.interpolate(small, size=(28, 28), mode="bicubic", align_corners=False)
    padded = functional.pad(large.clamp(0, 1), (2, 2, 2, 2))
    images = (padded * 255).round().to(torch.uint8)
    labels = torch.from_numpy(np.asarray(bunch.target, dtype=np.int64))
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(_DIGIT_SPLIT_SEED))
    everything = ImageSet(images, labels)
    return Dataset(
        name="digits",
        title=title,
        train=everything.select(order[_TEST_DIGITS:].sort().values),
        test=everything.select(order[:_TEST_DIGITS].sort().values),
        class_names=tuple(str(i) for i in range(10)),
    )
