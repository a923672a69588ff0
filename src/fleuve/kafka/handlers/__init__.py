"""One file per Kafka API. Its docstring is its specification."""
