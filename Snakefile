# The companion's steps as a graph: data set × notebook × profile. Each rule is one `lbae` command.
# Run it with `lbae report`, or directly:
#   snakemake --workflow-profile profiles/default --config profile=quick datasets=digits
# On a machine with two GPUs, LBAE_GPUS=0,1 and --resources gpu=2 give each step one of its own.
from companion.experiments.artifacts import EXTRACTOR, LATENTS, MODEL, PRIOR, ROLES
from companion.experiments.profiles import STUDIES
from companion.experiments.records import TABLES
from companion.workflow.plan import BOOK_INDEX, Plan

config.setdefault("profile", "quick")
config.setdefault("datasets", "digits photos faces")
plan = Plan(config)
# Threads of a step that computes. Models come first, as notebooks wait for them; then the notebooks
# that take longest, so that all cores are busy to the end.
many = plan.threads(workflow.cores)
COMPUTE = "OMP_NUM_THREADS={threads} {params.command}"

RESULTS = "results/" + plan.profile
FOLDER = RESULTS + "/{slug}"


wildcard_constraints:
    slug="|".join(plan.slugs),
    model="lbae(-[0-9]+)?|vae",


# The pages by name: Snakemake would not miss one that is gone while the book made from it is there.
rule report:
    input: str(BOOK_INDEX), plan.executed(), plan.tables()


rule book:
    input: plan.book_sources()
    output: str(BOOK_INDEX)
    shell: f"{sys.executable} -m companion.cli book -p {plan.profile}"


# The checkpoint in the same folder is not an output: Snakemake would delete it when a run fails.
rule train:
    input: lambda w: plan.inputs(MODEL, w.slug, w.model)
    output: plan.outputs(MODEL)
    params:
        command=lambda w: plan.command("train", w.slug, w.model),
        options=lambda w: plan.training_options(w.slug, w.model),
    resources: **plan.runtime, **plan.gpu
    threads: many
    priority: 2
    shell: COMPUTE


rule encode:
    input: lambda w: plan.inputs(LATENTS, w.slug, w.model)
    output: plan.outputs(LATENTS)
    params:
        command=lambda w: plan.command("encode", w.slug, w.model),
    resources: **plan.gpu
    threads: many
    priority: 2
    shell: COMPUTE


rule extractor:
    input: lambda w: plan.inputs(EXTRACTOR, w.slug)
    output: plan.outputs(EXTRACTOR)
    params:
        command=lambda w: plan.command("extractor", w.slug),
        options=lambda w: plan.extractor_options(w.slug),
    resources: **plan.gpu
    threads: many
    priority: 2
    shell: COMPUTE


rule prior:
    input: lambda w: plan.inputs(PRIOR, w.slug)
    output: plan.outputs(PRIOR)
    params:
        command=lambda w: plan.command("prior", w.slug),
    resources: **plan.gpu
    threads: many
    priority: 2
    shell: COMPUTE


# What was trained before a study was stopped is no output either.
rule study:
    wildcard_constraints: study="|".join(STUDIES)
    input: lambda w: plan.inputs(ROLES[w.study][0], w.slug)
    output: FOLDER + "/{study}/record.json"
    params:
        command=lambda w: plan.command("study " + w.study, w.slug),
        options=lambda w: plan.study_options(w.slug, w.study),
    resources: **plan.gpu
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
    resources: **plan.gpu
    shell: COMPUTE


use rule notebook as computing_notebook with:
    wildcard_constraints: notebook="|".join(plan.notebooks(computing=True))
    threads: many
    priority: 1


rule tables:
    input: plan.tables_inputs()
    output: RESULTS + f"/{TABLES}.ipynb", RESULTS + f"/{TABLES}/record.json"
    shell: f"OMP_NUM_THREADS=1 {sys.executable} -m companion.cli tables -p {plan.profile}"
