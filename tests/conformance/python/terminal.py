# SPDX-License-Identifier: Apache-2.0
"""Terminals."""
import threading

from e2b import CommandExitException, NotFoundException, PtySize

from case import Fails, same, true, until


class Screen:
    """Reads a terminal beside what the case does."""

    def __init__(self, handle):
        self.handle, self.data, self.result, self.error = handle, b"", None, None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            self.result = self.handle.wait(on_pty=self._hear)
        except Exception as e:
            self.error = e

    def _hear(self, data):
        self.data += data

    def shows(self, words):
        until(lambda: f"the terminal shows {words}; it shows {self.data}", lambda: words.encode() in self.data)

    def end(self):
        self.thread.join(20)
        return self.result.exit_code if self.result else getattr(self.error, "exit_code", self.error)


def _open(sandbox, cols=80, rows=24, **more):
    return sandbox.pty.create(PtySize(rows=rows, cols=cols), timeout=60, **more)


def pty(c):
    sandbox = c.sandbox()
    terminal = _open(sandbox)
    screen = Screen(terminal)
    typed = "echo $((6 * 7))-ü; test -t 0 && test -t 1 && echo is-a-$(echo terminal)\n"
    sandbox.pty.send_stdin(terminal.pid, typed.encode())
    screen.shows("42-ü")
    screen.shows("is-a-terminal")
    true(terminal.pid in [p.pid for p in sandbox.commands.list()], "it is listed")
    sandbox.pty.send_stdin(terminal.pid, b"exit 0\n")
    same(screen.end(), 0)


def pty_size(c):
    sandbox = c.sandbox()
    terminal = _open(sandbox, cols=91, rows=37)
    screen = Screen(terminal)
    sandbox.pty.send_stdin(terminal.pid, b"stty size\n")
    screen.shows("37 91")
    sandbox.pty.resize(terminal.pid, PtySize(cols=133, rows=44))
    sandbox.pty.send_stdin(terminal.pid, b"stty size\n")
    screen.shows("44 133")
    with Fails(NotFoundException):
        sandbox.pty.resize(999_999, PtySize(cols=80, rows=24))


def pty_environment(c):
    sandbox = c.sandbox(envs={"OUTER": "outside"})
    terminal = _open(sandbox, cwd="/usr", envs={"INNER": "inside"})
    screen = Screen(terminal)
    sandbox.pty.send_stdin(terminal.pid, b'echo "<$OUTER|$INNER|$TERM|$PWD>"\n')
    screen.shows("<outside|inside|xterm-256color|/usr>")


def pty_interrupt(c):
    sandbox = c.sandbox()
    terminal = _open(sandbox)
    screen = Screen(terminal)
    sandbox.pty.send_stdin(terminal.pid, b'echo be""gun; sleep 600; echo af""ter\n')
    screen.shows("begun")
    sandbox.pty.send_stdin(terminal.pid, b"\x03")
    sandbox.pty.send_stdin(terminal.pid, b'echo still he""re\n')
    screen.shows("still here")


def pty_kill(c):
    sandbox = c.sandbox()
    terminal = _open(sandbox)
    same(sandbox.pty.kill(terminal.pid), True)
    with Fails(CommandExitException):
        terminal.wait()
    same(terminal.kill(), False)


def pty_connect(c):
    sandbox = c.sandbox()
    terminal = _open(sandbox)
    second = sandbox.pty.connect(terminal.pid)
    same(second.pid, terminal.pid)
    screens = [Screen(terminal), Screen(second)]
    sandbox.pty.send_stdin(terminal.pid, b'echo bo""th\n')
    for screen in screens:
        screen.shows("both")
    sandbox.pty.send_stdin(terminal.pid, b"exit 5\n")
    same([screen.end() for screen in screens], [5, 5])


def pty_stream(c):
    sandbox = c.sandbox()
    terminal = _open(sandbox)
    screen = Screen(terminal)
    sandbox.pty.stream_input(terminal.pid, iter(["echo stre", b'am""ed\n', "exit 0\n"]))
    screen.shows("streamed")
    same(screen.end(), 0)
