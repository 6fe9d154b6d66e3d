"""Shopify's Admin GraphQL API over the simulated business."""
