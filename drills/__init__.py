"""What takes longer than a test may, or needs a browser: `make drill` and `make ui`."""
