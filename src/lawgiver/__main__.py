"""``python -m lawgiver`` is the ``lawgiver`` command."""

from lawgiver.trainers.cli import main

if __name__ == "__main__":
    main()
