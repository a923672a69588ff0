// franz-go, with its defaults.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"fleuve/clients/remote"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

var assignors = map[string]kgo.GroupBalancer{
	"range":              kgo.RangeBalancer(),
	"roundrobin":         kgo.RoundRobinBalancer(),
	"sticky":             kgo.StickyBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

type client struct{ bootstrap string }

func main() {
	remote.Serve(func(bootstrap string) remote.Client { return &client{bootstrap} })
}

func (c *client) Hello() remote.Hello {
	return remote.Hello{
		Client:  "franz-go",
		Version: remote.Version("github.com/twmb/franz-go"),
		Codecs:  []string{"none", "gzip", "snappy", "lz4", "zstd"},
		Lacks:   map[string]string{},
	}
}

func (c *client) new(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(c.bootstrap))...)
}

// withAdmin runs what an administrator does, with a client of its own.
func (c *client) withAdmin(work func(context.Context, *kadm.Client) error) error {
	connected, err := c.new()
	if err != nil {
		return err
	}
	defer connected.Close()
	return work(context.Background(), kadm.NewClient(connected))
}

func (c *client) CreateTopic(topic string, partitions int) error {
	return c.withAdmin(func(ctx context.Context, admin *kadm.Client) error {
		_, err := admin.CreateTopic(ctx, int32(partitions), 1, nil, topic)
		return err
	})
}

type producer struct {
	client *kgo.Client
	topic  string
	lock   sync.Mutex
	sent   []*kgo.Record
	failed error
}

func (c *client) Producer(topic, codec string, settings remote.Settings) (remote.Producer, error) {
	options := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]),
	}
	if settings.AutoCreate {
		options = append(options, kgo.AllowAutoTopicCreation())
	}
	connected, err := c.new(options...)
	return &producer{client: connected, topic: topic}, err
}

func (p *producer) Send(records []remote.Record) error {
	for _, each := range records {
		record := &kgo.Record{
			Topic:     p.topic,
			Partition: each.Partition,
			Key:       each.Key,
			Value:     each.Value,
			Timestamp: time.UnixMilli(each.TimestampMs),
		}
		for _, header := range each.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		p.sent = append(p.sent, record)
		p.client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
			p.lock.Lock()
			defer p.lock.Unlock()
			p.failed = errors.Join(p.failed, err)
		})
	}
	return nil
}

func (p *producer) Flush() ([]int64, error) {
	if err := p.client.Flush(context.Background()); err != nil {
		return nil, err
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	offsets := []int64{}
	for _, record := range p.sent {
		offsets = append(offsets, record.Offset)
	}
	return offsets, p.failed
}

func (p *producer) Close() error {
	p.client.Close()
	return nil
}

type consumer struct {
	remote.Held
	of       *client
	topic    string
	group    string
	settings remote.Settings
	client   *kgo.Client
}

func (c *client) Consumer(topic, group string, settings remote.Settings) (remote.Consumer, error) {
	return &consumer{of: c, topic: topic, group: group, settings: settings}, nil
}

func (c *consumer) Subscribe() error {
	gained := func(_ context.Context, _ *kgo.Client, gained map[string][]int32) { c.Change(gained[c.topic], nil) }
	lost := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { c.Change(nil, lost[c.topic]) }
	options := []kgo.Opt{
		kgo.ConsumerGroup(c.group),
		kgo.ConsumeTopics(c.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(gained),
		kgo.OnPartitionsLost(lost),
	}
	if !c.settings.Automatic {
		// Who listens to this one has to commit there: it takes the place of what does it by itself.
		options = append(options, kgo.DisableAutoCommit(), kgo.OnPartitionsRevoked(lost))
	}
	if c.settings.Instance != "" {
		options = append(options, kgo.InstanceID(c.settings.Instance))
	}
	if c.settings.Assignor != "" {
		options = append(options, kgo.Balancers(assignors[c.settings.Assignor]))
	}
	connected, err := c.of.new(options...)
	c.client = connected
	return err
}

func (c *consumer) Assign(partitions []int32, offset *int64) error {
	start := kgo.NewOffset().AtStart()
	if offset != nil {
		start = kgo.NewOffset().At(*offset)
	}
	places := map[int32]kgo.Offset{}
	for _, partition := range partitions {
		places[partition] = start
	}
	connected, err := c.of.new(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: places}))
	c.client = connected
	return err
}

func (c *consumer) Poll(timeout time.Duration) ([]remote.Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	found := c.client.PollRecords(ctx, 500)
	var failed error
	found.EachError(func(_ string, _ int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			failed = errors.Join(failed, err)
		}
	})
	var records []remote.Record
	found.EachRecord(func(each *kgo.Record) {
		record := remote.Record{
			Partition:   each.Partition,
			Offset:      each.Offset,
			Key:         each.Key,
			Value:       each.Value,
			TimestampMs: each.Timestamp.UnixMilli(),
		}
		for _, header := range each.Headers {
			record.Headers = append(record.Headers, remote.Header{Name: header.Key, Value: header.Value})
		}
		records = append(records, record)
	})
	return records, failed
}

func (c *consumer) Commit() (bool, error) {
	err := c.client.CommitUncommittedOffsets(context.Background())
	for _, moved := range []error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID} {
		if errors.Is(err, moved) {
			return false, nil
		}
	}
	return err == nil, err
}

func (c *consumer) Committed(partition int32) (*int64, error) {
	var committed *int64
	err := c.of.withAdmin(func(ctx context.Context, admin *kadm.Client) error {
		found, err := admin.FetchOffsets(ctx, c.group)
		if offset, ok := found.Lookup(c.topic, partition); ok && offset.At >= 0 {
			committed = &offset.At
		}
		return err
	})
	return committed, err
}

func (c *consumer) Seek(partition int32, offset int64) error {
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.topic: {partition: {Epoch: -1, Offset: offset}}})
	return nil
}

func (c *consumer) OffsetForTime(partition int32, timestampMs int64) (*int64, error) {
	var offset *int64
	err := c.of.withAdmin(func(ctx context.Context, admin *kadm.Client) error {
		found, err := admin.ListOffsetsAfterMilli(ctx, timestampMs, c.topic)
		if err != nil {
			return err
		}
		if each, ok := found.Lookup(c.topic, partition); ok && each.Timestamp >= 0 {
			offset = &each.Offset
		}
		return found.Error()
	})
	return offset, err
}

func (c *consumer) Close() error {
	if c.client != nil {
		c.client.Close()
	}
	return nil
}
