"""Data sets by name; a relative ``folder:PATH`` begins at the project's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.project import project_root
from lbae_lib.data import registry

if TYPE_CHECKING:
    from lbae_lib.data.images import Dataset


def dataset_info(name: str, **known: Any) -> registry.DatasetInfo:
    """See :func:`lbae_lib.data.registry.dataset_info`."""
    return registry.dataset_info(name, project_root(), **known)


def load_dataset(info: registry.DatasetInfo, root: Path) -> Dataset:
    """See :func:`lbae_lib.data.registry.load_dataset`."""
    return registry.load_dataset(info, root, project_root())
