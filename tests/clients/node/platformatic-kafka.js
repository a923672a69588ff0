// @platformatic/kafka, with its defaults.

import { randomUUID } from 'node:crypto'

import { Admin, Consumer as KafkaConsumer, Producer as KafkaProducer } from '@platformatic/kafka'

import { offsetsOf, serve, versionOf } from './remote.js'

// The group moved on: what was read is someone else's now.
const STALE = new Set(['ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'UNKNOWN_MEMBER_ID'])

class Client {
  constructor(bootstrap) {
    this.common = { clientId: 'scenarios', bootstrapBrokers: [bootstrap] }
  }

  hello() {
    return {
      client: '@platformatic/kafka',
      version: versionOf('@platformatic/kafka'),
      codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
      lacks: {
        retries: 'its 3 are over before a broker has started again; the scenario sets more',
        'reading without a group': 'it reads in a group only; the scenarios give it one of its own',
        'static members': 'it sends `group.instance.id`, but leaves the group when it closes'
      }
    }
  }

  async createTopic(topic, partitions) {
    const admin = new Admin(this.common)
    try {
      await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
    } finally {
      await admin.close()
    }
  }

  async producer(topic, codec, settings) {
    const { idempotent, auto_create: autocreateTopics } = settings
    const options = { ...this.common, compression: codec }
    if (idempotent) {
      options.idempotent = true
      options.retries = 60
    }
    if (autocreateTopics) {
      options.autocreateTopics = true
    }
    return new Producer(new KafkaProducer(options), topic)
  }

  async consumer(topic, group, settings) {
    return new Consumer(this.common, topic, group, settings)
  }
}

class Producer {
  constructor(producer, topic) {
    this.producer = producer
    this.topic = topic
  }

  async send(records) {
    const messages = records.map(({ partition, key, value, headers, timestampMs }) => ({
      topic: this.topic,
      partition,
      key: key ?? undefined,
      value: value ?? undefined,
      // Buffers are different keys of a map even where they say the same.
      headers: new Map(headers.map(([name, content]) => [Buffer.from(name), content])),
      timestamp: BigInt(timestampMs)
    }))
    const { offsets } = await this.producer.send({ messages })
    return offsetsOf(
      records,
      offsets.map(each => [each.partition, each.offset])
    )
  }

  async close() {
    await this.producer.close()
  }
}

class Consumer {
  assignments = []
  #common
  #topic
  #group
  #settings
  #consumer
  #stream = null
  #failure = null
  #polled = new Map()
  #wanted = null

  constructor(common, topic, group, settings) {
    this.#common = common
    this.#topic = topic
    this.#group = group
    this.#settings = settings
    const options = { ...common, groupId: group ?? `alone-${randomUUID()}` }
    if (settings.instance) {
      options.groupInstanceId = settings.instance
    }
    this.#consumer = new KafkaConsumer(options)
    this.#consumer.on('consumer:group:join', ({ assignments }) => {
      this.#polled.clear()
      this.assignments.push(assignments?.find(each => each.topic === topic)?.partitions ?? [])
    })
  }

  async subscribe() {
    await this.#read({ mode: 'committed', fallbackMode: 'earliest' })
  }

  async assign(partitions, offset) {
    this.#wanted = new Set(partitions)
    await this.#read({ mode: 'earliest' })
    if (offset !== null) {
      await this.#readAt(new Map(partitions.map(partition => [partition, offset])))
    }
  }

  async #read(where) {
    const options = { topics: [this.#topic], ...where }
    // By default, it commits by itself.
    if (!this.#settings.automatic) {
      options.autocommit = false
    }
    const stream = await this.#consumer.consume(options)
    stream.on('readable', () => {})
    stream.on('error', error => {
      this.#failure = error
    })
    this.#stream = stream
  }

  async #readAt(places) {
    await this.#stream.close()
    const held = this.#consumer.assignments.find(each => each.topic === this.#topic).partitions
    const offsets = held.map(partition => ({
      topic: this.#topic,
      partition,
      offset: BigInt(places.get(partition) ?? 0)
    }))
    await this.#read({ mode: 'manual', offsets })
  }

  async poll(timeoutMs) {
    const records = []
    const late = Date.now() + timeoutMs
    while (records.length < 500) {
      if (this.#failure) {
        throw this.#failure
      }
      const message = this.#stream.read()
      if (message === null) {
        if (records.length || Date.now() >= late) {
          break
        }
        await new Promise(resolve => setTimeout(resolve, 5))
        continue
      }
      const { partition, offset, key, value, headerEntries, timestamp, leaderEpoch } = message
      if (this.#wanted?.has(partition) ?? true) {
        const headers = headerEntries.map(([name, content]) => [name.toString(), content])
        records.push({ partition, offset, key, value, headers, timestampMs: timestamp })
        this.#polled.set(partition, { topic: this.#topic, partition, offset: offset + 1n, leaderEpoch })
      }
    }
    return records
  }

  async commit() {
    try {
      await this.#consumer.commit({ offsets: [...this.#polled.values()] })
    } catch (error) {
      if (codesOf(error).some(code => STALE.has(code))) {
        return false
      }
      throw error
    }
    this.#polled.clear()
    return true
  }

  async committed(partition) {
    const topics = [{ topic: this.#topic, partitions: [partition] }]
    const offset = (await this.#consumer.listCommittedOffsets({ topics })).get(this.#topic)[partition]
    return offset < 0n ? null : Number(offset)
  }

  async seek(partition, offset) {
    await this.#readAt(new Map([[partition, offset]]))
  }

  async offsetForTime(partition, timestampMs) {
    const asked = { topics: [this.#topic], partitions: { [this.#topic]: [partition] }, timestamp: BigInt(timestampMs) }
    const { offset } = (await this.#consumer.listOffsetsWithTimestamps(asked)).get(this.#topic).get(partition)
    return offset < 0n ? null : Number(offset)
  }

  async close() {
    await this.#consumer.close(true)
  }
}

/** What the broker said, in the errors that an error is made of. */
function codesOf(error) {
  return [error.apiId, ...(error.errors ?? []).flatMap(codesOf), ...(error.cause ? codesOf(error.cause) : [])]
}

serve(bootstrap => new Client(bootstrap))
