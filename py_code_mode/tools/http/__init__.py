"""HTTP APIs as tools: endpoints that are written down, or a whole OpenAPI document.

Place in the house: ``tools``, two of the adapters. httpx is loaded with the first call.

``model``      what an endpoint and its parameters are
``auth``       who the host says it is
``values``     what an agent gives, as plain data, checked against its schema
``styles``     values as text of a path, a query, a header or a cookie
``bodies``     values as the bytes of a request
``operation``  one endpoint: arguments to a request
``hosts``      which hosts and addresses may be reached
``outgoing``   requests about to be sent, and redirected
``transport``  connections to checked addresses
``sending``    a request to its answer: retries, redirects, time limit
``answers``    an answer to a value or an error
``adapter``    all of that behind the seam of adapters
``schemas``    schemas of a document, each on its own feet
``document``   reading an OpenAPI document
``operations`` its operations as endpoints
``bodyparams`` its request bodies as parameters
``openapi``    the adapter for one
``files``      YAML files of both
"""

from py_code_mode.tools.http.adapter import HTTPAdapter
from py_code_mode.tools.http.auth import APIKey, Basic, Bearer
from py_code_mode.tools.http.model import Endpoint, Param
from py_code_mode.tools.http.openapi import OpenAPIAdapter

__all__ = ["APIKey", "Basic", "Bearer", "Endpoint", "HTTPAdapter", "OpenAPIAdapter", "Param"]
