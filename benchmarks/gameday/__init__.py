"""A game day: one thing after another breaks, and is seen, mended and made good. See docs/gameday.md."""
