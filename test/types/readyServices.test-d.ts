import * as Flag from "effect/cli/Flag"
import * as Context from "effect/Context"
import type * as Cron from "effect/Cron"
import * as Effect from "effect/Effect"
import { describe, expectTypeOf, it } from "vitest"
import * as ClientService from "../../src/app/ClientService.ts"
import * as CooperatorService from "../../src/app/CooperatorService.ts"
import * as DatagramService from "../../src/app/DatagramService.ts"
import * as ProcessService from "../../src/app/ProcessService.ts"
import type * as Service from "../../src/app/Service.ts"
import * as ServiceGroup from "../../src/app/ServiceGroup.ts"
import * as ServiceMaker from "../../src/app/ServiceMaker.ts"
import * as StreamServerService from "../../src/app/StreamServerService.ts"
import * as TimerService from "../../src/app/TimerService.ts"
import type * as PersistentClient from "../../src/protocol/PersistentClient.ts"
import type { Cooperator } from "../../src/reactor/Cooperator.ts"
import type { InvalidDelay } from "../../src/reactor/DelayedCall.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { NoCronSlot } from "../../src/reactor/LoopingCallCron.ts"
import type { SpawnFailed } from "../../src/reactor/ProcessError.ts"
import type { Processes } from "../../src/reactor/ProcessesService.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { ConnectError, ListenError } from "../../src/reactor/ReactorError.ts"
import type { Timers } from "../../src/reactor/Timers.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

class Store extends Context.Service<Store, { readonly read: Effect.Effect<string, "broken"> }>()("Store") {}
class Peer extends Context.Service<Peer, PersistentClient.PersistentClient<Transport>>()("Peer") {}

const tcp = Endpoint.tcp({ port: 80 })
const read = Effect.flatMap(Store, (store) => store.read)

describe("ready-made services", () => {
  it("a server owes what its protocol does, but for the connection's scope", () => {
    const plain = StreamServerService.make({
      endpoint: tcp,
      protocol: (transport) => transport.receiveEach(transport.send)
    })
    expectTypeOf(plain).toEqualTypeOf<Service.Service<never, ListenError, Reactor>>()
    const owing = StreamServerService.make({
      endpoint: tcp,
      protocol: (transport) =>
        Effect.andThen(
          Effect.addFinalizer(() => Effect.void),
          Effect.flatMap(read, transport.send)
        )
    })
    expectTypeOf(owing).toEqualTypeOf<Service.Service<never, ListenError, Reactor | Store>>()
  })

  it("a datagram service fails as what it does", () => {
    const service = DatagramService.make({ endpoint: Endpoint.udp({ port: 7 }), serve: () => read })
    expectTypeOf(service).toEqualTypeOf<Service.Service<never, ListenError | "broken", Reactor | Store>>()
  })

  it("a timer fails as its runs do; a calendar may be none", () => {
    const every = TimerService.make({ name: "a", every: "1 second", run: read })
    expectTypeOf(every).toEqualTypeOf<Service.Service<never, InvalidDelay | "broken", Store | Timers>>()
    const nightly = TimerService.make({ name: "a", cron: "0 4 * * *", run: () => read })
    expectTypeOf(nightly).toEqualTypeOf<
      Service.Service<never, InvalidDelay | "broken" | Cron.CronParseError | NoCronSlot, Store | Timers>
    >()
  })

  it("clients and cooperators are provided to those that come after them", () => {
    const client = ClientService.make({
      service: Peer,
      endpoint: Endpoint.tcpClient({ host: "a", port: 1 }),
      prepare: (transport) => Effect.succeed(transport)
    })
    expectTypeOf(client).toExtend<
      Service.Service<Peer, ConnectError | PersistentClient.PersistentClientError, Reactor>
    >()
    const group = ServiceGroup.make("all", [
      client,
      CooperatorService.make(),
      TimerService.make({
        name: "ask",
        every: "1 second",
        run: Effect.flatMap(Peer, (peer) => peer.use((transport) => transport.send("hello")))
      })
    ])
    expectTypeOf<Owed<typeof group>>().toEqualTypeOf<Reactor | Timers>()
    expectTypeOf<Provided<typeof group>>().toEqualTypeOf<Peer | Cooperator>()
  })

  it("a process may not be startable", () => {
    expectTypeOf(ProcessService.make({ program: "ls" })).toEqualTypeOf<
      Service.Service<never, SpawnFailed, Processes>
    >()
  })
})

type Owed<S> = S extends Service.Service<infer _P, infer _E, infer R> ? R : never
type Provided<S> = S extends Service.Service<infer P, infer _E, infer _R> ? P : never

describe("ServiceMaker", () => {
  it("its flags are what it is given", () => {
    const maker = ServiceMaker.make({
      name: "a",
      description: "",
      flags: { port: Flag.Int("port"), names: Flag.String("name").pipe(Flag.atLeast(0)) },
      make: (options) => {
        expectTypeOf(options).toEqualTypeOf<{
          readonly port: number
          readonly names: ReadonlyArray<string>
        }>()
        return StreamServerService.make({
          endpoint: Endpoint.tcp({ port: options.port }),
          protocol: (transport) => transport.receiveEach(transport.send)
        })
      }
    })
    expectTypeOf(maker).toExtend<ServiceMaker.Any>()
  })

  it("a service that owes more than the platform gives is refused", () => {
    const owing = TimerService.make({ name: "a", every: "1 second", run: read })
    // @ts-expect-error nobody provides the Store
    ServiceMaker.make({ name: "a", description: "", flags: {}, make: () => owing })
    const fine = Effect.succeed(ProcessService.make({ program: "ls" }))
    const maker = ServiceMaker.make({ name: "a", description: "", flags: {}, make: () => fine })
    expectTypeOf(maker).toExtend<ServiceMaker.Any>()
  })
})
