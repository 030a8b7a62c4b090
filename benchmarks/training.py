"""Images per second of training, beside a plain float32 loop and the machine's limits.

    python benchmarks/training.py [--size 32] [--channels 1] [--width 64] [--batch 512]

Each side trains the same network on the same blobs for some seconds in a process of its own. The
plain loop is the simplest one: a DataLoader of float32 images, weights in the default layout, Adam
with default options, the loss read at every step. The floating-point operations of a step are
counted. The rate of matrix products and the bandwidth of copies are measured in the same run, in
each precision that the machine supports. Prints a table, and writes a record and a roofline plot to
runs/performance/.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from machine import OUTPUT, machine, measure_apart, peak_mib, write_record
from roofline import roofline
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from companion.figures.style import save_figure
from lbae_lib.models.autoencoders import build_model, reconstruction_loss
from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.hardware import Hardware, choose_device, choose_precision
from lbae_lib.models.training import train

RATE = 1e-3
SIDES = {"plain": "plain loop", "library": "lbae_lib"}


def blobs(count: int, channels: int, size: int) -> Tensor:
    """Soft discs in random places, which a network can learn; uint8 (K, C, S, S)."""
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(count, 3, 1, 1, generator=generator)
    centre, radius = places[:, :2] * size, 2 + places[:, 2] * size / 4
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    distance = ((x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2).sqrt()
    grey = torch.sigmoid(radius - distance)
    tint = torch.rand(count, channels, 1, 1, generator=generator) * 0.5 + 0.5
    return (255 * grey[:, None] * tint).to(torch.uint8)


def plain_loop(
    network: NetworkConfig, images: Tensor, validation: Tensor, batch: int, seconds: float
) -> dict[str, Any]:
    """The simplest loop, in float32."""
    device = torch.device(choose_device("auto"))
    torch.manual_seed(0)
    model = build_model(network).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    loader = DataLoader(TensorDataset(images.float() / 255), batch, shuffle=True, drop_last=True)
    began, seen, curve = time.perf_counter(), 0, []
    warm: tuple[float, int] | None = None
    while time.perf_counter() - began < seconds:
        model.train()
        for (part,) in loader:
            part = part.to(device)
            loss = reconstruction_loss(model(part), part, "mse").mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            seen += len(part)
            now = time.perf_counter() - began
            if warm is None:  # the first step allocates
                warm = (now, seen)
            if now > seconds:
                break
        curve.append((time.perf_counter() - began, _validation(model, validation, device)))
    elapsed, counted = now - warm[0], seen - warm[1]
    return {"images_per_second": counted / elapsed, "curve": curve, "precision": "32-true"}


@torch.no_grad()
def _validation(model: nn.Module, images: Tensor, device: torch.device) -> float:
    model.eval()
    rows = (images.float() / 255).to(device)
    return float(reconstruction_loss(model(rows), rows, "mse").mean())


def library(
    network: NetworkConfig, images: Tensor, validation: Tensor, batch: int, seconds: float
) -> dict[str, Any]:
    """``lbae_lib.models.training.train`` with its default hardware options."""
    schedule = TrainingConfig(loss="mse", epochs=10**6, batch_size=batch, learning_rate=RATE)
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            network, schedule, images, validation, Path(folder), hardware=Hardware(),
            time_limit=seconds,
        )  # fmt: skip
        lines = (Path(folder) / "progress.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    # The first epoch allocates memory; it counts only if there is no other.
    rates = [line["images_per_second"] for line in history[1:] or history]
    return {
        "images_per_second": len(rates) / sum(1 / rate for rate in rates),
        "curve": [(line["seconds"], line["validation_loss"]) for line in history],
        "precision": result.precision,
    }


class Traffic(TorchDispatchMode):
    """Bytes that operations read and write if each accesses memory by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if "view" not in str(func) and "detach" not in str(func):
            for leaf in tree_leaves((args, kwargs, result)):
                if isinstance(leaf, Tensor):
                    self.bytes += leaf.numel() * leaf.element_size()
        return result


def work(network: NetworkConfig, batch: int) -> dict[str, float]:
    """Floating-point operations and bytes per image of a training step in float32."""
    model = build_model(network)
    images = torch.rand(batch, network.channels, network.image_size, network.image_size)
    with FlopCounterMode(display=False) as flops, Traffic() as traffic:
        reconstruction_loss(model(images), images, "mse").mean().backward()
    return {"flops": flops.get_total_flops() / batch, "bytes": traffic.bytes / batch}


def roofs() -> dict[str, float]:
    """Rate of matrix products in FLOP/s by precision, and of copies in B/s read and written."""
    device = torch.device(choose_device("auto"))
    side = 8192 if device.type == "cuda" else 2048
    found: dict[str, float] = {}
    dtypes = {"32-true": torch.float32}
    if choose_precision("auto", device.type) == "bf16-mixed":
        dtypes["bf16-mixed"] = torch.bfloat16
    for name, dtype in dtypes.items():
        a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
        found[name] = 2 * side**3 / _best(lambda a=a, b=b: a @ b, device)  # type: ignore[misc]
    block = torch.rand(1 << 26, device=device)
    target = torch.empty_like(block)
    found["copy"] = 2 * 4 * (1 << 26) / _best(lambda: target.copy_(block), device)
    return found


def _best(function: Any, device: torch.device) -> float:
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("size", 32), ("channels", 1), ("width", 64), ("batch", 512),
                          ("latent", 200), ("images", 2048)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    network = NetworkConfig(
        image_size=options.size, channels=options.channels, latent_size=options.latent,
        width=options.width,
    )  # fmt: skip
    if options.side:
        images = blobs(options.images + 256, options.channels, options.size)
        side = plain_loop if options.side == "plain" else library
        measured = side(network, images[256:], images[:256], options.batch, options.seconds)
        print(json.dumps(measured | {"peak_MiB": peak_mib()}))
        return

    on = machine()
    found: dict[str, Any] = {"work": work(network, 8), "roofs": roofs()}
    for name in SIDES:
        found[name] = measure_apart(__file__, "--side", name, *sys.argv[1:])
    target = max(min(loss for _, loss in found[name]["curve"]) for name in SIDES)
    rows = []
    for name, label in SIDES.items():
        own = found[name]
        when = next(seconds for seconds, loss in own["curve"] if loss <= target)
        share = own["images_per_second"] * found["work"]["flops"] / found["roofs"][own["precision"]]
        rows.append(
            (label, own["images_per_second"], own["precision"], round(own["peak_MiB"]), share, when)
        )
    header = ("loop", "images/s", "precision", "peak memory, MiB", "share of matrix products",
              f"seconds to a validation loss of {target:.1f}")  # fmt: skip
    ratio = rows[1][1] / rows[0][1]
    caption = (
        f"Network of width {options.width} for {options.channels} × {options.size} × "
        f"{options.size} pixels and {options.latent} bits, batches of {options.batch}, "
        f"{options.seconds:g} s per loop. Ratio of images per second: {ratio:.2f}."
    )
    found["figure"] = {
        "caption": "Rate of both loops below the limits of the machine.",
        "alt": "Limits of copies and matrix products over intensity, and two points below them.",
    }
    benchmark = f"training-{options.size}px-{options.batch}"
    path = write_record(options.output, benchmark, on, header, rows, caption, **found)
    save_figure(roofline(found), options.output, path.stem)


if __name__ == "__main__":
    main()
