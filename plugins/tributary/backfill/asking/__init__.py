"""Who may ask for what: the request, checked and decided before anything begins."""
