#!/usr/bin/env bash
# pebble 5.2.3: a ProcessPool replaces a worker that is killed while it works, and tells the one task that
# it held (ProcessExpired). A worker that is killed while it waits for a task ends the pool for good where
# it was the last one: BrokenProcessPool for what is scheduled next, RuntimeError ever after.
#
# What it does to evals: graders run in such pools because sympy must be killed when it takes too long.
# The out-of-memory killer and job schedulers choose a process by its size, at any moment; a pool of one
# worker that happens to wait for the next sample takes the rest of the run with it, though nothing of the
# run was lost. The same kill a moment later costs one task.
#
# Output seen:
#   while it works: ProcessExpired, then 3
#   while it waits: BrokenProcessPool, then RuntimeError
#
# The harness has processes of its own for grading, which are started again whenever they end
# (harness/pipeline/grading_process.py).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pebble==5.2.3
cat > "$work/kill.py" <<'PY'
import multiprocessing
import os
import signal
import time
from pathlib import Path

from pebble import ProcessPool


def answer(number, seconds=0.0):
    time.sleep(seconds)
    return number


def workers():
    """The processes of the pool: children of this one that multiprocessing spawned."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and b"spawn_main" in command:
            found.append(int(folder.name))
    return found


def outcome(future):
    try:
        return future.result(timeout=60)
    except Exception as error:
        return type(error).__name__


def killed(moment):
    """What becomes of the task at hand and of the next one when the only worker is killed."""
    pool = ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn"))
    try:
        pool.schedule(answer, args=[1]).result()
        time.sleep(0.5)
        held = pool.schedule(answer, args=[2, 30.0]) if moment == "works" else None
        if moment == "works":
            time.sleep(1.0)
        for pid in workers():
            os.kill(pid, signal.SIGKILL)
        first = outcome(held or pool.schedule(answer, args=[2]))
        time.sleep(1.0)
        try:
            return first, outcome(pool.schedule(answer, args=[3]))
        except RuntimeError:
            return first, "RuntimeError"
    finally:
        pool.stop()
        pool.join()


if __name__ == "__main__":
    found = {moment: killed(moment) for moment in ("works", "waits")}
    print(found)
    assert found["works"] == ("ProcessExpired", 3), found
    assert found["waits"] == ("BrokenProcessPool", "RuntimeError"), found
PY
"$work/venv/bin/python" "$work/kill.py"
