"""The paper's tables beside what was measured here.

Each function returns the header and the rows of one table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from companion.analysis.score_records import ScoreRecord, training_record
from companion.paper.claims import all_claims
from companion.paper.decisions import Verdict, by_claim, outcome_of
from companion.paper.tables import published, published_cells
from lbae_lib.data.registry import PAPER_DATASETS
from lbae_lib.models.autoencoders import LOSS_UNITS

Table = tuple[list[str], list[list[object]]]

COLUMNS = {
    "span": "column not stated",
    "reco": "reconstruction",
    "n01": "N(0, 1)",
    "sampled": "N(μ, Σ)",
    "interp": "interpolation",
}
_TITLES = COLUMNS | {"fid": "FID", "prd": "precision / recall"}
MODELS = {"lbae": "LBAE (ours)", "vae": "VAE (ours)"}
_UNITS = {"lbae": "bits", "vae": "floats"}
# Columns of which the paper has a value for the model.
_PUBLISHED = {"lbae": ("reco", "n01", "sampled", "interp"), "vae": ("reco", "n01")}
# The paper's columns, e.g. n01 for N(0, 1) -> rows of scores here, where the names differ.
_ROWS = {
    "lbae": {"n01": "uniform", "sampled": "clip", "interp": "interp_authors"},
    "vae": {"n01": "standard"},
}
_PRD = ("precision_f8", "recall_f8")
# Rows of scores that Table 5 compares: label, and the method of the paper's row if it has one.
_MIXTURES = {
    "lbae_clip": ("LBAE, hyperplane, clipped eigenvalues", MODELS["lbae"]),
    "lbae_nearest": ("LBAE, hyperplane, nearest correlation matrix", None),
    "lbae_mixture": ("LBAE, signs of a Gaussian mixture", None),
    "vae_mixture": ("VAE (ours), mixture of Gaussians", None),
    "vae_standard": ("VAE (ours), N(0, 1)", None),
}


def published_table(table: str) -> Table:
    """One of the paper's tables in full, as named in ``tables.yaml``: all methods and columns."""
    cells = published_cells(table)
    order = [*COLUMNS, *cells["column"]]
    columns = sorted(
        set(zip(cells["dataset"], cells["column"], strict=True)),
        key=lambda cell: ([*PAPER_DATASETS].index(cell[0]), order.index(cell[1])),
    )
    titles = [f"{PAPER_DATASETS[d]}, {_TITLES.get(c, c.replace('_', ' '))}" for d, c in columns]
    rows: list[list[object]] = []
    for method, source in dict(zip(cells["method"], cells["source"], strict=True)).items():
        label = f"{method} ({source})" if source else method
        rows.append([label, *(_published(table, method, *cell) for cell in columns)])
    return ["method", *titles], rows


def beside_published(scores: ScoreRecord, evaluator: str) -> Table:
    """FID, KID and PRD as published, each beside the same cell as measured here."""
    rows = []
    for model, columns in _PUBLISHED.items():
        for column in columns:
            cell = (MODELS[model], scores.counterpart, column)
            row: dict[str, object] = {"model": MODELS[model], "images": COLUMNS[column]}
            for title, table, metrics in (
                ("FID", "table_1", ("frechet",)),
                ("KID ×10³", "table_2", ("kernel",)),
                ("PRD precision / recall", "table_4", _PRD),
            ):
                row[f"paper: {title}"] = _published(table, *cell)
                for metric in metrics:
                    found = scores.spread(evaluator, _scored(model, column), metric)
                    row[scores.column_title(evaluator, metric)] = found
            rows.append(row)
    return _table(rows)


def across(records: Iterable[ScoreRecord], table: str, metrics: Sequence[str]) -> Table:
    """Table 1, 2 or 4 (as "table_1") over all results here: the published value, then ours.

    The metrics are "frechet", or "kernel", or both PRD numbers.
    """
    parts = [", precision", ", recall"] if len(metrics) == 2 else [""]
    rows = []
    for scores, evaluator in ((s, evaluator) for s in records for evaluator in s.evaluators):
        for _, model, row, paper in _models([scores], table):
            row |= _measured(scores, evaluator, metrics[0], metrics[0])
            for column in _PUBLISHED["lbae"]:
                row[f"{COLUMNS[column]}: paper"] = paper(column)
                for metric, part in zip(metrics, parts, strict=True):
                    found = scores.spread(evaluator, _scored(model, column), metric)
                    row[f"{COLUMNS[column]}: here{part}"] = found
            rows.append(row)
    return _table(rows)


def mixtures(records: Iterable[ScoreRecord]) -> Table:
    """Table 5 over all results here: mixtures of Gaussians against random hyperplanes."""
    return _table(
        {"data": scores.title, "images from": label}
        | _measured(scores, evaluator, "frechet", "precision_f8")
        | {
            "paper: FID": _published("table_5", method, scores.counterpart, "fid"),
            "distance here": scores.spread(evaluator, key, "frechet"),
            "paper: precision / recall": _published("table_5", method, scores.counterpart, "prd"),
            "precision here": scores.spread(evaluator, key, "precision_f8"),
            "recall here": scores.spread(evaluator, key, "recall_f8"),
        }
        for scores in records
        for evaluator in scores.evaluators
        for key, (label, method) in _MIXTURES.items()
    )


