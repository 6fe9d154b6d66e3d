"""TikTok Shop's open API, with its authorisation host beside it."""
