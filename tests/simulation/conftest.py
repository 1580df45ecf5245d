"""Simulations: the whole app in memory, with faults."""
