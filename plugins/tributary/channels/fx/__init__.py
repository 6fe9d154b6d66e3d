"""Exchange rates of each calendar day, from the European Central Bank or from a file."""
