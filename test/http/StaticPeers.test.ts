/** Files as curl, Python and Twisted fetch them. */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AccessLog from "../../src/http/AccessLog.ts"
import * as Compression from "../../src/http/Compression.ts"
import * as StaticFiles from "../../src/http/StaticFiles.ts"
import * as certificates from "../support/certificates.ts"
import { curl, describePeer, twisted } from "../support/peers.ts"
import { asking, directory, write } from "./staticKit.ts"
import type { Kind } from "./httpKit.ts"

const run = (program: string, ...args: ReadonlyArray<string>) =>
  Effect.callback<string>((resume) => {
    execFile(program, args, { timeout: 30_000, maxBuffer: 16_000_000 }, (error, out, err) =>
      resume(error === null ? Effect.succeed(out) : Effect.die(new Error(`${error.message}\n${err}`)))
    )
  })

const sha1 = (bytes: string | Uint8Array): string =>
  createHash("sha1").update(bytes).digest("hex").slice(0, 8)

const tree = Effect.fnUntraced(function* (kind: Kind = "tcp") {
  const root = yield* directory
  const big = new Uint8Array(3_000_001).map((_, i) => (i * 31) % 251)
  write(root, "big.bin", big)
  write(root, "a.txt", "0123456789")
  write(root, "page.html", "<p>hello</p>".repeat(1000))
  const lines: Array<string> = []
  const log = AccessLog.layer({
    format: "common",
    write: (line) => Effect.sync(() => void lines.push(line.replace(/^.*\] /, "")))
  })
  const { bound } = yield* asking(
    Layer.mergeAll(log, Compression.layer({ algorithms: ["br", "gzip"] }), StaticFiles.layer({ root })),
    kind
  )
  const scheme = kind === "tls" ? "https" : "http"
  return { big, lines, root, url: `${scheme}://${String(bound.address)}` }
})

describePeer(curl, (program) => {
  const status = ["-s", "-o", "/dev/null", "-w", "%{http_code}"]

  it.live("parts, several parts, and what is not there", () =>
    Effect.gen(function* () {
      const { url } = yield* tree()
      assert.strictEqual(yield* run(program, "-s", "-r", "2-4", `${url}/a.txt`), "234")
      assert.strictEqual(yield* run(program, "-s", "-r", "-2", `${url}/a.txt`), "89")
      assert.match(
        yield* run(program, "-s", "-r", "0-0,9-9", `${url}/a.txt`),
        /bytes 0-0\/10[^]*bytes 9-9\/10/
      )
      assert.strictEqual(yield* run(program, ...status, "-r", "10-", `${url}/a.txt`), "416")
      assert.strictEqual(yield* run(program, ...status, "-I", `${url}/a.txt`), "200")
      assert.strictEqual(
        yield* run(program, ...status, "-z", "Tue, 01 Jan 2030 00:00:00 GMT", `${url}/a.txt`),
        "304"
      )
      for (const target of ["/../a.txt", "/..%2fa.txt", "/%2e%2e/%2e%2e/etc/passwd"])
        assert.strictEqual(yield* run(program, ...status, "--path-as-is", url + target), "404")
    })
  )

  it.live("a download that is resumed, and one by its tag", () =>
    Effect.gen(function* () {
      const { big, root, url } = yield* tree()
      const part = path.join(root, "part")
      fs.writeFileSync(part, big.subarray(0, 1_234_567))
      yield* run(program, "-sf", "-C", "-", "-o", part, `${url}/big.bin`)
      assert.isTrue(Buffer.from(big).equals(fs.readFileSync(part)))
      const tag = path.join(root, "tag")
      yield* run(program, "-s", "--etag-save", tag, "-o", "/dev/null", `${url}/a.txt`)
      assert.strictEqual(yield* run(program, ...status, "--etag-compare", tag, `${url}/a.txt`), "304")
    })
  )

  it.live("a coding that it undoes", () =>
    Effect.gen(function* () {
      const { url } = yield* tree()
      assert.strictEqual(
        yield* run(program, "-s", "--compressed", "-H", "Accept-Encoding: gzip", `${url}/page.html`),
        "<p>hello</p>".repeat(1000)
      )
    })
  )

  it.live.skipIf(!certificates.available)("over HTTP/2", () =>
    Effect.gen(function* () {
      const { big, lines, root, url } = yield* tree("tls")
      const out = path.join(root, "out")
      const said = yield* run(
        program,
        "-sk",
        "--http2",
        "-o",
        out,
        "-w",
        "%{http_version} %{http_code}",
        `${url}/big.bin`
      )
      assert.strictEqual(said, "2 200")
      assert.isTrue(Buffer.from(big).equals(fs.readFileSync(out)))
      assert.strictEqual(yield* run(program, "-sk", "--http2", "-r", "2-4", `${url}/a.txt`), "234")
      assert.strictEqual(yield* run(program, "-sk", "--http2", ...status, "-I", `${url}/a.txt`), "200")
      // A line is written behind its answer, and curl does not wait for it.
      while (lines.length < 3) yield* Effect.sleep("10 millis")
      assert.deepStrictEqual(lines, [
        '"GET /big.bin HTTP/2.0" 200 3000001',
        '"GET /a.txt HTTP/2.0" 206 3',
        '"HEAD /a.txt HTTP/2.0" 200 -'
      ])
    })
  )
})

const agent = `
import sys, hashlib
from twisted.internet import defer, task
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

@defer.inlineCallbacks
def main(reactor, url):
    pool = HTTPConnectionPool(reactor, persistent=True)
    agent = Agent(reactor, pool=pool)
    def ask(method, path, **fields):
        headers = Headers({k.replace("_", "-"): [v] for k, v in fields.items()})
        return agent.request(method, (url + path).encode(), headers)
    for method, path, fields in [
        (b"GET", "/a.txt", {}), (b"HEAD", "/a.txt", {}), (b"GET", "/a.txt", {"Range": "bytes=3-5"}),
        (b"GET", "/big.bin", {}), (b"GET", "/nowhere", {}), (b"DELETE", "/a.txt", {}),
    ]:
        response = yield ask(method, path, **fields)
        body = yield readBody(response)
        print(method.decode(), response.code, response.length if method == b"GET" else "-", hashlib.sha1(body).hexdigest()[:8] if response.code < 300 else "-")
    first = yield ask(b"GET", "/a.txt")
    yield readBody(first)
    again = yield ask(b"GET", "/a.txt", If_None_Match=first.headers.getRawHeaders("etag")[0])
    yield readBody(again)
    print(again.code)
    yield pool.closeCachedConnections()

task.react(main, sys.argv[1:])
`

describePeer(twisted(), (python) => {
  it.live("Twisted's Agent", () =>
    Effect.gen(function* () {
      const { big, url } = yield* tree()
      const lines = (yield* run(python, "-c", agent, url)).trim().split("\n")
      assert.deepStrictEqual(lines.slice(0, 4), [
        `GET 200 10 ${sha1("0123456789")}`,
        `HEAD 200 - ${sha1("")}`,
        `GET 206 3 ${sha1("345")}`,
        `GET 200 3000001 ${sha1(big)}`
      ])
      assert.match(lines[4]!, /^GET 404 \d+ -$/)
      assert.deepStrictEqual(lines.slice(5), ["DELETE 405 - -", "304"])
    })
  )
})
