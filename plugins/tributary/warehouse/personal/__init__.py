"""People in raw: whose rows are whose, and taking them out without moving a figure."""
