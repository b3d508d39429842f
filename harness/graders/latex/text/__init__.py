r"""What stands in an answer: spellings, tokens, numbers, names.

spelling            Other spellings of the same signs, rewritten before tokens are read. Linear in the length.
structure_spelling  Other spellings of sets, residue classes, transposes and unit vectors.
notation            Rarer notations, rewritten to the common one: `{}_nC_k`, `36^\circ30'`, `6.02\mathrm{e}23`, `\SI{12}{cm}`.
tokens              Text to tokens: typography and layout go, what carries meaning stays. Linear in the length.
literals            Literals: integers and decimals, their separators and periods, numbers in a base.
vocabulary          The names of mathematics: LaTeX commands and words of plain text. Tables only.
units               Units of measure: one name for each, and what it is in the base unit of its kind.
"""
