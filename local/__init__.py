"""Replacements for Azure, Graph and GOV.UK Notify on a laptop. Nothing here is deployed."""
