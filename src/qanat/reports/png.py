"""Drawing a specification as a PNG, with vl-convert: no browser, no network, no display."""

from collections.abc import Mapping

import vl_convert

from qanat.reports.chart import Json

VEGA_LITE = "6.4"
# Twice the pixels: sharp on today's screens, and 190 to the inch on a page.
SCALE = 2.0


def png(specification: Mapping[str, Json]) -> bytes:
    """Draw a specification; it may name no data outside of itself."""
    drawn: bytes = vl_convert.vegalite_to_png(
        dict(specification), vl_version=VEGA_LITE, scale=SCALE, allowed_base_urls=[]
    )
    return drawn
