import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointArgument from "../../src/reactor/EndpointArgument.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as EndpointFormat from "../../src/reactor/EndpointFormat.ts"
import * as EndpointScheme from "../../src/reactor/EndpointScheme.ts"

const { parseClientSync, parseServer, parseServerSync } = EndpointDescription

const messageOf = (text: string): string => {
  const parsed = parseServerSync(text)
  return Result.isFailure(parsed) ? parsed.failure.message : assert.fail(`${text} is valid`)
}

describe("a description around another", () => {
  it("takes its own arguments up to the first without a name", () => {
    assert.deepStrictEqual(
      Result.getOrThrow(parseServerSync("haproxy:trusted=10.0.0.0/8,[fd00::]/8,unix:tcp:80:backlog=9")),
      Endpoint.proxied({
        inner: Endpoint.tcp({ port: 80, backlog: 9 }),
        proxy: { trusted: ["10.0.0.0/8", "fd00::/8", "unix"] }
      })
    )
  })

  it("shows a mistake inside where it stands in the whole", () => {
    assert.deepStrictEqual(messageOf("haproxy:trusted=unix:tcp:80:bocklag=9").split("\n").slice(0, 4), [
      `unknown argument "bocklag" of tcp`,
      `  haproxy:trusted=unix:tcp:80:bocklag=9`,
      `                              ^^^^^^^`,
      `did you mean "backlog"?`
    ])
  })

  it("says that nothing is inside", () => {
    assert.match(
      messageOf("haproxy:trusted=unix"),
      /haproxy stands before another endpoint, which is missing/
    )
    assert.match(messageOf("haproxy:trusted=unix"), /usage: haproxy:trusted=NETWORK,\.\.\.\[.*\]:ENDPOINT/s)
  })

  it("has no default for whom to trust", () => {
    assert.match(messageOf("haproxy:tcp:80"), /^trusted of haproxy is missing/)
    assert.match(messageOf("haproxy:trusted=everybody:tcp:80"), /trusted of haproxy must be IP addresses/)
  })

  it("cannot be told to wrap what does not listen", () => {
    assert.match(messageOf("haproxy:trusted=unix:udp:53"), /the scheme "udp" cannot be used to listen/)
    const client = parseClientSync("haproxy:trusted=unix:tcp:h:1")
    assert.match(
      Result.isFailure(client) ? client.failure.message : "",
      /^unknown argument "trusted" of haproxy/
    )
  })

  it("as a client: sends a header first", () => {
    const inner = Endpoint.tcpClient({ host: "h", port: 1, timeout: 3000 })
    for (const [text, endpoint] of [
      ["haproxy:tcp:h:1:timeout=3", Endpoint.proxiedClient({ inner })],
      ["haproxy:version=1:tcp:h:1:timeout=3", Endpoint.proxiedClient({ inner, version: 1 })],
      [
        "haproxy:version=2:local=yes:tcp:h:1:timeout=3",
        Endpoint.proxiedClient({ inner, version: 2, header: "local" })
      ],
      ["haproxy:local=no:tcp:h:1:timeout=3", Endpoint.proxiedClient({ inner, header: "own" })]
    ] as const) {
      assert.strictEqual(
        EndpointFormat.format(Result.getOrThrow(parseClientSync(text))),
        EndpointFormat.format(endpoint),
        text
      )
    }
    const wrong = parseClientSync("haproxy:version=1:local=yes:tcp:h:1")
    assert.match(Result.isFailure(wrong) ? wrong.failure.message : "", /^version 1 has no LOCAL/)
  })

  it("is nested eight times, and no deeper, whatever its length", () => {
    const nested = (depth: number) => `${"haproxy:trusted=unix:".repeat(depth)}tcp:80`
    assert.isTrue(Result.isSuccess(parseServerSync(nested(8))))
    assert.match(messageOf(nested(9)), /at most 8 times/)
    const started = performance.now()
    assert.match(messageOf(nested(20_000)), /at most 8 times/)
    assert.isBelow(performance.now() - started, 2_000)
  })

  const files = Layer.succeed(
    FileSystem.FileSystem,
    FileSystem.makeNoop({
      readFile: (path) => Effect.succeed(new TextEncoder().encode(`${path}: no PEM`))
    })
  )

  it.effect("names the file inside that cannot be used, in its place", () =>
    Effect.gen(function* () {
      const text = "haproxy:trusted=unix:tls:443:privateKey=key.pem"
      const error = yield* Effect.flip(parseServer(text))
      assert.strictEqual(error.description, text)
      assert.strictEqual(error.reason._tag, "UnreadableFile")
      assert.strictEqual(
        text.slice(error.position.offset, error.position.offset + error.position.length),
        "key.pem"
      )
    }).pipe(Effect.provide(files))
  )

  it.effect("a directory of certificates is looked at later, by whoever listens", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      for (const name of ["certificates", "path"]) {
        const endpoint = yield* parseServer(`secured:${name}=/etc/certs:unix:/x`)
        assert.deepStrictEqual(
          endpoint,
          Endpoint.secured({
            inner: Endpoint.unix({ path: "/x" }),
            tls: { identity: { directory: "/etc/certs", files } }
          })
        )
      }
      for (const [text, message] of [
        ["tls:443", /^privateKey or certificates of tls is missing/],
        ["tls:443:certificates=d:privateKey=k", /^privateKey is of no use together with certificates/],
        ["tls:443:certificates=d:extraCertChain=k", /^extraCertChain is of no use/]
      ] as const) {
        assert.match((yield* Effect.flip(parseServer(text))).message, message)
      }
      assert.match(
        messageOf("tls:443:certificates=d"),
        /certificates of tls names "d", which cannot be read here/
      )
    }).pipe(Effect.provide(files))
  )

  it("can be made by anybody", () => {
    const slow = EndpointScheme.make({
      name: "slow",
      serverWrapper: EndpointScheme.form({
        arguments: { by: { kind: EndpointArgument.seconds({}), required: true, doc: "how much" } },
        make: () => (inner: Endpoint.Server) =>
          Endpoint.custom({ description: "slow", listen: listenOn(inner) })
      })
    })
    const parsed = parseServerSync("slow:by=1:tcp:80", { schemes: [slow] })
    assert.strictEqual(Result.getOrThrow(parsed)._tag, "CustomServer")
    assert.throws(
      () =>
        EndpointScheme.make({
          ...slow,
          server: EndpointScheme.form({ arguments: {}, make: () => Endpoint.stdio() })
        }),
      /by itself and by means of another/
    )
    assert.throws(
      () =>
        EndpointScheme.make({
          name: "odd",
          serverWrapper: EndpointScheme.form({
            arguments: { first: { kind: EndpointArgument.text, position: 0, doc: "" } },
            make: () => (inner: Endpoint.Server) => inner
          })
        }),
      /"first" of the scheme "odd" cannot have a position/
    )
  })
})

