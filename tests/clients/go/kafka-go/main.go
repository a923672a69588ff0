// kafka-go, with its defaults.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"fleuve/clients/remote"
)

var codecs = map[string]kafka.Compression{
	"none":   0,
	"gzip":   kafka.Gzip,
	"snappy": kafka.Snappy,
	"lz4":    kafka.Lz4,
	"zstd":   kafka.Zstd,
}

type client struct {
	bootstrap string
	client    *kafka.Client
}

func main() {
	remote.Serve(func(bootstrap string) remote.Client {
		return &client{bootstrap, &kafka.Client{Addr: kafka.TCP(bootstrap)}}
	})
}

func (c *client) Hello() remote.Hello {
	return remote.Hello{
		Client:  "kafka-go",
		Version: remote.Version("github.com/segmentio/kafka-go"),
		Codecs:  []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Lacks: map[string]string{
			"idempotence":      "its writer has no producer id: what it sends again may be there twice",
			"retries":          "its 10 may be over before a broker has started again; the scenario sets more",
			"static members":   "its reader does not send `group.instance.id`",
			"empty values":     "it delivers them as null, in headers too",
			"acknowledgements": "its writer asks for none by default; the scenarios set `RequireAll`",
		},
	}
}

func (c *client) CreateTopic(topic string, partitions int) error {
	config := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	found, err := c.client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}})
	if err != nil {
		return err
	}
	return found.Errors[topic]
}

// asTold is a balancer that follows the partition that the record names.
type asTold struct{}

func (asTold) Balance(message kafka.Message, _ ...int) int {
	return message.WriterData.(sent).partition
}

// sent is what a message carries through the writer.
type sent struct{ index, partition int }

type producer struct {
	writer  *kafka.Writer
	offsets []int64
	pending sync.WaitGroup
	lock    sync.Mutex
	failed  error
}

func (c *client) Producer(topic, codec string, settings remote.Settings) (remote.Producer, error) {
	p := &producer{}
	p.writer = &kafka.Writer{
		Addr:                   kafka.TCP(c.bootstrap),
		Topic:                  topic,
		Balancer:               asTold{},
		Compression:            codecs[codec],
		RequiredAcks:           kafka.RequireAll,
		AllowAutoTopicCreation: settings.AutoCreate,
		Async:                  true,
		Completion:             p.done,
	}
	if settings.Idempotent {
		// It has retries alone: for a minute.
		p.writer.MaxAttempts = 60
	}
	return p, nil
}

func (p *producer) done(messages []kafka.Message, err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.failed = errors.Join(p.failed, err)
	for _, message := range messages {
		p.offsets[message.WriterData.(sent).index] = message.Offset
		p.pending.Done()
	}
}

func (p *producer) Send(records []remote.Record) error {
	var messages []kafka.Message
	p.lock.Lock()
	for _, record := range records {
		message := kafka.Message{
			Key:        record.Key,
			Value:      record.Value,
			Time:       time.UnixMilli(record.TimestampMs),
			WriterData: sent{len(p.offsets), int(record.Partition)},
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
		messages = append(messages, message)
		p.offsets = append(p.offsets, -1)
		p.pending.Add(1)
	}
	p.lock.Unlock()
	return p.write(messages)
}

// write tries again while the topic is coming into being, as kafka-go's own examples do.
func (p *producer) write(messages []kafka.Message) error {
	for {
		err := p.writer.WriteMessages(context.Background(), messages...)
		coming := errors.Is(err, kafka.UnknownTopicOrPartition) || errors.Is(err, kafka.LeaderNotAvailable)
		if !p.writer.AllowAutoTopicCreation || !coming {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (p *producer) Flush() ([]int64, error) {
	p.pending.Wait()
	return p.offsets, p.failed
}

func (p *producer) Close() error {
	return p.writer.Close()
}
