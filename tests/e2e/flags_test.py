"""The flags of the programs and of the documents are the same ones; nothing runs here but `--help`."""

import itertools
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["SEALANE_BIN_DIR"])
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
SERVICES = [f"sealane-{name}" for name in ("policy", "scheduler", "status", "gateway", "source", "agent")]
SCRIPTS = ("build", "format", "install-deps", "lint", "migrate-from-karmada", "quickstart", "test")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*[a-z0-9]")
# What the documents say of other programs: the flag, and whose it is.
OTHERS = {
    "--build": "docker-compose",
    "--cluster_name": "nats-server",
    "--debug": "a container of an example",
    "--duration": "kubectl",
    "--for": "kubectl",
    "--gtest_filter": "googletest",
    "--ignore-scripts": "npm",
    "--keep-screenshots": "tests/e2e/page_test.py",
    "--preset": "cmake",
    "--routes": "nats-server",
    "--server": "kubectl",
    "--server-side": "kubectl",
    "--show-managed-fields": "kubectl",
    "--test-dir": "ctest",
    "--timezone": "a container of an example",
}


def flags(text):
    return set(FLAG.findall(text))


def help_of(program, *verb):
    done = subprocess.run([BIN / program, *verb, "--help"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30, check=True)
    # An example of what kubectl is told has kubectl's flags.
    return re.sub(r"(?m)^.*\bkubectl apply\b.*$", "", done.stdout)


def commands_of_programs():
    """{"sealane-policy" or "sealane apply": its flags}"""
    found = {program: flags(help_of(program)) for program in [*SERVICES, "kubesim"]}
    for verb in re.findall(r"(?m)^  ([a-z][a-z-]+) {2,}\S", help_of("sealane")):
        found[f"sealane {verb}"] = flags(help_of("sealane", verb))
    return found


def usage_of_script(name):
    """The comment at the head of a script."""
    lines = (ROOT / "scripts" / name).read_text("utf-8").splitlines()
    return "\n".join(itertools.takewhile(lambda line: line.startswith("#"), lines))


def typed(text):
    """The command lines of a page: its blocks, with continued lines joined, and its inline code."""
    blocks = re.findall(r"(?ms)^```\w*\n(.*?)^```$", text)
    lines = [line.split(" #")[0] for block in blocks
             for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    prose = re.sub(r"(?ms)^```\w*\n.*?^```$", "", text)
    lines += re.findall(r"`([^`]+)`", prose)
    return [part.strip() for line in lines for part in re.split(r"[|;&$(]+", line)]


class FlagsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.commands = commands_of_programs()
        cls.pages = {page: page.read_text("utf-8") for page in PAGES}

    def test_the_help_was_understood(self):
        self.assertIn("--bus-url", self.commands["sealane-policy"])
        self.assertIn("--nodes", self.commands["kubesim"])
        self.assertIn("--dry-run", self.commands["sealane apply"])
        self.assertIn("--all-clusters", self.commands["sealane kubectl"])
        verbs = {name.split()[1] for name in self.commands if name.startswith("sealane ")}
        files = {path.stem.removeprefix("verb_").replace("_", "-")
                 for path in (ROOT / "tools" / "sealane").glob("verb_*.cc")}
        self.assertLessEqual(files - verbs, set())

    def test_every_flag_of_a_program_is_in_a_document(self):
        written = set().union(*map(flags, self.pages.values()))
        for command, own in self.commands.items():
            with self.subTest(command=command):
                self.assertEqual(sorted(own - written), [])

    def test_every_flag_of_a_document_is_one(self):
        known = set().union(*self.commands.values(), *(flags(usage_of_script(s)) for s in SCRIPTS))
        known |= {"--help", "--markdown"}  # of `sealane help`
        for page, text in self.pages.items():
            with self.subTest(page=page.name):
                self.assertEqual(sorted(flags(text) - known - set(OTHERS)), [])
        written = set().union(*map(flags, self.pages.values()))
        self.assertEqual(sorted(set(OTHERS) - written), [], "OTHERS has what no page says any more")
        self.assertEqual(sorted(set(OTHERS) & known), [], "OTHERS has flags of our own programs")

    def test_a_command_in_a_document_has_only_its_own_flags(self):
        seen = 0
        for page, text in self.pages.items():
            for line in typed(text):
                words = line.split()
                command = next((c for c in (" ".join(words[:2]), words[0] if words else "")
                                if c in self.commands), None)
                if command is None or command == "sealane kubectl":  # the rest is kubectl's
                    continue
                seen += 1
                wrong = flags(line) - self.commands[command] - {"--help"}
                self.assertEqual(sorted(wrong), [], f"{page.name}: {line}")
        self.assertGreater(seen, 100)


if __name__ == "__main__":
    unittest.main(verbosity=2)
