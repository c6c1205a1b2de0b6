# SPDX-License-Identifier: Apache-2.0
"""A sandbox's life: its end, its pauses, what it used, what can be made of it."""
import datetime

from e2b import Sandbox, SandboxException, SandboxNotFoundException, SandboxState, TimeoutException

from case import NOBODY, Fails, collect, same, true, until

GONE = (SandboxNotFoundException, TimeoutException)  # what the SDK makes of the edge's 502


def _now():
    return datetime.datetime.now(datetime.timezone.utc)


def set_timeout(c):
    sandbox = c.sandbox()
    for seconds in (600, 30):
        sandbox.set_timeout(seconds)
        left = (sandbox.get_info().end_at - _now()).total_seconds()
        true(abs(left - seconds) < 3, f"{left} s left of {seconds}")
    with Fails(SandboxNotFoundException):
        Sandbox.set_timeout(NOBODY, 60)


def expiry(c):
    sandbox = c.sandbox()
    command = sandbox.commands.run("sleep 600", background=True, timeout=0)
    sandbox.set_timeout(1)
    with Fails(SandboxException):
        command.wait()
    until("it is gone", lambda: not sandbox.is_running())
    with Fails(SandboxNotFoundException):
        sandbox.get_info()
    same(sandbox.kill(), False)


def double_kill(c):
    sandbox = c.sandbox()
    same([sandbox.kill(), sandbox.kill()], [True, False])
    same([Sandbox.kill(sandbox.sandbox_id), Sandbox.kill(NOBODY)], [False, False])


def killed(c):
    sandbox = c.sandbox()
    sandbox.kill()
    same(sandbox.is_running(), False)
    for call in (lambda: sandbox.commands.run("true"), sandbox.commands.list, lambda: sandbox.files.read("x"),
                 lambda: sandbox.files.write("x", "x"), lambda: sandbox.files.list(".")):
        with Fails(*GONE):
            call()
    for call in (lambda: sandbox.set_timeout(60), lambda: Sandbox.connect(sandbox.sandbox_id)):
        with Fails(SandboxNotFoundException):
            call()


def cut_by_kill(c):
    sandbox = c.sandbox()
    command = sandbox.commands.run("echo begun; sleep 600", background=True)
    same(next(iter(command))[0], "begun\n")
    same(Sandbox.kill(sandbox.sandbox_id), True)
    with Fails(SandboxException):
        command.wait()


def pause_resume(c):
    sandbox = c.sandbox(metadata={"mark": c.mark})
    sandbox.files.write("kept", "as it was")
    pid = sandbox.commands.run("sleep 600", background=True, timeout=0).pid
    same(sandbox.pause(), True)
    same(Sandbox.get_info(sandbox.sandbox_id).state, SandboxState.PAUSED)
    same(sandbox.is_running(), False)
    again = Sandbox.connect(sandbox.sandbox_id, timeout=60)
    same((again.get_info().state, again.get_info().metadata["mark"]), (SandboxState.RUNNING, c.mark))
    same(again.is_running(), True)
    same(again.files.read("kept"), "as it was")
    true(pid in [p.pid for p in again.commands.list()], "the process is still there")
    same(again.commands.kill(pid), True)
    same(sandbox.commands.run("echo old client").stdout, "old client\n")


def pause_twice(c):
    sandbox = c.sandbox()
    same([sandbox.pause(), sandbox.pause()], [True, False])
    with Fails(SandboxNotFoundException):
        Sandbox.pause(NOBODY)
    sandbox.connect()
    same(sandbox.pause(), True)


def pause_kill(c):
    sandbox = c.sandbox()
    sandbox.pause()
    same(sandbox.kill(), True)
    for call in (sandbox.connect, sandbox.get_info):
        with Fails(SandboxNotFoundException):
            call()


def auto_pause(c):
    sandbox = c.sandbox(lifecycle={"on_timeout": "pause"})
    same(sandbox.get_info().lifecycle["on_timeout"], "pause")
    sandbox.files.write("kept", "over the end")
    sandbox.set_timeout(1)
    until("it is paused", lambda: sandbox.get_info().state == SandboxState.PAUSED)
    sandbox.connect(timeout=60)
    same(sandbox.files.read("kept"), "over the end")


def metrics(c):
    sandbox = c.sandbox()
    found = until("a measurement", sandbox.get_metrics)[-1]
    true(abs((found.timestamp - _now()).total_seconds()) < 60, f"at {found.timestamp}")
    true(found.cpu_count > 0 and found.cpu_used_pct >= 0, found)
    true(0 <= found.mem_used <= found.mem_total > 0 and found.mem_cache >= 0, found)
    true(0 <= found.disk_used <= found.disk_total > 0, found)
    past = [datetime.datetime.fromtimestamp(s, datetime.timezone.utc) for s in (1, 1000)]
    same(sandbox.get_metrics(start=past[0], end=past[1]), [])
    with Fails(SandboxNotFoundException):
        Sandbox.get_metrics(NOBODY)


def snapshot(c):
    source = c.sandbox()
    source.files.write("deep/file", "of that moment")
    snapshot_id = source.create_snapshot().snapshot_id
    source.files.write("deep/file", "later")
    ids = lambda: [s.snapshot_id for page in collect(source.list_snapshots()) for s in page]
    same(ids(), [snapshot_id])
    same(source.is_running(), True)
    source.kill()
    copies = [c.sandbox(snapshot_id), c.sandbox(snapshot_id)]
    copies[0].files.write("deep/file", "changed in one")
    same(copies[1].files.read("deep/file"), "of that moment")
    same([Sandbox.delete_snapshot(snapshot_id), Sandbox.delete_snapshot(snapshot_id)], [True, False])
    same(ids(), [])
    with Fails(SandboxException):
        Sandbox.create(snapshot_id)
