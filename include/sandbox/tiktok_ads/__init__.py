"""TikTok's API for Business, the advertising side, v1.3: accounts, campaigns, and the reports of their days."""
