# The companion's steps as a graph: data set × notebook × profile. Each rule is one `lbae` command.
# Run it through `lbae report`, or directly:
#   snakemake --workflow-profile profiles/default --config profile=quick datasets=digits
from lbae_lib.report.workflow import BOOK_INDEX, Plan

config.setdefault("profile", "quick")
config.setdefault("datasets", "digits")
plan = Plan(config)

FOLDER = "results/" + plan.profile + "/{slug}"


wildcard_constraints:
    slug="|".join(plan.slugs),
    notebook="[0-9][0-9a-z_]+",


rule book:
    input: plan.book_sources()
    output: str(BOOK_INDEX)
    shell: f"{sys.executable} -m lbae_lib.cli book -p {plan.profile}"


# The checkpoint in the same folder is no output: Snakemake would delete it when a run fails.
rule train:
    input: plan.training_sources()
    output: FOLDER + "/lbae/model.safetensors", FOLDER + "/lbae/record.json"
    params:
        command=lambda w: plan.command("train", w.slug),
        options=lambda w: plan.training_options(w.slug),
    threads: workflow.cores
    shell: "{params.command}"


rule encode:
    input: FOLDER + "/lbae/model.safetensors", plan.encoding_sources()
    output: FOLDER + "/lbae/latents.safetensors"
    params:
        command=lambda w: plan.command("encode", w.slug),
    threads: workflow.cores
    shell: "{params.command}"


rule notebook:
    input:
        FOLDER + "/lbae/latents.safetensors",
        lambda w: plan.notebook_sources(w.notebook),
    output: FOLDER + "/{notebook}.ipynb", FOLDER + "/{notebook}/record.json"
    params:
        command=lambda w: plan.command("notebook " + w.notebook, w.slug),
        options=lambda w: plan.notebook_options(w.slug, w.notebook),
    threads: 1
    shell: "OMP_NUM_THREADS={threads} {params.command}"
