"""The names of mathematics: LaTeX commands and words of plain text. Tables only."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


FUNCTIONS = {
    name: name
    for name in names(
        "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth sech"
        " csch arcsinh arccosh arctanh exp ln log lg sqrt cbrt abs floor ceil gcd lcm min max mod"
        " det factorial cis"
    )
} | {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "arsinh": "arcsinh", "asinh": "arcsinh",
    "arcosh": "arccosh", "acosh": "arccosh", "artanh": "arctanh", "atanh": "arctanh",
    "tg": "tan", "ctg": "cot", "cotan": "cot", "cotg": "cot", "cosec": "csc", "sen": "sin",
    "arctg": "arctan", "arcctg": "arccot", "arccotan": "arccot", "arccosec": "arccsc", "cosech": "csch", "ceiling": "ceil",
}  # fmt: skip
"""Names of functions, in plain text and as commands, to the operation that they are."""

INVERSES = {
    name: f"arc{name}" for name in names("sin cos tan cot sec csc sinh cosh tanh coth sech csch")
}
"""What a function is to the power of -1."""

GREEK = names(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi"
    " rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi"
    " Omega ell hbar"
)

UNIT_WORDS = names(
    "percent percentage pct degrees degree deg dollars dollar USD cents cent units unit cm mm km kg"
    " inches inch feet foot meters meter metres metre miles mile hours hour minutes minute seconds"
    " second days day years year square cubic sq radians radian rad mph grams gram liters liter"
    " pounds pound ounces euros yuan points people ways per base"
)
"""Words that, in plain text after a number, are its unit."""

FRACTIONS = names("\\frac \\dfrac \\tfrac \\cfrac \\nicefrac \\sfrac \\flatfrac")
BINOMIALS = names("\\binom \\dbinom \\tbinom")
TIMES = names("* \\times \\cdot \\ast")
OVER = names("/ \\div")
PARENTHESIZED_MODULO = names("\\pmod \\pod")
MODULO = names("\\bmod \\mod")
EITHER_SIGN = {"\\pm": "pm", "\\mp": "mp"}
INFIX = {"\\over": "div", "\\choose": "binomial"}
DOTS = names("\\ldots \\dots \\cdots \\dotsc ...")
OVERLINES = names("\\overline \\bar \\dot")
BIG = names("\\sum \\prod \\int \\iint \\oint \\lim \\sup \\inf \\bigcup \\bigcap")
MARKS = names(
    "\\vec \\hat \\bar \\tilde \\overline \\overrightarrow \\overleftrightarrow \\widehat \\angle"
    " \\triangle \\widetilde \\measuredangle \\overarc \\wideparen \\mathbb \\mathcal \\mathfrak"
)
MATRICES = names("matrix pmatrix bmatrix Bmatrix array smallmatrix")

CONSTANTS = {
    "\\pi": "pi", "\\infty": "oo", "\\emptyset": "{}", "\\varnothing": "{}", "\\imath": "i",
    "\\prime": "prime", "\\circ": "circ", "\\top": "T",
}  # fmt: skip
"""Commands that are a symbol of their own."""

FENCES = {
    "\\lfloor": ("floor", "\\rfloor"), "\\lceil": ("ceil", "\\rceil"),
    "\\lvert": ("abs", "\\rvert"), "\\vert": ("abs", "\\vert"), "|": ("abs", "|"),
    "\\lVert": ("norm", "\\rVert"), "\\|": ("norm", "\\|"),
}  # fmt: skip
"""Opening fences to the operation that they are and the fence that closes it."""

FUNCTION_COMMANDS = {f"\\{name}": op for name, op in FUNCTIONS.items()}

ATOM_COMMANDS = (
    FRACTIONS
    | BINOMIALS
    | CONSTANTS.keys()
    | FENCES.keys()
    | MARKS
    | BIG
    | FUNCTION_COMMANDS.keys()
    | names("\\sqrt \\lbrace \\{ \\langle \\boxed \\fbox")
    | {f"\\{name}" for name in GREEK}
) - {"|", "\\|"}
"""Commands that an expression can begin with, so that what stands before them is multiplied."""

RELATIONS = {
    "=": "=", "==": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", ":": ":",
    "\\le": "<=", "\\leq": "<=", "\\leqslant": "<=", "\\ge": ">=", "\\geq": ">=",
    "\\geqslant": ">=", "\\lt": "<", "\\gt": ">", "\\ne": "!=", "\\neq": "!=", "\\approx": "~",
    "\\simeq": "~", "\\sim": "~", "\\cong": "~", "\\doteq": "~", "\\in": "in", "\\notin": "notin",
    "\\equiv": "equiv", "\\to": "->", "->": "->", "\\rightarrow": "->", "\\mapsto": "->",
    "\\Rightarrow": "=>", "\\implies": "=>", "\\iff": "<=>", "\\mid": "|", "\\subset": "subset",
    "\\subseteq": "subset", "\\colon": ":", "\\propto": "propto", "\\parallel": "parallel",
    "\\perp": "perp",
}  # fmt: skip
"""Signs between the sides of a relation, to the one name of each."""

SYSTEMS = names(
    "cases dcases rcases aligned align align* array gathered gather gather* split eqnarray"
)
"""Environments that hold a system of relations, one or more a row."""
