"""Whether bfloat16 costs quality: the same networks trained in float32 and in mixed precision.

    python benchmarks/precision.py [--dataset mnist] [--data data] [--width 64] [--images N]

Trains with the schedule of a profile, or fewer epochs, for several seeds in each precision on the
same images, and compares the validation losses of the weights that training keeps. Quality is the
same if the means differ by no more than the larger standard deviation over the seeds. Without units
for bfloat16 a processor imitates them: results are those of the format, the time means nothing.
Prints a table and writes a record to results/performance/.
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
    parser.add_argument("--images", type=int, help="the first so many; all unless given")
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
    print(
        f"bfloat16 {difference:+.3f} on {means['32-true']:.3f}; standard deviation {spread:.3f}; "
        f"units for bfloat16: {'yes' if native else 'no, imitated'}"
    )
    found = {
        "dataset": experiment.dataset.title,
        "images": len(images),
        "validation_images": len(validation),
        "width": network.width,
        "latent_size": network.latent_size,
        "epochs": training.epochs,
        "batch": training.batch_size,
        "losses": losses,
        "difference": difference,
        "spread": spread,
        "native": native,
    }
    write_record(options.output, "precision", machine(), found)


if __name__ == "__main__":
    main()
