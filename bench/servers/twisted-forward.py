"""Twisted's port forward."""

import json
import os
import subprocess

from twisted.protocols.portforward import ProxyFactory

from twisted_contract import run

backend = subprocess.Popen(
    os.environ["BACKEND"].split(" "),
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    env={**os.environ, "PORT": "0"},
)
run(ProxyFactory("127.0.0.1", json.loads(backend.stdout.readline())["port"]))
