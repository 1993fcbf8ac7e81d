"""`pipeline doctor`: everything that a start or a night depends on, looked at once; it changes nothing."""
