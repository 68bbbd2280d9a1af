"""Elections between mechanisms: vote shares, tournaments, the meta-game, and what is learned from votes."""
