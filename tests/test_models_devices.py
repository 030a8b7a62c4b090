"""Everything public in lbae_lib.models and lbae_lib.data names the device of its tensors."""

import importlib
import pkgutil
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from implicit_devices import ExplicitDevices
from PIL import Image
from test_authors_weights import content

import lbae_lib.data
import lbae_lib.models
from lbae_lib.data import (
    attribute_table,
    embedded,
    face_colours,
    face_drawing,
    faces,
    folder,
    folder_layout,
    folder_listing,
    image_files,
    images,
    registry,
    table_lines,
    torchvision_sets,
)
from lbae_lib.models import (
    authors_weights,
    autoencoders,
    binarization,
    config,
    encoding,
    hardware,
    model_files,
    networks,
    sharing,
    training,
    training_run,
    training_state,
)

BLOBS = torch.randint(256, (20, 1, 32, 32), generator=torch.Generator().manual_seed(1)).byte()
LBAE, VAE = (config.NetworkConfig(32, 1, 6, width=1, kind=kind) for kind in config.MODELS)
SCHEDULE = config.TrainingConfig("bce", epochs=2, batch_size=4)
CPU = hardware.Hardware("cpu", "32-true")


def model(network=LBAE):
    return autoencoders.build_model(network, "cpu").eval().requires_grad_(False)


def entered(context):
    with context:
        pass


def built(kind, *arguments, **options):
    """Networks are built on PyTorch's default device, as all its modules are."""

    def build(_):
        with torch.device("cpu"):
            return kind(*arguments, **options)

    return build


def train(place, network=VAE, **options):
    return training.train(
        network, SCHEDULE, BLOBS[:16], BLOBS[16:], place, hardware=CPU, show_progress=False,
        **options,
    )  # fmt: skip


def resume(place):
    train(place, time_limit=0.0)
    return train(place)


def saved(place, network=LBAE):
    model_files.save_model(place / "model.safetensors", model(network).state_dict(), network, {})
    return place / "model.safetensors"


def share(place, programs=False):
    sharing.export_model(
        saved(place / "results/accelerator/mnist/lbae").parent, place / "out", programs
    )
    return sharing.load_shared(place / "out")


def pretrained(place):
    share(place)
    return sharing.pretrained("mnist", root=place)


def hub(place):
    sharing.HubModel(model()).save_pretrained(place)
    return sharing.HubModel.from_pretrained(place)


def published(place):
    with torch.device("cpu"):
        torch.save(content(LBAE), place / "last.cp")
    return authors_weights.read_authors_weights(place / "last.cp")


def pictures(place, classes=("a", "b")):
    for index in range(20):
        path = place / classes[index % len(classes)] / f"{index}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(np.full((40, 40), index, np.uint8)).save(path)
    return place


def listed(place):
    """A folder with a table."""
    rows = "".join(f"{i}.png,{i % 2}\n" for i in range(20))
    pictures(place, ("images",)).joinpath("attributes.csv").write_text("image_id,A\n" + rows)
    return folder.load_folder(place, 32, 1)


def listing(place):
    return folder_listing.list_folder(pictures(place))


def celeba_list(place):
    path = place / "list_eval_partition.txt"
    path.write_text("a.jpg 0\n")
    return path


def with_torchvision(name, load):
    """A loader of the paper's data, with the files' content in place of torchvision's classes."""

    def call(place):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"torchvision.datasets.{name}", partial(SmallSet, name))
            patch.setattr(torchvision_sets, "_checked", lambda part, *_: part)
            patch.setattr(torchvision_sets, "_CELEBA", {"train": 3, "valid": 3, "test": 3})
            return load(place, name)

    return call


class SmallSet:
    """torchvision's attributes of a data set of three images."""

    classes, attr_names = ("a", "b"), ("A", "B", "")

    def __init__(self, name, **_):
        self.attr = torch.zeros(3, 2, dtype=torch.int64, device="cpu")
        self.data = torch.zeros(3, 28, 28, dtype=torch.uint8, device="cpu")
        self.targets = torch.zeros(3, dtype=torch.int64, device="cpu")
        if name == "CIFAR10":
            self.data, self.targets = np.zeros((3, 32, 32, 3), np.uint8), [0, 1, 0]

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return Image.new("RGB", (178, 218)), self.attr[index]


