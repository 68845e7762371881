from __future__ import annotations

import itertools

import pytest

from distillery.states import TRANSITIONS, EndReason, JobState, check_transition


def test_states_without_an_edge_out_are_terminal() -> None:
    assert {state for state in JobState if state.terminal} == {"succeeded", "failed", "cancelled"}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(JobState, JobState)))
def test_the_table_alone_says_which_edges_exist(source: JobState, target: JobState) -> None:
    if target in TRANSITIONS.get(source, ()):
        check_transition(source, target)
    else:
        with pytest.raises(ValueError, match=f"from {source} to {target}"):
            check_transition(source, target)


def test_every_state_is_reached_from_queued() -> None:
    reached, fresh = {JobState.QUEUED}, {JobState.QUEUED}
    while fresh:
        fresh = {target for state in fresh for target in TRANSITIONS.get(state, ())} - reached
        reached |= fresh
    assert reached == set(JobState)


@pytest.mark.parametrize("reason", EndReason)
def test_a_reason_decides_an_end_that_a_running_job_can_have(reason: EndReason) -> None:
    assert reason.state.terminal
    assert reason.state in TRANSITIONS[JobState.RUNNING]
    assert not reason.retryable or reason.state is not JobState.SUCCEEDED
