// SPDX-License-Identifier: Apache-2.0
// Folders, and files as entries of them.
import assert from 'node:assert/strict'
import { fails } from './case.mjs'

const show = (entries) => entries.map((e) => [e.name, e.type]).sort()

export async function files_list(c) {
  const sandbox = await c.sandbox()
  assert.deepEqual(await sandbox.files.list(await home(sandbox) + '/.').then((all) => all.filter((e) => !e.name.startsWith('.'))), [])
  await sandbox.files.write('top/file', '12345')
  await sandbox.files.write('top/sub/deep/leaf', 'x')
  await sandbox.commands.run('chmod 640 top/file; ln -s file top/link')
  const entries = await sandbox.files.list('top')
  // the type of what a link leads to: this SDK's version does not read isSymlink
  assert.deepEqual(show(entries), [['file', 'file'], ['link', 'file'], ['sub', 'dir']].sort())
  const file = entries.find((e) => e.name === 'file')
  assert.deepEqual([file.size, file.mode & 0o777, file.permissions], [5, 0o640, '-rw-r-----'])
  assert.equal(file.path, `${await home(sandbox)}/top/file`)
  assert.ok(file.owner && file.group)
  assert.ok(Math.abs(file.modifiedTime - Date.now()) < 60_000)
  const two = await sandbox.files.list('top', { depth: 2 })
  assert.deepEqual(show(two), [['deep', 'dir'], ['file', 'file'], ['link', 'file'], ['sub', 'dir']])
  await fails(sandbox.files.list('top', { depth: 0 }), 'InvalidArgumentError')
  await sandbox.files.makeDir('void')
  assert.deepEqual(await sandbox.files.list('void'), [])
}

const home = async (sandbox) => (await sandbox.commands.run('echo $HOME')).stdout.trim()

export async function files_list_missing(c) {
  const sandbox = await c.sandbox()
  await fails(sandbox.files.list('nothing'), 'FileNotFoundError')
  await sandbox.files.write('file', 'x')
  await fails(sandbox.files.list('file'), 'InvalidArgumentError')
}

export async function files_info(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('dir/file', 'four')
  await sandbox.commands.run('chmod 755 dir dir/file; ln -s dir/file link; ln -s nowhere broken')
  const file = await sandbox.files.getInfo('dir/file')
  assert.deepEqual([file.name, file.type, file.size, file.mode & 0o777], ['file', 'file', 4, 0o755])
  assert.equal(file.permissions, '-rwxr-xr-x')
  assert.equal(file.symlinkTarget, undefined)
  const folder = await sandbox.files.getInfo('dir')
  assert.deepEqual([folder.name, folder.type, folder.permissions], ['dir', 'dir', 'drwxr-xr-x'])
  const link = await sandbox.files.getInfo('link')
  assert.equal(link.name, 'link')
  assert.equal(link.symlinkTarget, `${await home(sandbox)}/dir/file`)
  await fails(sandbox.files.getInfo('nothing'), 'FileNotFoundError')
}

export async function files_exists(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('dir/file', '')
  const found = await Promise.all(['dir', 'dir/file', 'dir/none', 'none/none', '/'].map((p) => sandbox.files.exists(p)))
  assert.deepEqual(found, [true, true, false, false, true])
}

export async function files_make_dir(c) {
  const sandbox = await c.sandbox()
  assert.equal(await sandbox.files.makeDir('a/b/c'), true)
  assert.equal(await sandbox.files.makeDir('a/b/c'), false)
  assert.equal((await sandbox.files.getInfo('a/b/c')).type, 'dir')
  await sandbox.commands.run('touch a/b/c/mine')
  await sandbox.files.write('file', '')
  await fails(sandbox.files.makeDir('file/sub'), 'SandboxError')
}

export async function files_rename(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('one/file', 'moved')
  const file = await sandbox.files.rename('one/file', 'one/other')
  assert.deepEqual([file.name, file.type, file.size], ['other', 'file', 5])
  const folder = await sandbox.files.rename('one', 'two')
  assert.deepEqual([folder.name, folder.type], ['two', 'dir'])
  assert.equal(await sandbox.files.read('two/other'), 'moved')
  assert.equal(await sandbox.files.exists('one'), false)
  await fails(sandbox.files.rename('nothing', 'something'), 'FileNotFoundError')
}

export async function files_remove(c) {
  const sandbox = await c.sandbox()
  await sandbox.files.write('dir/sub/file', 'x')
  await sandbox.files.write('file', 'x')
  await sandbox.files.remove('file')
  await sandbox.files.remove('dir')
  assert.deepEqual(await Promise.all(['file', 'dir'].map((p) => sandbox.files.exists(p))), [false, false])
  await sandbox.files.remove('nothing')
}

export async function files_user(c) {
  const sandbox = await c.sandbox()
  const written = await sandbox.files.write('mine', 'x', { user: 'user' })
  assert.equal(written.path, `${await home(sandbox)}/mine`)
  assert.equal(await sandbox.files.read('mine', { user: 'user' }), 'x')
  const nobody = { user: 'nobody-we-know' }
  await fails(sandbox.files.write('mine', 'y', nobody), 'AuthenticationError')
  await fails(sandbox.files.read('mine', nobody), 'AuthenticationError')
  await fails(sandbox.files.list('.', nobody), 'AuthenticationError')
  await fails(sandbox.files.remove('mine', nobody), 'AuthenticationError')
}
