/** Conversations as text: what a server says to some input, whole and cut into bytes. In memory, in virtual time. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Protocol from "../../src/protocol/Protocol.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import { readAll } from "../memory/pair.ts"
import { serve, type ServeOptions } from "../protocol/serving.ts"

export interface Options extends ServeOptions {
  /** Whether the client ends its side when all is said. Default `true`. */
  readonly ends?: boolean | undefined
}

const pieces = (input: string | Uint8Array, size: number): ReadonlyArray<Uint8Array> => {
  const bytes = Buffer.from(input as string)
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    Uint8Array.from(bytes.subarray(i * size, (i + 1) * size))
  )
}

/** All that the server says until it closes; the same for every way to cut the input, or the test has failed. */
export const said = <E, R>(
  protocol: Protocol.Protocol<Transport, E, R>,
  input: string | Uint8Array,
  { ends = true, ...options }: Options = {}
): Effect.Effect<string, unknown, Exclude<R, Reactor | Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const talk = Effect.fnUntraced(function* (size: number) {
      const { dial, settled } = yield* serve(protocol, options)
      const client = yield* dial
      for (const piece of pieces(input, size)) {
        // The server may have had enough.
        yield* Effect.ignore(client.send(piece))
        yield* settled
      }
      if (ends) yield* Effect.ignore(client.end)
      return yield* readAll(client)
    })
    const [whole, ...others] = yield* Effect.forEach([1 << 30, 1, 3], talk)
    for (const other of others) assert.strictEqual(other, whole, "cut into pieces")
    return whole!
  }) as Effect.Effect<string, unknown, Exclude<R, Reactor | Scope.Scope> | Scope.Scope>

/** Checks a transcript: what comes of each input. */
export const transcript = <E, R>(
  protocol: Protocol.Protocol<Transport, E, R>,
  entries: ReadonlyArray<readonly [input: string, output: string]>,
  options?: Options
) =>
  Effect.forEach(
    entries,
    ([input, output]) =>
      Effect.map(said(protocol, input, options), (got) =>
        assert.strictEqual(got, output, JSON.stringify(input))
      ),
    { discard: true }
  )
