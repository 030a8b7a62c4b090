"""The paper's data sets through torchvision, downloaded on demand, preprocessed as in Table 3.

Each raises ``DataError`` if files are missing, damaged or may not be read, and ``WriteError`` if
there is something to download and the folder is not writable. A missing torchvision or gdown is an
``LbaeError``.
"""

import errno
import importlib.util
import logging
import socket
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lbae_lib.data.images import Dataset, ImageSet
from lbae_lib.errors import DataError, extra
from lbae_lib.files import cache_tensors, read_tensors
from lbae_lib.locks import locked
from lbae_lib.progress import progress_bar

_CELEBA = {"train": 162_770, "valid": 19_867, "test": 19_962}  # torchvision's names
_CELEBA_SIZE = 64
# Of the cached tensors: the first had no attributes, the second no validation images.
_CELEBA_VERSION = 3
_TIMEOUT = 60.0  # seconds without an answer, after which a download is given up
_LOCAL = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
)
_DAMAGED = (
    *(ValueError, AssertionError, EOFError, IndexError, KeyError, zlib.error),
    *(UnpicklingError, zipfile.BadZipFile, tarfile.ReadError),
)

_log = logging.getLogger(__name__)


def load_mnist(root: Path, title: str) -> Dataset:
    """MNIST, 60,000 + 10,000 digits, zero-padded from 28×28 to 32×32 (Table 3)."""
    parts = []
    for train, count in ((True, 60_000), (False, 10_000)):
        source = _open("MNIST", root, title, train=train)
        images = functional.pad(source.data.unsqueeze(1), (2, 2, 2, 2))
        part = ImageSet(images, source.targets.long())
        parts.append(_checked(part, (count, 1, 32, 32), root, title))
    return Dataset("mnist", title, parts[0], parts[1], class_names=tuple("0123456789"))


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
    """CelebA's training, validation and test faces, shorter side to 64, centre-cropped (Table 3).

    Decoding 202,599 JPEG files takes minutes, so the tensors are kept beside them in
    ``celeba_64.safetensors`` (2.5 GB), the 40 attributes with them.

    Raises:
        CheckpointError: if this cache is damaged.
    """
    cache = root / "celeba_64.safetensors"
    about: dict[str, Any] = {}
    if cache.exists():
        remedy = "delete this file; it is then regenerated from the JPEG files"
        tensors, about = read_tensors(cache, "cache of CelebA images", remedy)
    if about.get("version") != _CELEBA_VERSION:
        if about:
            _log.info("%s is of an earlier version: it is regenerated from the JPEG files", cache)
        tensors, about = _decode_celeba(root, title)
        cache_tensors(cache, tensors, about)
    train, validation, test = (
        ImageSet(tensors[f"{name}.images"], attributes=tensors[f"{name}.attributes"])
        for name in _CELEBA
    )
    names = tuple(about["attribute_names"])
    return Dataset("celeba", title, train, test, attribute_names=names, validation=validation)


