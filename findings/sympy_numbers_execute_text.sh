#!/usr/bin/env bash
# sympy 1.14.0: turning the text of a plain number into a number executes Python text, for each number anew.
# sympy.Number("12") goes through sympify and parse_expr, which run exec('from sympy import *') and eval
# of generated source; so does the first closed form of an infinite sum, since the tables of hypergeometric
# formulas are built from texts such as S('3/2'). sympy.Rational("12") executes nothing.
#
# What it does to evals: a worker that computes with answers of models under an audit hook (or any guard
# against compile and exec) takes sympy's own work for an attack. latex2sympy2_extended 1.11.0, math-verify's
# reader of LaTeX, calls sympy.Number for every number, so almost every answer it reads trips such a guard.
# It also costs: each sympy.Number("12") takes a few tenths of a millisecond, sympy.Rational("12") a microsecond.
#
# Output seen:
#   Number: ['compile', 'exec', 'compile', 'exec']  Rational: []
#   reader: ['compile', 'exec']  infinite sum: ['compile', 'exec']
#
# The harness reads numbers as rationals itself and warms the tables up before the guard is set.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet latex2sympy2_extended==1.11.0 sympy==1.14.0
"$work/venv/bin/python" - <<'EOF'
import sys

import sympy
from latex2sympy2_extended import latex2sympy

executed: list[str] = []


def hook(event, args):
    if event in ("compile", "exec"):
        name = args[1] if event == "compile" else args[0].co_filename
        if name == "<string>":
            executed.append(event)


def events(work):
    executed.clear()
    work()
    return list(executed)


k = sympy.Symbol("k")
sympy.Number("11")  # late imports are over
sys.addaudithook(hook)
number = events(lambda: sympy.Number("12"))
rational = events(lambda: sympy.Rational("12"))
reader = events(lambda: latex2sympy("12"))
total = events(lambda: sympy.Sum(2**-k, (k, 0, sympy.oo)).doit())
print("Number:", number, " Rational:", rational, " reader:", reader[:2], " infinite sum:", total[:2])
assert "exec" in number, number
assert rational == [], rational
assert "exec" in reader, reader
assert "exec" in total, total
EOF
