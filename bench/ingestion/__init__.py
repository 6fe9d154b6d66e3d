"""Orders from an API into raw, beside a bare COPY of the same rows and beside dlt on the same API."""
