"""Quality in bfloat16: the same networks trained in float32 and in mixed precision.

    python benchmarks/precision.py [--dataset mnist] [--data data] [--width 64] [--images N]

Trains with the schedule of a profile, or for fewer epochs, with several seeds in each precision on
the same images, and compares the validation losses of the weights that training keeps. We call the
quality equal if the means differ by at most the larger standard deviation over the seeds. A
processor without units for bfloat16 emulates them: the losses are valid, the times are not. Prints
a table and writes a record to runs/performance/.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path

from machine import OUTPUT, machine, write_record

from companion.experiments.images import load_images
from companion.experiments.profiles import load_experiment
from lbae_lib.models.hardware import Hardware, choose_device, choose_precision
from lbae_lib.models.training import train

PRECISIONS = ("32-true", "bf16-mixed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--width", type=int)
    parser.add_argument("--images", type=int, help="number of training images; all by default")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    experiment = load_experiment(options.profile, options.dataset)
    network, training = experiment.network, experiment.training
    if options.width:
        network = dataclasses.replace(network, width=options.width)
    if options.epochs:
        cooldown = min(training.cooldown_epochs, options.epochs // 2)
        training = dataclasses.replace(training, epochs=options.epochs, cooldown_epochs=cooldown)
    splits = load_images(experiment, options.data).splits
    images, validation = splits["train"].images[: options.images], splits["validation"].images
    losses: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    for seed in range(options.seeds):
        for name in PRECISIONS:
            with tempfile.TemporaryDirectory() as folder:
                result = train(
                    network, dataclasses.replace(training, seed=seed), images, validation,
                    Path(folder), hardware=Hardware(precision=name),
                )  # fmt: skip
            assert result.best_validation_loss is not None
            losses[name].append(result.best_validation_loss)
            print(f"seed {seed}, {name:10}: validation loss {losses[name][-1]:.3f}", flush=True)
    means = {name: statistics.mean(found) for name, found in losses.items()}
    spread = max(statistics.stdev(found) for found in losses.values())
    difference = means["bf16-mixed"] - means["32-true"]
    native = choose_precision("auto", choose_device("auto")) == "bf16-mixed"
    within = "at most" if abs(difference) <= spread else "more than"
    emulated = "" if native else " The processor has no units for bfloat16 and emulates them."
    caption = (
        f"{len(images):,} training images of {experiment.dataset.title}, width {network.width}, "
        f"{network.latent_size} bits, batches of {training.batch_size}, epochs: {training.epochs}; "
        f"loss of {len(validation):,} validation images. In mixed precision the mean differs "
        f"by {difference:+.3f}, {within} the standard deviation over seeds, {spread:.3f}."
        f"{emulated}"
    )
    by_seed = zip(*losses.values(), strict=True)
    rows = [(seed, *(f"{loss:.3f}" for loss in pair)) for seed, pair in enumerate(by_seed)]
    header = ("seed", *(f"validation loss, {name}" for name in losses))
    write_record(options.output, "precision", machine(), header, rows, caption)


if __name__ == "__main__":
    main()
