# SPDX-License-Identifier: Apache-2.0
"""Commands: their output, their end, who reads them."""
import concurrent.futures

from e2b import (AuthenticationException, CommandExitException, InvalidArgumentException, NotFoundException,
                 TimeoutException)

from case import Fails, same, true, until

FOREVER = {"background": True, "timeout": 0}


def _lists(sandbox, pid):
    return pid in [p.pid for p in sandbox.commands.list()]


def _parts(done):
    return done.exit_code, done.stdout, done.stderr


def run(c):
    sandbox = c.sandbox()
    done = sandbox.commands.run("echo out; echo err >&2")
    same((*_parts(done), done.error), (0, "out\n", "err\n", None))
    same(_parts(sandbox.commands.run("true")), (0, "", ""))
    same(_parts(sandbox.commands.run("echo x", retain_output=False)), (0, None, None))


def run_callbacks(c):
    sandbox, out, err = c.sandbox(), [], []

    def hear(where, text):
        """The second half starts only once the first was seen: it was not held back until the end."""
        where.append(text)
        if "".join(out) == "one\n" and "".join(err) == "bad\n":
            sandbox.files.write("go", "")

    done = sandbox.commands.run("echo one; echo bad >&2; until [ -e go ]; do sleep 0.01; done; echo two; echo three",
                                on_stdout=lambda text: hear(out, text), on_stderr=lambda text: hear(err, text))
    same(("".join(out), "".join(err)), ("one\ntwo\nthree\n", "bad\n"))
    same(_parts(done), (0, "".join(out), "".join(err)))


def run_exit_code(c):
    sandbox = c.sandbox()
    with Fails(CommandExitException) as failure:
        sandbox.commands.run("echo out; echo why >&2; exit 3")
    same((*_parts(failure.error), failure.error.error), (3, "out\n", "why\n", "exit status 3"))


def run_no_program(c):
    sandbox = c.sandbox()
    with Fails(CommandExitException) as failure:
        sandbox.commands.run("no-such-program-at-all")
    same(failure.error.exit_code, 127)
    true("not found" in failure.error.stderr, failure.error.stderr)


def run_signal(c):
    sandbox = c.sandbox()
    with Fails(CommandExitException) as failure:
        sandbox.commands.run("echo last words; kill -KILL $$")
    same((*_parts(failure.error), failure.error.error), (-1, "last words\n", "", "signal: killed"))


def run_many_lines(c):
    sandbox, pieces = c.sandbox(), []
    done = sandbox.commands.run("seq 20000", on_stdout=pieces.append)
    want = "".join(f"{i + 1}\n" for i in range(20_000))
    true("".join(pieces) == want == done.stdout, "the lines are the same")


def run_big_output(c):
    sandbox, line = c.sandbox(), "漢字🦊ü|" * 40
    done = sandbox.commands.run(f"yes '{line}' | head -c 3000000; echo")
    whole = (f"{line}\n".encode() * (3_000_000 // len(line.encode()) + 1))[:3_000_000]
    true(done.stdout == whole.decode(errors="replace") + "\n", "the text is the same")


def run_background(c):
    sandbox = c.sandbox()
    command = sandbox.commands.run("until [ -e go ]; do sleep 0.01; done; echo went; exit 0", background=True)
    true(command.pid > 0, command.pid)
    sandbox.files.write("go", "")
    same(_parts(command.wait()), (0, "went\n", ""))


def run_kill(c):
    sandbox = c.sandbox()
    first, second = [sandbox.commands.run("sleep 600", **FOREVER) for _ in range(2)]
    same([first.kill(), sandbox.commands.kill(second.pid)], [True, True])
    for command in (first, second):
        with Fails(CommandExitException) as failure:
            command.wait()
        same((failure.error.exit_code, failure.error.error), (-1, "signal: killed"))
        same(command.kill(), False)
    same(sandbox.commands.kill(999_999), False)
    same(sandbox.commands.list(), [])


def run_timeout(c):
    sandbox = c.sandbox()
    with Fails(TimeoutException):
        sandbox.commands.run("echo $$; exec sleep 600", timeout=0.7)
    until("the command is gone", lambda: not sandbox.commands.list())


def run_no_timeout(c):
    same(c.sandbox().commands.run("echo fine", timeout=0, request_timeout=0).stdout, "fine\n")


def run_concurrent(c):
    sandbox = c.sandbox()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        jobs = [pool.submit(sandbox.commands.run, f"sleep 0.1; echo {i}; exit 0") for i in range(20)]
        same([job.result().stdout for job in jobs], [f"{i}\n" for i in range(20)])


def run_cwd(c):
    sandbox = c.sandbox()
    pwd = lambda cwd=None: sandbox.commands.run("pwd", cwd=cwd).stdout.strip()
    home = pwd()
    same(sandbox.commands.run("echo $HOME").stdout.strip(), home)
    sandbox.files.make_dir("deep/er")
    same([pwd("/usr"), pwd(f"{home}/deep/er"), pwd("deep")], ["/usr", f"{home}/deep/er", f"{home}/deep"])
    with Fails(InvalidArgumentException) as failure:
        pwd("/no/such/folder")
    true("no/such/folder" in str(failure.error), failure.error)


def run_user(c):
    sandbox = c.sandbox()
    same(sandbox.commands.run("id -u", user="user").stdout, sandbox.commands.run("id -u").stdout)
    with Fails(AuthenticationException) as failure:
        sandbox.commands.run("id -u", user="nobody-we-know")
    true("nobody-we-know" in str(failure.error), failure.error)


def run_disconnect(c):
    sandbox = c.sandbox()
    command = sandbox.commands.run("echo early; until [ -e go ]; do sleep 0.01; done; echo late; exit 0", **FOREVER)
    same(next(iter(command))[0], "early\n")
    command.disconnect()
    true(_lists(sandbox, command.pid), "it goes on")
    again = sandbox.commands.connect(command.pid)
    sandbox.files.write("go", "")
    same(_parts(again.wait()), (0, "late\n", ""))


def run_connect(c):
    sandbox, heard = c.sandbox(), []
    command = sandbox.commands.run("until [ -e go ]; do sleep 0.01; done; echo both; echo err >&2; exit 7", **FOREVER)
    second = sandbox.commands.connect(command.pid)
    same(second.pid, command.pid)
    sandbox.files.write("go", "")
    for wait in (command.wait, lambda: second.wait(on_stdout=heard.append)):
        with Fails(CommandExitException) as failure:
            wait()
        same(_parts(failure.error), (7, "both\n", "err\n"))
    same("".join(heard), "both\n")


def run_connect_missing(c):
    sandbox = c.sandbox()
    with Fails(NotFoundException) as failure:
        sandbox.commands.connect(999_999)
    true("999999" in str(failure.error), failure.error)


def run_list(c):
    sandbox = c.sandbox()
    same(sandbox.commands.list(), [])
    command = sandbox.commands.run("sleep 600", cwd="/usr", envs={"NAME": "value"}, **FOREVER)
    (found,) = sandbox.commands.list()
    same((found.pid, found.cmd, found.args), (command.pid, "/bin/bash", ["-l", "-c", "sleep 600"]))
    same((found.envs, found.cwd), ({"NAME": "value"}, "/usr"))
    command.kill()
    until("it is listed no more", lambda: not _lists(sandbox, command.pid))
