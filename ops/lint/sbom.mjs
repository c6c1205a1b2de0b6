// SPDX-License-Identifier: Apache-2.0
// sbom.mjs FILE: is it CycloneDX 1.6, by the schema that its makers publish, and does every tie in it
// lead to a part?
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const modules = join(process.cwd(), 'node_modules');
const Ajv = createRequire(join(modules, 'x'))('ajv').default; // this file is not beside what it needs
const schema = (name) => JSON.parse(readFileSync(join(modules, '@cyclonedx/cyclonedx-library/res/schema', `${name}.SNAPSHOT.schema.json`), 'utf8'));
const doc = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const complaints = [];

const ajv = new Ajv({ strict: false, validateFormats: false });
for (const part of ['spdx', 'jsf-0.82']) ajv.addSchema(schema(part), `http://cyclonedx.org/schema/${part}.SNAPSHOT.schema.json`);
const valid = ajv.compile(schema('bom-1.6'));
if (!valid(doc)) for (const e of valid.errors) complaints.push(`${e.instancePath || '/'}: ${e.message} ${JSON.stringify(e.params)}`);

const refs = new Set([doc.metadata.component, ...doc.components].map((c) => c['bom-ref']));
for (const { ref, dependsOn } of doc.dependencies)
    for (const to of [ref, ...dependsOn]) if (!refs.has(to)) complaints.push(`${ref}: there is no ${to}`);
for (const want of ['librdkafka1', 'libpq5', 'libsodium23', 'libmicrohttpd12'])
    if (!doc.components.some((c) => c.name === want)) complaints.push(`${want} is not in it`);

for (const c of complaints) console.log(c);
process.exit(complaints.length > 0 ? 1 : 0);
