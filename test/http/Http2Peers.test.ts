/** curl, as a peer that others wrote. */
import { execFile, spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as certificates from "../support/certificates.ts"
import { inetOf } from "../support/endpoints.ts"
import { serving } from "./httpKit.ts"

const hasCurl = / HTTP2 /.test(String(spawnSync("curl", ["--version"]).stdout ?? ""))

const curl = (...args: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const child = execFile(
      "curl",
      ["-sk", "--max-time", "15", "-w", "|%{http_version} %{http_code}", ...args],
      { maxBuffer: 10_000_000 },
      (_, stdout) => resume(Effect.succeed(stdout))
    )
    return Effect.sync(() => child.kill())
  })

describe.skipIf(!hasCurl)("curl", () => {
  it.live.skipIf(!certificates.available)("speaks HTTP/2 by ALPN, and HTTP/1.1 where it likes", () =>
    Effect.gen(function* () {
      const { bound } = yield* serving("tls")
      const url = `https://localhost:${inetOf(bound.address).port}`
      assert.strictEqual(yield* curl("--http2", `${url}/`), "hello|2 200")
      const two = yield* curl("--http2", `${url}/`, `${url}/absent`)
      assert.strictEqual(two, "hello|2 200|2 404")
      assert.strictEqual((yield* bound.counts).accepted, 2)
      assert.strictEqual(yield* curl("--http1.1", `${url}/`), "hello|1.1 200")
      assert.strictEqual(yield* curl("--http1.0", `${url}/`), "hello|1.1 200")
      assert.strictEqual(yield* curl("--http2", "-d", "some text", `${url}/text`), "some text|2 200")
      assert.match(yield* curl("--http2", "-I", `${url}/`), /content-length: 5[^]*\|2 200$/)
      const big = "x".repeat(90_000)
      assert.strictEqual(
        yield* curl("--http2", "-H", "Expect: 100-continue", "-d", big, `${url}/stream`),
        `${big}|2 200`
      )
      assert.strictEqual(yield* curl("--http2", "-d", big, `${url}/ignore`), "ignored|2 200")
    })
  )

  it.live("speaks HTTP/2 by prior knowledge, and is not upgraded to it", () =>
    Effect.gen(function* () {
      const { bound } = yield* serving("tcp", { http2PriorKnowledge: true })
      const url = `http://127.0.0.1:${inetOf(bound.address).port}`
      assert.strictEqual(yield* curl("--http2-prior-knowledge", `${url}/`), "hello|2 200")
      assert.strictEqual(yield* curl("--http2", `${url}/`), "hello|1.1 200")
      assert.strictEqual((yield* bound.counts).requests, 2)
    })
  )
})
