import { describe, expectTypeOf, it } from "vitest"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { ListenError, TransportError } from "../../src/reactor/ReactorError.ts"
import type { Reactor } from "../../src/reactor/Reactor.ts"
import type { Transport } from "../../src/reactor/Transport.ts"
import * as PostfixTable from "../../src/postfix/PostfixTable.ts"
import * as SocketmapServer from "../../src/postfix/SocketmapServer.ts"
import * as SocketmapTables from "../../src/postfix/SocketmapTables.ts"
import * as Endpoint from "../../src/reactor/Endpoint.ts"
import type { Size } from "../../src/terminal/LineViewWire.ts"
import * as Terminal from "../../src/terminal/Terminal.ts"
import * as TerminalScreen from "../../src/terminal/TerminalScreen.ts"
import type * as Telnet from "../../src/telnet/Telnet.ts"
import type { TelnetTerminal } from "../../src/telnet/TelnetTerminal.ts"

class Jobs extends Context.Service<Jobs, { readonly next: Effect.Effect<number, "none"> }>()("types/Jobs") {}

declare const transport: Transport
declare const telnet: TelnetTerminal
declare const job: Effect.Effect<number, "none", Jobs>

describe("a terminal", () => {
  const terminal = Terminal.make(TerminalScreen.fromTransport(transport))

  it("fails as what it stands on", () => {
    expectTypeOf(terminal).toEqualTypeOf<Terminal.Terminal<TransportError>>()
    expectTypeOf(terminal.readLine()).toEqualTypeOf<Effect.Effect<Terminal.Read, TransportError>>()
    expectTypeOf(telnet.readLine()).toEqualTypeOf<Effect.Effect<Terminal.Read, Telnet.Failure>>()
    expectTypeOf(terminal.sizes).toEqualTypeOf<Stream.Stream<Size>>()
  })

  it("runs with what the command needs, and gives what it gives, unless it is interrupted", () => {
    expectTypeOf(terminal.run(job)).toEqualTypeOf<
      Effect.Effect<Option.Option<number>, TransportError | "none", Jobs>
    >()
    expectTypeOf(terminal.attend(job)).toEqualTypeOf<Effect.Effect<number, TransportError | "none", Jobs>>()
  })

  it("takes text, and colours that there are", () => {
    const content = ["a", { text: "b", color: "bright-red", background: 17, bold: true }] as const
    expectTypeOf(terminal.print(content)).toEqualTypeOf<Effect.Effect<void, TransportError>>()
    // @ts-expect-error no such colour
    void terminal.print({ text: "a", color: "pink" })
    // @ts-expect-error colours of nothing
    void terminal.print({ color: "red" })
  })
})

describe("a socketmap", () => {
  it("owes its tables, and a reactor", () => {
    expectTypeOf(SocketmapServer.layer(Endpoint.tcp({ port: 1 }))).toEqualTypeOf<
      Layer.Layer<never, ListenError, SocketmapTables.SocketmapTables | Reactor>
    >()
    expectTypeOf(SocketmapTables.layer({ a: PostfixTable.memory([]) })).toEqualTypeOf<
      Layer.Layer<SocketmapTables.SocketmapTables>
    >()
  })
})
