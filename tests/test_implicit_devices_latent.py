"""Every public function and method of bits, latents and coding names the device of its tensors."""

import importlib
import inspect
import pkgutil
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from implicit_devices import ExplicitDevices

import lbae_lib.coding
import lbae_lib.latent
from lbae_lib import bits
from lbae_lib.coding import codec, coders, container, quantised
from lbae_lib.latent import (
    algorithm_1,
    attributes,
    autoregressive,
    baselines,
    bit_models,
    chow_liu,
    conditioned,
    correlation,
    dichotomized,
    draws,
    gaussians,
    higher_order,
    hyperplane,
    integer_network,
    interpolation,
    inversion,
    likelihood,
    masked_network,
    mixture_of_hyperplanes,
    moment_fit,
    moments,
    nearest_correlation,
    truncated_gaussian,
)

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
MODULES = [bits] + [
    importlib.import_module(found.name)
    for package in (lbae_lib.latent, lbae_lib.coding)
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


def given(on):
    return conditioned.ConditionedSampler.fit(on.latents, on.latents[:, :2])


def halves(on):
    """A mixture of two components."""
    labels = torch.arange(len(on.latents), device=on.latents.device) % 2
    return mixture_of_hyperplanes.MixtureOfHyperplanes.fit(on.latents, labels)


def public_callables():
    """The names of all public functions, and of the public methods and properties of classes."""
    for module in MODULES:
        place = module.__name__.split(".")[-1]
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value):
                yield f"{place}.{name}"
            if inspect.isclass(value) and not getattr(value, "_is_protocol", False):
                for own, member in vars(value).items():
                    kinds = (property, classmethod, staticmethod)
                    if not own.startswith("_") and (
                        inspect.isfunction(member) or isinstance(member, kinds)
                    ):
                        yield f"{place}.{name}.{own}"


class OwnCode(ExplicitDevices):
    """Leaves PyTorch's own functions alone: Adam's step counters are on the processor."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if sys._getframe(1).f_globals["__name__"].startswith("torch."):
            return func(*args, **(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs)


@pytest.fixture(scope="module", params=DEVICES)
def on(request, tmp_path_factory):
    """What the calls below need, on a device."""
    return inputs(request.param, tmp_path_factory.mktemp("priors"))


def inputs(device, folder):
    seeded = torch.Generator().manual_seed(1)
    mixed = torch.randn(80, 3, generator=seeded) @ torch.randn(3, 6, generator=seeded)
    with OwnCode():
        latents = bits.signs(mixed).to(device)
        truth = moments.moments(latents)
        gram = correlation.gram_matrix(truth.matrix)
        sampler = inversion.full_rank(hyperplane.hyperplane_sampler(truth)[0])
        generator = torch.Generator().manual_seed(2)
        network = masked_network.MaskedNetwork(
            torch.arange(6, device="cpu"), [5], torch.full((6,), 0.4, device="cpu"), generator
        ).to(device)
        prior = integer_network.Autoregressive.rounded(network)
        factorised = bit_models.Factorised.fit(truth)
        normals = sampler.normals(4, generator)
        return SimpleNamespace(
            device=device,
            latents=latents,
            packed=bits.pack_bits(latents),
            truth=truth,
            gram=gram,
            repaired=correlation.repair(gram),
            sampler=sampler,
            positive=sampler.vectors @ sampler.vectors.T,
            generator=generator,
            normals=normals,
            path=interpolation.interpolate_bits(sampler, normals[:2], normals[2:], 5),
            gaussian=gaussians.Gaussian.standard(6, device),
            dichotomized=dichotomized.DichotomizedGaussian.fit(truth)[0],
            network=network,
            prior=prior,
            factorised=factorised,
            has=latents[:, 0] > 0,
            direction=attributes.contrast(latents, latents[:, 0] > 0),
            codec=codec.Codec(factorised, prior, "a" * 64, "b" * 64, 1, 32),
            file=folder / "priors.safetensors",
        )


def state_of(model):
    state = model.conditionals(3)
    next(state), state.send(torch.ones(3, device="cpu"))


def truncated(on):
    positive = on.normals.abs()
    return truncated_gaussian.truncated_gaussian(positive, on.positive, 1, on.generator)


def full_rank_vectors(on):
    with inversion.full_rank_vectors(on.sampler):
        pass


def one_thread(on):
    with moment_fit.one_thread():
        pass


def saved(on):
    codec.save_priors(on.file, on.factorised, on.prior, {})
    return codec.load_priors(on.file)


def quantised_back(on):
    mean = on.normals.mean(0)
    payload = quantised.encode_quantised(on.normals, 0.1, mean, mean.abs() + 1)
    return quantised.decode_quantised(payload, len(on.normals), 0.1, mean, mean.abs() + 1)


def coded(on):
    payload = coders.encode_bits(on.latents, on.prior)
    return coders.decode_bits(payload, len(on.latents), 6, on.prior)


def container_back(on):
    return container.Container.from_bytes(on.codec.compress(on.latents)).to_bytes()


def compressed(on):
    return on.codec.decompress(on.codec.compress(on.latents))


def drawn(make):
    """A sampler's latents."""
    return lambda on: make(on).sample(5, on.generator)


