"""Asks the run in this container whether its store answers; exit code 1 if not.

The run listens on loopback, or wherever QANAT_HOST says; loopback reaches it in either case.
"""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5


def main() -> int:
    """Ask once."""
    port = os.environ.get("QANAT_PORT") or "8765"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/health")
    if token := os.environ.get("QANAT_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    # Straight there, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            print(answer.read(1000).decode("utf-8", "replace"))
    except (urllib.error.URLError, OSError) as error:
        print(f"not healthy: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
