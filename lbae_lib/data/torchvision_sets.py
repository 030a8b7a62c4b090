"""The paper's data sets through torchvision, downloaded on demand, preprocessed as in Table 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor
from torch.nn import functional

from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import DataError, extra
from lbae_lib.files import read_tensors, write_tensors
from lbae_lib.progress import progress_bar

_CELEBA = {"train": 162_770, "test": 19_962}
_CELEBA_SIZE = 64
_CELEBA_VERSION = 2  # of the kept tensors; the first had no attributes


def load_mnist(root: Path, title: str) -> Dataset:
    """MNIST, 60,000 + 10,000 digits, zero-padded from 28×28 to 32×32 (Table 3)."""
    parts = []
    for train, count in ((True, 60_000), (False, 10_000)):
        source = _open("MNIST", root, title, train=train)
        images = functional.pad(source.data.unsqueeze(1), (2, 2, 2, 2))
        part = ImageSet(images, source.targets.long())
        parts.append(_checked(part, (count, 1, 32, 32), root, title))
    return Dataset("mnist", title, parts[0], parts[1], class_names=tuple(str(i) for i in range(10)))


def load_cifar10(root: Path, title: str) -> Dataset:
    """CIFAR-10, 50,000 + 10,000 colour images of 32×32 (Table 3)."""
    parts, names = [], ()
    for train, count in ((True, 50_000), (False, 10_000)):
        source = _open("CIFAR10", root, title, train=train)
        images = torch.from_numpy(source.data).permute(0, 3, 1, 2).contiguous()
        part = ImageSet(images, torch.tensor(source.targets, device="cpu"))
        parts.append(_checked(part, (count, 3, 32, 32), root, title))
        names = tuple(source.classes)
    return Dataset("cifar10", title, parts[0], parts[1], class_names=names)


def load_celeba(root: Path, title: str) -> Dataset:
    """CelebA's training and test faces, shorter side to 64, centre-cropped (Table 3).

    Decoding 182,732 JPEG files takes minutes, so the tensors are kept beside them in
    ``celeba_64.safetensors`` (2.2 GB), the 40 attributes with them.

    Raises:
        DataError: if files are missing or damaged, or the kept tensors are of an older version.
    """
    cache = root / "celeba_64.safetensors"
    if not cache.exists():
        _keep_celeba(cache, root, title)
    tensors, about = read_tensors(cache, "cache of CelebA images")
    if about.get("version") != _CELEBA_VERSION:
        raise DataError(
            f"{cache} is of version {about.get('version', 1)}, but {_CELEBA_VERSION} is needed, "
            "which has the attributes: delete the file; it is then made again from the JPEG files"
        )
    parts = []
    for name, count in _CELEBA.items():
        part = ImageSet(tensors[f"{name}.images"], attributes=tensors[f"{name}.attributes"])
        parts.append(_checked(part, (count, 3, _CELEBA_SIZE, _CELEBA_SIZE), root, title))
    names = tuple(about["attribute_names"])
    return Dataset("celeba", title, parts[0], parts[1], attribute_names=names)


def _keep_celeba(cache: Path, root: Path, title: str) -> None:
    tensors: dict[str, Tensor] = {}
    names: list[str] = []
    for part in _CELEBA:
        source = _open("CelebA", root, title, split=part)
        names = [name for name in source.attr_names if name]  # its line ends with a blank
        tensors[f"{part}.images"] = _celeba_images(source, part)
        tensors[f"{part}.attributes"] = source.attr.to(torch.uint8)
    about = {"dataset": "celeba", "size": _CELEBA_SIZE, "attribute_names": names}
    write_tensors(cache, tensors, about | {"version": _CELEBA_VERSION})


def _celeba_images(source: Any, split: str) -> Tensor:
    from torchvision.transforms.v2.functional import center_crop, pil_to_tensor, resize

    size = [_CELEBA_SIZE, _CELEBA_SIZE]
    images = torch.empty(len(source), 3, *size, dtype=torch.uint8, device="cpu")
    with progress_bar(len(source), f"CelebA {split}", "img") as bar:
        for index in range(len(source)):
            image = resize(source[index][0], [_CELEBA_SIZE], antialias=True)
            images[index] = pil_to_tensor(center_crop(image, size))
            bar.update()
    return images


def _open(name: str, root: Path, title: str, **options: Any) -> Any:
    """A torchvision data set, downloaded if it is not under ``root``."""
    with extra("data", "torchvision", title):
        from torchvision import datasets

    kind = getattr(datasets, name)
    try:
        try:
            return kind(root=str(root), download=False, **options)
        except RuntimeError as error:
            # torchvision says "not found" of files that are missing, or whose checksum differs
            if "not found" not in str(error):
                raise ValueError(error) from None
        root.mkdir(parents=True, exist_ok=True)
        return kind(root=str(root), download=True, **options)
    except URLError as error:
        raise DataError(
            f"{title} under {root} is missing or incomplete, and could not be downloaded "
            f"({error.reason}): connect to the internet, or put the files there and name the "
            "folder with --data"
        ) from None
    except RuntimeError as error:
        raise DataError(
            f"{title} under {root} could not be completed: {error} A file with another checksum "
            "is cut short or altered: delete it; it is then downloaded again"
        ) from None
    except (ValueError, AssertionError, EOFError, OSError) as error:
        raise DataError(
            f"a file of {title} under {root} is damaged ({error}): delete the data set's folder "
            "there; it is then downloaded again"
        ) from None


def _checked(part: ImageSet, shape: tuple[int, ...], root: Path, title: str) -> ImageSet:
    if tuple(part.images.shape) != shape:
        raise DataError(
            f"{title} under {root} has images of shape {tuple(part.images.shape)}, but must have "
            f"{shape}: delete the data set's folder there; it is then downloaded again"
        )
    return part
