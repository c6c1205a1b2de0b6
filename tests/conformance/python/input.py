# SPDX-License-Identifier: Apache-2.0
"""What goes into a command."""
from e2b import NotFoundException, SandboxException

from case import Fails, same, true

READING = {"background": True, "stdin": True}


def stdin(c):
    sandbox = c.sandbox()
    command = sandbox.commands.run('for i in 1 2 3; do read -r line; echo "$line"; done', **READING)
    sandbox.commands.send_stdin(command.pid, "ein Wörtchen\n")
    same(next(iter(command))[0], "ein Wörtchen\n")
    sandbox.commands.send_stdin(command.pid, "two\nth")
    command.send_stdin(b"ree\n")
    same(command.wait().stdout, "ein Wörtchen\ntwo\nthree\n")
    with Fails(NotFoundException):
        sandbox.commands.send_stdin(999_999, "x")


def stdin_close(c):
    sandbox = c.sandbox()
    command = sandbox.commands.run("wc -c", **READING)
    command.send_stdin("x" * 200_000)
    command.close_stdin()
    same(command.wait().stdout.strip(), "200000")
    second = sandbox.commands.run("cat", **READING)
    sandbox.commands.close_stdin(second.pid)
    same(second.wait().stdout, "")


def stdin_off(c):
    sandbox = c.sandbox()
    same(sandbox.commands.run("cat").stdout, "")  # reads an end at once
    command = sandbox.commands.run("sleep 600", background=True)
    with Fails(SandboxException) as failure:
        sandbox.commands.send_stdin(command.pid, "x")
    true("stdin" in str(failure.error), failure.error)


def stdin_stream(c):
    sandbox = c.sandbox()
    command = sandbox.commands.run("wc -l", **READING)
    sandbox.commands.stream_input(command.pid, (f"line {i}\n" for i in range(1000)))
    command.close_stdin()
    same(command.wait().stdout.strip(), "1000")
    with Fails(NotFoundException):
        sandbox.commands.stream_input(999_999, ["x"])
