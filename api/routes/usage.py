"""What the caller has and may have, and what became of the messages about a job."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.dependencies.context import ContextDep
from api.http.responses import answer, problems
from api.middleware.auth import caller_of
from api.presenters.resource_views import delivery_view, usage_view
from distillery.resources import DeliveryList, UsageView

router = APIRouter(tags=["usage"])


@router.get("/usage", summary="What you have", responses={200: {"model": UsageView}, **problems()})
def read_usage(request: Request, context: ContextDep) -> Response:
    """Jobs, bytes and planned epochs of the key's owner, and the limits: over one of them a POST is answered 429."""
    owner = caller_of(request).owner
    with context.database.read() as repository:
        usage = repository.usage(owner)
    return answer(usage_view(owner, usage, context.settings.quota_of(owner)))


@router.get(
    "/jobs/{job_id}/deliveries",
    summary="Messages to webhooks",
    responses={200: {"model": DeliveryList}, **problems(404)},
)
def read_deliveries(job_id: str, request: Request, context: ContextDep) -> Response:
    """Each webhook of the spec gets one when the job has ended; how often each was tried, and what went wrong."""
    with context.database.read() as repository:
        repository.get(job_id, caller_of(request).owner_filter)
        rows = [delivery_view(delivery) for delivery in repository.deliveries(job_id)]
    return answer(DeliveryList(deliveries=rows))
