r"""Tokens to an answer, from the cursor up to what is said behind it.

cursor        A cursor over the tokens of a text.
expressions   Expressions by recursive descent: sums, terms, factors, atoms. See `parser` for answers.
atoms         Atoms of an expression: literals, names, fractions, roots, functions, fences.
pieces        The grammar: functions with pieces, each under its condition.
groups        Brackets and environments: tuples, intervals, sets, set-builders, matrices and systems.
parser        Tokens to an answer by recursive descent. Whole input or nothing; depth and length are capped.
qualifiers    What is said of an answer behind it: `2^{n-1}\ (n \ge 1)`, `34 \text{ at } n=5`, `(1,2)\text{ only}`.
restatements  A value said twice in one answer: `\frac13 \text{ (about } 0.333)`, `1.414\ldots = \sqrt2`. See `qualifiers`.
words         Answers in words: a word, a number in words, a clock time, a date, a letter with its text.
set_words     Sets and infinities that are named in words: all real numbers except 0, the empty set, infinity.
"""
