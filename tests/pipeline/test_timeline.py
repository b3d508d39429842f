"""When stages end, and where interim analyses are worth their place."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.pipeline.pending import Place, Plan
from harness.pipeline.schedule import Lengths
from harness.pipeline.stages import Stages
from harness.pipeline.timeline import Expectation, Timeline, _moved, distinct, play
from harness.stats.allocation import counts_at

CAP = 32_768


def plan_of(
    lengths: Mapping[str, Sequence[int]], k: int, task: str = "t"
) -> tuple[Plan, dict[str, int]]:
    """k samples of each problem, whose lengths are those that an earlier run measured."""
    measured: Lengths[Place] = Lengths()
    for id, row in lengths.items():
        for tokens in row:
            measured.record((task, id), tokens)
    known: Lengths[Place] = Lengths()
    known.assume_measured(measured)
    return Plan({(task, id): range(k) for id in lengths}, known, {}), dict.fromkeys(lengths, k)


def drawn(rng: random.Random, problems: int, n: int) -> dict[str, list[int]]:
    """Lognormal lengths up to the cap, as of reasoning: 10,000 tokens, 0.6 and 0.4 in logarithms."""
    found = {}
    for number in range(problems):
        centre = rng.gauss(math.log(10_000) - 0.26, 0.6)
        found[str(number)] = [min(CAP, round(math.exp(rng.gauss(centre, 0.4)))) for _ in range(n)]
    return found


def test_lanes_go_on_with_the_next_stage_and_are_freed_by_a_decision() -> None:
    lengths: Lengths[Place] = Lengths()
    lengths.assume({("t", "a"): 9.0, ("t", "b"): 2.0, ("u", "c"): 1.0})
    missing: dict[Place, Sequence[int]] = {
        ("t", "a"): range(2), ("t", "b"): range(2), ("u", "c"): range(1),
    }  # fmt: skip
    ends = {"t": [{"a": 1, "b": 1}, {"a": 2, "b": 2}], "u": [{"c": 1}]}
    tokens = {"a": 9.0, "b": 2.0, "c": 1.0}
    stages = Stages(Plan(missing, lengths, {}), ends)
    assert play(stages, lambda place, _: tokens[place[1]], 2) == {"t": [9, 12], "u": [3]}
    stages = Stages(Plan(missing, lengths, {}), ends)
    found = play(stages, lambda place, _: tokens[place[1]], 2, lambda task, stage: task == "t")
    assert found == {"t": [9], "u": [3]}


def test_what_a_decision_calls_off_frees_its_lanes() -> None:
    """b's second sample is in flight when a's ends: c, of another task, starts in its place."""
    lengths: Lengths[Place] = Lengths()
    lengths.assume({("t", "a"): 5.0, ("u", "c"): 1.0})
    missing: dict[Place, Sequence[int]] = {("t", "a"): range(2), ("u", "c"): range(2)}
    ends = {"t": [{"a": 1}, {"a": 2}], "u": [{"c": 1}, {"c": 2}]}
    tokens = {("a", 0): 5.0, ("a", 1): 50.0, ("c", 0): 6.0, ("c", 1): 7.0}
    stages = Stages(Plan(missing, lengths, {}), ends)
    found = play(stages, lambda place, index: tokens[place[1], index], 2,
                 lambda task, stage: task == "t")  # fmt: skip
    assert found == {"t": [5], "u": [6, 12]}


@given(st.floats(50, 30_000), st.floats(0.05, 1.2))
def test_the_expectation_has_the_mean_that_was_measured(mean: float, spread: float) -> None:
    expected = Expectation.of(mean, spread, CAP)
    quantiles = [expected.quantile((i + 0.5) / 4_000) for i in range(4_000)]
    assert statistics.fmean(quantiles) == pytest.approx(mean, rel=0.01)
    assert max(quantiles) <= CAP


def test_the_spread_is_that_within_problems() -> None:
    rng = random.Random(1)
    lengths: Lengths[str] = Lengths()
    assert lengths.spread() is None
    for problem in range(200):
        centre = rng.gauss(9, 2)
        for _ in range(6):
            lengths.record(str(problem), round(math.exp(rng.gauss(centre, 0.3))))
    spread = lengths.spread()
    assert spread == pytest.approx(0.3, rel=0.1)
    later: Lengths[str] = Lengths()
    later.assume_measured(lengths)
    assert later.spread() == spread


@pytest.mark.parametrize("lanes", [8, 64, 256])
def test_the_expected_ends_are_those_of_a_run(lanes: int) -> None:
    shares = (0.25, 0.5, 0.75, 1.0)
    found = []
    for seed in range(6):
        lengths = drawn(random.Random(seed), 30, 32)
        plan, asked = plan_of({id: row[16:] for id, row in lengths.items()}, 16)
        ends = {"t": [counts_at(asked, share) for share in shares]}
        timeline = Timeline.of(plan, lanes, {"t": CAP})
        assert timeline is not None
        real = play(Stages(plan, ends), lambda p, i, rows=lengths: rows[p[1]][i], lanes)["t"]
        found.append([e / r for e, r in zip(timeline.ends(ends)["t"], real, strict=True)])
    for ratios in zip(*found, strict=True):
        assert statistics.median(ratios) == pytest.approx(1, abs=0.05)


def early(shares: Sequence[float]) -> list[float]:
    """Sampling ends by each analysis with a chance that grows as the root of its samples."""
    reached = [math.sqrt(share) for share in shares]
    return [now - before for before, now in pairwise([0.0, *reached])]


def place(
    plan: Plan, asked: Mapping[str, int], lanes: int, *candidates: tuple[float, ...]
) -> tuple[float, ...]:
    timeline = Timeline.of(plan, lanes, {"t": CAP})
    assert timeline is not None
    return timeline.place("t", candidates, {"t": asked}, others={}, chances=early)


QUARTERS = (0.25, 0.5, 0.75, 1.0)


def test_with_a_lane_for_every_sample_one_analysis_at_the_end_is_left() -> None:
    plan, asked = plan_of(drawn(random.Random(2), 30, 16), 16)
    assert place(plan, asked, 480, QUARTERS, (0.5, 1.0)) == (1.0,)


def test_an_analysis_takes_in_the_samples_that_end_at_the_same_moment() -> None:
    """640 samples on 256 lanes: the first fifth waits for its longest sample, as more would."""
    plan, asked = plan_of(drawn(random.Random(3), 20, 16), 32)
    timeline = Timeline.of(plan, 256, {"t": CAP})
    assert timeline is not None
    before = (0.2, 1.0)
    placed = place(plan, asked, 256, before)
    assert placed[0] > 0.3

    def first(shares: Sequence[float]) -> float:
        return timeline.ends({"t": [counts_at(asked, share) for share in shares]})["t"][0]

    assert first(placed) <= first(before) + 0.02 * first((1.0,))


def test_analyses_stay_where_time_goes_with_the_samples() -> None:
    plan, asked = plan_of(drawn(random.Random(4), 30, 16), 64)
    assert place(plan, asked, 16, QUARTERS) == QUARTERS


def test_of_several_places_those_that_end_soonest_are_taken() -> None:
    plan, asked = plan_of(drawn(random.Random(4), 30, 16), 64)
    assert place(plan, asked, 16, (0.9, 1.0), QUARTERS, (0.5, 1.0)) == QUARTERS


def test_places_that_are_ruled_out_are_not_taken() -> None:
    plan, asked = plan_of(drawn(random.Random(4), 30, 16), 64)
    timeline = Timeline.of(plan, 16, {"t": CAP})
    assert timeline is not None
    found = timeline.place("t", [QUARTERS, (0.5, 1.0)], {"t": asked}, others={},
                           chances=lambda s: None if len(s) > 2 else early(s))  # fmt: skip
    assert found == (0.5, 1.0)


def test_analyses_without_a_sample_more_are_one() -> None:
    assert distinct((0.2, 0.25, 0.6, 0.7, 1.0), {"a": 4, "b": 4}) == (0.25, 0.75, 1.0)
    assert distinct((0.2, 0.25, 1.0), {"a": 4, "b": 9}) == (0.2, 0.25, 1.0)


def test_nothing_known_of_the_lengths_is_no_timeline() -> None:
    plan = Plan({("t", "a"): range(4), ("t", "b"): range(4)}, Lengths(), {})
    assert Timeline.of(plan, 8, {"t": CAP}) is None


def test_other_tasks_share_the_lanes() -> None:
    one, asked_one = plan_of(drawn(random.Random(5), 10, 16), 16, "one")
    two, asked_two = plan_of(drawn(random.Random(6), 30, 16), 64, "two")
    both: Lengths[Place] = Lengths()
    for plan in (one, two):
        both.assume({p: found for p in plan.missing if (found := plan.lengths.expected(p))})
    timeline = Timeline.of(Plan({**one.missing, **two.missing}, both, {}), 64, {})
    alone = Timeline.of(one, 64, {})
    assert timeline is not None and alone is not None
    halves = {
        task: [counts_at(asked, share) for share in (0.5, 1.0)]
        for task, asked in (("one", asked_one), ("two", asked_two))
    }
    assert timeline.ends(halves)["one"][0] > alone.ends({"one": halves["one"]})["one"][0]


def test_a_simulation_changes_nothing_of_what_is_known() -> None:
    plan, asked = plan_of(drawn(random.Random(7), 10, 16), 16)
    for tokens in (5, 7):  # of a sample of this run
        plan.lengths.record(("t", "new"), tokens)
    timeline = Timeline.of(Plan({**plan.missing, ("t", "new"): range(4)}, plan.lengths, {}), 8, {})
    assert timeline is not None
    timeline.ends({"t": [{**asked, "new": 4}]})
    assert plan.lengths.expected(("t", "new")) == 6


def test_no_analysis_follows_a_moved_one_with_hardly_a_sample_more() -> None:
    """Its own stage would begin its long samples late, so that it ends much later all the same."""

    def ends(placed: Sequence[float]) -> list[float]:
        return [30 + 100 * max(0.0, placed[0] - 0.34), *(50 + 50 * share for share in placed[1:])]

    placed = _moved((0.2, 0.35, 0.6, 1.0), ends, 100.0, 30.0)
    assert placed == (pytest.approx(0.34, abs=0.02), 0.6, 1.0)
