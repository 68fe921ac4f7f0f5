/** Which certificates a client takes, by real handshakes: on a TLS port, and after STARTTLS. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import { Reactor } from "../../src/reactor/Reactor.ts"
import type * as Tls from "../../src/reactor/Tls.ts"
import * as certificates from "../support/certificates.ts"
import { inetOf } from "../support/endpoints.ts"
import { authority, connect, live, local, secured, serve } from "./tlsEcho.ts"

/** The errno of the rejection, or `accepted`, and the name sent. */
type Outcome = readonly [how: string, serverName: string | undefined]

const rejection = (reason: { readonly _tag: string; readonly errno?: string | undefined }): Outcome => {
  assert.strictEqual(reason._tag, "CertificateRejected", reason.errno)
  return [reason.errno ?? "without errno", undefined]
}

const onTlsPort = (identity: Tls.Identity, tls: Tls.ClientOptions, name: string) =>
  Effect.gen(function* () {
    const { port } = yield* serve({ identity })
    return yield* Effect.matchEffect(connect(port, tls, name), {
      onFailure: ({ reason }) => Effect.sync(() => rejection(reason)),
      onSuccess: (transport): Effect.Effect<Outcome> =>
        Effect.succeed(["accepted", secured(transport).serverName])
    })
  })

const afterStartTls = (identity: Tls.Identity, tls: Tls.ClientOptions, name: string) =>
  Effect.gen(function* () {
    const reactor = yield* Reactor
    const running = yield* Server.make(
      Endpoint.tcp({ port: 0, interface: local }),
      (plain) =>
        Effect.flatMap(plain.startTls({ role: "server", tls: { identity }, reply: "go\n" }), (transport) =>
          Effect.exit(transport.receive)
        ).pipe(Effect.exit, Effect.asVoid),
      { drainTimeout: "10 millis" }
    )
    const plain = yield* reactor.connect(
      Endpoint.tcpClient({ host: local, port: inetOf(running.address).port })
    )
    yield* plain.receive
    const options = { authorities: authority.certificate, serverName: name, ...tls }
    return yield* Effect.matchEffect(plain.startTls({ role: "client", tls: options }), {
      onFailure: ({ reason }) => Effect.sync(() => rejection(reason)),
      onSuccess: (transport): Effect.Effect<Outcome> =>
        Effect.succeed(["accepted", secured(transport).serverName])
    })
  })

const wrongName = "ERR_TLS_CERT_ALTNAME_INVALID"

interface Case {
  readonly what: string
  readonly identity: () => Tls.Identity
  /** The name asked for, and what comes of it. */
  readonly names: ReadonlyArray<readonly [name: string, how: string, sent?: string | undefined]>
  readonly tls?: Tls.ClientOptions
}

const issued = (...names: ReadonlyArray<string>) => authority.issue({ names })

