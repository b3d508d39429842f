"""Runs programs that a model wrote, in a sandbox, and compares what they print.

    with Judge(workers=2) as judge:
        result = judge.judge(Submission("print(6)"), [TestCase("1 2 3", "6")])

The layers, from the outside in: `supervisor` (trusted, knows the outputs due), `worker` (one
sandbox and its channel), `sandbox` (bubblewrap), `inside` (fork server, init, the program).
"""

from harness.judge.run_case import ProgramChecker, Result, Scoring
from harness.judge.self_test import check
from harness.judge.submission import Submission, extract
from harness.judge.supervisor import Judge

__all__ = ["Judge", "ProgramChecker", "Result", "Scoring", "Submission", "check", "extract"]
