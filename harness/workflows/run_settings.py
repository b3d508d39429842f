"""The settings of a run, from the command line, a YAML file and a preset. Checked once, here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from harness.credentials import hidden
from harness.data.datasets import HubParts
from harness.data.prompts import fields
from harness.data.selection import Selection, Window
from harness.errors import DataError, UsageError
from harness.graders.base import with_settings
from harness.judge.scoring import Scoring
from harness.points import MARGIN, problem_with
from harness.sampling import Sampling
from harness.stats.cost import Price
from harness.task import Task
from harness.types import ChoiceOrdering
from harness.workflows.presets import PRESETS, PresetName
from harness.workflows.settings_file import read_settings

Checked = TypeVar("Checked", bound=BaseModel)


def _in_points(value: float) -> float:
    if problem := problem_with(value):
        raise ValueError(problem)
    return value


Points = Annotated[float, AfterValidator(_in_points)]
"""A number of points; a share by mistake is refused."""

Options = dict[str, Any]
"""Settings by field name, as a command line or a YAML file gives them: not checked yet."""


class RunSettings(BaseModel):
    """All options of `harness run`. None means the task's default."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    model: str
    tasks: str
    output: Path
    engine: str = "transformers"
    preset: PresetName | None = None
    k: int | None = None
    limit: int | None = Field(None, ge=1)
    release: str | None = None
    window: str | None = None
    skip_errata: bool = False
    data: Path | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    repetition_guard: int | None = None
    effort: str | None = None
    reasoning_budget: int | None = None
    prompt: str | None = None
    system_prompt: str | None = None
    revision: str | None = None
    engine_arg: dict[str, str] = Field(default_factory=dict)
    base_url: str | None = None
    serve: bool = False
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)
    replicas: int | None = Field(None, ge=1)
    ray_address: str | None = None
    grade_on: Literal["local", "ray"] = "local"
    thinking: Literal["auto", "yes", "no"] = "auto"
    think_end: str = Field("</think>", min_length=1)
    extract: Literal["strict", "lenient"] | None = None
    scoring: Scoring | None = None
    choice_order: ChoiceOrdering | None = None
    seed: int = 0
    choice_seed: int = 0
    seeded: bool = False
    until: Literal["decided"] | None = None
    base: Path | None = None
    margin: Points = MARGIN
    allocate: Literal["uniform", "history"] = "uniform"
    history: tuple[Path, ...] = ()
    lengths: Path | None = None
    unsafe_judge: bool = False
    concurrency: int | None = Field(None, ge=1)
    take_over: bool = False
    price: Price | None = None

    @field_validator("history", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str | Path) else value

    @field_validator("price", mode="before")
    @classmethod
    def _read_price(cls, value: object) -> object:
        if value is None or isinstance(value, Price):
            return value
        return Price.read(",".join(map(str, value)) if isinstance(value, list) else str(value))

    @property
    def selection(self) -> Selection:
        """Which problems are kept.

        Raises:
            UsageError: the window cannot be parsed.
        """
        return Selection(Window.parse(self.window) if self.window else None, self.skip_errata)


_OF_SAMPLING = (
    "k", "temperature", "top_p", "max_tokens", "repetition_guard", "effort", "reasoning_budget",
)  # fmt: skip


def make_settings(options: Options, config: Path | None = None) -> RunSettings:
    """Merge the command line over a configuration file.

    Args:
        options: by field name; None where an option was not given.
        config: YAML file with the same names.

    Raises:
        UsageError: an unknown name or a bad value; the message names it.
        DataError: the file cannot be read.
    """
    values = read_config(config, "--config ") if config is not None else {}
    values.update({name: value for name, value in options.items() if value is not None})
    return check(RunSettings, values, config, prefix="--")


def check(
    model: type[Checked], values: Options, config: Path | None, *, prefix: str = ""
) -> Checked:
    """Check values and return them as a settings model.

    Args:
        model: the settings model.
        values: by field name.
        config: the file that they come from, if any.
        prefix: what a user writes before a field's name, such as `--`.

    Raises:
        UsageError: an unknown name or a bad value; the message names it.
    """
    try:
        return model(**values)
    except ValidationError as error:
        raise UsageError(_message(error, model, config, prefix)) from error


