"""Keys go where Apache Kafka's own producer puts them."""

import pytest
from aiokafka.partitioner import murmur2

from fleuve.testing.partitioning import partition_of


@pytest.mark.parametrize("key", [b"", b"1", b"21", b"foobar", b"a-little-bit-long-string", b"\xff" * 7, b"\0" * 4])
@pytest.mark.parametrize("partitions", [1, 7, 1000])
def test_a_key_belongs_where_another_client_puts_it(key, partitions):
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions
