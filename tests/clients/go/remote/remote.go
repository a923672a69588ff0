// Package remote is the Go half of tests/clients/remote.py, which describes the protocol: it reads requests in lines
// of JSON, hands them to a client, and writes the answers.
package remote

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Header is one header of a record.
type Header struct {
	Name  string
	Value []byte
}

// Record is one to send, or one delivered: then it has an offset.
type Record struct {
	Partition   int32
	Offset      int64
	Key, Value  []byte
	Headers     []Header
	TimestampMs int64
}

// UnmarshalJSON reads a record to send.
func (r *Record) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&r.Partition, &r.Key, &r.Value, &r.Headers, &r.TimestampMs})
}

// MarshalJSON writes a delivered record.
func (r Record) MarshalJSON() ([]byte, error) {
	headers := r.Headers
	if headers == nil {
		headers = []Header{}
	}
	return json.Marshal([]any{r.Partition, r.Offset, r.Key, r.Value, headers, r.TimestampMs})
}

// UnmarshalJSON reads [name, value].
func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Name, &h.Value})
}

// MarshalJSON writes [name, value].
func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{h.Name, h.Value})
}

// Settings are the few that a scenario names; everything else is as the client has it.
type Settings struct {
	Idempotent bool   `json:"idempotent"`
	AutoCreate bool   `json:"auto_create"`
	Automatic  bool   `json:"automatic"`
	Instance   string `json:"instance"`
	Assignor   string `json:"assignor"`
}

// Hello says which client this is and what it cannot do.
type Hello struct {
	Client  string            `json:"client"`
	Version string            `json:"version"`
	Runtime string            `json:"runtime"`
	Codecs  []string          `json:"codecs"`
	Lacks   map[string]string `json:"lacks"`
}

// Client makes producers and consumers; any goroutine may ask.
type Client interface {
	Hello() Hello
	CreateTopic(topic string, partitions int) error
	Producer(topic, codec string, settings Settings) (Producer, error)
	Consumer(topic, group string, settings Settings) (Consumer, error)
}

// Producer is used by one goroutine.
type Producer interface {
	Send(records []Record) error
	Flush() ([]int64, error)
	Close() error
}

// Consumer is used by one goroutine.
type Consumer interface {
	Subscribe() error
	Assign(partitions []int32, offset *int64) error
	Poll(timeout time.Duration) ([]Record, error)
	Commit() (bool, error)
	Committed(partition int32) (*int64, error)
	Seek(partition int32, offset int64) error
	OffsetForTime(partition int32, timestampMs int64) (*int64, error)
	Assignments() [][]int32
	Close() error
}

type request struct {
	ID          int64    `json:"id"`
	On          string   `json:"on"`
	Do          string   `json:"do"`
	Topic       string   `json:"topic"`
	Partitions  any      `json:"partitions"`
	Codec       string   `json:"codec"`
	Group       string   `json:"group"`
	Settings    Settings `json:"settings"`
	Records     []Record `json:"records"`
	Partition   int32    `json:"partition"`
	Offset      *int64   `json:"offset"`
	TimeoutMs   int64    `json:"timeout_ms"`
	TimestampMs int64    `json:"timestamp_ms"`
}

type answer struct {
	ID          int64     `json:"id"`
	Result      any       `json:"result"`
	Error       string    `json:"error,omitempty"`
	Assignments [][]int32 `json:"assignments,omitempty"`
}

// place is one name that requests go to, with what was opened under it.
type place struct {
	client   Client
	requests chan request
	producer Producer
	consumer Consumer
}

// Serve answers requests until standard input ends. The bootstrap address is the last argument.
func Serve(connect func(bootstrap string) Client) {
	client := connect(os.Args[len(os.Args)-1])
	answers := bufio.NewWriter(os.Stdout)
	var writing sync.Mutex
	places := map[string]*place{}

	input := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	for {
		var asked request
		if err := input.Decode(&asked); err != nil {
			return
		}
		at, known := places[asked.On]
		if !known {
			at = &place{client: client, requests: make(chan request, 16)}
			places[asked.On] = at
			go at.work(func(told answer) {
				writing.Lock()
				defer writing.Unlock()
				if err := json.NewEncoder(answers).Encode(told); err != nil {
					panic(err)
				}
				answers.Flush()
			})
		}
		at.requests <- asked
	}
}

