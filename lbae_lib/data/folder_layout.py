"""What the names in an image folder mean; no image is read.

=================================  ===============================================================
layout                             meaning
=================================  ===============================================================
``*.jpg``                          images without classes
``cat/*.jpg``, ``dog/*.jpg``       classes, as torchvision's ``ImageFolder`` has them; images at any
                                   depth belong to the class folder at the top
``train/``, ``validation/``,       splits, in any letter case; each holds images or class folders.
``test/`` at the top               Also ``training``; ``val``, ``valid``, ``dev``; ``testing``,
                                   ``eval``, ``evaluation``: the words of Hugging Face's
                                   ``imagefolder``
one subfolder that holds all       the same as that subfolder
``attributes.csv``                 a table; see :mod:`lbae_lib.data.attribute_table`
``list_eval_partition.txt``        CelebA, as it is published or on Kaggle (``.csv``)
=================================  ===============================================================

Links are followed. Where names have two meanings (``seg_train/`` and ``seg_test/``, images beside
class folders, ``train/Cat/`` and ``test/cat/``), the folder is refused, and the error says what to
do. Imports neither torch nor numpy.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lbae_lib.data.folder_listing import SPLITS, Listing, Parts, Reading, split_of
from lbae_lib.errors import DataError, first_names


class Found(NamedTuple):
    """An image file: its path below the folder, its split and its class; "" if it has none."""

    parts: Parts
    split: str = ""  # or "train", "validation", "test"
    category: str = ""


def arranged(listing: Listing, classes: bool = True) -> list[Found]:
    """The images of a folder by split and class; those outside of all splits are skipped.

    Subfolders may be ``classes`` unless a table lists the images.

    Raises:
        DataError: if names have two meanings.
    """
    reading, depth = listing.reading, len(listing.wrapper)
    heads = sorted(p[depth] for p in listing.folders if p[:-1] == listing.wrapper)
    words = {head: split for head in heads if (split := split_of(head))}
    with_images = {parts[depth] for parts in listing.files if len(parts) > depth + 1}
    if _are_splits(words, with_images, reading.folder):
        _check_splits(words, with_images, reading.folder)
        found = [Found(p, words[p[depth]]) for p in listing.files if p[depth] in words]
        for parts in listing.files:
            if parts[depth] not in words:
                reading.skip(f"images outside {_shown(words)}", parts)
        depth += 1
    else:
        found = [Found(parts) for parts in listing.files]
        for head in words.keys() & with_images if classes else ():
            reading.notes.append(f"{head}/ is read as a class, as there is no other split")
    return _classified(found, depth, reading) if classes else found


def _are_splits(words: dict[str, str], with_images: set[str], folder: Path) -> bool:
    """Whether subfolders are splits rather than classes; ``words`` are names that mean splits."""
    if words and (len(set(words.values())) > 1 or with_images <= words.keys()):
        return True
    # seg_train/ and seg_test/ are splits for their author, and two classes for ImageFolder.
    alike = [
        (head, split)
        for head in with_images
        for word in re.findall("[A-Z]*[a-z]+|[A-Z]+", head)  # of trainA, Test Set, trainset
        if (split := split_of(re.sub("(?i:(set|data|images|imgs))$", "", word)))
    ] + [*words.items()]
    meant = {split for _, split in alike}
    if "train" in meant and len(meant) > 1:
        raise DataError(
            f"{folder} holds {_shown(dict(alike))}, which may be splits or classes: rename them to "
            "train/, validation/ and test/ if they are splits"
        )
    return False


def _check_splits(words: dict[str, str], with_images: set[str], folder: Path) -> None:
    for split in SPLITS:
        same = [f"{word}/" for word, meant in words.items() if meant == split]
        if len(same) > 1:
            raise DataError(f"{folder} holds {' and '.join(same)} for one split: merge them")
    if "train" not in words.values():
        raise DataError(
            f"{folder} holds {_shown(words)}, but no train/: add it, or rename the subfolder"
        )
    for word in words.keys() - with_images:
        raise DataError(f"{folder / word} holds no images: add some, or remove it")


def _shown(folders: dict[str, str]) -> str:
    return ", ".join(f"{name}/" for name in sorted(folders))


def _classified(found: list[Found], depth: int, reading: Reading) -> list[Found]:
    """Images with their classes: the subfolders at a depth, if there are two or more."""
    below = [image for image in found if len(image.parts) > depth + 1]
    heads = {split: {i.parts[depth] for i in below if i.split == split} for split in ("", *SPLITS)}
    wrapped = all(len(image.parts) > depth + 2 for image in found)
    if found and found[0].split and wrapped and all(len(names) < 2 for names in heads.values()):
        return _classified(found, depth + 1, reading)  # train/images/cat/, test/images/cat/
    inside = {image.split: image for image in reversed(below)}  # the first of each split
    for image in found:
        if image.split in inside and len(image.parts) == depth + 1:
            raise DataError(
                f"{reading.folder.joinpath(*image.parts[:-1])} holds images both beside and inside "
                f"class folders ({image.parts[-1]} and {inside[image.split].parts[depth]}/): move "
                "them all into class folders, or all out of them"
            )
    names = tuple(sorted({image.parts[depth] for image in below}))
    if len(names) < 2:  # one class distinguishes nothing
        return found
    bare = {image.split for image in found} - inside.keys()
    if bare:
        raise DataError(
            f"{reading.folder} has class folders in one split and none in another "
            f"({', '.join(sorted(bare))}): make them in all splits, or in none"
        )
    _check_classes(names, heads, reading)
    reading.classes = names
    return [image._replace(category=image.parts[depth]) for image in found]


def _check_classes(names: Iterable[str], heads: dict[str, set[str]], reading: Reading) -> None:
    """Refuse two names of one class, and note classes that have no training images."""
    known: dict[str, str] = {}
    for name in names:
        if not name.isprintable():  # not of UTF-8, or of several lines
            raise DataError(
                f"{reading.folder} holds the class folder {name!r}, whose name cannot be printed: "
                "rename it"
            )
        same = known.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        apart = not any({name, same} <= split for split in heads.values())
        letters_alike = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", same)
        if same != name and (apart or letters_alike):  # a/ and A/ side by side are two classes
            raise DataError(
                f"{reading.folder} holds {same}/ and {name}/, which may be one class: give them "
                "one name"
            )
    if untrained := sorted(set(known.values()) - heads[""] - heads["train"]):
        reading.notes.append(f"no training images of {first_names(untrained, 3)}")
