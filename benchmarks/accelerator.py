"""Everything worth doing on a borrowed accelerator, in order, within a time limit.

    python benchmarks/accelerator.py --minutes 25 --data DATA --home HOME

Three steps: the library's functions on the device against the processor's results; throughput of
training against a plain float32 loop; then trainings, each LBAE beside its VAE. Each step writes
what it has to HOME when it ends, and is skipped when the command is called again. A training that
the time limit stops resumes from its checkpoint, if the machine is still the same one.

HOME gets few files of moderate size: one JSON record a step, and the trained models with their
records and packed latents as one archive, cut into parts of at most 15 MiB. To read them:
``cat trained.tar.* | tar -x``. DATA holds ``MNIST/raw`` and image folders as ``folder:PATH`` has
them; a data set that is missing is skipped, and the record says so.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from training import blobs, plain_loop

from lbae_lib.bits import pack_bits, signs, unpack_bits
from lbae_lib.data.registry import dataset_info, load_dataset
from lbae_lib.errors import DataError
from lbae_lib.files import sha256_file, sha256_tensor, write_json, write_tensors
from lbae_lib.latent import inversion
from lbae_lib.latent.correlation import gram_matrix, repair
from lbae_lib.latent.hyperplane import hyperplane_sampler
from lbae_lib.latent.moments import moments
from lbae_lib.metrics.classifier import FeatureClassifier
from lbae_lib.models.autoencoders import LBAE, VAE, build_model, reconstruction_loss
from lbae_lib.models.config import NetworkConfig, TrainingConfig
from lbae_lib.models.encoding import decode, encode, encode_posterior, reconstruction_losses
from lbae_lib.models.hardware import Hardware, choose_device
from lbae_lib.models.model_files import MODEL_FILE, load_autoencoder
from lbae_lib.models.training import train

PART_BYTES = 15 * 2**20
RESERVE = 90.0  # seconds kept for scoring a model and writing the archive


@dataclass(frozen=True)
class Run:
    """One training of the list.

    Attributes:
        name: of its folder.
        dataset: a registered name, or "folder:PATH" below DATA.
        network: the model's shape.
        training: its schedule.
        validation: images set apart for choosing the epoch.
    """

    name: str
    dataset: str
    network: NetworkConfig
    training: TrainingConfig
    validation: int


def runs(rehearsal: bool) -> list[Run]:
    """The trainings in order: a pair of LBAE and VAE is worth more than one long schedule."""
    if rehearsal:
        return _pair("digits", "digits", 32, 1, 24, 8, 2, 10.0, "bce", 1, 137, 0, None, width=4)
    found = _pair("cifar10", "folder:cifar10", 32, 3, 600, 128, 300, 128.0, "mse", 60, 5000)
    found += _pair("mnist", "mnist", 32, 1, 200, 16, 300, 10.0, "bce", 60, 5000, 0, 1)
    found += _pair("celeba", "folder:celeba_47k", 64, 3, 1500, 64, 60, 64.0, "mse", 15, 1000)
    found += _pair(
        "cifar10-seed1", "folder:cifar10", 32, 3, 600, 128, 300, 128.0, "mse", 60, 5000, 1
    )
    return [
        *found,
        *_pair("mnist-2000", "mnist", 32, 1, 200, 16, 2000, 10.0, "bce", 0, 5000, 0, 1)[:1],
    ]


def _pair(
    name: str, dataset: str, size: int, channels: int, bits: int, numbers: int, epochs: int,
    kl_weight: float, loss: Any, cooldown: int, validation: int, seed: int = 0,
    entry: int | None = None, width: int = 64,
) -> list[Run]:  # fmt: skip
    shape = {"image_size": size, "channels": channels, "width": width, "entry_channels": entry}
    schedule = {"loss": loss, "epochs": epochs, "cooldown_epochs": cooldown, "seed": seed}
    schedule["batch_size"] = 64 if width < 64 else 512
    return [
        Run(f"{name}-lbae", dataset, NetworkConfig(latent_size=bits, **shape),
            TrainingConfig(**schedule), validation),
        Run(f"{name}-vae", dataset, NetworkConfig(latent_size=numbers, kind="vae", **shape),
            TrainingConfig(**schedule, kl_weight=kl_weight), validation),
    ]  # fmt: skip


def compare_with_processor(device: str, rehearsal: bool) -> dict[str, Any]:
    """Each function on the device against the same call on the processor."""
    rows = []
    for size, pixels, bits in ((32, 1, 24),) if rehearsal else ((32, 1, 200), (64, 3, 1500)):
        network = NetworkConfig(image_size=size, channels=pixels, latent_size=bits,
                                width=4 if rehearsal else 64)  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = build_model(network).eval().requires_grad_(False)
        images = blobs(64 if rehearsal else 512, pixels, size)
        generator = torch.Generator().manual_seed(1)
        classes = signs(torch.randn(12, bits, generator=generator))
        chosen = torch.randint(12, (4000,), generator=generator)
        flipped = torch.rand(4000, bits, generator=generator) < 0.15
        latents = torch.where(flipped, -classes[chosen], classes[chosen])
        assert isinstance(model, LBAE)
        for name, function in _functions(model, images, latents).items():
            found = {}
            for where in ("cpu", device):
                if where != "cpu":
                    function(where)  # the first call compiles and allocates
                began = time.perf_counter()
                result = function(where).cpu().double()  # waits for the device
                found[where] = (result, time.perf_counter() - began)
            (theirs, slow), (ours, fast) = found["cpu"], found[device]
            difference = (ours - theirs).abs()
            rows.append({
                "function": name, "N": bits, "largest_difference": float(difference.max()),
                "share_different": float((difference > 0).double().mean()),
                "seconds_processor": slow, "seconds_device": fast,
            })  # fmt: skip
            print(f"{name:12} N = {bits:5}  {rows[-1]['largest_difference']:.2e}  "
                  f"{slow:8.3f} s  {fast:8.3f} s", flush=True)  # fmt: skip
    return {"rows": rows}


def _functions(model: LBAE, images: Tensor, latents: Tensor) -> dict[str, Callable[[str], Tensor]]:
    """What is compared, as functions of a device that give a tensor."""
    count, bits = 64, latents.shape[1]
    truth = moments(latents)
    sampler, _ = hyperplane_sampler(truth, "clip")
    blended = inversion.full_rank(sampler)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = FeatureClassifier(images.shape[1], 10).eval().requires_grad_(False)

    def normals(where: str) -> Tensor:
        on = type(blended)(blended.vectors.to(where))
        return inversion.exact(
            latents[:count].double().to(where), on, torch.Generator().manual_seed(3), 3
        ).normals

    return {
        "encode": lambda d: encode(model.to(d), images),
        "decode": lambda d: decode(model.to(d), latents[:count]),
        "features": lambda d: classifier.to(d).features(images.to(d)),
        "moments": lambda d: moments(latents.to(d)).matrix,
        "repair": lambda d: repair(gram_matrix(truth.matrix.to(d)), "nearest").matrix,
        "sample": lambda d: type(sampler)(sampler.vectors.to(d)).sample(
            1000, torch.Generator().manual_seed(2)
        ),
        "inversion": normals,
        "unpack": lambda d: unpack_bits(pack_bits(latents).to(d), bits),
    }


def measure_training(device: str, rehearsal: bool, folder: Path) -> dict[str, Any]:
    """Images a second of the library's loop and of the plain float32 loop, at both sizes."""
    seconds, batch, rows = (2.0, 64, []) if rehearsal else (25.0, 512, [])
    for size, channels, bits in ((32, 1, 24),) if rehearsal else ((32, 3, 600), (64, 3, 1500)):
        network = NetworkConfig(image_size=size, channels=channels, latent_size=bits,
                                width=4 if rehearsal else 64)  # fmt: skip
        images, validation = blobs(8 * batch, channels, size), blobs(batch, channels, size)
        plain = plain_loop(network, images, validation, batch, seconds)
        schedule = TrainingConfig(loss="mse", epochs=10**6, batch_size=batch)
        result = train(network, schedule, images, validation, folder / f"throughput-{size}",
                       hardware=Hardware(device), time_limit=seconds)  # fmt: skip
        row: dict[str, Any] = {"size": size, "batch": batch, "precision": result.precision}
        row |= {"plain": plain["images_per_second"], "library": result.images_per_second}
        modes = ("default",) if rehearsal else ("default", "reduce-overhead")  # with CUDA graphs
        row |= {f"compiled, {mode}": _compiled(network, images, batch, seconds, mode, device,
                                               rehearsal) for mode in modes}  # fmt: skip
        rows.append(row)
        print(f"training at {size} px: {row}", flush=True)
    return {"rows": rows}


