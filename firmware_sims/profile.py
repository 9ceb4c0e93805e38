"""The devices of a unit, as its agent's profile lists them."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any


def rows(profile: str) -> list[dict[str, Any]]:
    """The ``[[device]]`` tables of a profile: a name in edge_agents/profiles, or a file.

    Raises:
        OSError: there is none.
    """
    named = resources.files("edge_agents") / "profiles" / f"{profile}.toml"
    text = Path(profile).read_text("utf-8") if profile.endswith(".toml") else named.read_text("utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["device"]
    return found
