#!/usr/bin/env bash
# Python's csv, pandas 3.1.1 and datasets 5.2.0: a field that lacks its closing quote, where the next field
# begins with one, is no error. Both fields become one and the rest of the row shifts by a column; the last
# column is null. csv with strict=True, pandas' Python parser and pyarrow 26.0.1 refuse the file.
#
# What it does to evals: IMO-AnswerBench's file (google-deepmind/superhuman, imobench/answerbench_v2.csv,
# its issue 13) has such a row. The reference answer is then a part of the statement that the model reads,
# and what it is graded against is the next column, "Algebra": right responses are wrong, and a model that
# copies from the prompt is not seen to do so. Nothing fails: 400 rows are 400 rows. The row below has that
# shape and a statement of its own.
#
# Output seen:
#   csv               statement "Solve\n\\[3x=21\\]\n,$x=7$\"", reference "Algebra"
#   csv strict        Error: ',' expected after '"'
#   pandas (C)        as csv
#   pandas (Python)   ParserError: ',' expected after '"'
#   pyarrow           ArrowInvalid: Expected 5 columns, got 4
#   datasets          as csv
#
# The harness reads CSV strictly (harness/data/readers.py), adds the quote that this file lacks and refuses a
# copy whose columns are shifted (tasks/imo_answerbench.py).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pandas==3.1.1 datasets==5.2.0 pyarrow==26.0.1
cat > "$work/rows.csv" <<'EOF'
Problem ID,Problem,Short Answer,Category,Source
own-001,"Solve
\[3x=21\]
,"$x=7$",Algebra,Own Contest
own-002,"Find $2+2$.
",4,Algebra,Own Contest
EOF
HF_HUB_OFFLINE=1 HF_HOME="$work/home" "$work/venv/bin/python" - "$work/rows.csv" <<'EOF' 2>/dev/null
import csv
import sys

import pandas
import pyarrow
import pyarrow.csv
from datasets import load_dataset

path = sys.argv[1]

def rows_of_csv(**options):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, **options))

def strictly():
    return rows_of_csv(strict=True)

def pandas_rows(engine):
    return lambda: pandas.read_csv(path, engine=engine).to_dict("records")

def arrow_rows():
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(path, parse_options=options).to_pylist()

def dataset_rows():
    return list(load_dataset("csv", data_files=path, split="train", cache_dir=path + ".cache"))

readers = {
    "csv": rows_of_csv, "csv strict": strictly, "pandas (C)": pandas_rows("c"),
    "pandas (Python)": pandas_rows("python"), "pyarrow": arrow_rows, "datasets": dataset_rows,
}
found = {}
for name, read in readers.items():
    try:
        rows = read()
        found[name] = (len(rows), rows[0]["Problem"], rows[0]["Short Answer"])
    except (csv.Error, pandas.errors.ParserError, pyarrow.ArrowInvalid) as error:
        found[name] = type(error).__name__
    print(name, found[name])
shifted = (2, "Solve\n\\[3x=21\\]\n,$x=7$\"", "Algebra")
assert found == {
    "csv": shifted, "csv strict": "Error", "pandas (C)": shifted, "pandas (Python)": "ParserError",
    "pyarrow": "ArrowInvalid", "datasets": shifted,
}, found
EOF
