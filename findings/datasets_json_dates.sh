#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1): load_dataset("json") turns strings into timestamps where a whole
# block of rows happens to hold ISO dates, also inside lists of objects. The type of a column so
# depends on its other rows: one row that is no date and all stay strings.
#
# What it does to evals: a JSON Lines file in LiveCodeBench's schema comes back with contest_date as
# a datetime; worse, the expected outputs of a programming problem that prints dates are datetimes,
# and str() of one reads "2024-05-01 00:00:00", which no program prints. A subset of the same file
# (another split, a window of months) may have other types than the whole.
#
# Output seen:
#   all dates:   contest_date timestamp[s], tests.output timestamp[s], str "2024-05-01 00:00:00"
#   one is not:  contest_date timestamp[s], tests.output string, str "2024-05-01"
#
# The harness reads JSON Lines itself (harness/data/readers.py), so a string stays a string; its
# LiveCodeBench task also reads a contest_date that a Parquet copy of such a table holds.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1
cat > "$work/all.jsonl" <<'EOF'
{"contest_date": "2025-01-04T00:00:00", "answer": "025", "tests": [{"input": "1", "output": "2024-05-01"}]}
{"contest_date": "2025-02-09T00:00:00", "answer": "7", "tests": [{"input": "2", "output": "2024-05-02"}]}
EOF
cp "$work/all.jsonl" "$work/but_one.jsonl"
cat >> "$work/but_one.jsonl" <<'EOF'
{"contest_date": "2025-03-01T00:00:00", "answer": "9", "tests": [{"input": "3", "output": "never"}]}
EOF
HF_HUB_OFFLINE=1 HF_HOME="$work/home" "$work/venv/bin/python" - "$work" <<'EOF' 2>/dev/null
import sys
from datasets import load_dataset

def seen(name):
    file = f"{sys.argv[1]}/{name}.jsonl"
    rows = load_dataset("json", data_files=file, split="train", cache_dir=f"{sys.argv[1]}/{name}")
    types = rows.features["contest_date"].dtype, rows.features["tests"].feature["output"].dtype
    return *types, str(rows[0]["tests"][0]["output"]), rows[0]["answer"]

found = {name: seen(name) for name in ("all", "but_one")}
print(found)
assert found == {
    "all": ("timestamp[s]", "timestamp[s]", "2024-05-01 00:00:00", "025"),
    "but_one": ("timestamp[s]", "string", "2024-05-01", "025"),
}, found
EOF
