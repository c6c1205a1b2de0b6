# SPDX-License-Identifier: Apache-2.0
"""The control plane: making, finding and listing sandboxes."""
import datetime
import re

from e2b import (AuthenticationException, NotFoundException, Sandbox, SandboxException, SandboxNotFoundException,
                 SandboxQuery, SandboxState)

from case import NOBODY, Fails, collect, same, true

WRONG = {"api_key": "e2b_0123456789abcdef0123456789abcdef01234567"}
SPECIAL = {
    "a key&more": "x&y=z",
    "per%cent": "100% +1 %2B",
    "slash/dot.": "a/b?c#d",
    "quotes": "\"double\" 'single' \\ back",
    "größe": "naïve – 漢字 🦊",
    "empty": "",
}


def _ids(**options):
    query = SandboxQuery(**options.pop("query"))
    return [s.sandbox_id for page in collect(Sandbox.list(query=query, **options)) for s in page]


def create(c):
    sandbox = c.sandbox(metadata={"mark": c.mark})
    true(re.fullmatch("[a-z0-9]+", sandbox.sandbox_id), sandbox.sandbox_id)
    same(sandbox.is_running(), True)
    same(sandbox.kill(), True)
    same(sandbox.is_running(), False)


def create_envs(c):
    sandbox = c.sandbox(envs={"FIRST": "one", "SECOND": 'a "b" $c'})
    show = 'printf "%s|%s|%s" "$FIRST" "$SECOND" "$THIRD"'
    same(sandbox.commands.run(show).stdout, 'one|a "b" $c|')
    same(sandbox.commands.run(show, envs={"FIRST": "mine", "THIRD": "ü"}).stdout, 'mine|a "b" $c|ü')


def create_no_template(_):
    with Fails(SandboxException) as failure:
        Sandbox.create("no-such-template")
    same(failure.error.status_code, 404)
    true("template" in str(failure.error), failure.error)


def create_idempotent(c):
    same_key = {"idempotency_key": c.mark.replace("_", "-"), "metadata": {"mark": c.mark}}
    first, second = c.sandbox(**same_key), c.sandbox(**same_key)
    same(second.sandbox_id, first.sandbox_id)
    with Fails(SandboxException) as failure:
        c.sandbox(**{**same_key, "metadata": {"mark": "another"}})
    same(failure.error.status_code, 422)
    same(len(_ids(query={"metadata": {"mark": c.mark}})), 1)


def wrong_key(c):
    sandbox_id = c.sandbox().sandbox_id
    for call in (lambda: Sandbox.create("base", **WRONG), lambda: Sandbox.list(**WRONG).next_items(),
                 lambda: Sandbox.get_info(sandbox_id, **WRONG), lambda: Sandbox.connect(sandbox_id, **WRONG),
                 lambda: Sandbox.kill(sandbox_id, **WRONG)):
        with Fails(AuthenticationException):
            call()
    same(Sandbox.kill(sandbox_id), True)


def info(c):
    second = datetime.timedelta(seconds=1)
    before = datetime.datetime.now(datetime.timezone.utc)
    sandbox = c.sandbox(timeout=90, metadata={"mark": c.mark})
    after = datetime.datetime.now(datetime.timezone.utc)
    found = sandbox.get_info()
    same(found.sandbox_id, sandbox.sandbox_id)
    true(found.template_id, "it has a template")
    same(found.metadata["mark"], c.mark)
    same(found.state, SandboxState.RUNNING)
    true(before - second <= found.started_at <= after + second, f"started {found.started_at}")
    true(abs((found.end_at - found.started_at).total_seconds() - 90) < 2, f"{found.started_at} to {found.end_at}")
    true(found.cpu_count > 0 and found.memory_mb > 0, "it has a size")
    true(re.fullmatch(r"\d+\.\d+\.\d+", found.envd_version), found.envd_version)
    same(Sandbox.get_info(sandbox.sandbox_id), found)


def info_missing(_):
    with Fails(SandboxNotFoundException):
        Sandbox.get_info(NOBODY)


