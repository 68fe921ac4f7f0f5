/** Peers that take their time, many of them, by slowhttptest: they are cut, and whoever is honest is served meanwhile. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type { HttpServer } from "effect/http/HttpServer"
import * as StaticFiles from "../../src/http/StaticFiles.ts"
import * as Child from "../support/child.ts"
import { describePeer, which } from "../support/peers.ts"
import { get, served, serving, statusOf } from "./httpKit.ts"
import { directory } from "./staticKit.ts"

const slow = 40
const limits = {
  headerTimeout: "1 second",
  requestTimeout: "2 seconds",
  sendTimeout: "1 second",
  keepAliveTimeout: "1 second"
} as const

const site = Effect.gen(function* () {
  const root = yield* directory
  fs.writeFileSync(path.join(root, "big.bin"), Buffer.alloc(1_000_000))
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/", HttpServerResponse.text("hello")),
    HttpRouter.add(
      "POST",
      "/",
      Effect.flatMap(HttpServerRequest, ({ text }) => Effect.map(text, (_) => HttpServerResponse.text(_)))
    ),
    HttpRouter.add(
      "GET",
      "/endless",
      HttpServerResponse.stream(Stream.forever(Stream.succeed(new Uint8Array(65_536))))
    ),
    StaticFiles.layer({ root, prefix: "/files" })
  )
  return yield* serving("tcp", limits, Layer.orDie(served(routes)) as Layer.Layer<never, never, HttpServer>)
})

describePeer({ name: "slowhttptest", debian: "slowhttptest", path: which("slowhttptest") }, (program) => {
  /** Until all of them have come, and none is left; by then it has asked as often as it could. */
  const attack = (target: string, ...args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { ask, bound } = yield* site
      // It would go on for longer than anybody waits.
      const common = ["-c", String(slow), "-r", "50", "-l", "60", "-p", "30"]
      yield* Child.spawn(program, [...common, ...args, "-u", `http://${String(bound.address)}${target}`], {
        timeout: 50_000
      })
      let served = 0
      for (;;) {
        const answer = yield* Effect.timeout(ask(get("/")), "20 seconds")
        assert.strictEqual(statusOf(answer), "200")
        served++
        const { accepted, active, open } = yield* bound.counts
        if (accepted - served >= slow && open === 0 && active === 0) return served
        yield* Effect.sleep("50 millis")
      }
    }).pipe(Effect.scoped, Effect.timeout("45 seconds"))

  const run = (name: string, target: string, ...args: ReadonlyArray<string>) =>
    it.live(name, () => attack(target, ...args), 60_000)

  run("headers that never end", "/", "-H", "-i", "1")
  run("bodies that never end", "/", "-B", "-i", "1", "-s", "8192", "-t", "POST")
  run("answers that nobody takes", "/endless", "-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1")
  run("ranges that overlap, in thousands", "/files/big.bin", "-R", "-a", "10", "-b", "3000")
})