def schedules(records: Iterable[ScoreRecord]) -> Table:
    """Table 3 over all results here: sizes and epochs, the published value then ours."""
    rows = []
    for scores, model, row, paper in _models(records, "table_3"):
        record, unit = training_record(scores, model), _UNITS[model]
        shape, results = record["options"]["network"], record["results"]
        loss_unit = LOSS_UNITS[record["options"]["training"]["loss"]]
        row |= {
            "latent: paper": paper(f"latent_{unit}"),
            "latent: here": f"{shape['latent_size']} {unit}",
            "epochs: paper": paper("epochs"),
            "epochs: here": results["epochs"],
            "width": shape["width"],
            "batch": record["options"]["training"]["batch_size"],
            "image: here": "{image_size}×{image_size}×{channels}".format(**shape),
            "training images": results["images"]["train"],
            "reconstruction loss of a test image": (
                f"{results['reconstruction_loss']['test']:.4g} {loss_unit}"
            ),
        }
        rows.append(row)
    return _table(rows)


def compression(records: Iterable[ScoreRecord]) -> Table:
    """The supplement's Table 1 over all results here: raw sizes, no coder.

    A VAE's number counts as 32 bits, as in the paper; an image as 8 bits a value.
    """
    rows = []
    for scores, model, row, paper in _models(records, "supplement_table_1"):
        shape = training_record(scores, model)["options"]["network"]
        evaluator = scores.evaluators[0]
        bits = shape["latent_size"] * (1 if model == "lbae" else 32)
        row |= {
            "paper: bits": paper("bits"),
            "bits here": bits,
            "paper: ratio": paper("ratio"),
            "ratio here": 8 * shape["channels"] * shape["image_size"] ** 2 / bits,
            "measure here": scores.measure(evaluator, "frechet"),
            "paper: FID of reconstructions": paper("fid"),
            "distance here": scores.spread(evaluator, _scored(model, "reco"), "frechet"),
        }
        rows.append(row)
    return _table(rows)


def claims(records: Iterable[ScoreRecord]) -> Table:
    """Each claim and its outcome on each data set, in the order of ``claims.yaml``.

    Claims that are no longer declared, in records of earlier versions, are left out, and so is a
    data set that has no others. A record of earlier code, or of other words of a claim, is marked.
    """
    header, columns = ["claim of the paper"], []
    for scores in records:
        read = (Verdict.read(entry) for entry in scores.verdicts)
        found = by_claim(v for v in read if v is not None and v.key in all_claims())
        if found:
            outdated = scores.out_of_date or any(
                entry.get("words") != all_claims()[entry["claim"]].sentence
                for entry in scores.verdicts
                if entry["claim"] in found
            )
            header.append(f"{scores.title}{scores.decided_by}{', out of date' * outdated}")
            columns.append(found)
    rows: list[list[object]] = [
        [own.sentence, *(outcome_of(found[key]) if key in found else None for found in columns)]
        for key, own in all_claims().items()
        if any(key in found for found in columns)
    ]
    return header, rows


def _table(rows: Iterable[Mapping[str, object]]) -> Table:
    """Header and rows of a table whose rows are given by column title."""
    rows = list(rows)
    return [*rows[0]], [[*row.values()] for row in rows]


def _models(
    records: Iterable[ScoreRecord], table: str
) -> Iterator[tuple[ScoreRecord, str, dict[str, object], Callable[[str], str | None]]]:
    """Each record and model, the first cells of its row, and a table of the paper by column."""
    for scores in records:
        for model, method in MODELS.items():
            paper = partial(_published, table, method, scores.counterpart)
            yield scores, model, {"data": scores.title, "model": method}, paper


def _scored(model: str, column: str) -> str:
    """The row of scores for a column: as in the authors' code, N(μ, Σ) samples after clipping."""
    return f"{model}_{_ROWS[model].get(column, column)}"


def _measured(scores: ScoreRecord, evaluator: str, metric: str, repeated: str) -> dict[str, object]:
    """What was measured, on how many images, and over how many repetitions of which metric."""
    return {
        "measure here": scores.measure(evaluator, metric),
        "images": scores.content["reference_images"],
        "over": scores.replication(evaluator, repeated),
    }


def _published(table: str, method: str | None, dataset: str | None, column: str) -> str | None:
    """A published value in all its digits; None if there is none."""
    value = published(table, method, dataset, column) if method and dataset else None
    if isinstance(value, tuple):
        return f"{value[0]:.2f} / {value[1]:.2f}"
    return None if value is None else f"{value:.10g}"
