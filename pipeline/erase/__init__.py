"""A person leaves everything that the pipeline keeps, and Connectif."""
