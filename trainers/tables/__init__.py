"""Tables shared by all trainers: formats and meanings of numbers."""
