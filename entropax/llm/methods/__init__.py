"""Methods, each a frozen dataclass of settings."""
