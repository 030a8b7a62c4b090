"""What was found on the paper's main claims: sentences whose numbers are read from records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from companion.paper.decisions import by_claim
from companion.site.results import ResultSet, as_text, dataset_title, markdown_table
from companion.site.verdict_tables import mark

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """A claim of the paper, in a few words, and the sentence that answers it.

    The sentence is made from the results of a page's record, to which ``latent_size`` is added,
    None if it is not known. It raises ``KeyError`` if the results lack a number. ``key`` is that of
    ``claims.yaml``.
    """

    claim: str
    key: str
    page: str
    sentence: Callable[[Results], str]


def findings_table(sets: list[ResultSet]) -> str:
    """The findings, each from the first data set whose record has the numbers, as Markdown.

    A finding without a record is left out.
    """
    rows = [row for finding in FINDINGS if (row := _row(finding, sets))]
    if not rows:
        return "There are no results yet.\n"
    table = markdown_table(("The paper claims", "Found here", "Verdict"), rows)
    return f":::{{container}} lbae-findings\n{table}:::\n"


def _row(finding: Finding, sets: list[ResultSet]) -> tuple[str, str, str] | None:
    for result in sets:
        if finding.page not in result.notebooks:
            continue
        try:
            trained = result.training()
            size = trained["options"]["network"]["latent_size"] if trained else None
            found = result.record(finding.page)["results"] | {"latent_size": size}
            sentence = finding.sentence(found)
        except KeyError:
            continue
        page = result.page(finding.page)
        verdicts = by_claim(result.verdicts(finding.page)).get(finding.key, [])
        link = f"[{as_text(dataset_title(result.place))}](/{page})"
        return finding.claim, f"{sentence} ({link})", mark(verdicts, page) if verdicts else ""
    return None


def _training(found: Results) -> str:
    loss, mean, unit = found["loss"]["test"], found["mean_image_test_loss"], found["unit"]
    return (
        f"The loss of test images is {loss:.1f} {unit} per image; a decoder that always returns "
        f"the mean image has {mean:.1f}."
    )


def _moments(found: Results) -> str:
    first, pairs = found["rms_first"], found["rms_pairs"]
    return (
        f"The Gram matrix *H* has {found['negative_eigenvalues']} negative eigenvalues and needs a "
        f"repair. Samples then miss the first moments by {first['clip']:.4f} RMS and the pair "
        f"moments by {pairs['clip']:.4f}; resampled training latents, by {first['resampled']:.4f} "
        f"and {pairs['resampled']:.4f}."
    )


def _distances(**kinds: str) -> Callable[[Results], str]:
    """A sentence with the distances to test images of some rows of the table of scores."""

    def sentence(found: Results) -> str:
        name, evaluator = next(iter(found["scores"]["evaluators"].items()))
        rows = found["scores"]["rows"]
        means = {row: fmean(rows[row]["values"][name]["frechet"]) for row in kinds}
        told = ", ".join(f"{means[row]:.3g} for {words}" for row, words in kinds.items())
        return (
            f"The Fréchet distance to test images, {evaluator['titles']['frechet']} (lower is "
            f"nearer), is {told}."
        )

    return sentence


def _inversion(found: Results) -> str:
    kinds = {
        "algorithm_1": "as printed",
        "authors": "in the authors' code",
        "restored": "with its sign restored",
        "exact": "by an exact inverse",
    }
    wrong = found["wrong_bits"]
    told = [f"{wrong[key]:.1f} {words}" for key, words in kinds.items() if key in wrong]
    whole = f" of {found['latent_size']}" if found["latent_size"] else ""
    return f"Wrong bits{whole}, on average: {', '.join(told)}."


def _editing(found: Results) -> str:
    name, edits = next(iter(found["edits"].items()))
    after, before = edits["Eq. 17, D = 0.1 (paper)"], edits["untouched reconstruction"]
    return (
        f"A classifier finds the attribute “{name}” in {after['found']:.1%} of edited images, and "
        f"in {before['found']:.1%} before the edit; {after['recognised']:.1%} of edited images are "
        "still nearest to their own original."
    )


FINDINGS = (
    Finding("An autoencoder with binary latents trains end to end.", "trains", "01_training",
            _training),
    Finding("Random hyperplanes sample bits that look like the training latents.", "identical",
            "02_latent_distribution", _moments),
    Finding("The correlations between bits carry the information.", "correlation", "05_metrics",
            _distances(lbae_clip="hyperplane samples", lbae_independent="independent bits",
                       lbae_uniform="uniform bits", lbae_reco="reconstructions")),
    Finding("Samples are better than those of a VAE of the same architecture.", "samples-distance",
            "05_metrics", _distances(lbae_clip="hyperplane samples", vae_standard="the VAE's")),
    Finding("Algorithm 1 finds a hyperplane that generates a given latent.", "generates-back",
            "04_interpolation", _inversion),
    Finding("Setting some bits gives an image an attribute.", "edits", "07_attributes", _editing),
)  # fmt: skip
