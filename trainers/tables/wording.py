"""Names as a person reads them."""


def words(name: str) -> str:
    """Write a key or a name as words: ``log_nash_welfare`` becomes ``log Nash welfare``."""
    return name.replace("_", " ").replace("nash", "Nash")
