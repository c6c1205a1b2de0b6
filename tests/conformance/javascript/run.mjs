// SPDX-License-Identifier: Apache-2.0
// Asks the vendor's unmodified JavaScript SDK to do each case of ../cases.txt with the
// server that E2B_API_URL, E2B_SANDBOX_URL and E2B_API_KEY name. One line a case.
//
//   SDK=FOLDER-WITH-node_modules node run.mjs [CASE…]
import { readFileSync } from 'node:fs'
import { Case, sdkVersion } from './case.mjs'

const AREAS = ['control', 'life', 'commands', 'input', 'pty', 'files', 'folders', 'watch']
const AT_ONCE = 4
const SECONDS = 45

function wanted(letter) {
  const text = readFileSync(new URL('../cases.txt', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => /^[a-z]/.test(line)).map((line) => line.split(/\s+/))
  return rows.filter(([, suites]) => suites.includes(letter)).map(([name]) => name)
}

async function load() {
  const modules = await Promise.all(AREAS.map((area) => import(`./${area}.mjs`)))
  const found = Object.assign({}, ...modules)
  const names = wanted('j')
  const odd = names.filter((name) => !found[name]).concat(Object.keys(found).filter((name) => !names.includes(name)))
  if (odd.length > 0) throw new Error(`cases.txt and the suite differ: ${odd}`)
  return names.map((name) => [name, found[name]])
}

const afterSeconds = () =>
  new Promise((_, fail) => setTimeout(() => fail(new Error(`not done within ${SECONDS} s`)), SECONDS * 1000).unref())

async function perform(name, body) {
  const begun = performance.now()
  const c = new Case(name)
  let error
  try {
    await Promise.race([body(c), afterSeconds()])
  } catch (e) {
    error = e
  }
  await c.release()
  const ms = `${Math.round(performance.now() - begun)} ms`
  console.log(`${error ? 'FAILED' : 'ok    '} ${name.padEnd(20)} ${ms.padStart(8)}`)
  if (error) console.log(`       ${explain(error).replaceAll('\n', '\n       ')}`)
  return !error
}

function explain(error) {
  const where = (error.stack ?? '').split('\n').find((line) => line.includes('/conformance/')) ?? ''
  return `${error.constructor.name}: ${error.message}\n${where.trim()}`
}

async function main() {
  const begun = performance.now()
  const asked = process.argv.slice(2)
  const todo = (await load()).filter(([name]) => asked.length === 0 || asked.includes(name))
  const queue = todo.slice()
  let passed = 0
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const fine = await perform(...next)
      passed += fine
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(`javascript: npm e2b ${sdkVersion}, Node ${process.versions.node}: ` +
    `${passed} of ${todo.length} cases passed (${seconds} s)`)
  process.exit(passed === todo.length && passed > 0 ? 0 : 1)
}

// A late rejection nobody waits for any more must not hide the cases that follow.
process.on('unhandledRejection', (e) => console.log(`note   unhandled: ${e}`))
await main()
