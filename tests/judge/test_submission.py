from __future__ import annotations

import time

import pytest

from harness.judge.submission import Submission, extract

CPP = "#include <iostream>\nint main() { std::cout << 6; }"


@pytest.mark.parametrize(
    ("response", "source"),
    [
        ("```python\nprint(1)\n```", "print(1)"),
        ("```\nprint(1)\n```\nor better\n```python\nprint(2)\n```\nDone.", "print(2)"),
        ("```python\nprint(1)\n```\n```python\nprint(2)", "print(1)"),
        ("~~~py\nprint(1)\n~~~", "print(1)"),
        ("~~~~python3\nprint(1)\n~~~\n~~~~", "print(1)\n~~~"),
        ("```python\nprint(1)```", "print(1)"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''"),
        ("```python\r\nprint(1)\r\n```\r\n", "print(1)\r"),
        # in lists and quotes
        ("  ```python\n  print(1)\n  ```", "print(1)"),
        ("1. Code:\n   ```python\n   if 1:\n       print(1)\n   ```", "if 1:\n    print(1)"),
        ("1. ```python\n   print(1)\n   ```", "print(1)"),
        ("- ```python\n  print(1)\n  ```\n- done", "print(1)"),
        ("10) a\n\t```py\n\tfor i in x:\n\t\tprint(i)\n\t```", "for i in x:\n\tprint(i)"),
        ("> ```python\n> if 1:\n>     print(1)\n> ```", "if 1:\n    print(1)"),
        (">```python\n>print(1)\n>\n>print(2)\n>```", "print(1)\n\nprint(2)"),
        ("> > ```python\n> > print(1)\n> > ```", "print(1)"),
        ("> ```python\n> print(1 > 0)\n```", "print(1 > 0)"),
        ("- > ```python\n  > print(1)\n  > ```", "print(1)"),
        ("```python\n    a = 1\n    print(a)\n```", "a = 1\nprint(a)"),
        ("   ```python\n   a = 1\n\n   print(a)\n   ```", "a = 1\n\nprint(a)"),
        ("   ```python\n   a = 1\nprint(a)\n   ```", "a = 1\nprint(a)"),
        # the last block is no program
        *(
            (f"```python\nprint(5)\n```\n\nThen:\n```{tag}\n{text}\n```", "print(5)")
            for tag, text in (
                ("bash", "python3 a.py < in.txt"), ("sh", "python3 a.py"), ("text", "5"),
                ("txt", "5"), ("json", '{"a": 5}'), ("output", "5"), ("console", "$ python a.py"),
                ("plaintext", "5"), ("", "5"), ("", "YES"), ("", "O(n log n)"), ("", "O(n)"),
                ("", "3\n1 2 3"), ("", "Time: O(n)\nSpace: O(1)"), ("", "x = 5"), ("", "[1, 2]"),
                ("", "f(n) = f(n-1) + f(n-2)"), ("", "print the sum"), ("math", "x^2"), ("", ""),
                ("latex", "x^2"), ("diff", "- a\n+ b"), ("yaml", "a: 5"), ("java", "class A {}"),
                ("Input", "1"), ("js", "console.log(5)"), ("rust", "fn main() {}"),
                ("pycon", ">>> 5"), ("cpp", "int main() {}"),
            )
        ),
        ("```\nprint(5)\n```\nOutput:\n```\n5\n```", "print(5)"),
        ("```\nprint(5)\n```\n```bash\nrm x\n```", "print(5)"),
        ("```python\nprint(5)\n```\n```text\n5", "print(5)"),
        ("```python\nprint(5)\n```\n```\n5", "print(5)"),
        ("```markdown\nSee:\n~~~python\nprint(5)\n~~~\n```", "print(5)"),
        ("````md\n```python\nprint(5)\n```\n````", "print(5)"),
        # the last of several programs, whatever comes between
        ("```python\nprint(1)\n```\n```text\n1\n```\n```py\nprint(2)\n```", "print(2)"),
        ("```python\nprint(1)\n```\nBetter:\n```\nimport sys\nprint(2)\n```", "import sys\nprint(2)"),
        # the last fence is missing
        ("```python\nprint(1)", "print(1)"),
        ("```python\nprint(1)\n", "print(1)\n"),
        ("So:\n```\nprint(1)\n", "print(1)\n"),
        ("```text\n5\n```\n```python\nprint(1)", "print(1)"),
        # none is a program, and the last is taken for what it is worth
        ("```text\nprint(1)\n```", "print(1)"),
        ("```java\nclass A {}\n```", "class A {}"),
    ],
)  # fmt: skip
def test_the_last_block_of_the_language(response: str, source: str) -> None:
    assert extract(response) == Submission(source)


@pytest.mark.parametrize(
    "response",
    [
        None,
        "",
        "print(1)",
        "`x`",
        "```python\nprint((1",
        "```python\ndef f(:",
        "```\n5",
        "```bash\nls",
    ],
)
def test_no_block(response: str | None) -> None:
    assert extract(response) is None


@pytest.mark.parametrize(
    "tag",
    ["python", "py", "python3", "Python", "PYTHON", "Python3", "py3", "python2", "pypy3", "python-3",
     "python 3", "Python 3.11", "python3.12", "{.python}", "{python}", "python title=\"a.py\"",
     "python:a.py", " python", "python,linenos"],
)  # fmt: skip
def test_tags_of_python(tag: str) -> None:
    response = f"```{tag}\nprint(6)\n```\n```text\n6\n```"
    assert extract(response, ("python", "cpp")) == Submission("print(6)", "python")


@pytest.mark.parametrize(
    "tag",
    ["cpp", "c++", "C++", "CPP", "C++17", "c++17", "cpp17", "cpp14", "c++11", "C++ 17", "cc", "cxx",
     "g++", "gnu++17", "cpp-17", "c", "c++20", "C++23", "cpp20", "cpp title=\"a.cpp\""],
)  # fmt: skip
def test_tags_of_cpp(tag: str) -> None:
    response = f"```{tag}\n{CPP}\n```\n```bash\ng++ a.cpp\n```"
    assert extract(response, ("python", "cpp")) == Submission(CPP, "cpp")
    newer = "cpp20" if "20" in tag or "23" in tag else "cpp"
    assert extract(response, ("python", "cpp", "cpp20")) == Submission(CPP, newer)


def test_an_open_block_of_cpp_counts_where_it_is_whole() -> None:
    assert extract(f"```cpp\n{CPP}", ("python", "cpp")) == Submission(CPP, "cpp")
    assert extract(f"```cpp\n{CPP[:-1]}", ("python", "cpp")) is None


@pytest.mark.parametrize(
    ("response", "source"),
    [
        ("```python\nprint(1)\n```\n```text\n1\n```", "1"),
        ("1. a\n   ```python\n   print(1)\n   ```", "   print(1)"),
        ("```python\nprint(1)\n```\n```python\nprint(2)", None),
        ("```python\nprint(1)```", None),
        ("~~~python\nprint(1)\n~~~", None),
        ("say ``` here\nprint(1)\nand ``` there", "print(1)"),
        ("````python\nprint(1)\n````", "print(1)"),
        ("```cpp\nint x;\n```", "int x;"),
        ("", None),
        (None, None),
    ],
)
def test_the_rule_of_livecodebench(response: str | None, source: str | None) -> None:
    due = None if source is None else Submission(source)
    assert extract(response, ("python",), "livecodebench") == due


@pytest.mark.parametrize(
    ("tag", "text", "language"),
    [
        ("python", "print(1)", "python"),
        ("cpp", CPP, "cpp"),
        ("c++", CPP, "cpp"),
        ("C++17", CPP, "cpp"),
        ("cpp20", CPP, "cpp"),
        ("", CPP, "cpp"),
        ("", "print(1)", "python"),
        ("text", "print(1)", "python"),
    ],
)
def test_the_fence_names_the_language(tag: str, text: str, language: str) -> None:
    found = extract(f"```{tag}\n{text}\n```", ("python", "cpp"))
    assert found == Submission(text, language)


def test_one_accepted_language_is_the_language() -> None:
    assert extract("```cpp\nprint(1)\n```", ("python",)) == Submission("print(1)", "python")


def test_long_responses_cost_little() -> None:
    started = time.process_time()
    extract("```\n" * 200_001)
    extract("`" * 2_000_000)
    extract("```python\n" + "x " * 1_000_000 + "\n" * 100_000)
    extract("```\n" + "`" * 200_000 + "x")
    extract("> " * 500_000 + "```\nx")
    extract(" " * 1_000_000 + "```python\n" + " " * 1_000_000 + "x\n```")
    extract("```\nprint(" + "(" * 100_000 + "\n```")
    extract("```\nprint(" + "-" * 200_000 + "1)\n```")
    assert time.process_time() - started < 2
