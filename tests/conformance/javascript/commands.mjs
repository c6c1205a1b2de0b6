// SPDX-License-Identifier: Apache-2.0
// Commands: their output, their end, who reads them.
import assert from 'node:assert/strict'
import { fails, until } from './case.mjs'

const FOREVER = { background: true, timeoutMs: 0 }
const lists = async (sandbox, pid) => (await sandbox.commands.list()).some((p) => p.pid === pid)

export async function run(c) {
  const sandbox = await c.sandbox()
  const done = await sandbox.commands.run('echo out; echo err >&2')
  assert.deepEqual([done.exitCode, done.stdout, done.stderr, done.error], [0, 'out\n', 'err\n', undefined])
  const silent = await sandbox.commands.run('true')
  assert.deepEqual([silent.exitCode, silent.stdout, silent.stderr], [0, '', ''])
}

export async function run_callbacks(c) {
  const sandbox = await c.sandbox()
  const out = []
  const err = []
  // the second half starts only once the first was seen: it was not held back until the end
  const running = sandbox.commands.run('echo one; echo bad >&2; until [ -e go ]; do sleep 0.01; done; echo two; echo three', {
    onStdout: (text) => void out.push(text),
    onStderr: (text) => void err.push(text),
  })
  await until('the first words', () => out.join('') === 'one\n' && err.join('') === 'bad\n')
  await sandbox.files.write('go', '')
  const done = await running
  assert.equal(out.join(''), 'one\ntwo\nthree\n')
  assert.equal(done.stdout, out.join(''))
  assert.equal(done.stderr, 'bad\n')
}

export async function run_exit_code(c) {
  const sandbox = await c.sandbox()
  const error = await fails(sandbox.commands.run('echo out; echo why >&2; exit 3'), 'CommandExitError')
  assert.deepEqual([error.exitCode, error.stdout, error.stderr], [3, 'out\n', 'why\n'])
  assert.equal(error.error, 'exit status 3')
}

export async function run_no_program(c) {
  const sandbox = await c.sandbox()
  const error = await fails(sandbox.commands.run('no-such-program-at-all'), 'CommandExitError')
  assert.equal(error.exitCode, 127)
  assert.match(error.stderr, /not found/)
}

export async function run_signal(c) {
  const sandbox = await c.sandbox()
  const error = await fails(sandbox.commands.run('echo last words; kill -KILL $$'), 'CommandExitError')
  assert.deepEqual([error.exitCode, error.stdout, error.error], [-1, 'last words\n', 'signal: killed'])
}

export async function run_many_lines(c) {
  const sandbox = await c.sandbox()
  let text = ''
  const done = await sandbox.commands.run('seq 20000', { onStdout: (piece) => void (text += piece) })
  const want = Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join('')
  assert.ok(text === want && done.stdout === want, 'the lines differ')
}

export async function run_big_output(c) {
  const sandbox = await c.sandbox()
  const line = '漢字🦊ü|'.repeat(40)
  const done = await sandbox.commands.run(`yes '${line}' | head -c 3000000; echo`)
  const whole = Buffer.from(`${line}\n`.repeat(3_000_000 / Buffer.byteLength(line) + 1)).subarray(0, 3_000_000)
  assert.ok(done.stdout === `${whole.toString()}\n`, 'the text differs')
}

export async function run_background(c) {
  const sandbox = await c.sandbox()
  const command = await sandbox.commands.run('until [ -e go ]; do sleep 0.01; done; echo went; exit 0', { background: true })
  assert.ok(command.pid > 0)
  assert.equal(command.exitCode, undefined)
  await sandbox.files.write('go', '')
  const done = await command.wait()
  assert.deepEqual([done.exitCode, done.stdout], [0, 'went\n'])
  assert.equal(command.exitCode, 0)
}

export async function run_kill(c) {
  const sandbox = await c.sandbox()
  const [first, second] = [await sandbox.commands.run('sleep 600', FOREVER), await sandbox.commands.run('sleep 600', FOREVER)]
  assert.equal(await first.kill(), true)
  assert.equal(await sandbox.commands.kill(second.pid), true)
  for (const command of [first, second]) {
    const error = await fails(command.wait(), 'CommandExitError')
    assert.deepEqual([error.exitCode, error.error], [-1, 'signal: killed'])
    assert.equal(await command.kill(), false)
  }
  assert.equal(await sandbox.commands.kill(999_999), false)
  assert.deepEqual(await sandbox.commands.list(), [])
}