func (at *place) work(tell func(answer)) {
	for asked := range at.requests {
		told := answer{ID: asked.ID}
		result, err := at.do(asked)
		if err != nil {
			told.Error = err.Error()
		}
		told.Result = result
		if at.consumer != nil {
			told.Assignments = at.consumer.Assignments()
		}
		tell(told)
	}
}

func (at *place) do(asked request) (any, error) {
	switch {
	case asked.Do == "hello":
		hello := at.client.Hello()
		version := strings.Split(strings.TrimPrefix(runtime.Version(), "go"), ".")
		hello.Runtime = "Go " + strings.Join(version[:2], ".")
		return hello, nil
	case asked.Do == "create_topic":
		return nil, at.client.CreateTopic(asked.Topic, int(asked.Partitions.(float64)))
	case asked.Do == "open_producer":
		producer, err := at.client.Producer(asked.Topic, asked.Codec, asked.Settings)
		at.producer = producer
		return nil, err
	case asked.Do == "open_consumer":
		consumer, err := at.client.Consumer(asked.Topic, asked.Group, asked.Settings)
		at.consumer = consumer
		return nil, err
	case at.producer != nil:
		return produce(at.producer, asked)
	case at.consumer != nil:
		return consume(at.consumer, asked)
	}
	return nil, fmt.Errorf("%s was never opened", asked.On)
}

func produce(producer Producer, asked request) (any, error) {
	switch asked.Do {
	case "send":
		return nil, producer.Send(asked.Records)
	case "flush":
		return producer.Flush()
	case "close":
		return nil, producer.Close()
	}
	return nil, errors.New("a producer does not " + asked.Do)
}

func consume(consumer Consumer, asked request) (any, error) {
	switch asked.Do {
	case "subscribe":
		return nil, consumer.Subscribe()
	case "assign":
		var partitions []int32
		for _, partition := range asked.Partitions.([]any) {
			partitions = append(partitions, int32(partition.(float64)))
		}
		return nil, consumer.Assign(partitions, asked.Offset)
	case "poll":
		records, err := consumer.Poll(time.Duration(asked.TimeoutMs) * time.Millisecond)
		if records == nil {
			records = []Record{}
		}
		return records, err
	case "commit":
		return consumer.Commit()
	case "committed":
		return consumer.Committed(asked.Partition)
	case "seek":
		return nil, consumer.Seek(asked.Partition, *asked.Offset)
	case "offset_for_time":
		return consumer.OffsetForTime(asked.Partition, asked.TimestampMs)
	case "close":
		return nil, consumer.Close()
	}
	return nil, errors.New("a consumer does not " + asked.Do)
}

// Version returns the version of a module that this program was built with, without its "v".
func Version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				return dependency.Version[1:]
			}
		}
	}
	panic(module + " is not in this program")
}

// Held notes the partitions that a group's member holds, after each change.
type Held struct {
	lock    sync.Mutex
	now     map[int32]bool
	changes [][]int32
}

// Change adds and removes partitions.
func (h *Held) Change(gained, lost []int32) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.now == nil {
		h.now = map[int32]bool{}
	}
	for _, partition := range lost {
		delete(h.now, partition)
	}
	for _, partition := range gained {
		h.now[partition] = true
	}
	held := []int32{}
	for partition := range h.now {
		held = append(held, partition)
	}
	h.changes = append(h.changes, held)
}

// Replace says what is held now.
func (h *Held) Replace(held []int32) {
	h.lock.Lock()
	h.now = nil
	h.lock.Unlock()
	h.Change(held, nil)
}

// Assignments returns the changes since the last call.
func (h *Held) Assignments() [][]int32 {
	h.lock.Lock()
	defer h.lock.Unlock()
	changes := h.changes
	h.changes = nil
	return changes
}
