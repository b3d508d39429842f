"""Any model of lm-eval as an engine."""
