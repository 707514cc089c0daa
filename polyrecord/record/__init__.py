"""RAM -> DISK: a bounded buffer, a drain that numbers and indexes, a writer that compresses and seals."""
