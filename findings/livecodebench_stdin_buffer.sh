#!/usr/bin/env bash
# lighteval 0.13.0 refuses, in its LiveCodeBench task, every program that reads sys.stdin.buffer; evalscope 1.14.1
# accepts the same program on the same test. Both run a submission inside their own process with a
# stand-in for standard input: lighteval's is a StringIO, which has no buffer, evalscope's a TextIOWrapper.
# LiveCodeBench's own runner had a StringIO until May 2025, too.
#
# What it does to evals: sys.stdin.buffer.read() is how programs with large inputs read in contests, so
# models that write them lose points under one harness and not under the other; two LiveCodeBench scores are
# comparable only where the runner is the same.
#
# Output seen:
#   lighteval AttributeError: '_io.StringIO' object has no attribute 'buffer'
#   evalscope 12
#
# The harness runs a program as a process with a real standard input, and names the runner it imitates beside it
# (scorings process, lcb-official, lcb-official-2025-05).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet numpy==2.4.6 tqdm==4.68.4
"$work/venv/bin/pip" install --quiet --no-deps lighteval==0.13.0 evalscope==1.14.1
"$work/venv/bin/python" - <<'EOF'
import contextlib
import importlib.util
import io
import pathlib
import sys
import sysconfig
import types

# Of evalscope, the runner needs a clock and a logger, which load the rest of the package.
for name in ("evalscope", "evalscope.utils", "evalscope.utils.io_utils", "evalscope.utils.logger"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["evalscope.utils.io_utils"].current_time = None
sys.modules["evalscope.utils.logger"].get_logger = lambda: None

PROGRAM = "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))"
site = pathlib.Path(sysconfig.get_path("purelib"))
found = {}
for peer, file in (
    ("lighteval", "tasks/tasks/lcb/codegen_metrics.py"),
    ("evalscope", "benchmarks/live_code_bench/testing_util.py"),
):
    spec = importlib.util.spec_from_file_location(peer + "_runner", site / peer / file)
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            runner.call_method(lambda: exec(PROGRAM, {}), "3\n4\n5\n")
        found[peer] = printed.getvalue().strip()
    except AttributeError as error:
        found[peer] = f"AttributeError: {error}"
for peer, result in found.items():
    print(peer, result)
assert "buffer" in found["lighteval"], found
assert found["evalscope"] == "12", found
EOF
