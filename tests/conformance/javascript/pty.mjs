// SPDX-License-Identifier: Apache-2.0
// Terminals.
import assert from 'node:assert/strict'
import { fails, until } from './case.mjs'

class Screen {
  constructor() {
    this.text = ''
    this.decoder = new TextDecoder()
    this.onData = (data) => void (this.text += this.decoder.decode(data, { stream: true }))
  }

  shows(words) {
    return until(`the terminal shows ${words}; it shows ${JSON.stringify(this.text)}`, () => this.text.includes(words))
  }
}

const open = (sandbox, screen, more = {}) =>
  sandbox.pty.create({ cols: 80, rows: 24, onData: screen.onData, timeoutMs: 60_000, ...more })
const type = (sandbox, pid, words) => sandbox.pty.sendInput(pid, new TextEncoder().encode(words))

export async function pty(c) {
  const sandbox = await c.sandbox()
  const screen = new Screen()
  const terminal = await open(sandbox, screen)
  await type(sandbox, terminal.pid, 'echo $((6 * 7))-ü; test -t 0 && test -t 1 && echo is-a-$(echo terminal)\n')
  await screen.shows('42-ü')
  await screen.shows('is-a-terminal')
  assert.ok((await sandbox.commands.list()).some((p) => p.pid === terminal.pid))
  await type(sandbox, terminal.pid, 'exit 0\n')
  assert.equal((await terminal.wait()).exitCode, 0)
}

export async function pty_size(c) {
  const sandbox = await c.sandbox()
  const screen = new Screen()
  const terminal = await open(sandbox, screen, { cols: 91, rows: 37 })
  await type(sandbox, terminal.pid, 'stty size\n')
  await screen.shows('37 91')
  await sandbox.pty.resize(terminal.pid, { cols: 133, rows: 44 })
  await type(sandbox, terminal.pid, 'stty size\n')
  await screen.shows('44 133')
  await fails(sandbox.pty.resize(999_999, { cols: 80, rows: 24 }), 'NotFoundError')
}

export async function pty_environment(c) {
  const sandbox = await c.sandbox({ envs: { OUTER: 'outside' } })
  const screen = new Screen()
  const terminal = await open(sandbox, screen, { cwd: '/usr', envs: { INNER: 'inside' } })
  await type(sandbox, terminal.pid, 'echo "<$OUTER|$INNER|$TERM|$PWD>"\n')
  await screen.shows('<outside|inside|xterm-256color|/usr>')
}

export async function pty_interrupt(c) {
  const sandbox = await c.sandbox()
  const screen = new Screen()
  const terminal = await open(sandbox, screen)
  await type(sandbox, terminal.pid, 'echo be""gun; sleep 600; echo af""ter\n')
  await screen.shows('begun')
  await type(sandbox, terminal.pid, '\x03')
  await type(sandbox, terminal.pid, 'echo still he""re\n')
  await screen.shows('still here')
}

export async function pty_kill(c) {
  const sandbox = await c.sandbox()
  const terminal = await open(sandbox, new Screen())
  assert.equal(await sandbox.pty.kill(terminal.pid), true)
  await fails(terminal.wait(), 'CommandExitError')
  assert.equal(await sandbox.pty.kill(terminal.pid), false)
}

export async function pty_connect(c) {
  const sandbox = await c.sandbox()
  const screens = [new Screen(), new Screen()]
  const terminal = await open(sandbox, screens[0])
  const second = await sandbox.pty.connect(terminal.pid, { onData: screens[1].onData })
  assert.equal(second.pid, terminal.pid)
  await type(sandbox, terminal.pid, 'echo bo""th\n')
  await Promise.all(screens.map((screen) => screen.shows('both')))
  await type(sandbox, terminal.pid, 'exit 5\n')
  for (const handle of [terminal, second]) assert.equal((await fails(handle.wait(), 'CommandExitError')).exitCode, 5)
}
