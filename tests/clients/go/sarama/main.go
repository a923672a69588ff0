// sarama, with its defaults.
package main

import (
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"fleuve/clients/remote"
)

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

type client struct{ addresses []string }

func main() {
	remote.Serve(func(bootstrap string) remote.Client { return &client{[]string{bootstrap}} })
}

func (c *client) Hello() remote.Hello {
	return remote.Hello{
		Client:  "sarama",
		Version: remote.Version("github.com/IBM/sarama"),
		Codecs:  []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Lacks:   map[string]string{"retries": "its 3 are over before a broker has started again; the scenario sets more"},
	}
}

func (c *client) CreateTopic(topic string, partitions int) error {
	admin, err := sarama.NewClusterAdmin(c.addresses, sarama.NewConfig())
	if err != nil {
		return err
	}
	detail := &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1}
	return errors.Join(admin.CreateTopic(topic, detail, false), admin.Close())
}

type producer struct {
	topic    string
	producer sarama.AsyncProducer
	offsets  []int64
	sent     sync.WaitGroup
	lock     sync.Mutex
	failed   error
}

func (c *client) Producer(topic, codec string, settings remote.Settings) (remote.Producer, error) {
	config := sarama.NewConfig()
	config.Producer.Compression = codecs[codec]
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	if settings.Idempotent {
		// What sarama asks of an idempotent producer, and retries for a minute.
		config.Producer.Idempotent = true
		config.Producer.RequiredAcks = sarama.WaitForAll
		config.Net.MaxOpenRequests = 1
		config.Producer.Retry.Max = 600
		config.Metadata.Retry.Max = 240
	}
	connected, err := sarama.NewAsyncProducer(c.addresses, config)
	if err != nil {
		return nil, err
	}
	p := &producer{topic: topic, producer: connected}
	go func() {
		for message := range connected.Successes() {
			p.done(message, nil)
		}
	}()
	go func() {
		for each := range connected.Errors() {
			p.done(each.Msg, each.Err)
		}
	}()
	return p, nil
}

func (p *producer) done(message *sarama.ProducerMessage, err error) {
	p.lock.Lock()
	p.offsets[message.Metadata.(int)] = message.Offset
	p.failed = errors.Join(p.failed, err)
	p.lock.Unlock()
	p.sent.Done()
}

func (p *producer) Send(records []remote.Record) error {
	for _, record := range records {
		p.lock.Lock()
		index := len(p.offsets)
		p.offsets = append(p.offsets, -1)
		p.lock.Unlock()
		message := &sarama.ProducerMessage{
			Topic:     p.topic,
			Partition: record.Partition,
			Timestamp: time.UnixMilli(record.TimestampMs),
			Metadata:  index,
		}
		if record.Key != nil {
			message.Key = sarama.ByteEncoder(record.Key)
		}
		if record.Value != nil {
			message.Value = sarama.ByteEncoder(record.Value)
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
		p.sent.Add(1)
		p.producer.Input() <- message
	}
	return nil
}

func (p *producer) Flush() ([]int64, error) {
	p.sent.Wait()
	return p.offsets, p.failed
}

func (p *producer) Close() error {
	return p.producer.Close()
}
