"""The page on all data sets."""

from dataclasses import dataclass

from torch import Tensor

from companion.analysis.score_records import ScoreRecord, all_scores, with_current_names
from companion.experiments.records import RECORD_FILE, SCORES, TABLES
from companion.pages.page import Page, check_run, page_folder
from lbae_lib.errors import LbaeError
from lbae_lib.files import read_tensors, sha256_file


@dataclass(kw_only=True)
class AcrossPage(Page):
    """A page on all data sets."""

    records: list[ScoreRecord]  # the scores that it compares

    def __post_init__(self) -> None:
        super().__post_init__()
        self.made_of |= {
            f"{scores.dataset} ({scores.profile})": sha256_file(scores.folder / RECORD_FILE)
            for scores in self.records
        }

    @property
    def provenance(self) -> str:
        """Data sets and profiles."""
        return "Data: " + "; ".join(scores.title for scores in self.records)

    def curves(self) -> dict[str, dict[str, Tensor]]:
        """The PRD curves of each data set, by title and row; see ``Scoreboard.curves``."""
        files = {scores.title: scores.folder / "curves.safetensors" for scores in self.records}
        return {
            title: with_current_names(read_tensors(file, "curves")[0])
            for title, file in files.items()
        }


def open_tables(profile: str, output: str = "") -> tuple[AcrossPage, list[ScoreRecord]]:
    """The page on all data sets, and the scores that it compares."""
    check_run(TABLES, {"profile": profile, "output": output})
    records = all_scores(profile)
    if not records:
        raise LbaeError(
            f"no data set was scored yet: run `lbae notebook {SCORES} -d DATASET` first"
        )
    folder = page_folder(TABLES, output)
    page = AcrossPage(name=TABLES, profile=profile, parameters={}, folder=folder, records=records)
    return page, records
