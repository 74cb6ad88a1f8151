"""Events that look like Wikimedia's, made up. Nothing here knows how the pipeline reads them."""
