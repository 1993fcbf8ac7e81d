"""Whether every order of a shop is in Connectif, and if not, where it stopped: `pipeline reconcile`."""
