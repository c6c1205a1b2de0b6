# SPDX-License-Identifier: Apache-2.0
"""Asks the vendor's unmodified Python SDK to do each case of ../cases.txt with the server
that E2B_API_URL, E2B_SANDBOX_URL and E2B_API_KEY name: first with its blocking client,
then with its asynchronous one. One line a case.

  python run.py [CASE…]
"""
import asyncio
import concurrent.futures
import importlib
import os
import pathlib
import platform
import sys
import threading
import time
import traceback
from importlib import metadata

from case import AsyncCase, Case

HERE = pathlib.Path(__file__).parent
AREAS = {"p": ("control", "life", "commands", "input", "terminal", "files", "folders", "watch"),
         "a": ("asynchronous",)}
AT_ONCE = 4
SECONDS = 45


def wanted(letter):
    rows = [line.split() for line in (HERE / "../cases.txt").read_text("utf-8").split("\n") if line[:1].isalpha()]
    return [row[0] for row in rows if letter in row[1]]


def load(letter):
    found = {}
    for area in AREAS[letter]:
        module = importlib.import_module(area)
        found.update({k: v for k, v in vars(module).items()
                      if getattr(v, "__module__", "") == area and callable(v) and not k[0].isupper() and k[0] != "_"})
    names = wanted(letter)
    if set(found) != set(names):
        raise SystemExit(f"cases.txt and suite {letter} differ: {set(found) ^ set(names)}")
    asked = sys.argv[1:]
    return [(name, found[name]) for name in names if not asked or name in asked]


def explain(error):
    here = [f"{os.path.basename(f.filename)}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)
            if f.filename.startswith(str(HERE))]
    return f"{type(error).__name__}: {error}\nat {' '.join(here)}"


def tell(name, begun, error):
    """One line, and why when it failed; true when it did not."""
    text = f"{'FAILED' if error else 'ok    '} {name:<26} {round((time.monotonic() - begun) * 1000):>5} ms\n"
    if error:
        text += "".join(f"       {line}\n" for line in explain(error).split("\n"))
    sys.stdout.write(text)
    sys.stdout.flush()
    return not error


def perform(name, body):
    begun, case, errors = time.monotonic(), Case(name), []

    def guarded():
        try:
            body(case)
        except Exception as e:  # whatever it is, the other cases go on
            errors.append(e)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if thread.is_alive():
        errors.append(TimeoutError(f"not done within {SECONDS} s"))
    case.release()
    return tell(name, begun, errors[0] if errors else None)


async def perform_async(name, body, gate):
    async with gate:
        begun, error, case = time.monotonic(), None, AsyncCase(name)
        try:
            await asyncio.wait_for(body(case), SECONDS)
        except Exception as e:
            error = e
        await case.release()
        return tell(f"{name} (async)", begun, error)


def blocking():
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda row: perform(*row), load("p")))


async def asynchronous():
    gate = asyncio.Semaphore(AT_ONCE)
    return await asyncio.gather(*(perform_async(name, body, gate) for name, body in load("a")))


def main():
    begun = time.monotonic()
    results = blocking() + asyncio.run(asynchronous())
    print(f"python: PyPI e2b {metadata.version('e2b')}, Python {platform.python_version()}: "
          f"{sum(results)} of {len(results)} cases passed ({time.monotonic() - begun:.1f} s)")
    sys.stdout.flush()
    os._exit(0 if results and all(results) else 1)  # a case that hangs must not hold the rest


main()
