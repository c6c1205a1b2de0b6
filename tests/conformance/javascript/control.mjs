// SPDX-License-Identifier: Apache-2.0
// The control plane: making, finding and listing sandboxes.
import assert from 'node:assert/strict'
import { NOBODY, Sandbox, collect, fails, sdk } from './case.mjs'

const WRONG = { apiKey: 'e2b_0123456789abcdef0123456789abcdef01234567', retries: 0 }
const SPECIAL = {
  'a key&more': 'x&y=z',
  'per%cent': '100% +1 %2B',
  'slash/dot.': 'a/b?c#d',
  quotes: `"double" 'single' \\ back`,
  'größe': 'naïve – 漢字 🦊',
  empty: '',
}

export async function create(c) {
  const sandbox = await c.sandbox({ metadata: { mark: c.mark } })
  assert.match(sandbox.sandboxId, /^[a-z0-9]+$/)
  assert.equal(await sandbox.isRunning(), true)
  assert.equal(await sandbox.kill(), true)
  assert.equal(await sandbox.isRunning(), false)
}

export async function create_envs(c) {
  const sandbox = await c.sandbox({ envs: { FIRST: 'one', SECOND: 'a "b" $c' } })
  const show = 'printf "%s|%s|%s" "$FIRST" "$SECOND" "$THIRD"'
  assert.equal((await sandbox.commands.run(show)).stdout, 'one|a "b" $c|')
  const own = await sandbox.commands.run(show, { envs: { FIRST: 'mine', THIRD: 'ü' } })
  assert.equal(own.stdout, 'mine|a "b" $c|ü')
}

export async function create_no_template() {
  const error = await fails(Sandbox.create('no-such-template'), 'SandboxError')
  assert.match(error.message, /template/)
  assert.match(error.message, /404/)
}

export async function wrong_key(c) {
  const { sandboxId } = await c.sandbox()
  await fails(Sandbox.create('base', WRONG), 'AuthenticationError')
  await fails(Sandbox.list(WRONG).nextItems(), 'AuthenticationError')
  await fails(Sandbox.getInfo(sandboxId, WRONG), 'AuthenticationError')
  await fails(Sandbox.connect(sandboxId, WRONG), 'AuthenticationError')
  await fails(Sandbox.kill(sandboxId, WRONG), 'AuthenticationError')
  assert.equal(await Sandbox.kill(sandboxId), true)
}

export async function info(c) {
  const before = Date.now()
  const sandbox = await c.sandbox({ timeoutMs: 90_000, metadata: { mark: c.mark } })
  const after = Date.now()
  const found = await sandbox.getInfo()
  assert.equal(found.sandboxId, sandbox.sandboxId)
  assert.match(found.templateId, /\S/)
  assert.equal(found.metadata.mark, c.mark)
  assert.equal(found.state, 'running')
  assert.ok(found.startedAt >= before - 1000 && found.startedAt <= after + 1000, `started ${found.startedAt}`)
  assert.ok(Math.abs(found.endAt - found.startedAt - 90_000) < 2000, `${found.startedAt} to ${found.endAt}`)
  assert.ok(found.cpuCount > 0 && found.memoryMB > 0)
  assert.match(found.envdVersion, /^\d+\.\d+\.\d+$/)
  assert.deepEqual(await Sandbox.getInfo(sandbox.sandboxId), found)
}

export async function info_missing() {
  await fails(Sandbox.getInfo(NOBODY), 'SandboxNotFoundError')
}

export async function list_metadata(c) {
  const mine = [await c.sandbox({ metadata: { mark: c.mark, n: '1' } }), await c.sandbox({ metadata: { mark: c.mark, n: '2' } })]
  const ids = async (metadata) => (await collect(Sandbox.list({ query: { metadata } }))).flat().map((s) => s.sandboxId)
  assert.deepEqual((await ids({ mark: c.mark })).sort(), mine.map((s) => s.sandboxId).sort())
  assert.deepEqual(await ids({ mark: c.mark, n: '2' }), [mine[1].sandboxId])
  assert.deepEqual(await ids({ mark: c.mark, n: '3' }), [])
  const [found] = (await collect(Sandbox.list({ query: { metadata: { mark: c.mark, n: '1' } } }))).flat()
  assert.equal(found.metadata.n, '1')
  assert.equal(found.state, 'running')
  assert.ok(found.endAt > found.startedAt && found.cpuCount > 0 && found.memoryMB > 0)
}

