// SPDX-License-Identifier: Apache-2.0
// What every case uses: the SDK, sandboxes that end with the case, waiting for a condition.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.SDK}/`)
export const sdk = require('e2b')
export const { Sandbox } = sdk
export const sdkVersion = require('e2b/package.json').version

export const NOBODY = 'i0123456789abcdefghij' // an id that no sandbox has

export class Case {
  constructor(name) {
    this.name = name
    this.mark = `${name}-${randomBytes(6).toString('hex')}` // for finding only one's own
    this.made = []
  }

  async sandbox(options = {}) {
    const { template = 'base', ...others } = options
    const sandbox = await Sandbox.create(template, { timeoutMs: 120_000, ...others })
    this.made.push(sandbox)
    return sandbox
  }

  async release() {
    await Promise.allSettled(this.made.map((sandbox) => sandbox.kill()))
  }
}

// Waits for a condition, never for a time.
export async function until(what, condition, seconds = 20) {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const found = await condition()
    if (found) return found
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`)
    await new Promise((done) => setTimeout(done, 20))
  }
}

// The error that `promise` ends with, which must be one of these classes of the SDK.
export async function fails(promise, ...classes) {
  let error
  try {
    await promise
  } catch (e) {
    error = e
  }
  assert.ok(error, `no error; wanted ${classes}`)
  const names = classes.map((name) => sdk[name])
  assert.ok(names.some((type) => error instanceof type), `${error.constructor.name}: ${error.message}; wanted ${classes}`)
  return error
}

export async function collect(paginator) {
  const pages = []
  while (paginator.hasNext) pages.push(await paginator.nextItems())
  return pages
}
