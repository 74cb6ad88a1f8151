"""The HTTP service: one FastAPI application for all pipelines that are served, made from their declarations."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from qanat.clock import Clock, SystemClock
from qanat.serve.described import description_router
from qanat.serve.events import live_router
from qanat.serve.general import general_routers
from qanat.serve.guard import ERRORS, guard, handle_errors
from qanat.serve.headers import SafeHeaders
from qanat.serve.health import Healths
from qanat.serve.limited import LimitedSession
from qanat.serve.limits import Bounded
from qanat.serve.live import Live
from qanat.serve.lookups import lookups_router
from qanat.serve.origins import OnlyHosts
from qanat.serve.pages import dashboard_router
from qanat.serve.reports import reports_router
from qanat.serve.served import LIMITS, Limits, Served
from qanat.serve.stages import index_router, stages_router
from qanat.serve.states import States
from qanat.serve.tables import tables_router
from qanat.serve.watching import health_router, watching_router
from qanat.session import Session
from qanat.wiring import load

# Browsers ask again whether they may only after this.
CORS_HOLDS_S = 600


def create_app(
    several: Sequence[Served],
    *,
    token: str = "",
    cors: Sequence[str] = (),
    hosts: Collection[str] | None = None,
    clock: Clock | None = None,
    limits: Limits = LIMITS,
) -> FastAPI:
    """Make the application.

    Args:
        several: The pipelines that are served. Everything is made from what each declares; its own router, if it names one,
            comes on top (`Pipeline.api`).
        token: What clients have to send as `Authorization: Bearer …`; empty for none.
        cors: Origins whose pages may ask; none by default.
        hosts: Under which names it may be asked; None for any (see `qanat.serve.origins`).
        clock: By which ages are told; the system's.
        limits: How much may be asked at a time.
    """
    clock = clock or SystemClock()
    app = FastAPI(
        title=f"Qanat: {', '.join(served.pipeline.name for served in several)}",
        summary="; ".join(served.pipeline.title for served in several),
        docs_url=None,
        redoc_url=None,
    )
    handle_errors(app)
    include = partial(
        app.include_router, dependencies=[Depends(guard(token))], responses=dict(ERRORS)
    )
    healths: dict[str, Healths] = {}
    app.state.lives = lives = list[Live]()
    bounded: list[Served] = []
    pipelines: list[tuple[str, list[APIRouter]]] = []
    for each in several:
        limited = LimitedSession(each.session, limits.statement_s_max, limits.statements_max)
        served = replace(each, session=limited)
        bounded.append(served)
        states = States(served, clock)
        health = healths[served.pipeline.name] = Healths(served, states, clock)
        live = Live(served, states, clock, limits)
        lives.append(live)
        parts = _pipeline_routers(served, states, health, live, clock)
        pipelines.append((f"/api/{served.pipeline.name}", parts))
    general = [watching_router(bounded, healths, clock), index_router(bounded)]
    # Each by itself: of routers in routers every request asks every one on its way, a quarter of what a report costs.
    for prefix, parts in [("", general), *pipelines]:
        for part in parts:
            include(part, prefix=prefix)
    app.include_router(description_router(app))
    app.include_router(dashboard_router())
    _wrap(app, cors, hosts, limits)
    return app


def _pipeline_routers(
    served: Served, states: States, health: Healths, live: Live, clock: Clock
) -> list[APIRouter]:
    parts = [
        stages_router(served, states),
        live_router(live),
        health_router(health),
        reports_router(served, clock),
        lookups_router(served, clock),
        tables_router(served),
        *general_routers(served),
    ]
    if served.pipeline.api is not None:
        make = cast("Callable[[Session], APIRouter]", load(served.pipeline.api))
        parts.append(make(served.session))
    return parts


def _wrap(app: FastAPI, cors: Sequence[str], hosts: Collection[str] | None, limits: Limits) -> None:
    """Put around it what holds for every request, the outermost last."""
    app.add_middleware(Bounded, limits=limits)
    if cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "Last-Event-ID"],
            expose_headers=["ETag", "Retry-After"],
            max_age=CORS_HOLDS_S,
        )
    if hosts is not None:
        app.add_middleware(OnlyHosts, hosts=hosts)
    app.add_middleware(SafeHeaders)
