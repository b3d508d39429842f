#!/usr/bin/env bash
# inspect-ai 0.3.285: with an even number of epochs, the reducers "mode" and "majority" treat a problem that
# is right in half of them in ways that neither name tells. "mode" gives it the score that came first: right,
# wrong, right, wrong is right, and wrong, right, wrong, right is wrong. "majority" leaves it unscored, and
# the accuracy then is over the other problems: it is gone from the numerator and from the denominator.
#
# What it does to evals: both look like majority voting (both count scores, not answers). Under "mode" a tied
# problem counts by its first epoch alone. Under "majority" the accuracy is over the problems that the model
# is decided about, which differ from model to model: below, one that solves a single problem in ten for sure
# and ties on nine has accuracy 1, and so has one that solves all ten in every epoch.
#
# Output seen:
#   mode:     the first epoch right on ties 1.0, wrong on ties 0.1
#   majority: 1.0 of 1 scored and 9 unscored, either way
#   mean:     0.55, either way
#
# The harness counts answers, not scores, in cons@k, and a tie pays its expected value (docs/statistics.md).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet inspect-ai==0.3.285 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from inspect_ai import Epochs, Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import CORRECT, INCORRECT, Score, accuracy, scorer
from inspect_ai.solver import solver


@solver
def untouched():
    async def solve(state, generate):
        return state

    return solve


@scorer(metrics=[accuracy()])
def planned():
    async def score(state, target):
        right = state.metadata["epochs"][state.epoch - 1]
        return Score(value=CORRECT if right else INCORRECT)

    return score


def run(reducer, tied):
    plans = [(1, 1, 1, 1)] + [tied] * 9
    task = Task(
        dataset=[Sample(input="?", target="!", metadata={"epochs": plan}) for plan in plans],
        solver=untouched(),
        scorer=planned(),
        epochs=Epochs(4, reducer),
    )
    log = eval(task, model="mockllm/model", display="none", log_dir="logs")[0]
    (found,) = log.results.scores
    return round(found.metrics["accuracy"].value, 4), found.scored_samples, found.unscored_samples


found = {
    reducer: [run(reducer, tied) for tied in ((1, 0, 1, 0), (0, 1, 0, 1))]
    for reducer in ("mode", "majority", "mean")
}
for reducer, results in found.items():
    print(reducer, results)
assert found == {
    "mode": [(1.0, 10, 0), (0.1, 10, 0)],
    "majority": [(1.0, 1, 9), (1.0, 1, 9)],
    "mean": [(0.55, 10, 0), (0.55, 10, 0)],
}, found
EOF
