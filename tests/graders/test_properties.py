"""What must hold for every answer: reflexive, symmetric, transitive, and never fooled by a change."""

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.graders.latex.compare import same
from harness.graders.latex.grammar.parser import read
from harness.graders.latex.meaning.canonical import meaning
from harness.graders.math import Math
from harness.types import Verdict

settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("quick")

integers = st.integers(-(10**12), 10**12)
fractions = st.fractions(max_denominator=10**4).filter(lambda value: abs(value) < 10**9)
radicands = st.integers(2, 200)


def latex(value: Fraction) -> str:
    sign = "-" if value < 0 else ""
    if value.denominator == 1:
        return str(value)
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


@st.composite
def scalars(draw):
    value = latex(draw(fractions))
    kind = draw(st.sampled_from(["rational", "root", "pi", "poly", "complex"]))
    if kind == "root":
        return f"{value}+{draw(radicands)}\\sqrt{{{draw(radicands)}}}"
    if kind == "pi":
        return f"{value} \\pi"
    if kind == "poly":
        return f"{value}x^{draw(st.integers(2, 9))}-{draw(st.integers(2, 99))}y"
    if kind == "complex":
        return f"{value}+{draw(st.integers(2, 99))}i"
    return value


@st.composite
def answers(draw):
    items = draw(st.lists(scalars(), min_size=2, max_size=4))
    single, rows = items[0], " \\\\ ".join(items)
    return draw(
        st.sampled_from([
            single, f"({', '.join(items)})", f"[{items[0]}, {items[1]})", f"\\{{{', '.join(items)}\\}}",
            ", ".join(items), f"x = {single}", f"y = {single} + 3x", f"{single} \\text{{ cm}}",
            f"\\begin{{pmatrix}} {rows} \\end{{pmatrix}}", f"{single} \\le x < {items[1]}",
            f"(-\\infty, {items[0]}) \\cup [{items[1]}, \\infty)", f"{items[0]} \\pm {items[1]}",
        ])
    )  # fmt: skip


def accepted(reference, answer):
    return Math().settle(reference, answer)[0] is Verdict.CORRECT


WITH_MORE_SAID = [
    lambda text: f"{text}\\text{{ m}}",
    lambda text: f"{text}\\,\\mathrm{{km/h}}",
    lambda text: f"{text}\\,\\frac{{\\text{{km}}}}{{\\text{{h}}}}",
    lambda text: f"{text}\\text{{ apples}}",
    lambda text: f"{text} \\text{{ only}}",
    lambda text: f"{text} \\text{{ at }} n=5",
    lambda text: f"{text} \\text{{ for all }} n\\ge 1",
    lambda text: f"{text}\\ (n=5)",
    lambda text: f"{text} \\text{{ if }} n=5",
    lambda text: f"\\mathbf{{{text}}}",
    lambda text: f"\\phantom{{-}}{text}",
    lambda text: f"\\SI{{{text}}}{{cm}}",
]


@given(fractions, fractions, st.sampled_from(WITH_MORE_SAID), st.sampled_from(WITH_MORE_SAID))
def test_what_is_said_beside_a_value_never_makes_another_value_of_it(one, other, say, say_other):
    assume(one != other)
    assume(other != 5)  # the place that is named
    assert accepted(latex(one), say(latex(one)))
    assert accepted(say(latex(one)), latex(one))
    assert not accepted(latex(other), say(latex(one)))
    assert not accepted(say_other(latex(other)), say(latex(one)))
    assert not accepted("5", say(latex(one))) or one == 5


@given(st.integers(0, 999), st.integers(1, 11), st.integers(2, 12))
def test_mixed_numbers_before_a_mark_are_sums(whole, upper, lower):
    assume(upper < lower and whole)
    value = latex(Fraction(upper, lower) + whole)
    for mark in ("^\\circ", "^{\\circ}", "\\%"):
        assert accepted(value + mark, f"{whole}\\frac{{{upper}}}{{{lower}}}{mark}")
        product = latex(Fraction(whole * upper, lower))
        assert not accepted(product + mark, f"{whole}\\frac{{{upper}}}{{{lower}}}{mark}")


@given(st.integers(1, 12), st.integers(0, 59), fractions)
def test_a_time_is_no_number_and_no_other_time(hour, minute, value):
    time = f"{hour}:{minute:02}"
    for half, other in (("a.m.", "p.m."), ("p.m.", "a.m.")):
        assert accepted(f"{time}\\text{{ {half}}}", f"{hour}{{:}}{minute:02}\\ \\mathrm{{{half}}}")
        assert not accepted(f"{time}\\text{{ {half}}}", f"{time}\\text{{ {other}}}")
        assert not accepted(latex(value), f"{time}\\text{{ {half}}}")


