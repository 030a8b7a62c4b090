"""Running the steps: the plan that Snakemake follows, notebooks, staleness, verification."""

import sys

# jsonschema, which papermill brings, would take two seconds for a grammar of IRIs. Without this
# package it does not check "iri" formats, which notebooks do not have.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
