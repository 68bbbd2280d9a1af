"""Matching: rules for two sides, or for students and schools, all orders and lies at once, and what they bring."""