def list_metadata(c):
    mine = [c.sandbox(metadata={"mark": c.mark, "n": n}).sandbox_id for n in "12"]
    same(sorted(_ids(query={"metadata": {"mark": c.mark}})), sorted(mine))
    same(_ids(query={"metadata": {"mark": c.mark, "n": "2"}}), [mine[1]])
    same(_ids(query={"metadata": {"mark": c.mark, "n": "3"}}), [])
    ((found,),) = collect(Sandbox.list(query=SandboxQuery(metadata={"mark": c.mark, "n": "1"})))
    same((found.metadata["n"], found.state), ("1", SandboxState.RUNNING))
    true(found.end_at > found.started_at and found.cpu_count > 0 and found.memory_mb > 0, found)


def list_special(c):
    sandbox = c.sandbox(metadata={**SPECIAL, "mark": c.mark})
    found = sandbox.get_info()
    for name, value in SPECIAL.items():
        same(found.metadata[name], value)
        pages = collect(Sandbox.list(query=SandboxQuery(metadata={name: value, "mark": c.mark})))
        same([s.sandbox_id for page in pages for s in page], [sandbox.sandbox_id], name)
        same(pages[0][0].metadata[name], value)
    same(_ids(query={"metadata": {"per%cent": "100%  1 +", "mark": c.mark}}), [])


def list_pages(c):
    made = [c.sandbox(metadata={"mark": c.mark}).sandbox_id for _ in range(5)]
    query = SandboxQuery(metadata={"mark": c.mark})
    pages = [[s.sandbox_id for s in page] for page in collect(Sandbox.list(limit=2, query=query))]
    same([len(page) for page in pages], [2, 2, 1])
    same(sorted(sum(pages, [])), sorted(made))
    first = Sandbox.list(limit=3, query=query)
    first.next_items()
    rest = Sandbox.list(limit=3, query=query, next_token=first.next_token).next_items()
    same([s.sandbox_id for s in rest], sum(pages, [])[3:])
    with Fails(SandboxException):
        Sandbox.list(limit=3, query=query, next_token="bad token").next_items()


def list_order(c):
    made = [c.sandbox(metadata={"mark": c.mark}) for _ in range(3)]
    mine, oldest_first = {"metadata": {"mark": c.mark}}, [s.sandbox_id for s in made]
    same(_ids(query=mine, limit=2, order="asc"), oldest_first)
    same(_ids(query=mine, limit=2, order="desc"), oldest_first[::-1])
    same(_ids(query={**mine, "started_after": made[0].get_info().end_at}), [])
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    same(len(_ids(query={**mine, "started_after": past})), 3)


def list_state(c):
    awake, asleep = [c.sandbox(metadata={"mark": c.mark}) for _ in range(2)]
    asleep.pause()
    awake, asleep = awake.sandbox_id, asleep.sandbox_id
    mine = {"metadata": {"mark": c.mark}}
    same(_ids(query={**mine, "state": [SandboxState.RUNNING]}), [awake])
    same(_ids(query={**mine, "state": [SandboxState.PAUSED]}), [asleep])
    same(sorted(_ids(query={**mine, "state": [SandboxState.RUNNING, SandboxState.PAUSED]})), sorted([awake, asleep]))
    same(sorted(_ids(query=mine)), sorted([awake, asleep]))


def connect(c):
    sandbox = c.sandbox()
    sandbox.files.write("note", "from the first")
    other = Sandbox.connect(sandbox.sandbox_id)
    same(other.sandbox_id, sandbox.sandbox_id)
    same(other.commands.run("cat note").stdout, "from the first")
    true(sandbox.connect() is sandbox, "an instance connects itself")


def connect_extends(c):
    sandbox = c.sandbox(timeout=100)
    first = sandbox.get_info().end_at
    Sandbox.connect(sandbox.sandbox_id, timeout=20)
    same(sandbox.get_info().end_at, first)
    Sandbox.connect(sandbox.sandbox_id, timeout=200)
    true((sandbox.get_info().end_at - first).total_seconds() > 90, "it lives longer")


def connect_missing(_):
    with Fails(SandboxNotFoundException) as failure:
        Sandbox.connect(NOBODY)
    true(isinstance(failure.error, NotFoundException), "the older class, too")
