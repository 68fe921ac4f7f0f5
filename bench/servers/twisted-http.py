"""Twisted web: a resource each, files by `static.File`."""

import json
import os

from twisted.web import resource, server, static

from twisted_contract import run


class Hello(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        request.setHeader(b"content-type", b"application/json")
        return json.dumps({"message": "Hello, World!"}, separators=(",", ":")).encode()


class Upload(resource.Resource):
    isLeaf = True

    def render_POST(self, request):
        request.setHeader(b"content-type", b"text/plain")
        return str(len(request.content.read())).encode()


root = resource.Resource()
root.putChild(b"hello", Hello())
root.putChild(b"upload", Upload())
root.putChild(b"files", static.File(os.environ["FILES"]))
run(server.Site(root))
