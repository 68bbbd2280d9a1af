"""Evaluation of learned policies: exact scores, fresh rollouts, and comparison with the known optimum."""
