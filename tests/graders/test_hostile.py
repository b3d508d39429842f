"""Answers made to hang, crash or swell a grader: each is answered in time, either way round."""

import time

import pytest

from harness.cli.match import match_row
from harness.graders import sympy_client

PAIRS = [
    ("1", "2^{2^{2^{2^{2^{2}}}}}"),
    ("1", "9^9^9^9^9^9"),
    ("1", "(10^{10})^{10^{10}}"),
    ("1", "\\frac{1}{10^{10^{10}}}"),
    ("0", "10^{-10^{10}}"),
    ("1", "(1+10^{-30})^{10^{30}}"),
    ("1", "1000000000!"),
    ("1", "100000!!"),
    ("1", "10^{10}!"),
    ("1", "(10!)!"),
    ("1", "((5!)!)!"),
    ("1", "\\binom{1000000000}{500000000}"),
    ("1", "\\binom{10^{100}}{3}"),
    ("1", "\\Gamma(10^{100})"),
    ("1", "\\gcd(" + "7" * 900 + ",21)"),
    ("1", "\\log_{1.0000001}(10^{200})"),
    ("1", "\\sqrt[10^{9}]{2}"),
    ("1", "\\sqrt[0]{2}"),
    ("1", "\\sqrt[-3]{0}"),
    ("1", "0^{-1}"),
    ("1", "0^{0}"),
    ("1", "\\ln 0"),
    ("1", "\\tan 90^\\circ"),
    ("1", "\\tan(\\frac{\\pi}{2})"),
    ("1", "\\arcsin 2"),
    ("1", "e^{e^{e^{e^{e}}}}"),
    ("1", "e^{10^{9}}"),
    ("1", "\\exp(10^{7})"),
    ("1", "\\sinh(10^9)"),
    ("1", "\\cos(10^{10^5})"),
    ("1", "\\sin(10^{39})"),
    ("1", "x^{x^{x^{x^x}}}"),
    ("1", "(x+y+z)^{500}"),
    ("1", "(x+1)^{100000}"),
    ("x", "(" * 30 + "x" + ")^{9}" * 30),
    ("1", "+".join(f"\\frac{{1}}{{{i}}}" for i in range(1, 400))),
    ("1", "+".join(f"\\frac{{1}}{{{i}^{{99}}}}" for i in range(1, 300))),
    ("1", "\\cdot ".join("99999^{999}" for i in range(200))),
    ("1", "+".join(f"\\sqrt{{{i}}}" for i in range(1, 500))),
    ("1", "\\cdot".join(f"\\sin{{{i}x}}" for i in range(1, 300))),
    ("1", "{" * 3000),
    ("1", "}" * 3000),
    ("1", "^" * 3000),
    ("1", "_" * 3000),
    ("-2", "-" * 3900 + "1"),
    ("1", "+" * 3900),
    ("1", "1" + "!" * 3000),
    ("1", "x" + "'" * 3000),
    ("1", "x" + "_1" * 1900),
    ("1", "x" + "^2" * 1900),
    ("1", "|" * 999),
    ("1", "\\frac" * 900),
    ("1", "\\sqrt" * 900 + "2"),
    ("1", "\\sin" * 900 + "x"),
    ("1", "(\\bmod 7)"),
    ("3 \\pmod 7", "mod 7"),
    ("1", "\\mod(x)"),
    ("1", "," * 3900),
    ("1", "1," * 1900 + "1"),
    ("1", "=" * 3000),
    ("1", "1=" * 1900 + "1"),
    ("1", "1<" * 1900 + "1"),
    ("1", "\\pm 1" * 700),
    ("1", "1" + "\\pm 1" * 15),
    ("1", "(" + "\\pm 1," * 100 + "1)"),
    ("1", "\\text{" * 900),
    ("1", "\\text{a}" * 500),
    ("1", "\\begin{pmatrix}" + "1&" * 1500 + "1\\end{pmatrix}"),
    ("1", "\\begin{pmatrix}" * 30 + "1" + "\\end{pmatrix}" * 30),
    ("1", " \\begin{pmatrix}" + "&".join(["x"] * 12) + "\\\\" + "\\end{pmatrix}"),
    ("1", "\\begin{pmatrix}1&1\\\\1&0\\end{pmatrix}" * 60),
    ("1", "\\begin{pmatrix}x&1\\\\1&x\\end{pmatrix}" * 30),
    ("1", "\\{" + ",".join(f"\\sqrt{{{i}}}+\\sqrt{{{i + 1}}}" for i in range(2, 90)) + "\\}"),
    (
        "\\{" + ",".join(f"\\sqrt{{{i}}}+\\sqrt{{{i + 1}}}" for i in range(2, 90)) + "\\}",
        "\\{"
        + ",".join(f"\\sqrt{{{i + 1}}}+\\sqrt{{{i}}}" for i in reversed(range(2, 90)))
        + "\\}",
    ),
    (",".join(str(i) for i in range(700)), ",".join(str(i) for i in reversed(range(700)))),
    (",".join(f"x+{i}" for i in range(300)), ",".join(f"{i}+x" for i in reversed(range(300)))),
    ("1", "4\x002"),
    ("42", "\u202e42\u202c"),
    ("42", "4\u200b2"),
    ("42", "\ud8004"),
    ("42", "𝟜𝟚"),
    ("42", "４２"),
    ("-42", "－４２"),
    ("42", "๔๒"),
    ("42", "四十二"),
    ("42", "42\ufeff"),
    ("42", "4️⃣2️⃣"),
    ("1", "\\x" * 1000),
    ("1", "\\verb|rm -rf|"),
    ("1", "\\input{/etc/passwd}"),
    ("1", "\\write18{touch pwned.canary}"),
    ("1", "\\def\\a{\\a\\a}\\a"),
    ("1", "\\sum_{n=1}^{\\infty}\\frac{1}{n^{1.0001}}"),
    ("1", "\\int_0^1 x^{x^{x}} dx"),
    ("1", "\\int e^{-x^2}\\sin(x^3) dx"),
    ("1", "\\prod_{n=1}^{10^9}(1+\\frac1n)"),
    (
        "1",
        "\\lim_{x\\to 0}\\frac{\\sin(\\tan x)-\\tan(\\sin x)}{\\arcsin(\\arctan x)-\\arctan(\\arcsin x)}",
    ),
    ("1", "\\sum_{k=0}^{100000} \\binom{100000}{k}"),
    ("1", "\\int_0^{\\infty} \\frac{\\ln x}{1+x^{2024}}dx"),
    ("1", "1e4001"),
    ("1", "1e999999999"),
    ("0", "1e-4000"),
    ("1", "0.\\overline{" + "3" * 3000 + "}"),
    ("1", "." * 3000),
    ("1", "1." * 1000),
    ("1", "0.333" + "." * 50),
    ("1", "1 " * 1900),
    ("1", "1,000" * 700),
    ("1", "\\boxed{" * 900 + "1" + "}" * 900),
    ("1", "\\left" * 900),
    ("1", "\\," * 1900),
    ("1", '"' * 3000),
    ("1", "\\" * 3001),
    ("1", "é" * 3000),
    ("1", "²" * 3000),
    ("1", "½" * 500),
    ("1", "√" * 1500 + "4"),
    ("1", "°" * 1000),
    ("1", "%" * 3000),
    ("1", "\\%" * 1500),
    ("1", "a" * 3900),
    ("1", "sin" * 1000),
    ("1", "or " * 1000),
    ("1", "x or " * 600 + "x"),
    ("1", "x=" + "\\frac{x}{" * 39 + "1" + "}" * 39),
    ("x=1", "x^{500}+y^{500}=1"),
    ("y^{700}+1=x", "x-1=y^{700}"),
    ("(x+y)^{3000}=1", "1=(x+y)^{3000}"),
    ("1", "\\gcd(x,y)"),
    ("1", "\\max(x,y,i)"),
    ("1", "\\max(i,1)"),
    ("1", "\\lfloor i \\rfloor"),
    ("1", "i!"),
    ("1", "(-1)!"),
    ("1", "\\binom{-1}{2}"),
    ("1", "\\binom{i}{x}"),
    ("1", "1 \\bmod 0"),
    ("1", "x \\bmod 0"),
    ("1", "\\log_1 5"),
    ("1", "\\log_0 5"),
    ("1", "\\log_{-1} 5"),
    ("1", "|i|"),
    ("1", "\\infty-\\infty"),
    ("1", "\\infty^{\\infty}"),
    ("1", "\\frac{\\infty}{\\infty}"),
    ("1", "0\\cdot\\infty"),
    ("1", "\\lceil 10^{50}\\pi\\rceil"),
]


