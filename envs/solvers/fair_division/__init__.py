"""Fair division of divisible resources: proportional fairness and partial allocation."""
