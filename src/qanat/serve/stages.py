"""The pipelines that are served, and the stages of each as a graph with their states."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from qanat.serve.answers import answered
from qanat.serve.graph import edges_of, nodes_of
from qanat.serve.models import PipelineAbout, Pipelines, Stages
from qanat.serve.served import Served
from qanat.serve.states import States


def index_router(several: Sequence[Served]) -> APIRouter:
    """Make the router that lists what is served."""
    router = APIRouter(tags=["pipelines"])
    described = Pipelines(pipelines=[_about(served) for served in several])

    @router.get("/api", summary="Which pipelines are served")
    def pipelines() -> Pipelines:
        """Which pipelines are served, and what each has."""
        return described

    return router


def stages_router(served: Served, states: States) -> APIRouter:
    """Make the router of a pipeline's stages."""
    router = APIRouter(tags=["stages"])

    @router.get(
        "/stages",
        response_model=None,
        responses={200: {"model": Stages}},
        summary="The pipeline as a graph, and how its stages are doing",
    )
    def stages(request: Request) -> Response:
        """Inputs, stages, topics and tables, the guarantee of every way between them, and each stage's state."""
        body = stages_of(served, states).model_dump_json().encode()
        return answered(request, body, holds_s=0)

    return router


def stages_of(served: Served, states: States) -> Stages:
    """Return the graph of a pipeline with the states of now."""
    edges, refused = edges_of(served)
    return Stages(
        pipeline=served.pipeline.name,
        title=served.pipeline.title,
        refused=refused,
        nodes=nodes_of(served.pipeline),
        edges=edges,
        states=states.read(),
        dead_letters=states.dead_letters(),
    )


def _about(served: Served) -> PipelineAbout:
    pipeline = served.pipeline
    return PipelineAbout(
        name=pipeline.name,
        title=pipeline.title,
        stages=[stage.name for stage in pipeline.stages],
        tables=[table.name for table in pipeline.tables],
        reports=[report.name for report in pipeline.reports],
        lookups=[lookup.name for lookup in pipeline.lookups],
    )