HARMLESS = [
    lambda text: f"${text}$",
    lambda text: f"\\({text}\\)",
    lambda text: f"\\[ {text} \\]",
    lambda text: f"{text}.",
    lambda text: f"\\displaystyle {text}",
    lambda text: f"\\, {text} \\!",
    lambda text: text.replace("\\frac", "\\dfrac"),
    lambda text: text.replace("\\frac", "\\tfrac"),
    lambda text: text.replace("-", "−"),
    lambda text: text.replace("\\pi", "π"),
    lambda text: text.replace("(", "\\left(").replace(")", "\\right)"),
    lambda text: text.replace("(", "\\bigl(").replace(")", "\\bigr)"),
    lambda text: text.replace("\\sqrt{", "\\sqrt[2]{"),
    lambda text: text.replace("pmatrix", "bmatrix"),
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace("\\le", "\\leq").replace("\\leqft", "\\left"),
]


@given(answers(), st.sampled_from(HARMLESS))
def test_reflexive_and_invariant_under_harmless_rewriting(text, rewrite):
    assert accepted(text, text)
    assert accepted(text, rewrite(text))
    assert accepted(rewrite(text), text)


@given(answers(), answers())
def test_symmetric(one, other):
    meanings = [meaning(read(text)) for text in (one, other)]
    assert same(*meanings, exact=True) == same(*reversed(meanings), exact=True)
    assert accepted(one, other) == accepted(other, one)


@given(st.lists(answers(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_exact_equality_is_a_partition(texts, rng):
    texts = [rewrite(text) for text in texts for rewrite in (str, *rng.sample(HARMLESS, 2))]
    numbers = Math().classes(texts)
    order = list(range(len(texts)))
    rng.shuffle(order)
    again = Math().classes([texts[at] for at in order])
    pairs = {(i, j) for i in order for j in order if numbers[i] == numbers[j]}
    shuffled = {(order[i], order[j]) for i in order for j in order if again[i] == again[j]}
    assert pairs == shuffled


@given(integers, integers)
def test_integers_are_equal_only_to_themselves(one, other):
    assert accepted(f"{one}", f"{other}") == (one == other)
    assert accepted(f"{one}", f"{one:,}")


@given(fractions, fractions)
def test_fractions_are_equal_only_to_themselves(one, other):
    assert accepted(latex(one), f"{other.numerator}/{other.denominator}") == (one == other)
    assert accepted(latex(one), f"\\frac{{{3 * one.numerator}}}{{{3 * one.denominator}}}")


@given(answers(), st.data())
def test_a_changed_digit_is_never_accepted(text, data):
    places = [at for at, sign in enumerate(text) if sign.isdigit()]
    assume(places)
    at = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([d for d in "123456789" if d != text[at]]))
    changed = text[:at] + digit + text[at + 1 :]
    one, other = read(text), read(changed)
    assume(other is not None)
    # a digit may not matter: a 0/7 turned 0/8, or one that only renames a power of nothing
    assume(not same(meaning(one), meaning(other), exact=True))
    assert not accepted(text, changed)


@given(fractions.filter(bool), radicands)
def test_a_changed_sign_is_never_accepted(value, radicand):
    for text in (latex(value), f"{latex(value)}\\sqrt{{{radicand}}}", f"{latex(value)}x^2+1"):
        changed = text[1:] if text.startswith("-") else f"-{text}"
        assert not accepted(text, changed)


@given(st.lists(fractions, min_size=2, max_size=4, unique=True))
def test_a_changed_order_element_or_bracket_is_never_accepted(values):
    items = [latex(value) for value in values]
    listed, turned = ", ".join(items), ", ".join(reversed(items))
    assert not accepted(f"({listed})", f"({turned})")
    assert accepted(f"\\{{{listed}\\}}", f"\\{{{turned}\\}}")
    assert not accepted(f"\\{{{listed}\\}}", f"\\{{{', '.join(items[1:])}\\}}")
    assert not accepted(f"({listed})", f"({listed}, {items[0]})")
    low, high = sorted(values)[:2]
    interval = f"[{latex(low)}, {latex(high)})"
    for brackets in ("()", "[]", "(]"):
        assert not accepted(interval, f"{brackets[0]}{interval[1:-1]}{brackets[1]}")


@given(st.integers(10**20, 10**60), st.integers(1, 9))
def test_large_integers_are_compared_exactly(value, more):
    assert not accepted(str(value), str(value + more))
    assert not accepted(f"\\sqrt{{{value}}}", f"\\sqrt{{{value + more}}}")


@given(st.integers(1, 10**6), st.sampled_from([3, 7, 12, 13, 35, 66, 91, 119, 990]))
def test_decimals_need_six_places(numerator, denominator):
    value = Fraction(numerator, denominator)
    assume(any(value.denominator % prime == 0 for prime in (3, 7, 11, 13, 17)))
    assert not accepted(latex(value), f"{float(value):.3f}")
    assert not accepted(f"{float(value):.5f}", latex(value))
    if value > Fraction(1, 100):
        assert accepted(latex(value), f"{float(value):.8f}")
        assert not accepted(latex(value), f"{float(value) + 3e-8:.8f}")
