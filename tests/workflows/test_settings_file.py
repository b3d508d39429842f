"""Settings in YAML: what honest files mean, and one clear line for every other, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import run_command
from harness.errors import DataError
from harness.workflows.settings_file import read_settings
from harness.yaml_bounds import MAX_CHARACTERS, MAX_DEPTH

LAUGHS = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

FAULTS = {
    "aliases": (LAUGHS, "more than 200,000 values, what aliases stand for included"),
    "cycle": ("model: &m [*m]\ntasks: a\n", "line 1: this value: holds itself"),
    "deep list": (f"model: {'[' * 300}\n", f"line 1: nested more than {MAX_DEPTH} levels deep"),
    "deep mapping": ("{a: " * 300, f"nested more than {MAX_DEPTH} levels deep"),
    "deep block": ("".join(f"{' ' * i}a:\n" for i in range(200)), "nested more than"),
    "long": ("# " + "x" * MAX_CHARACTERS, "characters, where 4,000,000 are read at most"),
    "twice": ("k: 4\nmodel: m\nk: 8\n", "line 3, column 1: 'k' stands twice; keep one"),
    "twice deeper": ("engine_args:\n  a: 1\n  a: 2\n", "line 3, column 3: 'a' stands twice"),
    "number as key": ("1: a\n", "line 1, column 1: the key '1' is no text"),
    "list as key": ("? [a, b]\n: 1\n", "the key of several values is no text"),
    "null as key": ("~: 1\n", "the key '~' is no text"),
    "huge number": (f"k: {'9' * 5000}\n", "line 1, column 4: a number of more than 18 digits"),
    "python object": ("model: !!python/name:os.getcwd\n", "could not determine a constructor"),
    "unknown tag": ("model: !secret x\n", "could not determine a constructor"),
    "bad number": ("k: !!int abc\n", "'abc' is no decimal number"),
    "bad date": ("model: !!timestamp 2025-99-99\n", "month must be in 1..12"),
    "bad binary": ("model: !!binary abc\n", "failed to decode base64 data"),
    "two documents": ("model: m\n---\nmodel: n\n", "found another document"),
    "list": ("- a\n", "a mapping of option names to values is needed"),
    "text": ("just words\n", "a mapping of option names to values is needed"),
    "nothing": ("", "a mapping of option names to values is needed"),
    "open quote": ('model: "m\n', "not valid YAML"),
    "tab": ("model:\n\t- a\n", "not valid YAML (line 2"),
    "control character": ("model: \x01\n", "characters are not allowed"),
    "merge of a text": ("<<: words\n", "expected a mapping or list of mappings for merging"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_beyond_the_bounds_or_of_another_form_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, expected = FAULTS[name]
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    code = run_command(["run", "--config", str(path), "-o", str(tmp_path / "run")])
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert expected in said
    assert "settings.yaml" in said


def test_numbers_are_decimal_and_dates_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        "k: 64\nlimit: 1_000\ntemperature: 0.6\nmargin: 1e-3\nhalf: .5\nunder: -3\nflag: off\n"
        "empty:\nday: 2025-06-10\ntime: 1:30\noctal: 010\nhex: 0x10\nquoted: '7'\nname: 1.2.3\n"
        "big: 123456789012345678\ncommon: &c {a: 1}\nown: {<<: *c, b: 2}\n"
    )
    assert read_settings(path) == {
        "k": 64,
        "limit": 1000,
        "temperature": 0.6,
        "margin": 0.001,
        "half": 0.5,
        "under": -3,
        "flag": False,
        "empty": None,
        "day": "2025-06-10",
        "time": "1:30",
        "octal": "010",
        "hex": "0x10",
        "quoted": "7",
        "name": "1.2.3",
        "big": 123456789012345678,
        "common": {"a": 1},
        "own": {"a": 1, "b": 2},
    }


def test_the_bounds_hold_of_published_scores_as_well(tmp_path: Path) -> None:
    from harness.reports.baselines.yaml_document import read_yaml

    for name in ("aliases", "deep list", "deep mapping"):
        path = tmp_path / "own.yaml"
        path.write_text(FAULTS[name][0], encoding="utf-8")
        with pytest.raises(DataError, match=r"own\.yaml, line \d+: "):
            read_yaml(path)
