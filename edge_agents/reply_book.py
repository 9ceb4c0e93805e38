"""Which commands have been begun and what was replied: at most once, also over a kill -9.

A command is noted before it is carried out, as *interrupted*, and again with its reply. Whoever finds the first note
alone, the agent's next process, answers with it: nobody knows how far it got, so nobody does it a second time.
"""

import asyncio
import os
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec

from gateway.contract.observation import Reply

REMEMBERED: Final = 64  # the gateway keeps 16 commands of a unit open, and repeats no other
INTERRUPTED: Final = "interrupted"
_replies: Final = msgspec.json.Decoder(list[Reply])


class ReplyBook:
    """The newest replies by command id, in a small file that is replaced whole and flushed to the disk."""

    def __init__(self, path: Path) -> None:
        """Reads the file; what cannot be read (it is never half written) is as good as nothing."""
        self._path = path
        self._known: OrderedDict[str, Reply] = OrderedDict()
        self._writing = asyncio.Lock()
        try:
            self._known.update((reply.id, reply) for reply in _replies.decode(path.read_bytes()))
        except (FileNotFoundError, msgspec.DecodeError):
            return

    def get(self, id: str) -> Reply | None:
        """The reply that was, or must be, given."""
        return self._known.get(id)

    async def note(self, reply: Reply) -> None:
        """Keeps a reply; in memory in any case.

        Raises:
            OSError: the disk does not take it.
        """
        self._known.pop(reply.id, None)
        self._known[reply.id] = reply
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        async with self._writing:
            await asyncio.to_thread(self._write, msgspec.json.encode(list(self._known.values())))

    def _write(self, content: bytes) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
