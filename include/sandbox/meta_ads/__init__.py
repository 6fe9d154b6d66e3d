"""Meta's Marketing API, version 26.0, over the advertising of both merchants."""
