"""What the statistics promise, simulated: `python -m benchmarks.simulations`."""
