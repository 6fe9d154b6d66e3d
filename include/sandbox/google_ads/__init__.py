"""Google Ads' API v26 as the sandbox answers it, over REST and over gRPC."""
