// SPDX-License-Identifier: Apache-2.0
// What goes into a command.
import assert from 'node:assert/strict'
import { fails, until } from './case.mjs'

const READING = { background: true, stdin: true }

export async function stdin(c) {
  const sandbox = await c.sandbox()
  let heard = ''
  const command = await sandbox.commands.run('for i in 1 2 3; do read -r line; echo "$line"; done', { ...READING, onStdout: (text) => void (heard += text) })
  await sandbox.commands.sendStdin(command.pid, 'ein Wörtchen\n')
  await until('the first line', () => heard === 'ein Wörtchen\n')
  await sandbox.commands.sendStdin(command.pid, 'two\nth')
  await command.sendStdin(new TextEncoder().encode('ree\n'))
  const done = await command.wait()
  assert.equal(done.stdout, 'ein Wörtchen\ntwo\nthree\n')
  await fails(sandbox.commands.sendStdin(999_999, 'x'), 'NotFoundError')
}

export async function stdin_close(c) {
  const sandbox = await c.sandbox()
  const command = await sandbox.commands.run('wc -c', READING)
  await command.sendStdin('x'.repeat(200_000))
  await command.closeStdin()
  assert.equal((await command.wait()).stdout.trim(), '200000')
  const second = await sandbox.commands.run('cat', READING)
  await sandbox.commands.closeStdin(second.pid)
  assert.equal((await second.wait()).stdout, '')
}

export async function stdin_off(c) {
  const sandbox = await c.sandbox()
  assert.equal((await sandbox.commands.run('cat')).stdout, '') // reads an end at once
  const command = await sandbox.commands.run('sleep 600', { background: true })
  const error = await fails(sandbox.commands.sendStdin(command.pid, 'x'), 'SandboxError')
  assert.match(error.message, /stdin/)
}