const listenOn = (_inner: Endpoint.Server) => Effect.never

describe("a wrapper whose arguments have places", () => {
  const argument = {
    kind: EndpointArgument.text,
    placeholder: "TEXT",
    doc: "a text",
    required: true
  } as const
  const via = EndpointScheme.make({
    name: "via",
    clientWrapper: EndpointScheme.form({
      arguments: {
        host: { ...argument, position: 0 },
        port: { ...argument, position: 1 },
        note: { kind: EndpointArgument.text, doc: "a text" }
      },
      make:
        ({ host, note, port }) =>
        (inner: Endpoint.Client) =>
          Endpoint.customClient({
            description: `${host}|${port}|${note}|${EndpointFormat.format(inner)}`,
            connect: Effect.never
          })
    })
  })
  const told = (text: string) => {
    const result = parseClientSync(text, { schemes: [via] })
    return Result.isFailure(result) ? result.failure.message : EndpointFormat.format(result.success)
  }

  it("takes as many without a name as there are places, and what is named", () => {
    for (const [text, expected] of [
      ["via:h:1:tcp:t:2", "h|1|undefined|tcp:t:2"],
      ["via:h:1:note=n:tcp:t:2", "h|1|n|tcp:t:2"],
      ["via:note=n:h:1:tcp:t:2", "h|1|n|tcp:t:2"],
      ["via:host=h:port=1:tcp:t:2", "h|1|undefined|tcp:t:2"],
      ["via:h:port=1:tcp:t:2", "h|1|undefined|tcp:t:2"],
      ["via:a:1:via:b:2:tcp:t:3", "a|1|undefined|b|2|undefined|tcp:t:3"],
      ["haproxy:via:b:2:tcp:t:3", "haproxy:b|2|undefined|tcp:t:3"]
    ] as const) {
      assert.strictEqual(told(text), expected)
    }
    assert.match(told("via:h"), /missing/)
    assert.match(told("via:h:1"), /stands before another endpoint, which is missing/)
  })
})
