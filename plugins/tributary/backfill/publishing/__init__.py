"""Making it visible in one transaction, and taking it back."""
