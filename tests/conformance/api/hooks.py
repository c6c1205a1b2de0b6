# SPDX-License-Identifier: Apache-2.0
"""For Schemathesis: what it cannot know of the API. CONTRACT_SEEDS names a file with things that are
there, by the parameter of the path that names them."""
import json
import os
import pathlib
import random
import uuid

import schemathesis
import yaml
from schemathesis.core.parameters import ParameterLocation

DOC = yaml.safe_load((pathlib.Path(__file__).resolve().parents[3] / "schema" / "openapi.yaml").read_text())
SEEDS = json.loads(pathlib.Path(os.environ["CONTRACT_SEEDS"]).read_text())
LINES = [{"custom_id": "a", "prompt": "Say a."}, {"custom_id": "b", "prompt": "Say b.", "model": "opus", "timeout_s": 60},
         {"custom_id": "c"}, {"prompt": "no name"}, [], "text", {"custom_id": "d", "prompt": "x", "nonsense": 1}]
dice = random.Random(1)


@schemathesis.serializer("application/x-ndjson")
def ndjson(_, value):
    if isinstance(value, bytes):
        return {"data": value}
    return {"data": value.encode(errors="replace") if isinstance(value, str) else json.dumps(value).encode()}


def is_good(case, location):
    """That part of the request was made to be right."""
    if case.meta is None:
        return True
    part = case.meta.components.get(location)
    return part is None or part.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    # most of what is made up names nothing: half of the time, name something that is there
    if case.path_parameters and is_good(case, ParameterLocation.PATH) and dice.random() < 0.8:
        for name in case.path_parameters:
            there = SEEDS.get(f"{name} {case.operation.definition.raw['operationId']}") or SEEDS.get(name)
            if there:
                case.path_parameters[name] = dice.choice(there)
    # the tenant in which these are
    if case.query and isinstance(case.query.get("tenant"), str) and is_good(case, ParameterLocation.QUERY):
        if dice.random() < 0.9:
            del case.query["tenant"]
    # nobody waits for a minute, and what waits here does so for nothing
    if case.query and str(case.query.get("wait")).isdigit() and 1 < int(case.query["wait"]) <= 60:
        case.query["wait"] = 1
    # a cursor cannot be made up: that one is refused is no finding (400)
    if case.query and "cursor" in case.query and is_good(case, ParameterLocation.QUERY):
        del case.query["cursor"]
    # the same key with another body would be refused, rightly (422)
    if case.headers and "Idempotency-Key" in case.headers and is_good(case, ParameterLocation.HEADER):
        case.headers["Idempotency-Key"] = str(uuid.UUID(int=dice.getrandbits(128)))
    # lines that are some, which a schema of OpenAPI 3.1 cannot say
    if case.operation.definition.raw.get("operationId") == "addBatchItems" and is_good(case, ParameterLocation.BODY):
        if dice.random() < 0.7 and isinstance(case.body, (str, bytes)):
            case.body = "\n".join(json.dumps(dice.choice(LINES)) for _ in range(dice.randrange(6)))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """What is no fault of the server's."""
    if type(failure).__name__ != "AcceptedNegativeData":
        return True
    about, name = getattr(case.meta.phase.data, "description", None) or "", case.operation.definition.raw.get("operationId")
    if case.meta.phase.data.parameter_location == ParameterLocation.HEADER:
        # a header that nobody asked for is nobody's business: proxies add some; and a page has no Last-Event-ID
        return "unexpected properties" not in about and name != "listRunEvents"
    # each line has an answer of its own: a bad one is rejected in a 200
    return name != "addBatchItems"


# --- answers have no members that the contract does not name ---------------------------------------

def follow(doc, schema):
    while isinstance(schema, dict) and "$ref" in schema:
        at = doc
        for word in schema["$ref"].split("/")[1:]:
            at = at[word]
        schema = at
    return schema


def shapes(doc, schema):
    """All the schemas that a value may be of, references followed."""
    schema = follow(doc, schema)
    yield schema
    for name in ("allOf", "oneOf", "anyOf"):
        for one in schema.get(name, ()):
            yield from shapes(doc, one)


def unknown_members(doc, schema, value, at=""):
    of = list(shapes(doc, schema))
    if isinstance(value, list):
        items = [one["items"] for one in of if "items" in one]
        for i, child in enumerate(value):
            for schema in items:
                yield from unknown_members(doc, schema, child, f"{at}/{i}")
    elif isinstance(value, dict):
        named = {name: child for one in of for name, child in one.get("properties", {}).items()}
        for name, child in value.items() if named else ():  # without any it is an object of the submitter's
            if name not in named:
                yield f"{at}/{name}"
            else:
                yield from unknown_members(doc, named[name], child, f"{at}/{name}")


@schemathesis.check
def nothing_unknown(context, response, case):
    kind = response.headers.get("content-type", [""])[0].split(";")[0]
    answer = follow(DOC, DOC["paths"][case.operation.path].get(case.method.lower(), {}).get("responses", {}).get(str(response.status_code)))
    if answer is None or kind not in ("application/json", "application/problem+json") or not response.content:
        return
    found = list(unknown_members(DOC, answer["content"][kind]["schema"], response.json()))
    assert not found, f"not in the contract: {' '.join(found)}"
