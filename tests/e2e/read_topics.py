"""Reads whole topics with confluent-kafka's JSON Schema deserializer; prints a JSON value a line.

Arguments: bootstrap servers, registry URL, then TOPIC=SCHEMA for each topic.
"""

import json
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


def read(servers, registry, topic, schema):
    """Yields every value of a topic, validated against the schema that its frame names."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "python"})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    marks = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20) for p in partitions}
    consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in marks.items()])
    left = sum(high - low for low, high in marks.values())
    deserialize = JSONDeserializer(schema, schema_registry_client=registry)
    while left:
        message = consumer.poll(20)
        if message is None:
            raise SystemExit(f"{topic} ends too early")
        if message.error():
            raise SystemExit(str(message.error()))
        left -= 1
        yield deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
    consumer.close()


def main():
    servers, url, *topics = sys.argv[1:]
    registry = SchemaRegistryClient({"url": url})
    for argument in topics:
        topic, schema = argument.split("=", 1)
        for value in read(servers, registry, topic, schema):
            print(json.dumps(value))


main()
