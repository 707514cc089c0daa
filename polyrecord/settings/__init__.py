"""polyrecord.toml AND ENVIRONMENT -> VALUES, each with where it comes from."""
