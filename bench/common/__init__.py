"""What every benchmark needs: a server, fresh databases, measured processes and a table of what came out."""
