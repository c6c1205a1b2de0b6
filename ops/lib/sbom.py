# SPDX-License-Identifier: Apache-2.0
"""sbom.py NAME VERSION PROGRAM…: what the programs are made of, as CycloneDX 1.6 on standard output.

Each program, and each of Debian's packages that one of its shared libraries comes from, with that
library's digest. Same programs and packages, same text: SOURCE_DATE_EPOCH is the time in it.
"""
import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid


def said(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def digest(path):
    return [{"alg": "SHA-256", "content": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}]


@functools.cache
def needed(path):
    """The names of the libraries that a file itself asks for."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", said("readelf", "-d", "-W", path))


def found(program):
    """{name: path} of all libraries that the loader would take, their libraries included."""
    return dict(re.findall(r"(\S+) => (/\S+)", said("ldd", program)))


@functools.cache
def package_of(path):
    """Debian's name of what the file came with; the loader may know it by a path before /usr was merged."""
    real = os.path.realpath(path)
    for name in (real, real.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.split(": ")[0]
    raise SystemExit(f"error: {path} is of no package")


@functools.cache
def describe(package):
    form = "${Package}\\t${Version}\\t${Architecture}\\t${Maintainer}\\t${binary:Summary}"
    name, version, arch, maintainer, summary = said("dpkg-query", "-W", "-f", form, package).split("\t")
    release = re.search(r'VERSION_ID="?(\d+)', pathlib.Path("/etc/os-release").read_text()).group(1)
    purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={arch}&distro=debian-{release}"
    return {"type": "library", "bom-ref": purl, "supplier": {"name": maintainer}, "name": name, "version": version,
            "description": summary, "purl": purl}


class Parts:
    def __init__(self):
        self.packages, self.files, self.ties = {}, {}, {}

    def library(self, path):
        """The bom-ref of the package; its file is one of it from here on."""
        package = package_of(path)
        part = self.packages.setdefault(package, describe(package))
        self.files.setdefault(part["bom-ref"], set()).add(os.path.realpath(path))
        return part["bom-ref"]

    def tie(self, ref, path, libraries):
        """What the file asks for, package by package, and what that asks for."""
        for name in needed(path):
            if name not in libraries:
                continue  # the loader itself
            to = self.library(libraries[name])
            known = self.ties.setdefault(ref, set())
            if to != ref and to not in known:
                known.add(to)
                self.tie(to, libraries[name], libraries)

    def components(self):
        for part in self.packages.values():
            files = [{"type": "file", "name": os.path.basename(f), "hashes": digest(f)} for f in sorted(self.files[part["bom-ref"]])]
            yield part | {"components": files}


def document(name, version, programs):
    root = f"pkg:generic/{name}@{version}"
    parts, ours = Parts(), []
    for program in programs:
        ref = f"{root}#bin/{os.path.basename(program)}"
        ours.append({"type": "application", "bom-ref": ref, "name": os.path.basename(program), "version": version,
                     "licenses": [{"license": {"id": "Apache-2.0"}}], "hashes": digest(program)})
        parts.ties.setdefault(ref, set())
        parts.tie(ref, program, found(program))
    components = sorted([*ours, *parts.components()], key=lambda c: c["bom-ref"])
    ties = {root: {c["bom-ref"] for c in ours}, **{c["bom-ref"]: set() for c in components}, **parts.ties}
    made = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.UTC)
    doc = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
           "metadata": {"timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "component": {"type": "application", "bom-ref": root, "name": name, "version": version, "purl": root,
                                      "licenses": [{"license": {"id": "Apache-2.0"}}]}},
           "components": components,
           "dependencies": [{"ref": r, "dependsOn": sorted(ties[r])} for r in sorted(ties)]}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(doc, sort_keys=True))
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", **doc}


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    json.dump(document(sys.argv[1], sys.argv[2], sys.argv[3:]), sys.stdout, indent=1)
    print()
