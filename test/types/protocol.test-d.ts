import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import * as Framed from "../../src/framing/Framed.ts"
import type { FramingError } from "../../src/framing/FramingError.ts"
import * as Lines from "../../src/framing/Lines.ts"
import * as Client from "../../src/protocol/Client.ts"
import * as Idle from "../../src/protocol/Idle.ts"
import * as Limit from "../../src/protocol/Limit.ts"
import * as Protocol from "../../src/protocol/Protocol.ts"
import * as Server from "../../src/protocol/Server.ts"
import type * as Endpoint from "../../src/reactor/Endpoint.ts"
import type * as Reason from "../../src/reactor/Reason.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { ConnectError, ListenError, TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

class Room extends Context.Service<Room, { readonly name: string }>()("types/Room") {}
class Audit extends Context.Service<Audit, { readonly note: Effect.Effect<void> }>()("types/Audit") {}
class Rude {
  readonly _tag = "Rude"
}

declare const server: Endpoint.Server
declare const client: Endpoint.Client

const echo = (transport: Transport) => transport.receiveEach(transport.send)
const chat = (lines: Lines.Lines) =>
  Effect.gen(function* () {
    const room = yield* Room
    yield* Effect.addFinalizer(() => Effect.void)
    yield* lines.send(room.name)
    return yield* Effect.fail(new Rude())
  })

class Chat extends Protocol.Service<Chat, Transport>()("types/Chat") {}

describe("Server.layer", () => {
  it("asks for a reactor, and fails as ListenError only", () => {
    expectTypeOf(Server.layer(server, echo)).toEqualTypeOf<Layer.Layer<never, ListenError, Reactor>>()
  })

  it("asks for what the protocol requires, but not for the connection's scope", () => {
    expectTypeOf(Server.layer(server, Lines.over()(chat))).toEqualTypeOf<
      Layer.Layer<never, ListenError, Reactor | Room>
    >()
  })

  it("asks for a protocol's service", () => {
    expectTypeOf(Server.layer(server, Chat)).toEqualTypeOf<Layer.Layer<never, ListenError, Reactor | Chat>>()
  })

  it("make says the same of an effect", () => {
    expectTypeOf(Server.make(server, Lines.over()(chat))).toEqualTypeOf<
      Effect.Effect<Server.Server, ListenError, Reactor | Scope.Scope | Room>
    >()
  })

  it("takes no protocol of lines, and no service of one, where bytes come", () => {
    expectTypeOf(chat).parameter(0).toEqualTypeOf<Lines.Lines>()
    // @ts-expect-error lines are not a transport
    Server.layer(server, chat)
    class OfLines extends Protocol.Service<OfLines, Lines.Lines>()("types/OfLines") {}
    // @ts-expect-error nor is a service of them
    Server.layer(server, OfLines)
  })
})

describe("wrappers", () => {
  type Conversation<E, R> = (transport: Transport) => Effect.Effect<void, E, R>
  type Errors = Rude | FramingError | TransportError

  it("keep errors and requirements, alone and composed", () => {
    const lines = Lines.over()(chat)
    expectTypeOf(lines).toEqualTypeOf<Conversation<Errors, Room | Scope.Scope>>()
    expectTypeOf(Idle.over("1 minute")(lines)).toEqualTypeOf<typeof lines>()
    expectTypeOf(Limit.over({ connectionsMax: 1 })(lines)).toEqualTypeOf<typeof lines>()
    const all = Lines.over({ delimiter: "\n" })(chat)
    expectTypeOf(Limit.over({})(Idle.over("1 minute", { goodbye: "bye" })(all))).toEqualTypeOf<typeof lines>()
  })

  it("pipe", () => {
    const piped = Effect.succeed(echo).pipe(Effect.map(Idle.over("1 minute")))
    expectTypeOf(piped).toEqualTypeOf<Effect.Effect<Conversation<TransportError, never>>>()
  })

  it("Limit adds what the excess protocol may do", () => {
    const excess = () =>
      Effect.flatMap(Audit, ({ note }) => Effect.andThen(note, Effect.fail("full" as const)))
    expectTypeOf(Limit.over({ excess })(Lines.over()(chat))).toEqualTypeOf<
      Conversation<Errors | "full", Room | Audit | Scope.Scope>
    >()
  })

  it("give the inner protocol its connection", () => {
    Lines.over()((lines) => {
      expectTypeOf(lines).toEqualTypeOf<Lines.Lines>()
      return Effect.void
    })
    Lines.over({ onTooLong: "skip" })((lines) => {
      expectTypeOf(lines).toEqualTypeOf<Lines.LinesOrSkipped>()
      return Effect.void
    })
    Idle.over("1 minute")((transport) => {
      expectTypeOf(transport).toEqualTypeOf<Transport>()
      return Effect.void
    })
    expectTypeOf(Framed.over).toBeFunction()
  })
})

describe("Protocol.layer", () => {
  it("asks for what building and what running requires, without the scope", () => {
    const live = Protocol.layer(
      Chat,
      Effect.gen(function* () {
        yield* Audit
        yield* Effect.addFinalizer(() => Effect.void)
        return Lines.over()(chat)
      })
    )
    expectTypeOf(live).toEqualTypeOf<Layer.Layer<Chat, never, Room | Audit>>()
  })

  it("fails as building does; what a conversation fails with stays in the connection", () => {
    const live = Protocol.layer(Chat, Effect.as(Effect.fail("no room" as const), echo))
    expectTypeOf(live).toEqualTypeOf<Layer.Layer<Chat, "no room">>()
  })

  it("takes no protocol of another connection", () => {
    expectTypeOf<Context.Service.Shape<typeof Chat>>().toEqualTypeOf<Protocol.Complete<Transport>>()
    // @ts-expect-error the service is one of bytes
    Protocol.layer(Chat, Effect.succeed(chat))
  })
})

describe("Client", () => {
  it("connect needs a scope, run and layer do not", () => {
    expectTypeOf(Client.connect(client)).toEqualTypeOf<
      Effect.Effect<Transport, ConnectError, Reactor | Scope.Scope>
    >()
    expectTypeOf(Client.run(client, Lines.over()(chat))).toEqualTypeOf<
      Effect.Effect<void, ConnectError | Rude | FramingError | TransportError, Reactor | Room>
    >()
    const layer = Client.layer(Room, client, () => Effect.as(Audit, { name: "one" }))
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<Room, ConnectError, Reactor | Audit>>()
  })

  it("a reason of ConnectError narrows", () => {
    const caught = Client.run(client, () => Effect.void).pipe(
      Effect.catchReason("ConnectError", "Refused", (refused) => {
        expectTypeOf(refused).toEqualTypeOf<Reason.Refused>()
        return Effect.fail("refused" as const)
      })
    )
    expectTypeOf<"refused">().toExtend<Effect.Error<typeof caught>>()
    const impossible = Client.run(client, () => Effect.void).pipe(
      // @ts-expect-error connecting never fails for this reason
      Effect.catchReason("ConnectError", "AddressInUse", () => Effect.void)
    )
    expectTypeOf(impossible).not.toBeNever()
  })
})
