"""A real Apache Kafka for demo, tests and laptops: brought from Maven Central, run in KRaft mode (docs/adr/0002)."""

from adapters.kafka.embedded.broker import EmbeddedKafka
from adapters.kafka.embedded.child import Running, running, stop
from adapters.kafka.embedded.faults import KafkaFault

__all__ = ["EmbeddedKafka", "KafkaFault", "Running", "running", "stop"]
