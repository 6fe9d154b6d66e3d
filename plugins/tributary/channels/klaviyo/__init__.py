"""Klaviyo, through its JSON:API."""
