r"""An answer in the canonical form in which answers are compared.

canonical        An answer in its canonical form: chains end in their value, inequalities are intervals, ± is two values.
sequences        Lists and sets with an ellipsis: 1, 2, ..., n.
systems          Solutions of systems: values that belong together, each with the name of its unknown.
vectors          Vectors: columns, tuples in brackets, and sums of the unit vectors i, j and k.
real_sets        Sets of real numbers in one canonical form: intervals that neither touch nor overlap, and points.
inequalities     Inequalities in one variable as the sets that they describe, where they are linear in it.
set_meaning      What sets of real numbers come to: unions, differences, conditions that hold together, set-builders.
residues         Residue classes: `3 (mod 7)` is every number that leaves the rest 3.
proportions      Relations and ratios that say the same with other factors: 2x < 2 and x < 1, 6 : 4 and 3 : 2.
bound_names      The index of a sum, product or limit: a name of its own, whatever letter it is written with.
side_conditions  What in a list or relation is said beside the value: conditions, ranges, second statements.
chains           Chains of equal constants, `2^{10} = 1024`, `P = 1-\frac14 = \frac34`: whether they hold.
"""
