"""The bound that DuckDB itself sets: its `read_json` of a file into a table. No socket, no log, no guarantee, no repeats told.

python bench/events_by_duckdb.py FILE FOLDER
"""

import sys
from pathlib import Path

import duckdb


def main(file: str, folder: Path) -> None:
    """Read the file once."""
    with duckdb.connect(str(folder / "bound.duckdb")) as connection:
        connection.execute(
            """
            create table creations as
            select meta.id as event_id, try_cast(meta.dt as timestamptz) as created_at, meta.domain as domain, database as wiki,
                page_id, page_title as title, performer.user_text as user_name, performer.user_is_bot as is_bot
            from read_json(
                $file, format = 'newline_delimited', ignore_errors = true,
                columns = {
                    meta: 'struct(id varchar, dt varchar, domain varchar)', database: 'varchar', page_id: 'bigint',
                    page_title: 'varchar', performer: 'struct(user_text varchar, user_is_bot boolean)'
                }
            )
            """,
            {"file": file},
        )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
