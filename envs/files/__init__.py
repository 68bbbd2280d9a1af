"""Reading what a user names: bounded files, tables as text, JSON with non-finite numbers, profiles of types."""
