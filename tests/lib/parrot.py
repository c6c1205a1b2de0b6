#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for `claude` in a sandbox: says in stream-json what it was given, byte for byte.

The result's text is a JSON object: argv, the prompt's SHA-256, what the environment and the
descriptors show. It calls no model, and says so. A prompt of the form `lines N [delay_ms]`
prints N numbered lines first; `print [[BASE64, TIMES, MS], …] STATUS` prints just these bytes, each so many
times and MS milliseconds behind the one before, and ends with STATUS; PARROT_STARTS names a file that gets one line per start.
"""

import base64
import hashlib
import json
import os
import sys
import time
import uuid

SESSION = str(uuid.uuid4())


def say(**line):
    print(json.dumps({**line, "session_id": SESSION, "uuid": str(uuid.uuid4())}), flush=True)


def token():
    """What the credential's descriptor holds: its length only, a test knows the rest."""
    names = ("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR")
    for name in names:
        if name in os.environ:
            with os.fdopen(int(os.environ[name]), "rb") as held:
                return {"by": name, "bytes": len(held.read().strip())}
    return None


def print_only(steps, status):
    for text, times, delay in steps:
        time.sleep(delay / 1000)
        for _ in range(times):
            sys.stdout.buffer.write(base64.b64decode(text))
        sys.stdout.buffer.flush()
    sys.exit(status)


def main():
    prompt = sys.stdin.buffer.read()
    if prompt.startswith(b"print "):
        steps, _, status = prompt[6:].rpartition(b" ")
        print_only(json.loads(steps), int(status))
    if "PARROT_STARTS" in os.environ:
        with open(os.environ["PARROT_STARTS"], "a") as starts:
            starts.write(SESSION + "\n")
    say(type="system", subtype="init", model="parrot", claude_code_version="0.0.0-parrot",
        simulated=True, cwd=os.getcwd(), tools=[])
    words = prompt.split()
    if words[:1] == [b"lines"]:
        for n in range(1, int(words[1]) + 1):
            say(type="assistant", n=n, message={"id": "m", "model": "parrot", "content": [
                {"type": "text", "text": "line %d %s" % (n, "x" * 200)}]})
            time.sleep(float(words[2]) / 1000 if len(words) > 2 else 0)
    heard = {"argv": sys.argv[1:], "prompt": {"bytes": len(prompt), "sha256": hashlib.sha256(prompt).hexdigest()}, "cwd": os.getcwd(),
             "env": sorted(os.environ), "token": token(), "files": sorted(os.listdir("."))}
    usage = {"parrot": {"inputTokens": len(prompt), "outputTokens": 1, "costUSD": len(prompt) / 1e6}}
    say(type="result", subtype="success", is_error=False, num_turns=1, result=json.dumps(heard),
        duration_ms=1, total_cost_usd=len(prompt) / 1e6, terminal_reason="completed",
        modelUsage=usage, model_usage_since_last_result=usage)


main()
