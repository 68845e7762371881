"""A broker and a database that are away, forget, or say things twice."""

from __future__ import annotations

import random
import signal
import time

from tests.faults.scene import LONG, SHORT, check_student, undisturbed, wait_moving
from tests.faults.stack import Stack


def broker(stack: Stack, scale: int = 1) -> None:
    """Case 3: Redis restarted, flushed with jobs waiting and running, frozen.

    Passes when the running job is not disturbed, every waiting one is run, also while Redis is frozen, and POST stays
    under a second. Seen red without an idle worker's own look for work.
    """
    for _ in range(scale):
        running = stack.submit(LONG)
        wait_moving(stack, running)
        waiting = [stack.submit(SHORT) for _ in range(4)]
        _redis(stack, "FLUSHALL")
        stack.count("Redis flushed")
        stack.redis.kill()
        stack.redis.start()
        stack.redis.wait_ready()
        stack.count("Redis killed and restarted")
        stack.redis.freeze()
        stack.count("Redis frozen")
        start = time.monotonic()
        waiting.append(stack.submit(SHORT))
        took = time.monotonic() - start
        time.sleep(3)
        stack.redis.thaw()
        stack.wait_ended(running, *waiting)
        assert stack.job(running).attempt == 1, "the running job was disturbed"
        assert took < 1, f"POST /jobs took {took:.2f} s while Redis was frozen"
        stack.redis.freeze()  # now that the worker has nothing to do, and nobody can tell it that there is work
        stack.count("Redis frozen")
        stack.wait_ended(stack.submit(SHORT))
        stack.redis.thaw()


def _redis(stack: Stack, command: str) -> None:
    import redis

    path = stack.settings.broker_url.removeprefix("redis+socket://")
    with redis.Redis(unix_socket_path=path) as connection:
        connection.execute_command(command)


def database_restart(stack: Stack, scale: int = 1) -> None:
    """Case 4: PostgreSQL stopped in the middle of heartbeats and commits, and started again.

    Passes when the worker keeps training, catches up, and nothing is lost or counted twice. Seen red when the
    supervision does not wait for a database that is away.
    """
    assert stack.postgres is not None
    draw = random.Random(4)
    expected = undisturbed(stack, LONG)
    for turn in range(scale):
        job_id = stack.submit(LONG)
        wait_moving(stack, job_id)
        time.sleep(draw.uniform(0, 1))
        stack.postgres.stop(signal.SIGQUIT if turn % 2 else signal.SIGINT)  # immediate, or with rollbacks
        stack.count("PostgreSQL restarted")
        with stack.client() as client:
            answer = client.get(f"/jobs/{job_id}")
        assert answer.status_code == 503, answer.text
        assert "Retry-After" in answer.headers
        time.sleep(draw.uniform(0, 2))
        stack.postgres.start()
        stack.wait_ended(job_id)
        check_student(stack, job_id, expected)
        assert stack.job(job_id).attempt == 1, "the job was disturbed"


def repeated_messages(stack: Stack, scale: int = 1) -> None:
    """Case 6: the same message a hundred times, while several workers listen.

    Passes when the job has one attempt. Seen red when a running job can be claimed.
    """
    from api.dependencies.wakeup_producer import WakeupProducer, make_producer

    producer = WakeupProducer(make_producer(stack.settings.broker_url))
    try:
        for _ in range(scale):
            job_id = stack.submit(LONG)
            for _ in range(100):
                producer.wake(job_id)
            stack.count("a message sent 100 times")
            stack.wait_ended(job_id)
            assert stack.job(job_id).attempt == 1
    finally:
        producer.close()
