"""What is watched: health and metrics of everything that is served."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from qanat.clock import Clock
from qanat.serve.health import RED, Healths
from qanat.serve.metrics import rendered
from qanat.serve.models import Health, PipelineHealth
from qanat.serve.served import Served

Alarms = Annotated[
    bool, Query(description="Answer 503 while an alarm rings, a stage stalls or a report is stale.")
]


def watching_router(
    several: Sequence[Served], healths: Mapping[str, Healths], clock: Clock
) -> APIRouter:
    """Make the router of health and metrics."""
    router = APIRouter(tags=["watching"])

    @router.get("/health", responses={503: {"model": Health}}, summary="Whether all is well")
    def health(response: Response, alarms: Alarms = True) -> Health:
        """Tell whether the stores answer, no alarm rings, every stage moves and every report is made; else with status 503."""
        told = [each.look() for each in healths.values()]
        worst = next((word for word in RED if any(each.status == word for each in told)), None)
        if worst is None:
            worst = "degraded" if any(each.status == "degraded" for each in told) else "ok"
        if worst in RED and alarms:
            response.status_code = 503
        return Health(status=worst, pipelines=told)

    @router.get("/metrics", response_class=PlainTextResponse, summary="Metrics")
    def metrics() -> str:
        """Metrics, as Prometheus reads them."""
        return rendered(several, healths, clock)

    return router


def health_router(health: Healths) -> APIRouter:
    """Make the router of one pipeline's health."""
    router = APIRouter(tags=["watching"])

    @router.get(
        "/health", responses={503: {"model": PipelineHealth}}, summary="Whether a pipeline is well"
    )
    def pipeline_health(response: Response, alarms: Alarms = True) -> PipelineHealth:
        """As `/health`, of this pipeline alone."""
        told = health.look()
        if told.status in RED and alarms:
            response.status_code = 503
        return told

    return router
