"""The gate's rule: from paired differences to a verdict per task, and one for the run. Pure.

Per task:

- *regression* when the drop is significant by the sampling error, since the protocol is fixed:
  one-sided at 5 % over all tasks together;
- else *no regression* when a drop of the margin is excluded: one-sided at 5 %, with the variance that a
  drop of the margin implies;
- else *underpowered*: neither is shown.

The 5 % are shared out so that a stop and a later comparison agree: a task whose sampling stopped early
keeps the level that its boundary was made for and the verdict that it stopped with; Holm's
correction (1979) runs over the others, at the level that is left.

A significant rise is no regression but is reported: a broken extractor raises scores too. Power is
computed at the level that the correction leaves a task in the worst case.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass

from harness.points import points_of
from harness.stats.allocation import share_of_level, uniform
from harness.stats.design import Design
from harness.stats.multiplicity import holm
from harness.stats.paired_test import Difference, compare
from harness.stats.power import (
    ALPHA,
    MOST,
    POWER,
    detectable_drop,
    k_needed,
    power_at,
    problems_needed,
)
from harness.stats.rates import posterior_rates, samples_per_problem
from harness.stats.sequential import analyse
from harness.stats.stopping import Decision, InterimAnalysis, Stopping
from harness.types import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One task of two runs: each problem's graded samples on both sides.

    `stopping` is the sequential test that ended the sampling of the new run, and `allocation` the
    samples per problem that it would have drawn otherwise; None where their number was fixed.
    `clusters` says which contest or passage a problem belongs to, for the problems error.
    `p_less_luck` is the p-value of a drop against the base less its luck, where it was chosen among
    several runs; the test's own counts only where it is the larger one.
    """

    task: str
    base: Mapping[str, Tally]
    new: Mapping[str, Tally]
    stopping: Stopping | None = None
    allocation: Mapping[str, int] | None = None
    clusters: Mapping[str, Hashable] | None = None
    p_less_luck: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The verdict on one task, with what it rests on.

    `p_drop` and `p_rise` are adjusted for the tasks: significant at `alpha` and below. `detectable`
    is the smallest drop seen with power 0.8, None where there is none; `power` the chance of seeing a
    drop of the margin. `lower` is the one-sided 95 % bound that the rule goes by. `k_needed` and
    `problems_needed` would decide: they would see the margin with power 0.8, or, where that is
    there, exclude it at the difference found; None where the verdict is no "underpowered", or where no
    number in reason does. `analysis` is set where sampling stopped early: detectable drop and power
    are then those of a fixed number of samples.
    """

    task: str
    difference: Difference
    verdict: Decision
    rise: bool
    p_drop: float
    p_rise: float
    alpha: float
    lower: float
    margin: float
    detectable: float | None
    power: float
    k_base: int
    k_new: int
    k_needed: int | None
    problems_needed: int | None
    analysis: InterimAnalysis | None

    def to_json(self) -> dict[str, object]:
        """As plain values; intervals become pairs, and the margin is in points."""
        values = asdict(self)
        return {"margin_points": points_of(values.pop("margin")), **values}


def rule(cases: Sequence[Case], *, margin: float = 0.05, alpha: float = ALPHA) -> list[Ruling]:
    """The verdicts on the tasks of one comparison, in their order.

    Args:
        cases: the tasks.
        margin: the drop that "no regression" must exclude, as a share.
        alpha: probability of a false alarm over all tasks.

    Raises:
        ValueError: a task without any problem that is graded on both sides.
    """
    differences = [compare(case.base, case.new, case.clusters) for case in cases]
    analyses = [_deciding_analysis(case, margin) for case in cases]
    drops = _adjusted(cases, differences, analyses, alpha)
    rises = holm([difference.p_rise for difference in differences])
    return [
        _ruling(case, difference, analysis, p_drop=p_drop, p_rise=p_rise,
                margin=margin, alpha=alpha, n_tasks=len(cases))
        for case, difference, analysis, p_drop, p_rise in zip(
            cases, differences, analyses, drops, rises, strict=True
        )
    ]  # fmt: skip


def _adjusted(
    cases: Sequence[Case],
    differences: Sequence[Difference],
    analyses: Sequence[InterimAnalysis | None],
    alpha: float,
) -> list[float]:
    """The p-values of a drop, adjusted so that alpha is the level of each; see the module's text."""
    own = [case.stopping.alpha if case.stopping and found else None
           for case, found in zip(cases, analyses, strict=True)]  # fmt: skip
    left = max(alpha - math.fsum(level for level in own if level), alpha * 1e-6)
    fixed = [place for place, level in enumerate(own) if level is None]
    raw = [max(differences[i].p_drop / _kept_level(cases[i]), cases[i].p_less_luck) for i in fixed]
    corrected = dict(zip(fixed, holm(raw), strict=True))
    found = []
    for place, (level, analysis) in enumerate(zip(own, analyses, strict=True)):
        if level is None or analysis is None:
            found.append(min(1.0, corrected[place] * alpha / left))
        else:
            p_drop = max(analysis.p_drop, cases[place].p_less_luck)
            found.append(min(1.0, p_drop * alpha / level))
    return found


