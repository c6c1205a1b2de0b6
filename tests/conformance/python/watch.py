# SPDX-License-Identifier: Apache-2.0
"""Watching folders."""
from e2b import FileNotFoundException, InvalidArgumentException, SandboxException

from case import Fails, same, until


class _Seen:
    """A watch whose events are asked for again and again."""

    def __init__(self, watch):
        self.watch, self.events = watch, []

    def wait(self, what, matches):
        def look():
            self.events += self.watch.get_new_events()
            return next((e for e in self.events if matches(e)), None)
        return until(lambda: f"{what}; seen: {[(e.type.value, e.name) for e in self.events]}", look)

    def saw(self, kind, name):
        return self.wait(f"{kind} {name}", lambda e: (e.type.value, e.name) == (kind, name))


def files_watch(c):
    sandbox = c.sandbox()
    sandbox.files.write("seen/old", "x")
    seen = _Seen(sandbox.files.watch_dir("seen"))
    sandbox.files.write("seen/new", "one")
    seen.saw("create", "new")
    seen.saw("write", "new")
    sandbox.files.rename("seen/new", "seen/newer")
    seen.saw("rename", "new")
    sandbox.commands.run("chmod 600 seen/old")
    seen.saw("chmod", "old")
    sandbox.files.remove("seen/newer")
    seen.saw("remove", "newer")
    same(seen.watch.get_new_events(), [])
    seen.watch.stop()
    with Fails(SandboxException):
        seen.watch.get_new_events()


def files_watch_deep(c):
    sandbox = c.sandbox()
    sandbox.files.write("top/sub/old", "x")
    seen = _Seen(sandbox.files.watch_dir("top", recursive=True, include_entry=True))
    sandbox.files.write("top/sub/new", "12345")
    found = seen.wait("the write below", lambda e: (e.type.value, e.name) == ("write", "sub/new") and e.entry)
    same((found.entry.name, found.entry.type.value), ("new", "file"))
    sandbox.files.make_dir("top/later")
    seen.saw("create", "later")
    sandbox.files.write("top/later/in", "x")
    seen.wait("a file in the new folder", lambda e: e.name == "later/in")


def files_watch_missing(c):
    sandbox = c.sandbox()
    with Fails(FileNotFoundException):
        sandbox.files.watch_dir("nothing")
    sandbox.files.write("file", "")
    with Fails(InvalidArgumentException):
        sandbox.files.watch_dir("file")
