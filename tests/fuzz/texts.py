"""Files that people and agents write: tools, rules, settings, skills.

Place in the house: beside ``seeds``, below ``targets``.
"""

from __future__ import annotations

__all__ = ["PROJECT", "RULES", "SKILLS", "SKILL_PIECES", "TOOLS", "YAML_PIECES", "YAML_WORDS"]

TOOLS = (
    """\
name: nmap
type: cli
command: nmap
args: "{flags} -p {port} {target}"
description: |
  Network scanner.
  Of networks.
tags: [recon, "net"]
timeout: 300
params:
  port: {type: integer, default: 80, choices: [80, 443], description: Which}
  target: {type: string, pattern: "[a-z.]+", required: true}
  flags: {type: list, items: {type: enum, enum: [-v, -A]}, flag: "-x {flags}"}
allow_options: [flags]
env: {KEY: "${HOME:-x}"}
ok_exit_codes: [0, 1]
parse: json
recipes:
  quick:
    args: "-F {target}"
    description: Fast
    stdin: "{target}"
""",
    """\
name: notes
type: mcp
transport: stdio
command: python
args: ["-m", "server", "${PATH}"]
env: {A: b}
timeout: 5.5
start_timeout: 1
include: ["read_*"]
exclude: ['write']
parse: text
tags: [a]
""",
    """\
name: tracker
type: mcp
transport: http
url: https://tracker.example/mcp
headers:
  Authorization: Bearer ${TOKEN:-none}
""",
    """\
name: shop
type: http
base_url: http://shop.example/v1
headers: {X-Key: "$$"}
auth: {type: api_key, name: key, value: "${KEY:-k}", in: query}
retries: 3
max_response: 1000
allow_hosts: ["*.example"]
allow_private: true
endpoints:
  - name: item
    method: GET
    path: /items/{item_id}
    params:
      - {name: item_id, type: integer, in: path, required: true}
      - {name: color, type: enum, values: [red, 1], default: red, key: c}
      - {name: words, type: list, items: string}
  - name: upload
    method: POST
    path: /upload
    body: multipart
    params: [{name: file, type: file, required: true}]
""",
    """\
name: pets
type: openapi
spec: petstore.yaml
base_url: https://pets.example
auth: {type: basic, username: u, password: "${P:-p}"}
include: [list*, /pets]
""",
    "base: &b {x: 1}\nname: a\nmore:\n  <<: *b\nlist: [*b, 2024-01-01, 0x1F, 1_0, ~, !!set {a}]\n",
)

RULES = """\
default: ask
rules:
  - effect: deny
    tools: ["shell.*", find]
    tags: net
    arguments: {folder: ["/*", "*..*"], n: "[0-9]"}
    reason: look below the current folder
  - effect: allow
    kind: shell
    commands: ["ls *", git]
"""

PROJECT = """\
tools = "tools"
skills = "redis://host/0"
artifacts = 'artifacts'
policy = "policy.yaml"
allowed_tags = ["a"]
timeout = 60

[kernel]
python = "python3"
preload = ["numpy", "x.py"]
pass_env = ["HTTPS_PROXY"]
env = { MODE = "demo" }
sandbox = "auto"

[kernel.sandbox]
level = "auto"
network = false
memory = "1G"

[[server.x]]
host = "0.0.0.0"
port = 1979-05-27T07:32:00Z
"""

YAML_PIECES = (
    *("\n", "  ", "\t", ": ", "- ", "? ", "[", "]", "{", "}", ",", "#", "|", ">-", "&a ", "*a"),
    *(
        "!!python/object:os.system ",
        "!!binary ",
        "!!set ",
        "<<: *a",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
    ),
    *("'", '"', "\\x00", "\x85", "\u2028", "\ufeff", "\U0001f600", "~", "null", "yes", "0o17"),
    *("1e999", ".nan", "-.inf", "2001-13-45", "12:30:45", "1__0", "=", "${", "${A:-", "}", "$$"),
    *(
        "[[server.x]]\n",
        "[kernel]\n",
        "[kernel.sandbox]\n",
        "a.b.c = 1\n",
        "'''",
        "= [1, {a = 2}]\n",
    ),
)

