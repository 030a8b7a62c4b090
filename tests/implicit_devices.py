"""A mode under which a tensor created without its device is an error."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

# These take their device from the tensor or the storage they are given.
_ALLOWED = {torch.asarray, torch.as_tensor, torch.frombuffer}


class ExplicitDevices(TorchFunctionMode):
    """Refuses ``torch.zeros(3)`` and its like: a library that runs on a GPU names the device."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _device_constructors() - _ALLOWED and kwargs.get("device") is None:
            raise AssertionError(f"torch.{func.__name__} was called without a device")
        return func(*args, **kwargs)
