# SPDX-License-Identifier: Apache-2.0
"""What every case uses: sandboxes that end with the case, waiting for a condition."""
import contextlib
import secrets
import time

from e2b import AsyncSandbox, Sandbox

NOBODY = "i0123456789abcdefghij"  # an id that no sandbox has


class Case:
    def __init__(self, name):
        self.mark = f"{name}-{secrets.token_hex(6)}"  # for finding only one's own
        self.made = []

    def sandbox(self, template="base", timeout=120, **options):
        sandbox = Sandbox.create(template, timeout=timeout, **options)
        self.made.append(sandbox)
        return sandbox

    def release(self):
        for sandbox in self.made:
            with contextlib.suppress(Exception):
                sandbox.kill()


class AsyncCase(Case):
    async def sandbox(self, template="base", timeout=120, **options):
        sandbox = await AsyncSandbox.create(template, timeout=timeout, **options)
        self.made.append(sandbox)
        return sandbox

    async def release(self):
        for sandbox in self.made:
            with contextlib.suppress(Exception):
                await sandbox.kill()


def until(what, condition, seconds=20):
    """Waits for a condition, never for a time."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)
    return found


class Fails:
    """with fails(SomeException) as failure: …; then failure.error"""

    def __init__(self, *kinds):
        self.kinds, self.error = kinds, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if error is None:
            raise AssertionError(f"no error; wanted {[k.__name__ for k in self.kinds]}")
        self.error = error
        return isinstance(error, self.kinds)


def same(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what}\n  found  {_short(found)}\n  wanted {_short(wanted)}".lstrip())


def true(fact, what=""):
    if not fact:
        raise AssertionError(f"not so: {what}")


def _short(value):
    text = repr(value)
    return text if len(text) < 500 else f"{text[:300]} … ({len(text)} characters)"


def collect(paginator):
    pages = []
    while paginator.has_next:
        pages.append(paginator.next_items())
    return pages
