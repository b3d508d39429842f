"""Graders decide a sample.

One module per kind of answer:

    integer         AIME's integers
    choice          the letters of multiple choice
    math            numbers, expressions, tuples, sets, matrices, equations
    code            programs, run by `harness.judge`
    lm_eval         the filters and metrics of a task of lm-eval

and what they share:

    base            from a verdict to a grade
    extraction/     which answer the response states
    letters/        which letter the response states
    equivalence     equivalence classes of answers, for cons@k
    latex/          LaTeX or plain text to exact values, and their comparison
    sympy_client    computer algebra in a process that can be killed: the caller's end,
    sympy_worker    that process and its confined child,
    sympy_equality  and what the child computes
"""
