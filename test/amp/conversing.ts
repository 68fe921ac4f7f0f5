/** A server and a client of AMP in memory, and boxes by hand. */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import { AmpConnection } from "../../src/amp/AmpConnection.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import * as AmpResponder from "../../src/amp/AmpResponder.ts"
import * as AmpServer from "../../src/amp/AmpServer.ts"
import * as AmpWire from "../../src/amp/AmpWire.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { serve } from "../protocol/serving.ts"

export class Refused extends Data.TaggedError("Refused")<{ readonly description: string }> {}

export const Echo = AmpCommand.make("Echo", {
  arguments: { text: AmpArgument.Unicode },
  response: { text: AmpArgument.Unicode }
})
export const Wait = AmpCommand.make("Wait", { errors: { REFUSED: Refused } })
export const Large = AmpCommand.make("Large", {
  arguments: { size: AmpArgument.Integer, value: AmpArgument.optional(AmpArgument.String) },
  response: { value: AmpArgument.String }
})
export const Note = AmpCommand.notice("Note", { arguments: { text: AmpArgument.Unicode } })
const Bad = AmpCommand.make("Bad", { response: { n: AmpArgument.Integer } })
const Ask = AmpCommand.make("Ask", { response: { text: AmpArgument.Unicode } })
export const group = AmpGroup.make(Echo, Wait, Large, Note, Bad, Ask)

export const box = (pairs: Readonly<Record<string, string | Uint8Array>>): AmpWire.Box =>
  new Map(
    Object.entries(pairs).map(([key, value]) => [key, typeof value === "string" ? Buffer.from(value) : value])
  )
export const bytesOf = (pairs: Readonly<Record<string, string | Uint8Array>>) =>
  Result.getOrThrow(AmpWire.encode(box(pairs)))

/** All boxes that come until the end of input, as text. */
export const boxesOf = (transport: Transport) =>
  Effect.gen(function* () {
    const boxes: Array<Readonly<Record<string, string>>> = []
    const decoder = AmpWire.decoder({ boxBytesMax: 2 ** 24 })
    yield* transport.receiveEach((bytes) =>
      Effect.sync(() => {
        decoder.push(bytes)
        for (const one of decoder.drain()) {
          boxes.push(Object.fromEntries([...one].map(([key, value]) => [key, Buffer.from(value).toString()])))
        }
      })
    )
    return boxes
  })

/** A server whose `Wait` is answered by `release`, and what it has seen. */
export const world = Effect.fnUntraced(function* (
  options: AmpServer.Options = {},
  clientOptions: AmpClient.Options<never> = {}
) {
  const seen: Array<string> = []
  const release = yield* Deferred.make<void, Refused>()
  const handlers = {
    Echo: ({ text }: { readonly text: string }) => Effect.sync(() => (seen.push(text), { text })),
    Wait: () =>
      Effect.andThen(
        Effect.sync(() => void seen.push("wait")),
        Effect.onInterrupt(Deferred.await(release), () => Effect.sync(() => void seen.push("interrupted")))
      ),
    Large: ({ size, value }: { readonly size: number; readonly value?: Uint8Array }) =>
      Effect.succeed({ value: value ?? new Uint8Array(size).fill(7) }),
    Note: ({ text }: { readonly text: string }) =>
      text === "bad" ? Effect.die(new Error("bad note")) : Effect.sync(() => void seen.push(text)),
    Bad: () => Effect.succeed({ n: 1.5 }),
    Ask: () => Effect.flatMap(AmpConnection, (peer) => peer.call(Echo, { text: "from the server" }))
  }
  const served = yield* serve(AmpServer.protocol(AmpResponder.make(group, handlers), options))
  const dial = served.dial
  const connect = Effect.gen(function* () {
    const transport = yield* dial
    const client = yield* AmpClient.make(transport, group, {
      responder: AmpResponder.make(AmpGroup.make(Echo), {
        Echo: ({ text }: { readonly text: string }) => Effect.succeed({ text: `${text}, answered` })
      }),
      ...clientOptions
    })
    return { ...client, transport }
  })
  // What still waits at the end of a test does not have to be waited for.
  yield* Effect.addFinalizer(() => Deferred.succeed(release, undefined))
  return { ...served, seen, release, connect }
})

/** What a call, or the reason of its failure, is called. */
export const reasonOf = <A, R>(
  effect: Effect.Effect<A, { readonly reason: { readonly _tag: string } } | { readonly _tag: string }, R>
) => Effect.map(Effect.flip(effect), (error) => ("reason" in error ? error.reason._tag : error._tag))
