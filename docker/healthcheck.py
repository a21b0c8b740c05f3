"""Exit 0 if the server in this container answers that it is well.

Place in the house: outside the packages; the image's ``HEALTHCHECK`` runs it.
"""

import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

server = HTTPConnection("127.0.0.1", int(os.environ.get("PY_CODE_MODE_PORT", "8080")), timeout=4)
try:
    server.request("GET", "/health")
    status = server.getresponse().status
except (OSError, HTTPException) as error:
    sys.exit(f"GET /health on port {server.port}: {error}")
if status != HTTPStatus.OK:
    sys.exit(f"GET /health on port {server.port}: {status}")
