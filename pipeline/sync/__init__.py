"""The one owner of each shop's API: asks for what notifications only name."""
