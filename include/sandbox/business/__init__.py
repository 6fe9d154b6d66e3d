"""The simulated business: who sells what to whom, and what happens to each order afterwards."""
