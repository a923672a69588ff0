"""What the tests of `fleuve.testing` share: a broker for the questions that leave no trace in it."""

import warnings

import pytest

with warnings.catch_warnings():
    # While kafka-python is imported, it reads its schemas by a function that the standard library calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.admin
    import kafka.errors

import fleuve.testing

assert kafka.admin.KafkaAdminClient, "the test folders have taken the place of kafka-python"


@pytest.fixture(scope="module")
def shared_broker():
    with fleuve.testing.broker() as broker:
        yield broker
        assert broker.errors == ()
