import { assert, describe, it } from "@effect/vitest"
import * as FileSystem from "effect/FileSystem"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import * as EndpointArgument from "../../src/reactor/EndpointArgument.ts"
import * as EndpointDescription from "../../src/reactor/EndpointDescription.ts"
import * as EndpointFormat from "../../src/reactor/EndpointFormat.ts"
import * as EndpointScheme from "../../src/reactor/EndpointScheme.ts"
import * as EndpointSchemes from "../../src/reactor/EndpointSchemes.ts"
import { errorOf, faultOf, messageOf } from "./endpointFaults.ts"

const { parseClient, parseClientSync, parseServer, parseServerSync, parseUdp } = EndpointDescription

const files = FileSystem.layerNoop({ readFile: () => Effect.succeed(Uint8Array.of(1, 2, 3)) })

describe("EndpointScheme", () => {
  const argument = (position?: number) => ({
    kind: EndpointArgument.text,
    doc: "a word",
    ...(position === undefined ? {} : { position })
  })

  const onion = EndpointScheme.make({
    name: "onion",
    aliases: ["tor"],
    client: EndpointScheme.form({
      arguments: {
        host: { kind: EndpointArgument.host, position: 0, required: true, doc: "the service" },
        port: { kind: EndpointArgument.peerPort, position: 1, doc: "its port" },
        cookie: { kind: EndpointArgument.file, placeholder: "COOKIE", doc: "a file" }
      },
      check: ({ cookie, host }) =>
        cookie === host ? { argument: "cookie", detail: "the cookie is the host" } : undefined,
      make: ({ cookie, host, port = 80 }) =>
        Endpoint.customClient({
          description: `onion:${host}:${port}:${cookie?.length}`,
          connect: Effect.never
        })
    })
  })
  const schemes = [onion]

  it.effect("is used beside the built-in ones, with typed values and files", () =>
    Effect.gen(function* () {
      const endpoint = yield* parseClient("tor:h:cookie=file", { schemes })
      assert.strictEqual(EndpointFormat.format(endpoint), "onion:h:80:3")
      assert.strictEqual((yield* parseClient("tcp:h:1", { schemes }))._tag, "TcpClient")
    }).pipe(Effect.provide(files))
  )

  it("is in suggestions, usage lines and help", () => {
    assert.include(messageOf(parseClientSync("onoin:h", { schemes })), `did you mean "onion"?`)
    assert.deepStrictEqual(errorOf(parseClientSync("tor:h:x", { schemes })).usage, [
      "tor:HOST[:PORT][:cookie=COOKIE]"
    ])
    assert.deepStrictEqual(faultOf(parseClientSync("onion:h:cookie=h", { schemes })), [
      "Conflict",
      "cookie",
      "cookie=h"
    ])
    assert.match(EndpointDescription.help("client", { schemes }), /\n {2}cookie=COOKIE {2}a file/)
    assert.strictEqual(errorOf(parseServerSync("onion:h", { schemes })).reason._tag, "UnknownScheme")
  })

  it("a name that is taken is a defect", () => {
    const other = (name: string) => EndpointScheme.make({ name, client: onion.client })
    for (const schemes of [[other("tcp")], [other("ssl")], [onion, other("tor")]]) {
      assert.throws(() => parseServerSync("tcp:80", { schemes }), /two endpoint schemes are named/)
    }
  })

  it.effect("which the effects die of", () =>
    Effect.gen(function* () {
      const schemes = [EndpointScheme.make({ name: "tcp", client: onion.client })]
      const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
        yield* Effect.exit(parseServer("tcp:80", { schemes })),
        yield* Effect.exit(parseClient("tcp:80", { schemes })),
        yield* Effect.exit(parseUdp("tcp:80", { schemes }))
      ]
      for (const exit of exits) {
        assert.deepStrictEqual(Exit.isFailure(exit) && exit.cause.reasons.map(({ _tag }) => _tag), ["Die"])
      }
    }).pipe(Effect.provide(files))
  )

  it("cannot be made in a way that cannot work", () => {
    const make = () => Endpoint.udp({})
    const make6 = (specs: EndpointScheme.ArgumentSpecs) => () =>
      EndpointScheme.form({ arguments: specs, make })
    assert.throws(make6({ "a:b": argument() }), /cannot be an argument's name/)
    assert.throws(make6({ a: argument(), b: { ...argument(), aliases: ["a"] } }), /two arguments are named/)
    assert.throws(make6({ a: argument(0), b: argument(0) }), /the same position/)
    assert.throws(make6({ a: argument(1) }), /no argument has position 0/)
    assert.throws(make6({ a: { ...argument(), sameAs: "b" } }), /which does not exist/)
    assert.throws(
      () => EndpointScheme.make({ name: "a:b", client: onion.client }),
      /cannot be a scheme's name/
    )
    assert.throws(() => EndpointScheme.make({ name: "a" }), /has no form/)
    const udp = EndpointScheme.form({ arguments: { a: { kind: EndpointArgument.file, doc: "" } }, make })
    assert.throws(() => EndpointScheme.make({ name: "a", udp }), /cannot be a file/)
  })

  it("help tells every argument of every form", () => {
    for (const use of ["server", "client", "udp"] as const) {
      const text = EndpointDescription.help(use)
      const forms: ReadonlyArray<EndpointScheme.Form<unknown> | undefined> =
        use === "udp"
          ? EndpointSchemes.all.flatMap(({ udp, udpConnected }) => [udp, udpConnected])
          : EndpointSchemes.all.map((scheme) => scheme[use])
      for (const form of forms) {
        for (const [name, { doc }] of Object.entries(form?.arguments ?? {})) {
          assert.include(text, `\n  ${name}=`)
          assert.include(text, doc)
        }
      }
    }
  })
})