def configure(task: Task, settings: RunSettings) -> tuple[Task, Sampling]:
    """A task and its sampling under the settings of a run: task < preset < explicit option.

    Raises:
        UsageError: the task does not support a value.
        DataError: the prompt's file cannot be read.
    """
    if settings.reasoning_budget is not None and settings.thinking == "no":
        raise UsageError(
            f"--reasoning-budget {settings.reasoning_budget}: --thinking no says that the model does "
            "not reason; leave one of them out"
        )
    if settings.preset is not None:
        task = PRESETS[settings.preset].apply(task)
    given = {name: getattr(settings, name) for name in _OF_SAMPLING}
    sampling = replace(
        task.sampling,
        **{name: value for name, value in given.items() if value is not None},
        seed=settings.seed,
        choice_seed=settings.choice_seed,
        seeded=settings.seeded,
    )
    changes: dict[str, Any] = {"sampling": sampling}
    if settings.release is not None:
        if not isinstance(task.dataset, HubParts):
            raise UsageError(f"--release {settings.release}: {task.name} has no releases")
        changes |= {"dataset": task.dataset.release(settings.release), "n_problems": None}
    if settings.prompt is not None:
        changes["prompt"] = _prompt(settings.prompt, task)
    if settings.system_prompt is not None:
        changes["system_prompt"] = settings.system_prompt or None  # "" removes the task's
    if settings.choice_order is not None and task.choice_order is not None:
        changes["choice_order"] = settings.choice_order
    changes["grader"] = with_settings(
        task.grader,
        extract=settings.extract,
        scoring=settings.scoring,
        unsafe=settings.unsafe_judge,
    )
    return replace(task, **changes), sampling


def _prompt(text: str, task: Task) -> str:
    """A prompt template as given, or the content of @FILE."""
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"--prompt @{path}: cannot be read ({error})") from error
    for name in ("statement", *(["choices"] if task.choice_order else [])):
        if name not in fields(text):
            raise UsageError(f"--prompt {text[:60]!r} has no {{{name}}} field, without which the "
                             f"model would never see the {name} of {task.name}")  # fmt: skip
    return text


def read_config(path: Path, option: str = "") -> Options:
    """Read the settings in a YAML file, by field name.

    Args:
        path: the file.
        option: the option that named it, for messages.

    Raises:
        DataError: the file cannot be read or is not a mapping.
    """
    return by_field(read_settings(path, option))


def by_field(values: Mapping[Any, Any]) -> Options:
    """Settings by field name; YAML may write hyphens, and tasks as a list."""
    found = {str(name).replace("-", "_"): value for name, value in values.items()}
    if isinstance(found.get("tasks"), list):
        found["tasks"] = ",".join(map(str, found["tasks"]))
    return found


def _message(
    error: ValidationError, model: type[BaseModel], config: Path | None, prefix: str
) -> str:
    found = error.errors()
    # A misspelled name first: another one may be missing because of it.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    command_line = prefix == "--"
    # pydantic's own names of a place, such as [key] and list[any], are not the user's.
    name = prefix + ".".join(str(part) for part in first["loc"] if "[" not in str(part))
    if not name.startswith("vary."):  # a factor is spelt in one way alone
        name = name.replace("_", "-")
    place = f" (from the command line or {config})" if config and command_line else ""
    if first["type"] == "missing":
        file = f"{config}: " if config and not command_line else ""
        return f"{file}{name} is needed{place}"
    if first["type"] == "extra_forbidden":
        known = ", ".join(field.replace("_", "-") for field in model.model_fields)
        return f"{config}: there is no setting {name.removeprefix('--')!r}; there are {known}"
    problem = first["msg"].removeprefix("Value error, ")
    given = hidden(first["input"], name.rpartition("-arg.")[2].rpartition("--")[2])
    message = f"{name} {given!r}: {problem}{place}"
    return message if command_line or config is None else f"{config}: {message}"
