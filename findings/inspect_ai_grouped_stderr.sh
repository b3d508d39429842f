#!/usr/bin/env bash
# inspect-ai 0.3.285: grouped(stderr(), "topic", all="groups") reports, as "all", the plain mean of the
# groups' standard errors. Beside grouped(accuracy(), "topic", all="groups"), whose "all" is the mean of the
# groups' accuracies, it reads as the standard error of that mean, but that one is sqrt(sum of squares) /
# groups: for k groups alike, the reported one is sqrt(k) times too large. Groups of one problem have a
# standard error of 0, so where all groups have one, "all" is 0 as well.
#
# What it does to evals: a macro average over 57 subjects alike is shown with 7.5 times its error, which hides
# real differences; the same data grouped more finely is shown with other errors, and at last with none.
# Nothing else in the log has the right one: all="samples" has that of the plain mean, which is another number
# where sizes differ.
#
# Output seen (400 problems, every second one right; ungrouped 0.025):
#   groups             4 of 100   25 of 16   100 of 4   400 of 1
#   reported            0.0503     0.1291     0.2887     0.0
#   error of the mean   0.0251     0.0258     0.0289     0.0 (unknown)
#
# The harness prints an error beside each group of its breakdown, and computes that of a task from its
# problems.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet inspect-ai==0.3.285 numpy==2.4.6
"$work/venv/bin/python" - <<'EOF'
from math import sqrt

from inspect_ai.scorer import Score, SampleScore, accuracy, grouped, stderr


def scores(size):
    """400 problems in groups of a size, every second one right."""
    return [
        SampleScore(score=Score(value="CI"[place % 2]), sample_metadata={"topic": place // size})
        for place in range(400)
    ]


def overall(metric, size):
    return round(float(grouped(metric, "topic", all="groups")(scores(size))["all"]), 4)


def error_of_mean(size):
    by_topic = grouped(stderr(), "topic", all=False)(scores(size))
    return round(sqrt(sum(error**2 for error in by_topic.values())) / len(by_topic), 4)


sizes = (100, 16, 4, 1)
reported = [overall(stderr(), size) for size in sizes]
print("accuracy", [overall(accuracy(), size) for size in sizes])
print("reported", reported, " ungrouped", round(float(stderr()(scores(1))), 4))
errors = [error_of_mean(size) for size in sizes]
print("error of the mean", errors)
assert reported == [0.0503, 0.1291, 0.2887, 0.0], reported
assert errors[:3] == [0.0251, 0.0258, 0.0289], errors
EOF
