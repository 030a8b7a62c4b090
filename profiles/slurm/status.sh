#!/usr/bin/env bash
# The state of a job, by its number, in Snakemake's words: success, failed or running.
# The controller forgets a job minutes after its end; then the accounting is asked.
command -v scontrol > /dev/null || { echo "scontrol is not installed here" >&2; exit 1; }
if found=$(scontrol --oneliner show job "$1" 2>&1); then
  state=$(grep -o 'JobState=[A-Z_]*' <<< "$found")
  state=${state#JobState=}
elif [[ $found == *"Invalid job id"* ]]; then
  state=$(sacct --allocations --noheader --parsable2 --format=State --jobs="$1" | head -n 1)
  state=${state:-neither running nor in the accounting}
else
  echo "$found" >&2  # a controller that does not answer says nothing about the job
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