FIT = partial(
    autoregressive.fit_autoregressive, hidden=(4,), epochs=2, batch_size=30, show_progress=False
)
CALLS = {
    "bits.signs": lambda on: bits.signs(on.normals),
    "bits.check_bits": lambda on: bits.check_bits(on.latents),
    "bits.check_latents": lambda on: bits.check_latents(on.latents),
    "bits.pack_bits": lambda on: bits.pack_bits(on.latents),
    "bits.unpack_bits": lambda on: bits.unpack_bits(on.packed, 6),
    "bits.hamming_distance": lambda on: bits.hamming_distance(on.latents[:5], on.latents[5:10]),
    "bits.nearest_distance": lambda on: bits.nearest_distance(on.latents[:5], on.latents),
    "algorithm_1.restored_algorithm_1": lambda on: algorithm_1.restored_algorithm_1(
        on.latents, on.sampler, 50
    ),
    "algorithm_1.authors_procedure": lambda on: algorithm_1.authors_procedure(
        on.latents, on.sampler
    ),
    "attributes.expected_bits": lambda on: attributes.expected_bits(on.latents, on.has),
    "attributes.contrast": lambda on: attributes.contrast(on.latents, on.has),
    "attributes.set_attribute": lambda on: attributes.set_attribute(on.latents, on.direction),
    "attributes.bits_set": lambda on: attributes.bits_set(on.direction, 0.1),
    "attributes.threshold_for": lambda on: attributes.threshold_for(on.direction, 2),
    "attributes.threshold_changing": lambda on: attributes.threshold_changing(
        on.latents, on.direction, 0.2
    ),
    "autoregressive.fit_autoregressive": lambda on: FIT(on.latents[:60], on.latents[60:]),
    "autoregressive.FittedPrior.epoch": lambda on: FIT(on.latents[:60], on.latents[60:]).epoch,
    "baselines.DirectRounding.fit": drawn(lambda on: baselines.DirectRounding.fit(on.truth)),
    "baselines.IndependentBits.sample": drawn(lambda on: baselines.IndependentBits(on.truth.first)),
    "baselines.UniformBits.sample": drawn(lambda on: baselines.UniformBits(6, on.device)),
    "baselines.Resampling.sample": drawn(lambda on: baselines.Resampling(on.latents)),
    "bit_models.Factorised.fit": lambda on: bit_models.Factorised.fit(on.truth),
    "bit_models.Factorised.order": lambda on: on.factorised.order,
    "bit_models.Factorised.probabilities": lambda on: on.factorised.probabilities(on.latents),
    "bit_models.Factorised.conditionals": lambda on: state_of(on.factorised),
    "bit_models.Factorised.sample": drawn(lambda on: on.factorised),
    "bit_models.draw": lambda on: bit_models.draw(on.prior, 5, on.generator),
    "bit_models.code_lengths": lambda on: bit_models.code_lengths(on.factorised, on.latents),
    "bit_models.entropy": lambda on: bit_models.entropy(on.prior, on.latents),
    "chow_liu.mutual_information": lambda on: chow_liu.mutual_information(on.truth),
    "chow_liu.chow_liu_tree": lambda on: chow_liu.chow_liu_tree(on.truth),
    "chow_liu.tree_code_length": lambda on: chow_liu.tree_code_length(on.truth, on.latents),
    "codec.Codec.latent_size": lambda on: on.codec.latent_size,
    "codec.Codec.bit_model": lambda on: on.codec.bit_model("factorised"),
    "codec.Codec.compress": compressed,
    "codec.Codec.decompress": compressed,
    "codec.save_priors": saved,
    "codec.load_priors": saved,
    "coders.encode_bits": coded,
    "coders.decode_bits": coded,
    "container.is_container": lambda on: container.is_container(on.file),
    "container.Container.to_bytes": container_back,
    "container.Container.from_bytes": container_back,
    "correlation.Repair.negative": lambda on: on.repaired.negative,
    "correlation.Repair.vectors": lambda on: on.repaired.vectors(),
    "correlation.gram_matrix": lambda on: correlation.gram_matrix(on.truth.matrix),
    "correlation.rounding_moments": lambda on: correlation.rounding_moments(on.sampler.vectors),
    "correlation.repair": lambda on: correlation.repair(on.gram, "clip"),
    "correlation.clip": lambda on: correlation.clip(on.gram),
    "correlation.nearest": lambda on: [
        correlation.nearest(on.gram, weight) for weight in (2.0, float("inf"))
    ],
    "correlation.alternating_projections": lambda on: correlation.alternating_projections(
        on.gram, 1e-4
    ),
    "correlation.factor": lambda on: correlation.factor(on.positive, 3),
    "dichotomized.DichotomizedGaussian.fit": lambda on: dichotomized.DichotomizedGaussian.fit(
        on.truth
    ),
    "dichotomized.margins_of": lambda on: dichotomized.margins_of(on.truth.first),
    "dichotomized.pair_moments": lambda on: dichotomized.pair_moments(
        on.dichotomized.real.mean, on.positive[:-1, :-1]
    ),
    "dichotomized.latent_correlation": lambda on: dichotomized.latent_correlation(
        on.dichotomized.real.mean, on.truth.second
    ),
    "draws.draw_normals": lambda on: draws.draw_normals((3, 2), on.generator, on.latents),
    "draws.draw_uniforms": lambda on: draws.draw_uniforms((3,), on.generator, on.latents),
    "draws.draw_integers": lambda on: draws.draw_integers(9, 4, on.generator, on.device),
    "draws.draw_categories": lambda on: draws.draw_categories(on.has.double(), 4, on.generator),
    "draws.draw_permutation": lambda on: draws.draw_permutation(9, on.generator, on.device),
    "gaussians.Gaussian.standard": lambda on: gaussians.Gaussian.standard(6, on.device),
    "gaussians.Gaussian.with_covariance": lambda on: gaussians.Gaussian.with_covariance(
        on.truth.first, on.truth.covariance
    ),
    "gaussians.Gaussian.aggregate_posterior": lambda on: gaussians.Gaussian.aggregate_posterior(
        on.normals, on.normals
    ),
    "gaussians.Gaussian.sample": drawn(lambda on: on.gaussian),
    "gaussians.GaussianMixture.fit": lambda on: gaussians.GaussianMixture.fit(on.latents, 2),
    "gaussians.GaussianMixture.sample": drawn(
        lambda on: gaussians.GaussianMixture.fit(on.latents, 2)
    ),
    "gaussians.SignedSampler.sample": drawn(lambda on: gaussians.SignedSampler(on.gaussian)),
    "higher_order.random_triples": lambda on: higher_order.random_triples(6, 9, on.generator),
    "higher_order.third_moments": lambda on: higher_order.third_moments(
        on.latents, higher_order.random_triples(6, 9, on.generator)
    ),
    "higher_order.weight_distribution": lambda on: higher_order.weight_distribution(on.latents),
    "higher_order.total_variation": lambda on: higher_order.total_variation(
        on.truth.first, on.direction
    ),
    "hyperplane.HyperplaneSampler.latent_size": lambda on: on.sampler.latent_size,
    "hyperplane.HyperplaneSampler.checked": lambda on: on.sampler.checked(on.latents),
    "hyperplane.HyperplaneSampler.normals": lambda on: on.sampler.normals(4, on.generator),
    "hyperplane.HyperplaneSampler.bits": lambda on: on.sampler.bits(on.normals),
    "hyperplane.HyperplaneSampler.bits_of_products": lambda on: on.sampler.bits_of_products(
        on.normals
    ),
    "hyperplane.HyperplaneSampler.sample": drawn(lambda on: on.sampler),
    "hyperplane.hyperplane_sampler": lambda on: hyperplane.hyperplane_sampler(on.truth, "clip"),
    "conditioned.ConditionedSampler.fit": lambda on: given(on).attributes,
    "conditioned.ConditionedSampler.sample": drawn(lambda on: given(on)),
    "conditioned.ConditionedSampler.sample_given": lambda on: given(on).sample_given(
        on.latents[:, :2], on.generator
    ),
    "conditioned.ConditionedSampler.joined_bits": lambda on: given(on).joined_bits(
        on.latents[:, :2], on.generator
    ),
    "mixture_of_hyperplanes.clusters": lambda on: mixture_of_hyperplanes.clusters(on.latents, 2),
    "mixture_of_hyperplanes.MixtureOfHyperplanes.fit": lambda on: halves(on).weights,
    "mixture_of_hyperplanes.MixtureOfHyperplanes.sample": drawn(lambda on: halves(on)),
    "integer_network.Autoregressive.rounded": lambda on: integer_network.Autoregressive.rounded(
        on.network
    ),
    "integer_network.Autoregressive.hidden": lambda on: on.prior.hidden,
    "integer_network.Autoregressive.probabilities": lambda on: on.prior.probabilities(on.latents),
    "integer_network.Autoregressive.conditionals": lambda on: state_of(on.prior),
    "integer_network.Autoregressive.sample": drawn(lambda on: on.prior),
    "interpolation.slerp": lambda on: interpolation.slerp(on.normals[:2], on.normals[2:], 3),
    "interpolation.interpolate_bits": lambda on: interpolation.interpolate_bits(
        on.sampler, on.normals[:2], on.normals[2:], 3
    ),
    "interpolation.flip_path": lambda on: interpolation.flip_path(
        on.latents[:2], on.latents[2:4], 5, on.latents[:2]
    ),
    "interpolation.hamming_path": lambda on: interpolation.hamming_path(on.path),
    "interpolation.deviation_from_linear": lambda on: interpolation.deviation_from_linear(
        interpolation.hamming_path(on.path)[0]
    ),
    "inversion.algorithm_1": lambda on: inversion.algorithm_1(on.latents, on.sampler),
    "inversion.centroid_difference": lambda on: inversion.centroid_difference(
        on.latents, on.sampler
    ),
    "inversion.both_halves": lambda on: inversion.both_halves(on.latents, on.sampler),
    "inversion.exact": lambda on: [
        inversion.exact(on.latents, on.sampler, generator) for generator in (on.generator, None)
    ],
    "inversion.least_change": lambda on: inversion.least_change(
        on.latents, on.sampler, inversion.algorithm_1(on.latents, on.sampler)
    ),
    "inversion.full_rank": lambda on: inversion.full_rank(on.sampler),
    "inversion.full_rank_vectors": full_rank_vectors,
    "inversion.evaluated": lambda on: inversion.evaluated(on.normals, on.latents[:4], on.sampler),
    "likelihood.Likelihood.mean": lambda on: (
        likelihood.likelihood(on.latents[:2], on.sampler, on.generator, particles=20).mean
    ),
    "likelihood.likelihood": lambda on: likelihood.likelihood(
        on.latents[:2], on.sampler, on.generator, particles=20
    ),
    "masked_network.degrees": lambda on: masked_network.degrees(6, 5),
    "masked_network.units_below": lambda on: masked_network.units_below(6, 5),
    "masked_network.adjacency": lambda on: masked_network.adjacency(6, [5, 3]),
    "masked_network.MaskedNetwork.matrices": lambda on: on.network.matrices(),
    "masked_network.MaskedNetwork.forward": lambda on: on.network(on.latents),
    "moment_fit.one_thread": one_thread,
    "moment_fit.fit_vectors": lambda on: moment_fit.fit_vectors(on.truth, on.sampler.vectors),
    "moments.Moments.first": lambda on: on.truth.first,
    "moments.Moments.second": lambda on: on.truth.second,
    "moments.Moments.pairs": lambda on: on.truth.pairs,
    "moments.Moments.covariance": lambda on: on.truth.covariance,
    "moments.moments": lambda on: moments.moments(on.latents),
    "moments.moments_of_packed": lambda on: moments.moments_of_packed(on.packed, 6),
    "moments.upper_triangle": lambda on: moments.upper_triangle(on.gram),
    "moments.moment_errors": lambda on: moments.moment_errors(on.truth, on.truth),
    "moments.sampling_noise": lambda on: moments.sampling_noise(on.truth, 9),
    "moments.marginal_entropy": lambda on: moments.marginal_entropy(on.truth.first),
    "nearest_correlation.nearest_psd": lambda on: nearest_correlation.nearest_psd(
        on.gram, on.gram.diagonal()
    ),
    "nearest_correlation.positive_part": lambda on: nearest_correlation.positive_part(
        *torch.linalg.eigh(on.gram)
    ),
    "quantised.encode_quantised": quantised_back,
    "quantised.decode_quantised": quantised_back,
    "quantised.quantise": lambda on: quantised.quantise(on.normals, 0.1),
    "truncated_gaussian.truncated_gaussian": truncated,
}


def test_the_table_has_every_public_callable():
    assert set(CALLS) == set(public_callables())


@pytest.mark.parametrize("name", CALLS)
def test_no_tensor_is_made_without_its_device(on, name):
    with OwnCode():
        CALLS[name](on)


@pytest.mark.parametrize("name", [n for n in CALLS if n.endswith((".sample", ".normals"))])
def test_a_seed_means_the_same_on_every_device(on, name, tmp_path):
    reference = inputs("cpu", tmp_path)
    found, expected = (CALLS[name](x) for x in (reseeded(on), reseeded(reference)))
    assert found.device.type in ("cpu", on.device)
    different = (found.cpu() - expected).abs() > 1e-5
    assert float(different.double().mean()) < 0.05  # rounding may turn a bit


def reseeded(on):
    on.generator.manual_seed(3)
    return on