const cases: ReadonlyArray<Case> = [
  {
    what: "the name, in any case, with a dot at the end",
    identity: () => issued("Host.Example"),
    names: [
      ["host.example", "accepted", "host.example"],
      ["HOST.example", "accepted", "host.example"],
      ["host.example.", "accepted", "host.example"],
      ["other.example", wrongName],
      ["host.example.evil", wrongName],
      ["evil.host.example", wrongName],
      ["host", wrongName]
    ]
  },
  {
    what: "a wildcard stands for one whole label, the left-most",
    identity: () => issued("*.wild.example"),
    names: [
      ["a.wild.example", "accepted", "a.wild.example"],
      ["A.WILD.EXAMPLE", "accepted", "a.wild.example"],
      ["a.b.wild.example", wrongName],
      ["wild.example", wrongName]
    ]
  },
  {
    what: "no wildcard for all of a top-level domain, nor within",
    identity: () => issued("*.example", "a.*.wild.example", "*.*.wild.example"),
    names: [
      ["host.example", wrongName],
      ["a.b.wild.example", wrongName]
    ]
  },
  {
    what: "a dot of another script is a dot",
    identity: () => issued("*.wild.example", "xn--bcher-kva.example"),
    names: [
      ["a\u3002b.wild.example", wrongName],
      ["a\uFF0Eb.wild.example", wrongName],
      ["a\u3002wild.example", "accepted", "a.wild.example"],
      ["b\u00FCcher.example", "accepted", "xn--bcher-kva.example"]
    ]
  },
  {
    what: "names in the certificate with a NUL, a dot of another script, or a comma",
    identity: () =>
      authority.issue({
        names: ["nobody.example"],
        rawNames: ["host.example\0.evil.example", "a\u3002wild.example", "b.evil, DNS:c.example"]
      }),
    names: [
      ["host.example", wrongName],
      ["a.wild.example", wrongName],
      ["c.example", wrongName]
    ]
  },
  {
    what: "an address must be there as an address",
    identity: () => issued("127.0.0.1", "::1"),
    names: [
      ["127.0.0.1", "accepted"],
      ["::1", "accepted"],
      ["0:0:0:0:0:0:0:1", "accepted"],
      ["127.0.0.2", wrongName],
      ["localhost", wrongName]
    ]
  },
  {
    what: "an address among the host names is none",
    identity: () => authority.issue({ names: ["127.0.0.1"], rawNames: ["127.0.0.1", "*.0.0.1"] }),
    names: [["127.0.0.1", wrongName]]
  },
  {
    what: "a common name does not count, with or without other names",
    identity: () => authority.issue({ names: [], commonName: "host.example" }),
    names: [["host.example", wrongName]]
  },
  {
    what: "a common name beside an address",
    identity: () => authority.issue({ names: ["127.0.0.1"], commonName: "host.example" }),
    names: [["host.example", wrongName]]
  },
  {
    what: "over",
    identity: () => authority.issue({ names: ["localhost"], days: -1 }),
    names: [["localhost", "CERT_HAS_EXPIRED"]]
  },
  {
    what: "not begun yet",
    identity: () => authority.issue({ names: ["localhost"], inDays: 1 }),
    names: [["localhost", "CERT_NOT_YET_VALID"]]
  },
  {
    what: "for clients only",
    identity: () => authority.issue({ names: ["localhost"], usage: "client" }),
    names: [["localhost", "INVALID_PURPOSE"]]
  },
  {
    what: "self-signed",
    identity: () => certificates.selfSigned("localhost"),
    names: [["localhost", "DEPTH_ZERO_SELF_SIGNED_CERT"]]
  },
  {
    what: "of another authority",
    identity: () => certificates.authority("Somebody else").issue({ names: ["localhost"] }),
    names: [["localhost", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]]
  },
  {
    what: "of another authority with the same name",
    identity: () => {
      const other = certificates.freshAuthority("Spindle test authority")
      const leaf = other.issue({ names: ["localhost"] })
      return { ...leaf, certificate: leaf.certificate + other.certificate }
    },
    names: [["localhost", "SELF_SIGNED_CERT_IN_CHAIN"]]
  },
  {
    what: "a chain that is whole",
    identity: () => {
      const between = authority.intermediate("Between")
      const leaf = between.issue({ names: ["localhost"] })
      return { ...leaf, certificate: leaf.certificate + between.certificate }
    },
    names: [["localhost", "accepted", "localhost"]]
  },
  {
    what: "a chain without its middle",
    identity: () => authority.intermediate("Between").issue({ names: ["localhost"] }),
    names: [["localhost", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]]
  },
  {
    what: "issued by a certificate that is no authority",
    identity: () => {
      const leaf = issued("evil.example")
      const forged = certificates.signedBy(leaf, { names: ["localhost"] })
      return { ...forged, certificate: forged.certificate + leaf.certificate }
    },
    names: [["localhost", "UNSPECIFIED"]]
  }
]

describe.skipIf(!certificates.available)("certificates that a client takes", () => {
  for (const [way, handshake] of [
    ["on a TLS port", onTlsPort],
    ["after STARTTLS", afterStartTls]
  ] as const) {
    describe(way, () => {
      for (const { identity, names, tls = {}, what } of cases) {
        live(
          what,
          Effect.gen(function* () {
            const shown = identity()
            for (const [name, how, sent] of names) {
              const exit = yield* Effect.exit(Effect.scoped(handshake(shown, tls, name)))
              assert.isTrue(Exit.isSuccess(exit), `${name}: ${String(exit)}`)
              if (Exit.isSuccess(exit)) assert.deepStrictEqual(exit.value, [how, sent], JSON.stringify(name))
            }
          })
        )
      }
    })
  }

  live(
    "a name that can be none is said so",
    Effect.gen(function* () {
      const { port } = yield* serve()
      for (const name of ["local\0host", "local host", "b\u00FC\0", ".localhost", "a..localhost"]) {
        const error = yield* Effect.flip(connect(port, {}, name))
        assert.strictEqual(error.reason._tag, "InvalidTlsOptions", JSON.stringify(name))
      }
    })
  )
})
