"""Images a second of training, against a plain float32 loop and what the machine could do.

    python benchmarks/training.py [--size 32] [--channels 1] [--width 64] [--batch 512]

Each side trains the same network on the same blobs for some seconds in a process of its own. The
plain loop is what one writes first: a DataLoader of float32 images, weights in the default layout,
Adam as it comes, the loss read at every step. Floating-point operations of a step are counted; the
rate of matrix products and the bandwidth of copies are measured in this run, in each precision at
hand. Writes a record and a roofline plot to results/performance/, and prints a table.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from machine import OUTPUT, machine, write_record
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from companion.figures.performance import roofline
from companion.figures.style import save_figure
from lbae_lib.models.autoencoders import build_model, reconstruction_loss
from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.hardware import Hardware, choose_device, choose_precision
from lbae_lib.models.training import train

RATE = 1e-3


def blobs(count: int, channels: int, size: int) -> Tensor:
    """Soft discs in random places: images that can be learned, uint8."""
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
    """The loop one writes first, in float32."""
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
    """``lbae_lib.models.training.train`` with what it chooses by itself."""
    schedule = TrainingConfig(loss="mse", epochs=10**6, batch_size=batch, learning_rate=RATE)
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            network, schedule, images, validation, Path(folder), hardware=Hardware(),
            time_limit=seconds,
        )  # fmt: skip
        lines = (Path(folder) / "progress.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    # The first epoch allocates, and is left out where there are others.
    rates = [line["images_per_second"] for line in history[1:] or history]
    return {
        "images_per_second": len(rates) / sum(1 / rate for rate in rates),
        "curve": [(line["seconds"], line["validation_loss"]) for line in history],
        "precision": result.precision,
    }


class Traffic(TorchDispatchMode):
    """Bytes that operations read and write, if each goes to memory on its own."""

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
    """Floating-point operations and bytes for an image of a training step in float32."""
    model = build_model(network)
    images = torch.rand(batch, network.channels, network.image_size, network.image_size)
    with FlopCounterMode(display=False) as flops, Traffic() as traffic:
        reconstruction_loss(model(images), images, "mse").mean().backward()
    return {"flops": flops.get_total_flops() / batch, "bytes": traffic.bytes / batch}


def roofs() -> dict[str, float]:
    """Matrix products in FLOP/s for each precision, and copies in B/s read and written."""
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
    parser.add_argument("--side", choices=("plain", "library"))
    options = parser.parse_args()
    network = NetworkConfig(
        image_size=options.size, channels=options.channels, latent_size=options.latent,
        width=options.width,
    )  # fmt: skip
    if options.side:
        images = blobs(options.images + 256, options.channels, options.size)
        side = plain_loop if options.side == "plain" else library
        measured = side(network, images[256:], images[:256], options.batch, options.seconds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if torch.cuda.is_available():
            peak = torch.cuda.max_memory_allocated() / 2**20
        print(json.dumps(measured | {"peak_MiB": peak}))
        return

    on = machine()
    kept = {k: v for k, v in vars(options).items() if k not in ("output", "side")}
    found: dict[str, Any] = {"options": kept, "work": work(network, 8), "roofs": roofs()}
    for side_name in ("plain", "library"):
        command = [sys.executable, __file__, "--side", side_name, *sys.argv[1:]]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[side_name] = json.loads(done.stdout.splitlines()[-1])
    target = max(min(loss for _, loss in found[s]["curve"]) for s in ("plain", "library"))
    found["target"] = target
    for side_name in ("plain", "library"):
        side_found = found[side_name]
        when = next(t for t, loss in side_found["curve"] if loss <= target)
        side_found["seconds_to_target"] = when
        rate = side_found["images_per_second"] * found["work"]["flops"]
        side_found["share_of_products"] = rate / found["roofs"][side_found["precision"]]
        print(
            f"{side_name:8} {side_found['images_per_second']:10.1f} images/s   "
            f"{side_found['precision']:10} {side_found['peak_MiB']:7.0f} MiB   "
            f"{side_found['share_of_products']:6.1%} of the machine's matrix products   "
            f"{when:6.1f} s to a validation loss of {target:.1f}"
        )
    ratio = found["library"]["images_per_second"] / found["plain"]["images_per_second"]
    print(f"ratio {ratio:.2f}, on {on}")
    benchmark = f"training-{options.size}px-{options.batch}"
    path = write_record(options.output, benchmark, on, found | {"ratio": ratio})
    save_figure(roofline(found), options.output, path.stem)


if __name__ == "__main__":
    main()
