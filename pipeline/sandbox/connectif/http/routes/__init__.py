"""Connectif's own routes, one file per resource."""
