"""Algorithm 1 in two more readings: the authors' procedure, and with its sign restored.

The printed one is :func:`lbae_lib.latent.inversion.algorithm_1`; arguments and errors are the same.

As printed, Algorithm 1 adds the vectors of all wrong bits, r ← r + Σ eᵢ Vᵢ, also those of bits
that should be negative: the normal moves towards these, not away. With the sign of the target,

    r ← r + Σ eᵢ sᵢ Vᵢ,

and with the boundary vector as one more row whose target is +1, it is the batch perceptron rule
for the vectors sᵢ Vᵢ.

It ends if and only if the latent is in the sampler's range, that is, if some normal r* generates
it. Let ‖r*‖ = 1 and γ = min sᵢ Vᵢ·r* > 0, and let a step correct e rows. Then r·r* grows by at
least γ e. The corrected rows have sᵢ Vᵢ·r ≤ 0 and length one, so that ‖r‖² grows by at most
e² ≤ (N+1) e. With E the number of corrections so far, r₀ the start and c = r₀·r*,

    (c + γ E)² ≤ ‖r‖² ≤ ‖r₀‖² + (N+1) E,

which bounds E: from r₀ = 0 there are at most (N+1)/γ² corrections.

Unlike the exact inverse, it needs no sampler of full rank.

Reference:
    A. Novikoff (1962), *On convergence proofs for perceptrons*, Symposium on the Mathematical
    Theory of Automata 12, 615-622.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, normalize, pad

from lbae_lib.bits import hamming_distance, signs
from lbae_lib.latent.hyperplane import HyperplaneSampler
from lbae_lib.latent.inversion import Inversion, evaluated

_ROUNDS = 10  # of tilting a half, at most, in the authors' code


def restored_algorithm_1(
    latents: Tensor, sampler: HyperplaneSampler, max_steps: int = 10_000
) -> Inversion:
    """Algorithm 1 with its sign restored, for a batch: normals with no wrong bit.

    It starts at Σ sᵢ Vᵢ + V_{N+1}. The boundary vector ends on the positive side, so that the raw
    signs of V r are the latent, too.

    V may have any rank. A latent outside the sampler's range has no normal, and its steps would
    never end: it stops after ``max_steps`` steps, with some bits still wrong.
    """
    latents = sampler.checked(latents)
    targets = pad(latents, (0, 1), value=1.0)  # [s, 1], (K, N+1)
    rows = sampler.vectors
    counts = targets.clone()  # r = Σ counts_i V_i: whole numbers
    steps = torch.zeros(len(targets), dtype=torch.int64, device=targets.device)
    # Most steps are taken in single precision, the last few, if any, in double.
    for precise in (False, True):
        gram = rows @ rows.T if precise else sampler.gram  # (N+1, N+1)
        _correct(targets.to(gram), counts, gram, steps, max_steps)
        normals = counts @ rows  # (K, R)
        if bool((targets * (normals @ rows.T) > 0).all()):
            break
    return evaluated(normals, latents, sampler, steps)


def _correct(targets: Tensor, counts: Tensor, gram: Tensor, steps: Tensor, max_steps: int) -> None:
    """Add wrong bits to ``counts`` until there are none; ``steps`` counts the rounds, (K,).

    The products V r = H counts change by the rows of H that belong to the corrected bits.

    Targets are [s, 1], (K, N+1), in the precision of the products; ``counts`` are how often a row
    of V was added, with its sign, (K, N+1).
    """
    products = counts.to(gram) @ gram
    active = torch.arange(len(targets), device=targets.device)
    own = targets
    while len(active):
        errors = own * products <= 0  # a product of zero is on no side yet
        left = errors.any(1) & (steps[active] < max_steps)
        active, own, errors, products = active[left], own[left], errors[left], products[left]
        if not len(active):
            break
        wrong = errors.nonzero()[:, 1]
        number = errors.sum(1)
        first = number.cumsum(0) - number  # where each latent's wrong bits begin
        products += embedding_bag(wrong, gram, first, mode="sum", per_sample_weights=own[errors])
        counts[active] += (own * errors).to(counts)
        steps[active] += 1


def authors_procedure(latents: Tensor, sampler: HyperplaneSampler) -> Inversion:
    """How the authors' code inverts: both halves, each tilted by its own rows alone.

    A half is the list of the rows of V whose bits are positive, or negative; its normal is the mean
    of the list. Entries that lie behind the normal are appended to the list once more, until their
    number no longer falls, or ten times; the best normal is kept. The result is the difference of
    the two unit normals (Eq. 14), normalised. The boundary vector is in neither half, and bits are
    the raw signs of V r, not those of Eq. 12. Steps are those of the positive and of the negative
    half, (K, 2).
    """
    latents = sampler.checked(latents)
    rows, gram = sampler.vectors[:-1], sampler.gram[:-1, :-1]
    positive, steps = _tilted_half(latents > 0, gram)
    negative, more = _tilted_half(latents < 0, gram)
    halves = [normalize(counts.to(rows) @ rows, dim=1) for counts in (positive, negative)]
    normals = normalize(halves[0] - halves[1], dim=1)
    wrong = hamming_distance(signs(normals @ rows.T), latents)
    return Inversion(normals, wrong, torch.stack([steps, more], dim=1))


def _tilted_half(members: Tensor, gram: Tensor) -> tuple[Tensor, Tensor]:
    """How often each row is in the best list of a half, (K, N), and the rounds taken, (K,).

    ``members`` are the rows of the half, bool (K, N); ``gram`` is H without the boundary vector.
    """
    counts = best = members.to(gram)
    fewest = torch.full((len(counts),), float("inf"), device=gram.device)
    steps = torch.zeros(len(counts), dtype=torch.int64, device=gram.device)
    for _ in range(_ROUNDS):
        behind = counts * (counts @ gram < 0)  # entries of the list, with their repetitions
        number = behind.sum(1)
        better = number < fewest
        if not bool(better.any()):
            break
        best = torch.where(better[:, None], counts, best)
        # A half that has stopped falling keeps its list, and with it stays stopped.
        fewest = torch.where(better, number, -1.0)
        tilting = better & (number > 0)
        counts = counts + behind * tilting[:, None]
        steps += tilting
    return best, steps
