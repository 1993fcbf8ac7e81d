"""`pipeline dead`: what could not be used, by reason; sent again after a fix, or dropped with a reason."""
