// SPDX-License-Identifier: Apache-2.0
// Watching folders.
import assert from 'node:assert/strict'
import { fails, until } from './case.mjs'

export async function files_watch(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('seen/old', 'x')
  const events = []
  let ended
  const watch = await sandbox.files.watchDir('seen', (e) => void events.push(`${e.type} ${e.name}`), {
    onExit: (error) => void (ended = { error }),
  })
  const saw = (event) => until(`${event}; seen: ${events}`, () => events.includes(event))
  await sandbox.files.write('seen/new', 'one')
  await saw('create new')
  await saw('write new')
  await sandbox.files.rename('seen/new', 'seen/newer')
  await saw('rename new')
  await sandbox.commands.run('chmod 600 seen/old')
  await saw('chmod old')
  await sandbox.files.remove('seen/newer')
  await saw('remove newer')
  await watch.stop()
  await until('its end is told', () => ended)
  const count = events.length
  await sandbox.files.write('seen/unseen', 'x')
  assert.equal(events.length, count)
}

export async function files_watch_deep(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('top/sub/old', 'x')
  const events = []
  await sandbox.files.watchDir('top', (e) => void events.push(e), { recursive: true, includeEntry: true })
  await sandbox.files.write('top/sub/new', '12345')
  const found = await until('the write below', () => events.find((e) => e.type === 'write' && e.name === 'sub/new' && e.entry))
  assert.deepEqual([found.entry.name, found.entry.type], ['new', 'file'])
  await sandbox.files.makeDir('top/later')
  await until('the new folder', () => events.some((e) => e.type === 'create' && e.name === 'later'))
  await sandbox.files.write('top/later/in', 'x')
  await until('a file in the new folder', () => events.some((e) => e.name === 'later/in'))
}

export async function files_watch_missing(c) {
  const sandbox = await c.sandbox()
  await fails(sandbox.files.watchDir('nothing', () => {}), 'FileNotFoundError')
  await sandbox.files.write('file', '')
  await fails(sandbox.files.watchDir('file', () => {}), 'InvalidArgumentError')
}
