import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import { describe, expectTypeOf, it } from "vitest"
import * as Lines from "../../src/framing/Lines.ts"
import * as Client from "../../src/protocol/Client.ts"
import type { ClientPoolError, Counts } from "../../src/protocol/ClientPool.ts"
import type { PersistentClientError, State } from "../../src/protocol/PersistentClient.ts"
import type * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { ConnectError, TransportError } from "../../src/reactor/ReactorError.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

declare const endpoint: Endpoint.Client

class Denied {
  readonly _tag = "Denied"
}
class Password extends Context.Service<Password, { readonly text: string }>()("types/Password") {}
class Audit extends Context.Service<Audit, { readonly note: Effect.Effect<void> }>()("types/Audit") {}

interface Session {
  readonly lines: Lines.Lines
}

const logIn = (transport: Transport) =>
  Effect.gen(function* () {
    const { text } = yield* Password
    yield* Effect.addFinalizer(() => Effect.void)
    if (text === "") return yield* Effect.fail(new Denied())
    const session: Session = { lines: Lines.make(transport) }
    return session
  })

const plain = (transport: Transport) => Effect.succeed(transport)

type LastingFailure = ConnectError | PersistentClientError | Denied
type PoolFailure = ConnectError | ClientPoolError | Denied

describe("Client.persistent", () => {
  it("cannot fail, asks for what make requires, but not for its connection's scope", () => {
    expectTypeOf(Client.persistent(endpoint, logIn)).toEqualTypeOf<
      Effect.Effect<Client.Persistent<Session, Denied>, never, Reactor | Scope.Scope | Password>
    >()
    expectTypeOf(Client.persistent(endpoint, plain)).toEqualTypeOf<
      Effect.Effect<Client.Persistent<Transport>, never, Reactor | Scope.Scope>
    >()
  })

  it("tells make's errors where one waits, and adds those of a use to them", () => {
    const client = {} as Client.Persistent<Session, Denied>
    expectTypeOf(client.whenConnected({ failuresMax: 1 })).toEqualTypeOf<
      Effect.Effect<Session, LastingFailure>
    >()
    expectTypeOf(client.state).toEqualTypeOf<SubscriptionRef.SubscriptionRef<State<Session, Denied>>>()
    const used = client.use(({ lines }) => Effect.andThen(Audit, Effect.as(lines.transport.send("x"), 1)))
    expectTypeOf(used).toEqualTypeOf<Effect.Effect<number, LastingFailure | TransportError, Audit>>()
  })

  it("types isFatal and the schedule by make's errors", () => {
    void Client.persistent(endpoint, logIn, {
      isFatal: (failure) => {
        expectTypeOf(failure).toEqualTypeOf<LastingFailure>()
        return failure._tag === "Denied"
      }
    })
    const retry = Schedule.spaced("1 second").pipe(
      Schedule.tap(({ input }: { input: Cause.Cause<LastingFailure> }) =>
        Effect.andThen(Audit, Effect.log(input))
      )
    )
    expectTypeOf(Client.persistent(endpoint, logIn, { retry })).toEqualTypeOf<
      Effect.Effect<Client.Persistent<Session, Denied>, never, Reactor | Scope.Scope | Password | Audit>
    >()
    // @ts-expect-error a schedule that fails has nobody to fail to
    void Client.persistent(endpoint, plain, { retry: Schedule.tap(retry, () => Effect.fail("no")) })
    // @ts-expect-error not an error of make's
    void Client.persistent(endpoint, plain, { isFatal: (failure) => failure._tag === "Denied" })
  })

  it("as a Layer gives a service that was declared", () => {
    class Db extends Context.Service<Db, Client.Persistent<Session, Denied>>()("types/Db") {}
    expectTypeOf(Client.persistentLayer(Db, endpoint, logIn)).toEqualTypeOf<
      Layer.Layer<Db, never, Reactor | Password>
    >()
    // @ts-expect-error another client than the service has
    void Client.persistentLayer(Db, endpoint, plain)
  })
})

describe("Client.pool", () => {
  it("cannot fail, asks for what make and check require, but not for the connections' scopes", () => {
    expectTypeOf(Client.pool(endpoint, logIn)).toEqualTypeOf<
      Effect.Effect<Client.Pool<Session, Denied>, never, Reactor | Scope.Scope | Password>
    >()
    const check = (client: Session) => Effect.andThen(Audit, client.lines.send("ping"))
    expectTypeOf(Client.pool(endpoint, logIn, { check })).toEqualTypeOf<
      Effect.Effect<Client.Pool<Session, Denied>, never, Reactor | Scope.Scope | Password | Audit>
    >()
    // @ts-expect-error a check of another client
    void Client.pool(endpoint, plain, { check })
  })

  it("tells make's errors where one waits, and adds those of a use to them", () => {
    const pool = {} as Client.Pool<Session, Denied>
    expectTypeOf(pool.get).toEqualTypeOf<Effect.Effect<Session, PoolFailure, Scope.Scope>>()
    expectTypeOf(pool.counts).toEqualTypeOf<SubscriptionRef.SubscriptionRef<Counts>>()
    const used = pool.use(({ lines }) => Effect.andThen(Audit, Effect.as(lines.transport.send("x"), 1)))
    expectTypeOf(used).toEqualTypeOf<Effect.Effect<number, PoolFailure | TransportError, Audit>>()
    const full = Effect.catchReason(used, "ClientPoolError", "QueueFull", (reason) => {
      expectTypeOf(reason._tag).toEqualTypeOf<"QueueFull">()
      return Effect.succeed(0)
    })
    expectTypeOf(full).toExtend<Effect.Effect<number, unknown, Audit>>()
  })

  it("as a Layer gives a service that was declared", () => {
    class Db extends Context.Service<Db, Client.Pool<Session, Denied>>()("types/DbPool") {}
    expectTypeOf(Client.poolLayer(Db, endpoint, logIn)).toEqualTypeOf<
      Layer.Layer<Db, never, Reactor | Password>
    >()
  })
})
