"""The version, in the one place that code and package metadata take it from."""

__version__ = "0.1.0"
