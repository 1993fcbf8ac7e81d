"""What is wrong with what was read, a file a kind of tag."""
