"""Random operations on several jobs against a model of the transition table: no edge but those of the table is taken,
terminal states never change, a token that is out of date does nothing, and events have no gaps."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from distillery.states import TRANSITIONS, EndReason, JobState
from jobs.database import Database
from jobs.errors import JobNotFound, LeaseLost, WrongState
from jobs.repository import Repository
from jobs.tables import exact_reason
from tests.jobs.samples import LAPSED, a_file, a_spec, an_epoch, everything

MAX_LOST = 2
SPEC = a_spec()


@dataclass
class Expected:
    """What the model knows of a job."""

    state: JobState = JobState.QUEUED
    attempt: int = 0
    lost: int = 0
    lapsed: bool = False
    cancel_asked: bool = False
    pause_asked: bool = False
    reason: EndReason | None = None
    retried_as: str | None = None
    epochs: set[int] = field(default_factory=set)

    def go(self, target: JobState) -> None:
        assert target in TRANSITIONS[self.state]
        self.state = target

    def end(self, reason: EndReason) -> None:
        self.go(reason.state)
        self.reason = reason

    def back_to_the_queue(self) -> None:
        if self.cancel_asked:
            self.end(EndReason.CANCELLED)
        elif self.pause_asked:
            self.pause()
        else:
            self.go(JobState.QUEUED)

    def pause(self) -> None:
        self.go(JobState.PAUSED)
        self.pause_asked = False

    def be_lost(self) -> None:
        if not self.cancel_asked:
            self.lost += 1
        if self.lost == MAX_LOST and not self.cancel_asked:
            self.end(EndReason.WORKER_LOST)
        else:
            self.back_to_the_queue()


class Jobs(RuleBasedStateMachine):
    """The tokens of the model are the numbers of attempts."""

    jobs = Bundle("jobs")
    # Attempts in the past come up as often as the present one.
    tokens = st.integers(1, 4)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.database = Database(f"sqlite:///{path}")
        self.expected: dict[str, Expected] = {}
        self.last_seen: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        self.database.dispose()

    @rule(target=jobs)
    def create(self) -> str:
        with self.database.write() as repository:
            job_id = repository.create(SPEC).id
        self.expected[job_id] = Expected()
        return job_id

    @rule(job_id=jobs, lapsed=st.booleans())
    def claim(self, job_id: str, lapsed: bool) -> None:
        job = self.expected[job_id]
        with self.database.write() as repository:
            claimed = repository.claim(job_id, "worker", LAPSED if lapsed else 60)
        assert (claimed is not None) == (job.state is JobState.QUEUED)
        if claimed is not None:
            job.go(JobState.RUNNING)
            job.attempt, job.lapsed = job.attempt + 1, lapsed

    @rule(job_id=jobs, token=tokens, lapsed=st.booleans())
    def renew(self, job_id: str, token: int, lapsed: bool) -> None:
        lease = LAPSED if lapsed else 60
        if self.holds(job_id, token, lambda repository: repository.renew(job_id, token, lease)):
            self.expected[job_id].lapsed = lapsed

    @rule(job_id=jobs, token=tokens, epoch=st.integers(1, 3))
    def record(self, job_id: str, token: int, epoch: int) -> None:
        if self.holds(job_id, token, lambda repository: repository.record(job_id, token, [an_epoch(epoch)])):
            self.expected[job_id].epochs.add(epoch)

    @rule(job_id=jobs, token=tokens)
    def list_artifact(self, job_id: str, token: int) -> None:
        self.holds(job_id, token, lambda repository: repository.list_artifact(job_id, token, a_file()))

    @rule(job_id=jobs, token=tokens, reason=st.sampled_from(EndReason))
    def finish(self, job_id: str, token: int, reason: EndReason) -> None:
        if self.holds(job_id, token, lambda repository: repository.finish(job_id, token, reason)):
            self.expected[job_id].end(reason)

    @rule(job_id=jobs, token=tokens)
    def hand_back(self, job_id: str, token: int) -> None:
        if self.holds(job_id, token, lambda repository: repository.hand_back(job_id, token, "deploy")):
            self.expected[job_id].back_to_the_queue()

    @rule(job_id=jobs, token=tokens)
    def lose(self, job_id: str, token: int) -> None:
        if self.holds(job_id, token, lambda repository: repository.lose(job_id, token, MAX_LOST, "it died")):
            self.expected[job_id].be_lost()

    @rule(job_id=jobs)
    def request_cancel(self, job_id: str) -> None:
        job = self.expected[job_id]
        try:
            with self.database.write() as repository:
                repository.request_cancel(job_id)
        except WrongState:
            assert job.state in {JobState.SUCCEEDED, JobState.FAILED}
            return
        if job.state is JobState.RUNNING:
            job.cancel_asked = True
        elif job.state is not JobState.CANCELLED:
            job.end(EndReason.CANCELLED)

    @rule(job_id=jobs)
    def request_pause(self, job_id: str) -> None:
        job = self.expected[job_id]
        try:
            with self.database.write() as repository:
                repository.request_pause(job_id)
        except WrongState:
            assert job.state.terminal
            return
        if job.state is JobState.RUNNING:
            job.pause_asked = True
        elif job.state is not JobState.PAUSED:
            job.pause()

    @rule(job_id=jobs)
    def resume(self, job_id: str) -> None:
        job = self.expected[job_id]
        try:
            with self.database.write() as repository:
                repository.resume(job_id)
        except WrongState:
            assert job.state.terminal
            return
        job.pause_asked = False
        if job.state is JobState.PAUSED:
            job.go(JobState.QUEUED)

    @rule(target=jobs, job_id=jobs)
    def retry(self, job_id: str) -> str | MultipleResults[str]:
        job = self.expected[job_id]
        try:
            with self.database.write() as repository:
                again, _ = repository.retry(job_id)
        except WrongState:
            assert job.state not in {JobState.FAILED, JobState.CANCELLED}
            return multiple()
        assert job.state in {JobState.FAILED, JobState.CANCELLED}
        assert (job.retried_as or again.id) == again.id
        if job.retried_as is not None:
            return multiple()
        job.retried_as = again.id
        self.expected[again.id] = Expected()
        return again.id

    @rule()
    def claim_next(self) -> None:
        with self.database.write() as repository:
            claimed = repository.claim_next("worker", "cpu", 60)
        waiting = [key for key, job in self.expected.items() if job.state is JobState.QUEUED]
        assert (claimed.id if claimed else None) == min(waiting, default=None)
        if claimed is not None:
            job = self.expected[claimed.id]
            job.go(JobState.RUNNING)
            job.attempt, job.lapsed = job.attempt + 1, False

    @rule()
    def expire_leases(self) -> None:
        with self.database.write() as repository:
            taken = repository.expire_leases(MAX_LOST)
        lost = [key for key, job in self.expected.items() if job.state is JobState.RUNNING and job.lapsed]
        assert sorted(taken) == sorted(lost)
        for job_id in lost:
            self.expected[job_id].be_lost()

    @rule(job_id=consumes(jobs))
    def delete(self, job_id: str) -> None:
        try:
            with self.database.write() as repository:
                repository.delete(job_id)
        except WrongState:
            assert not self.expected[job_id].state.terminal
            return
        assert self.expected.pop(job_id).state.terminal
        for other in self.expected.values():
            other.retried_as = None if other.retried_as == job_id else other.retried_as
        with self.database.read() as repository:
            try:
                repository.get(job_id)
            except JobNotFound:
                return
        raise AssertionError("a deleted job is still there")

    def holds(self, job_id: str, token: int, write: Callable[[Repository], object]) -> bool:
        """Does a write of an attempt; checks that it goes through exactly when the model says so."""
        job = self.expected[job_id]
        allowed = job.state is JobState.RUNNING and token == job.attempt
        try:
            with self.database.write() as repository:
                write(repository)
        except LeaseLost:
            assert not allowed
            return False
        assert allowed
        return True

    @invariant()
    def the_database_agrees_with_the_model(self) -> None:
        for job_id, job in self.expected.items():
            stored = everything(self.database, job_id)
            row, kinds = stored["job"], [event["type"] for event in stored["events"]]
            assert (row["state"], exact_reason(row["end_reason"], row["end_cause"])) == (job.state, job.reason)
            assert row["end_reason"] == (job.reason and job.reason.known_before)
            assert (row["attempt"], row["token"], row["lost_attempts"]) == (job.attempt, job.attempt, job.lost)
            assert [event["seq"] for event in stored["events"]] == list(range(1, row["last_event"] + 1))
            assert kinds.count("ended") == (1 if job.state.terminal else 0)
            assert kinds.count("epoch_end") == len(job.epochs)
            assert {metric["epoch"] for metric in stored["metrics"]} == job.epochs
            assert not job.state.terminal or kinds[-1] == "ended"
            self.check_version(job_id, stored)

    def check_version(self, job_id: str, stored: dict[str, Any]) -> None:
        """The version goes up exactly when something changed that a reader can see."""
        unseen = {"version", "lease_expires"}
        seen = {**stored, "job": {key: value for key, value in stored["job"].items() if key not in unseen}}
        seen["version"] = stored["job"]["version"]
        before = self.last_seen.get(job_id, seen)
        same = {**seen, "version": 0} == {**before, "version": 0}
        assert seen["version"] == before["version"] if same else seen["version"] > before["version"]
        self.last_seen[job_id] = seen


def test_random_operations_agree_with_the_transition_table(tmp_path: Path, sqlite_template: Path) -> None:
    numbers = itertools.count()

    class OnItsOwnFile(Jobs):
        def __init__(self) -> None:
            path = tmp_path / f"{next(numbers)}.db"
            shutil.copy(sqlite_template, path)
            super().__init__(path)

    run_state_machine_as_test(OnItsOwnFile, settings=settings(max_examples=20, stateful_step_count=30, deadline=None))