def _compiled(
    network: NetworkConfig, images: Tensor, batch: int, seconds: float, mode: str, device: str,
    rehearsal: bool,
) -> float:  # fmt: skip
    """Images a second of a compiled step in bfloat16, images on the device as bytes."""
    model = build_model(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    how = {"backend": "eager"} if rehearsal else {"mode": mode}
    step: Any = torch.compile(model, **how)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images, seen, began = images.to(device), 0, 0.0
    warm, stop = 3, float("inf")
    for number in range(10**9):
        if number == warm:
            _finish(device)
            began, seen = time.perf_counter(), 0
            stop = began + seconds
        if time.perf_counter() > stop:
            break
        part = images[number * batch % len(images) :][:batch].float() / 255
        with torch.autocast(device, torch.bfloat16):
            logits = step(part)
        optimizer.zero_grad()
        reconstruction_loss(logits, part, "mse").mean().backward()
        optimizer.step()
        seen += batch
    _finish(device)
    return seen / (time.perf_counter() - began)


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def train_run(
    run: Run, data: Path, folder: Path, device: str, limit: float
) -> dict[str, Any] | None:
    """Train, score and encode; None if the time limit came first."""
    dataset = load_dataset(dataset_info(run.dataset, lambda: data, **_described(run)), data,
                           lambda: data)  # fmt: skip
    parts = dict(zip(("train", "validation"), dataset.train.split(run.validation), strict=True))
    parts["test"] = dataset.test
    result = train(run.network, run.training, parts["train"].images, parts["validation"].images,
                   folder, hardware=Hardware(device), time_limit=limit)  # fmt: skip
    if not result.finished:
        return None
    digest = sha256_file(folder / MODEL_FILE)
    model, _ = load_autoencoder(folder / MODEL_FILE, device)
    losses = {
        name: float(reconstruction_losses(model, part.images, run.training.loss).mean())
        for name, part in parts.items()
    }
    latents: dict[str, Tensor] = {}
    for name, part in parts.items():
        if isinstance(model, VAE):
            mean, log_variance = encode_posterior(model, part.images)
            latents |= {f"{name}.mean": mean, f"{name}.log_variance": log_variance}
        else:
            latents[name] = encode(model, part.images)
    hashes = {name: sha256_tensor(part.images) for name, part in parts.items()}
    about = {
        "latent_size": run.network.latent_size,
        "model_sha256": digest,
        "images_sha256": hashes,
    }
    write_tensors(folder / "latents.safetensors", latents, about)
    return {"run": asdict(run), **result.for_record(), "reconstruction_loss": losses,
            "model_sha256": digest, "images": {n: len(p) for n, p in parts.items()}}  # fmt: skip


def _described(run: Run) -> dict[str, Any]:
    """What a folder of images is to be read as."""
    if not run.dataset.startswith("folder:"):
        return {}
    return {"image_size": run.network.image_size, "channels": run.network.channels}


def bring_home(work: Path, home: Path) -> None:
    """What the trainings left, but for checkpoints, as one archive in parts."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(work.rglob("*")):
            if path.is_file() and not path.name.startswith(("checkpoint", ".")):
                archive.add(path, path.relative_to(work))
    content = buffer.getvalue()
    for old in home.glob("trained.tar.*"):
        old.unlink()
    for number, start in enumerate(range(0, len(content), PART_BYTES)):
        (home / f"trained.tar.{number:02}").write_bytes(content[start : start + PART_BYTES])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=25.0, help="time limit of this call")
    parser.add_argument("--data", type=Path, default=Path("data"), help="where the images are")
    parser.add_argument("--home", type=Path, default=Path("build/accelerator"), help="for results")
    parser.add_argument("--work", type=Path, default=Path("build/accelerator-work"),
                        help="for checkpoints")  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--rehearse", action="store_true", help="tiny networks, on any device")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    device = choose_device(options.device)
    options.home.mkdir(parents=True, exist_ok=True)
    print(f"{torch.cuda.get_device_name() if device == 'cuda' else device}, PyTorch "
          f"{torch.__version__}, {options.minutes:g} minutes", flush=True)  # fmt: skip
    log = options.home / "steps.json"
    done: dict[str, Any] = json.loads(log.read_text()) if log.exists() else {}

    def step(name: str, action: Callable[[], dict[str, Any] | None]) -> None:
        left = deadline - time.monotonic()
        if name in done or left < (1.0 if options.rehearse else RESERVE):
            return
        began = time.monotonic()
        try:
            found = action()
        except DataError as error:
            found = {"skipped": str(error)}
        if found is not None:
            done[name] = found | {"device": device, "seconds_of_step": time.monotonic() - began}
            write_json(log, done)
        print(f"{name}: {'stopped, to be resumed' if found is None else 'done'}", flush=True)

    step("compare", lambda: compare_with_processor(device, options.rehearse))
    throughput = options.work / "throughput"
    step("throughput", lambda: measure_training(device, options.rehearse, throughput))
    trained = options.work / "trained"
    for run in runs(options.rehearse):
        left = deadline - time.monotonic() - (0 if options.rehearse else RESERVE)
        step(run.name, lambda run=run, left=left: train_run(  # type: ignore[misc]
            run, options.data, trained / run.name, device, left))  # fmt: skip
        if trained.exists():
            bring_home(trained, options.home)
    print(f"{len(done)} steps done; results in {options.home}")


if __name__ == "__main__":
    main()
