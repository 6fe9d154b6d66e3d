"""Google Ads: what a merchant's campaigns cost and claim, by day."""