def _decode_celeba(root: Path, title: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors: dict[str, Tensor] = {}
    names: list[str] = []
    for part, count in _CELEBA.items():
        source = _open("CelebA", root, title, split=part)
        names = [name for name in source.attr_names if name]  # its line ends with a blank
        if len(source) != count:
            raise DataError(
                f"list_eval_partition.txt under {root / 'celeba'} lists {len(source)} images for "
                f"{part}, but CelebA has {count}: put the published file there"
            )
        tensors[f"{part}.images"] = _celeba_images(source, part, root / "celeba")
        tensors[f"{part}.attributes"] = source.attr.to(torch.uint8)
    about = {"dataset": "celeba", "size": _CELEBA_SIZE, "attribute_names": names}
    return tensors, about | {"version": _CELEBA_VERSION}


def _celeba_images(source: Any, split: str, folder: Path) -> Tensor:
    from torchvision.transforms.v2.functional import center_crop, pil_to_tensor, resize

    size = [_CELEBA_SIZE, _CELEBA_SIZE]
    images = torch.empty(len(source), 3, *size, dtype=torch.uint8, device="cpu")
    with progress_bar(len(source), f"CelebA {split}", "img") as bar:
        for index in range(len(source)):
            try:
                image = resize(source[index][0], [_CELEBA_SIZE], antialias=True)
            except (OSError, SyntaxError, ValueError) as error:
                file = folder / "img_align_celeba" / source.filename[index]
                raise DataError(
                    f"{file} cannot be read ({error}): extract it again from img_align_celeba.zip"
                ) from None
            images[index] = pil_to_tensor(center_crop(image, size))
            bar.update()
    return images


def _checked(part: ImageSet, shape: tuple[int, ...], root: Path, title: str) -> ImageSet:
    if tuple(part.images.shape) != shape:
        raise DataError(
            f"{title} under {root} has images of shape {tuple(part.images.shape)}, but must have "
            f"{shape}: move the data set's folder there elsewhere; it is then downloaded again"
        )
    return part


def _open(name: str, root: Path, title: str, **options: Any) -> Any:
    """A torchvision data set, downloaded if it is not under ``root``."""
    with extra("data", "torchvision", title):
        from torchvision import datasets

    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file, but {title} needs a folder: name one with --data")
    kind = getattr(datasets, name)
    with _explained(root, title):
        try:
            return kind(root=str(root), download=False, **options)
        except RuntimeError as error:
            # torchvision says "not found" of files that are missing, or whose checksum differs
            if "not found" not in str(error):
                raise ValueError(error) from None
    if name == "CelebA" and importlib.util.find_spec("gdown") is None:
        folder = root / kind.base_folder
        names = (name for *_, name in kind.file_list if not name.endswith(".zip"))
        missing = [n for n in (*names, "img_align_celeba") if not (folder / n).exists()]
        what = f"lacks {', '.join(missing)}" if missing else "has a list with a different checksum"
        with extra("data", "gdown", f"the download of {title} ({folder} {what})"):
            raise ModuleNotFoundError("gdown")
    # Steps of one report may need the same files at the same time.
    with locked(root, wait=True), _explained(root, title, download=True), _timeout():
        return kind(root=str(root), download=True, **options)


@contextmanager
def _timeout() -> Iterator[None]:
    """A server that does not answer is an error, not a wait without end."""
    with ExitStack() as undo:
        undo.callback(socket.setdefaulttimeout, socket.getdefaulttimeout())
        socket.setdefaulttimeout(_TIMEOUT)
        if importlib.util.find_spec("gdown") is not None:
            gdown: Any = importlib.import_module("gdown")
            undo.callback(setattr, gdown, "download", gdown.download)
            gdown.download = partial(gdown.download, timeout=_TIMEOUT)  # torchvision passes none
        yield


@contextmanager
def _explained(root: Path, title: str, download: bool = False) -> Iterator[None]:
    """Each cause of a failure with its own message."""
    try:
        yield
    except _DAMAGED as error:
        raise DataError(
            f"a file of {title} under {root} is damaged ({_one_line(error)}): move the data set's "
            "folder there elsewhere; it is then downloaded again"
        ) from None
    except Exception as error:
        if isinstance(error, OSError) and (not download or error.errno in _LOCAL):
            raise DataError(
                f"{title} under {root} cannot be read or written ({error}): check permissions and "
                "free space, or name another folder with --data"
            ) from None
        tool = type(error).__module__.partition(".")[0] == "gdown"
        if not download or not (tool or isinstance(error, OSError | RuntimeError | HTTPException)):
            raise
        if "corrupted" in str(error):
            raise DataError(
                f"a downloaded file of {title} under {root} has a different checksum from the "
                "published one: check what the network or its proxy returns, and try again"
            ) from None
        raise DataError(
            f"{title} under {root} is missing or incomplete, and could not be downloaded "
            f"({_one_line(getattr(error, 'reason', error))}): connect to the internet, or put the "
            "files there and name the folder with --data"
        ) from None


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
