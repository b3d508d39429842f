#!/usr/bin/env bash
# math-verify 0.9.0: where the reference gives a point by its coordinates, "x=2,y=1", the answer
# (1,2) is accepted as well as (2,1). The reference is read as a set of equations, so the order of
# the coordinates is lost, and a set equals a tuple in any order. The same answers the other way
# round, as reference and prediction exchanged, are told apart: verify(gold, prediction) is False
# for the swapped point once the point is the reference and is written in increasing order, since
# "(1,2)" is then an open interval and "(2,1)" a tuple.
#
# What it does to evals: systems of equations ("find x and y") in MATH-500 style accept the swapped
# solution, and swapping the two arguments of verify changes the score.
#
# Output seen:
#   reference x=2,y=1    prediction (2,1) True   (1,2) True   {1,2} True
#   reference (1,2)      prediction x=1,y=2 True   x=2,y=1 False
#   (1,2) is read as Interval, (2,1) as Tuple
#
# The harness pairs names with coordinates and refuses the swapped point (tests/corpora).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet math-verify==0.9.0 latex2sympy2_extended==1.11.0 sympy==1.14.0
"$work/venv/bin/python" - <<'EOF'
from math_verify import parse, verify

def equal(gold, prediction):
    return verify(parse(f"${gold}$"), parse(f"${prediction}$"))

found = {
    pair: equal(*pair)
    for pair in (
        ("x=2,y=1", "(2,1)"), ("x=2,y=1", "(1,2)"), ("x=2,y=1", r"\{1,2\}"),
        ("(1,2)", "x=1,y=2"), ("(1,2)", "x=2,y=1"),
    )
}
read = [type(parse(f"${text}$")[0]).__name__ for text in ("(1,2)", "(2,1)")]
print(found, read)
assert list(found.values()) == [True, True, True, True, False], found
assert read == ["Interval", "Tuple"], read
EOF
