#!/usr/bin/env bash
# math-verify 0.9.0: the repeating part of a decimal under a bar is dropped without a word.
# 0.\overline{3} is read as 0 and 3.\overline{3} as 3, so that a reference of 10/3 written with a
# bar refuses 10/3 and accepts 3. The parse looks like a success: it returns a number.
#
# What it does to evals: MATH has repeating decimals among its answers; a right answer in another
# notation counts as wrong, and a wrong integer counts as right.
#
# Output seen:
#   0.\overline{3} is 0, 3.\overline{3} is 3
#   reference 3.\overline{3}:  10/3 False,  3 True
#
# The harness reads the bar itself and never a prefix of an answer (harness/graders/latex).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet math-verify==0.9.0 latex2sympy2_extended==1.11.0 sympy==1.14.0
"$work/venv/bin/python" - <<'EOF'
from math_verify import parse, verify

def read(text):
    return parse(f"${text}$")

numbers = [str(read(text)[0]) for text in (r"0.\overline{3}", r"3.\overline{3}")]
verdicts = [verify(read(r"3.\overline{3}"), read(text)) for text in (r"\frac{10}{3}", "3")]
print(numbers, verdicts)
assert numbers == ["0", "3"], numbers
assert verdicts == [False, True], verdicts
EOF
