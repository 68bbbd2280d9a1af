"""Auctions with independent private values: distributions of values, and the revenue-optimal auction."""
