"""OpenAI-compatible servers: given by URL, or `vllm serve` started for the run."""
