"""What is not done within a request: imports, exports and their files, callbacks to shops."""
