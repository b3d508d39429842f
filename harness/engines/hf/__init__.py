"""The default engine: Hugging Face transformers in this process."""
