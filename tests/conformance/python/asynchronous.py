# SPDX-License-Identifier: Apache-2.0
"""The same promises through the asynchronous client, where its way to the wire is another."""
import asyncio
import os

from e2b import (AsyncSandbox, CommandExitException, FileNotFoundException, PtySize, SandboxNotFoundException,
                 SandboxQuery, SandboxState, TimeoutException)

from case import NOBODY, Fails, same, true

FOREVER = {"background": True, "timeout": 0}
EVERY_BYTE = bytes(range(256)) * 2


async def _until(what, condition, seconds=20):
    async def poll():
        while not condition():
            await asyncio.sleep(0.02)
    try:
        await asyncio.wait_for(poll(), seconds)
    except asyncio.TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


async def create(c):
    sandbox = await c.sandbox(metadata={"mark": c.mark})
    same(await sandbox.is_running(), True)
    same((await sandbox.get_info()).metadata["mark"], c.mark)
    same(await sandbox.kill(), True)
    same(await sandbox.is_running(), False)


async def list_metadata(c):
    mine = sorted([(await c.sandbox(metadata={"mark": c.mark, "odd": "a&b %"})).sandbox_id for _ in range(3)])
    pages = AsyncSandbox.list(query=SandboxQuery(metadata={"mark": c.mark, "odd": "a&b %"}), limit=2)
    found = []
    while pages.has_next:
        found += [s.sandbox_id for s in await pages.next_items()]
    same(sorted(found), mine)


async def connect(c):
    sandbox = await c.sandbox()
    other = await AsyncSandbox.connect(sandbox.sandbox_id)
    same((await other.commands.run("echo reached")).stdout, "reached\n")
    with Fails(SandboxNotFoundException):
        await AsyncSandbox.connect(NOBODY)


async def double_kill(c):
    sandbox = await c.sandbox()
    same([await sandbox.kill(), await sandbox.kill()], [True, False])


async def pause_resume(c):
    sandbox = await c.sandbox()
    await sandbox.files.write("kept", "as it was")
    same([await sandbox.pause(), await sandbox.pause()], [True, False])
    same((await sandbox.get_info()).state, SandboxState.PAUSED)
    again = await AsyncSandbox.connect(sandbox.sandbox_id, timeout=60)
    same(await again.files.read("kept"), "as it was")


async def run(c):
    sandbox = await c.sandbox()
    done = await sandbox.commands.run("echo out; echo err >&2")
    same((done.exit_code, done.stdout, done.stderr), (0, "out\n", "err\n"))


async def run_callbacks(c):
    sandbox, out, err = await c.sandbox(), [], []

    async def hear(text):
        out.append(text)
        if "".join(out) == "one\n":
            await sandbox.files.write("go", "")

    await sandbox.commands.run("echo one; until [ -e go ]; do sleep 0.01; done; echo two; echo bad >&2",
                               on_stdout=hear, on_stderr=err.append)
    same(("".join(out), "".join(err)), ("one\ntwo\n", "bad\n"))


async def run_exit_code(c):
    sandbox = await c.sandbox()
    with Fails(CommandExitException) as failure:
        await sandbox.commands.run("echo out; echo why >&2; exit 3")
    same((failure.error.exit_code, failure.error.stdout, failure.error.stderr), (3, "out\n", "why\n"))


async def run_background(c):
    sandbox = await c.sandbox()
    command = await sandbox.commands.run("until [ -e go ]; do sleep 0.01; done; echo went", background=True)
    await sandbox.files.write("go", "")
    same((await command.wait()).stdout, "went\n")


async def run_kill(c):
    sandbox = await c.sandbox()
    command = await sandbox.commands.run("sleep 600", **FOREVER)
    same(await command.kill(), True)
    with Fails(CommandExitException) as failure:
        await command.wait()
    same((failure.error.exit_code, failure.error.error), (-1, "signal: killed"))
    same(await sandbox.commands.kill(command.pid), False)


async def run_timeout(c):
    sandbox = await c.sandbox()
    with Fails(TimeoutException):
        await sandbox.commands.run("exec sleep 600", timeout=0.7)


async def run_connect(c):
    sandbox = await c.sandbox()
    command = await sandbox.commands.run("until [ -e go ]; do sleep 0.01; done; echo both", **FOREVER)
    second = await sandbox.commands.connect(command.pid)
    await sandbox.files.write("go", "")
    same([(await command.wait()).stdout, (await second.wait()).stdout], ["both\n", "both\n"])


