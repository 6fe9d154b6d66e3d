"""TikTok's organic side, through the Accounts API of TikTok for Business: what nobody else gives is `favorites`."""
