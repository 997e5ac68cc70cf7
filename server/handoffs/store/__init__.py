"""Where handoffs are kept: one module for each engine, and how a waiter hears of what other processes did."""
