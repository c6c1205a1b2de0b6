# SPDX-License-Identifier: Apache-2.0
"""openapi.py FOLDER: is FOLDER/openapi.yaml a document of OpenAPI 3.1, by a validator that is not
ours; do its examples follow its schemas; does each operation say who may call it and which errors
it can answer with; and can a run be asked for with the same fields as by run_request.schema.json?"""
import copy
import json
import pathlib
import re
import sys

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

PERMISSIONS = ('public', 'read', 'submit', 'admin')
METHODS = ('get', 'put', 'post', 'delete', 'patch')
# What a client may do wrong, or we may be: everywhere, and where there is a key, an id, a body.
ALWAYS, KEYED, WITH_BODY = {'400', '413', '414', '431', '503'}, {'401', '403', '429', '500'}, {'415'}
SERVERS_OWN = {'v', 'run_id', 'tenant', 'batch_id', 'idempotency_key', 'created_at', 'webhook'}

folder = pathlib.Path(sys.argv[1])
doc = yaml.safe_load((folder / 'openapi.yaml').read_text())
complaints = []


def complain(at, what):
    complaints.append(f'schema/openapi.yaml: {at}: {what}')


def follow(node):
    while isinstance(node, dict) and '$ref' in node:
        at = doc
        for word in node['$ref'].split('/')[1:]:
            at = at[word]
        node = at
    return node


def operations():
    for path, item in doc['paths'].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method], item.get('parameters', [])


def check_permission(at, op):
    public = op.get('x-permission') == 'public'
    if op.get('x-permission') not in PERMISSIONS:
        complain(at, f'x-permission is none of {" ".join(PERMISSIONS)}')
    wanted = [] if public else [{'key': []}] + ([{'readToken': []}] if op.get('x-read-token') else [])
    if op.get('security', doc['security']) != wanted:
        complain(at, f'security and x-permission {op.get("x-permission")} do not go together')


def check_errors(at, path, op):
    public, wanted = op.get('x-permission') == 'public', set(ALWAYS)
    if not public:
        wanted |= KEYED
    if '{' in path:
        wanted.add('404')
    if 'requestBody' in op:
        wanted |= WITH_BODY
    missing = wanted - set(op['responses'])
    if missing:
        complain(at, f'does not say what {" ".join(sorted(missing))} is')
    for status, answer in op['responses'].items():
        if status.startswith(('4', '5')):
            schema = follow(answer)['content'].get('application/problem+json', {}).get('schema')
            if schema != {'$ref': '#/components/schemas/Problem'}:
                complain(f'{at} {status}', 'is no problem document')


def check_parameters(at, path, op, shared):
    named = [follow(p) for p in shared + op.get('parameters', [])]
    here = {p['name'] for p in named if p['in'] == 'path'}
    if here != set(re.findall(r'{(\w+)}', path)):
        complain(at, 'its path and its parameters do not go together')


registry = Registry().with_resource('urn:doc', Resource.from_contents(doc, default_specification=DRAFT202012))


def absolute(node):
    """References of a schema as those into the whole document."""
    if isinstance(node, dict):
        return {k: 'urn:doc' + v if k == '$ref' else absolute(v) for k, v in node.items()}
    return [absolute(v) for v in node] if isinstance(node, list) else node


def check_value(at, schema, value):
    validator = Draft202012Validator(absolute(schema), registry=registry, format_checker=FormatChecker())
    for e in validator.iter_errors(value):
        complain(at, f'example: {e.json_path}: {e.message}')


def lines_of(kind, text):
    """The JSON in an example that is a text of many."""
    for line in text.splitlines():
        if kind == 'text/event-stream':
            if not line.startswith('data: {"sequence"'):
                continue
            line = line.removeprefix('data: ')
        yield json.loads(line)


def check_examples(node, at=''):
    if isinstance(node, list):
        for i, child in enumerate(node):
            check_examples(child, f'{at}/{i}')
    if not isinstance(node, dict):
        return
    content = node.get('content')  # also the name of a field
    for kind, media in content.items() if isinstance(content, dict) else ():
        if '/' not in kind:
            continue
        schema = media['schema']
        for name, example in media.get('examples', {}).items():
            value, where = follow(example)['value'], f'{at}/{kind}/{name}'
            check_value(where, schema, value)
            for line in lines_of(kind, value) if 'x-item-schema' in schema else ():
                check_value(where, schema['x-item-schema'], line)
    for name, child in node.items():
        check_examples(child, f'{at}/{name}')


def inline(node, defs):
    """A schema with the definitions that two documents have in different places put in."""
    if isinstance(node, list):
        return [inline(v, defs) for v in node]
    if not isinstance(node, dict):
        return node
    out = {k: inline(v, defs) for k, v in node.items() if k != '$ref'}
    if '$ref' in node:
        out = {**inline(defs[node['$ref']], defs), **out}
    return out


def check_fields():
    record = json.loads((folder / 'run_request.schema.json').read_text())
    theirs = inline(copy.deepcopy(record['properties']), {f'#/$defs/{k}': v for k, v in record['$defs'].items()})
    schemas = doc['components']['schemas']
    ours = inline(copy.deepcopy(schemas['RunSpec']['properties']),
                  {f'#/components/schemas/{k}': v for k, v in schemas.items()})
    ours.pop('lane')  # a record's topic says that
    for name in sorted(SERVERS_OWN & set(ours)):
        complain('RunSpec', f'{name} is not the client\'s to say')
    for name in sorted(set(theirs) - SERVERS_OWN | set(ours)):
        if ours.get(name) != theirs.get(name):
            complain('RunSpec', f'{name} is not as in run_request.schema.json')


for e in OpenAPIV31SpecValidator(doc).iter_errors():
    complain('/'.join(map(str, e.absolute_path)), e.message)
ids = [op.get('operationId') for _, _, op, _ in operations()]
for name in {i for i in ids if i is None or ids.count(i) > 1}:
    complain('operationId', f'{name} is missing, or there twice')
for path, method, op, shared in operations():
    check_permission(f'{method} {path}', op)
    check_errors(f'{method} {path}', path, op)
    check_parameters(f'{method} {path}', path, op, shared)
check_examples(doc)
check_fields()
print('\n'.join(complaints), end='\n' if complaints else '')
sys.exit(1 if complaints else 0)
