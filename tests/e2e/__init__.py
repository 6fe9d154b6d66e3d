"""A package, so that the one installation ends with its last test."""
