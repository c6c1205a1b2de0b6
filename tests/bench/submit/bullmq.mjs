// SPDX-License-Identifier: Apache-2.0
// Puts a file's lines on a BullMQ queue: a thousand jobs a call, as its documentation has it.
//   node bullmq.mjs PORT QUEUE FILE
// The file is read and parsed first; prints {"jobs": …, "seconds": …} of adding them.
import fs from "node:fs";
import { createRequire } from "node:module";

const [port, name, file] = process.argv.slice(2);
const { Queue } = createRequire(process.env.BULLMQ_HOME + "/")("bullmq");

const jobs = fs.readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => {
    const data = JSON.parse(line);
    return { name: "run", data, opts: { jobId: data.custom_id } };
});
const queue = new Queue(name, { connection: { host: "127.0.0.1", port: Number(port) } });
await queue.waitUntilReady();
const began = process.hrtime.bigint();
for (let i = 0; i < jobs.length; i += 1000)
    await queue.addBulk(jobs.slice(i, i + 1000));
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
const waiting = await queue.getWaitingCount();
if (waiting !== jobs.length)
    throw new Error(`${waiting} of ${jobs.length} jobs wait`);
console.log(JSON.stringify({ jobs: jobs.length, seconds }));
await queue.close();
