"""What Connectif's web client reads in a page of a shop, and what it drops; only fetching is not pure."""
