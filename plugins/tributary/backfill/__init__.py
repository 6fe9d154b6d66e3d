"""Backfills: asked for, planned, built beside production, compared, approved, published in one step, taken back."""
