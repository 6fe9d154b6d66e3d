"""Klaviyo's events into raw, beside dlt."""
