package main

import (
	"context"
	"errors"
	"log"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"fleuve/clients/remote"
)

var strategies = map[string]sarama.BalanceStrategy{
	"range":              sarama.NewBalanceStrategyRange(),
	"roundrobin":         sarama.NewBalanceStrategyRoundRobin(),
	"sticky":             sarama.NewBalanceStrategySticky(),
	"cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky(),
}

// consumer is a member of a group, or reads partitions alone. Either way goroutines hand over what the client delivers.
type consumer struct {
	remote.Held
	of        *client
	topic     string
	group     string
	settings  remote.Settings
	messages  chan *sarama.ConsumerMessage
	closing   context.Context
	close     context.CancelFunc
	member    sync.WaitGroup
	lock      sync.Mutex
	session   sarama.ConsumerGroupSession
	polled    map[int32]int64
	alone     sarama.Consumer
	readers   map[int32]*reader
	connected sarama.Client
}

func (c *client) Consumer(topic, group string, settings remote.Settings) (remote.Consumer, error) {
	found := &consumer{
		of:       c,
		topic:    topic,
		group:    group,
		settings: settings,
		messages: make(chan *sarama.ConsumerMessage),
		polled:   map[int32]int64{},
		readers:  map[int32]*reader{},
	}
	found.closing, found.close = context.WithCancel(context.Background())
	config := sarama.NewConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = settings.Automatic
	config.Consumer.Group.InstanceId = settings.Instance
	if settings.Assignor != "" {
		config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[settings.Assignor]}
	}
	connected, err := sarama.NewClient(c.addresses, config)
	found.connected = connected
	return found, err
}

func (c *consumer) Subscribe() error {
	group, err := sarama.NewConsumerGroupFromClient(c.group, c.connected)
	if err != nil {
		return err
	}
	c.member.Add(1)
	go func() {
		defer c.member.Done()
		for c.closing.Err() == nil {
			if err := group.Consume(c.closing, []string{c.topic}, c); err != nil {
				log.Println("Consume:", err)
			}
		}
		if err := group.Close(); err != nil {
			log.Println("Close:", err)
		}
	}()
	return nil
}

// Setup begins a session: of one generation, or with a cooperative strategy of many.
func (c *consumer) Setup(session sarama.ConsumerGroupSession) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.session = session
	c.polled = map[int32]int64{}
	return nil
}

// Cleanup ends it.
func (c *consumer) Cleanup(sarama.ConsumerGroupSession) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.session = nil
	return nil
}

// ConsumeClaim hands over what comes from one partition.
func (c *consumer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	c.Change([]int32{claim.Partition()}, nil)
	defer c.Change(nil, []int32{claim.Partition()})
	for message := range claim.Messages() {
		select {
		case c.messages <- message:
		case <-session.Context().Done():
			return nil
		}
	}
	return nil
}

func (c *consumer) Assign(partitions []int32, offset *int64) error {
	alone, err := sarama.NewConsumerFromClient(c.connected)
	if err != nil {
		return err
	}
	c.alone = alone
	start := sarama.OffsetOldest
	if offset != nil {
		start = *offset
	}
	for _, partition := range partitions {
		err = errors.Join(err, c.read(partition, start))
	}
	return err
}

// reader hands over what comes from one partition until it is stopped.
type reader struct {
	from          sarama.PartitionConsumer
	stopped, done chan struct{}
}

func (c *consumer) read(partition int32, start int64) error {
	from, err := c.alone.ConsumePartition(c.topic, partition, start)
	if err != nil {
		return err
	}
	r := &reader{from, make(chan struct{}), make(chan struct{})}
	c.readers[partition] = r
	go func() {
		defer close(r.done)
		for message := range from.Messages() {
			select {
			case c.messages <- message:
			case <-r.stopped:
			}
		}
	}()
	return nil
}

func (r *reader) stop() error {
	close(r.stopped)
	err := r.from.Close()
	<-r.done
	return err
}

func (c *consumer) Poll(timeout time.Duration) ([]remote.Record, error) {
	var records []remote.Record
	late := time.After(timeout)
	for len(records) < 500 {
		select {
		case message := <-c.messages:
			records = append(records, c.take(message))
			late = time.After(time.Millisecond)
		case <-late:
			return records, nil
		}
	}
	return records, nil
}

func (c *consumer) take(message *sarama.ConsumerMessage) remote.Record {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.polled[message.Partition] = message.Offset + 1
	if c.settings.Automatic && c.session != nil {
		c.session.MarkMessage(message, "")
	}
	record := remote.Record{
		Partition:   message.Partition,
		Offset:      message.Offset,
		Key:         message.Key,
		Value:       message.Value,
		TimestampMs: message.Timestamp.UnixMilli(),
	}
	for _, header := range message.Headers {
		record.Headers = append(record.Headers, remote.Header{Name: string(header.Key), Value: header.Value})
	}
	return record
}

func (c *consumer) Commit() (bool, error) {
	c.lock.Lock()
	session, polled := c.session, c.polled
	c.polled = map[int32]int64{}
	c.lock.Unlock()
	if session == nil {
		return false, nil
	}
	for partition, offset := range polled {
		session.MarkOffset(c.topic, partition, offset, "")
	}
	session.Commit()
	return session.Context().Err() == nil, nil
}

func (c *consumer) Committed(partition int32) (*int64, error) {
	admin, err := sarama.NewClusterAdmin(c.of.addresses, sarama.NewConfig())
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	found, err := admin.ListConsumerGroupOffsets(c.group, map[string][]int32{c.topic: {partition}})
	if err != nil {
		return nil, err
	}
	if block := found.GetBlock(c.topic, partition); block != nil && block.Offset >= 0 {
		return &block.Offset, nil
	}
	return nil, nil
}

func (c *consumer) Seek(partition int32, offset int64) error {
	if err := c.readers[partition].stop(); err != nil {
		return err
	}
	return c.read(partition, offset)
}

func (c *consumer) OffsetForTime(partition int32, timestampMs int64) (*int64, error) {
	offset, err := c.connected.GetOffset(c.topic, partition, timestampMs)
	if err != nil || offset < 0 {
		return nil, err
	}
	return &offset, nil
}

func (c *consumer) Close() error {
	c.close()
	c.member.Wait()
	var failed error
	for _, reader := range c.readers {
		failed = errors.Join(failed, reader.stop())
	}
	return errors.Join(failed, c.connected.Close())
}
