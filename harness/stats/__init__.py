"""The statistics of evals: pure functions of tallies.

    metrics      pass@k and cons@k of one problem, with their sampling variance
    majority     the vote of k of n samples, over all subsets
    intervals    both standard errors of a mean over problems, and their intervals
    curves       pass@k and cons@k over k, with errors and intervals
    breakdown    pass@1 per month, difficulty, subject
    paired_test  is one run worse than another on the same problems?
    power        which drop a comparison can detect
    gate         from paired differences to a verdict per task
    sequential   the same with interim analyses after every round
    traits       what tells one model's samples from another's
    same_model   whether two runs come from one model
    effects      the effect of one changed setting
    elo          contest places and ratings
    seeds        seeds derived from what they are for

Values, rates, differences and errors are shares from 0 to 1; reports print them in points (times 100).
"""
