"""Rows to problems to prompts.

datasets        where a task's rows come from: the hub, the user's own copy, or the package
readers         rows of .jsonl, .csv and .parquet files
selection       which problems of a task are asked
prompts         from a problem to the prompt that a model is sent
reasoning       where the reasoning of a completion ends
codeforces_api  standings, rating changes and populations for ratings
"""
