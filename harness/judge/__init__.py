"""Runs programs that a model wrote, in a sandbox, and compares what they print.

    with Judge(workers=2) as judge:
        result = judge.judge(Submission("print(6)"), [TestCase("1 2 3", "6")])

From the outside in:

    supervisor   the judge: submissions in, verdicts out; trusted, holds the expected outputs
    run_case     one submission on its test cases: from the end of a process to a verdict
    worker       one sandbox, the jobs it runs, and the channel to it
    sandbox      starts bubblewrap and the interpreter inside it
    inside/      what runs in the sandbox: fork server, init, the program under test

and beside them:

    submission   takes the program from a response
    scoring      the ways to run a program, by name
    languages    how a program in each language is compiled and run
    compiler     compiles C++ in the sandbox, with a cache
    checkers     compare an output with the expected output
    seccomp      the system call filter
    formats      rows of test data: LiveCodeBench's, and those of batch files
    self_test    hostile programs that must fail on this machine, for `harness doctor`
"""

from harness.judge.run_case import ProgramChecker, Result
from harness.judge.self_test import check
from harness.judge.submission import Rule, Submission, extract
from harness.judge.supervisor import Judge

__all__ = ["Judge", "ProgramChecker", "Result", "Rule", "Submission", "check", "extract"]