def _kept_level(case: Case) -> float:
    return share_of_level(case.allocation, (tally.n for tally in case.base.values()))


def _deciding_analysis(case: Case, margin: float) -> InterimAnalysis | None:
    """The interim analysis after which sampling stopped, repeated against this base."""
    stopping = case.stopping
    if stopping is None:
        return None
    shared = {id: tally for id, tally in case.base.items() if id in case.new}
    allocation = case.allocation or uniform(list(shared), stopping.k)
    design = Design.against(
        shared, allocation, margin=margin, alpha=stopping.alpha, shares=stopping.shares
    )
    return analyse(design, shared, case.new, min(stopping.stage, len(design.shares)))


def _ruling(
    case: Case,
    difference: Difference,
    analysis: InterimAnalysis | None,
    *,
    p_drop: float,
    p_rise: float,
    margin: float,
    alpha: float,
    n_tasks: int,
) -> Ruling:
    shared = [id for id in case.base if id in case.new and case.base[id].n and case.new[id].n]
    rates = posterior_rates([case.base[id] for id in shared])
    k_base, k_new = (
        max(1, round(samples_per_problem([side[id] for id in shared])))
        for side in (case.base, case.new)
    )
    level = alpha / n_tasks
    power = power_at(rates, k_base, k_new, margin, alpha=level)
    lower = difference.lower if analysis is None else analysis.low
    verdict: Decision = "underpowered"
    if analysis is not None:
        verdict = analysis.decision or "underpowered"
        if verdict == "regression" and case.stopping and case.p_less_luck > case.stopping.alpha:
            verdict = "underpowered"
    elif p_drop <= alpha:
        verdict = "regression"
    elif lower > -margin:
        verdict = "no regression"
    detectable = detectable_drop(rates, k_base, k_new, alpha=level)
    k = problems = None
    if verdict == "underpowered" and power < POWER:
        k = k_needed(rates, margin, alpha=level)
        problems = problems_needed(rates, k_base, k_new, margin, alpha=level)
    elif verdict == "underpowered" and difference.value > -margin:
        times = ((difference.value - lower) / (difference.value + margin)) ** 2
        k, problems = math.ceil(max(k_base, k_new) * times), math.ceil(len(shared) * times)
    return Ruling(
        task=case.task,
        difference=difference,
        verdict=verdict,
        rise=p_rise <= alpha,
        p_drop=p_drop,
        p_rise=p_rise,
        alpha=alpha,
        lower=lower,
        margin=margin,
        detectable=detectable if detectable < float(rates.mean()) else None,
        power=power,
        k_base=k_base,
        k_new=k_new,
        k_needed=k if k is None or k <= MOST else None,
        problems_needed=problems,
        analysis=analysis,
    )
