"""The names by which a test may call an API or an error."""

import aiokafka.errors
import confluent_kafka
import kafka.errors
import pytest

from fleuve.app.options import UsageError
from fleuve.testing.names import api_key, error_code
from fleuve.wire.errors import ErrorCode


@pytest.mark.parametrize("api", ["OffsetCommit", "offset_commit", "OFFSET-COMMIT", 8])
def test_an_api_is_known_in_any_spelling(api):
    assert api_key(api) == 8


@pytest.mark.parametrize(
    "error",
    [
        "NOT_LEADER_OR_FOLLOWER",
        "not leader or follower",
        "NotLeaderOrFollowerException",
        "NOT_LEADER_FOR_PARTITION",
        6,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        confluent_kafka.KafkaError.NOT_LEADER_FOR_PARTITION,
        kafka.errors.NotLeaderForPartitionError,
        aiokafka.errors.NotLeaderForPartitionError,
        aiokafka.errors.NotLeaderForPartitionError(),
    ],
)
def test_an_error_is_known_by_every_name_that_clients_have_for_it(error):
    assert error_code(error) is ErrorCode.NOT_LEADER_OR_FOLLOWER


@pytest.mark.parametrize(
    ("ask", "name", "said"),
    [
        (api_key, "Prodce", "no API named 'Prodce'; did you mean Produce?"),
        (api_key, "Frobnicate", "want a name, as in 'Produce'"),
        (api_key, 999, "no API with key 999"),
        (error_code, "NOT_LEADER", "did you mean NOT_LEADER_OR_FOLLOWER"),
        (error_code, "qqq", "want a name, as in 'NOT_LEADER_OR_FOLLOWER'"),
        (error_code, confluent_kafka.KafkaError._ALL_BROKERS_DOWN, "-187 is no error code of Kafka"),
        (error_code, ValueError, "no error named"),
        (error_code, "NONE", "NONE is no error"),
        (error_code, 0, "NONE is no error"),
    ],
)
def test_what_is_none_is_refused_with_a_suggestion(ask, name, said):
    with pytest.raises(UsageError) as refused:
        ask(name)
    assert said in str(refused.value)
