import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expectTypeOf, it } from "vitest"
import * as AmpArgument from "../../src/amp/AmpArgument.ts"
import * as AmpClient from "../../src/amp/AmpClient.ts"
import * as AmpCommand from "../../src/amp/AmpCommand.ts"
import { AmpConnection } from "../../src/amp/AmpConnection.ts"
import type { AmpError } from "../../src/amp/AmpError.ts"
import * as AmpGroup from "../../src/amp/AmpGroup.ts"
import * as AmpResponder from "../../src/amp/AmpResponder.ts"
import * as AmpServer from "../../src/amp/AmpServer.ts"
import type { DateTime } from "../../src/amp/AmpDateTimeWire.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { ConnectError, ListenError, TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

class NotFound extends Data.TaggedError("NotFound")<{ readonly description: string }> {}
class Broken extends Data.TaggedError("Broken")<{ readonly description: string }> {}
class Database extends Context.Service<Database, { readonly size: number }>()("types/Database") {}

const Name = AmpArgument.Unicode.pipe(Schema.brand("Name"))
const Look = AmpCommand.make("look-up", {
  arguments: { name: Name, limit: AmpArgument.optional(AmpArgument.Integer) },
  response: {
    rows: AmpArgument.AmpList({ at: AmpArgument.DateTime, tags: AmpArgument.ListOf(AmpArgument.Unicode) })
  },
  errors: { NOT_FOUND: NotFound },
  fatalErrors: { BROKEN: Broken }
})
const Ping = AmpCommand.make("Ping")
const Note = AmpCommand.notice("Note", { arguments: { text: AmpArgument.Unicode } })
const Switch = AmpCommand.protocolSwitch("Switch")
const group = AmpGroup.make(Look, Ping, Note, Switch)

interface Row {
  readonly at: DateTime
  readonly tags: ReadonlyArray<string>
}

describe("commands", () => {
  it("say what is given, what comes back, and how they fail", () => {
    expectTypeOf<AmpCommand.ArgumentsOf<typeof Look>>().toEqualTypeOf<{
      readonly name: typeof Name.Type
      readonly limit?: number
    }>()
    expectTypeOf<AmpCommand.ResponseOf<typeof Look>>().toEqualTypeOf<{ readonly rows: ReadonlyArray<Row> }>()
    expectTypeOf<AmpCommand.ErrorsOf<typeof Look>>().toEqualTypeOf<NotFound | Broken>()
    expectTypeOf<AmpCommand.ErrorsOf<typeof Ping>>().toEqualTypeOf<never>()
  })
  it("take only arguments that are bytes on the wire, and errors made of a description", () => {
    // @ts-expect-error -- a number is no bytes
    AmpCommand.make("X", { arguments: { a: Schema.Number } })
    expectTypeOf(AmpCommand.make("X").name).toEqualTypeOf<"X">()
    class Other extends Data.TaggedError("Other")<{ readonly code: number }> {}
    // @ts-expect-error -- nothing says how it would be made there
    AmpCommand.make("X", { errors: { OTHER: Other } })
  })
})

describe("a client", () => {
  it("calls by name", () => {
    const { calls, connection } = null as unknown as AmpClient.AmpClient<typeof group>
    expectTypeOf(calls["look-up"]({ name: Name.make("a") })).toEqualTypeOf<
      Effect.Effect<{ readonly rows: ReadonlyArray<Row> }, NotFound | Broken | AmpError>
    >()
    expectTypeOf(calls.Ping()).toEqualTypeOf<Effect.Effect<void, AmpError>>()
    expectTypeOf(calls.Note({ text: "x" })).toEqualTypeOf<Effect.Effect<void, AmpError>>()
    expectTypeOf(connection.call(Ping, {}, { timeout: "1 second" })).toEqualTypeOf<
      Effect.Effect<void, AmpError>
    >()
    // @ts-expect-error -- a text is needed
    void calls.Note()
    // @ts-expect-error -- no brand
    void calls["look-up"]({ name: "a" })
    // @ts-expect-error -- a switch is no call
    void calls.Switch
    // @ts-expect-error -- nor this way
    void connection.call(Switch)
    expectTypeOf(
      connection.switchTo(Switch, {}, (transport: Transport) => Effect.andThen(Database, transport.end))
    ).toEqualTypeOf<Effect.Effect<void, AmpError | TransportError, Database>>()
  })
  it("is a Layer", () => {
    class Rows extends AmpClient.Service<Rows, typeof group>()("types/Rows") {}
    const layer = AmpClient.layer(Rows, Endpoint.tcpClient({ host: "a", port: 1 }), group)
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<Rows, ConnectError, Reactor>>()
  })
})

describe("a server", () => {
  const at = Endpoint.tcp({ port: 1 })
  const rest = {
    Ping: () => Effect.void,
    Note: () => Effect.void,
    Switch: () => Effect.succeed((transport: Transport) => transport.closed)
  }
  it("requires what its handlers do, but not the connection", () => {
    const layer = AmpServer.layer(at, group, {
      ...rest,
      "look-up": ({ limit, name }) =>
        Effect.gen(function* () {
          expectTypeOf(name).toEqualTypeOf<typeof Name.Type>()
          expectTypeOf(limit).toEqualTypeOf<number | undefined>()
          const { size } = yield* Database
          const peer = yield* AmpConnection
          yield* peer.call(Ping)
          if (size === 0) return yield* new NotFound({ description: name })
          return { rows: [] }
        })
    })
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<never, ListenError, Reactor | Database>>()
  })
  it("has a handler for each command, which gives what the command says", () => {
    // @ts-expect-error -- "look-up" is missing
    AmpResponder.make(group, rest)
    expectTypeOf(AmpResponder.none).toEqualTypeOf<AmpResponder.Responder<never>>()
    // @ts-expect-error -- no rows
    AmpResponder.make(group, { ...rest, "look-up": () => Effect.succeed({}) })
    class Undeclared extends Data.TaggedError("Undeclared")<{ readonly description: string }> {}
    // The peer would not know it.
    expectTypeOf<() => Effect.Effect<{ readonly rows: ReadonlyArray<Row> }, Undeclared>>().not.toExtend<
      AmpGroup.Handler<typeof Look, never>
    >()
  })
})
