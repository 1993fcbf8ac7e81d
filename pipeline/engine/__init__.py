"""What makes Faust fast and safe for both stages (docs/adr/0002): see `worker.run` for how it is used."""
