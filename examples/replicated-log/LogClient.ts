/** Whoever writes to the log, and reads from it, wherever its leader is. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { Lines } from "spindle/framing"
import { Client } from "spindle/protocol"
import { Endpoint, Reactor } from "spindle/reactor"
import type { Place } from "./LogPlaces.ts"
import {
  type Answer,
  formatAnswer,
  formatRequest,
  parseAnswer,
  parseRequest,
  type Request
} from "./LogWire.ts"

export interface LogClient {
  /** Writes a text of 1 to 500 characters at the end, once; gives its position, from 1 on. */
  readonly append: (text: string) => Effect.Effect<number, LogClientError>
  /** All that was written before, at least: in its order. */
  readonly read: Effect.Effect<ReadonlyArray<string>, LogClientError>
}

/**
 * - `Refused`: the request makes no sense; nothing happened.
 * - `Unsure`: there was no answer in time. What was to be written may be, or may still be.
 */
export class LogClientError extends Data.TaggedError("LogClientError")<{
  readonly reason: "Refused" | "Unsure"
  readonly detail: string
}> {
  override get message(): string {
    return this.reason === "Refused" ? `refused: ${this.detail}` : `no answer in time (${this.detail})`
  }
}

export interface Options {
  readonly nodes: ReadonlyArray<Place>
  /** Nobody else's, ever: it makes what is asked twice happen once. No blanks. */
  readonly name: string
  /** After which it gives up. Default 5 seconds. */
  readonly timeout?: Duration.Input | undefined
}

const timeoutDefault = "5 seconds"
const connectTimeout = "500 millis"
const answerTimeout = "1 second"
const pauseMillis = 50
/** All that was ever written. */
const answerBytesMax = 16 * 1024 * 1024

export const make = Effect.fn("LogClient.make")(function* ({
  name,
  nodes,
  timeout = timeoutDefault
}: Options) {
  const reactor = yield* Reactor.Reactor
  let place = 0
  let count = 0
  let trouble = "nobody leads"

  const askOnce = (request: Request) =>
    Effect.gen(function* () {
      const { host, port } = nodes[place % nodes.length]!
      const lines = Lines.make(
        yield* Client.connect(Endpoint.tcpClient({ host, port, timeout: connectTimeout })),
        { anyNewline: true, lineBytesMax: answerBytesMax }
      )
      yield* lines.send(formatRequest(request))
      return parseAnswer(yield* Effect.timeout(lines.receive, answerTimeout))
    }).pipe(Effect.scoped, Effect.provideService(Reactor.Reactor, reactor), Effect.option)

  /** Asks one after another until somebody knows. */
  const ask = Effect.fnUntraced(function* (request: Request): Effect.fn.Return<Answer> {
    while (true) {
      const found = yield* askOnce(request)
      const answer = found._tag === "Some" ? found.value : undefined
      const leader = answer?._tag === "Elsewhere" ? answer.leader : undefined
      trouble = answer === undefined ? `${nodes[place]!.name} is silent` : formatAnswer(answer)
      if (answer !== undefined && leader === undefined && answer._tag !== "Later") return answer
      const next = nodes.findIndex((node) => node.name === leader)
      place = next < 0 ? (place + 1) % nodes.length : next
      yield* Effect.sleep(pauseMillis)
    }
  })

  const asking = <A>(request: Request, take: (answer: Answer) => A | undefined) =>
    Effect.suspend(() => {
      // What cannot be said in a line need not be sent.
      const said = parseRequest(formatRequest(request))
      return Result.isFailure(said)
        ? Effect.succeed<Answer>({ _tag: "Refused", reason: said.failure })
        : ask(request)
    }).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(new LogClientError({ reason: "Unsure", detail: trouble }))
      }),
      Effect.flatMap((answer) => {
        const taken = take(answer)
        return taken === undefined
          ? Effect.fail(
              new LogClientError({ reason: "Refused", detail: formatAnswer(answer).replace(/^error /, "") })
            )
          : Effect.succeed(taken)
      })
    )

  const client: LogClient = {
    append: (text) =>
      Effect.suspend(() =>
        asking({ _tag: "Append", id: `${name}-${count++}`, text }, (answer) =>
          answer._tag === "Appended" ? answer.position : undefined
        )
      ),
    read: asking({ _tag: "Read" }, (answer) => (answer._tag === "Texts" ? answer.texts : undefined))
  }
  return client
})
