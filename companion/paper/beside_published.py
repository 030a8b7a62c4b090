"""The paper's tables beside what was measured here."""

from __future__ import annotations

from collections.abc import Iterable

from companion.analysis.score_records import ScoreRecord, training_record
from companion.paper.tables import Value, published, published_cells, table_rows
from lbae_lib.data.registry import PAPER_DATASETS
from lbae_lib.models.autoencoders import LOSS_UNITS

COLUMNS = {
    "span": "any",
    "reco": "reconstruction",
    "n01": "N(0, 1)",
    "sampled": "N(μ, Σ)",
    "interp": "interpolation",
}
MODELS = {"lbae": "LBAE (ours)", "vae": "VAE (ours)"}
# The paper's columns -> what is scored here under that name, by model. The paper's Table 5 has no
# row for VAE (ours).
SCORED = {
    "lbae": {
        "reco": "lbae_reco",
        "n01": "lbae_uniform",
        "sampled": "lbae_clip",
        "interp": "lbae_interp_algorithm_1",
    },
    "vae": {"reco": "vae_reco", "n01": "vae_standard"},
}
# Scored here for VAE (ours), without a cell in the paper's tables.
BEYOND = {"sampled": "vae_sampled", "interp": "vae_interp"}

Header = list[str]
TableRows = list[list[object]]


def published_table(table: str) -> tuple[Header, TableRows]:
    """One of the paper's tables in full: all methods, data sets and columns.

    Args:
        table: "table_1" to "table_5", or "supplement_table_1".
    """
    cells = [cell for cell in published_cells() if cell.table == table]
    there = dict.fromkeys((cell.dataset, cell.column) for cell in cells)
    order = [*COLUMNS, *(column for _, column in there)]
    columns = sorted(there, key=lambda c: ([*PAPER_DATASETS].index(c[0]), order.index(c[1])))
    header = ["method"]
    header += [f"{PAPER_DATASETS[d]}, {COLUMNS.get(c, c.replace('_', ' '))}" for d, c in columns]
    rows: TableRows = []
    for method, source in table_rows(table):
        values = [published(table, method, dataset, column) for dataset, column in columns]
        label = f"{method} ({source})" if source else method
        rows.append([label, *(_shown(value) for value in values)])
    return header, rows


def beside_published(scores: ScoreRecord, judge: str) -> tuple[Header, TableRows]:
    """FID, KID and PRD as published, each beside the same cell as measured here."""
    data = scores.counterpart
    titles = [
        scores.column_title(judge, m) for m in ("frechet", "kernel", "precision_f8", "recall_f8")
    ]
    header = ["model", "images", "paper: FID", titles[0], "paper: KID ×10³", titles[1]]
    header += ["paper: PRD precision / recall", *titles[2:]]
    rows: TableRows = []
    for model, columns in SCORED.items():
        for column, key in columns.items():
            found = [
                scores.spread(judge, key, m)
                for m in ("frechet", "kernel", "precision_f8", "recall_f8")
            ]
            paper = [_paper(t, model, data, column) for t in ("table_1", "table_2", "table_4")]
            cells: list[object] = [MODELS[model], COLUMNS[column]]
            cells += [paper[0], found[0], paper[1], found[1], paper[2], *found[2:]]
            rows.append(cells)
    return header, rows


def across(
    records: Iterable[ScoreRecord], table: str, metrics: tuple[str, ...]
) -> tuple[Header, TableRows]:
    """A table of the paper over all results here: the published value, then ours.

    Args:
        records: of all data sets.
        table: "table_1", "table_2" or "table_4".
        metrics: "frechet", or "kernel", or both PRD numbers.
    """
    columns = ("reco", "n01", "sampled", "interp")
    header = ["data", "model", "measure here", "images", "over"]
    parts = ["precision", "recall"] if len(metrics) == 2 else [""]
    for column in columns:
        header.append(f"{COLUMNS[column]}: paper")
        header += [f"{COLUMNS[column]}: here{', ' * bool(part)}{part}" for part in parts]
    rows: TableRows = []
    for scores in records:
        for judge in scores.evaluators:
            for model in MODELS:
                cells: list[object] = [
                    scores.title,
                    MODELS[model],
                    scores.measure(judge, metrics[0]),
                    scores.content["reference_images"],
                    scores.replication(judge, metrics[0]),
                ]
                for column in columns:
                    cells.append(_paper(table, model, scores.counterpart, column))
                    key = SCORED[model].get(column) or BEYOND[column]
                    cells += [scores.spread(judge, key, metric) for metric in metrics]
                rows.append(cells)
    return header, rows


