"""Google's GA4 Data API v1beta as the sandbox answers it, over REST and over gRPC."""
