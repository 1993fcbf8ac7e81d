"""Whether what surrounds the pipeline is set up as it must be: the shop's pages."""
