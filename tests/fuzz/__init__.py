"""Every place where bytes from outside are read, given bytes that nobody should send: docs/security.md."""
