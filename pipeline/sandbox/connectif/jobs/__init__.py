"""What takes its time or goes out by itself: imports, exports and their files, callbacks to shops."""
