"""FOREIGN LOGS -> DISK: one runner that imports a file once, whole or its rest."""
