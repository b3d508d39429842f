"""Which letter a response states as its choice. Pure.

stated  Which letter of multiple choice a response states.
offers  Letters that a text offers as choices: "C", "(C)", "option C", and those offered together.
text    A response about multiple choice as plain text, and what a box of it holds.
"""
