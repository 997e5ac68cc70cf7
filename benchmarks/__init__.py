"""What Handoffs costs, against yardsticks that run beside it: `python -m benchmarks`."""
