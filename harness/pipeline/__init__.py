"""From problems to scores: what is pending, sampled, graded and scored."""
