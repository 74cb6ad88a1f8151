"""What a user of Pathway would write: events off a socket, counted per domain and hour, with its persistence on disk.

python bench/events_by_pathway.py URL FOLDER
"""

import sys
from pathlib import Path

import pathway as pw
from events_peers import events, row


class Event(pw.Schema):
    """The columns of one event."""

    event_id: str
    created_at: str
    domain: str
    wiki: str
    page_id: int
    title: str
    user_name: str | None
    is_bot: bool


class Reader(pw.io.python.ConnectorSubject):
    """The one connection."""

    def __init__(self, url: str) -> None:
        super().__init__(datasource_name="events")
        self._url = url

    def run(self) -> None:
        for batch in events(self._url):
            for one in filter(None, map(row, batch)):
                event_id, created_at, domain, wiki, page_id, title, user_name, is_bot = one
                self.next(
                    event_id=event_id,
                    created_at=created_at.isoformat(),
                    domain=domain,
                    wiki=wiki,
                    page_id=page_id,
                    title=title,
                    user_name=user_name,
                    is_bot=is_bot,
                )


def main(url: str, folder: Path) -> None:
    """Read until the connection ends."""
    table = pw.io.python.read(Reader(url), schema=Event, autocommit_duration_ms=500)
    hours = table.select(table.domain, hour=table.created_at.str.slice(0, 13))
    counts = hours.groupby(hours.domain, hours.hour).reduce(
        hours.domain, hours.hour, pages=pw.reducers.count()
    )
    pw.io.jsonlines.write(counts, str(folder / "counts.jsonl"))
    backend = pw.persistence.Backend.filesystem(str(folder / "persistence"))
    pw.run(
        monitoring_level=pw.MonitoringLevel.NONE,
        persistence_config=pw.persistence.Config(backend),
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
