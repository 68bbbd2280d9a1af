"""Run many command lines in one process and write what each does: its exit code and what it prints, byte by byte.

``python every_command.py FOLDER BLOCKED CLOSED < COMMANDS``: COMMANDS is a JSON list of lists of arguments, BLOCKED are
packages, separated by commas, that cannot be imported; CLOSED is 1 where nobody reads stdout. FOLDER/results.json gets
``[exit code, stdout, stderr]`` of each.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path


def main(folder: Path, blocked: list[str], closed: bool) -> None:
    """Run the command lines that stdin has."""
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]  # None: there is no such package
    from lawgiver.trainers import cli

    encoding = sys.stdout.encoding
    streams = [os.dup(1), os.dup(2)]
    results = []
    for arguments in json.load(sys.stdin):
        sys.argv = ["lawgiver", *arguments]
        kept = [(folder / name).open("wb+") for name in ("out", "err")]
        for number, file in enumerate(kept, 1):
            os.dup2(file.fileno(), number)
        if closed:  # by whoever has read enough
            reader, writer = os.pipe()
            os.close(reader)
            os.dup2(writer, 1)
            os.close(writer)
        sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115  stays open
        sys.stderr = open(2, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        code: object = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:  # what Python would print
            code = 1
            traceback.print_exc()
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            sys.stderr.write("Exception ignored: BrokenPipeError\n")
        sys.stderr.flush()
        for number, file in enumerate(streams, 1):
            os.dup2(file, number)
        told = []
        for file in kept:
            file.seek(0)
            told.append(file.read().decode("utf-8"))
        results.append([code, *told])
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [name for name in sys.argv[2].split(",") if name], sys.argv[3] == "1")
