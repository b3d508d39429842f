#!/usr/bin/env bash
# datasets 5.2.0 (pyarrow 26.0.1): in load_dataset("json"), one integer beyond 63 bits makes doubles of
# its whole column, without a word. Every other integer of the column beyond 2^53 then becomes a
# neighbour: another number. It does so even where the widest value would fit an unsigned 64-bit column,
# and although the reader knows a type for mixed columns (an answer "1/2" in the place of the wide one
# leaves all others as they were written).
#
# What it does to evals: reference answers of competition mathematics are integers of any length. A
# table with one 2^100 among them changes the reference answers of other problems, and a model that
# answers those exactly is graded wrong. A Parquet copy of the table has lost the digits for good.
#
# Output seen:
#   all narrow:  int64    [9007199254740993, 7]
#   one of u64:  float64  [9007199254740992.0, 7.0, 1.8446744073709552e+19]
#   one of 2^100: float64 [9007199254740992.0, 7.0, 1.2676506002282294e+30]
#   one text:    Json     [9007199254740993, 7, "1/2"]
#
# The harness reads JSON Lines itself and refuses an answer that a JSON reader has made inexact; an
# answer that a Parquet table holds as a double beyond 2^53 is refused as well (harness/data/fields.py).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1
HF_HUB_OFFLINE=1 HF_HOME="$work/home" "$work/venv/bin/python" - "$work" <<'EOF2' 2>/dev/null
import json
import sys
from pathlib import Path

from datasets import load_dataset

BEYOND_DOUBLES = 2**53 + 1


def seen(name, *more):
    file = Path(sys.argv[1], f"{name}.jsonl")
    answers = (BEYOND_DOUBLES, 7, *more)
    file.write_text("".join(json.dumps({"answer": answer}) + "\n" for answer in answers))
    cache = f"{sys.argv[1]}/{name}"
    rows = load_dataset("json", data_files=str(file), split="train", cache_dir=cache)
    kind = rows.features["answer"]
    return getattr(kind, "dtype", None) or type(kind).__name__, list(rows["answer"])


found = {
    "narrow": seen("narrow"),
    "u64": seen("u64", 2**64 - 1),
    "wide": seen("wide", 2**100),
    "text": seen("text", "1/2"),
}
print(found)
assert found["narrow"] == ("int64", [BEYOND_DOUBLES, 7]), found
for name in ("u64", "wide"):
    kind, answers = found[name]
    assert kind == "float64" and int(answers[0]) == BEYOND_DOUBLES - 1, found
assert found["text"][1] == [BEYOND_DOUBLES, 7, "1/2"], found
EOF2
