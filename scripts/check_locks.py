"""Refuses lock files that name a host of somebody's workplace, or a package without a hash.

A lock must install from whatever index its reader uses: requirements.lock names no host at all, package-lock.json
at most npm's public registry (npm puts the reader's own registry in its place).
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PUBLIC_NPM = "https://registry.npmjs.org/"


def python_lock(text: str) -> list[str]:
    """What is wrong with requirements.lock, one sentence a fault."""
    faults = [
        f"requirements.lock names an address: {line}"
        for line in text.splitlines()
        if "://" in line or line.startswith("--")
    ]
    requirements = re.split(r"\n(?=\S)", text.strip())
    return faults + [
        f"requirements.lock has no hash for {each.split()[0]}" for each in requirements if "--hash=sha256:" not in each
    ]


def npm_lock(text: str) -> list[str]:
    """What is wrong with package-lock.json, one sentence a fault."""
    faults = []
    for name, entry in json.loads(text)["packages"].items():
        if not name or entry.get("link"):
            continue
        if not entry.get("resolved", PUBLIC_NPM).startswith(PUBLIC_NPM):
            faults.append(f"package-lock.json: {name} comes from {entry['resolved']}")
        if "integrity" not in entry:
            faults.append(f"package-lock.json has no hash for {name}")
    return faults


def main() -> int:
    faults = python_lock((ROOT / "requirements.lock").read_text())
    faults += npm_lock((ROOT / "dashboards/live/package-lock.json").read_text())
    print(*faults or ["lock files: every package has a hash, no workplace address"], sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
