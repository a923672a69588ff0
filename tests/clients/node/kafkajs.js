// kafkajs, with its defaults.

import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import zlib from 'node:zlib'

import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import lz4 from 'lz4-napi'

import { Handover, offsetsOf, serve, versionOf } from './remote.js'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: encoder => promisify(zlib.zstdCompress)(encoder.buffer),
  decompress: buffer => promisify(zlib.zstdDecompress)(buffer)
})

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}

// The group moved on: what was read is someone else's now.
const STALE = new Set(['ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'UNKNOWN_MEMBER_ID'])

class Client {
  constructor(bootstrap) {
    this.options = { brokers: [bootstrap], logLevel: logLevel.WARN }
    this.kafka = new Kafka(this.options)
  }

  hello() {
    return {
      client: 'kafkajs',
      version: versionOf('kafkajs'),
      codecs: Object.keys(CODECS),
      lacks: {
        compressions: 'by itself it has gzip; its plug-in `kafkajs-snappy`, `lz4-napi` and Node.js do the others',
        'reading without a group': 'it reads in a group only; the scenarios give it one of its own',
        'null header values': 'its producer fails on them',
        retries: 'its 5 to connect may be over before a broker has started again; the scenario sets more',
        'static members': 'it does not send `group.instance.id`',
        'times after the last record': 'it answers the end of the partition'
      }
    }
  }

  async withAdmin(work) {
    const admin = this.kafka.admin()
    await admin.connect()
    try {
      return await work(admin)
    } finally {
      await admin.disconnect()
    }
  }

  async createTopic(topic, numPartitions) {
    await this.withAdmin(admin => admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] }))
  }

  async producer(topic, codec, settings) {
    const producer = settings.idempotent
      ? new Kafka({ ...this.options, retry: { retries: 60, maxRetryTime: 1_000 } }).producer({ idempotent: true })
      : this.kafka.producer()
    await producer.connect()
    return new Producer(producer, topic, CODECS[codec])
  }

  async consumer(topic, group, settings) {
    return new Consumer(this, topic, group, settings)
  }
}

class Producer {
  constructor(producer, topic, compression) {
    this.producer = producer
    this.topic = topic
    this.compression = compression
  }

  async send(records) {
    const messages = records.map(({ partition, key, value, headers, timestampMs }) => ({
      partition,
      key,
      value,
      headers: headersOf(headers),
      timestamp: String(timestampMs)
    }))
    const found = await this.producer.send({ topic: this.topic, compression: this.compression, messages })
    return offsetsOf(
      records,
      found.map(each => [each.partition, each.baseOffset])
    )
  }

  async close() {
    await this.producer.disconnect()
  }
}

/** A name that is there twice has a list of values. */
function headersOf(pairs) {
  const headers = {}
  for (const [name, value] of pairs) {
    headers[name] = name in headers ? [headers[name], value].flat() : value
  }
  return headers
}

function pairsOf(headers) {
  return Object.entries(headers ?? {}).flatMap(([name, value]) => [value].flat().map(each => [name, each]))
}

class Consumer {
  assignments = []
  #client
  #topic
  #group
  #settings
  #consumer = null
  #handover = new Handover()
  #polled = new Map()
  #wanted = null
  #closing = false

  constructor(client, topic, group, settings) {
    this.#client = client
    this.#topic = topic
    this.#group = group
    this.#settings = settings
  }

  async subscribe() {
    await this.#run(this.#group)
  }

  async assign(partitions, offset) {
    this.#wanted = new Set(partitions)
    await this.#run(`alone-${randomUUID()}`)
    if (offset !== null) {
      partitions.forEach(partition => this.seek(partition, offset))
    }
  }

  async #run(groupId) {
    const consumer = this.#client.kafka.consumer({ groupId })
    this.#consumer = consumer
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.#polled.clear()
      this.assignments.push(payload.memberAssignment[this.#topic] ?? [])
    })
    await consumer.connect()
    await consumer.subscribe({ topic: this.#topic, fromBeginning: true })
    await consumer.run({
      autoCommit: Boolean(this.#settings.automatic),
      eachBatchAutoResolve: false,
      eachBatch: payload => this.#handOver(payload)
    })
  }

  async #handOver({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
    const { partition } = batch
    for (const message of batch.messages) {
      if (this.#closing || !isRunning() || isStale()) {
        return
      }
      const { offset, key, value, timestamp } = message
      const record = { partition, offset, key, value, headers: pairsOf(message.headers), timestampMs: timestamp }
      if ((this.#wanted?.has(partition) ?? true) && !(await this.#handover.offer(record))) {
        return
      }
      resolveOffset(offset)
      await heartbeat()
    }
  }

  async poll(timeoutMs) {
    const records = await this.#handover.poll(timeoutMs)
    for (const { partition, offset } of records) {
      this.#polled.set(partition, offset)
    }
    return records
  }

  async commit() {
    const offsets = [...this.#polled].map(([partition, offset]) => ({
      topic: this.#topic,
      partition,
      offset: String(Number(offset) + 1)
    }))
    try {
      await this.#consumer.commitOffsets(offsets)
    } catch (error) {
      if (STALE.has(error.type)) {
        return false
      }
      throw error
    }
    this.#polled.clear()
    return true
  }

  async committed(partition) {
    const [found] = await this.#client.withAdmin(admin =>
      admin.fetchOffsets({ groupId: this.#group, topics: [this.#topic] })
    )
    const { offset } = found.partitions.find(each => each.partition === partition)
    return Number(offset) < 0 ? null : Number(offset)
  }

  seek(partition, offset) {
    this.#consumer.seek({ topic: this.#topic, partition, offset: String(offset) })
    this.#handover.drop()
  }

  async offsetForTime(partition, timestampMs) {
    const found = await this.#client.withAdmin(admin => admin.fetchTopicOffsetsByTimestamp(this.#topic, timestampMs))
    const { offset } = found.find(each => each.partition === partition)
    return Number(offset) < 0 ? null : Number(offset)
  }

  async close() {
    this.#closing = true
    this.#handover.drop()
    const gone = this.#consumer?.disconnect()
    // It waits for its last fetch, five seconds; nobody waits for one that is alone in its group.
    if (!this.#wanted) {
      await gone
    }
  }
}

serve(bootstrap => new Client(bootstrap))
