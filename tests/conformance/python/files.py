# SPDX-License-Identifier: Apache-2.0
"""The contents of files."""
import hashlib
import io
import os
import urllib.error
import urllib.parse
import urllib.request

from e2b import FileNotFoundException, InvalidArgumentException

from case import Fails, same, true

EVERY_BYTE = bytes(range(256)) * 2


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def _inside(sandbox, path):
    return sandbox.commands.run(f"sha256sum < '{path}'").stdout[:64]


def _bytes(sandbox, path, **more):
    return bytes(sandbox.files.read(path, format="bytes", **more))


def _fetch(url, data=None, headers=()):
    """(status, body), as any other program would."""
    request = urllib.request.Request(url, data=data, headers=dict(headers))
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def files_text(c):
    sandbox = c.sandbox()
    written = sandbox.files.write("note.txt", "grüße\nand more\n")
    same((written.name, written.type.value), ("note.txt", "file"))
    true(written.path.startswith("/") and written.path.endswith("/note.txt"), written.path)
    same(sandbox.files.read("note.txt"), "grüße\nand more\n")
    same(sandbox.files.read(written.path), "grüße\nand more\n")
    sandbox.files.write("note.txt", "short")
    same(sandbox.commands.run("cat note.txt").stdout, "short")


def files_bytes(c):
    sandbox = c.sandbox()
    sandbox.files.write("all", EVERY_BYTE)
    same(_bytes(sandbox, "all"), EVERY_BYTE)
    same(_inside(sandbox, "all"), _sha256(EVERY_BYTE))


def files_forms(c):
    sandbox = c.sandbox()
    sandbox.files.write("object", io.BytesIO(EVERY_BYTE))
    same(_bytes(sandbox, "object"), EVERY_BYTE)
    pieces = [os.urandom(10_000) for _ in range(40)]
    sandbox.files.write("stream", iter(pieces))
    same(_sha256(b"".join(sandbox.files.read("stream", format="stream"))), _sha256(b"".join(pieces)))


def files_empty(c):
    sandbox = c.sandbox()
    sandbox.files.write("empty", "")
    same((sandbox.files.read("empty"), _bytes(sandbox, "empty")), ("", b""))
    same(sandbox.files.get_info("empty").size, 0)


def files_parents(c):
    sandbox = c.sandbox()
    sandbox.files.write("one/two/three/file", "deep")
    same(sandbox.commands.run("cat one/two/three/file; touch one/two/mine").stdout, "deep")


def files_many(c):
    sandbox = c.sandbox()
    files = [{"path": f"many/f {i}", "data": f"text {i}" if i % 2 else EVERY_BYTE[i:]} for i in range(12)]
    same([w.name for w in sandbox.files.write_files(files)], [f"f {i}" for i in range(12)])
    for file in files:
        data = file["data"]
        same(_bytes(sandbox, file["path"]), data.encode() if isinstance(data, str) else data)
    same(sandbox.files.write_files([]), [])


def files_10mb(c):
    sandbox, data = c.sandbox(), os.urandom(10 * 1024 * 1024)
    sandbox.files.write("big", data)
    same(_inside(sandbox, "big"), _sha256(data))
    same(_sha256(_bytes(sandbox, "big")), _sha256(data))


def files_raw(c):
    sandbox, data = c.sandbox(), b"compresses well " * 50_000
    sandbox.files.write("raw", data, use_octet_stream=True)
    same(_inside(sandbox, "raw"), _sha256(data))
    sandbox.files.write("zipped", data, gzip=True)
    same(_inside(sandbox, "zipped"), _sha256(data))
    same(_sha256(_bytes(sandbox, "raw", gzip=True)), _sha256(data))


def files_metadata(c):
    sandbox, kept = c.sandbox(), {"origin": "a test", "kind": "1"}
    same(sandbox.files.write("tagged", "x", metadata={"Origin": "a test", "kind": "1"}).metadata, kept)
    same(sandbox.files.get_info("tagged").metadata, kept)
    sandbox.files.write("plain", "x")
    same(sandbox.files.get_info("plain").metadata, None)


def files_names(c):
    sandbox = c.sandbox()
    for name in ("with space", "percent%20&+=?#", "quotes\"' and back\\slash", "größe-漢字-🦊", "-n", "..."):
        same(sandbox.files.write(f"odd/{name}", name).name, name)
        same(sandbox.files.read(f"odd/{name}"), name)
        same(sandbox.files.get_info(f"odd/{name}").name, name)
    same(len(sandbox.files.list("odd")), 6)


def files_missing(c):
    sandbox = c.sandbox()
    for path in ("nothing", "no/such/folder/file", "/nothing/at/all"):
        with Fails(FileNotFoundException):
            sandbox.files.read(path)


def files_folder_read(c):
    sandbox = c.sandbox()
    sandbox.files.make_dir("folder")
    with Fails(InvalidArgumentException) as failure:
        sandbox.files.read("folder")
    true("directory" in str(failure.error), failure.error)


def files_signed_get(c):
    sandbox = c.sandbox()
    sandbox.files.write("dir/a b&c.txt", "signed for")
    url = sandbox.download_url("dir/a b&c.txt")
    same(_fetch(url), (200, b"signed for"))
    timed = sandbox.download_url("dir/a b&c.txt", use_signature_expiration=60, user="user")
    same(_fetch(timed), (200, b"signed for"))
    past = timed.split("signature_expiration=")[0] + "signature_expiration=1000"
    parts = urllib.parse.urlsplit(url)
    query = {**dict(urllib.parse.parse_qsl(parts.query)), "path": "/etc/passwd"}
    other = urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))
    for wrong in (past, other, url.replace("signature=v1_", "signature=v1_A")):
        same(_fetch(wrong)[0], 401, wrong)
    same(_fetch(url, data=b"x")[0], 401)


def files_signed_put(c):
    sandbox = c.sandbox()
    url = sandbox.upload_url("in/box", use_signature_expiration=60)
    form = (b'--cut\r\nContent-Disposition: form-data; name="file"; filename="named otherwise"\r\n\r\n'
            + EVERY_BYTE + b"\r\n--cut--\r\n")
    status, body = _fetch(url, form, {"Content-Type": "multipart/form-data; boundary=cut"})
    same(status, 200)
    true(b'"box"' in body, body)
    same(_bytes(sandbox, "in/box"), EVERY_BYTE)
    same(_fetch(url)[0], 401)
