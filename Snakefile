# The companion's steps as a graph: data set × notebook × profile. Each rule is one `lbae` command.
# Run it through `lbae report`, or directly:
#   snakemake --workflow-profile profiles/default --config profile=quick datasets=digits
from companion.experiments.records import TABLES
from companion.workflow.plan import BOOK_INDEX, Plan

config.setdefault("profile", "quick")
config.setdefault("datasets", "digits photos faces")
plan = Plan(config)
# Threads of a step that computes. Models come first, as notebooks wait for them; then the notebooks
# that take longest, so that all cores have work to the end.
many = plan.threads(workflow.cores)
COMPUTE = "OMP_NUM_THREADS={threads} {params.command}"

RESULTS = "results/" + plan.profile
FOLDER = RESULTS + "/{slug}"


wildcard_constraints:
    slug="|".join(plan.slugs),
    model="lbae(-[0-9]+)?|vae",


# The pages by name: Snakemake would not miss them while the book that was made of them is there.
rule report:
    input: str(BOOK_INDEX), plan.executed(), plan.tables()


rule book:
    input: plan.book_sources()
    output: str(BOOK_INDEX)
    shell: f"{sys.executable} -m companion.cli book -p {plan.profile}"


# The checkpoint in the same folder is no output: Snakemake would delete it when a run fails.
rule train:
    input: lambda w: plan.training_sources(w.slug, w.model)
    output: FOLDER + "/{model}/model.safetensors", FOLDER + "/{model}/record.json"
    params:
        command=lambda w: plan.command("train", w.slug, w.model),
        options=lambda w: plan.training_options(w.slug, w.model),
    resources: **plan.training_resources()
    threads: many
    priority: 2
    shell: COMPUTE


rule encode:
    input: FOLDER + "/{model}/model.safetensors", plan.encoding_sources()
    output: FOLDER + "/{model}/latents.safetensors"
    params:
        command=lambda w: plan.command("encode", w.slug, w.model),
    threads: many
    priority: 2
    shell: COMPUTE


rule extractor:
    input: plan.extractor_sources()
    output: FOLDER + "/extractor/model.safetensors", FOLDER + "/extractor/record.json"
    params:
        command=lambda w: plan.command("extractor", w.slug),
        options=lambda w: plan.extractor_options(w.slug),
    threads: many
    priority: 2
    shell: COMPUTE


rule prior:
    input: FOLDER + "/lbae/latents.safetensors", plan.prior_sources()
    output: FOLDER + "/prior/model.safetensors", FOLDER + "/prior/record.json"
    params:
        command=lambda w: plan.command("prior", w.slug),
    threads: many
    priority: 2
    shell: COMPUTE


rule notebook:
    wildcard_constraints: notebook="|".join(plan.notebooks(computing=False))
    input: lambda w: plan.notebook_inputs(w.slug, w.notebook)
    output: FOLDER + "/{notebook}.ipynb", FOLDER + "/{notebook}/record.json"
    params:
        command=lambda w: plan.command("notebook " + w.notebook, w.slug),
        options=lambda w: plan.notebook_options(w.slug, w.notebook),
    shell: COMPUTE


use rule notebook as computing_notebook with:
    wildcard_constraints: notebook="|".join(plan.notebooks(computing=True))
    threads: many
    priority: 1


rule tables:
    input: plan.tables_inputs()
    output: RESULTS + f"/{TABLES}.ipynb", RESULTS + f"/{TABLES}/record.json"
    shell: f"OMP_NUM_THREADS=1 {sys.executable} -m companion.cli tables -p {plan.profile}"
