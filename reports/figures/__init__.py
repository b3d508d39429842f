"""Figures as SVG and PDF: scores, curves, lengths, trends, training, sweeps."""
