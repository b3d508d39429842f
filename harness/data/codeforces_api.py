"""Standings and rating changes of contests, in the Codeforces API's own JSON, and populations.

    DIR/2046.standings.json         what contest.standings answered
    DIR/2046.ratingChanges.json     what contest.ratingChanges answered
    DIR/problems.json               optional: {"problem id of a task": "2046/A"}

A participant counts with the rating before the contest. Those without one (0 in the API) and those
out of competition are left out: their places carry no information about ratings.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from harness.errors import DataError
from harness.stats.elo import Contest, Entrant, Result, Scoring

API = "https://codeforces.com/api"
_SCORING: Mapping[str, Scoring] = {"CF": "points", "ICPC": "icpc"}
_PAUSE = 2.0  # seconds between requests, which the API asks for
_TIMEOUT = 120.0


def read_contests(folder: Path) -> dict[str, Contest]:
    """Every contest of a folder by its number.

    Raises:
        DataError: there is none, or a file is missing or damaged (it is named).
    """
    paths = sorted(folder.glob("*.standings.json"))
    if not paths:
        what = "holds no *.standings.json" if folder.is_dir() else "is no folder"
        raise DataError(f"--standings {folder}: {what}; `harness data fetch codeforces-standings "
                        "--contests ID -o DIR` makes them")  # fmt: skip
    ids = [path.name.removesuffix(".standings.json") for path in paths]
    return {id: read_contest(folder, id) for id in ids}


def read_contest(folder: Path, id: str) -> Contest:
    """One contest of a folder.

    Raises:
        DataError: a file is missing or damaged; the message names it.
    """
    standings, changes = folder / f"{id}.standings.json", folder / f"{id}.ratingChanges.json"
    return parse_contest(_answer(standings), _answer(changes), f"{standings} and {changes.name}")


def parse_contest(standings: Any, changes: Any, place: str) -> Contest:
    """A contest from the `result` of contest.standings and of contest.ratingChanges.

    Raises:
        DataError: a field that is missing or of another kind; the message begins with `place`.
    """
    try:
        kind = standings["contest"]["type"]
        if kind not in _SCORING:
            raise DataError(f"{place}: contests of type {kind!r} have no places to compare with "
                            f"({', '.join(_SCORING)} have)")  # fmt: skip
        before = {change["handle"]: float(change["oldRating"]) for change in changes}
        problems = {
            problem["index"]: 1.0 if kind == "ICPC" else float(problem["points"])
            for problem in standings["problems"]
        }
        results = _results(standings["rows"])
        name, number = standings["contest"]["name"], str(standings["contest"]["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{place}: not an answer of the Codeforces API ({error!r})") from error
    rated = {handle: rating for handle, rating in before.items() if handle in results}
    entrants = tuple(Entrant(rating, results[h]) for h, rating in rated.items() if rating > 0)
    if not entrants:
        raise DataError(f"{place}: no participant has a rating, so places give no rating either")
    return Contest(number, name, _SCORING[kind], problems, entrants, len(rated) - len(entrants))


def _results(rows: Sequence[Any]) -> dict[str, Result]:
    """The result of each handle that took part in competition."""
    return {
        member["handle"]: Result(float(row["points"]), float(row["penalty"]))
        for row in rows
        if row["party"]["participantType"] == "CONTESTANT"
        for member in row["party"]["members"]
    }


def read_places(folder: Path) -> dict[str, tuple[str, str]]:
    """From problems.json: the (contest, index) of problems whose task does not state them.

    Raises:
        DataError: the file is not of that form.
    """
    path = folder / "problems.json"
    if not path.exists():
        return {}
    data = _json(path)
    if not isinstance(data, dict) or not all(str(at).count("/") == 1 for at in data.values()):
        raise DataError(f'{path}: the form must be {{"problem id": "contest/index"}}')
    return {id: (at.partition("/")[0], at.partition("/")[2]) for id, at in data.items()}


def read_population(path: Path) -> list[float]:
    """Ratings in ascending order, from a JSON list of them or an answer of user.ratedList.

    Raises:
        DataError: the file cannot be read or holds no ratings.
    """
    data = _json(path)
    if isinstance(data, dict):
        data = [user.get("rating") for user in data.get("result", ()) if isinstance(user, dict)]
    if not isinstance(data, list) or not data or not all(isinstance(r, int | float) for r in data):
        raise DataError(f"--population {path}: a JSON list of ratings is needed, or the answer of "
                        "the Codeforces API's user.ratedList")  # fmt: skip
    return sorted(map(float, data))


def fetch_contest(id: str, folder: Path) -> Contest:
    """Fetch standings and rating changes of a contest into a folder, and read them.

    Raises:
        DataError: the API cannot be reached or refuses; files that are there already stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for method in ("standings", "ratingChanges"):
        answer = _get(f"{API}/contest.{method}?contestId={id}")
        (folder / f"{id}.{method}.json").write_bytes(answer)
        time.sleep(_PAUSE)
    return read_contest(folder, id)


def _get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "reasoning-harness"})  # noqa: S310 - a fixed https address
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as reply:  # noqa: S310 - likewise
            answer: bytes = reply.read()
    except urllib.error.HTTPError as error:
        raise DataError(f"{url}: {_comment(error.read()) or error}") from error
    except OSError as error:
        raise DataError(f"{url}: cannot be fetched ({error}); on a machine with a network save the "
                        "answer as a file, see docs/rating.md") from error  # fmt: skip
    return answer


def _comment(answer: bytes) -> str:
    """The API's own reason for a refusal."""
    try:
        return str(orjson.loads(answer)["comment"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def _answer(path: Path) -> Any:
    """The `result` of a saved answer.

    Raises:
        DataError: the file is not an answer with status OK.
    """
    data = _json(path)
    if not isinstance(data, dict) or data.get("status") != "OK" or "result" not in data:
        why = data.get("comment") if isinstance(data, dict) else None
        raise DataError(f"{path}: not an answer of the Codeforces API with status OK"
                        + (f" ({why})" if why else ""))  # fmt: skip
    return data["result"]


def _json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error
