"""The European Central Bank's data API, as far as daily reference rates go."""
