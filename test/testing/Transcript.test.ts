import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Lines from "../../src/framing/Lines.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as Transcript from "../../src/testing/Transcript.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly line: string }> {}

/** A little of SMTP. */
const mail = Lines.over()((lines) =>
  Effect.gen(function* () {
    yield* lines.send("220 example.org ready")
    for (;;) {
      const line = yield* lines.receive
      if (line === "QUIT") return yield* lines.send("221 bye")
      if (line === "CRASH") return yield* new Refused({ line })
      if (line === "SLOW") yield* Effect.sleep("10 seconds")
      if (line.startsWith("EHLO ")) {
        yield* lines.send(`250-example.org greets ${line.slice(5)}`)
        yield* lines.send("250-PIPELINING")
        yield* lines.send("250 HELP")
      } else yield* lines.send("250 OK")
    }
  })
)

const talk = `
  # RFC 5321, appendix D.1, shortened
  S: 220 example.org ready
  C: EHLO client.example
  S: /250-example\\.org greets [a-z.]+/
  S: ...
  S: 250 HELP
  C: MAIL FROM:<a@client.example>
  C: RCPT TO:<b@example.org>
  S: 250 OK
  S: 250 OK
  C: QUIT
  S: 221 bye
  (S closes)
`

const complaint = <E, R>(effect: Effect.Effect<void, E, R>) =>
  Effect.map(Effect.flip(effect), (error) =>
    error instanceof Transcript.TranscriptMismatch ? error.message : `another error: ${String(error)}`
  )

describe("Transcript", () => {
  it.effect("is held whole, and byte by byte", () => Transcript.server(mail, talk))

  it.live("needs no virtual clock of the test's", () => Transcript.server(mail, talk))

  it.effect("runs a client against the other side", () =>
    Transcript.client(
      (transport: Transport) =>
        Effect.gen(function* () {
          const greeting = Buffer.from(yield* transport.receive).toString()
          yield* transport.send(greeting.startsWith("2") ? "QUIT\r\n" : "HELP\r\n")
        }),
      "S: 220 ready\nC: QUIT\n(C closes)"
    )
  )

  it.effect("shows what was expected and what came", () =>
    Effect.gen(function* () {
      const said = yield* complaint(Transcript.server(mail, talk.replace("S: 250 HELP", "S: 250 HELP!")))
      assert.strictEqual(
        said,
        [
          "the dialogue goes another way at line 7:",
          "  ...",
          "  S: 220 example.org ready",
          "  C: EHLO client.example",
          String.raw`  S: /250-example\.org greets [a-z.]+/`,
          "  S: ...",
          "- S: 250 HELP!",
          "+ S: nothing, for 1m"
        ]
          .join("\n")
          .replace("  ...\n", "")
      )
    })
  )

  it.effect("fails for another line, for one more, for one that does not match", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* complaint(Transcript.server(mail, "S: 220 example.com ready")),
        "the dialogue goes another way at line 1:\n- S: 220 example.com ready\n+ S: 220 example.org ready"
      )
      assert.strictEqual(
        yield* complaint(Transcript.server(mail, "S: 220 example.org ready\nC: EHLO a\nS: /250-.* a/")),
        "the dialogue goes another way at its end:\n  S: 220 example.org ready\n  C: EHLO a\n  S: /250-.* a/\n" +
          "- nothing more\n+ S: 250-PIPELINING\n+ S: 250 HELP"
      )
      assert.include(
        yield* complaint(Transcript.server(mail, "S: /22[1-9] .*/")),
        "- S: /22[1-9] .*/\n+ S: 220 example.org ready"
      )
    })
  )

  it.effect("fails for what works line by line only, and says so", () =>
    Effect.gen(function* () {
      const hasty = (transport: Transport) =>
        transport.receiveEach((bytes) => transport.send(`got ${Buffer.from(bytes).toString().trim()}\r\n`))
      const said = yield* complaint(Transcript.server(hasty, "C: hi\nS: got hi"))
      assert.include(said, "the dialogue, said byte by byte, goes another way at line 2:")
      assert.include(said, "- S: got hi\n+ S: got h")
      yield* Transcript.server(hasty, "C: hi\nS: got hi", { ways: ["whole"] })
    })
  )

  it.effect("time passes as it is told, and as long as an answer takes", () =>
    Effect.gen(function* () {
      const slow = "S: 220 example.org ready\nC: SLOW\nS: 250 OK"
      yield* Transcript.server(mail, slow)
      yield* Transcript.server(mail, "S: 220 example.org ready\nC: SLOW\n(10 seconds)\nS: 250 OK")
      const said = yield* complaint(Transcript.server(mail, slow, { timeout: "5 seconds" }))
      assert.include(said, "- S: 250 OK\n+ S: nothing, for 5s")
    })
  )

  it.effect("fails for another end", () =>
    Effect.gen(function* () {
      const early = yield* complaint(Transcript.server(mail, "S: 220 example.org ready\n(S closes)"))
      assert.include(early, "- (S closes)\n+ S: nothing, for 1m")
      const late = yield* complaint(
        Transcript.server(mail, "S: 220 example.org ready\nC: QUIT\nS: 221 bye\nS: 222 really")
      )
      assert.include(late, "- S: 222 really\n+ S: (closes)")
      const reset = (transport: Transport) => transport.abort
      yield* Transcript.server(reset, "(S resets)")
      assert.include(yield* complaint(Transcript.server(reset, "(S closes)")), "+ S: (resets)")
    })
  )

  it.effect("the failure of the protocol is the transcript's", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Transcript.server(mail, "S: 220 example.org ready\nC: CRASH\nS: 250 OK")
      )
      assert.include(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit), "Refused")
    })
  )

  it.effect("the other side's end, and a reset", () =>
    Effect.gen(function* () {
      yield* Transcript.server(mail, "S: 220 example.org ready\n(C ends)\n(S closes)")
      const error = yield* Effect.flip(Transcript.server(mail, "S: 220 example.org ready\n(C resets)"))
      assert.strictEqual("reason" in error ? error.reason._tag : error._tag, "Reset")
    })
  )

  it.effect("a change to TLS, on either side", () =>
    Effect.gen(function* () {
      const starting = (role: "server" | "client") => (transport: Transport) =>
        Effect.gen(function* () {
          const security = yield* transport.startTls(
            role === "client"
              ? { role, tls: { serverName: "a" } }
              : { role, tls: { identity: { certificate: "", privateKey: "" } } }
          )
          yield* security.send(`${security.security._tag}\r\n`)
        })
      yield* Transcript.server(starting("server"), "(TLS)\nS: Tls")
      yield* Transcript.client(starting("client"), "(TLS)\nC: Tls\n(C closes)")
      assert.include(
        yield* complaint(Transcript.server(() => Effect.never, "(TLS)")),
        "- (TLS)\n+ S: nothing, for 1m"
      )
    })
  )

  it("says what may be written", () => {
    assert.throws(
      () => void Effect.runSync(Effect.scoped(Transcript.server(() => Effect.void, "S: a\nX: b"))),
      /^line 2 of the dialogue, "X: b": write "C: text"/
    )
  })
})
