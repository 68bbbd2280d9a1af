"""Games of real people: one group in play, and what its members see. Everything here is without input or output.

A group's state follows from its settings and from what was recorded of it, see :mod:`lawgiver.trainers.people.group`.
"""
