"""Google Analytics 4: what one property reports of a merchant's website."""
