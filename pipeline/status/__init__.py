"""What is the matter, in one look: `pipeline top`, `pipeline tap` and the status page. Nothing is kept."""