export async function run_timeout(c) {
  const sandbox = await c.sandbox()
  await fails(sandbox.commands.run('echo $$; exec sleep 600', { timeoutMs: 700 }), 'TimeoutError')
  await until('the command is gone', async () => (await sandbox.commands.list()).length === 0)
}

export async function run_no_timeout(c) {
  const sandbox = await c.sandbox()
  const done = await sandbox.commands.run('echo fine', { timeoutMs: 0, requestTimeoutMs: 0 })
  assert.equal(done.stdout, 'fine\n')
}

export async function run_concurrent(c) {
  const sandbox = await c.sandbox()
  const jobs = Array.from({ length: 20 }, (_, i) => sandbox.commands.run(`sleep 0.1; echo ${i}; exit 0`))
  assert.deepEqual((await Promise.all(jobs)).map((done) => done.stdout), jobs.map((_, i) => `${i}\n`))
}

export async function run_cwd(c) {
  const sandbox = await c.sandbox()
  const pwd = async (cwd) => (await sandbox.commands.run('pwd', { cwd })).stdout.trim()
  const home = await pwd()
  assert.equal((await sandbox.commands.run('echo $HOME')).stdout.trim(), home)
  await sandbox.files.makeDir('deep/er')
  assert.equal(await pwd('/usr'), '/usr')
  assert.equal(await pwd(`${home}/deep/er`), `${home}/deep/er`)
  assert.equal(await pwd('deep'), `${home}/deep`)
  const error = await fails(sandbox.commands.run('pwd', { cwd: '/no/such/folder' }), 'InvalidArgumentError')
  assert.match(error.message, /no\/such\/folder/)
}

export async function run_user(c) {
  const sandbox = await c.sandbox()
  const done = await sandbox.commands.run('id -u', { user: 'user' })
  assert.equal(done.stdout, (await sandbox.commands.run('id -u')).stdout)
  const error = await fails(sandbox.commands.run('id -u', { user: 'nobody-we-know' }), 'AuthenticationError')
  assert.match(error.message, /nobody-we-know/)
}

export async function run_disconnect(c) {
  const sandbox = await c.sandbox()
  let heard = ''
  const command = await sandbox.commands.run('echo early; until [ -e go ]; do sleep 0.01; done; echo late; exit 0', {
    ...FOREVER,
    onStdout: (text) => void (heard += text),
  })
  await until('the first line', () => heard === 'early\n')
  await command.disconnect()
  assert.ok(await lists(sandbox, command.pid), 'it goes on')
  const again = await sandbox.commands.connect(command.pid)
  await sandbox.files.write('go', '')
  const done = await again.wait()
  assert.deepEqual([done.exitCode, done.stdout, heard], [0, 'late\n', 'early\n'])
}

export async function run_connect(c) {
  const sandbox = await c.sandbox()
  const command = await sandbox.commands.run('until [ -e go ]; do sleep 0.01; done; echo both; echo err >&2; exit 7', FOREVER)
  let heard = ''
  const second = await sandbox.commands.connect(command.pid, { onStdout: (text) => void (heard += text) })
  assert.equal(second.pid, command.pid)
  await sandbox.files.write('go', '')
  for (const handle of [command, second]) {
    const error = await fails(handle.wait(), 'CommandExitError')
    assert.deepEqual([error.exitCode, error.stdout, error.stderr], [7, 'both\n', 'err\n'])
  }
  assert.equal(heard, 'both\n')
}

export async function run_connect_missing(c) {
  const sandbox = await c.sandbox()
  const error = await fails(sandbox.commands.connect(999_999), 'NotFoundError')
  assert.match(error.message, /999999/)
}

export async function run_list(c) {
  const sandbox = await c.sandbox()
  assert.deepEqual(await sandbox.commands.list(), [])
  const command = await sandbox.commands.run('sleep 600', { ...FOREVER, cwd: '/usr', envs: { NAME: 'value' } })
  const [found, ...more] = await sandbox.commands.list()
  assert.deepEqual(more, [])
  assert.equal(found.pid, command.pid)
  assert.equal(found.cmd, '/bin/bash')
  assert.deepEqual(found.args, ['-l', '-c', 'sleep 600'])
  assert.deepEqual(found.envs, { NAME: 'value' })
  assert.equal(found.cwd, '/usr')
  await command.kill()
  await until('it is listed no more', async () => !(await lists(sandbox, command.pid)))
}
