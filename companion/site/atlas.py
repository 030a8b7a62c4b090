"""The atlas: from each figure and table of the paper to the pages that reproduce it."""

from __future__ import annotations

from collections import Counter

from companion.experiments.records import SCORES
from companion.paper.decisions import Outcome, by_claim, outcome_of
from companion.site.results import ResultSet, markdown_table

# Figure or table of the paper, what it shows, and the notebook that reproduces it.
ATLAS = (
    ("Figure 1", "the bottleneck: tanh, sign, straight-through gradient", "01_training"),
    ("Figure 2", "training latents, direct rounding, random hyperplanes", "02_latent_distribution"),
    ("Figure 3", "bits as unit vectors on a sphere", "02_latent_distribution"),
    ("Figure 4", "a random hyperplane gives them signs", "02_latent_distribution"),
    ("Figure 5", "images from uniform bits", "03_sampling"),
    ("Figure 6", "precision/recall curves", "05_metrics"),
    ("Figure 7", "reconstructions of test images", "01_training"),
    ("Figure 8", "novel samples", "03_sampling"),
    ("Figure 9", "Hamming distance along interpolations", "04_interpolation"),
    ("Figure 10", "interpolations between test images", "04_interpolation"),
    ("Figure 11", "attribute editing", "07_attributes"),
    ("Algorithm 1", "from a latent to a hyperplane", "04_interpolation"),
    ("Table 1", "FID", "05_metrics"),
    ("Table 2", "KID", "05_metrics"),
    ("Table 3", "resolutions, latent sizes, epochs", "05_metrics"),
    ("Table 4", "precision/recall", "05_metrics"),
    ("Table 5", "Gaussian mixtures on latents", "05_metrics"),
    ("Supplement, Figures 1-2", "the network", "01_training"),
    ("Supplement, Figures 3-12", "more reconstructions, samples, paths, edits", "11_gallery"),
    ("Supplement, Table 1", "compression", "09_compression"),
)


def atlas_table(sets: list[ResultSet], across: str | None) -> str:
    """Figures and tables of the paper, and the pages that reproduce them, as Markdown.

    Args:
        sets: the data sets' pages.
        across: the page on all data sets, which has all tables, if there is one.
    """
    rows = []
    for item, shows, notebook in ATLAS:
        links = [
            f"[{result.label}](/{result.page(notebook)}){_tally(result, notebook)}"
            for result in sets
            if notebook in result.notebooks
        ]
        if across and notebook == SCORES:
            links.insert(0, f"[all data](/{across})")
        rows.append((item, shows, ", ".join(links) or "not yet"))
    return markdown_table(("paper", "shows", "here, and claims of the page that hold"), rows)


def _tally(result: ResultSet, notebook: str) -> str:
    """How many of a page's claims hold, of those that it decides: " (2 of 3)"."""
    claims = by_claim(result.verdicts(notebook)).values()
    found = Counter(outcome_of(verdicts) for verdicts in claims)
    holds, fails = found[Outcome.HOLDS], found[Outcome.FAILS]
    return f" ({holds} of {holds + fails})" if holds + fails else ""
