#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""anthropic_stub.py - an offline stand-in for the Anthropic Messages API.

Python standard library only.  It plays scripted conversations over loopback so
that the REAL `claude` command line program can be run in tests with no network
and no credentials:

    python3 anthropic_stub.py --port 8787 --log requests.ndjson &

    env -i PATH="$PATH" HOME="$(mktemp -d)" \
        ANTHROPIC_BASE_URL=http://127.0.0.1:8787 \
        ANTHROPIC_API_KEY=sk-ant-api03-stub \
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1 \
        IS_SANDBOX=1 \
        claude -p '[[stub:bash]] list the files' \
            --output-format stream-json --verbose --dangerously-skip-permissions

`IS_SANDBOX=1` is needed only when the program runs as root.

Which scenario is played
------------------------
In this order:
  1. a pending fault posted to /__stub/fault (see below);
  2. the request header `x-stub-scenario: NAME key=value ...`
     (the CLI sends it when ANTHROPIC_CUSTOM_HEADERS='x-stub-scenario: NAME ...');
  3. the newest marker `[[stub:NAME key=value ...]]` in a user text of the
     conversation;
  4. `echo`, which answers with the user's own words.
A scenario is a list of steps.  The step is chosen by counting the assistant
messages after the user message that selected it, so the stub keeps no
conversation state and a replayed or resumed conversation gets the same answer.
A sub-agent's first user message is a conversation of its own: put a marker in
the prompt given to the Agent tool to script it.

Requests of the CLI's own making get a short fixed text: those without tools
and without a marker, and the one that asks for a summary of the conversation
when the context is full (scenario name `compact` in the log).

Control endpoints
-----------------
  GET  /__stub/health      {"ok": true, "requests": N}
  GET  /__stub/scenarios   names with their one-line descriptions
  GET  /__stub/requests    what was received (method, path, model, key ending,
                           scenario, step, status, bytes, times); no bodies
  POST /__stub/fault       {"status": 529, "times": 3, "retry_after": 1,
                            "type": "overloaded_error", "message": "..."}
                           answers the next `times` message requests with it
  POST /__stub/reset       forgets requests and faults

Everything else that the CLI may probe answers 404 with an API-shaped error.
"""

import argparse
import base64
import hashlib
import json
import re
import shlex
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMPACT = re.compile(r"CRITICAL: Respond with TEXT ONLY|Your task is to create a detailed summary")
MARK = re.compile(r"\[\[stub:([A-Za-z0-9_]+)((?:\s+[^\]]*)?)\]\]")

# --------------------------------------------------------------------------
# building blocks of a step


def text(s):
    return {"type": "text", "text": s}


def think(s):
    return {"type": "thinking", "thinking": s}


def tool(tool_name, **inp):
    return {"type": "tool_use", "name": tool_name, "input": inp}


def step(*blocks, **opt):
    """One model answer.  Options: stop, usage (dict), delay_ms (before the
    first byte), gap_ms (between deltas), chunk (characters a delta), cut
    (drop the connection after that many SSE events), stall_s (sleep once,
    half way), sse_error (dict sent as an `error` event half way)."""
    d = {"blocks": list(blocks)}
    d.update(opt)
    return d


def error(status, etype=None, message=None, **opt):
    types = {400: "invalid_request_error", 401: "authentication_error",
             402: "billing_error", 403: "permission_error",
             404: "not_found_error", 413: "request_too_large",
             429: "rate_limit_error", 500: "api_error", 503: "api_error",
             504: "timeout_error", 529: "overloaded_error"}
    texts = {401: "invalid x-api-key", 429: "This request would exceed the rate limit for your organization.",
             500: "Internal server error", 529: "Overloaded",
             404: "model: not found", 413: "Request exceeds the maximum size"}
    d = {"error": {"status": int(status), "type": etype or types.get(int(status), "api_error"),
                   "message": message or texts.get(int(status), "stub error %s" % status)}}
    d.update(opt)
    return d


def tiny_png(w=8, h=8, rgb=(200, 80, 40)):
    row = b"\0" + bytes(rgb) * w
    def chunk(t, d):
        return struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(row * h)) + chunk(b"IEND", b""))


NASTY = ("plain | caf\u00e9 na\u00efve | \u65e5\u672c\u8a9e \u4e2d\u6587 \ud55c\uad6d\uc5b4 | "
         "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea | "
         "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e8\U0001f1ed \U0001f44d\U0001f3fd | "
         "e\u0301 zalgo: Z\u0351\u036b\u0343 | nbsp[\u00a0] zwsp[\u200b] bom[\ufeff] | "
         "ls[\u2028] ps[\u2029] nel[\u0085] | quote[\"] back[\\] slash[/] tab[\t] cr[\r] lf[\n] | "
         "esc[\u001b[31mred\u001b[0m] bel[\u0007] del[\u007f] | nul[\u0000] | "
         "noncharacter[\uffff] last[\U0010ffff] | </script><b>html</b> | \\u0000 literal | ${x} `y` $(z)")

# --------------------------------------------------------------------------
# scenarios: name -> function(params, request) -> list of steps

SCENARIOS = {}


def scenario(f):
    SCENARIOS[f.__name__.lstrip("_")] = f
    return f


def num(p, k, d):
    try:
        return type(d)(p.get(k, d))
    except ValueError:
        return d


@scenario
def echo(p, r):
    """answers with the user's own words"""
    said = MARK.sub("", r["user_text"]).strip()
    return [step(text("You said: " + (said if len(said) < 2000 else said[:200] + "...")))]


