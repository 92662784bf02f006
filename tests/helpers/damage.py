"""Damage files, and end a process in the middle of its writes, as disks, copies and kills do."""

import os

import pytest


def remove(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def cut(path):
    """Keep the first half, as a copy that was interrupted does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_garbage(path):
    path.write_bytes(bytes(range(128, 256)) * 4)


DAMAGES = (remove, empty, cut, replace_by_garbage)


def flip_bit(path, share):
    """Flip the highest bit of the byte at a share, 0 to 1, of a file's length."""
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 0x80
    path.write_bytes(content)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


class Kill:
    """A kill just before the n-th move of a file into place: from then on nothing is written or cleaned up.

    Args:
        monkeypatch: pytest's fixture.
        moment: int n, from 1; None only counts the moves.
    """

    def __init__(self, monkeypatch, moment=None):
        self.moment, self.moves = moment, []
        self._patch = monkeypatch
        replace = os.replace

        def counted(source, target, **options):
            self.moves.append(os.path.basename(target))
            if len(self.moves) == self.moment:
                self._end_cleaning()
                raise Killed
            return replace(source, target, **options)

        monkeypatch.setattr(os, "replace", counted)

    def _end_cleaning(self):
        for name in ("unlink", "remove", "rmdir"):
            self._patch.setattr(os, name, lambda *_, **__: None)


def run_until_killed(work, moment=None):
    """Run `work()` with a kill before the n-th move of a file into place, or to its end; return the names moved."""
    with pytest.MonkeyPatch.context() as patch:
        kill = Kill(patch, moment)
        if moment is None:
            work()
        else:
            with pytest.raises(Killed):
                work()
    return kill.moves