async def run_list(c):
    sandbox = await c.sandbox()
    command = await sandbox.commands.run("sleep 600", **FOREVER)
    same([(p.pid, p.args[-1]) for p in await sandbox.commands.list()], [(command.pid, "sleep 600")])


async def stdin(c):
    sandbox = await c.sandbox()
    command = await sandbox.commands.run("head -n 2", background=True, stdin=True)
    await sandbox.commands.send_stdin(command.pid, "ein Wört")
    await command.send_stdin(b"chen\ntwo\n")
    same((await command.wait()).stdout, "ein Wörtchen\ntwo\n")


async def stdin_close(c):
    sandbox = await c.sandbox()
    command = await sandbox.commands.run("wc -c", background=True, stdin=True)
    await command.send_stdin("x" * 200_000)
    await command.close_stdin()
    same((await command.wait()).stdout.strip(), "200000")


async def stdin_stream(c):
    sandbox = await c.sandbox()
    command = await sandbox.commands.run("wc -l", background=True, stdin=True)
    pipe = sandbox.commands.stream_input(command.pid)
    for i in range(1000):
        await pipe.send(f"line {i}\n")
    await pipe.close()
    await command.close_stdin()
    same((await command.wait()).stdout.strip(), "1000")


async def pty(c):
    sandbox, seen = await c.sandbox(), []
    terminal = await sandbox.pty.create(PtySize(rows=37, cols=91), on_data=seen.append)
    await sandbox.pty.send_stdin(terminal.pid, b"stty size; echo $((6 * 7))\n")
    await _until("both answers", lambda: b"37 91" in b"".join(seen) and b"42" in b"".join(seen))
    await sandbox.pty.send_stdin(terminal.pid, b"exit 0\n")
    same((await terminal.wait()).exit_code, 0)


async def pty_kill(c):
    sandbox = await c.sandbox()
    terminal = await sandbox.pty.create(PtySize(rows=24, cols=80), on_data=lambda _: None)
    same(await sandbox.pty.kill(terminal.pid), True)
    same(await sandbox.pty.kill(terminal.pid), False)


async def files_text(c):
    sandbox = await c.sandbox()
    same((await sandbox.files.write("note", "grüße")).name, "note")
    same(await sandbox.files.read("note"), "grüße")
    with Fails(FileNotFoundException):
        await sandbox.files.read("nothing")


async def files_bytes(c):
    sandbox = await c.sandbox()
    await sandbox.files.write("all", EVERY_BYTE)
    same(bytes(await sandbox.files.read("all", format="bytes")), EVERY_BYTE)


async def files_many(c):
    sandbox = await c.sandbox()
    names = [f"many/f {i}" for i in range(8)]
    await sandbox.files.write_files([{"path": name, "data": name} for name in names])
    same(await asyncio.gather(*(sandbox.files.read(name) for name in names)), names)


async def files_10mb(c):
    sandbox, data = await c.sandbox(), os.urandom(10 * 1024 * 1024)
    await sandbox.files.write("big", data)
    true(bytes(await sandbox.files.read("big", format="bytes")) == data, "the bytes are the same")


async def files_list(c):
    sandbox = await c.sandbox()
    await sandbox.files.write("top/sub/leaf", "x")
    same([(e.name, e.type.value) for e in await sandbox.files.list("top")], [("sub", "dir")])


async def files_exists(c):
    sandbox = await c.sandbox()
    await sandbox.files.write("there", "")
    same([await sandbox.files.exists("there"), await sandbox.files.exists("not")], [True, False])


async def files_make_dir(c):
    sandbox = await c.sandbox()
    same([await sandbox.files.make_dir("a/b"), await sandbox.files.make_dir("a/b")], [True, False])


async def files_rename(c):
    sandbox = await c.sandbox()
    await sandbox.files.write("one", "moved")
    same((await sandbox.files.rename("one", "two")).name, "two")
    same(await sandbox.files.read("two"), "moved")


async def files_remove(c):
    sandbox = await c.sandbox()
    await sandbox.files.write("dir/file", "x")
    await sandbox.files.remove("dir")
    same(await sandbox.files.exists("dir"), False)


async def files_watch(c):
    sandbox, events = await c.sandbox(), []
    await sandbox.files.make_dir("seen")
    watch = await sandbox.files.watch_dir("seen", on_event=lambda e: events.append((e.type.value, e.name)))
    await sandbox.files.write("seen/new", "x")
    await _until(f"a write; seen: {events}", lambda: ("write", "new") in events)
    await watch.stop()
