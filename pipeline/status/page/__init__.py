"""The status page: what `pipeline top` shows, for a browser; search, and what may be done, with the token."""
