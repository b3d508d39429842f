"""The tables of reports: summary, published scores, comparison, sweep, nights."""