ALONE = SimpleNamespace(world_size=1, device=torch.device("cpu"))
RNG = np.random.default_rng(0)
HAS = faces.draw_attributes(RNG)
SET = images.ImageSet(BLOBS)

# One call for each public function and each class; those that a call covers as well share it.
CALLS = {
    authors_weights.AuthorsModel: published,
    authors_weights.authors_names: lambda _: authors_weights.authors_names(LBAE),
    authors_weights.read_authors_weights: published,
    autoencoders.Autoencoder: built(autoencoders.LBAE, LBAE),
    autoencoders.LBAE: lambda _: model()(BLOBS / 255),
    autoencoders.VAE: lambda _: model(VAE)(BLOBS / 255),
    autoencoders.build_model: lambda _: [model(), autoencoders.build_model(VAE, "meta")],
    autoencoders.reconstruction_loss: lambda _: [
        autoencoders.reconstruction_loss(BLOBS.float(), BLOBS.float(), loss)
        for loss in autoencoders.LOSS_UNITS
    ],
    binarization.bernoulli_bottleneck: lambda _: binarization.bernoulli_bottleneck(BLOBS.float()),
    binarization.replaced: lambda _: binarization.replaced(BLOBS.float(), BLOBS.float()),
    binarization.straight_through_sign: lambda _: binarization.straight_through_sign(BLOBS.float()),
    config.NetworkConfig: lambda _: config.NetworkConfig(32, 1, 6),
    config.TrainingConfig: lambda _: config.TrainingConfig("bce", 1),
    encoding.cycle_loss: lambda _: encoding.cycle_loss(model(), BLOBS[:, 0, :6, 0].float().sign()),
    encoding.decode: lambda _: encoding.decode(model(VAE), BLOBS[:, 0, :6, 0]),
    encoding.encode: lambda _: encoding.encode(model(), BLOBS),
    encoding.encode_posterior: lambda _: encoding.encode_posterior(model(VAE), BLOBS),
    encoding.mean_image_loss: lambda _: encoding.mean_image_loss(BLOBS, BLOBS, "bce"),
    encoding.reconstruction_losses: lambda _: encoding.reconstruction_losses(model(), BLOBS, "mse"),
    encoding.to_uint8: lambda _: encoding.to_uint8(BLOBS / 255),
    encoding.to_unit_range: lambda _: encoding.to_unit_range(BLOBS),
    hardware.Hardware: lambda _: hardware.Hardware(),
    hardware.choose_device: lambda _: hardware.choose_device("auto"),
    hardware.choose_precision: lambda _: hardware.choose_precision("auto", "cpu"),
    hardware.explained_failures: lambda _: entered(
        hardware.explained_failures(ALONE, 4, Path())
    ),
    hardware.is_out_of_memory: lambda _: hardware.is_out_of_memory(RuntimeError()),
    hardware.own_part: lambda _: hardware.own_part(64, 1, 2),
    hardware.start_fabric: lambda _: hardware.start_fabric(CPU),
    model_files.load_autoencoder: lambda place: model_files.load_autoencoder(saved(place)),
    model_files.load_model: lambda place: model_files.load_model(saved(place)),
    model_files.load_vae: lambda place: model_files.load_vae(saved(place, VAE)),
    model_files.save_model: saved,
    networks.Decoder: built(networks.Decoder, LBAE),
    networks.EncoderTrunk: built(networks.EncoderTrunk, LBAE),
    networks.ResidualBlock: built(networks.ResidualBlock, 1, 2, transposed=True),
    networks.parameter_count: lambda _: networks.parameter_count(model()),
    sharing.HubModel: hub,
    sharing.export_model: lambda place: share(place, programs=True),
    sharing.load_shared: share,
    sharing.pretrained: pretrained,
    training.TrainingResult: train,
    training.train: train,
    training_run.TrainingRun: train,
    training_state.Identity: lambda _: training_state.Identity(LBAE, SCHEDULE, "a", "b", 1),
    training_state.RunState: train,
    training_state.restore_checkpoint: resume,
    training_state.save_checkpoint: resume,
    embedded.load_digits: lambda _: embedded.load_digits("Digits"),
    embedded.load_faces: lambda place: embedded.load_faces(place, "Faces"),
    embedded.load_photos: lambda _: embedded.load_photos("Photos"),
    face_colours.mix: lambda _: face_colours.mix(face_colours.BLACK, face_colours.WHITE, 0.5),
    face_colours.pick: lambda _: face_colours.pick(face_colours.EYES, RNG),
    face_drawing.draw_face: lambda _: face_drawing.draw_face(HAS, RNG),
    faces.draw_attributes: lambda _: faces.draw_attributes(RNG),
    faces.draw_faces: lambda _: faces.draw_faces(2, 0),
    folder.load_folder: lambda place: [
        folder.load_folder(pictures(place / "classes"), 32, 1), listed(place / "table")
    ],
    folder.read_images: lambda place: folder.read_images([pictures(place) / "a"], 32, 1),
    folder_layout.Found: lambda place: folder_layout.arranged(listing(place)),
    folder_listing.Listing: listing,
    folder_layout.arranged: lambda place: folder_layout.arranged(listing(place)),
    folder_listing.Reading: lambda place: listing(place).reading.for_record(),
    folder_listing.list_folder: listing,
    folder_listing.missing_reader: lambda _: folder_listing.missing_reader("a.heic"),
    folder_listing.is_image_name: lambda _: folder_listing.is_image_name("a.png"),
    table_lines.files_of: lambda _: table_lines.files_of(Path("attributes.csv")),
    folder_listing.split_of: lambda _: folder_listing.split_of("val"),
    attribute_table.Table: lambda place: listed(place),
    attribute_table.find_table: lambda place: listed(place),
    attribute_table.is_named: lambda place: attribute_table.is_named(pictures(place)),
    attribute_table.read_table: lambda place: listed(place),
    table_lines.attribute_names: lambda place: table_lines.attribute_names(celeba_list(place)),
    table_lines.table_lines: lambda place: table_lines.table_lines(celeba_list(place)),
    image_files.read_image: lambda place: folder.read_images([pictures(place) / "a"], 32, 1),
    images.Dataset: lambda _: images.Dataset("a", "A", SET, SET),
    images.ImageSet: lambda _: SET.split(3),
    embedded.draw_photos: lambda _: embedded.draw_photos("test", 2, 0),
    registry.DatasetInfo: lambda _: registry.dataset_info("mnist"),
    registry.dataset_info: lambda place: registry.dataset_info(f"folder:{place}"),
    registry.dataset_slug: lambda _: registry.dataset_slug("folder:A b"),
    registry.folder_path: lambda _: registry.folder_path("folder:A b"),
    registry.load_dataset: lambda place: registry.load_dataset(registry.DATASETS["digits"], place),
    registry.paper_counterpart: lambda _: registry.paper_counterpart(registry.DATASETS["digits"]),
    registry.with_home: lambda _: registry.with_home("~/a"),
    registry.without_home: lambda place: registry.without_home(place),
    torchvision_sets.load_celeba: with_torchvision("CelebA", torchvision_sets.load_celeba),
    torchvision_sets.load_cifar10: with_torchvision("CIFAR10", torchvision_sets.load_cifar10),
    torchvision_sets.load_mnist: with_torchvision("MNIST", torchvision_sets.load_mnist),
}  # fmt: skip
# It cannot be taken back: test_networks.py calls it in a process of its own.
ELSEWHERE = {hardware.keep_freed_memory}


@cache
def public_callables():
    found = set()
    for package in (lbae_lib.models, lbae_lib.data):
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                own = getattr(value, "__module__", "") == info.name
                if own and callable(value) and not name.startswith("_"):
                    found.add(value)
    return found


def test_no_public_function_is_forgotten():
    assert public_callables() == CALLS.keys() | ELSEWHERE


@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_every_tensor_is_created_with_its_device(function, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "_FACES", {"train": 2, "test": 1})
    with ExplicitDevices():
        CALLS[function](tmp_path)


@pytest.mark.parametrize("network", [LBAE, VAE], ids=lambda network: network.kind)
def test_models_are_built_on_any_device(network):
    """Also without values, for shapes alone: no weight and no statistic escapes to another."""
    with torch.device("meta"):
        inside = autoencoders.build_model(network)
    for found in (inside, autoencoders.build_model(network, "meta")):
        assert {value.device.type for value in found.state_dict().values()} == {"meta"}
        latents = found.encode(torch.empty(2, 1, 32, 32, device="meta"))
        assert latents.shape == (2, 6)
        assert found.decode(latents).shape == (2, 1, 32, 32)
