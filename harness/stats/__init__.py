"""The statistics of evals: pure functions of what was counted."""
