"""Tributary: every sales and marketing channel flows into one warehouse."""
