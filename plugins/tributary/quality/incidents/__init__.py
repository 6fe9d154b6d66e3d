"""Incidents: what runs saw, what becomes of it, and what people are told."""