@pytest.fixture(scope="module", autouse=True)
def _worker():
    sympy_client.start()


@pytest.mark.parametrize("at", range(len(PAIRS)))
def test_answered_in_time(at):
    reference, answer = PAIRS[at]
    for row in ((reference, answer), (answer, reference), (answer, answer)):
        for form in ("answer", "response"):
            fields = {"id": at, "gold": row[0], "prediction": row[1], "form": form}
            started, begun = time.process_time(), time.monotonic()
            result = match_row(fields, kind="math", extract="lenient")
            assert time.process_time() - started < 2
            assert time.monotonic() - begun < 60  # a worker without a limit takes hours
            assert result.verdict != "error"


@pytest.mark.parametrize("policy", ["strict", "lenient"])
@pytest.mark.parametrize(
    "response",
    [
        "\\boxed{" + "answer " * 500 + "}",
        "\\boxed{" + "the final answer is: " * 400 + "}",
        "\\boxed{" + "option : " * 800 + "}",
        "answer is " * 1000,
        "the answer is C and " * 400,
        "not C, " * 1000,
        "A or B or " * 800,
    ],
)
def test_a_response_without_end_states_a_letter_in_time(response, policy):
    row = {"id": 0, "gold": "C", "prediction": response, "form": "response"}
    started = time.process_time()
    assert match_row(row, kind="choice", extract=policy).verdict != "error"
    assert time.process_time() - started < 1
