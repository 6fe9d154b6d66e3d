"""TikTok Ads, through the Marketing API of TikTok for Business."""
