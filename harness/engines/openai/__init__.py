"""Any OpenAI-compatible server, ours or somebody else's."""
