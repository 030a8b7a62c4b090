"""The control checks of pages that do not list the controls, as the page of scores does."""

import torch

from companion.analysis.controls import CHECKED, passes_controls, warning
from companion.analysis.evaluators import Evaluator
from companion.pages.notebook import Notebook
from companion.paper.comparisons import untrusted


def check_extractor(nb: Notebook) -> str:
    """Check the distances of the in-domain extractor; a warning for captions, or "".

    The checks need two test images. If they fail, the distances decide nothing, as on the page of
    scores: the page's gate "evaluator" is closed.
    """
    test, evaluator = nb.trained.images["test"].images, Evaluator(nb.extractor)
    chosen = torch.randperm(len(test), generator=nb.generator())[:CHECKED]
    seed = int(nb.parameters["seed"])
    passed = passes_controls(evaluator, nb.trained.images, test[chosen], seed)
    nb.results["controls_in_order"] = {"frechet": passed}
    if passed:
        return ""
    nb.closed["evaluator"] = untrusted(evaluator.extractor.name).why
    return warning(evaluator)
