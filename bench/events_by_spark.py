"""What a user of PySpark would write: a file of events, one JSON object a line, told apart, into Parquet and counted.

The start of Spark is part of it.

    python bench/events_by_spark.py FILE FOLDER
"""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

SCHEMA = """
    meta struct<id: string, dt: string, domain: string>, database string, page_id bigint, page_title string,
    performer struct<user_text: string, user_is_bot: boolean>
"""


def main(file: str, folder: Path) -> None:
    """Read the file once."""
    threads = len(os.sched_getaffinity(0))
    spark = (
        SparkSession.builder.master(f"local[{threads}]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", str(threads))
        .config("spark.driver.memory", "4g")
        .getOrCreate()
    )
    events = spark.read.schema(SCHEMA).json(file).where("meta.id is not null")
    rows = events.select(
        f.col("meta.id").alias("event_id"),
        f.try_to_timestamp(f.col("meta.dt")).alias("created_at"),
        f.col("meta.domain").alias("domain"),
        f.col("database").alias("wiki"),
        "page_id",
        f.col("page_title").alias("title"),
        f.col("performer.user_text").alias("user_name"),
        f.col("performer.user_is_bot").alias("is_bot"),
    ).dropDuplicates(["event_id"])
    rows.write.parquet(str(folder / "creations"))
    spark.read.parquet(str(folder / "creations")).groupBy(
        "domain", f.date_trunc("hour", "created_at").alias("hour")
    ).count().write.parquet(str(folder / "domain_hours"))
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
