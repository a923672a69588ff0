package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"fleuve/clients/remote"
)

// consumer has one reader for a group, or one for each partition that it reads alone.
type consumer struct {
	remote.Held
	of       *client
	topic    string
	group    string
	settings remote.Settings
	readers  map[int]*kafka.Reader
	polled   []kafka.Message
}

func (c *client) Consumer(topic, group string, settings remote.Settings) (remote.Consumer, error) {
	return &consumer{of: c, topic: topic, group: group, settings: settings, readers: map[int]*kafka.Reader{}}, nil
}

var (
	subscribed = regexp.MustCompile(`^subscribed to topics and partitions: (.*)$`)
	place      = regexp.MustCompile(`partition:(\d+)`)
)

// Printf is the reader's log: nothing else tells what it was assigned.
func (c *consumer) Printf(format string, arguments ...any) {
	found := subscribed.FindStringSubmatch(fmt.Sprintf(format, arguments...))
	if found == nil {
		return
	}
	held := []int32{}
	for _, each := range place.FindAllStringSubmatch(found[1], -1) {
		partition, _ := strconv.Atoi(each[1])
		held = append(held, int32(partition))
	}
	c.Replace(held)
}

var balancers = map[string]kafka.GroupBalancer{
	"range":      kafka.RangeGroupBalancer{},
	"roundrobin": kafka.RoundRobinGroupBalancer{},
}

func (c *consumer) Subscribe() error {
	config := kafka.ReaderConfig{Brokers: []string{c.of.bootstrap}, GroupID: c.group, Topic: c.topic, Logger: c}
	if c.settings.Assignor != "" {
		config.GroupBalancers = []kafka.GroupBalancer{balancers[c.settings.Assignor]}
	}
	c.readers[0] = kafka.NewReader(config)
	return nil
}

func (c *consumer) Assign(partitions []int32, offset *int64) error {
	for _, partition := range partitions {
		config := kafka.ReaderConfig{Brokers: []string{c.of.bootstrap}, Topic: c.topic, Partition: int(partition)}
		reader := kafka.NewReader(config)
		c.readers[int(partition)] = reader
		if offset != nil {
			if err := reader.SetOffset(*offset); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *consumer) Poll(timeout time.Duration) ([]remote.Record, error) {
	var records []remote.Record
	for _, reader := range c.readers {
		wait := timeout / time.Duration(len(c.readers))
		for len(records) < 500 {
			message, err := c.next(reader, wait)
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				return records, err
			}
			records = append(records, delivered(message))
			wait = time.Millisecond
		}
	}
	return records, nil
}

func (c *consumer) next(reader *kafka.Reader, wait time.Duration) (kafka.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	message, err := reader.FetchMessage(ctx)
	if err != nil {
		return message, err
	}
	if c.settings.Automatic {
		// As ReadMessage does it, whose one context would cut the commit short.
		return message, reader.CommitMessages(context.Background(), message)
	}
	c.polled = append(c.polled, message)
	return message, nil
}

func delivered(message kafka.Message) remote.Record {
	record := remote.Record{
		Partition:   int32(message.Partition),
		Offset:      message.Offset,
		Key:         message.Key,
		Value:       message.Value,
		TimestampMs: message.Time.UnixMilli(),
	}
	for _, header := range message.Headers {
		record.Headers = append(record.Headers, remote.Header{Name: header.Key, Value: header.Value})
	}
	return record
}

func (c *consumer) Commit() (bool, error) {
	err := c.readers[0].CommitMessages(context.Background(), c.polled...)
	c.polled = nil
	for _, moved := range []error{kafka.RebalanceInProgress, kafka.IllegalGeneration, kafka.UnknownMemberId} {
		if errors.Is(err, moved) {
			return false, nil
		}
	}
	return err == nil, err
}

func (c *consumer) Committed(partition int32) (*int64, error) {
	request := &kafka.OffsetFetchRequest{GroupID: c.group, Topics: map[string][]int{c.topic: {int(partition)}}}
	found, err := c.of.client.OffsetFetch(context.Background(), request)
	if err != nil {
		return nil, err
	}
	for _, each := range found.Topics[c.topic] {
		if each.CommittedOffset >= 0 {
			return &each.CommittedOffset, errors.Join(each.Error, found.Error)
		}
	}
	return nil, found.Error
}

func (c *consumer) Seek(partition int32, offset int64) error {
	return c.readers[int(partition)].SetOffset(offset)
}

func (c *consumer) OffsetForTime(partition int32, timestampMs int64) (*int64, error) {
	asked := []kafka.OffsetRequest{kafka.TimeOffsetOf(int(partition), time.UnixMilli(timestampMs))}
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{c.topic: asked}}
	found, err := c.of.client.ListOffsets(context.Background(), request)
	if err != nil {
		return nil, err
	}
	for _, each := range found.Topics[c.topic] {
		for offset := range each.Offsets {
			if offset >= 0 {
				return &offset, each.Error
			}
		}
	}
	return nil, nil
}

func (c *consumer) Close() error {
	if c.group == "" {
		// A reader waits for its last fetch, ten seconds; here nobody has to wait for the reader.
		for _, reader := range c.readers {
			go reader.Close()
		}
		return nil
	}
	var failed error
	for _, reader := range c.readers {
		failed = errors.Join(failed, reader.Close())
	}
	return failed
}
