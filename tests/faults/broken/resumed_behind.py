"""A resume goes on behind the last event, as the stream's ids would have it, whose siblings of that millisecond are lost."""

from qanat.sources import sse_reader
from tests.faults.broken.breaking import replaced


def resume_header(position: str) -> str:
    """Send the id as it came, one further."""
    import json

    places = json.loads(position) if position.startswith("[") else []
    for place in places:
        if "timestamp" in place:
            place["timestamp"] += 2_000
    return json.dumps(places) if places else position


def break_it() -> None:
    """Break this process."""
    replaced(sse_reader, "resume_header", resume_header)
