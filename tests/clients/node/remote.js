// The JavaScript half of tests/clients/remote.py, which describes the protocol: it reads requests in lines of JSON,
// hands them to a client, and writes the answers.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const [majorVersion] = process.versions.node.split('.')

/** The version of an installed package. */
export function versionOf(name) {
  const require = createRequire(import.meta.url)
  const main = require.resolve(name)
  const root = main.slice(0, main.lastIndexOf(`node_modules/${name}/`)) + `node_modules/${name}/`
  return require(root + 'package.json').version
}

const bytes = text => (text === null ? null : Buffer.from(text, 'base64'))
const text = buffer => (buffer === null || buffer === undefined ? null : Buffer.from(buffer).toString('base64'))

function received([partition, key, value, headers, timestampMs]) {
  const pairs = headers.map(([name, content]) => [name, bytes(content)])
  return { partition, key: bytes(key), value: bytes(value), headers: pairs, timestampMs }
}

function delivered({ partition, offset, key, value, headers, timestampMs }) {
  const pairs = headers.map(([name, content]) => [name, text(content)])
  return [partition, Number(offset), text(key), text(value), pairs, Number(timestampMs)]
}

/** Answers requests until standard input ends. `connect` makes a client for a bootstrap address. */
export function serve(connect) {
  const client = connect(process.argv.at(-1))
  const places = new Map()
  const lines = createInterface({ input: process.stdin })
  lines.on('line', line => {
    const asked = JSON.parse(line)
    const place = places.get(asked.on) ?? { done: Promise.resolve() }
    places.set(asked.on, place)
    place.done = place.done.then(() => answer(client, place, asked))
  })
  lines.on('close', () => process.exit(0))
}

async function answer(client, place, asked) {
  const told = { id: asked.id }
  try {
    told.result = (await carryOut(client, place, asked)) ?? null
  } catch (error) {
    told.error = error.stack + (error.errors ?? []).map(each => `\n  ${each.stack}`).join('')
  }
  const assignments = place.consumer?.assignments.splice(0)
  if (assignments?.length) {
    told.assignments = assignments
  }
  process.stdout.write(JSON.stringify(told) + '\n')
}

async function carryOut(client, place, asked) {
  const { consumer, producer } = place
  switch (asked.do) {
    case 'hello':
      return { ...client.hello(), runtime: `Node.js ${majorVersion}` }
    case 'create_topic':
      return await client.createTopic(asked.topic, asked.partitions)
    case 'open_producer':
      place.producer = new Sender(await client.producer(asked.topic, asked.codec, asked.settings))
      return
    case 'open_consumer':
      place.consumer = await client.consumer(asked.topic, asked.group, asked.settings)
      return
    case 'send':
      return producer.send(asked.records.map(received))
    case 'flush':
      return await producer.flush()
    case 'subscribe':
      return await consumer.subscribe()
    case 'assign':
      return await consumer.assign(asked.partitions, asked.offset)
    case 'poll':
      return (await consumer.poll(asked.timeout_ms)).map(delivered)
    case 'commit':
      return await consumer.commit()
    case 'committed':
      return await consumer.committed(asked.partition)
    case 'seek':
      return await consumer.seek(asked.partition, asked.offset)
    case 'offset_for_time':
      return await consumer.offsetForTime(asked.partition, asked.timestamp_ms)
    case 'close':
      return await (consumer ?? producer).close()
    default:
      throw new Error(`nobody knows how to ${asked.do}`)
  }
}

const BATCH_BYTES = 950_000

/**
 * Sends in order, one request of the client after the other: neither client collects records, and what one of its
 * calls is given becomes one batch for each partition, which must not be too large.
 */
class Sender {
  #client
  #sending = Promise.resolve()
  #offsets = []

  constructor(client) {
    this.#client = client
  }

  send(records) {
    for (const batch of inBatches(records)) {
      this.#sending = this.#sending.then(async () => this.#offsets.push(...(await this.#client.send(batch))))
      // It is told by `flush`.
      this.#sending.catch(() => {})
    }
  }

  async flush() {
    await this.#sending
    return this.#offsets
  }

  async close() {
    await this.#sending.catch(() => {})
    await this.#client.close()
  }
}

function* inBatches(records) {
  let batch = []
  let size = 0
  for (const record of records) {
    const length = (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (batch.length && size + length > BATCH_BYTES) {
      yield batch
      batch = []
      size = 0
    }
    batch.push(record)
    size += length
  }
  yield batch
}

/** The offset of each record, from the first offset of each partition's batch. */
export function offsetsOf(records, firstOffsets) {
  const next = new Map(firstOffsets.map(([partition, offset]) => [partition, Number(offset)]))
  return records.map(({ partition }) => {
    const offset = next.get(partition)
    next.set(partition, offset + 1)
    return offset
  })
}

/** Where a client that pushes leaves a record until it is asked for. */
export class Handover {
  #waiting = null
  #offers = []

  /** Resolves to true once the record is taken, to false if it was dropped. */
  offer(record) {
    return new Promise(resolve => {
      this.#offers.push({ record, resolve })
      this.#waiting?.()
    })
  }

  drop() {
    for (const { resolve } of this.#offers.splice(0)) {
      resolve(false)
    }
  }

  async poll(timeoutMs) {
    const records = []
    let wait = timeoutMs
    while (records.length < 500) {
      if (!this.#offers.length && !(await this.#offered(wait))) {
        break
      }
      for (const { record, resolve } of this.#offers.splice(0)) {
        records.push(record)
        resolve(true)
      }
      wait = 1
    }
    return records
  }

  #offered(timeoutMs) {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#waiting(false), timeoutMs)
      this.#waiting = (found = true) => {
        clearTimeout(timer)
        this.#waiting = null
        resolve(found)
      }
    })
  }
}
