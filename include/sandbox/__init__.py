"""The vendor sandbox: one ASGI app that simulates a business and serves it through the vendors' own protocols."""
