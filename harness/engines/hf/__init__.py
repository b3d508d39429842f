"""The embedded default: Hugging Face transformers in this process."""
