"""The same typed answer as a table, JSON or CSV. Nothing is computed here."""
