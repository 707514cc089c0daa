"""The catalogue of event types: their names, the stream each goes to, and what its data means."""