@scenario
def _text(p, r):
    """a short Markdown answer in several deltas"""
    return [step(text("# Answer\n\nThe capital of France is **Paris**.\n\n- it lies on the Seine\n- `2 + 2 = 4`\n"),
                 usage={"input_tokens": 1200, "output_tokens": 42, "cache_read_input_tokens": 9000,
                        "cache_creation_input_tokens": 300})]


@scenario
def slow(p, r):
    """n=40 deltas, delay_ms=0 before the first, gap_ms=100 between them"""
    n = num(p, "n", 40)
    words = " ".join("word%03d" % i for i in range(n))
    return [step(text(words), chunk=8, delay_ms=num(p, "delay_ms", 0), gap_ms=num(p, "gap_ms", 100),
                 usage={"output_tokens": n})]


@scenario
def longtext(p, r):
    """one text block of bytes=100000 characters"""
    n = num(p, "bytes", 100000)
    line = "The quick brown fox jumps over the lazy dog. "
    return [step(text((line * (n // len(line) + 1))[:n]), chunk=num(p, "chunk", 4096))]


@scenario
def thinking(p, r):
    """a thinking block, then text"""
    return [step(think("The user wants a number. Six times seven is forty-two."), text("42"),
                 usage={"output_tokens": 61, "output_tokens_details": {"thinking_tokens": 48}})]


@scenario
def redacted(p, r):
    """a redacted thinking block, a thinking block and text"""
    return [step({"type": "redacted_thinking", "data": base64.b64encode(b"opaque" * 20).decode()},
                 think("short"), text("done"))]


@scenario
def bash(p, r):
    """one Bash call (cmd=...), then text"""
    cmd = p.get("cmd", "printf 'one\\ntwo\\n'; echo oops >&2")
    return [step(text("I'll run a command."), tool("Bash", command=cmd, description="Run a command"), stop="tool_use"),
            step(text("The command printed its lines."))]


@scenario
def bash_fail(p, r):
    """a Bash call that exits 3, then text"""
    return [step(tool("Bash", command="echo partial; echo bad >&2; exit 3", description="Fail"), stop="tool_use"),
            step(text("It failed with exit code 3."))]


@scenario
def files(p, r):
    """Write, Read, Edit, Bash, then text: four tool rounds"""
    d = p.get("dir", r["cwd"] or ".")
    f = d + "/notes.txt"
    return [step(text("Creating the file."), tool("Write", file_path=f, content="alpha\nbeta\ngamma\n"), stop="tool_use"),
            step(tool("Read", file_path=f), stop="tool_use"),
            step(tool("Edit", file_path=f, old_string="beta", new_string="BETA \u2713"), stop="tool_use"),
            step(tool("Bash", command="cat notes.txt", description="Show the file"), stop="tool_use"),
            step(text("Done: notes.txt now says BETA."))]


@scenario
def parallel(p, r):
    """three tools in one message: two Bash and a Read of a missing file"""
    d = r["cwd"] or "."
    return [step(text("Three things at once."),
                 tool("Bash", command="echo first", description="First"),
                 tool("Bash", command="sleep 0.3; echo second", description="Second"),
                 tool("Read", file_path=d + "/no-such-file.txt"), stop="tool_use"),
            step(text("Two worked, one file is missing."))]


@scenario
def subagent(p, r):
    """one Agent call whose sub-agent runs a Bash call, then text; bg=0 asks for the foreground"""
    inp = {"description": "Count files", "prompt": "[[stub:sub_worker]] Count the files here.",
           "subagent_type": p.get("kind", "general-purpose")}
    if "bg" in p:
        inp["run_in_background"] = p["bg"] not in ("0", "false")
    return [step(text("I'll ask an agent."), tool("Agent", **inp), stop="tool_use"),
            step(text("The agent counted the files.")), step(text("Noted, the agent is done."))]


@scenario
def subagents(p, r):
    """two Agent calls in one message, foreground, then text"""
    return [step(tool("Agent", description="Task A", prompt="[[stub:sub_worker tag=A]] Do A.", subagent_type="general-purpose",
                      run_in_background=False),
                 tool("Agent", description="Task B", prompt="[[stub:sub_worker tag=B]] Do B.", subagent_type="general-purpose",
                      run_in_background=False), stop="tool_use"),
            step(text("Both agents reported."))]


@scenario
def sub_worker(p, r):
    """what a scripted sub-agent does: think, one Bash call, report"""
    t = p.get("tag", "")
    return [step(think("I should list them."), tool("Bash", command="echo worker%s; ls | wc -l" % t, description="Count"), stop="tool_use"),
            step(text("Report%s: 3 files." % t))]


@scenario
def todo(p, r):
    """keeps a task list with the list tool that the request offers, then text (the CLI offers TaskCreate with CLAUDE_CODE_ENABLE_TODO_TOOLS=1 ENABLE_TOOL_SEARCH=false, and TodoWrite with CLAUDE_CODE_ENABLE_TASKS=0 besides)"""
    names = r["tools"]
    if "TodoWrite" in names:
        def lst(*st):
            return tool("TodoWrite", todos=[{"content": c, "activeForm": c + " (doing)", "status": s}
                                           for c, s in zip(("Read code", "Fix bug", "Run tests"), st)])
        return [step(lst("in_progress", "pending", "pending"), stop="tool_use"),
                step(lst("completed", "in_progress", "pending"), stop="tool_use"),
                step(lst("completed", "completed", "completed"), stop="tool_use"), step(text("All three are done."))]
    if "TaskCreate" in names:
        return [step(tool("TaskCreate", subject="Read code", description="Read it", activeForm="Reading"),
                     tool("TaskCreate", subject="Fix bug", description="Fix it", activeForm="Fixing"), stop="tool_use"),
                step(tool("TaskUpdate", taskId="1", status="in_progress"), stop="tool_use"),
                step(tool("TaskUpdate", taskId="1", status="completed"), stop="tool_use"), step(text("One of two is done."))]
    return [step(text("No list tool was offered."))]


@scenario
def plan(p, r):
    """calls ExitPlanMode (the CLI does not offer it without a user), then text"""
    return [step(text("Here is my plan."), tool("ExitPlanMode", plan="1. Look\n2. Change\n3. Test"), stop="tool_use"),
            step(text("Planned."))]


@scenario
def ask(p, r):
    """asks the user a question (nobody is there to answer)"""
    return [step(tool("AskUserQuestion", questions=[{"question": "Which colour?", "header": "Colour", "multiSelect": False,
                 "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cool"}]}]), stop="tool_use"),
            step(text("Nobody answered."))]


@scenario
def unicode(p, r):
    """awkward characters in text, in a tool's input and in its output"""
    return [step(text(NASTY), chunk=7, stop="end_turn") if p.get("only") == "text" else
            step(text(NASTY), tool("Bash", command="printf 'nul[\\0] esc[\\033[1m] bad[\\377\\376] lone[\\355\\240\\200] ok[\\342\\234\\223]\\n'",
                                   description="\U0001f4a9 \u2028 print"), stop="tool_use", chunk=7),
            step(text("after \u0000 nul and \U0001f600 emoji"), chunk=3)]


@scenario
def surrogate(p, r):
    """a lone UTF-16 surrogate escape in the streamed JSON"""
    return [step({"type": "text", "text": "lone[@@LONE@@]", "raw_replace": ["@@LONE@@", "\\ud83d"]}, chunk=100)]


@scenario
def bigwrite(p, r):
    """Write a file of bytes=1000000 characters, then text"""
    n = num(p, "bytes", 1000000)
    body = "".join("%08d abcdefghijklmnopqrstuvwxyz 0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ....\n" % i for i in range(n // 80 + 1))[:n]
    return [step(tool("Write", file_path=(r["cwd"] or ".") + "/big.txt", content=body), stop="tool_use", chunk=65536),
            step(text("Wrote it."))]


@scenario
def bigedit(p, r):
    """Bash makes a file of bytes=1000000, Read it in part, Edit one line, then text"""
    f = (r["cwd"] or ".") + "/bigedit.txt"
    n = num(p, "bytes", 1000000)
    return [step(tool("Bash", command="{ echo MARK; yes 'some filler line of forty-odd characters here' | head -c %d; } > %s" % (n, shlex.quote(f)),
                      description="Make a big file"), stop="tool_use"),
            step(tool("Read", file_path=f, offset=1, limit=5), stop="tool_use"),
            step(tool("Edit", file_path=f, old_string="MARK", new_string="MARKED"), stop="tool_use"),
            step(text("Edited."))]


@scenario
def bigbash(p, r):
    """Bash prints bytes=1000000, then text; oneline=1 for a single line"""
    n = num(p, "bytes", 1000000)
    cmd = ("head -c %d /dev/zero | tr '\\0' x" % n if p.get("oneline")
           else "yes 'line of output with some words in it' | head -c %d" % n)
    return [step(tool("Bash", command=cmd, description="Print a lot"), stop="tool_use"), step(text("That was a lot."))]


@scenario
def mcpbig(p, r):
    """calls tool=NAME (mcp__stub__blob: an MCP server called stub must offer it) with n=BYTES, then text"""
    return [step(tool(p.get("tool", "mcp__stub__blob"), n=num(p, "n", 1000)), stop="tool_use"), step(text("Got the blob."))]


@scenario
def image(p, r):
    """makes a PNG with Bash, Reads it (an image in the tool result), then text"""
    w = num(p, "px", 8)
    b = base64.b64encode(tiny_png(w, w)).decode()
    f = (r["cwd"] or ".") + "/dot.png"
    return [step(tool("Bash", command="printf %%s %s | base64 -d > dot.png" % b, description="Make a picture"), stop="tool_use"),
            step(tool("Read", file_path=f), stop="tool_use"), step(text("An orange square."))]


@scenario
def sleep(p, r):
    """a Bash command that takes s=30 seconds, then text (the CLI refuses a plain `sleep 30`)"""
    return [step(text("Sleeping."), tool("Bash", command="timeout %s tail -f /dev/null; echo awake" % p.get("s", "30"), description="Wait",
                                         timeout=600000), stop="tool_use"), step(text("Awake."))]


@scenario
def bgbash(p, r):
    """a background Bash of s=2 seconds; the model ends its turn at once"""
    return [step(tool("Bash", command="timeout %s tail -f /dev/null; echo bg-done" % p.get("s", "2"), description="Background", run_in_background=True),
                 stop="tool_use"), step(text("Started it in the background.")), step(text("The background job is done."))]


@scenario
def loop(p, r):
    """a Bash call every turn, n=50 turns (for --max-turns and --max-budget-usd)"""
    n = num(p, "n", 50)
    u = {"input_tokens": num(p, "in", 1000), "output_tokens": num(p, "out", 200)}
    return [step(tool("Bash", command="echo turn %d" % i, description="Turn"), stop="tool_use", usage=u) for i in range(n)] + [step(text("Finished."), usage=u)]


@scenario
def costly(p, r):
    """one answer with large token counts: in=, out=, read=, write="""
    return [step(text("Expensive."), usage={"input_tokens": num(p, "in", 100000), "output_tokens": num(p, "out", 50000),
                                            "cache_read_input_tokens": num(p, "read", 0),
                                            "cache_creation_input_tokens": num(p, "write", 0)})]


@scenario
def badtool(p, r):
    """calls a tool that does not exist, then one with wrong input, then text"""
    return [step(tool("Teleport", where="Mars"), stop="tool_use"),
            step(tool("Read", path=123), stop="tool_use"), step(text("Neither worked."))]


@scenario
def brokeninput(p, r):
    """streams a tool input that is not whole JSON, then text"""
    return [step({"type": "tool_use", "name": "Bash", "input": {}, "raw_json": "{\"command\": \"echo hi\", \"descr"}, stop="tool_use"),
            step(text("Recovered."))]


@scenario
def empty(p, r):
    """an answer with no content blocks"""
    return [step()] * 6


@scenario
def blank(p, r):
    """an answer whose only text is white space"""
    return [step(text("  \n\n"))] * 6


@scenario
def maxtokens(p, r):
    """answers that stop at max_tokens"""
    return [step(text("This sentence stops in the mid"), stop="max_tokens")] * 8


@scenario
def refusal(p, r):
    """stop_reason refusal"""
    return [step(text("I can't help with"), stop="refusal")] * 4


@scenario
def structured(p, r):
    """answers through the StructuredOutput tool; bad=1 sends a wrong shape first"""
    good = step(tool("StructuredOutput", name="Paris", population=2100000), stop="tool_use")
    first = [step(tool("StructuredOutput", nome="Parigi"), stop="tool_use")] if p.get("bad") else []
    return first + [good, step(text("Structured."))]


@scenario
def fail(p, r):
    """HTTP error status=529 on every try; type=, message=, retry_after=, should_retry="""
    opt = {}
    h = {}
    if "retry_after" in p:
        h["retry-after"] = p["retry_after"]
    if "should_retry" in p:
        h["x-should-retry"] = p["should_retry"]
    if h:
        opt["headers"] = h
    return [error(num(p, "status", 529), p.get("type"), p.get("message", "").replace("_", " ") or None, **opt)]


@scenario
def flaky(p, r):
    """HTTP error status=529 for the first times=2 tries of a session, then text"""
    opt = {"times": num(p, "times", 2), "then": step(text("Recovered after errors."))}
    if "retry_after" in p:
        opt["headers"] = {"retry-after": p["retry_after"]}
    return [error(num(p, "status", 529), p.get("type"), None, **opt)]


@scenario
def limit(p, r):
    """429 with the unified subscription-limit headers; reset=SECONDS from now, kind=five_hour"""
    reset = str(int(time.time()) + num(p, "reset", 3600))
    kind = p.get("kind", "five_hour")
    return [error(429, "rate_limit_error", "This request would exceed your account's rate limit. Please try again later.",
                  headers={"anthropic-ratelimit-unified-status": "rejected",
                           "anthropic-ratelimit-unified-reset": reset,
                           "anthropic-ratelimit-unified-representative-claim": kind,
                           "anthropic-ratelimit-unified-overage-status": "rejected",
                           "anthropic-ratelimit-unified-overage-disabled-reason": "org_level_disabled",
                           "anthropic-ratelimit-unified-5h-status": "rejected",
                           "anthropic-ratelimit-unified-5h-reset": reset,
                           "anthropic-ratelimit-unified-5h-utilization": "1.0",
                           "retry-after": p.get("retry_after", "3600"), "x-should-retry": "false"})]


@scenario
def limitwarn(p, r):
    """a good answer whose headers say that the 5-hour limit is near"""
    reset = str(int(time.time()) + num(p, "reset", 3600))
    return [step(text("Answered, but the limit is near."),
                 headers={"anthropic-ratelimit-unified-status": "allowed_warning",
                          "anthropic-ratelimit-unified-reset": reset,
                          "anthropic-ratelimit-unified-representative-claim": "five_hour",
                          "anthropic-ratelimit-unified-5h-status": "allowed_warning",
                          "anthropic-ratelimit-unified-5h-reset": reset,
                          "anthropic-ratelimit-unified-5h-utilization": "0.93",
                          "anthropic-ratelimit-unified-5h-surpassed-threshold": "0.9"})]


@scenario
def cut(p, r):
    """drops the connection after k=6 SSE events; times=1 then answers"""
    return [step(text("This answer is cut somewhere in the middle of it."), chunk=6, cut=num(p, "k", 6),
                 times=num(p, "times", 1), then=step(text("Whole answer.")))]


@scenario
def cut_second(p, r):
    """drops the connection inside the second block, after the first was whole; times=1 then the same whole"""
    blocks = [text("First block, complete."), tool("Bash", command="echo from-the-retried-message", description="Retried")]
    return [step(*blocks, stop="tool_use", chunk=12, cut=num(p, "k", 8), times=num(p, "times", 1), then=step(*blocks, stop="tool_use")),
            step(text("Done after the retry."))]


@scenario
def sseerror(p, r):
    """an `error` event in mid-stream; times=1 then answers"""
    return [step(text("This answer breaks in the middle."), chunk=6,
                 sse_error={"type": p.get("type", "overloaded_error"), "message": "Overloaded"},
                 times=num(p, "times", 1), then=step(text("Whole answer.")))]


@scenario
def stall(p, r):
    """stops sending for s=30 seconds half way through"""
    return [step(text("Half of it came. And the other half."), chunk=6, stall_s=num(p, "s", 30.0))]


@scenario
def stall_start(p, r):
    """accepts the request and sends nothing for s=30 seconds"""
    return [step(text("Late."), delay_ms=int(num(p, "s", 30.0) * 1000))]


@scenario
def compact(p, r):
    """the summary that the CLI asks for when the context is full"""
    return [step(text("<analysis>short</analysis>\n<summary>\nThe user asked for a scripted run; two commands were run.\n</summary>"))]


@scenario
def full_context(p, r):
    """a turn whose usage fills the context (tokens=980000): the CLI compacts, then the rest is answered by `echo`"""
    n = num(p, "tokens", 980000)
    return [step(tool("Bash", command="echo one", description="One"), stop="tool_use", usage={"input_tokens": n, "output_tokens": 10}),
            step(text("Carried on after compaction."))]


@scenario
def marathon(p, r):
    """n=100 tool rounds with text, for a long transcript"""
    n = num(p, "n", 100)
    return [step(text("Round %d of %d." % (i + 1, n)), tool("Bash", command="echo round-%d" % i, description="Round"), stop="tool_use")
            for i in range(n)] + [step(text("All %d rounds done." % n))]


# --------------------------------------------------------------------------
# picking the step


def user_texts(msg):
    c = msg.get("content")
    if isinstance(c, str):
        return [c]
    return [b.get("text", "") for b in c or [] if isinstance(b, dict) and b.get("type") == "text"]


def parse_params(s):
    out = {}
    try:
        words = shlex.split(s)
    except ValueError:
        words = s.split()
    for w in words:
        k, _, v = w.partition("=")
        out[k] = v if _ else "1"
    return out


def choose(body, header):
    """-> (name, params, step index, request facts)"""
    msgs = [m for m in body.get("messages", []) if m.get("role") in ("user", "assistant")]
    name, params, at = None, {}, 0
    said = ""
    if msgs and msgs[-1]["role"] == "user" and any(COMPACT.match(t) for t in user_texts(msgs[-1])):
        return "compact", {}, 0, {"user_text": "", "tools": [], "cwd": "", "model": body.get("model", "")}
    for i, m in enumerate(msgs):
        if m["role"] != "user":
            continue
        for t in user_texts(m):
            for mk in MARK.finditer(t):
                name, params, at, said = mk.group(1), parse_params(mk.group(2)), i, t
            if not t.lstrip().startswith("<system-reminder>"):
                said = t if name is None or i > at else said
    if header:
        w = header.split(None, 1)
        name, params = w[0], parse_params(w[1] if len(w) > 1 else "")
        users = [i for i, m in enumerate(msgs) if m["role"] == "user" and not any(
            isinstance(b, dict) and b.get("type") == "tool_result" for b in (m["content"] if isinstance(m["content"], list) else []))]
        at = users[-1] if users else 0
    if name is None:
        for i, m in enumerate(msgs):
            if m["role"] == "user" and any(t == said for t in user_texts(m)):
                at = i
    index = sum(1 for m in msgs[at:] if m["role"] == "assistant")
    blob = json.dumps(body.get("system", "")) + json.dumps([m for m in body.get("messages", []) if m.get("role") == "system"])
    m = re.search(r"(?:Primary working directory|Working directory): ([^\\\n\"]+)", blob)
    facts = {"user_text": said, "tools": [t.get("name") for t in body.get("tools", [])],
             "cwd": m.group(1).strip() if m else "", "model": body.get("model", "")}
    return name, params, index, facts


class Stub:
    def __init__(self, opt):
        self.opt = opt
        self.lock = threading.Lock()
        self.seq = 0
        self.dumped = 0
        self.requests = []
        self.tries = {}
        self.fault = None
        self.log = open(opt.log, "a", buffering=1) if opt.log else None

    def next_id(self, prefix):
        with self.lock:
            self.seq += 1
            n = self.seq
        h = hashlib.sha256(("%s:%d:%d" % (prefix, self.opt.seed, n)).encode()).hexdigest()
        return "%s_01%s" % (prefix, h[:22])

    def record(self, rec):
        with self.lock:
            self.requests.append(rec)
            if self.log:
                self.log.write(json.dumps(rec) + "\n")

    def first_tries(self, key, times):
        """True for the first `times` calls with this key."""
        with self.lock:
            n = self.tries.get(key, 0)
            self.tries[key] = n + 1
        return n < times


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub = None

    def log_message(self, *a):
        pass

    # -- plumbing
    def send_json(self, status, obj, headers=None):
        data = json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for k, v in (headers or {}).items():
            self.send_header(k, v)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def api_error(self, status, etype, message, headers=None):
        rid = self.stub.next_id("req")
        h = {"request-id": rid}
        h.update(headers or {})
        self.send_json(status, {"type": "error", "error": {"type": etype, "message": message}, "request_id": rid}, h)

    def body(self):
        n = int(self.headers.get("content-length") or 0)
        return self.rfile.read(n) if n else b""

    # -- routes
    def do_GET(self):
        s = self.stub
        if self.path == "/__stub/health":
            return self.send_json(200, {"ok": True, "requests": len(s.requests)})
        if self.path == "/__stub/requests":
            return self.send_json(200, s.requests)
        if self.path == "/__stub/scenarios":
            return self.send_json(200, {k: v.__doc__ for k, v in sorted(SCENARIOS.items())})
        return self.api_error(404, "not_found_error", "Not found")

    do_HEAD = do_GET

    def do_POST(self):
        s = self.stub
        t0 = time.time()
        raw = self.body()
        path = self.path.split("?")[0]
        if path == "/__stub/reset":
            with s.lock:
                s.requests, s.tries, s.fault = [], {}, None
            return self.send_json(200, {"ok": True})
        if path == "/__stub/fault":
            with s.lock:
                s.fault = json.loads(raw or b"{}")
            return self.send_json(200, {"ok": True})
        if path == "/v1/messages/count_tokens":
            return self.send_json(200, {"input_tokens": max(1, len(raw) // 4)})
        if path != "/v1/messages":
            return self.api_error(404, "not_found_error", "Not found")
        try:
            body = json.loads(raw)
        except ValueError:
            return self.api_error(400, "invalid_request_error", "The request body is not valid JSON")
        if s.opt.dump:
            with s.lock:
                s.dumped += 1
                n = s.dumped
            with open("%s/%05d.json" % (s.opt.dump, n), "wb") as f:
                f.write(raw)
        name, params, index, facts = choose(body, self.headers.get("x-stub-scenario"))
        aux = name is None and not facts["tools"]
        key = self.headers.get("x-api-key") or (self.headers.get("authorization") or "").replace("Bearer ", "")
        rec = {"t": round(t0, 3), "model": body.get("model"), "stream": bool(body.get("stream")), "bytes": len(raw),
               "tools": len(facts["tools"]), "scenario": name or ("aux" if aux else "echo"), "step": index,
               "session": self.headers.get("x-claude-code-session-id"), "retry": self.headers.get("x-stainless-retry-count"),
               "auth": ("x-api-key" if self.headers.get("x-api-key") else "bearer" if key else "none"), "key_end": key[-4:],
               "said": [t[:80] for m in body.get("messages", []) if m.get("role") == "user" for t in user_texts(m)
                        if not t.lstrip().startswith("<system-reminder>")],
               "messages": len(body.get("messages", [])), "user_agent": self.headers.get("user-agent")}
        if s.opt.require_key and key != s.opt.require_key:
            rec["status"] = 401
            s.record(rec)
            return self.api_error(401, "authentication_error", "invalid x-api-key")
        with s.lock:
            f = s.fault
            if f:
                f["times"] = f.get("times", 1) - 1
                if f["times"] <= 0:
                    s.fault = None
        if f:
            e = error(f.get("status", 529), f.get("type"), f.get("message"))["error"]
            rec["status"] = e["status"]
            s.record(rec)
            h = {"retry-after": str(f["retry_after"])} if "retry_after" in f else None
            return self.api_error(e["status"], e["type"], e["message"], h)
        if aux:
            steps, index = [step(text("stub"), usage={"input_tokens": 10, "output_tokens": 1})], 0
        elif (name or "echo") not in SCENARIOS:
            rec["status"] = 400
            s.record(rec)
            return self.api_error(400, "invalid_request_error", "stub: no scenario called " + name)
        else:
            steps = SCENARIOS[name or "echo"](params, facts)
        st = steps[min(index, len(steps) - 1)]
        if "times" in st:
            if not s.first_tries((rec["session"], name, index), st["times"]):
                st = st["then"]
        if "error" in st:
            e = st["error"]
            rec["status"] = e["status"]
            s.record(rec)
            return self.api_error(e["status"], e["type"], e["message"], st.get("headers"))
        rec["status"] = 200
        rec["stop"] = st.get("stop", "end_turn")
        s.record(rec)
        if st.get("delay_ms"):
            time.sleep(st["delay_ms"] / 1000.0)
        try:
            if body.get("stream"):
                self.stream(body, st)
            else:
                self.whole(body, st)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # -- answers
    def usage(self, st, body):
        u = {"input_tokens": max(3, len(json.dumps(body.get("messages", []))) // 4), "cache_creation_input_tokens": 0,
             "cache_read_input_tokens": 0, "output_tokens": max(1, sum(len(json.dumps(b)) for b in st["blocks"]) // 4)}
        u["input_tokens"] = 100 if self.stub.opt.fixed_usage else u["input_tokens"]
        u.update(st.get("usage", {}))
        return u

    def ids(self, st):
        out = []
        for b in st["blocks"]:
            b = dict(b)
            if b["type"] == "tool_use":
                b.setdefault("id", self.stub.next_id("toolu"))
            out.append(b)
        return out

    def whole(self, body, st):
        blocks = []
        for b in self.ids(st):
            b.pop("raw_json", None)
            b.pop("raw_replace", None)
            if b["type"] == "thinking":
                b["signature"] = base64.b64encode(b"stub-signature").decode()
            blocks.append(b)
        self.send_json(200, {"id": self.stub.next_id("msg"), "type": "message", "role": "assistant", "model": body.get("model"),
                             "content": blocks, "stop_reason": st.get("stop", "end_turn"), "stop_sequence": None,
                             "usage": self.usage(st, body)}, {"request-id": self.stub.next_id("req")})

    def stream(self, body, st):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header("request-id", self.stub.next_id("req"))
        for k, v in st.get("headers", {}).items():
            self.send_header(k, v)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        u = self.usage(st, body)
        first = dict(u, output_tokens=1)
        first.pop("output_tokens_details", None)
        events = [("message_start", {"message": {"id": self.stub.next_id("msg"), "type": "message", "role": "assistant",
                   "model": body.get("model"), "content": [], "stop_reason": None, "stop_sequence": None, "usage": first}}, None)]
        chunk = st.get("chunk", 24)
        for i, b in enumerate(self.ids(st)):
            start, deltas = self.deltas(b, chunk)
            events.append(("content_block_start", {"index": i, "content_block": start}, None))
            if i == 0:
                events.append(("ping", {}, None))
            for d in deltas:
                events.append(("content_block_delta", {"index": i, "delta": d}, b.get("raw_replace")))
            events.append(("content_block_stop", {"index": i}, None))
        tail = {"output_tokens": u["output_tokens"]}
        if "output_tokens_details" in u:
            tail["output_tokens_details"] = u["output_tokens_details"]
        events.append(("message_delta", {"delta": {"stop_reason": st.get("stop", "end_turn"), "stop_sequence": None}, "usage": tail}, None))
        events.append(("message_stop", {}, None))
        half = max(1, len(events) // 2)
        gap = st.get("gap_ms", self.stub.opt.gap_ms) / 1000.0
        for n, (t, d, rep) in enumerate(events):
            if st.get("cut") is not None and n >= st["cut"]:
                self.connection.close()
                return
            if n == half and st.get("stall_s"):
                time.sleep(st["stall_s"])
            if n == half and st.get("sse_error"):
                self.event("error", {"error": st["sse_error"]}, None)
                return
            if gap and t == "content_block_delta":
                time.sleep(gap)
            self.event(t, d, rep)

    def event(self, t, d, rep):
        s = json.dumps(dict({"type": t}, **d))
        if rep:
            s = s.replace(rep[0], rep[1])
        self.wfile.write(("event: %s\ndata: %s\n\n" % (t, s)).encode())
        self.wfile.flush()

    @staticmethod
    def deltas(b, chunk):
        cut = lambda s: [s[k:k + chunk] for k in range(0, len(s), chunk)]
        if b["type"] == "text":
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": x} for x in cut(b["text"])]
        if b["type"] == "thinking":
            return ({"type": "thinking", "thinking": "", "signature": ""},
                    [{"type": "thinking_delta", "thinking": x} for x in cut(b["thinking"])]
                    + [{"type": "signature_delta", "signature": base64.b64encode(b"stub-signature").decode()}])
        if b["type"] == "tool_use":
            js = b.get("raw_json") or json.dumps(b["input"], ensure_ascii=False)
            return ({"type": "tool_use", "id": b["id"], "name": b["name"], "input": {}},
                    [{"type": "input_json_delta", "partial_json": x} for x in [""] + cut(js)])
        return b, []


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, addr):
        pass


def main():
    a = argparse.ArgumentParser(description="offline stand-in for the Anthropic Messages API")
    a.add_argument("--host", default="127.0.0.1")
    a.add_argument("--port", type=int, default=0, help="0 picks a free port")
    a.add_argument("--port-file", help="write the port here once listening")
    a.add_argument("--log", help="append one JSON line per message request (no bodies, keys reduced to 4 characters)")
    a.add_argument("--dump", help="write every message request body into this folder, as NNNNN.json")
    a.add_argument("--seed", type=int, default=1, help="changes the generated ids")
    a.add_argument("--gap-ms", type=int, default=0, help="pause before every delta")
    a.add_argument("--require-key", help="answer 401 to any other key or token")
    a.add_argument("--tls", help="a PEM file with key and certificate: answer by TLS")
    a.add_argument("--fixed-usage", action="store_true", help="input_tokens is always 100 unless the scenario says otherwise")
    opt = a.parse_args()
    Handler.stub = Stub(opt)
    srv = Server((opt.host, opt.port), Handler)
    if opt.tls:
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(opt.tls)
        srv.socket = context.wrap_socket(srv.socket, server_side=True, do_handshake_on_connect=False)
    port = srv.server_address[1]
    if opt.port_file:
        with open(opt.port_file, "w") as f:
            f.write("%d\n" % port)
    print("listening on http://%s:%d" % (opt.host, port), flush=True)
    try:
        srv.serve_forever()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
