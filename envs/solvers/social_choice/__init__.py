"""Social choice: voting rules, the lotteries that they choose, and how far each can be manipulated, exactly."""
