"""Comparisons and nights as JUnit files, for a CI that shows test cases."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from harness.stats.comparison import Comparison
from harness.stats.same_model import SameModel
from harness.storage.nights import CheckpointResult

from .comparison import sentences
from .nightly import over_nights_text
from .same_model import sentences as same_model_sentences

_SKIPPED = ("underpowered", "incomplete")  # nothing is decided


def comparison_junit(found: Comparison, *, fail_on_rise: bool = False) -> str:
    """One test case per task: a regression fails; what is underpowered or incomplete is skipped with its reason."""
    return written(comparison_suite(found, fail_on_rise=fail_on_rise))


def comparison_suite(found: Comparison, *, fail_on_rise: bool = False) -> ElementTree.Element:
    """The test suite of one comparison."""
    suite = new_suite()
    for task in found.tasks:
        failed = task.verdict == "regression" or (task.rise and fail_on_rise)
        skipped = task.verdict in _SKIPPED
        text = "; ".join(sentences(task))
        add_case(suite, task.ruling.task, text, failed=failed, skipped=skipped)
    for line in found.incomplete:
        add_error(suite, "complete", line)
    return suite


def same_model_junit(found: SameModel) -> str:
    """One test case per task: another model fails; what is underpowered or incomplete is skipped."""
    suite = new_suite()
    for task in found.tasks:
        text = "; ".join(same_model_sentences(task))
        skipped = task.verdict in _SKIPPED
        add_case(suite, task.task, text, failed=task.verdict == "different", skipped=skipped)
        for line in task.incomplete:
            add_error(suite, "complete", line)
    return written(suite)


def junit_error(message: str) -> str:
    """A report of a comparison that could not be made."""
    suite = new_suite()
    add_error(suite, "same protocol", message)
    return written(suite)


def nightly_junit(results: Sequence[CheckpointResult]) -> str:
    """One test suite per checkpoint, named as its run.

    It has one test case per task that has a baseline, and one for the task's nights so far.
    """
    root = ElementTree.Element("testsuites", name="harness nightly")
    for result in results:
        suite = new_suite()
        if result.comparison is not None:
            suite = comparison_suite(result.comparison, fail_on_rise=result.fail_on_rise)
        suite.set("name", result.checkpoint.run)
        if result.failure is not None:
            add_error(suite, "evaluate", str(result.failure))
        elif not result.complete and result.comparison is None:
            add_error(suite, "complete", "samples are missing or ended in error; run it again")
        for task in result.tasks:
            if task.why:
                add_error(suite, task.task, task.why)
            if task.over_nights is not None:
                text = "; ".join([over_nights_text(task.over_nights), *task.remarks])
                add_case(suite, f"{task.task} over nights", text, failed=task.falling)
        root.append(suite)
    return written(root)


def new_suite() -> ElementTree.Element:
    """A test suite without any case yet."""
    return ElementTree.Element("testsuite", name="harness compare")


def add_error(suite: ElementTree.Element, name: str, message: str) -> None:
    """Add a test case that could not be decided."""
    case = ElementTree.SubElement(suite, "testcase", classname="harness.compare", name=name)
    ElementTree.SubElement(case, "error", message=_clean(message))


def add_case(
    suite: ElementTree.Element, name: str, text: str, *, failed: bool, skipped: bool = False
) -> None:
    """Add a test case.

    Args:
        suite: where it belongs.
        name: of the case.
        text: what was found.
        failed: whether it failed.
        skipped: whether it could not be decided.
    """
    case = ElementTree.SubElement(suite, "testcase", classname="harness.compare", name=name)
    if failed:
        ElementTree.SubElement(case, "failure", message=_clean(text)).text = _clean(text)
    elif skipped:
        ElementTree.SubElement(case, "skipped", message=_clean(text))
    ElementTree.SubElement(case, "system-out").text = _clean(text)


def written(root: ElementTree.Element) -> str:
    """A test suite, or several in one element, as a JUnit file with its counts."""
    for suite in root.iter("testsuite"):
        suite.set("tests", str(len(suite.findall("testcase"))))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(len(suite.findall(f"*/{tag}"))))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    """Without the control characters that XML has no way to write."""
    return "".join(c for c in text if c in "\t\n" or " " <= c <= "\ud7ff" or c >= "\ue000")
