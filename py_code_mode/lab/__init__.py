"""JupyterLab on live sessions: a person looks into what an agent does, joins in, and debugs.

Place in the house: below ``session``, above ``live``. ``opening`` is what sessions and the command
line use; ``kernels`` runs inside the Jupyter server. Needs the extra ``lab``.
"""

from py_code_mode.lab.opening import LabPage, open_sessions
from py_code_mode.lab.server import LabServer, running_server, start_server, stop_server

__all__ = [
    "LabPage",
    "LabServer",
    "open_sessions",
    "running_server",
    "start_server",
    "stop_server",
]
