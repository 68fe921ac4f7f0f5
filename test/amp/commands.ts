/** The commands of `twisted_peer.py`, and handlers for them. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import { AmpConnection } from "../../src/amp/AmpConnection.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

export class ZeroDivision extends Data.TaggedError("ZeroDivision")<{ readonly description: string }> {}
export class Fatal extends Data.TaggedError("Fatal")<{ readonly description: string }> {}

export const every = {
  integer: AmpArgument.Integer,
  string: AmpArgument.String,
  unicode: AmpArgument.Unicode,
  float: AmpArgument.Float,
  boolean: AmpArgument.Boolean,
  decimal: AmpArgument.Decimal,
  datetime: AmpArgument.DateTime,
  path: AmpArgument.Path,
  listof: AmpArgument.ListOf(AmpArgument.Integer),
  nested: AmpArgument.ListOf(AmpArgument.ListOf(AmpArgument.Unicode)),
  amplist: AmpArgument.AmpList({ a: AmpArgument.Integer, b: AmpArgument.optional(AmpArgument.Unicode) }),
  absent: AmpArgument.optional(AmpArgument.Unicode)
}

export const Sum = AmpCommand.make("Sum", {
  arguments: { a: AmpArgument.Integer, b: AmpArgument.Integer },
  response: { total: AmpArgument.Integer }
})
export const Divide = AmpCommand.make("Divide", {
  arguments: { numerator: AmpArgument.Integer, denominator: AmpArgument.Integer },
  response: { result: AmpArgument.Float },
  errors: { ZERO_DIVISION: ZeroDivision },
  fatalErrors: { FATAL: Fatal }
})
export const Everything = AmpCommand.make("every-thing", { arguments: every, response: every })
export const Note = AmpCommand.notice("Note", { arguments: { text: AmpArgument.Unicode } })
export const Notes = AmpCommand.make("Notes", {
  response: { texts: AmpArgument.ListOf(AmpArgument.Unicode) }
})
export const Boom = AmpCommand.make("Boom")
export const CallBack = AmpCommand.make("CallBack", {
  arguments: { n: AmpArgument.Integer },
  response: { n: AmpArgument.Integer }
})
export const Secret = AmpCommand.make("Secret", { response: { secret: AmpArgument.Unicode } })
/** Is never answered. */
export const Never = AmpCommand.make("Never")
/** All commands that came. */
export const Asked = AmpCommand.make("Asked", {
  response: { names: AmpArgument.ListOf(AmpArgument.Unicode) }
})
export const Switch = AmpCommand.protocolSwitch("Switch", { arguments: { name: AmpArgument.Unicode } })

export const group = AmpGroup.make(Sum, Divide, Everything, Note, Notes, Boom, CallBack, Secret, Switch)

/** As those of the peer. */
export const handlers = () => {
  const notes: Array<string> = []
  return {
    Sum: ({ a, b }: { readonly a: number; readonly b: number }) => Effect.succeed({ total: a + b }),
    Divide: ({ denominator, numerator }: { readonly numerator: number; readonly denominator: number }) =>
      denominator === 0
        ? Effect.fail(new ZeroDivision({ description: "integer division by zero é" }))
        : denominator < 0
          ? Effect.fail(new Fatal({ description: "no negative numbers" }))
          : Effect.succeed({ result: numerator / denominator }),
    "every-thing": (args: AmpCommand.ArgumentsOf<typeof Everything>) => Effect.succeed(args),
    Note: ({ text }: { readonly text: string }) => Effect.sync(() => void notes.push(text)),
    Notes: () => Effect.sync(() => ({ texts: [...notes] })),
    Boom: () => Effect.die(new Error("not declared")),
    CallBack: ({ n }: { readonly n: number }) =>
      Effect.flatMap(AmpConnection, (peer) =>
        Effect.map(peer.call(Sum, { a: n, b: n }), ({ total }) => ({ n: total }))
      ),
    Secret: () =>
      Effect.map(AmpConnection, ({ transport }) => ({
        secret: transport.security._tag === "Tls" ? "over TLS" : "in plaintext"
      })),
    Switch: () =>
      Effect.succeed((transport: Transport) =>
        transport.receiveEach((bytes) => transport.send(new TextDecoder().decode(bytes).toUpperCase()))
      )
  }
}

/** One value of every type; the same as in `twisted_peer.py`. */
export const sample: AmpCommand.ArgumentsOf<typeof Everything> = {
  integer: -(2 ** 53) + 1,
  string: Uint8Array.from({ length: 256 }, (_, i) => i),
  unicode: "Grüße, 世界 \u{1f600} \ufeff\0",
  float: 0.1,
  boolean: true,
  decimal: { _tag: "Finite", negative: true, coefficient: 150n, exponent: 5 },
  datetime: {
    year: 2020,
    month: 1,
    day: 2,
    hour: 3,
    minute: 4,
    second: 5,
    microsecond: 6,
    offsetMinutes: 330
  },
  path: "/tmp/a b/ü",
  listof: [3, -7, 0],
  nested: [["a", ""], [], ["ü"]],
  amplist: [{ a: 1, b: "x" }, { a: 2 }]
}
