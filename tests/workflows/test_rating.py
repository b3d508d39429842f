"""From a run folder and standings to a rating: both ratings, attempts, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from harness.cli.rating import lines, rating
from harness.data.codeforces_api import parse_contest, read_contests, read_population
from harness.errors import DataError, HarnessError, UsageError
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.stats.rating_curve import expected_place
from harness.storage.files import write_lines
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunWriter
from harness.tasks.aime import AIME24
from harness.types import Grade, Problem, Provenance, Verdict
from harness.workflows.rating import rate

PRACTICE = Path(__file__).parent.parent.parent / "examples" / "practice-contest"
STANDINGS = PRACTICE / "standings"

Marks = Mapping[str, Sequence[Verdict]]


def run_folder(path: Path, marks: Marks, places: Mapping[str, Provenance] | None = None) -> Path:
    """A run whose samples have the given verdicts."""
    where = places or {}
    problems = [Problem(id, "?", "1", provenance=where.get(id, Provenance())) for id in marks]
    k = max(map(len, marks.values()))
    protocol = make_protocol(AIME24, problems, Sampling(k=k))
    with RunWriter(path) as writer:
        writer.begin(Manifest("model", {}), Start())
        folder = writer.add_task(protocol, problems, k)
        grades = [Grade(id, n, verdict) for id in marks for n, verdict in enumerate(marks[id])]
        write_lines(folder.path / "grades.jsonl", reversed(grades))
    return path


def verdicts(marks: str) -> list[Verdict]:
    known = {"+": Verdict.CORRECT, "-": Verdict.WRONG_ANSWER, "!": Verdict.ERROR}
    return [known[mark] for mark in marks]


def write_contest(
    folder: Path, rows: Mapping[str, tuple[int, float, float]], *, kind: str = "CF", id: int = 7
) -> None:
    """A contest with problems A (500) and B (1000); rows are handle: (rating, points, penalty)."""
    folder.mkdir(exist_ok=True)
    standings = {
        "contest": {"id": id, "name": "Round 7", "type": kind},
        "problems": [{"index": "A", "points": 500}, {"index": "B", "points": 1000}],
        "rows": [
            {
                "party": {"members": [{"handle": name}], "participantType": "CONTESTANT"},
                "points": points,
                "penalty": penalty,
            }
            for name, (_, points, penalty) in rows.items()
        ],
    }
    changes = [{"handle": name, "oldRating": found[0]} for name, found in rows.items()]
    for method, result in (("standings", standings), ("ratingChanges", changes)):
        answer = {"status": "OK", "result": result}
        (folder / f"{id}.{method}.json").write_text(json.dumps(answer))


FIELD = {
    "first": (2000, 1500.0, 0.0),
    "second": (1600, 1000.0, 0.0),
    "third": (1400, 950.0, 0.0),
    "fourth": (1200, 500.0, 0.0),
    "new": (0, 1500.0, 0.0),
}
PLACES = {id: Provenance(contest="7", index=index) for id, index in (("p", "A"), ("q", "B"))}


def test_places_are_averaged_over_participations(tmp_path: Path) -> None:
    write_contest(tmp_path / "s", FIELD)
    # participations: A and B (level with first), nothing, B alone (level with second)
    run = run_folder(
        tmp_path / "run", {"p": verdicts("+!--"), "q": verdicts("+-+")}, PLACES
    )  # fmt: skip
    rated = rate(run, tmp_path / "s")
    (placed,) = rated.contests
    assert (placed.participations, placed.judged, placed.problems) == (3, 2, 2)
    assert (placed.entrants, placed.newcomers) == (4, 1)
    assert placed.place == pytest.approx((1.5 + 5 + 2.5) / 3)
    ratings = [2000.0, 1600.0, 1400.0, 1200.0]
    assert rated.joint.rating is not None
    assert expected_place(rated.joint.rating, ratings) == pytest.approx(placed.place, abs=1e-3)
    assert rated.mean.rating == pytest.approx(rated.joint.rating, abs=0.1)


def test_failed_attempts_cost_and_further_ones_are_not_looked_at(tmp_path: Path) -> None:
    write_contest(tmp_path / "s", FIELD)
    marks = {"p": verdicts("----"), "q": verdicts("-+-+")}
    run = run_folder(tmp_path / "run", marks, PLACES)
    assert rate(run, tmp_path / "s", attempts=2).contests[0].place == 3.5  # 950, level with third
    assert rate(run, tmp_path / "s").contests[0].place == pytest.approx((5 + 2.5) / 2)
    with pytest.raises(UsageError, match="problem 7/A has 4 graded samples, and --attempts 8"):
        rate(run, tmp_path / "s", attempts=8)
    for count in (0, 9):
        with pytest.raises(UsageError, match="from 1 to 8"):
            rate(run, tmp_path / "s", attempts=count)


def test_icpc_minutes_decide_among_equals(tmp_path: Path) -> None:
    field = {"quick": (1500, 1.0, 5.0), "slow": (1500, 1.0, 15.0), "none": (1500, 0.0, 0.0)}
    write_contest(tmp_path / "s", field, kind="ICPC")
    run = run_folder(tmp_path / "run", {"p": verdicts("-+")}, PLACES)
    rated = rate(run, tmp_path / "s", attempts=2)
    assert rated.contests[0].place == 2  # one failure: 10 minutes
    assert (rated.contests[0].judged, rated.contests[0].problems) == (1, 2)
    assert "problems of these contests that are not in the run, not solved: 1" in lines(rated)


def test_a_first_place_everywhere_is_a_bound_and_no_number(tmp_path: Path) -> None:
    field = {name: (r, p - 1, 0.0) for name, (r, p, _) in FIELD.items()}
    write_contest(tmp_path / "s", field)
    (tmp_path / "ratings.json").write_text("[1000, 3000, 2000]")
    run = run_folder(tmp_path / "run", {"p": verdicts("+"), "q": verdicts("+")}, PLACES)
    rated = rate(run, tmp_path / "s", population=tmp_path / "ratings.json")
    assert (rated.joint.rating, rated.percentile, rated.mean.clamped) == (None, None, 1)
    assert lines(rated)[0].startswith("rating above ")
    assert "not estimated (one contest, and it takes 3)" in lines(rated)[1]
    assert "no percentile" in lines(rated)[3]


def spoil(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def spoiled(folder: Path) -> None:
        path = folder / "7.standings.json"
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return spoiled


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "7.ratingChanges.json").unlink(), "cannot be read"),
        (lambda folder: (folder / "7.standings.json").write_text("{"), "not valid JSON"),
        (spoil(lambda data: data.update(status="FAILED", comment="no such contest")), "no such"),
        (spoil(lambda data: data["result"]["contest"].update(type="IOI")), "type 'IOI'"),  # type: ignore[index]
        (spoil(lambda data: data["result"]["problems"][0].pop("points")), "'points'"),  # type: ignore[index]
        (spoil(lambda data: data["result"]["rows"].clear()), "no participant has a rating"),  # type: ignore[index]
    ],
)
def test_damaged_standings_are_named(
    tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    write_contest(tmp_path / "s", FIELD)
    damage(tmp_path / "s")
    with pytest.raises(DataError, match=words) as caught:
        read_contests(tmp_path / "s")
    assert "7." in str(caught.value)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    run = run_folder(
        tmp_path / "run", {"p": verdicts("+")}, {"p": Provenance(contest="8", index="A")}
    )
    with pytest.raises(HarnessError, match="is no folder"):
        rate(run, tmp_path / "s")
    write_contest(tmp_path / "s", FIELD)
    with pytest.raises(UsageError, match="none of its problems belongs to a contest"):
        rate(run, tmp_path / "s")
    other = run_folder(
        tmp_path / "z", {"p": verdicts("+")}, {"p": Provenance(contest="7", index="Z")}
    )
    with pytest.raises(DataError, match="contest 7 has no problem Z"):
        rate(other, tmp_path / "s")


def test_a_population_is_a_list_or_the_api_s_answer(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"status": "OK", "result": [{"rating": 1200}, {"rating": 900}]}')
    assert read_population(path) == [900, 1200]
    path.write_text("[3, 1, 2]")
    assert read_population(path) == [1, 2, 3]
    for text in ("[]", '["a"]', "{}", "3"):
        path.write_text(text)
        with pytest.raises(DataError, match="a JSON list of ratings"):
            read_population(path)


def test_out_of_competition_participants_are_not_in_the_field() -> None:
    def row(handle: str, kind: str) -> dict[str, object]:
        return {"party": {"members": [{"handle": handle}], "participantType": kind},
                "points": 1, "penalty": 0}  # fmt: skip

    contest = parse_contest(
        {"contest": {"id": 1, "name": "n", "type": "ICPC"}, "problems": [{"index": "A"}],
         "rows": [row("a", "CONTESTANT"), row("b", "OUT_OF_COMPETITION"), row("c", "CONTESTANT")]},
        [{"handle": "a", "oldRating": 1500}, {"handle": "b", "oldRating": 1500}],
        "here",
    )  # fmt: skip
    assert [entrant.rating for entrant in contest.entrants] == [1500]


# The practice contests: participants of known ratings


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("practice_contest", PRACTICE / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def virtual_run(path: Path, make: ModuleType, rating: float, k: int) -> Path:
    """k participations in every practice contest of a player with a known rating."""
    places = json.loads((STANDINGS / "problems.json").read_text())
    steps = {
        row["id"]: int(row["kind"].split()[0])
        for row in map(json.loads, make.PROBLEMS.read_text().splitlines())
    }
    marks: dict[str, list[Verdict]] = {id: [] for id in places}
    player = random.Random(1)
    for number in map(str, range(1, make.CONTESTS + 1)):
        ids = {at.partition("/")[2]: id for id, at in places.items() if at.startswith(f"{number}/")}
        draw = random.Random(make.SEED + int(number))
        hard = make.difficulties({index: steps[ids[index]] for index in sorted(ids)}, draw)
        for _ in range(k):
            shown = make.performance(rating, player)
            for index, id in ids.items():
                solved = shown >= hard[index]
                marks[id].append(Verdict.CORRECT if solved else Verdict.WRONG_ANSWER)
    return run_folder(path, marks)


@pytest.mark.parametrize("known", [1100, 1400, 1700])
def test_a_player_of_known_rating_gets_it_back(
    tmp_path: Path, make: ModuleType, known: int
) -> None:
    run = virtual_run(tmp_path / "run", make, known, k=100)
    from scipy import stats

    rated = rate(run, STANDINGS, population=PRACTICE / "population.json")
    assert rated.joint.rating is not None
    assert abs(rated.joint.rating - known) < 60  # the field of 60 was drawn once, too
    assert rated.joint.low is not None
    assert rated.joint.high is not None
    # Three players meet one drawing of the field: what holds is the interval at 99 %.
    wider = stats.t.ppf(0.995, 4) / stats.t.ppf(0.975, 4)
    low, high = (limit - rated.joint.rating for limit in (rated.joint.low, rated.joint.high))
    assert low * wider < known - rated.joint.rating < high * wider
    assert [placed.participations for placed in rated.contests] == [100] * 5
    assert {placed.scoring for placed in rated.contests} == {"points", "icpc"}


def test_the_practice_contests_are_those_that_the_script_writes(
    tmp_path: Path, make: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.json"))
    assert len(files) == 12
    for file in files:
        assert (tmp_path / file).read_text() == (PRACTICE / file).read_text(), file


def test_the_command_prints_both_ratings_and_the_conventions(
    tmp_path: Path, make: ModuleType
) -> None:
    run = virtual_run(tmp_path / "run", make, 1400, k=4)
    shutil.copytree(STANDINGS, run / "standings")
    arguments = [str(run), "--json", str(tmp_path / "r.json"),
                 "--population", str(PRACTICE / "population.json")]  # fmt: skip
    done = CliRunner().invoke(rating, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    for words in ("95 % interval", "CodeElo's mean", "among population.json, 150 ratings",
                  "a single attempt per problem", "submission time counts as 0"):  # fmt: skip
        assert words in done.output
    figures = json.loads((tmp_path / "r.json").read_text())
    assert figures["joint"]["low"] < figures["joint"]["rating"] < figures["joint"]["high"]
    assert len(figures["contests"]) == 5
