// SPDX-License-Identifier: Apache-2.0
// The contents of files.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { fails } from './case.mjs'

const EVERY_BYTE = Uint8Array.from({ length: 512 }, (_, i) => i % 256)
const sha256 = (data) => createHash('sha256').update(data).digest('hex')
const inside = async (sandbox, path) => (await sandbox.commands.run(`sha256sum < '${path}'`)).stdout.slice(0, 64)
const bytes = (sandbox, path) => sandbox.files.read(path, { format: 'bytes' })

export async function files_text(c) {
  const sandbox = await c.sandbox()
  const written = await sandbox.files.write('note.txt', 'grüße\nand more\n')
  assert.deepEqual([written.name, written.type], ['note.txt', 'file'])
  assert.match(written.path, /^\/.*\/note\.txt$/)
  assert.equal(await sandbox.files.read('note.txt'), 'grüße\nand more\n')
  assert.equal(await sandbox.files.read(written.path), 'grüße\nand more\n')
  await sandbox.files.write('note.txt', 'short')
  assert.equal((await sandbox.commands.run('cat note.txt')).stdout, 'short')
}

export async function files_bytes(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('all', EVERY_BYTE.buffer)
  assert.deepEqual(await bytes(sandbox, 'all'), EVERY_BYTE)
  assert.equal(await inside(sandbox, 'all'), sha256(EVERY_BYTE))
}

export async function files_forms(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('blob', new Blob([EVERY_BYTE]))
  const blob = await sandbox.files.read('blob', { format: 'blob' })
  assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), EVERY_BYTE)
  const pieces = Array.from({ length: 40 }, () => randomBytes(10_000))
  await sandbox.files.write('stream', ReadableStream.from(pieces))
  const whole = createHash('sha256')
  for await (const piece of await sandbox.files.read('stream', { format: 'stream' })) whole.update(piece)
  assert.equal(whole.digest('hex'), sha256(Buffer.concat(pieces)))
}

export async function files_empty(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('empty', '')
  assert.equal(await sandbox.files.read('empty'), '')
  assert.deepEqual(await bytes(sandbox, 'empty'), new Uint8Array())
  assert.equal((await sandbox.files.getInfo('empty')).size, 0)
}

export async function files_parents(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('one/two/three/file', 'deep')
  assert.equal((await sandbox.commands.run('cat one/two/three/file; touch one/two/mine')).stdout, 'deep')
}

export async function files_many(c) {
  const sandbox = await c.sandbox()
  const files = Array.from({ length: 12 }, (_, i) => ({ path: `many/f ${i}`, data: i % 2 ? `text ${i}` : EVERY_BYTE.slice(i).buffer }))
  const written = await sandbox.files.write(files)
  assert.deepEqual(written.map((w) => w.name), files.map((_, i) => `f ${i}`))
  for (const { path, data } of files) {
    assert.equal(sha256(await bytes(sandbox, path)), sha256(typeof data === 'string' ? data : Buffer.from(data)))
  }
  assert.deepEqual(await sandbox.files.writeFiles([]), [])
}

export async function files_10mb(c) {
  const sandbox = await c.sandbox()
  const data = randomBytes(10 * 1024 * 1024)
  await sandbox.files.write('big', new Blob([data]))
  assert.equal(await inside(sandbox, 'big'), sha256(data))
  assert.equal(sha256(await bytes(sandbox, 'big')), sha256(data))
}

export async function files_raw(c) {
  const sandbox = await c.sandbox()
  const data = Buffer.from('compresses well '.repeat(50_000))
  await sandbox.files.write('raw', new Blob([data]), { useOctetStream: true })
  assert.equal(await inside(sandbox, 'raw'), sha256(data))
  await sandbox.files.write('zipped', new Blob([data]), { gzip: true })
  assert.equal(await inside(sandbox, 'zipped'), sha256(data))
  assert.equal(sha256(await sandbox.files.read('raw', { format: 'bytes', gzip: true })), sha256(data))
}

export async function files_metadata(c) {
  const sandbox = await c.sandbox()
  const written = await sandbox.files.write('tagged', 'x', { metadata: { Origin: 'a test', kind: '1' } })
  assert.deepEqual(written.metadata, { origin: 'a test', kind: '1' })
  assert.deepEqual((await sandbox.files.getInfo('tagged')).metadata, { origin: 'a test', kind: '1' })
  await sandbox.files.write('plain', 'x')
  assert.equal((await sandbox.files.getInfo('plain')).metadata, undefined)
}

export async function files_names(c) {
  const sandbox = await c.sandbox()
  for (const name of ['with space', 'percent%20&+=?#', `quotes"' and back\\slash`, 'größe-漢字-🦊', '-n', '...']) {
    const written = await sandbox.files.write(`odd/${name}`, name)
    assert.equal(written.name, name)
    assert.equal(await sandbox.files.read(`odd/${name}`), name)
    assert.equal((await sandbox.files.getInfo(`odd/${name}`)).name, name)
  }
  assert.equal((await sandbox.files.list('odd')).length, 6)
}

export async function files_missing(c) {
  const sandbox = await c.sandbox()
  for (const path of ['nothing', 'no/such/folder/file', '/nothing/at/all']) {
    const error = await fails(sandbox.files.read(path), 'FileNotFoundError')
    assert.match(error.message, /not exist|not found|no such/i)
  }
}

export async function files_folder_read(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.makeDir('folder')
  const error = await fails(sandbox.files.read('folder'), 'InvalidArgumentError')
  assert.match(error.message, /directory/)
}

export async function files_signed_get(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('dir/a b&c.txt', 'signed for')
  const url = await sandbox.downloadUrl('dir/a b&c.txt')
  const answer = await fetch(url)
  assert.deepEqual([answer.status, await answer.text()], [200, 'signed for'])
  const timed = await sandbox.downloadUrl('dir/a b&c.txt', { useSignatureExpiration: 60, user: 'user' })
  assert.equal(await (await fetch(timed)).text(), 'signed for')
  const past = new URL(timed)
  past.searchParams.set('signature_expiration', '1000')
  const other = new URL(url)
  other.searchParams.set('path', '/etc/passwd')
  for (const wrong of [past, other, url.replace('signature=v1_', 'signature=v1_A')]) {
    assert.equal((await fetch(wrong)).status, 401, wrong)
  }
  assert.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 401)
}

export async function files_signed_put(c) {
  const sandbox = await c.sandbox()
  const url = await sandbox.uploadUrl('in/box', { useSignatureExpiration: 60 })
  const form = new FormData()
  form.append('file', new Blob([EVERY_BYTE]), 'named otherwise')
  const answer = await fetch(url, { method: 'POST', body: form })
  assert.equal(answer.status, 200)
  assert.equal((await answer.json())[0].name, 'box')
  assert.deepEqual(await bytes(sandbox, 'in/box'), EVERY_BYTE)
  assert.equal((await fetch(url)).status, 401)
}
