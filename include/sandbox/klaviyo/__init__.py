"""Klaviyo: one account's API, as its OpenAPI document and a few inferences have it."""
