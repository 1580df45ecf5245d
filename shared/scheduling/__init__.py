"""Decide what may happen to an account next, and when, feed the per-account queues, and keep the rate limits."""
