"""Records of behaviour, simulated or of real people, and the tables that they are kept in."""

from lawgiver.trainers.elections.records.records import Records, RecordsError, concatenate, select

__all__ = ["Records", "RecordsError", "concatenate", "select"]
