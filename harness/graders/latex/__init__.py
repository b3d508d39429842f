"""Reading an answer: LaTeX or plain text to an exact value. Whole input or nothing; no eval.

    text -> tokens -> parser -> syntax (an answer) -> meaning -> compare

    notation     rarer notations, rewritten to the common one
    spelling     other spellings of the same signs, rewritten before tokens are read
    tokens       text to tokens
    vocabulary   the names of commands, functions and units, as tables
    literals     integers, decimals, repeating decimals, numbers in a base
    words        answers in words: numbers, times of day, dates, letters of a choice
    cursor       a cursor over tokens
    expressions  the grammar: sums, terms, factors
    atoms        the grammar: literals, names, fractions, roots, functions
    pieces       the grammar: functions with pieces
    groups       the grammar: brackets, sets, matrices, systems
    parser       the grammar: lists, relations, quantities, sets and brackets
    qualifiers   an answer and what is said of it: conditions, "only"
    restatements a value said twice in one answer
    syntax       what an answer can be: the nodes of the parse tree
    meaning      an answer in its canonical form
    compare      whether two answers are the same
    chains       whether constants that are said to be equal are
    stated       the comparison of conditions, values stated twice and times of day
    values       whether two expressions have the same value
    evaluate     the value of an expression at a point
    operations   the operations of expressions on values
    matrices     sums and products of matrices
    units        units of measure

Caps on length, depth and bits bound every step, so that no text costs more than milliseconds.
"""
