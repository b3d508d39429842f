#!/usr/bin/env bash
# math-verify 0.9.0: a condition said behind an answer becomes the answer. 34 \text{ at } n=5 is read as an equation
# whose left side is the product 34*at*n, and an equation is compared by its right side: the
# answer 34 is refused, and 5 is accepted. The same happens behind "if", "for" and "when".
#
# What it does to evals: "the maximum is 34, attained at n = 5" is a common way to end a solution in a box.
# A right answer counts as wrong, and a reference that equals the place instead of the value counts as right.
#
# Output seen:
#   [Eq(34*at*n, 5)]
#   reference 34: False, reference 5: True
#
# The harness reads the value and never the place (docs/grading.md, qualifiers).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet math-verify==0.9.0 latex2sympy2_extended==1.11.0 sympy==1.14.0
"$work/venv/bin/python" - <<'EOF'
from math_verify import parse, verify

answer = parse(r"$\boxed{34 \text{ at } n=5}$")
value, place = (verify(parse(f"${reference}$"), answer) for reference in ("34", "5"))
print(answer[:1])
print(f"reference 34: {value}, reference 5: {place}")
assert (value, place) == (False, True), (value, place)
EOF
