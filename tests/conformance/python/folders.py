# SPDX-License-Identifier: Apache-2.0
"""Folders, and files as entries of them."""
import datetime

from e2b import AuthenticationException, FileNotFoundException, InvalidArgumentException, SandboxException

from case import Fails, same, true


def _show(entries):
    return sorted((e.name, e.type.value) for e in entries)


def _home(sandbox):
    return sandbox.commands.run("echo $HOME").stdout.strip()


def files_list(c):
    sandbox = c.sandbox()
    home = _home(sandbox)
    same([e for e in sandbox.files.list(f"{home}/.") if not e.name.startswith(".")], [])
    sandbox.files.write("top/file", "12345")
    sandbox.files.write("top/sub/deep/leaf", "x")
    sandbox.commands.run("chmod 640 top/file; ln -s file top/link")
    entries = sandbox.files.list("top")
    same(_show(entries), [("file", "file"), ("link", "symlink"), ("sub", "dir")])
    (file,) = [e for e in entries if e.name == "file"]
    same((file.size, file.mode & 0o777, file.permissions), (5, 0o640, "-rw-r-----"))
    same(file.path, f"{home}/top/file")
    true(file.owner and file.group, file)
    age = datetime.datetime.now(datetime.timezone.utc) - file.modified_time
    true(abs(age.total_seconds()) < 60, file.modified_time)
    same(_show(sandbox.files.list("top", depth=2)),
         [("deep", "dir"), ("file", "file"), ("link", "symlink"), ("sub", "dir")])
    with Fails(InvalidArgumentException):
        sandbox.files.list("top", depth=0)
    sandbox.files.make_dir("void")
    same(sandbox.files.list("void"), [])


def files_list_missing(c):
    sandbox = c.sandbox()
    with Fails(FileNotFoundException):
        sandbox.files.list("nothing")
    sandbox.files.write("file", "x")
    with Fails(InvalidArgumentException):
        sandbox.files.list("file")


def files_info(c):
    sandbox = c.sandbox()
    sandbox.files.write("dir/file", "four")
    sandbox.commands.run("chmod 755 dir dir/file; ln -s dir/file link; ln -s nowhere broken")
    file = sandbox.files.get_info("dir/file")
    same((file.name, file.type.value, file.size, file.mode & 0o777), ("file", "file", 4, 0o755))
    same((file.permissions, file.symlink_target), ("-rwxr-xr-x", None))
    folder = sandbox.files.get_info("dir")
    same((folder.name, folder.type.value, folder.permissions), ("dir", "dir", "drwxr-xr-x"))
    link = sandbox.files.get_info("link")
    same((link.name, link.symlink_target), ("link", f"{_home(sandbox)}/dir/file"))
    with Fails(FileNotFoundException):
        sandbox.files.get_info("nothing")


def files_exists(c):
    sandbox = c.sandbox()
    sandbox.files.write("dir/file", "")
    same([sandbox.files.exists(p) for p in ("dir", "dir/file", "dir/none", "none/none", "/")],
         [True, True, False, False, True])


def files_make_dir(c):
    sandbox = c.sandbox()
    same([sandbox.files.make_dir("a/b/c"), sandbox.files.make_dir("a/b/c")], [True, False])
    same(sandbox.files.get_info("a/b/c").type.value, "dir")
    sandbox.commands.run("touch a/b/c/mine")
    sandbox.files.write("file", "")
    with Fails(SandboxException):
        sandbox.files.make_dir("file/sub")


def files_rename(c):
    sandbox = c.sandbox()
    sandbox.files.write("one/file", "moved")
    file = sandbox.files.rename("one/file", "one/other")
    same((file.name, file.type.value, file.size), ("other", "file", 5))
    folder = sandbox.files.rename("one", "two")
    same((folder.name, folder.type.value), ("two", "dir"))
    same((sandbox.files.read("two/other"), sandbox.files.exists("one")), ("moved", False))
    with Fails(FileNotFoundException):
        sandbox.files.rename("nothing", "something")


def files_remove(c):
    sandbox = c.sandbox()
    sandbox.files.write("dir/sub/file", "x")
    sandbox.files.write("file", "x")
    sandbox.files.remove("file")
    sandbox.files.remove("dir")
    same([sandbox.files.exists(p) for p in ("file", "dir")], [False, False])
    sandbox.files.remove("nothing")


def files_user(c):
    sandbox = c.sandbox()
    same(sandbox.files.write("mine", "x", user="user").path, f"{_home(sandbox)}/mine")
    same(sandbox.files.read("mine", user="user"), "x")
    nobody = {"user": "nobody-we-know"}
    for call in (lambda: sandbox.files.write("mine", "y", **nobody), lambda: sandbox.files.read("mine", **nobody),
                 lambda: sandbox.files.list(".", **nobody), lambda: sandbox.files.remove("mine", **nobody)):
        with Fails(AuthenticationException):
            call()
