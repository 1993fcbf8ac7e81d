"""What Connectif lacks and what it was last sent: values that merge, and their difference. Pure."""
