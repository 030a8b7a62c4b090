# Runs the steps of a report that are missing or out of date, each one `lbae` command. Which these are
# is decided by companion/workflow/plan.py. Run it with `lbae report`, or directly:
#   snakemake --workflow-profile profiles/default --config profile=quick datasets=digits
# On a machine with two GPUs, LBAE_GPUS=0,1 and --resources gpu=2 give each step one of its own.
from companion.workflow.snakemake_plan import SnakemakePlan

config.setdefault("profile", "quick")
config.setdefault("datasets", "digits photos faces")
plan = SnakemakePlan(config, workflow.is_main_process)
# Threads of a step that computes. Models come first, as notebooks wait for them; then the notebooks
# that take longest, so that all cores are busy to the end.
many = plan.threads(workflow.cores)
# A stamp for each step that has ended. What steps write is theirs: Snakemake deletes the outputs of
# a job that fails, and a training would lose its checkpoint.
STAMP = plan.stamp("{step}")
COMPUTE = "OMP_NUM_THREADS={threads} {params.command}"


rule report:
    input: plan.stamps()


rule train:
    wildcard_constraints: step=plan.pattern("train")
    input: lambda w: plan.before(w.step)
    output: touch(STAMP)
    params: command=lambda w: plan.command(w.step)
    resources: **plan.runtime, **plan.gpu
    threads: many
    priority: 2
    shell: COMPUTE


use rule train as make with:
    wildcard_constraints: step=plan.pattern("encode", "extractor", "study", "explorer", "prior")
    resources: **plan.gpu


use rule make as computing_notebook with:
    wildcard_constraints: step=plan.pattern("computing_notebook")
    priority: 1


use rule computing_notebook as notebook with:
    wildcard_constraints: step=plan.pattern("notebook")
    threads: 1
    priority: 0


rule pages:
    wildcard_constraints: step=plan.pattern("tables", "book")
    input: lambda w: plan.before(w.step)
    output: touch(STAMP)
    params: command=lambda w: plan.command(w.step)
    shell: COMPUTE
