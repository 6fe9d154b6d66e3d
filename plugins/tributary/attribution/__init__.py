"""Tells a person why an order was credited to whom, from what is published."""
