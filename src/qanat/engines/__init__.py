"""Engines that run checked SQL on Arrow tables: DuckDB in this process, Spark where one machine is too small."""
