"""`pipeline check STORE`: the steps of an integration check, each with what came of it and what to do."""
