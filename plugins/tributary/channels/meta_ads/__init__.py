"""Meta's ads: Facebook, Instagram and what else one ad account pays for."""
