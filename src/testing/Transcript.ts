/**
 * A dialogue as RFCs print it, held with a protocol: what one side says is fed to it, what the other says must come of it.
 * Held twice, each time anew: line by line as written, and a byte at a time. Time is virtual, so a dialogue of an hour takes none.
 *
 * ```ts
 * yield* Transcript.server(protocol, `
 *   S: 220 example.org ready
 *   C: EHLO client.example
 *   S: /250[ -]example\.org( .*)?/
 *   S: ...
 *   C: QUIT
 *   S: 221 bye
 *   (S closes)
 * `)
 * ```
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { Conversation } from "../reactor/Conversation.ts"
import type { TransportReason } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as StringTransport from "./StringTransport.ts"
import * as Dialogue from "./TranscriptDialogue.ts"

export interface Options {
  /** Ends each line, sent or expected. Default CR LF. */
  readonly delimiter?: string | undefined
  /** How much virtual time an expected line, end or handshake may take to come. Default 60 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** How the other side's lines are cut. Default both, one after the other. */
  readonly ways?: ReadonlyArray<"whole" | "bytewise"> | undefined
  /** Of the transport: addresses, limits. */
  readonly transport?: Omit<StringTransport.Options, "observer" | "secure"> | undefined
}

/** The dialogue went another way. */
export class TranscriptMismatch extends Data.TaggedError("TranscriptMismatch")<{
  /** The line of the dialogue, counted from 1. */
  readonly line: number
  readonly way: "whole" | "bytewise"
  readonly message: string
}> {}

type Side = Dialogue.Side

/** Runs a protocol as the server, `S:`; this plays the client. Fails with the protocol's failure, too; its `Done` is a normal end. */
export const server = <E, R>(
  protocol: Conversation<Transport, E, R>,
  dialogue: string,
  options: Options = {}
): Effect.Effect<void, Exclude<E, Cause.Done> | TranscriptMismatch, Exclude<R, Scope.Scope>> =>
  hold("S", protocol, dialogue, options)

/** Runs a protocol as the client, `C:`; this plays the server. */
export const client = <E, R>(
  protocol: Conversation<Transport, E, R>,
  dialogue: string,
  options: Options = {}
): Effect.Effect<void, Exclude<E, Cause.Done> | TranscriptMismatch, Exclude<R, Scope.Scope>> =>
  hold("C", protocol, dialogue, options)

const hold = <E, R>(
  subject: Side,
  protocol: Conversation<Transport, E, R>,
  dialogue: string,
  options: Options
): Effect.Effect<void, Exclude<E, Cause.Done> | TranscriptMismatch, Exclude<R, Scope.Scope>> => {
  const events = Dialogue.parse(dialogue)
  return Effect.forEach(
    options.ways ?? (["whole", "bytewise"] as const),
    (way) => Effect.suspend(() => new Holding(subject, events, way, options).run(protocol)),
    { discard: true }
  ).pipe(Effect.provide(TestClock.layer(), { local: true }), Effect.scoped) as Effect.Effect<
    void,
    Exclude<E, Cause.Done> | TranscriptMismatch,
    Exclude<R, Scope.Scope>
  >
}

/** Turns in which nothing moved: then only time can move something. */
const quietTurns = 20

class Holding {
  private readonly subject: Side
  private readonly events: ReadonlyArray<Dialogue.Event>
  private readonly way: "whole" | "bytewise"
  private readonly options: Options
  private readonly delimiter: string
  private readonly timeoutMillis: number

  private said = Buffer.alloc(0)
  private ended: "Ended" | "Closed" | "Aborted" | undefined
  private handshake: Deferred.Deferred<Tls.Security, TransportReason> | undefined
  private over = false

  constructor(
    subject: Side,
    events: ReadonlyArray<Dialogue.Event>,
    way: "whole" | "bytewise",
    options: Options
  ) {
    this.subject = subject
    this.events = events
    this.way = way
    this.options = options
    this.delimiter = options.delimiter ?? "\r\n"
    this.timeoutMillis = Duration.toMillis(options.timeout ?? "60 seconds")
  }

