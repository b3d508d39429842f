"""Reading an answer: LaTeX or plain text to an exact value. Whole input or nothing; no eval.

    text -> tokens -> grammar -> syntax (an answer) -> meaning -> compare

    syntax      what an answer can be: the nodes of the parse tree
    text/       spellings, tokens, numbers, names, units
    values/     the value of an expression, and whether two have the same
    meaning/    an answer in its canonical form
    grammar/    tokens to an answer
    compare     whether two answers are the same
    stated      the comparison of conditions, values stated twice and times of day
    relations   the number that an answer states as a relation

Caps on length, depth and bits bound every step, so that no text costs more than milliseconds.
"""
