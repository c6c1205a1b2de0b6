// SPDX-License-Identifier: Apache-2.0
// What bench.streams does, done with the vendor's JavaScript SDK: the same flags, the same
// work on each line, the same line of JSON at the end.
//
//   SDK=FOLDER-WITH-node_modules node sandbox.mjs --emit PROGRAM --streams 50 --lines 2000 …
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'

const { Sandbox } = createRequire(`${process.env.SDK}/`)('e2b')
const PREPARED_AT_ONCE = 8

const { values: words } = parseArgs({
  options: {
    emit: { type: 'string' },
    streams: { type: 'string', default: '50' },
    lines: { type: 'string', default: '4000' },
    rate: { type: 'string', default: '200' },
    bytes: { type: 'string', default: '300' },
    verify: { type: 'boolean', default: false },
  },
})
const opt = { ...words, streams: +words.streams, lines: +words.lines, rate: +words.rate, bytes: +words.bytes }
const late = new Int32Array(4096) // a quarter of a millisecond each; the last one is "a second or more"
const failures = []

class Stream {
  constructor() {
    this.rest = ''
    this.n = 0
    this.bytes = 0
    this.disorder = 0
    this.hash = createHash('sha256')
    this.sumFound = false
  }

  take(text, now) {
    const all = this.rest === '' ? text : this.rest + text
    let from = 0
    for (let at = all.indexOf('\n'); at >= 0; at = all.indexOf('\n', from)) {
      this.line(all, from, at, now)
      from = at + 1
    }
    this.rest = all.slice(from)
  }

  // {"n":1,"t":2,…  by place, not by JSON.parse: as bench.streams does it
  line(text, from, end, now) {
    const comma = text.indexOf(',', from + 5)
    const n = +text.slice(from + 5, comma)
    this.disorder += n !== ++this.n
    this.bytes += end - from + 1
    const ms = now - +text.slice(comma + 5, text.indexOf(',', comma + 5)) / 1000
    late[Math.min(Math.max(Math.trunc(ms * 4), 0), late.length - 1)]++
    if (opt.verify) this.check(n, text.slice(from, end + 1))
  }

  check(n, line) {
    if (n < opt.lines) this.hash.update(line)
    else this.sumFound = line.includes(`"sum":"${this.hash.digest('hex')}"`)
  }

  get whole() {
    return this.n === opt.lines && this.bytes === opt.lines * opt.bytes && this.disorder === 0
  }
}

async function prepare(program) {
  const sandboxes = []
  let asked = 0
  const worker = async () => {
    while (asked++ < opt.streams) {
      const sandbox = await Sandbox.create('base', { timeoutMs: 600_000 })
      sandboxes.push(sandbox)
      await sandbox.files.write('emit', program, { useOctetStream: true })
    }
  }
  await Promise.all(Array.from({ length: PREPARED_AT_ONCE }, worker))
  return sandboxes
}

async function follow(sandbox) {
  const stream = new Stream()
  try {
    await sandbox.commands.run(`chmod 700 ~/emit && exec ~/emit ${opt.lines} ${opt.rate} ${opt.bytes}`, {
      timeoutMs: 0,
      onStdout: (text) => stream.take(text, performance.timeOrigin + performance.now()),
    })
  } catch (e) {
    failures.push(`${e}`)
  }
  return stream
}

const rssKib = () => process.memoryUsage().rss / 1024
const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000
const sum = (items) => items.reduce((a, b) => a + b, 0)

function lateMs(share) {
  let left = Math.floor(sum(late) * share)
  return (late.findIndex((n) => (left -= n) < 0) + 1) / 4
}

const program = new Blob([readFileSync(opt.emit)])
const sandboxes = await prepare(program)
const before = { rss: rssKib(), cpu: cpuMs(), wall: performance.now() }
const streams = await Promise.all(sandboxes.map(follow))
const cpu = cpuMs() - before.cpu
const wall = performance.now() - before.wall
const peak = process.resourceUsage().maxRSS
const lines = sum(streams.map((s) => s.n))

console.log(
  JSON.stringify({
    client: 'e2b-javascript',
    streams: opt.streams,
    whole_streams: streams.filter((s) => s.whole).length,
    failed: failures.length,
    lines,
    bytes: sum(streams.map((s) => s.bytes)),
    out_of_order: sum(streams.map((s) => s.disorder)),
    sum_errors: opt.verify ? streams.filter((s) => !s.sumFound).length : undefined,
    wall_ms: Math.round(wall),
    cpu_ms: Math.round(cpu),
    us_per_line: (cpu * 1000) / lines,
    peak_rss_kib: peak,
    kib_per_stream: (peak - before.rss) / opt.streams,
    p50_ms: lateMs(0.5),
    p99_ms: lateMs(0.99),
    first_failure: failures[0],
  }),
)
await Promise.all(sandboxes.map((sandbox) => sandbox.kill()))
process.exit(failures.length > 0 ? 1 : 0)
