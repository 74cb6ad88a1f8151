"""What isn't accepted although it looks ordinary: why, and what to write instead."""

from collections.abc import Mapping

FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "date_diff": ("the engines count the units differently", "time_difference('unit', start, end)"),
    "datediff": ("the engines count the units differently", "time_difference('unit', start, end)"),
    "date_sub": ("the engines count the units differently", "time_difference('unit', start, end)"),
    "date_part": ("the engines differ in type and in weekdays", "truncate_time or day_of_week"),
    "dayofweek": ("one engine begins with 0, the other with 1", "day_of_week(moment)"),
    "weekday": ("one engine begins with Sunday, the other with Monday", "day_of_week(moment)"),
    "isodow": ("not every engine has it", "day_of_week(moment)"),
    "time_bucket": ("not every engine has it", "tumble(moment, 'span')"),
    "window": ("not every engine has it", "tumble(moment, 'span')"),
    "epoch": ("the engines return other types", "time_difference('second', start, end)"),
    "epoch_ms": ("not every engine has it", "time_difference('millisecond', start, end)"),
    "epoch_us": ("not every engine has it", "time_difference('microsecond', start, end)"),
    "strptime": ("formats are other ones on each engine", "parse_time(text)"),
    "to_timestamp": ("the engines read other things", "parse_time(text)"),
    "strftime": ("formats are other ones on each engine", "a Python transform"),
    "log": ("one engine takes base 10, the other e", "a Python transform"),
    "ln": ("the engines treat 0 and less differently", "a Python transform"),
    "round": ("the engines round halves differently", "cast_rounded(number, 'int64')"),
    "avg": ("the engines add up in other precisions", "safe_divide(sum(value), count(value))"),
    "mean": ("the engines add up in other precisions", "safe_divide(sum(value), count(value))"),
    "list": ("order and nulls differ", "collect_ordered(value, order)"),
    "array_agg": ("order and nulls differ", "collect_ordered(value, order)"),
    "collect_list": ("order and nulls differ", "collect_ordered(value, order)"),
    "group_concat": ("order and nulls differ", "collect_ordered(value, order)"),
    "first": ("it depends on an order that nobody stated", "latest_by(value, version)"),
    "last": ("it depends on an order that nobody stated", "latest_by(value, version)"),
    "any_value": ("it depends on an order that nobody stated", "latest_by(value, version) or min"),
    "arg_max": ("ties and nulls differ", "latest_by(value, version)"),
    "max_by": ("ties and nulls differ", "latest_by(value, version)"),
    "arg_min": ("ties and nulls differ", "latest_by(value, version)"),
    "min_by": ("ties and nulls differ", "latest_by(value, version)"),
    "hash": ("every engine and version has its own", "hash_key(value, …)"),
    "md5": ("of values other than text it differs", "hash_key(value, …)"),
    "concat": ("one engine skips nulls, the other returns null", "a || b"),
    "json_extract": ("numbers and spaces differ", "json_get(text, '$.path')"),
    "json_extract_string": ("numbers and spaces differ", "json_get(text, '$.path')"),
    "get_json_object": ("not every engine has it", "json_get(text, '$.path')"),
    "regexp_matches": ("the engines' regular expressions differ", "like or starts_with"),
    "regexp_replace": ("the engines' regular expressions differ", "a Python transform"),
    "regexp_extract": ("the engines' regular expressions differ", "a Python transform"),
    "upper": ("letters such as ß differ", "a Python transform"),
    "lower": ("letters such as İ differ", "a Python transform"),
    "trim": ("the engines remove other spaces", "a Python transform"),
    "mod": ("a remainder by 0 differs", "a % 7, by a number that isn't 0"),
    "approx_count_distinct": ("it is an estimate of each engine's own", "count(distinct value)"),
    "median": ("the engines interpolate differently", "a Python transform"),
    "quantile": ("the engines interpolate differently", "a Python transform"),
    "unnest": ("not every engine has it", "a Python transform"),
    "percent_rank": ("it isn't tested equal", "rank()"),
    "first_value": ("frames differ", "min(value) over (…)"),
    "last_value": ("frames differ", "max(value) over (…)"),
}
"""By name: why not, and the way out."""

_MOMENT = ("a batch that is done again would get another value", "a parameter, such as $now")
_CHANCE = ("a batch that is done again would get another value", "hash_key(value, …)")

UNREPEATABLE: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "now",
            "current_timestamp",
            "current_date",
            "current_time",
            "today",
            "localtimestamp",
            "transaction_timestamp",
            "get_current_timestamp",
        ),
        _MOMENT,
    ),
    **dict.fromkeys(("random", "rand", "setseed", "uuid", "gen_random_uuid", "nextval"), _CHANCE),
}
"""What gives another value each time."""

NODES: Mapping[str, tuple[str, str]] = {
    "Star": ("`*` changes its meaning with the table", "every column by its name"),
    "IntDiv": ("the engines round and treat 0 differently", "safe_divide(a, b) or time_difference"),
    "Div": ("a division by 0 differs", "safe_divide(a, b), or a / nullif(b, 0)"),
    "Mod": ("a remainder by 0 differs", "a % 7, by a number that isn't 0"),
    "Pow": ("the engines differ in the last digit", "a Python transform"),
    "RegexpLike": ("the engines' regular expressions differ", "like or starts_with"),
    "RegexpFullMatch": ("the engines' regular expressions differ", "like or starts_with"),
    "SimilarTo": ("the engines' regular expressions differ", "like or starts_with"),
    "Glob": ("not every engine has it", "like"),
    "ILike": ("letters such as İ differ", "like"),
    "Escape": ("the engines escape differently", "starts_with"),
    "TryCast": ("the engines read texts differently", "parse_integer or parse_time"),
    "Bracket": ("one engine counts from 1, the other from 0", "json_get or collect_ordered"),
    "Array": ("no column has the type of a list", "collect_ordered"),
    "Struct": ("no column has the type of a structure", "several columns"),
    "JSONExtract": ("numbers and spaces differ", "json_get(text, '$.path')"),
    "JSONExtractScalar": ("numbers and spaces differ", "json_get(text, '$.path')"),
    "If": ("not every engine has it", "case when … then … else … end"),
    "Lambda": ("no column has the type of a list", "a Python transform"),
    "Tuple": ("comparing several values at once isn't tested equal", "a = b and c = d"),
    "Collate": (
        "the engines order differently",
        "the order of code points, which is the usual one",
    ),
}
"""By what the parser calls it: why not, and the way out."""

CLAUSES: Mapping[str, tuple[str, str]] = {
    "qualify": ("not every engine has `qualify`", "a select around it, with `where`"),
    "sample": ("`sample` gives other rows each time", "hash_key(value, …) % 100 = 0"),
    "distinct on": ("`distinct on` takes any row", "latest_by(value, version)"),
    "windows": ("named windows aren't tested equal", "the window at the function"),
    "laterals": ("`lateral` isn't tested equal", "a join"),
    "pivots": ("`pivot` isn't tested equal", "count_if or sum(case …)"),
}
"""Parts of a select."""

ESCAPE_HATCH = (
    "If it has to be: a text per engine, below lines `-- engine: duckdb` and `-- engine: spark`."
)