def mixtures(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """Table 5 over all results here: mixtures of Gaussians against random hyperplanes."""
    header = ["data", "images from", "measure here", "images", "over", "paper: FID"]
    header += ["distance here", "paper: precision / recall", "precision here", "recall here"]
    drawn = {
        "lbae_clip": ("LBAE, random hyperplanes (clipped)", "LBAE (ours)"),
        "lbae_nearest": ("LBAE, random hyperplanes (nearest)", None),
        "lbae_mixture": ("LBAE, mixture then sign", None),
        "vae_mixture": ("VAE (ours), mixture", None),
        "vae_standard": ("VAE (ours), N(0, 1)", None),
    }
    rows: TableRows = []
    for scores in records:
        for judge in scores.evaluators:
            for key, (label, method) in drawn.items():
                paper = [
                    published("table_5", method, scores.counterpart, column)
                    if method and scores.counterpart
                    else None
                    for column in ("fid", "prd")
                ]
                found = [
                    scores.spread(judge, key, m) for m in ("frechet", "precision_f8", "recall_f8")
                ]
                rows.append(
                    [
                        scores.title,
                        label,
                        scores.measure(judge, "frechet"),
                        scores.content["reference_images"],
                        scores.replication(judge, "precision_f8"),
                        _shown(paper[0]),
                        found[0],
                        _shown(paper[1]),
                        *found[1:],
                    ]
                )
    return header, rows


def claims(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """Each claim, and how it fared on each data set; all verdicts if there are several."""
    records = list(records)
    header = ["claim of the paper"]
    header += [f"{scores.title}{scores.decided_by}" for scores in records]
    texts = dict.fromkeys(v["claim"] for scores in records for v in scores.verdicts)
    rows: TableRows = []
    for text in texts:
        found = [[v["verdict"] for v in s.verdicts if v["claim"] == text] for s in records]
        rows.append([text, *("; ".join(verdicts) or None for verdicts in found)])
    return header, rows


def schedules(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """Table 3 over all results here: sizes and epochs, the published value then ours."""
    header = ["data", "model", "latent: paper", "latent: here", "epochs: paper", "epochs: here"]
    header += ["image: here", "training images", "reconstruction loss of a test image"]
    units = {"lbae": "bits", "vae": "floats"}
    rows: TableRows = []
    for scores in records:
        for model, method in MODELS.items():
            record = training_record(scores, model)
            shape, results = record["options"]["network"], record["results"]
            column = f"latent_{units[model]}"
            unit = LOSS_UNITS[record["options"]["training"]["loss"]]
            data = scores.counterpart
            rows.append(
                [
                    scores.title,
                    method,
                    _shown(published("table_3", method, data, column)) if data else None,
                    f"{shape['latent_size']} {units[model]}",
                    _shown(published("table_3", method, data, "epochs")) if data else None,
                    results["epochs"],
                    f"{shape['image_size']}×{shape['image_size']}×{shape['channels']}",
                    results["images"]["train"],
                    f"{results['reconstruction_loss']['test']:.4g} {unit}",
                ]
            )
    return header, rows


def compression(records: Iterable[ScoreRecord]) -> tuple[Header, TableRows]:
    """The supplement's Table 1 over all results here: raw sizes, no coder.

    A VAE's number counts as 32 bits, as in the paper; an image as 8 bits a value.
    """
    header = ["data", "model", "paper: bits", "bits here", "paper: ratio", "ratio here"]
    header += ["measure here", "paper: FID of reconstructions", "distance here"]
    rows: TableRows = []
    for scores in records:
        for model, method in MODELS.items():
            shape = training_record(scores, model)["options"]["network"]
            bits = shape["latent_size"] * (1 if model == "lbae" else 32)
            image = 8 * shape["channels"] * shape["image_size"] ** 2
            data = scores.counterpart
            paper = [
                _shown(published("supplement_table_1", method, data, column)) if data else None
                for column in ("bits", "ratio", "fid")
            ]
            judge = scores.evaluators[0]
            cells: list[object] = [scores.title, method, paper[0], bits, paper[1], image / bits]
            cells += [scores.measure(judge, "frechet"), paper[2]]
            cells += [scores.spread(judge, f"{model}_reco", "frechet")]
            rows.append(cells)
    return header, rows


def _paper(table: str, model: str, dataset: str | None, column: str) -> object:
    if dataset is None:
        return None
    return _shown(published(table, MODELS[model], dataset, column))


def _shown(value: Value | None) -> object:
    """A published value in all its digits."""
    if isinstance(value, tuple):
        return f"{value[0]:.2f} / {value[1]:.2f}"
    return None if value is None else f"{value:.10g}"
