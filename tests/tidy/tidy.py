"""Refuses what the house forbids: python3 tests/tidy/tidy.py [ROOT] prints a line for each finding, and exits with 1 if there is any."""

import sys
from pathlib import Path

from repository import Repository
from rules import RULES


def check(root):
    repo = Repository(root)
    return [finding for rule in RULES for finding in rule(repo)]


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    findings = check(root)
    for finding in findings:
        print(f"{finding.path}:{finding.line}: {finding.rule}: {finding.message}")
    print(f"{len(findings)} findings of {len(RULES)} rules")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
