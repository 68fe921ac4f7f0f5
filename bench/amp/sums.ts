/** What is called: two numbers there, their sum back; as AMP has it, and as Effect's RPC does. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { AmpArgument, AmpCommand, AmpGroup } from "../../src/amp/index.ts"

export const sums = AmpGroup.make(
  AmpCommand.make("Sum", {
    arguments: { a: AmpArgument.Integer, b: AmpArgument.Integer },
    response: { total: AmpArgument.Integer }
  })
)

export class RpcSums extends RpcGroup.make(
  Rpc.make("Sum", {
    payload: { a: Schema.Number, b: Schema.Number },
    success: Schema.Struct({ total: Schema.Number })
  })
) {}

interface Options {
  readonly inFlight: number
  readonly seconds: number
}

const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

/** Calls for as long as it is told, after a warming up, so many at once; tells how many, and what the client spent on them, as a JSON line. */
export const callFor = <E, R>(
  call: (a: number) => Effect.Effect<{ readonly total: number }, E, R>,
  { inFlight, seconds }: Options
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    let calls = 0
    const callUntil = (end: number) =>
      Effect.forEach(
        Array.from({ length: inFlight }, (_, i) => i),
        (i) =>
          Effect.whileLoop({
            while: () => performance.now() < end,
            body: () => call(i),
            step: ({ total }) => {
              if (total !== i + 1) throw new Error(`${i} + 1 is not ${total}`)
              calls++
            }
          }),
        { concurrency: "unbounded", discard: true }
      )
    yield* callUntil(performance.now() + 1000)
    calls = 0
    process.stdout.write(`{"begin":true}\n`)
    const before = cpuMicros()
    const begin = performance.now()
    yield* callUntil(begin + seconds * 1000)
    const taken = (performance.now() - begin) / 1000
    process.stdout.write(`${JSON.stringify({ calls, seconds: taken, cpuMicros: cpuMicros() - before })}\n`)
  })

export const options: Options = {
  inFlight: Number(process.env["IN_FLIGHT"] ?? 1),
  seconds: Number(process.env["SECONDS"] ?? 1)
}
