"""What the explorer in the page knows of a model: its decoder, and a summary of its latents.

The summary is small, and is kept as ``explorer.json`` beside a model's results: a book can then be
built where the data set is not at hand. The decoder comes from the model's own file.
"""

import base64
from bisect import bisect_left
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from companion.experiments.artifacts import EXPLORER
from companion.experiments.images import attribute_table
from companion.experiments.trained import Trained
from companion.png import png_of_rows
from lbae_lib.data.images import ImageSet
from lbae_lib.errors import DataError
from lbae_lib.files import read_json, sha256_file
from lbae_lib.latent.algorithm_1 import restored_algorithm_1
from lbae_lib.latent.attributes import expected_bits
from lbae_lib.latent.baselines import DirectRounding, IndependentBits, UniformBits
from lbae_lib.latent.correlation import factor, gram_matrix, repair, rounding_moments
from lbae_lib.latent.gaussians import Gaussian
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.moments import Moments, moment_errors, moments, sampling_noise
from lbae_lib.latent.sampler import Sampler
from lbae_lib.models.autoencoders import LBAE

TEST_IMAGES = 40
_PER_CLASS = 4  # of the test images, where they have classes
_RANK_STEP = 8
_WORSE = 1.01  # by how much the rank of V may raise the error of its pair moments
_MAX_STEPS = 1000  # of restored Algorithm 1; most latents need some tens
_DRAWN = 20_000  # samples from which moment errors are computed
_FORMAT = "lbae-explorer"


def tensor_json(tensor: Tensor, kind: str) -> dict[str, Any]:
    """Shape and values in base64, as "f2" (half precision), "f4" or "u1", little-endian."""
    data = tensor.cpu().numpy().astype(f"<{kind}").tobytes()
    return {"shape": list(tensor.shape), "type": kind, "data": base64.b64encode(data).decode()}


def decoder_json(model: LBAE) -> dict[str, Any]:
    """The decoder's tensors by name; a batch norm is its ``scale`` and ``shift`` in eval mode."""
    found = {}
    for name, module in model.decoder.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            scale = module.weight / (module.running_var + module.eps).sqrt()
            found[f"{name}.scale"] = scale
            found[f"{name}.shift"] = module.bias - module.running_mean * scale
        else:
            own = module.named_parameters(recurse=False)
            found |= {f"{name}.{part}": parameter for part, parameter in own}
    return {
        name: tensor_json(tensor.detach(), "f2" if tensor.ndim > 1 else "f4")
        for name, tensor in found.items()
    }


def summarise(trained: Trained, profile: str, model_sha256: str) -> dict[str, Any]:
    """What the page needs of a model's latents, as JSON."""
    train, test = trained.bits("train"), trained.images["test"]
    truth = moments(train)
    chosen = choose_images(test)
    bits = trained.bits("test")[chosen]
    found_vectors = sufficient_rank(truth, bits)
    vectors = found_vectors.vectors
    root = Gaussian.with_covariance(truth.first, truth.covariance).root.half().double()
    samplers: dict[str, Sampler] = {
        "nearest": HyperplaneSampler(vectors),
        "direct": DirectRounding(Gaussian(truth.first, root)),
        "independent": IndependentBits(truth.first),
        "uniform": UniformBits(train.shape[1]),
    }
    tensors = {
        "vectors": tensor_json(vectors, "f2"),
        "root": tensor_json(root, "f2"),
        "mean": tensor_json(truth.first, "f4"),
        "test": tensor_json(trained.packed["test"][chosen], "u1"),
    }
    found: dict[str, Any] = {"attributes": [], "shares": [], "test_labels": []}
    try:
        names, has = attribute_table(trained.dataset, trained.images["train"])
    except DataError:
        pass  # images without classes and attributes have no such panel
    else:
        known = has.any(0)
        found["attributes"] = [n for n, there in zip(names, known, strict=True) if there]
        found["shares"] = has[:, known].double().mean(0).tolist()
        means = torch.stack([expected_bits(train, h) for h in has.T[known]])
        tensors["attribute_means"] = tensor_json(means, "f4")
    if test.labels is not None and trained.dataset.class_names:
        labels = test.labels[chosen].tolist()
        found["test_labels"] = [trained.dataset.class_names[label] for label in labels]
    noise = sampling_noise(truth, _DRAWN)
    errors = {}
    for key, sampler in samplers.items():
        drawn = sampler.sample(_DRAWN, torch.Generator().manual_seed(0)).float()
        errors[key] = moment_errors(moments(drawn), truth).pairs
    return found | {
        "format": _FORMAT,
        "version": EXPLORER.version,
        "model_sha256": model_sha256,
        "title": trained.dataset.title,
        "profile": profile,
        "latent_size": train.shape[1],
        "test_indices": chosen.tolist(),
        "thumbnails": base64.b64encode(png_of_rows(test.images[chosen][None])).decode(),
        "drawn": _DRAWN,
        "noise": noise.pairs,
        "rank": {key: value for key, value in found_vectors._asdict().items() if key != "vectors"},
        "errors": errors,
        "tensors": tensors,
    }


