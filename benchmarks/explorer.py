"""Time of one step of each control in the explorer, from the change to the new picture.

    python benchmarks/explorer.py [--dataset mnist] [--profile accelerator] [--data data]
        [--steps 20]

Moves the sliders of every panel as the browser does, and picks images; the callback decodes and
draws. Prints the median and the longest time of each, and writes a record to runs/performance/.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from pathlib import Path

import ipywidgets
from machine import OUTPUT, machine, write_record

from companion.experiments.profiles import load_experiment
from companion.experiments.trained import load_trained
from companion.widgets.explorer import explorer
from companion.widgets.image_picker import ImagePicker
from companion.widgets.space import Space


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--profile", default="accelerator")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    experiment = load_experiment(options.profile, options.dataset)
    tab = explorer(Space(load_trained(experiment, options.data)))
    on, rows = machine(), []
    for title, panel in tab.panels.items():
        for name, control in vars(panel).items():
            if isinstance(control, ImagePicker):
                low, high = 0, control.number.max
            elif isinstance(control, ipywidgets.IntSlider | ipywidgets.FloatSlider):
                low, high = control.min, control.max
            else:
                continue
            times = []
            places = random.Random(0).sample(range(options.steps + 1), options.steps + 1)
            for share in (place / options.steps for place in places):
                value = low + share * (high - low)
                began = time.perf_counter()
                control.value = type(control.value)(value)
                times.append(time.perf_counter() - began)
            times = sorted(times[1:])  # the first step may still build a sampler
            rows.append((title, name, 1000 * statistics.median(times), 1000 * times[-1]))
    header = ("panel", "control", "median, ms", "longest, ms")
    caption = f"The model of {experiment.dataset.title}, {options.steps} steps of each control."
    write_record(options.output, "explorer", on, header, rows, caption)


if __name__ == "__main__":
    main()
