"""Orders, customers and products from online shops to Connectif, through Kafka."""
