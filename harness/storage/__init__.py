"""Everything on disk.

run_folder   a run: its manifest, and per task protocol, problems, samples, grades, scores
files        JSON files that are appended line by line, or replaced in one step
lock         one writer per run folder
follow       progress of a run that another process writes
sample_set   a compact set of sample keys
nights       results of a nightly job, per checkpoint
ledger       accepted baselines and the history of nightly jobs, per folder of runs
"""