  run<E, R>(
    protocol: Conversation<Transport, E, R>
  ): Effect.Effect<void, E | TranscriptMismatch, R | Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const transport = yield* StringTransport.make({
        ...this.options.transport,
        secure: () => Effect.suspend(() => Deferred.await((this.handshake = Deferred.makeUnsafe()))),
        observer: {
          wrote: (bytes) => void (this.said = Buffer.concat([this.said, bytes])),
          ended: (how) => void (this.ended = how)
        }
      })
      const conversation = Effect.scoped(Effect.suspend(() => protocol(transport))).pipe(
        // A normal end, as servers take it.
        Effect.catchIf(Cause.isDone, () => Effect.void),
        Effect.onExit(() =>
          Effect.andThen(
            transport.close,
            Effect.sync(() => void (this.over = true))
          )
        )
      )
      const fiber = yield* Effect.forkScoped(conversation, { startImmediately: true })
      const exit = yield* Effect.exit(this.play(transport))
      // A failure of the protocol is why the dialogue went another way.
      const own = fiber.pollUnsafe()
      if (Exit.isFailure(exit)) {
        if (own !== undefined && Exit.isFailure(own)) yield* own
        return yield* exit
      }
      yield* transport.latest.feedEnd
      yield* this.quiet
      const last = fiber.pollUnsafe()
      if (last !== undefined) yield* last
    })
  }

  private play(transport: StringTransport.StringTransport): Effect.Effect<void, TranscriptMismatch> {
    return Effect.gen({ self: this }, function* () {
      yield* this.quiet
      for (let at = 0; at < this.events.length; at++) {
        const event = this.events[at]!
        if (event._tag === "Line" && event.side !== this.subject) {
          const { lines, last } = Dialogue.run(this.events, at)
          yield* this.say(transport, lines)
          at = last
        } else {
          yield* this.meet(transport, at, event)
        }
      }
      yield* this.quiet
      if (this.said.length > 0) {
        return yield* this.mismatch(this.events.length, "nothing more", this.heard)
      }
    })
  }

  /** What the other side says without waiting for an answer. */
  private say(transport: StringTransport.StringTransport, lines: ReadonlyArray<string>): Effect.Effect<void> {
    const bytes = Buffer.from(lines.map((line) => line + this.delimiter).join(""))
    if (this.way === "whole") return Effect.andThen(transport.latest.feed(bytes), this.quiet)
    return Effect.forEach(
      bytes,
      (byte) => Effect.andThen(transport.latest.feed(Uint8Array.of(byte)), Effect.yieldNow),
      { discard: true }
    )
  }

  /** What is to come of the subject, or to happen to it. */
  private meet(
    transport: StringTransport.StringTransport,
    at: number,
    event: Dialogue.Event
  ): Effect.Effect<void, TranscriptMismatch> {
    switch (event._tag) {
      case "Line":
        return this.hear(at, event)
      case "Anything":
        return this.skip(at)
      case "Time":
        return Effect.andThen(TestClock.adjust(event.duration), this.quiet)
      case "Secure":
        return this.secure(at)
      case "Ending":
        return event.side === this.subject
          ? this.end(at, event.how)
          : Effect.andThen(
              event.how === "resets" ? transport.latest.lose() : transport.latest.feedEnd,
              this.quiet
            )
    }
  }

  private hear(at: number, event: Dialogue.Line): Effect.Effect<void, TranscriptMismatch> {
    return this.until(
      () => this.said.includes(this.delimiter),
      () => {
        const line = this.nextLine
        if (line === undefined) return this.mismatch(at, event.source, this.heard)
        if (!Dialogue.matches(event, line)) return this.mismatch(at, event.source, [line])
        this.take(line)
        return Effect.void
      }
    )
  }

  /** Any lines, until the next expected one; the rest of what is there, if none is. */
  private skip(at: number): Effect.Effect<void, TranscriptMismatch> {
    const next = this.events[at + 1]
    const wanted = next?._tag === "Line" && next.side === this.subject ? next : undefined
    return this.until(
      () => {
        for (let line = this.nextLine; line !== undefined; line = this.nextLine) {
          if (wanted !== undefined && Dialogue.matches(wanted, line)) return true
          this.take(line)
        }
        return wanted === undefined
      },
      () => Effect.void
    )
  }

  private end(at: number, how: "ends" | "closes" | "resets"): Effect.Effect<void, TranscriptMismatch> {
    const wanted = { ends: ["Ended", "Closed"], closes: ["Closed"], resets: ["Aborted"] }[how]
    return this.until(
      () => this.ended !== undefined || this.said.length > 0,
      () =>
        this.said.length === 0 && this.ended !== undefined && wanted.includes(this.ended)
          ? Effect.void
          : this.mismatch(at, `(${this.subject} ${how})`, this.heard)
    )
  }

  private secure(at: number): Effect.Effect<void, TranscriptMismatch> {
    return this.until(
      () => this.handshake !== undefined || this.said.length > 0,
      () => {
        const handshake = this.handshake
        if (handshake === undefined || this.said.length > 0) return this.mismatch(at, "(TLS)", this.heard)
        this.handshake = undefined
        return Effect.andThen(Deferred.succeed(handshake, standIn), this.quiet)
      }
    )
  }

  // --- waiting ------------------------------------------------------------------------------------------

  /** Gives everybody turns, until nothing moves. */
  private get quiet(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let still = 0; still < quietTurns; still++) {
        const before = this.said.length
        yield* Effect.yieldNow
        if (this.said.length !== before) still = 0
      }
    })
  }

  /** Passes time, a second at a time, until it is so, or the subject is over, or the timeout. */
  private until<E>(isSo: () => boolean, then: () => Effect.Effect<void, E>): Effect.Effect<void, E> {
    return Effect.gen({ self: this }, function* () {
      for (let passed = 0; !isSo() && passed < this.timeoutMillis; passed += 1000) {
        yield* this.quiet
        if (isSo() || this.over) break
        yield* TestClock.adjust(Math.min(1000, this.timeoutMillis - passed))
      }
      yield* this.quiet
      return yield* then()
    })
  }

  // --- what was said ------------------------------------------------------------------------------------

  private get nextLine(): string | undefined {
    const end = this.said.indexOf(this.delimiter)
    return end < 0 ? undefined : this.said.subarray(0, end).toString()
  }

  private take(line: string): void {
    this.said = this.said.subarray(Buffer.byteLength(line) + Buffer.byteLength(this.delimiter))
  }

  /** What there is instead of what was expected. */
  private get heard(): ReadonlyArray<string> {
    if (this.said.length > 0) {
      const lines = this.said.toString().split(this.delimiter)
      return lines.at(-1) === "" ? lines.slice(0, -1) : lines
    }
    if (this.ended !== undefined)
      return [{ Ended: "(ends)", Closed: "(closes)", Aborted: "(resets)" }[this.ended]]
    return [`nothing, for ${Duration.format(Duration.millis(this.timeoutMillis))}`]
  }

  private mismatch(
    at: number,
    expected: string,
    actual: ReadonlyArray<string>
  ): Effect.Effect<never, TranscriptMismatch> {
    return Effect.fail(
      new TranscriptMismatch({
        line: this.events[at]?.line ?? 0,
        way: this.way,
        message: Dialogue.difference(this.subject, this.events, at, expected, actual, this.way)
      })
    )
  }
}

/** What a change to TLS in a dialogue gives: marked, like the network in memory's. */
const standIn: Tls.Security = {
  _tag: "Tls",
  protocol: "TLSv1.3",
  cipher: "transcript",
  alpn: undefined,
  serverName: undefined,
  peerCertificate: undefined,
  peerVerified: false,
  resumed: false
}
