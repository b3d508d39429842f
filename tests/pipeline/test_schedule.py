"""The order in which samples are drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.pipeline.schedule import Lengths, Schedule
from harness.storage.sample_set import SampleSet


def schedule(missing: dict[str, list[int]], means: dict[str, float] | None = None) -> Schedule[str]:
    lengths: Lengths[str] = Lengths()
    lengths.assume(means or {})
    return Schedule(missing, lengths)


def take(order: Schedule[str], n: int) -> str:
    return "".join(found[0] for _ in range(n) if (found := order.take()) is not None)


def test_the_longest_expected_go_first_and_samples_of_one_problem_together() -> None:
    order = schedule({"a": [0, 1], "b": [0, 1], "c": [3]}, {"a": 10, "b": 90, "c": 20})
    assert [order.take() for _ in range(6)] == [
        ("b", 0), ("b", 1), ("c", 3), ("a", 0), ("a", 1), None,
    ]  # fmt: skip


def test_of_unknown_length_one_sample_of_every_problem_goes_first() -> None:
    order = schedule({"a": [0, 1, 2], "b": [0, 1, 2], "c": [0, 1, 2]}, {"c": 50})
    assert take(order, 2) == "ab"


def test_problems_whose_first_sample_is_still_drawn_go_before_those_whose_has_ended() -> None:
    order = schedule({"a": [0, 1, 2], "b": [0, 1, 2], "c": [0, 1, 2]})
    assert take(order, 3) == "abc"
    order.record("a", 100)
    order.record("c", 900)
    assert take(order, 1) == "b"
    order.record("b", 300)
    assert take(order, 5) == "ccbaa"


def test_a_mean_that_grows_moves_its_problem_forward() -> None:
    order = schedule({"a": list(range(5)), "b": list(range(5))})
    assert take(order, 2) == "ab"
    order.record("a", 10)
    order.record("b", 20)
    assert take(order, 1) == "b"
    order.record("a", 90)
    assert take(order, 2) == "aa"


def test_where_no_tokens_are_counted_the_tasks_order_holds() -> None:
    order = schedule({"a": [0, 1, 2], "b": [0, 1, 2]})
    taken = ""
    while found := take(order, 1):
        order.record(found, None)
        taken += found
    assert taken == "abaabb"


def test_an_earlier_runs_mean_is_not_mixed_with_this_runs_lengths() -> None:
    lengths: Lengths[str] = Lengths()
    lengths.record("a", 40)
    assert lengths.assume({"a": 9.0, "b": 5.0}) == ["b"]
    lengths.record("a", 60)
    lengths.record("b", 7000)
    assert (lengths.expected("a"), lengths.expected("b"), lengths.expected("c")) == (50, 5, None)
    assert lengths.means() == {"a": 50}


@given(
    st.dictionaries(st.text("abcde", min_size=1, max_size=1), st.integers(1, 6)),
    st.dictionaries(st.text("abcde", min_size=1, max_size=1), st.floats(1, 100)),
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 100))),
)
def test_every_sample_is_taken_once_whatever_is_recorded(
    sizes: dict[str, int], means: dict[str, float], recorded: list[tuple[str, int]]
) -> None:
    order = schedule({key: list(range(n)) for key, n in sizes.items()}, means)
    taken = []
    while (found := order.take()) is not None:
        taken.append(found)
        assert len(order) == sum(sizes.values()) - len(taken)
        if recorded:
            order.record(*recorded.pop())
    assert sorted(taken) == sorted((key, i) for key, n in sizes.items() for i in range(n))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200))))
def test_marks_are_a_set(keys: list[tuple[str, int]]) -> None:
    compact, plain = SampleSet(keys), set(keys)
    assert len(compact) == len(plain)
    assert all(((id, i) in compact) is ((id, i) in plain) for id in "abcd" for i in range(201))
