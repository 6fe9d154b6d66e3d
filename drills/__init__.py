"""What takes longer than a test may, or needs a browser: `make drill` (at night, too) and `make ui`."""
