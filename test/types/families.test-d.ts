import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import * as FingerClient from "../../src/finger/FingerClient.ts"
import type { FingerDirectory } from "../../src/finger/FingerDirectory.ts"
import type { FingerError } from "../../src/finger/FingerError.ts"
import * as FingerServer from "../../src/finger/FingerServer.ts"
import * as IdentServer from "../../src/ident/IdentServer.ts"
import type { IdentUsers } from "../../src/ident/IdentUsers.ts"
import * as MemcacheClient from "../../src/memcache/MemcacheClient.ts"
import * as MemcacheDatagramClient from "../../src/memcache/MemcacheDatagramClient.ts"
import type { MemcacheError } from "../../src/memcache/MemcacheError.ts"
import * as MemcacheServer from "../../src/memcache/MemcacheServer.ts"
import type { MemcacheStore } from "../../src/memcache/MemcacheStore.ts"
import * as MemcacheTyped from "../../src/memcache/MemcacheTyped.ts"
import * as PostfixClient from "../../src/postfix/PostfixClient.ts"
import * as PostfixServer from "../../src/postfix/PostfixServer.ts"
import type { PostfixTable } from "../../src/postfix/PostfixTable.ts"
import type * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { ConnectError, ListenError, TransportError } from "../../src/reactor/ReactorError.ts"
import type * as Pull from "effect/Pull"
import * as SocksClient from "../../src/socks/SocksClient.ts"
import * as SocksEndpoint from "../../src/socks/SocksEndpoint.ts"
import type { SocksError } from "../../src/socks/SocksError.ts"
import type { SocksRules } from "../../src/socks/SocksRules.ts"
import * as SocksServer from "../../src/socks/SocksServer.ts"
import type { SocksUsers } from "../../src/socks/SocksUsers.ts"
import type { Place } from "../../src/socks/SocksWire.ts"
import type * as Telnet from "../../src/telnet/Telnet.ts"
import * as TelnetClient from "../../src/telnet/TelnetClient.ts"
import type { TelnetError } from "../../src/telnet/TelnetError.ts"
import * as TelnetServer from "../../src/telnet/TelnetServer.ts"
import type { TelnetShell } from "../../src/telnet/TelnetShell.ts"
import type { Transport } from "../../src/reactor/Transport.ts"

declare const transport: Transport
declare const server: Endpoint.Server
declare const client: Endpoint.Client

describe("families", () => {
  it("a server is a Layer that owes its reactor and what the application supplies", () => {
    expectTypeOf(FingerServer.layer(server)).toEqualTypeOf<
      Layer.Layer<never, ListenError, FingerDirectory | Reactor>
    >()
    expectTypeOf(IdentServer.layer(server)).toEqualTypeOf<
      Layer.Layer<never, ListenError, IdentUsers | Reactor>
    >()
    expectTypeOf(PostfixServer.layer(server)).toEqualTypeOf<
      Layer.Layer<never, ListenError, PostfixTable | Reactor>
    >()
    expectTypeOf(MemcacheServer.layer(server)).toEqualTypeOf<
      Layer.Layer<never, ListenError, MemcacheStore | Reactor>
    >()
    expectTypeOf(SocksServer.layer(server)).toEqualTypeOf<
      Layer.Layer<never, ListenError, Reactor | SocksRules | SocksUsers>
    >()
    expectTypeOf(TelnetServer.layer(server)).toEqualTypeOf<
      Layer.Layer<never, ListenError, Reactor | TelnetShell>
    >()
  })

  it("an endpoint through a proxy is an endpoint", () => {
    expectTypeOf(SocksEndpoint.through({ proxy: client })(client)).toEqualTypeOf<Endpoint.Client>()
    expectTypeOf(SocksClient.connect(transport, { host: "h", port: 1 })).toEqualTypeOf<
      Effect.Effect<Place, SocksError | TransportError>
    >()
  })

  it("telnet says what its input may fail with", () => {
    expectTypeOf(TelnetClient.make(transport).receiveText).toEqualTypeOf<
      Pull.Pull<string, TelnetError | TransportError>
    >()
    expectTypeOf(TelnetClient.layer(client)).toEqualTypeOf<
      Layer.Layer<TelnetClient.TelnetClient, ConnectError, Reactor>
    >()
    expectTypeOf<Telnet.Input["_tag"]>().toEqualTypeOf<
      "Data" | "Command" | "Subnegotiation" | "Changed" | "Refused"
    >()
  })

  it("a client is a Layer that owes its reactor", () => {
    expectTypeOf(FingerClient.layer()).toEqualTypeOf<Layer.Layer<FingerClient.FingerClient, never, Reactor>>()
    expectTypeOf(PostfixClient.layer(client)).toEqualTypeOf<
      Layer.Layer<PostfixClient.PostfixClient, never, Reactor>
    >()
    expectTypeOf(MemcacheClient.layer([{ endpoint: client }])).toEqualTypeOf<
      Layer.Layer<MemcacheClient.MemcacheClient, never, Reactor>
    >()
    expectTypeOf(MemcacheDatagramClient.layer([{ host: "h", port: 1 }])).toEqualTypeOf<
      Layer.Layer<MemcacheClient.MemcacheClient, ListenError, Reactor>
    >()
    expectTypeOf(MemcacheClient.connect([{ endpoint: client }])).toEqualTypeOf<
      Effect.Effect<MemcacheClient.Memcache, never, Reactor | Scope.Scope>
    >()
  })

  it("what a question may fail with is in its type", () => {
    expectTypeOf(FingerClient.ask(client, { user: "a", hosts: [], verbose: false })).toEqualTypeOf<
      Effect.Effect<string, FingerError | TransportError | ConnectError, Reactor>
    >()
  })

  it("values of a type, with the failures of their cache", () => {
    const cache = {} as MemcacheClient.Memcache
    const typed = MemcacheTyped.make(cache, Schema.Struct({ at: Schema.Date }))
    expectTypeOf(typed.get("a")).toEqualTypeOf<
      Effect.Effect<{ readonly at: Date } | undefined, MemcacheClient.Failure | MemcacheError>
    >()
    // @ts-expect-error not of that type
    void typed.set("a", { at: "today" })
  })
})