export async function list_special(c) {
  const sandbox = await c.sandbox({ metadata: { ...SPECIAL, mark: c.mark } })
  const found = await sandbox.getInfo()
  for (const [name, value] of Object.entries(SPECIAL)) {
    assert.equal(found.metadata[name], value)
    const query = { metadata: { [name]: value, mark: c.mark } }
    const items = (await collect(Sandbox.list({ query }))).flat()
    assert.deepEqual(items.map((s) => s.sandboxId), [sandbox.sandboxId], name)
    assert.equal(items[0].metadata[name], value)
  }
  const wrong = { metadata: { 'per%cent': '100%  1 +', mark: c.mark } }
  assert.deepEqual((await collect(Sandbox.list({ query: wrong }))).flat(), [])
}

export async function list_pages(c) {
  const made = []
  for (let i = 0; i < 5; i++) made.push((await c.sandbox({ metadata: { mark: c.mark } })).sandboxId)
  const query = { metadata: { mark: c.mark } }
  const pages = await collect(Sandbox.list({ limit: 2, query }))
  assert.deepEqual(pages.map((page) => page.length), [2, 2, 1])
  assert.deepEqual(pages.flat().map((s) => s.sandboxId).sort(), made.sort())
  const first = Sandbox.list({ limit: 3, query })
  await first.nextItems()
  const rest = await Sandbox.list({ limit: 3, query, nextToken: first.nextToken }).nextItems()
  assert.deepEqual(rest.map((s) => s.sandboxId), pages.flat().slice(3).map((s) => s.sandboxId))
  await fails(Sandbox.list({ limit: 3, query, nextToken: 'bad token' }).nextItems(), 'SandboxError')
}

export async function list_order(c) {
  const made = []
  for (let i = 0; i < 3; i++) made.push(await c.sandbox({ metadata: { mark: c.mark } }))
  const query = { metadata: { mark: c.mark } }
  const ids = async (more) => (await collect(Sandbox.list({ limit: 2, query, ...more }))).flat().map((s) => s.sandboxId)
  const oldestFirst = made.map((s) => s.sandboxId)
  assert.deepEqual(await ids({ order: 'asc' }), oldestFirst)
  assert.deepEqual(await ids({ order: 'desc' }), oldestFirst.toReversed())
  const startedAfter = new Date((await made[0].getInfo()).endAt)
  assert.deepEqual(await ids({ query: { ...query, startedAfter } }), [])
  assert.equal((await ids({ query: { ...query, startedAfter: new Date(Date.now() - 60_000) } })).length, 3)
}

export async function list_state(c) {
  const [awake, asleep] = [await c.sandbox({ metadata: { mark: c.mark } }), await c.sandbox({ metadata: { mark: c.mark } })]
  await asleep.pause()
  const ids = async (state) => {
    const items = await collect(Sandbox.list({ query: { metadata: { mark: c.mark }, state } }))
    return items.flat().map((s) => s.sandboxId).sort()
  }
  assert.deepEqual(await ids(['running']), [awake.sandboxId])
  assert.deepEqual(await ids(['paused']), [asleep.sandboxId])
  assert.deepEqual(await ids(['running', 'paused']), [awake.sandboxId, asleep.sandboxId].sort())
  assert.deepEqual(await ids(undefined), [awake.sandboxId, asleep.sandboxId].sort())
}

export async function connect(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('note', 'from the first')
  const other = await Sandbox.connect(sandbox.sandboxId)
  assert.notEqual(other, sandbox)
  assert.equal(other.sandboxId, sandbox.sandboxId)
  assert.equal((await other.commands.run('cat note')).stdout, 'from the first')
  assert.equal(await sandbox.connect(), sandbox)
}

export async function connect_extends(c) {
  const sandbox = await c.sandbox({ timeoutMs: 100_000 })
  const ends = async () => +(await sandbox.getInfo()).endAt
  const first = await ends()
  await Sandbox.connect(sandbox.sandboxId, { timeoutMs: 20_000 })
  assert.equal(await ends(), first)
  await Sandbox.connect(sandbox.sandboxId, { timeoutMs: 200_000 })
  assert.ok((await ends()) > first + 90_000)
}

export async function connect_missing() {
  const error = await fails(Sandbox.connect(NOBODY), 'SandboxNotFoundError')
  assert.ok(error instanceof sdk.NotFoundError)
}
