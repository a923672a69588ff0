"""The domain. Its rooms meet only through each other's service; it knows neither Kafka messages nor SQL."""
