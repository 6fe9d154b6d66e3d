"""What it costs to judge a merchant: every contract of raw and of the marts."""
