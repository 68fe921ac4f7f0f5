/** Much at once, by programs that others wrote for it: no answer is wrong, and none is missing. How fast is not looked at. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as certificates from "../support/certificates.ts"
import * as Child from "../support/child.ts"
import { inetOf } from "../support/endpoints.ts"
import { describePeer, which } from "../support/peers.ts"
import { type Kind, serving } from "./httpKit.ts"
import { directory } from "./staticKit.ts"

const limits = { requestsPerConnectionMax: 0 }
const testTimeout = 60_000

/** What it printed; it has ended well. */
const printed = Effect.fnUntraced(function* (program: string, ...args: ReadonlyArray<string>) {
  const { code, stderr, stdout } = yield* Child.run(program, args, { timeout: 40_000 })
  assert.strictEqual(code, 0, stderr)
  return stdout
})

const site = Effect.fnUntraced(function* (kind: Kind, options?: Parameters<typeof serving>[1]) {
  const { bound } = yield* serving(kind, { ...limits, ...options })
  const { port } = inetOf(bound.address)
  return { bound, url: `${kind === "tls" ? "https" : "http"}://127.0.0.1:${port}` }
})

/** Sixteen requests in one write. */
const pipelined = `
init = function(args)
  local all = {}
  for i = 1, 16 do all[i] = wrk.format("GET", "/") end
  request = (function(text) return function() return text end end)(table.concat(all))
end
`
const posting = `
wrk.method = "POST"
wrk.path = "/text"
wrk.body = string.rep("x", 10240)
response = function(status, headers, body)
  if body ~= wrk.body then os.exit(3) end
end
`

describePeer({ name: "wrk", debian: "wrk", path: which("wrk") }, (program) => {
  const run = (script: string | undefined, options?: Parameters<typeof serving>[1], kind: Kind = "tcp") =>
    Effect.gen(function* () {
      const { bound, url } = yield* site(kind, options)
      const file = path.join(yield* directory, "requests.lua")
      fs.writeFileSync(file, script ?? "")
      const said = yield* printed(program, "-t1", "-c20", "-d2s", "--timeout", "30s", "-s", file, `${url}/`)
      // Both are printed only where there are some.
      assert.notMatch(said, /Socket errors|Non-2xx/)
      const [, count = "0"] = /(\d+) requests in/.exec(said) ?? []
      assert.isAbove(Number(count), 0)
      assert.isAtLeast((yield* bound.counts).requests, Number(count))
      return yield* bound.counts
    })

  it.live(
    "one after the other on connections that stay",
    () => Effect.map(run(undefined), ({ accepted }) => assert.isAtMost(accepted, 21)),
    testTimeout
  )
  it.live("sixteen at once on each", () => run(pipelined), testTimeout)
  it.live("bodies that come back as they were", () => run(posting), testTimeout)
  it.live(
    "connections that end after every tenth request",
    () =>
      Effect.map(run(undefined, { requestsPerConnectionMax: 10 }), ({ accepted, requests }) =>
        assert.isAtLeast(accepted, Math.floor(requests / 10))
      ),
    testTimeout
  )
  it.live.skipIf(!certificates.available)("over TLS", () => run(undefined, {}, "tls"), testTimeout)
})

describePeer({ name: "h2load", debian: "nghttp2-client", path: which("h2load") }, (program) => {
  const total = 2_000
  const load = Effect.fnUntraced(function* (kind: Kind, ...args: ReadonlyArray<string>) {
    const { bound, url } = yield* site(kind, { http2PriorKnowledge: true })
    const said = yield* printed(
      program,
      "-n",
      String(total),
      "-c",
      "10",
      "-m",
      "20",
      ...args,
      `${url}/${args.includes("-d") ? "text" : ""}`
    )
    assert.match(
      said,
      new RegExp(
        `requests: ${total} total, ${total} started, ${total} done, ${total} succeeded, 0 failed, 0 errored, 0 timeout`
      )
    )
    assert.match(said, new RegExp(`status codes: ${total} 2xx, 0 3xx, 0 4xx, 0 5xx`))
    assert.deepStrictEqual(
      yield* Effect.map(bound.counts, ({ accepted, requests }) => [accepted, requests]),
      [10, total]
    )
    return said
  })

  it.live("HTTP/2 by prior knowledge", () => load("tcp"), testTimeout)
  it.live("HTTP/1.1, twenty at once on each connection", () => load("tcp", "--h1"), testTimeout)
  it.live.skipIf(!certificates.available)(
    "HTTP/2 over TLS",
    () => Effect.map(load("tls"), (said) => assert.match(said, /Application protocol: h2\n/)),
    testTimeout
  )
  it.live.skipIf(!certificates.available)("HTTP/1.1 over TLS", () => load("tls", "--h1"), testTimeout)
  it.live(
    "bodies, over windows that are small",
    () =>
      Effect.gen(function* () {
        const file = path.join(yield* directory, "body")
        fs.writeFileSync(file, "x".repeat(20_000))
        yield* load("tcp", "-d", file, "-w", "10", "-W", "12")
      }),
    testTimeout
  )
})

describePeer({ name: "ab", debian: "apache2-utils", path: which("ab") }, (program) => {
  const run = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
    const { bound, url } = yield* site("tcp")
    const said = yield* printed(program, "-q", "-n", "1000", "-c", "20", "-s", "30", ...args, `${url}/`)
    assert.match(said, /Complete requests: +1000\n/)
    assert.match(said, /Failed requests: +0\n/)
    assert.notMatch(said, /Non-2xx/)
    return { said, ...(yield* bound.counts) }
  })

  it.live(
    "HTTP/1.0, a connection for each request",
    () => Effect.map(run(), ({ accepted }) => assert.isAtLeast(accepted, 1_000)),
    testTimeout
  )
  it.live(
    "HTTP/1.0 on connections that stay",
    () =>
      Effect.map(run("-k"), ({ accepted, said }) => {
        assert.match(said, /Keep-Alive requests: +1000\n/)
        assert.isAtMost(accepted, 21)
      }),
    testTimeout
  )
})