_KEYS = (
    "name type cli mcp http openapi command args params description tags timeout stdin env cwd "
    "allow_options max_output ok_exit_codes parse json lines csv recipes default choices enum "
    "pattern items outside flag required string integer number boolean path list object file any "
    "transport stdio sse url headers start_timeout include exclude base_url endpoints auth bearer "
    "basic api_key token username password value in header query retries max_response allow_hosts "
    "allow_private method body multipart form spec values key effect allow ask deny kind shell "
    "tool tools arguments commands reason rules ../x /etc/passwd {a} {a.b} {} {{ ${HOME} ${ (a+)+ "
    "[ * http://[::1/ file:///x a.b __class__ _x 1x None"
)
YAML_WORDS = tuple(_KEYS.split())

SKILLS = (
    '''"""Scan common ports on a target.

Needs nmap.

Tags: net, recon
Version: 2
Tools: nmap.quick
Packages: numpy>=1, requests[socks]
Example:
    scan(target="10.0.0.1")
"""

import json

def run(target: str, ports: list[int] = [22, 80, 443], *rest: int, deep=None, **more) -> dict:
    """Do it.

    Args:
        target: Host name
            or address.
        ports (list[int]): What to try: one by one.

    Returns:
        Which are open.

    Examples:
        >>> run("a")
        {'a': 1}
    """
    return {port: tools.nmap(target=target, port=port) for port in ports}
''',
    '''#!/usr/bin/python
# -*- coding: utf-8 -*-
async def run(a, /, b=lambda x: {**x}, *, c: "int | None" = None):
    r"""Fetch \\d pages.

    :param a: What
    :tags: web
    """
    match a:
        case {"x": [1, *_], **rest} if rest:
            return f"{a!r:>{b}} {'nested'}"
        case _:
            return await skills.other(a)

class Helper[T]:
    def run(self): ...
''',
    """def run(x):
    \'\'\'One "line".\'\'\'
    try:
        with open(x) as (a, b), c: yield
    except* ValueError as e: global g; g = e
    return [i async for i in x if (y := i)]; nonlocal z
""",
)

SKILL_PIECES = (
    *("def run(", "async def run(", "):", " -> ", ": int", " = ", "*", "**", ", ", "/", "lambda: "),
    *('"""', "'''", 'f"', "{", "}", "r'", "b'", "\\", "\\N{DIGIT ONE}", "\\x", "\n", "\r\n", "\r"),
    *(
        "\f",
        "\t",
        "    ",
        "#",
        "# -*- coding: latin-1 -*-\n",
        "\ufeff",
        "\0",
        "\u2028",
        "\x85",
        "ﬁ",
    ),
    *(
        "return ",
        "yield ",
        "await ",
        "import os\n",
        "from . import x\n",
        "class A:\n",
        "@a\n",
        "...\n",
    ),
    *(
        "Args:\n",
        "Tags: a\n",
        "Version: 1\n",
        "Tools: a.b\n",
        "Packages: x>1\n",
        "Example:\n",
        "Examples:\n",
    ),
    *(
        ">>> run(1)\n",
        ":param x: y\n",
        "Returns:\n",
        "(" * 30,
        ")" * 30,
        "-" * 99,
        "x." * 99,
        "[" * 210,
    ),
    *("1" * 5000, "0x" + "f" * 60, "1e999", "1j", "match x:\n case ", "with a as b:\n", "try:\n"),
    *(
        "except* A:\n",
        "del x\n",
        "global x\n",
        "nonlocal x\n",
        "if 1:\n ",
        "else:\n",
        "type X = int\n",
    ),
)
