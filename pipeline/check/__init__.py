"""`pipeline check`: whether a shop and Connectif are connected as they must be."""
