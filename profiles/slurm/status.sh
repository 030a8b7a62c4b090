#!/usr/bin/env bash
# What became of a job, by its number: prints success, failed or running, as Snakemake asks.
# The controller forgets a job minutes after its end; then the accounting knows it.
command -v scontrol > /dev/null || { echo "no scontrol here" >&2; exit 1; }
if found=$(scontrol --oneliner show job "$1" 2>&1); then
  state=$(grep -o 'JobState=[A-Z_]*' <<< "$found")
  state=${state#JobState=}
elif [[ $found == *"Invalid job id"* ]]; then
  state=$(sacct --allocations --noheader --parsable2 --format=State --jobs="$1" | head -n 1)
  state=${state:-neither running nor in the accounting}
else
  echo "$found" >&2  # a controller that does not answer says nothing of the job
  state=PENDING
fi
case $state in
  COMPLETED) echo success ;;
  PENDING | CONFIGURING | RUNNING | COMPLETING | STAGE_OUT | SUSPENDED | STOPPED) echo running ;;
  REQUEUED | REQUEUE_HOLD | REQUEUE_FED | SPECIAL_EXIT | RESIZING | SIGNALING) echo running ;;
  *)
    echo "job $1: $state" >&2
    echo failed
    ;;
esac