def choose_images(test: ImageSet) -> Tensor:
    """Indices of test images to choose from: the first of each class, or else of all."""
    if test.labels is None:
        return torch.arange(min(TEST_IMAGES, len(test.images)))
    classes = test.labels.unique(sorted=True)[: TEST_IMAGES // _PER_CLASS]
    return torch.cat([(test.labels == label).nonzero()[:_PER_CLASS, 0] for label in classes])


class Vectors(NamedTuple):
    """V for the page, float64 (N+1, R) with values of half precision, and what its rank costs.

    The errors are RMS errors of the pair moments in expectation, with V and with all columns.
    """

    vectors: Tensor
    error: float
    full_rank: int
    full_error: float


def sufficient_rank(truth: Moments, latents: Tensor) -> Vectors:
    """V of the nearest correlation matrix, of the lowest rank that suffices.

    It suffices if the moments are nearly as good as those of all columns, and restored Algorithm 1
    still finds a hyperplane for each of the given latents that has one at all.
    """
    every = factor(repair(gram_matrix(truth.matrix), "nearest").matrix)
    most = every.shape[1]
    full_error, most_wrong = _expected_error(every, truth), _wrong_bits(latents, every)

    def lowered(rank: int) -> Tensor:  # as factor(..., rank): the last columns have most weight
        return nn.functional.normalize(every[:, -rank:], dim=1).half().double()

    def suffices(rank: int) -> bool:
        vectors = lowered(rank)
        good = _expected_error(vectors, truth) <= _WORSE * full_error
        return good and _wrong_bits(latents, vectors) <= most_wrong

    ranks = [*range(_RANK_STEP, most, _RANK_STEP)]
    place = bisect_left(ranks, True, key=suffices)
    vectors = lowered(ranks[place] if place < len(ranks) else most)
    return Vectors(vectors, _expected_error(vectors, truth), most, full_error)


def _wrong_bits(latents: Tensor, vectors: Tensor) -> int:
    found = restored_algorithm_1(latents, HyperplaneSampler(vectors), _MAX_STEPS)
    return int(found.wrong_bits.sum())


def _expected_error(vectors: Tensor, truth: Moments) -> float:
    """RMS error of the pair moments in expectation."""
    unit = nn.functional.normalize(vectors, dim=1)
    return moment_errors(Moments(rounding_moments(unit), truth.count), truth).pairs


def read_summary(path: Path, model: Path) -> dict[str, Any] | None:
    """A stored summary, if there is one and it is of this model's file."""
    if not path.exists():
        return None
    found = read_json(path, "summary of latents")
    current = (found.get("format"), found.get("version")) == (_FORMAT, EXPLORER.version)
    return found if current and found.get("model_sha256") == sha256_file(model) else None


def stored_tensor(summary: dict[str, Any], name: str) -> Tensor:
    """A tensor of a summary, of the type that it was stored with."""
    found = summary["tensors"][name]
    values = np.frombuffer(base64.b64decode(found["data"]), dtype=f"<{found['type']}")
    return torch.from_numpy(values.copy()).reshape(found["shape"])
