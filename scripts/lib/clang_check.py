"""Compiles files with clang as far as its warnings need, without writing objects.

    clang_check.py BUILD_DIR [PATH_PREFIX...]

BUILD_DIR is a configured directory of the preset clang whose precompiled headers are built. The
lock annotations (-Wthread-safety) are checked by the front end, so nothing is optimised or written.
"""

import concurrent.futures
import json
import os
import shlex
import subprocess
import sys


def command_of(entry):
    """The compile command without the compiler cache, the object and the dependency file."""
    words = shlex.split(entry["command"])
    first = next(i for i, word in enumerate(words) if os.path.basename(word).startswith("clang++"))
    words = words[first:]
    at = words.index("-o")
    del words[at : at + 2]
    return words + ["-fsyntax-only"]


def check(entry):
    run = subprocess.run(
        command_of(entry), cwd=entry["directory"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False)
    return run.returncode, run.stdout


def main():
    build, prefixes = sys.argv[1], tuple(sys.argv[2:]) or ("",)
    root = os.getcwd() + os.sep
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
        entries = {entry["file"]: entry for entry in json.load(commands)}
    chosen = [
        entry for file, entry in sorted(entries.items())
        if file.startswith(root) and not file.startswith(root + "build" + os.sep)
        and file[len(root):].startswith(prefixes)]
    if not chosen:
        sys.exit(f"error: no file below {' '.join(prefixes)} is compiled in {build}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for entry, (code, output) in zip(chosen, pool.map(check, chosen)):
            if code != 0:
                failed += 1
                print(f"{entry['file'][len(root):]}:\n{output}", flush=True)
    print(f"clang takes {len(chosen) - failed} of {len(chosen)} files")
    sys.exit(1 if failed else 0)


main()
