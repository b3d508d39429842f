"""vLLM in this process: one AsyncLLM per replica."""
