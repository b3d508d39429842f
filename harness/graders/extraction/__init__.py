r"""Which answer a response states.

find     Which answer a response states.
boxes    Boxes in a response: `\boxed{..}`, `\fbox{..}`, `\framebox{..}`. Pure and linear in its length.
phrases  Answer phrases and tags: "The answer is ..", "Answer: ..", "<answer>..</answer>".
clauses  The answer at the start of a clause: a number, a formula or words, up to where a remark begins.
closing  The closing sentence of a response that holds neither a box nor an answer phrase.
"""
