"""How the commands that are clients reach a cluster: their options, their connection, what they say when it fails.

They work with any broker that speaks Kafka's protocol, through confluent-kafka, which nothing else in this program
imports.
"""
