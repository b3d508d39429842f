"""Values of expressions, and whether two have the same.

equality    Whether expressions have the same value: exactly, or to as many digits as decide it.
evaluate    Values of expressions: exact rationals where they are rational, else many digits.
probes      The points at which two expressions are told apart.
operations  The operations of expressions on values: exact where they can be, bounded always.
matrices    Sums and products of expressions and matrices, entry by entry.
"""
