"""TikTok Shop, through its Open API."""
