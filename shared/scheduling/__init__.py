"""Decides what may happen to an account next, and when; feeds the per-account queues; keeps the rate limits."""
