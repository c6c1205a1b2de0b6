// SPDX-License-Identifier: Apache-2.0
// asyncapi.mjs FOLDER: is FOLDER/asyncapi.yaml a document of AsyncAPI 3, by the schema that its
// makers publish; do its references lead somewhere; does it name the topics of topics.yaml?
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const folder = process.argv[2];
const need = createRequire(join(process.cwd(), 'node_modules', 'x')); // this file is not beside what it needs
const Ajv = need('ajv').default;
const { parse } = need('yaml');
const specs = need('@asyncapi/specs');

const read = (name) => parse(readFileSync(join(folder, name), 'utf8'));
const complaints = [];
const doc = read('asyncapi.yaml');

const follow = (ref) => {
    const [file, path] = ref.split('#');
    return (path ?? '').split('/').slice(1).reduce((at, word) => at?.[word], file ? read(file) : doc);
};

const references = (node, at) => {
    if (node === null || typeof node !== 'object') return;
    if (typeof node.$ref === 'string') {
        let found;
        try { found = follow(node.$ref); } catch { /* no such file */ }
        if (found === undefined) complaints.push(`${at}: ${node.$ref} leads nowhere`);
    }
    for (const [name, child] of Object.entries(node)) references(child, `${at}/${name}`);
};

const valid = new Ajv({ strict: false, allErrors: false, validateFormats: false }).compile(specs.schemasWithoutId['3.0.0']);
if (!valid(doc)) for (const e of valid.errors) complaints.push(`${e.instancePath || '/'}: ${e.message} ${JSON.stringify(e.params)}`);
references(doc, '');

const ours = Object.values(doc.channels).map((c) => c.address).sort().join(' ');
const topics = read('topics.yaml').topics.map((t) => t.name).sort().join(' ');
if (ours !== topics) complaints.push(`channels: ${ours}; topics.yaml: ${topics}`);

for (const c of complaints) console.log(`schema/asyncapi.yaml: ${c}`);
process.exit(complaints.length > 0 ? 1 : 0);
