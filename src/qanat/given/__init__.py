"""Tests of pipelines: given events and a clock, expect tables.

```python
def test_counts(qanat_pipeline: Giving) -> None:
    result = qanat_pipeline(PIPELINE).events([{"id": "1", "product": "tea"}]).at(NOON)
    assert result.tables()["products"] == [{"product": "tea", "orders": 1}]
```

The transforms, the SQL, de-duplication and dead letters are the real ones, driven by the runtime's own steps on an embedded
store and log in a temporary folder. `qanat.given.plugin` makes the fixture `qanat_pipeline` for pytest.
"""

from qanat.given.cases import Given, Giving, given
from qanat.given.events import AnyEvent, Event, Row

__all__ = ["AnyEvent", "Event", "Given", "Giving", "Row", "given"]
