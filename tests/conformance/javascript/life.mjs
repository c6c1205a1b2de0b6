// SPDX-License-Identifier: Apache-2.0
// A sandbox's life: its end, its pauses, what it used, what can be made of it.
import assert from 'node:assert/strict'
import { NOBODY, Sandbox, collect, fails, until } from './case.mjs'

const GONE = ['SandboxNotFoundError', 'TimeoutError'] // what the SDK makes of the edge's 502

export async function set_timeout(c) {
  const sandbox = await c.sandbox()
  for (const seconds of [600, 30]) {
    await sandbox.setTimeout(seconds * 1000)
    const left = (await sandbox.getInfo()).endAt - Date.now()
    assert.ok(Math.abs(left - seconds * 1000) < 3000, `${left} ms left of ${seconds} s`)
  }
  await fails(Sandbox.setTimeout(NOBODY, 60_000), 'SandboxNotFoundError')
}

export async function expiry(c) {
  const sandbox = await c.sandbox()
  const command = await sandbox.commands.run('sleep 600', { background: true, timeoutMs: 0 })
  await sandbox.setTimeout(1000)
  await fails(command.wait(), 'SandboxError')
  await until('it is gone', async () => !(await sandbox.isRunning()))
  await fails(sandbox.getInfo(), 'SandboxNotFoundError')
  assert.equal(await sandbox.kill(), false)
}

export async function double_kill(c) {
  const sandbox = await c.sandbox()
  assert.equal(await sandbox.kill(), true)
  assert.equal(await sandbox.kill(), false)
  assert.equal(await Sandbox.kill(sandbox.sandboxId), false)
  assert.equal(await Sandbox.kill(NOBODY), false)
}

export async function killed(c) {
  const sandbox = await c.sandbox()
  await sandbox.kill()
  assert.equal(await sandbox.isRunning(), false)
  await fails(sandbox.commands.run('true'), ...GONE)
  await fails(sandbox.commands.list(), ...GONE)
  await fails(sandbox.files.read('x'), ...GONE)
  await fails(sandbox.files.write('x', 'x'), ...GONE)
  await fails(sandbox.files.list('.'), ...GONE)
  await fails(sandbox.setTimeout(60_000), 'SandboxNotFoundError')
  await fails(Sandbox.connect(sandbox.sandboxId), 'SandboxNotFoundError')
}

export async function cut_by_kill(c) {
  const sandbox = await c.sandbox()
  let seen = ''
  const command = await sandbox.commands.run('echo begun; sleep 600', { background: true, onStdout: (text) => (seen += text) })
  await until('it has begun', () => seen === 'begun\n')
  const wait = fails(command.wait(), 'SandboxError')
  assert.equal(await sandbox.kill(), true)
  await wait
}

export async function pause_resume(c) {
  const sandbox = await c.sandbox({ metadata: { mark: c.mark } })
  await sandbox.files.write('kept', 'as it was')
  const { pid } = await sandbox.commands.run('sleep 600', { background: true, timeoutMs: 0 })
  assert.equal(await sandbox.pause(), true)
  assert.equal((await Sandbox.getInfo(sandbox.sandboxId)).state, 'paused')
  assert.equal(await sandbox.isRunning(), false)
  const again = await Sandbox.connect(sandbox.sandboxId, { timeoutMs: 60_000 })
  assert.equal((await again.getInfo()).state, 'running')
  assert.equal((await again.getInfo()).metadata.mark, c.mark)
  assert.equal(await again.isRunning(), true)
  assert.equal(await again.files.read('kept'), 'as it was')
  assert.ok((await again.commands.list()).some((p) => p.pid === pid), 'the process is still there')
  assert.equal(await again.commands.kill(pid), true)
  assert.equal((await sandbox.commands.run('echo old client')).stdout, 'old client\n')
}

export async function pause_twice(c) {
  const sandbox = await c.sandbox()
  assert.equal(await sandbox.pause(), true)
  assert.equal(await sandbox.pause(), false)
  await fails(Sandbox.pause(NOBODY), 'SandboxNotFoundError')
  await sandbox.connect()
  assert.equal(await sandbox.pause(), true)
}

export async function pause_kill(c) {
  const sandbox = await c.sandbox()
  await sandbox.pause()
  assert.equal(await sandbox.kill(), true)
  await fails(sandbox.connect(), 'SandboxNotFoundError')
  await fails(sandbox.getInfo(), 'SandboxNotFoundError')
}

export async function auto_pause(c) {
  const sandbox = await c.sandbox({ lifecycle: { onTimeout: 'pause' } })
  assert.equal((await sandbox.getInfo()).lifecycle?.onTimeout, 'pause')
  await sandbox.files.write('kept', 'over the end')
  await sandbox.setTimeout(1000)
  await until('it is paused', async () => (await sandbox.getInfo()).state === 'paused')
  await sandbox.connect({ timeoutMs: 60_000 })
  assert.equal(await sandbox.files.read('kept'), 'over the end')
}

export async function metrics(c) {
  const sandbox = await c.sandbox()
  const found = await until('a measurement', async () => (await sandbox.getMetrics()).at(-1))
  assert.ok(Math.abs(found.timestamp - Date.now()) < 60_000, `at ${found.timestamp}`)
  assert.ok(found.cpuCount > 0 && found.cpuUsedPct >= 0)
  assert.ok(found.memTotal > 0 && found.memUsed >= 0 && found.memUsed <= found.memTotal)
  assert.ok(found.diskTotal > 0 && found.diskUsed >= 0 && found.diskUsed <= found.diskTotal)
  const old = await sandbox.getMetrics({ start: new Date(0), end: new Date(1000) })
  assert.deepEqual(old, [])
  await fails(Sandbox.getMetrics(NOBODY), 'SandboxNotFoundError')
}

export async function snapshot(c) {
  const source = await c.sandbox()
  await source.files.write('deep/file', 'of that moment')
  const { snapshotId } = await source.createSnapshot()
  await source.files.write('deep/file', 'later')
  const ids = async () => (await collect(source.listSnapshots())).flat().map((s) => s.snapshotId)
  assert.deepEqual(await ids(), [snapshotId])
  assert.equal(await source.isRunning(), true)
  await source.kill()
  const copies = [await c.sandbox({ template: snapshotId }), await c.sandbox({ template: snapshotId })]
  await copies[0].files.write('deep/file', 'changed in one')
  assert.equal(await copies[1].files.read('deep/file'), 'of that moment')
  assert.equal(await Sandbox.deleteSnapshot(snapshotId), true)
  assert.equal(await Sandbox.deleteSnapshot(snapshotId), false)
  assert.deepEqual(await ids(), [])
  await fails(Sandbox.create(snapshotId), 'SandboxError')
}
