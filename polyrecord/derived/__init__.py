"""DERIVED: what is made from sealed shards and kept beside them; deleting it changes no answer."""
