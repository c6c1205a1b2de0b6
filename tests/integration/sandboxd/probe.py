# SPDX-License-Identifier: Apache-2.0
"""Run inside a sandbox: tries to get out of it. Its first argument is JSON with what there is to
reach; prints JSON, for each probe "open" or "shut". Standard library only."""
import contextlib
import ctypes
import json
import mmap
import os
import signal
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
PTRACE_SEIZE = 0x4206


def opens(path, flags=os.O_RDONLY):
    with contextlib.suppress(OSError):
        os.close(os.open(path, flags))
        return True
    return False


def words_of(pid):
    """In a pid namespace its number may be another process's: what it is called decides."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
        return f.read().split("\0")
    return [""]


def lists_server(_):
    return any(words_of(pid)[0].endswith("sandfleet-sandboxd")
               for pid in filter(str.isdigit, os.listdir("/proc")))


def is_server(at):
    return words_of(at["server"])[0].endswith("sandfleet-sandboxd")


def signals(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


def traces(pid):
    good = LIBC.ptrace(PTRACE_SEIZE, pid, None, None) == 0
    if good:
        LIBC.ptrace(17, pid, None, None)
    return good


def connects(family, kind, address):
    with contextlib.suppress(OSError), socket.socket(family, kind) as s:
        s.settimeout(2)
        s.connect(address)
        s.send(b"ping")
        return s.recv(16) == b"pong"
    return False


def writes(path, size=1):
    with contextlib.suppress(OSError):
        with open(path, "wb") as f:
            f.seek(size - 1)
            f.write(b"x")
        os.unlink(path)
        return True
    with contextlib.suppress(OSError):
        os.unlink(path)
    return False


def in_child(fn):
    """True when fn() returns true in a process of its own, which may be killed for trying."""
    pid = os.fork()
    if pid == 0:
        good = False
        with contextlib.suppress(Exception):
            good = fn()
        os._exit(0 if good else 1)
    return os.waitpid(pid, 0)[1] == 0


def takes_memory(n):
    """n bytes, of which the first 700 MB are really used."""
    used, piece, kept = 0, 32 << 20, []
    while used < n:
        kept.append(mmap.mmap(-1, piece, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        if used < 700 << 20:
            for at in range(0, piece, 4096):
                kept[-1][at] = 1
        used += piece
    return True


def forks(n):
    children = []
    try:
        for _ in range(n):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            children.append(pid)
    except OSError:
        pass
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return len(children) == n


def unshares():
    return subprocess.run(["unshare", "-Ur", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


PROBES = {
    "server-environ": lambda at: is_server(at) and opens(f"/proc/{at['server']}/environ"),
    "server-memory": lambda at: is_server(at) and opens(f"/proc/{at['server']}/mem"),
    "server-ptrace": lambda at: is_server(at) and traces(at["server"]),
    "server-cmdline": is_server,
    "process-list": lists_server,
    "server-signal": lambda at: is_server(at) and signals(at["server"]),
    "init-memory": lambda at: opens(f"/proc/{at['init']}/mem", os.O_RDWR),
    "key-file": lambda at: opens(at["key"]),
    "etc-shadow": lambda at: opens("/etc/shadow"),
    "write-outside": lambda at: writes(at["outside"] + "/written"),
    "write-usr": lambda at: writes("/usr/written") or writes("/opt/written"),
    "write-template": lambda at: writes(at["template"] + "/written"),
    "tcp-loopback": lambda at: connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", at["tcp"])),
    "udp-loopback": lambda at: connects(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", at["udp"])),
    "unix-abstract": lambda at: connects(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + at["abstract"]),
    "unix-path": lambda at: connects(socket.AF_UNIX, socket.SOCK_STREAM, at["path"]),
    "user-namespace": lambda at: in_child(lambda: LIBC.unshare(CLONE_NEWUSER) == 0) or unshares(),
    "other-home": lambda at: opens(at["other_file"]),
    "other-signal": lambda at: at["other_marker"] in words_of(at["other_pid"])[1:] and signals(at["other_pid"]),
    "forks": lambda at: in_child(lambda: forks(at["forks"])),
    "big-file": lambda at: writes(os.path.expanduser("~/big"), at["file_bytes"]),
    "big-memory": lambda at: in_child(lambda: takes_memory(2 << 30)),
}

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps({name: "open" if probe(given) else "shut" for name, probe in PROBES.items()}))
