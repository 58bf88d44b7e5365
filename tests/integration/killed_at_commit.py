"""
`python -m tests.integration.killed_at_commit ROLE N`: the role as it is, but for a crash where its N-th commit would begin:
what it wrote by then is acknowledged.
"""

import os
import signal
import sys
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from router import bootstrap
from router.operate.settings import Settings

commits = 0
real = AIOKafkaConsumer.commit


async def commit(self: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
    global commits
    commits += 1
    if commits == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    await real(self, offsets)


if __name__ == "__main__":
    AIOKafkaConsumer.commit = commit
    sys.exit(bootstrap.run_role(sys.argv[1], Settings(log_format="json")))
