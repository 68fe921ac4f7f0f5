/** What the tests of the simulation say again and again. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Client from "../../src/protocol/Client.ts"
import * as Server from "../../src/protocol/Server.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as SimError from "../../src/sim/SimError.ts"
import type * as World from "../../src/sim/World.ts"

/** What the program gave. */
export const valueOf = <A>({ exit, seed }: World.Run<A>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw new Error(`seed ${seed}: ${Cause.pretty(exit.cause)}`)
}

/** Why the run did not come to its end. */
export const reasonOf = ({ exit }: World.Run): SimError.Reason => {
  const error = Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
  if (error instanceof SimError.SimError) return error.reason
  throw new Error(`it ended: ${String(exit)}`)
}

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Answers with what it gets, for ever. */
export const echo = (port: number) =>
  Effect.andThen(
    Server.make(Endpoint.tcp({ port }), (transport: Transport) =>
      Effect.ignore(transport.receiveEach(transport.send))
    ),
    Effect.never
  )

/** All that comes until the end. */
export const receiveAll = (transport: Transport) => {
  let all = ""
  return Effect.map(
    transport.receiveEach((bytes) => {
      all += text(bytes)
      return Effect.void
    }),
    () => all
  )
}

/** Sends, and receives the echo of it whole. */
export const ask = (transport: Transport, words: string) =>
  Effect.gen(function* () {
    yield* transport.send(words)
    let all = ""
    while (all.length < words.length) all += text(yield* transport.receive)
    return all
  })

export const connect = (host: string, port: number, timeout = "5 seconds") =>
  Client.connect(Endpoint.tcpClient({ host, port, timeout: timeout as "5 seconds" }))

export type Program<A, E = unknown> = Effect.Effect<A, E, Reactor | World.World | World.Provided>
